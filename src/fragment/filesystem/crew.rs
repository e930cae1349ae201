//! Workers on one task, and the caller's own thread that tells how they do.

use super::Progress;
use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Time between ticks.
const TICK: Duration = Duration::from_millis(50);

/// What the workers report while they work. Relaxed throughout: these are figures to look at, nothing is handed over by
/// them.
#[derive(Debug)]
pub(super) struct Watch<'request> {
    stop: &'request AtomicBool,
    files: AtomicU64,
    done: AtomicU64,
    total: AtomicU64,
    started: Instant,
}

impl<'request> Watch<'request> {
    pub(super) fn new(stop: &'request AtomicBool, started: Instant) -> Self {
        Self { stop, files: AtomicU64::new(0), done: AtomicU64::new(0), total: AtomicU64::new(0), started }
    }

    /// Whether the caller wants no more.
    #[inline]
    pub(super) fn stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// So many pieces of work there are.
    pub(super) fn expect(&self, total: u64) {
        self.total.store(total, Relaxed);
    }

    /// One piece is done, and `files` were met on the way.
    pub(super) fn advance(&self, pieces: u64, files: u64) {
        self.done.fetch_add(pieces, Relaxed);
        self.files.fetch_add(files, Relaxed);
    }

    pub(super) fn progress(&self, naming: bool) -> Progress {
        Progress {
            files: self.files.load(Relaxed),
            done: self.done.load(Relaxed),
            total: self.total.load(Relaxed),
            naming,
            elapsed: self.started.elapsed(),
        }
    }
}

/// The workers to take where the caller does not say.
pub(super) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Runs `work` on so many threads at once, and `tick` here about twenty times a second until all are through. Where
/// the system has no thread to give, those there are do the work; where there is none, this one does.
pub(super) fn run<T: Send>(threads: usize, tick: &mut dyn FnMut(), work: impl Fn() -> T + Sync) -> Vec<T> {
    let work = &work;
    std::thread::scope(|scope| {
        // Nobody sends: the channel closes when the last worker has dropped its end.
        let (alive, news) = mpsc::channel::<()>();
        let hire = || {
            let alive = alive.clone();
            let worker = move || {
                let _alive = alive;
                work()
            };
            std::thread::Builder::new().name("scan".into()).spawn_scoped(scope, worker).ok()
        };
        let workers: Vec<_> = (0..threads).map_while(|_| hire()).collect();
        if workers.is_empty() {
            return vec![work()];
        }
        drop(alive);
        while news.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            tick();
        }
        let results = workers.into_iter().map(|worker| worker.join());
        results.map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_worker_works_and_the_caller_ticks() {
        let ticks = &mut 0;
        let results = run(3, &mut || *ticks += 1, || std::thread::sleep(Duration::from_millis(120)));
        assert_eq!(results.len(), 3);
        assert!(*ticks >= 1);
    }
}
