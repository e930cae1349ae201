//! Reading the trees of a btrfs volume item by item: the `TREE_SEARCH_V2` call.
//!
//! One call copies as many items as the buffer holds, in the order of their keys (object, kind, offset), between two
//! keys of the caller's, each with a head of its own. The next call begins behind the last key. It wants
//! `CAP_SYS_ADMIN`, and looks at the tree as it stands in memory: what is only in the page cache is not in it.
//!
//! # Safety
//!
//! The call is told how long the buffer is that it may write to, and that we own. Items are parsed with bounds checks,
//! not by casting.
#![allow(unsafe_code)]

use super::{check, retry};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `_IOWR(0x94, 17, struct btrfs_ioctl_search_args_v2)`.
const BTRFS_IOC_TREE_SEARCH_V2: libc::Ioctl = 0xC070_9411_u32 as libc::Ioctl;

/// Bytes of the structure before the buffer.
const HEAD_BYTES: usize = 112;
/// Bytes of `struct btrfs_ioctl_search_header`, which every item opens with.
const ITEM_HEAD_BYTES: usize = 32;

/// No item is longer than the largest node of a tree.
const LARGEST_ITEM_BYTES: usize = ITEM_HEAD_BYTES + (64 << 10);

/// The first and the last object number that a file or directory can have.
pub const FIRST_INODE: u64 = 256;
/// See [`FIRST_INODE`].
pub const LAST_INODE: u64 = u64::MAX - 255;

/// The place of an item in a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The object it belongs to: an inode number, in the tree of a subvolume.
    pub object: u64,
    /// What kind of item it is.
    pub kind: u8,
    /// Where among the items of the kind; what that means depends on the kind.
    pub offset: u64,
}

impl Key {
    /// The first place that belongs to `object`.
    #[must_use]
    pub fn first_of(object: u64) -> Self {
        Self { object, kind: 0, offset: 0 }
    }

    /// The last place that belongs to `object`.
    #[must_use]
    pub fn last_of(object: u64) -> Self {
        Self { object, kind: u8::MAX, offset: u64::MAX }
    }

    /// The place right behind this one; `None` behind the last of all.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        if let Some(offset) = self.offset.checked_add(1) {
            return Some(Self { offset, ..self });
        }
        if let Some(kind) = self.kind.checked_add(1) {
            return Some(Self { kind, offset: 0, ..self });
        }
        self.object.checked_add(1).map(Self::first_of)
    }
}

/// One item; borrows from the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item<'buffer> {
    /// Where it was.
    pub key: Key,
    /// What it holds, in the form of its kind.
    pub data: &'buffer [u8],
}

/// A search through the tree of one subvolume, from one key to another.
#[derive(Debug)]
pub struct Search {
    bytes: Box<[u8]>,
    found: u32,
    from: Option<Key>,
    to: Key,
}

impl Search {
    /// A search with a buffer of its own: `buffer_bytes`, at least 64 KiB and a little, so that any item fits.
    #[must_use]
    pub fn new(buffer_bytes: usize) -> Self {
        let room = buffer_bytes.max(LARGEST_ITEM_BYTES);
        let bytes = vec![0; HEAD_BYTES + room].into_boxed_slice();
        Self { bytes, found: 0, from: None, to: Key::first_of(0) }
    }

    /// Begins a search from `from` to `to`, both included.
    pub fn begin(&mut self, from: Key, to: Key) {
        (self.from, self.to, self.found) = (Some(from), to, 0);
    }

