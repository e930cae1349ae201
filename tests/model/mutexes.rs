//! Models of the two mutexes without data, and of the protocol that one of them mends.
//!
//! Each thread of a model has a waker that ends its sleep. A waiter that nobody wakes is found as a deadlock, two owners at once
//! as two accesses to one cell, and what an owner does not see of the one before as a race on it.
//!
//! # What each shows
//!
//! - `published`: the protocol as it was published loses a waiter, and the model sees it; mended it does not.
//! - `one_at_a_time`: owners exclude each other and see each other's work; everyone gets in.
//! - `anyone_may_leave`: one gives up at any point, queued, woken or already the owner; who waits behind it gets in.
//! - `all_may_leave`: two give up; the mutex can be taken afterwards.
//! - `a_newcomer_may_be_faster`: one who was woken in vain is owed the mutex and gets it; with one who only tries.
//! - `who_is_owed_may_leave`: one gives up after it was polled several times, perhaps as the owner that it was made in the end.
//! - `what_is_owed_is_not_taken`: who only tries while an owed mutex is handed over does not come between.
//! - `polled_for_nothing`: a future that is polled again, with another waker, while it is taken out.
//!
//! # Weakened on purpose
//!
//! Each ordering, and each step that the protocols owe to those who wait, was changed alone: the tables `mutex-*.toml` of
//! `tests/mutations` say which, and which of these models failed.
//!
//! # Safety
//!
//! The number is touched by whoever has the mutex; that this is so is what the checker looks after.
#![allow(unsafe_code)]

use super::check;
use super::mutex::{Acquire, BargingCore, Core, LockCore, Protocol, Who};
use super::published::Published;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread::{self, Thread};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Wake, Waker};

/// Ends the sleep of a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

fn waker() -> Waker {
    Waker::from(std::sync::Arc::new(Unpark(thread::current())))
}

/// A mutex with a number that only its owner touches.
struct Shared<C> {
    core: C,
    number: UnsafeCell<usize>,
}

impl<C: Core> Shared<C> {
    fn new(core: C) -> Arc<Self> {
        Arc::new(Self { core, number: UnsafeCell::new(0) })
    }

    fn future(&self, who: Who) -> Acquire<'_, C> {
        Acquire::new(&self.core, who)
    }

    /// Does the owner's work and gives the mutex up.
    fn work(&self) {
        // SAFETY: we have the mutex.
        self.number.with_mut(|number| unsafe { *number += 1 });
        // SAFETY: as above.
        unsafe { self.core.release() };
    }

    fn lock(&self, who: Who) {
        let mut future = pin!(self.future(who));
        while poll(&mut future).is_pending() {
            thread::park();
        }
        self.work();
    }

    /// Begins to wait, and gives up unless it was its turn at once.
    fn lock_or_leave(&self, who: Who) -> usize {
        let mut future = pin!(self.future(who));
        if poll(&mut future).is_pending() {
            return 0;
        }
        self.work();
        1
    }

    fn try_lock(&self) -> usize {
        let is_ours = self.core.try_lock();
        if is_ours {
            self.work();
        }
        usize::from(is_ours)
    }

    fn number(&self) -> usize {
        // SAFETY: the other threads are done.
        self.number.with(|number| unsafe { *number })
    }
}

fn poll<C: Core>(future: &mut Pin<&mut Acquire<'_, C>>) -> Poll<()> {
    future.as_mut().poll(&mut Context::from_waker(&waker()))
}

/// Two threads beside this one, which all work once.
fn one_at_a_time<C: Core + 'static>(preemptions: usize, new: fn() -> C, who: Who) {
    check(preemptions, move || {
        let shared = Shared::new(new());
        let others = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.lock(who))
        });
        shared.lock(who);
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(shared.number(), 3);
        assert!(!shared.core.is_locked());
    });
}

/// Somebody has it, one waits and leaves, one waits.
fn anyone_may_leave<C: Core + 'static>(preemptions: usize, new: fn() -> C, who: Who) {
    check(preemptions, move || {
        let shared = Shared::new(new());
        assert!(shared.core.try_lock());
        let leaves = Arc::clone(&shared);
        let leaves = thread::spawn(move || leaves.lock_or_leave(who));
        let waits = Arc::clone(&shared);
        let waits = thread::spawn(move || waits.lock(who));
        shared.work();
        waits.join().unwrap();
        let times = leaves.join().unwrap();
        assert_eq!(shared.number(), 2 + times);
        assert!(!shared.core.is_locked() && shared.core.try_lock());
    });
}

/// Somebody has it, and two wait and leave.
fn all_may_leave<C: Core + 'static>(preemptions: usize, new: fn() -> C, who: Who) {
    check(preemptions, move || {
        let shared = Shared::new(new());
        assert!(shared.core.try_lock());
        let others = [(); 2].map(|()| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.lock_or_leave(who))
        });
        shared.work();
        let times: usize = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(shared.number(), 1 + times);
        assert!(!shared.core.is_locked() && shared.core.try_lock());
    });
}

