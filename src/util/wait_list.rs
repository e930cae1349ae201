//! Those who wait, first come first served, linked through their own memory.
//!
//! A future that waits has a [`Node`] within itself, so that nothing is allocated to wait, and can leave from the middle
//! of the list in constant time when it is dropped. The list knows nothing of wakers; what a node carries is its owner's
//! business.
//!
//! The list itself lies behind some lock of its owner, and every function here needs that lock held: that is what `&mut`
//! says for the list, and what the contracts say for the nodes, which are reached through shared references.
//!
//! # Safety
//!
//! The links of a node are touched by the functions of the list that it is in, and those run one after the other. A node in
//! a list stays where it is, since it was pinned, and is alive, since whoever put it there promised to take it out first.
#![allow(unsafe_code)]

use crate::primitive::UnsafeCell;
use std::fmt;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::ptr::NonNull;

/// One that waits, or will.
pub(crate) struct Node<T> {
    links: UnsafeCell<Links<T>>,
    /// What the owner keeps here: reached by shared references, with the list's lock held or not.
    pub(crate) value: T,
    _pinned: PhantomPinned,
}

struct Links<T> {
    before: Option<NonNull<Node<T>>>,
    after: Option<NonNull<Node<T>>>,
    is_in: bool,
}

// SAFETY: the links are touched under the list's lock only, see the contracts below; the value speaks for itself.
unsafe impl<T: Send> Send for Node<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Node<T> {}

impl<T> Node<T> {
    /// One that is in no list.
    pub(crate) fn new(value: T) -> Self {
        let links = Links { before: None, after: None, is_in: false };
        Self { links: UnsafeCell::new(links), value, _pinned: PhantomPinned }
    }

    /// # Safety
    /// The caller holds the lock of the list that the node is in, and no other access to the links is under way.
    unsafe fn links<R>(&self, change: impl FnOnce(&mut Links<T>) -> R) -> R {
        // SAFETY: the caller says that this is the only access.
        self.links.with_mut(|links| change(unsafe { &mut *links }))
    }
}

impl<T> fmt::Debug for Node<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Node").finish_non_exhaustive()
    }
}

/// Those who wait, oldest first.
pub(crate) struct WaitList<T> {
    first: Option<NonNull<Node<T>>>,
    last: Option<NonNull<Node<T>>>,
}

// SAFETY: it owns nothing; it leads to nodes, which other threads reach through it by shared reference.
unsafe impl<T: Send + Sync> Send for WaitList<T> {}

impl<T> WaitList<T> {
    pub(crate) const fn new() -> Self {
        Self { first: None, last: None }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// The one that has waited longest. It stays in the list, so it is alive for as long as the lock is held.
    pub(crate) fn first(&self) -> Option<&Node<T>> {
        // SAFETY: a node in the list is alive, and is not taken out while the list is borrowed.
        self.first.map(|node| unsafe { node.as_ref() })
    }

    /// Puts a node at the end. Constant time.
    ///
    /// # Safety
    /// - The node is in no list.
    /// - Before it is dropped, [`remove`](Self::remove) or [`pop`](Self::pop) takes it out of this one.
    pub(crate) unsafe fn push(&mut self, node: Pin<&Node<T>>) {
        let pointer = NonNull::from(node.get_ref());
        let before = self.last.replace(pointer);
        // SAFETY: a node in no list is touched by its owner alone, who is the caller.
        unsafe { node.links(|links| *links = Links { before, after: None, is_in: true }) };
        self.link_after(before, Some(pointer));
    }

    /// Takes out the one that has waited longest. Constant time.
    ///
    /// From now on nothing keeps the node alive but the owner's protocol: it has to be done with before its owner can learn that
    /// it is out.
    pub(crate) fn pop(&mut self) -> Option<NonNull<Node<T>>> {
        let first = self.first?;
        // SAFETY: a node in the list is alive.
        let node = unsafe { first.as_ref() };
        self.unlink(node);
        Some(first)
    }

    /// Takes a node out, wherever in the list it is. Whether it was still in it. Constant time.
    ///
    /// # Safety
    /// The node is in this list or in none.
    pub(crate) unsafe fn remove(&mut self, node: &Node<T>) -> bool {
        // SAFETY: the lock is held, and the node is in no other list.
        let is_in = unsafe { node.links(|links| links.is_in) };
        if is_in {
            self.unlink(node);
        }
        is_in
    }

    /// Takes out a node that is in this list.
    fn unlink(&mut self, node: &Node<T>) {
        // Field by field: to load as one what was stored as two stalls a processor for longer than the rest of this takes.
        let leave = |links: &mut Links<T>| {
            links.is_in = false;
            (links.before, links.after)
        };
        // SAFETY: the node is in this list, whose lock is held.
        let (before, after) = unsafe { node.links(leave) };
        self.link_after(before, after);
        match after {
            // SAFETY: the next one is in the list, so it is alive, and the lock is held.
            Some(after) => unsafe { neighbour(after, |its| its.before = before) },
            None => self.last = before,
        }
    }

    /// Makes `after` the one after `before`, which is the list itself when there is none.
    fn link_after(&mut self, before: Option<NonNull<Node<T>>>, after: Option<NonNull<Node<T>>>) {
        match before {
            // SAFETY: the one before is in the list, so it is alive, and the lock is held.
            Some(before) => unsafe { neighbour(before, |its| its.after = after) },
            None => self.first = after,
        }
    }
}

impl<T> fmt::Debug for WaitList<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WaitList").field("is_empty", &self.is_empty()).finish()
    }
}

/// # Safety
/// The node is alive and in a list whose lock is held.
unsafe fn neighbour<T>(node: NonNull<Node<T>>, change: impl FnOnce(&mut Links<T>)) {
    // SAFETY: the caller says that it is alive.
    let node = unsafe { node.as_ref() };
    // SAFETY: the caller holds the lock.
    unsafe { node.links(change) };
}
