//! Those who wait for a mutex, linked through their own futures.
//!
//! The list is one word, the address of the first; the first knows the last. So a mutex with its state is 16 bytes, and to
//! put one at either end, to take the first and to take any other out are all done in constant time, touching three
//! waiters at most.
//!
//! # Safety
//!
//! The list and the links of those in it belong to whoever holds the flag of the mutex that says so, *the queue*. A
//! waiter in the list is pinned and alive: its future takes it out before it goes. What a waiter's `state` says is
//! written last by whoever takes it out, and read first by its owner, who may free it from then on.
#![allow(unsafe_code)]

use crate::primitive::{AtomicU32, UnsafeCell, constant};
use std::fmt;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::Waker;

/// Where a waiter is. Its owner changes it from `IDLE` to `QUEUED` and from the last two to `IDLE`; the others are
/// written by whoever takes it out of the list.
pub(super) mod state {
    /// In no list, and owed nothing.
    pub(in crate::mutex) const IDLE: u32 = 0;
    /// In the list.
    pub(in crate::mutex) const QUEUED: u32 = 1;
    /// Taken out, and told to try again.
    pub(in crate::mutex) const WOKEN: u32 = 2;
    /// Taken out, and given the lock.
    pub(in crate::mutex) const OWNER: u32 = 3;
}

/// One that waits, or will.
pub struct Waiter {
    state: AtomicU32,
    /// Nothing until it first enters a list, since most futures never do.
    links: UnsafeCell<MaybeUninit<Links>>,
    _pinned: PhantomPinned,
}

struct Links {
    /// The one before; for the first, the last.
    before: *const Waiter,
    after: *const Waiter,
    /// Whether it was woken before, in vain.
    is_owed: bool,
    waker: Option<Waker>,
}

// SAFETY: the links are touched under the queue only, and what they lead to are waiters; a `Waker` may go anywhere.
unsafe impl Send for Waiter {}
// SAFETY: as above.
unsafe impl Sync for Waiter {}

impl Waiter {
    /// One that is in no list.
    #[inline]
    pub(super) fn new() -> Self {
        let links = UnsafeCell::new(MaybeUninit::uninit());
        Self { state: AtomicU32::new(state::IDLE), links, _pinned: PhantomPinned }
    }

    /// Where it is. Whatever was done to it by whoever took it out of the list is over, and seen.
    #[inline]
    pub(super) fn state(&self) -> u32 {
        self.state.load(Acquire) // Pairs with the store in `Waiters::pop`.
    }

    /// Back to the beginning. Only for its owner, and not while it is in the list.
    pub(super) fn reset(&self) {
        self.state.store(state::IDLE, Relaxed); // Nobody else looks.
    }

    /// # Safety
    /// The caller holds the queue, and the waiter is in the list or was.
    unsafe fn links<R>(&self, change: impl FnOnce(&mut Links) -> R) -> R {
        self.links.with_mut(|links| {
            // SAFETY: the queue is held, so there is no other access.
            let links = unsafe { &mut *links };
            // SAFETY: they were written when the waiter entered the list.
            change(unsafe { links.assume_init_mut() })
        })
    }
}

impl fmt::Debug for Waiter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Waiter").finish_non_exhaustive()
    }
}

/// The list, the oldest first. Every function needs the queue held.
pub(super) struct Waiters {
    first: UnsafeCell<*const Waiter>,
}

// SAFETY: it owns nothing. It leads to waiters, which may be reached from any thread that holds the queue.
unsafe impl Send for Waiters {}
// SAFETY: as above.
unsafe impl Sync for Waiters {}

impl Waiters {
    constant! {
        pub(super) fn new() -> Self {
            Self { first: UnsafeCell::new(ptr::null()) }
        }
    }

    /// Whether the first one is owed the lock, if there is one.
    ///
    /// # Safety
    /// The caller holds the queue.
    pub(super) unsafe fn first_is_owed(&self) -> Option<bool> {
        // SAFETY: the queue is held.
        let first = unsafe { self.first() };
        // SAFETY: who is in the list is alive, and the queue is held.
        (!first.is_null()).then(|| unsafe { at(first, |links| links.is_owed) })
    }

    /// Puts one at the end.
    ///
    /// # Safety
    /// - The caller holds the queue.
    /// - The waiter is in no list, and is taken out of this one before it is dropped.
    pub(super) unsafe fn push_back(&self, waiter: Pin<&Waiter>, waker: Waker) {
        let waiter = ptr::from_ref(waiter.get_ref());
        // SAFETY: the queue is held.
        let first = unsafe { self.first() };
        let before = if first.is_null() {
            self.first.with_mut(|first| {
                // SAFETY: the queue is held.
                unsafe { *first = waiter }
            });
            waiter
        } else {
            // SAFETY: the first is in the list.
            let last = unsafe { at(first, |links| std::mem::replace(&mut links.before, waiter)) };
            // SAFETY: the last is in the list.
            unsafe { at(last, |links| links.after = waiter) };
            last
        };
        let links = Links { before, after: ptr::null(), is_owed: false, waker: Some(waker) };
        // SAFETY: the waiter is the caller's.
        unsafe { enter(waiter, links) };
    }

