//! A crew of threads that begin together, and whose own clocks count.
//!
//! Every worker is pinned if asked, waits at a starting line, reads the clock, works, and reads the clock again. The time
//! of the whole is the last end less the first begin. A clock held by whoever started the threads would measure
//! something else: with more threads than processors that thread may be scheduled after the work is done, and has been
//! seen to report thousands of times the true speed.
//!
//! Threads that are not pinned go wherever the kernel puts them. But where there are no fewer of them than processors, each
//! begins on one of its own, and all are let go before the starting line: the kernel has been seen to put two new threads
//! on one processor of two and to leave them there for ten milliseconds, a whole sample.
//!
//! The starting line spins for a moment and then yields, so that it also works with more threads than processors. It is
//! let down when a worker panics, so that the others do not wait for ever; the panic then goes on in the caller.

use crate::sys::processor;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Rounds of spinning before a waiting thread gives its processor away.
const SPINS: u32 = 200;

/// What one worker did.
#[derive(Clone, Debug)]
pub struct Shift<R> {
    /// What its work returned.
    pub result: R,
    /// When it began to work.
    pub begin: Instant,
    /// When it was done.
    pub end: Instant,
    /// Time on a processor in between.
    pub processor: Duration,
}

/// A place where a number of threads wait for each other, as often as they like.
#[derive(Debug)]
pub struct Line {
    threads: usize,
    arrived: AtomicUsize,
    is_down: AtomicBool,
}

impl Line {
    /// A line for so many threads.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        Self { threads, arrived: AtomicUsize::new(0), is_down: AtomicBool::new(false) }
    }

    /// Waits until all threads have come as often as this one.
    pub fn wait(&self) {
        // AcqRel: what was done before the line is seen behind it. Pairs with itself and the loads below.
        let place = self.arrived.fetch_add(1, Ordering::AcqRel);
        let full = (place / self.threads + 1) * self.threads;
        let mut spins = 0;
        while self.arrived.load(Ordering::Acquire) < full && !self.is_down.load(Ordering::Relaxed) {
            pause(&mut spins);
        }
    }
}

/// Waits a moment: spins at first, then gives the processor away. `spins` counts.
#[inline]
pub fn pause(spins: &mut u32) {
    if *spins < SPINS {
        *spins += 1;
        spin_loop();
    } else {
        std::thread::yield_now();
    }
}

/// Lets the line down when a worker panics.
struct Guard<'a>(&'a Line);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.is_down.store(true, Ordering::Relaxed);
        }
    }
}

/// Runs `work` on so many threads at once, each told its number, and returns what they did in that order. Thread `i` is
/// kept on processor `pins[i % pins.len()]`, or wherever the kernel puts it when there are none.
///
/// # Panics
/// When a worker panics, or the system has no thread to give.
pub fn run<R: Send>(threads: usize, pins: &[usize], work: impl Fn(usize) -> R + Sync) -> Vec<Shift<R>> {
    run_any(threads, pins, &work)
}

