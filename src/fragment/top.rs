//! The first few of many, in memory that does not grow with the many.
//!
//! A bounded heap with the least of the kept on top: one that does not beat it costs a single comparison.

use std::collections::BinaryHeap;

/// Keeps the smallest `capacity` values: an order in which the first rank is the smallest is what callers give it.
#[derive(Clone, Debug)]
pub(super) struct Top<T> {
    capacity: usize,
    heap: BinaryHeap<T>,
}

impl<T: Ord> Default for Top<T> {
    fn default() -> Self {
        Self::new(0)
    }
}

impl<T: Ord> Top<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, heap: BinaryHeap::new() }
    }

    /// Whether there is room, or else whether the newcomer `beats` the last of the kept.
    #[inline]
    pub(super) fn admits(&self, beats: impl FnOnce(&T) -> bool) -> bool {
        if self.heap.len() < self.capacity { true } else { self.heap.peek().is_some_and(beats) }
    }

    /// Takes `value` in, and lets the last go if there are too many.
    pub(super) fn push(&mut self, value: T) {
        self.heap.push(value);
        self.shrink();
    }

    /// Takes in what `other` keeps.
    pub(super) fn merge(&mut self, other: Self) {
        self.heap.extend(other.heap);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.heap.len() > self.capacity {
            self.heap.pop();
        }
    }

    /// The kept, first rank first.
    pub(super) fn into_sorted(self) -> Vec<T> {
        self.heap.into_sorted_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_few_stay_whatever_the_order() {
        let mut top = Top::new(3);
        [5, 1, 9, 3, 7, 2].iter().for_each(|&value| top.push(value));
        let mut other = Top::new(3);
        other.push(0);
        assert!(top.admits(|last| 2 < *last) && !top.admits(|last| 4 < *last));
        top.merge(other);
        assert_eq!(top.into_sorted(), [0, 1, 2]);
    }

    #[test]
    fn nothing_is_kept_where_nothing_may_be() {
        let mut top = Top::new(0);
        top.push(1);
        assert!(!top.admits(|_| true) && top.into_sorted().is_empty());
    }
}
