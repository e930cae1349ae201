//! The model checker's half of `src/sys/futex.rs`: sleeping and waking as the kernel promises them, and no better.
//!
//! The look at the word and the entry into the list of sleepers are one step, and a wake-up finds who is in the list. All of
//! that orders no memory: the look reads the newest value, as under the kernel's lock, but acquires nothing. (A sleeper that is
//! woken does see what its waker saw; loom wakes threads in no other way. Runs in which nobody sleeps show what that hides.)
//!
//! Time stands still, and a deadline is never over, until a model says [`time_passes`]: then all are.

use loom::sync::atomic::AtomicU32;
use loom::thread::{self, Thread};
use std::cell::{Cell, RefCell};
use std::ptr;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Woken,
    Changed,
    TimedOut,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline;

impl Deadline {
    pub(crate) fn after(_: Duration) -> Option<Self> {
        Some(Self)
    }

    pub(crate) fn at(_: Instant) -> Option<Self> {
        Some(Self)
    }

    pub(crate) fn has_passed(self) -> bool {
        take_turns();
        IS_OVER.get()
    }
}

/// What the clock shows: nothing until time passes, and then more than anybody waits for.
pub(crate) fn microseconds() -> u32 {
    if IS_OVER.get() { 1 << 30 } else { 0 }
}

struct Sleeper {
    word: *const AtomicU32,
    thread: Thread,
    has_deadline: bool,
    is_parked: Cell<bool>,
    outcome: Cell<Option<Outcome>>,
}

impl Sleeper {
    fn wake(&self, outcome: Outcome) {
        self.outcome.set(Some(outcome));
        if self.is_parked.get() {
            self.thread.unpark();
        }
    }
}

// loom runs all threads of a model on one thread of the system, and changes from one to another only where they use
// something of loom's.
std::thread_local! {
    static SLEEPERS: RefCell<Vec<Rc<Sleeper>>> = const { RefCell::new(Vec::new()) };
    static IS_OVER: Cell<bool> = const { Cell::new(false) };
}

loom::lazy_static! {
    static ref TURNS: AtomicU32 = AtomicU32::new(0);
}

/// Tells loom that the order of all steps that begin with this matters.
fn take_turns() {
    TURNS.fetch_add(1, Relaxed);
}

pub(crate) fn wait(word: &AtomicU32, expected: u32, deadline: Option<Deadline>) -> Outcome {
    // An exchange, since that reads the newest value.
    if word.fetch_add(0, Relaxed) != expected {
        return Outcome::Changed;
    }
    let sleeper = Rc::new(Sleeper {
        word: ptr::from_ref(word),
        thread: thread::current(),
        has_deadline: deadline.is_some(),
        is_parked: Cell::new(false),
        outcome: Cell::new(deadline.filter(|_| IS_OVER.get()).map(|_| Outcome::TimedOut)),
    });
    if sleeper.outcome.get().is_none() {
        SLEEPERS.with_borrow_mut(|sleepers| sleepers.push(Rc::clone(&sleeper)));
    }
    take_turns();
    loop {
        if let Some(outcome) = sleeper.outcome.get() {
            return outcome;
        }
        sleeper.is_parked.set(true);
        thread::park();
    }
}

pub(crate) fn wake(word: *const AtomicU32, count: u32) -> usize {
    take_turns();
    wake_those(count as usize, Outcome::Woken, |sleeper| ptr::eq(sleeper.word, word))
}

/// Lets every deadline be over, from now on.
pub(crate) fn time_passes() {
    take_turns();
    IS_OVER.set(true);
    wake_those(usize::MAX, Outcome::TimedOut, |sleeper| sleeper.has_deadline);
}

fn wake_those(most: usize, outcome: Outcome, is_meant: impl Fn(&Sleeper) -> bool) -> usize {
    let mut woken = Vec::new();
    SLEEPERS.with_borrow_mut(|sleepers| {
        sleepers.retain(|sleeper| {
            let stays = woken.len() == most || !is_meant(sleeper);
            if !stays {
                woken.push(Rc::clone(sleeper));
            }
            stays
        });
    });
    woken.iter().for_each(|sleeper| sleeper.wake(outcome));
    woken.len()
}

/// Ends one run before another.
pub(crate) fn fresh_run() {
    assert!(SLEEPERS.take().is_empty(), "somebody sleeps although the run is over");
    IS_OVER.set(false);
}
