//! Several subjects measured side by side: in rounds, each round in another order.
//!
//! A machine drifts: it warms up, is moved, serves others. A subject that is measured as a whole before the next one
//! gets whatever the machine was then; so here each round takes one sample of every subject, in an order that is
//! shuffled anew, and subjects are compared within rounds. The first round warms up and is not counted.
//!
//! Between two samples the link between the processors is probed, where there is one to probe
//! ([`super::link`]). A sample whose probes differ from the usual one of this run is dropped, and so is one that says itself
//! that it was disturbed; the report says how many were. A virtual machine may be moved every 20 to 60 ms, and then most
//! samples would be lost, and nearly all rounds, which take one of everybody. So before a sample the usual state is waited
//! for, and a sample that does not count is taken again at once, in the same round. Both together cost at most as much
//! time again as the samples that count, and half a second.
//!
//! Where a time is set for all of it ([`Plan::budget`]), as many rounds are taken as fit.
//!
//! A subject that fails its check is measured no further: a wrong answer has no speed. The rest go on.

use super::histogram::Histogram;
use super::link;
use super::random::Random;
use super::stats::{self, Ratio, Summary};
use super::verify::Fault;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A sample that does not count is taken again so many times at most.
const AGAIN: usize = 4;
/// How long it is waited for the usual link before a sample: a state of a machine that is moved lasts some 20 ms.
const WAIT: Duration = Duration::from_millis(50);
/// What waiting and samples that do not count may take beyond as much as those that count, and where those are tiny: then
/// it would be most of the time.
const GRACE: Duration = Duration::from_millis(500);
const LEAST_GRACE: Duration = Duration::from_millis(50);

/// One measurement of one subject.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// How often the unit of work was done, by all threads.
    pub units: u64,
    /// From the first begin to the last end.
    pub elapsed: Duration,
    /// Time on processors, of all threads.
    pub processor: Duration,
    /// Units that each thread did.
    pub by_thread: Vec<u64>,
    /// Units in which something came from another thread, where that can be told.
    pub foreign: Option<u64>,
    /// The longest that one operation, or one wait for a lock, took, where that is looked at in every pass.
    pub longest: Option<Duration>,
    /// How long single operations took, in nanoseconds; in a [`Pass::Latency`], and wherever it disturbs nothing.
    pub latency: Option<Histogram>,
    /// What counts as the time of a unit, in nanoseconds, where that is not the time of the whole divided by the units.
    pub own_unit_ns: Option<f64>,
    /// Whether the load saw itself that the host did not let it do what it is to do. Such a sample does not count.
    pub is_disturbed: bool,
    /// What else a load tells: a name and a value, of which the median counts.
    pub extra: Vec<(&'static str, f64)>,
}

/// What a sample is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// The time of the whole; nothing else is looked at.
    Speed,
    /// The time of every single operation. Reading the clock so often slows the whole, which then says nothing.
    Latency,
}

/// Something to measure: takes one sample, with its check.
pub type Subject<'a> = Box<dyn Fn(Pass) -> Result<Sample, Fault> + 'a>;

/// How to measure.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Rounds that count.
    pub rounds: usize,
    /// Further rounds in which single operations are timed.
    pub latency_rounds: usize,
    /// Take as many rounds that count as fit into this time, instead of [`rounds`](Self::rounds); but as many as an interval
    /// takes in any case. What the first round takes, which warms up, is part of the time.
    pub budget: Option<Duration>,
    /// The processors whose link is probed between samples.
    pub link: Option<(usize, usize)>,
    /// What the order of the rounds is drawn from.
    pub seed: u64,
}

/// A sample, and whether it counts.
#[derive(Clone, Debug)]
pub struct Taken {
    /// In which round.
    pub round: usize,
    /// What was measured.
    pub sample: Sample,
    /// The link before and after it, in nanoseconds.
    pub link: Option<(f64, f64)>,
    /// Whether it counts: the link was the usual one before and after, and nothing else disturbed it.
    pub is_kept: bool,
}

