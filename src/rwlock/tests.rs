//! What one thread sees of the lock, and small cases of two. Run by Miri as well. Threads against each other are in
//! `tests/stress` and `tests/model`.

use super::{
    LockError, MappedReadGuard, MappedWriteGuard, Options, RawSharedLock, ReadGuard, Refusal, SharedLock, Waiting,
    WriteGuard,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

const MOMENT: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(3600);

fn waits() -> [Options; 3] {
    [Waiting::Sleep, Waiting::Yield { after: 10 }, Waiting::Spin].map(|waiting| Options::new().waiting(waiting))
}

/// Panics on another thread while it holds the guard that `take` takes.
fn panic_with<G>(take: impl FnOnce() -> G + Send) {
    let panicked = thread::scope(|scope| {
        let panicking = scope.spawn(|| {
            let _guard = take();
            panic!("on purpose");
        });
        panicking.join().is_err()
    });
    assert!(panicked);
}

#[test]
fn many_readers_or_one_writer() {
    for options in waits() {
        let lock = SharedLock::with_options(1, options);
        let readers = [lock.read().unwrap(), lock.try_read().unwrap(), lock.read_timeout(LONG).unwrap()];
        assert!(readers.iter().all(|guard| **guard == 1));
        assert_eq!((lock.raw().readers(), lock.raw().has_writer()), (3, false));
        assert!(matches!(lock.try_write(), Err(LockError::WouldBlock)));
        drop(readers);
        *lock.write().unwrap() += 1;
        *lock.write_timeout(LONG).unwrap() += 1;
        *lock.write_until(Instant::now() + LONG).unwrap() += 1;
        let mut writer = lock.try_write().unwrap();
        *writer += 1;
        assert!(matches!(lock.try_read(), Err(LockError::WouldBlock)));
        assert!(matches!(lock.try_write(), Err(LockError::WouldBlock)));
        drop(writer);
        assert_eq!(*lock.read_until(Instant::now() + LONG).unwrap(), 5);
        assert_eq!((lock.raw().readers(), lock.raw().has_writer()), (0, false));
    }
}

#[test]
fn a_writer_does_not_wait_for_itself() {
    let lock = SharedLock::new(());
    let guard = lock.write().unwrap();
    assert!(matches!(lock.read(), Err(LockError::Deadlock)));
    assert!(matches!(lock.write(), Err(LockError::Deadlock)));
    assert!(matches!(lock.read_timeout(LONG), Err(LockError::Deadlock)));
    assert!(matches!(lock.write_timeout(LONG), Err(LockError::Deadlock)));
    thread::scope(|scope| {
        // Another thread is not told so: it would not wait for itself.
        scope.spawn(|| assert!(matches!(lock.read_timeout(MOMENT), Err(LockError::TimedOut))));
    });
    drop(guard);
    drop((lock.read().unwrap(), lock.raw()));
    drop(lock.write().unwrap());
}

#[test]
#[cfg(any(debug_assertions, feature = "deadlock-detection"))]
fn a_reader_does_not_wait_for_itself() {
    let (lock, other) = (SharedLock::new(()), SharedLock::new(()));
    let guard = lock.read().unwrap();
    assert!(matches!(lock.write(), Err(LockError::Deadlock)));
    assert!(matches!(lock.write_timeout(LONG), Err(LockError::Deadlock)));
    drop(other.write().unwrap());
    // Twice is fine, as long as no writer asks in between.
    drop(lock.read().unwrap());
    thread::scope(|scope| {
        scope.spawn(|| drop(lock.write().unwrap()));
        while !lock.raw().has_writer() {
            thread::yield_now();
        }
        assert!(matches!(lock.read(), Err(LockError::Deadlock)));
        drop(guard);
    });
    drop(lock.write().unwrap());
    // A guard that was forgotten says nothing of the lock that stands in its place.
    let mut lock = SharedLock::new(());
    std::mem::forget(lock.read().unwrap());
    lock = SharedLock::new(());
    drop(lock.write().unwrap());
}

#[test]
fn more_readers_than_can_be_counted() {
    let lock = SharedLock::new(());
    lock.raw().set_readers(1 << 31);
    for _ in 0..3 {
        assert!(matches!(lock.read(), Err(LockError::TooManyReaders)));
        assert!(matches!(lock.try_read(), Err(LockError::TooManyReaders)));
        assert_eq!(lock.raw().readers(), 1 << 31);
    }
    lock.raw().set_readers((1 << 31) - 1);
    drop(lock.read().unwrap());
    lock.raw().set_readers(0);
    drop(lock.write().unwrap());
}

#[test]
fn a_panic_poisons_and_the_lock_works_on() {
    let mut lock = SharedLock::new(1);
    panic_with(|| lock.read().unwrap());
    assert!(!lock.is_poisoned(), "a reader changes nothing");
    panic_with(|| {
        let mut guard = lock.write().unwrap();
        *guard = 2;
        guard
    });
    assert!(lock.is_poisoned());
    // The guard is in the error, of each kind and as often as one likes, and goes as any other.
    for _ in 0..2 {
        assert_eq!(lock.read().map_err(LockError::into_guard).unwrap_err().as_deref(), Some(&2));
        assert_eq!(lock.try_read().map_err(LockError::into_guard).unwrap_err().as_deref(), Some(&2));
        assert_eq!(lock.write().map_err(LockError::into_guard).unwrap_err().as_deref(), Some(&2));
        assert_eq!(lock.try_write().map_err(LockError::into_guard).unwrap_err().as_deref(), Some(&2));
    }
    assert_eq!((lock.raw().readers(), lock.raw().has_writer()), (0, false));
    assert_eq!(lock.get_mut().map_err(|error| *error.into_inner()), Err(2));
    lock.clear_poison();
    assert_eq!(*lock.read().unwrap(), 2);
    assert_eq!(*lock.get_mut().unwrap(), 2);
    panic_with(|| lock.write().unwrap());
    assert_eq!(lock.into_inner().map_err(std::sync::PoisonError::into_inner), Err(2));
}

/// A lock that is taken and let go while its thread unwinds for another reason is not poisoned.
#[test]
fn a_panic_from_before_does_not_poison() {
    struct Writes<'a>(&'a SharedLock<u8>);

    impl Drop for Writes<'_> {
        fn drop(&mut self) {
            *self.0.write().expect("nobody panicked while writing") += 1;
        }
    }

    let lock = SharedLock::new(0);
    let caught = catch_unwind(AssertUnwindSafe(|| {
        let _writes = Writes(&lock);
        panic!("on purpose");
    }));
    assert!(caught.is_err());
    assert_eq!((lock.is_poisoned(), *lock.read().unwrap()), (false, 1));
}

