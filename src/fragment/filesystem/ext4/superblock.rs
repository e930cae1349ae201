//! The superblock and the group descriptors of ext2, ext3 and ext4: where the inodes are.
//!
//! The volume is cut into block groups of equal size, each with a table of equally many inodes. A descriptor of 32
//! bytes (64 with the `64bit` feature) says where a group's table is and how much of it was never used. The descriptors
//! follow the superblock, or with the `meta_bg` feature lie in the groups that they describe.
//!
//! Everything here is a function of bytes, and every number that later code counts on is checked: a superblock whose
//! numbers do not fit together is refused, so that no damaged volume can make the reader loop.

use super::super::Refusal;

/// Where the superblock is, and how long it is.
pub(super) const SUPERBLOCK_AT: u64 = 1024;
/// See [`SUPERBLOCK_AT`].
pub(super) const SUPERBLOCK_BYTES: usize = 1024;

const MAGIC: u16 = 0xEF53;

/// Features that change where things are; a volume with any other is not touched.
mod incompatible {
    pub(super) const META_BG: u32 = 0x10;
    pub(super) const WIDE: u32 = 0x80;
    pub(super) const FLEX_BG: u32 = 0x200;
    /// With their names: those that are understood, and those that are refused by name.
    pub(super) const KNOWN: [(u32, &str); 14] = [
        (0x2, "filetype"),
        (0x4, "needs_recovery"),
        (META_BG, "meta_bg"),
        (0x40, "extents"),
        (WIDE, "64bit"),
        (0x100, "mmp"),
        (FLEX_BG, "flex_bg"),
        (0x400, "ea_inode"),
        (0x1000, "dirdata"),
        (0x2000, "metadata_csum_seed"),
        (0x4000, "large_dir"),
        (0x8000, "inline_data"),
        (0x1_0000, "encrypt"),
        (0x2_0000, "casefold"),
    ];
    pub(super) const REFUSED: [(u32, &str); 2] = [(0x1, "compression"), (0x8, "journal_dev")];
}

const COMPATIBLE_SPARSE_SUPER2: u32 = 0x200;
const READ_ONLY_SPARSE_SUPER: u32 = 0x1;
/// Checksums over the descriptors (`uninit_bg`), or over all metadata: only then do descriptors know unused inodes.
const READ_ONLY_CHECKSUMS: u32 = 0x10 | 0x400;

/// What the superblock says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Superblock {
    /// Size of a block in bytes: a power of two from 1 KiB to 64 KiB.
    pub(super) block_bytes: u64,
    /// Blocks in all.
    pub(super) blocks: u64,
    /// The block that group 0 begins with.
    pub(super) first_block: u64,
    /// Blocks in a group.
    pub(super) group_blocks: u64,
    /// Inodes in a group; never 0.
    pub(super) group_inodes: u32,
    /// Groups; all their inodes have numbers of 32 bits.
    pub(super) groups: u64,
    /// Size of an inode in bytes: a power of two from 128 to the size of a block.
    pub(super) inode_bytes: usize,
    /// Groups whose tables lie together; 1 without `flex_bg`.
    pub(super) flex_groups: u64,
    /// Whether backups of the superblock are in a few groups only.
    pub(super) sparse: bool,
    first_inode: u32,
    /// Inodes that the file system keeps for itself although they look like files.
    own_inodes: [u32; 5],
    descriptor_bytes: u64,
    counts_unused: bool,
    /// The first block of descriptors that lies in the groups it describes.
    first_meta_block: u64,
    backups: Option<[u32; 2]>,
}

