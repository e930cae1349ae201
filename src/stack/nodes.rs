//! The nodes of a stack, which have numbers, and where they lie.
//!
//! # Why numbers
//!
//! The word that tells which node is on top has to hold something that changes with every pop as well (see
//! [`list`](super::list)). An address would leave 16 bits for it; a number leaves 32.
//!
//! # Layout
//!
//! Nodes lie in segments of about 8 KiB, which are never given back while the stack lives. So a number leads to a node
//! for ever, and a thread that is late may look at a node that has gone to somebody else: it gets a wrong number, never
//! memory that is not there. The first segment begins with the two words that all operations change:
//!
//! ```text
//! | top | free | node 1 | node 2 | node 3 | ...           node n = segment + n * size, and number 0 means none
//! |<------------ a cache line ----------->|
//! ```
//!
//! Free nodes are handed out last in, first out, so that a stack that is nearly empty lives in that one line: with items of
//! eight bytes a push or a pop then moves one line between processors, where a lock, or a list of nodes from the
//! allocator, moves two or three. This is worth more than everything else that was tried.
//!
//! A directory has the addresses of all segments. It is replaced by one of twice the size when it is full; those before
//! it are kept, because somebody may be reading them, and together are no larger than the last.
//!
//! # Safety
//!
//! Segments and directories are raw memory. They are allocated whole, never freed before [`Nodes`] is dropped, and
//! reached by numbers that [`Nodes`] has handed out. What is in a node belongs to whoever took its number from a list.
#![allow(unsafe_code)]

use super::list::List;
use crate::primitive::{AtomicPtr, AtomicU32, AtomicUsize, IS_MODEL, UnsafeCell, alloc, dealloc};
use std::alloc::Layout;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// What a segment takes, unless its nodes are too large.
const SEGMENT_BYTES: usize = 8192;

/// Where segments begin: with a cache line, and with the pair of lines that some processors fetch together.
const ALIGN: usize = 128;

/// Room in the first directory.
const DIRECTORY: usize = if IS_MODEL { 1 } else { 8 };

