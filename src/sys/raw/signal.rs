//! Signals: who handles them, on which stack, which are held back, and sending one with all that came with it.
//!
//! The C library's `sigaction` may be replaced by whoever watches over handlers, and hides the function that a handler
//! returns to. Here the kernel is told directly, with a [`restorer`] of our own, whose bytes are those that debuggers and
//! unwinders know a signal's frame by.
//!
//! # Safety
//!
//! Structures are laid out as the kernel has them, which is not as the C library has them. A handler is code that the
//! kernel will jump to: whoever sets one answers for it.
#![allow(unsafe_code)]

use super::{Errno, Outcome, call};
use core::ptr;

/// A set of signals: bit `n - 1` is signal `n`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct Mask(pub u64);

impl Mask {
    /// The set of one signal; empty for what is no signal.
    #[must_use]
    pub const fn of(signal: i32) -> Self {
        Self(if signal >= 1 && signal <= 64 { 1 << (signal - 1) } else { 0 })
    }

    /// Whether `signal` is in the set.
    #[must_use]
    pub const fn has(self, signal: i32) -> bool {
        self.0 & Self::of(signal).0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the other.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// `struct sigaction` as the kernel has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Action {
    /// Address of the handler, or `SIG_DFL` or `SIG_IGN`.
    pub handler: usize,
    /// `SA_SIGINFO` and the like.
    pub flags: u64,
    /// Where a handler returns to, with `SA_RESTORER`.
    pub restorer: usize,
    /// What is held back while the handler runs.
    pub mask: Mask,
}

const _: () = assert!(size_of::<Action>() == 32);

/// `stack_t`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct AltStack {
    /// Lowest address.
    pub base: usize,
    /// `SS_DISABLE` when there is none, `SS_ONSTACK` while the thread runs on it.
    pub flags: i32,
    /// Length in bytes.
    pub size: usize,
}

const _: () = assert!(size_of::<AltStack>() == size_of::<libc::stack_t>());

impl AltStack {
    /// No stack.
    pub const NONE: Self = Self { base: 0, flags: libc::SS_DISABLE, size: 0 };

    /// Whether an address lies on it.
    #[must_use]
    pub fn contains(&self, address: usize) -> bool {
        self.flags & libc::SS_DISABLE == 0 && address.wrapping_sub(self.base) < self.size
    }
}

/// Bytes in a set of signals, as the kernel wants to be told.
const SET: usize = 8;

/// Says who handles `signal`, and sets it if `new` is given. Signal-safe.
///
/// # Errors
/// `EINVAL` for a signal that cannot be handled.
///
/// # Safety
/// A new handler can be called at any instruction of any thread, for as long as it is set.
pub unsafe fn action(signal: i32, new: Option<&Action>) -> Result<Action, Errno> {
    let mut old = Action::default();
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let arguments = [signal as usize, new as usize, (&raw mut old) as usize, SET, 0, 0];
    // SAFETY: both structures are laid out as the kernel has them; the handler is on the caller.
    unsafe { call(libc::SYS_rt_sigaction, arguments) }?;
    Ok(old)
}

/// Sets what the calling thread holds back (`how` is `SIG_BLOCK`, `SIG_UNBLOCK`, `SIG_SETMASK`), and says what it held back
/// before. Signal-safe.
pub fn mask(how: i32, set: Mask) -> Mask {
    let mut old = Mask::default();
    let arguments = [how as usize, (&raw const set) as usize, (&raw mut old) as usize, SET, 0, 0];
    // SAFETY: two sets of the length that is named.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, arguments) };
    old
}

/// The signals that wait for the calling thread to let them through. Signal-safe.
#[must_use]
pub fn pending() -> Mask {
    let mut set = Mask::default();
    // SAFETY: a set of the length that is named.
    let _ = unsafe { call(libc::SYS_rt_sigpending, [(&raw mut set) as usize, SET, 0, 0, 0, 0]) };
    set
}

/// Takes a signal that is held back and waits, so that it never comes; does nothing when there is none. Signal-safe.
pub fn take_pending(signal: i32) {
    let set = Mask::of(signal);
    let time = [0_i64; 2];
    let arguments = [(&raw const set) as usize, 0, time.as_ptr() as usize, SET, 0, 0];
    // SAFETY: a set of the length that is named, and a `timespec` of two integers.
    let _ = unsafe { call(libc::SYS_rt_sigtimedwait, arguments) };
}

/// Says which alternate stack the calling thread has, and sets it if `new` is given. Signal-safe.
///
/// # Errors
/// `EPERM` while the thread runs on the old one; `ENOMEM` when the new one is smaller than a signal's frame.
///
/// # Safety
/// The memory of a new stack belongs to nobody else, for as long as it is set.
pub unsafe fn alternate_stack(new: Option<&AltStack>) -> Result<AltStack, Errno> {
    let mut old = AltStack::NONE;
    let new = new.map_or(ptr::null(), ptr::from_ref);
    let arguments = [new as usize, (&raw mut old) as usize, 0, 0, 0, 0];
    // SAFETY: both are laid out as `stack_t`; the memory is on the caller.
    unsafe { call(libc::SYS_sigaltstack, arguments) }?;
    Ok(old)
}

