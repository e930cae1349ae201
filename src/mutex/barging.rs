//! A mutex without data that a newcomer may take while the one who was woken for it is still on its way.
//!
//! # Why
//!
//! To be woken takes long, compared with what is done under a lock: some hundred nanoseconds for a task, some ten
//! microseconds for a thread, and milliseconds when all processors are busy. A mutex that is handed to a sleeper is locked
//! all that time and does nothing. So here it becomes free first, and whoever comes first takes it. What that would do to
//! those who wait is bounded: one who was woken and finds it taken goes back to the front of the line, and is *owed* the
//! mutex. The next unlock hands it over. Nobody is passed over twice after being woken, and no clock is read for it.
//!
//! # How it works
//!
//! One word of flags, and the list of those who wait:
//!
//! ```text
//!  1  LOCKED        somebody has the mutex
//!  2  QUEUE_LOCKED  somebody changes the list
//!  4  WAITING       the list is not empty
//!  8  AWAKE         somebody was woken, and has not tried yet
//! 16  OWED          the first in the list is to be given the mutex: nobody may take it
//! ```
//!
//! - To lock, set `LOCKED` where neither it nor `OWED` is set. Otherwise take the queue, which fails when the mutex has
//!   become free, put the waiter at the end (or at the front, if it was woken before), and give the queue back.
//! - To unlock, subtract `LOCKED`. If `OWED` was set, the unlocker alone may set `LOCKED` again, for the first in the list.
//!   Otherwise, if somebody waits and nobody was woken who has not tried yet, take the first out, and wake it.
//! - Who finds the queue taken while unlocking leaves without a look: whoever gives the queue back looks at the word in the same
//!   exchange, and wakes the first if that is due. So an unlock never waits, but for one that hands over.
//!
//! A thread that begins to wait clears `AWAKE`, so that the next unlock wakes one more: the thread that was woken may have to wait
//! for a processor for long. Among tasks this was measured to cost more than it brings.
//!
//! What holds whenever nobody is inside: if the mutex is free and somebody waits, `AWAKE` is set, and there is one that was
//! woken who will try, or pass it on if it is dropped. `AWAKE` is set together with waking somebody, and cleared whenever
//! anybody of those who were woken acts.
//!
//! # Where the idea comes from
//!
//! To wake instead of handing over, and to stop waking while one is on its way, is old (among others the locks of WebKit,
//! from which parking_lot comes). To hand over once one was woken in vain is what Go's mutex does after a millisecond. That
//! the last one inside the queue does the work of the others is the slim reader/writer lock of Windows.
//!
//! # Safety
//!
//! The list is touched by whoever set `QUEUE_LOCKED`.
#![allow(unsafe_code)]

use super::protocol::{Core, Protocol, Who};
use super::waiters::{Waiter, Waiters, state};
use crate::primitive::{AtomicU32, IS_MODEL, constant, spin_loop};
use crate::util::backoff::Backoff;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::{Context, Poll, Waker};

const LOCKED: u32 = 1;
const QUEUE_LOCKED: u32 = 2;
const WAITING: u32 = 4;
const AWAKE: u32 = 8;
const OWED: u32 = 16;

/// How often a thread looks for the mutex before it takes a place in the line, and again when it is owed the mutex and sleeping
/// would keep it locked for longer than whoever has it now is likely to.
const PAUSES: u32 = if IS_MODEL { 0 } else { 100 };

/// A mutex without data that makes the best of its time, and passes over nobody twice. 16 bytes, and none for whoever
/// waits but in its future.
pub struct BargingCore {
    word: AtomicU32,
    waiters: Waiters,
}

#[inline]
fn is_free(word: u32) -> bool {
    word & (LOCKED | OWED) == 0
}

/// Whether somebody has to be woken, and nobody is there to do it.
fn is_wake_due(word: u32) -> bool {
    word & WAITING != 0 && word & (LOCKED | QUEUE_LOCKED | AWAKE | OWED) == 0
}

impl BargingCore {
    constant! {
        /// One that is free.
        pub fn new() -> Self {
            Self { word: AtomicU32::new(0), waiters: Waiters::new() }
        }
    }

