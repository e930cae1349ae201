//! The textbook's stack: a node from the allocator for each item, freed when crossbeam's epochs say that nobody reads it
//! any more. It is what a program would write that takes a lock-free stack from a book.
//!
//! # Safety
//!
//! There is no safe way to follow a pointer that epochs protect, so this rival, alone of all, has unsafe code. A node is
//! read only under a guard that was there before the pointer was loaded; it is put aside for freeing once, by the
//! pop whose exchange took it off; and its item is taken out by that pop, or by nobody.
#![allow(unsafe_code)]

use super::{Bag, Discipline};
use crossbeam_epoch::{Atomic, Owned, pin};
use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

struct Node<T> {
    item: ManuallyDrop<T>,
    next: Atomic<Node<T>>,
}

pub(super) struct Treiber<T> {
    top: Atomic<Node<T>>,
}

// SAFETY: items are moved in and out, each by one thread, and never shared; so they have to be `Send`.
unsafe impl<T: Send> Send for Treiber<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Treiber<T> {}

impl<T: Send> Bag<T> for Treiber<T> {
    const DISCIPLINE: Discipline = Discipline::Stack;

    fn new(_: usize) -> Self {
        Self { top: Atomic::null() }
    }

    fn push(&self, item: T) -> Result<(), T> {
        let mut node = Owned::new(Node { item: ManuallyDrop::new(item), next: Atomic::null() });
        let guard = pin();
        loop {
            let top = self.top.load(Relaxed, &guard);
            node.next.store(top, Relaxed);
            // Pairs with the load in `take`.
            match self.top.compare_exchange(top, node, Release, Relaxed, &guard) {
                Ok(_) => return Ok(()),
                Err(lost) => node = lost.new,
            }
        }
    }

    fn pop(&self) -> Option<T> {
        self.take()
    }
}

impl<T> Treiber<T> {
    fn take(&self) -> Option<T> {
        let guard = pin();
        loop {
            let top = self.top.load(Acquire, &guard); // Pairs with the exchange in `push`.
            // SAFETY: the guard was there before the load, so the node is not freed while it lasts.
            let node = unsafe { top.as_ref() }?;
            let next = node.next.load(Relaxed, &guard);
            if self.top.compare_exchange(top, next, Relaxed, Relaxed, &guard).is_ok() {
                // SAFETY: this pop took the node off, so nobody else takes the item, and the node forgets it.
                let item = unsafe { std::ptr::read(&raw const *node.item) };
                // SAFETY: the node cannot be reached any more, and only this pop puts it aside.
                unsafe { guard.defer_destroy(top) };
                return Some(item);
            }
        }
    }
}

impl<T> Drop for Treiber<T> {
    fn drop(&mut self) {
        while self.take().is_some() {}
    }
}
