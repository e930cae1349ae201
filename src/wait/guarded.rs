//! Locks around a value, as whoever waits for the value sees them.
//!
//! A condition waits with the lock let go, and takes it again to look. It does not matter to it whether that is the lock
//! of the standard library or one that tasks await, so both say here how they are taken.

use crate::primitive::{Mutex, MutexGuard};
use std::future::poll_fn;
use std::sync::LockResult;
use std::task::Poll;

/// A mutex that a condition (`event::Condition`) can be used with.
pub trait Guarded {
    /// What it guards.
    type Value: ?Sized;
    /// What one gets from locking it.
    type Guard<'a>
    where
        Self: 'a;

    /// Waits for the lock.
    fn lock(&self) -> impl Future<Output = Self::Guard<'_>>;

    /// The value, unless a panic may have left it broken.
    fn value<'a>(guard: &'a mut Self::Guard<'_>) -> Option<&'a mut Self::Value>;
}

/// A task that waits for this lock holds up its thread, for as long as the lock is held by another.
impl<T: ?Sized> Guarded for Mutex<T> {
    type Value = T;
    type Guard<'a>
        = LockResult<MutexGuard<'a, T>>
    where
        T: 'a;

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> {
        // Not `ready`, which would keep the guard within the future and the future from being sent.
        poll_fn(|_| Poll::Ready(Mutex::lock(self)))
    }

    fn value<'a>(guard: &'a mut Self::Guard<'_>) -> Option<&'a mut T> {
        guard.as_mut().ok().map(|guard| &mut **guard)
    }
}