    /// Takes it, if it is free in `word` or becomes so, and clears other flags by the way.
    #[inline]
    fn take(&self, mut word: u32, clear: u32) -> bool {
        while is_free(word) {
            // Acquire: pairs with the Release in `release`.
            match self.word.compare_exchange_weak(word, (word | LOCKED) & !clear, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    fn look_and_clear(&self, pauses: u32, clear: u32) -> bool {
        for _ in 0..pauses {
            let word = self.word.load(Relaxed);
            if is_free(word) && self.take(word, clear) {
                return true;
            }
            if word & WAITING != 0 {
                return false;
            }
            spin_loop();
        }
        false
    }

    /// After it became free: sees to it that the first who waits is woken, if that is due.
    fn wake_next(&self, mut word: u32) {
        while is_wake_due(word) {
            // Acquire: pairs with the Release in `give_queue_back`.
            match self.word.compare_exchange_weak(word, word | QUEUE_LOCKED | AWAKE, Acquire, Relaxed) {
                Ok(_) => {
                    // SAFETY: the queue is ours, and somebody waits.
                    let waker = unsafe { self.waiters.pop(state::WOKEN) };
                    return self.give_queue_back(waker);
                }
                Err(now) => word = now,
            }
        }
    }

    /// After it was given up with `OWED` set: nobody else can take it.
    fn hand_over(&self) {
        let mut backoff = Backoff::default();
        loop {
            let word = self.word.load(Relaxed);
            if word & OWED == 0 {
                // All who waited have left, and it became free with the last of them.
                return self.wake_next(word);
            }
            if word & QUEUE_LOCKED != 0 {
                backoff.wait();
                continue;
            }
            let ours = (word | QUEUE_LOCKED | LOCKED) & !OWED;
            // Acquire: pairs with the Release in `give_queue_back`.
            if self.word.compare_exchange(word, ours, Acquire, Relaxed).is_ok() {
                break;
            }
        }
        // SAFETY: the queue is ours, and `OWED` is set only while somebody is in it.
        let waker = unsafe { self.waiters.pop(state::OWNER) };
        self.give_queue_back(waker);
    }

    /// Gives the queue back, wakes whom it is handed, and does what others left to whoever holds the queue.
    fn give_queue_back(&self, mut waker: Option<Waker>) {
        let mut word = self.word.load(Relaxed);
        loop {
            // SAFETY: the queue is ours.
            let first = unsafe { self.waiters.first_is_owed() };
            let due = first.and_then(|is_owed| due(word, is_owed));
            if let (Some((flag, state)), None) = (due, &waker) {
                // Acquire: pairs with the Release in `release`, for one who is made the owner here.
                match self.word.compare_exchange(word, word | flag, Acquire, Relaxed) {
                    Ok(_) => {
                        // SAFETY: the queue is ours, and there is a first.
                        waker = unsafe { self.waiters.pop(state) };
                        word |= flag;
                    }
                    Err(now) => word = now,
                }
                continue;
            }
            let rest = given_back(word, first);
            // Release: pairs with every Acquire that sets `QUEUE_LOCKED`.
            if let Err(now) = self.word.compare_exchange_weak(word, rest, Release, Relaxed) {
                word = now;
                continue;
            }
            if let Some(waker) = waker.take() {
                waker.wake();
            }
            if due.is_none() || !self.take_queue_again(rest) {
                return;
            }
            word = rest | QUEUE_LOCKED;
        }
    }

    /// Takes the queue to wake one more, unless that is no longer due, or somebody else has it and will see.
    fn take_queue_again(&self, mut word: u32) -> bool {
        while is_wake_due(word) {
            // Acquire: pairs with the Release in `give_queue_back`.
            match self.word.compare_exchange_weak(word, word | QUEUE_LOCKED, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes the queue for one who is in the list. Whether it still is.
    fn take_queue_with(&self, waiter: &Waiter) -> bool {
        let mut backoff = Backoff::default();
        while waiter.state() == state::QUEUED {
            let word = self.word.load(Relaxed);
            if word & QUEUE_LOCKED != 0 {
                backoff.wait();
                continue;
            }
            // Acquire: pairs with the Release in `give_queue_back`.
            if self.word.compare_exchange(word, word | QUEUE_LOCKED, Acquire, Relaxed).is_ok() {
                let is_in = waiter.state() == state::QUEUED;
                if !is_in {
                    self.give_queue_back(None);
                }
                return is_in;
            }
        }
        false
    }

    /// For one who is not in the list: takes the mutex, or takes the queue.
    fn take_or_take_queue(&self, clear: u32, who: Who) -> bool {
        let mut backoff = Backoff::default();
        loop {
            let word = self.word.load(Relaxed);
            if is_free(word) {
                if self.take(word, clear) {
                    return true;
                }
            } else if word & QUEUE_LOCKED == 0 {
                // It is not free, so an unlock is still to come, and wakes somebody.
                let also = if who == Who::Thread { AWAKE } else { 0 };
                let ours = (word & !(clear | also)) | QUEUE_LOCKED;
                // Acquire: pairs with the Release in `give_queue_back`.
                if self.word.compare_exchange_weak(word, ours, Acquire, Relaxed).is_ok() {
                    return false;
                }
            } else {
                backoff.wait();
            }
        }
    }

    fn wait(&self, waiter: Pin<&Waiter>, context: &Context<'_>, who: Who) -> Poll<()> {
        let is_woken = waiter.state() == state::WOKEN;
        let clear = if is_woken { AWAKE } else { 0 };
        let pauses = if who == Who::Thread { PAUSES } else { 0 };
        if self.take(self.word.load(Relaxed), clear) || self.look_and_clear(pauses, clear) {
            waiter.reset();
            return Poll::Ready(());
        }
        // Before the queue is taken, since a waker's code is anybody's.
        let waker = context.waker().clone();
        if self.take_or_take_queue(clear, who) {
            waiter.reset();
            return Poll::Ready(());
        }
        if is_woken {
            // SAFETY: the queue is ours; the waiter was taken out of the list, and its future takes it out again.
            unsafe { self.waiters.push_front(waiter, waker) };
        } else {
            // SAFETY: as above.
            unsafe { self.waiters.push_back(waiter, waker) };
        }
        self.give_queue_back(None);
        // The next unlock hands over, and may be near.
        if is_woken && (0..pauses).any(|_| has_left(&waiter)) && waiter.state() == state::OWNER {
            waiter.reset();
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// Whether a waiter is out of the list; if not, pauses.
fn has_left(waiter: &Waiter) -> bool {
    let has_left = waiter.state() != state::QUEUED;
    if !has_left {
        spin_loop();
    }
    has_left
}

/// What is due to the first in the list, with a word like this: the flag that says so, and what it is told.
fn due(word: u32, is_owed: bool) -> Option<(u32, u32)> {
    match is_owed {
        _ if !is_free(word) => None,
        true => Some((LOCKED, state::OWNER)),
        false => (word & AWAKE == 0).then_some((AWAKE, state::WOKEN)),
    }
}

/// The word when the queue is given back, with such a one as first.
fn given_back(word: u32, first: Option<bool>) -> u32 {
    let without = word & !(QUEUE_LOCKED | WAITING | OWED);
    match first {
        None => without,
        // A debt that somebody is about to pay stays. A new one begins while the mutex is locked, for whoever unlocks it.
        Some(is_owed) => without | WAITING | (word & OWED) | if is_owed && word & LOCKED != 0 { OWED } else { 0 },
    }
}

impl Protocol for BargingCore {
    fn is_locked(&self) -> bool {
        // Acquire: whoever learns that it is free may rely on what was done by those who had it. Pairs with the Release
        // in `release`.
        !is_free(self.word.load(Acquire))
    }

    #[inline]
    fn try_lock(&self) -> bool {
        // Acquire: pairs with the Release in `release`.
        match self.word.compare_exchange(0, LOCKED, Acquire, Relaxed) {
            Ok(_) => true,
            Err(word) => self.take(word, 0),
        }
    }

    fn look(&self, pauses: u32) -> bool {
        self.look_and_clear(pauses, 0)
    }

    fn poll(&self, waiter: Pin<&Waiter>, context: &Context<'_>, who: Who) -> Poll<()> {
        if waiter.state() == state::QUEUED {
            let waker = context.waker().clone();
            if self.take_queue_with(&waiter) {
                // SAFETY: the queue is ours, and the waiter is in the list.
                let former = unsafe { self.waiters.replace_waker(&waiter, waker) };
                self.give_queue_back(None);
                drop(former);
                return Poll::Pending;
            }
        }
        if waiter.state() == state::OWNER {
            waiter.reset();
            return Poll::Ready(());
        }
        self.wait(waiter, context, who)
    }

    #[cold]
    fn cancel(&self, waiter: &Waiter) {
        if self.take_queue_with(waiter) {
            // SAFETY: the queue is ours, and the waiter is in the list.
            let waker = unsafe { self.waiters.remove(waiter) };
            self.give_queue_back(None);
            drop(waker);
        } else if waiter.state() == state::OWNER {
            // SAFETY: whoever took the waiter out handed the mutex to it.
            unsafe { self.release() };
        } else {
            // It was woken; another has to be, in its place. Relaxed: no data goes with it.
            let word = self.word.fetch_and(!AWAKE, Relaxed);
            self.wake_next(word & !AWAKE);
        }
    }

    #[inline]
    unsafe fn release(&self) {
        // Release: pairs with the Acquire in `take`, and in `give_queue_back` and `hand_over`, which make another the owner.
        let word = self.word.fetch_sub(LOCKED, Release);
        debug_assert!(word & LOCKED != 0, "unlocked by one who does not have it");
        if word != LOCKED {
            self.unlocked(word - LOCKED);
        }
    }
}

impl BargingCore {
    #[cold]
    fn unlocked(&self, word: u32) {
        if word & OWED != 0 { self.hand_over() } else { self.wake_next(word) }
    }
}

impl Core for BargingCore {}

impl Default for BargingCore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for BargingCore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("BargingCore").field("is_locked", &self.is_locked()).finish_non_exhaustive()
    }
}