/// All samples of one subject.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// In the order of the rounds.
    pub samples: Vec<Taken>,
    /// The time of single operations, of all threads and rounds.
    pub latency: Histogram,
    /// Why it has no speed.
    pub fault: Option<Fault>,
}

/// What the rounds have come to.
#[derive(Clone, Debug)]
pub struct Report {
    /// One for each subject, in their order.
    pub series: Vec<Series>,
    /// The link in the state that most probes were taken in, in nanoseconds.
    pub link_ns: Option<f64>,
    /// Samples that were dropped because the link was another, or something else disturbed them.
    pub dropped: usize,
    /// Samples that were taken.
    pub taken: usize,
    /// Whether it was stopped before the end.
    pub is_partial: bool,
}

impl Sample {
    /// Nanoseconds a unit, of the whole.
    #[must_use]
    pub fn unit_ns(&self) -> f64 {
        self.own_unit_ns.unwrap_or_else(|| self.elapsed.as_nanos() as f64 / self.units.max(1) as f64)
    }

    /// Nanoseconds on a processor for each unit.
    #[must_use]
    pub fn processor_ns(&self) -> f64 {
        self.processor.as_nanos() as f64 / self.units.max(1) as f64
    }

    /// What the slowest thread did, as a share of what the fastest did.
    #[must_use]
    pub fn fairness(&self) -> Option<f64> {
        let (least, most) = (self.by_thread.iter().min()?, self.by_thread.iter().max()?);
        Some(*least as f64 / (*most).max(1) as f64)
    }

    /// What the slowest thread did, as a share of what all did on average: 1 when all did the same.
    #[must_use]
    pub fn fairness_to_mean(&self) -> Option<f64> {
        let least = self.by_thread.iter().min()?;
        let sum: u64 = self.by_thread.iter().sum();
        Some(*least as f64 * self.by_thread.len() as f64 / sum.max(1) as f64)
    }

    /// The share of units in which something came from another thread.
    #[must_use]
    pub fn foreign_share(&self) -> Option<f64> {
        Some(self.foreign? as f64 / self.units.max(1) as f64)
    }

    /// What the load tells under `name`.
    #[must_use]
    pub fn extra(&self, name: &str) -> Option<f64> {
        self.extra.iter().find(|(its, _)| *its == name).map(|(_, value)| *value)
    }
}

impl Series {
    /// The samples that count.
    pub fn kept(&self) -> impl Iterator<Item = &Taken> {
        self.samples.iter().filter(|taken| taken.is_kept)
    }

    /// The median of what `value` tells of each sample; none where it tells nothing.
    #[must_use]
    pub fn median(&self, value: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        stats::median(&self.kept().filter_map(|taken| value(&taken.sample)).collect::<Vec<_>>())
    }

    /// The longest operation of all samples that count; none where that was not looked at.
    #[must_use]
    pub fn longest(&self) -> Option<Duration> {
        self.kept().filter_map(|taken| taken.sample.longest).max()
    }

    /// Nanoseconds a unit, of each sample that counts.
    #[must_use]
    pub fn unit_ns(&self) -> Vec<f64> {
        self.kept().map(|taken| taken.sample.unit_ns()).collect()
    }

    /// The middle of those and how far they scatter.
    #[must_use]
    pub fn summary(&self) -> Option<Summary> {
        Summary::of(&self.unit_ns())
    }

    /// How many times faster this subject is than `other`, by the rounds in which both have a sample that counts.
    #[must_use]
    pub fn speed_beside(&self, other: &Self) -> Option<Ratio> {
        let in_round = |round| other.kept().find(move |taken| taken.round == round);
        let pairs = self.kept().filter_map(|taken| Some((in_round(taken.round)?, taken)));
        stats::paired_ratio(pairs.map(|(other, this)| (other.sample.unit_ns(), this.sample.unit_ns())))
    }
}

