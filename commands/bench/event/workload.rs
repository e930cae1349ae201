//! What threads and tasks do to a flag or a count in one sample.
//!
//! **A flag to and fro.** Two take turns: one writes the number of the turn and the time, sets the other's flag, and waits for
//! its own. Who goes on looks whether the turn is the next one: a wait that ends without a signal, or with an old one,
//! is seen at once. The time of a sample is the sum of the times from each signal until the other goes on, so that work in
//! between does not count; between tasks, where turns of many pairs overlap, it is the wall clock's. A signal that is lost
//! stops the turns for ever, so that is looked for before ([`super::check`]).
//!
//! **A count.** Half of the threads or tasks add one by one, the others take the same number in all. Whoever is one alone adds
//! and takes in turn.

use super::{Count, Flag};
use crate::bench::load::Setup;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use toolbox::bench::Histogram;
use toolbox::bench::crew;
use toolbox::bench::random::Random;
use toolbox::bench::rounds::{Pass, Sample};
use toolbox::bench::verify::Fault;
use toolbox::sys::usage;

/// Longer than a hand-over that both sides were awake for, on any host, and shorter than one to a sleeping thread.
const SLOW_NS: u64 = 3_000;

/// Workers of the runtime.
pub(super) const WORKERS: usize = 2;

/// Turns of a pair of tasks between two readings of the clock.
const UNLOOKED: u64 = 64;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    FlagOfThreads,
    FlagOfTasks,
    CountOfThreads,
    CountOfTasks,
}

impl Load {
    /// As in `--workload`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FlagOfThreads => "threads",
            Self::FlagOfTasks => "tasks",
            Self::CountOfThreads => "count-threads",
            Self::CountOfTasks => "count-tasks",
        }
    }

    pub(super) fn is_of_tasks(self) -> bool {
        matches!(self, Self::FlagOfTasks | Self::CountOfTasks)
    }
}

/// One load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Case {
    pub(super) load: Load,
    /// Work before a flag is handed back.
    pub(super) after: Duration,
    /// How many threads or tasks.
    pub(super) count: usize,
    /// How many signals each that adds to a count gives.
    pub(super) posts: u64,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |what: &str| format!("{} {what}{}", self.count, if self.count == 1 { "" } else { "s" });
        match self.load {
            Load::FlagOfThreads if self.after.is_zero() => formatter.write_str("to and fro, 2 threads"),
            Load::FlagOfThreads => {
                let after = crate::ui::numbers::nanoseconds(self.after.as_nanos() as u64);
                write!(formatter, "to and fro after {after}, 2 threads")
            }
            Load::FlagOfTasks => write!(formatter, "to and fro, {}", many("task")),
            Load::CountOfThreads => write!(formatter, "a count, {}", many("thread")),
            Load::CountOfTasks => write!(formatter, "a count, {}", many("task")),
        }
    }
}

/// A flag on lines of its own, as those of a program are as a rule.
#[repr(align(128))]
struct Apart<F>(F);

/// Two flags, and what is said along with them.
pub(super) struct Pair<F> {
    flags: [Apart<F>; 2],
    /// The number of the turn that was signalled last; [`END`] at the end.
    turn: AtomicU64,
    /// When, in nanoseconds from `begin`.
    at: AtomicU64,
    begin: Instant,
}

/// The turn that ends it.
const END: u64 = u64::MAX;

impl<F: Flag> Pair<F> {
    pub(super) fn new() -> Self {
        let flags = [Apart(F::new()), Apart(F::new())];
        Self { flags, turn: AtomicU64::new(0), at: AtomicU64::new(0), begin: Instant::now() }
    }

    pub(super) fn own(&self, side: usize) -> &F {
        &self.flags[side].0
    }

    /// Hands turn number `turn` to the other side.
    pub(super) fn hand(&self, side: usize, turn: u64) {
        self.turn.store(turn, Relaxed);
        self.at.store(self.begin.elapsed().as_nanos() as u64, Relaxed);
        self.flags[1 - side].0.set();
    }

    /// After a wait of `side` that should have been for turn number `turn`: how long it took to go on; none at the end.
    ///
    /// # Errors
    /// When it was another turn; then the other side is let go, too.
    pub(super) fn went_on(&self, side: usize, turn: u64) -> Result<Option<u64>, Fault> {
        let now = self.begin.elapsed().as_nanos() as u64;
        match self.turn.load(Relaxed) {
            END => Ok(None),
            found if found == turn => Ok(Some(now.saturating_sub(self.at.load(Relaxed)))),
            found => {
                self.hand(side, END);
                Err(Fault::Wrong(format!("a wait for signal {turn} ended after signal {found}")))
            }
        }
    }
}

