//! The queues under load: each item arrives once, in its pusher's order, and is dropped once; what they answer is what a
//! queue would; memory comes back.

use crate::history::{Deed, End, Event, is_linearizable, record};
use crate::order::{History, Pop, Span};
use crate::{memory, rounds};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;
use toolbox::queue::{Bounded, PointerQueue, Queue};

/// All queues, as a test sees them.
trait Fifo<T>: Sync {
    fn push(&self, item: T) -> Result<(), T>;
    fn pop(&self) -> Option<T>;
    fn capacity(&self) -> usize;

    /// Puts some of `items` in; the queue that has no batches puts in none.
    fn push_batch(&self, _: &mut Vec<T>) {}

    /// Takes at most so many out.
    fn pop_batch(&self, _: &mut Vec<T>, _: usize) -> usize {
        0
    }
}

impl<T: Send> Fifo<T> for Queue<T> {
    fn push(&self, item: T) -> Result<(), T> {
        self.try_push(item)
    }
    fn pop(&self) -> Option<T> {
        self.pop()
    }
    fn capacity(&self) -> usize {
        usize::MAX
    }
    fn push_batch(&self, items: &mut Vec<T>) {
        self.push_batch(items);
    }
    fn pop_batch(&self, items: &mut Vec<T>, limit: usize) -> usize {
        self.pop_batch(items, limit)
    }
}

/// The queue of pointers, for any item.
struct Boxed<T>(PointerQueue<Box<T>>);

impl<T> Boxed<T> {
    fn new() -> Self {
        Self(PointerQueue::of_pointers())
    }
}

impl<T: Send> Fifo<T> for Boxed<T> {
    fn push(&self, item: T) -> Result<(), T> {
        self.0.try_push(Box::new(item)).map_err(|item| *item)
    }
    fn pop(&self) -> Option<T> {
        self.0.pop().map(|item| *item)
    }
    fn capacity(&self) -> usize {
        usize::MAX
    }
    fn push_batch(&self, items: &mut Vec<T>) {
        self.0.push_batch(&mut items.drain(..).map(Box::new).collect());
    }
    fn pop_batch(&self, items: &mut Vec<T>, limit: usize) -> usize {
        let mut boxes = Vec::new();
        let count = self.0.pop_batch(&mut boxes, limit);
        items.extend(boxes.into_iter().map(|item| *item));
        count
    }
}

#[cfg(feature = "queue-linked")]
impl<T: Send> Fifo<T> for toolbox::queue::Linked<T> {
    fn push(&self, item: T) -> Result<(), T> {
        self.push(item);
        Ok(())
    }
    fn pop(&self) -> Option<T> {
        self.pop()
    }
    fn capacity(&self) -> usize {
        usize::MAX
    }
}

impl<T: Send> Fifo<T> for Bounded<T> {
    fn push(&self, item: T) -> Result<(), T> {
        self.try_push(item)
    }
    fn pop(&self) -> Option<T> {
        self.pop()
    }
    fn capacity(&self) -> usize {
        self.capacity()
    }
    fn push_batch(&self, items: &mut Vec<T>) {
        self.try_push_batch(items);
    }
    fn pop_batch(&self, items: &mut Vec<T>, limit: usize) -> usize {
        self.pop_batch(items, limit)
    }
}

/// An item that knows where it comes from and counts itself.
struct Item {
    pusher: usize,
    number: usize,
    alive: Arc<AtomicUsize>,
}

impl Drop for Item {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, SeqCst);
    }
}

