//! An inode of ext2, ext3 or ext4: what is in the table, before any block of the file's map is read.

use super::superblock::{Superblock, u16_at, u32_at};

/// The part of an inode that is older than all extensions, and is always there.
pub(super) const CORE_BYTES: usize = 128;
/// The map, or the data themselves, inside the inode.
pub(super) const ROOT_BYTES: usize = 60;

const FLAG_HUGE_FILE: u32 = 0x4_0000;
const FLAG_EXTENTS: u32 = 0x8_0000;
const FLAG_HOLDS_ATTRIBUTE: u32 = 0x20_0000;
const FLAG_INLINE: u32 = 0x1000_0000;

const TYPE_MASK: u16 = 0xF000;
const TYPE_FILE: u16 = 0x8000;

/// How an inode says where its data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Inside the inode.
    Inline,
    /// By extents.
    Extents,
    /// Block by block, as in ext2 and ext3.
    Blocks,
}

/// A regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inode<'table> {
    /// Apparent size.
    pub(super) size_bytes: u64,
    /// Space allocated, that of the map included.
    pub(super) allocated_bytes: u64,
    /// Number of names.
    pub(super) links: u32,
    /// Tells it from earlier inodes of the same number.
    pub(super) generation: u32,
    /// What `root` is.
    pub(super) form: Form,
    /// The root of the map, or the first of the data.
    pub(super) root: &'table [u8; ROOT_BYTES],
}

/// Parses inode `number`; `None` for what is no regular file with a name, or is the file system's own.
#[must_use]
#[inline]
pub(super) fn parse<'table>(superblock: &Superblock, number: u32, bytes: &'table [u8]) -> Option<Inode<'table>> {
    let core = bytes.first_chunk::<CORE_BYTES>()?;
    let links = u16_at(core, 0x1A);
    let flags = u32_at(core, 0x20);
    let is_file = u16_at(core, 0x0) & TYPE_MASK == TYPE_FILE && links > 0;
    if !is_file || flags & FLAG_HOLDS_ATTRIBUTE != 0 || superblock.is_own(number) {
        return None;
    }
    let blocks = u64::from(u32_at(core, 0x1C)) | u64::from(u16_at(core, 0x74)) << 32;
    let unit = if flags & FLAG_HUGE_FILE != 0 { superblock.block_bytes } else { 512 };
    let form = match flags {
        _ if flags & FLAG_INLINE != 0 => Form::Inline,
        _ if flags & FLAG_EXTENTS != 0 => Form::Extents,
        _ => Form::Blocks,
    };
    let size_bytes = u64::from(u32_at(core, 0x4)) | u64::from(u32_at(core, 0x6C)) << 32;
    // `stat` counts data inside the inode as if they took sectors of their own.
    let inline_bytes = if form == Form::Inline { size_bytes.div_ceil(512).saturating_mul(512) } else { 0 };
    Some(Inode {
        size_bytes,
        allocated_bytes: blocks.saturating_mul(unit).saturating_add(inline_bytes),
        links: u32::from(links),
        generation: u32_at(core, 0x64),
        form,
        root: core[0x28..].first_chunk::<ROOT_BYTES>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::superblock::tests::superblock;
    use super::*;

    fn inode(set: &[(usize, u32)]) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        let mut put = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        // A file of 5000 bytes in 16 sectors, with one name.
        put(0x0, 0x81A4);
        put(0x4, 5000);
        put(0x1A - 2, 1 << 16);
        put(0x1C, 16);
        set.iter().for_each(|&(at, value)| put(at, value));
        bytes
    }

    fn check(number: u32, set: &[(usize, u32)]) -> Option<(u64, u64, Form)> {
        let superblock = Superblock::parse(&superblock(&[(0x240, 40)]), 1 << 40).unwrap();
        parse(&superblock, number, &inode(set)).map(|inode| (inode.size_bytes, inode.allocated_bytes, inode.form))
    }

    #[test]
    fn files_and_their_forms() {
        assert_eq!(check(12, &[]), Some((5000, 8192, Form::Blocks)));
        assert_eq!(check(12, &[(0x20, 0x8_0000)]), Some((5000, 8192, Form::Extents)));
        assert_eq!(check(12, &[(0x20, 0x1008_0000), (0x1C, 0)]), Some((5000, 5120, Form::Inline)));
        assert_eq!(check(12, &[(0x20, 0xC_0000)]), Some((5000, 16 * 4096, Form::Extents)), "counted in blocks");
        assert_eq!(check(12, &[(0x6C, 1)]), Some(((1 << 32) + 5000, 8192, Form::Blocks)));
    }

    #[test]
    fn what_is_no_file_is_passed_over() {
        assert_eq!(check(12, &[(0x0, 0x41ED)]), None, "a directory");
        assert_eq!(check(12, &[(0x18, 0)]), None, "removed");
        assert_eq!(check(8, &[]), None, "the journal");
        assert_eq!(check(40, &[]), None, "a quota file");
        assert_eq!(check(12, &[(0x20, 0x20_0000)]), None, "an attribute too large for its inode");
        let superblock = Superblock::parse(&superblock(&[]), 1 << 40).unwrap();
        assert_eq!(parse(&superblock, 12, &inode(&[])[..127]), None);
    }
}
