//! Memory that is only ever added to.
//!
//! One anonymous mapping of a size that is said beforehand, handed out from its beginning to its end; the kernel gives it
//! pages as they are touched, so that a large limit costs nothing. What is asked for beyond the limit is refused with
//! `None`, and the name that needed it is not found: an answer less, and never a program more that has no memory. Files
//! that are mapped through the arena are unmapped with it.
//!
//! Everything handed out lives as long as the borrow of the arena; [`Arena::reset`] takes it `&mut` and so proves that
//! nothing of it is left. What lies in an arena is never dropped, so it has to be `Copy`.
//!
//! # Safety
//!
//! The unsafe blocks write to and make slices of bytes between `used` and `size` of a mapping that is this arena's alone; `used`
//! grows by what was handed out before anything else can be, so no two of them overlap.
#![allow(unsafe_code)]

use crate::sys::mapping;
use core::cell::Cell;
use core::ffi::CStr;
use core::mem::{align_of, size_of};
use core::ptr::NonNull;

/// Memory of a bounded size from the kernel, given back when dropped.
#[derive(Debug)]
pub struct Arena {
    begin: NonNull<u8>,
    size: usize,
    used: Cell<usize>,
    /// The files that are mapped, each in a node that lies in the arena.
    files: Cell<Option<&'static Mapped>>,
    /// Whether the memory was lent, and goes back to nobody.
    is_lent: bool,
}

/// A file's mapping, and the one before it.
#[derive(Clone, Copy, Debug)]
struct Mapped {
    begin: NonNull<u8>,
    bytes: usize,
    before: Option<&'static Mapped>,
}

// SAFETY: the mapping belongs to the value and to no thread, and a mapped file is only read.
unsafe impl Send for Arena {}

impl Arena {
    /// An arena of at most `bytes`, of which the kernel gives those that are touched.
    ///
    /// Signal-safe.
    ///
    /// # Errors
    /// The kernel's number, when there is not so much address space.
    pub fn new(bytes: usize) -> Result<Self, i32> {
        let begin = mapping::pages(bytes)?;
        Ok(Self { begin, size: bytes, used: Cell::new(0), files: Cell::new(None), is_lent: false })
    }

    /// An arena over pages that are there already. When nothing can be mapped any more, files are read into it instead.
    ///
    /// Signal-safe.
    ///
    /// # Safety
    /// The pages are readable and writable, initialized, and nobody else uses them while the arena lives.
    pub unsafe fn over(begin: NonNull<u8>, bytes: usize) -> Self {
        Self { begin, size: bytes, used: Cell::new(0), files: Cell::new(None), is_lent: true }
    }

    /// How much was handed out.
    pub fn used(&self) -> usize {
        self.used.get()
    }

    /// How much is left.
    pub fn left(&self) -> usize {
        self.size - self.used.get()
    }

    /// Takes back everything that was handed out, and unmaps the files. The pages stay.
    pub fn reset(&mut self) {
        self.unmap_files();
        self.used.set(0);
    }

    /// Room for `count` values, each `value` to begin with.
    ///
    /// Signal-safe. `None` beyond the limit.
    #[allow(clippy::mut_from_ref, reason = "what is handed out is handed out once")]
    pub fn slice<T: Copy>(&self, count: usize, value: T) -> Option<&mut [T]> {
        let at = self.take(size_of::<T>().checked_mul(count)?, align_of::<T>())?.cast::<T>();
        for index in 0..count {
            // SAFETY: `take` returned room for `count` values, aligned for them.
            let place = unsafe { at.add(index) };
            // SAFETY: the place lies in that room, which nobody else has.
            unsafe { place.write(value) };
        }
        // SAFETY: all `count` values were written, and `used` has passed them, so that nobody else gets them while the arena is borrowed.
        Some(unsafe { core::slice::from_raw_parts_mut(at.as_ptr(), count) })
    }

    /// Room for `count` bytes that are zero or were used before [`Arena::reset`]: for who writes before reading.
    ///
    /// Signal-safe. `None` beyond the limit.
    #[allow(clippy::mut_from_ref, reason = "what is handed out is handed out once")]
    pub fn bytes(&self, count: usize) -> Option<&mut [u8]> {
        let at = self.take(count, 1)?;
        // SAFETY: the bytes are mapped, and so initialized: zero, or what was there before a reset; `used` has passed them.
        Some(unsafe { core::slice::from_raw_parts_mut(at.as_ptr(), count) })
    }

    /// A place for one value, which is never dropped.
    ///
    /// Signal-safe. `None` beyond the limit.
    #[allow(clippy::mut_from_ref, reason = "what is handed out is handed out once")]
    pub fn one<T>(&self, value: T) -> Option<&mut T> {
        let mut at = self.take(size_of::<T>(), align_of::<T>())?.cast::<T>();
        // SAFETY: `take` returned room for one, aligned for it.
        unsafe { at.write(value) };
        // SAFETY: it was just written, and `used` has passed it, so that nobody else gets it while the arena is borrowed.
        Some(unsafe { at.as_mut() })
    }

