//! The caller's thread during a scan: ticks, stops, gives up on what does not answer, and chooses how many work.
//!
//! How many: a warm scan is bound by the processors, so it begins with as many workers as there are of those. A cold
//! one is bound by how many requests the disk has at a time: solid-state disks want eight, a disk that turns wants one,
//! in the order of the inodes. Which it is cannot be read off `/sys` alone, because virtual disks are called rotating
//! for want of better knowledge; so what counts is what is measured: the share of time that workers spend waiting,
//! and how long one wait takes. Waits of milliseconds are an arm that moves.

use super::super::cost::Media;
use super::super::failure::{Cause, Failure, Failures};
use super::job::{Job, Roots};
use super::queue::Queue;
use super::shared::Shared;
use super::slot::Slot;
use super::worker::Worker;
use super::{Collect, Counts, Options, Outcome, Tick};
use crate::sys::usage::{self, Usage};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Time between ticks once the scan is on its way.
const TICK: Duration = Duration::from_millis(50);
/// Time to the first look at how the workers do.
const FIRST_TICK: Duration = Duration::from_millis(3);
/// How long workers may take to notice that the scan was stopped before they are left behind.
const GRACE: Duration = Duration::from_millis(1500);
/// Requests that a solid-state disk can work on at a time, for all that helps.
const DEEPEST: usize = 8;
/// A wait longer than this on average is an arm that moves.
const ARM_MOVES: Duration = Duration::from_millis(2);
/// Waits to judge by.
const WAITS_ENOUGH: u64 = 8;

/// Paths of each cause of failure that a tick shows.
const EXAMPLES_TICKED: usize = 10;

struct Watch<'a, C> {
    shared: Arc<Shared>,
    slots: Vec<Arc<Slot<C>>>,
    collector: &'a mut dyn FnMut() -> C,
    started: Instant,
    /// By worker: the last beat seen, and for how long it has stood still.
    beats: HashMap<usize, (u64, Duration)>,
    looked: Instant,
    threads: usize,
    most: usize,
    crew: Crew,
}

/// How many workers there should be.
struct Crew {
    fixed: bool,
    processors: usize,
    at: Instant,
    usage: Usage,
}

