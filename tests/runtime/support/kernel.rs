//! The system calls that the tests need and std does not have.
//!
//! Before `main`, while there is but one thread, the process moves into a mount namespace of its own and cuts it off
//! from the host's, so that what the tests mount is seen by nobody else and dies with the process.
//!
//! # Safety
//!
//! Every call passes terminated strings and plain structs that outlive it, and borrows its descriptors.
#![allow(unsafe_code)]

use std::collections::BTreeSet;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

static OWN_MOUNTS: AtomicBool = AtomicBool::new(false);

/// Set in the environment of a process that a test has started for itself, and that comes out of this program again.
const INSIDE: &CStr = c"TOOLBOX_TEST_PROCESS";

/// What it is set to where the program that started it could mount.
const WITH_MOUNTS: &CStr = c"with mounts";

/// Whether this process was started by a test for itself.
pub(crate) fn is_inside() -> bool {
    std::env::var_os(name(INSIDE)).is_some()
}

/// Has a process that is started know that a test did it.
pub(crate) fn set_inside(command: &mut Command) {
    command.env(name(INSIDE), if has_own_mounts() { name(WITH_MOUNTS) } else { "without" });
}

fn name(text: &'static CStr) -> &'static str {
    text.to_str().expect("it is ASCII")
}

/// Called by the C library before `main`.
// SAFETY: the section holds pointers to functions of this type, which is what the C library calls.
#[unsafe(link_section = ".init_array")]
#[used]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    // SAFETY: a terminated string, and nobody changes the environment yet.
    let told = unsafe { libc::getenv(INSIDE.as_ptr()) };
    if !told.is_null() {
        // A test's own process stays in the namespace of the tests: a copy would keep alive what they unmount.
        // SAFETY: not null, and so a terminated string.
        OWN_MOUNTS.store(unsafe { CStr::from_ptr(told) } == WITH_MOUNTS, Relaxed);
    // SAFETY: takes a flag, and there is no other thread yet.
    } else if unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0 {
        let private = libc::MS_REC | libc::MS_PRIVATE;
        // SAFETY: both strings are terminated, and null means that there is nothing to say.
        let cut = unsafe { libc::mount(std::ptr::null(), c"/".as_ptr(), std::ptr::null(), private, std::ptr::null()) };
        OWN_MOUNTS.store(cut == 0, Relaxed);
    }
    // SAFETY: the function lives as long as the program.
    unsafe { libc::atexit(at_exit) };
}

/// Leaves nothing behind.
extern "C" fn at_exit() {
    let base = super::base_of(std::process::id());
    if base.exists() {
        for mount in toolbox::sys::mounts::list().iter().rev().filter(|mount| mount.point.starts_with(&base)) {
            let _ = unmount(&mount.point);
        }
        let _ = std::fs::remove_dir_all(base);
    }
}

/// Whether this process may mount, and nobody else sees it.
pub(crate) fn has_own_mounts() -> bool {
    OWN_MOUNTS.load(Relaxed)
}

fn check(returned: impl Into<i64>) -> io::Result<i64> {
    let returned = returned.into();
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

pub(crate) fn terminated(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).expect("the tests' own paths have no NUL")
}

/// Writes to stderr itself.
pub(crate) fn say(words: &str) {
    // SAFETY: the length is that of the string.
    let _ = unsafe { libc::write(libc::STDERR_FILENO, words.as_ptr().cast(), words.len()) };
}

pub(crate) fn mount(source: &str, point: &Path, kind: &str, options: &str) -> io::Result<()> {
    let text = |text: &str| CString::new(text).expect("the tests' own words have no NUL");
    let (source, point, kind, options) = (text(source), terminated(point), text(kind), text(options));
    // SAFETY: four terminated strings that outlive the call.
    let mounted = unsafe { libc::mount(source.as_ptr(), point.as_ptr(), kind.as_ptr(), 0, options.as_ptr().cast()) };
    check(mounted).map(drop)
}

/// Takes a mount out of sight; it ends when nobody uses it any more.
pub(crate) fn unmount(point: &Path) -> io::Result<()> {
    let point = terminated(point);
    // SAFETY: a terminated string.
    check(unsafe { libc::umount2(point.as_ptr(), libc::MNT_DETACH) }).map(drop)
}

/// `fallocate` with a mode (0: allocate; `libc::FALLOC_FL_*`).
pub(crate) fn fallocate(file: &File, mode: i32, offset: u64, length: u64) -> io::Result<()> {
    // SAFETY: numbers and a borrowed descriptor.
    check(unsafe { libc::fallocate(file.as_raw_fd(), mode, offset as i64, length as i64) }).map(drop)
}

/// `struct file_clone_range`.
#[repr(C)]
struct CloneRange {
    source: i64,
    source_offset: u64,
    source_length: u64,
    offset: u64,
}

/// Has a range of `file` share the blocks of `source`.
pub(crate) fn clone_range(file: &File, source: &File, from: u64, length: u64, to: u64) -> io::Result<()> {
    const FICLONERANGE: libc::Ioctl = 0x4020_940D;
    let range =
        CloneRange { source: source.as_raw_fd().into(), source_offset: from, source_length: length, offset: to };
    // SAFETY: the kernel reads one such struct.
    check(unsafe { libc::ioctl(file.as_raw_fd(), FICLONERANGE, std::ptr::from_ref(&range)) }).map(drop)
}

