//! From an address to the table of its function.
//!
//! Linkers make a search table (`.eh_frame_hdr`): pairs of a function's first address and where its entry is, in ascending
//! order, all of the same size. Where there is none, or it is not sorted into pairs, the records are gone through one by
//! one; that is slow in a large program, so a walk has a budget for it. `.debug_frame` has no search table at all.

use super::super::maps::Span;
use super::super::memory::Memory;
use super::super::modules::Module;
use super::Tables;
use super::section::{Entry, FORMAT, OMITTED, Section, Source, Windows, pointer};

/// A table, and where its bytes are.
pub(super) type Found<'a> = (Section<'a>, Entry);

/// What an entry is looked for in, and with.
pub(super) struct Finder<'a, 'w> {
    pub(super) memory: &'a dyn Memory,
    pub(super) tables: &'a dyn Tables,
    pub(super) windows: &'w mut Windows,
    /// How many more records may be gone through one by one.
    pub(super) left: &'w mut u32,
}

impl<'a> Finder<'a, '_> {
    /// Signal-safe. The table for `address`, which lies in `module`.
    pub(super) fn find(&mut self, module: &Module<'_>, address: u64) -> Option<Found<'a>> {
        self.windows.turn_to(false);
        self.mapped(module, address).or_else(|| self.in_file(module, address))
    }

    /// In `.eh_frame`.
    fn mapped(&mut self, module: &Module<'_>, address: u64) -> Option<Found<'a>> {
        let mut section = Section {
            source: Source::Mapped(self.memory),
            span: Span { start: 0, end: module.span.end },
            is_debug: false,
            bias: 0,
            data: module.search_table.start,
        };
        if module.search_table.is_empty() {
            section.span = self.tables.eh_frame(module)?;
        } else {
            match self.look_up(&section, module.search_table, address)? {
                Place::At(entry) => {
                    let entry = section.entry(self.windows, entry)?;
                    return entry.range.contains(address).then_some((section, entry));
                }
                Place::Behind(first) => section.span.start = first,
            }
        }
        Some((section, section.search(self.windows, address, self.left)?))
    }

    /// In `.debug_frame`.
    fn in_file(&mut self, module: &Module<'_>, address: u64) -> Option<Found<'a>> {
        let bytes = self.tables.debug_frame(module)?;
        let section = Section {
            source: Source::File(bytes),
            span: Span { start: 0, end: bytes.len() as u64 },
            is_debug: true,
            bias: module.bias,
            data: 0,
        };
        self.windows.turn_to(true);
        Some((section, section.search(self.windows, address.wrapping_sub(module.bias), self.left)?))
    }

    /// Where the search table says that the entry is.
    fn look_up(&mut self, section: &Section<'_>, table: Span, address: u64) -> Option<Place> {
        let mut cursor = section.cursor(&mut self.windows.entries, table);
        let [version, encoding, count_encoding, pair_encoding] = cursor.bytes()?;
        if version != 1 {
            return None;
        }
        let first = pointer(&mut cursor, encoding, table.start, 0)?;
        let size = match pair_encoding & FORMAT {
            0x02 | 0x0a => 2,
            0x03 | 0x0b => 4,
            0x00 | 0x04 | 0x0c => 8,
            _ => return Some(Place::Behind(first)),
        };
        if pair_encoding == OMITTED || count_encoding == OMITTED {
            return Some(Place::Behind(first));
        }
        let count = pointer(&mut cursor, count_encoding, table.start, 0)?;
        let begin = cursor.at;
        // What is left in the end is read at once.
        let mut number = |index: u64, which: u64, left: u64| {
            cursor.is_jumping = left > NEIGHBOURS;
            cursor.at = begin.checked_add(index.checked_mul(size)?.checked_mul(2)?)?.checked_add(which * size)?;
            pointer(&mut cursor, pair_encoding, table.start, 0)
        };
        // The first pair whose function begins behind the address.
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if number(middle, 0, high - low)? <= address {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        number(low.checked_sub(1)?, 1, 0).map(Place::At)
    }
}

/// As many pairs as are read at once.
const NEIGHBOURS: u64 = 32;

/// What a search table says.
enum Place {
    /// The entry is there.
    At(u64),
    /// The records begin there, and nothing is said of their order.
    Behind(u64),
}
