//! Looking at memory that may not be there: the kernel copies, and says so when it cannot.
//!
//! All of it may be called in a signal handler of a damaged process: no C library stands in between, so that not even
//! `errno` is written, which lies in memory that the thread pointer leads to.
//!
//! [`copy`] is `process_vm_readv`. A filter of system calls may refuse it; then [`is_readable`] still tells of our own
//! memory, by a call that no program can do without: a signal mask is read from the address, with a request that the
//! kernel refuses once it has read it.
//!
//! # Safety
//!
//! The calls are made by the instruction itself, with the registers that the kernel's convention names. The kernel
//! writes only to the buffer that is lent to it, and checks every other address.
#![allow(unsafe_code)]

use core::arch::asm;

/// The negative number of an error, as the kernel returns it.
const UNKNOWN_REQUEST: isize = -(libc::EINVAL as isize);

/// Signal-safe. Makes the call `number`; what the kernel returns.
///
/// # Safety
/// The arguments have to be right for the call: it must not write to memory that is not ours to give.
#[cfg(target_arch = "x86_64")]
unsafe fn call(number: libc::c_long, a: [u64; 6]) -> isize {
    let returned;
    // SAFETY: the convention of the kernel: it changes `rax`, `rcx` and `r11`, and keeps to the caller's word otherwise.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => returned, in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5], lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    returned
}

/// Signal-safe. Makes the call `number`; what the kernel returns.
///
/// # Safety
/// The arguments have to be right for the call: it must not write to memory that is not ours to give.
#[cfg(target_arch = "aarch64")]
unsafe fn call(number: libc::c_long, a: [u64; 6]) -> isize {
    let returned;
    // SAFETY: the convention of the kernel: it changes `x0` alone, and keeps to the caller's word otherwise.
    unsafe {
        asm!("svc #0", in("x8") number, inlateout("x0") a[0] as isize => returned, in("x1") a[1], in("x2") a[2],
            in("x3") a[3], in("x4") a[4], in("x5") a[5], options(nostack));
    }
    returned
}

/// Signal-safe. The number of this process.
#[must_use]
pub(crate) fn process() -> i32 {
    // SAFETY: the call takes no arguments.
    unsafe { call(libc::SYS_getpid, [0; 6]) as i32 }
}

/// Signal-safe. Copies from `address` in the memory of `process` (which may be ours): all of `into`, or false.
///
/// The pages have to be readable for that process. A false says nothing about why: not mapped, not permitted, or the
/// call itself was refused, which [`is_permitted`] tells apart.
pub(crate) fn copy(process: i32, address: u64, into: &mut [u8]) -> bool {
    let ours = [into.as_mut_ptr() as u64, into.len() as u64];
    let theirs = [address, into.len() as u64];
    let arguments = [process as u64, ours.as_ptr() as u64, 1, theirs.as_ptr() as u64, 1, 0];
    // SAFETY: the two ranges live until the call returns, and the first is `into`, which is borrowed for writing.
    unsafe { call(libc::SYS_process_vm_readv, arguments) == into.len() as isize }
}

/// Signal-safe. Whether [`copy`] is permitted for `process`, by a copy of nothing.
#[must_use]
pub(crate) fn is_permitted(process: i32) -> bool {
    // SAFETY: no range is named, so that nothing is written.
    unsafe { call(libc::SYS_process_vm_readv, [process as u64, 0, 0, 0, 0, 0]) == 0 }
}

/// Signal-safe. Whether the eight bytes at `address` in our own memory can be read.
#[must_use]
pub(crate) fn is_readable(address: u64) -> bool {
    let nonsense = u64::from(u32::MAX);
    // SAFETY: the kernel reads a mask from `address`, finds that the first argument names no operation, and is done.
    unsafe { call(libc::SYS_rt_sigprocmask, [nonsense, address, 0, 8, 0, 0]) == UNKNOWN_REQUEST }
}

/// Signal-safe. Reads from `position` of the open file `descriptor`: all of `into`, or false.
pub(crate) fn copy_from_file(descriptor: i32, position: u64, into: &mut [u8]) -> bool {
    let arguments = [descriptor as u64, into.as_mut_ptr() as u64, into.len() as u64, position, 0, 0];
    // SAFETY: the kernel writes at most the length of `into`, which is borrowed for writing.
    unsafe { call(libc::SYS_pread64, arguments) == into.len() as isize }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_copied_and_what_is_not_is_said() {
        let word = 0x0123_4567_89ab_cdef_u64;
        let mut into = [0; 8];
        assert!(copy(process(), (&raw const word) as u64, &mut into));
        assert_eq!(u64::from_ne_bytes(into), word);
        assert!(!copy(process(), 8, &mut into));
        assert!(!copy(process(), 0x8000_0000_0000_0000, &mut into));
    }

    #[test]
    fn a_mask_tells_what_can_be_read() {
        let word = 1_u64;
        assert!(is_readable((&raw const word) as u64));
        assert!(!is_readable(8));
        assert!(!is_readable(0x8000_0000_0000_0000));
        assert!(!is_readable(u64::MAX - 3));
    }

    #[test]
    fn a_copy_of_nothing_tells_permission() {
        assert!(is_permitted(process()));
        assert!(!is_permitted(i32::MAX)); // There is no such process.
    }

    #[test]
    fn memory_is_a_file_too() {
        use std::os::fd::AsRawFd;
        let word = 0x0123_4567_89ab_cdef_u64;
        let file = std::fs::File::open("/proc/self/mem").unwrap();
        let mut into = [0; 8];
        assert!(copy_from_file(file.as_raw_fd(), (&raw const word) as u64, &mut into));
        assert_eq!(u64::from_ne_bytes(into), word);
        assert!(!copy_from_file(file.as_raw_fd(), 8, &mut into));
    }
}
