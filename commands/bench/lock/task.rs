//! What tasks do to a lock in one sample: take it, count the record up, let it go; or let others run before it is let go.
//!
//! The unit is a lock taken and let go, by all tasks together. The tasks run on threads of tokio's executor. One that never has
//! to wait would keep its thread from the others for ever, so each lets others run after every [`TURN`] locks, which is
//! also what tokio's own budget for a task comes to.
//!
//! A task alone has nobody to let run. Of its lock the time itself is told: turns with the lock alternate with turns of the same
//! loop without one, whose time is subtracted. So what the record and the loop cost is no part of it, and what a lock does to
//! the code around it is.
//!
//! A task reads its clock once a turn, or for each lock where it is held for long. The longest time between two readings is
//! the longest wait, and contains the turns of others on the same thread.

use super::Record;
use super::async_mutex::Open;
use super::check::wrong_count;
use crate::bench::load::Setup;
use crate::cli::HeldBy;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use toolbox::bench::Histogram;
use toolbox::bench::rounds::{Pass, Sample};
use toolbox::bench::stats::median;
use toolbox::bench::verify::Fault;
use toolbox::sys::processor;
use toolbox::sys::usage;

/// Locks after which a task lets others run.
const TURN: u64 = 128;
/// Locks of a task alone between two readings of the clock.
const TURN_ALONE: u64 = 4096;

/// A lock with a record in it that a task awaits.
pub(super) trait Lock: Send + Sync + 'static {
    /// Whether it keeps anybody out. What does not is measured as a reference, and not checked.
    const EXCLUDES: bool = true;
    /// Whether it may be held while other tasks run.
    const MAY_YIELD: bool = true;

    /// A free one.
    fn new() -> Self;

    /// Takes it, does `visit` inside, lets it go.
    fn visit(&self, visit: Visit) -> impl Future<Output = Seen> + Send;
}

/// What is done inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visit {
    /// Whether others run before the lock is let go.
    pub(super) yields: bool,
    /// When the lock was asked for, if it is to be known how long that took.
    pub(super) asked: Option<Instant>,
}

/// What was seen inside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// What the words of the record were; none if they were not equal, or changed while the lock was held.
    before: Option<u64>,
    waited: Option<Duration>,
}

impl Visit {
    /// What is done to the record by one who has the lock.
    #[inline]
    pub(super) async fn act(self, record: &Record) -> Seen {
        if !self.yields {
            return self.count(record);
        }
        let waited = self.waited();
        let before = record.look();
        yield_now().await;
        Seen { before: record.count().filter(|now| before == Some(*now)), waited }
    }

    /// The same for a lock that cannot be held while others run.
    #[inline]
    pub(super) fn count(self, record: &Record) -> Seen {
        let waited = self.waited();
        Seen { before: record.count(), waited }
    }

    #[inline]
    fn waited(self) -> Option<Duration> {
        self.asked.map(|asked| asked.elapsed())
    }
}

/// One shape of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// How many tasks there are.
    pub(super) tasks: usize,
    /// How many threads run them.
    pub(super) workers: usize,
    /// What is done while the lock is held.
    pub(super) held: HeldBy,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks = if self.tasks == 1 { "task" } else { "tasks" };
        let held = if self.held == HeldBy::Yield { "held while others run" } else { "let go at once" };
        let threads = if self.workers == 1 { "thread" } else { "threads" };
        write!(formatter, "{} {tasks} on {} {threads}, {held}", self.tasks, self.workers)
    }
}

/// What a task comes back with.
struct Turns {
    locks: u64,
    /// Locks that came after one of another task.
    handed: u64,
    /// How often the words of the record differed, or changed.
    torn: u64,
    longest: Duration,
    latency: Option<Histogram>,
    begin: Instant,
    end: Instant,
    /// Of a task alone: by how much each turn with the lock took longer than the one without, for each lock.
    lock_ns: Vec<f64>,
}

/// A lock on lines of its own, as those of a program are as a rule, and what its tasks need to know.
#[repr(align(128))]
struct Shared<L> {
    lock: L,
    bare: Bare,
    run: Run,
}

/// A record on lines of its own, that nobody keeps anybody out of.
#[repr(align(128))]
struct Bare(Open<false>);

