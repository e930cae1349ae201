//! The work still to be done: a stack of directories under one lock.
//!
//! A lock is enough: a worker takes it twice for each directory, which is a thousandth of the time that reading the
//! directory takes. Last in, first out keeps the stack as short as the tree is deep.

use super::worker::Job;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Roots that wait on the stack before their source is asked for more.
const ROOTS_WAITING: usize = 1024;

#[derive(Default)]
struct Inner {
    jobs: Vec<Job>,
    /// Jobs taken and not yet finished, jobs waiting, and one for the source of roots until it has no more.
    pending: usize,
    /// Workers that run, those given up not counted.
    live: usize,
    /// Workers to be sent home.
    surplus: usize,
    closed: bool,
    /// The source of roots waits for room.
    feeder_waits: bool,
}

/// The queue of one scan.
#[derive(Default)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// Something was pushed, or there is no more to come.
    work: Condvar,
    /// Room for a root.
    room: Condvar,
    /// The end of a worker, or of the work.
    change: Condvar,
    idle: AtomicUsize,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces the source of roots, which ends with [`Queue::finish`] like a job.
    pub(super) fn begin_feeding(&self) {
        self.lock().pending += 1;
    }

    /// Pushes a root when there is room for it; `false` when the queue was closed meanwhile.
    pub(super) fn push_root(&self, job: Job) -> bool {
        let mut inner = self.lock();
        while inner.jobs.len() >= ROOTS_WAITING && !inner.closed {
            inner.feeder_waits = true;
            inner = self.room.wait(inner).unwrap_or_else(PoisonError::into_inner);
        }
        let open = !inner.closed;
        if open {
            inner.jobs.push(job);
            inner.pending += 1;
            self.work.notify_one();
        }
        open
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
            if inner.closed || inner.pending == 0 {
                return None;
            }
            if inner.surplus > 0 {
                inner.surplus -= 1;
                return None;
            }
            if let Some(job) = inner.jobs.pop() {
                if inner.feeder_waits && inner.jobs.len() < ROOTS_WAITING / 2 {
                    inner.feeder_waits = false;
                    self.room.notify_one();
                }
                return Some(job);
            }
            // Written under the lock, so that whoever pushes after us sees it: no wake-up is lost.
            self.idle.fetch_add(1, Relaxed);
            inner = self.work.wait(inner).unwrap_or_else(PoisonError::into_inner);
            self.idle.fetch_sub(1, Relaxed);
        }
    }

    /// A job that was taken is done, or the source of roots has no more.
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
        self.lock().closed = true;
        self.work.notify_all();
        self.room.notify_all();
        self.change.notify_all();
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

    /// Waits until all work is done and all workers are gone, or for `time`; whether it is so.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let inner = self.lock();
        let at_work = |inner: &mut Inner| inner.live > 0 || (inner.pending > 0 && !inner.closed);
        let (mut inner, _) =
            self.change.wait_timeout_while(inner, time, at_work).unwrap_or_else(PoisonError::into_inner);
        !at_work(&mut inner)
    }
}