/// Measures `subjects` until all rounds are done or `stop` is set, which is looked at between samples. Where so many
/// samples were dropped that no interval is left, as many rounds again at most are added. `progress` is told before
/// each sample how many were taken, how many are planned, and which subject is next.
#[must_use]
pub fn measure(
    subjects: &[Subject<'_>],
    plan: &Plan,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize, usize),
) -> Report {
    let probe = plan.link.map(|(from, to)| move || link::probe(from, to));
    measure_by(subjects, plan, stop, progress, probe.as_ref().map(|probe| probe as &dyn Fn() -> f64))
}

/// The same with any `probe`.
fn measure_by(
    subjects: &[Subject<'_>],
    plan: &Plan,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(usize, usize, usize),
    probe: Option<&dyn Fn() -> f64>,
) -> Report {
    let mut run = Run::new(subjects, stop, plan.seed, probe);
    let begin = Instant::now();
    let mut progress = |taken: usize, next| progress(taken, plan.samples(subjects.len(), taken, begin), next);
    let mut is_whole = run.round(0, Pass::Speed, &mut progress);
    let (counted, mut rounds) = (Instant::now(), 0);
    while is_whole && plan.wants_more(rounds, begin, counted) {
        rounds += 1;
        is_whole = run.round(rounds, Pass::Speed, &mut progress);
    }
    is_whole = is_whole && (0..plan.latency_rounds).all(|_| run.round(0, Pass::Latency, &mut progress));
    let (mut link_ns, mut dropped) = run.sort_out();
    for round in rounds + 1..=2 * rounds {
        if !is_whole || run.whole_rounds() >= stats::least_samples().min(rounds) {
            break;
        }
        is_whole = run.round(round, Pass::Speed, &mut progress);
        (link_ns, dropped) = run.sort_out();
    }
    let taken = run.series.iter().map(|series| series.samples.len()).sum();
    Report { series: run.series, link_ns, dropped, taken, is_partial: !is_whole }
}

impl Plan {
    /// Whether there is to be another round after so many that count, which were begun at `counted`.
    fn wants_more(&self, rounds: usize, begin: Instant, counted: Instant) -> bool {
        let Some(budget) = self.budget else { return rounds < self.rounds };
        if rounds < stats::least_samples() {
            return true;
        }
        let each = counted.elapsed() / rounds as u32;
        begin.elapsed() + each * (1 + self.latency_rounds as u32) <= budget
    }

    /// How many samples there will be, as far as can be told after `taken`.
    fn samples(&self, subjects: usize, taken: usize, begin: Instant) -> usize {
        let planned = (1 + self.rounds + self.latency_rounds) * subjects;
        self.budget.map_or(planned, |budget| {
            let left = budget.as_secs_f64() / begin.elapsed().as_secs_f64().max(1e-9);
            (taken as f64 * left).min(1e9) as usize
        })
    }
}

/// A measurement on its way.
struct Run<'a, 'b> {
    subjects: &'a [Subject<'b>],
    /// Takes the time of the link.
    probe: Option<&'a dyn Fn() -> f64>,
    stop: &'a AtomicBool,
    series: Vec<Series>,
    random: Random,
    order: Vec<usize>,
    /// Samples that were begun, but for those that were taken again.
    begun: usize,
    /// All probes.
    links: Vec<f64>,
    /// The usual one of those before this sample.
    usual: Option<f64>,
    /// The last one, if nothing has happened since.
    fresh: Option<f64>,
    /// Time for samples that count, and time for what does not.
    spent: Duration,
    lost: Duration,
}

