//! The least that a walk by path can do: read every directory, open every file, ask for its extents, close it.
//!
//! No metadata, no ranking, no names kept, no errors told apart, one buffer a thread. Directories wait on one stack
//! that all threads share; files are opened relative to the directory that is being read. What a ranking adds to
//! this is its own cost.
//!
//! # Safety
//!
//! Unsafe code here is system calls on descriptors that this file opened, and on buffers whose length is passed with
//! them.
#![allow(unsafe_code)]

use std::error::Error;
use std::ffi::{CStr, CString, c_int};
use std::sync::{Condvar, Mutex};

const RECORDS: usize = 256;
const FS_IOC_FIEMAP: libc::Ioctl = 0xC020_660B_u32 as libc::Ioctl;

/// `struct fiemap` with room for its records of seven words each.
#[repr(C)]
struct Request {
    start: u64,
    length: u64,
    flags: u32,
    mapped: u32,
    capacity: u32,
    reserved: u32,
    records: [[u64; 7]; RECORDS],
}

const _: () = assert!(size_of::<Request>() == 32 + 56 * RECORDS);

#[derive(Default)]
struct Stack {
    waiting: Vec<CString>,
    /// Threads that are reading a directory, and may find more.
    busy: usize,
}

#[derive(Default)]
struct Shared {
    stack: Mutex<Stack>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Count {
    files: u64,
    extents: u64,
}

pub(crate) fn run(threads: usize, directory: &str) -> Result<(), Box<dyn Error>> {
    let shared = Shared::default();
    shared.stack.lock().expect("no thread yet").waiting.push(CString::new(directory)?);
    let counts: Vec<Count> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(|| work(&shared))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker does not panic")).collect()
    });
    let files: u64 = counts.iter().map(|count| count.files).sum();
    let extents: u64 = counts.iter().map(|count| count.extents).sum();
    println!("{files} files, {extents} extents");
    Ok(())
}

fn work(shared: &Shared) -> Count {
    let mut count = Count::default();
    let mut entries = vec![0; 32 << 10];
    let mut request =
        Request { start: 0, length: 0, flags: 0, mapped: 0, capacity: 0, reserved: 0, records: [[0; 7]; RECORDS] };
    let mut found = Vec::new();
    while let Some(path) = take(shared) {
        read(&path, &mut entries, &mut request, &mut found, &mut count);
        finish(shared, &mut found);
    }
    count
}

/// A directory to read; `None` when none waits and nobody can find another.
fn take(shared: &Shared) -> Option<CString> {
    let mut stack = shared.stack.lock().expect("no worker panics");
    while stack.waiting.is_empty() && stack.busy > 0 {
        stack = shared.changed.wait(stack).expect("no worker panics");
    }
    let path = stack.waiting.pop()?;
    stack.busy += 1;
    Some(path)
}

/// Puts what was found on the stack, one directory being read.
fn finish(shared: &Shared, found: &mut Vec<CString>) {
    let mut stack = shared.stack.lock().expect("no worker panics");
    stack.busy -= 1;
    if !found.is_empty() || stack.busy == 0 {
        shared.changed.notify_all();
    }
    stack.waiting.append(found);
}

fn read(path: &CStr, entries: &mut [u8], request: &mut Request, found: &mut Vec<CString>, count: &mut Count) {
    let directory = open(libc::AT_FDCWD, path, libc::O_DIRECTORY);
    loop {
        // SAFETY: the kernel writes at most as many bytes as the buffer, which is borrowed mutably, is long.
        let read = unsafe { libc::syscall(libc::SYS_getdents64, directory, entries.as_mut_ptr(), entries.len()) };
        if read <= 0 {
            break;
        }
        let mut rest = &entries[..read as usize];
        while let Some((name, kind, after)) = entry(rest) {
            rest = after;
            match kind {
                libc::DT_REG => {
                    count.files += 1;
                    count.extents += extents(directory, name, request);
                }
                libc::DT_DIR if name != c"." && name != c".." => found.push(below(path, name)),
                _ => {}
            }
        }
    }
    close(directory);
}

/// The first of the records in `rest` (`struct linux_dirent64`): its name and kind, and what follows it.
fn entry(rest: &[u8]) -> Option<(&CStr, u8, &[u8])> {
    let length = usize::from(u16::from_ne_bytes([*rest.get(16)?, *rest.get(17)?]));
    let name = CStr::from_bytes_until_nul(rest.get(19..length)?).ok()?;
    Some((name, rest[18], &rest[length..]))
}

fn below(path: &CStr, name: &CStr) -> CString {
    CString::new([path.to_bytes(), b"/", name.to_bytes()].concat()).expect("names have no NUL inside")
}

/// Records of the file, as many as the kernel has.
fn extents(directory: c_int, name: &CStr, request: &mut Request) -> u64 {
    let file = open(directory, name, 0);
    let mut all = 0;
    request.start = 0;
    loop {
        request.length = u64::MAX - request.start;
        request.capacity = RECORDS as u32;
        request.mapped = 0;
        // SAFETY: the kernel reads the head and writes at most `capacity` records behind it, which are there.
        let answer = unsafe { libc::ioctl(file, FS_IOC_FIEMAP, std::ptr::from_mut(request)) };
        let mapped = if answer < 0 { 0 } else { request.mapped as usize };
        all += mapped as u64;
        if mapped < RECORDS {
            break;
        }
        let [start, _, length, ..] = request.records[mapped - 1];
        request.start = start + length;
    }
    close(file);
    all
}

/// A descriptor, or a negative number, which the calls above then refuse.
fn open(directory: c_int, name: &CStr, flags: c_int) -> c_int {
    let flags = flags | libc::O_RDONLY | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    // SAFETY: the name ends with a NUL, and is borrowed for the call.
    unsafe { libc::openat(directory, name.as_ptr(), flags) }
}

fn close(descriptor: c_int) {
    // SAFETY: the descriptor was opened here, nobody else has it, and it is not used again.
    unsafe { libc::close(descriptor) };
}
