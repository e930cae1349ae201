//! The shapes of load: what the threads do to a structure in one sample.
//!
//! The unit is a pair, one item put in and taken out again, in every one of them. Every item is made by a producer that
//! numbers it and checked by the consumer that gets it; whatever is inside at the end is taken out and counts in the
//! check, not in the time. Of a queue each consumer gets the items of one producer in the order they were made, always. Of
//! a stack it gets them in the reverse order where nobody puts any in meanwhile: whenever one thread is alone with it, while a
//! burst is drained, and at the end.
//!
//! A thread that finds the structure empty when it should not be, or full, spins for a moment and then yields; that is
//! the same for all rivals. After a quarter of a second without an item it gives up, and the check will tell why there was none.

use super::open::{self, Schedule};
use super::{Bag, Discipline, Payload};
use crate::bench::load::Setup;
use crate::cli::{Carried, Workload};
use crate::ui::numbers::count;
use std::fmt;
use std::hint::black_box;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use toolbox::bench::Histogram;
use toolbox::bench::crew::{self, Line, Shift, pause};
use toolbox::bench::random::Random;
use toolbox::bench::rounds::{Pass, Sample};
use toolbox::bench::verify::{Fault, Item, Order, Put, Taken, settle};

/// Items of the reference's workloads, for each thread.
const REFERENCE: u64 = 100_000;
/// Items that the threads of a split move in all.
const SPLIT: u64 = 400_000;
/// Room in a bounded structure, where the workload does not need more.
const ROOM: usize = 1024;
/// Pairs between two looks at the clock.
const UNLOOKED: u64 = 128;
const PATIENCE: Duration = Duration::from_millis(250);

/// One shape of load, with everything that makes it another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// What the threads do.
    pub(super) workload: Workload,
    /// How many there are.
    pub(super) threads: usize,
    /// How many of them only put in; of a split.
    pub(super) producers: usize,
    /// Items a second; of an open load.
    pub(super) rate: u64,
    /// What goes through.
    pub(super) payload: Carried,
}

impl Case {
    /// Whether what is inside is shared, so that items can cross from one thread to another.
    pub(super) fn is_shared(self) -> bool {
        self.threads > 1 && self.workload != Workload::Private
    }

    /// Whether everyone does what they do for a given time, so that some may do more than others.
    fn is_race(self) -> bool {
        matches!(self.workload, Workload::Pairs | Workload::Bare)
    }

    /// Whether a reference that keeps no items can stand in for a rival: not where a thread waits for there to be none.
    pub(super) fn has_references(self) -> bool {
        !matches!(self.workload, Workload::Split | Workload::Burst | Workload::PingPong | Workload::Open)
    }

    /// When the items of an open load are due.
    fn schedule(self, setup: &Setup) -> Schedule {
        let fitting = (setup.duration.as_secs_f64() * self.rate as f64) as u64;
        Schedule { items: setup.operations.unwrap_or(fitting).max(1), rate: self.rate }
    }

    /// How long a sample takes, roughly.
    pub(super) fn estimate(self, setup: &Setup) -> Duration {
        let fixed = match self.workload {
            Workload::Shared | Workload::Private | Workload::Burst => self.threads as u64 * REFERENCE,
            Workload::Split => SPLIT,
            _ => 0,
        };
        if self.workload == Workload::Open {
            return Duration::from_nanos(self.schedule(setup).items * 1_000_000_000 / self.rate);
        }
        let asked = setup.operations.map(|each| each * self.threads as u64);
        let pairs = asked.unwrap_or(fixed);
        if pairs == 0 { setup.duration } else { Duration::from_nanos(pairs * 100) }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.workload.name())?;
        match self.workload {
            Workload::Split => write!(formatter, " {}:{}", self.producers, self.threads - self.producers)?,
            Workload::Open => write!(formatter, " {}/s, time until taken", count(self.rate))?,
            _ => write!(formatter, ", {} thread{}", self.threads, if self.threads == 1 { "" } else { "s" })?,
        }
        write!(formatter, ", {}", self.payload.name())
    }
}

/// One thread's side of a structure.
pub(super) struct Hand<'a, Q, T> {
    bag: &'a Q,
    pub(super) put: Put,
    pub(super) taken: Taken,
    latency: Option<Histogram>,
    payload: PhantomData<T>,
}

