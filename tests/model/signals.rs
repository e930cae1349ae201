//! Models of the flag and the count.
//!
//! The data beside a signal is ordered by the signal alone: without that loom returns old values.
//!
//! # Weakened on purpose
//!
//! Each of these was done, alone, and some model failed, here or in `condition.rs`. In `core.rs`: the acquires of taking and
//! the release of putting a signal into the word made `Relaxed`; a wait that is given up and does not hand on what it was
//! given; the bit left set by who gives; a lost exchange of the bit taken for a won one, or not looked into for a signal. In
//! `line.rs`: the acquire of `passed` and the release of `admit` made `Relaxed`, and no second look under the lock.
//! In `wait_list.rs`: the end of the list forgotten when the last one leaves.
//!
//! No model fails when a wait that is given up leaves the bit set: whoever gives next finds nobody in line and clears it.
//! With the exchange in `open` made `Relaxed` it is `who_looks_sees_what_came_before` that fails. None was seen to fail with the
//! load of `signals` made `Relaxed`: that ordering stands on the argument in the source.

use super::check;
use super::event::{Event, Semaphore};
use super::futex::time_passes;
use loom::sync::Arc;
use loom::sync::atomic::AtomicU32;
use loom::thread;
use std::pin::Pin;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const SOME_TIME: Duration = Duration::from_secs(1);

/// A semaphore or an event with data beside it, which belongs to whoever has taken the signal.
struct Beside<S> {
    signal: S,
    /// Nothing is ordered by it, and nothing it does is one step: two at once would be seen.
    data: AtomicU32,
}

impl<S> Beside<S> {
    fn new(signal: S) -> Arc<Self> {
        Arc::new(Self { signal, data: AtomicU32::new(0) })
    }

    fn add(&self) {
        self.data.store(self.data() + 1, Relaxed);
    }

