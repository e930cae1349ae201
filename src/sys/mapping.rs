//! Memory from the kernel: pages of our own, and files seen as memory.
//!
//! What the symbolizer lives on, in a process whose heap may be locked or broken. Everything here is made of the calls in
//! [`raw`], so that not even `errno` is written. A mapping is given back by whoever asked for it, by its address and length
//! ([`unmap`]); the arena above keeps that account.
//!
//! A file that somebody truncates while it is mapped raises SIGBUS where it is read beyond its new end. That cannot be
//! avoided with mappings.
//!
//! # Safety
//!
//! A mapping is unmapped when its owner says that nothing refers to it any more.
#![allow(unsafe_code)]

use super::raw;
use core::ffi::CStr;
use core::ptr::NonNull;

/// The kernel's number for what went wrong.
pub type Errno = i32;

/// Pages that nobody else knows of, readable, writable and zero.
///
/// Signal-safe. They take memory only once they are touched.
///
/// # Errors
/// The kernel's, `ENOMEM` mostly.
pub fn pages(bytes: usize) -> Result<NonNull<u8>, Errno> {
    let mapped = raw::map(bytes, libc::PROT_READ | libc::PROT_WRITE).map_err(|error| error.0)?;
    NonNull::new(mapped).ok_or(libc::ENOMEM)
}

/// Opens the file at `path` for reading.
///
/// Signal-safe. Nothing but a regular file is waited for: a FIFO is not opened for good.
///
/// # Errors
/// The kernel's.
pub fn open(path: &CStr) -> Result<i32, Errno> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
    raw::open(libc::AT_FDCWD, path, flags, 0).map_err(|error| error.0)
}

/// Closes what [`open`] opened.
///
/// Signal-safe.
pub fn close(descriptor: i32) {
    raw::close(descriptor);
}

/// How long an open regular file is, in bytes.
///
/// Signal-safe.
///
/// # Errors
/// The kernel's; `ENOEXEC` for what is no regular file, `ENODATA` for an empty one.
pub fn length(descriptor: i32) -> Result<usize, Errno> {
    let about = raw::identity(descriptor).map_err(|error| error.0)?;
    if about.kind != raw::Kind::Regular {
        return Err(libc::ENOEXEC);
    }
    let bytes = usize::try_from(about.length).map_err(|_| libc::EFBIG)?;
    if bytes == 0 { Err(libc::ENODATA) } else { Ok(bytes) }
}

/// An open regular file, whole, for reading: where it is mapped, and how long it is.
///
/// Signal-safe.
///
/// # Errors
/// The kernel's, and those of [`length`].
pub fn opened(descriptor: i32) -> Result<(NonNull<u8>, usize), Errno> {
    let bytes = length(descriptor)?;
    let mapped = raw::map_file(descriptor, 0, bytes).map_err(|error| error.0)?;
    Ok((NonNull::new(mapped.cast_mut()).ok_or(libc::ENOMEM)?, bytes))
}

/// Reads the beginning of an open file, as much as there is room for.
///
/// Signal-safe.
///
/// # Errors
/// The kernel's; `ENODATA` when the file is shorter by now.
pub fn read(descriptor: i32, into: &mut [u8]) -> Result<(), Errno> {
    let mut read = 0;
    while read < into.len() {
        match raw::read_at(descriptor, &mut into[read..], read as u64) {
            Ok(0) => return Err(libc::ENODATA),
            Ok(more) => read += more,
            Err(raw::Errno(libc::EINTR)) => {}
            Err(error) => return Err(error.0),
        }
    }
    Ok(())
}

/// Gives a mapping back.
///
/// Signal-safe.
///
/// # Safety
/// `at` and `bytes` are what [`pages`] or [`opened`] returned, and nothing refers to them any more.
pub unsafe fn unmap(at: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { raw::unmap(at.as_ptr(), bytes) };
}
