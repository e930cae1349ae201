//! Slots for pointers: a slot is one word, and what became of it is said by words that no pointer is.
//!
//! ```text
//! null        EMPTY: neither the push nor the pop has come, or only the pop, which waits
//! a pointer   FULL
//! all ones    DONE
//! anything    ABANDONED: only the push looks at it then, and it looks for null
//! ```
//!
//! An item costs eight bytes then and not 64 / 7, and a block has no indexes without a slot. What a pointer may not be
//! is null, which `Box`, `Arc` and references are not, and all ones. An object of at least one byte cannot begin
//! there: an allocation ends below the end of the address space. Nor can one that begins at a multiple of two. So only
//! items without a size or an alignment are left, and those are refused when the program is built.
//!
//! There is no byte to add to, so a push exchanges the word, if it is null, for its own. Words are
//! kept as pointers and not as numbers, so that what comes out may be used for what went in (*provenance*).
//!
//! # Safety
//!
//! A pointer that went into a slot comes out of it once: who drew the slot's index knows that nobody else takes it.
#![allow(unsafe_code)]

use super::group::Group;
use crate::primitive::{AtomicPtr, Exclusive, IS_MODEL};
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// A cache line of words. As in every group of a model one slot.
const STRIDE: usize = if IS_MODEL { 1 } else { 8 };

const EMPTY: *mut () = ptr::null_mut();
const DONE: *mut () = ptr::without_provenance_mut(usize::MAX);
/// Not `DONE` and not `EMPTY`; it may be an address that some pointer has.
const ABANDONED: *mut () = ptr::without_provenance_mut(1);

/// What is no more than a pointer, and can be in a [`PointerQueue`](super::PointerQueue).
///
/// Boxes, [`Arc`]s and references are, if they lead to something: one that has no size and no alignment could be at any
/// address, and is refused by the compiler.
///
/// ```compile_fail
/// toolbox::queue::PointerQueue::of_pointers().push(Box::new(()));
/// ```
///
/// Anything that owns or borrows something by one pointer can be one:
///
/// ```
/// use std::ptr::NonNull;
/// use toolbox::queue::{Pointer, PointerQueue};
///
/// /// A job that a C library has given to us.
/// struct Job(NonNull<u64>);
///
/// // SAFETY: the pointer is handed through as it is, and leads to a whole job, so it is not all ones.
/// unsafe impl Pointer for Job {
///     fn into_pointer(self) -> NonNull<()> {
///         self.0.cast()
///     }
///
///     unsafe fn from_pointer(pointer: NonNull<()>) -> Self {
///         Self(pointer.cast())
///     }
/// }
///
/// let queue = PointerQueue::of_pointers();
/// queue.push(Job(NonNull::from(&mut 7)));
/// assert!(queue.pop().is_some_and(|job| unsafe { job.0.read() } == 7));
/// ```
///
/// # Safety
/// [`into_pointer`](Pointer::into_pointer) does not return the address whose bits are all ones, and neither function
/// panics.
pub unsafe trait Pointer: Sized {
    /// Gives the value up for a pointer that stands for it. A value whose pointer is lost is forgotten.
    fn into_pointer(self) -> NonNull<()>;

    /// The value that a pointer stands for.
    ///
    /// # Safety
    /// The pointer came from [`into_pointer`](Pointer::into_pointer) of this type, and is used for this once.
    unsafe fn from_pointer(pointer: NonNull<()>) -> Self;
}

/// Whether no object of this kind can be at the address that means `DONE`.
const fn is_elsewhere<T>() -> bool {
    size_of::<T>() > 0 || align_of::<T>() > 1
}

// SAFETY: a box leads to a `T`, which is never at the last address, by the assertion.
unsafe impl<T> Pointer for Box<T> {
    #[inline]
    fn into_pointer(self) -> NonNull<()> {
        const { assert!(is_elsewhere::<T>(), "a box of nothing could be anywhere") };
        NonNull::from(Box::leak(self)).cast()
    }

    /// # Safety
    /// As [`Pointer::from_pointer`].
    #[inline]
    unsafe fn from_pointer(pointer: NonNull<()>) -> Self {
        // SAFETY: by contract it was a box of this type, which was given up.
        unsafe { Box::from_raw(pointer.cast().as_ptr()) }
    }
}

// SAFETY: it leads to a `T`, which is never at the last address, by the assertion.
unsafe impl<T> Pointer for Arc<T> {
    #[inline]
    fn into_pointer(self) -> NonNull<()> {
        const { assert!(is_elsewhere::<T>(), "an Arc of nothing could be anywhere") };
        let pointer = NonNull::new(Arc::into_raw(self).cast_mut().cast());
        // SAFETY: the documentation of `Arc::into_raw` has it dereferenced, so it is not null.
        unsafe { pointer.unwrap_unchecked() }
    }

    /// # Safety
    /// As [`Pointer::from_pointer`].
    #[inline]
    unsafe fn from_pointer(pointer: NonNull<()>) -> Self {
        // SAFETY: by contract it came from an `Arc` of this type, whose count it still holds.
        unsafe { Arc::from_raw(pointer.cast().as_ptr()) }
    }
}

