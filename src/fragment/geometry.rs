//! How long a run a file system could make at best: what *ideal* is measured against.
//!
//! Every file system cuts its volume into regions and keeps records of its own at their borders, which a file's data
//! has to go around:
//!
//! - **ext4** has block groups of 128 MiB (with blocks of 4 KiB), each with bitmaps and an inode table; with the
//!   `flex_bg` feature, on by default, those of sixteen groups lie together, so that data runs for nearly 2 GiB.
//! - **XFS** has allocation groups, a quarter of the volume each or up to 1 TiB; a run ends with its group.
//! - **btrfs** hands out chunks of 1 GiB for data, less on volumes below 10 GiB.
//! - **ext2 and ext3** place a block of pointers after every 1024 blocks of data (with blocks of 4 KiB), in line.
//!
//! The figures of ext2, ext3 and ext4 are read from the superblock; where that cannot be done (only root may read the
//! block device, mostly), the defaults of `mkfs` stand in. For any other file system nothing is known and one run is
//! taken to be possible.

use super::filesystem;
use super::volume::{Kind, Volume};
use std::os::fd::BorrowedFd;

/// Up to here no file system's regions matter, and the geometry is not asked for.
pub(super) const SURELY_ONE_RUN_BYTES: u64 = 64 << 20;

/// Groups whose metadata lie together, as `mkfs.ext4` sets it up.
const DEFAULT_FLEX_GROUPS: u64 = 16;

/// The longest run in bytes that `volume` has room for.
pub(super) fn longest_run_bytes(volume: &Volume, file: BorrowedFd<'_>) -> u64 {
    match volume.kind {
        Kind::Ext => longest_ext_run(volume),
        Kind::Xfs => crate::sys::xfs::geometry(file).map_or(u64::MAX, |geometry| geometry.group_bytes()),
        Kind::Btrfs => btrfs_chunk_bytes(volume.total_bytes),
        _ => u64::MAX,
    }
}

/// A bitmap of one block tells the group's blocks, eight to a byte.
fn group_bytes(block_bytes: u64) -> u64 {
    8 * block_bytes * block_bytes
}

fn longest_ext_run(volume: &Volume) -> u64 {
    filesystem::longest_run_bytes(volume).unwrap_or_else(|| usual_ext_run(volume))
}

fn usual_ext_run(volume: &Volume) -> u64 {
    let group = group_bytes(volume.block_bytes);
    let flexible = if volume.name == "ext4" { DEFAULT_FLEX_GROUPS } else { 1 };
    let inode_tables = volume.inodes.saturating_mul(256) / volume.total_bytes.div_ceil(group).max(1);
    let metadata = inode_tables + 2 * volume.block_bytes;
    flexible * group.saturating_sub(metadata)
}

fn btrfs_chunk_bytes(total_bytes: u64) -> u64 {
    (total_bytes / 10).clamp(SURELY_ONE_RUN_BYTES, 1 << 30)
}

/// The fewest runs of a file that is mapped block by block, whose blocks of pointers lie between its data: twelve
/// blocks are named in the inode, and every block of pointers names as many as fit.
#[must_use]
pub(super) fn runs_between_indirect_blocks(mapped_bytes: u64, block_bytes: u64) -> u64 {
    let block_bytes = block_bytes.max(1024);
    let blocks = mapped_bytes.div_ceil(block_bytes);
    1 + blocks.saturating_sub(12).div_ceil(block_bytes / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indirect_blocks_cut_a_file() {
        assert_eq!(runs_between_indirect_blocks(12 * 4096, 4096), 1);
        assert_eq!(runs_between_indirect_blocks(13 * 4096, 4096), 2);
        assert_eq!(runs_between_indirect_blocks((12 + 1024) * 4096, 4096), 2);
        assert_eq!(runs_between_indirect_blocks((12 + 1025) * 4096, 4096), 3);
    }

    #[test]
    fn chunks_grow_with_the_volume() {
        assert_eq!(btrfs_chunk_bytes(4 << 30), (4 << 30) / 10);
        assert_eq!(btrfs_chunk_bytes(1 << 40), 1 << 30);
    }
}