    /// Gets the next items, at most `most` of them, from the tree of the subvolume that `file` is in; `false` when
    /// there are no more.
    ///
    /// # Errors
    /// The kernel's error: `EPERM` without the right to search, `ENOTTY` where there is no such call.
    pub fn fill(&mut self, file: impl AsFd, most: u32) -> io::Result<bool> {
        self.found = 0;
        let Some(from) = self.from.filter(|from| *from <= self.to) else { return Ok(false) };
        self.write_head(from, most);
        let descriptor = file.as_fd().as_raw_fd();
        let bytes = &mut self.bytes;
        retry(|| {
            // SAFETY: the kernel reads and writes the head, and writes at most as many bytes behind it as the head
            // says that there are, which is the rest of `bytes`.
            check(unsafe { libc::ioctl(descriptor, BTRFS_IOC_TREE_SEARCH_V2, bytes.as_mut_ptr()) })
        })?;
        self.found = u32::from_ne_bytes(self.bytes[64..68].try_into().expect("four bytes were sliced"));
        let mut used = 0;
        let last = self.items().inspect(|item| used += ITEM_HEAD_BYTES + item.data.len()).last();
        let last = last.map(|item| item.key);
        // Where any item would still have fit, there was none.
        let more = self.found == most || self.bytes.len() - HEAD_BYTES - used < LARGEST_ITEM_BYTES;
        // Behind the last key that was understood; a key that does not move on ends the search.
        self.from = last.filter(|last| more && *last >= from).and_then(Key::next);
        Ok(last.is_some())
    }

    fn write_head(&mut self, from: Key, most: u32) {
        let room = (self.bytes.len() - HEAD_BYTES) as u64;
        let head = &mut self.bytes[..HEAD_BYTES];
        head.fill(0);
        let words = [
            (8, from.object),
            (16, self.to.object),
            (24, from.offset),
            (32, self.to.offset),
            (48, u64::MAX),
            (104, room),
        ];
        words.iter().for_each(|(at, word)| head[*at..at + 8].copy_from_slice(&word.to_ne_bytes()));
        let halves = [(56, u32::from(from.kind)), (60, u32::from(self.to.kind)), (64, most)];
        halves.iter().for_each(|(at, half)| head[*at..at + 4].copy_from_slice(&half.to_ne_bytes()));
    }

    /// The items that the last call gave.
    pub fn items(&self) -> impl Iterator<Item = Item<'_>> {
        items(&self.bytes[HEAD_BYTES..], self.found)
    }
}

/// Takes an answer of the kernel apart: `count` items, one behind the other. Ends early where it is cut off.
pub fn items(answer: &[u8], count: u32) -> impl Iterator<Item = Item<'_>> {
    let mut rest = answer;
    (0..count).map_while(move |_| {
        let (head, behind) = rest.split_at_checked(ITEM_HEAD_BYTES)?;
        let word = |at: usize| u64::from_ne_bytes(head[at..at + 8].try_into().expect("eight bytes were sliced"));
        let half = |at: usize| u32::from_ne_bytes(head[at..at + 4].try_into().expect("four bytes were sliced"));
        let key = Key { object: word(8), kind: u8::try_from(half(24)).ok()?, offset: word(16) };
        let (data, behind) = behind.split_at_checked(half(28) as usize)?;
        rest = behind;
        Some(Item { key, data })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_behind_the_last_of_a_kind_is_the_first_of_the_next() {
        let key = |object, kind, offset| Key { object, kind, offset };
        assert_eq!(key(1, 2, 3).next(), Some(key(1, 2, 4)));
        assert_eq!(key(1, 2, u64::MAX).next(), Some(key(1, 3, 0)));
        assert_eq!(key(1, u8::MAX, u64::MAX).next(), Some(key(2, 0, 0)));
        assert_eq!(key(u64::MAX, u8::MAX, u64::MAX).next(), None);
    }

    #[test]
    fn an_answer_that_is_cut_off_ends_early() {
        let mut answer = vec![0u8; 2 * ITEM_HEAD_BYTES + 4];
        answer[8] = 5;
        answer[24] = 1;
        answer[28] = 4;
        answer[ITEM_HEAD_BYTES..ITEM_HEAD_BYTES + 4].copy_from_slice(b"data");
        let found: Vec<_> = items(&answer, 9).collect();
        let key = Key { object: 5, kind: 1, offset: 0 };
        assert_eq!(found[0], Item { key, data: b"data" });
        assert_eq!(found.len(), 2, "the second has no data");
        assert_eq!(items(&answer[..33], 1).count(), 0);
    }

    #[test]
    fn what_is_no_btrfs_says_so() {
        let mut search = Search::new(0);
        search.begin(Key::first_of(FIRST_INODE), Key::last_of(LAST_INODE));
        assert!(search.fill(std::fs::File::open("/proc").unwrap(), u32::MAX).is_err());
    }
}
