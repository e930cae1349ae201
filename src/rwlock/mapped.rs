//! What holds a lock and shows a part of its value: a field, an element, what a map has under a key.
//!
//! A guard of a part is made of one of the whole, by [`ReadGuard::map`](super::ReadGuard::map) and its like, and lets go as
//! that would have. It cannot become the other kind: who goes on as the writer, or as a reader, goes on with the whole.
//!
//! # Safety
//!
//! A part lies within the value, or lives as long as the lock is borrowed; the raw lock, taken in the way that the guard
//! says, keeps others from using it otherwise. Guards stay on their thread (they hold a raw pointer, which is not `Send`).
#![allow(unsafe_code)]

use super::lock::Core;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::thread;

/// Reads a part of the value of a [`SharedLock`](super::SharedLock) until it is dropped.
#[must_use = "the lock is let go at once if the guard is not kept"]
pub struct MappedReadGuard<'a, T: ?Sized> {
    core: &'a Core,
    part: NonNull<T>,
    borrow: PhantomData<&'a T>,
}

/// Writes a part of the value of a [`SharedLock`](super::SharedLock) until it is dropped.
///
/// No other type may stand for that of the part, not one that lives less long either:
///
/// ```compile_fail
/// use toolbox::rwlock::MappedWriteGuard;
///
/// fn shorten<'a, 'b>(guard: MappedWriteGuard<'a, &'static str>, _: &'b str) -> MappedWriteGuard<'a, &'b str> {
///     guard
/// }
/// ```
#[must_use = "the lock is let go at once if the guard is not kept"]
pub struct MappedWriteGuard<'a, T: ?Sized> {
    core: &'a Core,
    part: NonNull<T>,
    borrow: PhantomData<&'a mut T>,
    /// As in the guard of the whole.
    was_panicking: bool,
}

// SAFETY: a shared guard only gives a shared reference to the part.
unsafe impl<T: ?Sized + Sync> Sync for MappedReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Sync> Sync for MappedWriteGuard<'_, T> {}

impl<'a, T: ?Sized> MappedReadGuard<'a, T> {
    /// # Safety
    /// The raw lock of `core` was taken to read for this guard alone, and `part` is of the value of the same lock.
    pub(super) unsafe fn new(core: &'a Core, part: NonNull<T>) -> Self {
        Self { core, part, borrow: PhantomData }
    }

    /// A guard of a part of the part.
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&T) -> &U) -> MappedReadGuard<'a, U> {
        // If `part` panics, the guard is dropped.
        let part = NonNull::from(part(&guard));
        let guard = ManuallyDrop::new(guard);
        MappedReadGuard { core: guard.core, part, borrow: PhantomData }
    }

    /// A guard of a part of the part, if there is one; otherwise gives the guard back.
    ///
    /// # Errors
    /// The guard, if `part` finds nothing.
    pub fn try_map<U: ?Sized>(
        guard: Self,
        part: impl FnOnce(&T) -> Option<&U>,
    ) -> Result<MappedReadGuard<'a, U>, Self> {
        let Some(part) = part(&guard).map(NonNull::from) else { return Err(guard) };
        let guard = ManuallyDrop::new(guard);
        Ok(MappedReadGuard { core: guard.core, part, borrow: PhantomData })
    }
}

impl<'a, T: ?Sized> MappedWriteGuard<'a, T> {
    /// # Safety
    /// The raw lock of `core` was taken to write for this guard alone, and `part` is of the value of the same lock, from a
    /// reference by which it may be written.
    pub(super) unsafe fn new(core: &'a Core, part: NonNull<T>, was_panicking: bool) -> Self {
        Self { core, part, borrow: PhantomData, was_panicking }
    }

    /// A guard of a part of the part.
    pub fn map<U: ?Sized>(mut guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedWriteGuard<'a, U> {
        // If `part` panics, the guard is dropped.
        let part = NonNull::from(part(&mut guard));
        let guard = ManuallyDrop::new(guard);
        MappedWriteGuard { core: guard.core, part, borrow: PhantomData, was_panicking: guard.was_panicking }
    }

    /// A guard of a part of the part, if there is one; otherwise gives the guard back.
    ///
    /// # Errors
    /// The guard, if `part` finds nothing.
    pub fn try_map<U: ?Sized>(
        mut guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedWriteGuard<'a, U>, Self> {
        let Some(part) = part(&mut guard).map(NonNull::from) else { return Err(guard) };
        let guard = ManuallyDrop::new(guard);
        Ok(MappedWriteGuard { core: guard.core, part, borrow: PhantomData, was_panicking: guard.was_panicking })
    }
}

impl<T: ?Sized> Drop for MappedReadGuard<'_, T> {
    fn drop(&mut self) {
        self.core.end_reading();
    }
}

impl<T: ?Sized> Drop for MappedWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.core.end_writing(!self.was_panicking && thread::panicking());
    }
}

impl<T: ?Sized> Deref for MappedReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: nobody writes while the guard is there, and the part is there as long as the lock is borrowed.
        unsafe { self.part.as_ref() }
    }
}

impl<T: ?Sized> Deref for MappedWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: nobody else uses the part while the guard is there, and the reference borrows the guard.
        unsafe { self.part.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for MappedWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: nobody else uses the part while the guard is there, and the reference borrows the guard mutably.
        unsafe { self.part.as_mut() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MappedReadGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MappedWriteGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MappedReadGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MappedWriteGuard<'_, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(formatter)
    }
}
