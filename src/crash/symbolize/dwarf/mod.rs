//! DWARF, versions 2 to 5: which unit has an address, which function, inlined into which, on which line.
//!
//! The parts, from the outside in: [`index`] finds the unit, [`unit`] reads its head and its root, [`function`] its functions and
//! what was inlined into them, [`line`] its line program, [`name`] the names. [`split`] goes to the other file where the
//! unit's entries lie in one. Each works on slices of the file; what has to be remembered lies in the arena.
//!
//! What a linker threw away leaves debug information with addresses that no code has: 0, 1, or the highest numbers there
//! are. All readers here drop what begins below the lowest code of the file ([`Dwarf::lowest`]).

pub(crate) mod abbreviation;
pub(crate) mod constants;
pub(crate) mod form;
pub(crate) mod function;
pub(crate) mod index;
pub(crate) mod line;
pub(crate) mod name;
pub(crate) mod range;
pub(crate) mod split;
pub(crate) mod unit;

pub(crate) use unit::Unit;

/// The sections of one file, decompressed. Those that it has not are empty.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sections<'a> {
    pub(crate) info: &'a [u8],
    pub(crate) abbrev: &'a [u8],
    pub(crate) str: &'a [u8],
    pub(crate) str_offsets: &'a [u8],
    pub(crate) line: &'a [u8],
    pub(crate) line_str: &'a [u8],
    pub(crate) ranges: &'a [u8],
    pub(crate) rnglists: &'a [u8],
    pub(crate) addr: &'a [u8],
    pub(crate) aranges: &'a [u8],
    /// `.debug_cu_index` of a package.
    pub(crate) cu_index: &'a [u8],
}

/// The debug information of a program or library.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Dwarf<'a> {
    pub(crate) sections: Sections<'a>,
    /// Of the file that it shares with others (`.gnu_debugaltlink`).
    pub(crate) shared: Sections<'a>,
    /// Of the package that its split units lie in (`.dwp`).
    pub(crate) package: Sections<'a>,
    /// Below it there is no code.
    pub(crate) lowest: u64,
}

/// The string at `offset` of a section of strings.
pub(crate) fn string_at(section: &[u8], offset: u64) -> Option<&[u8]> {
    super::reader::Reader::at(section, offset).string()
}