/// A place for one item.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Node<T> {
    /// The number of the node below this one. Atomic because a thread that is late may read it at any time.
    pub(super) next: AtomicU32,
    item: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Node<T> {
    fn new() -> Self {
        Self { next: AtomicU32::new(0), item: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// Puts an item in.
    ///
    /// # Safety
    /// The node belongs to the caller.
    #[inline]
    pub(super) unsafe fn fill(&self, item: T) {
        self.item.with_mut(|place| {
            // SAFETY: the node is the caller's by contract, so nobody else uses the place.
            unsafe { place.write(MaybeUninit::new(item)) }
        });
    }

    /// Takes the item out.
    ///
    /// # Safety
    /// The node belongs to the caller, and has an item in it, which nobody takes again.
    #[inline]
    pub(super) unsafe fn empty(&self) -> T {
        let item = self.item.with(|place| {
            // SAFETY: the node is the caller's by contract.
            unsafe { place.read() }
        });
        // SAFETY: by contract there is an item.
        unsafe { item.assume_init() }
    }
}

/// A node that belongs to whoever holds this, with its number.
#[derive(Debug)]
pub(super) struct Held<'a, T> {
    pub(super) number: u32,
    pub(super) node: &'a Node<T>,
}

/// What stands before the nodes of the first segment.
#[derive(Debug)]
#[repr(C)]
struct Header {
    /// The items.
    top: List,
    /// Nodes without items.
    free: List,
}

/// Addresses of segments follow it in memory.
#[repr(C)]
struct Directory<T> {
    capacity: usize,
    /// The directory before this one, or null.
    previous: *mut Directory<T>,
}

/// All nodes of one stack.
#[derive(Debug)]
pub(super) struct Nodes<T> {
    /// The first segment, so that the way to the lowest numbers is short.
    first: *mut Node<T>,
    directory: AtomicPtr<Directory<T>>,
    /// How many segments there are. Those below are in the directory, and the next may be.
    segments: AtomicUsize,
}

impl<T> Nodes<T> {
    /// Nodes in a segment: a power of two, so that no division is needed.
    const SEGMENT: usize = if IS_MODEL {
        4
    } else {
        let fitting = SEGMENT_BYTES / size_of::<Node<T>>();
        if fitting < 8 { 8 } else { 1 << fitting.ilog2() }
    };

    /// Numbers whose place in the first segment the header takes.
    const RESERVED: usize = size_of::<Header>().div_ceil(size_of::<Node<T>>());

    /// As many as there are numbers for.
    const MOST_SEGMENTS: usize = (1 << 32) / Self::SEGMENT;

    pub(super) const LAYOUT: Layout = {
        assert!(Self::RESERVED < Self::SEGMENT, "there are nodes behind the header");
        let align = if align_of::<Node<T>>() > ALIGN { align_of::<Node<T>>() } else { ALIGN };
        let Ok(layout) = Layout::from_size_align(Self::SEGMENT * size_of::<Node<T>>(), align) else {
            panic!("items too large for a segment")
        };
        layout
    };

    /// One segment of free nodes, or nothing when memory is short.
    pub(super) fn new() -> Option<Self> {
        let first = Self::allocate(Self::RESERVED)?;
        let Some(directory) = Directory::allocate(DIRECTORY, ptr::null_mut()) else {
            // SAFETY: it was just allocated, and nobody else knows it.
            unsafe { Self::free_segment(first, Self::RESERVED) };
            return None;
        };
        let free = List::starting_with(Self::RESERVED as u32);
        // SAFETY: the places of the first numbers are kept for the header; the segment is ours, and aligned for it.
        unsafe { first.cast::<Header>().write(Header { top: List::starting_with(0), free }) };
        // SAFETY: the directory is ours, and has room for at least one.
        unsafe { Directory::slot(directory, 0) }.store(first, Relaxed);
        let nodes = Self { first, directory: AtomicPtr::new(directory), segments: AtomicUsize::new(1) };
        nodes.link(Self::RESERVED, Self::SEGMENT);
        Some(nodes)
    }

    /// The items.
    #[inline]
    pub(super) fn top(&self) -> &List {
        &self.header().top
    }

    /// Nodes without items.
    #[inline]
    pub(super) fn free(&self) -> &List {
        &self.header().free
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: it was written there by `new`, and lives as long as this.
        unsafe { &*self.first.cast::<Header>() }
    }

    /// The node with that number.
    ///
    /// # Safety
    /// The number is that of a node; what made it one happened before.
    #[inline]
    pub(super) unsafe fn get(&self, number: u32) -> &Node<T> {
        let number = number as usize;
        let segment = if number < Self::SEGMENT {
            self.first
        } else {
            let directory = self.directory.load(Acquire); // Pairs with the exchange in `widen`.
            // SAFETY: a number that was handed out before is below the capacity of this directory, or of an earlier one.
            unsafe { Directory::slot(directory, number / Self::SEGMENT) }.load(Relaxed)
        };
        debug_assert!(!segment.is_null(), "segments are in the directory before their numbers are handed out");
        // SAFETY: the number is that of a node, so the segment is there and the remainder is inside.
        let node = unsafe { segment.add(number % Self::SEGMENT) };
        // SAFETY: nodes live as long as this and are only used as shared.
        unsafe { &*node }
    }

    /// Another segment: its first node for the caller, and the others free. Nothing when memory or numbers are short.
    ///
    /// Threads that find no free node at the same time make a segment each.
    #[cold]
    pub(super) fn grow(&self) -> Option<Held<'_, T>> {
        let segment = Self::allocate(0)?;
        let Some(place) = self.install(segment) else {
            // SAFETY: it was just allocated, and nobody else knows it.
            unsafe { Self::free_segment(segment, 0) };
            return None;
        };
        let numbers = place * Self::SEGMENT..(place + 1) * Self::SEGMENT;
        self.link(numbers.start, numbers.end);
        let (number, last) = (numbers.start as u32, (numbers.end - 1) as u32);
        // SAFETY: it is a number of the segment that this thread has just installed.
        let node = unsafe { self.get(number) };
        // SAFETY: as above.
        let last = unsafe { self.get(last) };
        self.free().put(number + 1, last);
        Some(Held { number, node })
    }

    /// Puts a segment at the end of the directory, and says as which.
    fn install(&self, segment: *mut Node<T>) -> Option<usize> {
        loop {
            let count = self.segments.load(Acquire); // Pairs with the exchange below: who sees it sees that many slots filled.
            if count == Self::MOST_SEGMENTS {
                return None;
            }
            let directory = self.directory.load(Acquire); // Pairs with the exchange in `widen`.
            // SAFETY: directories live as long as this; nobody changes the capacity.
            if count == unsafe { &*directory }.capacity {
                self.widen(directory)?;
                continue;
            }
            // SAFETY: the count was no more than the capacity of the directory then, which is no more than that of this one.
            let slot = unsafe { Directory::slot(directory, count) };
            let is_ours = slot.compare_exchange(ptr::null_mut(), segment, AcqRel, Acquire).is_ok();
            // Whoever filled the slot may be stopped, so all count it.
            let _ = self.segments.compare_exchange(count, count + 1, AcqRel, Relaxed);
            if is_ours {
                return Some(count);
            }
        }
    }

    /// Replaces a directory that is full.
    fn widen(&self, full: *mut Directory<T>) -> Option<()> {
        // SAFETY: directories live as long as this; nobody changes the capacity.
        let capacity = unsafe { &*full }.capacity;
        let wider = Directory::allocate(2 * capacity, full)?;
        for number in 0..capacity {
            // SAFETY: the number is below the capacity of that directory.
            let from = unsafe { Directory::slot(full, number) };
            // SAFETY: as above.
            let to = unsafe { Directory::slot(wider, number) };
            to.store(from.load(Relaxed), Relaxed); // The count said that it is filled, and then it does not change any more.
        }
        // Pairs with the loads in `get` and `install`.
        if self.directory.compare_exchange(full, wider, Release, Relaxed).is_err() {
            // SAFETY: nobody else has seen it.
            unsafe { Directory::free(wider) };
        }
        Some(())
    }

    /// Makes a list of the nodes from `first` to before `end`, all of one segment and the caller's.
    fn link(&self, first: usize, end: usize) {
        for number in first..end {
            // SAFETY: the segment is installed, and the number is one of its nodes.
            let node = unsafe { self.get(number as u32) };
            let next = if number + 1 < end { number as u32 + 1 } else { 0 };
            node.next.store(next, Relaxed); // Published with the first of them.
        }
    }

    /// A segment with nodes from `from` on, the caller's; nothing when memory is short.
    fn allocate(from: usize) -> Option<*mut Node<T>> {
        // SAFETY: the layout is not empty, since a node has a number in it.
        let segment = unsafe { alloc(Self::LAYOUT) }.cast::<Node<T>>();
        if segment.is_null() {
            return None;
        }
        for place in from..Self::SEGMENT {
            // SAFETY: the segment has room for so many.
            let node = unsafe { segment.add(place) };
            // SAFETY: the memory is ours, and aligned for nodes.
            unsafe { node.write(Node::new()) };
        }
        Some(segment)
    }

    /// Gives a segment with nodes from `from` on back. Items in them are forgotten.
    ///
    /// # Safety
    /// It came from `allocate` with the same `from`; nobody uses it any more.
    unsafe fn free_segment(segment: *mut Node<T>, from: usize) {
        for place in from..Self::SEGMENT {
            // SAFETY: the segment has so many.
            let node = unsafe { segment.add(place) };
            // SAFETY: the node was written by `allocate`, and nobody uses it any more.
            unsafe { ptr::drop_in_place(node) };
        }
        // SAFETY: by contract it was allocated with this layout.
        unsafe { dealloc(segment.cast(), Self::LAYOUT) };
    }
}

