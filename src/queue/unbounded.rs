//! The unbounded queue.
//!
//! # How it works
//!
//! Items lie in a chain of blocks ([`block`](super::block)), each in a slot ([`group`](super::group)). `tail` and
//! `head` are one word each: the address of a block and an index into it. A push adds one to `tail`, and what was
//! there before is the slot that it has drawn; no other push draws it, so it is never tried twice for it. A pop does
//! the same with `head`.
//!
//! A pop may draw a slot whose push has not come by yet. It waits a little and then abandons the slot; the push finds
//! it abandoned and draws another. So a thread that is stopped in the middle costs a slot, and holds up nobody.
//!
//! # From block to block
//!
//! Indexes beyond the end of a block are drawn as well. Whoever draws one is a *visitor*: it helps to move the word to
//! the next block and tries again. A push makes the next block, puts its item into the first slot and links it: so out
//! of the pushes that find a block full one succeeds, whatever the pops do meanwhile. `head` leaves a block after
//! `tail` has.
//!
//! Who may still use a block is known without epochs or hazard pointers, because each index is drawn once: a slot is in
//! use until it is done, and how many visitors there were is the index that the word had when it was moved on. The
//! pop that moves `head` on puts the block on a list of retired ones, and looks through that list for blocks that nobody
//! uses; one is kept to be used again, the others are freed. A thread that is stopped inside an operation keeps one block
//! from that, and no other; one that is stopped while it looks through the list keeps those that were in it.
//!
//! # Empty or not
//!
//! A queue is empty when `head` has reached `tail`. A look at both before each pop would cost two transfers of cache
//! lines more than the addition, so a pop is *bold* as long as that goes well: it draws, and looks at `tail` only if its
//! slot turns out not to be full. If `tail` has not come by there the queue is empty; the slot is abandoned, and from
//! then on pops are careful, until they have found something often enough in a row. A careful pop looks first. Even
//! that does not read `tail` each time: beside `head` stands how far `tail` was known to be, and that may be out of date
//! in either direction, at the price of a wasted slot.
//!
//! Two words cannot be read at once, and a block that is used again may make old and new look alike;
//! [`Queue::is_empty`] therefore counts the blocks that came into use in between. A pop that has drawn a slot knows that
//! its block is not used again before it is done.
//!
//! # Where it comes from
//!
//! Drawing slots by addition and abandoning them is from LCRQ (Morrison, Afek, 2013) and its descendants; block and
//! index in one word, and blocks that need no reclamation scheme, from LOO (Giersch, Nolte, 2022). Packing values
//! with their states, the lazy inspection of retired blocks and the rest are ours.
//!
//! # What was tried besides
//!
//! Under pairs of operations with 50 to 150 ns of own work, on two processors, these made no difference: to fetch the
//! line of a slot ahead of its use, to count the uses of a block in its states instead of resetting them, slots
//! without holes by a division, blocks of 2 or 32 KiB. A push that stores its state instead of adding it would be
//! cheaper, and loses items. Back to back, without any work in between, queues whose threads step back from each other
//! are faster, because one thread then keeps the lines. Pauses of 2 microseconds after several draws in a row that met
//! another thread's gave that here, too: two threads made 1.2 to 1.4 times as many pairs as crossbeam's SegQueue, and
//! not 0.4 to 0.9 times. But to notice the other takes a look at the word after each draw, and pairs with work lost 1
//! to 18 percent by it; fewer looks noticed too little. So it is not in. What is left is the transfer of `head`, of
//! `tail` and of the slots that cross from one processor to the other.
//!
//! # Order
//!
//! `tail` and `head` are changed and, where it is about being empty, read with `SeqCst`: a pop that finds nothing has to
//! agree with pops and pushes on other queues about what came first. A push takes effect when it draws the slot that it
//! fills, a pop when it draws its slot or, if that came first, right after the push drew it. A pop that finds nothing
//! takes effect when it reads `tail`: all that was pushed lies before its own slot, and has been drawn by other pops.
//!
//! # Safety
//!
//! A block is used only by those who drew an index from it and have not yet finished with that, and by the owner of the
//! list of retired blocks; what "finished" means is said above.
#![allow(unsafe_code)]

use super::block::{ALIGN, Block, Slot};
use super::group::Group;
use super::packed::Packed;
use super::words::{Pointer, Words};
use crate::primitive::{AtomicBool, AtomicPtr, AtomicUsize, IS_MODEL};
use crate::util::padded::Padded;
use std::alloc::handle_alloc_error;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use std::{fmt, ptr};

