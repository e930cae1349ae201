//! Queues and stacks that are wrong on purpose, each in one way, to show that the check finds it.
//!
//! They appear in no list; `--with broken-lost` measures one, and the run ends with the evidence and exit code 1.

use super::{Bag, Discipline, locked};
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::{Mutex, MutexGuard};

/// How often something goes wrong.
const SELDOM: u64 = 100;

/// From which end items are taken; they are put in at the back.
pub(super) trait End: Send + Sync {
    /// What that makes of it.
    const DISCIPLINE: Discipline;

    /// The item that is next.
    fn next<T>(items: &VecDeque<T>) -> Option<&T>;

    /// Takes it.
    fn take<T>(items: &mut VecDeque<T>) -> Option<T>;

    /// Takes the one at the other end, which is wrong.
    fn take_wrong<T>(items: &mut VecDeque<T>) -> Option<T>;
}

/// From the front, as a queue does.
pub(super) struct First;

/// From the back, as a stack does.
pub(super) struct Last;

impl End for First {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn next<T>(items: &VecDeque<T>) -> Option<&T> {
        items.front()
    }

    fn take<T>(items: &mut VecDeque<T>) -> Option<T> {
        items.pop_front()
    }

    fn take_wrong<T>(items: &mut VecDeque<T>) -> Option<T> {
        items.pop_back()
    }
}

impl End for Last {
    const DISCIPLINE: Discipline = Discipline::Stack;

    fn next<T>(items: &VecDeque<T>) -> Option<&T> {
        items.back()
    }

    fn take<T>(items: &mut VecDeque<T>) -> Option<T> {
        items.pop_back()
    }

    fn take_wrong<T>(items: &mut VecDeque<T>) -> Option<T> {
        items.pop_front()
    }
}

/// A queue or a stack that is right, and counts.
struct Counting<T> {
    items: VecDeque<T>,
    operations: u64,
}

struct Locked<T, E>(Mutex<Counting<T>>, PhantomData<E>);

impl<T, E: End> Locked<T, E> {
    fn new() -> Self {
        Self(Mutex::new(Counting { items: VecDeque::new(), operations: 0 }), PhantomData)
    }

    /// What is inside, and whether this is the operation that goes wrong.
    fn next(&self) -> (MutexGuard<'_, Counting<T>>, bool) {
        let mut inside = locked(&self.0);
        inside.operations += 1;
        let is_wrong = inside.operations.is_multiple_of(SELDOM);
        (inside, is_wrong)
    }

    fn push(&self, item: T) {
        locked(&self.0).items.push_back(item);
    }

    fn pop(&self) -> Option<T> {
        E::take(&mut locked(&self.0).items)
    }
}

/// Loses one item in a hundred.
pub(super) struct Losing<T, E: End>(Locked<T, E>);

impl<T: Send, E: End> Bag<T> for Losing<T, E> {
    const DISCIPLINE: Discipline = E::DISCIPLINE;

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
pub(super) struct Doubling<T, E: End>(Locked<T, E>);

impl<T: Clone + Send, E: End> Bag<T> for Doubling<T, E> {
    const DISCIPLINE: Discipline = E::DISCIPLINE;

    fn new(_: usize) -> Self {
        Self(Locked::new())
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.0.push(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        let (mut inside, is_wrong) = self.0.next();
        if is_wrong { E::next(&inside.items).cloned() } else { E::take(&mut inside.items) }
    }
}

/// Hands out the item at the wrong end, once in a hundred times.
pub(super) struct Reordering<T, E: End>(Locked<T, E>);

impl<T: Send, E: End> Bag<T> for Reordering<T, E> {
    const DISCIPLINE: Discipline = E::DISCIPLINE;

    fn new(_: usize) -> Self {
        Self(Locked::new())
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.0.push(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        let (mut inside, is_wrong) = self.0.next();
        if is_wrong { E::take_wrong(&mut inside.items) } else { E::take(&mut inside.items) }
    }
}

/// Forgets what is inside when it is dropped.
pub(super) struct Leaking<T, E: End>(Locked<T, E>);

impl<T: Send, E: End> Bag<T> for Leaking<T, E> {
    const DISCIPLINE: Discipline = E::DISCIPLINE;

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

impl<T, E: End> Drop for Leaking<T, E> {
    fn drop(&mut self) {
        let (mut inside, _) = self.0.next();
        inside.items.drain(..).for_each(std::mem::forget);
    }
}
