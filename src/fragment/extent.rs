//! One extent and what can be special about it.

use fiemap::{FiemapExtent, FiemapExtentFlags};

/// A piece of a file that lies in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Where in the file it begins, in bytes.
    pub logical: u64,
    /// Where on the volume it begins, in bytes; 0 where nobody knows ([`Flags::UNPLACED`]).
    pub physical: u64,
    /// How much of the file it holds, in bytes.
    pub length: u64,
    /// How much of the volume it takes, in bytes: less than `length` when compressed and known, else the same.
    pub disk_length: u64,
    /// What is special about it.
    pub flags: Flags,
}

impl From<&FiemapExtent> for Extent {
    #[inline]
    fn from(record: &FiemapExtent) -> Self {
        Self {
            logical: record.fe_logical,
            physical: record.fe_physical,
            length: record.fe_length,
            disk_length: record.fe_length,
            flags: record.fe_flags.into(),
        }
    }
}

/// A set of properties of an extent, or of all extents of a file together. The bits are FIEMAP's.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Flags(u32);

/// Every flag with the name that JSON and the tables use.
const NAMES: [(Flags, &str); 10] = [
    (Flags::UNKNOWN, "unknown"),
    (Flags::DELAYED, "delayed"),
    (Flags::ENCODED, "encoded"),
    (Flags::ENCRYPTED, "encrypted"),
    (Flags::UNALIGNED, "unaligned"),
    (Flags::INLINE, "inline"),
    (Flags::TAIL, "tail"),
    (Flags::UNWRITTEN, "unwritten"),
    (Flags::MERGED, "block_mapped"),
    (Flags::SHARED, "shared"),
];

impl Flags {
    /// The place is not known.
    pub const UNKNOWN: Self = Self::of(FiemapExtentFlags::UNKNOWN);
    /// Written, but not yet given a place (delayed allocation).
    pub const DELAYED: Self = Self::of(FiemapExtentFlags::DELALLOC);
    /// Stored in another form than read: compressed, mostly.
    pub const ENCODED: Self = Self::of(FiemapExtentFlags::ENCODED);
    /// Encrypted by the file system.
    pub const ENCRYPTED: Self = Self::of(FiemapExtentFlags::DATA_ENCRYPTED);
    /// Does not begin or end on a block.
    pub const UNALIGNED: Self = Self::of(FiemapExtentFlags::NOT_ALIGNED);
    /// Lies among metadata: inside the inode or a tree leaf.
    pub const INLINE: Self = Self::of(FiemapExtentFlags::DATA_INLINE);
    /// Shares a block with the tails of other files.
    pub const TAIL: Self = Self::of(FiemapExtentFlags::DATA_TAIL);
    /// Allocated, and reads as zeroes until written.
    pub const UNWRITTEN: Self = Self::of(FiemapExtentFlags::UNWRITTEN);
    /// The file is mapped block by block, not by extents (ext2, ext3); the kernel joined the blocks for us.
    pub const MERGED: Self = Self::of(FiemapExtentFlags::MERGED);
    /// Other files, or snapshots, use the same space (reflinks).
    pub const SHARED: Self = Self::of(FiemapExtentFlags::SHARED);
    /// Has no place of its own on the volume, so that it can neither begin a fragment nor continue one.
    pub const UNPLACED: Self = Self(Self::UNKNOWN.0 | Self::DELAYED.0 | Self::INLINE.0);

    const fn of(flags: FiemapExtentFlags) -> Self {
        Self(flags.bits())
    }

    /// Whether any flag of `other` is set here.
    #[must_use]
    #[inline]
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of the flags that are set, in a fixed order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.iter().filter(move |(flag, _)| self.any(*flag)).map(|&(_, name)| name)
    }
}

impl From<FiemapExtentFlags> for Flags {
    #[inline]
    fn from(flags: FiemapExtentFlags) -> Self {
        // `LAST` belongs to the answer, not to the extent.
        Self(flags.bits() & !FiemapExtentFlags::LAST.bits())
    }
}

impl std::ops::BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl std::fmt::Debug for Flags {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_bits() {
        let flags = Flags::from(FiemapExtentFlags::LAST | FiemapExtentFlags::UNWRITTEN | FiemapExtentFlags::SHARED);
        assert_eq!(flags.names().collect::<Vec<_>>(), ["unwritten", "shared"]);
        assert_eq!(format!("{flags:?}"), r#"{"unwritten", "shared"}"#);
        assert!(flags.any(Flags::SHARED) && !flags.any(Flags::UNPLACED));
    }
}