impl<'a, Q: Bag<T>, T: Payload> Hand<'a, Q, T> {
    fn new(bag: &'a Q, index: usize, threads: usize, pass: Pass) -> Self {
        let latency = (pass == Pass::Latency).then(Histogram::default);
        let mut taken = Taken::new(index, threads);
        if !Q::KEEPS || Q::DISCIPLINE == Discipline::Stack {
            taken.expect(Order::Any);
        }
        Self { bag, put: Put::new(index), taken, latency, payload: PhantomData }
    }

    /// The hand of one of two threads, that times nothing.
    pub(super) fn silent(bag: &'a Q, index: usize) -> Self {
        Self::new(bag, index, 2, Pass::Speed)
    }

    /// From now on nobody puts anything in.
    fn expect_reverse(&mut self) {
        if Q::KEEPS && Q::DISCIPLINE == Discipline::Stack {
            self.taken.expect(Order::Falling);
        }
    }

    /// Puts the next item in, as soon as there is room.
    #[inline]
    pub(super) fn push(&mut self) {
        let mut item = T::make(self.put.item());
        let begin = self.begin();
        let mut spins = 0;
        while let Err(back) = self.bag.push(item) {
            item = back;
            pause(&mut spins);
        }
        self.end(begin);
    }

    /// Takes one item, if there is any.
    #[inline]
    fn pop(&mut self) -> bool {
        let begin = self.begin();
        let Some(item) = self.bag.pop() else { return false };
        self.end(begin);
        self.note(item);
        true
    }

    /// Takes one item, if there is any, and tells as which its producer made it.
    #[inline]
    pub(super) fn pop_number(&mut self) -> Option<u64> {
        let bits = black_box(self.bag.pop()?).bits();
        self.taken.note(bits);
        Some(Item::from_bits(bits).sequence)
    }

    /// Takes an item that has to come. False when it does not.
    #[inline]
    fn wait(&mut self) -> bool {
        let begin = self.begin();
        let Some(item) = self.bag.pop().or_else(|| self.wait_long()) else { return false };
        self.end(begin);
        self.note(item);
        true
    }

    #[cold]
    fn wait_long(&self) -> Option<T> {
        let (mut spins, mut tries) = (0, 1_u32);
        let begin = Instant::now();
        while !tries.is_multiple_of(1024) || begin.elapsed() < PATIENCE {
            if let Some(item) = self.bag.pop() {
                return Some(item);
            }
            tries = tries.wrapping_add(1);
            pause(&mut spins);
        }
        None
    }

    #[inline]
    fn note(&mut self, item: T) {
        let bits = black_box(item).bits();
        self.taken.note(bits);
    }

    #[inline]
    fn begin(&self) -> Option<Instant> {
        self.latency.as_ref().map(|_| Instant::now())
    }

    #[inline]
    fn end(&mut self, begin: Option<Instant>) {
        if let Some((latency, begin)) = self.latency.as_mut().zip(begin) {
            latency.record(begin.elapsed().as_nanos() as u64);
        }
    }

    /// Puts `count` in, then takes as many out, unless they do not come. `is_alone` when nobody else uses the structure.
    fn fill_and_drain(&mut self, count: u64, is_alone: bool) {
        (0..count).for_each(|_| self.push());
        if is_alone {
            self.expect_reverse();
        }
        for _ in 0..count {
            if !self.wait() {
                return;
            }
        }
    }
}

/// Ends the work of all threads when it has lasted long enough for one of them.
struct Bell {
    duration: Duration,
    has_rung: AtomicBool,
}

impl Bell {
    fn new(duration: Duration) -> Self {
        Self { duration, has_rung: AtomicBool::new(false) }
    }

    #[inline]
    fn has_rung(&self) -> bool {
        self.has_rung.load(Ordering::Relaxed)
    }

    fn ring(&self) {
        self.has_rung.store(true, Ordering::Relaxed);
    }

    /// Rings if it is time to.
    fn look(&self, begin: Instant) {
        if begin.elapsed() >= self.duration {
            self.ring();
        }
    }
}

