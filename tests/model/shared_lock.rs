//! Models of the lock for one writer or many readers. Nobody looks before going to sleep here.
//!
//! What is protected is a cell that the checker watches: a writer beside anybody, and a reader who does not see what was
//! written before, end the test; and so does a thread that sleeps for ever.
//!
//! # Weakened on purpose
//!
//! What was weakened, and which model saw it, is in `tests/mutations/rwlock-word.toml`. No model sees that one who gives up
//! serves those left to it, or is counted as awake no longer: with one preemption there are too few threads in the way,
//! and more of them take too long. Both stand on the argument in the source.
//!
//! # Safety
//!
//! The cell is touched by whoever holds the lock, or the checker ends the test: that is what is tested.
#![allow(unsafe_code)]

use super::check;
use super::futex::time_passes;
use super::rwlock::{Options, Poison, RawSharedLock, Refusal};
use crate::primitive::UnsafeCell;
use crate::sys::futex::Deadline;
use loom::sync::Arc;
use loom::thread::{self, JoinHandle};
use std::time::Duration;

struct Shared {
    lock: RawSharedLock,
    value: UnsafeCell<usize>,
    poison: Poison,
}

// SAFETY: the value is touched only by who holds the lock, which is what is tested.
unsafe impl Sync for Shared {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for Shared {}

impl Shared {
    fn new(hand_over: u32) -> Arc<Self> {
        let lock = RawSharedLock::with_options(Options::new().hand_over(hand_over));
        Arc::new(Self { lock, value: UnsafeCell::new(0), poison: Poison::new() })
    }

    fn set(&self, number: usize) {
        // SAFETY: the caller holds the lock to write, or the checker ends the test.
        self.value.with_mut(|value| unsafe { *value += number });
    }

    fn get(&self) -> usize {
        // SAFETY: the caller holds the lock, or the checker ends the test.
        self.value.with(|value| unsafe { *value })
    }

    fn write(&self) {
        self.lock.lock_exclusive().expect("there is no limit to writers");
        self.set(1);
        self.end_write();
    }

    fn end_write(&self) {
        // SAFETY: each caller holds the lock to write.
        unsafe {
            self.lock.unlock_exclusive();
        };
    }

    fn read(&self) -> usize {
        self.lock.lock_shared().expect("few readers");
        let value = self.get();
        self.end_read();
        value
    }

    fn end_read(&self) {
        // SAFETY: each caller holds the lock to read.
        unsafe {
            self.lock.unlock_shared();
        };
    }

    /// Nobody is left over: the lock is free, and so is whoever comes next.
    fn assert_free(&self) {
        assert_eq!((self.lock.readers(), self.lock.has_writer(), self.lock.sleepers()), (0, false, (0, 0)));
        self.lock.try_lock_exclusive().expect("nothing is reserved for anybody either");
        self.end_write();
    }
}

fn spawn<R: 'static>(shared: &Arc<Shared>, act: impl FnOnce(&Shared) -> R + 'static) -> JoinHandle<R> {
    let shared = Arc::clone(shared);
    thread::spawn(move || act(&shared))
}

const SOON: Duration = Duration::from_secs(1);

#[test]
fn two_writers() {
    check(3, || {
        let shared = Shared::new(2);
        let other = spawn(&shared, |shared| (0..2).for_each(|_| shared.write()));
        shared.write();
        other.join().unwrap();
        assert_eq!(shared.read(), 3);
        shared.assert_free();
    });
}

#[test]
fn a_reader_beside_a_writer() {
    check(2, || {
        let shared = Shared::new(2);
        let other = spawn(&shared, |shared| (0..2).for_each(|_| shared.write()));
        let seen = [shared.read(), shared.read()];
        assert!(seen.is_sorted());
        other.join().unwrap();
        assert_eq!(shared.read(), 2);
        shared.assert_free();
    });
}

/// The lock changes from the one kind to the other, with sleepers of both; each `hand_over` is reserved in another order.
#[test]
fn two_writers_and_a_reader() {
    for hand_over in [1, 64] {
        check(2, move || {
            let shared = Shared::new(hand_over);
            let others = [spawn(&shared, Shared::write), spawn(&shared, Shared::write)];
            assert!(shared.read() <= 2);
            others.into_iter().for_each(|other| other.join().unwrap());
            assert_eq!(shared.read(), 2);
            shared.assert_free();
        });
    }
}

#[test]
fn two_readers_and_a_writer() {
    for hand_over in [1, 64] {
        check(2, move || {
            let shared = Shared::new(hand_over);
            let others = [spawn(&shared, |shared| shared.read()), spawn(&shared, |shared| shared.read())];
            shared.write();
            assert!(others.into_iter().all(|other| other.join().unwrap() <= 1));
            assert_eq!(shared.read(), 1);
            shared.assert_free();
        });
    }
}

/// Readers and a writer wait for a writer, who lets go of them all at once.
#[test]
fn everyone_waits_for_one() {
    check(2, || {
        let shared = Shared::new(1);
        shared.lock.lock_exclusive().unwrap();
        let others = [spawn(&shared, |shared| assert!(shared.read() >= 1)), spawn(&shared, Shared::write)];
        shared.set(1);
        shared.end_write();
        others.into_iter().for_each(|other| other.join().unwrap());
        assert_eq!(shared.read(), 2);
        shared.assert_free();
    });
}

