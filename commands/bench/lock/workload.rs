//! What the threads do to a lock in one sample: take it, to write or to read, work inside for a given time, let it go,
//! and work by themselves for 50 to 150 ns.
//!
//! The unit is a lock taken and let go, by all threads together. Every writer counts the four words of the record up and
//! every reader compares them; in the end they have to say how many writes there were.
//!
//! A thread reads its clock every few locks, so seldom that the reading costs little beside them; the longest time between
//! two readings is the longest wait, and at most those few locks longer.

use super::check::wrong_count;
use super::{Lock, Record};
use crate::bench::load::Setup;
use std::fmt;
use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};
use toolbox::bench::Histogram;
use toolbox::bench::crew;
use toolbox::bench::random::Random;
use toolbox::bench::rounds::{Pass, Sample};
use toolbox::bench::verify::Fault;

/// Locks between two readings of the clock: few where one takes long.
const UNLOOKED: u64 = 64;
const UNLOOKED_NS: u64 = 10_000;

/// One shape of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Case {
    /// How many threads there are.
    pub(super) threads: usize,
    /// How many in a hundred locks are to write.
    pub(super) writes: u8,
    /// How long the lock is held, in nanoseconds, beyond what the record takes.
    pub(super) held_ns: u64,
    /// Whether a thread has something to do between two locks.
    pub(super) has_work: bool,
}

impl Case {
    /// Locks between two readings of the clock, a power of two.
    fn unlooked(self) -> u64 {
        (UNLOOKED_NS / (self.held_ns + 100)).clamp(1, UNLOOKED).next_power_of_two()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = crate::ui::numbers::nanoseconds(self.held_ns);
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        write!(formatter, "{} % writes, held {held}, {} {threads}", self.writes, self.threads)?;
        if self.has_work { Ok(()) } else { write!(formatter, ", bare") }
    }
}

/// A lock on lines of its own, as those of a program are as a rule.
#[repr(align(128))]
struct Apart<L>(L);

/// What a thread comes back with.
struct Turn {
    locks: u64,
    writes: u64,
    /// Writes that came after one of another thread.
    handed: u64,
    /// How often the words of the record differed.
    torn: u64,
    longest: Duration,
    latency: Option<Histogram>,
}

/// Takes one sample of a lock under a load, and checks what became of the record.
///
/// # Errors
/// When somebody was inside who should not have been.
pub(super) fn sample<L: Lock>(case: &Case, setup: &Setup, pass: Pass) -> Result<Sample, Fault> {
    let (lock, stop) = (Apart(L::new()), AtomicBool::new(false));
    let run = Run { case, setup, pass, stop: &stop };
    let shifts = crew::run(case.threads, &setup.pins, |index| run.turn(&lock.0, index));
    let sum = |of: fn(&Turn) -> u64| shifts.iter().map(|shift| of(&shift.result)).sum::<u64>();
    let (units, writes, torn) = (sum(|turn| turn.locks), sum(|turn| turn.writes), sum(|turn| turn.torn));
    if L::EXCLUDES && torn > 0 {
        return Err(Fault::Wrong(format!("somebody inside beside a writer: the record was torn {torn} times")));
    }
    let counted = lock.0.write(Record::look);
    if L::EXCLUDES && counted != Some(writes) {
        return Err(wrong_count(counted, writes));
    }
    let mut latency = (pass == Pass::Latency).then(Histogram::default);
    for shift in &shifts {
        latency.iter_mut().zip(&shift.result.latency).for_each(|(all, one)| all.merge(one));
    }
    let handed = sum(|turn| turn.handed) as f64 / writes.max(1) as f64;
    let is_shared = case.threads > 1;
    Ok(Sample {
        units,
        elapsed: crew::elapsed(&shifts),
        processor: shifts.iter().map(|shift| shift.processor).sum(),
        by_thread: if is_shared { shifts.iter().map(|shift| shift.result.locks).collect() } else { Vec::new() },
        longest: if is_shared { shifts.iter().map(|shift| shift.result.longest).max() } else { None },
        extra: if is_shared && writes > 0 { vec![("handed_share", handed)] } else { Vec::new() },
        latency,
        ..Sample::default()
    })
}

/// One sample in the making.
struct Run<'a> {
    case: &'a Case,
    setup: &'a Setup,
    pass: Pass,
    /// Set by the first thread for which the sample has lasted long enough.
    stop: &'a AtomicBool,
}

