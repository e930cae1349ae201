//! Directories: opening them by any path, and reading their entries without allocating for each.
//!
//! `std::fs::read_dir` allocates a path for every entry and hides the directory's descriptor, which the walk needs
//! for `openat`. Here one buffer holds as many `getdents64` records as fit, and an [`Entry`] borrows from it.
//!
//! A path may be longer than `PATH_MAX`: the kernel then refuses to take it in one piece, so [`open`] walks it in
//! pieces that the kernel takes.
//!
//! # Safety
//!
//! Unsafe code here is system calls on descriptors that are borrowed for the length of the call, and on buffers
//! whose length is passed along with them. The records are parsed with bounds checks, not by casting.
#![allow(unsafe_code)]

use super::{check, retry};
use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Bytes that one `getdents64` call may fill: glibc's own choice, and enough for about a thousand names.
pub const BUFFER_BYTES: usize = 32 << 10;

/// Longest piece of a path that is handed to the kernel at once (`PATH_MAX` counts the terminator).
const PIECE_BYTES: usize = libc::PATH_MAX as usize - 1;

/// What a directory entry is, as far as the directory itself tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, whatever it points to.
    Symlink,
    /// A FIFO, socket or device: nothing that has extents, and nothing that is safe to open.
    Special,
    /// The file system does not say; ask [`super::metadata::at`].
    Unknown,
}

/// One name in a directory.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'buffer> {
    /// The name, without any directory.
    pub name: &'buffer CStr,
    /// The inode number.
    pub inode: u64,
    /// What it is.
    pub kind: Kind,
}

/// Opens the directory `path`: for reading its entries, or, with `listed` unset, only for reaching what is in it by
/// name, which needs no right to read it.
///
/// With `follow` unset the last component must not be a symbolic link (`ELOOP` or `ENOTDIR` then).
///
/// # Errors
/// The kernel's error. A path with a NUL byte is `InvalidInput`.
pub fn open(path: &[u8], follow: bool, listed: bool) -> io::Result<OwnedFd> {
    let (links, access) = (if follow { 0 } else { libc::O_NOFOLLOW }, if listed { 0 } else { libc::O_PATH });
    open_with(path, links | access | libc::O_DIRECTORY)
}

/// Opens the regular file `path` for asking about its extents, with the same care as [`open_file`].
///
/// # Errors
/// The kernel's error. A path with a NUL byte is `InvalidInput`.
pub fn open_path(path: &[u8]) -> io::Result<OwnedFd> {
    open_with(path, libc::O_NOFOLLOW)
}

/// The descriptor of the directory that `path` names its last component in (`None` for the current one), and that
/// component, for calls that take the two apart.
///
/// # Errors
/// The kernel's error where the path is longer than `PATH_MAX` and its first pieces cannot be walked; `InvalidInput`
/// for a path with a NUL byte.
pub fn split(path: &[u8]) -> io::Result<(Option<OwnedFd>, CString)> {
    let (last, directory) = enter_long(path)?;
    Ok((directory, CString::new(last)?))
}

/// Stands for the current directory in calls that take a directory's descriptor.
#[must_use]
pub fn current() -> BorrowedFd<'static> {
    // SAFETY: `AT_FDCWD` is no descriptor that could be closed; it is a number that every `*at` call takes in place of
    // one, and it is not the -1 that a `BorrowedFd` must not be.
    unsafe { BorrowedFd::borrow_raw(libc::AT_FDCWD) }
}

/// Opens `path` with `flags`, in pieces where it is longer than the kernel takes at once.
pub(super) fn open_with(path: &[u8], flags: libc::c_int) -> io::Result<OwnedFd> {
    let flags = flags | libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    let (last, directory) = enter_long(path)?;
    let at = directory.as_ref().map_or(libc::AT_FDCWD, AsRawFd::as_raw_fd);
    open_at(at, &CString::new(last)?, flags)
}

