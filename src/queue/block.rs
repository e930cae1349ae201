//! A block of the unbounded queue: groups of slots, and who is still at work in them.
//!
//! # Layout
//!
//! A block is a header and then [groups](super::group). Indexes go to two groups in turn, the lanes. With seven items to a
//! group, beside their states:
//!
//! ```text
//! group 0 | - s2 s4 s6 s8 s10 s12 s14 | value 2 | value 4 | ... | value 14 |     indexes 0, 2, 4 ... 14
//! group 1 | - s3 s5 s7 s9 s11 s13 s15 | value 3 | value 5 | ... | value 15 |     indexes 1, 3, 5 ... 15
//! group 2 ...                                                                    indexes 16, 18 ...
//! ```
//!
//! Two lanes, because neighbouring slots are used at the same time by different threads: on one line each would take it
//! from the other. More lanes were tried, 4 and 8, and were slower for two threads, which like to stay on a lane each.
//!
//! # When a block may be used again
//!
//! When all its slots are done with and those who drew an index beyond its end have left ([`Visits`]). Nobody counts that
//! in every operation: the block is looked through once, after the queue has moved on from it ([`Block::is_done`]).
//!
//! # Safety
//!
//! Blocks are raw memory behind raw pointers. Whoever holds an index that was drawn from a block, or owns the block
//! alone, may use it; the functions say which. The queue establishes it.
#![allow(unsafe_code)]

use super::group::Group;
use crate::primitive::{AtomicPtr, AtomicU32, Exclusive, IS_MODEL, UnsafeCell, alloc, dealloc, spin_loop};
use std::alloc::Layout;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Groups that take indexes in turn.
const LANES: usize = if IS_MODEL { 1 } else { 2 };

/// How long a pop waits for the push that drew its slot before it: first without, then with a pause of the core
/// (some 10 to 40 ns each). A push is there within a few line transfers unless its thread is not running.
const EAGER_LOOKS: u32 = if IS_MODEL { 1 } else { 32 };
const PATIENT_LOOKS: u32 = if IS_MODEL { 0 } else { 64 };

/// What a block and the bookkeeping of malloc may take together: two pages. Less under Miri, so that a few operations lead
/// from block to block.
const BLOCK_BYTES: usize = if cfg!(miri) { 512 } else { 8192 - 16 };

const HEADER_BYTES: usize = 64;

/// Blocks begin at multiples of this; the queue packs an index into the bits that are zero for it.
pub(super) const ALIGN: usize = 256;

/// Those who drew an index beyond the end of a block, and so found no slot but hold the block all the same.
#[derive(Debug)]
pub(super) struct Visits {
    /// How many there have been; 0 while there may be more.
    total: AtomicU32,
    /// How many of them have left.
    left: AtomicU32,
}

impl Visits {
    fn new() -> Self {
        Self { total: AtomicU32::new(0), left: AtomicU32::new(0) }
    }

    fn reset(&mut self) {
        self.total.set(0);
        self.left.set(0);
    }

    /// There will be no more: the queue has moved on after `total` visits, one of them the caller's.
    pub(super) fn close(&self, total: usize) {
        let total = u32::try_from(total).expect("an index has fewer bits");
        self.total.store(total, Relaxed); // Publishes nothing: the caller is yet to leave.
    }

    /// The caller uses the block no more.
    pub(super) fn leave(&self) {
        self.left.fetch_add(1, Release); // Pairs with the load in `are_over`; later ones continue the release.
    }

    fn are_over(&self) -> bool {
        let total = self.total.load(Relaxed); // What has to be seen is seen with `left`.
        total != 0 && self.left.load(Acquire) == total // Pairs with every addition in `leave`.
    }
}

/// The header; the groups follow it in memory.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Block<T, G> {
    /// The block after this one. Set once, by a push that holds this block.
    pub(super) next: AtomicPtr<Block<T, G>>,
    /// The next in a list of retired blocks; belongs to whoever owns the list.
    pub(super) retired_next: UnsafeCell<*mut Block<T, G>>,
    pub(super) pushers: Visits,
    pub(super) poppers: Visits,
    holds: PhantomData<(T, G)>,
}

impl<T, G: Group<T>> Block<T, G> {
    const GROUPS: usize = if IS_MODEL {
        2
    } else {
        let fitting = (BLOCK_BYTES - HEADER_BYTES) / size_of::<G>();
        if fitting < 4 { 4 } else { fitting / LANES * LANES }
    };

    /// Indexes from here on have no slot.
    pub(super) const END: usize = Self::GROUPS * G::STRIDE;

    /// The first index that has a slot.
    pub(super) const FIRST: usize = LANES * G::HOLES;