pub(super) fn run<C: Collect>(
    roots: Roots,
    options: &Options,
    mut collector: impl FnMut() -> C,
    tick: &mut dyn FnMut(&Tick<'_>),
) -> Outcome<C> {
    let shared = Arc::new(Shared::new(options));
    shared.queue.push_last(Job::Feed(roots));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let started = Instant::now();
    let mut watch = Watch {
        shared: Arc::clone(&shared),
        slots: Vec::new(),
        collector: &mut collector,
        started,
        beats: HashMap::new(),
        looked: started,
        threads: 0,
        most: 0,
        crew: Crew { fixed: options.threads.is_some(), processors, at: started, usage: usage::of_process() },
    };
    let turns = options.media == Some(Media::Rotating);
    shared.inode_order.store(turns, Relaxed);
    watch.crew.fixed |= turns;
    watch.hire(options.threads.unwrap_or(if turns { 1 } else { processors }).max(1));
    watch.until_done(tick);
    watch.outcome(tick)
}

impl<C: Collect> Watch<'_, C> {
    /// Takes on `count` more workers. Where the system has no thread to give, those there are go on alone; where there
    /// is none at all, the caller's thread does the work.
    fn hire(&mut self, count: usize) {
        for _ in 0..count {
            let slot = Arc::new(Slot::new((self.collector)(), self.shared.options.keep_failures));
            self.slots.push(Arc::clone(&slot));
            self.shared.queue.enlist();
            let worker = Worker::new(Arc::clone(&self.shared), slot);
            let spawned = std::thread::Builder::new().name("scan".into()).spawn(|| worker.run());
            if spawned.is_err() {
                self.shared.queue.dismiss();
                self.slots.pop();
                break;
            }
            self.threads += 1;
        }
        self.most = self.most.max(self.threads);
        if self.threads == 0 {
            let slot = Arc::new(Slot::new((self.collector)(), self.shared.options.keep_failures));
            self.slots.push(Arc::clone(&slot));
            self.shared.queue.enlist();
            Worker::new(Arc::clone(&self.shared), slot).run();
        }
    }

    fn until_done(&mut self, tick: &mut dyn FnMut(&Tick<'_>)) {
        let mut ticked = self.started;
        while !self.shared.queue.wait(self.pause()) {
            if self.shared.options.stop.load(Relaxed) || self.shared.queue.is_closed() {
                self.shared.queue.close();
                if !self.shared.queue.wait(GRACE) {
                    self.slots.iter().for_each(|slot| slot.lock().given_up = true);
                }
                return;
            }
            self.give_up_silent();
            self.adjust_crew();
            if ticked.elapsed() >= TICK {
                ticked = Instant::now();
                self.tick(tick);
            }
        }
    }

    /// The first looks come quickly, so that a short scan profits from what they find.
    fn pause(&self) -> Duration {
        self.started.elapsed().clamp(FIRST_TICK, TICK)
    }

    fn counts(&self) -> Counts {
        self.slots.iter().fold(Counts::default(), |sum, slot| sum.plus(&slot.lock().counts))
    }

    fn tick(&self, tick: &mut dyn FnMut(&Tick<'_>)) {
        let current = self.slots.iter().map(|slot| slot.lock().at.path()).find(|path| !path.is_empty());
        let current = PathBuf::from(OsStr::from_bytes(&current.unwrap_or_default()));
        let (counts, elapsed, failures) = (self.counts(), self.started.elapsed(), self.failures());
        tick(&Tick { counts, current: &current, elapsed, threads: self.threads, failures: &failures });
    }

    /// The failures so far. Only a few paths are copied, since this is asked for often.
    fn failures(&self) -> Failures {
        let mut failures = Failures::keeping(self.shared.options.keep_failures.min(EXAMPLES_TICKED));
        self.slots.iter().for_each(|slot| failures.add(&slot.lock().failures));
        failures
    }

    /// Gives up every worker that has been inside one system call for too long, and has another go on behind it.
    fn give_up_silent(&mut self) {
        // No more is counted than the time between two looks should be: if it was longer, then this process was
        // stopped, or had no processor, and so had its workers.
        let passed = self.looked.elapsed().min(2 * TICK);
        self.looked = Instant::now();
        let mut lost = 0;
        for (index, slot) in self.slots.iter().enumerate() {
            let beat = slot.beats.load(Relaxed);
            let (last, still) = self.beats.entry(index).or_insert((beat, Duration::ZERO));
            if *last != beat {
                (*last, *still) = (beat, Duration::ZERO);
                continue;
            }
            *still += passed;
            if *still >= self.shared.options.timeout && give_up(slot, beat, &self.shared.queue) {
                lost += 1;
            }
        }
        self.threads -= lost;
        self.hire(lost);
    }

    /// Looks at what the workers have been waiting for since the last look, and acts on it once.
    fn adjust_crew(&mut self) {
        if self.crew.fixed {
            return;
        }
        let (usage, at) = (usage::of_process(), Instant::now());
        let window = Window::between(&self.crew, &usage, at, self.threads);
        if self.shared.queue.idle() > 0 || self.shared.queue.is_feeding() || window.waits < WAITS_ENOUGH {
            // Too little to go by. A window that stays so for long is of no use any more.
            if at - self.crew.at > 4 * TICK {
                (self.crew.usage, self.crew.at) = (usage, at);
            }
            return;
        }
        (self.crew.usage, self.crew.at) = (usage, at);
        if !window.waits_for_disk() {
            return;
        }
        let turning = self.shared.volumes.all().iter().any(|volume| volume.cost.media == Media::Rotating);
        if turning && window.one_wait() > ARM_MOVES {
            self.shared.inode_order.store(true, Relaxed);
            self.shared.queue.limit(1);
        } else {
            self.hire(DEEPEST.max(self.crew.processors).saturating_sub(self.threads));
        }
        self.crew.fixed = true;
    }

    fn outcome(mut self, tick: &mut dyn FnMut(&Tick<'_>)) -> Outcome<C> {
        if let Some(panic) = self.shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
            resume_unwind(panic);
        }
        self.tick(tick);
        let mut failures = Failures::keeping(self.shared.options.keep_failures);
        let mut collectors = Vec::with_capacity(self.slots.len());
        let counts = self.counts();
        for slot in self.slots.drain(..) {
            let mut inner = slot.lock();
            failures.merge(std::mem::take(&mut inner.failures));
            collectors.extend(inner.collector.take());
        }
        Outcome {
            collectors,
            counts,
            failures,
            stopped: self.shared.options.stop.load(Relaxed),
            elapsed: self.started.elapsed(),
            threads: self.most,
            volumes: self.shared.volumes.all(),
        }
    }
}

/// However the scan ends, a panic of the caller's own functions among the ways, no worker goes on.
impl<C> Drop for Watch<'_, C> {
    fn drop(&mut self) {
        self.shared.queue.close();
    }
}

/// What the workers did between two looks.
struct Window {
    all: Duration,
    waited: Duration,
    waits: u64,
    blocks_read: u64,
}

impl Window {
    fn between(crew: &Crew, usage: &Usage, at: Instant, threads: usize) -> Self {
        let all = (at - crew.at) * u32::try_from(threads).unwrap_or(u32::MAX);
        let ran = usage.processor.saturating_sub(crew.usage.processor);
        // On a busy host threads stand in line for a processor, which more threads would make worse.
        let queued = usage.queued.saturating_sub(crew.usage.queued);
        Self {
            all,
            waited: all.saturating_sub(ran).saturating_sub(queued),
            // One of the waits is the caller's own, between two looks.
            waits: usage.waits.saturating_sub(crew.usage.waits + 1),
            blocks_read: usage.blocks_read.saturating_sub(crew.usage.blocks_read),
        }
    }

    fn waits_for_disk(&self) -> bool {
        self.blocks_read > 0 && self.waited * 10 > self.all * 3
    }

    fn one_wait(&self) -> Duration {
        self.waited / u32::try_from(self.waits.max(1)).unwrap_or(u32::MAX)
    }
}

/// Gives a worker up if it still is where it was when its beat was read.
fn give_up<C>(slot: &Slot<C>, beat: u64, queue: &Queue) -> bool {
    let mut inner = slot.lock();
    // With the lock held the worker can neither move on nor record anything.
    if inner.given_up || !inner.at.busy || slot.beats.load(Relaxed) != beat {
        return false;
    }
    inner.given_up = true;
    inner.counts.files += u64::from(!inner.at.name.is_empty());
    let path = Path::new(OsStr::from_bytes(&inner.at.path())).to_owned();
    let named = inner.at.named;
    inner.failures.push(Failure { path, cause: Cause::Silent, named });
    queue.push_all(&mut inner.at.take_rest());
    queue.finish();
    queue.dismiss();
    true
}

impl Counts {
    fn plus(self, other: &Self) -> Self {
        Self {
            files: self.files + other.files,
            directories: self.directories + other.directories,
            links: self.links + other.links,
            special: self.special + other.special,
            repeated: self.repeated + other.repeated,
            small: self.small + other.small,
        }
    }
}
