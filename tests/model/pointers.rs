//! Models of the unbounded queue with the slots of pointers. A block has two slots, of which the one that makes it uses the
//! first. What blocks do is the same for all kinds of slots; `unbounded.rs` looks at that.
//!
//! # Weakened on purpose
//!
//! `tests/mutations/queue-words.toml` names every ordering and the model that fails without it.

use super::check;
use super::primitive::in_use;
use super::queue::PointerQueue;
use loom::alloc::Track;
use loom::sync::Arc;
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

/// What a pointer leads to. A leak or a second drop is found, and a look that need not come after the number was written
/// may see none.
struct Item {
    number: AtomicUsize,
    _watch: Track<()>,
}

fn item(number: usize) -> Box<Item> {
    let item = Item { number: AtomicUsize::new(0), _watch: Track::new(()) };
    item.number.store(number, Relaxed);
    Box::new(item)
}

fn numbers(items: impl IntoIterator<Item = Box<Item>>) -> Vec<usize> {
    items.into_iter().map(|item| item.number.load(Relaxed)).collect()
}

/// An empty queue keeps the block that it is on and a spare one, if no thread is at work in it.
#[track_caller]
fn assert_empty(queue: &PointerQueue<Box<Item>>) {
    assert_eq!((queue.pop().is_none(), queue.is_empty(), queue.len()), (true, true, 0));
    assert!(in_use() <= 2, "{} blocks are kept", in_use());
}

#[test]
fn push_and_pop() {
    check(3, || {
        let queue = Arc::new(PointerQueue::of_pointers());
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
fn push_and_push() {
    check(2, || {
        let queue = Arc::new(PointerQueue::of_pointers());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || [1, 2].map(item).into_iter().for_each(|item| theirs.push(item)));
        [11, 12].map(item).into_iter().for_each(|item| queue.push(item));
        other.join().unwrap();
        let mut got = numbers(queue.drain());
        assert_empty(&queue);
        assert!(got.iter().filter(|&&number| number < 10).is_sorted());
        got.sort_unstable();
        assert_eq!(got, [1, 2, 11, 12]);
    });
}

/// A pop draws a slot before the push that fills it, gives it up, and is still there when the block is given back.
#[test]
fn a_pop_that_came_too_early() {
    check(2, || {
        let queue = Arc::new(PointerQueue::of_pointers());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers(theirs.pop()));
        (1..4).for_each(|number| queue.push(item(number)));
        let ours = numbers((0..2).filter_map(|_| queue.pop()));
        assert!(ours.is_sorted());
        let mut got = [ours, other.join().unwrap(), numbers(queue.drain())].concat();
        assert_empty(&queue);
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3]);
    });
}

/// Blocks are handed over, retired and used again while the other thread is anywhere.
#[test]
fn blocks_go_round() {
    check(2, || {
        let queue = Arc::new(PointerQueue::of_pointers());
        let theirs = Arc::clone(&queue);
        let turn = |queue: &PointerQueue<Box<Item>>, numbered: std::ops::Range<usize>| {
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
        assert_empty(&queue);
        got.sort_unstable();
        assert_eq!(got, [1, 2, 11]);
    });
}

/// One thread retires a block while another is still in it, and that one gives it back later.
#[test]
fn a_retired_block_changes_hands() {
    check(2, || {
        let queue = Arc::new(PointerQueue::of_pointers());
        (1..4).for_each(|number| queue.push(item(number)));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers((0..3).filter_map(|_| theirs.pop())));
        let ours = numbers((0..2).filter_map(|_| queue.pop()));
        let mut got = [ours, other.join().unwrap()].concat();
        assert_empty(&queue);
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3]);
    });
}

/// A queue that is dropped with items and blocks in it leaves nothing behind.
#[test]
fn dropped_in_any_state() {
    check(3, || {
        let queue = Arc::new(PointerQueue::of_pointers());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || [1, 2, 3].map(item).into_iter().for_each(|item| theirs.push(item)));
        drop(queue.pop());
        drop(queue);
        other.join().unwrap();
    });
}
