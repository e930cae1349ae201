//! A file by its inode number: `open_by_handle_at`.
//!
//! A handle is what a file system calls a file among itself, for NFS servers mostly: the inode's number and its
//! generation, which tells it from earlier files of the same number. It takes `CAP_DAC_READ_SEARCH`, since it passes
//! by the permissions of the directories above.
//!
//! # Safety
//!
//! The call reads a structure that we own and whose length it is told.
#![allow(unsafe_code)]

use super::{check, retry};
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;

/// `struct file_handle` with as many bytes as the longest of the forms below.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Handle {
    length: u32,
    form: i32,
    bytes: [u8; 12],
}

const _: () = assert!(size_of::<Handle>() == 20);

/// Inode of 32 bits and generation (`FILEID_INO32_GEN`).
const FORM_SHORT: i32 = 1;
/// Inode of 64 bits and generation, in the form of XFS.
const FORM_XFS: i32 = 0x81;

impl Handle {
    /// A file of ext2, ext3 or ext4.
    #[must_use]
    pub fn of_ext(inode: u32, generation: u32) -> Self {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&inode.to_ne_bytes());
        bytes[4..8].copy_from_slice(&generation.to_ne_bytes());
        Self { length: 8, form: FORM_SHORT, bytes }
    }

    /// A file of XFS.
    #[must_use]
    pub fn of_xfs(inode: u64, generation: u32) -> Self {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&inode.to_ne_bytes());
        bytes[8..].copy_from_slice(&generation.to_ne_bytes());
        Self { length: 12, form: FORM_XFS, bytes }
    }

    /// Opens the file, which is on the file system that `mount` is on, for asking about its extents.
    ///
    /// # Errors
    /// The kernel's error: `EPERM` without the right to open by handle, `ESTALE` when the file is gone.
    pub fn open(self, mount: impl AsFd) -> io::Result<OwnedFd> {
        self.open_with(mount, libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOATIME | libc::O_NOCTTY)
    }

    /// The path that the kernel has for the file in its cache of names; some other text where it has none, so that
    /// whoever gets it must check it.
    ///
    /// # Errors
    /// The kernel's error, as for [`Handle::open`]; `ENOENT` without `/proc`.
    pub fn cached_path(self, mount: impl AsFd) -> io::Result<PathBuf> {
        let opened = self.open_with(mount, libc::O_PATH)?;
        std::fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd()))
    }

    fn open_with(mut self, mount: impl AsFd, flags: libc::c_int) -> io::Result<OwnedFd> {
        let descriptor = mount.as_fd().as_raw_fd();
        let opened = retry(|| {
            let handle = std::ptr::from_mut(&mut self);
            // SAFETY: the kernel reads the head and as many bytes as it announces, which the structure has room for;
            // the call writes nothing.
            let opened =
                unsafe { libc::syscall(libc::SYS_open_by_handle_at, descriptor, handle, flags | libc::O_CLOEXEC) };
            check(opened as libc::c_int)
        })?;
        // SAFETY: the kernel just returned this descriptor and nobody else knows it yet.
        Ok(unsafe { OwnedFd::from_raw_fd(opened) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_are_no_handles_the_kernel_says_so() {
        let proc = std::fs::File::open("/proc").unwrap();
        assert!(Handle::of_xfs(1, 0).open(&proc).is_err());
        assert!(Handle::of_ext(1, 0).cached_path(&proc).is_err());
    }
}
