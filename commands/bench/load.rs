//! What the loads of all benches share: for how long, where, and the work of a thread's own.

use std::hint::black_box;
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

/// Work of a thread's own, in which nothing is shared and no clock is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) steps_a_ns: f64,
}

impl Work {
    const LEAST_NS: f64 = 50.0;
    const MORE_NS: f64 = 100.0;

    /// Finds out how fast this processor works, now.
    pub(super) fn calibrate() -> Self {
        const STEPS: u32 = 20_000;
        let time = |_| {
            let begin = Instant::now();
            spin(STEPS);
            begin.elapsed().as_nanos() as f64
        };
        let shortest = (0..50).map(time).fold(f64::INFINITY, f64::min);
        Self { steps_a_ns: f64::from(STEPS) / shortest.max(1.0) }
    }

    /// The work between two operations: 50 to 150 ns, drawn anew each time.
    #[inline]
    pub(super) fn some(self, random: &mut Random) {
        self.last(Self::LEAST_NS + Self::MORE_NS * random.share());
    }

    /// Works for so many nanoseconds, of a processor that is not interrupted.
    #[inline]
    pub(super) fn last(self, nanoseconds: f64) {
        spin((nanoseconds * self.steps_a_ns) as u32);
    }
}

#[inline]
fn spin(steps: u32) {
    for step in 0..steps {
        black_box(step);
    }
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
}
