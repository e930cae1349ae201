//! A list of nodes that threads put on top of and take from at the same time.
//!
//! One word has the number of the node on top, and each node the number of the one below it (Treiber, 1986). A node is put
//! on by writing the number of the top into it and exchanging the word, if it is still the same; and taken off by
//! reading the number below it and exchanging the word, if it is still the same.
//!
//! # The same word, another list
//!
//! Between a look at the word and the exchange others may take the node off, the one below it as well, and put the first
//! back. Then the top is the same and what was read below it is wrong. So the word has a *tag* beside the number, and
//! whatever takes a node off adds one to it: the exchange then fails. Putting on leaves the tag as it is, because nothing
//! under the top changes by it.
//!
//! The tag has 32 bits. It comes round when a thread is stopped between the look and the exchange while the others take
//! 2^32 nodes off this list, which takes more than a minute at fifty million a second; and what it does then is wrong
//! only if the tag is the same at that instant, one chance in 2^32, with the same node on top. That is the bound, and the
//! price of a word that every processor can exchange.
//!
//! # Order
//!
//! Whoever takes a node off has to see what was done to it before it was put on: the exchange in [`List::put`] releases,
//! and the reads of the word in [`List::take`] and [`List::take_all`] acquire. All changes are exchanges, and so each
//! continues what those before it have released. All of them, and the look that finds a list empty, are `SeqCst`: a pop
//! that finds nothing has to agree with pops and pushes on other stacks about what came first.
//!
//! # Safety
//!
//! Only nodes of `nodes` are put on a list of it, so numbers that come from the list are numbers of nodes.
#![allow(unsafe_code)]

use super::nodes::{Held, Node, Nodes};
use crate::primitive::AtomicU64;
use crate::util::backoff::Backoff;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// Added to the word with every node that is taken off.
const TAG: u64 = 1 << 32;

/// The number of the node on top, or 0; and the tag, in the upper half.
#[derive(Debug)]
pub(super) struct List(AtomicU64);

/// The number in a word.
#[inline]
fn number(word: u64) -> u32 {
    (word & (TAG - 1)) as u32
}

/// The word with another number.
#[inline]
fn with_number(word: u64, number: u32) -> u64 {
    word & !(TAG - 1) | u64::from(number)
}

impl List {
    /// The list that begins with a node, or is empty for 0.
    pub(super) fn starting_with(number: u32) -> Self {
        Self(AtomicU64::new(number.into()))
    }

    /// Whether there was no node at some instant during the call.
    pub(super) fn is_empty(&self) -> bool {
        number(self.0.load(SeqCst)) == 0
    }

    /// Puts nodes on top that are linked from `first` to `last` and belong to the caller.
    #[inline]
    pub(super) fn put<T>(&self, first: u32, last: &Node<T>) {
        let mut backoff = Backoff::default();
        let mut word = self.0.load(Relaxed); // Only compared.
        loop {
            last.next.store(number(word), Relaxed); // Published by the exchange.
            // Pairs with the loads and exchanges in `take` and `take_all`: what is in the nodes is seen with them.
            if self.0.compare_exchange_weak(word, with_number(word, first), SeqCst, Relaxed).is_ok() {
                return;
            }
            backoff.retry();
            word = self.0.load(Relaxed);
        }
    }

    /// Takes the node on top. It belongs to the caller then.
    #[inline]
    pub(super) fn take<'a, T>(&self, nodes: &'a Nodes<T>) -> Option<Held<'a, T>> {
        let mut backoff = Backoff::default();
        loop {
            let word = self.0.load(SeqCst); // Pairs with the exchange in `put`.
            let number = number(word);
            if number == 0 {
                return None;
            }
            // SAFETY: the number was put here after the node was made, and both are seen by the load.
            let node = unsafe { nodes.get(number) };
            // If somebody else has the node by now this may be anything, and the exchange fails.
            let next = node.next.load(Relaxed);
            if self.0.compare_exchange_weak(word, with_number(word.wrapping_add(TAG), next), SeqCst, Relaxed).is_ok() {
                return Some(Held { number, node });
            }
            backoff.retry();
        }
    }

    /// Takes all nodes, which belong to the caller then: the number of the first, or 0. The last of them has 0 below it.
    pub(super) fn take_all(&self) -> u32 {
        let mut backoff = Backoff::default();
        loop {
            let word = self.0.load(SeqCst); // Pairs with the exchange in `put`.
            if number(word) == 0 {
                return 0;
            }
            if self.0.compare_exchange_weak(word, with_number(word.wrapping_add(TAG), 0), SeqCst, Relaxed).is_ok() {
                return number(word);
            }
            backoff.retry();
        }
    }
}