#[repr(align(128))]
struct Run {
    case: Case,
    duration: Option<Duration>,
    operations: u64,
    pass: Pass,
    stop: AtomicBool,
    /// Tasks that have begun; nobody takes the lock before all have.
    begun: AtomicUsize,
}

/// Takes one sample of a lock under a load, and checks what became of the record.
///
/// # Errors
/// When somebody was inside who should not have been.
pub(super) fn sample<L: Lock>(case: &Case, setup: &Setup, pass: Pass) -> Result<Sample, Fault> {
    let run = Run {
        case: *case,
        duration: setup.operations.is_none().then_some(setup.duration),
        operations: setup.operations.unwrap_or(u64::MAX),
        pass,
        stop: AtomicBool::new(false),
        begun: AtomicUsize::new(0),
    };
    let (before, is_alone) = (usage::of_process().processor, run.is_alone::<L>());
    let (turns, counted) = run_tasks(L::new(), run, &setup.pins);
    let processor = usage::of_process().processor.saturating_sub(before);
    let sum = |of: fn(&Turns) -> u64| turns.iter().map(of).sum::<u64>();
    let (units, torn) = (sum(|turns| turns.locks), sum(|turns| turns.torn));
    if L::EXCLUDES && torn > 0 {
        return Err(Fault::Wrong(format!("two tasks inside: the record was torn {torn} of {units} times")));
    }
    if L::EXCLUDES && counted != Some(units) {
        return Err(wrong_count(counted, units));
    }
    let mut latency = (pass == Pass::Latency).then(Histogram::default);
    for turns in &turns {
        latency.iter_mut().zip(&turns.latency).for_each(|(all, one)| all.merge(one));
    }
    let begin = turns.iter().map(|turns| turns.begin).min();
    let end = turns.iter().map(|turns| turns.end).max();
    let is_shared = case.tasks > 1;
    let handed = sum(|turns| turns.handed) as f64 / units.max(1) as f64;
    Ok(Sample {
        units,
        elapsed: begin.zip(end).map_or(Duration::ZERO, |(begin, end)| end - begin),
        processor,
        by_thread: if is_shared { turns.iter().map(|turns| turns.locks).collect() } else { Vec::new() },
        longest: if is_shared { turns.iter().map(|turns| turns.longest).max() } else { None },
        extra: if is_shared { vec![("handed_share", handed)] } else { Vec::new() },
        // The median of the turns, in some of which the host does something else. What a processor does beside the loop takes
        // no time of its own, so that nothing or less may be left; below a nanosecond nothing can be told.
        own_unit_ns: if is_alone { median(&turns[0].lock_ns).map(|time| time.max(1.0)) } else { None },
        latency,
        ..Sample::default()
    })
}

/// Runs the tasks to their end; returns what they did and what the record says.
fn run_tasks<L: Lock>(lock: L, run: Run, pins: &[usize]) -> (Vec<Turns>, Option<u64>) {
    let runtime = runtime(run.case.workers, pins);
    let shared = Arc::new(Shared { lock, bare: Bare(Open::new()), run });
    let turns = runtime.block_on(async {
        let spawn = |_| tokio::spawn(turns(Arc::clone(&shared)));
        let tasks: Vec<_> = (0..shared.run.case.tasks).map(spawn).collect();
        let mut turns = Vec::with_capacity(tasks.len());
        for task in tasks {
            turns.push(task.await.expect("no task panics, and none is aborted"));
        }
        turns
    });
    let counted = runtime.block_on(shared.lock.visit(Visit { yields: false, asked: None })).before;
    (turns, counted)
}

fn runtime(workers: usize, pins: &[usize]) -> Runtime {
    let (pins, started) = (pins.to_vec(), AtomicUsize::new(0));
    let pin = move || {
        let index = started.fetch_add(1, Relaxed);
        if let Some(&number) = pins.get(index.checked_rem(pins.len()).unwrap_or(0)) {
            // A processor that went offline since the pins were chosen: the kernel then chooses another.
            let _ = processor::pin(number);
        }
    };
    let built = Builder::new_multi_thread().worker_threads(workers).on_thread_start(pin).build();
    built.expect("threads can be started")
}

