//! The model checker's half of `src/primitive.rs`: the same names from loom.
//!
//! loom has to find the same choices when it repeats a run, so an address must not mean two blocks within one run: memory
//! that is given back is kept until the run is over ([`fresh_run`]), and counted.
//!
//! # Safety
//!
//! The allocator's own contract, handed on: what is given back is freed once, with its layout, and not before.
#![allow(unsafe_code)]

use std::alloc::Layout;
use std::cell::{Cell, RefCell};

pub(crate) use loom::cell::UnsafeCell;
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicUsize};
pub(crate) use loom::thread::yield_now;

pub(crate) const IS_MODEL: bool = true;

// loom runs all threads of a model on one thread of the system.
thread_local! {
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static GIVEN_BACK: RefCell<Vec<(*mut u8, Layout)>> = const { RefCell::new(Vec::new()) };
}

/// # Safety
/// As [`std::alloc::alloc`].
pub(crate) unsafe fn alloc(layout: Layout) -> *mut u8 {
    IN_USE.set(IN_USE.get() + 1);
    // SAFETY: the contract is the caller's.
    unsafe { std::alloc::alloc(layout) }
}

/// # Safety
/// As [`std::alloc::dealloc`].
pub(crate) unsafe fn dealloc(place: *mut u8, layout: Layout) {
    IN_USE.set(IN_USE.get() - 1);
    GIVEN_BACK.with_borrow_mut(|places| places.push((place, layout)));
}

/// Ends one run, in which all memory has to have been given back, before another.
pub(crate) fn fresh_run() {
    assert_eq!(IN_USE.get(), 0, "memory is left over");
    for (place, layout) in GIVEN_BACK.take() {
        // SAFETY: it was given back with this layout, once, and the run that used it is over.
        unsafe { std::alloc::dealloc(place, layout) };
    }
}

/// A pause lets the others go first; a loop around it would otherwise be followed for ever.
pub(crate) fn spin_loop() {
    yield_now();
}

/// The checker ends the test if any use of the atomic by another thread is not known to be over.
pub(crate) trait Exclusive<V> {
    fn set(&mut self, value: V);
}

impl Exclusive<u8> for AtomicU8 {
    fn set(&mut self, value: u8) {
        self.with_mut(|its| *its = value);
    }
}

impl Exclusive<u32> for AtomicU32 {
    fn set(&mut self, value: u32) {
        self.with_mut(|its| *its = value);
    }
}

impl<T> Exclusive<*mut T> for AtomicPtr<T> {
    fn set(&mut self, value: *mut T) {
        self.with_mut(|its| *its = value);
    }
}
