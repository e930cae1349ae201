//! The count: as many waits are let through as signals were given.

use super::core::{Core, Kind, Wait};
use crate::primitive::constant;
use crate::wait::{TimedOut, block_on, block_on_deadline, block_on_timeout};
use std::fmt;
use std::time::{Duration, Instant};

/// A count that is never negative: who takes from it waits until there is something.
///
/// What was done before [`post`](Self::post) is seen by those who take what was posted. Those in line are served in the
/// order in which they came, and nobody can overtake them. It is Dijkstra's semaphore; nothing is given back by itself, so
/// it counts jobs as well as it counts places.
///
/// ```
/// use std::sync::Mutex;
/// use std::thread;
/// use toolbox::event::Semaphore;
///
/// let jobs = Mutex::new(Vec::new());
/// let is_there = Semaphore::new(0);
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         for number in 0..10 {
///             jobs.lock().unwrap().push(number);
///             is_there.post(1);
///         }
///     });
///     for _ in 0..10 {
///         is_there.take_blocking();
///         assert!(jobs.lock().unwrap().pop().is_some());
///     }
/// });
/// assert_eq!(is_there.available(), 0);
/// ```
pub struct Semaphore {
    core: Core,
}

impl Semaphore {
    constant! {
        /// A count of `count`.
        ///
        /// # Panics
        /// When `count` is more than half of what a `usize` can hold.
        #[must_use]
        pub fn new(count: usize) -> Self {
            Self { core: Core::new(Kind::Count, count) }
        }
    }

    /// Adds `count`: lets as many through, now or later. Takes a time that grows with the number of those who are woken.
    ///
    /// # Panics
    /// When the sum is more than half of what a `usize` can hold.
    pub fn post(&self, count: usize) {
        self.core.give(count);
    }

    /// How many could be taken at once. It may not be so any more when this returns.
    #[must_use]
    pub fn available(&self) -> usize {
        self.core.signals()
    }

    /// Takes one if there is one.
    #[must_use]
    pub fn try_take(&self) -> bool {
        self.core.try_take()
    }

    /// Waits, as a task, until it can take one.
    #[inline]
    pub fn take(&self) -> Wait<'_> {
        self.core.wait()
    }

    /// As [`take`](Self::take), as a thread.
    ///
    /// # Panics
    /// As [`block_on`].
    pub fn take_blocking(&self) {
        if !self.core.look() {
            block_on(self.core.wait());
        }
    }

    /// As [`take_blocking`](Self::take_blocking), but for no longer than `timeout`.
    ///
    /// # Errors
    /// [`TimedOut`] when the time is over first; then nothing was taken.
    ///
    /// # Panics
    /// As [`block_on`].
    pub fn take_timeout(&self, timeout: Duration) -> Result<(), TimedOut> {
        if self.core.try_take() { Ok(()) } else { block_on_timeout(self.core.wait(), timeout) }
    }

    /// As [`take_timeout`](Self::take_timeout), until an instant.
    ///
    /// # Errors
    /// [`TimedOut`] when the instant is over first; then nothing was taken.
    ///
    /// # Panics
    /// As [`block_on`].
    pub fn take_deadline(&self, deadline: Instant) -> Result<(), TimedOut> {
        if self.core.try_take() { Ok(()) } else { block_on_deadline(self.core.wait(), deadline) }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Semaphore").field("available", &self.available()).finish()
    }
}
