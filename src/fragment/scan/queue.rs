//! The work still to be done: a stack of directories under one lock.
//!
//! A lock is enough: a worker takes it twice for each directory, which is a thousandth of the time that reading the
//! directory takes. Last in, first out keeps the stack as short as the tree is deep.

use super::job::Job;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
struct Inner {
    jobs: Vec<Job>,
    /// Jobs taken and not yet finished, and jobs waiting.
    pending: usize,
    /// Workers that run, those given up not counted.
    live: usize,
    /// Workers to be sent home.
    surplus: usize,
    /// Workers that wait for the caller's source of roots: one at most.
    feeding: usize,
}

/// The queue of one scan.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// Something was pushed, or there is no more to come.
    work: Condvar,
    /// The end of a worker, or of the work.
    change: Condvar,
    idle: AtomicUsize,
    /// Written under the lock, read anywhere.
    closed: AtomicBool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the caller's source for a root by `draw`; says too whether no other worker is there to go on meanwhile.
    pub(super) fn while_feeding<T>(&self, draw: impl FnOnce() -> T) -> (bool, T) {
        let mut inner = self.lock();
        inner.feeding += 1;
        let alone = inner.live <= 1;
        drop(inner);
        let drawn = draw();
        self.lock().feeding -= 1;
        (alone, drawn)
    }

    /// Whether a worker waits for the source.
    pub(super) fn is_feeding(&self) -> bool {
        self.lock().feeding > 0
    }

    /// Pushes a job that is taken when there is no other.
    pub(super) fn push_last(&self, job: Job) {
        let mut inner = self.lock();
        inner.pending += 1;
        inner.jobs.insert(0, job);
        drop(inner);
        self.work.notify_one();
    }

    /// Pushes what was found in one directory; the last of `jobs` is taken first.
    pub(super) fn push_all(&self, jobs: &mut Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        let mut inner = self.lock();
        inner.pending += jobs.len();
        inner.jobs.append(jobs);
        drop(inner);
        if self.idle.load(Relaxed) > 0 {
            self.work.notify_all();
        }
    }

    /// The next job; `None` when there will be no more.
    pub(super) fn take(&self) -> Option<Job> {
        let mut inner = self.lock();
        loop {
            if self.is_closed() || inner.pending == 0 {
                return None;
            }
            // The last one stays, whatever became of the others.
            if inner.surplus > 0 && inner.live > 1 {
                inner.surplus -= 1;
                return None;
            }
            if let Some(job) = inner.jobs.pop() {
                return Some(job);
            }
            // Written under the lock, so that whoever pushes after us sees it: no wake-up is lost.
            self.idle.fetch_add(1, Relaxed);
            inner = self.work.wait(inner).unwrap_or_else(PoisonError::into_inner);
            self.idle.fetch_sub(1, Relaxed);
        }
    }

    /// A job that was taken is done.
    pub(super) fn finish(&self) {
        let mut inner = self.lock();
        inner.pending -= 1;
        if inner.pending == 0 {
            self.work.notify_all();
            self.change.notify_all();
        }
    }

    /// Hands out no more jobs.
    pub(super) fn close(&self) {
        let inner = self.lock();
        // Relaxed: the lock orders it for those who wait, and whoever only looks may see it late.
        self.closed.store(true, Relaxed);
        drop(inner);
        self.work.notify_all();
        self.change.notify_all();
    }

    /// Whether no more jobs are handed out.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    /// Workers that wait for a job.
    pub(super) fn idle(&self) -> usize {
        self.idle.load(Relaxed)
    }

    /// Sends workers home, as they ask for more work, until `count` are left.
    pub(super) fn limit(&self, count: usize) {
        let mut inner = self.lock();
        inner.surplus = inner.live.saturating_sub(count);
    }

    /// One worker more.
    pub(super) fn enlist(&self) {
        self.lock().live += 1;
    }

    /// One worker less.
    pub(super) fn dismiss(&self) {
        self.lock().live -= 1;
        self.change.notify_all();
    }

    /// Waits until all work is done and all workers are gone, or for `time`; whether it is so. After [`Queue::close`] a
    /// worker that waits for the caller's source of roots is not waited for.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let inner = self.lock();
        let at_work = |inner: &mut Inner| match self.is_closed() {
            true => inner.live > inner.feeding,
            false => inner.live > 0 || inner.pending > 0,
        };
        let (mut inner, _) =
            self.change.wait_timeout_while(inner, time, at_work).unwrap_or_else(PoisonError::into_inner);
        !at_work(&mut inner)
    }
}