impl Run<'_> {
    /// What one thread does.
    fn turn<L: Lock>(&self, lock: &L, index: usize) -> Turn {
        let mut random = Random::new(index as u64 + 1);
        let latency = (self.pass == Pass::Latency).then(Histogram::default);
        let mut turn = Turn { locks: 0, writes: 0, handed: 0, torn: 0, longest: Duration::ZERO, latency };
        let (limit, unlooked) = (self.setup.operations.unwrap_or(u64::MAX), self.case.unlooked());
        let begin = Instant::now();
        let mut looked = begin;
        // What the words were after this thread's last write.
        let mut own = None;
        while turn.locks < limit && !self.stop.load(Relaxed) {
            let asked = turn.latency.as_ref().map(|_| Instant::now());
            if random.below(100) < u32::from(self.case.writes) {
                let (before, waited) = lock.write(|record| self.inside(asked, || record.count()));
                turn.note(waited);
                turn.writes += 1;
                turn.torn += u64::from(before.is_none());
                turn.handed += u64::from(before != own);
                own = before.map(|count| count + 1);
            } else {
                let (seen, waited) = lock.read(|record| self.inside(asked, || black_box(record.look())));
                turn.note(waited);
                turn.torn += u64::from(seen.is_none());
            }
            turn.locks += 1;
            if self.case.has_work {
                self.setup.work.some(&mut random);
            }
            if turn.locks & (unlooked - 1) == 0 {
                let now = Instant::now();
                turn.longest = turn.longest.max(now - looked);
                looked = now;
                if self.setup.operations.is_none() && now - begin >= self.setup.duration {
                    self.stop.store(true, Relaxed);
                }
            }
        }
        turn
    }

    /// What is done while the lock is held. Returns how long it took to get in as well, if it was `asked` for then.
    #[inline]
    fn inside<R>(&self, asked: Option<Instant>, act: impl FnOnce() -> R) -> (R, Option<Duration>) {
        let waited = asked.map(|asked| asked.elapsed());
        let result = act();
        if self.case.held_ns > 0 {
            self.setup.work.last(self.case.held_ns as f64);
        }
        (result, waited)
    }
}

impl Turn {
    #[inline]
    fn note(&mut self, waited: Option<Duration>) {
        if let Some((latency, waited)) = self.latency.as_mut().zip(waited) {
            latency.record(waited.as_nanos() as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::load::Work;
    use crate::bench::lock::{Rival, rwlock};
    use crate::bench::subject::Role;

    fn setup(operations: Option<u64>) -> Setup {
        let work = Work::with_steps(1.0);
        Setup { duration: Duration::from_millis(2), operations, pins: vec![], work }
    }

    fn rivals(role: Role) -> Vec<Rival> {
        rwlock::rivals().into_iter().filter(|rival| rival.role == role).collect()
    }

    const CASE: Case = Case { threads: 3, writes: 50, held_ns: 0, has_work: true };

    #[test]
    fn every_rival_passes_under_every_load() {
        for rival in rivals(Role::Rival) {
            assert_eq!((rival.check)(), Ok(()), "{}", rival.name);
            for (threads, writes) in [(1, 0), (1, 100), (3, 1), (3, 50), (3, 100)] {
                let case = Case { threads, writes, ..CASE };
                let sample = (rival.measure)(&case, &setup(Some(50)), Pass::Speed).expect(rival.name);
                assert_eq!((sample.units, sample.latency.is_none()), (50 * threads as u64, true), "{case}");
            }
        }
    }

    #[test]
    fn what_is_broken_is_caught_before() {
        for (rival, evidence) in rivals(Role::Broken).into_iter().zip(["two writers inside", "a reader inside beside"])
        {
            let faults = (rival.check)().expect_err(rival.name);
            let said = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            assert!(said.contains(evidence), "{}: {said}", rival.name);
        }
    }

    #[test]
    fn a_record_shows_who_was_inside() {
        let record = Record::default();
        assert_eq!((record.count(), record.count(), record.look()), (Some(0), Some(1), Some(2)));
        record.words[2].store(7, Relaxed);
        assert_eq!((record.look(), record.count()), (None, None));
        assert!(wrong_count(Some(3), 4).to_string().contains("counts 3 writes, and there were 4"));
        assert!(wrong_count(None, 4).to_string().contains("words that differ"));
    }

    #[test]
    fn a_sample_lasts_as_long_as_it_should_and_times_operations_when_asked() {
        let std = rivals(Role::Rival).into_iter().find(|rival| rival.name == "std").expect("it is in the list");
        let sample = (std.measure)(&CASE, &setup(None), Pass::Latency).expect("it is right");
        assert!(sample.elapsed >= Duration::from_millis(2) && sample.by_thread.len() == 3);
        assert_eq!(sample.latency.expect("it was asked for").count(), sample.units);
        assert!(sample.longest.is_some() && sample.extra[0].0 == "handed_share");
    }

    #[test]
    fn long_sections_have_the_clock_read_often() {
        let unlooked = |held_ns| Case { held_ns, ..CASE }.unlooked();
        assert_eq!([0, 100, 750, 5_000, 1_000_000].map(unlooked), [64, 64, 16, 1, 1]);
    }
}