/// Takes one sample of a structure under a load, and checks what came out of it.
///
/// # Errors
/// When it was not what went in.
pub(super) fn sample<Q: Bag<T>, T: Payload>(case: &Case, setup: &Setup, pass: Pass) -> Result<Sample, Fault> {
    let run = Run::<T> { case, setup, pass, payload: PhantomData };
    let each = setup.operations.unwrap_or(REFERENCE);
    match case.workload {
        Workload::Loop => run.on(&[Q::new(each as usize)], |hand, bell| {
            let begin = Instant::now();
            while !bell.has_rung() {
                hand.fill_and_drain(each, true);
                bell.look(begin);
            }
        }),
        Workload::Private => {
            let bags: Vec<Q> = (0..case.threads).map(|_| Q::new(each as usize)).collect();
            run.on(&bags, |hand, _| hand.fill_and_drain(each, true))
        }
        Workload::Shared => run.on(&[Q::new(case.threads * each as usize)], |hand, _| hand.fill_and_drain(each, false)),
        Workload::Pairs => {
            let work = &setup.work;
            run.pairs::<Q>(|random| work.some(random))
        }
        Workload::Bare => run.pairs::<Q>(|_| {}),
        Workload::Split => run.split::<Q>(),
        Workload::Burst => {
            let line = Line::new(case.threads);
            run.on(&[Q::new(case.threads * each as usize)], |hand, _| {
                (0..each).for_each(|_| hand.push());
                line.wait();
                hand.expect_reverse();
                while hand.pop() {}
            })
        }
        Workload::PingPong => run.ping_pong::<Q>(),
        Workload::Open => run.open::<Q>(),
    }
}

/// One sample in the making.
struct Run<'a, T> {
    case: &'a Case,
    setup: &'a Setup,
    pass: Pass,
    payload: PhantomData<T>,
}

impl<T: Payload> Run<'_, T> {
    /// Every thread does `work`, on a structure of its own if there are as many.
    fn on<Q: Bag<T>>(&self, bags: &[Q], work: impl Fn(&mut Hand<'_, Q, T>, &Bell) + Sync) -> Result<Sample, Fault> {
        let bell = Bell::new(self.setup.operations.map_or(self.setup.duration, |_| Duration::ZERO));
        let shifts = crew::run(self.case.threads, &self.setup.pins, |index| {
            let mut hand = Hand::new(&bags[index % bags.len()], index, self.case.threads, self.pass);
            work(&mut hand, &bell);
            (hand.put, hand.taken, hand.latency)
        });
        self.settle(bags, shifts)
    }

    /// Everyone puts one in and takes one out, with something to do in between.
    fn pairs<Q: Bag<T>>(&self, work: impl Fn(&mut Random) + Sync) -> Result<Sample, Fault> {
        let limit = self.setup.operations.unwrap_or(u64::MAX);
        let is_timed = self.setup.operations.is_none();
        let seeds = AtomicUsize::new(1);
        self.on(&[Q::new(ROOM)], |hand, bell| {
            let mut random = Random::new(seeds.fetch_add(1, Ordering::Relaxed) as u64);
            let begin = Instant::now();
            while hand.put.count() < limit && !(is_timed && bell.has_rung()) {
                hand.push();
                work(&mut random);
                if !hand.wait() {
                    return;
                }
                work(&mut random);
                if hand.put.count().is_multiple_of(UNLOOKED) {
                    bell.look(begin);
                }
            }
        })
    }

    /// Some only put in, the others only take out.
    fn split<Q: Bag<T>>(&self) -> Result<Sample, Fault> {
        let producers = self.case.producers;
        let all = self.setup.operations.map_or(SPLIT, |each| each * self.case.threads as u64);
        let (bags, done) = ([Q::new(ROOM)], AtomicUsize::new(0));
        let shifts = crew::run(self.case.threads, &self.setup.pins, |index| {
            let mut hand = Hand::new(&bags[0], index, self.case.threads, self.pass);
            if index < producers {
                let share = all / producers as u64 + u64::from((index as u64) < all % producers as u64);
                (0..share).for_each(|_| hand.push());
                done.fetch_add(1, Ordering::Release); // Pairs with the load below: the items are in.
                return (hand.put, hand.taken, hand.latency);
            }
            let mut spins = 0;
            loop {
                let is_last = done.load(Ordering::Acquire) == producers;
                if hand.pop() {
                    spins = 0;
                } else if is_last {
                    return (hand.put, hand.taken, hand.latency);
                } else {
                    pause(&mut spins);
                }
            }
        });
        self.settle(&bags, shifts)
    }

    /// Two threads hand one item to and fro, through a structure for each direction.
    fn ping_pong<Q: Bag<T>>(&self) -> Result<Sample, Fault> {
        let bags = [Q::new(ROOM), Q::new(ROOM)];
        let limit = self.setup.operations.unwrap_or(u64::MAX);
        let bell = Bell::new(self.setup.duration);
        let is_timed = self.setup.operations.is_none();
        let shifts = crew::run(2, &self.setup.pins, |index| {
            let mut out = Hand::<Q, T>::new(&bags[index], index, 2, self.pass);
            let mut back = Hand::<Q, T>::new(&bags[1 - index], index, 2, self.pass);
            let begin = Instant::now();
            while !bell.has_rung() {
                if index == 0 {
                    out.push();
                    let is_due =
                        is_timed && out.put.count().is_multiple_of(UNLOOKED) && begin.elapsed() >= self.setup.duration;
                    if !back.wait() || is_due || out.put.count() >= limit {
                        bell.ring();
                    }
                } else if wait_or_bell(&mut back, &bell) {
                    out.push();
                }
            }
            let mut latency = out.latency;
            latency.iter_mut().zip(&back.latency).for_each(|(all, more)| all.merge(more));
            (out.put, back.taken, latency)
        });
        self.settle(&bags, shifts)
    }

    /// One thread puts in on a schedule, the other takes out.
    fn open<Q: Bag<T>>(&self) -> Result<Sample, Fault> {
        let bags = [Q::new(ROOM)];
        let shifts = open::run(&bags[0], self.case.schedule(self.setup), &self.setup.pins);
        let mut times = Vec::new();
        let told = shifts.into_iter().map(|shift| {
            let (put, taken, its) = shift.result;
            times.extend(its.into_iter().flatten());
            Shift { result: (put, taken, None), begin: shift.begin, end: shift.end, processor: shift.processor }
        });
        let told = told.collect();
        let mut sample = open::tell(self.settle(&bags, told)?, &times);
        sample.is_disturbed = open::lacked_processors(&sample, &self.setup.pins);
        Ok(sample)
    }

    /// Takes out what is left, checks, and puts the sample together.
    fn settle<Q: Bag<T>>(&self, bags: &[Q], shifts: Vec<Done>) -> Result<Sample, Fault> {
        if !Q::KEEPS {
            return Ok(finish(self.case, self.pass, &shifts, false));
        }
        let put: u64 = shifts.iter().map(|shift| shift.result.0.count()).sum();
        let mut left = Taken::new(usize::MAX, self.case.threads);
        if Q::DISCIPLINE == Discipline::Stack {
            left.expect(Order::Falling);
        }
        for bag in bags {
            // One that never gets empty has made items up; it is enough to see that there are too many.
            let more = std::iter::from_fn(|| bag.pop()).take(put as usize + 1);
            more.for_each(|item| left.note(item.bits()));
        }
        settle(shifts.iter().map(|shift| &shift.result.0), shifts.iter().map(|shift| &shift.result.1).chain([&left]))?;
        Ok(finish(self.case, self.pass, &shifts, self.case.is_shared()))
    }
}

