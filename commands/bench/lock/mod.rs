//! Locks: something that lets one thread write, or several read, and keeps everyone else out meanwhile.
//!
//! What a lock protects is a [`Record`] of four words that are always equal outside of a write. So whoever is inside beside a
//! writer sees it, and at the end the words say how many writes there have been. The words are atomics that order nothing:
//! a lock that lets two in by mistake is then wrong, and not undefined.
//!
//! A mutex is a lock whose readers exclude each other too: it says nothing about reading, and [`Lock::read`] stands for
//! [`Lock::write`].
//!
//! To add a rival: implement [`Lock`] for it and give it a line in the list of its primitive ([`rwlock`], [`mutex`]). Those that
//! tasks wait for have a trait and a load of their own ([`task`], [`async_mutex`]). To add a kind
//! of lock: a file with such a list and a `KIND`, and a line in [`super::run`] and [`super::all`].

pub(super) mod async_mutex;
mod broken;
mod cases;
mod check;
pub(super) mod manual;
pub(super) mod mutex;
pub(super) mod rwlock;
mod task;
mod workload;

pub(super) use cases::{Loads, bench, entries};

use super::load::Setup;
use super::subject::Role;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use toolbox::bench::rounds::{Pass, Sample};
use toolbox::bench::verify::Fault;
use workload::Case;

/// A lock with a record in it, as every rival offers it.
pub(super) trait Lock: Send + Sync {
    /// Whether it keeps anybody out. What does not is measured as a reference, and not checked.
    const EXCLUDES: bool = true;

    /// A free one.
    fn new() -> Self;

    /// Runs `act` while nobody else is inside.
    fn write<R>(&self, act: impl FnOnce(&Record) -> R) -> R;

    /// Runs `act` while no writer is inside.
    #[inline]
    fn read<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
        self.write(act)
    }
}

/// What a lock protects: four words, equal whenever nobody writes.
#[derive(Debug, Default)]
pub(super) struct Record {
    words: [AtomicU64; 4],
}

impl Record {
    /// Counts every word up. Returns what they were before; none if they were not equal, or changed meanwhile.
    #[inline]
    fn count(&self) -> Option<u64> {
        let before = self.look();
        for word in &self.words {
            word.store(word.load(Relaxed) + 1, Relaxed);
        }
        before
    }

    /// What the words are; none if they are not equal.
    #[inline]
    fn look(&self) -> Option<u64> {
        let [first, rest @ ..] = self.words.each_ref().map(|word| word.load(Relaxed));
        rest.iter().all(|word| *word == first).then_some(first)
    }
}

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
    measure: Measure,
    check: fn() -> Result<(), Vec<Fault>>,
}

impl Rival {
    /// A row for a type.
    fn new<L: Lock>(role: Role, name: &'static str, about: &'static str) -> Self {
        Self { name, about, role, measure: workload::sample::<L>, check: check::check::<L> }
    }
}

/// The line of a rival in a list: `rival!(Rival, "name", Type, "what it is")`.
macro_rules! rival {
    ($role:ident, $name:literal, $type:ty, $about:literal) => {
        crate::bench::lock::Rival::new::<$type>(crate::bench::subject::Role::$role, $name, $about)
    };
}
use rival;

/// A record that nobody keeps anybody out of: what the harness costs.
#[derive(Debug)]
struct Open(Record);

impl Lock for Open {
    const EXCLUDES: bool = false;

    fn new() -> Self {
        Self(Record::default())
    }

    #[inline]
    fn write<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
        act(&self.0)
    }
}