/// What one side of a pair comes back with.
#[derive(Default)]
struct Side {
    signals: u64,
    slow: u64,
    sum_ns: u64,
    longest_ns: u64,
    latency: Option<Histogram>,
}

impl Side {
    fn new(pass: Pass) -> Self {
        Self { latency: (pass == Pass::Latency).then(Histogram::default), ..Self::default() }
    }

    fn note(&mut self, nanoseconds: u64) {
        self.signals += 1;
        self.slow += u64::from(nanoseconds > SLOW_NS);
        self.sum_ns += nanoseconds;
        self.longest_ns = self.longest_ns.max(nanoseconds);
        self.latency.iter_mut().for_each(|latency| latency.record(nanoseconds));
    }
}

/// All sides together.
fn summed(sides: &[Side], pass: Pass) -> Sample {
    let sum = |of: fn(&Side) -> u64| sides.iter().map(of).sum::<u64>();
    let mut latency = (pass == Pass::Latency).then(Histogram::default);
    for side in sides {
        latency.iter_mut().zip(&side.latency).for_each(|(all, one)| all.merge(one));
    }
    let units = sum(|side| side.signals);
    Sample {
        units,
        elapsed: Duration::from_nanos(sum(|side| side.sum_ns)),
        longest: sides.iter().map(|side| side.longest_ns).max().map(Duration::from_nanos),
        latency,
        extra: vec![("asleep_share", sum(|side| side.slow) as f64 / units.max(1) as f64)],
        ..Sample::default()
    }
}

/// When a pair ends: after so many turns, or when it has lasted long enough.
struct Until<'a> {
    setup: &'a Setup,
    begin: Instant,
    every: u64,
}

impl Until<'_> {
    fn is_over(&self, turn: u64) -> bool {
        match self.setup.operations {
            Some(operations) => turn >= operations,
            // Not before the first: on a busy host it may begin after its time.
            None => turn > 0 && turn.is_multiple_of(self.every) && self.begin.elapsed() >= self.setup.duration,
        }
    }
}

/// Two threads hand a flag to and fro.
pub(super) fn flag_of_threads<F: Flag>(case: &Case, setup: &Setup, pass: Pass) -> Result<Sample, Fault> {
    let pair = Pair::<F>::new();
    let until = Until { setup, begin: Instant::now(), every: if case.after.is_zero() { UNLOOKED } else { 2 } };
    let shifts = crew::run(2, &setup.pins, |index| {
        let mut side = Side::new(pass);
        // The first gives signals 1, 3, 5 and waits for 2, 4, 6.
        let mut turn = 0;
        loop {
            if index == 0 {
                if until.is_over(turn) {
                    pair.hand(index, END);
                    return Ok(side);
                }
                turn += 1;
                setup.work.last(case.after.as_nanos() as f64);
                pair.hand(index, turn);
            }
            turn += 1;
            pair.own(index).wait();
            match pair.went_on(index, turn)? {
                Some(nanoseconds) => side.note(nanoseconds),
                None => return Ok(side),
            }
            if index == 1 {
                turn += 1;
                setup.work.last(case.after.as_nanos() as f64);
                pair.hand(index, turn);
            }
        }
    });
    let processor = shifts.iter().map(|shift| shift.processor).sum();
    let sides = shifts.into_iter().map(|shift| shift.result).collect::<Result<Vec<_>, _>>()?;
    Ok(Sample { processor, ..summed(&sides, pass) })
}

/// What a task comes back with, and when it began and ended.
struct Stint<R> {
    result: R,
    begin: Instant,
    end: Instant,
}

async fn timed<R>(work: impl Future<Output = R>) -> Stint<R> {
    let begin = Instant::now();
    let result = work.await;
    Stint { result, begin, end: Instant::now() }
}

pub(super) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(WORKERS).build().expect("a thread can be started")
}

