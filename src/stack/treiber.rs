//! The stack.
//!
//! # How it works
//!
//! Two lists of nodes ([`list`](super::list)): those with items, and those without. A push takes a free node, puts the
//! item in, and puts the node on the first list; a pop the other way round. In between the node belongs to one thread,
//! so items are written and read by one thread at a time, and a node that is looked at by one that is late is never looked
//! into. An operation is two exchanges of words that lie side by side, and asks neither the allocator nor an epoch
//! for anything; only when there is no free node does a push make a segment of them ([`nodes`](super::nodes)).
//!
//! # What was tried instead
//!
//! On two processors, pairs with 50 to 150 ns of own work in between, this is 1.3 to 1.5 times as fast as a list under a
//! lock. One thread alone is 2.1 to 2.6 times as fast as that list, and a vector under a lock 2.6 to 2.9 times: both have
//! two locked instructions an operation, of 2.6 ns each, and what they do besides hides behind them where it is a vector, and
//! not where the next exchange waits for a number that is read from a node. Free nodes on another line than the items' top, or all nodes away from both: no faster than that list. Epochs and
//! nodes from the allocator: slower than it. A stash of free nodes for each thread: it saves an exchange,
//! which one thread alone hardly notices, because it has to be counted and refilled, and several threads not at all. With
//! bundles of 32 free nodes that go to a thread and back in one exchange, and an exchange that expects what the thread
//! itself has left on top instead of looking there, a push and a pop of one thread alone take 7.9 ns where this takes 12.5
//! and a locked vector 10.5 (1,000 items, in a prototype without what others need); but a thread that was alone then
//! keeps nodes from the others, so that they take memory for items that would have had room.
//! Elimination, where a push and a pop that have both lost an exchange meet in one of one or four other places: no
//! difference, and neither did fetching the line for writing beforehand make one, nor longer or shorter pauses
//! after a lost exchange. More than two processors were not at hand.
//!
//! # Where it comes from
//!
//! The list is Treiber's (1986), with a counter beside the top as in the System/370 manual. Nodes that are recycled
//! through a second list of the same kind are older than lock-free literature on it, and are what boost's stack does. That
//! both tops and the first nodes share a line is ours.
//!
//! # Safety
//!
//! A node that was taken from a list belongs to whoever took it until it is put on one, and those on `top` have an item.
#![allow(unsafe_code)]

use super::nodes::Nodes;
use crate::util::padded::Padded;
use std::alloc::handle_alloc_error;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::Ordering::Relaxed;
use std::{fmt, mem};

/// An unbounded stack for any number of pushing and popping threads.
///
/// Every operation is lock-free: it is tried again only after another thread has got through, and a thread that is
/// stopped anywhere inside one does not keep the others from finishing theirs, as long as the allocator, which a push asks
/// for memory once in several hundred items at most, does not either. It is not wait-free: a thread may be
/// overtaken any number of times.
///
/// # Memory
/// A segment of about 8 KiB and some hundred bytes when empty. An item of eight bytes takes sixteen, one of four takes eight;
/// large items make large segments (at least eight nodes). After a burst everything is kept for reuse, and nothing else is
/// taken until there are more items at once than ever before; [`Stack::shrink_to_fit`] and dropping give it back. A
/// thread that is stopped inside an operation keeps one node from being used again, and nothing else: what the others
/// need does not grow by it.
///
/// # What is relied on
/// A pop that is stopped between its look at the top and its exchange is told that the top has changed by a counter of 32
/// bits. It would be misled if it stayed there while the others pop an exact multiple of 2^32 items, with the same node
/// on top again: more than a minute at any speed that processors reach today, and then one chance in 2^32. The same holds for
/// a push and the list of free nodes.
///
/// A stack may be dropped in any state and drops the items in it. Nothing of `T` runs inside an operation, so a panic
/// cannot leave the stack in disorder. There is no `len`: to count, all threads would have to write to one more word.
///
/// ```
/// use toolbox::stack::Stack;
///
/// let stack = Stack::new();
/// std::thread::scope(|scope| {
///     scope.spawn(|| (0..1000).for_each(|number| stack.push(number)));
/// });
/// assert_eq!(stack.pop(), Some(999));
/// assert!(stack.pop_all().eq((0..999).rev()));
/// assert!(stack.is_empty());
/// ```
pub struct Stack<T> {
    nodes: Padded<Nodes<T>>,
    owns: PhantomData<T>,
}

// SAFETY: the stack owns its items and hands each to one thread, so they have to be `Send`; it never shares one.
unsafe impl<T: Send> Send for Stack<T> {}
// SAFETY: as above: all that can be done through a shared stack is to move items in and out.
unsafe impl<T: Send> Sync for Stack<T> {}

impl<T> UnwindSafe for Stack<T> {}
impl<T> RefUnwindSafe for Stack<T> {}

impl<T> Stack<T> {
    /// An empty stack. Allocates its first segment.
    pub fn new() -> Self {
        let nodes = Nodes::new().unwrap_or_else(|| handle_alloc_error(Nodes::<T>::LAYOUT));
        Self { nodes: Padded(nodes), owns: PhantomData }
    }

