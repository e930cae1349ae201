//! The other threads: stopped, and their stacks.
//!
//! A thread's registers can be had in two ways: by a signal that makes it store them itself, or by tracing it. A signal needs
//! the thread's consent (it may hold all signals back, as threads do that wait for them), room on its stack, and a signal that the
//! program does not use; and a thread that sleeps in the kernel wakes up with `EINTR`. Tracing needs none of it and changes
//! nothing, but a process cannot trace itself, the kernel can be told to forbid it, and another tracer may be there. The child
//! is another process, and our child: so it traces, and where that is refused, says so.
//!
//! All threads are stopped first and looked at then. That gives one picture of the process, and keeps its other threads
//! from ending it before the report is written. When the child is gone, they go on (to be ended by the signal).
//!
//! Bounded: so many threads, so many frames each, so many bytes in all; what is left out is counted.
//!
//! # Safety
//!
//! The requests of `ptrace` get pointers to structures of ours of the size that they announce.
#![allow(unsafe_code)]

use super::json;
use super::registers::Registers;
use super::render::Render;
use super::site::{self, Site};
use super::unwind::{Kind, Walker};
use crate::sys::raw::{self, Errno};
use core::ffi::CStr;
use core::mem::MaybeUninit;
use core::ops::ControlFlow;

/// How many threads are stopped.
const MOST_THREADS: usize = 1024;
/// How many frames of each are shown.
pub(crate) const MOST_FRAMES: usize = 64;
/// How many bytes are written about all of them.
const MOST_BYTES: u64 = 256 << 10;

/// The numbers of the threads.
#[derive(Debug)]
pub(crate) struct Threads {
    numbers: [u32; MOST_THREADS],
    count: usize,
    left_out: usize,
}

impl Threads {
    /// None.
    pub(crate) const fn new() -> Self {
        Self { numbers: [0; MOST_THREADS], count: 0, left_out: 0 }
    }

    /// Finds all threads of `process` but `except`. Signal-safe.
    ///
    /// # Errors
    /// The kernel's number, when they cannot be listed.
    fn list(&mut self, process: u32, except: u32) -> Result<(), Errno> {
        let mut path = [0; 40];
        let path = path_of(process, b"/task", &mut path);
        let folder = raw::open(libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC, 0)?;
        (self.count, self.left_out) = (0, 0);
        let mut buffer = [0; 1024];
        let read = raw::entries(folder, &mut buffer, &mut |name| {
            let number = core::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
            let Some(number) = number.filter(|number: &u32| *number != except) else { return };
            match self.numbers.get_mut(self.count) {
                Some(place) => (*place, self.count) = (number, self.count + 1),
                None => self.left_out += 1,
            }
        });
        raw::close(folder);
        read
    }

    fn numbers(&self) -> &[u32] {
        &self.numbers[..self.count]
    }
}

/// `/proc/PROCESS` and what comes behind.
fn path_of<'a>(process: u32, behind: &[u8], into: &'a mut [u8; 40]) -> &'a CStr {
    let mut length = 0;
    let mut add = |bytes: &[u8]| {
        into[length..length + bytes.len()].copy_from_slice(bytes);
        length += bytes.len();
    };
    add(b"/proc/");
    let mut divisor = 1_000_000_000;
    while divisor > 0 {
        if process >= divisor {
            add(&[b'0' + (process / divisor % 10) as u8]);
        }
        divisor /= 10;
    }
    add(behind);
    add(&[0]);
    CStr::from_bytes_until_nul(into).unwrap_or(c"")
}

/// Whether `/proc` counts processes as this one does: not in a namespace that was made without a `/proc` of its own, where
/// the numbers there are those of strangers.
fn is_own_namespace() -> bool {
    let mut link = [0; 16];
    let Ok(number) = raw::read_link(c"/proc/self", &mut link) else { return true };
    core::str::from_utf8(number).ok().and_then(|number| number.parse().ok()) == Some(raw::process())
}

/// In the child: stops all other threads. They are looked at by [`show`]. Signal-safe.
pub(crate) fn stop(site: &mut Site) {
    let (process, thread) = (site.record.process, site.record.thread);
    if !is_own_namespace() {
        site.refused = Some(Errno(libc::ESRCH));
        return;
    }
    if let Err(error) = site.threads.list(process, thread) {
        site.refused = Some(error);
        return;
    }
    let mut stopped = 0;
    for number in site.threads.numbers() {
        // SAFETY: the request takes no pointers.
        let seized = unsafe { raw::trace(libc::PTRACE_SEIZE, *number, 0, 0) };
        match seized {
            Ok(_) => {
                stopped += 1;
                // SAFETY: as above.
                let _ = unsafe { raw::trace(libc::PTRACE_INTERRUPT, *number, 0, 0) };
            }
            Err(Errno(libc::ESRCH)) => {} // It has ended meanwhile.
            Err(error) => site.refused = Some(error),
        }
    }
    if stopped > 0 {
        site.refused = None; // A first thread that has ended before the others cannot be traced.
    }
}

/// In the child: shows the stacks of the threads that [`stop`] has stopped. Signal-safe.
pub(crate) fn show(site: &mut Site, render: &mut dyn Render) {
    let count = site.threads.count;
    if count == 0 && site.refused.is_none() {
        return;
    }
    site.writer.text("*** other threads: ").decimal((count + site.threads.left_out) as u64).text("\n");
    if let Some(error) = site.refused {
        site.writer.text("    (they cannot be looked at: error ").decimal(error.0 as u64).text(")\n");
        return;
    }
    site.writer.limit(MOST_BYTES);
    let mut shown = 0;
    while shown < count && !site.writer.is_full() {
        let number = site.threads.numbers[shown];
        show_one(site, number, render);
        site.writer.flush();
        shown += 1;
    }
    let is_cut = site.writer.is_full();
    site.writer.limit(u64::MAX);
    let left_out = count - shown + site.threads.left_out;
    if is_cut {
        site.writer.text("\n    (cut here: ").decimal(MOST_BYTES >> 10).text(" KiB are the limit)\n");
    }
    if left_out > 0 {
        site.writer.text("    (").decimal(left_out as u64).text(" threads left out)\n");
    }
}

