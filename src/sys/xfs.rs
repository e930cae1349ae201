//! What XFS can be asked: the geometry of the volume.
//!
//! # Safety
//!
//! The calls write to structures that we own and whose sizes are part of the request numbers.
#![allow(unsafe_code)]

use super::{check, retry};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// `_IOR('X', 126, struct xfs_fsop_geom)`, the fifth version of the structure.
const XFS_IOC_FSGEOMETRY: libc::Ioctl = 0x8100_587E_u32 as libc::Ioctl;

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
