//! Queues: ours, and what a program would use instead.
//!
//! A rival is a type, an implementation of [`Bag`] and a line in [`rivals`].

use super::broken;
use super::reference::{Nothing, TwoWords};
use super::{Bag, COLUMNS, Discipline, Rival, loads, locked, rival};
use crate::bench::subject::{Kind, Role};
use std::collections::{LinkedList, VecDeque};
use std::sync::{Mutex, mpsc};

/// What never changes about it.
pub(in crate::bench) const KIND: Kind = Kind {
    name: "queue",
    unit: "pair",
    unit_is: "one item put in and taken out, by all threads together",
    operations: 2,
    foreign_is: "items that came from another thread",
    baseline: "segqueue",
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
        Rival::reference::<TwoWords<_>, TwoWords<_>, TwoWords<_>>(
            Role::Limit,
            "limit",
            "one fetch-add for each operation, on two words",
        ),
        rival!(Rival, "toolbox", Ours, "toolbox::queue::Queue: packed blocks, unbounded"),
        Rival::new::<Boxing<_>, Boxing<_>, OursPointers<_>, Boxing<_>>(
            Role::Rival,
            "toolbox-pointers",
            "toolbox::queue::PointerQueue: the same for pointers; items that are none are boxed",
        ),
        rival!(Rival, "toolbox-bounded", OursBounded, "toolbox::queue::Bounded: a ring, bounded"),
        rival!(
            Rival,
            "toolbox-linked",
            OursLinked,
            "toolbox::queue::Linked: the textbook's list, with epochs, unbounded"
        ),
        rival!(Rival, "segqueue", SegQueue, "crossbeam SegQueue: linked blocks, unbounded"),
        rival!(Rival, "arrayqueue", ArrayQueue, "crossbeam ArrayQueue: a ring, bounded"),
        rival!(Rival, "concurrent-queue", ConcurrentQueue, "concurrent-queue: linked blocks, unbounded"),
        rival!(Rival, "flume", Flume, "flume channel: a lock, unbounded"),
        rival!(Rival, "kanal", Kanal, "kanal channel: a lock, unbounded"),
        rival!(Rival, "mpsc", Channel, "std::sync::mpsc, its receiver behind a Mutex"),
        rival!(Rival, "mutex-vecdeque", Deque, "std Mutex<VecDeque>"),
        rival!(Rival, "mutex-linkedlist", List, "std Mutex<LinkedList>"),
        rival!(Broken, "broken-lost", Losing, "loses one item in 100"),
        rival!(Broken, "broken-doubled", Doubling, "hands out one item in 100 twice"),
        rival!(Broken, "broken-reordered", Reordering, "lets one item in 100 overtake another"),
        rival!(Broken, "broken-leaked", Leaking, "does not drop what is inside"),
    ]
}

type Losing<T> = broken::Losing<T, broken::First>;
type Doubling<T> = broken::Doubling<T, broken::First>;
type Reordering<T> = broken::Reordering<T, broken::First>;
type Leaking<T> = broken::Leaking<T, broken::First>;

type Ours<T> = toolbox::queue::Queue<T>;

impl<T: Send> Bag<T> for Ours<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

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

type OursPointers<T> = toolbox::queue::PointerQueue<T>;

impl<T: Send + toolbox::queue::Pointer> Bag<T> for OursPointers<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        Self::of_pointers()
    }

    fn push(&self, item: T) -> Result<(), T> {
        OursPointers::push(self, item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        OursPointers::pop(self)
    }
}

/// The queue of pointers, for items that are none.
struct Boxing<T>(OursPointers<Box<T>>);

impl<T: Send> Bag<T> for Boxing<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        Self(OursPointers::of_pointers())
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.0.push(Box::new(item));
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        self.0.pop().map(|item| *item)
    }
}

type OursBounded<T> = toolbox::queue::Bounded<T>;

impl<T: Send> Bag<T> for OursBounded<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(capacity: usize) -> Self {
        Self::new(capacity.max(1))
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.try_push(item)
    }

    fn pop(&self) -> Option<T> {
        OursBounded::pop(self)
    }
}

type OursLinked<T> = toolbox::queue::Linked<T>;

impl<T: Send> Bag<T> for OursLinked<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        Self::new()
    }

    fn push(&self, item: T) -> Result<(), T> {
        OursLinked::push(self, item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        OursLinked::pop(self)
    }
}

type SegQueue<T> = crossbeam_queue::SegQueue<T>;

impl<T: Send> Bag<T> for SegQueue<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        Self::new()
    }

    fn push(&self, item: T) -> Result<(), T> {
        SegQueue::push(self, item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        SegQueue::pop(self)
    }
}

type ArrayQueue<T> = crossbeam_queue::ArrayQueue<T>;

impl<T: Send> Bag<T> for ArrayQueue<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(capacity: usize) -> Self {
        Self::new(capacity)
    }

    fn push(&self, item: T) -> Result<(), T> {
        ArrayQueue::push(self, item)
    }

    fn pop(&self) -> Option<T> {
        ArrayQueue::pop(self)
    }
}

type ConcurrentQueue<T> = concurrent_queue::ConcurrentQueue<T>;

impl<T: Send> Bag<T> for ConcurrentQueue<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        Self::unbounded()
    }

    fn push(&self, item: T) -> Result<(), T> {
        ConcurrentQueue::push(self, item).map_err(concurrent_queue::PushError::into_inner)
    }

    fn pop(&self) -> Option<T> {
        ConcurrentQueue::pop(self).ok()
    }
}

/// Both ends of a flume channel.
struct Flume<T>(flume::Sender<T>, flume::Receiver<T>);

impl<T: Send> Bag<T> for Flume<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        let (sender, receiver) = flume::unbounded();
        Self(sender, receiver)
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.0.send(item).map_err(flume::SendError::into_inner)
    }

    fn pop(&self) -> Option<T> {
        self.1.try_recv().ok()
    }
}

/// Both ends of a kanal channel.
struct Kanal<T>(kanal::Sender<T>, kanal::Receiver<T>);

impl<T: Send> Bag<T> for Kanal<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        let (sender, receiver) = kanal::unbounded();
        Self(sender, receiver)
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.0.send(item).expect("the other end is kept beside this one");
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        self.1.try_recv().ok().flatten()
    }
}

/// Both ends of a channel of the standard library, whose receiver only one thread may use at a time.
struct Channel<T>(mpsc::Sender<T>, Mutex<mpsc::Receiver<T>>);

impl<T: Send> Bag<T> for Channel<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        let (sender, receiver) = mpsc::channel();
        Self(sender, Mutex::new(receiver))
    }

    fn push(&self, item: T) -> Result<(), T> {
        self.0.send(item).map_err(|mpsc::SendError(item)| item)
    }

    fn pop(&self) -> Option<T> {
        locked(&self.1).try_recv().ok()
    }
}

type Deque<T> = Mutex<VecDeque<T>>;

impl<T: Send> Bag<T> for Deque<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        Self::default()
    }

    fn push(&self, item: T) -> Result<(), T> {
        locked(self).push_back(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        locked(self).pop_front()
    }
}

type List<T> = Mutex<LinkedList<T>>;

impl<T: Send> Bag<T> for List<T> {
    const DISCIPLINE: Discipline = Discipline::Queue;

    fn new(_: usize) -> Self {
        Self::default()
    }

    fn push(&self, item: T) -> Result<(), T> {
        locked(self).push_back(item);
        Ok(())
    }

    fn pop(&self) -> Option<T> {
        locked(self).pop_front()
    }
}