impl Superblock {
    /// Parses the kilobyte that begins at [`SUPERBLOCK_AT`], on a device of `device_bytes`.
    ///
    /// # Errors
    /// [`Refusal::Damaged`] where numbers make no sense, [`Refusal::Feature`] for a feature that moves things about in
    /// a way not known here.
    pub(super) fn parse(bytes: &[u8; SUPERBLOCK_BYTES], device_bytes: u64) -> Result<Self, Refusal> {
        let half = |at: usize| u32_at(bytes, at);
        check(u16_at(bytes, 0x38) == MAGIC, "no magic number")?;
        let incompatible = half(0x60);
        check_features(incompatible)?;
        let (compatible, read_only) = (half(0x5C), half(0x64));
        let revision_0 = half(0x4C) == 0;
        let wide = incompatible & incompatible::WIDE != 0;
        check(half(0x18) <= 6, "size of a block")?;
        let block_bytes = 1024u64 << half(0x18);
        let blocks = u64::from(half(0x4)) | if wide { u64::from(half(0x150)) << 32 } else { 0 };
        let first_block = u64::from(half(0x14));
        check(blocks.checked_mul(block_bytes).is_some_and(|bytes| bytes <= device_bytes), "larger than its device")?;
        check(first_block <= 1 && first_block < blocks, "first block")?;
        let group_blocks = u64::from(half(0x20));
        check(group_blocks >= 256, "blocks in a group")?;
        let groups = (blocks - first_block).div_ceil(group_blocks);
        let group_inodes = half(0x28);
        check(group_inodes > 0 && u64::from(group_inodes) <= 8 * block_bytes, "inodes in a group")?;
        check(groups * u64::from(group_inodes) <= u64::from(u32::MAX), "number of inodes")?;
        let inode_bytes = if revision_0 { 128 } else { usize::from(u16_at(bytes, 0x58)) };
        let fits = inode_bytes.is_power_of_two() && inode_bytes >= 128 && inode_bytes as u64 <= block_bytes;
        check(fits, "size of an inode")?;
        let descriptor_bytes = if wide { u64::from(u16_at(bytes, 0xFE)) } else { 32 };
        let fits = descriptor_bytes.is_power_of_two() && (32..=1024).contains(&descriptor_bytes);
        check(fits && (!wide || descriptor_bytes >= 64), "size of a descriptor")?;
        let meta = incompatible & incompatible::META_BG != 0;
        let flexible = incompatible & incompatible::FLEX_BG != 0 && bytes[0x174] < 32;
        Ok(Self {
            block_bytes,
            blocks,
            first_block,
            group_blocks,
            group_inodes,
            groups,
            inode_bytes,
            flex_groups: if flexible { 1 << bytes[0x174] } else { 1 },
            sparse: read_only & READ_ONLY_SPARSE_SUPER != 0 || compatible & COMPATIBLE_SPARSE_SUPER2 != 0,
            first_inode: if revision_0 { 11 } else { half(0x54) },
            own_inodes: [0xE0, 0x240, 0x244, 0x26C, 0x280].map(half),
            descriptor_bytes,
            counts_unused: read_only & READ_ONLY_CHECKSUMS != 0,
            first_meta_block: if meta { u64::from(half(0x104)) } else { u64::MAX },
            backups: (compatible & COMPATIBLE_SPARSE_SUPER2 != 0).then(|| [half(0x24C), half(0x250)]),
        })
    }

    /// Size of a descriptor, and where on the device that of `group` is.
    #[must_use]
    pub(super) fn descriptor_at(&self, group: u64) -> (u64, usize) {
        let in_block = self.block_bytes / self.descriptor_bytes;
        let (block, index) = (group / in_block, group % in_block);
        let superblock_at = SUPERBLOCK_AT / self.block_bytes;
        let block = if block < self.first_meta_block {
            superblock_at + 1 + block
        } else {
            let first_group = block * in_block;
            // With blocks of a kilobyte and group 0 beginning at block 0 the superblock is in its second block.
            let second = block == 0 && superblock_at > self.first_block;
            let backup = u64::from(self.has_superblock(first_group)) + u64::from(second);
            self.first_block + first_group * self.group_blocks + backup
        };
        (block * self.block_bytes + index * self.descriptor_bytes, self.descriptor_bytes as usize)
    }

    /// Whether a group holds the superblock or a copy of it.
    fn has_superblock(&self, group: u64) -> bool {
        let power_of = |base: u64| {
            let powers = std::iter::successors(Some(base), |power| power.checked_mul(base));
            powers.take_while(|&power| power <= group).any(|power| power == group)
        };
        match self.backups {
            _ if group == 0 => true,
            Some(backups) => backups.iter().any(|&backup| u64::from(backup) == group),
            None => group == 1 || !self.sparse || [3, 5, 7].into_iter().any(power_of),
        }
    }