#[test]
fn a_wait_ends_with_its_time() {
    for options in waits() {
        let lock = SharedLock::with_options(0, options);
        let reader = lock.read().unwrap();
        thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let began = Instant::now();
                assert!(matches!(lock.write_timeout(MOMENT), Err(LockError::TimedOut)));
                assert!(began.elapsed() >= MOMENT);
                assert!(matches!(lock.write_until(Instant::now()), Err(LockError::TimedOut)));
            });
            writer.join().expect("the time is over");
            // It had kept readers out, and does so no longer.
            drop(scope.spawn(|| drop(lock.try_read().unwrap())).join());
        });
        drop(reader);
        let writer = lock.write().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| assert!(matches!(lock.read_timeout(MOMENT), Err(LockError::TimedOut))));
            scope.spawn(|| assert!(matches!(lock.write_timeout(MOMENT), Err(LockError::TimedOut))));
        });
        drop(writer);
        assert_eq!(lock.raw().sleepers(), (0, 0));
        drop(lock.write().unwrap());
    }
}

#[test]
fn a_guard_becomes_the_other_kind() {
    let lock = SharedLock::new(1);
    let mut writer = lock.write().unwrap();
    *writer = 2;
    let reader = WriteGuard::downgrade(writer);
    let other = lock.read().unwrap();
    assert_eq!((*reader, *other), (2, 2));
    let reader = ReadGuard::try_upgrade(reader).expect_err("there is another reader");
    drop(other);
    let mut writer = ReadGuard::try_upgrade(reader).expect("there is no other reader");
    *writer = 3;
    assert!(matches!(lock.read(), Err(LockError::Deadlock)));
    drop(writer);
    assert_eq!(*lock.read().unwrap(), 3);
    drop(lock.write().unwrap());
}

