//! Signals and their codes in words.
//!
//! A signal says what happened in general, its code says which case of it, and the code's sign says who speaks: above
//! zero the kernel for a fault of the thread itself, at zero or below somebody who sent the signal.

use crate::sys::raw::Mask;

/// The signals that end a program by its own fault, in the order in which they are named.
pub const ALL: [i32; 7] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGABRT, libc::SIGTRAP, libc::SIGSYS];

/// Signal-safe. All of [`ALL`].
#[must_use]
pub const fn all() -> Mask {
    let mut mask = Mask(0);
    let mut index = 0;
    while index < ALL.len() {
        mask = mask.with(Mask::of(ALL[index]));
        index += 1;
    }
    mask
}

/// Signal-safe. Place of a signal in [`ALL`].
#[must_use]
pub fn index(signal: i32) -> Option<usize> {
    ALL.iter().position(|known| *known == signal)
}

/// Signal-safe. The name of a signal, such as `SIGSEGV`.
#[must_use]
pub const fn name(signal: i32) -> &'static str {
    match signal {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        libc::SIGABRT => "SIGABRT",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGSYS => "SIGSYS",
        _ => "signal",
    }
}

/// Signal-safe. The signal that `name` stands for, with or without `SIG`, in any case: `segv`, `SIGSEGV`.
#[must_use]
pub fn by_name(name: &str) -> Option<i32> {
    let is = |known: &&i32| {
        let known = self::name(**known);
        name.eq_ignore_ascii_case(known) || name.eq_ignore_ascii_case(&known[3..])
    };
    ALL.iter().find(is).copied()
}

/// The code of what the kernel raises without saying more: for `SIGSEGV` there is no address then.
pub const FROM_KERNEL: i32 = 0x80;

/// Codes that the `libc` crate does not have, as the kernel's header has them.
mod code {
    pub(super) const SI_DETHREAD: i32 = -7;
    pub(super) const SI_ASYNCNL: i32 = -60;
}

/// Signal-safe. What a code means, for a signal that has it.
#[must_use]
pub const fn code(signal: i32, code: i32) -> &'static str {
    if code <= 0 {
        return sent(code);
    }
    if code == FROM_KERNEL {
        return match signal {
            libc::SIGSEGV => "general protection",
            libc::SIGTRAP => "breakpoint",
            _ => "sent by the kernel",
        };
    }
    fault(signal, code)
}

/// Who sent a signal, and how.
const fn sent(code: i32) -> &'static str {
    match code {
        libc::SI_USER => "sent by kill",
        libc::SI_QUEUE => "sent by sigqueue",
        libc::SI_TIMER => "sent by a timer",
        libc::SI_MESGQ => "sent by a message queue",
        libc::SI_ASYNCIO => "sent by asynchronous input",
        libc::SI_SIGIO => "sent by queued input",
        libc::SI_TKILL => "sent by tgkill",
        self::code::SI_DETHREAD => "sent by exec",
        self::code::SI_ASYNCNL => "sent by a name look-up",
        _ => "sent with an unknown code",
    }
}

/// The cases of a fault.
const fn fault(signal: i32, code: i32) -> &'static str {
    match (signal, code) {
        (libc::SIGSEGV, 1) => "address not mapped",
        (libc::SIGSEGV, 2) => "no permission for the address",
        (libc::SIGSEGV, 3) => "bounds check failed",
        (libc::SIGSEGV, 4) => "protection key forbids the access",
        (libc::SIGSEGV, 8) => "memory tag mismatch, noticed later",
        (libc::SIGSEGV, 9) => "memory tag mismatch",
        (libc::SIGSEGV, 10) => "control protection",
        (libc::SIGBUS, 1) => "address not aligned",
        (libc::SIGBUS, 2) => "nothing behind the address",
        (libc::SIGBUS, 3) => "error of the hardware",
        (libc::SIGBUS, 4 | 5) => "error in the memory's hardware",
        (libc::SIGILL, 1) => "illegal instruction",
        (libc::SIGILL, 2) => "illegal operand",
        (libc::SIGILL, 3) => "illegal addressing",
        (libc::SIGILL, 4) => "illegal trap",
        (libc::SIGILL, 5) => "privileged instruction",
        (libc::SIGILL, 6) => "privileged register",
        (libc::SIGILL, 7) => "error of a coprocessor",
        (libc::SIGILL, 8) => "error of an internal stack",
        (libc::SIGFPE, 1) => "integer divided by zero",
        (libc::SIGFPE, 2) => "integer overflow",
        (libc::SIGFPE, 3) => "floating point division by zero",
        (libc::SIGFPE, 4) => "floating point overflow",
        (libc::SIGFPE, 5) => "floating point underflow",
        (libc::SIGFPE, 6) => "floating point result inexact",
        (libc::SIGFPE, 7) => "invalid floating point operation",
        (libc::SIGFPE, 8) => "subscript out of range",
        (libc::SIGTRAP, 1) => "breakpoint",
        (libc::SIGTRAP, 2) => "trace trap",
        (libc::SIGTRAP, 3) => "branch trap",
        (libc::SIGTRAP, 4) => "hardware breakpoint",
        (libc::SIGTRAP, 6) => "performance event",
        (libc::SIGSYS, 1) => "system call refused by a filter",
        (libc::SIGSYS, 2) => "system call passed to the program",
        _ => "unknown code",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes() {
        assert_eq!(name(libc::SIGBUS), "SIGBUS");
        assert_eq!(by_name("segv"), Some(libc::SIGSEGV));
        assert_eq!(by_name("SIGTRAP"), Some(libc::SIGTRAP));
        assert_eq!(by_name("kill"), None);
        assert_eq!(code(libc::SIGSEGV, 1), "address not mapped");
        assert_eq!(code(libc::SIGSEGV, libc::SI_TKILL), "sent by tgkill");
        assert_eq!(code(libc::SIGTRAP, 0x80), "breakpoint");
        assert_eq!(code(libc::SIGFPE, 99), "unknown code");
        assert_eq!(all().0.count_ones(), 7);
        assert!(ALL.iter().all(|signal| all().has(*signal) && index(*signal).is_some()));
    }
}
