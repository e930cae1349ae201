//! The stack under load: each item arrives once and is dropped once; what it answers is what a stack would; where the
//! order is defined it is kept; memory is what it says.

use crate::history::{Deed, End, Event, is_linearizable, record};
use crate::{memory, rounds};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use toolbox::stack::Stack;

/// An item that knows where it comes from and counts itself.
struct Item {
    pusher: usize,
    number: usize,
    alive: Arc<AtomicUsize>,
}

impl Item {
    fn new(pusher: usize, number: usize, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, SeqCst);
        Self { pusher, number, alive: Arc::clone(alive) }
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

/// `pushers` push `each` items, `poppers` take them out, by ones or all at once, until all have been seen.
fn check_delivery(pushers: usize, poppers: usize, each: usize) {
    let stack = Stack::new();
    let alive = Arc::new(AtomicUsize::new(0));
    let taken = AtomicUsize::new(0);
    let pop_all = |popper: usize| {
        let mut seen: Vec<Vec<usize>> = vec![Vec::new(); pushers];
        let mut note = |item: Item| {
            taken.fetch_add(1, SeqCst);
            seen[item.pusher].push(item.number);
        };
        for turn in popper.. {
            if taken.load(SeqCst) == pushers * each {
                break;
            }
            if turn % 7 == 0 {
                stack.pop_all().for_each(&mut note);
            } else if let Some(item) = stack.pop() {
                note(item);
            } else {
                thread::yield_now();
            }
        }
        seen
    };
    let (stack, alive, pop_all) = (&stack, &alive, &pop_all);
    let seen: Vec<_> = thread::scope(|scope| {
        for pusher in 0..pushers {
            scope.spawn(move || (0..each).for_each(|number| stack.push(Item::new(pusher, number, alive))));
        }
        let poppers: Vec<_> = (0..poppers).map(|popper| scope.spawn(move || pop_all(popper))).collect();
        poppers.into_iter().map(|popper| popper.join().expect("a popper that finishes")).collect()
    });
    for pusher in 0..pushers {
        let mut all: Vec<_> = seen.iter().flat_map(|seen: &Vec<Vec<usize>>| seen[pusher].clone()).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..each), "lost or doubled");
    }
    assert!(stack.pop().is_none());
    assert_eq!(alive.load(SeqCst), 0, "each item is dropped once");
}

#[test]
fn every_item_arrives_once() {
    for (pushers, poppers) in [(1, 1), (2, 2), (4, 1), (1, 4), (4, 4)] {
        check_delivery(pushers, poppers, rounds(40_000) / pushers);
    }
}

/// A stack that stays nearly empty, so that nodes are used again at once.
#[test]
fn a_stack_that_is_always_nearly_empty() {
    let stack = Stack::new();
    crate::push_and_pop_by_turns(|item| stack.push(item), || stack.pop());
    assert!(stack.is_empty());
}

/// While nobody pushes, every thread that pops sees the items of one pusher in the reverse of their order.
#[test]
fn the_last_of_each_pusher_come_first() {
    let (threads, each) = (4, rounds(5_000));
    for round in 0..4 {
        let (stack, line) = (Stack::new(), Barrier::new(threads));
        thread::scope(|scope| {
            for pusher in 0..threads {
                let (stack, line) = (&stack, &line);
                scope.spawn(move || {
                    (0..each).for_each(|number| stack.push((pusher, number)));
                    line.wait();
                    let mut last = vec![each; threads];
                    let mut note = |(pusher, number): (usize, usize)| {
                        assert!(number < last[pusher], "{number} of {pusher} after {}", last[pusher]);
                        last[pusher] = number;
                    };
                    if pusher == 0 && round % 2 == 1 {
                        stack.pop_all().for_each(&mut note);
                    }
                    stack.drain().for_each(&mut note);
                });
            }
        });
        assert!(stack.is_empty());
    }
}