impl<T> Drop for Nodes<T> {
    fn drop(&mut self) {
        let mut directory = self.directory.load(Relaxed);
        for place in 0..self.segments.load(Relaxed) {
            // SAFETY: so many are in the directory.
            let segment = unsafe { Directory::slot(directory, place) }.load(Relaxed);
            if place == 0 {
                // SAFETY: the header was written by `new`.
                unsafe { ptr::drop_in_place(segment.cast::<Header>()) };
            }
            // SAFETY: nobody uses the nodes any more, and each segment is in one slot.
            unsafe { Self::free_segment(segment, if place == 0 { Self::RESERVED } else { 0 }) };
        }
        while !directory.is_null() {
            // SAFETY: it is in the chain of directories, and so not yet freed.
            let previous = unsafe { &*directory }.previous;
            // SAFETY: nobody uses it any more, and each is in the chain once.
            unsafe { Directory::free(directory) };
            directory = previous;
        }
    }
}

impl<T> Directory<T> {
    /// Where the addresses begin.
    const OFFSET: usize = size_of::<Self>().next_multiple_of(align_of::<AtomicPtr<Node<T>>>());

    fn layout(capacity: usize) -> Option<Layout> {
        let slots = Layout::array::<AtomicPtr<Node<T>>>(capacity).ok()?;
        Some(Layout::new::<Self>().extend(slots).ok()?.0.pad_to_align())
    }

