//! How far two processors are from each other: the time a cache line takes from one to the other.
//!
//! Everything that threads share moves by such transfers, so the time of one is the unit that a queue or a lock is best
//! measured in. It also tells whether two samples were taken on the same machine: the processors of a virtual machine
//! are moved about by its host, and the transfer then takes five times as long or a fifth, for seconds. A sample
//! between two probes that differ says nothing about the structure, and neither does one taken in another state than the
//! rest: [`usual`] finds the state that most probes were taken in, and [`is_steady`] tells the others apart.
//!
//! A probe bounces one line to and fro in small batches and takes the shortest, since whatever interrupts a batch
//! makes it longer and nothing makes it shorter. It takes less than a millisecond on an idle machine.

use super::crew::{self, Line};
use std::hint::spin_loop;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

const BATCHES: usize = 16;
const TRIPS: u32 = 64;
/// How much two probes of one state may differ; between the states lies a factor of three at least.
const TOLERANCE: f64 = 1.6;
/// A processor that got no answer for so many reads gives way: the other thread may not be running.
const PATIENCE: u32 = 20_000;

/// A line of its own, and no neighbours that share the prefetcher's pair of lines.
#[repr(align(128))]
struct Ball(AtomicU32);

/// The time of one transfer from processor `from` to processor `to`, in nanoseconds.
#[must_use]
pub fn probe(from: usize, to: usize) -> f64 {
    let (ball, line) = (Ball(AtomicU32::new(0)), Line::new(2));
    let shifts = crew::run(2, &[from, to], |index| {
        let mut shortest = f64::INFINITY;
        for batch in 0..BATCHES as u32 {
            line.wait();
            let begin = Instant::now();
            for trip in batch * TRIPS..(batch + 1) * TRIPS {
                bounce(&ball.0, 2 * trip + index as u32);
            }
            let time = begin.elapsed().as_nanos() as f64;
            shortest = shortest.min(time / f64::from(2 * TRIPS));
        }
        shortest
    });
    // Each side has the whole of its batches but for half a trip at one end.
    shifts.iter().map(|shift| shift.result).fold(f64::INFINITY, f64::min)
}

/// Waits for `mine` to be on the ball, and passes the next number on.
fn bounce(ball: &AtomicU32, mine: u32) {
    let mut reads = 0;
    while ball.load(Ordering::Acquire) != mine {
        reads += 1;
        if reads > PATIENCE {
            std::thread::yield_now();
        }
        spin_loop();
    }
    ball.store(mine + 1, Ordering::Release); // Pairs with the load above, on the other side.
}

/// The time of the state that most of `probes` were taken in: the middle of the largest group of them that are alike. None
/// without probes. The median of all will not do, since with three states it may lie in the rarest. Takes O(n log n).
#[must_use]
pub fn usual(probes: &[f64]) -> Option<f64> {
    let mut sorted = probes.to_vec();
    sorted.sort_by(f64::total_cmp);
    let group = |first: usize| {
        let alike = sorted[first..].partition_point(|time| *time < sorted[first] * TOLERANCE);
        &sorted[first..first + alike]
    };
    // Of several as large, the nearest processors.
    let largest = (0..sorted.len()).map(group).rev().max_by_key(|group| group.len())?;
    largest.get(largest.len() / 2).copied()
}

/// Whether a sample whose link took `before` and `after` belongs with those whose link took `usual`.
#[must_use]
pub fn is_steady(before: f64, after: f64, usual: f64) -> bool {
    let is_near = |time: f64| (1.0 / TOLERANCE..TOLERANCE).contains(&(time / usual));
    is_near(before) && is_near(after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::processor;

    #[test]
    fn a_transfer_takes_nanoseconds() {
        let all = processor::allowed().unwrap();
        let [first, second, ..] = all[..] else { return println!("skipped: one processor has no link") };
        let time = probe(first, second);
        assert!((1.0..10_000.0).contains(&time), "{time} ns");
    }

    #[test]
    fn the_usual_state_is_the_one_of_most_probes() {
        // Neighbours on one core, on one chip, and on two chips.
        let probes = [14.5, 36.0, 175.0, 38.0, 190.0, 14.1, 35.0, 201.0, 33.0, 14.0, 180.0];
        assert_eq!(usual(&probes), Some(36.0));
        // Here the median would be the rarest.
        assert_eq!(usual(&[14.0, 14.2, 14.4, 36.0, 175.0, 180.0]), Some(14.2));
        assert_eq!((usual(&[]), usual(&[31.0]), usual(&[30.0, 170.0])), (None, Some(31.0), Some(30.0)));
    }

    #[test]
    fn a_moved_machine_is_not_steady() {
        assert!(is_steady(31.0, 35.0, 33.0));
        assert!(!is_steady(31.0, 165.0, 33.0) && !is_steady(165.0, 31.0, 33.0) && !is_steady(165.0, 165.0, 33.0));
        assert!(is_steady(165.0, 170.0, 160.0));
    }
}
