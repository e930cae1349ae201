//! Before anything is timed: signals are given and waited for with pauses at odd moments, and somebody watches whether
//! things go on.
//!
//! A signal that is lost leaves a thread that waits for ever. So the threads of a check are not waited for when nothing has
//! moved for a long time; they stay behind.

use super::workload::{Pair, runtime};
use super::{Count, Flag};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use toolbox::bench::random::Random;
use toolbox::bench::verify::Fault;

const TURNS: u64 = 300;
const TAKES: u64 = 300;

/// A pause at an odd moment: often none, seldom a long one.
fn dawdle(random: &mut Random) {
    match random.below(16) {
        0 => thread::sleep(Duration::from_micros(50)),
        1..6 => thread::yield_now(),
        _ => {}
    }
}

type Watched = JoinHandle<Result<(), Fault>>;

/// Waits for the threads, for as long as `moved` moves.
fn watch(threads: Vec<Watched>, moved: &AtomicU64, patience: Duration) -> Result<(), Fault> {
    let (mut last, mut since) = (0, Instant::now());
    while !threads.iter().all(JoinHandle::is_finished) {
        let now = moved.load(Relaxed);
        if now != last {
            (last, since) = (now, Instant::now());
        } else if since.elapsed() > patience {
            let message = format!("a signal was lost: after {now} of them nobody went on for {} s", patience.as_secs());
            return Err(Fault::Wrong(message));
        }
        thread::sleep(Duration::from_micros(200));
    }
    threads.into_iter().try_for_each(|thread| thread.join().expect("nobody panics"))
}

/// Checks that each wait of two threads ends after its own signal.
///
/// # Errors
/// When one ended after another or never.
pub(super) fn flag_of_threads<F: Flag>() -> Result<(), Fault> {
    let (pair, moved) = (Arc::new(Pair::<F>::new()), Arc::new(AtomicU64::new(0)));
    let side = |index: usize| {
        let (pair, moved) = (Arc::clone(&pair), Arc::clone(&moved));
        thread::spawn(move || {
            let mut random = Random::new(index as u64);
            for round in 0..TURNS {
                let turns = [2 * round + 1, 2 * round + 2];
                if index == 0 {
                    pair.hand(0, turns[0]);
                }
                dawdle(&mut random);
                pair.own(index).wait();
                // None: the other side has found a fault.
                if pair.went_on(index, turns[1 - index])?.is_none() {
                    return Ok(());
                }
                moved.fetch_add(1, Relaxed);
                dawdle(&mut random);
                if index == 1 {
                    pair.hand(1, turns[1]);
                }
            }
            Ok(())
        })
    };
    watch(vec![side(0), side(1)], &moved, F::PATIENCE)
}

/// As [`flag_of_threads`], with tasks.
///
/// # Errors
/// As [`flag_of_threads`].
pub(super) fn flag_of_tasks<F: Flag>() -> Result<(), Fault> {
    let (pair, moved) = (Arc::new(Pair::<F>::new()), Arc::new(AtomicU64::new(0)));
    let side = |index: usize| {
        let (pair, moved) = (Arc::clone(&pair), Arc::clone(&moved));
        async move {
            for round in 0..TURNS {
                let turns = [2 * round + 1, 2 * round + 2];
                if index == 0 {
                    pair.hand(0, turns[0]);
                }
                if round % 3 == 0 {
                    tokio::task::yield_now().await;
                }
                pair.own(index).wait_async().await;
                if pair.went_on(index, turns[1 - index])?.is_none() {
                    return Ok(());
                }
                moved.fetch_add(1, Relaxed);
                if index == 1 {
                    pair.hand(1, turns[1]);
                }
            }
            Ok(())
        }
    };
    let sides = [side(0), side(1)];
    watch(vec![thread::spawn(move || run_tasks(sides))], &moved, F::PATIENCE)
}

/// Runs tasks, and returns the first fault.
fn run_tasks<T>(tasks: impl IntoIterator<Item = T>) -> Result<(), Fault>
where
    T: Future<Output = Result<(), Fault>> + Send + 'static,
{
    let runtime = runtime();
    let started: Vec<_> = tasks.into_iter().map(|task| runtime.spawn(task)).collect();
    runtime.block_on(async {
        for task in started {
            task.await.expect("nobody panics")?;
        }
        Ok(())
    })
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Checks what two threads add and two others take: never more than there was, and all of it.
///
/// # Errors
/// When one got something that was not there, or waited for something that was.
pub(super) fn count_of_threads<C: Count>() -> Result<(), Fault> {
    let (count, given, taken) = (Arc::new(C::new()), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let threads = [0, 1, 2, 3].map(|index: usize| {
        let (count, given, taken) = (Arc::clone(&count), Arc::clone(&given), Arc::clone(&taken));
        thread::spawn(move || {
            let mut random = Random::new(index as u64);
            for _ in 0..TAKES {
                dawdle(&mut random);
                if index.is_multiple_of(2) {
                    given.fetch_add(1, SeqCst);
                    count.post();
                } else {
                    count.take();
                    was_there(&given, &taken)?;
                }
            }
            Ok(())
        })
    });
    watch(threads.into(), &taken, PATIENCE)?;
    is_over(&*count)
}

/// As [`count_of_threads`], with tasks.
///
/// # Errors
/// As [`count_of_threads`].
pub(super) fn count_of_tasks<C: Count>() -> Result<(), Fault> {
    let (count, given, taken) = (Arc::new(C::new()), Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let tasks = [0, 1, 2, 3].map(|index: usize| {
        let (count, given, taken) = (Arc::clone(&count), Arc::clone(&given), Arc::clone(&taken));
        async move {
            for turn in 0..TAKES {
                if index.is_multiple_of(2) {
                    given.fetch_add(1, SeqCst);
                    count.post();
                    if turn % 3 == 0 {
                        tokio::task::yield_now().await;
                    }
                } else {
                    count.take_async().await;
                    was_there(&given, &taken)?;
                }
            }
            Ok(())
        }
    });
    watch(vec![thread::spawn(move || run_tasks(tasks))], &taken, PATIENCE)?;
    is_over(&*count)
}

/// Notes that one was taken, of those that were given.
fn was_there(given: &AtomicU64, taken: &AtomicU64) -> Result<(), Fault> {
    let taken = taken.fetch_add(1, SeqCst) + 1;
    let given = given.load(SeqCst);
    if taken <= given { Ok(()) } else { Err(Fault::Unbalanced { put: given, taken }) }
}

fn is_over(count: &impl Count) -> Result<(), Fault> {
    if count.is_empty() { Ok(()) } else { Err(Fault::Wrong("all were taken, and there is still one".to_owned())) }
}
