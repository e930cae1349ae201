//! The word that a lock for one writer or many readers is, and the protocol of those who wait for it.
//!
//! # The word
//!
//! ```text
//! 63        WRITER           a writer holds the lock, or has claimed it and waits for readers to leave
//! 62        DRAINING         that writer sleeps; the last reader to leave wakes it
//! 61        READERS_NEXT     no writer may claim until every sleeping reader has been let in
//! 60        WRITER_NEXT      no writer may claim but one that has slept
//! 59, 58    WOKEN_*          a writer, or all readers, have been woken and did not arrive yet
//! 45 .. 57  sleeping writers
//! 32 .. 44  sleeping readers
//!  0 .. 31  readers that are inside
//! ```
//!
//! A reader adds one to the word and is in if there is no WRITER; otherwise it takes the one back. A writer sets WRITER, which
//! nobody can keep it from but another writer, and waits for the readers to leave: new ones stay out. So a claim is followed
//! by no reader, however many there are. Both let go by one subtraction. A free lock is all zero, so what takes it is one
//! instruction on one word.
//!
//! # Waiting
//!
//! Who does not get in looks for a while: as long as a sleep would cost or, where others sleep, an eighth of that. Then it
//! writes itself down as asleep, in an exchange that finds the lock still taken, and sleeps on a gate: a word of its own that
//! counts wake-ups. It stays written down until it is in or gives up. A writer that lets go and finds sleepers in the
//! word that it leaves *serves* them ([`RawSharedLock::serve`]). It need not wake anybody while another writer is awake and
//! about to claim, or while one that was woken is on its way, since that one will serve in turn: who claims, when it lets go;
//! a reader that has slept, when it is in; who gives up, when it does. So nobody sleeps while the lock is free and nobody is
//! awake to see to it. A lock that is passed on without waking is what keeps it fast when there are more threads than
//! processors: a wake-up costs as much as several sections, and whoever is woken takes the processor from somebody inside.
//!
//! That is unfair to those asleep, so it has an end: of the writers that let go while anybody sleeps each
//! [`Options::hand_over`]th reserves the lock, for all sleeping readers (READERS_NEXT) and for one sleeping writer
//! (WRITER_NEXT) by turns. So before twice that many writers and one more have been, every reader that sleeps is let in, and
//! of the writers that have slept one. The same happens when somebody has slept for [`Options::hand_over_after`] since the
//! last time, which every eighth of those writers looks at: where sections are long, a number alone would come too late, and
//! where they are short a small number would have the lock wait for sleepers all the time. The clock is read by those who
//! go to sleep or let go while others sleep, never by others.
//!
//! # Where this comes from
//!
//! One word with the writer on top and writers first is the classic spinning lock. Letting a waiter that is awake take the
//! duty to wake is how Go's mutex does it; letting the sleepers have it after a number of hand-overs bounds what that
//! costs them, as in locks for restricted concurrency (Dice and Kogan, 2019).
//!
//! # Safety
//!
//! Nothing here touches memory but through its own atomics. To let go of a lock is unsafe because what others build on it is
//! sound only if they let go of what they hold.
#![allow(unsafe_code)]

use super::options::{Options, Waiting};
use crate::primitive::{AtomicU32, AtomicU64, IS_MODEL, constant, spin_loop, yield_now};
use crate::sys::futex::{self, Deadline};
use crate::wait::Patience;
use std::fmt;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

const WRITER: u64 = 1 << 63;
const DRAINING: u64 = 1 << 62;
const READERS_NEXT: u64 = 1 << 61;
const WRITER_NEXT: u64 = 1 << 60;
const WOKEN_WRITER: u64 = 1 << 59;
const WOKEN_READERS: u64 = 1 << 58;
const ONE_WRITER: u64 = 1 << 45;
const SLEEPING_WRITERS: u64 = 0x1fff << 45;
const ONE_READER: u64 = 1 << 32;
const SLEEPING_READERS: u64 = 0x1fff << 32;
const SLEEPERS: u64 = SLEEPING_WRITERS | SLEEPING_READERS;
const READERS: u64 = 0xffff_ffff;
/// The bit of a count of readers that is too large.
const TOO_MANY: u64 = 1 << 31;

