//! One ELF file with what is to be known of it: its symbols, its debug information, and whatever of both lies in other files.
//!
//! Sections that are compressed are decompressed whole, into the arena, when the debug information is first wanted; those that
//! are not cost nothing but the pages that are read.

use super::arena::Arena;
use super::decompress::{self, xz, zlib, zstd};
use super::dwarf::{Dwarf, Sections};
use super::elf::{Elf, Section};
use super::reader::Reader;
use super::symbol::Symbols;
use super::{Folders, Wanted, Why, find};

/// `SHF_COMPRESSED`.
const COMPRESSED: u64 = 0x800;

/// A program or library, and the files that belong to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Image<'a> {
    /// The file, or the file of debug information where the first was not found.
    pub(crate) elf: Elf<'a>,
    /// Where it was found; empty for one without a file.
    pub(crate) path: &'a [u8],
    /// The best table of symbols there is.
    pub(crate) symbols: Symbols<'a>,
    /// The table that every library has, for what the other does not know.
    pub(crate) dynamic: Symbols<'a>,
    pub(crate) dwarf: Option<Dwarf<'a>>,
    /// What stands in the way of better names.
    pub(crate) trouble: Option<Why>,
}

impl<'a> Image<'a> {
    /// Finds and opens what is wanted, and what belongs to it.
    ///
    /// Allocates from the arena only.
    ///
    /// # Errors
    /// When there is no file that could be trusted, or it is none that can be read.
    pub fn open(arena: &'a Arena, folders: &Folders<'_>, wanted: &Wanted<'_>) -> Result<Self, Why> {
        let found = find::file(arena, folders, wanted)?;
        let mut image = Self { elf: found.elf, path: found.path, ..Self::default() };
        image.symbols = Symbols::of(&found.elf, b".symtab");
        image.dynamic = Symbols::of(&found.elf, b".dynsym");
        let mut with_lines = has_lines(&found.elf).then_some(found);
        if with_lines.is_none() || image.symbols.is_empty() {
            let debug = find::debug_file(arena, folders, wanted, &found);
            if let Some(debug) = debug {
                with_lines = with_lines.or_else(|| has_lines(&debug.elf).then_some(debug));
                image.symbols =
                    if image.symbols.is_empty() { Symbols::of(&debug.elf, b".symtab") } else { image.symbols };
            }
        }
        if image.symbols.is_empty() {
            match mini(&found.elf, arena) {
                Ok(inner) => image.symbols = inner.map(|elf| Symbols::of(&elf, b".symtab")).unwrap_or_default(),
                Err(why) => image.trouble = Some(why),
            }
        }
        if let Some(debug) = with_lines {
            match image.debug_information(arena, folders, &debug) {
                Ok(dwarf) => image.dwarf = Some(dwarf),
                Err(why) => image.trouble = Some(why),
            }
        }
        Ok(image)
    }

    /// From bytes alone: what other files would add is not looked for.
    ///
    /// # Errors
    /// When the bytes are no file that can be read.
    pub fn of_bytes(arena: &'a Arena, bytes: &'a [u8]) -> Result<Self, Why> {
        let elf = Elf::new(bytes).ok_or(Why::Damaged)?;
        let sections = sections(&elf, arena, false)?;
        let dwarf = Dwarf { sections, lowest: elf.code().0, ..Dwarf::default() };
        let dwarf = (!sections.info.is_empty()).then_some(dwarf);
        let [symbols, dynamic] = [b".symtab", b".dynsym"].map(|name| Symbols::of(&elf, name));
        Ok(Self { elf, symbols, dynamic, dwarf, ..Self::default() })
    }

    fn debug_information(
        &self,
        arena: &'a Arena,
        folders: &Folders<'_>,
        debug: &find::Found<'a>,
    ) -> Result<Dwarf<'a>, Why> {
        let mut dwarf = Dwarf { sections: sections(&debug.elf, arena, false)?, ..Dwarf::default() };
        dwarf.lowest = self.elf.code().0;
        if let Some(shared) = find::shared_file(arena, folders, debug) {
            dwarf.shared = sections(&shared.elf, arena, false)?;
        }
        for path in [self.path, debug.path] {
            if let Some(package) = find::package(arena, path) {
                dwarf.package = sections(&package.elf, arena, true)?;
                break;
            }
        }
        Ok(dwarf)
    }

    /// The address that the linker gave to the byte at `offset` of the file: what a mapping's offset leads to.
    pub fn address_of(&self, offset: u64) -> Option<u64> {
        self.elf.address_of(offset)
    }

    /// The build id; empty when there is none.
    pub fn build_id(&self) -> &'a [u8] {
        self.elf.build_id()
    }

    /// Why a name is missing that was not found.
    pub(crate) fn why(&self) -> Why {
        let has_nothing = self.symbols.is_empty() && self.dynamic.is_empty() && self.dwarf.is_none();
        match self.trouble {
            Some(why) => why,
            // A library's own table holds only what others may call, so that a stripped one has some.
            None if has_nothing || self.symbols.is_empty() && self.dwarf.is_none() => Why::Stripped,
            None => Why::NoSymbol,
        }
    }
}

