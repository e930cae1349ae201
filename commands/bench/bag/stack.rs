//! Stacks: ours, and what a program would use instead.
//!
//! A rival is a type, an implementation of [`Bag`] and a line in [`rivals`].

use super::reference::{Nothing, OneWord};
use super::treiber::Treiber;
use super::{Bag, COLUMNS, Discipline, Rival, broken, loads, locked, rival};
use crate::bench::subject::{Kind, Role};
use std::collections::LinkedList;
use std::sync::Mutex;

/// What never changes about it.
pub(in crate::bench) const KIND: Kind = Kind {
    name: "stack",
    unit: "pair",
    unit_is: "one item put in and taken out, by all threads together",
    operations: 2,
    foreign_is: "items that came from another thread",
    baseline: "mutex-linkedlist",
    columns: COLUMNS,
    loads,
};

/// Everything that can be in the table.
pub(in crate::bench) fn rivals() -> Vec<Rival> {
    vec![
        Rival::reference::<Nothing<_>, Nothing<_>, Nothing<_>>(
            Role::Harness,
            "harness",
            "keeps nothing: what making, checking and own work cost",
        ),
        Rival::reference::<OneWord<_>, OneWord<_>, OneWord<_>>(
            Role::Limit,
            "limit",
            "one fetch-add for each operation, on one word",
        ),
        rival!(Rival, "toolbox", Ours, "toolbox::stack::Stack: recycled nodes, unbounded"),
        rival!(Rival, "treiber", Treiber, "the textbook's on crossbeam-epoch: a node from the allocator for each item"),
        rival!(Rival, "sdd", Sdd, "sdd::Stack: as that, with epochs of its own; each item in a Mutex<Option>"),
        rival!(Rival, "parking-lot-vec", Parked, "parking_lot Mutex<Vec>"),
        rival!(Rival, "mutex-vec", Array, "std Mutex<Vec>"),
        rival!(Rival, "mutex-linkedlist", List, "std Mutex<LinkedList>"),
        rival!(Broken, "broken-lost", Losing, "loses one item in 100"),
        rival!(Broken, "broken-doubled", Doubling, "hands out one item in 100 twice"),
        rival!(Broken, "broken-reordered", Reordering, "hands out one item in 100 too early"),
        rival!(Broken, "broken-leaked", Leaking, "does not drop what is inside"),
    ]
}

type Losing<T> = broken::Losing<T, broken::Last>;
type Doubling<T> = broken::Doubling<T, broken::Last>;
type Reordering<T> = broken::Reordering<T, broken::Last>;
type Leaking<T> = broken::Leaking<T, broken::Last>;

type Ours<T> = toolbox::stack::Stack<T>;

impl<T: Send> Bag<T> for Ours<T> {
    const DISCIPLINE: Discipline = Discipline::Stack;

    fn new(_: usize) -> Self {
        Self::new()
    }

    fn push(&self, item: T) -> Result<(), T> {
        Ours::push(self, item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        Ours::pop(self)
    }
}

/// What comes out of this stack is shared, and is dropped when its epochs say so. A caller that wants the item itself
/// has to keep it in something it can be taken out of.
struct Sdd<T: 'static>(sdd::Stack<Mutex<Option<T>>>);

impl<T: Send> Bag<T> for Sdd<T> {
    const DISCIPLINE: Discipline = Discipline::Stack;

    fn new(_: usize) -> Self {
        Self(sdd::Stack::new())
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.0.push(Mutex::new(Some(item)));
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        let entry = self.0.pop()?;
        locked(&**entry).take()
    }
}

impl<T> Drop for Sdd<T> {
    fn drop(&mut self) {
        while let Some(entry) = self.0.pop() {
            drop(locked(&**entry).take());
        }
    }
}

type Parked<T> = parking_lot::Mutex<Vec<T>>;

impl<T: Send> Bag<T> for Parked<T> {
    const DISCIPLINE: Discipline = Discipline::Stack;

    fn new(_: usize) -> Self {
        Self::default()
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.lock().push(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        self.lock().pop()
    }
}

type Array<T> = Mutex<Vec<T>>;

impl<T: Send> Bag<T> for Array<T> {
    const DISCIPLINE: Discipline = Discipline::Stack;

    fn new(_: usize) -> Self {
        Self::default()
    }

    fn push(&self, item: T) -> Result<(), T> {
        locked(self).push(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        locked(self).pop()
    }
}

/// A type of its own, since as a queue the same list is used from both ends.
struct List<T>(Mutex<LinkedList<T>>);

impl<T: Send> Bag<T> for List<T> {
    const DISCIPLINE: Discipline = Discipline::Stack;

    fn new(_: usize) -> Self {
        Self(Mutex::default())
    }

    fn push(&self, item: T) -> Result<(), T> {
        locked(&self.0).push_back(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        locked(&self.0).pop_back()
    }
}
