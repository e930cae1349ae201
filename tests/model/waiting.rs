//! Models of a thread that waits. It looks once before it sleeps, without pauses in between.
//!
//! Flags are `Relaxed` here: that they are seen after a call is owed to the parker alone.
//!
//! # Weakened on purpose
//!
//! Each of these was done to `parker.rs`, alone, and some model failed: the release in `unpark` and the acquire in `take` made
//! `Relaxed`; sleeping without a look whether there is a call; a caller that does not wake the one that sleeps; no call left
//! behind by a wait within another; a sleep that ends for nothing and is not taken up again; a deadline that the
//! kernel is not told.

use super::check;
use super::futex::time_passes;
use super::wait::{block_on, block_on_timeout};
use loom::sync::Arc;
use loom::sync::atomic::AtomicBool;
use loom::thread;
use std::future::poll_fn;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Poll, Waker};
use std::time::Duration;

const SOME_TIME: Duration = Duration::from_secs(1);

/// Something that one thread tells another.
struct Flag(AtomicBool);

impl Flag {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(false)))
    }

    fn is_set(&self) -> bool {
        self.0.load(Relaxed)
    }

    /// Ready once the flag is seen. Whoever sets it has to know the waker already.
    async fn wait(&self) {
        poll_fn(|_| if self.is_set() { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

/// Another thread, which sets the flag and calls.
fn set_by_another(flag: &Arc<Flag>, waker: Waker) -> thread::JoinHandle<()> {
    let flag = Arc::clone(flag);
    thread::spawn(move || {
        flag.0.store(true, Relaxed);
        waker.wake();
    })
}

/// The waker of this thread.
fn own_waker() -> Waker {
    block_on(poll_fn(|context| Poll::Ready(context.waker().clone())))
}

/// Wherever the call comes between two looks, a look after it sees what was written before it.
#[test]
fn a_call_is_not_lost() {
    check(3, || {
        let flag = Flag::new();
        let other = set_by_another(&flag, own_waker());
        block_on(flag.wait());
        other.join().unwrap();
    });
}

/// Calls that fall together count as one, and each of them is heeded.
#[test]
fn two_calls_are_not_lost() {
    check(3, || {
        let flags = [Flag::new(), Flag::new()];
        let others = [0, 1].map(|which| set_by_another(&flags[which], own_waker()));
        block_on(async {
            flags[0].wait().await;
            flags[1].wait().await;
        });
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

/// The time may be over at any moment: the wait ends either way, and in time if what it waited for was there.
#[test]
fn a_timeout_beside_a_call() {
    check(3, || {
        let flag = Flag::new();
        let other = set_by_another(&flag, own_waker());
        let clock = thread::spawn(time_passes);
        if block_on_timeout(flag.wait(), SOME_TIME).is_err() {
            // What the first wait left behind does no harm to the next.
            block_on(flag.wait());
        }
        other.join().unwrap();
        clock.join().unwrap();
    });
}

/// Nobody calls.
#[test]
fn a_timeout_alone() {
    check(3, || {
        let clock = thread::spawn(time_passes);
        assert!(block_on_timeout(Flag::new().wait(), SOME_TIME).is_err());
        assert!(block_on_timeout(async {}, SOME_TIME).is_ok());
        clock.join().unwrap();
    });
}

/// A waker of the first wait calls in the middle of the second, or after it.
#[test]
fn a_waker_outlives_its_wait() {
    check(3, || {
        let (first, second) = (Flag::new(), Flag::new());
        let waker = own_waker();
        let other = {
            let (first, second, waker) = (Arc::clone(&first), Arc::clone(&second), waker.clone());
            thread::spawn(move || {
                first.0.store(true, Relaxed);
                waker.wake_by_ref();
                waker.wake_by_ref();
                second.0.store(true, Relaxed);
                waker.wake();
            })
        };
        block_on(first.wait());
        block_on(second.wait());
        drop(waker);
        other.join().unwrap();
    });
}

/// The wait within another takes calls for both.
#[test]
fn a_wait_within_a_wait() {
    check(3, || {
        let (outer, inner) = (Flag::new(), Flag::new());
        let others = [&outer, &inner].map(|flag| set_by_another(flag, own_waker()));
        let mut is_first = true;
        block_on(poll_fn(|_| {
            let is_set = outer.is_set();
            if std::mem::take(&mut is_first) {
                block_on(inner.wait());
            }
            if is_set { Poll::Ready(()) } else { Poll::Pending }
        }));
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}
