//! The flag: an event that has happened, or not yet.

use super::core::{Core, Kind, Wait};
use crate::primitive::constant;
use crate::wait::{TimedOut, block_on, block_on_deadline, block_on_timeout};
use std::fmt;
use std::time::{Duration, Instant};

/// A flag that threads and tasks can wait for.
///
/// What was done before [`set`](Self::set) is seen by those whom it lets through. All operations but the waits take
/// constant time, but for `set` on a manual-reset event, which wakes all who wait.
///
/// Auto-reset and manual-reset events are those of Windows; the line of those who wait, who are handed the signal, is as
/// in tokio's `Notify` and many a semaphore.
///
/// ```
/// use std::thread;
/// use toolbox::event::Event;
///
/// let is_ready = Event::manual_reset();
/// thread::scope(|scope| {
///     for _ in 0..3 {
///         scope.spawn(|| is_ready.wait_blocking());
///     }
///     is_ready.set();
/// });
/// assert!(is_ready.is_set());
/// ```
pub struct Event {
    core: Core,
}

impl Event {
    constant! {
        /// An event that is not set. Each [`set`](Self::set) lets one wait through, now or later; sets that nobody has taken yet
        /// count as one.
        #[must_use]
        pub fn auto_reset() -> Self {
            Self { core: Core::new(Kind::One, 0) }
        }
    }

    constant! {
        /// An event that is not set. Once set, it stays so until it is [`reset`](Self::reset), and lets all waits through.
        #[must_use]
        pub fn manual_reset() -> Self {
            Self { core: Core::new(Kind::Stays, 0) }
        }
    }

    /// Lets one wait through, or all of them: see [`auto_reset`](Self::auto_reset) and [`manual_reset`](Self::manual_reset).
    #[inline]
    pub fn set(&self) {
        if self.core.kind() == Kind::Stays { self.core.open() } else { self.core.give_one() }
    }

    /// Takes the signal back, and says whether there was one. Those who were let through already stay so.
    pub fn reset(&self) -> bool {
        self.core.take_back() > 0
    }

    /// Whether a wait would be over at once. It may not be so any more when this returns.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.core.signals() > 0
    }

    /// What a wait does that is over at once; false if it would not be.
    #[must_use]
    pub fn try_wait(&self) -> bool {
        self.core.try_take()
    }

    /// Waits, as a task, for the event to be set. On an auto-reset event that takes the signal.
    #[inline]
    pub fn wait(&self) -> Wait<'_> {
        self.core.wait()
    }

    /// As [`wait`](Self::wait), as a thread.
    ///
    /// # Panics
    /// As [`block_on`].
    pub fn wait_blocking(&self) {
        if !self.core.look() {
            block_on(self.core.wait());
        }
    }

    /// As [`wait_blocking`](Self::wait_blocking), but for no longer than `timeout`.
    ///
    /// # Errors
    /// [`TimedOut`] when the time is over first; then no signal was taken.
    ///
    /// # Panics
    /// As [`block_on`].
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), TimedOut> {
        if self.core.try_take() { Ok(()) } else { block_on_timeout(self.core.wait(), timeout) }
    }

    /// As [`wait_timeout`](Self::wait_timeout), until an instant.
    ///
    /// # Errors
    /// [`TimedOut`] when the instant is over first; then no signal was taken.
    ///
    /// # Panics
    /// As [`block_on`].
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), TimedOut> {
        if self.core.try_take() { Ok(()) } else { block_on_deadline(self.core.wait(), deadline) }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Event").field("kind", &self.core.kind()).field("is_set", &self.is_set()).finish()
    }
}