/// While others sleep a thread looks for this part of the time only: there are more than can run at once, so whoever is
/// inside may be waiting for this very processor.
const CROWDED: u32 = 8;

/// One in so many writers that let go does not rely on whoever was woken before, and wakes another.
const IMPATIENCE: u32 = 8;

/// One in so many writers that let go while somebody sleeps looks at the clock.
const UNLOOKED: u32 = if IS_MODEL { 1 } else { 8 };

/// Why a lock was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The calling thread holds it already, in a way that would make it wait for itself.
    Deadlock,
    /// There are 2,147,483,648 readers inside.
    TooManyReaders,
    /// Somebody else holds it, and the call was not to wait.
    WouldBlock,
    /// Somebody else held it until the time was over.
    TimedOut,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Deadlock => "this thread holds the lock already, and would wait for itself",
            Self::TooManyReaders => "too many readers hold the lock",
            Self::WouldBlock => "somebody else holds the lock",
            Self::TimedOut => "somebody else held the lock until the time was over",
        })
    }
}

impl std::error::Error for Refusal {}

/// A lock for one writer or many readers, without anything in it: the word alone.
///
/// It does not know who holds it. A thread that asks for it twice may wait for itself for ever, and nobody is told of a
/// panic; [`SharedLock`](super::SharedLock) adds both, and the value. What it is for is building other locks, and
/// [`Waiting`]: it can spin for ever or yield, as the classic lock does.
///
/// ```
/// use toolbox::rwlock::RawSharedLock;
///
/// let lock = RawSharedLock::new();
/// lock.lock_shared()?;
/// assert!(lock.try_lock_shared().is_ok() && lock.try_lock_exclusive().is_err());
/// // SAFETY: it was locked twice right above, by this thread.
/// unsafe { lock.unlock_shared() };
/// # unsafe { lock.unlock_shared() };
/// # Ok::<(), toolbox::rwlock::Refusal>(())
/// ```
pub struct RawSharedLock {
    state: AtomicU64,
    /// Writers that look or are about to sleep or to claim; not those that sleep.
    awake_writers: AtomicU32,
    /// Writers that let go while somebody slept.
    turns: AtomicU32,
    /// How often the lock was reserved for those who sleep.
    hand_overs: AtomicU32,
    /// When it last was, or when somebody came to sleep where nobody slept: microseconds of a clock that begins anew after
    /// an hour. Whoever reads an old one here is early or late by that; the number of writers bounds it all the same.
    since: AtomicU32,
    /// Three words to sleep on; each counts its wake-ups.
    reader_gate: AtomicU32,
    writer_gate: AtomicU32,
    drain_gate: AtomicU32,
    options: Options,
}

impl Default for RawSharedLock {
    fn default() -> Self {
        Self::new()
    }
}

impl RawSharedLock {
    constant! {
        /// A free lock.
        #[must_use]
        pub fn new() -> Self {
            Self::with_options(Options::new())
        }
    }

    constant! {
        /// A free lock whose threads wait as `options` say.
        #[must_use]
        pub fn with_options(options: Options) -> Self {
            Self {
                state: AtomicU64::new(0),
                awake_writers: AtomicU32::new(0),
                turns: AtomicU32::new(0),
                hand_overs: AtomicU32::new(0),
                since: AtomicU32::new(0),
                reader_gate: AtomicU32::new(0),
                writer_gate: AtomicU32::new(0),
                drain_gate: AtomicU32::new(0),
                options,
            }
        }
    }

    /// Locks to read, as soon as no writer is inside or waits for readers to leave.
    ///
    /// # Errors
    /// [`Refusal::TooManyReaders`].
    #[inline]
    pub fn lock_shared(&self) -> Result<(), Refusal> {
        if self.enter_shared() { Ok(()) } else { self.wait_shared(None) }
    }

    /// Locks to read, if that needs no waiting.
    ///
    /// # Errors
    /// [`Refusal::WouldBlock`], [`Refusal::TooManyReaders`].
    #[inline]
    pub fn try_lock_shared(&self) -> Result<(), Refusal> {
        let mut state = self.state.load(Relaxed);
        loop {
            if state & WRITER != 0 {
                return Err(Refusal::WouldBlock);
            }
            if state & TOO_MANY != 0 {
                return Err(Refusal::TooManyReaders);
            }
            // Acquire: as in `enter_shared`.
            match self.state.compare_exchange_weak(state, state + 1, Acquire, Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => state = now,
            }
        }
    }

