//! Locks that tasks await: ours, and what a program would use instead.
//!
//! A rival is a type, a line of [`lock!`] and a line in [`rivals`].

use super::Record;
use super::task::{self, Case, Lock, Seen, Visit};
use crate::bench::load::Setup;
use crate::bench::subject::{self, Bench, Column, Entry, Form, Kind, Role};
use crate::cli::{BenchAsyncMutex, HeldBy};
use std::sync::PoisonError;
use std::time::Duration;
use toolbox::bench::rounds::{Pass, Sample, Subject};
use toolbox::bench::verify::Fault;

/// What never changes about this bench.
pub(in crate::bench) const KIND: Kind = Kind {
    name: "async-mutex",
    unit: "lock",
    unit_is: "a lock taken and let go, by all tasks together",
    operations: 1,
    foreign_is: "",
    baseline: "tokio",
    columns: &[Column {
        name: "handed_share",
        head: "handed",
        legend: "locks that came after one of another task",
        form: Form::Percent,
        is_detail: false,
    }],
    loads,
};

fn loads() -> Vec<(String, String)> {
    let load = |name: &str, about: &str| (name.to_owned(), about.to_owned());
    vec![
        load("--held nothing", "take the lock, count, let it go; let others run now and then"),
        load("--held yield", "take the lock, let others run, count, let it go"),
        load("--tasks 1,2,8,64", "so many tasks, on two threads unless --threads says otherwise"),
    ]
}

/// One row of the table.
struct Rival {
    name: &'static str,
    about: &'static str,
    role: Role,
    may_yield: bool,
    measure: fn(&Case, &Setup, Pass) -> Result<Sample, Fault>,
    check: fn() -> Result<(), Vec<Fault>>,
}

impl Rival {
    fn new<L: Lock>(role: Role, name: &'static str, about: &'static str) -> Self {
        let check = if L::EXCLUDES { task::check::<L> } else { || Ok(()) };
        Self { name, about, role, may_yield: L::MAY_YIELD, measure: task::sample::<L>, check }
    }

    /// Without a lock only one task can; some cannot be held while others run.
    fn takes_part(&self, case: Case) -> bool {
        (!self.role.is_reference() || case.tasks == 1) && (self.may_yield || case.held == HeldBy::Nothing)
    }
}

fn rivals() -> Vec<Rival> {
    vec![
        Rival::new::<Open<false>>(
            Role::Harness,
            "harness",
            "no lock: what the record and the tasks cost, with one task",
        ),
        Rival::new::<Ours>(Role::Rival, "toolbox", "toolbox Mutex: who was woken is passed over once at most"),
        Rival::new::<OursFair>(Role::Rival, "toolbox-fair", "toolbox FairMutex: strictly first come, first served"),
        Rival::new::<Tokio>(Role::Rival, "tokio", "tokio Mutex: strictly first come, first served"),
        Rival::new::<AsyncLock>(
            Role::Rival,
            "async-lock",
            "async-lock Mutex: fair to who has waited half a millisecond",
        ),
        Rival::new::<Futures>(Role::Rival, "futures", "futures Mutex: whoever comes first"),
        Rival::new::<Unfair>(Role::Rival, "intrusive", "futures-intrusive Mutex, not fair"),
        Rival::new::<Fair>(Role::Rival, "intrusive-fair", "futures-intrusive Mutex, fair"),
        Rival::new::<Std>(
            Role::Rival,
            "std",
            "std::sync::Mutex, which blocks the thread; not to be held while others run",
        ),
        Rival::new::<Open<true>>(Role::Broken, "broken", "keeps nobody out"),
    ]
}

/// The names of these rivals, and how each is checked.
pub(in crate::bench) fn entries() -> Vec<Entry> {
    let entry = |rival: Rival| {
        let check = Box::new(rival.check);
        Entry { name: rival.name, about: rival.about, role: rival.role, check }
    };
    rivals().into_iter().map(entry).collect()
}

/// The bench of these locks.
pub(in crate::bench) fn bench(options: &BenchAsyncMutex, setup: &Setup) -> Bench {
    let mut cases: Vec<Case> = Vec::new();
    for &held in &options.held {
        for &workers in &options.measuring.threads {
            for &tasks in &options.tasks {
                let case = Case { tasks: tasks.into(), workers: workers.into(), held };
                if !cases.contains(&case) {
                    cases.push(case);
                }
            }
        }
    }
    Bench { kind: KIND, entries: entries(), cases: cases.into_iter().map(|case| described(case, setup)).collect() }
}

/// A load with everyone who can do it.
fn described(case: Case, setup: &Setup) -> subject::Case {
    let subject = |(place, rival): (usize, Rival)| {
        let setup = setup.clone();
        let subject: Subject<'static> = Box::new(move |pass| (rival.measure)(&case, &setup, pass));
        (place, subject)
    };
    let each_ns = if case.held == HeldBy::Yield { 1000 } else { 100 };
    let nanoseconds = |each: u64| Duration::from_nanos(each * case.tasks as u64 * each_ns);
    let takes_part = |(_, rival): &(usize, Rival)| rival.takes_part(case);
    let held = if case.held == HeldBy::Yield { "yield" } else { "nothing" };
    subject::Case {
        title: case.to_string(),
        key: vec![("tasks", case.tasks.into()), ("workers", case.workers.into()), ("held", held.into())],
        threads: case.workers,
        is_shared: case.tasks > 1 && case.workers > 1,
        estimate: setup.operations.map_or(setup.duration, nanoseconds),
        subjects: rivals().into_iter().enumerate().filter(takes_part).map(subject).collect(),
    }
}

