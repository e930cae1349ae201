//! A mutex without data that goes from hand to hand, strictly first come, first served.
//!
//! # How it works
//!
//! One word of three flags, and the list of those who wait:
//!
//! ```text
//! 1  LOCKED        somebody has the mutex
//! 2  QUEUE_LOCKED  somebody changes the list
//! 4  NOT_EMPTY     somebody waits, or is about to
//! ```
//!
//! - To lock, set `LOCKED` in a word of nothing. Otherwise take the queue: one exchange sets `QUEUE_LOCKED` and
//!   `NOT_EMPTY`, and fails unless the mutex is locked at that very moment. Put the waiter at the end, give the queue back.
//! - To unlock, clear a word of nothing but `LOCKED`. Otherwise take the queue, take the first out, give the queue
//!   back, and tell the waiter that it is the owner: `LOCKED` stays set in between.
//! - Who does not want to wait any longer takes the queue and leaves; or, if it was made the owner by then, unlocks.
//!
//! So the push to the list happens before the unlock, and that happens before the pop. While `QUEUE_LOCKED` is set the
//! whole word belongs to one thread, which gives it back by a plain store.
//!
//! # What is different from the protocol as it was published
//!
//! There (the coroutine mutex of the tinyasync library) an unlock that finds `NOT_EMPTY` clear clears `LOCKED` although
//! somebody holds the queue to put itself into it, who then sleeps on a mutex that is free. Here an unlock clears `LOCKED`
//! only in a word that has no other flag. The model keeps the published form, and finds that waiter; and there nobody can leave the
//! list.
//!
//! # What it costs
//!
//! An uncontended pair is two exchanges. Waiting for the queue is a short spin, then a yield: it is held for some ten
//! instructions. Handing over means that the mutex sleeps as long as its next owner does, so with more threads than
//! processors [`BargingCore`](super::BargingCore) is many times as fast.
//!
//! # Safety
//!
//! The list is touched by whoever set `QUEUE_LOCKED`.
#![allow(unsafe_code)]

use super::protocol::{Acquire as Acquiring, Core, Protocol, Who};
use super::waiters::{Waiter, Waiters, state};
use crate::primitive::{AtomicU32, constant, spin_loop};
use crate::util::backoff::Backoff;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::{Context, Poll};

const LOCKED: u32 = 1;
const QUEUE_LOCKED: u32 = 2;
const NOT_EMPTY: u32 = 4;

/// A mutex without data, handed over in the order of arrival. 16 bytes, and none for whoever waits but in its future.
///
/// ```
/// use toolbox::mutex::LockCore;
/// use toolbox::wait::block_on;
///
/// let core = LockCore::new();
/// block_on(core.lock());
/// assert!(core.is_locked() && !core.try_lock());
/// // SAFETY: it was locked above.
/// unsafe { core.unlock() };
/// assert!(!core.is_locked());
/// ```
pub struct LockCore {
    word: AtomicU32,
    waiters: Waiters,
}

impl LockCore {
    constant! {
        /// One that is free.
        pub fn new() -> Self {
            Self { word: AtomicU32::new(0), waiters: Waiters::new() }
        }
    }

    /// Whether somebody has it, now.
    pub fn is_locked(&self) -> bool {
        // Acquire: whoever learns that it is free may rely on what was done by those who had it. Pairs with the Release
        // in `unlock`.
        self.word.load(Acquire) & LOCKED != 0
    }

    /// Takes it if it is free. Constant time, one exchange.
    #[inline]
    pub fn try_lock(&self) -> bool {
        // Acquire: pairs with the Release in `unlock`.
        self.word.compare_exchange(0, LOCKED, Acquire, Relaxed).is_ok()
    }