/// A reader that sleeps while the writer is inside gets in beside the one that the writer has become.
#[test]
fn a_writer_becomes_a_reader() {
    check(3, || {
        let shared = Shared::new(64);
        shared.lock.lock_exclusive().unwrap();
        let other = spawn(&shared, |shared| shared.read());
        shared.set(1);
        // SAFETY: it was taken to write right above.
        unsafe {
            shared.lock.downgrade();
        };
        assert_eq!((other.join().unwrap(), shared.get()), (1, 1));
        shared.end_read();
        shared.assert_free();
    });
}

#[test]
fn a_reader_becomes_the_writer() {
    check(3, || {
        let shared = Shared::new(64);
        let other = spawn(&shared, Shared::write);
        shared.lock.lock_shared().unwrap();
        let before = shared.get();
        // SAFETY: it was taken to read right above.
        if unsafe { shared.lock.try_upgrade() } {
            assert_eq!(shared.get(), before, "somebody wrote in between");
            shared.set(1);
            shared.end_write();
        } else {
            shared.end_read();
        }
        other.join().unwrap();
        assert!((1..=2).contains(&shared.read()));
        shared.assert_free();
    });
}

/// A reader that left before has seen what it saw before the new writer changes it.
#[test]
fn a_reader_becomes_the_writer_after_another() {
    check(3, || {
        let shared = Shared::new(64);
        let other = spawn(&shared, |shared| shared.read());
        shared.lock.lock_shared().unwrap();
        // SAFETY: it was taken to read right above.
        if unsafe { shared.lock.try_upgrade() } {
            shared.set(1);
            shared.end_write();
        } else {
            shared.end_read();
        }
        assert!(other.join().unwrap() <= 1);
        shared.assert_free();
    });
}

/// Those who do not wait get in only where it is allowed, and see what was written before.
#[test]
fn who_does_not_wait() {
    check(3, || {
        let shared = Shared::new(64);
        let other = spawn(&shared, |shared| {
            if shared.lock.try_lock_exclusive().is_ok() {
                shared.set(1);
                shared.end_write();
            }
            if shared.lock.try_lock_shared().is_ok() {
                assert!(shared.get() <= 2);
                shared.end_read();
            }
        });
        if shared.lock.try_lock_shared().is_ok() {
            assert!(shared.get() <= 1);
            shared.end_read();
        }
        if shared.lock.try_lock_exclusive().is_ok() {
            shared.set(1);
            shared.end_write();
        }
        other.join().unwrap();
        shared.assert_free();
    });
}

/// A writer gives up, at any point of its wait for another; nobody's wake-up goes with it.
#[test]
fn a_writer_gives_up() {
    check(1, || {
        let shared = Shared::new(64);
        let hasty = spawn(&shared, |shared| match shared.lock.wait_exclusive(Deadline::after(SOON)) {
            Ok(()) => {
                shared.set(1);
                shared.end_write();
            }
            Err(refusal) => assert_eq!(refusal, Refusal::TimedOut),
        });
        let patient = spawn(&shared, Shared::write);
        shared.lock.lock_exclusive().unwrap();
        time_passes();
        shared.end_write();
        hasty.join().unwrap();
        patient.join().unwrap();
        assert!((1..=2).contains(&shared.read()));
        shared.assert_free();
    });
}

/// A writer that has kept a reader out gives up waiting for another reader, who goes on reading meanwhile.
#[test]
fn a_writer_gives_up_waiting_for_readers() {
    check(2, || {
        let shared = Shared::new(64);
        shared.lock.lock_shared().unwrap();
        let writer = spawn(&shared, |shared| shared.lock.wait_exclusive(Deadline::after(SOON)));
        let reader = spawn(&shared, |shared| shared.read());
        time_passes();
        assert_eq!(reader.join().unwrap(), 0);
        assert_eq!(writer.join().unwrap(), Err(Refusal::TimedOut));
        shared.end_read();
        shared.assert_free();
    });
}

/// A reader gives up, at any point of its wait.
#[test]
fn a_reader_gives_up() {
    for hand_over in [1, 64] {
        check(1, move || {
            let shared = Shared::new(hand_over);
            let hasty = spawn(&shared, |shared| match shared.lock.wait_shared(Deadline::after(SOON)) {
                Ok(()) => shared.end_read(),
                Err(refusal) => assert_eq!(refusal, Refusal::TimedOut),
            });
            let patient = spawn(&shared, Shared::write);
            shared.lock.lock_exclusive().unwrap();
            time_passes();
            shared.end_write();
            hasty.join().unwrap();
            patient.join().unwrap();
            assert_eq!(shared.read(), 1);
            shared.assert_free();
        });
    }
}

/// The flag of a panic has no order of its own: who comes in after the writer sees it.
#[test]
fn a_panic_is_seen_by_who_comes_next() {
    check(3, || {
        let shared = Shared::new(64);
        let other = spawn(&shared, |shared| {
            shared.lock.lock_exclusive().unwrap();
            shared.set(1);
            shared.poison.set(true);
            shared.end_write();
        });
        shared.lock.lock_shared().unwrap();
        assert_eq!(shared.poison.is_set(), shared.get() == 1);
        shared.end_read();
        other.join().unwrap();
        assert!(shared.poison.is_set());
    });
}
