//! Descriptors: opening, reading, writing without waiting for ever, and telling whether one is still what it was.
//!
//! # Safety
//!
//! Each call gets pointers and lengths from one borrow that outlasts it; structures that the kernel fills are ours, of
//! the size that it expects, and plain integers.
#![allow(unsafe_code)]

use super::{Errno, Outcome, call};
use core::ffi::CStr;
use core::mem::MaybeUninit;

/// Which file a descriptor stands for, so that a number that was closed and used again is noticed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Identity {
    /// Device of the file system.
    pub device: u64,
    /// Number of the file there.
    pub inode: u64,
    /// What kind of file it is: the type bits of its mode.
    pub kind: Kind,
    /// Length in bytes, where that means something. Not part of who it is.
    pub length: u64,
}

impl Identity {
    /// Whether both are the same file, whatever its length.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        (self.device, self.inode, self.kind) == (other.device, other.inode, other.kind)
    }
}

/// The kinds of files that are written to in different ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    /// A regular file.
    Regular,
    /// A pipe or FIFO.
    Pipe,
    /// A socket.
    Socket,
    /// A terminal or another device of characters.
    Character,
    /// A directory.
    Directory,
    /// Anything else.
    #[default]
    Other,
}

/// Opens `path`, below `folder` if it is relative; `libc::AT_FDCWD` stands for the current folder. Never interrupted for
/// good: a call that a signal broke is made again. Signal-safe.
///
/// # Errors
/// The kernel's number.
pub fn open(folder: i32, path: &CStr, flags: i32, mode: u32) -> Result<i32, Errno> {
    let arguments = [folder as usize, path.as_ptr() as usize, flags as usize, mode as usize, 0, 0];
    loop {
        // SAFETY: the path is a C string that outlasts the call.
        match unsafe { call(libc::SYS_openat, arguments) } {
            Err(Errno(libc::EINTR)) => {}
            opened => return opened.map(|number| number as i32),
        }
    }
}

/// Closes a descriptor. Signal-safe.
pub fn close(descriptor: i32) {
    // SAFETY: the kernel takes any number; whether others use the descriptor is not a question of memory.
    let _ = unsafe { call(libc::SYS_close, [descriptor as usize, 0, 0, 0, 0, 0]) };
}

/// Closes all descriptors from `first` to `last`, both included. Signal-safe.
///
/// # Errors
/// `ENOSYS` before Linux 5.9.
pub fn close_range(first: u32, last: u32) -> Outcome {
    // SAFETY: as for [`close`].
    unsafe { call(libc::SYS_close_range, [first as usize, last as usize, 0, 0, 0, 0]) }
}

/// A second descriptor for the same open file, not below `least`, closed when another program is executed. Signal-safe.
///
/// # Errors
/// The kernel's number; `EINVAL` when the limit of descriptors is not above `least`.
pub fn duplicate(descriptor: i32, least: i32) -> Result<i32, Errno> {
    let arguments = [descriptor as usize, libc::F_DUPFD_CLOEXEC as usize, least as usize, 0, 0, 0];
    // SAFETY: the call has no pointers.
    unsafe { call(libc::SYS_fcntl, arguments) }.map(|number| number as i32)
}

/// The flags with which a descriptor was opened (`O_ACCMODE`, `O_NONBLOCK`, `O_APPEND`, …). Signal-safe.
///
/// # Errors
/// `EBADF` when it is not open.
pub fn status_flags(descriptor: i32) -> Result<i32, Errno> {
    // SAFETY: the call has no pointers.
    unsafe { call(libc::SYS_fcntl, [descriptor as usize, libc::F_GETFL as usize, 0, 0, 0, 0]) }
        .map(|flags| flags as i32)
}

/// Reads once, at most `into.len()` bytes. Signal-safe.
///
/// # Errors
/// The kernel's number.
pub fn read(descriptor: i32, into: &mut [u8]) -> Outcome {
    let arguments = [descriptor as usize, into.as_mut_ptr() as usize, into.len(), 0, 0, 0];
    // SAFETY: the kernel writes into the borrow, at most its length.
    unsafe { call(libc::SYS_read, arguments) }
}

