//! The lock under load: whatever is written in pieces is never seen in pieces, no write is lost, nobody sleeps for ever, and
//! nobody waits for more hand-overs than is promised.

use crate::rounds;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;
use std::time::Duration;
use toolbox::rwlock::{LockError, Options, ReadGuard, SharedLock, Waiting, WriteGuard};

/// What is protected: words that are equal unless somebody is in the middle of a write.
type Words = [u64; 8];

fn count(words: &mut Words) {
    words.iter_mut().for_each(|word| *word += 1);
}

#[track_caller]
fn assert_whole(words: &Words) {
    assert!(words.iter().all(|word| *word == words[0]), "{words:?}");
}

/// Numbers that differ from thread to thread.
fn numbers(thread: usize) -> impl FnMut() -> u64 {
    let mut state = thread as u64 + 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    }
}

/// One lock taken in a way that `choice` says, and how many writes that was.
fn step(lock: &SharedLock<Words>, choice: u64) -> u64 {
    let write = |mut guard: WriteGuard<'_, Words>| {
        count(&mut guard);
        1
    };
    let read = |guard: ReadGuard<'_, Words>| {
        assert_whole(&guard);
        0
    };
    // Often over before it begins, and in the middle of things.
    let time = Duration::from_micros(choice / 16 % 64);
    match choice % 16 {
        0..4 => write(lock.write().unwrap()),
        4..8 => read(lock.read().unwrap()),
        8 => lock.try_write().map_or(0, write),
        9 => lock.try_read().map_or(0, read),
        10 | 11 => lock.write_timeout(time).map_or(0, write),
        12 | 13 => lock.read_timeout(time).map_or(0, read),
        14 => {
            let mut guard = lock.write().unwrap();
            count(&mut guard);
            let before = guard[0];
            assert_eq!(WriteGuard::downgrade(guard)[0], before, "somebody wrote in between");
            1
        }
        _ => {
            let guard = lock.read().unwrap();
            let before = guard[0];
            ReadGuard::try_upgrade(guard).map_or(0, |guard| {
                assert_eq!(guard[0], before, "somebody wrote in between");
                write(guard)
            })
        }
    }
}

fn check(options: Options, threads: usize, each: usize) {
    let lock = SharedLock::with_options([0; 8], options);
    let writes: u64 = thread::scope(|scope| {
        let work = |thread| {
            let (lock, mut next) = (&lock, numbers(thread));
            move || (0..each).map(|_| step(lock, next())).sum::<u64>()
        };
        let all: Vec<_> = (0..threads).map(|thread| scope.spawn(work(thread))).collect();
        all.into_iter().map(|thread| thread.join().expect("no panic inside")).sum()
    });
    assert_eq!((lock.raw().readers(), lock.raw().has_writer(), lock.raw().sleepers()), (0, false, (0, 0)));
    assert_eq!(lock.into_inner().unwrap(), [writes; 8]);
}

#[test]
fn no_write_is_lost_and_none_is_seen_in_part() {
    for threads in [2, 4, 8] {
        for hand_over in [1, 7, 1024] {
            check(Options::new().hand_over(hand_over), threads, rounds(8_000) / threads);
        }
    }
    check(Options::new().waiting(Waiting::Yield { after: 20 }), 3, rounds(1_000));
    check(Options::new().waiting(Waiting::Spin), 2, rounds(500));
}

/// A panic now and then, on any thread; the lock goes on, and what is inside stays whole since nobody panics half-way.
#[test]
fn panics_do_not_stop_the_others() {
    let lock = SharedLock::new([0; 8]);
    let panics = AtomicU64::new(0);
    let work = |thread| {
        let mut next = numbers(thread);
        for _ in 0..rounds(300) {
            let choice = next();
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let guard = lock.write().map_err(LockError::into_guard);
                let mut guard = guard.unwrap_or_else(|guard| guard.expect("poisoned, and nothing else"));
                count(&mut guard);
                if choice.is_multiple_of(64) {
                    // Without the message and the trace of a panic, of which there will be many.
                    std::panic::resume_unwind(Box::new("on purpose"));
                }
            }));
            panics.fetch_add(u64::from(panicked.is_err()), SeqCst);
            let guard = lock.read().map_err(LockError::into_guard);
            assert_whole(&guard.unwrap_or_else(|guard| guard.expect("poisoned, and nothing else")));
        }
    };
    thread::scope(|scope| (0..3).for_each(|thread| drop(scope.spawn(move || work(thread)))));
    assert_eq!(lock.is_poisoned(), panics.into_inner() > 0);
    lock.clear_poison();
    assert_eq!(*lock.read().unwrap(), [3 * rounds(300) as u64; 8]);
}