impl<'a, 'b> Run<'a, 'b> {
    fn new(subjects: &'a [Subject<'b>], stop: &'a AtomicBool, seed: u64, probe: Option<&'a dyn Fn() -> f64>) -> Self {
        Self {
            subjects,
            probe,
            stop,
            series: subjects.iter().map(|_| Series::default()).collect(),
            random: Random::new(seed),
            order: (0..subjects.len()).collect(),
            begun: 0,
            links: Vec::new(),
            usual: None,
            fresh: None,
            spent: Duration::ZERO,
            lost: Duration::ZERO,
        }
    }

    /// One sample of everyone; those of round 0 do not count. False when it was stopped.
    fn round(&mut self, round: usize, pass: Pass, progress: &mut dyn FnMut(usize, usize)) -> bool {
        self.random.shuffle(&mut self.order);
        for place in 0..self.order.len() {
            if self.is_stopped() {
                return false;
            }
            let index = self.order[place];
            progress(self.begun, index);
            self.begun += 1;
            let mut attempts = 0;
            while self.series[index].fault.is_none() && !self.sample(index, round, pass, attempts) {
                attempts += 1;
            }
        }
        true
    }

    /// Takes a sample of one. False when it does not count and should be taken again, as it was so often already.
    fn sample(&mut self, index: usize, round: usize, pass: Pass, attempts: usize) -> bool {
        let before = self.usual_link();
        let begin = Instant::now();
        let result = self.subjects[index](pass);
        let took = begin.elapsed();
        let link = before.zip(self.link());
        let series = &mut self.series[index];
        let mut sample = match result {
            Ok(sample) => sample,
            Err(fault) => {
                *series = Series { fault: Some(fault), ..Series::default() };
                return true;
            }
        };
        let counts = counts(&sample, link, self.usual);
        *if counts { &mut self.spent } else { &mut self.lost } += took;
        let is_done = counts || attempts == AGAIN || !self.has_time();
        let series = &mut self.series[index];
        if is_done && (round > 0 || pass == Pass::Latency) {
            sample.latency.take().iter().for_each(|latency| series.latency.merge(latency));
        }
        if round > 0 {
            series.samples.push(Taken { round, sample: Sample { latency: None, ..sample }, link, is_kept: true });
        }
        is_done
    }

    /// The link, when it has been waited for to be the usual one.
    fn usual_link(&mut self) -> Option<f64> {
        let begin = Instant::now();
        self.usual = link::usual(&self.links);
        let mut now = self.fresh.take().or_else(|| self.link());
        while let (Some(link), Some(usual)) = (now, self.usual)
            && !link::is_steady(link, link, usual)
            && begin.elapsed() < WAIT
            && self.has_time()
        {
            now = self.link();
        }
        self.fresh = None;
        self.lost += begin.elapsed();
        now
    }

    fn link(&mut self) -> Option<f64> {
        let link = self.probe?();
        self.links.push(link);
        self.fresh = Some(link);
        Some(link)
    }

    /// Whether more may be spent on what does not count.
    fn has_time(&self) -> bool {
        let grace = GRACE.min(LEAST_GRACE + self.spent * 5);
        self.lost < self.spent + grace && !self.is_stopped()
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Finds out which samples count, now that all probes are known. Returns the usual link, and how many do not.
    fn sort_out(&mut self) -> (Option<f64>, usize) {
        let usual = link::usual(&self.links);
        let mut dropped = 0;
        for taken in self.series.iter_mut().flat_map(|series| &mut series.samples) {
            taken.is_kept = counts(&taken.sample, taken.link, usual);
            dropped += usize::from(!taken.is_kept);
        }
        (usual, dropped)
    }

    /// Rounds in which everyone has a sample that counts.
    fn whole_rounds(&self) -> usize {
        let right: Vec<_> = self.series.iter().filter(|series| series.fault.is_none()).collect();
        let is_whole = |round: &usize| right.iter().all(|series| series.kept().any(|taken| taken.round == *round));
        let last = right.iter().flat_map(|series| &series.samples).map(|taken| taken.round).max();
        (1..=last.unwrap_or(0)).filter(is_whole).count()
    }
}

