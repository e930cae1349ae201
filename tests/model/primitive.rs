//! The model checker's half of `src/primitive.rs`: the same names from loom.
//!
//! loom has to find the same choices when it repeats a run, so an address must not mean two blocks within one run: memory
//! that is given back is kept until the run is over ([`fresh_run`]), and counted. What a program would never free is freed
//! then, too.
//!
//! # Safety
//!
//! The allocator's own contract, handed on: what is given back is freed once, with its layout, and not before. What lives
//! for ever is freed when the run that made it is over, and all its references with it.
#![allow(unsafe_code)]
#![allow(unused_imports, unused_macros, reason = "the same names as in the program, used or not")]

pub(crate) mod epoch;

use std::alloc::Layout;
use std::any::Any;
use std::cell::{Cell, RefCell};

pub(crate) use loom::cell::UnsafeCell;
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize};
pub(crate) use loom::sync::{Mutex, MutexGuard};
pub(crate) use loom::thread::yield_now;
pub(crate) use loom::thread_local;

pub(crate) const IS_MODEL: bool = true;

// loom runs all threads of a model on one thread of the system.
std::thread_local! {
    static IN_USE: Cell<usize> = const { Cell::new(0) };
    static GIVEN_BACK: RefCell<Vec<(*mut u8, Layout)>> = const { RefCell::new(Vec::new()) };
    static FOR_EVER: RefCell<Vec<*mut dyn Any>> = const { RefCell::new(Vec::new()) };
}

/// Larger by its alignment. Blocks are small here, and the queue relies on two of them never being as close to each other as
/// their alignment allows; with neighbours a run would depend on where the allocator puts them.
fn apart(layout: Layout) -> Layout {
    Layout::from_size_align(layout.size() + layout.align(), layout.align()).expect("a small layout")
}

/// # Safety
/// As [`std::alloc::alloc`].
pub(crate) unsafe fn alloc(layout: Layout) -> *mut u8 {
    IN_USE.set(IN_USE.get() + 1);
    // SAFETY: the contract is the caller's.
    unsafe { std::alloc::alloc(apart(layout)) }
}

/// # Safety
/// As [`std::alloc::dealloc`].
pub(crate) unsafe fn dealloc(place: *mut u8, layout: Layout) {
    IN_USE.set(IN_USE.get() - 1);
    GIVEN_BACK.with_borrow_mut(|places| places.push((place, apart(layout))));
}

/// How many pieces of memory have not been given back.
pub(crate) fn in_use() -> usize {
    IN_USE.get()
}

/// Ends one run, in which all memory has to have been given back, before another.
pub(crate) fn fresh_run() {
    epoch::fresh_run();
    assert_eq!(IN_USE.get(), 0, "memory is left over");
    for (place, layout) in GIVEN_BACK.take() {
        // SAFETY: it was given back with this layout, once, and the run that used it is over.
        unsafe { std::alloc::dealloc(place, layout) };
    }
    for place in FOR_EVER.take() {
        // SAFETY: it came from a box, once, and the run that used it is over.
        drop(unsafe { Box::from_raw(place) });
    }
}

/// A value that lives until the run is over.
pub(crate) fn forever<T: 'static>(value: T) -> &'static T {
    let place = Box::into_raw(Box::new(value));
    FOR_EVER.with_borrow_mut(|places| places.push(place));
    // SAFETY: it is freed when the run is over, and no reference of a run is used after it.
    unsafe { &*place }
}

/// The checker's functions are not constant.
macro_rules! constant {
    ($($function:tt)*) => {
        $($function)*
    };
}
pub(crate) use constant;

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
