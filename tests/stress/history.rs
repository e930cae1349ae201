//! Small histories of what several threads did to a queue at once, and whether a queue could have done that.
//!
//! Each operation is recorded with the times of its call and its return, from one clock that all threads advance. The
//! history is right if the operations can be put in one row so that each lies between its call and its return and a
//! plain queue, given that row, answers the same. The search tries every operation that may come next, and remembers
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

/// Whether a queue with room for `capacity` could have given these answers.
pub(crate) fn is_linearizable(events: &[Event], capacity: usize) -> bool {
    assert!(events.len() < 64, "a history has a bit for each event");
    is_possible(events, capacity, 0, &mut VecDeque::new(), &mut HashSet::new())
}

type Seen = HashSet<(u64, VecDeque<u32>)>;

fn is_possible(events: &[Event], capacity: usize, done: u64, queue: &mut VecDeque<u32>, seen: &mut Seen) -> bool {
    let open = || events.iter().enumerate().filter(|(number, _)| done >> number & 1 == 0);
    let Some(first_return) = open().map(|(_, event)| event.returned).min() else { return true };
    if !seen.insert((done, queue.clone())) {
        return false;
    }
    // Whatever was called before any other had returned may be the next.
    for (number, event) in open().filter(|(_, event)| event.called < first_return) {
        let mut next = queue.clone();
        let is_right = match event.deed {
            Deed::Push(item) => {
                next.push_back(item);
                next.len() <= capacity
            }
            Deed::Full => next.len() == capacity,
            Deed::Pop(item) => next.pop_front() == item,
        };
        if is_right && is_possible(events, capacity, done | 1 << number, &mut next, seen) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(events: &[(usize, usize, Deed)], expected: bool) {
        let events: Vec<_> = events.iter().map(|&(called, returned, deed)| Event { called, returned, deed }).collect();
        assert_eq!(is_linearizable(&events, 2), expected, "{events:?}");
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
}