    /// A copy of some bytes.
    ///
    /// Signal-safe. `None` beyond the limit.
    pub fn copy(&self, bytes: &[u8]) -> Option<&[u8]> {
        let kept = self.bytes(bytes.len())?;
        kept.copy_from_slice(bytes);
        Some(kept)
    }

    /// The file at `path` as memory, until the arena ends or is reset.
    ///
    /// Signal-safe.
    ///
    /// # Errors
    /// The kernel's number; `ENOEXEC` for what is no regular file, `ENODATA` for an empty one, `ENOMEM` when the arena is full.
    pub fn map(&self, path: &CStr) -> Result<&[u8], i32> {
        let descriptor = mapping::open(path)?;
        let mapped = self.map_open(descriptor);
        mapping::close(descriptor);
        mapped
    }

    /// As [`map`](Self::map), for a file that is open already, and stays so.
    ///
    /// Signal-safe.
    ///
    /// # Errors
    /// As there.
    pub fn map_open(&self, descriptor: i32) -> Result<&[u8], i32> {
        match self.keep(|| mapping::opened(descriptor)) {
            Err(libc::ENOMEM) if self.is_lent => self.copy_of(descriptor),
            mapped => mapped,
        }
    }

    /// The bytes of an open file, read.
    fn copy_of(&self, descriptor: i32) -> Result<&[u8], i32> {
        let length = mapping::length(descriptor)?;
        let bytes = self.bytes(length).ok_or(libc::ENOMEM)?;
        mapping::read(descriptor, bytes)?;
        Ok(bytes)
    }

    fn keep(&self, map: impl FnOnce() -> Result<(NonNull<u8>, usize), i32>) -> Result<&[u8], i32> {
        let at = self.take(size_of::<Mapped>(), align_of::<Mapped>()).ok_or(libc::ENOMEM)?.cast::<Mapped>();
        let (begin, bytes) = map()?;
        // SAFETY: `take` returned room for one, aligned for it.
        unsafe { at.write(Mapped { begin, bytes, before: self.files.get() }) };
        // SAFETY: it was just written and stays until a reset or the end, before which `unmap_files` forgets it.
        self.files.set(Some(unsafe { at.as_ref() }));
        // SAFETY: the kernel mapped so many bytes there, for reading, and they stay until a reset or the end.
        Ok(unsafe { core::slice::from_raw_parts(begin.as_ptr(), bytes) })
    }

    fn take(&self, bytes: usize, align: usize) -> Option<NonNull<u8>> {
        let from = self.used.get().checked_next_multiple_of(align)?;
        let to = from.checked_add(bytes)?;
        if to > self.size {
            return None;
        }
        self.used.set(to);
        // SAFETY: `from` is at most the size of the mapping.
        Some(unsafe { self.begin.add(from) })
    }

    fn unmap_files(&self) {
        let mut next = self.files.take();
        while let Some(&Mapped { begin, bytes, before }) = next {
            next = before;
            // SAFETY: both are what the kernel returned, each node is seen once, and the caller has the arena to itself.
            unsafe { mapping::unmap(begin, bytes) };
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        self.unmap_files();
        if self.is_lent {
            return;
        }
        // SAFETY: the mapping is this arena's, and nothing that was handed out outlives the borrow of it.
        unsafe { mapping::unmap(self.begin, self.size) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_do_not_overlap_and_are_aligned() {
        let arena = Arena::new(1 << 16).unwrap();
        let first = arena.slice(3, 7_u8).unwrap();
        let second = arena.slice(2, 9_u64).unwrap();
        first.fill(1);
        assert_eq!((&*first, &*second), (&[1, 1, 1][..], &[9, 9][..]));
        assert_eq!(second.as_ptr() as usize % 8, 0);
    }

    #[test]
    fn the_limit_holds() {
        let mut arena = Arena::new(4096).unwrap();
        assert!(arena.bytes(4096).is_some());
        assert!(arena.one(1_u8).is_none());
        arena.reset();
        assert!(arena.slice(usize::MAX / 4, 0_u64).is_none());
        assert!(arena.slice(512, 0_u64).is_some());
        assert_eq!(arena.left(), 0);
    }

    #[test]
    fn only_files_are_mapped() {
        let arena = Arena::new(4096).unwrap();
        assert!(arena.map(c"/proc/self/exe").unwrap().starts_with(b"\x7fELF"));
        assert_eq!(arena.map(c"/dev/null"), Err(libc::ENOEXEC));
        assert_eq!(arena.map(c"/"), Err(libc::ENOEXEC));
        assert_eq!(arena.map(c"/nowhere"), Err(libc::ENOENT));
    }
}