/// How many writers are inside while somebody sleeps, until that one is in.
struct Streak {
    now: AtomicU64,
    longest: AtomicU64,
    waits: AtomicU64,
}

impl Streak {
    fn new() -> Self {
        Self { now: AtomicU64::new(0), longest: AtomicU64::new(0), waits: AtomicU64::new(0) }
    }

    /// A writer is inside, and whether whoever is looked at sleeps.
    fn writer(&self, is_asleep: bool) {
        if is_asleep {
            self.longest.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
        }
    }

    /// The one that is looked at is inside.
    fn end(&self) {
        self.waits.fetch_add(u64::from(self.now.swap(0, SeqCst) > 0), SeqCst);
    }

    fn longest(self) -> (u64, u64) {
        (self.waits.into_inner(), self.longest.into_inner())
    }
}

const ENOUGH: u64 = 20;

/// A hand-over after five writers; and one whenever the clock is looked at, which is after eight.
fn bounded() -> [(Options, u64); 2] {
    let by_number = Options::new().hand_over(5).hand_over_after(Duration::MAX);
    let by_time = Options::new().hand_over(u32::MAX).hand_over_after(Duration::ZERO);
    [(by_number, 2 * 5 + 1), (by_time, 2 * 8 + 1)]
}

/// Two writers do all they can, and take their time inside; a reader that sleeps gets in within the bound.
#[test]
fn no_reader_starves() {
    bounded().into_iter().for_each(|(options, bound)| no_reader_starves_with(options, bound));
}

fn no_reader_starves_with(options: Options, bound: u64) {
    let lock = SharedLock::with_options((), options);
    let (streak, is_over) = (Streak::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    let guard = lock.write().unwrap();
                    streak.writer(lock.raw().sleepers().1 > 0);
                    (0..200).for_each(|_| std::hint::spin_loop());
                    drop(guard);
                }
            });
        }
        // Until it has slept often enough, however long the host takes.
        while streak.waits.load(SeqCst) < ENOUGH {
            let guard = lock.read().unwrap();
            streak.end();
            drop(guard);
        }
        is_over.store(true, SeqCst);
    });
    let (waits, longest) = streak.longest();
    assert!(waits >= ENOUGH && longest <= bound, "{longest} writers in {waits} waits, not {bound}");
}

/// Of two writers and many readers one writer that sleeps gets in within the bound, although the other comes back at once.
#[test]
fn no_writer_starves() {
    bounded().into_iter().for_each(|(options, bound)| no_writer_starves_with(options, bound));
}

fn no_writer_starves_with(options: Options, bound: u64) {
    let lock = SharedLock::with_options((), options);
    let (streak, is_over) = (Streak::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over.load(SeqCst) {
                    drop(lock.read().unwrap());
                }
            });
        }
        scope.spawn(|| {
            while !is_over.load(SeqCst) {
                let guard = lock.write().unwrap();
                // The only other writer.
                streak.writer(lock.raw().sleepers().0 > 0);
                (0..200).for_each(|_| std::hint::spin_loop());
                drop(guard);
            }
        });
        while streak.waits.load(SeqCst) < ENOUGH {
            let guard = lock.write().unwrap();
            streak.end();
            drop(guard);
        }
        is_over.store(true, SeqCst);
    });
    let (waits, longest) = streak.longest();
    assert!(waits >= ENOUGH && longest <= bound, "{longest} writers in {waits} waits, not {bound}");
}