/// Somebody has it and wants it again, one waits, and one tries without waiting.
fn a_newcomer_may_be_faster<C: Core + 'static>(preemptions: usize, new: fn() -> C, who: Who) {
    check(preemptions, move || {
        let shared = Shared::new(new());
        assert!(shared.core.try_lock());
        let waits = Arc::clone(&shared);
        let waits = thread::spawn(move || waits.lock(who));
        let tries = Arc::clone(&shared);
        let tries = thread::spawn(move || tries.try_lock());
        shared.work();
        let times = 2 + shared.try_lock();
        waits.join().unwrap();
        let times = times + tries.join().unwrap();
        assert_eq!(shared.number(), times);
        assert!(!shared.core.is_locked());
    });
}

/// One is polled again and again, and is never woken: what it sees of the others it owes to the mutex alone. (Who is
/// woken by the checker sees all that its waker saw.)
fn polled_for_nothing<C: Core + 'static>(preemptions: usize, new: fn() -> C, who: Who) {
    check(preemptions, move || {
        let shared = Shared::new(new());
        assert!(shared.core.try_lock());
        let waits = Arc::clone(&shared);
        let waits = thread::spawn(move || {
            let mut future = pin!(waits.future(who));
            while future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
                thread::yield_now();
            }
            waits.work();
        });
        shared.work();
        let times = 2 + shared.try_lock() + shared.try_lock();
        waits.join().unwrap();
        assert_eq!(shared.number(), times);
        assert!(!shared.core.is_locked());
    });
}

/// One is polled several times and then leaves, perhaps as the owner; another tries meanwhile.
fn who_is_owed_may_leave<C: Core + 'static>(preemptions: usize, new: fn() -> C, who: Who) {
    check(preemptions, move || {
        let shared = Shared::new(new());
        assert!(shared.core.try_lock());
        let leaves = Arc::clone(&shared);
        let leaves = thread::spawn(move || {
            let mut future = pin!(leaves.future(who));
            for _ in 0..3 {
                if future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                    leaves.work();
                    return 1;
                }
                thread::yield_now();
            }
            0
        });
        shared.work();
        let times = 1 + shared.try_lock() + shared.try_lock();
        let times = times + leaves.join().unwrap();
        assert_eq!(shared.number(), times);
        assert!(!shared.core.is_locked() && shared.core.try_lock());
    });
}

/// One was woken and passed over, and is owed the mutex: whoever comes while it is handed over does not get it.
#[test]
fn what_is_owed_is_not_taken() {
    for who in [Who::Task, Who::Thread] {
        check(3, move || {
            let shared = Shared::new(BargingCore::new());
            assert!(shared.core.try_lock());
            let mut owed = pin!(shared.future(who));
            assert!(poll(&mut owed).is_pending());
            shared.work();
            // The newcomer.
            assert!(shared.core.try_lock());
            assert!(poll(&mut owed).is_pending());
            let another = Arc::clone(&shared);
            let another = thread::spawn(move || another.try_lock());
            shared.work();
            assert!(poll(&mut owed).is_ready());
            shared.work();
            let times = 3 + another.join().unwrap();
            assert_eq!(shared.number(), times);
        });
    }
}

/// The holder unlocks while another one locks.
fn published(is_mended: bool) {
    check(3, move || {
        let mutex = Arc::new(Published::new(is_mended));
        assert!(mutex.lock());
        let theirs = Arc::clone(&mutex);
        let other = thread::spawn(move || theirs.lock());
        mutex.unlock();
        other.join().unwrap();
        assert!(!mutex.has_lost_one(), "somebody sleeps on a free mutex");
    });
}

#[test]
#[should_panic(expected = "somebody sleeps on a free mutex")]
fn the_published_protocol_loses_a_waiter() {
    published(false);
}

#[test]
fn the_mended_protocol_does_not() {
    published(true);
}

macro_rules! models {
    ($($model:ident),*) => {
        /// With more preemptions these take minutes, since who waits for the queue is followed through every turn.
        mod lock_core {
            $(#[test] fn $model() { super::$model(2, super::LockCore::new, super::Who::Task) })*
        }
        mod barging {
            $(#[test] fn $model() { super::$model(3, super::BargingCore::new, super::Who::Task) })*
        }
        mod barging_threads {
            $(#[test] fn $model() { super::$model(2, super::BargingCore::new, super::Who::Thread) })*
        }
    };
}

models!(
    one_at_a_time,
    anyone_may_leave,
    all_may_leave,
    a_newcomer_may_be_faster,
    polled_for_nothing,
    who_is_owed_may_leave
);
