//! Models of the bounded queue, with room for one or two.
//!
//! # Weakened on purpose
//!
//! `tests/mutations/queue-bounded.toml` names every ordering and the model that fails without it. In `push_and_pop` the
//! thread that pushes is the one that the checker starts with: with the other way round it saw one interleaving only, and
//! nothing failed.

use super::check;
use super::queue::Bounded;
use loom::alloc::Track;
use loom::sync::Arc;
use loom::thread;

fn numbers(items: impl IntoIterator<Item = Track<usize>>) -> Vec<usize> {
    items.into_iter().map(Track::into_inner).collect()
}

fn push(queue: &Bounded<Track<usize>>, number: usize) -> bool {
    queue.try_push(Track::new(number)).is_ok()
}

#[test]
fn push_and_push() {
    for capacity in 1..=2 {
        check(3, move || {
            let queue = Arc::new(Bounded::new(capacity));
            let theirs = Arc::clone(&queue);
            let other = thread::spawn(move || push(&theirs, 1));
            let placed = [push(&queue, 2), other.join().unwrap()];
            assert_eq!(placed.iter().filter(|&&placed| placed).count(), capacity);
            assert!(queue.is_full());
            assert_eq!(queue.drain().count(), capacity);
            assert!(queue.is_empty());
        });
    }
}

#[test]
fn push_and_pop() {
    for capacity in 1..=2 {
        check(3, move || {
            let queue = Arc::new(Bounded::new(capacity));
            let theirs = Arc::clone(&queue);
            let other = thread::spawn(move || numbers((0..2).filter_map(|_| theirs.pop())));
            let placed: Vec<_> = (1..=3).filter(|&number| push(&queue, number)).collect();
            let mut got = other.join().unwrap();
            got.extend(numbers(queue.drain()));
            assert_eq!(got, placed);
        });
    }
}

#[test]
fn pop_and_pop() {
    check(3, || {
        let queue = Arc::new(Bounded::new(2));
        assert!(push(&queue, 1) && push(&queue, 2));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers(theirs.pop()));
        let mut got = numbers(queue.pop());
        got.extend(other.join().unwrap());
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        assert!(queue.is_empty());
    });
}

/// A slot is used by a push, a pop and the push after it, each from another thread.
#[test]
fn the_ring_goes_round() {
    check(2, || {
        let queue = Arc::new(Bounded::new(1));
        assert!(push(&queue, 1));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || push(&theirs, 2));
        let mut got = numbers(queue.pop());
        let placed = other.join().unwrap();
        got.extend(numbers(queue.drain()));
        assert_eq!(got, if placed { vec![1, 2] } else { vec![1] });
    });
}

/// Whoever has pushed finds something, although another push that came first is not over.
#[test]
fn a_pop_after_a_push_finds_something() {
    check(3, || {
        let queue = Arc::new(Bounded::new(2));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || assert!(push(&theirs, 1)));
        assert!(push(&queue, 2));
        let mut got = numbers(queue.pop());
        assert_eq!(got.len(), 1, "a push was over before this pop, and nobody else pops");
        other.join().unwrap();
        got.extend(numbers(queue.drain()));
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
    });
}

/// Whoever has popped finds room, although another pop that came first is not over.
#[test]
fn a_push_after_a_pop_finds_room() {
    check(3, || {
        let queue = Arc::new(Bounded::new(2));
        assert!(push(&queue, 1) && push(&queue, 2));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers(theirs.pop()));
        let ours = numbers(queue.pop());
        assert!(push(&queue, 3), "a pop was over before this push, and nobody else pushes");
        let mut got = [ours, other.join().unwrap(), numbers(queue.drain())].concat();
        got.sort_unstable();
        assert_eq!(got, [1, 2, 3]);
    });
}

/// Batches on both sides, which claim one slot or both.
#[test]
fn batches() {
    check(3, || {
        let queue = Arc::new(Bounded::new(2));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || {
            let mut items = Vec::new();
            assert_eq!(theirs.pop_batch(&mut items, 2), items.len());
            numbers(items)
        });
        let mut items = [1, 2, 3].map(Track::new).into();
        let placed = queue.try_push_batch(&mut items);
        let kept = numbers(items);
        let mut got = other.join().unwrap();
        got.extend(numbers(queue.drain()));
        assert_eq!((got.len(), kept.len()), (placed, 3 - placed));
        assert!(got.into_iter().chain(kept).eq(1..=3));
        assert!(queue.is_empty());
    });
}

#[test]
fn a_batch_against_a_push() {
    check(3, || {
        let queue = Arc::new(Bounded::new(2));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || push(&theirs, 11));
        let mut items = [1, 2].map(Track::new).into();
        let placed = queue.try_push_batch(&mut items);
        drop(items);
        let placed = placed + usize::from(other.join().unwrap());
        assert!(queue.is_full() && placed == 2);
        let got = numbers(queue.drain());
        assert!(got.iter().filter(|&&number| number != 11).is_sorted());
    });
}

/// Slots are handed from a batch of pops to a batch of pushes.
#[test]
fn batches_go_round() {
    check(2, || {
        let queue = Arc::new(Bounded::new(2));
        assert_eq!(queue.try_push_batch(&mut [1, 2].map(Track::new).into()), 2);
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || theirs.try_push_batch(&mut [3, 4].map(Track::new).into()));
        let mut items = Vec::new();
        queue.pop_batch(&mut items, 2);
        let placed = other.join().unwrap();
        let mut got = numbers(items);
        got.extend(numbers(queue.drain()));
        assert!(got.into_iter().eq(1..=2 + placed));
    });
}

/// Who has seen that there is room, or an item, finds it, even if the other thread is still at work in the slot.
#[test]
fn what_was_counted_is_there() {
    check(3, || {
        let queue = Arc::new(Bounded::new(1));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || push(&theirs, 1));
        assert!(!queue.is_full() || numbers(queue.pop()) == [1]);
        assert!(other.join().unwrap());
    });
    check(3, || {
        let queue = Arc::new(Bounded::new(1));
        assert!(push(&queue, 1));
        let theirs = Arc::clone(&queue);
        let other = thread::spawn(move || numbers(theirs.pop()));
        assert!(!queue.is_empty() || push(&queue, 2));
        assert_eq!(other.join().unwrap(), [1]);
    });
}
