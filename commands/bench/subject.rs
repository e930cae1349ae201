//! What a bench is, whatever it measures: names, words and closures.
//!
//! A bench ([`Bench`]) has the things that it compares ([`Entry`]) and the loads under which it does ([`Case`]); what a
//! load does to one of them is a closure that takes a sample. Everything that comes after, from the rounds to the verdict
//! and the exit code, knows no more than this ([`super::session`]).
//!
//! To add a bench: a folder with a function that makes a [`Bench`] of its options, a line in [`super::all`] for `bench
//! list`, and a variant in `cli::Benchmark` that flattens `cli::Measuring`. The columns that every bench has are filled from
//! the fields of a [`Sample`]: one that a load leaves empty is not shown. What else a load tells goes into
//! `Sample::extra`, and gets a [`Column`].

use serde_json::Value;
use std::time::Duration;
use toolbox::bench::rounds::Subject;
use toolbox::bench::verify::Fault;

#[cfg(doc)]
use toolbox::bench::rounds::Sample;

/// What never changes about a bench.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// What it is called after `toolbox bench`, and what it compares: `queue`.
    pub(super) name: &'static str,
    /// What the time is for: `pair`. JSON has it as `pair_ns`.
    pub(super) unit: &'static str,
    /// What that is, for the line below the table.
    pub(super) unit_is: &'static str,
    /// Operations to a unit.
    pub(super) operations: u32,
    /// What a unit is in which something came from another thread: `items that came from another thread`.
    pub(super) foreign_is: &'static str,
    /// What the others are compared with, unless another is named.
    pub(super) baseline: &'static str,
    /// What only this bench tells.
    pub(super) columns: &'static [Column],
    /// What `bench list` says of its loads: a name, and what the threads do.
    pub(super) loads: fn() -> Vec<(String, String)>,
}

/// A column of one bench: the median of what its samples say under this name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// As in `Sample::extra`, and in JSON and CSV.
    pub(super) name: &'static str,
    /// Above the column of the table.
    pub(super) head: &'static str,
    /// Below the table; nothing where the head says it all.
    pub(super) legend: &'static str,
    /// How a number is shown.
    pub(super) form: Form,
    /// Whether it is shown only where there is room for everything.
    pub(super) is_detail: bool,
}

/// How a number is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A share of one, in percent.
    Percent,
    /// A number, to a hundredth.
    Plain,
    /// A number, to a tenth.
    Tenth,
    /// Nanoseconds, with a unit.
    Nanoseconds,
    /// Bytes, with a unit.
    Bytes,
}

/// Something that takes part.
pub(super) struct Entry {
    /// What it is called, here and in `--with`.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) about: &'static str,
    /// What it is for.
    pub(super) role: Role,
    /// Looks at a run that is not timed more closely than a timed one can be looked at; all kinds of fault.
    pub(super) check: Box<dyn Fn() -> Result<(), Vec<Fault>>>,
}

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// To be compared.
    Rival,
    /// To show what the harness itself costs.
    Harness,
    /// To show what the machine allows.
    Limit,
    /// To show that the check finds what is broken. Only by its name.
    Broken,
}

impl Role {
    /// Whether it is there to measure the others by.
    pub(super) fn is_reference(self) -> bool {
        matches!(self, Self::Harness | Self::Limit)
    }
}

/// A load.
pub(super) struct Case {
    /// In words, for people: `pairs, 2 threads, 8 B`.
    pub(super) title: String,
    /// What makes it the same as one of another run, under the names that JSON and CSV have for it. The same names, in
    /// the same order, in all cases of a bench.
    pub(super) key: Vec<(&'static str, Value)>,
    /// How many threads are at work.
    pub(super) threads: usize,
    /// Whether something goes from processor to processor, so that it matters how far they are apart.
    pub(super) is_shared: bool,
    /// How long a sample takes, roughly.
    pub(super) estimate: Duration,
    /// Those that can do it, by their place among the entries, and how a sample is taken of each, with its check.
    pub(super) subjects: Vec<(usize, Subject<'static>)>,
}

/// Everything of one kind that is to be measured.
pub(super) struct Bench {
    pub(super) kind: Kind,
    pub(super) entries: Vec<Entry>,
    pub(super) cases: Vec<Case>,
}
