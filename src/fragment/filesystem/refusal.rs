//! Why a whole file system cannot be read by its own records, and has to be walked instead.

use super::super::failure::Cause;
use std::path::PathBuf;

/// A reason to walk instead. Prints as the first half of "…; walking instead".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The path could not even be opened as a directory.
    Unreachable(PathBuf, Cause),
    /// Nothing is mounted there (or there is no list of mounts, without `/proc`). The path.
    NotAMount(PathBuf),
    /// A file system whose records nothing here can read. Its name.
    FileSystem(String),
    /// The block device below the mount could not be opened. Its name, as far as it has one, and why.
    Device(PathBuf, Cause),
    /// The kernel does not let this process ask. What for, and why.
    Kernel(&'static str, Cause),
    /// The volume has a feature that the reader does not understand. Its name or number.
    Feature(String),
    /// The volume's own description makes no sense. What is wrong with it.
    Damaged(&'static str),
    /// Ranking by path needs every name, and those are what this mode does without.
    ByPath,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreachable(path, cause) => write!(formatter, "{}: {cause}", path.display()),
            Self::NotAMount(path) => write!(formatter, "{} is not a mount point", path.display()),
            Self::FileSystem(name) => write!(formatter, "{name} has no inode tables that can be read as a whole"),
            Self::Device(path, Cause::Denied) => {
                write!(formatter, "reading the inode tables from {} takes the right to read it", path.display())
            }
            Self::Device(path, cause) => write!(formatter, "the device {} cannot be read: {cause}", path.display()),
            Self::Kernel(what, Cause::Denied) => write!(formatter, "{what} takes the rights of root"),
            Self::Kernel(what, cause) => write!(formatter, "this kernel does not answer {what}: {cause}"),
            Self::Feature(name) => write!(formatter, "the file system has a feature not known here ({name})"),
            Self::Damaged(what) => write!(formatter, "the superblock makes no sense: {what}"),
            Self::ByPath => formatter.write_str("ranking by path takes every name"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_reads_as_half_a_sentence() {
        let said = |refusal: Refusal| format!("{refusal}; walking instead");
        assert_eq!(said(Refusal::NotAMount("/x".into())), "/x is not a mount point; walking instead");
        assert_eq!(
            said(Refusal::Kernel("BULKSTAT", Cause::Denied)),
            "BULKSTAT takes the rights of root; walking instead"
        );
        assert_eq!(
            said(Refusal::Device("/dev/sda".into(), Cause::Denied)),
            "reading the inode tables from /dev/sda takes the right to read it; walking instead"
        );
    }
}
