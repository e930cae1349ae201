//! What one has who has the mutex: the data, until the guard is dropped.
//!
//! Guards go to other threads as the data may, since nothing in the mutex belongs to a thread; a task that holds one may
//! go on elsewhere. They are shared as references to the data are.
//!
//! # Safety
//!
//! A guard is made by whoever took the core, once, and is the only one until it gives the core up.
#![allow(unsafe_code)]

use super::BargingCore;
use super::lock::Mutex;
use super::protocol::Core;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::Arc;

/// The data of a [`Mutex`], which is free again when this is dropped.
///
/// It may go to another thread with data that may:
///
/// ```compile_fail
/// # use std::{rc::Rc, thread};
/// let mutex = toolbox::mutex::Mutex::new(Rc::new(1));
/// let guard = mutex.lock_blocking();
/// thread::scope(|scope| { scope.spawn(|| drop(guard)); });
/// ```
///
/// And it is shared with data that is:
///
/// ```compile_fail
/// fn share<T: Sync>(_: &T) {}
/// let mutex = toolbox::mutex::Mutex::new(std::cell::Cell::new(1));
/// share(&mutex.lock_blocking());
/// ```
#[must_use = "the mutex is free again as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized, C: Core = BargingCore> {
    mutex: &'a Mutex<T, C>,
    /// As a reference to the data goes and is shared.
    _data: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized, C: Core> MutexGuard<'a, T, C> {
    /// For one who has taken the core.
    #[inline]
    pub(super) fn new(mutex: &'a Mutex<T, C>) -> Self {
        Self { mutex, _data: PhantomData }
    }

    /// The mutex that this is of.
    pub fn mutex(guard: &Self) -> &'a Mutex<T, C> {
        guard.mutex
    }

    /// A guard of a part of the data.
    ///
    /// ```
    /// use toolbox::mutex::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new((1, "one"));
    /// let mut number = MutexGuard::map(mutex.lock_blocking(), |pair| &mut pair.0);
    /// *number += 1;
    /// drop(number);
    /// assert_eq!(mutex.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized>(guard: Self, part: impl FnOnce(&mut T) -> &mut U) -> MappedMutexGuard<'a, U, C> {
        let mut guard = guard;
        // If `part` panics, the guard is dropped.
        let part = NonNull::from(part(&mut guard));
        let guard = ManuallyDrop::new(guard);
        MappedMutexGuard { core: guard.mutex.core(), part, _data: PhantomData }
    }

    /// A guard of a part of the data, if there is one; otherwise gives the guard back.
    ///
    /// # Errors
    /// The guard, if `part` finds nothing.
    ///
    /// ```
    /// use toolbox::mutex::{Mutex, MutexGuard};
    ///
    /// let mutex = Mutex::new(vec![1]);
    /// *MutexGuard::try_map(mutex.lock_blocking(), |list| list.first_mut()).unwrap() += 1;
    /// let list = MutexGuard::try_map(mutex.lock_blocking(), |list| list.get_mut(1)).unwrap_err();
    /// assert_eq!(*list, [2]);
    /// ```
    pub fn try_map<U: ?Sized>(
        mut guard: Self,
        part: impl FnOnce(&mut T) -> Option<&mut U>,
    ) -> Result<MappedMutexGuard<'a, U, C>, Self> {
        let Some(part) = part(&mut guard).map(NonNull::from) else { return Err(guard) };
        let guard = ManuallyDrop::new(guard);
        Ok(MappedMutexGuard { core: guard.mutex.core(), part, _data: PhantomData })
    }
}

impl<T: ?Sized, C: Core> Drop for MutexGuard<'_, T, C> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: whoever made the guard had taken the core.
        unsafe { self.mutex.core().release() };
    }
}

impl<T: ?Sized, C: Core> Deref for MutexGuard<'_, T, C> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: while there is a guard nobody else reaches the data.
        unsafe { &*self.mutex.data() }
    }
}

impl<T: ?Sized, C: Core> DerefMut for MutexGuard<'_, T, C> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: while there is a guard nobody else reaches the data, and it is borrowed as a whole.
        unsafe { &mut *self.mutex.data() }
    }
}

/// A part of the data of a [`Mutex`]; see [`MutexGuard::map`].
#[must_use = "the mutex is free again as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct MappedMutexGuard<'a, T: ?Sized, C: Core = BargingCore> {
    core: &'a C,
    part: NonNull<T>,
    _data: PhantomData<&'a mut T>,
}

// SAFETY: it is a reference to the part, and to the core, which any thread may give up.
unsafe impl<T: ?Sized + Send, C: Core> Send for MappedMutexGuard<'_, T, C> {}
// SAFETY: shared, it gives shared references to the part.
unsafe impl<T: ?Sized + Sync, C: Core> Sync for MappedMutexGuard<'_, T, C> {}

impl<T: ?Sized, C: Core> Drop for MappedMutexGuard<'_, T, C> {
    fn drop(&mut self) {
        // SAFETY: whoever made the guard that this was made of had taken the core.
        unsafe { self.core.release() };
    }
}

impl<T: ?Sized, C: Core> Deref for MappedMutexGuard<'_, T, C> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the part lives as long as the mutex is borrowed, and while there is a guard nobody else reaches it.
        unsafe { self.part.as_ref() }
    }
}

impl<T: ?Sized, C: Core> DerefMut for MappedMutexGuard<'_, T, C> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and the guard is borrowed as a whole.
        unsafe { self.part.as_mut() }
    }
}

/// The data of a [`Mutex`] that is kept alive by this; see [`Mutex::lock_owned`].
#[must_use = "the mutex is free again as soon as the guard is dropped"]
#[clippy::has_significant_drop]
pub struct OwnedMutexGuard<T: ?Sized, C: Core = BargingCore> {
    mutex: Arc<Mutex<T, C>>,
    /// As the data goes and is shared.
    _data: PhantomData<T>,
}

impl<T: ?Sized, C: Core> OwnedMutexGuard<T, C> {
    /// For one who has taken the core.
    pub(super) fn new(mutex: Arc<Mutex<T, C>>) -> Self {
        Self { mutex, _data: PhantomData }
    }

    /// The mutex that this is of.
    pub fn mutex(guard: &Self) -> &Arc<Mutex<T, C>> {
        &guard.mutex
    }
}

impl<T: ?Sized, C: Core> Drop for OwnedMutexGuard<T, C> {
    fn drop(&mut self) {
        // SAFETY: whoever made the guard had taken the core.
        unsafe { self.mutex.core().release() };
    }
}

impl<T: ?Sized, C: Core> Deref for OwnedMutexGuard<T, C> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while there is a guard nobody else reaches the data.
        unsafe { &*self.mutex.data() }
    }
}

impl<T: ?Sized, C: Core> DerefMut for OwnedMutexGuard<T, C> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: while there is a guard nobody else reaches the data, and it is borrowed as a whole.
        unsafe { &mut *self.mutex.data() }
    }
}

impl<T: ?Sized + fmt::Debug, C: Core> fmt::Debug for MutexGuard<'_, T, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}

impl<T: ?Sized + fmt::Debug, C: Core> fmt::Debug for MappedMutexGuard<'_, T, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}

impl<T: ?Sized + fmt::Debug, C: Core> fmt::Debug for OwnedMutexGuard<T, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}
