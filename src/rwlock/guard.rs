//! What holds a lock, and lets go when it is dropped.
//!
//! # Safety
//!
//! A guard's pointer is that of the lock's value, which is there as long as the lock is borrowed; the raw lock, taken in the way
//! that the guard says, keeps others from using it otherwise. Guards stay on their thread (they hold a raw pointer, which
//! is not `Send`), because the owner of a lock is a thread.
#![allow(unsafe_code)]

use super::lock::Core;
use super::mapped::{MappedReadGuard, MappedWriteGuard};
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::thread;

/// Reads the value of a [`SharedLock`](super::SharedLock) until it is dropped.
///
/// It stays on its thread:
///
/// ```compile_fail,E0277
/// let lock = toolbox::rwlock::SharedLock::new(1);
/// let guard = lock.read().unwrap();
/// std::thread::scope(|scope| scope.spawn(move || drop(guard)));
/// ```
#[must_use = "the lock is let go at once if the guard is not kept"]
pub struct ReadGuard<'a, T: ?Sized> {
    core: &'a Core,
    value: NonNull<T>,
    /// No other type may stand for `T`, not one that lives less long either: the guard may become one that writes.
    exact: PhantomData<&'a mut T>,
}

/// Writes the value of a [`SharedLock`](super::SharedLock) until it is dropped.
///
/// It stays on its thread, and what it refers to may be shared between threads if that is `Sync`:
///
/// ```compile_fail,E0277
/// let lock = toolbox::rwlock::SharedLock::new(1);
/// let guard = lock.write().unwrap();
/// std::thread::scope(|scope| scope.spawn(move || drop(guard)));
/// ```
#[must_use = "the lock is let go at once if the guard is not kept"]
pub struct WriteGuard<'a, T: ?Sized> {
    core: &'a Core,
    value: NonNull<T>,
    /// No other type may stand for `T`, not one that lives less long either: it may be written.
    exact: PhantomData<&'a mut T>,
    /// Whether the thread was panicking already when it took the lock; then its panic says nothing of the value.
    was_panicking: bool,
}

// SAFETY: a shared guard only gives a shared reference to the value.
unsafe impl<T: ?Sized + Sync> Sync for ReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for WriteGuard<'_, T> {}

impl<'a, T: ?Sized> ReadGuard<'a, T> {
    /// # Safety
    /// The raw lock of `core` was taken to read for this guard alone, and `value` is that of the same lock.
    #[inline]
    pub(super) unsafe fn new(core: &'a Core, value: *mut T) -> Self {
        // SAFETY: the value is inside of a lock, so its address is not null.
        let value = unsafe { NonNull::new_unchecked(value) };
        Self { core, value, exact: PhantomData }
    }

    /// Goes on as the writer, if nobody else is inside and no writer waits; otherwise gives the guard back.
    ///
    /// It does not wait, since two readers that did would wait for each other. Who is refused drops the guard, asks for
    /// [`write`](super::SharedLock::write), and looks again at what it had read.
    ///
    /// # Errors
    /// The guard, if somebody else is inside or about to be.
    ///
    /// ```
    /// use toolbox::rwlock::{ReadGuard, SharedLock};
    ///
    /// let lock = SharedLock::new(1);
    /// let guard = lock.read().unwrap();
    /// let mut guard = ReadGuard::try_upgrade(guard).expect("nobody else reads");
    /// *guard += 1;
    /// ```
    pub fn try_upgrade(guard: Self) -> Result<WriteGuard<'a, T>, Self> {
        if !guard.core.try_upgrade() {
            return Err(guard);
        }
        let guard = ManuallyDrop::new(guard);
        Ok(WriteGuard { core: guard.core, value: guard.value, exact: PhantomData, was_panicking: thread::panicking() })
    }

    /// A guard of a part of the value.
    ///
    /// ```
    /// use toolbox::rwlock::{ReadGuard, SharedLock};
    ///
    /// let lock = SharedLock::new((1, "one"));
    /// let word = ReadGuard::map(lock.read().unwrap(), |pair| pair.1);
    /// assert_eq!(&*word, "one");
    /// ```
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&T) -> &U) -> MappedReadGuard<'a, U> {
        // If `part` panics, the guard is dropped.
        let part = NonNull::from(part(&guard));
        let core = ManuallyDrop::new(guard).core;
        // SAFETY: this guard was the one that the lock was taken for, and it is not dropped; `part` borrowed the value.
        unsafe { MappedReadGuard::new(core, part) }
    }

    /// A guard of a part of the value, if there is one; otherwise gives the guard back.
    ///
    /// # Errors
    /// The guard, if `part` finds nothing.
    ///
    /// ```
    /// use toolbox::rwlock::{ReadGuard, SharedLock};
    ///
    /// let lock = SharedLock::new(vec![1, 2, 3]);
    /// let third = ReadGuard::try_map(lock.read().unwrap(), |list| list.get(2)).unwrap();
    /// assert_eq!(*third, 3);
    /// let list = ReadGuard::try_map(lock.read().unwrap(), |list| list.get(3)).unwrap_err();
    /// assert_eq!(list.len(), 3);
    /// ```
    pub fn try_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<MappedReadGuard<'a, U>, Self> {
        let Some(part) = part(&guard).map(NonNull::from) else { return Err(guard) };
        let core = ManuallyDrop::new(guard).core;
        // SAFETY: as in `map`.
        Ok(unsafe { MappedReadGuard::new(core, part) })
    }
}