/// Reads once from `offset` on, at most `into.len()` bytes. Signal-safe.
///
/// # Errors
/// The kernel's number.
pub fn read_at(descriptor: i32, into: &mut [u8], offset: u64) -> Outcome {
    let arguments = [descriptor as usize, into.as_mut_ptr() as usize, into.len(), offset as usize, 0, 0];
    // SAFETY: the kernel writes into the borrow, at most its length.
    unsafe { call(libc::SYS_pread64, arguments) }
}

/// Reads until the end of the file or of the buffer, and says how much there was. Signal-safe.
///
/// # Errors
/// The kernel's number, when not even one byte came.
pub fn fill(descriptor: i32, into: &mut [u8]) -> Outcome {
    let mut length = 0;
    while length < into.len() {
        match read(descriptor, &mut into[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(Errno(libc::EINTR)) => {}
            Err(error) if length == 0 => return Err(error),
            Err(_) => break,
        }
    }
    Ok(length)
}

/// Writes once, at most `bytes.len()` bytes. Signal-safe.
///
/// # Errors
/// The kernel's number.
pub fn write(descriptor: i32, bytes: &[u8]) -> Outcome {
    let arguments = [descriptor as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0];
    // SAFETY: the kernel reads the borrow, at most its length.
    unsafe { call(libc::SYS_write, arguments) }
}

/// Sends once on a socket, without waiting and without a `SIGPIPE`. Signal-safe.
///
/// # Errors
/// The kernel's number; `EAGAIN` when there is no room.
pub fn send(descriptor: i32, bytes: &[u8]) -> Outcome {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    let arguments = [descriptor as usize, bytes.as_ptr() as usize, bytes.len(), flags as usize, 0, 0];
    // SAFETY: the kernel reads the borrow, at most its length; no address is given.
    unsafe { call(libc::SYS_sendto, arguments) }
}

/// Waits until something can be written, for `limit_ms` milliseconds at most; whether it can. Signal-safe.
#[must_use]
pub fn poll_writable(descriptor: i32, limit_ms: u32) -> bool {
    let mut asked = libc::pollfd { fd: descriptor, events: libc::POLLOUT, revents: 0 };
    let limit = libc::timespec { tv_sec: i64::from(limit_ms / 1000), tv_nsec: i64::from(limit_ms % 1000) * 1_000_000 };
    let arguments = [(&raw mut asked) as usize, 1, (&raw const limit) as usize, 0, 0, 0];
    // SAFETY: one `pollfd` and a time, both ours; no mask of signals.
    let ready = unsafe { call(libc::SYS_ppoll, arguments) };
    matches!(ready, Ok(1)) && asked.revents & libc::POLLOUT != 0
}

/// Which file a descriptor stands for. Signal-safe.
///
/// # Errors
/// `EBADF` when it is not open.
pub fn identity(descriptor: i32) -> Result<Identity, Errno> {
    let mut about = MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the kernel fills a `struct stat`, whose layout on these architectures the C library does not change.
    unsafe { call(libc::SYS_fstat, [descriptor as usize, about.as_mut_ptr() as usize, 0, 0, 0, 0]) }?;
    // SAFETY: it was zeroed, and all its fields are integers.
    let about = unsafe { about.assume_init() };
    let kind = match about.st_mode & libc::S_IFMT {
        libc::S_IFREG => Kind::Regular,
        libc::S_IFIFO => Kind::Pipe,
        libc::S_IFSOCK => Kind::Socket,
        libc::S_IFCHR => Kind::Character,
        libc::S_IFDIR => Kind::Directory,
        _ => Kind::Other,
    };
    Ok(Identity { device: about.st_dev, inode: about.st_ino, kind, length: about.st_size as u64 })
}

/// Whether a descriptor is a terminal. Signal-safe.
#[must_use]
pub fn is_terminal(descriptor: i32) -> bool {
    let mut settings = MaybeUninit::<libc::termios>::zeroed();
    let arguments = [descriptor as usize, libc::TCGETS as usize, settings.as_mut_ptr() as usize, 0, 0, 0];
    // SAFETY: the kernel's structure for this request is a prefix of the C library's.
    unsafe { call(libc::SYS_ioctl, arguments) }.is_ok()
}

/// Where a symbolic link leads, cut at the end of the buffer. Signal-safe.
///
/// # Errors
/// The kernel's number.
pub fn read_link<'a>(path: &CStr, into: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let folder = libc::AT_FDCWD as usize;
    let arguments = [folder, path.as_ptr() as usize, into.as_mut_ptr() as usize, into.len(), 0, 0];
    // SAFETY: a C string, and a borrow with its length.
    let length = unsafe { call(libc::SYS_readlinkat, arguments) }?;
    Ok(&into[..length])
}

