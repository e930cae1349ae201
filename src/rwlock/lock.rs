//! The lock with its value: who holds it, whether a writer panicked, and the ways to take it.
//!
//! The owner is the address of a variable of the writing thread, in a word beside the lock that only the holder writes. It is
//! looked at only by a thread that does not get in at once: a thread that sees its own number there wrote it itself,
//! so no ordering is needed, and the quick path pays for one store.
//!
//! # Safety
//!
//! The value is touched by whoever holds the raw lock: shared by readers, by a writer alone. A guard is made right after the
//! raw lock was taken, in the way that the guard says, and gives it back when it is dropped; it stays on its thread.
#![allow(unsafe_code)]

use super::error::LockError;
use super::guard::{ReadGuard, WriteGuard};
use super::held;
use super::options::Options;
use super::poison::Poison;
use super::word::{RawSharedLock, Refusal};
use crate::primitive::AtomicUsize;
use crate::sys::futex::Deadline;
use std::cell::UnsafeCell;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

/// All of a lock but its value.
pub(super) struct Core {
    raw: RawSharedLock,
    /// The thread that holds it to write; 0 if none does. Written by that thread alone.
    owner: AtomicUsize,
    poison: Poison,
}

/// A value that many may read or one may write; writers first.
///
/// A writer that waits keeps new readers out, so it waits only for those that are inside. Taking it when it is free, and
/// letting go when nobody sleeps, is one atomic operation each.
///
/// - **Waiting for oneself is an error.** A thread that holds the lock to write and asks for it again in any way gets
///   [`LockError::Deadlock`]. So does one that holds it to read and would have to wait for it again, where that is looked
///   for: see there. Reading twice on one thread is allowed, and goes well unless a writer asks in between.
/// - **Panics.** When a thread panics while it holds the lock to write, the lock is poisoned: everyone gets
///   [`LockError::Poisoned`], with the guard in it, until [`clear_poison`](Self::clear_poison). The lock works on. A reader's
///   panic changes nothing, and poisons nothing.
/// - **Fairness.** Those who are awake come before those who sleep, for speed, but not for ever: [`Options::hand_over`].
///
/// ```
/// use toolbox::rwlock::{LockError, SharedLock};
///
/// let lock = SharedLock::new(5);
/// {
///     let one = lock.read().unwrap();
///     let other = lock.read().unwrap();
///     assert_eq!((*one, *other), (5, 5));
///     assert!(matches!(lock.try_write(), Err(LockError::WouldBlock)));
/// }
/// let mut guard = lock.write().unwrap();
/// *guard += 1;
/// assert!(matches!(lock.read(), Err(LockError::Deadlock)));
/// drop(guard);
/// assert_eq!(lock.into_inner().unwrap(), 6);
/// ```
///
/// What is inside has to be `Send` and `Sync` for the lock to be shared, since readers use it on several threads at once:
///
/// ```compile_fail,E0277
/// fn shared<T: Sync>(_: T) {}
/// shared(toolbox::rwlock::SharedLock::new(std::cell::Cell::new(1)));
/// ```
///
/// ```compile_fail,E0277
/// fn sent<T: Send>(_: T) {}
/// sent(toolbox::rwlock::SharedLock::new(std::rc::Rc::new(1)));
/// ```
pub struct SharedLock<T: ?Sized> {
    core: Core,
    value: UnsafeCell<T>,
}

// SAFETY: a lock that is moved takes its value along, which may be moved.
unsafe impl<T: ?Sized + Send> Send for SharedLock<T> {}
// SAFETY: readers on several threads share the value, so it is `Sync`; a writer on any may move it out, so it is `Send`.
unsafe impl<T: ?Sized + Send + Sync> Sync for SharedLock<T> {}

impl<T: ?Sized> UnwindSafe for SharedLock<T> {}
impl<T: ?Sized> RefUnwindSafe for SharedLock<T> {}

/// What a call gives: the guard, or why there is none.
type Taken<G> = Result<G, LockError<G>>;

impl<T> SharedLock<T> {
    /// A free lock.
    #[must_use]
    pub const fn new(value: T) -> Self {
        Self::with_options(value, Options::new())
    }