    /// Parses a descriptor: where the group's inodes are.
    ///
    /// # Errors
    /// What makes no sense.
    pub(super) fn parse_group(&self, descriptor: &[u8]) -> Result<Group, &'static str> {
        let Some(low) = descriptor.first_chunk::<32>() else { return Err("descriptor is cut off") };
        let mut table_block = u64::from(u32_at(low, 0x8));
        let mut unused = u32::from(u16_at(low, 0x1C));
        if let Some(high) = descriptor.first_chunk::<64>() {
            table_block |= u64::from(u32_at(high, 0x28)) << 32;
            unused |= u32::from(u16_at(high, 0x32)) << 16;
        }
        let uninitialised = u16_at(low, 0x12) & 1 != 0;
        let inodes = match self.counts_unused {
            true if uninitialised => 0,
            true => self.group_inodes.saturating_sub(unused),
            false => self.group_inodes,
        };
        let table_blocks = (u64::from(inodes) * self.inode_bytes as u64).div_ceil(self.block_bytes);
        let ends = table_block.checked_add(table_blocks).is_some_and(|end| end <= self.blocks);
        if inodes > 0 && !(ends && table_block > self.first_block) {
            return Err("inode table is not on the volume");
        }
        Ok(Group { table_at: if inodes > 0 { table_block * self.block_bytes } else { 0 }, inodes })
    }

    /// Whether an inode number is one that the file system keeps for itself.
    #[must_use]
    #[inline]
    pub(super) fn is_own(&self, inode: u32) -> bool {
        inode < self.first_inode || self.own_inodes.contains(&inode)
    }

    /// The longest run of blocks that the metadata leave room for, in bytes: the groups whose tables lie together, less
    /// those tables and bitmaps. (The few groups that hold backups of the superblock interrupt it; where all do, no run
    /// leaves its group.)
    #[must_use]
    pub(super) fn longest_run_bytes(&self) -> u64 {
        let together = if self.sparse { self.flex_groups.min(self.groups) } else { 1 };
        let table_blocks = (u64::from(self.group_inodes) * self.inode_bytes as u64).div_ceil(self.block_bytes);
        let data_blocks = self.group_blocks.saturating_sub(table_blocks + 2);
        data_blocks.saturating_mul(together).saturating_mul(self.block_bytes)
    }
}

/// Where the inodes of one group are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Where on the device the table begins, in bytes.
    pub(super) table_at: u64,
    /// How many of its inodes have ever been used; the rest need not be read.
    pub(super) inodes: u32,
}

fn check(holds: bool, what: &'static str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::Damaged(what)) }
}

fn check_features(features: u32) -> Result<(), Refusal> {
    if let Some((_, name)) = incompatible::REFUSED.iter().find(|(bit, _)| features & bit != 0) {
        return Err(Refusal::Feature((*name).to_owned()));
    }
    let known = incompatible::KNOWN.iter().fold(0, |all, (bit, _)| all | bit);
    match features & !known {
        0 => Ok(()),
        unknown => Err(Refusal::Feature(format!("incompatible feature {unknown:#x}"))),
    }
}