    /// Slots that as many groups as there are lanes have.
    const ROUND: usize = LANES * (G::STRIDE - G::HOLES);

    const OFFSET: usize = if align_of::<G>() > HEADER_BYTES { align_of::<G>() } else { HEADER_BYTES };

    pub(super) const LAYOUT: Layout = {
        assert!(size_of::<Self>() <= HEADER_BYTES || IS_MODEL, "the header has room");
        let header = if size_of::<Self>() > Self::OFFSET { size_of::<Self>() } else { Self::OFFSET };
        let header = header.next_multiple_of(Self::OFFSET);
        let align = if align_of::<G>() > ALIGN { align_of::<G>() } else { ALIGN };
        let Ok(layout) = Layout::from_size_align(header + Self::GROUPS * size_of::<G>(), align) else {
            panic!("values too large for a block")
        };
        layout
    };

    /// Whether `index`, which is below [`Block::END`], has a slot.
    #[inline]
    pub(super) fn has_slot(index: usize) -> bool {
        G::HOLES == 0 || !(index / LANES).is_multiple_of(G::STRIDE)
    }

    /// How many slots there are before `index`.
    pub(super) fn slots_before(index: usize) -> usize {
        let index = index.min(Self::END);
        let (rounds, rest) = (index / (LANES * G::STRIDE), index % (LANES * G::STRIDE));
        rounds * Self::ROUND + rest.saturating_sub(Self::FIRST)
    }

    /// The index up to which there are `count` slots from `index` on, or the end. `index` is below the end.
    pub(super) fn after_slots(index: usize, count: usize) -> usize {
        let number = Self::slots_before(index) + count - 1;
        let (rounds, rest) = (number / Self::ROUND, number.rem_euclid(Self::ROUND));
        (rounds * LANES * G::STRIDE + Self::FIRST + rest + 1).min(Self::END)
    }

    /// A block without values, which belongs to the caller, or nothing when memory is short.
    pub(super) fn allocate() -> Option<*mut Self> {
        // SAFETY: the layout is not empty: it holds the header.
        let block = unsafe { alloc(Self::LAYOUT) }.cast::<Self>();
        if block.is_null() {
            return None;
        }
        let header = Self {
            next: AtomicPtr::new(ptr::null_mut()),
            retired_next: UnsafeCell::new(ptr::null_mut()),
            pushers: Visits::new(),
            poppers: Visits::new(),
            holds: PhantomData,
        };
        // SAFETY: the memory is ours, and large and aligned enough, since it has the layout of a block.
        unsafe { block.write(header) };
        for number in 0..Self::GROUPS {
            // SAFETY: as above; `number` is below the number of groups.
            let group = unsafe { Self::group(block, number) };
            // SAFETY: as above.
            unsafe { group.write(G::new()) };
        }
        Some(block)
    }

    /// Gives the memory back. Values that are still in it are forgotten.
    ///
    /// # Safety
    /// The block came from [`Block::allocate`] and belongs to the caller alone, who uses it no more.
    pub(super) unsafe fn free(block: *mut Self) {
        if IS_MODEL {
            // SAFETY: the block is the caller's. It is of no use but to let the checker see that.
            unsafe { Self::reset(block) };
        }
        for number in 0..Self::GROUPS {
            // SAFETY: the block is whole, and `number` is below the number of groups.
            let group = unsafe { Self::group(block, number) };
            // SAFETY: the group was written by `allocate` and is the caller's.
            unsafe { ptr::drop_in_place(group) };
        }
        // SAFETY: the header was written by `allocate` and is the caller's.
        unsafe { ptr::drop_in_place(block) };
        // SAFETY: by contract it was allocated with this layout and is used no more.
        unsafe { dealloc(block.cast(), Self::LAYOUT) };
    }

    /// Makes the block as good as new.
    ///
    /// # Safety
    /// The block belongs to the caller alone.
    pub(super) unsafe fn reset(block: *mut Self) {
        for number in 0..Self::GROUPS {
            // SAFETY: the block is whole, and `number` is below the number of groups.
            let group = unsafe { Self::group(block, number) };
            // SAFETY: the group is the caller's alone.
            unsafe { &mut *group }.reset();
        }
        // SAFETY: the header is the caller's alone.
        let header = unsafe { &mut *block };
        header.next.set(ptr::null_mut());
        header.pushers.reset();
        header.poppers.reset();
    }

