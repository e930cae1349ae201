//! What one thread sees of the queues, and what dropping them does. Run by Miri as well, so everything here is small
//! but for blocks, which have to change many times. Threads against each other are in `tests/stress` and `tests/model`.

use super::{Bounded, PointerQueue, Queue};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// More than a block of numbers; more than three where that takes no time.
const MANY: usize = if cfg!(miri) { 300 } else { 30_000 };

#[test]
fn first_in_first_out() {
    let queue = Queue::new();
    assert!(queue.is_empty() && queue.pop().is_none());
    (0..MANY).for_each(|number| queue.push(number));
    assert_eq!(queue.len(), MANY);
    assert!(queue.drain().eq(0..MANY));
    assert_eq!((queue.len(), queue.is_empty(), queue.pop()), (0, true, None));
}

/// Against a queue that is right by being simple, with an uneven pace that crosses blocks in every phase.
#[test]
fn any_pace_as_a_deque() {
    let (queue, mut model) = (Queue::new(), VecDeque::new());
    let mut state = 1_u64;
    for number in 0..MANY {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if (state >> 33) % 1000 < if number % 4096 < 2048 { 700 } else { 300 } {
            queue.push(number);
            model.push_back(number);
        } else {
            assert_eq!(queue.pop(), model.pop_front());
        }
        assert_eq!((queue.len(), queue.is_empty()), (model.len(), model.is_empty()));
    }
    assert!(queue.into_iter().eq(model));
}

/// Batches of any length, which cross blocks in every phase, against a deque.
#[test]
fn batches_are_as_many_single_operations() {
    let (queue, mut model) = (Queue::new(), VecDeque::new());
    let (mut numbers, mut got) = (0.., Vec::new());
    for length in (0..MANY).map(|step| step * step % 201).take(MANY / 50) {
        let mut items: Vec<_> = numbers.by_ref().take(length).collect();
        model.extend(&items);
        queue.push_batch(&mut items);
        assert!(items.is_empty());
        let limit = (length * 7) % 190;
        let expected = limit.min(model.len());
        assert_eq!(queue.pop_batch(&mut got, limit), expected);
        assert!(got.drain(..).eq(model.drain(..expected)));
        assert_eq!(queue.len(), model.len());
        if length % 5 == 0 {
            assert_eq!(queue.pop(), model.pop_front());
        }
    }
    assert_eq!(queue.pop_batch(&mut got, usize::MAX), model.len());
    assert!(got.into_iter().eq(model));
    assert_eq!((queue.len(), queue.pop_batch(&mut Vec::new(), 3)), (0, 0));
}

#[test]
fn batches_of_the_bounded_queue() {
    for capacity in [1, 2, 3, 7] {
        let (queue, mut model) = (Bounded::new(capacity), VecDeque::new());
        let mut numbers = 0..;
        for length in (0..200).map(|step| step * step % 11) {
            let mut items: Vec<_> = numbers.by_ref().take(length).collect();
            let (all, room) = (items.clone(), length.min(capacity - model.len()));
            assert_eq!(queue.try_push_batch(&mut items), room);
            assert_eq!(items, all[room..]);
            model.extend(&all[..room]);
            let expected = (length * 3 % 5).min(model.len());
            assert_eq!(queue.pop_batch(&mut items, length * 3 % 5), expected);
            assert!(items.drain(length - room..).eq(model.drain(..expected)));
            assert_eq!(queue.len(), model.len());
        }
    }
}

/// Items of any size and alignment: nothing, a byte, an odd number of bytes, more than a line, a block's worth.
#[test]
fn items_of_any_shape() {
    fn check<T: PartialEq + std::fmt::Debug>(count: usize, item: impl Fn(usize) -> T) {
        let queue: Queue<T> = (0..count).map(&item).collect();
        for number in 0..count {
            assert_eq!(queue.pop(), Some(item(number)));
        }
        assert_eq!(queue.pop(), None);
    }

    #[derive(Debug, PartialEq)]
    #[repr(align(512))]
    struct Aligned(usize);

    check(if cfg!(miri) { 100 } else { MANY }, |_| ());
    check(MANY, |number| number as u8);
    check(MANY, |number| [number as u8; 3]);
    check(MANY, Box::new);
    check(100, |number| [number; 40]);
    check(100, Aligned);
    check(40, |number| [number; 2000]);
}