/// Sends `signal` to one thread. Zero sends nothing and tells whether the thread is there. Signal-safe.
///
/// # Errors
/// `ESRCH` when there is no such thread.
pub fn send_to_thread(process: u32, thread: u32, signal: i32) -> Outcome {
    // SAFETY: the call has no pointers.
    unsafe { call(libc::SYS_tgkill, [process as usize, thread as usize, signal as usize, 0, 0, 0]) }
}

/// Sends `signal` to a process. Signal-safe.
///
/// # Errors
/// `ESRCH` when there is no such process.
pub fn send_to_process(process: u32, signal: i32) -> Outcome {
    // SAFETY: the call has no pointers.
    unsafe { call(libc::SYS_kill, [process as usize, signal as usize, 0, 0, 0, 0]) }
}

/// Sends `signal` to a thread of this process together with `information`, word for word: the receiver cannot tell it from
/// the one that the information was taken from. Signal-safe.
///
/// # Errors
/// `EPERM` when the thread is not ours; `EAGAIN` when too many signals are pending.
pub fn queue_to_thread(process: u32, thread: u32, signal: i32, information: &libc::siginfo_t) -> Outcome {
    let arguments = [process as usize, thread as usize, signal as usize, ptr::from_ref(information) as usize, 0, 0];
    // SAFETY: the kernel reads one `siginfo_t`.
    unsafe { call(libc::SYS_rt_tgsigqueueinfo, arguments) }
}

/// A timer on the monotonic clock that sends `signal` to thread `thread` of this process. Signal-safe.
///
/// # Errors
/// `EAGAIN` when the limit of pending signals, which counts timers too, is reached.
pub fn timer_create(thread: u32, signal: i32) -> Result<i32, Errno> {
    /// `struct sigevent` as the kernel reads it.
    #[repr(C)]
    struct Event {
        value: usize,
        signal: i32,
        notify: i32,
        thread: i32,
        rest: [i32; 11],
    }
    const _: () = assert!(size_of::<Event>() == 64);
    let event = Event { value: 0, signal, notify: libc::SIGEV_THREAD_ID, thread: thread as i32, rest: [0; 11] };
    let mut timer = 0_i32;
    let arguments = [libc::CLOCK_MONOTONIC as usize, (&raw const event) as usize, (&raw mut timer) as usize, 0, 0, 0];
    // SAFETY: the kernel reads a `sigevent` of 64 bytes and writes one integer.
    unsafe { call(libc::SYS_timer_create, arguments) }?;
    Ok(timer)
}

/// Lets a timer fire once in `after_ms` milliseconds; zero stops it. Signal-safe.
///
/// # Errors
/// `EINVAL` when there is no such timer.
pub fn timer_set(timer: i32, after_ms: u32) -> Outcome {
    let time = [0, 0, i64::from(after_ms / 1000), i64::from(after_ms % 1000) * 1_000_000];
    // SAFETY: the kernel reads an `itimerspec`, which is four integers: interval and time, in seconds and nanoseconds.
    unsafe { call(libc::SYS_timer_settime, [timer as usize, 0, time.as_ptr() as usize, 0, 0, 0]) }
}

/// Takes a timer away. Signal-safe.
pub fn timer_delete(timer: i32) {
    // SAFETY: the call has no pointers.
    let _ = unsafe { call(libc::SYS_timer_delete, [timer as usize, 0, 0, 0, 0, 0]) };
}

/// Address of what a handler returns to, and whether it has to be set at all: aarch64's kernel has its own.
#[must_use]
pub fn restorer() -> usize {
    #[cfg(target_arch = "x86_64")]
    {
        return_from_signal as *const () as usize
    }
    #[cfg(target_arch = "aarch64")]
    {
        0
    }
}

/// Where handlers return to. Unwinders know the frame of a signal by these nine bytes, so they are written out.
///
/// # Safety
/// Only a handler that the kernel called may return here: it restores all registers from the stack.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn return_from_signal() {
    core::arch::naked_asm!(
        ".byte 0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00", // mov rax, 15: rt_sigreturn
        ".byte 0x0f, 0x05",                               // syscall
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_of_signals() {
        let two = Mask::of(libc::SIGSEGV).with(Mask::of(64));
        assert!(two.has(libc::SIGSEGV) && two.has(64) && !two.has(libc::SIGBUS));
        assert_eq!(two.without(Mask::of(64)), Mask::of(libc::SIGSEGV));
        assert_eq!(Mask::of(0), Mask(0));
        assert_eq!(Mask::of(65), Mask(0));
        let before = mask(libc::SIG_BLOCK, Mask::of(libc::SIGUSR2));
        assert!(mask(libc::SIG_SETMASK, before).has(libc::SIGUSR2));
    }

    #[test]
    fn an_action_can_be_asked_for() {
        // SAFETY: nothing is set.
        let action = unsafe { action(libc::SIGKILL, None) }.unwrap();
        assert_eq!(action.handler, libc::SIG_DFL);
        // SAFETY: nothing is set.
        assert!(unsafe { alternate_stack(None) }.is_ok());
        let here = super::super::process();
        assert!(send_to_thread(here, super::super::thread(), 0).is_ok());
    }
}
