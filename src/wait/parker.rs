//! A thread asleep, and the waker that wakes it.
//!
//! # How it works
//!
//! Each thread has one [`Parker`], a word that is `EMPTY`, `PARKED` while the thread sleeps on it, or `NOTIFIED` when
//! somebody has called. A call is remembered until it is taken, so one between the last look and the sleep is not lost; a
//! second call before that adds nothing. Only the owner sleeps, and it takes the call by an exchange: whatever a caller
//! wrote before calling is seen by who took the call.
//!
//! # Wakers without counts
//!
//! A waker is the address of a parker. Parkers are never freed: one that a thread leaves behind is kept for a thread to
//! come. So a waker can be cloned and dropped for nothing, may outlive the wait and even the thread, and can be used in a
//! signal handler. A waker that comes too late wakes some other thread's wait for nothing; waits look again at what they
//! wait for, as every user of a waker has to. There are never more parkers than threads that once waited at the
//! same time.
//!
//! # A wait within a wait
//!
//! A future that is polled here may itself wait on this thread, for a lock perhaps. Both waits share the parker, and the
//! inner one may take a call that was meant for the outer. So a wait that ends within another leaves a call behind, and the
//! outer one polls once more than it had to.
//!
//! # Safety
//!
//! The pointer in a waker is from a reference that lives for ever, and all that is done with it is a swap and a system
//! call.
#![allow(unsafe_code)]

use super::patience::Patience;
use crate::primitive::{AtomicU32, IS_MODEL, forever, thread_local};
use crate::sys::futex::{self, Deadline, Outcome};
use crate::util::padded::Padded;
use std::cell::Cell;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Mutex, PoisonError};
use std::task::{RawWaker, RawWakerVTable, Waker};

/// Nobody has called and nobody sleeps.
const EMPTY: u32 = 0;
/// Set by a caller, taken by the owner.
const NOTIFIED: u32 = 1;
/// Set by the owner before it sleeps; a caller that finds it goes to the kernel.
const PARKED: u32 = 2;

/// What a thread sleeps on.
#[derive(Debug)]
pub(super) struct Parker {
    state: Padded<AtomicU32>,
}

impl Parker {
    fn new() -> Self {
        Self { state: Padded(AtomicU32::new(EMPTY)) }
    }

    /// Calls the owner. Signal-safe.
    fn unpark(&self) {
        // Release: pairs with the owner's Acquire in `take`. An exchange and not a store: it must be known whether the owner
        // sleeps.
        if self.state.swap(NOTIFIED, Release) == PARKED {
            futex::wake(&raw const self.state.0, 1);
        }
    }

    /// Takes the call, if there is one. Nobody sleeps here any more.
    fn take(&self) {
        // Acquire: pairs with the Release in `unpark`. All calls until now are taken by this, and all that was written
        // before them is seen, since an exchange reads the newest value.
        self.state.swap(EMPTY, Acquire);
    }

    /// Sleeps until there is a call, or until the deadline, and takes the call.
    fn park(&self, deadline: Option<Deadline>) {
        // Relaxed: this says only that the owner sleeps. When it fails there is a call, which `take` takes.
        if self.state.compare_exchange(EMPTY, PARKED, Relaxed, Relaxed).is_err() {
            self.take();
            return;
        }
        while self.state.load(Relaxed) == PARKED {
            if futex::wait(&self.state, PARKED, deadline) == Outcome::TimedOut {
                break;
            }
        }
        self.take();
    }

    fn waker(&'static self) -> Waker {
        // SAFETY: the functions of the table keep to the contract of a waker: they take the pointer for what it is here,
        // may be called by any thread at any time, and there is nothing to free.
        unsafe { Waker::from_raw(raw(self)) }
    }
}

fn raw(parker: &'static Parker) -> RawWaker {
    RawWaker::new(std::ptr::from_ref(parker).cast(), &TABLE)
}

static TABLE: RawWakerVTable = RawWakerVTable::new(
    // SAFETY: see `target`.
    |pointer| raw(unsafe { target(pointer) }),
    // SAFETY: see `target`.
    |pointer| unsafe { target(pointer) }.unpark(),
    // SAFETY: see `target`.
    |pointer| unsafe { target(pointer) }.unpark(),
    |_| {},
);

/// # Safety
/// The pointer is from [`raw`].
unsafe fn target(pointer: *const ()) -> &'static Parker {
    // SAFETY: `raw` made it from a reference that lives for ever.
    unsafe { &*pointer.cast::<Parker>() }
}

/// Parkers that threads have left behind.
static IDLE: Mutex<Vec<&'static Parker>> = Mutex::new(Vec::new());

/// A thread's parker, for as long as the thread lives.
struct Own {
    parker: &'static Parker,
    patience: Cell<Patience>,
    /// Whether it has just looked in vain, so that it sleeps without looking again.
    has_looked: Cell<bool>,
    /// How many waits of this thread are under way, each within the one before.
    depth: Cell<usize>,
}

impl Own {
    fn new() -> Self {
        // A model begins each run anew.
        let idle = if IS_MODEL { None } else { IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop() };
        let parker = idle.unwrap_or_else(|| forever(Parker::new()));
        Self { parker, patience: Cell::new(Patience::NEW), has_looked: Cell::new(false), depth: Cell::new(0) }
    }

    fn look(&self, is_there: impl FnMut() -> bool) -> bool {
        let mut patience = self.patience.get();
        let is_there = patience.look(is_there);
        self.patience.set(patience);
        is_there
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if !IS_MODEL {
            IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(self.parker);
        }
    }
}

thread_local! {
    static OWN: Own = Own::new();
}

/// A wait of this thread that is under way.
pub(super) struct Wait<'a> {
    own: &'a Own,
}

impl<'a> Wait<'a> {
    fn new(own: &'a Own) -> Self {
        own.depth.set(own.depth.get() + 1);
        Self { own }
    }

    /// Wakes this thread, for as long as the program runs.
    pub(super) fn waker(&self) -> Waker {
        self.own.parker.waker()
    }

    /// Waits until a waker of this thread was used since the last time, or the deadline has passed.
    pub(super) fn park(&self, deadline: Option<Deadline>) {
        let parker = self.own.parker;
        if !self.own.has_looked.take() {
            self.own.look(|| parker.state.load(Relaxed) == NOTIFIED);
        }
        parker.park(deadline);
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.own.depth.set(self.own.depth.get() - 1);
        if self.own.depth.get() > 0 {
            self.own.parker.unpark();
        }
    }
}

/// Begins a wait of this thread.
pub(super) fn with_wait<R>(run: impl FnOnce(Wait<'_>) -> R) -> R {
    let mut run = Some(run);
    let mut run_with = |own: &Own| run.take().map(|run| run(Wait::new(own)));
    // A thread that is ending may wait as well, in the destructor of another of its variables.
    let result = OWN.try_with(&mut run_with).unwrap_or_else(|_| run_with(&Own::new()));
    result.expect("one of the two was called, once")
}

/// Looks for something for as long as is sensible before the wait for it begins. Whether it was there.
pub(super) fn look(is_there: impl FnMut() -> bool) -> bool {
    let look = |own: &Own| {
        let is_there = own.look(is_there);
        own.has_looked.set(!is_there);
        is_there
    };
    OWN.try_with(look).unwrap_or(false)
}
