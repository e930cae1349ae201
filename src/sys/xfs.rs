//! What XFS can be asked: the geometry of the volume, and its inodes in bulk.
//!
//! `BULKSTAT` (the fifth version, Linux 5.3) hands out a thousand inodes a call, in the order in which they lie,
//! group by group, with the number of extents of each. It wants `CAP_SYS_ADMIN`.
//!
//! # Safety
//!
//! The calls write to structures and buffers that we own, whose sizes are part of the request numbers or of the
//! request itself. Records are parsed with bounds checks, not by casting.
#![allow(unsafe_code)]

use super::{check, retry};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `_IOR('X', 126, struct xfs_fsop_geom)`, the fifth version of the structure.
const XFS_IOC_FSGEOMETRY: libc::Ioctl = 0x8100_587E_u32 as libc::Ioctl;

/// `_IOR('X', 127, struct xfs_bulkstat_req)`.
const XFS_IOC_BULKSTAT: libc::Ioctl = 0x8040_587F_u32 as libc::Ioctl;

/// Only inodes of the allocation group that the request names.
const XFS_BULK_IREQ_AGNO: u32 = 1;
/// Extent counts of 64 bits (Linux 5.19); older kernels refuse the flag.
const XFS_BULK_IREQ_NREXT64: u32 = 4;

/// The head of `struct xfs_fsop_geom`, which is 256 bytes long.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Size of a block in bytes.
    pub block_bytes: u32,
    realtime_extent_blocks: u32,
    /// Blocks in an allocation group.
    pub group_blocks: u32,
    /// Allocation groups.
    pub groups: u32,
    rest: [u64; 30],
}

const _: () = assert!(size_of::<Geometry>() == 256);

impl Geometry {
    /// Size of an allocation group in bytes: no run is longer.
    #[must_use]
    pub fn group_bytes(&self) -> u64 {
        u64::from(self.block_bytes) * u64::from(self.group_blocks)
    }
}

/// The geometry of the volume that `file` is on.
///
/// # Errors
/// The kernel's error; `ENOTTY` when that is no XFS.
pub fn geometry(file: impl AsFd) -> io::Result<Geometry> {
    let descriptor = file.as_fd().as_raw_fd();
    let mut geometry =
        Geometry { block_bytes: 0, realtime_extent_blocks: 0, group_blocks: 0, groups: 0, rest: [0; 30] };
    retry(|| {
        // SAFETY: the kernel writes the 256 bytes that the request number names, which `geometry` has.
        check(unsafe { libc::ioctl(descriptor, XFS_IOC_FSGEOMETRY, std::ptr::from_mut(&mut geometry)) })
    })?;
    Ok(geometry)
}

/// What `BULKSTAT` says of one inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inode {
    /// Its number.
    pub number: u64,
    /// Tells it from earlier inodes of the same number.
    pub generation: u32,
    /// Type and permission bits, as in `st_mode`.
    pub mode: u32,
    /// Number of names.
    pub links: u32,
    /// Apparent size.
    pub size_bytes: u64,
    /// Space allocated, what is delayed and what the maps take included.
    pub allocated_bytes: u64,
    /// Extent records of the data, those without a place yet left out.
    pub extents: u64,
}

/// Bytes of `struct xfs_bulk_ireq`, which a request opens with, and of `struct xfs_bulkstat`.
const HEAD_BYTES: usize = 64;
const RECORD_BYTES: usize = 192;
/// Inodes asked for in one call.
const BATCH: usize = 1024;

/// A buffer for the inodes of one allocation group, call after call. 192 KiB.
#[derive(Debug)]
pub struct Bulk {
    bytes: Box<[u8]>,
    group: u32,
    next: u64,
    returned: usize,
    wide: bool,
}

impl Bulk {
    /// Begins before the first inode of `group`.
    #[must_use]
    pub fn new(group: u32) -> Self {
        let bytes = vec![0; HEAD_BYTES + BATCH * RECORD_BYTES].into_boxed_slice();
        Self { bytes, group, next: 0, returned: 0, wide: true }
    }

    /// Begins again, before the first inode of `group`.
    pub fn rewind(&mut self, group: u32) {
        (self.group, self.next, self.returned) = (group, 0, 0);
    }

