//! Models of the stack. A segment has four nodes here, of which the header takes one in the first; the first directory
//! has room for one segment.
//!
//! # Weakened on purpose
//!
//! The tables `stack-list` and `stack-nodes` of `tests/mutations` say which change was caught by which model. Where one
//! thread only takes out and another only puts in, the thread that the checker starts with is the one that puts in: with
//! the other way round it saw one interleaving only, and nothing failed.

use super::check;
use super::stack_source::Stack;
use loom::sync::Arc;
use loom::thread;

/// An item that the checker watches: it is on the heap, and a leak or a second drop is found.
type Item = loom::alloc::Track<usize>;

/// Nodes in a segment, and in the first.
const SEGMENT: usize = 4;
const IN_FIRST: usize = 3;

fn item(number: usize) -> Item {
    loom::alloc::Track::new(number)
}

fn numbers(items: impl IntoIterator<Item = Item>) -> Vec<usize> {
    items.into_iter().map(Item::into_inner).collect()
}

#[track_caller]
fn assert_same(mut got: Vec<usize>, expected: &[usize]) {
    got.sort_unstable();
    assert_eq!(got, expected);
}

#[test]
fn push_and_push() {
    check(3, || {
        let stack = Arc::new(Stack::new());
        let theirs = Arc::clone(&stack);
        let other = thread::spawn(move || theirs.push(item(1)));
        [11, 12].map(item).into_iter().for_each(|item| stack.push(item));
        other.join().unwrap();
        let got = numbers(stack.drain());
        let of_ours: Vec<_> = got.iter().filter(|&&number| number > 10).collect();
        assert_eq!(of_ours, [&12, &11]);
        assert_same(got, &[1, 11, 12]);
        assert!(stack.is_empty());
    });
}

#[test]
fn push_and_pop() {
    check(3, || {
        let stack = Arc::new(Stack::new());
        let theirs = Arc::clone(&stack);
        let other = thread::spawn(move || numbers((0..2).filter_map(|_| theirs.pop())));
        [1, 2].map(item).into_iter().for_each(|item| stack.push(item));
        let mut got = other.join().unwrap();
        got.extend(numbers(stack.drain()));
        assert_same(got, &[1, 2]);
        assert!(stack.is_empty());
    });
}

#[test]
fn pop_and_pop() {
    check(3, || {
        let stack = Arc::new(Stack::new());
        (1..=3).for_each(|number| stack.push(item(number)));
        let theirs = Arc::clone(&stack);
        let other = thread::spawn(move || numbers(theirs.pop()));
        let mut got = numbers((0..2).filter_map(|_| stack.pop()));
        assert!(got[0] > got[1]);
        got.extend(other.join().unwrap());
        assert_same(got, &[1, 2, 3]);
        assert!(stack.is_empty());
    });
}

/// Nodes go from one list to the other and back while the other thread is anywhere.
#[test]
fn nodes_go_round() {
    check(2, || {
        let stack = Arc::new(Stack::new());
        let theirs = Arc::clone(&stack);
        let turn = |stack: &Stack<Item>, numbered: std::ops::Range<usize>| {
            let mut got = Vec::new();
            for number in numbered {
                stack.push(item(number));
                got.extend(numbers(stack.pop()));
            }
            got
        };
        let other = thread::spawn(move || turn(&theirs, 1..3));
        let ours = turn(&stack, 11..13);
        // Each pop came after a push of its own thread, so none found the stack empty.
        let theirs = other.join().unwrap();
        assert_eq!((ours.len(), theirs.len()), (2, 2));
        assert_same([ours, theirs].concat(), &[1, 2, 11, 12]);
        assert!(stack.is_empty());
    });
}

/// A pop is late: meanwhile both nodes are taken off, and the upper one is put back with nothing below it.
#[test]
fn the_top_comes_back() {
    check(3, || {
        let stack = Arc::new(Stack::new());
        [1, 2].map(item).into_iter().for_each(|item| stack.push(item));
        let theirs = Arc::clone(&stack);
        let other = thread::spawn(move || numbers(theirs.pop()));
        let mut got = numbers(stack.pop_all());
        stack.push(item(3));
        got.extend(other.join().unwrap());
        got.extend(numbers(stack.drain()));
        assert_same(got, &[1, 2, 3]);
        assert!(stack.is_empty());
    });
}

/// The same with single pops, which takes a third thread: it holds the upper node while the lower one is used again.
#[test]
fn the_top_comes_back_by_three() {
    check(2, || {
        let stack = Arc::new(Stack::new());
        [1, 2].map(item).into_iter().for_each(|item| stack.push(item));
        let poppers = [(); 2].map(|()| {
            let stack = Arc::clone(&stack);
            thread::spawn(move || numbers(stack.pop()))
        });
        let mut got = numbers(stack.pop());
        stack.push(item(3));
        poppers.into_iter().for_each(|popper| got.extend(popper.join().unwrap()));
        got.extend(numbers(stack.drain()));
        assert_same(got, &[1, 2, 3]);
    });
}

/// All at once, beside a push and with what is pushed meanwhile.
#[test]
fn push_and_pop_all() {
    check(3, || {
        let stack = Arc::new(Stack::new());
        stack.push(item(1));
        let theirs = Arc::clone(&stack);
        let other = thread::spawn(move || numbers(theirs.pop_all()));
        [2, 3].map(item).into_iter().for_each(|item| stack.push(item));
        let mut all = other.join().unwrap();
        assert!([&[1][..], &[2, 1], &[3, 2, 1]].contains(&&all[..]));
        all.extend(numbers(stack.pop_all()));
        assert_same(all, &[1, 2, 3]);
    });
}

/// Both run out of nodes, and of room in the directory.
#[test]
fn grow_and_grow() {
    check(2, || {
        let stack = Arc::new(Stack::new());
        (0..IN_FIRST).for_each(|_| stack.push(item(0)));
        let theirs = Arc::clone(&stack);
        let other = thread::spawn(move || theirs.push(item(1)));
        stack.push(item(2));
        other.join().unwrap();
        let mut got = numbers(stack.drain());
        assert_eq!(got.split_off(2), [0; IN_FIRST]);
        assert_same(got, &[1, 2]);
    });
}

/// One reads the directory while the other replaces it.
#[test]
fn grow_and_pop() {
    check(3, || {
        let stack = Arc::new(Stack::new());
        let full = IN_FIRST + SEGMENT;
        (0..full).for_each(|number| stack.push(item(number)));
        let theirs = Arc::clone(&stack);
        let other = thread::spawn(move || numbers(theirs.pop()));
        stack.push(item(full));
        let mut got = other.join().unwrap();
        got.extend(numbers(stack.drain()));
        assert!(got[0] >= full - 1);
        assert_same(got, &(0..=full).collect::<Vec<_>>());
    });
}

/// What is left inside is dropped with it.
#[test]
fn dropped_in_any_state() {
    check(2, || {
        let stack = Arc::new(Stack::new());
        stack.push(item(1));
        let theirs = Arc::clone(&stack);
        let other = thread::spawn(move || {
            theirs.push(item(2));
            theirs.pop_all().take(1).count()
        });
        drop(numbers(stack.pop()));
        stack.push(item(3));
        assert!(other.join().unwrap() <= 1);
    });
}