/// Bits of a word that hold an address, without those that are zero because of its alignment, end here.
const ADDRESS_BITS: u32 = 48;
const SHIFT: u32 = usize::BITS - ADDRESS_BITS;
/// Each thread draws at most three indexes beyond the end of a block, and Linux has at most 2^22 threads.
const INDEX_MASK: usize = (ALIGN << SHIFT) - 1;

const _: () = assert!(usize::BITS == 64 && INDEX_MASK >= 3 << 22 | 0xF_FFFF);

/// So many items that careful pops saw, and no empty queue in between, make them bold. A bold pop that finds nothing
/// costs a slot and a push its second attempt; one such among so many pops is little.
const BOLD_AFTER: usize = if IS_MODEL { 1 } else { 64 };

/// The most slots that a batch claims at once. A thread that is stopped then holds so many, each of which costs a pop its
/// patience; more than this many are hardly faster.
const CLAIM: usize = if IS_MODEL { 2 } else { 64 };

/// What stands in `head` and `tail`: an address and an index. Adding one to the word adds one to the index.
struct Place<T, G> {
    word: usize,
    of: PhantomData<*mut Block<T, G>>,
}

impl<T, G> Clone for Place<T, G> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, G> Copy for Place<T, G> {}

impl<T, G> Place<T, G> {
    fn from_word(word: usize) -> Self {
        Self { word, of: PhantomData }
    }

    fn new(block: *mut Block<T, G>, index: usize) -> Self {
        Self::from_word((block.expose_provenance() << SHIFT) + index)
    }

    #[inline]
    fn block(self) -> *mut Block<T, G> {
        ptr::with_exposed_provenance_mut((self.word & !INDEX_MASK) >> SHIFT)
    }

    #[inline]
    fn index(self) -> usize {
        self.word & INDEX_MASK
    }

    /// Whether this is in the same block as `other` and after it.
    #[inline]
    fn is_shortly_after(self, other: Self) -> bool {
        // Two blocks are further apart than any two indexes.
        self.word.wrapping_sub(other.word).wrapping_sub(1) < INDEX_MASK
    }
}

/// An unbounded queue for any number of pushing and popping threads.
///
/// Every operation is lock-free: a thread that is stopped anywhere inside one does not keep the others from finishing
/// theirs, as long as the allocator, which a push asks for memory once in several hundred items, does not either. It is
/// not wait-free: a push whose slots are abandoned again and again, or a pop that abandons them, may take long.
///
/// Memory: a block of about 8 KiB when empty, and one more that is kept for reuse. An item of eight bytes takes 9.3;
/// smaller ones take 8 / 7 bytes more than their size. Large items make large blocks (at least 28 items). A thread that
/// is stopped inside an operation keeps at most one block from being used again, and one that is stopped while it looks
/// through the retired blocks, which a pop does once in several hundred, those that were retired by then. A block at an
/// address of more than 48 bits, which Linux gives only on request, counts as memory that is short.
///
/// A queue may be dropped in any state and drops the items in it. Nothing of `T` runs inside an operation, so a panic
/// cannot leave the queue in disorder.
///
/// ```
/// use toolbox::queue::Queue;
///
/// let queue = Queue::new();
/// std::thread::scope(|scope| {
///     scope.spawn(|| (0..1000).for_each(|number| queue.push(number)));
/// });
/// assert_eq!(queue.pop(), Some(0));
/// assert_eq!(queue.len(), 999);
/// ```
pub struct Queue<T, G: Group<T> = Packed<T>> {
    head: Padded<Head>,
    tail: Padded<AtomicUsize>,
    rest: Padded<Rest<T, G>>,
    owns: PhantomData<T>,
}

/// A [`Queue`] of what is no more than a pointer: boxes, `Arc`s, references, and whatever else is a [`Pointer`].
///
/// It takes 8.1 bytes an item in place of 9.3, and is the same otherwise.
///
/// ```
/// use toolbox::queue::PointerQueue;
///
/// let queue = PointerQueue::of_pointers();
/// queue.push(Box::new("hello"));
/// assert_eq!(queue.pop().as_deref(), Some(&"hello"));
/// ```
pub type PointerQueue<T> = Queue<T, Words>;