/// For a path longer than one piece: the descriptor reached by walking all pieces but the last, and that last piece.
pub(super) fn enter_long(path: &[u8]) -> io::Result<(&[u8], Option<OwnedFd>)> {
    // A pattern without a directory begins in the current one, which has no name of its own in the results.
    let mut rest: &[u8] = if path.is_empty() { b"." } else { path };
    let mut directory: Option<OwnedFd> = None;
    while rest.len() > PIECE_BYTES {
        let cut = rest[..PIECE_BYTES].iter().rposition(|&byte| byte == b'/').filter(|&cut| cut > 0);
        let cut = cut.ok_or_else(|| io::Error::from_raw_os_error(libc::ENAMETOOLONG))?;
        let at = directory.as_ref().map_or(libc::AT_FDCWD, AsRawFd::as_raw_fd);
        let flags = libc::O_PATH | libc::O_DIRECTORY | libc::O_CLOEXEC;
        directory = Some(open_at(at, &CString::new(&rest[..cut])?, flags)?);
        rest = without_leading_slashes(&rest[cut..]);
    }
    // What was cut off may have been nothing but slashes.
    Ok((if rest.is_empty() { b"." } else { rest }, directory))
}

/// `path` without leading slashes, so that a later piece is relative to the descriptor before it.
fn without_leading_slashes(path: &[u8]) -> &[u8] {
    let start = path.iter().position(|&byte| byte != b'/').unwrap_or(path.len());
    &path[start..]
}

/// Opens `name` below `directory` for asking about its extents: never follows a link, never blocks on a FIFO,
/// never becomes a controlling terminal, and leaves the access time alone where `no_access_time` says the kernel
/// will allow that (owner or privileged).
///
/// # Errors
/// The kernel's error; `ELOOP` when `name` has become a symbolic link meanwhile.
pub fn open_file(directory: BorrowedFd<'_>, name: &CStr, follow: bool, no_access_time: bool) -> io::Result<OwnedFd> {
    let quiet = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    let flags = quiet | if follow { 0 } else { libc::O_NOFOLLOW };
    if no_access_time {
        match open_at(directory.as_raw_fd(), name, flags | libc::O_NOATIME) {
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {}
            done => return done,
        }
    }
    open_at(directory.as_raw_fd(), name, flags)
}

/// A descriptor for `name` that stands for its place and opens nothing: good for asking what it lies on, whatever it is
/// and whoever may read it.
///
/// # Errors
/// The kernel's error.
pub fn locate(directory: BorrowedFd<'_>, name: &CStr, follow: bool) -> io::Result<OwnedFd> {
    let flags = libc::O_PATH | libc::O_CLOEXEC | if follow { 0 } else { libc::O_NOFOLLOW };
    open_at(directory.as_raw_fd(), name, flags)
}

fn open_at(directory: libc::c_int, name: &CStr, flags: libc::c_int) -> io::Result<OwnedFd> {
    retry(|| {
        // SAFETY: `name` is a terminated string that outlives the call; the call stores nothing in our memory.
        let opened = unsafe { libc::openat(directory, name.as_ptr(), flags) };
        let opened = check(opened)?;
        // SAFETY: the kernel just returned this descriptor and nobody else knows it yet.
        Ok(unsafe { OwnedFd::from_raw_fd(opened) })
    })
}

/// A buffer of directory records, filled by [`Records::fill`] and read by [`Records::entries`].
#[derive(Debug)]
pub struct Records {
    bytes: Box<[u8]>,
    filled: usize,
}

impl Default for Records {
    fn default() -> Self {
        Self { bytes: vec![0; BUFFER_BYTES].into_boxed_slice(), filled: 0 }
    }
}

impl Records {
    /// Reads the next records of `directory`; `false` at its end.
    ///
    /// # Errors
    /// The kernel's error, `ENOENT` among them when the directory was removed meanwhile.
    pub fn fill(&mut self, directory: impl AsFd) -> io::Result<bool> {
        let descriptor = directory.as_fd().as_raw_fd();
        let bytes = &mut self.bytes;
        let filled = retry(|| {
            // SAFETY: the kernel writes at most `bytes.len()` bytes to `bytes`, which we borrow mutably.
            let filled = unsafe { libc::syscall(libc::SYS_getdents64, descriptor, bytes.as_mut_ptr(), bytes.len()) };
            if filled < 0 { Err(io::Error::last_os_error()) } else { Ok(filled as usize) }
        })?;
        self.filled = filled;
        Ok(filled > 0)
    }

