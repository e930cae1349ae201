//! Small histories of what several threads did to a queue or a stack at once, and whether one could have done that.
//!
//! Each operation is recorded with the times of its call and its return, from one clock that all threads advance. The
//! history is right if the operations can be put in one row so that each lies between its call and its return and a
//! plain queue or stack, given that row, answers the same. The search tries every operation that may come next, and remembers
//! the states that led nowhere (Wing and Gong's search, with Lowe's memory).

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// What was done, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Deed {
    Push(u32),
    /// Refused for want of room.
    Full,
    Pop(Option<u32>),
    /// Everything that was there, in the order in which it came out.
    PopAll([Option<u32>; 16]),
}

/// From which end items are popped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// Of a queue.
    First,
    /// Of a stack.
    Last,
}

impl End {
    fn pop(self, items: &mut VecDeque<u32>) -> Option<u32> {
        match self {
            Self::First => items.pop_front(),
            Self::Last => items.pop_back(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    called: usize,
    returned: usize,
    deed: Deed,
}

/// Does something and records when, by a clock that everyone shares.
pub(crate) fn record(clock: &AtomicUsize, act: impl FnOnce() -> Deed) -> Event {
    let called = clock.fetch_add(1, SeqCst);
    let deed = act();
    Event { called, returned: clock.fetch_add(1, SeqCst), deed }
}

/// Whether a queue or a stack with room for `capacity` could have given these answers.
pub(crate) fn is_linearizable(events: &[Event], end: End, capacity: usize) -> bool {
    assert!(events.len() < 64, "a history has a bit for each event");
    is_possible(events, (end, capacity), 0, &mut VecDeque::new(), &mut HashSet::new())
}

type Seen = HashSet<(u64, VecDeque<u32>)>;

fn is_possible(events: &[Event], kind: (End, usize), done: u64, items: &mut VecDeque<u32>, seen: &mut Seen) -> bool {
    let (end, capacity) = kind;
    let open = || events.iter().enumerate().filter(|(number, _)| done >> number & 1 == 0);
    let Some(first_return) = open().map(|(_, event)| event.returned).min() else { return true };
    if !seen.insert((done, items.clone())) {
        return false;
    }
    // Whatever was called before any other had returned may be the next.
    for (number, event) in open().filter(|(_, event)| event.called < first_return) {
        let mut next = items.clone();
        let is_right = match event.deed {
            Deed::Push(item) => {
                next.push_back(item);
                next.len() <= capacity
            }
            Deed::Full => next.len() == capacity,
            Deed::Pop(item) => end.pop(&mut next) == item,
            Deed::PopAll(all) => {
                let mut came = all.iter().flatten().copied();
                std::iter::from_fn(|| end.pop(&mut next)).eq(came.by_ref())
            }
        };
        if is_right && is_possible(events, kind, done | 1 << number, &mut next, seen) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_as(end: End, events: &[(usize, usize, Deed)], expected: bool) {
        let events: Vec<_> = events.iter().map(|&(called, returned, deed)| Event { called, returned, deed }).collect();
        assert_eq!(is_linearizable(&events, end, 2), expected, "{events:?}");
    }

    fn check(events: &[(usize, usize, Deed)], expected: bool) {
        check_as(End::First, events, expected);
    }

    #[test]
    fn right_and_wrong_histories_are_told_apart() {
        use Deed::{Full, Pop, Push};
        check(&[(0, 1, Push(1)), (2, 3, Push(2)), (4, 5, Pop(Some(1))), (6, 7, Pop(Some(2)))], true);
        check(&[(0, 1, Push(1)), (2, 3, Push(2)), (4, 5, Pop(Some(2))), (6, 7, Pop(Some(1)))], false);
        check(&[(0, 3, Push(1)), (1, 2, Push(2)), (4, 5, Pop(Some(2))), (6, 7, Pop(Some(1)))], true);
        check(&[(0, 1, Push(1)), (2, 3, Pop(None))], false);
        check(&[(0, 2, Push(1)), (1, 3, Pop(None))], true);
        check(&[(0, 1, Push(1)), (2, 3, Pop(Some(1))), (4, 5, Pop(Some(1)))], false);
        check(&[(0, 1, Push(1)), (2, 3, Full)], false);
        check(&[(0, 1, Push(1)), (2, 3, Push(2)), (4, 5, Full)], true);
    }

    #[test]
    fn a_stack_is_no_queue() {
        use Deed::{Pop, PopAll, Push};
        let both =
            |first, second| [(0, 1, Push(1)), (2, 3, Push(2)), (4, 5, Pop(Some(first))), (6, 7, Pop(Some(second)))];
        check_as(End::Last, &both(2, 1), true);
        check_as(End::Last, &both(1, 2), false);
        check_as(End::Last, &[(0, 1, Push(1)), (2, 5, Push(2)), (3, 4, Pop(Some(1))), (6, 7, Pop(Some(2)))], true);
        let all = |items: &[u32]| PopAll(std::array::from_fn(|place| items.get(place).copied()));
        check_as(End::Last, &[(0, 1, Push(1)), (2, 3, Push(2)), (4, 5, all(&[2, 1])), (6, 7, all(&[]))], true);
        check_as(End::Last, &[(0, 1, Push(1)), (2, 3, Push(2)), (4, 5, all(&[1, 2])), (6, 7, all(&[]))], false);
        check_as(End::Last, &[(0, 1, Push(1)), (2, 3, Push(2)), (4, 5, all(&[2])), (6, 7, all(&[1]))], false);
    }
}
