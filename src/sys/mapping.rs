//! Memory from the kernel: pages of our own, and files seen as memory.
//!
//! What the symbolizer lives on, in a process whose heap may be locked or broken: nothing here touches the C library's
//! allocator, takes a lock or asks for a thread-local but the error number. A mapping is given back by whoever asked for
//! it, by its address and length ([`unmap`]); the arena above keeps that account.
//!
//! A file that somebody truncates while it is mapped raises SIGBUS where it is read beyond its new end. That cannot be
//! avoided with mappings.
//!
//! # Safety
//!
//! The unsafe blocks are system calls whose pointers come from the arguments' own types, and slices over what the kernel
//! said that it mapped, of the length that was asked for.
#![allow(unsafe_code)]

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
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: a new private mapping at an address of the kernel's choice touches nothing that is there.
    let at = unsafe { libc::mmap(core::ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    if at == libc::MAP_FAILED {
        return Err(errno());
    }
    NonNull::new(at.cast()).ok_or(libc::ENOMEM)
}

/// The regular file at `path`, whole, for reading: where it is mapped, and how long it is. An empty file is `ENODATA`.
///
/// Signal-safe. Nothing but a regular file is waited for: a FIFO is not opened for good, and a device is refused.
///
/// # Errors
/// The kernel's; `ENOEXEC` for what is no regular file.
pub fn file(path: &CStr) -> Result<(NonNull<u8>, usize), Errno> {
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NOCTTY | libc::O_NONBLOCK;
    // SAFETY: the path is a string that ends in zero.
    let descriptor = unsafe { libc::open(path.as_ptr(), flags) };
    if descriptor < 0 {
        return Err(errno());
    }
    let mapped = whole(descriptor);
    // SAFETY: the descriptor was opened above and is nobody else's.
    unsafe { libc::close(descriptor) };
    mapped
}

fn whole(descriptor: i32) -> Result<(NonNull<u8>, usize), Errno> {
    let mut status = core::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills a structure of this type.
    if unsafe { libc::fstat(descriptor, status.as_mut_ptr()) } != 0 {
        return Err(errno());
    }
    // SAFETY: the call above succeeded, and so filled it.
    let status = unsafe { status.assume_init() };
    if status.st_mode & libc::S_IFMT != libc::S_IFREG {
        return Err(libc::ENOEXEC);
    }
    let bytes = usize::try_from(status.st_size).map_err(|_| libc::EFBIG)?;
    if bytes == 0 {
        return Err(libc::ENODATA);
    }
    // SAFETY: a new private mapping at an address of the kernel's choice touches nothing that is there.
    let at = unsafe { libc::mmap(core::ptr::null_mut(), bytes, libc::PROT_READ, libc::MAP_PRIVATE, descriptor, 0) };
    if at == libc::MAP_FAILED {
        return Err(errno());
    }
    Ok((NonNull::new(at.cast()).ok_or(libc::ENOMEM)?, bytes))
}

/// Gives a mapping back.
///
/// Signal-safe.
///
/// # Safety
/// `at` and `bytes` are what [`pages`] or [`file`] returned, and nothing refers to them any more.
pub unsafe fn unmap(at: NonNull<u8>, bytes: usize) {
    // SAFETY: the caller's promise; an error could only mean that nothing was mapped.
    unsafe { libc::munmap(at.as_ptr().cast(), bytes) };
}

fn errno() -> Errno {
    // SAFETY: the C library has one for every thread.
    unsafe { *libc::__errno_location() }
}