/// `pushers` push `each` items, `poppers` take them out until all have been seen; all of it is verified.
fn check_delivery(queue: &impl Fifo<Item>, pushers: usize, poppers: usize, each: usize) {
    let alive = Arc::new(AtomicUsize::new(0));
    let taken = AtomicUsize::new(0);
    let push_all = |pusher| {
        for number in 0..each {
            alive.fetch_add(1, SeqCst);
            let mut item = Item { pusher, number, alive: Arc::clone(&alive) };
            while let Err(back) = queue.push(item) {
                item = back;
                thread::yield_now();
            }
        }
    };
    let pop_all = || {
        let mut seen: Vec<Vec<usize>> = vec![Vec::new(); pushers];
        while taken.load(SeqCst) < pushers * each {
            let Some(item) = queue.pop() else {
                thread::yield_now();
                continue;
            };
            taken.fetch_add(1, SeqCst);
            seen[item.pusher].push(item.number);
        }
        seen
    };
    let seen: Vec<_> = thread::scope(|scope| {
        (0..pushers).for_each(|pusher| drop(scope.spawn(move || push_all(pusher))));
        let poppers: Vec<_> = (0..poppers).map(|_| scope.spawn(pop_all)).collect();
        poppers.into_iter().map(|popper| popper.join().expect("a popper that finishes")).collect()
    });
    for pusher in 0..pushers {
        let of_one = |seen: &Vec<Vec<usize>>| seen[pusher].clone();
        assert!(seen.iter().map(of_one).all(|numbers| numbers.is_sorted()), "out of order");
        let mut all: Vec<_> = seen.iter().flat_map(of_one).collect();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..each), "lost or doubled");
    }
    assert!(queue.pop().is_none());
    assert_eq!(alive.load(SeqCst), 0, "each item is dropped once");
}

const SHAPES: [(usize, usize); 5] = [(1, 1), (2, 2), (4, 1), (1, 4), (4, 4)];

#[test]
fn every_item_arrives_once_and_in_order() {
    for (pushers, poppers) in SHAPES {
        check_delivery(&Queue::new(), pushers, poppers, rounds(40_000) / pushers);
        check_delivery(&Boxed::new(), pushers, poppers, rounds(20_000) / pushers);
    }
}

#[test]
fn every_item_arrives_through_a_bounded_queue() {
    for (pushers, poppers) in SHAPES {
        for capacity in [1, 3, 64] {
            check_delivery(&Bounded::new(capacity), pushers, poppers, rounds(4_000) / pushers);
        }
    }
}

/// A queue that stays nearly empty, so that pops draw slots before pushes do, and blocks are used again at once.
#[test]
fn a_queue_that_is_always_nearly_empty() {
    let queue = Queue::new();
    crate::push_and_pop_by_turns(|item| queue.push(item), || queue.pop());
    assert!(queue.is_empty());
    let queue = Boxed::new();
    crate::push_and_pop_by_turns(|item| assert!(queue.push(item).is_ok()), || queue.pop());
    assert!(queue.0.is_empty());
}

/// A queue is dropped with items in it, after threads have left it in any state.
#[test]
fn dropped_after_a_race() {
    for round in 0..rounds(200) {
        let alive = Arc::new(AtomicUsize::new(0));
        let queue = Queue::new();
        thread::scope(|scope| {
            for pusher in 0..2 {
                let (queue, alive) = (&queue, &alive);
                scope.spawn(move || {
                    for number in 0..500 + 13 * (round % 100) {
                        alive.fetch_add(1, SeqCst);
                        queue.push(Item { pusher, number, alive: Arc::clone(alive) });
                    }
                });
                scope.spawn(move || (0..300 + 7 * (round % 100)).for_each(|_| drop(queue.pop())));
            }
        });
        assert_eq!(alive.load(SeqCst), queue.len());
        drop(queue);
        assert_eq!(alive.load(SeqCst), 0);
    }
}

/// Three threads do a few things at once, which are recorded; the queue has been brought near the end of a block before.
fn history(queue: &impl Fifo<u32>, seed: u32) -> Vec<Event> {
    let clock = AtomicUsize::new(0);
    let start = Barrier::new(3);
    thread::scope(|scope| {
        let work = |thread: u32| {
            let (clock, start) = (&clock, &start);
            move || {
                start.wait();
                let pushes = |step: u32| (seed.wrapping_mul(2_654_435_761) >> (thread * 6 + step)) & 1 == 0;
                let deed = |step| match pushes(step) {
                    true => queue.push(thread * 10 + step).map_or(Deed::Full, |()| Deed::Push(thread * 10 + step)),
                    false => Deed::Pop(queue.pop()),
                };
                (0..5).map(|step| record(clock, || deed(step))).collect::<Vec<_>>()
            }
        };
        let all: Vec<_> = (0..3).map(|thread| scope.spawn(work(thread))).collect();
        all.into_iter().flat_map(|thread| thread.join().expect("no panic inside")).collect()
    })
}

