//! The load `open`: one thread puts items in on a schedule, another takes each out as soon as it is there.
//!
//! What is told is how long an item takes from when it was *to be* put in until it is taken. The schedule does not wait for
//! anybody: an item that comes late because the structure held its producer up, or because those before it were
//! late, counts from its place in the schedule. A closed loop, in which the next operation begins when the last has ended,
//! counts a stall once, however many would have come meanwhile (Gil Tene calls that coordinated omission). Here a stall of
//! a millisecond at 500,000 items a second delays 500 of them, and all are counted.
//!
//! The producer looks at the clock until an item is due, and when it is late puts in at once. The consumer tries again and
//! again. Nobody sleeps, nor spares the processor with pauses, which take as long as what is measured: so the time is
//! that of the structure and of a line from core to core, and contains up to two readings of the clock. A sample in which
//! others had part of that time does not count.

use super::workload::Hand;
use super::{Bag, Payload};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use toolbox::bench::Histogram;
use toolbox::bench::crew::{self, Line, Shift};
use toolbox::bench::rounds::Sample;
use toolbox::bench::verify::{Put, Taken};

/// From the starting line to the first item, so that both are at work by then.
const LEAD_NS: u64 = 20_000;
/// Fruitless tries after which the consumer lets others have the processor, where there may be no other.
const TRIES: u32 = 20_000;
const PATIENCE: Duration = Duration::from_millis(250);
/// Less of two processors than this was not theirs alone.
const NEARLY_TWO: f64 = 1.9;

/// When items are to be put in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    /// How many there are.
    pub(super) items: u64,
    /// How many to a second.
    pub(super) rate: u64,
}

impl Schedule {
    /// When item `number`, from 1, is due, in nanoseconds after the first.
    fn due_ns(self, number: u64) -> u64 {
        (u128::from(number.saturating_sub(1)) * 1_000_000_000 / u128::from(self.rate)) as u64
    }
}

/// What both threads have seen.
pub(super) type Seen = (Put, Taken, Option<Vec<u64>>);

/// Runs the schedule on `bag`. The producer is thread 0; the consumer comes back with how long each item took, in
/// nanoseconds, in the order in which it got them.
pub(super) fn run<Q: Bag<T>, T: Payload>(bag: &Q, schedule: Schedule, pins: &[usize]) -> Vec<Shift<Seen>> {
    let (line, start, is_done) = (Line::new(2), AtomicU64::new(0), AtomicBool::new(false));
    let base = Instant::now();
    let now = || base.elapsed().as_nanos() as u64;
    crew::run(2, pins, |index| {
        let mut hand = Hand::silent(bag, index);
        if index == 0 {
            start.store(now() + LEAD_NS, Ordering::Relaxed); // The line publishes it.
            line.wait();
            let start = start.load(Ordering::Relaxed);
            for number in 1..=schedule.items {
                let due = start + schedule.due_ns(number);
                while now() < due {}
                hand.push();
            }
            is_done.store(true, Ordering::Release); // Pairs with the load below: all items are in.
            return (hand.put, hand.taken, None);
        }
        // Written to, so that the kernel does not have to come up with the memory in the middle.
        let mut times = vec![1; schedule.items as usize];
        times.clear();
        line.wait();
        let start = start.load(Ordering::Relaxed);
        let (mut tries, mut since) = (0_u32, None);
        while (times.len() as u64) < schedule.items {
            if let Some(number) = hand.pop_number() {
                times.push(now().saturating_sub(start + schedule.due_ns(number)));
                tries = 0;
                continue;
            }
            tries += 1;
            if tries.is_multiple_of(TRIES) {
                std::thread::yield_now();
                // One that should be there and does not come has been lost; the check will tell.
                let waits = is_done.load(Ordering::Acquire);
                if waits && since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
                    break;
                }
            }
        }
        (hand.put, hand.taken, Some(times))
    })
}

/// What the times of a run come to: the median is the time of a unit.
pub(super) fn tell(sample: Sample, times: &[u64]) -> Sample {
    let mut latency = Histogram::default();
    times.iter().for_each(|&time| latency.record(time));
    let mut times = times.to_vec();
    let middle = times.len() / 2;
    let median = if times.is_empty() { None } else { Some(*times.select_nth_unstable(middle).1 as f64) };
    let quantile = |share| latency.quantile(share).unwrap_or(latency.largest()) as f64;
    let extra = vec![("taken_p99_ns", quantile(0.99)), ("taken_p999_ns", quantile(0.999))];
    Sample { own_unit_ns: median, extra, latency: Some(latency), ..sample }
}

