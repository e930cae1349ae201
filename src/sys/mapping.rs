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

/// The regular file at `path`, whole, for reading: where it is mapped, and how long it is. An empty file is `ENODATA`.
///
/// Signal-safe. Nothing but a regular file is waited for: a FIFO is not opened for good, and a device is refused.
///
/// # Errors
/// The kernel's; `ENOEXEC` for what is no regular file.
pub fn file(path: &CStr) -> Result<(NonNull<u8>, usize), Errno> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
    let descriptor = raw::open(libc::AT_FDCWD, path, flags, 0).map_err(|error| error.0)?;
    let mapped = opened(descriptor);
    raw::close(descriptor);
    mapped
}

/// As [`file`], for one that is open already, and stays so.
///
/// # Errors
/// As there.
pub fn opened(descriptor: i32) -> Result<(NonNull<u8>, usize), Errno> {
    let about = raw::identity(descriptor).map_err(|error| error.0)?;
    if about.kind != raw::Kind::Regular {
        return Err(libc::ENOEXEC);
    }
    let bytes = usize::try_from(about.length).map_err(|_| libc::EFBIG)?;
    if bytes == 0 {
        return Err(libc::ENODATA);
    }
    let mapped = raw::map_file(descriptor, 0, bytes).map_err(|error| error.0)?;
    Ok((NonNull::new(mapped.cast_mut()).ok_or(libc::ENOMEM)?, bytes))
}

/// Gives a mapping back.
///
/// Signal-safe.
///
/// # Safety
/// `at` and `bytes` are what [`pages`], [`file`] or [`opened`] returned, and nothing refers to them any more.
pub unsafe fn unmap(at: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise.
    unsafe { raw::unmap(at.as_ptr(), bytes) };
}
