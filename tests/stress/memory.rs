//! How much memory a thread has taken, and an allocator that refuses on demand.
//!
//! # Safety
//!
//! Everything is left to the system's allocator, or refused, which any allocator may do.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

thread_local! {
    static REFUSES: Cell<bool> = const { Cell::new(false) };
    static IN_USE: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

// SAFETY: what is returned is the system allocator's, or null; see above.
unsafe impl GlobalAlloc for Counting {
    /// # Safety
    /// As [`GlobalAlloc::alloc`].
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if REFUSES.get() && layout.size() > 4096 {
            return ptr::null_mut();
        }
        IN_USE.set(IN_USE.get() + layout.size().cast_signed());
        // SAFETY: the contract is the caller's.
        unsafe { System.alloc(layout) }
    }

    /// # Safety
    /// As [`GlobalAlloc::dealloc`].
    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.set(IN_USE.get() - layout.size().cast_signed());
        // SAFETY: the contract is the caller's.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Bytes that this thread has taken and not given back; less than none if it gave back what another had taken.
pub(crate) fn in_use() -> isize {
    IN_USE.get()
}

/// Runs `act` while this thread gets no memory in pieces of more than a page.
pub(crate) fn while_short<R>(act: impl FnOnce() -> R) -> R {
    REFUSES.set(true);
    let result = act();
    REFUSES.set(false);
    result
}