/// Whether a sample between these two probes counts.
fn counts(sample: &Sample, link: Option<(f64, f64)>, usual: Option<f64>) -> bool {
    let is_steady = link.zip(usual).is_none_or(|((before, after), usual)| link::is_steady(before, after, usual));
    is_steady && !sample.is_disturbed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::crew;
    use std::cell::{Cell, RefCell};

    const PLAN: Plan = Plan { rounds: 9, latency_rounds: 0, budget: None, link: None, seed: 1 };

    fn sample(nanoseconds: u64) -> Sample {
        Sample { units: 10, elapsed: Duration::from_nanos(10 * nanoseconds), ..Sample::default() }
    }

    fn run(subjects: &[Subject<'_>], plan: &Plan) -> Report {
        measure(subjects, plan, &AtomicBool::new(false), &mut |_, _, _| {})
    }

    #[test]
    fn every_round_has_every_subject_and_the_first_does_not_count() {
        let log = RefCell::new(Vec::new());
        let subject = |index: usize| -> Subject<'_> {
            let log = &log;
            Box::new(move |_| {
                log.borrow_mut().push(index);
                Ok(sample(100))
            })
        };
        let report = run(&[subject(0), subject(1), subject(2)], &PLAN);
        assert!(report.series.iter().all(|series| series.samples.len() == 9));
        assert_eq!((report.taken, report.dropped, report.is_partial), (27, 0, false));
        let log = log.borrow();
        let mut orders: Vec<_> = log.chunks(3).map(<[usize]>::to_vec).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
        }
        orders.dedup();
        assert!(orders.len() > 1, "always in one order");
    }

    #[test]
    fn a_machine_that_drifts_favours_nobody() {
        let now = Cell::new(100.0);
        let subject = |cost: f64| -> Subject<'_> {
            let now = &now;
            Box::new(move |_| {
                now.set(now.get() * 1.01);
                Ok(sample((cost * now.get()) as u64))
            })
        };
        let report = run(&[subject(100.0), subject(100.0), subject(150.0)], &Plan { rounds: 30, ..PLAN });
        let [one, two, slow] = &report.series[..] else { panic!("three subjects") };
        assert!(!one.speed_beside(two).unwrap().is_difference());
        let ratio = one.speed_beside(slow).unwrap();
        assert!(ratio.is_difference() && (1.4..1.6).contains(&ratio.value), "{ratio:?}");
    }

    #[test]
    fn a_subject_that_fails_has_no_speed_and_the_rest_go_on() {
        let failing: Subject<'_> = Box::new(|_| Err(Fault::Leaked(3)));
        let report = run(&[failing, Box::new(|_| Ok(sample(5)))], &PLAN);
        assert_eq!((&report.series[0].fault, report.series[0].samples.len()), (&Some(Fault::Leaked(3)), 0));
        assert_eq!(report.series[1].summary().unwrap().median, 5.0);
    }

    #[test]
    fn a_sample_tells_how_fair_it_was_and_what_its_load_adds() {
        let longest = Some(Duration::from_micros(7));
        let by_thread = vec![30, 10, 50];
        let sample = Sample { by_thread, longest, extra: vec![("upgrades", 3.0)], ..sample(5) };
        assert_eq!((sample.fairness(), sample.fairness_to_mean()), (Some(0.2), Some(1.0 / 3.0)));
        assert_eq!((sample.extra("upgrades"), sample.extra("other")), (Some(3.0), None));
        let subject: Subject<'_> = Box::new(|_| Ok(sample.clone()));
        let report = run(&[subject], &PLAN);
        assert_eq!(report.series[0].longest(), longest);
        assert_eq!(report.series[0].median(|sample| sample.extra("upgrades")), Some(3.0));
        let nothing = Sample::default();
        assert_eq!((nothing.fairness(), nothing.fairness_to_mean(), nothing.foreign_share()), (None, None, None));
    }

    #[test]
    fn single_operations_are_timed_in_rounds_of_their_own() {
        let subject: Subject<'_> = Box::new(|pass| {
            let mut latency = Histogram::default();
            latency.record(77);
            Ok(Sample { latency: (pass == Pass::Latency).then_some(latency), ..sample(5) })
        });
        let report = run(&[subject], &Plan { latency_rounds: 4, ..PLAN });
        assert_eq!((report.series[0].latency.count(), report.series[0].samples.len()), (4, 9));
    }

    #[test]
    fn as_many_rounds_are_taken_as_fit_a_time() {
        let slow: Subject<'_> = Box::new(|_| {
            std::thread::sleep(Duration::from_millis(2));
            Ok(sample(5))
        });
        let subjects = [slow];
        let rounds_in = |budget| {
            let plan = Plan { rounds: 3, latency_rounds: 2, budget: Some(budget), ..PLAN };
            let begin = Instant::now();
            let rounds = run(&subjects, &plan).series[0].samples.len();
            (rounds, begin.elapsed())
        };
        // However little time there is, an interval takes eight.
        assert_eq!(rounds_in(Duration::ZERO).0, stats::least_samples());
        let budget = Duration::from_millis(100);
        let (rounds, took) = rounds_in(budget);
        assert!((9..=50).contains(&rounds) || took > budget, "{rounds} rounds in {took:?}");
    }

    /// A busy host makes things take longer, and nothing makes them quicker: one of many tries has to come out right,
    /// while arithmetic that is wrong never does.
    #[test]
    fn a_known_cost_is_reported_within_5_percent() {
        const COST: Duration = Duration::from_micros(5);
        let known = |times: u32| -> Subject<'static> {
            Box::new(move |_| {
                let spin = |cost: Duration| {
                    let begin = Instant::now();
                    while begin.elapsed() < cost {
                        std::hint::spin_loop();
                    }
                };
                let shifts = crew::run(1, &[], |_| (0..40).for_each(|_| spin(COST * times)));
                Ok(Sample { units: 40, elapsed: crew::elapsed(&shifts), ..Sample::default() })
            })
        };
        let attempt = || {
            let report = run(&[known(1), known(2)], &PLAN);
            let [one, two] = &report.series[..] else { panic!("two subjects") };
            let told = |series: &Series| series.summary().unwrap().median / COST.as_nanos() as f64;
            (told(one), told(two), one.speed_beside(two).unwrap().value)
        };
        let is_right = |(one, two, ratio): &(f64, f64, f64)| {
            (1.0..1.05).contains(one) && (2.0..2.1).contains(two) && (1.95..2.05).contains(ratio)
        };
        let mut tries = Vec::new();
        while tries.len() < 30 && !tries.last().is_some_and(is_right) {
            tries.push(attempt());
        }
        assert!(tries.last().is_some_and(is_right), "{tries:?}");
    }

    #[test]
    fn a_stop_ends_it_between_samples() {
        let stop = AtomicBool::new(false);
        let subjects: [Subject<'_>; 1] = [Box::new(|_| Ok(sample(5)))];
        let report = measure(&subjects, &PLAN, &stop, &mut |taken, all, _| {
            assert_eq!(all, 10);
            stop.store(taken == 3, Ordering::Relaxed);
        });
        assert!(report.is_partial);
        assert_eq!(report.series[0].samples.len(), 3);
    }

    #[test]
    fn samples_of_a_moved_machine_are_dropped() {
        let stop = AtomicBool::new(false);
        let mut run = Run::new(&[], &stop, 1, None);
        let taken = |round, link| Taken { round, sample: sample(5), link: Some(link), is_kept: true };
        let links = [(30.0, 31.0), (31.0, 165.0), (165.0, 33.0), (33.0, 30.0)];
        run.links = links.iter().flat_map(|&(before, after)| [before, after]).collect();
        let samples = links.into_iter().enumerate().map(|(round, link)| taken(round, link)).collect();
        run.series = vec![Series { samples, ..Series::default() }];
        assert_eq!(run.sort_out(), (Some(31.0), 2));
        assert!(run.series[0].kept().map(|taken| taken.round).eq([0, 3]));
    }

    /// A machine that is moved between two states, the rarer of which takes three samples of ten: what is taken in that one
    /// costs more, does not count, and nearly every round is whole nevertheless.
    #[test]
    fn a_sample_of_a_moved_machine_is_taken_again() {
        let clock = Cell::new(0_u64);
        let is_moved = |time: u64| time % 20 >= 14;
        let link = || {
            clock.set(clock.get() + 1);
            if is_moved(clock.get()) { 170.0 } else { 30.0 }
        };
        let subject = |cost: u64| -> Subject<'_> {
            let clock = &clock;
            Box::new(move |_| {
                clock.set(clock.get() + 4);
                std::thread::sleep(Duration::from_millis(1));
                Ok(sample(if is_moved(clock.get()) { 5 * cost } else { cost }))
            })
        };
        let stop = AtomicBool::new(false);
        let plan = Plan { rounds: 20, ..PLAN };
        let report = measure_by(&[subject(100), subject(200)], &plan, &stop, &mut |_, _, _| {}, Some(&link));
        assert_eq!(report.link_ns, Some(30.0));
        // But for the first, which are taken before it is known what is usual.
        let (dropped, kept) = (report.dropped, report.taken - report.dropped);
        assert!(dropped > 0 && kept >= 36, "{dropped} dropped, {kept} kept");
        let ratio = report.series[0].speed_beside(&report.series[1]).unwrap();
        let interval = ratio.interval.unwrap();
        assert_eq!((ratio.value, interval.low, interval.high), (2.0, 2.0, 2.0));
    }

    #[test]
    fn a_disturbed_sample_is_taken_again_for_as_long_as_there_is_time() {
        let tries = Cell::new(0);
        let subject: Subject<'_> = Box::new(|_| {
            tries.set(tries.get() + 1);
            Ok(Sample { is_disturbed: tries.get() % 3 == 2, ..sample(5) })
        });
        let report = run(&[subject], &PLAN);
        assert_eq!((report.series[0].kept().count(), report.taken - report.dropped), (9, 9));
        // One that is always disturbed is not waited for without an end.
        let tries = Cell::new(0);
        let hopeless: Subject<'_> = Box::new(|_| {
            tries.set(tries.get() + 1);
            Ok(Sample { is_disturbed: true, ..sample(5) })
        });
        let report = run(&[hopeless], &PLAN);
        assert!(report.series[0].summary().is_none() && report.dropped == report.taken);
        // A round that warms up, nine and nine more: each of them once and then AGAIN.
        assert!(tries.get() <= 19 * (1 + AGAIN), "{}", tries.get());
    }

    #[test]
    fn rounds_are_added_where_too_few_count() {
        let subjects: [Subject<'_>; 1] = [Box::new(|_| Ok(sample(5)))];
        let stop = AtomicBool::new(false);
        let mut run = Run::new(&subjects, &stop, 1, None);
        assert!((1..=3).all(|round| run.round(round, Pass::Speed, &mut |_, _| {})));
        assert_eq!((run.whole_rounds(), run.begun), (3, 3));
        run.series[0].samples[1].is_kept = false;
        assert_eq!(run.whole_rounds(), 2);
    }

    #[test]
    fn two_identical_subjects_in_earnest_show_no_difference() {
        let spin = |_: Pass| {
            let begin = Instant::now();
            let sum = (0..20_000_u64).fold(0, |sum, number| std::hint::black_box(sum ^ number));
            std::hint::black_box(sum);
            Ok(Sample { units: 20_000, elapsed: begin.elapsed(), ..Sample::default() })
        };
        let different = (0..100).filter(|&seed| {
            let report = run(&[Box::new(spin), Box::new(spin)], &Plan { seed, ..PLAN });
            report.series[0].speed_beside(&report.series[1]).unwrap().is_difference()
        });
        let different = different.count();
        assert!(different <= 5, "{different} of 100 runs");
    }
}
