//! Models of the unbounded queue. A block has two slots here, of which the one that makes it uses the first.
//!
//! # Weakened on purpose
//!
//! `tests/mutations/queue-block.toml` and `queue-unbounded.toml` name every ordering and many a condition, and the model
//! that fails without it. No model fails when the exchange that moves `head` is `Relaxed`: the one who moves it adds to
//! it right before and after. That ordering stands on the argument in the source, as does every `SeqCst` beyond acquire and
//! release.

use super::check;
use super::primitive::in_use;
use super::queue::Queue;
use loom::sync::Arc;
use loom::thread;

/// An item that the checker watches: it is on the heap, and a leak or a second drop is found.
type Item = loom::alloc::Track<usize>;

fn item(number: usize) -> Item {
    loom::alloc::Track::new(number)
}

fn numbers(items: impl IntoIterator<Item = Item>) -> Vec<usize> {
    items.into_iter().map(Item::into_inner).collect()
}

/// Items that came from two pushers, each in order.
#[track_caller]
fn assert_merged(got: &[usize], one: &[usize], other: &[usize]) {
    let of = |these: &[usize]| got.iter().copied().filter(|number| these.contains(number)).collect::<Vec<_>>();
    assert_eq!(of(one), one);
    assert_eq!(of(other), other);
    assert_eq!(got.len(), one.len() + other.len());
}

/// An empty queue keeps the block that it is on and a spare one, if no thread is at work in it.
#[track_caller]
fn assert_empty(queue: &Queue<Item>) {
    assert_eq!((queue.pop().is_none(), queue.is_empty(), queue.len()), (true, true, 0));
    assert!(in_use() <= 2, "{} blocks are kept", in_use());
}

#[test]
fn push_and_push() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || [1, 2].map(item).into_iter().for_each(|item| theirs.push(item)));
        [11, 12].map(item).into_iter().for_each(|item| queue.push(item));
        other.join().unwrap();
        assert_eq!(queue.len(), 4);
        assert_merged(&numbers(queue.drain()), &[1, 2], &[11, 12]);
        assert_empty(&queue);
    });
}

#[test]
fn push_and_pop() {
    check(3, || {
        let queue = Arc::new(Queue::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || [1, 2, 3].map(item).into_iter().for_each(|item| theirs.push(item)));
        let mut got = numbers((0..2).filter_map(|_| queue.pop()));
        other.join().unwrap();
        got.extend(numbers(queue.drain()));
        assert_eq!(got, [1, 2, 3]);
        assert_empty(&queue);
    });
}

#[test]
fn pop_and_pop() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        (1..=4).for_each(|number| queue.push(item(number)));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers((0..2).filter_map(|_| theirs.pop())));
        let ours = numbers((0..2).filter_map(|_| queue.pop()));
        let theirs = other.join().unwrap();
        // Nobody pushes, so every pop finds something, each thread sees the order, and all four are found.
        assert!(ours[0] < ours[1] && theirs[0] < theirs[1]);
        let mut all = [ours, theirs].concat();
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4]);
        assert!(queue.is_empty());
    });
}

/// Blocks are handed over, retired and used again while the other thread is anywhere.
#[test]
fn blocks_go_round() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        let theirs = Arc::clone(&queue);
        let turn = |queue: &Queue<Item>, numbered: std::ops::Range<usize>| {
            let mut got = Vec::new();
            for number in numbered {
                queue.push(item(number));
                got.extend(numbers(queue.pop()));
            }
            got
        };
        let other = thread::spawn(move || turn(&theirs, 1..3));
        let ours = turn(&queue, 11..12);
        let theirs = other.join().unwrap();
        let mut got = [ours, theirs, numbers(queue.drain())].concat();
        got.sort_unstable();
        assert_eq!(got, [1, 2, 11]);
    });
}

/// Two threads push and another pops: it sees the order of each.
#[test]
fn two_pops_beside_two_pushers() {
    check(1, || {
        let queue = Arc::new(Queue::new());
        let pushers = [1, 11].map(|first| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || [first, first + 1].map(item).into_iter().for_each(|item| queue.push(item)))
        });
        let mut got = numbers((0..2).filter_map(|_| queue.pop()));
        pushers.into_iter().for_each(|pusher| pusher.join().unwrap());
        got.extend(numbers(queue.drain()));
        assert_merged(&got, &[1, 2], &[11, 12]);
    });
}

/// A queue that always holds something never says that it is empty, although a block that is used again looks as it did.
#[test]
fn empty_is_the_truth() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        queue.push(item(0));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || assert!(!theirs.is_empty()));
        for number in 1..5 {
            queue.push(item(number));
            assert!(queue.pop().is_some());
        }
        other.join().unwrap();
        assert_eq!(numbers(queue.drain()), [4]);
    });
}

/// A pop draws a slot before the push that fills it, gives it up, and is still there when the block is given back.
#[test]
fn a_pop_that_came_too_early() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers(theirs.pop()));
        (1..4).for_each(|number| queue.push(item(number)));
        let ours = numbers((0..2).filter_map(|_| queue.pop()));
        assert!(ours.is_sorted());
        let mut got = [ours, other.join().unwrap(), numbers(queue.drain())].concat();
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3]);
    });
}

