//! The bounded queue: a ring of slots, each with a stamp.
//!
//! # How it works
//!
//! `tail` and `head` each hold an index into the ring and, in the bits above, how often they have gone round it: a *turn*.
//! A slot's stamp says whose turn it is:
//!
//! ```text
//! stamp == turn and index          the push with this `tail` may fill the slot
//! stamp == turn and index, plus 1  the pop with this `head` may empty it; it sets the stamp for the next turn
//! ```
//!
//! A thread that finds the stamp it needs claims the slot by moving `tail` or `head` on, does its work and sets the stamp.
//! This is Dmitry Vyukov's bounded queue, with the turns apart from the index so that any capacity is as fast as a power
//! of two.
//!
//! # What was tried besides
//!
//! To ask for the line of `tail` or `head` with the right to write before looking at it (`PREFETCHW`): from some threads to
//! others that was 1.0 to 2.6 times as fast, as the two processors were near to each other or far, with no difference for
//! pairs of operations with own work in between; but an item that another thread waits for by looking again and again
//! arrived a quarter later.
//!
//! # What it does not do
//!
//! It is not lock-free: a thread that is stopped between its claim and its stamp holds up those who need that slot next,
//! until it goes on. The unbounded queue pays for not having that.
//!
//! # Safety
//!
//! A slot's value is touched only by the thread that claimed the slot, between its exchange on `tail` or `head` and its
//! store of the stamp.
#![allow(unsafe_code)]

use crate::primitive::{AtomicUsize, UnsafeCell};
use crate::util::backoff::Backoff;
use crate::util::padded::Padded;
use std::fmt;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};

struct Slot<T> {
    /// Whose turn it is; see above.
    stamp: AtomicUsize,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// A queue of at most a given number of items for any number of pushing and popping threads.
///
/// The memory is taken once: 16 bytes for an item of eight. A thread that is stopped inside an operation may hold up
/// others; a panic cannot happen inside one, since nothing of `T` runs there. The queue may be dropped in any state and
/// drops the items in it.
///
/// ```
/// let queue = toolbox::queue::Bounded::new(2);
/// assert_eq!(queue.try_push('a'), Ok(()));
/// assert_eq!(queue.try_push('b'), Ok(()));
/// assert_eq!(queue.try_push('c'), Err('c'));
/// assert_eq!(queue.pop(), Some('a'));
/// ```
pub struct Bounded<T> {
    head: Padded<AtomicUsize>,
    tail: Padded<AtomicUsize>,
    slots: Box<[Slot<T>]>,
    /// One turn, in the bits above the index: a power of two greater than the capacity.
    turn: usize,
}

// SAFETY: the queue owns its items and hands each to one thread, so they have to be `Send`; it never shares one.
unsafe impl<T: Send> Send for Bounded<T> {}
// SAFETY: as above: all that can be done through a shared queue is to move items in and out.
unsafe impl<T: Send> Sync for Bounded<T> {}

impl<T> UnwindSafe for Bounded<T> {}
impl<T> RefUnwindSafe for Bounded<T> {}

impl<T> Bounded<T> {
    /// An empty queue with room for `capacity` items.
    ///
    /// # Panics
    /// If the capacity is 0.
    pub fn new(capacity: usize) -> Self {
        assert!(capacity > 0, "a queue without room for anything");
        let slot = |index| Slot { stamp: AtomicUsize::new(index), value: UnsafeCell::new(MaybeUninit::uninit()) };
        Self {
            head: Padded(AtomicUsize::new(0)),
            tail: Padded(AtomicUsize::new(0)),
            slots: (0..capacity).map(slot).collect(),
            turn: (capacity + 1).next_power_of_two(),
        }
    }