    /// Puts an item on top.
    ///
    /// Ends the process as any allocation does when memory is short; [`Stack::try_push`] does not.
    #[inline]
    pub fn push(&self, item: T) {
        if self.try_push(item).is_err() {
            handle_alloc_error(Nodes::<T>::LAYOUT);
        }
    }

    /// Puts an item on top.
    ///
    /// # Errors
    /// Gives the item back when more nodes are needed and there is no memory for them, or there are 2^32 already.
    #[inline]
    pub fn try_push(&self, item: T) -> Result<(), T> {
        let nodes = &self.nodes.0;
        let Some(held) = nodes.free().take(nodes).or_else(|| nodes.grow()) else { return Err(item) };
        // SAFETY: the node was taken from the list of free ones, or made, so it is ours.
        unsafe { held.node.fill(item) };
        nodes.top().put(held.number, held.node);
        Ok(())
    }

    /// Takes the item on top, or `None` if there is none.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        let nodes = &self.nodes.0;
        let held = nodes.top().take(nodes)?;
        // SAFETY: the node was taken from the list of those with an item, so it is ours and has one.
        let item = unsafe { held.node.empty() };
        nodes.free().put(held.number, held.node);
        Some(item)
    }

    /// Takes all items at one instant, the last first. What is pushed afterwards is not among them.
    ///
    /// The items that are left when the iterator is dropped are dropped with it. Until then their nodes are not used again.
    pub fn pop_all(&self) -> PopAll<'_, T> {
        let first = self.nodes.top().take_all();
        PopAll { stack: self, first, next: first, last: first }
    }

    /// Takes items from the top until there is none. What is pushed meanwhile is taken as well.
    ///
    /// Dropping the iterator early leaves the remaining items where they are.
    pub fn drain(&self) -> Drain<'_, T> {
        Drain { stack: self }
    }

    /// Whether there was no item at some instant during the call.
    pub fn is_empty(&self) -> bool {
        self.nodes.top().is_empty()
    }

    /// Gives back the memory that is not needed for what is in the stack, by moving the items to another. Takes time in
    /// proportion to their number.
    pub fn shrink_to_fit(&mut self) {
        let mut reversed = Self::new();
        reversed.extend(self.pop_all());
        let mut shrunk = Self::new();
        shrunk.extend(reversed.pop_all());
        *self = shrunk;
    }
}

impl<T> Default for Stack<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Stack<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stack").field("is_empty", &self.is_empty()).finish_non_exhaustive()
    }
}

impl<T> Drop for Stack<T> {
    fn drop(&mut self) {
        if mem::needs_drop::<T>() {
            drop(self.pop_all());
        }
    }
}

impl<T> Extend<T> for Stack<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T> FromIterator<T> for Stack<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut stack = Self::new();
        stack.extend(items);
        stack
    }
}

impl<T> IntoIterator for Stack<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { stack: self }
    }
}

/// All items that a stack had at one instant, the last first; see [`Stack::pop_all`].
pub struct PopAll<'a, T> {
    stack: &'a Stack<T>,
    /// The first of all nodes that were taken, which stay linked until they are put back together.
    first: u32,
    /// The first that still has its item, or 0.
    next: u32,
    /// The one whose item was taken last: in the end, the last of all.
    last: u32,
}

impl<T> Iterator for PopAll<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.next == 0 {
            return None;
        }
        // SAFETY: it is the number of a node that was taken from a list.
        let node = unsafe { self.stack.nodes.get(self.next) };
        self.last = self.next;
        self.next = node.next.load(Relaxed); // The node is ours.
        // SAFETY: all these nodes were taken at once and are ours; this one has its item, which is taken once.
        Some(unsafe { node.empty() })
    }
}

impl<T> FusedIterator for PopAll<'_, T> {}

impl<T> fmt::Debug for PopAll<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PopAll").field("is_empty", &(self.next == 0)).finish_non_exhaustive()
    }
}

impl<T> Drop for PopAll<'_, T> {
    fn drop(&mut self) {
        /// Goes on if dropping an item panics: drops the items after that one and puts the nodes back.
        struct Rest<'a, 'b, T>(&'a mut PopAll<'b, T>);

        impl<T> Drop for Rest<'_, '_, T> {
            fn drop(&mut self) {
                self.0.by_ref().for_each(drop);
                self.0.put_back();
            }
        }

        let rest = Rest(self);
        rest.0.by_ref().for_each(drop);
    }
}

impl<T> PopAll<'_, T> {
    /// Makes all nodes free, as one list. Their items have been taken.
    fn put_back(&mut self) {
        let first = mem::take(&mut self.first);
        if first != 0 {
            let nodes = &self.stack.nodes.0;
            // SAFETY: it is the number of a node that was taken from a list.
            let last = unsafe { nodes.get(self.last) };
            nodes.free().put(first, last);
        }
    }
}

/// Items taken from the top of a shared stack; see [`Stack::drain`].
#[derive(Debug)]
pub struct Drain<'a, T> {
    stack: &'a Stack<T>,
}

impl<T> Iterator for Drain<'_, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.stack.pop()
    }
}

/// The items of a stack, the last first.
#[derive(Debug)]
pub struct IntoIter<T> {
    stack: Stack<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.stack.pop()
    }
}

impl<T> FusedIterator for IntoIter<T> {}
