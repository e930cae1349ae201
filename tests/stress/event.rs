//! Threads that signal, wait, and give up waiting. Every signal is taken once, or still lies there at the end.

use super::rounds;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Barrier, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use toolbox::event::{Condition, Event, Guarded, Semaphore};

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Takes in all ways that there are, and gives up as often as not. How many it took.
fn take_somehow(semaphore: &Semaphore, turn: usize) -> usize {
    let was_taken = match turn % 4 {
        0 => semaphore.try_take(),
        1 => semaphore.take_timeout(Duration::from_nanos(turn as u64 % 3000)).is_ok(),
        2 => poll(Box::pin(semaphore.take()).as_mut()).is_ready(),
        _ => {
            let mut take = Box::pin(semaphore.take());
            poll(take.as_mut()).is_ready() || {
                thread::yield_now();
                poll(take.as_mut()).is_ready()
            }
        }
    };
    usize::from(was_taken)
}

#[test]
fn each_signal_is_taken_once() {
    let semaphore = Semaphore::new(0);
    let each = rounds(5_000);
    let taken: usize = thread::scope(|scope| {
        let posters = [1, 2].map(|count| {
            let semaphore = &semaphore;
            scope.spawn(move || (0..each).for_each(|_| semaphore.post(count)))
        });
        // These wait for what they want however long it takes, while others come and go.
        let steady = [(); 2].map(|()| scope.spawn(|| (0..each).for_each(|_| semaphore.take_blocking())));
        let fickle = [0, 1].map(|from| {
            let semaphore = &semaphore;
            scope.spawn(move || (from..each / 2 + from).map(|turn| take_somehow(semaphore, turn)).sum::<usize>())
        });
        posters.into_iter().for_each(|poster| poster.join().unwrap());
        steady.into_iter().for_each(|taker| taker.join().unwrap());
        fickle.into_iter().map(|taker| taker.join().unwrap()).sum()
    });
    assert_eq!(2 * each + taken + semaphore.available(), 3 * each);
}

/// Two threads hand one signal back and forth.
#[test]
fn back_and_forth() {
    let (there, back) = (Event::auto_reset(), Event::auto_reset());
    let count = AtomicUsize::new(0);
    let each = rounds(10_000);
    let play = |from: &Event, to: &Event| {
        for _ in 0..each {
            from.wait_blocking();
            count.store(count.load(SeqCst) + 1, SeqCst);
            to.set();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| play(&there, &back));
        there.set();
        play(&back, &there);
    });
    assert_eq!(count.load(SeqCst), 2 * each);
    assert!(there.reset() && !back.reset());
}

/// More threads than processors; each round all of them are let through, once.
#[test]
fn everybody_each_round() {
    let threads = 6;
    let gates: Vec<_> = (0..rounds(500)).map(|_| Event::manual_reset()).collect();
    let meeting = Barrier::new(threads + 1);
    thread::scope(|scope| {
        for number in 0..threads {
            let (gates, meeting) = (&gates, &meeting);
            scope.spawn(move || {
                for (round, gate) in gates.iter().enumerate() {
                    if (round + number) % 3 == 0 {
                        let _ = gate.wait_timeout(Duration::from_nanos(round as u64 * 100));
                    }
                    gate.wait_blocking();
                    meeting.wait();
                }
            });
        }
        for gate in &gates {
            gate.set();
            meeting.wait();
        }
    });
}

/// A buffer with two ends and one condition: each change is told to one, who may be the wrong one, and hands it on. With a
/// mutex of this library a wait may be given up while it waits for the mutex, too.
#[test]
fn a_bounded_buffer() {
    bounded_buffer(&Mutex::new(VecDeque::new()));
    bounded_buffer(&toolbox::mutex::Mutex::new(VecDeque::new()));
    bounded_buffer(&toolbox::mutex::FairMutex::fair(VecDeque::new()));
}

fn bounded_buffer<M: Guarded<Value = VecDeque<usize>> + Sync>(buffer: &M) {
    const ROOM: usize = 3;
    let changed = Condition::new();
    let each = rounds(3_000);
    let sum: usize = thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for number in 1..=each {
                    let mut guard = changed.lock_when_blocking(buffer, |items| items.len() < ROOM);
                    M::value(&mut guard).expect("nobody panics").push_back(number);
                    drop(guard);
                    changed.notify_one();
                }
            });
        }
        let takers = [0, 1, 2, 3].map(|taker| {
            let changed = &changed;
            scope.spawn(move || {
                let mut sum = 0;
                for turn in 0..each / 2 {
                    let is_there = |items: &mut VecDeque<_>| !items.is_empty();
                    let mut guard = loop {
                        if (turn + taker) % 5 > 0 {
                            break changed.lock_when_blocking(buffer, is_there);
                        }
                        if let Ok(guard) = changed.lock_when_timeout(buffer, Duration::from_micros(1), is_there) {
                            break guard;
                        }
                    };
                    sum += M::value(&mut guard).and_then(VecDeque::pop_front).expect("that was the question");
                    drop(guard);
                    changed.notify_one();
                }
                sum
            })
        });
        takers.map(|taker| taker.join().unwrap()).into_iter().sum()
    });
    assert_eq!(sum, each * (each + 1));
    assert!(changed.lock_when_timeout(buffer, Duration::ZERO, |items| items.is_empty()).is_ok());
}