    /// Asks for the next inodes; `false` when there are no more. `mount` is any descriptor on the volume.
    ///
    /// # Errors
    /// The kernel's error: `EPERM` without the right to ask, `ENOTTY` or `EINVAL` where the kernel is too old.
    pub fn fill(&mut self, mount: impl AsFd) -> io::Result<bool> {
        let descriptor = mount.as_fd().as_raw_fd();
        match self.call(descriptor) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && self.wide => {
                self.wide = false;
                self.call(descriptor)?;
            }
            done => done?,
        }
        let number = |at: usize| u32::from_ne_bytes(self.bytes[at..at + 4].try_into().expect("four bytes were sliced"));
        self.returned = (number(16) as usize).min(BATCH);
        let next = word(&self.bytes, 0).unwrap_or(0);
        // The kernel moves on with every call; should it not, this is the end, and not an endless loop.
        let moved = next > self.next;
        self.next = next;
        Ok(self.returned > 0 && moved)
    }

    fn call(&mut self, descriptor: libc::c_int) -> io::Result<()> {
        let flags = XFS_BULK_IREQ_AGNO | if self.wide { XFS_BULK_IREQ_NREXT64 } else { 0 };
        let (head, _) = self.bytes.split_at_mut(HEAD_BYTES);
        head.fill(0);
        head[..8].copy_from_slice(&self.next.to_ne_bytes());
        head[8..12].copy_from_slice(&flags.to_ne_bytes());
        head[12..16].copy_from_slice(&(BATCH as u32).to_ne_bytes());
        head[20..24].copy_from_slice(&self.group.to_ne_bytes());
        let bytes = &mut self.bytes;
        retry(|| {
            // SAFETY: the kernel reads the head, and writes it and as many records behind it as the head says there
            // is room for, which is what `bytes` was made for.
            check(unsafe { libc::ioctl(descriptor, XFS_IOC_BULKSTAT, bytes.as_mut_ptr()) })
        })?;
        Ok(())
    }

    /// The inodes that the last call gave.
    pub fn inodes(&self) -> impl Iterator<Item = Inode> {
        let records = self.bytes[HEAD_BYTES..].chunks_exact(RECORD_BYTES).take(self.returned);
        records.filter_map(|record| parse(record, self.wide))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

fn half(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// Parses a `struct xfs_bulkstat`; `wide` where the extents are counted in 64 bits. `None` when it is cut off.
#[must_use]
pub fn parse(record: &[u8], wide: bool) -> Option<Inode> {
    let block_bytes = u64::from(half(record, 96)?);
    let mode = u16::from_ne_bytes(record.get(132..134)?.try_into().ok()?);
    Some(Inode {
        number: word(record, 0)?,
        generation: half(record, 64)?,
        mode: u32::from(mode),
        links: half(record, 112)?,
        size_bytes: word(record, 8)?,
        allocated_bytes: word(record, 16)?.saturating_mul(block_bytes),
        extents: if wide { word(record, 136)? } else { u64::from(half(record, 116)?) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_by_its_offsets() {
        let mut record = [0u8; RECORD_BYTES];
        let fields: [(usize, &[u8]); 9] = [
            (0, &7u64.to_ne_bytes()),
            (8, &5000u64.to_ne_bytes()),
            (16, &2u64.to_ne_bytes()),
            (64, &9u32.to_ne_bytes()),
            (96, &4096u32.to_ne_bytes()),
            (112, &1u32.to_ne_bytes()),
            (116, &3u32.to_ne_bytes()),
            (132, &0o100_644u16.to_ne_bytes()),
            (136, &4u64.to_ne_bytes()),
        ];
        fields.iter().for_each(|(at, bytes)| record[*at..at + bytes.len()].copy_from_slice(bytes));
        let expected = Inode {
            number: 7,
            generation: 9,
            mode: 0o100_644,
            links: 1,
            size_bytes: 5000,
            allocated_bytes: 8192,
            extents: 4,
        };
        assert_eq!(parse(&record, true), Some(expected));
        assert_eq!(parse(&record, false).unwrap().extents, 3);
        assert_eq!(parse(&record[..100], true), None);
    }

    #[test]
    fn what_is_no_xfs_says_so() {
        let proc = std::fs::File::open("/proc").unwrap();
        assert!(geometry(&proc).is_err() && Bulk::new(0).fill(&proc).is_err());
    }
}
