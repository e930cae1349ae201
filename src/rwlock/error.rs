//! Why a lock was not taken, or was taken after a panic.

use super::word::Refusal;
use std::fmt;
use std::sync::PoisonError;

/// Why there is no plain guard.
///
/// `G` is the guard, which is there all the same when the lock is merely poisoned.
pub enum LockError<G> {
    /// A writer panicked, so the value may be half changed. The lock was taken; the guard is in the error.
    Poisoned(PoisonError<G>),
    /// The calling thread holds the lock already, in a way that would make it wait for itself.
    ///
    /// That it holds the lock to write is always noticed. That it holds the lock to read and would wait all the same is noticed
    /// with debug assertions or the feature `deadlock-detection`, of the last 16 locks that the thread reads; without them it
    /// waits for ever, as with any other lock.
    Deadlock,
    /// There are more readers than can be counted: 2,147,483,648.
    TooManyReaders,
    /// Somebody else holds the lock, and the call was not to wait.
    WouldBlock,
    /// Somebody else held the lock until the time was over.
    TimedOut,
}

impl<G> LockError<G> {
    /// The guard, if the lock was taken although a writer had panicked.
    pub fn into_guard(self) -> Option<G> {
        match self {
            Self::Poisoned(error) => Some(error.into_inner()),
            _ => None,
        }
    }

    fn text(&self) -> &dyn fmt::Display {
        match self {
            Self::Poisoned(_) => &"a writer panicked while it held the lock",
            Self::Deadlock => &Refusal::Deadlock,
            Self::TooManyReaders => &Refusal::TooManyReaders,
            Self::WouldBlock => &Refusal::WouldBlock,
            Self::TimedOut => &Refusal::TimedOut,
        }
    }
}

impl<G> From<Refusal> for LockError<G> {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Deadlock => Self::Deadlock,
            Refusal::TooManyReaders => Self::TooManyReaders,
            Refusal::WouldBlock => Self::WouldBlock,
            Refusal::TimedOut => Self::TimedOut,
        }
    }
}

impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Poisoned(_) => "Poisoned(..)",
            Self::Deadlock => "Deadlock",
            Self::TooManyReaders => "TooManyReaders",
            Self::WouldBlock => "WouldBlock",
            Self::TimedOut => "TimedOut",
        })
    }
}

impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(formatter)
    }
}

impl<G> std::error::Error for LockError<G> {}