struct Head {
    place: AtomicUsize,
    /// A place that `tail` was seen to have reached, in `head`'s block if it is up to date.
    known: AtomicUsize,
    /// How many items careful pops have seen since the queue was last found empty, or pops became careful. A guess: additions
    /// of two threads at once may count as one.
    streak: AtomicUsize,
}

/// What is written once per block, or seldom.
struct Rest<T, G> {
    /// Whether pops draw without a look at `tail`.
    is_bold: AtomicBool,
    /// A block to be used next, or null.
    spare: AtomicPtr<Block<T, G>>,
    /// Blocks that `head` has left and that may still be in use: a list through `retired_next`.
    retired: AtomicPtr<Block<T, G>>,
    /// How often a block came into use, or was about to.
    installs: AtomicUsize,
    /// How often `tail` has moved to another block.
    tail_moves: AtomicUsize,
    /// How often `head` has.
    head_moves: AtomicUsize,
}

/// What a pop finds that drew a slot before the push.
enum Late {
    /// The push has come.
    Filled,
    /// No push has come that far, and the slot is abandoned: the queue is empty.
    Empty,
    /// A push is on its way and did not come in time; the slot is abandoned.
    Abandoned,
}

/// What became of a push that drew an index beyond the end.
enum Beyond {
    /// The item is in the next block.
    Placed,
    /// `tail` is on another block: try again.
    Moved,
    /// There is no memory for another block.
    NoMemory,
}

// SAFETY: the queue owns its items and hands each to one thread, so they have to be `Send`; it never shares one.
unsafe impl<T: Send, G: Group<T>> Send for Queue<T, G> {}
// SAFETY: as above: all that can be done through a shared queue is to move items in and out.
unsafe impl<T: Send, G: Group<T>> Sync for Queue<T, G> {}

impl<T, G: Group<T>> UnwindSafe for Queue<T, G> {}
impl<T, G: Group<T>> RefUnwindSafe for Queue<T, G> {}

impl<T> Queue<T> {
    /// An empty queue. Allocates its first block.
    pub fn new() -> Self {
        Self::empty()
    }
}

impl<T: Pointer> PointerQueue<T> {
    /// An empty queue of pointers. Allocates its first block.
    pub fn of_pointers() -> Self {
        Self::empty()
    }
}

impl<T, G: Group<T>> Queue<T, G> {
    fn empty() -> Self {
        let first = Self::allocate().unwrap_or_else(|| handle_alloc_error(Block::<T, G>::LAYOUT));
        let start = Place::new(first, Block::<T, G>::FIRST).word;
        Self {
            head: Padded(Head {
                place: AtomicUsize::new(start),
                known: AtomicUsize::new(start),
                streak: AtomicUsize::new(0),
            }),
            tail: Padded(AtomicUsize::new(start)),
            rest: Padded(Rest {
                is_bold: AtomicBool::new(true),
                spare: AtomicPtr::new(ptr::null_mut()),
                retired: AtomicPtr::new(ptr::null_mut()),
                installs: AtomicUsize::new(0),
                tail_moves: AtomicUsize::new(0),
                head_moves: AtomicUsize::new(0),
            }),
            owns: PhantomData,
        }
    }

    /// Puts an item at the end.
    ///
    /// Ends the process as any allocation does when memory is short; [`Queue::try_push`] does not.
    #[inline]
    pub fn push(&self, item: T) {
        if self.try_push(item).is_err() {
            handle_alloc_error(Block::<T, G>::LAYOUT);
        }
    }

    /// Puts an item at the end.
    ///
    /// # Errors
    /// Gives the item back when a new block is needed and there is no memory for it.
    #[inline]
    pub fn try_push(&self, item: T) -> Result<(), T> {
        // A copy in a slot is what is handed over; this one is only taken up again if none was.
        let item = G::pack(item);
        loop {
            // The block is ours to use from here on, since `tail` is still on it: pairs with the exchange in `grow`.
            let place = Place::<T, G>::from_word(self.tail.fetch_add(1, SeqCst));
            let index = place.index();
            if index >= Block::<T, G>::END {
                match self.grow(place.block(), &item) {
                    Beyond::Placed => return Ok(()),
                    Beyond::Moved => continue,
                    // SAFETY: it was packed above, and no slot has taken it over.
                    Beyond::NoMemory => return Err(unsafe { G::unpack(item) }),
                }
            }
            if !Block::<T, G>::has_slot(index) {
                continue;
            }
            // SAFETY: the index is that of a slot; the block is in use until the slot is done, which takes this push.
            let slot = unsafe { Block::slot(place.block(), index) };
            // SAFETY: no other push has drawn this index.
            if unsafe { slot.fill(&item) } {
                return Ok(());
            }
        }
    }