/// Runs all of these tasks, and returns what they come back with, how long that took, and the time on processors.
fn run_tasks<R: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = R> + Send + 'static>,
) -> (Vec<R>, Duration, Duration) {
    let (runtime, before) = (runtime(), usage::of_process().processor);
    let started: Vec<_> = tasks.into_iter().map(|task| runtime.spawn(timed(task))).collect();
    let stints: Vec<_> = runtime.block_on(async {
        let mut stints = Vec::new();
        for task in started {
            stints.push(task.await.expect("no task panics"));
        }
        stints
    });
    let begin = stints.iter().map(|stint| stint.begin).min();
    let end = stints.iter().map(|stint| stint.end).max();
    let elapsed = begin.zip(end).map_or(Duration::ZERO, |(begin, end)| end - begin);
    let processor = usage::of_process().processor.saturating_sub(before);
    (stints.into_iter().map(|stint| stint.result).collect(), elapsed, processor)
}

/// One task of a pair; the same as one thread of a pair.
async fn side_of_tasks<F: Flag>(pair: Arc<Pair<F>>, index: usize, setup: Setup, pass: Pass) -> Result<Side, Fault> {
    let until = Until { setup: &setup, begin: pair.begin, every: UNLOOKED };
    let mut side = Side::new(pass);
    let mut turn = 0;
    loop {
        if index == 0 {
            if until.is_over(turn) {
                pair.hand(index, END);
                return Ok(side);
            }
            turn += 1;
            pair.hand(index, turn);
        }
        turn += 1;
        pair.own(index).wait_async().await;
        match pair.went_on(index, turn)? {
            Some(nanoseconds) => side.note(nanoseconds),
            None => return Ok(side),
        }
        if index == 1 {
            turn += 1;
            pair.hand(index, turn);
        }
    }
}

/// Pairs of tasks hand flags to and fro.
pub(super) fn flag_of_tasks<F: Flag>(case: &Case, setup: &Setup, pass: Pass) -> Result<Sample, Fault> {
    let pairs: Vec<_> = (0..case.count / 2).map(|_| Arc::new(Pair::<F>::new())).collect();
    let sides = pairs.iter().flat_map(|pair| [0, 1].map(|index| (Arc::clone(pair), index)));
    let (sides, elapsed, processor) =
        run_tasks(sides.map(|(pair, index)| side_of_tasks(pair, index, setup.clone(), pass)));
    let sides = sides.into_iter().collect::<Result<Vec<_>, _>>()?;
    let by_pair: Vec<u64> = sides.chunks(2).map(|pair| pair.iter().map(|side| side.signals).sum()).collect();
    let by_thread = if by_pair.len() > 1 { by_pair } else { Vec::new() };
    Ok(Sample { elapsed, processor, by_thread, ..summed(&sides, pass) })
}

/// How many add, and how many signals the one with this number gives (if it adds) or takes.
fn share(case: &Case, index: usize) -> (usize, u64) {
    let posters = (case.count / 2).max(1);
    let takers = case.count.saturating_sub(posters) as u64;
    if index < posters {
        return (posters, case.posts);
    }
    let all = case.posts * posters as u64;
    (posters, all / takers + u64::from(((index - posters) as u64) < all % takers))
}

/// What becomes of a count in which everything was taken.
fn counted<C: Count>(
    count: &C,
    case: &Case,
    elapsed: Duration,
    latency: Vec<Option<Histogram>>,
) -> Result<Sample, Fault> {
    if !count.is_empty() {
        return Err(Fault::Wrong("as many were taken as were given, and there is still something to take".to_owned()));
    }
    let merged = latency.into_iter().flatten().reduce(|mut all, one| {
        all.merge(&one);
        all
    });
    Ok(Sample { units: case.posts * share(case, 0).0 as u64, elapsed, latency: merged, ..Sample::default() })
}

/// Some threads add to a count, the others take from it.
pub(super) fn count_of_threads<C: Count>(case: &Case, setup: &Setup, pass: Pass) -> Result<Sample, Fault> {
    let count = Apart(C::new());
    let shifts = crew::run(case.count, &setup.pins, |index| {
        let mut random = Random::new(index as u64 + 1);
        let mut latency = (pass == Pass::Latency).then(Histogram::default);
        let (posters, own) = share(case, index);
        for _ in 0..own {
            if index < posters {
                count.0.post();
            }
            if index >= posters || case.count == 1 {
                let asked = latency.as_ref().map(|_| Instant::now());
                count.0.take();
                note(&mut latency, asked);
            }
            setup.work.some(&mut random);
        }
        latency
    });
    let elapsed = crew::elapsed(&shifts);
    let processor = shifts.iter().map(|shift| shift.processor).sum();
    let sample = counted(&count.0, case, elapsed, shifts.into_iter().map(|shift| shift.result).collect())?;
    Ok(Sample { processor, ..sample })
}

