//! The text of `/proc/PID/maps`, line by line, through a buffer of any size.
//!
//! The file has a line for each mapping, in ascending order of addresses, and the kernel makes it up as it is read. Here
//! nothing keeps it: [`Lines`] takes pieces as they come, and gives out the mappings of those lines that are whole. A
//! line that is longer than the buffer loses the end of its path, and says so.
//!
//! What is not in the form of a mapping is passed over: the kernel writes none such, but a dump may have been cut.

/// Addresses from `start` up to and without `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
}

impl Span {
    /// Signal-safe. Whether `address` lies in it.
    #[must_use]
    pub const fn contains(&self, address: u64) -> bool {
        self.start <= address && address < self.end
    }
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// Where it is.
    pub span: Span,
    /// Whether it may be read.
    pub is_readable: bool,
    /// Whether it may be written.
    pub is_writable: bool,
    /// Whether it may be executed.
    pub is_executable: bool,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// The device that the file is on: its major number in the upper half, its minor number in the lower.
    pub device: u64,
    /// The number of the file on it; 0 for memory without a file.
    pub inode: u64,
    /// The path of the file as the kernel escapes it (`\012` for a line break), or a name in brackets; without the mark
    /// of a deleted file.
    pub path: &'a [u8],
    /// Whether the file has been deleted, or replaced by another of its name.
    pub is_deleted: bool,
}