    /// Takes the item at the front, or `None` if there is none.
    #[inline]
    pub fn pop(&self) -> Option<T> {
        loop {
            if !self.rest.is_bold.load(Relaxed) && !self.may_have_more() {
                return None;
            }
            // The block is ours to use from here on, since `head` is still on it: pairs with the exchange in `advance`.
            let place = Place::<T, G>::from_word(self.head.place.fetch_add(1, SeqCst));
            let index = place.index();
            if index >= Block::<T, G>::END {
                if !self.advance(place.block()) {
                    return None;
                }
                continue;
            }
            if !Block::<T, G>::has_slot(index) {
                continue;
            }
            // SAFETY: the index is that of a slot; the block is in use until the slot is done, which takes this pop.
            let slot = unsafe { Block::slot(place.block(), index) };
            if !slot.is_full() {
                match self.wait(place, &slot) {
                    Late::Filled => {}
                    Late::Empty => return None,
                    Late::Abandoned => continue,
                }
            }
            // SAFETY: no other pop has drawn this index, and the slot is full.
            return Some(unsafe { slot.take() });
        }
    }

    /// Puts all of `items` at the end, in their order, and leaves the vector empty, with its memory.
    ///
    /// A batch is as many pushes, one after the other, and items of other threads may come in between; but it claims up to
    /// 64 slots at once. Ends the process when memory is short, as [`Queue::push`] does.
    ///
    /// ```
    /// let queue = toolbox::queue::Queue::new();
    /// let mut items = vec!['a', 'b', 'c'];
    /// queue.push_batch(&mut items);
    /// assert_eq!(queue.pop_batch(&mut items, 2), 2);
    /// assert_eq!(items, ['a', 'b']);
    /// ```
    pub fn push_batch(&self, items: &mut Vec<T>) {
        // Everything that is claimed for is at hand, and nothing of `T` runs: each slot that is claimed is filled.
        let mut rest = items.drain(..);
        let mut held = None;
        while let Some(item) = held.take().or_else(|| rest.next()) {
            let Some((block, indexes)) = self.claim_for_push(1 + rest.len()) else {
                self.push(item);
                continue;
            };
            held = Some(item);
            for index in indexes.filter(|&index| Block::<T, G>::has_slot(index)) {
                let item = held.take().or_else(|| rest.next()).expect("there are no more slots than items");
                let item = G::pack(item);
                // SAFETY: the index is that of a slot; the block is in use until the slot is done, which takes this push.
                let slot = unsafe { Block::slot(block, index) };
                // SAFETY: no other push has drawn this index.
                if !unsafe { slot.fill(&item) } {
                    // SAFETY: it was packed above, and the slot has not taken it over.
                    held = Some(unsafe { G::unpack(item) });
                }
            }
        }
    }

    /// Takes up to `limit` items from the front, adds them to `items` in their order, and says how many there were: fewer
    /// than `limit` only if none was left at some instant during the call.
    ///
    /// A batch is as many pops, one after the other, and other threads may take items in between; but it claims up to 64 at
    /// once.
    ///
    /// # Panics
    /// As [`Vec::reserve`] does, before any item is taken that would not fit.
    pub fn pop_batch(&self, items: &mut Vec<T>, limit: usize) -> usize {
        let mut left = limit;
        while left > 0 {
            items.reserve(left.min(CLAIM));
            let Some((block, indexes)) = self.claim_for_pop(left) else {
                let Some(item) = self.pop() else { break };
                items.push(item);
                left -= 1;
                continue;
            };
            for index in indexes.filter(|&index| Block::<T, G>::has_slot(index)) {
                // SAFETY: the index is that of a slot; the block is in use until the slot is done, which takes this pop.
                let slot = unsafe { Block::slot(block, index) };
                if slot.is_full() || matches!(self.wait(Place::new(block, index), &slot), Late::Filled) {
                    // SAFETY: no other pop has drawn this index, and the slot is full.
                    items.push(unsafe { slot.take() });
                    left -= 1;
                }
            }
        }
        limit - left
    }