    /// Lets go of a lock that was taken to read.
    ///
    /// # Safety
    /// The caller holds it to read, and no longer after this.
    #[inline]
    pub unsafe fn unlock_shared(&self) {
        self.leave_shared();
    }

    /// Locks to write, as soon as nobody else is inside.
    ///
    /// # Errors
    /// None today; the result is that of the other calls.
    #[inline]
    pub fn lock_exclusive(&self) -> Result<(), Refusal> {
        if self.enter_exclusive() { Ok(()) } else { self.wait_exclusive(None) }
    }

    /// Locks to write, if that needs no waiting.
    ///
    /// # Errors
    /// [`Refusal::WouldBlock`]; also in the moment in which a reader that came too late turns back.
    #[inline]
    pub fn try_lock_exclusive(&self) -> Result<(), Refusal> {
        let mut state = self.state.load(Relaxed);
        loop {
            if state & (WRITER | READERS_NEXT | WRITER_NEXT | READERS) != 0 {
                return Err(Refusal::WouldBlock);
            }
            // Acquire: as in `enter_exclusive`.
            match self.state.compare_exchange_weak(state, state | WRITER, Acquire, Relaxed) {
                Ok(_) => return Ok(()),
                Err(now) => state = now,
            }
        }
    }

    /// Lets go of a lock that was taken to write.
    ///
    /// # Safety
    /// The caller holds it to write, and no longer after this.
    #[inline]
    pub unsafe fn unlock_exclusive(&self) {
        // Release: pairs with the acquire of whoever gets in next.
        let state = self.state.fetch_sub(WRITER, Release);
        if state & SLEEPERS != 0 {
            self.after_write();
        }
    }

    /// Goes on as a reader, without anybody else having been inside to write in between.
    ///
    /// # Safety
    /// The caller holds the lock to write, and to read after this.
    pub unsafe fn downgrade(&self) {
        // Release: readers who come in see what was written.
        let state = self.state.fetch_sub(WRITER - 1, Release);
        if state & SLEEPERS != 0 {
            self.after_write();
        }
    }

