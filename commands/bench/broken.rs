//! Queues that are wrong on purpose, each in one way, to show that the check finds it.
//!
//! They appear in no list; `--with broken-lost` measures one, and the run ends with the evidence and exit code 1.

use super::bag::Bag;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How often something goes wrong.
const SELDOM: u64 = 100;

/// A queue that is right, and counts.
struct Counting<T> {
    items: VecDeque<T>,
    operations: u64,
}

struct Locked<T>(Mutex<Counting<T>>);

impl<T> Locked<T> {
    fn new() -> Self {
        Self(Mutex::new(Counting { items: VecDeque::new(), operations: 0 }))
    }

    /// The queue, and whether this is the operation that goes wrong.
    fn next(&self) -> (MutexGuard<'_, Counting<T>>, bool) {
        let mut inside = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inside.operations += 1;
        let is_wrong = inside.operations.is_multiple_of(SELDOM);
        (inside, is_wrong)
    }

    fn push(&self, item: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).items.push_back(item);
    }

    fn pop(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).items.pop_front()
    }
}

/// Loses one item in a hundred.
pub(super) struct Losing<T>(Locked<T>);

impl<T: Send> Bag<T> for Losing<T> {
    fn new(_: usize) -> Self {
        Self(Locked::new())
    }

    fn push(&self, item: T) -> Result<(), T> {
        let (mut inside, is_wrong) = self.0.next();
        if !is_wrong {
            inside.items.push_back(item);
        }
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        self.0.pop()
    }
}

/// Hands out one item in a hundred and keeps it.
pub(super) struct Doubling<T>(Locked<T>);

impl<T: Clone + Send> Bag<T> for Doubling<T> {
    fn new(_: usize) -> Self {
        Self(Locked::new())
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.0.push(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        let (mut inside, is_wrong) = self.0.next();
        if is_wrong { inside.items.front().cloned() } else { inside.items.pop_front() }
    }
}

/// Hands out the last item before the first, once in a hundred times.
pub(super) struct Reordering<T>(Locked<T>);

impl<T: Send> Bag<T> for Reordering<T> {
    fn new(_: usize) -> Self {
        Self(Locked::new())
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.0.push(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        let (mut inside, is_wrong) = self.0.next();
        if is_wrong { inside.items.pop_back() } else { inside.items.pop_front() }
    }
}

/// Forgets what is inside when it is dropped.
pub(super) struct Leaking<T>(Locked<T>);

impl<T: Send> Bag<T> for Leaking<T> {
    fn new(_: usize) -> Self {
        Self(Locked::new())
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.0.push(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        self.0.pop()
    }
}

impl<T> Drop for Leaking<T> {
    fn drop(&mut self) {
        let (mut inside, _) = self.0.next();
        inside.items.drain(..).for_each(std::mem::forget);
    }
}
