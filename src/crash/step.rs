//! Running something that may crash or hang, in the middle of a crash.
//!
//! A report is made in steps, and each runs in [`guarded`]: it notes where it began, and a signal that comes meanwhile
//! (a fault of ours, a timer that has run out) makes the thread go on there, as if the step had returned. What the step was
//! doing is simply dropped. That is sound because a step holds nothing that would have to be given back: no lock, no
//! memory, no value with a destructor. (HotSpot's error report is made in such steps, and `sigsetjmp` is the same in C.)
//!
//! Only one thread reports at a time, so that one place to go on is enough; guards do not nest.
//!
//! # Safety
//!
//! The jump goes to an address inside [`call`], with the stack pointer that it had there; everything that its caller
//! relies on lies on the stack above.
#![allow(unsafe_code)]

use core::arch::naked_asm;
use core::sync::atomic::Ordering::Relaxed;
use core::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize};

/// Stack pointer in the frame of [`call`] while a step runs, zero otherwise. One thread uses it, in a handler and in the
/// signals that interrupt this handler, so that program order is enough.
static LANDING: AtomicUsize = AtomicUsize::new(0);

/// Which signal ended the last step that was abandoned, and where. Written in the signal, read behind the step.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
static PC: AtomicU64 = AtomicU64::new(0);

/// What ended a step before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It took too long.
    TimedOut,
    /// This signal was raised at this program counter.
    Signal(i32, u64),
}

/// Runs `step(value)`. Signal-safe if the step is.
///
/// # Errors
/// What ended the step before its time.
pub(crate) fn guarded<T>(step: fn(&mut T), value: &mut T) -> Result<(), Failure> {
    struct Bound<'a, T>(fn(&mut T), &'a mut T);
    extern "C" fn run<T>(bound: *mut Bound<'_, T>) {
        // SAFETY: the pointer is that of `bound` below, which nobody else uses meanwhile.
        let bound = unsafe { &mut *bound };
        (bound.0)(bound.1);
    }
    let mut bound = Bound(step, value);
    let run: extern "C" fn(*mut Bound<'_, T>) = run::<T>;
    // SAFETY: `run` takes what it gets, and the landing is a word of ours.
    let has_failed = unsafe { call(run as usize, (&raw mut bound) as usize, LANDING.as_ptr()) };
    LANDING.store(0, Relaxed);
    match (has_failed, SIGNAL.load(Relaxed)) {
        (0, _) => Ok(()),
        (_, 0) => Err(Failure::TimedOut),
        (_, signal) => Err(Failure::Signal(signal, PC.load(Relaxed))),
    }
}

/// Makes the interrupted thread go on behind the step that it is in; whether it is in one. Signal-safe.
pub(crate) fn abandon(context: &mut libc::ucontext_t, why: Failure) -> bool {
    let sp = LANDING.swap(0, Relaxed);
    if sp == 0 {
        return false;
    }
    let (signal, pc) = match why {
        Failure::TimedOut => (0, 0),
        Failure::Signal(signal, pc) => (signal, pc),
    };
    SIGNAL.store(signal, Relaxed);
    PC.store(pc, Relaxed);
    #[cfg(target_arch = "x86_64")]
    {
        let registers = &mut context.uc_mcontext.gregs;
        registers[libc::REG_RSP as usize] = sp as i64;
        registers[libc::REG_RIP as usize] = landing as *const () as i64;
        registers[libc::REG_EFL as usize] &= !(1 << 10); // Copies go upwards, as every function expects.
    }
    #[cfg(target_arch = "aarch64")]
    {
        context.uc_mcontext.sp = sp as u64;
        context.uc_mcontext.pc = landing as *const () as u64;
    }
    true
}

/// Calls `run(argument)` and returns zero. Leaves its stack pointer in `landing` first, for [`landing`].
///
/// # Safety
/// `run` is a function of one argument, and `landing` is ours to write.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn call(run: usize, argument: usize, landing: *mut usize) -> usize {
    naked_asm!(
        "push rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 8",
        "mov [rdx], rsp",
        "mov rax, rdi",
        "mov rdi, rsi",
        "call rax",
        "xor eax, eax",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    )
}

/// Where a step goes on that was abandoned: the end of [`call`], with another answer.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
extern "C" fn landing() {
    naked_asm!("mov eax, 1", "add rsp, 8", "pop r15", "pop r14", "pop r13", "pop r12", "pop rbx", "pop rbp", "ret",)
}

/// Calls `run(argument)` and returns zero. Leaves its stack pointer in `landing` first, for [`landing`].
///
/// # Safety
/// `run` is a function of one argument, and `landing` is ours to write.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn call(run: usize, argument: usize, landing: *mut usize) -> usize {
    naked_asm!(
        "stp x29, x30, [sp, #-160]!",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        "mov x9, sp",
        "str x9, [x2]",
        "mov x9, x0",
        "mov x0, x1",
        "blr x9",
        "mov x0, #0",
        "b {end}",
        end = sym restore,
    )
}

/// Where a step goes on that was abandoned: the end of [`call`], with another answer.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
extern "C" fn landing() {
    naked_asm!("mov x0, #1", "b {end}", end = sym restore)
}

/// The end of [`call`].
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
extern "C" fn restore() {
    naked_asm!(
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #160",
        "ret",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_ends_says_so() {
        let mut value = 20;
        assert_eq!(guarded(|value| *value += 22, &mut value), Ok(()));
        assert_eq!(value, 42);
        assert_eq!(LANDING.load(Relaxed), 0);
    }
}