    /// Whether there was no item at some instant during the call. `true` is exact; `false` may also mean that a push has
    /// been begun whose item is not there yet.
    pub fn is_empty(&self) -> bool {
        loop {
            // Pairs with the addition in `fresh`. A block that comes into use again after `head` was read adds to it first.
            let installs = self.rest.installs.load(SeqCst);
            let head = Place::<T, G>::from_word(self.head.place.load(SeqCst));
            let tail = Place::<T, G>::from_word(self.tail.load(SeqCst));
            if head.block() != tail.block() {
                return false;
            }
            if Block::<T, G>::slots_before(head.index()) < Block::<T, G>::slots_before(tail.index()) {
                return false;
            }
            if self.rest.installs.load(SeqCst) == installs {
                return true;
            }
        }
    }

    /// How many items there are: exact while no other thread is at work in the queue, and otherwise off by what they
    /// are doing and, while one of them moves to another block, by the items of a block.
    pub fn len(&self) -> usize {
        let moves = self.rest.tail_moves.load(Relaxed).wrapping_sub(self.rest.head_moves.load(Relaxed));
        let head = Place::<T, G>::from_word(self.head.place.load(SeqCst));
        let tail = Place::<T, G>::from_word(self.tail.load(SeqCst));
        let blocks = isize::try_from(moves).unwrap_or(0);
        let slots = |index| Block::<T, G>::slots_before(index).cast_signed();
        let items = blocks * slots(Block::<T, G>::END) + slots(tail.index()) - slots(head.index());
        usize::try_from(items).unwrap_or(0)
    }