    /// An empty directory, or nothing when memory is short.
    fn allocate(capacity: usize, previous: *mut Self) -> Option<*mut Self> {
        // SAFETY: the layout is not empty: it holds the capacity.
        let directory = unsafe { alloc(Self::layout(capacity)?) }.cast::<Self>();
        if directory.is_null() {
            return None;
        }
        // SAFETY: the memory is ours, and has the layout of a directory.
        unsafe { directory.write(Self { capacity, previous }) };
        for number in 0..capacity {
            // SAFETY: the number is below the capacity.
            let slot = unsafe { Self::place(directory, number) };
            // SAFETY: the memory is ours, and has room for so many.
            unsafe { slot.write(AtomicPtr::new(ptr::null_mut())) };
        }
        Some(directory)
    }

    /// # Safety
    /// The directory is alive, and the number below its capacity.
    #[inline]
    unsafe fn place(directory: *mut Self, number: usize) -> *mut AtomicPtr<Node<T>> {
        // SAFETY: the layout has the addresses there.
        let slots = unsafe { directory.cast::<u8>().add(Self::OFFSET) }.cast::<AtomicPtr<Node<T>>>();
        // SAFETY: by contract the number is below the capacity.
        unsafe { slots.add(number) }
    }

    /// The slot for the address of a segment.
    ///
    /// # Safety
    /// The directory lives for `'a`, and the number is below its capacity.
    #[inline]
    unsafe fn slot<'a>(directory: *mut Self, number: usize) -> &'a AtomicPtr<Node<T>> {
        // SAFETY: as by contract.
        let place = unsafe { Self::place(directory, number) };
        // SAFETY: it was written by `allocate`, lives for `'a`, and is only used as shared.
        unsafe { &*place }
    }

    /// # Safety
    /// It came from `allocate`, and nobody uses it any more.
    unsafe fn free(directory: *mut Self) {
        // SAFETY: it is alive by contract.
        let capacity = unsafe { &*directory }.capacity;
        for number in 0..capacity {
            // SAFETY: the number is below the capacity.
            let slot = unsafe { Self::place(directory, number) };
            // SAFETY: it was written by `allocate`, and nobody uses it any more.
            unsafe { ptr::drop_in_place(slot) };
        }
        let layout = Self::layout(capacity).expect("it was allocated with this layout");
        // SAFETY: as above.
        unsafe { dealloc(directory.cast(), layout) };
    }
}

const _: () = assert!(IS_MODEL || size_of::<Node<u64>>() == 16 && size_of::<Header>() == 16);