/// `chattr`, by the kernel's bits.
pub(crate) fn set_attributes(file: &File, bits: u32) -> io::Result<()> {
    const FS_IOC_SETFLAGS: libc::Ioctl = 0x4008_6602;
    let bits = libc::c_long::from(bits);
    // SAFETY: the kernel reads one word.
    check(unsafe { libc::ioctl(file.as_raw_fd(), FS_IOC_SETFLAGS, std::ptr::from_ref(&bits)) }).map(drop)
}

pub(crate) fn set_extended_attribute(path: &Path, name: &str, value: &[u8]) -> io::Result<()> {
    let (path, name) = (terminated(path), CString::new(name).expect("no NUL"));
    // SAFETY: two terminated strings, and a value with its length.
    check(unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), value.len(), 0) }).map(drop)
}

/// A FIFO, or a device node (`mode` says which).
pub(crate) fn make_node(path: &Path, mode: u32, device: u64) -> io::Result<()> {
    let path = terminated(path);
    // SAFETY: a terminated string and numbers.
    check(unsafe { libc::mknod(path.as_ptr(), mode | 0o644, device) }).map(drop)
}

/// Makes the calling thread, and every thread that it will start, those of another user. By the system call itself,
/// since the C library's wrapper does it to all threads.
pub(crate) fn become_user(user: u32) -> io::Result<()> {
    let user = libc::c_long::from(user);
    // SAFETY: numbers.
    check(unsafe { libc::syscall(libc::SYS_setresuid, user, user, user) }).map(drop)
}

/// Sets a limit of this process.
pub(crate) fn set_limit(resource: libc::__rlimit_resource_t, most: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the kernel reads one such struct.
    check(unsafe { libc::setrlimit(resource, std::ptr::from_ref(&limit)) }).map(drop)
}

/// Has every `open` of something in `directory` wait for leave, which never comes until the descriptor is closed.
pub(crate) fn block_opens(directory: &Path, of_directories: bool) -> io::Result<OwnedFd> {
    // SAFETY: numbers.
    let group = check(unsafe { libc::fanotify_init(libc::FAN_CLASS_CONTENT | libc::FAN_CLOEXEC, 0) })?;
    // SAFETY: the kernel just returned it.
    let group = unsafe { OwnedFd::from_raw_fd(group as i32) };
    let kinds = if of_directories { libc::FAN_ONDIR } else { 0 };
    let mask = libc::FAN_OPEN_PERM | libc::FAN_EVENT_ON_CHILD | kinds;
    let path = terminated(directory);
    // SAFETY: a borrowed descriptor, numbers, and a terminated string.
    check(unsafe { libc::fanotify_mark(group.as_raw_fd(), libc::FAN_MARK_ADD, mask, libc::AT_FDCWD, path.as_ptr()) })?;
    Ok(group)
}

/// Shows a file or directory in a second place.
pub(crate) fn bind(from: &Path, to: &Path) -> io::Result<()> {
    let (from, to) = (terminated(from), terminated(to));
    // SAFETY: two terminated strings; a bind mount takes neither type nor options.
    let bound = unsafe { libc::mount(from.as_ptr(), to.as_ptr(), std::ptr::null(), libc::MS_BIND, std::ptr::null()) };
    check(bound).map(drop)
}

/// Notes the names of what is opened in one directory.
#[derive(Debug)]
pub(crate) struct Opens(File);

impl Opens {
    pub(crate) fn watch(directory: &Path) -> io::Result<Self> {
        let path = terminated(directory);
        // SAFETY: a flag.
        let watch = check(unsafe { libc::inotify_init1(libc::IN_NONBLOCK | libc::IN_CLOEXEC) })?;
        // SAFETY: the kernel just returned it.
        let watch = unsafe { File::from_raw_fd(watch as i32) };
        // SAFETY: a borrowed descriptor and a terminated string.
        check(unsafe { libc::inotify_add_watch(watch.as_raw_fd(), path.as_ptr(), libc::IN_OPEN) })?;
        Ok(Self(watch))
    }

    /// What was opened so far, the directory itself left out.
    pub(crate) fn names(mut self) -> io::Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        let mut events = vec![0; 64 << 10];
        loop {
            let filled = match self.0.read(&mut events) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(names),
                filled => filled?,
            };
            let mut rest = &events[..filled];
            // `struct inotify_event`: the length of the name at 12, the name at 16, padded with NULs.
            while let Some(length) = rest.get(12..16) {
                let length = u32::from_ne_bytes(length.try_into().expect("four bytes")) as usize;
                let name = String::from_utf8_lossy(&rest[16..16 + length]);
                names.insert(name.trim_end_matches('\0').to_owned());
                rest = &rest[16 + length..];
            }
            names.remove("");
        }
    }
}

/// The same for a mount whose server does not answer: whoever waits for it is sent away with an error.
pub(crate) fn abort_and_unmount(point: &Path) -> io::Result<()> {
    let point = terminated(point);
    // SAFETY: a terminated string.
    check(unsafe { libc::umount2(point.as_ptr(), libc::MNT_DETACH | libc::MNT_FORCE) }).map(drop)
}