/// Whoever has pushed finds something, unless another pop took it: bold pops that came too early, and careful ones that see
/// `head` before the slots it passed are given up, do not hide it.
#[test]
fn a_pop_after_a_push_finds_something() {
    for is_careful in [false, true] {
        check(2, move || {
            let queue = Arc::new(Queue::new());
            if is_careful {
                assert!(queue.pop().is_none());
            }
            let theirs = Arc::clone(&queue);
            let other = thread::spawn(move || numbers(theirs.pop()));
            queue.push(item(1));
            let ours = numbers(queue.pop());
            let got = [ours, other.join().unwrap()].concat();
            assert_eq!(got, [1]);
            assert!(queue.is_empty() && queue.pop().is_none());
        });
    }
}

/// Pops on an empty queue draw beyond the end of its block, and give back what they drew, while a push leaves that block.
#[test]
fn pops_that_turn_back_at_the_end_of_a_block() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        // The first block is used up: one slot by a pop that came too early, one by an item.
        assert!(queue.pop().is_none());
        queue.push(item(0));
        assert!(queue.pop().is_some());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers((0..2).filter_map(|_| theirs.pop())));
        (1..3).for_each(|number| queue.push(item(number)));
        let ours = numbers(queue.pop());
        let theirs = other.join().unwrap();
        assert!(theirs.is_sorted());
        let mut got = [ours, theirs, numbers(queue.drain())].concat();
        assert_empty(&queue);
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

/// Batches over the end of a block, against single operations and against each other.
#[test]
fn a_batch_of_pushes() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || {
            let mut items = [1, 2, 3].map(item).into();
            theirs.push_batch(&mut items);
            assert!(items.is_empty());
        });
        queue.push(item(11));
        let mut got = numbers(queue.pop());
        other.join().unwrap();
        got.extend(numbers(queue.drain()));
        assert_merged(&got, &[1, 2, 3], &[11]);
        assert_empty(&queue);
    });
}

#[test]
fn a_batch_of_pops() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || {
            let mut items = Vec::new();
            assert_eq!(theirs.pop_batch(&mut items, 3), items.len());
            numbers(items)
        });
        queue.push_batch(&mut [1, 2, 3].map(item).into());
        let ours = numbers(queue.pop());
        let theirs = other.join().unwrap();
        assert!(theirs.is_sorted());
        let mut got = [ours, theirs, numbers(queue.drain())].concat();
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3]);
    });
}

#[test]
fn batches_of_pops_against_each_other() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        (1..=4).for_each(|number| queue.push(item(number)));
        let theirs = Arc::clone(&queue);
        let pop = |queue: &Queue<Item>| {
            let mut items = Vec::new();
            assert_eq!(queue.pop_batch(&mut items, 2), 2);
            numbers(items)
        };
        let other = thread::spawn(move || pop(&theirs));
        let ours = pop(&queue);
        let theirs = other.join().unwrap();
        assert!(ours.is_sorted() && theirs.is_sorted());
        let mut all = [ours, theirs].concat();
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4]);
        assert!(queue.is_empty());
    });
}

/// A pop comes to a block that is used for the second time, and knows of it by `head` alone.
#[test]
fn a_pop_in_a_block_that_is_used_again() {
    check(1, || {
        let queue = Arc::new(Queue::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers(theirs.pop()));
        (0..3).for_each(|number| queue.push(item(number)));
        let mut got = numbers((0..3).filter_map(|_| queue.pop()));
        (3..6).for_each(|number| queue.push(item(number)));
        got.extend(numbers((0..2).filter_map(|_| queue.pop())));
        got.extend(other.join().unwrap());
        got.extend(numbers(queue.drain()));
        got.sort_unstable();
        assert!(got.into_iter().eq(0..6));
    });
}

/// Two threads make the block after one that is full. One links its block and stops there; the other finds that and uses it.
/// Whoever pops then has met only the latter, and sees what the former wrote.
#[test]
fn the_block_of_another_is_used() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        (1..3).for_each(|number| queue.push(item(number)));
        assert_eq!(numbers((0..2).filter_map(|_| queue.pop())), [1, 2]);
        let pusher = |number| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.push(item(number)))
        };
        let (one, other) = (pusher(3), pusher(4));
        other.join().unwrap();
        let mut got = numbers(queue.pop());
        assert_eq!(got.len(), 1);
        one.join().unwrap();
        got.extend(numbers(queue.drain()));
        got.sort_unstable();
        assert_eq!(got, [3, 4]);
    });
}

/// One thread only pops and gives a block back, another only pushes and takes it.
#[test]
fn a_spare_block_changes_hands() {
    check(1, || {
        let queue = Arc::new(Queue::new());
        (0..3).for_each(|number| queue.push(item(number)));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || (3..5).for_each(|number| theirs.push(item(number))));
        let mut got = numbers((0..3).filter_map(|_| queue.pop()));
        other.join().unwrap();
        got.extend(numbers(queue.drain()));
        assert!(got.into_iter().eq(0..5));
    });
}

/// One thread retires a block while another is still in it, and that one gives it back later.
#[test]
fn a_retired_block_changes_hands() {
    check(2, || {
        let queue = Arc::new(Queue::new());
        (0..3).for_each(|number| queue.push(item(number)));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers((0..3).filter_map(|_| theirs.pop())));
        let ours = numbers((0..2).filter_map(|_| queue.pop()));
        let mut got = [ours, other.join().unwrap()].concat();
        got.sort_unstable();
        assert_eq!(got, [0, 1, 2]);
    });
}

/// A queue that is dropped with items and blocks in it leaves nothing behind.
#[test]
fn dropped_in_any_state() {
    check(3, || {
        let queue = Arc::new(Queue::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || [1, 2, 3].map(item).into_iter().for_each(|item| theirs.push(item)));
        drop(queue.pop());
        drop(queue);
        other.join().unwrap();
    });
}