    /// A free lock whose threads wait as `options` say.
    #[must_use]
    pub const fn with_options(value: T, options: Options) -> Self {
        let raw = RawSharedLock::with_options(options);
        Self { core: Core { raw, owner: AtomicUsize::new(0), poison: Poison::new() }, value: UnsafeCell::new(value) }
    }

    /// The value.
    ///
    /// # Errors
    /// When a writer panicked; the value is in the error.
    pub fn into_inner(self) -> Result<T, PoisonError<T>> {
        let is_poisoned = self.is_poisoned();
        let value = self.value.into_inner();
        if is_poisoned { Err(PoisonError::new(value)) } else { Ok(value) }
    }
}

impl<T: ?Sized> SharedLock<T> {
    /// Locks to read, as soon as no writer is inside or waits for readers to leave.
    ///
    /// # Errors
    /// [`LockError::Deadlock`], [`LockError::Poisoned`], [`LockError::TooManyReaders`].
    #[inline]
    pub fn read(&self) -> Taken<ReadGuard<'_, T>> {
        if !self.core.raw.enter_shared() {
            self.core.wait_shared(None)?;
        }
        self.reading()
    }

    /// Locks to read, if that needs no waiting.
    ///
    /// # Errors
    /// [`LockError::WouldBlock`], [`LockError::Poisoned`], [`LockError::TooManyReaders`].
    pub fn try_read(&self) -> Taken<ReadGuard<'_, T>> {
        self.core.raw.try_lock_shared()?;
        self.reading()
    }

    /// Locks to read, waiting for at most `timeout`. No time is too long.
    ///
    /// # Errors
    /// As [`read`](Self::read), and [`LockError::TimedOut`].
    pub fn read_timeout(&self, timeout: Duration) -> Taken<ReadGuard<'_, T>> {
        if !self.core.raw.enter_shared() {
            self.core.wait_shared(Deadline::after(timeout))?;
        }
        self.reading()
    }

    /// Locks to read, waiting until `deadline` at most.
    ///
    /// # Errors
    /// As [`read_timeout`](Self::read_timeout).
    pub fn read_until(&self, deadline: Instant) -> Taken<ReadGuard<'_, T>> {
        if !self.core.raw.enter_shared() {
            self.core.wait_shared(Deadline::at(deadline))?;
        }
        self.reading()
    }

    /// Locks to write, as soon as nobody else is inside.
    ///
    /// # Errors
    /// [`LockError::Deadlock`], [`LockError::Poisoned`].
    #[inline]
    pub fn write(&self) -> Taken<WriteGuard<'_, T>> {
        if !self.core.raw.enter_exclusive() {
            self.core.wait_exclusive(None)?;
        }
        self.writing()
    }

    /// Locks to write, if that needs no waiting.
    ///
    /// # Errors
    /// [`LockError::WouldBlock`], [`LockError::Poisoned`].
    pub fn try_write(&self) -> Taken<WriteGuard<'_, T>> {
        self.core.raw.try_lock_exclusive()?;
        self.writing()
    }

    /// Locks to write, waiting for at most `timeout`. No time is too long.
    ///
    /// # Errors
    /// As [`write`](Self::write), and [`LockError::TimedOut`].
    pub fn write_timeout(&self, timeout: Duration) -> Taken<WriteGuard<'_, T>> {
        if !self.core.raw.enter_exclusive() {
            self.core.wait_exclusive(Deadline::after(timeout))?;
        }
        self.writing()
    }

    /// Locks to write, waiting until `deadline` at most.
    ///
    /// # Errors
    /// As [`write_timeout`](Self::write_timeout).
    pub fn write_until(&self, deadline: Instant) -> Taken<WriteGuard<'_, T>> {
        if !self.core.raw.enter_exclusive() {
            self.core.wait_exclusive(Deadline::at(deadline))?;
        }
        self.writing()
    }

    /// The value, which nobody else can use meanwhile.
    ///
    /// # Errors
    /// When a writer panicked; the reference is in the error.
    pub fn get_mut(&mut self) -> Result<&mut T, PoisonError<&mut T>> {
        let is_poisoned = self.is_poisoned();
        let value = self.value.get_mut();
        if is_poisoned { Err(PoisonError::new(value)) } else { Ok(value) }
    }

    /// Whether a writer panicked.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.core.poison.is_set()
    }

    /// Says that the value is all right again.
    pub fn clear_poison(&self) {
        self.core.poison.set(false);
    }

    /// The lock without its value, to see who is inside and who sleeps.
    #[must_use]
    pub fn raw(&self) -> &RawSharedLock {
        &self.core.raw
    }

    /// The guard of a reader that has just got in.
    #[inline]
    fn reading(&self) -> Taken<ReadGuard<'_, T>> {
        held::add(&self.core);
        // SAFETY: the raw lock was taken to read by the caller of this, so nobody writes until the guard is dropped.
        let guard = unsafe { ReadGuard::new(&self.core, self.value.get()) };
        if self.core.poison.is_set() { Err(LockError::Poisoned(PoisonError::new(guard))) } else { Ok(guard) }
    }

    /// The guard of a writer that has just got in.
    #[inline]
    fn writing(&self) -> Taken<WriteGuard<'_, T>> {
        self.core.owner.store(held::this_thread(), Relaxed);
        // SAFETY: the raw lock was taken to write by the caller of this, so nobody else is inside until the guard is dropped.
        let guard = unsafe { WriteGuard::new(&self.core, self.value.get()) };
        if self.core.poison.is_set() { Err(LockError::Poisoned(PoisonError::new(guard))) } else { Ok(guard) }
    }
}

