//! Slots for items of any kind: eight state bytes and seven items are a group.
//!
//! With items of eight bytes that is one cache line, so that an item and its state travel together, and it costs
//! 64 / 7 bytes an item.
//!
//! The first index of a group has no slot: whoever draws it draws again. That costs one more addition in eight, and
//! saves a division by seven from each operation.
//!
//! A push has to change the state and learn what it was, in one step. A pop that finds the item there need not, and so
//! only stores: a store does not wait for the line to be writable.
//!
//! # Safety
//!
//! A value is written before its state says `FULL`, by the one push of its slot, and read after that, by the one pop.
#![allow(unsafe_code)]

use super::group::Group;
use crate::primitive::{AtomicU8, Exclusive, IS_MODEL, UnsafeCell};
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

const STRIDE: usize = if IS_MODEL { 2 } else { 8 };

const EMPTY: u8 = 0;
const FULL: u8 = 1;
const ABANDONED: u8 = 2;
/// (`ABANDONED + FULL`: a push adds `FULL`.)
const DONE: u8 = 3;

/// How a [`Queue`](super::Queue) of anything keeps its items: each beside a byte that says what became of it.
#[repr(C)]
pub struct Packed<T> {
    /// The first one is not used.
    states: [AtomicU8; STRIDE],
    values: [UnsafeCell<MaybeUninit<T>>; STRIDE - 1],
}

impl<T> fmt::Debug for Packed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Packed").finish_non_exhaustive()
    }
}

impl<T> Packed<T> {
    /// # Safety
    /// The position is below [`Group::STRIDE`].
    #[inline]
    unsafe fn state(&self, position: usize) -> &AtomicU8 {
        // SAFETY: that is the length.
        unsafe { self.states.get_unchecked(position) }
    }

    /// # Safety
    /// The position is one of a slot.
    #[inline]
    unsafe fn value(&self, position: usize) -> &UnsafeCell<MaybeUninit<T>> {
        // SAFETY: a slot's position lies between 1 and the length.
        unsafe { self.values.get_unchecked(position - 1) }
    }
}

impl<T> Group<T> for Packed<T> {
    const STRIDE: usize = STRIDE;
    const HOLES: usize = 1;
    type Parcel = MaybeUninit<T>;

    #[inline]
    fn pack(item: T) -> MaybeUninit<T> {
        MaybeUninit::new(item)
    }

    /// # Safety
    /// As [`Group::unpack`].
    #[inline]
    unsafe fn unpack(parcel: MaybeUninit<T>) -> T {
        // SAFETY: a parcel holds an item, by contract.
        unsafe { parcel.assume_init() }
    }

    fn new() -> Self {
        Self {
            states: std::array::from_fn(|_| AtomicU8::new(EMPTY)),
            values: std::array::from_fn(|_| UnsafeCell::new(MaybeUninit::uninit())),
        }
    }

    fn reset(&mut self) {
        self.states.iter_mut().for_each(|state| state.set(EMPTY));
        // Writes nothing; a model checker sees that nobody else may be reading.
        self.values.iter().for_each(|value| value.with_mut(|_| ()));
    }

    /// # Safety
    /// As [`Group::prefill`].
    unsafe fn prefill(&self, position: usize, parcel: &MaybeUninit<T>) {
        // SAFETY: the position is one of a slot, by contract.
        let value = unsafe { self.value(position) };
        // SAFETY: the cell is the caller's by contract, and the parcel is another place.
        value.with_mut(|value| unsafe { ptr::copy_nonoverlapping(parcel, value, 1) });
        // SAFETY: as above.
        unsafe { self.state(position) }.store(FULL, Relaxed);
    }

    /// # Safety
    /// As [`Group::fill`].
    #[inline]
    unsafe fn fill(&self, position: usize, parcel: &MaybeUninit<T>) -> bool {
        // SAFETY: the position is one of a slot, by contract.
        let value = unsafe { self.value(position) };
        // SAFETY: until the state says `FULL` the cell is this push's: a pop only reads it then.
        value.with_mut(|value| unsafe { ptr::copy_nonoverlapping(parcel, value, 1) });
        // SAFETY: as above.
        let state = unsafe { self.state(position) };
        // Pairs with the loads in `is_full`, `abandon` and `is_done`.
        state.fetch_add(FULL, Release) == EMPTY
    }

    /// # Safety
    /// As [`Group::is_full`].
    #[inline]
    unsafe fn is_full(&self, position: usize) -> bool {
        // SAFETY: the position is one of a slot, by contract.
        let state = unsafe { self.state(position) };
        state.load(Acquire) == FULL // Pairs with the addition in `fill`.
    }

    /// # Safety
    /// As [`Group::take`].
    #[inline]
    unsafe fn take(&self, position: usize) -> MaybeUninit<T> {
        // SAFETY: the position is one of a slot, by contract.
        let value = unsafe { self.value(position) };
        // SAFETY: the state is `FULL`, so the push is through with the cell; only this pop reads it.
        let parcel = value.with(|value| unsafe { value.read() });
        // SAFETY: as above.
        let state = unsafe { self.state(position) };
        state.store(DONE, Release); // Pairs with the load in `is_done`.
        parcel
    }

    /// # Safety
    /// As [`Group::abandon`].
    unsafe fn abandon(&self, position: usize) -> bool {
        // SAFETY: the position is one of a slot, by contract.
        let state = unsafe { self.state(position) };
        // On failure it is `FULL`, by the addition in `fill`. On success the push continues this release, so that whoever
        // finds the slot `DONE` knows that this pop has left it as well.
        state.compare_exchange(EMPTY, ABANDONED, Release, Acquire).is_ok()
    }

    /// # Safety
    /// As [`Group::is_done`].
    unsafe fn is_done(&self, position: usize) -> bool {
        // SAFETY: the position is one of a slot, by contract.
        let state = unsafe { self.state(position) };
        state.load(Acquire) == DONE // Pairs with `take` and `fill`.
    }
}
