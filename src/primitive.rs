//! Atomics, cells and memory as the lock-free structures see them.
//!
//! The structures import these names from here and never from `std`, because a model test includes their sources
//! under another `primitive`, which offers the same names from a model checker (`tests/model/primitive.rs`). What
//! stands here is the everyday half: `std`'s atomics, a cell with the checker's interface, the global allocator.
//!
//! It knows no structure, and holds only what some structure uses; a feature alone may leave some of that unused.
#![allow(unused_imports, dead_code, unused_macros, reason = "each structure uses its part")]

#[cfg(feature = "queue-linked")]
pub(crate) use crossbeam_epoch as epoch;
pub(crate) use std::alloc::{alloc, dealloc};
pub(crate) use std::hint::spin_loop;
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
pub(crate) use std::sync::{Mutex, MutexGuard};
pub(crate) use std::thread::yield_now;
pub(crate) use std::thread_local;

/// Whether a model checker runs this: then blocks are tiny and waits are short, so that a few operations reach every
/// corner.
pub(crate) const IS_MODEL: bool = false;

/// `std`'s cell behind the interface of the model checker, which learns from the closures how long an access lasts.
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        read(self.0.get())
    }

    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        write(self.0.get())
    }
}

/// Writing to an atomic that nobody else uses any more. The model checker holds the caller to that.
pub(crate) trait Exclusive<V> {
    fn set(&mut self, value: V);
}

impl Exclusive<u8> for AtomicU8 {
    fn set(&mut self, value: u8) {
        *self.get_mut() = value;
    }
}

impl Exclusive<u32> for AtomicU32 {
    fn set(&mut self, value: u32) {
        *self.get_mut() = value;
    }
}

impl<T> Exclusive<*mut T> for AtomicPtr<T> {
    fn set(&mut self, value: *mut T) {
        *self.get_mut() = value;
    }
}

/// A value that is never freed. A model ends all the same, and frees it then.
pub(crate) fn forever<T>(value: T) -> &'static T {
    Box::leak(Box::new(value))
}

/// Makes a function constant, which no function of the model checker is.
macro_rules! constant {
    ($(#[$attribute:meta])* $visibility:vis fn $($rest:tt)*) => {
        $(#[$attribute])* $visibility const fn $($rest)*
    };
}
pub(crate) use constant;