    /// Whether nobody is at work in this block any more, nor will be. Once that is so it stays so.
    ///
    /// # Safety
    /// The block belongs to the caller, but for those who still hold an index of it.
    pub(super) unsafe fn is_done(block: *mut Self) -> bool {
        // SAFETY: the block is alive by contract, and these fields are only used as shared.
        let header = unsafe { &*block };
        // From the end: the last slots are the ones that may be in use.
        header.pushers.are_over()
            && header.poppers.are_over()
            && (Self::FIRST..Self::END).rev().filter(|&index| Self::has_slot(index)).all(|index| {
                // SAFETY: the block is alive, and the index is one of a slot.
                let slot = unsafe { Self::slot(block, index) };
                slot.is_done()
            })
    }

    /// The slot with that index.
    ///
    /// # Safety
    /// The index is below [`Block::END`] and [has a slot](Block::has_slot); the block is alive for as long as the slot
    /// is used.
    #[inline]
    pub(super) unsafe fn slot<'a>(block: *mut Self, index: usize) -> Slot<'a, T, G> {
        // Remainders by another name, since clippy minds plain ones by 1, which these numbers are for a model.
        let (lane, round) = (index.rem_euclid(LANES), index / LANES);
        // SAFETY: the index is below the end, and the groups are a multiple of the lanes, so the group is there.
        let group = unsafe { Self::group(block, round / G::STRIDE * LANES + lane) };
        // SAFETY: the block is alive for as long as the slot, by contract, and a group is used as shared.
        let group = unsafe { &*group };
        Slot { group, position: round.rem_euclid(G::STRIDE), holds: PhantomData }
    }

    /// # Safety
    /// `number` is below [`Block::GROUPS`], and the block is alive.
    #[inline]
    unsafe fn group(block: *mut Self, number: usize) -> *mut G {
        let header = Self::LAYOUT.size() - Self::GROUPS * size_of::<G>();
        // SAFETY: the layout of a block has the groups after the header.
        let groups = unsafe { block.cast::<u8>().add(header) }.cast::<G>();
        // SAFETY: the group is inside the block by contract.
        unsafe { groups.add(number) }
    }
}

/// A place for one item, held by one push and one pop at most.
pub(super) struct Slot<'a, T, G> {
    group: &'a G,
    /// Where in the group: there is a slot, by the contract of [`Block::slot`].
    position: usize,
    holds: PhantomData<T>,
}

impl<T, G: Group<T>> Slot<'_, T, G> {
    /// Puts a copy of a parcel into a slot that nobody else knows yet.
    ///
    /// # Safety
    /// The block belongs to the caller alone.
    pub(super) unsafe fn prefill(&self, parcel: &G::Parcel) {
        // SAFETY: as for the caller; there is a slot.
        unsafe { self.group.prefill(self.position, parcel) };
    }

    /// Puts a copy of the parcel into the slot and says whether a pop will take it. If not, the caller still owns the
    /// item. The block may be gone when this returns.
    ///
    /// # Safety
    /// The caller is the one push that drew this index and has not called this before.
    #[inline]
    pub(super) unsafe fn fill(&self, parcel: &G::Parcel) -> bool {
        // SAFETY: as for the caller; there is a slot.
        unsafe { self.group.fill(self.position, parcel) }
    }

    /// Whether the push has left an item here for the pop.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        // SAFETY: there is a slot.
        unsafe { self.group.is_full(self.position) }
    }

    /// Takes the item out. The block may be gone when this returns.
    ///
    /// # Safety
    /// The caller is the one pop that drew this index, has not called this before, and has seen that the slot is full:
    /// [`is_full`](Slot::is_full), [`is_filled_in_time`](Slot::is_filled_in_time) or a vain [`abandon`](Slot::abandon).
    #[inline]
    pub(super) unsafe fn take(&self) -> T {
        // SAFETY: as for the caller; there is a slot.
        let parcel = unsafe { self.group.take(self.position) };
        // SAFETY: it was in a full slot, and nobody else takes it from there.
        unsafe { G::unpack(parcel) }
    }

    /// Waits for the push that draws this slot, for as long as one that is running may need.
    #[cold]
    pub(super) fn is_filled_in_time(&self) -> bool {
        for look in 0..EAGER_LOOKS + PATIENT_LOOKS {
            if self.is_full() {
                return true;
            }
            if look >= EAGER_LOOKS {
                spin_loop();
            }
        }
        false
    }

    /// Gives up on the push, which will find that nobody waits and go elsewhere. False if it has come after all. If true,
    /// the block may be gone.
    ///
    /// # Safety
    /// The caller is the one pop that drew this index, and does that once.
    pub(super) unsafe fn abandon(&self) -> bool {
        // SAFETY: as for the caller; there is a slot.
        unsafe { self.group.abandon(self.position) }
    }

    /// Whether both have finished with it.
    fn is_done(&self) -> bool {
        // SAFETY: there is a slot.
        unsafe { self.group.is_done(self.position) }
    }
}
