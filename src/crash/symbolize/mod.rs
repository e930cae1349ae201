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
mod crc;
pub mod decompress;
pub mod demangle;
mod dwarf;
mod elf;
mod find;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
pub mod image;
pub mod many;
pub mod place;
mod reader;
mod symbol;

pub use arena::Arena;
pub use image::Image;
pub use many::Many;

use core::fmt;
use dwarf::function::Growing;
use dwarf::{Dwarf, Unit, index};
use place::Loaded;
use symbol::Sorted;

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
    /// A descriptor of the file, where there is one: it serves without `/proc`, at the limit of descriptors and after `chroot`.
    pub descriptor: Option<i32>,
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

/// Whether a name tells its path and types: Rust's and C++'s linkage names do.
pub fn is_mangled(name: &[u8]) -> bool {
    name.starts_with(b"_Z") || name.starts_with(b"_R")
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
    images: Growing<'arena, Known<'arena>>,
    units: Growing<'arena, Read<'arena>>,
}

/// A file that was opened, or could not be.
#[derive(Clone, Copy, Debug, Default)]
struct Known<'arena> {
    path: &'arena [u8],
    build_id: &'arena [u8],
    image: Image<'arena>,
    why: Option<Why>,
    /// How often its symbols were looked through.
    searched: u32,
    symbols: Option<[Sorted<'arena>; 2]>,
}

/// A unit that was read, of the file with that number.
#[derive(Clone, Copy, Debug, Default)]
struct Read<'arena> {
    image: usize,
    loaded: Option<Loaded<'arena>>,
}

/// So many searches of a table of symbols are quicker than putting it into order.
const SEARCHES: u32 = 6;

impl<'arena> Symbolizer<'arena> {
    /// A symbolizer that keeps all it needs in `arena`.
    pub fn new(arena: &'arena Arena, folders: Folders<'arena>) -> Self {
        Self { arena, folders, images: Growing::new(arena), units: Growing::new(arena) }
    }

    /// Shows `visit` where `address` is, as the file's linker counted, the innermost function first.
    ///
    /// Allocates from the arena only, and makes no other system calls than to open and map files.
    ///
    /// # Errors
    /// Why there is no function. A place without one may have been shown all the same, with file and line.
    pub fn place(&mut self, wanted: &Wanted<'_>, address: u64, visit: &mut dyn FnMut(&Place<'_>)) -> Result<(), Why> {
        let image = self.image(wanted)?;
        let mut is_named = false;
        let mut show = |place: Place<'_>| {
            is_named |= place.function.is_some();
            visit(&place);
        };
        if let Some(mut loaded) = self.unit(image, address) {
            let names = loaded;
            loaded.frames(address, None, &mut |frame| {
                let mut place = Place {
                    function: frame.function.and_then(|function| names.name(function)),
                    offset: frame.offset,
                    source: frame.file.and_then(|file| names.source(file)),
                    line: frame.line,
                    column: frame.column,
                    discriminator: frame.discriminator,
                    inlined: frame.inlined,
                };
                if !place.inlined && !place.function.is_some_and(is_mangled) {
                    // The symbol tells the whole path, where debug information has the bare name, as gcc has for what
                    // belongs to a lambda.
                    let symbol = self.symbol(image, address);
                    if let Some((name, offset)) =
                        symbol.filter(|(name, _)| place.function.is_none() || is_mangled(name))
                    {
                        (place.function, place.offset) = (Some(name), Some(offset));
                    }
                }
                show(place);
            });
        } else if let Some((name, offset)) = self.symbol(image, address) {
            show(Place { function: Some(name), offset: Some(offset), ..Place::default() });
        }
        let why = || self.images.items().get(image).map_or(Why::NoFile, |known| known.image.why());
        if is_named { Ok(()) } else { Err(why()) }
    }

    /// Opens a file ahead of the first address.
    ///
    /// # Errors
    /// When there is no file that could be trusted, or it is none that can be read.
    pub fn open(&mut self, wanted: &Wanted<'_>) -> Result<(), Why> {
        self.image(wanted).map(drop)
    }

    /// The number of the file that is wanted.
    fn image(&mut self, wanted: &Wanted<'_>) -> Result<usize, Why> {
        let is_it = |known: &Known<'_>| known.path == wanted.path && known.build_id == wanted.build_id;
        let position = self.images.items().iter().position(is_it);
        let index = match position {
            Some(index) => index,
            None => {
                let opened = Image::open(self.arena, &self.folders, wanted);
                let known = Known {
                    path: self.arena.copy(wanted.path).ok_or(Why::OutOfMemory)?,
                    build_id: self.arena.copy(wanted.build_id).ok_or(Why::OutOfMemory)?,
                    why: opened.err(),
                    image: opened.unwrap_or_default(),
                    ..Known::default()
                };
                if !self.images.push(known) {
                    return Err(Why::OutOfMemory);
                }
                self.images.items().len() - 1
            }
        };
        match self.images.items().get(index).and_then(|known| known.why) {
            Some(why) => Err(why),
            None => Ok(index),
        }
    }

    /// The unit that has `address`. One that is asked for again gets tables.
    fn unit(&mut self, image: usize, address: u64) -> Option<Loaded<'arena>> {
        let known = self.images.items().get(image)?.image;
        let dwarf = known.dwarf?;
        let read = self.units.items().iter().filter(|read| read.image == image).filter_map(|read| read.loaded);
        for mut loaded in read.filter(Loaded::has_tables) {
            if loaded.has_function(address) {
                return Some(loaded);
            }
        }
        let mut found = None;
        // A unit that has the line only, for when none has the function.
        let mut second = None;
        index::find(&dwarf, address, &mut |unit| {
            let Some(mut loaded) = self.load(image, &dwarf, known.path, unit) else { return false };
            if loaded.has_function(address) {
                found = Some(loaded);
            } else if second.is_none() && loaded.has_line(address) {
                second = Some(loaded);
            }
            found.is_some()
        });
        found.or(second)
    }

    fn load(
        &mut self,
        image: usize,
        dwarf: &Dwarf<'arena>,
        path: &[u8],
        unit: &Unit<'arena>,
    ) -> Option<Loaded<'arena>> {
        let arena = self.arena;
        let is_it =
            |read: &&mut Read<'_>| read.image == image && read.loaded.is_some_and(|its| its.at == unit.head.offset);
        if let Some(loaded) = self.units.items_mut().iter_mut().find(is_it).and_then(|read| read.loaded.as_mut()) {
            loaded.tabulate(arena);
            return Some(*loaded);
        }
        let loaded = Loaded::new(dwarf, path, unit, arena)?;
        self.units.push(Read { image, loaded: Some(loaded) });
        Some(loaded)
    }

    /// The symbol that has `address`, and how far into it that is.
    fn symbol(&mut self, image: usize, address: u64) -> Option<(&'arena [u8], u64)> {
        let arena = self.arena;
        let known = self.images.items_mut().get_mut(image)?;
        known.searched += 1;
        let tables = [known.image.symbols, known.image.dynamic];
        if known.searched == SEARCHES {
            let [first, second] = tables.map(|table| Sorted::new(&table, arena));
            known.symbols = first.zip(second).map(|(first, second)| [first, second]);
        }
        let sorted = known.symbols;
        tables.iter().enumerate().find_map(|(index, table)| {
            let symbol = match sorted.as_ref().and_then(|sorted| sorted.get(index)) {
                Some(sorted) => sorted.find(address)?,
                None => table.find(address)?,
            };
            Some((table.name(&symbol)?, address.wrapping_sub(symbol.address)))
        })
    }
}