fn has_lines(elf: &Elf<'_>) -> bool {
    let mut names = elf.sections().filter(|section| section.kind != 8).map(|section| section.name);
    names.any(|name| matches!(name, b".debug_info" | b".zdebug_info"))
}

/// The file within the file that has symbols alone, compressed (`.gnu_debugdata`).
fn mini<'a>(elf: &Elf<'a>, arena: &'a Arena) -> Result<Option<Elf<'a>>, Why> {
    let Some(section) = elf.find(b".gnu_debugdata") else { return Ok(None) };
    let input = elf.raw(&section);
    let size = xz::uncompressed_size(input).map_err(|_| Why::Damaged)?;
    let out = arena.bytes(usize::try_from(size).map_err(|_| Why::OutOfMemory)?).ok_or(Why::OutOfMemory)?;
    let scratch = arena.one(xz::Scratch::new()).ok_or(Why::OutOfMemory)?;
    let length = xz::decompress(input, out, scratch).map_err(|_| Why::Damaged)?;
    Elf::new(out.get(..length).unwrap_or_default()).map(Some).ok_or(Why::Damaged)
}

/// The sections of debug information of a file; of a split one those whose names say so.
pub(crate) fn sections<'a>(elf: &Elf<'a>, arena: &'a Arena, is_split: bool) -> Result<Sections<'a>, Why> {
    let mut all = Sections::default();
    for section in elf.sections() {
        let stem = section.name.strip_prefix(b".debug_").or_else(|| section.name.strip_prefix(b".zdebug_"));
        let Some(stem) = stem else { continue };
        let place = match (is_split, stem) {
            (false, b"info") | (true, b"info.dwo") => &mut all.info,
            (false, b"abbrev") | (true, b"abbrev.dwo") => &mut all.abbrev,
            (false, b"str") | (true, b"str.dwo") => &mut all.str,
            (false, b"str_offsets") | (true, b"str_offsets.dwo") => &mut all.str_offsets,
            (false, b"rnglists") | (true, b"rnglists.dwo") => &mut all.rnglists,
            (false, b"line") => &mut all.line,
            (false, b"line_str") => &mut all.line_str,
            (false, b"ranges") => &mut all.ranges,
            (false, b"addr") => &mut all.addr,
            (false, b"aranges") => &mut all.aranges,
            (true, b"cu_index") => &mut all.cu_index,
            _ => continue,
        };
        // Objects of several compilations may have several; a linked file has one.
        if place.is_empty() {
            *place = contents(elf, &section, arena)?;
        }
    }
    Ok(all)
}

/// The bytes of a section, decompressed.
fn contents<'a>(elf: &Elf<'a>, section: &Section<'_>, arena: &'a Arena) -> Result<&'a [u8], Why> {
    let raw = elf.raw(section);
    if section.flags & COMPRESSED != 0 {
        let mut reader = Reader::new(raw);
        let mut head = || {
            let kind = reader.u32()?;
            reader.skip(4)?;
            let size = reader.u64()?;
            reader.skip(8)?;
            Some((kind, size, reader.rest()))
        };
        let (kind, size, input) = head().ok_or(Why::Damaged)?;
        return inflate(arena, kind, size, input);
    }
    // An older way of saying so: by the name, a word, and the size with its highest byte first.
    if section.name.starts_with(b".zdebug_") {
        let rest = raw.strip_prefix(b"ZLIB").ok_or(Why::Damaged)?;
        let (size, input) = rest.split_first_chunk().ok_or(Why::Damaged)?;
        return inflate(arena, 1, u64::from_be_bytes(*size), input);
    }
    Ok(raw)
}

fn inflate<'a>(arena: &'a Arena, kind: u32, size: u64, input: &[u8]) -> Result<&'a [u8], Why> {
    let out = arena.bytes(usize::try_from(size).map_err(|_| Why::OutOfMemory)?).ok_or(Why::OutOfMemory)?;
    let done: Result<usize, decompress::Error> = match kind {
        1 => zlib::decompress(input, out, arena.one(zlib::Scratch::new()).ok_or(Why::OutOfMemory)?),
        2 => zstd::decompress(input, out, arena.one(zstd::Scratch::new()).ok_or(Why::OutOfMemory)?),
        _ => return Err(Why::Damaged),
    };
    match done {
        Ok(length) if length == out.len() => Ok(out),
        _ => Err(Why::Damaged),
    }
}