/// One thread, which was told to stop.
fn show_one(site: &mut Site, number: u32, render: &mut dyn Render) {
    let Some(registers) = registers_of(number, false) else { return };
    let mut name = [0; 17];
    let name = name_of(site.record.process, number, &mut name);
    site.writer.text("thread   ").decimal(u64::from(number)).text(" \"").foreign(name).text("\"\n");
    walk(site, &registers);
    render.show(&site.other, &site.modules, &mut site.writer);
}

/// As [`show`], as JSON, after it. Signal-safe.
pub(crate) fn show_json(site: &mut Site, render: &mut dyn Render) {
    site.json.text(",\"threads\":[");
    site.json.limit(MOST_BYTES * 4);
    let (mut shown, mut left_out) = (0, site.threads.left_out);
    for index in 0..site.threads.count {
        // Only whole threads, so that it stays an object.
        if site.json.has_less_than(MOST_BYTES) {
            left_out += 1;
            continue;
        }
        let number = site.threads.numbers[index];
        let Some(registers) = registers_of(number, true) else { continue };
        let mut name = [0; 17];
        let name = name_of(site.record.process, number, &mut name);
        site.json.text(if shown > 0 { "," } else { "" }).text("{\"thread\":").decimal(number.into());
        json::text("name", name, &mut site.json);
        walk(site, &registers);
        let modules = &site.modules;
        json::trace(&site.other, modules, &mut |frame, to| render.tell(frame, modules, to), &mut site.json);
        site.json.text("}");
        shown += 1;
    }
    site.json.limit(u64::MAX);
    site.json.text("],\"threads_left_out\":").decimal(left_out as u64);
}

/// Walks the stack of a thread that has stopped.
fn walk(site: &mut Site, registers: &Registers) {
    let memory = site::memory();
    site.other.clear();
    let trace = &mut site.other;
    let walker = Walker::new(&memory, &site.modules, &mut site.scratch).at_most(MOST_FRAMES);
    let end = walker.run(registers, Kind::Stopped, &mut |frame| {
        trace.push(frame);
        ControlFlow::Continue(())
    });
    trace.finish(end);
}

/// The registers of a thread that was told to stop, once it has; none when it does not within a quarter of a second.
fn registers_of(number: u32, has_stopped: bool) -> Option<Registers> {
    for attempt in 0..1000 {
        if has_stopped {
            break;
        }
        match raw::wait(number, libc::__WALL | libc::WNOHANG) {
            Ok(Some(status)) if libc::WIFSTOPPED(status) => break,
            Ok(Some(_)) | Err(Errno(libc::ECHILD)) => return None, // It has ended, or is not ours.
            Ok(None) if attempt < 10 => raw::yield_now(),
            Ok(None) if attempt == 999 => return None,
            Ok(None) => raw::sleep(250_000),
            Err(_) => {}
        }
    }
    /// The general registers, among the sets that can be asked for.
    const NT_PRSTATUS: usize = 1;
    let mut registers = MaybeUninit::<libc::user_regs_struct>::zeroed();
    let range = libc::iovec { iov_base: registers.as_mut_ptr().cast(), iov_len: size_of::<libc::user_regs_struct>() };
    // SAFETY: the kernel writes to the range, at most its length.
    unsafe { raw::trace(libc::PTRACE_GETREGSET, number, NT_PRSTATUS, (&raw const range) as usize) }.ok()?;
    // SAFETY: it was zeroed, and all its fields are integers.
    Some(Registers::from_traced(&unsafe { registers.assume_init() }))
}

/// The name of another thread.
fn name_of(process: u32, thread: u32, into: &mut [u8; 17]) -> &[u8] {
    let mut behind = [0; 32];
    let mut path = [0; 40];
    // `/task/NUMBER/comm`: the middle of it is written like the number of a process.
    let number = path_of(thread, b"/comm", &mut path).to_bytes();
    let task = b"/task";
    let number = &number[b"/proc".len()..];
    behind[..task.len()].copy_from_slice(task);
    behind[task.len()..task.len() + number.len()].copy_from_slice(number);
    let behind = &behind[..task.len() + number.len()];
    let mut whole = [0; 40];
    let path = path_of(process, behind, &mut whole);
    let Ok(file) = raw::open(libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_CLOEXEC, 0) else { return b"" };
    let length = raw::read(file, into).unwrap_or(0);
    raw::close(file);
    into[..length].strip_suffix(b"\n").unwrap_or(&into[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_put_together() {
        let mut into = [0; 40];
        assert_eq!(path_of(7, b"/task", &mut into), c"/proc/7/task");
        assert_eq!(path_of(4_194_304, b"", &mut into), c"/proc/4194304");
    }

    #[test]
    fn threads_are_listed_and_named() {
        let mut threads = Box::new(Threads::new());
        let thread = std::thread::Builder::new().name("lister".to_owned());
        thread
            .spawn(move || {
                let (process, own) = (raw::process(), raw::thread());
                threads.list(process, 0).unwrap();
                assert!(threads.numbers().contains(&own));
                threads.list(process, own).unwrap();
                assert!(!threads.numbers().contains(&own) && threads.numbers().contains(&process));
                assert_eq!(name_of(process, own, &mut [0; 17]), b"lister");
            })
            .unwrap()
            .join()
            .unwrap();
    }
}