/// A stack is dropped with items in it, after threads have left it in any state.
#[test]
fn dropped_after_a_race() {
    for round in 0..rounds(200) {
        let alive = Arc::new(AtomicUsize::new(0));
        let stack = Stack::new();
        thread::scope(|scope| {
            for pusher in 0..2 {
                let (stack, alive) = (&stack, &alive);
                scope.spawn(move || {
                    (0..500 + 13 * (round % 100)).for_each(|number| stack.push(Item::new(pusher, number, alive)));
                });
                scope.spawn(move || {
                    (0..300 + 7 * (round % 100)).for_each(|_| drop(stack.pop()));
                    assert!(stack.pop_all().take(round).count() <= round);
                });
            }
        });
        drop(stack);
        assert_eq!(alive.load(SeqCst), 0);
    }
}

/// Three threads do a few things at once, which are recorded.
fn history(stack: &Stack<u32>, seed: u32) -> Vec<Event> {
    let clock = AtomicUsize::new(0);
    let start = Barrier::new(3);
    thread::scope(|scope| {
        let work = |thread: u32| {
            let (clock, start) = (&clock, &start);
            move || {
                start.wait();
                let draw = |step: u32| (seed.wrapping_mul(2_654_435_761) >> (thread * 6 + step)) & 7;
                let deed = |step| match draw(step) {
                    0 => {
                        let mut all = stack.pop_all();
                        Deed::PopAll(std::array::from_fn(|_| all.next()))
                    }
                    1..4 => Deed::Pop(stack.pop()),
                    _ => {
                        stack.push(thread * 10 + step);
                        Deed::Push(thread * 10 + step)
                    }
                };
                (0..5).map(|step| record(clock, || deed(step))).collect::<Vec<_>>()
            }
        };
        let all: Vec<_> = (0..3).map(|thread| scope.spawn(work(thread))).collect();
        all.into_iter().flat_map(|thread| thread.join().expect("no panic inside")).collect()
    })
}

#[test]
fn what_threads_see_is_what_a_stack_does() {
    let stack = Stack::new();
    for seed in 0..u32::try_from(rounds(3_000)).expect("a small number") {
        let events = history(&stack, seed);
        assert!(is_linearizable(&events, End::Last, usize::MAX), "{events:?}");
        stack.drain().for_each(drop);
    }
}

#[test]
fn memory_per_item_and_after_a_burst() {
    let before = memory::in_use();
    let mut stack = Stack::new();
    let empty = memory::in_use() - before;
    assert!(empty <= 8192 + 512, "{empty} bytes when empty");
    let count: u32 = if cfg!(miri) { 2_000 } else { 1_000_000 };
    let fill = |stack: &Stack<u64>| (0..u64::from(count)).for_each(|number| stack.push(number));
    fill(&stack);
    let full = memory::in_use() - before;
    if !cfg!(miri) {
        assert!(full as f64 <= 16.1 * f64::from(count), "{full} bytes for {count} items");
    }
    assert!(stack.drain().eq((0..u64::from(count)).rev()));
    assert_eq!(memory::in_use() - before, full, "all is kept for reuse");
    fill(&stack);
    assert_eq!(memory::in_use() - before, full, "and nothing else is taken");
    assert!(stack.pop_all().take(10).eq((0..u64::from(count)).rev().take(10)));
    fill(&stack);
    assert_eq!(memory::in_use() - before, full, "whatever way the items went");
    drop(stack.pop_all());
    stack.shrink_to_fit();
    assert_eq!(memory::in_use() - before, empty);
    drop(stack);
    assert_eq!(memory::in_use(), before);
}

/// Without memory for another segment the item comes back, as often as it is tried, and then things go on.
#[test]
fn an_item_comes_back_when_memory_is_short() {
    let stack = Stack::new();
    let mut count = 0_u64;
    memory::while_short(|| {
        while stack.try_push(count).is_ok() {
            count += 1;
        }
        for _ in 0..1000 {
            assert_eq!(stack.try_push(count), Err(count));
        }
    });
    assert!((100..10_000).contains(&count), "a segment holds {count}");
    stack.push(count);
    assert!(stack.drain().eq((0..=count).rev()));
    (0..3 * count).for_each(|number| stack.push(number));
    assert!(stack.drain().eq((0..3 * count).rev()));
}
