//! The textbook queue: a linked list with a pointer to each end, and epochs.
//!
//! It is here for reference. Everybody who reads about lock-free queues meets this one first, and a table that compares
//! queues lacks something without it. [`Queue`](super::Queue) is usually faster, and takes less than a third of the memory for
//! small items.
//!
//! # How it works
//!
//! ```text
//! head --> node --> node --> node --> null
//!          dummy    first    last <-- tail
//! ```
//!
//! The list is never empty: its first node is a *dummy*, whose item, if it ever had one, is gone. A push links a node
//! behind the last one and then moves `tail` to it. A pop moves `head` to the second node and takes the item out of that
//! one, which is the dummy from then on. A queue is empty when the dummy has no successor.
//!
//! `tail` may lag, because a push that has linked its node may be stopped before it moves `tail`. Whoever finds that the
//! node at `tail` has a successor moves `tail` for the other. No push links a node anywhere but behind the one that `tail`
//! is on, so `tail` lags by one node at most.
//!
//! # When a node is freed
//!
//! A pop retires the dummy that it has moved `head` off. Other threads may still look at that node, so it is freed
//! only when all those that were inside an operation at that time have left it (an *epoch* has passed; that part is the
//! crate `crossbeam-epoch`). This is right only if nobody who comes later can find the node: not by `head`, which has
//! moved, and not by `tail` either. If `tail` lags on the very node that is to be retired, the pop therefore moves it
//! first. Leaving that out is a well-known mistake, and hard to see: the window is a few instructions wide.
//!
//! One look at `tail` is enough. The node has a successor, which was linked by a push that saw `tail` on this node, and
//! the pop has seen that link; so what it reads from `tail` is that node or a later one, and `tail` never moves back.
//!
//! # Where it comes from
//!
//! Michael and Scott, *Simple, Fast, and Practical Non-Blocking and Blocking Concurrent Queue Algorithms* (1996). They
//! counted pointers and kept nodes for ever; epochs in place of that are from Fraser, *Practical lock-freedom* (2004).
//!
//! # Order
//!
//! A push takes effect when it links its node, a pop when it moves `head` or, if there is nothing, when it sees that the
//! dummy has no successor. These three are `SeqCst`, so that a pop that finds nothing agrees with pops and pushes on
//! other queues about what came first.
//!
//! # Safety
//!
//! A node is used only under a guard that was taken before the pointer to it was read from `head`, from `tail` or from
//! another such node, and it is retired only when none of these leads to it any more; then the epochs keep it for as long
//! as the guard lasts. The item of a node belongs to the push until the node is linked, and then to the one pop that moves
//! `head` to it.
#![allow(unsafe_code)]

use crate::primitive::UnsafeCell;
use crate::primitive::epoch::{self, Atomic, Guard, Owned, Shared};
use crate::util::backoff::Backoff;
use crate::util::padded::Padded;
use std::fmt;
use std::iter::FusedIterator;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

struct Node<T> {
    /// Nothing in the first dummy, and in any node that `head` has been moved to.
    item: UnsafeCell<MaybeUninit<T>>,
    /// Null in the last node. Set once.
    next: Atomic<Node<T>>,
}

impl<T> Node<T> {
    fn new(item: MaybeUninit<T>) -> Owned<Self> {
        Owned::new(Self { item: UnsafeCell::new(item), next: Atomic::null() })
    }

    /// Takes the item out.
    ///
    /// # Safety
    /// The node was linked with an item, and the caller is the only one to take it.
    unsafe fn take(&self) -> T {
        // SAFETY: the push wrote the item before it linked the node, and nobody else touches it by contract.
        let item = self.item.with(|item| unsafe { item.read() });
        // SAFETY: it was linked with an item.
        unsafe { item.assume_init() }
    }
}

