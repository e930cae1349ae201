//! What the loads of all benches share: for how long, where, and the work of a thread's own.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};
use toolbox::bench::random::Random;

/// What is the same for all cases of a run.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// How long a sample takes, where the load has no number of units of its own.
    pub(super) duration: Duration,
    /// How many units a thread does, instead.
    pub(super) operations: Option<u64>,
    /// Processors to keep the threads on.
    pub(super) pins: Vec<usize>,
    /// How fast a thread works by itself.
    pub(super) work: Work,
}

/// Work of a thread's own, in which nothing is shared and no clock is read: a chain of steps, each of which waits for the
/// one before.
///
/// That makes its speed the clock's and nothing else. A loop of independent steps takes what the core has to give, and
/// twice as long when its other half is busy: with another guest, or with the other thread of the load itself. The clock may
/// change as well, so the speed is found out anew before each sample ([`Work::refresh`]), and looked at after it.
///
/// Clones share what was found out.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// The bits of a floating-point number. Relaxed, as all of it: who starts threads publishes it to them.
    steps_a_ns: Arc<AtomicU64>,
}

/// How often the speed is looked at in a row: the best counts, since whatever interrupts makes it lower.
const LOOKS: u32 = 16;
/// A look, in steps: a few microseconds.
const STEPS: u32 = 4000;
/// Another speed by more than this share is another load.
const DRIFT: f64 = 0.05;

impl Work {
    const LEAST_NS: f64 = 50.0;
    const MORE_NS: f64 = 100.0;

    /// Finds out how fast this processor works, now.
    pub(super) fn calibrate() -> Self {
        Self::with_steps(steps_a_ns())
    }

    /// So many steps to a nanosecond, until it is found out anew.
    pub(super) fn with_steps(steps_a_ns: f64) -> Self {
        Self { steps_a_ns: Arc::new(AtomicU64::new(steps_a_ns.to_bits())) }
    }

    /// Finds out anew how fast this processor works. Takes less than a tenth of a millisecond.
    pub(super) fn refresh(&self) {
        self.steps_a_ns.store(steps_a_ns().to_bits(), Relaxed);
    }

    /// Whether the processor is still as fast as when that was found out.
    pub(super) fn is_fresh(&self) -> bool {
        (steps_a_ns() / self.steps() - 1.0).abs() <= DRIFT
    }

    /// The work between two operations: 50 to 150 ns, drawn anew each time.
    #[inline]
    pub(super) fn some(&self, random: &mut Random) {
        self.last(Self::LEAST_NS + Self::MORE_NS * random.share());
    }

    /// Works for so many nanoseconds, of a processor that is not interrupted.
    #[inline]
    pub(super) fn last(&self, nanoseconds: f64) {
        spin((nanoseconds * self.steps()) as u32);
    }

    #[inline]
    fn steps(&self) -> f64 {
        f64::from_bits(self.steps_a_ns.load(Relaxed))
    }
}

fn steps_a_ns() -> f64 {
    let time = |_| {
        let begin = Instant::now();
        spin(STEPS);
        begin.elapsed().as_nanos() as f64
    };
    let shortest = (0..LOOKS).map(time).fold(f64::INFINITY, f64::min);
    f64::from(STEPS) / shortest.max(1.0)
}

/// Some four cycles a step: a rotation and a multiplication, which no compiler can do for several steps at once.
#[inline]
fn spin(steps: u32) {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 divided by the golden ratio.
    let mut value = black_box(ODD);
    for _ in 0..steps {
        value = value.rotate_left(7).wrapping_mul(ODD);
    }
    black_box(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A processor that is shared works now faster and now slower, so what was found out holds for a moment only: one
    /// try of many has to come out right, and a calibration that is wrong never does.
    #[test]
    fn own_work_is_calibrated() {
        let attempt = || {
            let work = Work::calibrate();
            let time = |_| {
                let begin = Instant::now();
                work.last(100_000.0);
                begin.elapsed().as_nanos() as f64
            };
            (0..50).map(time).fold(f64::INFINITY, f64::min)
        };
        let tries: Vec<f64> = (0..20).map(|_| attempt()).collect();
        assert!(tries.iter().any(|shortest| (90_000.0..110_000.0).contains(shortest)), "{tries:?} ns, not 100,000");
    }

    /// As if the processor had another clock than when it was looked at.
    #[test]
    fn what_was_found_out_of_another_clock_is_found_out_anew() {
        let work = Work::with_steps(2.0 * steps_a_ns());
        assert!(!work.is_fresh());
        let other = work.clone();
        // On a busy host two looks may differ.
        let is_mended = (0..20).any(|_| {
            work.refresh();
            other.is_fresh()
        });
        assert!(is_mended);
    }
}
