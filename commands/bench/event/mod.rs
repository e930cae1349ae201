//! Events: one signals, another waits and goes on. Flags that are handed to and fro, and counts that some add to and
//! others take from, between threads and between the tasks of a runtime with two workers.
//!
//! To add a rival: implement [`Flag`] or [`Count`] for it, as far as it can do these, and give it a line in [`rivals`].

mod cases;
mod check;
mod counts;
mod flags;
pub(super) mod manual;
mod rivals;
mod workload;

pub(super) use cases::{bench, entries};
pub(super) use rivals::rivals;

use super::load::Setup;
use super::subject::{Form, Kind, Role};
use std::time::Duration;
use toolbox::bench::rounds::{Pass, Sample};
use toolbox::bench::verify::Fault;
use workload::Case;

/// What never changes about this bench.
pub(super) const KIND: Kind = Kind {
    name: "event",
    unit: "signal",
    unit_is: "from a signal until whoever waited goes on; for counts, a signal given and taken, of all together",
    operations: 1,
    foreign_is: "",
    baseline: "std",
    columns: &[super::subject::Column {
        name: "asleep_share",
        head: "slow",
        legend: "signals after which it took more than 3 us to go on",
        form: Form::Percent,
        is_detail: false,
    }],
    loads,
};

fn loads() -> Vec<(String, String)> {
    let load = |name: &str, about: &str| (name.to_owned(), about.to_owned());
    vec![
        load("--workload threads", "two threads hand a flag to and fro"),
        load("--workload tasks", "pairs of tasks do, on a runtime with two workers (tokio)"),
        load("--workload count-threads", "half of the threads add to a count, the others take from it"),
        load("--workload count-tasks", "the same with tasks"),
        load("--after 0,100us", "threads: so much work before a flag is handed back"),
    ]
}

/// A flag for one that signals and one that waits.
pub(super) trait Flag: Send + Sync + Sized + 'static {
    /// How long nothing may move before a signal is taken for lost.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Not set.
    fn new() -> Self;

    /// Lets the other through, now or when it comes.
    fn set(&self);

    /// Waits, as a thread.
    fn wait(&self);

    /// Waits, as a task.
    fn wait_async(&self) -> impl Future<Output = ()> + Send;
}

/// A count that anyone adds to and anyone takes from.
pub(super) trait Count: Send + Sync + Sized + 'static {
    /// Nothing to take.
    fn new() -> Self;

    /// Adds one.
    fn post(&self);

    /// Takes one, as a thread.
    fn take(&self);

    /// Takes one, as a task.
    fn take_async(&self) -> impl Future<Output = ()> + Send;

    /// Whether there is nothing to take.
    fn is_empty(&self) -> bool;
}

type Measure = fn(&Case, &Setup, Pass) -> Result<Sample, Fault>;
type Check = fn() -> Result<(), Fault>;

/// How a rival does under one load: measured, and checked before.
type Does = Option<(Measure, Check)>;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rival {
    /// What it is called, here and in `--with`.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) about: &'static str,
    /// What it is for.
    pub(super) role: Role,
    flag_of_threads: Does,
    flag_of_tasks: Does,
    count_of_threads: Does,
    count_of_tasks: Does,
}

impl Rival {
    const fn new(role: Role, name: &'static str, about: &'static str) -> Self {
        let (flag_of_threads, flag_of_tasks) = (None, None);
        Self { name, about, role, flag_of_threads, flag_of_tasks, count_of_threads: None, count_of_tasks: None }
    }

    /// With a flag for threads.
    fn blocks<F: Flag>(self) -> Self {
        Self { flag_of_threads: Some((workload::flag_of_threads::<F>, check::flag_of_threads::<F>)), ..self }
    }

    /// With a flag for tasks.
    fn awaits<F: Flag>(self) -> Self {
        Self { flag_of_tasks: Some((workload::flag_of_tasks::<F>, check::flag_of_tasks::<F>)), ..self }
    }

    /// With a count for threads.
    fn blocks_for_counts<C: Count>(self) -> Self {
        Self { count_of_threads: Some((workload::count_of_threads::<C>, check::count_of_threads::<C>)), ..self }
    }

    /// With a count for tasks.
    fn awaits_counts<C: Count>(self) -> Self {
        Self { count_of_tasks: Some((workload::count_of_tasks::<C>, check::count_of_tasks::<C>)), ..self }
    }
}