    /// Takes items from the front until there is none. What is pushed meanwhile is taken as well.
    ///
    /// Dropping the iterator early leaves the remaining items where they are.
    pub fn drain(&self) -> Drain<'_, T, G> {
        Drain { queue: self }
    }

    /// Claims up to `limit` slots for a push, or none if that takes another block.
    ///
    /// By an exchange: an addition of more than one could draw many indexes beyond the end.
    fn claim_for_push(&self, limit: usize) -> Option<(*mut Block<T, G>, Range<usize>)> {
        let mut seen = Place::<T, G>::from_word(self.tail.load(Relaxed));
        while limit > 1 && seen.index() < Block::<T, G>::END {
            let indexes = seen.index()..Block::<T, G>::after_slots(seen.index(), limit.min(CLAIM));
            // The block is ours to use, as after the addition in `try_push`.
            match self.tail.compare_exchange(seen.word, seen.word + indexes.len(), SeqCst, Relaxed) {
                Ok(_) => return Some((seen.block(), indexes)),
                Err(word) => seen = Place::from_word(word),
            }
        }
        None
    }

    /// Claims up to `limit` slots that pushes have drawn for a pop, or none if there are none in this block. If the block is
    /// used again meanwhile, pushes may not have come by all of them.
    fn claim_for_pop(&self, limit: usize) -> Option<(*mut Block<T, G>, Range<usize>)> {
        let mut seen = Place::<T, G>::from_word(self.head.place.load(Relaxed));
        while limit > 1 && seen.index() < Block::<T, G>::END {
            let tail = Place::<T, G>::from_word(self.tail.load(SeqCst));
            let drawn = if tail.block() == seen.block() { tail.index() } else { Block::<T, G>::END };
            if drawn <= seen.index() {
                break;
            }
            let indexes = seen.index()..Block::<T, G>::after_slots(seen.index(), limit.min(CLAIM)).min(drawn);
            // The block is ours to use, as after the addition in `pop`.
            match self.head.place.compare_exchange(seen.word, seen.word + indexes.len(), SeqCst, Relaxed) {
                Ok(_) => return Some((seen.block(), indexes)),
                Err(word) => seen = Place::from_word(word),
            }
        }
        None
    }

    /// Waits for the push that fills the slot at `place`, which this pop has drawn, or gives it up.
    #[cold]
    fn wait(&self, place: Place<T, G>, slot: &Slot<'_, T, G>) -> Late {
        let tail = Place::<T, G>::from_word(self.tail.load(SeqCst));
        let is_empty = tail.block() == place.block() && tail.index() <= place.index();
        if !is_empty && slot.is_filled_in_time() {
            return Late::Filled;
        }
        // SAFETY: no other pop has drawn this index, and this is the only place where one gives it up.
        if !unsafe { slot.abandon() } {
            return Late::Filled;
        }
        if is_empty {
            self.found_empty();
            return Late::Empty;
        }
        Late::Abandoned
    }

    /// Makes pops careful, and uses the time.
    fn found_empty(&self) {
        self.rest.is_bold.store(false, Relaxed);
        self.head.streak.store(0, Relaxed);
        self.sweep_retired();
    }

    /// Whether there may be something for a pop. `false` is certain.
    #[inline(never)]
    fn may_have_more(&self) -> bool {
        let place = Place::<T, G>::from_word(self.head.place.load(Relaxed));
        let known = Place::from_word(self.head.known.load(Relaxed));
        known.is_shortly_after(place) || self.has_more(place)
    }

    /// Whether there may be something for a pop at `place`. `false` is certain.
    #[cold]
    fn has_more(&self, place: Place<T, G>) -> bool {
        let tail = Place::<T, G>::from_word(self.tail.load(SeqCst));
        let end = if tail.block() == place.block() { tail.index().min(Block::<T, G>::END) } else { Block::<T, G>::END };
        if end <= place.index() && tail.block() == place.block() && self.is_empty() {
            self.found_empty();
            return false;
        }
        let streak = self.head.streak.load(Relaxed).saturating_add(end.saturating_sub(place.index()));
        self.head.streak.store(streak, Relaxed);
        if streak >= BOLD_AFTER {
            self.rest.is_bold.store(true, Relaxed);
        }
        self.head.known.store(Place::new(place.block(), end).word, Relaxed);
        true
    }

    /// Moves `tail` on from a full block, as a visitor of it, and ends the visit.
    #[cold]
    fn grow(&self, block: *mut Block<T, G>, item: &G::Parcel) -> Beyond {
        // SAFETY: a visitor of a block may use it until it leaves.
        let header = unsafe { &*block };
        let mut next = header.next.load(Acquire); // Pairs with the exchange below.
        let mut outcome = Beyond::Moved;
        if next.is_null() {
            let Some(fresh) = self.fresh(item) else { return self.give_up(block) };
            // Pairs with the loads of `next`: what `fresh` has written to the block is seen with it.
            match header.next.compare_exchange(ptr::null_mut(), fresh, AcqRel, Acquire) {
                Ok(_) => (next, outcome) = (fresh, Beyond::Placed),
                Err(other) => {
                    next = other;
                    // SAFETY: the block was never linked, so it is still ours; its item is a copy that counts for nothing.
                    unsafe { self.recycle(fresh) };
                }
            }
        }
        let target = Place::new(next, Block::<T, G>::FIRST + 1).word;
        let mut seen = Place::<T, G>::from_word(self.tail.load(Relaxed));
        while seen.block() == block {
            // Pairs with the additions and loads of `tail`: who sees the block there sees what is in it.
            match self.tail.compare_exchange(seen.word, target, SeqCst, Relaxed) {
                Ok(_) => {
                    self.rest.tail_moves.fetch_add(1, Relaxed);
                    header.pushers.close(seen.index() - Block::<T, G>::END);
                    break;
                }
                Err(word) => seen = Place::from_word(word),
            }
        }
        header.pushers.leave();
        outcome
    }

    /// Takes back the visit of a push that has no memory for the next block, unless `tail` has moved on without it.
    fn give_up(&self, block: *mut Block<T, G>) -> Beyond {
        let mut seen = Place::<T, G>::from_word(self.tail.load(Relaxed));
        while seen.block() == block {
            // The index says how many visits there were. This one was none.
            match self.tail.compare_exchange(seen.word, seen.word - 1, SeqCst, Relaxed) {
                Ok(_) => return Beyond::NoMemory,
                Err(word) => seen = Place::from_word(word),
            }
        }
        // SAFETY: a visitor of a block may use it until it leaves.
        unsafe { &*block }.pushers.leave();
        Beyond::Moved
    }

    /// Moves `head` on from a block that is used up, as a visitor of it, and ends the visit. `false` if there is no block
    /// to move to, because the queue is empty.
    #[cold]
    fn advance(&self, block: *mut Block<T, G>) -> bool {
        // SAFETY: a visitor of a block may use it until it leaves.
        let header = unsafe { &*block };
        if Place::<T, G>::from_word(self.tail.load(SeqCst)).block() == block {
            // All slots have been drawn by pops, and no push has begun another block.
            self.turn_back(block);
            return false;
        }
        let next = header.next.load(Relaxed); // `tail` has moved there, and that was acquired above.
        let target = Place::new(next, Block::<T, G>::FIRST).word;
        let mut seen = Place::<T, G>::from_word(self.head.place.load(Relaxed));
        while seen.block() == block {
            // Pairs with the additions to `head`: who draws from the next block sees what is in it.
            match self.head.place.compare_exchange(seen.word, target, SeqCst, Relaxed) {
                Ok(_) => {
                    self.rest.head_moves.fetch_add(1, Relaxed);
                    header.poppers.close(seen.index() - Block::<T, G>::END);
                    header.poppers.leave();
                    // SAFETY: `head` has left the block by the exchange above, and `tail` had before; so nobody else does.
                    unsafe { self.retire(block) };
                    return true;
                }
                Err(word) => seen = Place::from_word(word),
            }
        }
        header.poppers.leave();
        true
    }

    /// Takes back the visit of a pop that found the queue empty, unless `head` has moved on since: otherwise pops on an
    /// empty queue could use up all indexes.
    fn turn_back(&self, block: *mut Block<T, G>) {
        let mut seen = Place::<T, G>::from_word(self.head.place.load(Relaxed));
        while seen.block() == block {
            // The index says how many visits there were. This one was none.
            match self.head.place.compare_exchange(seen.word, seen.word - 1, SeqCst, Relaxed) {
                Ok(_) => return self.found_empty(),
                Err(word) => seen = Place::from_word(word),
            }
        }
        // SAFETY: a visitor of a block may use it until it leaves.
        unsafe { &*block }.poppers.leave();
    }

    /// A block with `item` in its first slot, or nothing when memory is short.
    fn fresh(&self, item: &G::Parcel) -> Option<*mut Block<T, G>> {
        // Pairs with the exchange in `recycle`.
        let spare = self.rest.spare.swap(ptr::null_mut(), Acquire);
        let block = if spare.is_null() { Self::allocate()? } else { spare };
        // SAFETY: the block is alive, and its first slot is one.
        let slot = unsafe { Block::slot(block, Block::<T, G>::FIRST) };
        // SAFETY: nobody else knows the block.
        unsafe { slot.prefill(item) };
        self.rest.installs.fetch_add(1, SeqCst); // Pairs with the loads in `is_empty`.
        Some(block)
    }

    /// A new block, or nothing when memory is short or its address does not fit into a word.
    fn allocate() -> Option<*mut Block<T, G>> {
        let block = Block::allocate()?;
        if block.addr() >> ADDRESS_BITS != 0 {
            // SAFETY: it was just allocated, and is ours.
            unsafe { Block::free(block) };
            return None;
        }
        Some(block)
    }

    /// Takes over a block that `head` has left.
    ///
    /// # Safety
    /// Neither `head` nor `tail` will be on this block again, and nobody else retires it.
    unsafe fn retire(&self, block: *mut Block<T, G>) {
        let list = self.rest.retired.swap(ptr::null_mut(), Acquire); // Pairs with the exchange in `sweep`.
        // SAFETY: the block is alive until it is swept, and this field is the caller's.
        unsafe { &*block }.retired_next.with_mut(|next| {
            // SAFETY: as above.
            unsafe { next.write(list) }
        });
        // SAFETY: both the block and the list that was taken are ours.
        unsafe { self.sweep(block) };
    }

    /// Looks once more whether retired blocks are still in use.
    fn sweep_retired(&self) {
        if !self.rest.retired.load(Relaxed).is_null() {
            let list = self.rest.retired.swap(ptr::null_mut(), Acquire); // Pairs with the exchange in `sweep`.
            // SAFETY: who takes the list owns it.
            unsafe { self.sweep(list) };
        }
    }

    /// Recycles those blocks of a list that nobody uses any more, and puts the others back on `retired`.
    ///
    /// # Safety
    /// The list is the caller's, and all blocks in it are retired.
    unsafe fn sweep(&self, mut list: *mut Block<T, G>) {
        while !list.is_null() {
            let block = list;
            // SAFETY: the block is alive, and the field belongs to the owner of the list.
            list = unsafe { &*block }.retired_next.with(|next| {
                // SAFETY: as above.
                unsafe { next.read() }
            });
            // SAFETY: the block is ours but for those who hold an index.
            if unsafe { Block::is_done(block) } {
                // SAFETY: nobody holds an index of it any more, and nobody will.
                unsafe { self.recycle(block) };
            } else {
                // SAFETY: it is ours and retired.
                unsafe { self.put_back(block) };
            }
        }
    }

    /// Puts one block on the list of retired ones.
    ///
    /// # Safety
    /// The block is retired and the caller's.
    unsafe fn put_back(&self, block: *mut Block<T, G>) {
        let mut top = self.rest.retired.load(Relaxed);
        loop {
            // SAFETY: the block is alive, and the field is ours until the exchange below.
            unsafe { &*block }.retired_next.with_mut(|next| {
                // SAFETY: as above.
                unsafe { next.write(top) }
            });
            // Pairs with the swaps that take the list.
            match self.rest.retired.compare_exchange(top, block, Release, Relaxed) {
                Ok(_) => return,
                Err(other) => top = other,
            }
        }
    }

    /// Keeps a block as the spare one, or frees it if there is one.
    ///
    /// # Safety
    /// The block belongs to the caller alone; what is in it counts for nothing.
    unsafe fn recycle(&self, block: *mut Block<T, G>) {
        if self.rest.spare.load(Relaxed).is_null() {
            // SAFETY: it is ours alone.
            unsafe { Block::reset(block) };
            // Pairs with the swap in `fresh`.
            if self.rest.spare.compare_exchange(ptr::null_mut(), block, Release, Relaxed).is_ok() {
                return;
            }
        }
        // SAFETY: it is ours alone.
        unsafe { Block::free(block) };
    }
}