/// Calls `visit` with each name in an open folder, from where it was read last; `buffer` takes the kernel's records, and
/// should be aligned and have some hundred bytes. Signal-safe if `visit` is.
///
/// # Errors
/// The kernel's number.
pub fn entries(folder: i32, buffer: &mut [u8], visit: &mut dyn FnMut(&[u8])) -> Result<(), Errno> {
    const NAME: usize = 19;
    loop {
        let arguments = [folder as usize, buffer.as_mut_ptr() as usize, buffer.len(), 0, 0, 0];
        // SAFETY: the kernel writes into the borrow, at most its length.
        let length = unsafe { call(libc::SYS_getdents64, arguments) }?;
        let mut rest = &buffer[..length.min(buffer.len())];
        if rest.is_empty() {
            return Ok(());
        }
        while let [_, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, low, high, _, ..] = rest {
            let size = usize::from(u16::from_ne_bytes([*low, *high]));
            let Some(name) = rest.get(NAME..size) else { return Ok(()) };
            visit(name.split(|byte| *byte == 0).next().unwrap_or(&[]));
            rest = &rest[size..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_apart() {
        let null = open(libc::AT_FDCWD, c"/dev/null", libc::O_WRONLY | libc::O_CLOEXEC, 0).unwrap();
        let same = duplicate(null, 10).unwrap();
        assert!(same >= 10);
        let about = identity(null).unwrap();
        assert_eq!(about.kind, Kind::Character);
        assert!(about.is_same(&identity(same).unwrap()));
        assert_eq!(write(null, b"nothing"), Ok(7));
        assert!(poll_writable(null, 0));
        assert!(!is_terminal(null));
        assert_eq!(status_flags(null).unwrap() & libc::O_ACCMODE, libc::O_WRONLY);
        close(null);
        close(same);
        assert_eq!(identity(same), Err(Errno(libc::EBADF)));
    }

    #[test]
    fn a_pipe_that_is_full_is_not_waited_for() {
        let (reader, writer) = std::io::pipe().unwrap();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&writer);
        let mut filled = 0;
        while poll_writable(descriptor, 1) {
            filled += write(descriptor, &[0; 4096]).unwrap();
        }
        assert!(filled >= 4096);
        drop(reader);
    }

    #[test]
    fn names_come_one_by_one() {
        let folder = open(libc::AT_FDCWD, c"/proc/self", libc::O_RDONLY | libc::O_DIRECTORY, 0).unwrap();
        let mut found = 0;
        let mut buffer = [0; 512];
        entries(folder, &mut buffer, &mut |name| found += usize::from(name == b"maps" || name == b"..")).unwrap();
        close(folder);
        assert_eq!(found, 2);
        let path = read_link(c"/proc/self/exe", &mut buffer).unwrap();
        assert_eq!(path[0], b'/');
        let maps = open(libc::AT_FDCWD, c"/proc/self/maps", libc::O_RDONLY, 0).unwrap();
        assert_eq!(fill(maps, &mut buffer), Ok(512));
        close(maps);
    }
}