/// Whether the threads had less than nearly two processors between them, where there are two for them. Neither of them
/// ever sleeps, so what is missing went to others, and how long items waited is then about those.
pub(super) fn lacked_processors(sample: &Sample, pins: &[usize]) -> bool {
    let there_are = std::thread::available_parallelism().map_or(1, usize::from);
    let is_one_for_both = pins.first().is_some_and(|first| pins.get(1).is_none_or(|second| first == second));
    there_are > 1 && !is_one_for_both && sample.processor.as_secs_f64() < NEARLY_TWO * sample.elapsed.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::super::Discipline;
    use super::*;
    use std::collections::VecDeque;
    use std::sync::Mutex;

    const SCHEDULE: Schedule = Schedule { items: 10_000, rate: 500_000 };
    const STALL: Duration = Duration::from_millis(1);

    /// A queue that does nothing for a millisecond, once, when this many items were taken.
    struct Stalling(Mutex<(VecDeque<u64>, u64)>);

    impl Bag<u64> for Stalling {
        const DISCIPLINE: Discipline = Discipline::Queue;

        fn new(_: usize) -> Self {
            Self(Mutex::default())
        }

        fn push(&self, item: u64) -> Result<(), u64> {
            self.0.lock().unwrap().0.push_back(item);
            Ok(())
        }

        fn pop(&self) -> Option<u64> {
            let mut inside = self.0.lock().unwrap();
            let item = inside.0.pop_front()?;
            inside.1 += 1;
            let begin = Instant::now();
            while inside.1 == 2000 && begin.elapsed() < STALL {}
            Some(item)
        }
    }

    #[test]
    fn a_stall_delays_all_that_were_due_meanwhile() {
        let bag = Stalling::new(0);
        let shifts = run::<_, u64>(&bag, SCHEDULE, &[]);
        let times = shifts[1].result.2.clone().expect("the second thread takes");
        assert_eq!((times.len(), shifts[0].result.0.count()), (10_000, 10_000));
        // Due in the first nine tenths of the stall is more than a tenth of it late, whatever the host does.
        let late = times.iter().filter(|&&time| time > STALL.as_nanos() as u64 / 10).count();
        assert!(late >= 445, "{late} of 500 were late");
        let told = tell(Sample::default(), &times);
        let latency = told.latency.unwrap();
        assert!(latency.quantile(0.96) > Some(100_000) && latency.largest() >= 990_000, "{:?}", latency.largest());
        assert!(told.extra.iter().any(|(name, value)| *name == "taken_p99_ns" && *value > 100_000.0));
        assert!(told.own_unit_ns.is_some());
    }

    #[test]
    fn a_sample_without_its_processors_does_not_count() {
        if std::thread::available_parallelism().is_ok_and(|there_are| there_are.get() < 2) {
            return println!("skipped: there is one processor");
        }
        let sample = |processor| Sample {
            elapsed: Duration::from_millis(10),
            processor: Duration::from_millis(processor),
            ..Sample::default()
        };
        assert!(lacked_processors(&sample(17), &[]) && !lacked_processors(&sample(20), &[0, 1]));
        // Both on one processor is what was asked for.
        assert!(!lacked_processors(&sample(10), &[1]) && !lacked_processors(&sample(10), &[1, 1]));
    }

    #[test]
    fn the_schedule_is_kept() {
        let bag = Stalling::new(0);
        let shifts = run::<_, u64>(&bag, SCHEDULE, &[]);
        // 10,000 items at 500,000 a second take 20 ms but for the last interval, and the lead.
        let elapsed = shifts[0].end - shifts[0].begin;
        assert!(elapsed >= Duration::from_nanos(9_999 * 2_000 + LEAD_NS), "{elapsed:?}");
        assert_eq!((SCHEDULE.due_ns(1), SCHEDULE.due_ns(501)), (0, 1_000_000));
        let odd = Schedule { items: 1, rate: 300_000_000 };
        assert_eq!([odd.due_ns(2), odd.due_ns(3), odd.due_ns(4)], [3, 6, 10]);
    }
}