/// The same, compiled once for each result and not for each work: what starts a thread is a lot of code.
fn run_any<R: Send>(threads: usize, pins: &[usize], work: &(dyn Fn(usize) -> R + Sync)) -> Vec<Shift<R>> {
    let line = Line::new(threads);
    let all = processor::allowed().unwrap_or_default();
    let is_spread = pins.is_empty() && all.len() > 1 && threads >= all.len();
    let shift = |index: usize| {
        let _guard = Guard(&line);
        if is_spread {
            // Where the kernel does not allow it any more, the threads stay where it puts them.
            let _ = processor::pin(all[index % all.len()]).and_then(|()| processor::keep_on(&all));
        }
        if let Some(&processor) = pins.get(index.checked_rem(pins.len()).unwrap_or(0)) {
            // A processor that went offline since the pins were chosen: the kernel then chooses another.
            let _ = processor::pin(processor);
        }
        line.wait();
        let (begin, processor) = (Instant::now(), processor::time_of_thread());
        let result = work(index);
        let (processor, end) = (processor::time_of_thread().saturating_sub(processor), Instant::now());
        Shift { result, begin, end, processor }
    };
    let (line, shift) = (&line, &shift);
    std::thread::scope(|scope| {
        let start = |index| {
            let started = std::thread::Builder::new().spawn_scoped(scope, move || shift(index));
            // Otherwise those already started would wait for it, and the scope for them.
            started.inspect_err(|_| line.is_down.store(true, Ordering::Relaxed)).expect("a thread can be started")
        };
        let started: Vec<_> = (0..threads).map(start).collect();
        let joined = started.into_iter().map(|thread| thread.join());
        joined.map(|shift| shift.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// The last end less the first begin; zero when nobody worked.
#[must_use]
pub fn elapsed<R>(shifts: &[Shift<R>]) -> Duration {
    let begin = shifts.iter().map(|shift| shift.begin).min();
    let end = shifts.iter().map(|shift| shift.end).max();
    begin.zip(end).map_or(Duration::ZERO, |(begin, end)| end - begin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::stats;

    /// Work whose cost is known: it is done when that time has passed.
    fn spin(cost: Duration) {
        let begin = Instant::now();
        while begin.elapsed() < cost {
            spin_loop();
        }
    }

    #[test]
    fn a_known_cost_is_reported() {
        // In all short enough to be seldom interrupted on a busy host.
        const COST: Duration = Duration::from_micros(20);
        let per_operation = |_| {
            let work = |_| (0..20).for_each(|_| spin(COST));
            elapsed(&run(1, &[], work)).as_nanos() as f64 / 20.0
        };
        let told = stats::median(&(0..31).map(per_operation).collect::<Vec<_>>()).unwrap();
        assert!((1.0..1.05).contains(&(told / COST.as_nanos() as f64)), "{told} ns for 20,000");
    }

    #[test]
    fn all_begin_together_and_the_whole_encloses_all() {
        let shifts = run(4, &[], |index| {
            spin(Duration::from_micros(50 * (index as u64 + 1)));
            index
        });
        assert!(shifts.iter().map(|shift| shift.result).eq(0..4));
        assert!(shifts.iter().all(|shift| shift.end - shift.begin <= elapsed(&shifts)));
        assert!(elapsed(&shifts) >= Duration::from_micros(200));
    }

    #[test]
    fn sleeping_takes_no_processor() {
        let shifts = run(2, &[], |_| std::thread::sleep(Duration::from_millis(20)));
        assert!(shifts.iter().all(|shift| shift.processor < Duration::from_millis(10)));
    }

    #[test]
    fn pinned_workers_stay_where_they_are_put() {
        let all = processor::allowed().unwrap();
        let shifts = run(3, &all, |_| processor::allowed().unwrap());
        for (index, shift) in shifts.iter().enumerate() {
            assert_eq!(shift.result, [all[index % all.len()]]);
        }
    }

    #[test]
    fn workers_without_pins_may_go_anywhere() {
        let all = processor::allowed().unwrap();
        let shifts = run(all.len() + 1, &[], |_| processor::allowed().unwrap());
        assert!(shifts.iter().all(|shift| shift.result == all));
    }

    #[test]
    fn a_line_can_be_used_again() {
        let (line, sum) = (Line::new(3), AtomicUsize::new(0));
        run(3, &[], |_| {
            for round in 1..=100 {
                sum.fetch_add(1, Ordering::Relaxed);
                line.wait();
                assert_eq!(sum.load(Ordering::Relaxed), 3 * round);
                line.wait();
            }
        });
    }

    #[test]
    #[should_panic(expected = "at work")]
    fn a_panic_reaches_the_caller() {
        run(2, &[], |index| assert_eq!(index, 0, "at work"));
    }
}