/// Signals that a task gives before it lets another run.
const GIVEN_AT_ONCE: u64 = 8;

/// Some tasks add to a count, the others take from it.
pub(super) fn count_of_tasks<C: Count>(case: &Case, setup: &Setup, pass: Pass) -> Result<Sample, Fault> {
    let count = Arc::new(Apart(C::new()));
    let task = |index: usize| {
        let (case, setup, count) = (*case, setup.clone(), Arc::clone(&count));
        async move {
            let mut random = Random::new(index as u64 + 1);
            let mut latency = (pass == Pass::Latency).then(Histogram::default);
            let (posters, own) = share(&case, index);
            for turn in 1..=own {
                if index < posters {
                    count.0.post();
                }
                if index >= posters || case.count == 1 {
                    let asked = latency.as_ref().map(|_| Instant::now());
                    count.0.take_async().await;
                    note(&mut latency, asked);
                } else if turn.is_multiple_of(GIVEN_AT_ONCE) {
                    tokio::task::yield_now().await;
                }
                setup.work.some(&mut random);
            }
            latency
        }
    };
    let (latency, elapsed, processor) = run_tasks((0..case.count).map(task));
    Ok(Sample { processor, ..counted(&count.0, case, elapsed, latency)? })
}

fn note(latency: &mut Option<Histogram>, asked: Option<Instant>) {
    if let Some((latency, asked)) = latency.as_mut().zip(asked) {
        latency.record(asked.elapsed().as_nanos() as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::event::{Does, cases};
    use crate::bench::load::Work;
    use crate::bench::subject::Role;

    fn setup(operations: Option<u64>) -> Setup {
        let work = Work::with_steps(1.0);
        Setup { duration: Duration::from_millis(2), operations, pins: vec![], work }
    }

    const CASE: Case = Case { load: Load::FlagOfThreads, after: Duration::ZERO, count: 2, posts: 50 };

    #[test]
    fn every_rival_passes_under_every_load() {
        let check = |name: &str, does: Does, case: Case, units: u64| {
            let Some((measure, check)) = does else { return };
            check().expect(name);
            let sample = measure(&case, &setup(Some(50)), Pass::Latency).expect(name);
            assert_eq!(sample.units, units, "{name}: {case}");
            assert!(sample.latency.is_some_and(|latency| latency.count() == units), "{name}: {case}");
        };
        for rival in cases::of_role(Role::Rival) {
            check(rival.name, rival.flag_of_threads, CASE, 50);
            check(rival.name, rival.flag_of_threads, Case { after: Duration::from_micros(5), ..CASE }, 50);
            check(rival.name, rival.flag_of_tasks, Case { load: Load::FlagOfTasks, count: 6, ..CASE }, 150);
            for (count, units) in [(1, 50), (2, 50), (5, 100), (8, 200)] {
                let case = |load| Case { load, count, ..CASE };
                check(rival.name, rival.count_of_threads, case(Load::CountOfThreads), units);
                check(rival.name, rival.count_of_tasks, case(Load::CountOfTasks), units);
            }
        }
    }

    #[test]
    fn what_falls_into_a_trap_is_caught() {
        for (rival, evidence) in cases::of_role(Role::Broken).into_iter().zip(["lost", "ended after signal"]) {
            let (_, check) = rival.flag_of_threads.expect("it blocks");
            let fault = check().expect_err(rival.name).to_string();
            assert!(fault.contains(evidence), "{}: {fault}", rival.name);
        }
    }

    #[test]
    fn a_sample_lasts_as_long_as_it_should() {
        let std = cases::of_role(Role::Rival).into_iter().find(|rival| rival.name == "std").expect("it is in the list");
        for does in [std.flag_of_threads, std.flag_of_tasks] {
            let (measure, _) = does.expect("it can do everything");
            // On a busy host one side may not get to run in so short a time; one sample of many has to have something.
            let some = (0..1000).any(|_| {
                let begin = Instant::now();
                let sample = measure(&CASE, &setup(None), Pass::Speed).expect("it is right");
                assert!(sample.latency.is_none() && begin.elapsed() >= Duration::from_millis(2));
                sample.units > 0
            });
            assert!(some);
        }
    }
}