fn check_histories(queue: &impl Fifo<u32>, count: usize) {
    for seed in 0..u32::try_from(rounds(count)).expect("a small number") {
        let events = history(queue, seed);
        assert!(is_linearizable(&events, End::First, queue.capacity()), "{events:?}");
        while queue.pop().is_some() {}
    }
}

#[test]
fn what_threads_see_is_what_a_queue_does() {
    check_histories(&Queue::new(), 3_000);
    check_histories(&Boxed::new(), 1_500);
}

#[test]
fn what_threads_see_is_what_a_bounded_queue_does() {
    for seed in 0..u32::try_from(rounds(1_500)).expect("a small number") {
        let queue = Bounded::new(1 + seed as usize % 3);
        let events = history(&queue, seed);
        assert!(is_linearizable(&events, End::First, queue.capacity()), "{events:?}");
    }
}

/// Pushers and poppers with a clock, one by one and in batches of up to `longest`.
fn long_history(
    queue: &dyn Fifo<(usize, usize)>,
    pushers: usize,
    poppers: usize,
    each: usize,
    longest: usize,
) -> History {
    let clock = Instant::now();
    let taken = AtomicUsize::new(0);
    let timed = |act: &mut dyn FnMut()| {
        let called = clock.elapsed().as_nanos() as u64;
        act();
        Span { called, returned: clock.elapsed().as_nanos() as u64 }
    };
    let push_all = |pusher: usize| {
        let (mut spans, mut items) = (Vec::new(), Vec::new());
        while spans.len() < each {
            let end = each.min(spans.len() + 1 + spans.len() * 7 % longest);
            items.extend((spans.len() + items.len()..end).map(|number| (pusher, number)));
            let before = items.len();
            let span = match items[..] {
                [item] => timed(&mut || items.truncate(usize::from(queue.push(item).is_err()))),
                _ => timed(&mut || queue.push_batch(&mut items)),
            };
            spans.extend(vec![span; before - items.len()]);
            if !items.is_empty() {
                thread::yield_now();
            }
        }
        spans
    };
    let pop_all = || {
        let (mut pops, mut nothing, mut items) = (Vec::new(), Vec::new(), Vec::new());
        while taken.load(SeqCst) < pushers * each {
            let limit = 1 + pops.len() * 5 % longest;
            let span = match limit {
                1 => timed(&mut || items.extend(queue.pop())),
                _ => timed(&mut || assert_eq!(queue.pop_batch(&mut items, limit), items.len())),
            };
            if items.is_empty() {
                nothing.push(span);
                thread::yield_now();
            }
            taken.fetch_add(items.len(), SeqCst);
            pops.extend(items.drain(..).map(|(pusher, number)| Pop { pusher, number, span }));
        }
        (pops, nothing)
    };
    let mut history = History::default();
    thread::scope(|scope| {
        let push_all = &push_all;
        let pushers: Vec<_> = (0..pushers).map(|pusher| scope.spawn(move || push_all(pusher))).collect();
        let poppers: Vec<_> = (0..poppers).map(|_| scope.spawn(pop_all)).collect();
        history.pushes.extend(pushers.into_iter().map(|pusher| pusher.join().expect("no panic inside")));
        for popper in poppers {
            let (pops, nothing) = popper.join().expect("no panic inside");
            history.pops.push(pops);
            history.nothing.extend(nothing);
        }
    });
    history
}

fn check_long_histories(make: impl Fn() -> Box<dyn Fifo<(usize, usize)>>, each: usize) {
    for (pushers, poppers) in SHAPES {
        for longest in [1, 5, 100] {
            let history = long_history(&*make(), pushers, poppers, each / pushers, longest);
            assert!(history.pops.iter().map(Vec::len).sum::<usize>() == each / pushers * pushers);
            assert_eq!(history.fault(), None, "{pushers} pushers, {poppers} poppers, batches of up to {longest}");
        }
    }
}

#[test]
fn long_histories_are_those_of_a_queue() {
    check_long_histories(|| Box::new(Queue::new()), rounds(20_000));
    check_long_histories(|| Box::new(Boxed::new()), rounds(10_000));
}

#[test]
fn long_histories_of_a_bounded_queue() {
    check_long_histories(|| Box::new(Bounded::new(13)), rounds(2_000));
}

