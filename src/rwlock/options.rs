//! How a lock's threads wait.

use std::time::Duration;

/// What a thread does that does not get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Waiting {
    /// Looks for as long as has paid lately, at most as long as a sleep costs, and then sleeps in the kernel.
    #[default]
    Sleep,
    /// Looks so many times, then gives its processor away, and so on: the classic lock with a limit. Nothing is fair about
    /// it, and the kernel may let the others run for some milliseconds.
    Yield {
        /// How many times it looks.
        after: u32,
    },
    /// Looks for ever: the classic lock as it was first written. With more threads than processors it spends the
    /// time in which whoever holds the lock should run; it is here to be compared with.
    Spin,
}

/// So that a difference of two times is less than half of what the clock can show.
const LONGEST_US: i32 = 15 * 60 * 1_000_000;

/// How a lock's threads wait; the default is right unless there is a reason.
///
/// ```
/// use std::time::Duration;
/// use toolbox::rwlock::{Options, SharedLock, Waiting};
///
/// static FAIR: SharedLock<u32> = SharedLock::with_options(0, Options::new().hand_over(16).hand_over_after(Duration::from_micros(100)));
/// let classic = SharedLock::with_options(0, Options::new().waiting(Waiting::Yield { after: 64 }));
/// # assert!(FAIR.read().is_ok() && classic.write().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub(super) waiting: Waiting,
    pub(super) hand_over: u32,
    /// Microseconds, at most [`LONGEST_US`].
    pub(super) hand_over_us: i32,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// Sleeping, and a hand-over after 1,024 writers or a millisecond, whichever comes first.
    #[must_use]
    pub const fn new() -> Self {
        Self { waiting: Waiting::Sleep, hand_over: 1024, hand_over_us: 1000 }
    }

    /// What a thread does that does not get in.
    #[must_use]
    pub const fn waiting(self, waiting: Waiting) -> Self {
        Self { waiting, ..self }
    }

    /// After how many writers those that sleep come first: the bound on starving.
    ///
    /// Whoever is awake gets the lock before those that sleep, since that is faster. Of the writers that let go while
    /// somebody sleeps every `writers`th reserves the lock, for all sleeping readers and for one sleeping writer by turns. So a
    /// reader that sleeps waits for at most `2 * writers + 1` writers, and in that time one of the writers that have slept gets
    /// in, the longest asleep being woken for it. A smaller
    /// number is fairer and slower: a hand-over leaves the lock idle until those it is kept for are running.
    /// [`hand_over_after`](Self::hand_over_after) has it happen sooner where sections are long.
    ///
    /// # Panics
    /// If the number is 0.
    #[must_use]
    pub const fn hand_over(self, writers: u32) -> Self {
        assert!(writers > 0, "a hand-over after no writer");
        Self { hand_over: writers, ..self }
    }

    /// After what time those that sleep come first, if that is sooner than by [`hand_over`](Self::hand_over).
    ///
    /// It is counted from the hand-over before, or from when somebody went to sleep while nobody else slept, and looked at
    /// by every eighth of the writers that let go while somebody sleeps. More than a quarter of an hour is as much as that.
    #[must_use]
    pub const fn hand_over_after(self, time: Duration) -> Self {
        let us = time.as_micros();
        Self { hand_over_us: if us > LONGEST_US as u128 { LONGEST_US } else { us as i32 }, ..self }
    }
}
