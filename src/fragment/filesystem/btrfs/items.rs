//! Items of a btrfs subvolume: inodes, names, directory entries and file extents, as they lie in the tree.

use super::super::super::extent::{Extent, Flags};
use crate::sys::btrfs::Item;

/// Kinds of items.
pub(super) const INODE: u8 = 1;
/// A name of an inode, and the directory it is in.
pub(super) const NAME: u8 = 12;
/// The same, where the names in one directory no longer fit into one item.
pub(super) const LONG_NAME: u8 = 13;
/// An entry of a directory, by its place in it.
pub(super) const ENTRY: u8 = 96;
/// An extent of a file, or a hole in it.
pub(super) const EXTENT: u8 = 108;
/// What a directory entry leads to if that is a subvolume.
const SUBVOLUME: u8 = 132;

/// What an inode item says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inode {
    /// Apparent size.
    pub(super) size_bytes: u64,
    /// Space allocated, before compression.
    pub(super) allocated_bytes: u64,
    /// Number of names.
    pub(super) links: u32,
    /// Type and permission bits.
    pub(super) mode: u32,
}

/// Parses an item of kind [`INODE`].
#[must_use]
pub(super) fn inode(data: &[u8]) -> Option<Inode> {
    Some(Inode {
        size_bytes: u64_at(data, 16)?,
        allocated_bytes: u64_at(data, 24)?,
        links: u32_at(data, 40)?,
        mode: u32_at(data, 52)?,
    })
}

/// Whether an item of kind [`ENTRY`] is where another subvolume hangs.
#[must_use]
pub(super) fn is_subvolume(data: &[u8]) -> bool {
    data.get(8) == Some(&SUBVOLUME)
}

const EXTENT_INLINE: u8 = 0;
const EXTENT_PREALLOCATED: u8 = 2;

/// Parses an item of kind [`EXTENT`].
///
/// `Ok(None)` for a hole.
///
/// # Errors
/// What makes no sense.
pub(super) fn extent(item: &Item<'_>) -> Result<Option<Extent>, &'static str> {
    let (logical, data) = (item.key.offset, item.data);
    let head = (u64_at(data, 8), data.get(16).copied(), data.get(17).copied(), data.get(20).copied());
    let (Some(whole), Some(compression), Some(encryption), Some(kind)) = head else { return Err("extent is cut off") };
    let encoded = if compression == 0 { Flags::default() } else { Flags::ENCODED };
    let flags = encoded | if encryption == 0 { Flags::default() } else { Flags::ENCODED | Flags::ENCRYPTED };
    if kind == EXTENT_INLINE {
        let flags = flags | Flags::INLINE | Flags::UNALIGNED;
        return Ok(Some(Extent { logical, physical: 0, length: whole, disk_length: whole, flags }));
    }
    let place = [21, 29, 37, 45].map(|at| u64_at(data, at));
    let [Some(start), Some(disk_length), Some(offset), Some(length)] = place else { return Err("extent is cut off") };
    if kind > EXTENT_PREALLOCATED {
        return Err("extent of an unknown kind");
    }
    if start == 0 {
        return Ok(None);
    }
    let flags = flags | if kind == EXTENT_PREALLOCATED { Flags::UNWRITTEN } else { Flags::default() };
    if flags.any(Flags::ENCODED) {
        // Which part of it holds which part of the file nobody can say: it is read as a whole.
        return Ok(Some(Extent { logical, physical: start, length, disk_length, flags }));
    }
    let physical = start.checked_add(offset).ok_or("extent beyond the end of the volume")?;
    Ok(Some(Extent { logical, physical, length, disk_length: length, flags }))
}

/// The names in an item of kind [`NAME`] or [`LONG_NAME`], each with the inode of its directory. Ends early where the
/// item is cut off.
pub(super) fn names<'data>(item: &Item<'data>) -> impl Iterator<Item = (u64, &'data [u8])> {
    let (key, mut rest) = (item.key, item.data);
    std::iter::from_fn(move || {
        let (parent, head) = match key.kind {
            NAME => (key.offset, 10),
            _ => (u64_at(rest, 0)?, 18),
        };
        let length = u16::from_le_bytes([*rest.get(head - 2)?, *rest.get(head - 1)?]);
        let name = rest.get(head..head + usize::from(length))?;
        rest = &rest[head + usize::from(length)..];
        Some((parent, name))
    })
}

fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(data.get(at..at + 8)?.try_into().ok()?))
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::btrfs::Key;

    fn item(kind: u8, offset: u64, data: &[u8]) -> Item<'_> {
        Item { key: Key { object: 257, kind, offset }, data }
    }

    /// Extent data: compression, kind, start, disk length, offset, length.
    fn extent_data(compression: u8, kind: u8, place: [u64; 4]) -> Vec<u8> {
        let mut data = vec![0; 21];
        data[8..16].copy_from_slice(&131_072u64.to_le_bytes());
        (data[16], data[20]) = (compression, kind);
        place.iter().for_each(|word| data.extend(word.to_le_bytes()));
        data
    }

    fn check(compression: u8, kind: u8, place: [u64; 4]) -> Option<(u64, u64, u64, Flags)> {
        let data = extent_data(compression, kind, place);
        let found = extent(&item(EXTENT, 4096, &data)).unwrap();
        found.map(|extent| (extent.physical, extent.length, extent.disk_length, extent.flags))
    }

    #[test]
    fn extents_by_their_kind() {
        let plain = [1 << 20, 131_072, 8192, 16384];
        assert_eq!(check(0, 1, plain), Some(((1 << 20) + 8192, 16384, 16384, Flags::default())));
        assert_eq!(check(0, 2, plain), Some(((1 << 20) + 8192, 16384, 16384, Flags::UNWRITTEN)));
        assert_eq!(check(3, 1, [1 << 20, 8192, 4096, 65536]), Some((1 << 20, 65536, 8192, Flags::ENCODED)));
        assert_eq!(check(0, 1, [0, 0, 0, 4096]), None, "a hole");
        let inline = check(0, 0, plain).unwrap();
        assert!(inline.1 == 131_072 && inline.3.any(Flags::INLINE));
    }

    #[test]
    fn extents_that_cannot_be() {
        let data = extent_data(0, 1, [1, 1, 1, 1]);
        for length in [0, 20, 52] {
            assert_eq!(extent(&item(EXTENT, 0, &data[..length])), Err("extent is cut off"));
        }
        assert!(extent(&item(EXTENT, 0, &extent_data(0, 3, [1; 4]))).is_err());
        assert!(extent(&item(EXTENT, 0, &extent_data(0, 1, [u64::MAX; 4]))).is_err());
    }

    #[test]
    fn names_with_their_directories() {
        let short = [&[0; 8][..], &2u16.to_le_bytes(), b"ab", &[0; 8], &1u16.to_le_bytes(), b"c"].concat();
        let found: Vec<_> = names(&item(NAME, 256, &short)).collect();
        assert_eq!(found, [(256, &b"ab"[..]), (256, b"c")]);
        let long = [&300u64.to_le_bytes()[..], &[0; 8], &1u16.to_le_bytes(), b"d"].concat();
        assert_eq!(names(&item(LONG_NAME, 99, &long)).collect::<Vec<_>>(), [(300, &b"d"[..])]);
        assert_eq!(names(&item(LONG_NAME, 99, &long[..18])).count(), 0);
        assert_eq!(names(&item(NAME, 256, &short[..11])).count(), 0);
    }

    #[test]
    fn an_inode_by_its_offsets() {
        let mut data = [0; 160];
        (data[16], data[24], data[40], data[53]) = (5, 6, 1, 0x81);
        let expected = Inode { size_bytes: 5, allocated_bytes: 6, links: 1, mode: 0x8100 };
        assert_eq!((inode(&data), inode(&data[..55])), (Some(expected), None));
        assert!(is_subvolume(&[0, 0, 0, 0, 0, 0, 0, 0, 132]) && !is_subvolume(&data) && !is_subvolume(&[]));
    }
}