/// A lock, how it is made, and how a task has it for as long as an expression lasts.
macro_rules! lock {
    ($name:ident, $lock:ty, $new:expr) => {
        struct $name($lock);

        impl Lock for $name {
            fn new() -> Self {
                Self($new(Record::default()))
            }

            #[inline]
            async fn visit(&self, visit: Visit) -> Seen {
                let guard = self.0.lock().await;
                visit.act(&guard).await
            }
        }
    };
}

lock!(Ours, toolbox::mutex::Mutex<Record>, toolbox::mutex::Mutex::new);
lock!(OursFair, toolbox::mutex::FairMutex<Record>, toolbox::mutex::FairMutex::fair);
lock!(Tokio, tokio::sync::Mutex<Record>, tokio::sync::Mutex::new);
lock!(AsyncLock, async_lock::Mutex<Record>, async_lock::Mutex::new);
lock!(Futures, futures::lock::Mutex<Record>, futures::lock::Mutex::new);
lock!(Unfair, futures_intrusive::sync::Mutex<Record>, |record| futures_intrusive::sync::Mutex::new(record, false));
lock!(Fair, futures_intrusive::sync::Mutex<Record>, |record| futures_intrusive::sync::Mutex::new(record, true));

/// Held only while nothing is awaited, as a lock that blocks has to be.
struct Std(std::sync::Mutex<Record>);

impl Lock for Std {
    const MAY_YIELD: bool = false;

    fn new() -> Self {
        Self(std::sync::Mutex::default())
    }

    #[inline]
    async fn visit(&self, visit: Visit) -> Seen {
        visit.count(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A record that nobody keeps anybody out of: what the harness costs, or what a broken lock does.
pub(super) struct Open<const EXCLUDES: bool>(Record);

impl<const EXCLUDES: bool> Lock for Open<EXCLUDES> {
    const EXCLUDES: bool = EXCLUDES;

    fn new() -> Self {
        Self(Record::default())
    }

    #[inline]
    async fn visit(&self, visit: Visit) -> Seen {
        visit.act(&self.0).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::Work;

    fn setup(operations: Option<u64>) -> Setup {
        Setup { duration: Duration::from_millis(2), operations, pins: vec![], work: Work::with_steps(1.0) }
    }

    #[test]
    fn every_rival_passes_under_every_load() {
        for rival in rivals().into_iter().filter(|rival| rival.role == Role::Rival) {
            assert_eq!((rival.check)(), Ok(()), "{}", rival.name);
            for (tasks, held) in [(1, HeldBy::Nothing), (8, HeldBy::Nothing), (1, HeldBy::Yield), (8, HeldBy::Yield)] {
                let case = Case { tasks, workers: 2, held };
                if rival.takes_part(case) {
                    let sample = (rival.measure)(&case, &setup(Some(200)), Pass::Speed).expect(rival.name);
                    assert_eq!((sample.units, sample.latency.is_none()), (200 * tasks as u64, true), "{case}");
                }
            }
        }
    }

    /// What a lock takes by itself is less than the loop around it and the lock take.
    #[test]
    fn of_a_task_alone_the_lock_itself_is_told() {
        let case = Case { tasks: 1, workers: 2, held: HeldBy::Nothing };
        let sample = task::sample::<Ours>(&case, &setup(Some(50_000)), Pass::Speed).expect("it is right");
        let own = sample.own_unit_ns.expect("it is alone");
        assert!(own > 0.0 && own < 2.0 * sample.elapsed.as_nanos() as f64 / 50_000.0, "{own}");
        let bare = task::sample::<Open<false>>(&case, &setup(Some(50)), Pass::Speed).expect("nobody is kept out");
        let shared = task::sample::<Ours>(&Case { tasks: 2, ..case }, &setup(Some(50)), Pass::Speed);
        assert!(bare.own_unit_ns.is_none() && shared.is_ok_and(|sample| sample.own_unit_ns.is_none()));
    }

    #[test]
    fn what_is_broken_is_caught_before_and_while_it_is_timed() {
        let broken = rivals().into_iter().find(|rival| rival.role == Role::Broken).expect("there is one");
        let faults = (broken.check)().expect_err("it keeps nobody out");
        assert!(faults[0].to_string().contains("two tasks inside"), "{faults:?}");
        let case = Case { tasks: 8, workers: 2, held: HeldBy::Yield };
        let fault = (broken.measure)(&case, &setup(Some(200)), Pass::Speed).expect_err("it keeps nobody out");
        assert!(fault.to_string().contains("two tasks inside"), "{fault}");
    }

    #[test]
    fn a_sample_lasts_as_long_as_it_should_and_times_locks_when_asked() {
        let case = Case { tasks: 3, workers: 2, held: HeldBy::Nothing };
        let sample = task::sample::<Ours>(&case, &setup(None), Pass::Latency).expect("it is right");
        assert!(sample.elapsed >= Duration::from_millis(2) && sample.by_thread.len() == 3);
        assert_eq!(sample.latency.expect("it was asked for").count(), sample.units);
        assert!(sample.longest.is_some() && sample.extra[0].0 == "handed_share");
    }
}