    /// Goes on as a writer if no other reader is inside and no writer has claimed the lock.
    ///
    /// # Safety
    /// The caller holds the lock to read; after this to write if it says true, and to read still if it says false.
    pub unsafe fn try_upgrade(&self) -> bool {
        let mut state = self.state.load(Relaxed);
        while state & (WRITER | READERS_NEXT | WRITER_NEXT | READERS) == 1 {
            // Acquire: pairs with the release of the readers that left.
            match self.state.compare_exchange_weak(state, (state - 1) | WRITER, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// How many readers are inside, at some instant during the call.
    #[must_use]
    pub fn readers(&self) -> usize {
        (self.state.load(Relaxed) & READERS) as usize
    }

    /// Whether a writer is inside or waits for readers to leave, at some instant during the call.
    #[must_use]
    pub fn has_writer(&self) -> bool {
        self.state.load(Relaxed) & WRITER != 0
    }

    /// How many threads sleep until they are let in, to write and to read, at some instant during the call.
    #[must_use]
    pub fn sleepers(&self) -> (usize, usize) {
        let state = self.state.load(Relaxed);
        (((state & SLEEPING_WRITERS) / ONE_WRITER) as usize, ((state & SLEEPING_READERS) / ONE_READER) as usize)
    }

    /// As if there were so many readers inside.
    #[cfg(test)]
    pub(super) fn set_readers(&self, count: u32) {
        self.state.store(count.into(), Relaxed);
    }

    /// Gets in to read, if that needs no waiting.
    #[inline]
    pub(super) fn enter_shared(&self) -> bool {
        // Acquire: pairs with the release of the writer that let go last.
        let before = self.state.fetch_add(1, Acquire);
        let is_in = before & (WRITER | TOO_MANY) == 0;
        if !is_in {
            self.turn_back();
        }
        is_in
    }

    /// Gets in to write, if nobody is inside and nobody sleeps.
    #[inline]
    pub(super) fn enter_exclusive(&self) -> bool {
        // Acquire: pairs with the release of the writer and the readers that let go.
        self.state.compare_exchange(0, WRITER, Acquire, Relaxed).is_ok()
    }

    #[inline]
    fn leave_shared(&self) {
        // Release: pairs with the acquire of the writer that gets in next.
        let before = self.state.fetch_sub(1, Release);
        if before & DRAINING != 0 {
            self.after_read(before);
        }
    }

    /// After a reader has left a word with DRAINING in it.
    #[cold]
    #[inline(never)]
    fn after_read(&self, before: u64) {
        if before & READERS == 1 {
            wake(&self.drain_gate, 1);
        }
    }

    /// Leaves again, having come too late.
    #[cold]
    #[inline(never)]
    fn turn_back(&self) {
        self.leave_shared();
    }

    /// Waits until it can get in to read.
    #[cold]
    pub(crate) fn wait_shared(&self, deadline: Option<Deadline>) -> Result<(), Refusal> {
        let mut is_down = false;
        loop {
            self.look(|state| state & WRITER == 0);
            if let Some(done) = self.claim_shared(is_down) {
                return done;
            }
            if deadline.is_some_and(Deadline::has_passed) {
                if is_down {
                    self.forget(ONE_READER);
                }
                return Err(Refusal::TimedOut);
            }
            // Acquire: pairs with the release in `wake`; the word that is looked at next is at least as new as what the last
            // wake-up was for.
            let gate = self.reader_gate.load(Acquire);
            if self.write_down(&mut is_down, ONE_READER, |state| state & WRITER != 0) {
                futex::wait(&self.reader_gate, gate, deadline);
            }
        }
    }

    /// Gets in to read if no writer is there; none if one is.
    fn claim_shared(&self, is_down: bool) -> Option<Result<(), Refusal>> {
        let mut state = self.state.load(Relaxed);
        while state & WRITER == 0 {
            if state & TOO_MANY != 0 {
                if is_down {
                    self.forget(ONE_READER);
                }
                return Some(Err(Refusal::TooManyReaders));
            }
            let next = if is_down { without(state, ONE_READER) + 1 } else { state + 1 };
            // Acquire: as in `enter_shared`. Release: those who are served see what came before.
            match self.state.compare_exchange_weak(state, next, AcqRel, Relaxed) {
                Ok(_) => {
                    if is_down && next & SLEEPERS != 0 {
                        self.serve(false);
                    }
                    return Some(Ok(()));
                }
                Err(now) => state = now,
            }
        }
        None
    }

    /// Waits until it can get in to write.
    #[cold]
    pub(crate) fn wait_exclusive(&self, deadline: Option<Deadline>) -> Result<(), Refusal> {
        let mut is_down = false;
        self.awake_writers.fetch_add(1, Relaxed);
        loop {
            let is_barred = move |state| is_barred(state, is_down);
            self.look(|state| !is_barred(state));
            if let Some(readers) = self.claim_exclusive(is_down) {
                self.awake_writers.fetch_sub(1, Relaxed);
                return if readers == 0 { Ok(()) } else { self.drain(deadline) };
            }
            if deadline.is_some_and(Deadline::has_passed) {
                // Before the exchange in `forget`, which hands it on: others may have left it to us to wake somebody.
                self.awake_writers.fetch_sub(1, Relaxed);
                self.forget(if is_down { ONE_WRITER } else { 0 });
                return Err(Refusal::TimedOut);
            }
            let gate = self.writer_gate.load(Acquire); // As for readers.
            // Before the exchange in `write_down`, by which whoever sees us asleep sees us awake no longer.
            self.awake_writers.fetch_sub(1, Relaxed);
            if self.write_down(&mut is_down, ONE_WRITER, is_barred) {
                futex::wait(&self.writer_gate, gate, deadline);
            }
            self.awake_writers.fetch_add(1, Relaxed);
        }
    }

    /// Sets WRITER if it may be set, and says how many readers have to leave.
    fn claim_exclusive(&self, is_down: bool) -> Option<u64> {
        let mut state = self.state.load(Relaxed);
        while !is_barred(state, is_down) {
            let next = if is_down { without(state, ONE_WRITER) } else { state } | WRITER;
            match self.state.compare_exchange_weak(state, next, Acquire, Relaxed) {
                Ok(_) => return Some(state & READERS),
                Err(now) => state = now,
            }
        }
        None
    }

    /// Waits, having set WRITER, until the readers have left.
    fn drain(&self, deadline: Option<Deadline>) -> Result<(), Refusal> {
        loop {
            self.look(|state| state & READERS == 0);
            let gate = self.drain_gate.load(Acquire); // As for readers.
            // Acquire: pairs with the release of the readers.
            let state = self.state.load(Acquire);
            if state & READERS == 0 {
                if state & DRAINING != 0 {
                    self.state.fetch_and(!DRAINING, Relaxed);
                }
                return Ok(());
            }
            if deadline.is_some_and(Deadline::has_passed) {
                // Nothing was written; release for what those who are served have to see.
                self.state.fetch_and(!(WRITER | DRAINING), Release);
                self.after_write();
                return Err(Refusal::TimedOut);
            }
            if matches!(self.options.waiting, Waiting::Sleep) {
                let is_told = state & DRAINING != 0
                    || self.state.compare_exchange(state, state | DRAINING, AcqRel, Relaxed).is_ok();
                if is_told {
                    futex::wait(&self.drain_gate, gate, deadline);
                }
            }
        }
    }

    /// Writes down that a thread sleeps, or sleeps again, if `is_barred` then. Whether it may go to sleep.
    fn write_down(&self, is_down: &mut bool, one: u64, is_barred: impl Fn(u64) -> bool) -> bool {
        if !matches!(self.options.waiting, Waiting::Sleep) {
            return false;
        }
        let (all, woken) =
            if one == ONE_READER { (SLEEPING_READERS, WOKEN_READERS) } else { (SLEEPING_WRITERS, WOKEN_WRITER) };
        let mut state = self.state.load(Relaxed);
        while is_barred(state) {
            if !*is_down && state & all == all {
                // There is no room for it: that many threads sleep.
                yield_now();
                return false;
            }
            // What was woken before does not stand for one that sleeps only now, or again.
            let next = if *is_down { state & !woken } else { (state & !WOKEN_READERS) + one };
            // Release: who sees us asleep sees what we did before. Acquire: the one that bars us serves.
            match self.state.compare_exchange_weak(state, next, AcqRel, Relaxed) {
                Ok(_) => {
                    if state & SLEEPERS == 0 {
                        self.since.store(futex::microseconds(), Relaxed);
                    }
                    *is_down = true;
                    return true;
                }
                Err(now) => state = now,
            }
        }
        false
    }

    /// Strikes out one that was written down as `one` and gives up, or nobody, and hands on what was left to it.
    fn forget(&self, one: u64) {
        let mut state = self.state.load(Relaxed);
        loop {
            let next = if one == 0 { state } else { without(state, one) };
            // An exchange even where nothing changes: it comes either before that of a writer that lets go, which then
            // sees that we are awake no longer, or after it, and then we serve.
            match self.state.compare_exchange_weak(state, next, AcqRel, Relaxed) {
                Ok(_) if next & SLEEPERS != 0 => return self.serve(true),
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
    }

    /// After a writer has let go of a word with sleepers in it.
    #[cold]
    #[inline(never)]
    fn after_write(&self) {
        let turn = self.turns.fetch_add(1, Relaxed).wrapping_add(1);
        if turn.is_multiple_of(self.options.hand_over) || (turn.is_multiple_of(UNLOOKED) && self.is_overdue()) {
            self.since.store(futex::microseconds(), Relaxed);
            let earlier = self.hand_overs.fetch_add(1, Relaxed);
            self.reserve(!earlier.is_multiple_of(2));
        }
        self.serve(turn.is_multiple_of(IMPATIENCE));
    }

    /// Whether those who sleep have been passed over for long enough.
    fn is_overdue(&self) -> bool {
        // In this order, so that the clock is not behind what another has read on it.
        let since = self.since.load(Relaxed);
        futex::microseconds().wrapping_sub(since).cast_signed() >= self.options.hand_over_us
    }

    /// Keeps the lock for those who sleep: for a writer if there is one and it `is_for_writer`, or else for readers.
    fn reserve(&self, is_for_writer: bool) {
        let mut state = self.state.load(Relaxed);
        while state & SLEEPERS != 0 {
            let has_writers = state & SLEEPING_WRITERS != 0;
            let has_readers = state & SLEEPING_READERS != 0;
            let next = if has_writers && (is_for_writer || !has_readers) { WRITER_NEXT } else { READERS_NEXT };
            match self.state.compare_exchange_weak(state, state | next, Relaxed, Relaxed) {
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
    }

    /// Wakes somebody, unless that can be left to another. `is_impatient` when one who was woken before does not count.
    fn serve(&self, is_impatient: bool) {
        // Acquire: pairs with the release of those who have gone to sleep; so the count of writers awake is not older.
        let mut state = self.state.load(Acquire);
        // Who has WRITER serves when it lets go.
        while state & WRITER == 0 && state & SLEEPERS != 0 {
            let has_writers = state & SLEEPING_WRITERS != 0;
            let has_readers = state & SLEEPING_READERS != 0;
            let is_reserved = state & (READERS_NEXT | WRITER_NEXT) != 0;
            if !is_reserved && self.awake_writers.load(Relaxed) > 0 {
                return;
            }
            let is_under_way = state & (WOKEN_WRITER | WOKEN_READERS) != 0;
            if is_under_way && !is_reserved && !is_impatient {
                return;
            }
            let are_readers_meant = if is_reserved {
                state & READERS_NEXT != 0
            } else {
                !has_writers || (has_readers && state & WOKEN_WRITER != 0)
            };
            let (gate, count, woken) = if are_readers_meant {
                (&self.reader_gate, u32::MAX, WOKEN_READERS)
            } else {
                (&self.writer_gate, 1, WOKEN_WRITER)
            };
            if is_reserved && state & woken != 0 && !is_impatient {
                return;
            }
            match self.state.compare_exchange_weak(state, state | woken, AcqRel, Acquire) {
                Ok(_) => return wake(gate, count),
                Err(now) => state = now,
            }
        }
    }

    /// Looks at the word until it is as wanted, or for as long as is sensible before sleeping.
    fn look(&self, is_wanted: impl Fn(u64) -> bool) {
        let is_there = || is_wanted(self.state.load(Relaxed));
        match self.options.waiting {
            Waiting::Sleep => {
                let most = u32::from(Patience::longest());
                let is_crowded = self.state.load(Relaxed) & SLEEPERS != 0;
                let _ = (0..if is_crowded { most / CROWDED } else { most }).any(|_| is_there_or_pause(&is_there));
            }
            Waiting::Yield { after } => {
                let spins = if IS_MODEL { 0 } else { after };
                if !(0..spins).any(|_| is_there_or_pause(&is_there)) {
                    yield_now();
                }
            }
            Waiting::Spin => {
                // A look at the clock now and then, for those who wait for a time only.
                let _ = (0..if IS_MODEL { 1 } else { 64 }).any(|_| is_there_or_pause(&is_there));
            }
        }
    }
}

fn is_there_or_pause(is_there: &impl Fn() -> bool) -> bool {
    is_there() || {
        spin_loop();
        false
    }
}

/// Whether a writer may not claim now, having been written down or not.
fn is_barred(state: u64, is_down: bool) -> bool {
    state & (WRITER | READERS_NEXT) != 0 || (state & WRITER_NEXT != 0 && !is_down)
}

/// The word without one of those that are written down, with what that one has used up.
fn without(state: u64, one: u64) -> u64 {
    let left = state - one;
    if one == ONE_WRITER {
        left & !(WOKEN_WRITER | WRITER_NEXT)
    } else if left & SLEEPING_READERS == 0 {
        left & !(WOKEN_READERS | READERS_NEXT)
    } else {
        // All of them were woken at once.
        left
    }
}

#[cold]
fn wake(gate: &AtomicU32, count: u32) {
    // Release: pairs with the acquire of whoever is about to sleep.
    gate.fetch_add(1, Release);
    futex::wake(std::ptr::from_ref(gate), count);
}

impl fmt::Debug for RawSharedLock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("RawSharedLock");
        shown.field("has_writer", &self.has_writer()).field("readers", &self.readers());
        shown.field("sleepers", &self.sleepers()).finish_non_exhaustive()
    }
}
