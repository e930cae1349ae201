//! Models of the linked queue. Nodes are freed at the first moment that is allowed, and once more at the last
//! (`primitive/epoch.rs`).
//!
//! # Weakened on purpose
//!
//! See `tests/mutations/queue-linked.toml`. Among the mutants are the two that matter most here: a pop that retires a node
//! while `tail` lags on it, and one that moves `tail` only after it has retired the node. No ordering is left that can be
//! weakened unseen but that of the load in `is_empty` through which nothing is read.

use super::primitive::epoch::{Collection, collect};
use super::queue::Linked;
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

fn check(preemptions: usize, case: impl Fn() + Sync + Send + Copy + 'static) {
    for collection in [Collection::Early, Collection::Late] {
        super::check(preemptions, move || {
            collect(collection);
            case();
        });
    }
}

#[test]
fn push_and_push() {
    check(3, || {
        let queue = Arc::new(Linked::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || theirs.push(item(1)));
        [11, 12].map(item).into_iter().for_each(|item| queue.push(item));
        other.join().unwrap();
        let got = numbers(queue.drain());
        assert!(got == [1, 11, 12] || got == [11, 1, 12] || got == [11, 12, 1], "{got:?}");
        assert!(queue.is_empty());
    });
}

#[test]
fn push_and_pop() {
    check(3, || {
        let queue = Arc::new(Linked::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || [1, 2].map(item).into_iter().for_each(|item| theirs.push(item)));
        let mut got = numbers((0..2).filter_map(|_| queue.pop()));
        other.join().unwrap();
        got.extend(numbers(queue.drain()));
        assert_eq!(got, [1, 2]);
        assert!(queue.is_empty());
    });
}

#[test]
fn pop_and_pop() {
    check(3, || {
        let queue = Arc::new(Linked::new());
        (1..=3).for_each(|number| queue.push(item(number)));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers((0..2).filter_map(|_| theirs.pop())));
        let mut got = numbers(queue.pop());
        got.extend(other.join().unwrap());
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3]);
        assert!(queue.is_empty());
    });
}

/// A push is stopped after it has linked its node; another thread takes that item, and the node before it is freed,
/// while `tail` lags. Then somebody looks at `tail`.
#[test]
fn the_last_node_is_popped_while_tail_lags() {
    check(3, || {
        let queue = Arc::new(Linked::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || theirs.push(item(1)));
        let mut got = numbers(queue.pop());
        queue.push(item(2));
        other.join().unwrap();
        got.extend(numbers(queue.drain()));
        assert!(got == [1, 2] || got == [2, 1], "{got:?}");
    });
}

/// As above, and somebody enters an epoch between the moment when the node is retired and any later one.
#[test]
fn a_third_thread_looks_at_a_tail_that_lags() {
    check(3, || {
        let queue = Arc::new(Linked::new());
        let (one, two) = (Arc::clone(&queue), Arc::clone(&queue));
        let pusher = thread::spawn(move || one.push(item(1)));
        let popper = thread::spawn(move || numbers(two.pop()));
        queue.push(item(2));
        pusher.join().unwrap();
        let mut got = popper.join().unwrap();
        got.extend(numbers(queue.drain()));
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

/// A third thread knows of a node only what a second one handed on.
#[test]
fn what_is_handed_on_is_whole() {
    check(2, || {
        let queue = Arc::new(Linked::new());
        let (one, two) = (Arc::clone(&queue), Arc::clone(&queue));
        let pusher = thread::spawn(move || one.push(item(1)));
        let popper = thread::spawn(move || numbers(two.pop()));
        let mut got = numbers(queue.pop());
        queue.push(item(2));
        pusher.join().unwrap();
        got.extend(popper.join().unwrap());
        got.extend(numbers(queue.drain()));
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

/// A queue that is dropped with items in it leaves nothing behind.
#[test]
fn dropped_in_any_state() {
    check(3, || {
        let queue = Arc::new(Linked::new());
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || [1, 2].map(item).into_iter().for_each(|item| theirs.push(item)));
        drop(queue.pop());
        drop(queue);
        other.join().unwrap();
    });
}

/// A queue that always holds something never says that it is empty.
#[test]
fn empty_is_the_truth() {
    check(3, || {
        let queue = Arc::new(Linked::new());
        queue.push(item(0));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || assert!(!theirs.is_empty()));
        queue.push(item(1));
        assert_eq!(numbers(queue.pop()), [0]);
        other.join().unwrap();
        assert_eq!(numbers(queue.drain()), [1]);
    });
}