    /// The entries read last, `.` and `..` left out.
    pub fn entries(&self) -> Entries<'_> {
        self.entries_from(0)
    }

    /// The entries from byte `offset` on, which [`Entries::offset`] gave.
    pub fn entries_from(&self, offset: usize) -> Entries<'_> {
        Entries { all: self.filled, rest: self.bytes.get(offset..self.filled).unwrap_or_default() }
    }
}

/// Iterator over the entries of one [`Records`].
#[derive(Debug)]
pub struct Entries<'buffer> {
    all: usize,
    rest: &'buffer [u8],
}

impl Entries<'_> {
    /// Where the next entry begins in the buffer.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.all - self.rest.len()
    }
}

/// `struct linux_dirent64`: inode at 0, length of the record at 16, type at 18, name from 19 on.
const LENGTH_AT: usize = 16;
const TYPE_AT: usize = 18;
const NAME_AT: usize = 19;

impl<'buffer> Iterator for Entries<'buffer> {
    type Item = Entry<'buffer>;

    fn next(&mut self) -> Option<Entry<'buffer>> {
        loop {
            let head = self.rest.get(..NAME_AT)?;
            let inode = u64::from_ne_bytes(head[..8].try_into().expect("eight bytes were sliced"));
            let length = usize::from(u16::from_ne_bytes([head[LENGTH_AT], head[LENGTH_AT + 1]]));
            let kind = kind_of(head[TYPE_AT]);
            let name = CStr::from_bytes_until_nul(self.rest.get(NAME_AT..length)?).ok()?;
            self.rest = &self.rest[length..];
            if name != c"." && name != c".." {
                return Some(Entry { name, inode, kind });
            }
        }
    }
}

fn kind_of(kind: u8) -> Kind {
    match kind {
        libc::DT_REG => Kind::File,
        libc::DT_DIR => Kind::Directory,
        libc::DT_LNK => Kind::Symlink,
        libc::DT_UNKNOWN => Kind::Unknown,
        _ => Kind::Special,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    fn names_in(path: &[u8]) -> Vec<(Vec<u8>, Kind)> {
        let directory = open(path, false, true).expect("the test made it");
        let mut records = Records::default();
        let mut names = Vec::new();
        while records.fill(&directory).expect("readable") {
            names.extend(records.entries().map(|entry| (entry.name.to_bytes().to_vec(), entry.kind)));
        }
        names.sort_by(|a: &(Vec<u8>, Kind), b| a.0.cmp(&b.0));
        names
    }

    #[test]
    fn lists_names_and_kinds_and_no_dots() {
        let scratch = std::env::temp_dir().join(format!("toolbox-directory-{}", std::process::id()));
        std::fs::create_dir_all(scratch.join("sub")).unwrap();
        std::fs::write(scratch.join("file"), b"x").unwrap();
        std::os::unix::fs::symlink("nowhere", scratch.join("link")).unwrap();
        let found = names_in(scratch.as_os_str().as_bytes());
        std::fs::remove_dir_all(&scratch).unwrap();
        let expected: Vec<(Vec<u8>, Kind)> =
            vec![(b"file".to_vec(), Kind::File), (b"link".to_vec(), Kind::Symlink), (b"sub".to_vec(), Kind::Directory)];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_path_longer_than_path_max_is_opened_in_pieces() {
        let scratch = std::env::temp_dir().join(format!("toolbox-long-{}", std::process::id()));
        let mut path = scratch.as_os_str().as_bytes().to_vec();
        std::fs::create_dir_all(&scratch).unwrap();
        let component = CString::new(vec![b'd'; 200]).unwrap();
        while path.len() < 2 * PIECE_BYTES {
            let parent = open(&path, false, true).unwrap();
            // SAFETY: the name is terminated and the descriptor is open for the length of the call.
            assert_eq!(unsafe { libc::mkdirat(parent.as_raw_fd(), component.as_ptr(), 0o700) }, 0);
            path.push(b'/');
            path.extend_from_slice(component.as_bytes());
        }
        assert!(names_in(&path).is_empty());
        std::fs::remove_dir_all(&scratch).unwrap();
    }

    #[test]
    fn a_truncated_record_ends_the_iteration() {
        let mut records = Records { bytes: vec![0xff; 64].into_boxed_slice(), filled: 64 };
        assert!(records.entries().next().is_none());
        records.filled = 5;
        assert!(records.entries().next().is_none());
    }
}
