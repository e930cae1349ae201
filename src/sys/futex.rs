//! Sleeping on a word of memory, and waking who sleeps on it.
//!
//! The kernel looks at the word and puts the thread to sleep in one step, so a wake-up between the look and the sleep is
//! not lost. Who is awake again knows nothing but that: a wake-up may be meant for an earlier user of the address, and a
//! signal ends a sleep too. So a caller looks at its word again, whatever [`wait`] returned.
//!
//! The words are private to the process. Deadlines are absolute, on the clock that [`std::time::Instant`] reads: a sleep
//! that was interrupted is taken up again without any sum.
//!
//! # Safety
//!
//! The kernel reads a word that we borrow and a time that we own. For a wake-up it only compares the address.
#![allow(unsafe_code)]

use crate::primitive::AtomicU32;
use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::time::{Duration, Instant};

/// Why a sleep is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Somebody called [`wake`].
    Woken,
    /// The word was not as expected; there was no sleep.
    Changed,
    /// A signal was handled.
    Interrupted,
    /// The deadline has passed.
    TimedOut,
}

/// An instant after which nobody waits any more.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(libc::timespec);

impl Deadline {
    /// The instant `timeout` from now; none when the clock cannot show it, which is some billions of years away.
    pub(crate) fn after(timeout: Duration) -> Option<Self> {
        let now = now();
        let then = Duration::new(now.tv_sec as u64, now.tv_nsec as u32).checked_add(timeout)?;
        Some(Self(libc::timespec {
            tv_sec: libc::time_t::try_from(then.as_secs()).ok()?,
            tv_nsec: libc::c_long::from(then.subsec_nanos() as i32),
        }))
    }

    /// As [`after`](Self::after), for an instant.
    pub(crate) fn at(instant: Instant) -> Option<Self> {
        Self::after(instant.saturating_duration_since(Instant::now()))
    }

    /// Whether it is in the past.
    pub(crate) fn has_passed(self) -> bool {
        let now = now();
        (now.tv_sec, now.tv_nsec) >= (self.0.tv_sec, self.0.tv_nsec)
    }
}

/// Microseconds on the clock of the deadlines, from some instant on, in a number that begins anew after 71 minutes.
#[cfg(any(feature = "rwlock", test))]
pub(crate) fn microseconds() -> u32 {
    let now = now();
    (now.tv_sec as u32).wrapping_mul(1_000_000).wrapping_add(now.tv_nsec as u32 / 1_000)
}

fn now() -> libc::timespec {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the kernel writes one `timespec`, which `time` has room for; every kernel has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, time.as_mut_ptr()) };
    // SAFETY: the memory was zeroed, and both fields are integers.
    unsafe { time.assume_init() }
}

/// Sleeps while `word` is `expected`, until somebody wakes this thread or the deadline has passed.
///
/// # Panics
/// When the kernel has no futexes for this process, which a filter of system calls could bring about.
pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Deadline>) -> Outcome {
    let until = deadline.as_ref().map_or(ptr::null(), |deadline| &raw const deadline.0);
    // SAFETY: both pointers are from borrows that outlast the call, and the second may be null.
    let code = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT_BITSET | libc::FUTEX_PRIVATE_FLAG,
            expected,
            until,
            ptr::null::<u32>(),
            libc::FUTEX_BITSET_MATCH_ANY,
        )
    };
    if code == 0 {
        return Outcome::Woken;
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN) => Outcome::Changed,
        Some(libc::EINTR) => Outcome::Interrupted,
        Some(libc::ETIMEDOUT) => Outcome::TimedOut,
        _ => panic!("cannot sleep on a futex: {error}"),
    }
}

/// Wakes at most `count` of the threads that sleep on the word at `word`, longest asleep first, and says how many.
///
/// The word may be gone: who has seen its value may have freed it. Then a sleeper on what came to lie there wakes up for
/// nothing. Signal-safe.
pub(crate) fn wake(word: *const AtomicU32, count: u32) -> usize {
    let most = i32::try_from(count).unwrap_or(i32::MAX);
    // SAFETY: the kernel takes the pointer for an address, and does not follow it.
    let code = unsafe { libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, most) };
    usize::try_from(code).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::{Relaxed, SeqCst};
    use std::thread;

    #[test]
    fn a_word_that_has_changed_is_not_slept_on() {
        assert_eq!(wait(&AtomicU32::new(1), 2, None), Outcome::Changed);
    }

    #[test]
    fn a_sleep_ends_at_its_deadline() {
        let word = AtomicU32::new(1);
        let before = Instant::now();
        let deadline = Deadline::after(Duration::from_millis(20)).unwrap();
        assert!(!deadline.has_passed());
        while wait(&word, 1, Some(deadline)) != Outcome::TimedOut {}
        assert!(before.elapsed() >= Duration::from_millis(20));
        assert!(deadline.has_passed());
        assert_eq!(wait(&word, 1, Deadline::at(before)), Outcome::TimedOut);
    }

    #[test]
    fn a_deadline_may_be_too_far_away() {
        assert!(Deadline::after(Duration::MAX).is_none());
        assert!(!Deadline::after(Duration::new(1, 999_999_999)).unwrap().has_passed());
    }

    #[test]
    fn as_many_wake_as_are_called() {
        let word = AtomicU32::new(0);
        assert_eq!(wake(&raw const word, 1), 0);
        thread::scope(|scope| {
            let sleepers = [(); 3].map(|()| {
                scope.spawn(|| {
                    while word.load(Relaxed) == 0 {
                        wait(&word, 0, None);
                    }
                })
            });
            word.store(1, SeqCst);
            // Those that had not looked yet will not sleep.
            assert!(wake(&raw const word, u32::MAX) <= 3);
            sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
        });
    }

    #[test]
    fn microseconds_are_counted_on() {
        let (begin, before) = (Instant::now(), microseconds());
        thread::sleep(Duration::from_millis(2));
        let (passed, most) = (microseconds().wrapping_sub(before), begin.elapsed().as_micros());
        assert!(passed >= 2_000 && u128::from(passed) <= most + 1, "{passed} of {most}");
    }

    /// One that sleeps is woken by one call, and the call says so.
    #[test]
    fn a_call_says_whom_it_woke() {
        let word = AtomicU32::new(0);
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| while wait(&word, 0, None) != Outcome::Woken {});
            while wake(&raw const word, 1) == 0 {
                thread::yield_now();
            }
            sleeper.join().unwrap();
        });
    }
}
