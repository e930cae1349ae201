//! What one thread sees of the stack, and what dropping it does. Run by Miri as well, so everything here is small but for
//! segments, which have to be several. Threads against each other are in `tests/stress` and `tests/model`.

use super::Stack;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// More than a segment of numbers; more than fill a directory where that takes no time.
const MANY: usize = if cfg!(miri) { 600 } else { 30_000 };

#[test]
fn last_in_first_out() {
    let stack = Stack::new();
    assert!(stack.is_empty() && stack.pop().is_none());
    (0..MANY).for_each(|number| stack.push(number));
    assert!(!stack.is_empty());
    assert!(stack.drain().eq((0..MANY).rev()));
    assert!(stack.is_empty() && stack.pop().is_none());
}

/// Against a stack that is right by being simple, with an uneven pace, so that nodes are used again in every order.
#[test]
fn any_pace_as_a_vector() {
    let (stack, mut model) = (Stack::new(), Vec::new());
    let mut state = 1_u64;
    for number in 0..MANY {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        match (state >> 33) % 1000 {
            0 => {
                assert!(stack.pop_all().eq(model.drain(..).rev()));
            }
            draw if draw < if number % 4096 < 2048 { 700 } else { 300 } => {
                stack.push(number);
                model.push(number);
            }
            _ => assert_eq!(stack.pop(), model.pop()),
        }
        assert_eq!(stack.is_empty(), model.is_empty());
    }
    assert!(stack.into_iter().eq(model.into_iter().rev()));
}

/// Items of any size and alignment: nothing, a byte, an odd number of bytes, more than a line, a segment's worth.
#[test]
fn items_of_any_shape() {
    fn check<T: PartialEq + std::fmt::Debug>(count: usize, item: impl Fn(usize) -> T) {
        let stack: Stack<T> = (0..count).map(&item).collect();
        for number in (0..count).rev() {
            assert_eq!(stack.pop(), Some(item(number)));
        }
        assert_eq!(stack.pop(), None);
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

#[test]
fn all_at_once() {
    let stack = Stack::new();
    assert!(stack.pop_all().next().is_none());
    for round in 0..3 {
        (0..MANY).for_each(|number| stack.push(Box::new(round * number)));
        let mut all = stack.pop_all();
        assert!(stack.is_empty());
        assert_eq!(all.next(), Some(Box::new(round * (MANY - 1))));
        // What comes later is not among them, whatever nodes it gets.
        stack.push(Box::new(7));
        if round == 1 {
            assert!(all.by_ref().take(MANY / 2).map(|item| *item).eq((MANY / 2 - 1..MANY - 1).rev()));
        }
        drop(all);
        assert!(stack.drain().eq([Box::new(7)]));
    }
    // An iterator that is forgotten takes its items and nodes along, and nothing else.
    stack.push(Box::new(1));
    let mut forgotten = stack.pop_all();
    assert!(forgotten.next().is_some());
    std::mem::forget(forgotten);
    (0..MANY).for_each(|number| stack.push(Box::new(number)));
    assert!(stack.drain().map(|item| *item).eq((0..MANY).rev()));
}

#[test]
fn dropping_drops_what_is_in_it() {
    let item = Arc::new(());
    for (pushed, popped) in [(0, 0), (1, 0), (1, 1), (MANY, 0), (MANY, MANY / 2), (MANY, MANY)] {
        let stack = Stack::new();
        (0..pushed).for_each(|_| stack.push(Arc::clone(&item)));
        assert_eq!(stack.drain().take(popped).count(), popped);
        assert_eq!(Arc::strong_count(&item), 1 + pushed - popped);
        drop(stack);
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

/// The panic goes on to whoever drops the stack or the iterator; nothing is lost by it, and nothing dropped twice.
#[test]
fn an_item_that_panics_when_dropped() {
    let item = Arc::new(());
    let fuses = || (0..10).map(|number| Fuse { _held: Arc::clone(&item), is_lit: number == 5 });
    let stack = Stack::from_iter(fuses());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack))).is_err());
    assert_eq!(Arc::strong_count(&item), 1);
    let mut stack = Stack::from_iter(fuses());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(stack.pop_all()))).is_err());
    assert_eq!(Arc::strong_count(&item), 1);
    stack.extend(fuses().take(5));
    assert_eq!(stack.drain().count(), 5);
}

#[test]
fn shrinking_keeps_the_items_and_their_order() {
    let mut stack: Stack<usize> = (0..MANY).collect();
    assert!(stack.drain().take(MANY - 10).eq((10..MANY).rev()));
    stack.shrink_to_fit();
    stack.push(10);
    assert!(stack.drain().eq((0..11).rev()));
    stack.shrink_to_fit();
    assert!(stack.is_empty());
}

#[test]
fn what_is_shown_of_it() {
    let stack = Stack::default();
    stack.push(1);
    assert_eq!(format!("{stack:?}"), "Stack { is_empty: false, .. }");
    assert_eq!(format!("{:?}", stack.pop_all()), "PopAll { is_empty: false, .. }");
}