impl<'a, T: ?Sized> WriteGuard<'a, T> {
    /// # Safety
    /// The raw lock of `core` was taken to write for this guard alone, and `value` is that of the same lock.
    #[inline]
    pub(super) unsafe fn new(core: &'a Core, value: *mut T) -> Self {
        // SAFETY: the value is inside of a lock, so its address is not null.
        let value = unsafe { NonNull::new_unchecked(value) };
        Self { core, value, exact: PhantomData, was_panicking: thread::panicking() }
    }

    /// Goes on as a reader; nobody else has written in between.
    ///
    /// ```
    /// use toolbox::rwlock::{SharedLock, WriteGuard};
    ///
    /// let lock = SharedLock::new(1);
    /// let mut guard = lock.write().unwrap();
    /// *guard += 1;
    /// let guard = WriteGuard::downgrade(guard);
    /// assert_eq!((*guard, *lock.read().unwrap()), (2, 2));
    /// ```
    pub fn downgrade(guard: Self) -> ReadGuard<'a, T> {
        let guard = ManuallyDrop::new(guard);
        guard.core.downgrade();
        ReadGuard { core: guard.core, value: guard.value, exact: PhantomData }
    }

    /// A guard of a part of the value.
    ///
    /// ```
    /// use toolbox::rwlock::{SharedLock, WriteGuard};
    ///
    /// let lock = SharedLock::new((1, "one"));
    /// *WriteGuard::map(lock.write().unwrap(), |pair| &mut pair.0) += 1;
    /// assert_eq!(lock.into_inner().unwrap(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(mut guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedWriteGuard<'a, U> {
        // If `part` panics, the guard is dropped.
        let part = NonNull::from(part(&mut guard));
        let guard = ManuallyDrop::new(guard);
        // SAFETY: this guard was the one that the lock was taken for, and it is not dropped; `part` borrowed the value.
        unsafe { MappedWriteGuard::new(guard.core, part, guard.was_panicking) }
    }

    /// A guard of a part of the value, if there is one; otherwise gives the guard back.
    ///
    /// # Errors
    /// The guard, if `part` finds nothing.
    pub fn try_map<U: ?Sized>(
        mut guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedWriteGuard<'a, U>, Self> {
        let Some(part) = part(&mut guard).map(NonNull::from) else { return Err(guard) };
        let guard = ManuallyDrop::new(guard);
        // SAFETY: as in `map`.
        Ok(unsafe { MappedWriteGuard::new(guard.core, part, guard.was_panicking) })
    }
}

impl<T: ?Sized> Drop for ReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.core.end_reading();
    }
}

impl<T: ?Sized> Drop for WriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.core.end_writing(!self.was_panicking && thread::panicking());
    }
}

impl<T: ?Sized> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: nobody writes while the guard is there.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: nobody else uses the value while the guard is there, and the reference borrows the guard.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: nobody else uses the value while the guard is there, and the reference borrows the guard mutably.
        unsafe { self.value.as_mut() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for ReadGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for WriteGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for ReadGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for WriteGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}
