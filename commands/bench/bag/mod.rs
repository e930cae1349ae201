//! Queues and stacks: something that items are put into and taken out of by any number of threads, and the items.
//!
//! To add a rival: implement [`Bag`] for it and give it a line in the list of its primitive ([`queue`], [`stack`]).

mod broken;
mod cases;
mod check;
pub(super) mod memory;
mod open;
pub(super) mod piece;
pub(super) mod queue;
mod reference;
pub(super) mod stack;
mod treiber;
mod workload;

use cases::COLUMNS;
pub(super) use cases::{bench, entries, loads};

use super::load::Setup;
use super::subject::Role;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use toolbox::bench::rounds::{Pass, Sample};
use toolbox::bench::verify::Fault;
use workload::Case;

/// A queue or a stack, as every rival offers it.
pub(super) trait Bag<T>: Send + Sync {
    /// Whether it keeps items. What does not is measured as a reference, and not checked.
    const KEEPS: bool = true;

    /// What it promises about their order.
    const DISCIPLINE: Discipline;

    /// An empty one, that has room for `capacity` items at least.
    fn new(capacity: usize) -> Self;

    /// Puts an item in, or gives it back when it is full.
    fn push(&self, item: T) -> Result<(), T>;

    /// Takes an item out; none when it is empty.
    fn pop(&self) -> Option<T>;
}

/// What is promised about the order of items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Discipline {
    /// First in, first out.
    Queue,
    /// Last in, first out.
    Stack,
}

/// What goes through it.
pub(super) trait Payload: Clone + Send + Sync {
    /// Makes one that carries a number.
    fn make(bits: u64) -> Self;

    /// The number it carries.
    fn bits(self) -> u64;
}

/// A payload as large as a cache line. Every word of it is checked, so that one torn in transit is found.
#[derive(Clone, Debug)]
pub(super) struct Wide([u64; 8]);

impl Payload for u64 {
    #[inline]
    fn make(bits: u64) -> Self {
        bits
    }

    #[inline]
    fn bits(self) -> u64 {
        self
    }
}

impl Payload for Wide {
    #[inline]
    fn make(bits: u64) -> Self {
        Self([bits; 8])
    }

    #[inline]
    fn bits(self) -> u64 {
        // A number that no producer makes, if the words differ.
        if self.0.iter().all(|word| *word == self.0[0]) { self.0[0] } else { u64::MAX }
    }
}

impl Payload for Box<u64> {
    #[inline]
    fn make(bits: u64) -> Self {
        Self::new(bits)
    }

    #[inline]
    fn bits(self) -> u64 {
        *self
    }
}

type Weigh = fn(usize) -> Option<memory::Weight>;
type Measure = fn(&Case, &Setup, Pass) -> Result<Sample, Fault>;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    /// What it is called, here and in `--with`.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) about: &'static str,
    /// What it is for.
    pub(super) role: Role,
    measure: [Measure; 3],
    weigh: [Weigh; 3],
    check: fn() -> Result<(), Vec<Fault>>,
    /// Goes on the stage of [`piece`], in a process of its own.
    pub(super) perform: fn() -> io::Result<()>,
}

impl Rival {
    /// A row for a type, given with each payload and with items that are counted.
    fn new<Small, Large, Boxed, Counted>(role: Role, name: &'static str, about: &'static str) -> Self
    where
        Small: Bag<u64> + 'static,
        Large: Bag<Wide>,
        Boxed: Bag<Box<u64>>,
        Counted: Bag<check::Token>,
    {
        let check = check::check::<Small, Counted>;
        let weigh: [Weigh; 3] =
            [memory::weigh::<Small, u64>, memory::weigh::<Large, Wide>, memory::weigh::<Boxed, Box<u64>>];
        Self { check, weigh, ..Self::reference::<Small, Large, Boxed>(role, name, about) }
    }

    /// A row for what keeps no items, so that there is nothing to check.
    fn reference<Small, Large, Boxed>(role: Role, name: &'static str, about: &'static str) -> Self
    where
        Small: Bag<u64> + 'static,
        Large: Bag<Wide>,
        Boxed: Bag<Box<u64>>,
    {
        let measure: [Measure; 3] =
            [workload::sample::<Small, u64>, workload::sample::<Large, Wide>, workload::sample::<Boxed, Box<u64>>];
        let perform = piece::perform::<Small>;
        Self { name, about, role, measure, weigh: [|_| None; 3], check: || Ok(()), perform }
    }

    /// One sample.
    fn sample(&self, case: &Case, setup: &Setup, pass: Pass) -> Result<Sample, Fault> {
        self.measure[case.payload as usize](case, setup, pass)
    }
}

/// The line of a rival in a list: `rival!(Rival, "name", Type, "what it is")`.
macro_rules! rival {
    ($role:ident, $name:literal, $type:ident, $about:literal) => {
        crate::bench::bag::Rival::new::<$type<_>, $type<_>, $type<_>, $type<_>>(
            crate::bench::subject::Role::$role,
            $name,
            $about,
        )
    };
}
use rival;

/// No thread panics while it holds one of these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