/// What one task does.
async fn turns<L: Lock>(shared: Arc<Shared<L>>) -> Turns {
    let run = &shared.run;
    run.begun.fetch_add(1, Relaxed);
    while run.begun.load(Relaxed) < run.case.tasks {
        yield_now().await;
    }
    let yields = run.case.held == HeldBy::Yield;
    let turn = if yields { 1 } else { run.turn() };
    let mut turns = Turns::new(run.pass);
    let begin = turns.begin;
    // What the words were after this task's last lock.
    let mut own = None;
    while turns.locks < run.operations && !run.stop.load(Relaxed) {
        let count = turn.min(run.operations - turns.locks);
        let from = if run.is_alone::<L>() { Some(Instant::now()) } else { None };
        visits(&shared.lock, count, yields, &mut turns, &mut own).await;
        let now = Instant::now();
        if let Some(from) = from {
            let with = now - from;
            visits(&shared.bare.0, count, yields, &mut Turns::new(run.pass), &mut None).await;
            let longer = with.as_nanos() as f64 - now.elapsed().as_nanos() as f64;
            turns.lock_ns.push(longer / count as f64);
        }
        turns.longest = turns.longest.max(now - turns.end);
        turns.end = now;
        if run.duration.is_some_and(|duration| now - begin >= duration) {
            run.stop.store(true, Relaxed);
        }
        if !yields {
            yield_now().await;
        }
    }
    turns
}

/// Takes a lock so many times.
async fn visits<L: Lock>(lock: &L, count: u64, yields: bool, turns: &mut Turns, own: &mut Option<u64>) {
    for _ in 0..count {
        let asked = turns.latency.as_ref().map(|_| Instant::now());
        let seen = lock.visit(Visit { yields, asked }).await;
        turns.note(seen, own);
    }
}

impl Run {
    /// Locks between two readings of the clock, where nobody else runs while the lock is held.
    fn turn(&self) -> u64 {
        if self.case.tasks == 1 { TURN_ALONE } else { TURN }
    }

    /// Whether the time of the lock itself is what counts.
    fn is_alone<L: Lock>(&self) -> bool {
        L::EXCLUDES && self.case.tasks == 1 && self.case.held == HeldBy::Nothing && self.pass == Pass::Speed
    }
}

impl Turns {
    fn new(pass: Pass) -> Self {
        let (latency, begin) = ((pass == Pass::Latency).then(Histogram::default), Instant::now());
        Self { locks: 0, handed: 0, torn: 0, longest: Duration::ZERO, latency, begin, end: begin, lock_ns: Vec::new() }
    }

    #[inline]
    fn note(&mut self, seen: Seen, own: &mut Option<u64>) {
        self.locks += 1;
        self.torn += u64::from(seen.before.is_none());
        self.handed += u64::from(seen.before != *own);
        *own = seen.before.map(|count| count + 1);
        if let Some((latency, waited)) = self.latency.as_mut().zip(seen.waited) {
            latency.record(waited.as_nanos() as u64);
        }
    }
}

/// Before anything is timed: tasks let others run while they hold the lock, so that whoever may come in does.
///
/// # Errors
/// That somebody was inside who should not have been.
pub(super) fn check<L: Lock>() -> Result<(), Vec<Fault>> {
    let held = if L::MAY_YIELD { HeldBy::Yield } else { HeldBy::Nothing };
    let run = Run {
        case: Case { tasks: 8, workers: 2, held },
        duration: None,
        operations: if L::MAY_YIELD { 100 } else { 10_000 },
        pass: Pass::Speed,
        stop: AtomicBool::new(false),
        begun: AtomicUsize::new(0),
    };
    let (turns, counted) = run_tasks(L::new(), run, &[]);
    let sum = |of: fn(&Turns) -> u64| turns.iter().map(of).sum::<u64>();
    let (locks, torn) = (sum(|turns| turns.locks), sum(|turns| turns.torn));
    let mut faults = Vec::new();
    if torn > 0 {
        faults.push(Fault::Wrong(format!("two tasks inside: {torn} of {locks} times")));
    }
    if counted != Some(locks) {
        faults.push(wrong_count(counted, locks));
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