/// Whatever is a pointer comes out as what it was, over many blocks and in batches; what stays inside is dropped with it.
#[test]
fn pointers_come_out_as_they_went_in() {
    let numbers: Vec<_> = (0..MANY).collect();
    let mut references = PointerQueue::of_pointers();
    references.extend(&numbers);
    assert!(references.drain().zip(&numbers).all(|(got, put)| std::ptr::eq(got, put)));
    assert!(references.is_empty() && references.pop().is_none());

    let (queue, mut numbered) = (PointerQueue::of_pointers(), (0..).map(Box::new));
    let (mut items, mut expected) = (Vec::new(), 0..);
    for length in (0..MANY).map(|step| step * step % 201).take(MANY / 50) {
        items.extend(numbered.by_ref().take(length));
        queue.push_batch(&mut items);
        let got = queue.pop_batch(&mut items, length * 7 % 190);
        assert_eq!(
            items.drain(..).map(|item| *item).collect::<Vec<_>>(),
            expected.by_ref().take(got).collect::<Vec<_>>()
        );
        assert_eq!(queue.pop(), (!queue.is_empty()).then(|| Box::new(expected.next().expect("endless"))));
    }
    let left = queue.len();
    assert!(queue.into_iter().map(|item| *item).eq(expected.take(left)));

    let item = Arc::new(5_u8);
    let queue = PointerQueue::of_pointers();
    (0..MANY).for_each(|_| queue.push(Arc::clone(&item)));
    assert_eq!(queue.drain().take(MANY / 2).count(), MANY / 2);
    assert_eq!(Arc::strong_count(&item), 1 + MANY - MANY / 2);
    drop(queue);
    assert_eq!(Arc::strong_count(&item), 1);

    // Of the smallest things, and changed through what came out.
    let mut bytes = [0_u8; 9];
    let queue = PointerQueue::of_pointers();
    bytes.iter_mut().for_each(|byte| queue.push(byte));
    queue.into_iter().zip(1..).for_each(|(byte, number)| *byte = number);
    assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn dropping_drops_what_is_in_it() {
    let item = Arc::new(());
    for (pushed, popped) in [(0, 0), (1, 0), (1, 1), (MANY, 0), (MANY, MANY / 2), (MANY, MANY)] {
        let queue = Queue::new();
        (0..pushed).for_each(|_| queue.push(Arc::clone(&item)));
        assert_eq!(queue.drain().take(popped).count(), popped);
        assert_eq!(Arc::strong_count(&item), 1 + pushed - popped);
        drop(queue);
        assert_eq!(Arc::strong_count(&item), 1);
    }
}

struct Fuse {
    _held: Arc<()>,
    is_lit: bool,
}

impl Drop for Fuse {
    fn drop(&mut self) {
        assert!(!self.is_lit, "the item that panics");
    }
}

/// The panic goes on to whoever drops the queue; nothing is lost by it, and nothing dropped twice.
#[test]
fn an_item_that_panics_when_dropped() {
    let item = Arc::new(());
    let fuses = || (0..10).map(|number| Fuse { _held: Arc::clone(&item), is_lit: number == 5 });
    let queue = Queue::from_iter(fuses());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
    assert_eq!(Arc::strong_count(&item), 1);
    let queue = Bounded::new(10);
    assert!(fuses().all(|fuse| queue.try_push(fuse).is_ok()));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
    assert_eq!(Arc::strong_count(&item), 1);
}

#[test]
fn the_bounded_queue_is_full_and_empty_in_time() {
    for capacity in [1, 2, 3, 4, 7] {
        let queue = Bounded::new(capacity);
        for round in 0..3 * capacity {
            let offset = round % (capacity + 1);
            assert!((0..offset).all(|number| queue.try_push(number).is_ok()));
            assert!((0..offset).all(|number| queue.pop() == Some(number)));
            assert!(queue.is_empty() && queue.pop().is_none());
            assert!((0..capacity).all(|number| queue.try_push(number).is_ok()));
            assert!(queue.is_full() && queue.try_push(99) == Err(99));
            assert_eq!((queue.len(), queue.capacity()), (capacity, capacity));
            assert!(queue.drain().eq(0..capacity));
        }
    }
}

#[test]
fn dropping_the_bounded_queue_drops_what_is_in_it() {
    let item = Arc::new(());
    let queue = Bounded::new(3);
    (0..3).for_each(|_| queue.try_push(Arc::clone(&item)).expect("there is room"));
    drop(queue.pop());
    assert_eq!(Arc::strong_count(&item), 3);
    assert_eq!(queue.into_iter().take(1).count(), 1);
    assert_eq!(Arc::strong_count(&item), 1);
}

#[test]
#[should_panic(expected = "without room")]
fn a_bounded_queue_for_nothing() {
    let _ = Bounded::<u8>::new(0);
}

#[cfg(feature = "queue-linked")]
mod linked {
    use super::*;
    use crate::queue::Linked;

    /// Nodes are one by one, so that few are as good as many.
    const SOME: usize = if cfg!(miri) { 100 } else { 10_000 };

    #[test]
    fn first_in_first_out() {
        let queue = Linked::new();
        assert!(queue.is_empty() && queue.pop().is_none());
        for round in 0..3 {
            (0..SOME).for_each(|number| queue.push(Box::new(number)));
            assert!(!queue.is_empty());
            assert!(queue.drain().take(SOME / 2).map(|item| *item).eq(0..SOME / 2), "round {round}");
            assert!(queue.drain().map(|item| *item).eq(SOME / 2..SOME), "round {round}");
            assert!(queue.is_empty() && queue.pop().is_none());
        }
        assert!(Linked::from_iter(0..SOME).into_iter().eq(0..SOME));
    }

    #[test]
    fn dropping_drops_what_is_in_it() {
        let item = Arc::new(());
        for (pushed, popped, taken) in
            [(0, 0, 0), (1, 0, 0), (1, 1, 0), (SOME, SOME / 2, 1), (SOME, 0, 0), (SOME, SOME, 0)]
        {
            let queue = Linked::new();
            (0..pushed).for_each(|_| queue.push(Arc::clone(&item)));
            assert_eq!(queue.drain().take(popped).count(), popped);
            assert_eq!(Arc::strong_count(&item), 1 + pushed - popped);
            assert_eq!(queue.into_iter().take(taken).count(), taken);
            assert_eq!(Arc::strong_count(&item), 1);
        }
    }

    /// Items may borrow: nothing of them is left when the queue is gone, whatever waits for an epoch to pass.
    #[test]
    fn items_that_borrow() {
        let text = String::from("a b c");
        let queue: Linked<&str> = text.split(' ').collect();
        assert_eq!(queue.pop(), Some("a"));
        assert_eq!(format!("{queue:?}"), "Linked { is_empty: false, .. }");
        drop(queue);
        drop(text);
    }

    #[test]
    fn an_item_that_panics_when_dropped() {
        let item = Arc::new(());
        let fuses = (0..10).map(|number| Fuse { _held: Arc::clone(&item), is_lit: number == 5 });
        let queue = Linked::from_iter(fuses);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(queue))).is_err());
        assert_eq!(Arc::strong_count(&item), 1);
    }
}