/// The textbook linked queue of Michael and Scott, unbounded, for any number of pushing and popping threads.
///
/// It is kept for reference; [`Queue`](super::Queue) is usually faster, and smaller. Every push allocates a node, which
/// for an item of eight bytes takes 32 with what malloc adds, and every operation enters and leaves an epoch.
///
/// Every operation is lock-free, as long as the allocator is, but **memory is not bounded while a thread stalls**: one that
/// is stopped inside an operation, or that holds a guard of `crossbeam-epoch` for a purpose of its own, keeps every node
/// that is popped from then on, from any queue in the process, from being freed until it goes on. Nodes that were popped
/// are freed some operations later in any case, and by whichever thread comes by, perhaps after the queue itself has been
/// dropped. Only their memory waits: an item is handed out, or dropped with the queue, at once.
///
/// A queue may be dropped in any state and drops the items in it. Nothing of `T` runs inside an operation, so a panic
/// cannot leave the queue in disorder.
///
/// ```
/// use toolbox::queue::Linked;
///
/// let queue = Linked::new();
/// std::thread::scope(|scope| {
///     scope.spawn(|| (0..1000).for_each(|number| queue.push(number)));
/// });
/// assert_eq!(queue.pop(), Some(0));
/// assert_eq!(queue.drain().count(), 999);
/// ```
pub struct Linked<T> {
    /// The dummy.
    head: Padded<Atomic<Node<T>>>,
    /// The last node or the one before it, and never one before `head`.
    tail: Padded<Atomic<Node<T>>>,
}

// SAFETY: the queue owns its items and hands each to one thread, so they have to be `Send`; it never shares one.
unsafe impl<T: Send> Send for Linked<T> {}
// SAFETY: as above: all that can be done through a shared queue is to move items in and out.
unsafe impl<T: Send> Sync for Linked<T> {}

impl<T> UnwindSafe for Linked<T> {}
impl<T> RefUnwindSafe for Linked<T> {}

impl<T> Linked<T> {
    /// An empty queue. Allocates the dummy.
    pub fn new() -> Self {
        // SAFETY: the guard protects nothing, and nobody else knows the queue yet.
        let guard = unsafe { epoch::unprotected() };
        let dummy = Node::new(MaybeUninit::uninit()).into_shared(guard);
        Self { head: Padded(Atomic::from(dummy)), tail: Padded(Atomic::from(dummy)) }
    }

    /// Puts an item at the end.
    ///
    /// Ends the process as any allocation does when memory is short.
    pub fn push(&self, item: T) {
        let node = Node::new(MaybeUninit::new(item));
        let guard = &epoch::pin();
        let node = node.into_shared(guard);
        let mut backoff = Backoff::default();
        loop {
            let last = self.tail.load(Acquire, guard); // Pairs with every exchange of `tail`.
            // SAFETY: it was read from `tail` under the guard.
            let next = unsafe { last.deref() }.next.load(Acquire, guard); // Pairs with the exchange below.
            if !next.is_null() {
                self.move_tail(last, next, guard);
                continue;
            }
            // SAFETY: as above.
            let link = unsafe { &last.deref().next };
            // Pairs with the loads of `next`: who finds the node sees what is in it.
            if link.compare_exchange(Shared::null(), node, SeqCst, Relaxed, guard).is_ok() {
                self.move_tail(last, node, guard);
                return;
            }
            backoff.retry();
        }
    }

    /// Takes the item at the front, or `None` if there is none.
    pub fn pop(&self) -> Option<T> {
        let guard = &epoch::pin();
        let mut backoff = Backoff::default();
        loop {
            let dummy = self.head.load(Acquire, guard); // Pairs with the exchange below.
            // SAFETY: it was read from `head` under the guard.
            let next = unsafe { dummy.deref() }.next.load(SeqCst, guard); // Pairs with the exchange in `push`.
            // SAFETY: it was read, under the guard, from a node that was read from `head` under it.
            let first = unsafe { next.as_ref() }?;
            // Pairs with the load above: who finds the new dummy sees what is in it.
            if self.head.compare_exchange(dummy, next, SeqCst, Relaxed, guard).is_err() {
                backoff.retry();
                continue;
            }
            // As the top of this file says, this cannot be older than `dummy`, by the acquire that saw `next`.
            if self.tail.load(Relaxed, guard) == dummy {
                self.move_tail(dummy, next, guard);
            }
            // SAFETY: neither `head` nor `tail` is on the dummy, and no link leads to it; the exchange made it ours to retire.
            unsafe { guard.defer_destroy(dummy) };
            // SAFETY: it was linked by a push, with an item, and the exchange made that ours.
            return Some(unsafe { first.take() });
        }
    }