    fn data(&self) -> u32 {
        self.data.load(Relaxed)
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Wherever the signal comes, the one that waits gets it, and sees what was done before it.
#[test]
fn a_signal_is_not_lost() {
    for event in [Event::auto_reset as fn() -> Event, Event::manual_reset] {
        check(3, move || {
            let event = Beside::new(event());
            let theirs = Arc::clone(&event);
            let other = thread::spawn(move || {
                theirs.add();
                theirs.signal.set();
            });
            event.signal.wait_blocking();
            assert_eq!(event.data(), 1);
            other.join().unwrap();
        });
    }
}

/// A look at the flag, or at the count, orders as a wait does; also if somebody is in line, whom the signal goes to first.
#[test]
fn who_looks_sees_what_came_before() {
    let looks = [Event::is_set as fn(&Event) -> bool, Event::reset];
    for (look, is_somebody_in_line) in looks.into_iter().flat_map(|look| [(look, false), (look, true)]) {
        check(3, move || {
            let event = Beside::new(Event::manual_reset());
            let mut before = Box::pin(event.signal.wait());
            assert!(!is_somebody_in_line || poll(before.as_mut()).is_pending());
            let theirs = Arc::clone(&event);
            let other = thread::spawn(move || {
                theirs.add();
                theirs.signal.set();
            });
            if look(&event.signal) {
                assert_eq!(event.data(), 1);
            }
            other.join().unwrap();
        });
    }
}

/// Who was in line and finds itself let through needs no lock to see what came before.
#[test]
fn who_is_let_through_sees_what_came_before() {
    check(3, || {
        let event = Beside::new(Event::auto_reset());
        let mut wait = Box::pin(event.signal.wait());
        assert!(poll(wait.as_mut()).is_pending());
        let theirs = Arc::clone(&event);
        let other = thread::spawn(move || {
            theirs.add();
            theirs.signal.set();
        });
        if poll(wait.as_mut()).is_ready() {
            assert_eq!(event.data(), 1);
        }
        other.join().unwrap();
    });
}

/// Two sets before a wait count as one, and what was done before either is seen.
#[test]
fn sets_that_are_merged() {
    check(3, || {
        let event = Beside::new(Event::auto_reset());
        event.add();
        event.signal.set();
        let theirs = Arc::clone(&event);
        let other = thread::spawn(move || {
            theirs.signal.wait_blocking();
            theirs.add();
            theirs.signal.set();
        });
        event.signal.set();
        other.join().unwrap();
        // One signal is left: theirs alone, or ours and theirs. Which of them was taken cannot be told.
        event.signal.wait_blocking();
        assert_eq!(event.data(), 2);
    });
}

/// A count that is a mutex: whoever has taken from it is alone, and sees what the one before did.
#[test]
fn one_at_a_time() {
    check(2, || {
        let semaphore = Beside::new(Semaphore::new(1));
        let others = [(); 2].map(|()| {
            let theirs = Arc::clone(&semaphore);
            thread::spawn(move || {
                theirs.signal.take_blocking();
                theirs.add();
                theirs.signal.post(1);
            })
        });
        others.into_iter().for_each(|other| other.join().unwrap());
        semaphore.signal.take_blocking();
        assert_eq!(semaphore.data(), 2);
        assert_eq!(semaphore.signal.available(), 0);
    });
}

/// Two signals at once for two that wait, or will; none is left over.
#[test]
fn two_for_two() {
    check(2, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let theirs = Arc::clone(&semaphore);
        let other = thread::spawn(move || theirs.take_blocking());
        let theirs = Arc::clone(&semaphore);
        let poster = thread::spawn(move || theirs.post(2));
        semaphore.take_blocking();
        other.join().unwrap();
        poster.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}

/// One gives up at any moment. Its signal, if it had been given one, goes to the other.
#[test]
fn who_gives_up_takes_nothing_along() {
    check(2, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut given_up = Box::pin(semaphore.take());
        assert!(poll(given_up.as_mut()).is_pending());
        // Its place is in `semaphore`, which outlives it.
        let theirs = Arc::clone(&semaphore);
        let poster = thread::spawn(move || theirs.post(1));
        let theirs = Arc::clone(&semaphore);
        let other = thread::spawn(move || theirs.take_blocking());
        drop(given_up);
        other.join().unwrap();
        poster.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}

/// As above, with a flag, and a look at any moment before it gives up.
#[test]
fn who_gives_up_a_flag() {
    check(3, || {
        let event = Arc::new(Event::auto_reset());
        let mut given_up = Box::pin(event.wait());
        assert!(poll(given_up.as_mut()).is_pending());
        let theirs = Arc::clone(&event);
        let setter = thread::spawn(move || theirs.set());
        let was_given = poll(given_up.as_mut()).is_ready();
        drop(given_up);
        setter.join().unwrap();
        assert_eq!(event.reset(), !was_given);
        assert!(!event.reset());
    });
}

/// The time may be over at any moment: then nothing was taken.
#[test]
fn a_timeout_takes_nothing_along() {
    check(2, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let theirs = Arc::clone(&semaphore);
        let poster = thread::spawn(move || theirs.post(1));
        let clock = thread::spawn(time_passes);
        let was_taken = semaphore.take_timeout(SOME_TIME).is_ok();
        poster.join().unwrap();
        clock.join().unwrap();
        assert_eq!(semaphore.available(), usize::from(!was_taken));
    });
}

/// Whoever waited when it was set is let through, though it be taken back at once; who came after that is not.
#[test]
fn a_flag_that_is_taken_back() {
    check(3, || {
        let event = Arc::new(Event::manual_reset());
        let mut before = Box::pin(event.wait());
        assert!(poll(before.as_mut()).is_pending());
        let theirs = Arc::clone(&event);
        let setter = thread::spawn(move || theirs.set());
        let was_set = event.reset();
        let mut after = Box::pin(event.wait());
        let is_early = poll(after.as_mut()).is_ready();
        setter.join().unwrap();
        assert!(poll(before.as_mut()).is_ready());
        // It was set once: before the second wait, or after.
        assert_eq!(is_early || poll(after.as_mut()).is_ready(), !was_set);
        assert_eq!(event.is_set(), !was_set);
    });
}

/// One in line, so that the flag is set behind the lock; who comes then sees what was done before as well.
#[test]
fn a_flag_that_is_set_behind_the_lock() {
    check(3, || {
        let event = Beside::new(Event::manual_reset());
        let theirs = Arc::clone(&event);
        let setter = thread::spawn(move || {
            let mut before = Box::pin(theirs.signal.wait());
            assert!(poll(before.as_mut()).is_pending());
            theirs.add();
            theirs.signal.set();
            assert!(poll(before.as_mut()).is_ready());
        });
        if event.signal.try_wait() {
            assert_eq!(event.data(), 1);
        }
        setter.join().unwrap();
    });
}

/// Who takes a signal back sees what was done before it.
#[test]
fn a_signal_that_is_taken_back() {
    check(3, || {
        let event = Beside::new(Event::auto_reset());
        let theirs = Arc::clone(&event);
        let setter = thread::spawn(move || {
            theirs.add();
            theirs.signal.set();
        });
        if event.signal.reset() {
            assert_eq!(event.data(), 1);
        }
        setter.join().unwrap();
    });
}

/// Set and given up by two threads, beside one that waits.
#[test]
fn a_flag_that_stays_and_one_that_gives_up() {
    check(2, || {
        let event = Arc::new(Event::manual_reset());
        let mut given_up = Box::pin(event.wait());
        assert!(poll(given_up.as_mut()).is_pending());
        let theirs = Arc::clone(&event);
        let setter = thread::spawn(move || theirs.set());
        let theirs = Arc::clone(&event);
        let other = thread::spawn(move || theirs.wait_blocking());
        drop(given_up);
        setter.join().unwrap();
        other.join().unwrap();
        assert!(event.is_set());
    });
}

/// One that looks again with another waker while it is let through.
#[test]
fn a_look_beside_a_signal() {
    check(3, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut take = Box::pin(semaphore.take());
        assert!(poll(take.as_mut()).is_pending());
        let theirs = Arc::clone(&semaphore);
        let poster = thread::spawn(move || theirs.post(1));
        // The waker that nobody hears is replaced by one that this thread hears.
        super::wait::block_on(take.as_mut());
        poster.join().unwrap();
        assert_eq!(semaphore.available(), 0);
    });
}