    /// Waits until it is this one's turn.
    pub fn lock(&self) -> Acquiring<'_, Self> {
        Acquiring::new(self, Who::Task)
    }

    /// Hands it to the first who waits, or frees it. Constant time.
    ///
    /// # Safety
    /// The caller has it: by [`try_lock`](Self::try_lock), or by a [`lock`](Self::lock) that was ready.
    #[inline]
    pub unsafe fn unlock(&self) {
        // Release: pairs with the Acquire in `try_lock`.
        if self.word.compare_exchange(LOCKED, 0, Release, Relaxed).is_err() {
            self.hand_over();
        }
    }

    #[cold]
    fn hand_over(&self) {
        let mut backoff = Backoff::default();
        loop {
            let word = self.word.load(Relaxed);
            debug_assert!(word & LOCKED != 0, "unlocked by one who does not have it");
            if word & QUEUE_LOCKED != 0 {
                backoff.wait();
            } else if word & NOT_EMPTY != 0 {
                if self.take_queue(word, 0) {
                    break;
                }
            } else if self.word.compare_exchange(LOCKED, 0, Release, Relaxed).is_ok() {
                // Those who waited have all left.
                return;
            }
        }
        // SAFETY: the queue is ours, and it is not empty.
        let waker = unsafe { self.waiters.pop(state::OWNER) };
        self.give_queue_back();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the queue, if the word is still as it was seen: the mutex locked, and the queue not.
    fn take_queue(&self, seen: u32, also: u32) -> bool {
        debug_assert_eq!(seen & (LOCKED | QUEUE_LOCKED), LOCKED);
        // Acquire: pairs with the Release in `give_queue_back`.
        self.word.compare_exchange(seen, seen | QUEUE_LOCKED | also, Acquire, Relaxed).is_ok()
    }

    fn give_queue_back(&self) {
        debug_assert_eq!(
            self.word.load(Relaxed) & (LOCKED | QUEUE_LOCKED),
            LOCKED | QUEUE_LOCKED,
            "one thread at most owns each flag, and this one has the queue of a mutex that is locked"
        );
        // SAFETY: the queue is ours.
        let first = unsafe { self.waiters.first_is_owed() };
        let word = if first.is_some() { LOCKED | NOT_EMPTY } else { LOCKED };
        // A store, because nobody else changes the word meanwhile. Release: pairs with the Acquire in `take_queue`.
        self.word.store(word, Release);
    }

    /// Takes the queue for one who is in the list. Whether it still is.
    fn take_queue_with(&self, waiter: &Waiter) -> bool {
        let mut backoff = Backoff::default();
        while waiter.state() == state::QUEUED {
            let word = self.word.load(Relaxed);
            if word & (LOCKED | QUEUE_LOCKED) != LOCKED {
                backoff.wait();
            } else if self.take_queue(word, 0) {
                let is_in = waiter.state() == state::QUEUED;
                if !is_in {
                    self.give_queue_back();
                }
                return is_in;
            }
        }
        false
    }

    fn wait(&self, waiter: Pin<&Waiter>, context: &Context<'_>) -> Poll<()> {
        // Before the queue is taken, since a waker's code is anybody's.
        let waker = context.waker().clone();
        let mut backoff = Backoff::default();
        loop {
            let word = self.word.load(Relaxed);
            if word & QUEUE_LOCKED != 0 {
                backoff.wait();
            } else if word & LOCKED != 0 {
                if self.take_queue(word, NOT_EMPTY) {
                    break;
                }
            } else if self.try_lock() {
                return Poll::Ready(());
            }
        }
        // SAFETY: the queue is ours; the waiter is in no list, and its future takes it out.
        unsafe { self.waiters.push_back(waiter, waker) };
        self.give_queue_back();
        Poll::Pending
    }

    fn go_on_waiting(&self, waiter: Pin<&Waiter>, context: &Context<'_>) -> Poll<()> {
        let waker = context.waker().clone();
        if !self.take_queue_with(&waiter) {
            waiter.reset();
            return Poll::Ready(());
        }
        // SAFETY: the queue is ours, and the waiter is in the list.
        let former = unsafe { self.waiters.replace_waker(&waiter, waker) };
        self.give_queue_back();
        drop(former);
        Poll::Pending
    }
}

impl Protocol for LockCore {
    fn is_locked(&self) -> bool {
        self.is_locked()
    }

    #[inline]
    fn try_lock(&self) -> bool {
        self.try_lock()
    }

    fn look(&self, pauses: u32) -> bool {
        for _ in 0..pauses {
            match self.word.load(Relaxed) {
                0 if self.try_lock() => return true,
                0 => {}
                LOCKED => spin_loop(),
                _ => return false,
            }
        }
        false
    }

    fn poll(&self, waiter: Pin<&Waiter>, context: &Context<'_>, _: Who) -> Poll<()> {
        match waiter.state() {
            state::IDLE => self.wait(waiter, context),
            state::QUEUED => self.go_on_waiting(waiter, context),
            _ => {
                waiter.reset();
                Poll::Ready(())
            }
        }
    }

    #[cold]
    fn cancel(&self, waiter: &Waiter) {
        if self.take_queue_with(waiter) {
            // SAFETY: the queue is ours, and the waiter is in the list.
            let waker = unsafe { self.waiters.remove(waiter) };
            self.give_queue_back();
            drop(waker);
        } else {
            // SAFETY: whoever took the waiter out handed the mutex to it.
            unsafe { self.unlock() };
        }
    }

    #[inline]
    unsafe fn release(&self) {
        // SAFETY: the caller has it.
        unsafe { self.unlock() }
    }
}

impl Core for LockCore {}

impl Default for LockCore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LockCore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LockCore").field("is_locked", &self.is_locked()).finish_non_exhaustive()
    }
}