    /// Whether there was no item at some instant during the call.
    pub fn is_empty(&self) -> bool {
        let guard = &epoch::pin();
        let dummy = self.head.load(Acquire, guard); // Pairs with the exchange in `pop`.
        // SAFETY: it was read from `head` under the guard.
        let next = unsafe { dummy.deref() }.next.load(SeqCst, guard); // Pairs with the exchange in `push`.
        next.is_null()
    }

    /// Takes items from the front until there is none. What is pushed meanwhile is taken as well.
    ///
    /// Dropping the iterator early leaves the remaining items where they are.
    pub fn drain(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.pop())
    }

    /// Moves `tail` from a node to its successor, unless somebody else has.
    fn move_tail(&self, from: Shared<'_, Node<T>>, to: Shared<'_, Node<T>>, guard: &Guard) {
        // Pairs with the load of `tail` in `push`: what its owner has written to `to` is handed on.
        let _ = self.tail.compare_exchange(from, to, Release, Relaxed, guard);
    }

    /// As [`Linked::pop`], but frees the node at once.
    fn pop_alone(&mut self) -> Option<T> {
        // SAFETY: the queue is ours alone, so no guard is needed to keep its nodes.
        let guard = unsafe { epoch::unprotected() };
        let dummy = self.head.load(Relaxed, guard);
        // SAFETY: the dummy is alive, since `head` is on it.
        let next = unsafe { dummy.deref() }.next.load(Relaxed, guard);
        // SAFETY: a node is alive while a link of the list leads to it.
        let first = unsafe { next.as_ref() }?;
        self.head.store(next, Relaxed); // No push is under way, so `tail` is on the last node already.
        // SAFETY: nothing leads to the dummy any more, and nobody else has ever seen it without a guard.
        drop(unsafe { dummy.into_owned() });
        // SAFETY: it was linked by a push, with an item, and we are the first to move `head` to it.
        Some(unsafe { first.take() })
    }
}

impl<T> Default for Linked<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for Linked<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Linked").field("is_empty", &self.is_empty()).finish_non_exhaustive()
    }
}

impl<T> Drop for Linked<T> {
    fn drop(&mut self) {
        /// Goes on if dropping an item panics: drops the items after that one and frees the nodes.
        struct Nodes<'a, T>(&'a mut Linked<T>);

        impl<T> Drop for Nodes<'_, T> {
            fn drop(&mut self) {
                std::iter::from_fn(|| self.0.pop_alone()).for_each(drop);
                // SAFETY: the queue is ours alone.
                let guard = unsafe { epoch::unprotected() };
                let dummy = self.0.head.load(Relaxed, guard);
                // SAFETY: it is the last node, and the queue that led to it is being dropped.
                drop(unsafe { dummy.into_owned() });
            }
        }

        let nodes = Nodes(self);
        std::iter::from_fn(|| nodes.0.pop_alone()).for_each(drop);
    }
}

impl<T> Extend<T> for Linked<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T> FromIterator<T> for Linked<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut queue = Self::new();
        queue.extend(items);
        queue
    }
}

impl<T> IntoIterator for Linked<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { queue: self }
    }
}

/// The items of a linked queue, in order.
#[derive(Debug)]
pub struct IntoIter<T> {
    queue: Linked<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop_alone()
    }
}

impl<T> FusedIterator for IntoIter<T> {}
