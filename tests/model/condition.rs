//! Models of the condition. The mutex is loom's, or the shipped one without its data: then to wait for it may take several
//! polls, and be given up in between.
//!
//! # Weakened on purpose
//!
//! Each of these was done, alone, and some model failed: the line entered after unlocking the mutex; a signal not handed on by
//! one that has no use for it, or by one that is dropped with it; a signal that reaches those who came after it.
//!
//! # Safety
//!
//! The number behind the shipped mutex is touched by whoever has it; the checker ends the test where that is not so.
#![allow(unsafe_code)]

use super::check;
use super::event::Condition;
use super::futex::time_passes;
use super::mutex::{Acquire, BargingCore, Protocol, Who};
use super::wait::{Guarded as Lockable, block_on};
use loom::cell::UnsafeCell;
use loom::sync::{Arc, Mutex};
use loom::thread;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SOME_TIME: Duration = Duration::from_secs(1);

struct Guarded {
    value: Mutex<u32>,
    changed: Condition,
}

impl Guarded {
    fn new() -> Arc<Self> {
        Arc::new(Self { value: Mutex::new(0), changed: Condition::new() })
    }

    fn add(&self, number: u32) {
        *self.value.lock().unwrap() += number;
    }

    /// Waits for at least one, and takes it away.
    fn take(&self) {
        *self.changed.lock_when_blocking(&self.value, |value| *value > 0).unwrap() -= 1;
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The change may come before, between and after all that the one that waits does.
#[test]
fn a_change_is_not_missed() {
    for notify in [Condition::notify_one as fn(&Condition), Condition::notify_all] {
        check(3, move || {
            let guarded = Guarded::new();
            let theirs = Arc::clone(&guarded);
            let other = thread::spawn(move || {
                theirs.add(1);
                notify(&theirs.changed);
            });
            guarded.take();
            other.join().unwrap();
            assert_eq!(*guarded.value.lock().unwrap(), 0);
        });
    }
}

/// One of the two takes what the other was notified of, and neither waits for ever.
#[test]
fn two_that_take() {
    check(2, || {
        let guarded = Guarded::new();
        let others = [(); 2].map(|()| {
            let theirs = Arc::clone(&guarded);
            thread::spawn(move || theirs.take())
        });
        for _ in 0..2 {
            guarded.add(1);
            guarded.changed.notify_one();
        }
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(*guarded.value.lock().unwrap(), 0);
    });
}

/// The first in line has no use for the signal, and hands it on.
#[test]
fn a_signal_that_is_handed_on() {
    check(2, || {
        let guarded = Guarded::new();
        let mut never = Box::pin(guarded.changed.lock_when(&guarded.value, |value| *value > 9));
        assert!(poll(never.as_mut()).is_pending());
        let theirs = Arc::clone(&guarded);
        let taker = thread::spawn(move || theirs.take());
        let theirs = Arc::clone(&guarded);
        let other = thread::spawn(move || {
            theirs.add(1);
            theirs.changed.notify_one();
        });
        other.join().unwrap();
        // It was notified, or the other was or had no need to be.
        assert!(poll(never.as_mut()).is_pending());
        taker.join().unwrap();
        drop(never);
    });
}

/// The first in line gives up at any moment.
#[test]
fn who_gives_up_hands_on() {
    check(2, || {
        let guarded = Guarded::new();
        let mut given_up = Box::pin(guarded.changed.lock_when(&guarded.value, |value| *value > 0));
        assert!(poll(given_up.as_mut()).is_pending());
        let theirs = Arc::clone(&guarded);
        let taker = thread::spawn(move || theirs.take());
        let theirs = Arc::clone(&guarded);
        let other = thread::spawn(move || {
            theirs.add(1);
            theirs.changed.notify_one();
        });
        drop(given_up);
        taker.join().unwrap();
        other.join().unwrap();
    });
}

/// The time may be over at any moment.
#[test]
fn a_timeout_hands_on() {
    check(2, || {
        let guarded = Guarded::new();
        let clock = thread::spawn(time_passes);
        let theirs = Arc::clone(&guarded);
        let other = thread::spawn(move || {
            theirs.add(1);
            theirs.changed.notify_one();
        });
        let was_so = guarded.changed.lock_when_timeout(&guarded.value, SOME_TIME, |value| *value > 0).is_ok();
        clock.join().unwrap();
        other.join().unwrap();
        if !was_so {
            guarded.take();
        }
    });
}

/// The shipped mutex, with a number.
struct Own {
    core: BargingCore,
    number: UnsafeCell<u32>,
}

// SAFETY: the number is touched by who has the mutex, or the checker ends the test.
unsafe impl Sync for Own {}

struct OwnGuard<'a>(&'a Own);

impl Drop for OwnGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: it was made by who had taken the mutex.
        unsafe { self.0.core.release() };
    }
}

impl Lockable for Own {
    type Value = u32;
    type Guard<'a> = OwnGuard<'a>;

    async fn lock(&self) -> OwnGuard<'_> {
        Acquire::new(&self.core, Who::Task).await;
        OwnGuard(self)
    }

    fn value<'a>(guard: &'a mut OwnGuard<'_>) -> Option<&'a mut u32> {
        // SAFETY: who has a guard has the mutex, or the checker ends the test.
        guard.0.number.with_mut(|number| Some(unsafe { &mut *number }))
    }
}

struct Tasks {
    own: Own,
    changed: Condition,
}

impl Tasks {
    fn new() -> Arc<Self> {
        let own = Own { core: BargingCore::new(), number: UnsafeCell::new(0) };
        Arc::new(Self { own, changed: Condition::new() })
    }

    fn add(&self) {
        *Own::value(&mut block_on(self.own.lock())).expect("it always is") += 1;
        self.changed.notify_one();
    }

    async fn take(&self) {
        let mut guard = self.changed.lock_when(&self.own, |number| *number > 0).await;
        *Own::value(&mut guard).expect("it always is") -= 1;
    }
}

#[test]
fn a_change_behind_a_mutex_that_is_awaited() {
    check(3, || {
        let tasks = Tasks::new();
        let theirs = Arc::clone(&tasks);
        let other = thread::spawn(move || theirs.add());
        block_on(tasks.take());
        other.join().unwrap();
        assert!(!tasks.own.core.is_locked());
    });
}

/// One that was notified may wait for the mutex when it gives up: what it was told goes to the next.
#[test]
fn who_waits_for_the_mutex_may_give_up() {
    check(2, || {
        let tasks = Tasks::new();
        let mut given_up = Box::pin(tasks.take());
        assert!(poll(given_up.as_mut()).is_pending());
        let theirs = Arc::clone(&tasks);
        let taker = thread::spawn(move || block_on(theirs.take()));
        let theirs = Arc::clone(&tasks);
        let other = thread::spawn(move || theirs.add());
        // Not notified, waiting for the mutex, or through.
        let has_taken = poll(given_up.as_mut()).is_ready();
        drop(given_up);
        if has_taken {
            tasks.add();
        }
        taker.join().unwrap();
        other.join().unwrap();
    });
}
