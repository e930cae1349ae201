//! What a worker and whoever watches it share: its collector, and where it is.

use super::super::failure::Failures;
use super::job::{Above, Batch, Job};
use super::{Counts, join};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a worker and whoever watches it share.
pub(super) struct Slot<C> {
    inner: Mutex<SlotInner<C>>,
    /// Counts system calls, roughly: stands still only while the worker is inside one, or idle.
    pub(super) beats: AtomicU64,
}

pub(super) struct SlotInner<C> {
    pub(super) collector: Option<C>,
    pub(super) counts: Counts,
    pub(super) failures: Failures,
    pub(super) at: At,
    /// The worker was given up: whatever it still finds must not be counted.
    pub(super) given_up: bool,
}

/// Where a worker is.
#[derive(Default)]
pub(super) struct At {
    pub(super) busy: bool,
    pub(super) directory: Option<Arc<[u8]>>,
    pub(super) name: Vec<u8>,
    /// Whether it is a path that the caller gave.
    pub(super) named: bool,
    /// The entries that the worker is looking at, and whether the directory is its to read on: what is left to do of
    /// the job if the worker never returns.
    pub(super) rest: Option<(Batch, bool)>,
    /// Directories found in the one being read, pushed when it is done.
    pub(super) found: Vec<Job>,
    /// The directory that holds the one being opened or read.
    pub(super) above: Option<Arc<Above>>,
}

impl At {
    /// What another worker has to do in place of one that was given up here.
    pub(super) fn take_rest(&mut self) -> Vec<Job> {
        let mut jobs = std::mem::take(&mut self.found);
        let above = self.above.take();
        let Some((batch, reading)) = self.rest.take() else {
            above.iter().for_each(|above| above.was_silent(|above| &above.directories));
            return jobs;
        };
        batch.directory.here.was_silent(|here| &here.files);
        let read = reading.then(|| Job::Read(Arc::clone(&batch.directory)));
        jobs.extend(read.into_iter().chain([Job::Look(batch)]));
        jobs
    }

    /// The path of what it is at.
    pub(super) fn path(&self) -> Vec<u8> {
        match &self.directory {
            Some(directory) if !self.name.is_empty() => join(directory, &self.name),
            Some(directory) => directory.to_vec(),
            None => self.name.clone(),
        }
    }
}

impl<C> Slot<C> {
    pub(super) fn new(collector: C, keep: usize) -> Self {
        let (counts, failures) = (Counts::default(), Failures::keeping(keep));
        let inner = SlotInner { collector: Some(collector), counts, failures, at: At::default(), given_up: false };
        Self { inner: Mutex::new(inner), beats: AtomicU64::new(0) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, SlotInner<C>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker was given up while it was inside a system call, and must leave without touching anything.
pub(super) struct GivenUp;

pub(super) type Step = Result<(), GivenUp>;

pub(super) fn beat(beats: &AtomicU64) {
    // Relaxed, and not one step: only the worker's own thread writes, and whoever reads it wants to know no more than
    // whether it has changed.
    beats.store(beats.load(Relaxed).wrapping_add(1), Relaxed);
}
