//! Long histories of a queue, and whether a queue could have done that.
//!
//! Every item is another one, so a history of any length can be checked in the time of sorting it: it is right unless
//! (Henzinger, Sezgin and Vafeiadis, 2013)
//!
//! - an item came out that never went in, or came out twice, or had come out before its push was called;
//! - an item had been pushed before the push of another was called, and came out after the pop of that other had
//!   returned, or never;
//! - a pop found nothing although at each instant of it some item was inside for certain, between the return of its push
//!   and the call of its pop.
//!
//! Times are from the one clock of the system, and two spans that touch count as overlapping. A batch is several
//! operations with one span; their order, which the spans do not tell, is checked along each thread.

/// When an operation was called and when it had returned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) called: u64,
    pub(crate) returned: u64,
}

/// An item by who pushed it and its number among those, and when it came out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pop {
    pub(crate) pusher: usize,
    pub(crate) number: usize,
    pub(crate) span: Span,
}

/// What a number of threads did, each in its own order.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// For each pusher and each of its items, when it went in.
    pub(crate) pushes: Vec<Vec<Span>>,
    /// For each popper, what it got.
    pub(crate) pops: Vec<Vec<Pop>>,
    /// When pops found nothing.
    pub(crate) nothing: Vec<Span>,
}

/// An item's way through the queue. One that never came out does so at the end of time.
#[derive(Clone, Copy, Debug)]
struct Life {
    push: Span,
    pop: Span,
}

const NEVER: Span = Span { called: u64::MAX, returned: u64::MAX };

impl History {
    /// What no queue could have done; none if there is no such thing.
    pub(crate) fn fault(&self) -> Option<String> {
        let mut lives: Vec<Vec<Life>> =
            self.pushes.iter().map(|pushes| pushes.iter().map(|&push| Life { push, pop: NEVER }).collect()).collect();
        for pop in self.pops.iter().flatten() {
            let Some(life) = lives.get_mut(pop.pusher).and_then(|of_one| of_one.get_mut(pop.number)) else {
                return Some(format!("{pop:?} never went in"));
            };
            if life.pop.called != NEVER.called {
                return Some(format!("{pop:?} came out twice"));
            }
            if pop.span.returned < life.push.called {
                return Some(format!("{pop:?} came out before it went in"));
            }
            life.pop = pop.span;
        }
        let along_pushers = lives.iter().find_map(|of_one| overtaken(of_one));
        let along_poppers = self.pops.iter().find_map(|pops| {
            let mut latest = 0;
            pops.iter().find_map(|pop| {
                let push = lives[pop.pusher][pop.number].push;
                let is_late = push.returned < latest;
                latest = latest.max(push.called);
                is_late.then(|| format!("{pop:?} came out after one that went in later"))
            })
        });
        let all: Vec<Life> = lives.into_iter().flatten().collect();
        along_pushers.or(along_poppers).or_else(|| overtaking(&all)).or_else(|| false_nothing(&all, &self.nothing))
    }
}

/// An item that came out before one that the same thread had pushed before.
fn overtaken(of_one: &[Life]) -> Option<String> {
    let mut latest = 0;
    of_one.iter().find_map(|life| {
        let is_early = life.pop.returned < latest;
        latest = latest.max(life.pop.called);
        is_early.then(|| format!("{life:?} came out before one of the same thread that went in earlier"))
    })
}

/// An item that came out although one that had gone in before its push was called was still inside after.
fn overtaking(lives: &[Life]) -> Option<String> {
    let mut by_call = lives.to_vec();
    by_call.sort_unstable_by_key(|life| life.push.called);
    let mut by_return = lives.to_vec();
    by_return.sort_unstable_by_key(|life| life.push.returned);
    let (mut earlier, mut latest) = (by_return.into_iter().peekable(), 0);
    by_call.into_iter().find_map(|life| {
        while let Some(before) = earlier.next_if(|before| before.push.returned < life.push.called) {
            latest = latest.max(before.pop.called);
        }
        (life.pop.returned < latest).then(|| format!("{life:?} overtook one that had gone in before"))
    })
}