#[test]
fn a_guard_of_a_part_lets_go_of_the_whole() {
    let lock = SharedLock::new((vec![1, 2], "text"));
    let list = ReadGuard::map(lock.read().unwrap(), |pair| &pair.0);
    let second = MappedReadGuard::try_map(list, |list| list.get(1)).unwrap();
    assert_eq!((*second, lock.raw().readers(), format!("{second} {second:?}")), (2, 1, "2 2".to_owned()));
    drop(second);
    let whole = ReadGuard::try_map(lock.read().unwrap(), |pair| pair.0.get(2)).unwrap_err();
    let list = MappedReadGuard::map(ReadGuard::map(whole, |pair| pair), |pair| &pair.0[..]);
    assert_eq!(*MappedReadGuard::try_map(list, |list| list.get(2)).unwrap_err(), [1, 2]);
    assert_eq!(lock.raw().readers(), 0);
    let whole = WriteGuard::try_map(lock.write().unwrap(), |pair| pair.0.get_mut(2)).unwrap_err();
    let list = WriteGuard::map(whole, |pair| &mut pair.0);
    let list = MappedWriteGuard::try_map(list, |list| list.get_mut(2)).unwrap_err();
    let mut second = MappedWriteGuard::map(list, |list| &mut list[1]);
    *second += 1;
    assert_eq!((format!("{second} {second:?}"), lock.raw().has_writer()), ("3 3".to_owned(), true));
    drop(second);
    assert_eq!(lock.try_read().unwrap().0, [1, 3]);
    // A panic that a guard of a part sees is a writer's, and so is one of whoever looks for the part.
    panic_with(|| WriteGuard::map(lock.write().unwrap(), |pair| &mut pair.1));
    assert!(lock.is_poisoned() && !lock.raw().has_writer());
    lock.clear_poison();
    panic_with(|| WriteGuard::map(lock.write().unwrap(), |_| -> &mut u8 { panic!("on purpose") }));
    assert!(lock.is_poisoned() && !lock.raw().has_writer());
    lock.clear_poison();
    panic_with(|| ReadGuard::map(lock.read().unwrap(), |_| -> &u8 { panic!("on purpose") }));
    assert_eq!((lock.is_poisoned(), lock.raw().readers()), (false, 0));
}

/// Those who sleep are woken: two readers and a writer, each waiting for whoever is inside.
#[test]
fn sleepers_are_woken() {
    for options in waits() {
        let lock = SharedLock::with_options(0, options);
        let all = Barrier::new(3);
        let guard = lock.write().unwrap();
        thread::scope(|scope| {
            for _ in 0..2 {
                // Both read at once.
                scope.spawn(|| {
                    let _guard = lock.read().unwrap();
                    all.wait();
                });
            }
            while options == Options::new() && lock.raw().sleepers().1 < 2 {
                thread::yield_now();
            }
            drop(guard);
            all.wait();
            drop(lock.write().unwrap());
        });
    }
}

#[test]
fn the_value_may_be_anything() {
    static LOCK: SharedLock<[u8; 3]> = SharedLock::new([1, 2, 3]);
    let slice: &SharedLock<[u8]> = &LOCK;
    slice.write().unwrap()[0] = 9;
    assert_eq!(*slice.read().unwrap(), [9, 2, 3]);
    let shown: Box<SharedLock<dyn std::fmt::Debug + Send + Sync>> = Box::new(SharedLock::new("text"));
    assert_eq!(format!("{shown:?}"), "SharedLock { value: \"text\", is_poisoned: false, .. }");
    let lock = SharedLock::<u8>::default();
    let guard = lock.write().unwrap();
    assert_eq!(format!("{lock:?} {guard:?} {guard}"), "SharedLock { value: <locked>, is_poisoned: false, .. } 0 0");
    drop(guard);
    let seven = SharedLock::from(7);
    assert_eq!(format!("{0} {0:?}", seven.read().unwrap()), "7 7");
    assert_eq!(seven.into_inner().unwrap(), 7);
    assert_eq!(
        format!("{:?}", RawSharedLock::default()),
        "RawSharedLock { has_writer: false, readers: 0, sleepers: (0, 0), .. }"
    );
}

#[test]
fn an_error_says_what_happened() {
    let refusals = [Refusal::Deadlock, Refusal::TooManyReaders, Refusal::WouldBlock, Refusal::TimedOut];
    for refusal in refusals {
        let error = LockError::<()>::from(refusal);
        assert_eq!((format!("{error:?}"), error.to_string()), (format!("{refusal:?}"), refusal.to_string()));
        assert_eq!(error.into_guard(), None);
    }
}

/// Nobody comes between a writer that waits and the readers that it waits for.
#[test]
fn no_reader_passes_a_writer() {
    let lock = SharedLock::new(0);
    let guard = lock.read().unwrap();
    let is_in = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let _guard = lock.write().unwrap();
            is_in.store(true, SeqCst);
        });
        while !lock.raw().has_writer() {
            thread::yield_now();
        }
        for _ in 0..100 {
            assert!(matches!(lock.try_read(), Err(LockError::WouldBlock)));
            assert!(!is_in.load(SeqCst));
        }
        drop(guard);
    });
    assert!(is_in.into_inner());
}