/// The little-endian number at `at` in a structure that has it.
#[inline]
pub(super) fn u16_at<const N: usize>(bytes: &[u8; N], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// See [`u16_at`].
#[inline]
pub(super) fn u32_at<const N: usize>(bytes: &[u8; N], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A superblock of 64 groups with `set` written over it.
    pub(in super::super) fn superblock(set: &[(usize, u32)]) -> [u8; SUPERBLOCK_BYTES] {
        let mut bytes = [0; SUPERBLOCK_BYTES];
        let mut put = |at: usize, value: u32| bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        [(0x4, 64 * 32768), (0x18, 2), (0x20, 32768), (0x28, 8192), (0x38, 0xEF53), (0x4C, 1), (0x54, 11), (0x58, 256)]
            .iter()
            .chain(&[(0x64, 0x401)])
            .chain(set)
            .for_each(|&(at, value)| put(at, value));
        bytes
    }

    fn parse(set: &[(usize, u32)]) -> Result<Superblock, Refusal> {
        Superblock::parse(&superblock(set), 1 << 40)
    }

    #[test]
    fn descriptors_follow_the_superblock() {
        let plain = parse(&[]).unwrap();
        assert_eq!((plain.block_bytes, plain.groups, plain.inode_bytes), (4096, 64, 256));
        assert_eq!(plain.descriptor_at(0), (4096, 32));
        assert_eq!(plain.descriptor_at(63), (4096 + 63 * 32, 32));
        let small = parse(&[(0x18, 0), (0x14, 1), (0x20, 8192), (0x28, 2048)]).unwrap();
        assert_eq!(small.descriptor_at(33), (2048 + 33 * 32, 32), "blocks of a kilobyte");
    }

    #[test]
    fn descriptors_in_the_groups_they_describe() {
        let meta = parse(&[(0x60, 0x90), (0xFE, 64), (0x4, 1024 * 32768), (0x28, 4096)]).unwrap();
        let group = 32768 * 4096;
        assert_eq!(meta.descriptor_at(0), (4096, 64), "behind the superblock");
        assert_eq!(meta.descriptor_at(64), (64 * group, 64), "in a group without a copy");
        assert_eq!(meta.descriptor_at(65), (64 * group + 64, 64));
        assert!([0, 1, 3, 9, 25, 49].iter().all(|&g| meta.has_superblock(g)));
        assert!([2, 4, 6, 15, 21, 35].iter().all(|&g| !meta.has_superblock(g)));
        let later = parse(&[(0x60, 0x90), (0xFE, 64), (0x104, 1), (0x4, 1024 * 32768), (0x28, 4096)]).unwrap();
        assert_eq!((later.descriptor_at(1).0, later.descriptor_at(64).0), (4096 + 64, 64 * group));
    }

    #[test]
    fn a_group_says_how_much_of_its_table_is_in_use() {
        let superblock = parse(&[]).unwrap();
        let mut descriptor = [0u8; 32];
        descriptor[8] = 100;
        descriptor[0x1C..0x1E].copy_from_slice(&8000u16.to_le_bytes());
        let group = |descriptor: &[u8]| superblock.parse_group(descriptor);
        assert_eq!(group(&descriptor), Ok(Group { table_at: 100 * 4096, inodes: 192 }));
        descriptor[0x12] = 1;
        assert_eq!(group(&descriptor), Ok(Group { table_at: 0, inodes: 0 }));
        assert_eq!(group(&descriptor[..31]), Err("descriptor is cut off"));
        let no_checksums = parse(&[(0x64, 1)]).unwrap();
        assert_eq!(no_checksums.parse_group(&descriptor).unwrap().inodes, 8192);
        descriptor[0x8..0xC].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(no_checksums.parse_group(&descriptor).is_err());
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let refused: [(usize, u32); 9] = [
            (0x38, 0),
            (0x18, 7),
            (0x14, 9),
            (0x20, 0),
            (0x28, 0),
            (0x28, u32::MAX),
            (0x58, 100),
            (0x58, 8192),
            (0x4, u32::MAX),
        ];
        for set in refused {
            assert!(matches!(parse(&[set]), Err(Refusal::Damaged(_))), "{set:?}");
        }
        assert!(matches!(
            Superblock::parse(&superblock(&[]), 1 << 20),
            Err(Refusal::Damaged("larger than its device"))
        ));
        assert_eq!(parse(&[(0x60, 0x8)]), Err(Refusal::Feature("journal_dev".into())));
        assert_eq!(parse(&[(0x60, 0x4000_0000)]), Err(Refusal::Feature("incompatible feature 0x40000000".into())));
    }

    #[test]
    fn the_longest_run_spans_the_groups_whose_tables_lie_together() {
        let group_data = (32768 - 512 - 2) * 4096;
        assert_eq!(parse(&[]).unwrap().longest_run_bytes(), group_data);
        assert_eq!(parse(&[(0x60, 0x200), (0x174, 4)]).unwrap().longest_run_bytes(), 16 * group_data);
        assert_eq!(parse(&[(0x60, 0x200), (0x174, 4), (0x64, 0x400)]).unwrap().longest_run_bytes(), group_data);
    }
}