#[test]
fn memory_per_item_and_after_a_burst() {
    let before = memory::in_use();
    let queue = Queue::new();
    let count: u32 = if cfg!(miri) { 5_000 } else { 1_000_000 };
    (0..u64::from(count)).for_each(|number| queue.push(number));
    let full = memory::in_use() - before;
    if !cfg!(miri) {
        assert!(full as f64 <= 9.3 * f64::from(count), "{full} bytes for {count} items");
    }
    assert!(queue.drain().eq(0..u64::from(count)));
    let drained = memory::in_use() - before;
    assert!(drained <= 2 * 8192, "{drained} bytes are kept");
    drop(queue);
    assert_eq!(memory::in_use(), before);
}

#[test]
fn memory_per_pointer_and_after_a_burst() {
    let numbers: Vec<u8> = (0..if cfg!(miri) { 5_000 } else { 1_000_000_u32 }).map(|number| number as u8).collect();
    let before = memory::in_use();
    let mut queue = PointerQueue::of_pointers();
    queue.extend(&numbers);
    let full = memory::in_use() - before;
    if !cfg!(miri) {
        assert!(full as f64 <= 8.1 * numbers.len() as f64, "{full} bytes for {} pointers", numbers.len());
    }
    assert!(queue.drain().zip(&numbers).all(|(got, put)| std::ptr::eq(got, put)));
    assert!(queue.is_empty());
    let drained = memory::in_use() - before;
    assert!(drained <= 2 * 8192, "{drained} bytes are kept");
    drop(queue);
    assert_eq!(memory::in_use(), before);
}

/// Without memory for another block the item comes back, as often as it is tried, and then things go on.
#[test]
fn an_item_comes_back_when_memory_is_short() {
    let queue = Queue::new();
    let mut count = 0_u64;
    memory::while_short(|| {
        while queue.try_push(count).is_ok() {
            count += 1;
        }
        for _ in 0..1000 {
            assert_eq!(queue.try_push(count), Err(count));
        }
    });
    assert!((100..10_000).contains(&count), "a block holds {count}");
    assert_eq!(queue.len(), usize::try_from(count).expect("a small number"));
    queue.push(count);
    assert!(queue.drain().eq(0..=count));
    // Nothing of it is left over: both kinds of push work once the block is used up.
    (0..3 * count).for_each(|number| queue.push(number));
    assert!(queue.drain().eq(0..3 * count));
}

#[cfg(feature = "queue-linked")]
mod linked {
    use super::*;
    use toolbox::queue::Linked;

    #[test]
    fn every_item_arrives_once_and_in_order() {
        for (pushers, poppers) in SHAPES {
            check_delivery(&Linked::new(), pushers, poppers, rounds(20_000) / pushers);
        }
    }

    #[test]
    fn what_threads_see_is_what_a_queue_does() {
        check_histories(&Linked::new(), 1_500);
    }

    #[test]
    fn dropped_after_a_race() {
        for round in 0..rounds(200) {
            let alive = Arc::new(AtomicUsize::new(0));
            let queue = Linked::new();
            thread::scope(|scope| {
                let (queue, alive) = (&queue, &alive);
                scope.spawn(move || {
                    for number in 0..100 + 13 * (round % 100) {
                        alive.fetch_add(1, SeqCst);
                        queue.push(Item { pusher: 0, number, alive: Arc::clone(alive) });
                    }
                });
                scope.spawn(move || (0..70 + 7 * (round % 100)).for_each(|_| drop(queue.pop())));
            });
            drop(queue);
            assert_eq!(alive.load(SeqCst), 0);
        }
    }

    /// What the documentation says of a thread that stalls: nothing that is popped meanwhile is freed.
    #[test]
    fn memory_grows_behind_a_thread_that_stalls() {
        let queue = Linked::new();
        let _stalled = crossbeam_epoch::pin();
        let before = memory::in_use();
        let count = rounds(20_000).min(100_000);
        for number in 0..count {
            queue.push(number);
            assert_eq!(queue.pop(), Some(number));
        }
        let kept = memory::in_use() - before;
        let nodes = isize::try_from(count * 2 * size_of::<usize>()).expect("a small number");
        assert!(kept >= nodes, "{kept} bytes are kept for {count} nodes");
    }
}