/// A pop that found nothing while there was something all the time.
fn false_nothing(lives: &[Life], nothing: &[Span]) -> Option<String> {
    // The times of which some item was inside for certain, without their ends, put together where they overlap.
    let mut inside: Vec<(u64, u64)> = lives.iter().map(|life| (life.push.returned, life.pop.called)).collect();
    inside.retain(|(from, to)| from < to);
    inside.sort_unstable();
    inside.dedup_by(|next, kept| {
        let is_one = next.0 < kept.1;
        kept.1 = if is_one { kept.1.max(next.1) } else { kept.1 };
        is_one
    });
    nothing.iter().find_map(|pop| {
        let place = inside.partition_point(|(from, _)| *from < pop.called);
        let (_, to) = inside.get(place.checked_sub(1)?)?;
        (pop.returned < *to).then(|| format!("{pop:?} found nothing"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes as (pusher, called, returned), pops as (popper, pusher, number, called, returned).
    fn check(
        pushes: &[(usize, u64, u64)],
        pops: &[(usize, usize, usize, u64, u64)],
        nothing: &[(u64, u64)],
        fault: Option<&str>,
    ) {
        let span = |called, returned| Span { called, returned };
        let mut history = History { pushes: vec![vec![]; 2], pops: vec![vec![]; 2], nothing: vec![] };
        pushes.iter().for_each(|&(pusher, called, returned)| history.pushes[pusher].push(span(called, returned)));
        for &(popper, pusher, number, called, returned) in pops {
            history.pops[popper].push(Pop { pusher, number, span: span(called, returned) });
        }
        history.nothing.extend(nothing.iter().map(|&(called, returned)| span(called, returned)));
        let found = history.fault();
        let is_right = found.as_deref().map_or(fault.is_none(), |text| fault.is_some_and(|part| text.contains(part)));
        assert!(is_right, "{found:?} instead of {fault:?} in {history:?}");
    }

    #[test]
    fn right_histories_are_let_pass() {
        check(&[(0, 1, 2), (1, 3, 4)], &[(0, 0, 0, 5, 6), (1, 1, 0, 7, 8)], &[(0, 1), (8, 9)], None);
        // Pushes or pops at the same time may have been in either order.
        check(&[(0, 1, 4), (1, 2, 3)], &[(0, 1, 0, 5, 6), (1, 0, 0, 7, 8)], &[], None);
        check(&[(0, 1, 2), (1, 3, 4)], &[(0, 1, 0, 5, 9), (1, 0, 0, 6, 8)], &[], None);
        // Between the two items there was an instant without.
        check(&[(0, 1, 2), (0, 5, 7)], &[(0, 0, 0, 3, 4), (0, 0, 1, 8, 9)], &[(2, 8)], None);
        check(&[(0, 1, 2)], &[], &[(0, 2)], None);
    }

    #[test]
    fn wrong_histories_are_not() {
        check(&[(0, 1, 2)], &[(0, 0, 1, 3, 4)], &[], Some("never went in"));
        check(&[(0, 1, 2)], &[(0, 0, 0, 3, 4), (1, 0, 0, 3, 4)], &[], Some("came out twice"));
        check(&[(0, 5, 6)], &[(0, 0, 0, 3, 4)], &[], Some("before it went in"));
        check(&[(0, 1, 2), (1, 3, 4)], &[(0, 1, 0, 5, 6), (1, 0, 0, 7, 8)], &[], Some("overtook"));
        check(&[(0, 1, 2), (1, 3, 4)], &[(0, 1, 0, 5, 6)], &[], Some("overtook"));
        // A batch has one span, and an order all the same.
        check(&[(0, 1, 2), (0, 1, 2)], &[(0, 0, 1, 5, 6), (1, 0, 0, 7, 8)], &[], Some("of the same thread"));
        check(&[(0, 1, 2), (1, 3, 4)], &[(0, 1, 0, 5, 6), (0, 0, 0, 5, 6)], &[], Some("went in later"));
        // One item after the other, but never none.
        check(&[(0, 1, 2), (1, 3, 4)], &[(0, 0, 0, 6, 7), (1, 1, 0, 9, 10)], &[(3, 8)], Some("found nothing"));
        check(&[(0, 1, 2)], &[], &[(3, 4)], Some("found nothing"));
    }
}