    /// Puts one that was woken in vain at the beginning.
    ///
    /// # Safety
    /// As [`push_back`](Self::push_back).
    pub(super) unsafe fn push_front(&self, waiter: Pin<&Waiter>, waker: Waker) {
        let waiter = ptr::from_ref(waiter.get_ref());
        // SAFETY: the queue is held.
        let after = unsafe { self.first() };
        let before = if after.is_null() {
            waiter
        } else {
            // SAFETY: the first is in the list.
            unsafe { at(after, |links| std::mem::replace(&mut links.before, waiter)) }
        };
        self.first.with_mut(|first| {
            // SAFETY: the queue is held.
            unsafe { *first = waiter }
        });
        let links = Links { before, after, is_owed: true, waker: Some(waker) };
        // SAFETY: the waiter is the caller's.
        unsafe { enter(waiter, links) };
    }

    /// Takes the first out, says so in its state, and returns what wakes its owner. The waiter is gone from then on.
    ///
    /// # Safety
    /// The caller holds the queue, and somebody is in the list.
    pub(super) unsafe fn pop(&self, state: u32) -> Option<Waker> {
        // SAFETY: the queue is held.
        let first = unsafe { self.first() };
        debug_assert!(!first.is_null(), "the push happens before the unlock happens before the pop");
        // SAFETY: the first is in the list.
        let waker = unsafe { self.take_first(first) };
        // SAFETY: it is alive until it can read the state.
        let first = unsafe { &*first };
        debug_assert_eq!(first.state.load(Relaxed), state::QUEUED, "who is in the list says so");
        // Release: pairs with the Acquire in `Waiter::state`. All that was done here is seen by the owner, and with
        // `OWNER` all that was done under the lock.
        first.state.store(state, Release);
        waker
    }

    /// Takes out one that changed its mind.
    ///
    /// # Safety
    /// The caller holds the queue, and the waiter is in this list.
    pub(super) unsafe fn remove(&self, waiter: &Waiter) -> Option<Waker> {
        // SAFETY: the queue is held.
        let first = unsafe { self.first() };
        let waker = if ptr::eq(first, waiter) {
            // SAFETY: it is the first.
            unsafe { self.take_first(first) }
        } else {
            // SAFETY: the queue is held.
            let (before, after) = unsafe { waiter.links(|links| (links.before, links.after)) };
            // SAFETY: it is not the first, so the one before is in the list.
            unsafe { at(before, |links| links.after = after) };
            // The last one is known to the first.
            let knows = if after.is_null() { first } else { after };
            // SAFETY: either is in the list.
            unsafe { at(knows, |links| links.before = before) };
            // SAFETY: the queue is held.
            unsafe { waiter.links(|links| links.waker.take()) }
        };
        waiter.reset();
        waker
    }

    /// Has another waker called for one that is in the list; returns the one before.
    ///
    /// # Safety
    /// The caller holds the queue, and the waiter is in this list.
    pub(super) unsafe fn replace_waker(&self, waiter: &Waiter, waker: Waker) -> Option<Waker> {
        // SAFETY: the queue is held.
        unsafe { waiter.links(|links| links.waker.replace(waker)) }
    }

    /// # Safety
    /// The caller holds the queue, and `first` is the first one.
    unsafe fn take_first(&self, first: *const Waiter) -> Option<Waker> {
        // SAFETY: the first is in the list.
        let (last, after, waker) = unsafe { at(first, |links| (links.before, links.after, links.waker.take())) };
        if !after.is_null() {
            // SAFETY: the second is in the list.
            unsafe { at(after, |links| links.before = last) };
        }
        self.first.with_mut(|first| {
            // SAFETY: the queue is held.
            unsafe { *first = after }
        });
        waker
    }

    /// # Safety
    /// The caller holds the queue.
    unsafe fn first(&self) -> *const Waiter {
        self.first.with(|first| {
            // SAFETY: the queue is held.
            unsafe { *first }
        })
    }
}

impl fmt::Debug for Waiters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Waiters").finish_non_exhaustive()
    }
}

/// # Safety
/// The waiter is in the list, and the caller holds the queue.
unsafe fn at<R>(waiter: *const Waiter, change: impl FnOnce(&mut Links) -> R) -> R {
    // SAFETY: who is in the list is alive.
    let waiter = unsafe { &*waiter };
    // SAFETY: the queue is held.
    unsafe { waiter.links(change) }
}

/// # Safety
/// The waiter is the caller's, and in no list so far.
unsafe fn enter(waiter: *const Waiter, its: Links) {
    // SAFETY: it is the caller's.
    let waiter = unsafe { &*waiter };
    waiter.links.with_mut(|links| {
        // SAFETY: nobody else knows it before the queue is given back. A waker of an earlier stay was taken out then.
        unsafe { links.write(MaybeUninit::new(its)) }
    });
    // Relaxed: the owner reads it itself, and others come to it through the queue.
    waiter.state.store(state::QUEUED, Relaxed);
}