    /// Puts an item at the end.
    ///
    /// # Errors
    /// Gives the item back if the queue is full.
    pub fn try_push(&self, item: T) -> Result<(), T> {
        let mut backoff = Backoff::default();
        let mut tail = self.tail.load(Relaxed);
        loop {
            let slot = self.slot(tail);
            let stamp = slot.stamp.load(Acquire); // Pairs with the stores in `pop` and `pop_batch`.
            if stamp == tail {
                match self.tail.compare_exchange_weak(tail, self.after(tail), SeqCst, Relaxed) {
                    Ok(_) => {
                        // SAFETY: the exchange made the slot ours until the stamp is set.
                        slot.value.with_mut(|value| unsafe { value.write(MaybeUninit::new(item)) });
                        slot.stamp.store(tail + 1, Release); // Pairs with the load in `pop`.
                        return Ok(());
                    }
                    Err(other) => tail = other,
                }
                backoff.retry();
                continue;
            }
            // The slot still holds what was pushed a turn ago, unless `tail` is out of date.
            if stamp.wrapping_add(self.turn) == tail + 1 && self.head.load(SeqCst).wrapping_add(self.turn) == tail {
                return Err(item);
            }
            backoff.wait();
            tail = self.tail.load(SeqCst);
        }
    }

    /// Takes the item at the front, or `None` if there is none.
    pub fn pop(&self) -> Option<T> {
        let mut backoff = Backoff::default();
        let mut head = self.head.load(Relaxed);
        loop {
            let slot = self.slot(head);
            let stamp = slot.stamp.load(Acquire); // Pairs with the stores in `try_push` and its batch.
            if stamp == head + 1 {
                match self.head.compare_exchange_weak(head, self.after(head), SeqCst, Relaxed) {
                    Ok(_) => {
                        // SAFETY: the exchange made the slot ours until the stamp is set.
                        let item = slot.value.with(|value| unsafe { value.read() });
                        // SAFETY: the stamp said that the slot is full.
                        let item = unsafe { item.assume_init() };
                        slot.stamp.store(head.wrapping_add(self.turn), Release); // Pairs with the load in `try_push`.
                        return Some(item);
                    }
                    Err(other) => head = other,
                }
                backoff.retry();
                continue;
            }
            // The slot waits for a push, unless `head` is out of date.
            if stamp == head && self.tail.load(SeqCst) == head {
                return None;
            }
            backoff.wait();
            head = self.head.load(SeqCst);
        }
    }

    /// Puts as many of `items` at the end as there is room for, in their order, and says how many; the others stay in the
    /// vector.
    ///
    /// A batch is as many pushes, one after the other, and items of other threads may come in between; but it claims all
    /// the room that it finds in one piece at once. Fewer than all go in only if there was no room left at some instant
    /// during the call.
    ///
    /// ```
    /// let queue = toolbox::queue::Bounded::new(2);
    /// let mut items = vec!['a', 'b', 'c'];
    /// assert_eq!(queue.try_push_batch(&mut items), 2);
    /// assert_eq!(items, ['c']);
    /// assert_eq!(queue.pop_batch(&mut items, 9), 2);
    /// assert_eq!(items, ['c', 'a', 'b']);
    /// ```
    pub fn try_push_batch(&self, items: &mut Vec<T>) -> usize {
        let mut count = 0;
        while !items.is_empty() {
            let Some((mut place, room)) = self.claim(&self.tail, 0, items.len()) else {
                let Err(item) = self.try_push(items.remove(0)) else {
                    count += 1;
                    continue;
                };
                items.insert(0, item);
                break;
            };
            for item in items.drain(..room) {
                // SAFETY: the claim made the slot ours until the stamp is set.
                self.slot(place).value.with_mut(|value| unsafe { value.write(MaybeUninit::new(item)) });
                self.slot(place).stamp.store(place + 1, Release); // Pairs with the loads in `pop` and `claim`.
                place = self.after(place);
            }
            count += room;
        }
        count
    }