// SAFETY: a reference leads to a `T`, which is never at the last address, by the assertion.
unsafe impl<T> Pointer for &T {
    #[inline]
    fn into_pointer(self) -> NonNull<()> {
        const { assert!(is_elsewhere::<T>(), "a reference to nothing could be anywhere") };
        NonNull::from(self).cast()
    }

    /// # Safety
    /// As [`Pointer::from_pointer`].
    #[inline]
    unsafe fn from_pointer(pointer: NonNull<()>) -> Self {
        // SAFETY: by contract it was a reference of this type, and as one it is still valid.
        unsafe { pointer.cast().as_ref() }
    }
}

// SAFETY: a reference leads to a `T`, which is never at the last address, by the assertion.
unsafe impl<T> Pointer for &mut T {
    #[inline]
    fn into_pointer(self) -> NonNull<()> {
        const { assert!(is_elsewhere::<T>(), "a reference to nothing could be anywhere") };
        NonNull::from(self).cast()
    }

    /// # Safety
    /// As [`Pointer::from_pointer`].
    #[inline]
    unsafe fn from_pointer(pointer: NonNull<()>) -> Self {
        // SAFETY: by contract it was a reference of this type, which was given up; this is the only one again.
        unsafe { pointer.cast().as_mut() }
    }
}

/// How a [`PointerQueue`](super::PointerQueue) keeps its items: as the words that they are.
pub struct Words([AtomicPtr<()>; STRIDE]);

impl fmt::Debug for Words {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Words").finish_non_exhaustive()
    }
}

impl Words {
    /// # Safety
    /// The position is below [`Group::STRIDE`].
    #[inline]
    unsafe fn word(&self, position: usize) -> &AtomicPtr<()> {
        // SAFETY: that is the length.
        unsafe { self.0.get_unchecked(position) }
    }
}

impl<T: Pointer> Group<T> for Words {
    const STRIDE: usize = STRIDE;
    const HOLES: usize = 0;
    type Parcel = NonNull<()>;

    #[inline]
    fn pack(item: T) -> NonNull<()> {
        item.into_pointer()
    }

    /// # Safety
    /// As [`Group::unpack`].
    #[inline]
    unsafe fn unpack(parcel: NonNull<()>) -> T {
        // SAFETY: it came from an item, by contract, and goes there once.
        unsafe { T::from_pointer(parcel) }
    }

    fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicPtr::new(EMPTY)))
    }

    fn reset(&mut self) {
        self.0.iter_mut().for_each(|word| word.set(EMPTY));
    }

    /// # Safety
    /// As [`Group::prefill`].
    unsafe fn prefill(&self, position: usize, parcel: &NonNull<()>) {
        // SAFETY: the position is one of a slot, by contract.
        unsafe { self.word(position) }.store(parcel.as_ptr(), Relaxed);
    }

    /// # Safety
    /// As [`Group::fill`].
    #[inline]
    unsafe fn fill(&self, position: usize, parcel: &NonNull<()>) -> bool {
        // SAFETY: the position is one of a slot, by contract.
        let word = unsafe { self.word(position) };
        // On success it pairs with the loads in `is_full` and `abandon`. On failure the pop has abandoned the slot and is
        // known to have left it: pairs with the exchange in `abandon`.
        let is_filled = word.compare_exchange(EMPTY, parcel.as_ptr(), Release, Acquire).is_ok();
        if !is_filled {
            word.store(DONE, Release); // Pairs with the load in `is_done`.
        }
        is_filled
    }

    /// # Safety
    /// As [`Group::is_full`].
    #[inline]
    unsafe fn is_full(&self, position: usize) -> bool {
        // SAFETY: the position is one of a slot, by contract.
        let word = unsafe { self.word(position) };
        !word.load(Acquire).is_null() // Pairs with the exchange in `fill`.
    }

    /// # Safety
    /// As [`Group::take`].
    #[inline]
    unsafe fn take(&self, position: usize) -> NonNull<()> {
        // SAFETY: the position is one of a slot, by contract.
        let word = unsafe { self.word(position) };
        let pointer = word.load(Relaxed); // What it leads to was seen with the look that found the slot full.
        word.store(DONE, Release); // Pairs with the load in `is_done`.
        // SAFETY: the slot was found full, so it was not null, and this is the only pop that changes that.
        unsafe { NonNull::new_unchecked(pointer) }
    }

    /// # Safety
    /// As [`Group::abandon`].
    unsafe fn abandon(&self, position: usize) -> bool {
        // SAFETY: the position is one of a slot, by contract.
        let word = unsafe { self.word(position) };
        // On success it pairs with the failed exchange in `fill`, on failure with the one that did not fail.
        word.compare_exchange(EMPTY, ABANDONED, Release, Acquire).is_ok()
    }

    /// # Safety
    /// As [`Group::is_done`].
    unsafe fn is_done(&self, position: usize) -> bool {
        // SAFETY: the position is one of a slot, by contract.
        let word = unsafe { self.word(position) };
        word.load(Acquire) == DONE // Pairs with the stores in `take` and `fill`.
    }
}
