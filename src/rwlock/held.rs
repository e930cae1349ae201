//! Which locks the calling thread reads, so that it can be told before it waits for itself.
//!
//! It is kept where that is asked for: with debug assertions or the feature `deadlock-detection`. It takes some nanoseconds
//! for each reader; otherwise nothing is kept and nobody reads anything. A thread remembers the last 16 locks that it reads; of a
//! guard that was forgotten the lock stays in the list, so whoever asks looks whether that lock has a reader at all.

use std::ptr;

#[cfg(any(debug_assertions, feature = "deadlock-detection"))]
mod list {
    use std::cell::Cell;

    const PLACES: usize = 16;

    thread_local! {
        // Without anything to drop, so that it is there as long as the thread runs anything at all.
        static READ: [Cell<usize>; PLACES] = const { [const { Cell::new(0) }; PLACES] };
        static NEXT: Cell<usize> = const { Cell::new(0) };
    }

    pub(super) fn add(address: usize) {
        READ.with(|places| {
            let free = places.iter().position(|place| place.get() == 0);
            // Where all are taken the oldest goes.
            let place = free.unwrap_or_else(|| NEXT.replace((NEXT.get() + 1) % PLACES));
            places[place].set(address);
        });
    }

    pub(super) fn remove(address: usize) {
        READ.with(|places| {
            let place = places.iter().find(|place| place.get() == address);
            place.into_iter().for_each(|place| place.set(0));
        });
    }

    pub(super) fn has(address: usize) -> bool {
        READ.with(|places| places.iter().any(|place| place.get() == address))
    }
}

#[cfg(not(any(debug_assertions, feature = "deadlock-detection")))]
mod list {
    #[inline]
    pub(super) fn add(_: usize) {}

    #[inline]
    pub(super) fn remove(_: usize) {}

    #[inline]
    pub(super) fn has(_: usize) -> bool {
        false
    }
}

/// Remembers that this thread reads `lock`, once more.
#[inline]
pub(super) fn add<L>(lock: &L) {
    list::add(ptr::from_ref(lock).addr());
}

/// Forgets it, once.
#[inline]
pub(super) fn remove<L>(lock: &L) {
    list::remove(ptr::from_ref(lock).addr());
}

/// Whether this thread is known to read `lock`.
pub(super) fn has<L>(lock: &L) -> bool {
    list::has(ptr::from_ref(lock).addr())
}

/// A number that no other thread has while this one runs; not 0.
#[inline]
pub(super) fn this_thread() -> usize {
    thread_local! {
        static HERE: u8 = const { 0 };
    }
    HERE.with(|here| ptr::from_ref(here).addr())
}