impl<T, G: Group<T>> Default for Queue<T, G> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T, G: Group<T>> fmt::Debug for Queue<T, G> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Queue").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<T, G: Group<T>> Drop for Queue<T, G> {
    fn drop(&mut self) {
        /// Goes on if dropping an item panics: drops the items after that one and frees the blocks.
        struct Blocks<'a, T, G: Group<T>>(&'a Queue<T, G>);

        impl<T, G: Group<T>> Drop for Blocks<'_, T, G> {
            fn drop(&mut self) {
                self.0.drain().for_each(drop);
                let rest = &self.0.rest;
                let mut block = Place::<T, G>::from_word(self.0.head.place.load(Relaxed)).block();
                while !block.is_null() {
                    // SAFETY: the chain from `head` on is alive.
                    let next = unsafe { &*block }.next.load(Relaxed);
                    // SAFETY: the queue is being dropped: nobody else uses it, and here each block is seen once.
                    unsafe { Block::free(block) };
                    block = next;
                }
                let mut retired = rest.retired.load(Relaxed);
                while !retired.is_null() {
                    // SAFETY: blocks in the list are alive.
                    let next = unsafe { &*retired }.retired_next.with(|next| {
                        // SAFETY: the list belongs to the queue.
                        unsafe { next.read() }
                    });
                    // SAFETY: as for the chain.
                    unsafe { Block::free(retired) };
                    retired = next;
                }
                let spare = rest.spare.load(Relaxed);
                if !spare.is_null() {
                    // SAFETY: as for the chain.
                    unsafe { Block::free(spare) };
                }
            }
        }

        let blocks = Blocks(self);
        blocks.0.drain().for_each(drop);
    }
}

impl<T, G: Group<T>> Extend<T> for Queue<T, G> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T> FromIterator<T> for Queue<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut queue = Self::new();
        queue.extend(items);
        queue
    }
}

impl<T, G: Group<T>> IntoIterator for Queue<T, G> {
    type Item = T;
    type IntoIter = IntoIter<T, G>;

    fn into_iter(self) -> IntoIter<T, G> {
        IntoIter { queue: self }
    }
}

/// Items taken from the front of a shared queue; see [`Queue::drain`].
#[derive(Debug)]
pub struct Drain<'a, T, G: Group<T> = Packed<T>> {
    queue: &'a Queue<T, G>,
}

impl<T, G: Group<T>> Iterator for Drain<'_, T, G> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop()
    }
}

/// The items of a queue, in order.
#[derive(Debug)]
pub struct IntoIter<T, G: Group<T> = Packed<T>> {
    queue: Queue<T, G>,
}

impl<T, G: Group<T>> Iterator for IntoIter<T, G> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.queue.pop()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.queue.len(), Some(self.queue.len()))
    }
}

impl<T, G: Group<T>> ExactSizeIterator for IntoIter<T, G> {}
impl<T, G: Group<T>> FusedIterator for IntoIter<T, G> {}
