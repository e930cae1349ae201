//! A group: slots that lie together in a block of the unbounded queue, and how an item is handed over in one of them.
//!
//! # The life of a slot
//!
//! ```text
//! EMPTY --push--> FULL --pop--> DONE
//!   \--pop gives up--> ABANDONED --push finds it so--> DONE
//! ```
//!
//! An index is drawn by one push and one pop, so nobody else touches the slot. `DONE` is the last thing that either
//! writes to the block.
//!
//! There are two kinds of groups. [`Packed`](super::packed::Packed) takes any item and keeps a byte of state for it.
//! [`Words`](super::words::Words) takes pointers, and needs no byte: the states are addresses that no item has.
//!
//! # Safety
//!
//! Nothing is checked here: the block knows which position has a slot, and the queue who holds its index.
#![allow(unsafe_code)]

/// Slots side by side in memory. Every group of a block has as many.
///
/// # Safety (of all functions with a position)
/// The position is one of a slot: below [`Group::STRIDE`], and not below [`Group::HOLES`].
pub trait Group<T>: Sized {
    /// Indexes that a group takes.
    const STRIDE: usize;

    /// How many of them, the first ones, have no slot.
    const HOLES: usize;

    /// An item on its way into a slot or out of it. Dropping it does not drop the item.
    type Parcel;

    /// An item as a slot takes it.
    fn pack(item: T) -> Self::Parcel;

    /// The item back.
    ///
    /// # Safety
    /// The parcel is one that [`pack`](Group::pack) made, or [`take`](Group::take) returned, and no other copy of it is
    /// unpacked.
    unsafe fn unpack(parcel: Self::Parcel) -> T;

    /// A group whose slots are all empty.
    fn new() -> Self;

    /// Makes it as good as new.
    fn reset(&mut self);

    /// Puts a copy of a parcel into a slot that nobody else knows yet. It is published by whatever publishes the block.
    ///
    /// # Safety
    /// That of the position, and the group belongs to the caller alone.
    unsafe fn prefill(&self, position: usize, parcel: &Self::Parcel);

    /// Puts a copy of the parcel into the slot and says whether a pop will take it. If not, the caller still owns the
    /// item. The group may be gone when this returns.
    ///
    /// # Safety
    /// That of the position, and the caller is the one push that drew this slot and has not called this before.
    unsafe fn fill(&self, position: usize, parcel: &Self::Parcel) -> bool;

    /// Whether the push has left an item here for the pop, which has neither taken it nor given it up.
    ///
    /// # Safety
    /// That of the position.
    unsafe fn is_full(&self, position: usize) -> bool;

    /// Takes the item out. The group may be gone when this returns.
    ///
    /// # Safety
    /// That of the position, and the caller is the one pop that drew this slot, has not called this before, and has seen
    /// that the slot is full: [`is_full`](Group::is_full) or a vain [`abandon`](Group::abandon).
    unsafe fn take(&self, position: usize) -> Self::Parcel;

    /// Gives up on the push, which will find that nobody waits and go elsewhere. False if it has come after all. If true,
    /// the group may be gone.
    ///
    /// # Safety
    /// That of the position, and the caller is the one pop that drew this slot, and does that once.
    unsafe fn abandon(&self, position: usize) -> bool;

    /// Whether both the push and the pop are through with the slot. What they did is then known to have happened.
    ///
    /// # Safety
    /// That of the position.
    unsafe fn is_done(&self, position: usize) -> bool;
}