/// What a thread of any load comes back with.
type Done = Shift<(Put, Taken, Option<Histogram>)>;

/// Adds up what the threads have done.
fn finish(case: &Case, pass: Pass, shifts: &[Done], tells_foreign: bool) -> Sample {
    let taken = |count: fn(&Taken) -> u64| shifts.iter().map(move |shift| count(&shift.result.1));
    let units = taken(Taken::count).sum();
    let mut latency = (pass == Pass::Latency).then(Histogram::default);
    for shift in shifts {
        latency.iter_mut().zip(&shift.result.2).for_each(|(all, one)| all.merge(one));
    }
    Sample {
        units,
        elapsed: crew::elapsed(shifts),
        processor: shifts.iter().map(|shift| shift.processor).sum(),
        by_thread: if case.is_race() && case.threads > 1 { taken(Taken::count).collect() } else { Vec::new() },
        foreign: tells_foreign.then(|| units - taken(Taken::own).sum::<u64>()),
        latency,
        ..Sample::default()
    }
}

/// Waits for an item, or for the end.
fn wait_or_bell<Q: Bag<T>, T: Payload>(hand: &mut Hand<'_, Q, T>, bell: &Bell) -> bool {
    let mut spins = 0;
    loop {
        if hand.pop() {
            return true;
        }
        if bell.has_rung() {
            return false;
        }
        pause(&mut spins);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::bag::Rival;
    use crate::bench::bag::{queue, stack};
    use crate::bench::load::Work;
    use crate::bench::subject::Role;
    use clap::ValueEnum;
    use toolbox::bench::rounds::{self, Subject};

    fn setup() -> Setup {
        let work = Work::with_steps(1.0);
        Setup { duration: Duration::from_millis(2), operations: None, pins: vec![], work }
    }

    fn cases() -> Vec<Case> {
        let case =
            |workload, threads, producers, payload| Case { workload, threads, producers, rate: 1_000_000, payload };
        let mut cases = Vec::new();
        for &workload in Workload::value_variants() {
            let (threads, producers) = match workload {
                Workload::Loop => (1, 0),
                Workload::Split => (3, 1),
                Workload::PingPong => (2, 0),
                Workload::Open => (2, 1),
                _ => (3, 0),
            };
            for &payload in Carried::value_variants() {
                cases.push(case(workload, threads, producers, payload));
            }
        }
        cases
    }

    fn rivals(role: Role) -> impl Iterator<Item = Rival> {
        [queue::rivals(), stack::rivals()].into_iter().flatten().filter(move |rival| rival.role == role)
    }

    #[test]
    fn every_rival_passes_under_every_load() {
        let setup = Setup { operations: Some(300), ..setup() };
        for rival in rivals(Role::Rival) {
            assert_eq!((rival.check)(), Ok(()), "{}", rival.name);
            for case in cases() {
                let sample =
                    rival.sample(&case, &setup, Pass::Speed).unwrap_or_else(|fault| panic!("{}: {fault}", rival.name));
                assert!(sample.units > 0 && sample.unit_ns() > 0.0, "{case}");
                assert_eq!(sample.latency.is_some(), case.workload == Workload::Open, "{case}");
            }
        }
    }

    #[test]
    fn what_is_broken_is_caught_before_and_under_every_load() {
        let setup = Setup { operations: Some(600), ..setup() };
        let queues = queue::rivals().into_iter().filter(|rival| rival.role == Role::Broken).map(|rival| (rival, false));
        let stacks = stack::rivals().into_iter().filter(|rival| rival.role == Role::Broken).map(|rival| (rival, true));
        for (rival, is_stack) in queues.chain(stacks) {
            let faults = (rival.check)().expect_err(rival.name);
            let said = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let word = rival.name.trim_start_matches("broken-");
            assert!(said.contains(word), "{word}: {said}");
            // What a drop leaks, only the check before can see; an item that overtakes one of its own producer is not
            // there to be seen where there is never more than one; and a stack has no order while items are put in.
            let is_seen = |case: &Case| match (rival.name, case.workload) {
                ("broken-leaked", _) => false,
                ("broken-reordered", Workload::PingPong | Workload::Pairs | Workload::Bare) => false,
                ("broken-reordered", Workload::Shared | Workload::Split) => !is_stack,
                ("broken-reordered", Workload::Open) => false,
                _ => true,
            };
            for case in cases().into_iter().filter(|case| case.payload == Carried::Word).filter(is_seen) {
                assert!(rival.sample(&case, &setup, Pass::Speed).is_err(), "{}: {case}", rival.name);
            }
        }
    }

    #[test]
    fn a_sample_lasts_as_long_as_it_should_and_times_operations_when_asked() {
        let rival = rivals(Role::Rival).find(|rival| rival.name == "mutex-vecdeque").unwrap();
        let case = Case { workload: Workload::Bare, threads: 2, producers: 0, rate: 0, payload: Carried::Word };
        let sample = rival.sample(&case, &setup(), Pass::Latency).unwrap();
        assert!(sample.elapsed >= Duration::from_millis(2) && sample.by_thread.len() == 2);
        assert_eq!(sample.latency.unwrap().count(), 2 * sample.units);
    }

    /// The whole way from the threads to the interval: a queue beside itself is shown to differ in few of a hundred runs.
    #[test]
    fn a_queue_does_not_differ_from_itself() {
        let setup = Setup { operations: Some(200), ..setup() };
        let rival = rivals(Role::Rival).find(|rival| rival.name == "mutex-vecdeque").unwrap();
        let case = Case { workload: Workload::Pairs, threads: 1, producers: 0, rate: 0, payload: Carried::Word };
        let subject = || -> Subject<'_> { Box::new(|pass| rival.sample(&case, &setup, pass)) };
        let differs = |seed: &u64| {
            let plan = rounds::Plan { rounds: 9, latency_rounds: 0, budget: None, link: None, seed: *seed };
            let report = rounds::measure(&[subject(), subject()], &plan, &AtomicBool::new(false), &mut |_, _, _| {});
            report.series[0].speed_beside(&report.series[1]).unwrap().is_difference()
        };
        let different = (0..100).filter(differs).count();
        assert!(different <= 5, "{different} of 100 runs");
    }
}
