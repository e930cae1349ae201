//! Memory: mapping it, and reading it where it may not be there.
//!
//! # Safety
//!
//! New mappings overlap nothing, since the kernel chooses the place. Reads of other memory go through the kernel, which
//! answers with an error where a load would fault.
#![allow(unsafe_code)]

use super::{Errno, Outcome, call};

/// The smallest unit of protection, in bytes. 4096 on x86_64; the most that aarch64 may have, so that what is a multiple
/// of it can be protected everywhere.
pub const PAGE: usize = if cfg!(target_arch = "x86_64") { 4096 } else { 65_536 };

/// Maps `length` bytes of zeroes that only this process sees; `protection` of `PROT_NONE` and the like. Signal-safe.
///
/// # Errors
/// The kernel's number; `ENOMEM` when the limit of the address space is reached.
pub fn map(length: usize, protection: i32) -> Result<*mut u8, Errno> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let arguments = [0, length, protection as usize, flags as usize, usize::MAX, 0];
    // SAFETY: the kernel chooses a place where nothing is.
    unsafe { call(libc::SYS_mmap, arguments) }.map(|address| address as *mut u8)
}

/// Maps `length` bytes of a file from `offset` on, for reading. The file may shrink, and reading beyond its end raises
/// `SIGBUS`. Signal-safe.
///
/// # Errors
/// The kernel's number.
pub fn map_file(descriptor: i32, offset: u64, length: usize) -> Result<*const u8, Errno> {
    let arguments =
        [0, length, libc::PROT_READ as usize, libc::MAP_PRIVATE as usize, descriptor as usize, offset as usize];
    // SAFETY: the kernel chooses a place where nothing is.
    unsafe { call(libc::SYS_mmap, arguments) }.map(|address| address as *const u8)
}

/// Changes what may be done with pages. Signal-safe.
///
/// # Errors
/// The kernel's number.
///
/// # Safety
/// Nobody relies on the old protection of these pages, which belong to the caller.
pub unsafe fn protect(address: *mut u8, length: usize, protection: i32) -> Outcome {
    // SAFETY: as the caller promises.
    unsafe { call(libc::SYS_mprotect, [address as usize, length, protection as usize, 0, 0, 0]) }
}

/// Gives a mapping back. Signal-safe.
///
/// # Safety
/// The pages belong to the caller, and no reference to them is left.
pub unsafe fn unmap(address: *const u8, length: usize) {
    // SAFETY: as the caller promises. A failure leaves the pages where they were, which harms nobody.
    let _ = unsafe { call(libc::SYS_munmap, [address as usize, length, 0, 0, 0, 0]) };
}

/// Copies memory of process `process` into `into`: as many bytes as were there. Signal-safe.
///
/// # Errors
/// `EFAULT` when the first byte is not there; `EPERM` without the right to trace the process; `ENOSYS` or `EPERM` under a
/// filter of system calls.
pub fn read_process(process: u32, address: u64, into: &mut [u8]) -> Outcome {
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: into.len() };
    let arguments = [process as usize, (&raw const local) as usize, 1, (&raw const remote) as usize, 1, 0];
    // SAFETY: the kernel writes into the borrow, at most its length; the remote side is only an address to it.
    unsafe { call(libc::SYS_process_vm_readv, arguments) }
}

/// As [`read_process`], from this process.
///
/// # Errors
/// As there.
pub fn read_own(address: u64, into: &mut [u8]) -> Outcome {
    read_process(super::process(), address, into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_an_error_and_no_fault() {
        let place = map(2 * PAGE, libc::PROT_READ | libc::PROT_WRITE).unwrap();
        let mut into = [1; 4];
        assert_eq!(read_own(place as u64, &mut into), Ok(4));
        assert_eq!(into, [0; 4]);
        // SAFETY: the pages were just mapped, and nobody else knows them.
        unsafe { protect(place.wrapping_add(PAGE), PAGE, libc::PROT_NONE) }.unwrap();
        assert_eq!(read_own((place as usize + PAGE - 2) as u64, &mut into), Ok(2));
        assert_eq!(read_own((place as usize + PAGE) as u64, &mut into), Err(Errno(libc::EFAULT)));
        // SAFETY: as above.
        unsafe { unmap(place, 2 * PAGE) };
        assert_eq!(read_own(place as u64, &mut into), Err(Errno(libc::EFAULT)));
    }
}