    /// Takes up to `limit` items from the front, adds them to `items` in their order, and says how many there were: fewer
    /// than `limit` only if none was left at some instant during the call.
    ///
    /// A batch is as many pops, one after the other, and other threads may take items in between; but it claims all that it
    /// finds in one piece at once.
    ///
    /// # Panics
    /// As [`Vec::reserve`] does, before any item is taken that would not fit.
    pub fn pop_batch(&self, items: &mut Vec<T>, limit: usize) -> usize {
        let mut left = limit;
        while left > 0 {
            let most = self.len().clamp(1, left);
            items.reserve(most);
            let Some((mut place, found)) = self.claim(&self.head, 1, most) else {
                let Some(item) = self.pop() else { break };
                items.push(item);
                left -= 1;
                continue;
            };
            for _ in 0..found {
                // SAFETY: the claim made the slot ours until the stamp is set.
                let item = self.slot(place).value.with(|value| unsafe { value.read() });
                // SAFETY: the stamp said that the slot is full.
                items.push(unsafe { item.assume_init() });
                // Pairs with the loads in `try_push` and `claim`.
                self.slot(place).stamp.store(place.wrapping_add(self.turn), Release);
                place = self.after(place);
            }
            left -= found;
        }
        limit - left
    }

    /// Claims up to `most` slots in a row whose stamps say that it is their turn, and says where they begin and how many
    /// they are. None if there are none, or `word` was out of date.
    fn claim(&self, word: &AtomicUsize, offset: usize, most: usize) -> Option<(usize, usize)> {
        let mut backoff = Backoff::default();
        let mut place = word.load(Relaxed);
        loop {
            let (mut count, mut end) = (0, place);
            // Pairs with the stores of stamps.
            while count < most && self.slot(end).stamp.load(Acquire) == end + offset {
                (count, end) = (count + 1, self.after(end));
            }
            if count == 0 {
                return None;
            }
            // While it stands there, nobody else has claimed one of them.
            match word.compare_exchange_weak(place, end, SeqCst, Relaxed) {
                Ok(_) => return Some((place, count)),
                Err(other) => place = other,
            }
            backoff.retry();
        }
    }

    /// How many items there is room for.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// How many items there are or are about to be: at some instant during the call, counted from the claims.
    pub fn len(&self) -> usize {
        let mut tail = self.tail.load(SeqCst);
        loop {
            let head = self.head.load(SeqCst);
            let again = self.tail.load(SeqCst);
            if again == tail {
                let capacity = self.capacity();
                let (first, last) = (self.index(head), self.index(tail));
                let is_same_turn = tail.wrapping_sub(last) == head.wrapping_sub(first);
                return if is_same_turn { last - first } else { capacity - first + last };
            }
            tail = again;
        }
    }

    /// Whether there was no item at some instant during the call.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there was no room at some instant during the call.
    pub fn is_full(&self) -> bool {
        self.len() == self.capacity()
    }

    /// Takes items from the front until there is none. What is pushed meanwhile is taken as well.
    pub fn drain(&self) -> impl Iterator<Item = T> + '_ {
        std::iter::from_fn(|| self.pop())
    }

    fn index(&self, place: usize) -> usize {
        place & (self.turn - 1)
    }

    fn slot(&self, place: usize) -> &Slot<T> {
        // SAFETY: `after` keeps the index of both words below the number of slots.
        unsafe { self.slots.get_unchecked(self.index(place)) }
    }

    /// The place after `place`: the next slot, or the first one a turn later.
    fn after(&self, place: usize) -> usize {
        let index = self.index(place);
        if index + 1 < self.capacity() { place + 1 } else { (place - index).wrapping_add(self.turn) }
    }
}

impl<T> fmt::Debug for Bounded<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Bounded");
        shown.field("len", &self.len()).field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

impl<T> Drop for Bounded<T> {
    fn drop(&mut self) {
        /// Goes on with the items after one whose drop panics.
        struct Others<'a, T>(&'a Bounded<T>);

        impl<T> Drop for Others<'_, T> {
            fn drop(&mut self) {
                self.0.drain().for_each(drop);
            }
        }

        let others = Others(self);
        others.0.drain().for_each(drop);
    }
}

impl<T> IntoIterator for Bounded<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { queue: self }
    }
}

/// The items of a bounded queue, in order.
#[derive(Debug)]
pub struct IntoIter<T> {
    queue: Bounded<T>,
}

impl<T> Iterator for IntoIter<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop()
    }
}