impl Core {
    #[cold]
    #[inline(never)]
    fn wait_shared(&self, deadline: Option<Deadline>) -> Result<(), Refusal> {
        if self.is_own() {
            return Err(Refusal::Deadlock);
        }
        if self.is_read_here() {
            // A reader gets in again unless a writer waits, and that one waits for this thread.
            let is_in = self.raw.try_lock_shared();
            return is_in.map_err(|refusal| if refusal == Refusal::WouldBlock { Refusal::Deadlock } else { refusal });
        }
        self.raw.wait_shared(deadline)
    }

    #[cold]
    #[inline(never)]
    fn wait_exclusive(&self, deadline: Option<Deadline>) -> Result<(), Refusal> {
        if self.is_own() || self.is_read_here() {
            return Err(Refusal::Deadlock);
        }
        self.raw.wait_exclusive(deadline)
    }

    /// Whether the calling thread writes.
    fn is_own(&self) -> bool {
        self.owner.load(Relaxed) == held::this_thread()
    }

    /// Whether the calling thread is known to read.
    fn is_read_here(&self) -> bool {
        let is_known = held::has(self);
        if is_known && self.raw.readers() == 0 {
            // Of a lock that stood here before this one, and whose guard was forgotten.
            held::remove(self);
            return false;
        }
        is_known
    }

    #[inline]
    pub(super) fn end_reading(&self) {
        held::remove(self);
        // SAFETY: only a guard calls this, once, when it is dropped, and it was made of a raw lock taken to read.
        unsafe { self.raw.unlock_shared() };
    }

    #[inline]
    pub(super) fn end_writing(&self, has_panicked: bool) {
        if has_panicked {
            self.poison.set(true);
        }
        self.owner.store(0, Relaxed);
        // SAFETY: only a guard calls this, once, when it is dropped, and it was made of a raw lock taken to write.
        unsafe { self.raw.unlock_exclusive() };
    }

    pub(super) fn downgrade(&self) {
        self.owner.store(0, Relaxed);
        held::add(self);
        // SAFETY: only a guard calls this, once, made of a raw lock taken to write; it becomes one that reads.
        unsafe { self.raw.downgrade() };
    }

    pub(super) fn try_upgrade(&self) -> bool {
        // SAFETY: only a guard calls this, made of a raw lock taken to read; it becomes one that writes if this says so.
        let is_done = unsafe { self.raw.try_upgrade() };
        if is_done {
            held::remove(self);
            self.owner.store(held::this_thread(), Relaxed);
        }
        is_done
    }
}

impl<T: Default> Default for SharedLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for SharedLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for SharedLock<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("SharedLock");
        match self.try_read() {
            Ok(guard) => shown.field("value", &&*guard),
            Err(LockError::Poisoned(error)) => shown.field("value", &&**error.get_ref()),
            Err(_) => shown.field("value", &format_args!("<locked>")),
        };
        shown.field("is_poisoned", &self.is_poisoned()).finish_non_exhaustive()
    }
}
