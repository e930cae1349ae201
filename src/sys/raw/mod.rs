//! System calls without a C library in between: for code that runs in a signal.
//!
//! What the C library offers for the same calls stores `errno`, which is a thread-local and therefore behind the thread
//! pointer; a program may have crashed because just that register was destroyed. Some of its wrappers are also points of
//! cancellation, or take locks. So each call here is the one instruction, the kernel's answer comes back as a value, and
//! everything in this folder is **signal-safe**: no allocation, no lock, no thread-local, no call outside the folder.
//!
//! Whoever is not in a signal uses the other modules of `sys`, which own what they open.
//!
//! # Safety
//!
//! [`call`] is the kernel's own interface and as unsafe as the number that it gets; the functions around it each pass
//! pointers from borrows that outlast the call, with lengths taken from the same borrows.
#![allow(unsafe_code)]

mod file;
mod memory;
mod signal;
mod task;

pub use file::{
    Identity, Kind, close, close_range, duplicate, entries, fill, identity, is_terminal, open, poll_writable, read,
    read_at, read_link, send, status_flags, write,
};
pub use memory::{PAGE, map, map_file, protect, read_own, read_process, unmap};
pub use signal::{
    Action, AltStack, Mask, action, alternate_stack, mask, pending, queue_to_thread, restorer, send_to_process,
    send_to_thread, take_pending, timer_create, timer_delete, timer_set,
};
pub use task::{
    allow_tracer, clock, clone_sharing_memory, die_with_parent, dumpable, exit, futex_wait, futex_wake, limit,
    parent_process, process, seccomp_mode, set_limit, sleep, thread, thread_name, trace, wait, yield_now,
};

/// The number of an error, as the kernel returned it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errno(pub i32);

/// What a system call returned.
pub type Outcome = Result<usize, Errno>;

/// Makes a system call. Signal-safe.
///
/// # Errors
/// The kernel's error number.
///
/// # Safety
/// What the manual of the call with this number demands of its arguments.
#[cfg(target_arch = "x86_64")]
#[inline]
pub unsafe fn call(number: libc::c_long, arguments: [usize; 6]) -> Outcome {
    let [a, b, c, d, e, f] = arguments;
    let mut result = number as isize;
    // SAFETY: the kernel changes `rax`, `rcx` and `r11` and nothing else of what the compiler keeps; what it does to
    // memory is on the caller.
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    outcome(result)
}

/// Makes a system call. Signal-safe.
///
/// # Errors
/// The kernel's error number.
///
/// # Safety
/// What the manual of the call with this number demands of its arguments.
#[cfg(target_arch = "aarch64")]
#[inline]
pub unsafe fn call(number: libc::c_long, arguments: [usize; 6]) -> Outcome {
    let [a, b, c, d, e, f] = arguments;
    let mut result = a as isize;
    // SAFETY: the kernel changes `x0` and nothing else of what the compiler keeps; what it does to memory is on the
    // caller.
    unsafe {
        core::arch::asm!(
            "svc 0",
            inlateout("x0") result,
            in("x8") number, in("x1") b, in("x2") c, in("x3") d, in("x4") e, in("x5") f,
            options(nostack),
        );
    }
    outcome(result)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("the crash module knows the system calls of x86_64 and aarch64 only");

/// The kernel answers with the negative of an error number, all of which are below 4096.
#[inline]
fn outcome(result: isize) -> Outcome {
    if (-4095..0).contains(&result) { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_from_an_answer() {
        assert_eq!(outcome(-1), Err(Errno(1)));
        assert_eq!(outcome(-4095), Err(Errno(4095)));
        assert_eq!(outcome(-4096), Ok(-4096_isize as usize));
        assert_eq!(outcome(7), Ok(7));
        assert_eq!(process(), std::process::id());
    }
}
