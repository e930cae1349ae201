//! What the kernel knows of a file or a file system without opening it: `statx` and `fstatfs`.
//!
//! `std::fs::Metadata` has no call relative to a directory's descriptor, and no mount id.
//!
//! # Safety
//!
//! Both calls fill a plain C struct that we own; every bit pattern of it is a valid value.
#![allow(unsafe_code)]

use super::directory::enter_long;
use super::{check, retry};
use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// A device number, major and minor in one word, as `stat` gives it.
pub type Device = u64;

/// Size of the unit in which `stx_blocks` counts, whatever the file system's own block is.
const SECTOR_BYTES: u64 = 512;

/// What `statx` said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The device that the file is on.
    pub device: Device,
    /// The inode number, unique on that device.
    pub inode: u64,
    /// Type and permission bits, as in `st_mode`.
    pub mode: u32,
    /// Owner.
    pub owner: u32,
    /// Number of names that the file has.
    pub links: u32,
    /// Apparent size.
    pub size_bytes: u64,
    /// Space allocated, indirect blocks and the like included where the file system counts them.
    pub allocated_bytes: u64,
    /// The mount it was reached through, where the kernel tells (5.8 and later).
    pub mount: Option<u64>,
    /// For a device node: the device it stands for.
    pub node_device: Device,
}

impl Metadata {
    /// Whether this is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }

    /// What this is if it is not a regular file, in words.
    #[must_use]
    pub fn not_a_file(&self) -> Option<&'static str> {
        match self.mode & libc::S_IFMT {
            libc::S_IFREG => None,
            libc::S_IFDIR => Some("a directory"),
            libc::S_IFLNK => Some("a symbolic link"),
            libc::S_IFIFO => Some("a FIFO"),
            libc::S_IFSOCK => Some("a socket"),
            libc::S_IFBLK | libc::S_IFCHR => Some("a device"),
            _ => Some("not a regular file"),
        }
    }

    /// Whether this is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFDIR
    }

    /// Whether this is a symbolic link (only ever so when links are not followed).
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFLNK
    }
}

/// Asks about `name` below `directory`. Does not make a network file system ask its server when it has an answer.
///
/// # Errors
/// The kernel's error.
#[inline]
pub fn at(directory: BorrowedFd<'_>, name: &CStr, follow: bool) -> io::Result<Metadata> {
    statx(directory.as_raw_fd(), name, if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW })
}

/// Asks about an open descriptor.
///
/// # Errors
/// The kernel's error.
pub fn of(descriptor: impl AsFd) -> io::Result<Metadata> {
    statx(descriptor.as_fd().as_raw_fd(), c"", libc::AT_EMPTY_PATH)
}

/// Asks about `path`, which may be longer than `PATH_MAX`.
///
/// # Errors
/// The kernel's error. A path with a NUL byte is `InvalidInput`.
pub fn of_path(path: &[u8], follow: bool) -> io::Result<Metadata> {
    let (last, directory) = enter_long(path)?;
    let at = directory.as_ref().map_or(libc::AT_FDCWD, AsRawFd::as_raw_fd);
    statx(at, &CString::new(last)?, if follow { 0 } else { libc::AT_SYMLINK_NOFOLLOW })
}

fn statx(directory: libc::c_int, name: &CStr, flags: libc::c_int) -> io::Result<Metadata> {
    let mut answer = MaybeUninit::<libc::statx>::zeroed();
    let mask = libc::STATX_BASIC_STATS | libc::STATX_MNT_ID;
    let flags = flags | libc::AT_STATX_DONT_SYNC | libc::AT_NO_AUTOMOUNT;
    retry(|| {
        // SAFETY: `name` is terminated, and the kernel writes one `struct statx`, which `answer` has room for.
        check(unsafe { libc::statx(directory, name.as_ptr(), flags, mask, answer.as_mut_ptr()) })
    })?;
    // SAFETY: the memory was zeroed and then filled by the kernel; all its fields are integers.
    let answer = unsafe { answer.assume_init() };
    Ok(Metadata {
        device: libc::makedev(answer.stx_dev_major, answer.stx_dev_minor),
        inode: answer.stx_ino,
        mode: u32::from(answer.stx_mode),
        owner: answer.stx_uid,
        links: answer.stx_nlink,
        size_bytes: answer.stx_size,
        allocated_bytes: answer.stx_blocks.saturating_mul(SECTOR_BYTES),
        mount: (answer.stx_mask & libc::STATX_MNT_ID != 0).then_some(answer.stx_mnt_id),
        node_device: libc::makedev(answer.stx_rdev_major, answer.stx_rdev_minor),
    })
}

/// What `fstatfs` said of the file system that a descriptor is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSystem {
    /// The type's magic number (`EXT4_SUPER_MAGIC` and its like in `linux/magic.h`).
    pub magic: u64,
    /// Size of an allocation unit, in bytes.
    pub block_bytes: u64,
    /// Allocation units in all.
    pub blocks: u64,
    /// Inodes in all; 0 where there is no such number.
    pub inodes: u64,
}

/// Asks about the file system that `descriptor` is on.
///
/// # Errors
/// The kernel's error.
pub fn file_system(descriptor: impl AsFd) -> io::Result<FileSystem> {
    let descriptor = descriptor.as_fd().as_raw_fd();
    let mut answer = MaybeUninit::<libc::statfs>::zeroed();
    retry(|| {
        // SAFETY: the kernel writes one `struct statfs`, which `answer` has room for.
        check(unsafe { libc::fstatfs(descriptor, answer.as_mut_ptr()) })
    })?;
    // SAFETY: the memory was zeroed and then filled by the kernel; all its fields are integers.
    let answer = unsafe { answer.assume_init() };
    Ok(FileSystem {
        magic: answer.f_type as u64,
        block_bytes: answer.f_bsize as u64,
        blocks: answer.f_blocks,
        inodes: answer.f_files,
    })
}

/// The effective user, for deciding what it may ask of a file.
#[must_use]
pub fn effective_user() -> u32 {
    // SAFETY: the call takes nothing, touches no memory and cannot fail.
    unsafe { libc::geteuid() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn agrees_with_std() {
        let expected = std::fs::metadata("Cargo.toml").unwrap();
        let found = of_path(b"Cargo.toml", false).unwrap();
        assert!(found.is_file() && !found.is_directory() && !found.is_symlink());
        assert_eq!((found.device, found.inode), (expected.dev(), expected.ino()));
        assert_eq!((found.size_bytes, found.allocated_bytes), (expected.len(), expected.blocks() * 512));
        assert_eq!((found.links as u64, found.owner), (expected.nlink(), expected.uid()));
        assert_eq!(of(std::fs::File::open("Cargo.toml").unwrap()).unwrap().inode, expected.ino());
    }

    #[test]
    fn a_missing_file_is_the_kernels_error() {
        let error = of_path(b"/nonexistent", false).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        assert_eq!(of_path(b"nul\0inside", false).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn proc_is_recognised() {
        let proc = std::fs::File::open("/proc").unwrap();
        assert_eq!(file_system(proc).unwrap().magic, libc::PROC_SUPER_MAGIC as u64);
    }
}
