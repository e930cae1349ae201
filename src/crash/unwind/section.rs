//! Unwinding tables as bytes: the records of `.eh_frame` and `.debug_frame`, and what the two do differently.
//!
//! Both are a row of records. A *common* one (CIE) holds what many functions share; an *entry* (FDE) names its common
//! record, the addresses of one function, and the instructions that make the table for it. `.eh_frame` is mapped with the
//! program, its addresses are encoded in one of many ways and count from where they stand, and an entry says how far back its common
//! record is. `.debug_frame` is in the file only, with addresses as linked, and offsets from its beginning. (DWARF 5,
//! section 6.4; Linux Standard Base, section 10.6.)
//!
//! Everything is checked against the end of its record; what makes no sense is as if it were not there.

use super::super::maps::Span;
use super::super::memory::{Memory, Unreadable};
use super::super::window::{Cursor, TABLE, Window};

/// Where the bytes of a table are.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// In the memory of the process.
    Mapped(&'a dyn Memory),
    /// In a file; the first byte has the address 0.
    File(&'a [u8]),
}

impl Memory for Source<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        match self {
            Self::Mapped(memory) => memory.read(address, into),
            Self::File(bytes) => {
                let begin = usize::try_from(address).map_err(|_| Unreadable)?;
                let bytes = bytes.get(begin..).and_then(|rest| rest.get(..into.len()));
                into.copy_from_slice(bytes.ok_or(Unreadable)?);
                Ok(())
            }
        }
    }
}

/// What is read of tables at once. Common records have a window of their own: they lie far from the entries, and most
/// entries share one.
#[derive(Debug)]
pub(super) struct Windows {
    pub(super) entries: Window<TABLE>,
    pub(super) common: Window<TABLE>,
    is_file: bool,
}

impl Windows {
    pub(super) const fn new() -> Self {
        Self { entries: Window::new(), common: Window::new(), is_file: false }
    }

    /// Signal-safe. Forgets what was read.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.common.clear();
    }

    /// Signal-safe. From now on what is read is in a file, or in memory; another file than before is named as well.
    pub(super) fn turn_to(&mut self, is_file: bool) {
        if is_file || self.is_file {
            self.clear();
        }
        self.is_file = is_file;
    }
}

/// One section of tables.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    pub(super) source: Source<'a>,
    /// From its first byte to its last; the end may be further than the section's own.
    pub(super) span: Span,
    /// Whether it is in the form of `.debug_frame`.
    pub(super) is_debug: bool,
    /// What an address in memory has more than the same address here.
    pub(super) bias: u64,
    /// What addresses *relative to data* count from: the search table.
    pub(super) data: u64,
}

/// What many entries share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Common {
    /// What distances between instructions count in.
    pub(super) code_unit: u64,
    /// What distances on the stack count in.
    pub(super) data_unit: i64,
    /// The register that stands for the return address.
    pub(super) return_register: u16,
    /// How addresses are written.
    pub(super) encoding: u8,
    /// Whether entries have data of their own before their instructions, with its length.
    has_data: bool,
    /// Whether the kernel has made the frame, for a signal.
    pub(super) is_signal: bool,
    /// The instructions that all tables begin with.
    pub(super) instructions: Span,
}

/// The table of one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) common: Common,
    /// The addresses that it is for, as the section counts them.
    pub(super) range: Span,
    pub(super) instructions: Span,
}

/// A record of either kind.
#[derive(Clone, Copy)]
struct Record {
    /// Behind the field that tells the kind.
    body: Span,
    /// Where the next one is.
    next: u64,
    /// Where its common record is; none when it is one itself.
    common: Option<u64>,
}

impl<'a> Section<'a> {
    /// Signal-safe. Reads in `span` of this section.
    pub(super) fn cursor<'w>(&'w self, window: &'w mut Window<TABLE>, span: Span) -> Cursor<'w> {
        Cursor::new(&self.source, window, span.start, span.end)
    }

    /// Signal-safe. The entry whose record begins at `at`.
    pub(super) fn entry(&self, windows: &mut Windows, at: u64) -> Option<Entry> {
        let record = self.record(&mut windows.entries, at)?;
        let common = self.common(&mut windows.common, record.common?)?;
        self.rest(&mut windows.entries, &record, common)
    }

    /// Signal-safe. Goes through all records for the entry that `address` belongs to, as the section counts addresses,
    /// but through `left` at most, which is counted down.
    pub(super) fn search(&self, windows: &mut Windows, address: u64, left: &mut u32) -> Option<Entry> {
        let mut at = self.span.start;
        let (mut last, mut common) = (None, Common::default());
        while at < self.span.end {
            *left = left.checked_sub(1)?;
            let record = self.record(&mut windows.entries, at)?;
            at = record.next;
            if record.common.is_none() {
                continue;
            }
            if record.common != last {
                // One that is not understood spoils only its own entries.
                (last, common) = match record.common.and_then(|at| self.common(&mut windows.common, at)) {
                    Some(common) => (record.common, common),
                    None => continue,
                };
            }
            let entry = self.rest(&mut windows.entries, &record, common);
            if let Some(entry) = entry.filter(|entry| entry.range.contains(address)) {
                return Some(entry);
            }
        }
        None
    }

    fn record(&self, window: &mut Window<TABLE>, at: u64) -> Option<Record> {
        let mut cursor = self.cursor(window, Span { start: at, end: self.span.end });
        let short = cursor.u32()?;
        let is_wide = short == u32::MAX;
        let length = if is_wide { cursor.u64()? } else { u64::from(short) };
        let next = cursor.at.checked_add(length).filter(|next| length != 0 && *next <= self.span.end)?;
        cursor.end = next;
        let field = cursor.at;
        let number = if self.is_debug && is_wide { cursor.u64()? } else { u64::from(cursor.u32()?) };
        let common = match self.is_debug {
            false => (number != 0).then(|| field.wrapping_sub(number)),
            true if number == if is_wide { u64::MAX } else { u64::from(u32::MAX) } => None,
            true => Some(self.span.start.checked_add(number)?),
        };
        Some(Record { body: Span { start: cursor.at, end: next }, next, common })
    }

    /// The common record at `at`.
    fn common(&self, window: &mut Window<TABLE>, at: u64) -> Option<Common> {
        let record = self.record(window, at).filter(|record| record.common.is_none() && self.span.start <= at)?;
        let mut cursor = self.cursor(window, record.body);
        let version = cursor.u8().filter(|version| matches!(version, 1 | 3 | 4))?;
        let letters = letters(&mut cursor)?;
        if letters.starts_with(b"eh") {
            cursor.skip(8)?; // A pointer that an old compiler put here.
        }
        if version == 4 && (cursor.u8()?, cursor.u8()?) != (8, 0) {
            return None; // Addresses of another size, or with segments.
        }
        let (code_unit, data_unit) = (cursor.unsigned()?, cursor.signed()?);
        let register = if version == 1 { u64::from(cursor.u8()?) } else { cursor.unsigned()? };
        let mut common =
            Common { code_unit, data_unit, return_register: register.try_into().ok()?, ..Common::default() };
        common.augment(&mut cursor, &letters)?;
        common.instructions = Span { start: cursor.at, end: cursor.end };
        Some(common)
    }

    /// What comes in an entry behind the name of its common record.
    fn rest(&self, window: &mut Window<TABLE>, record: &Record, common: Common) -> Option<Entry> {
        let mut cursor = self.cursor(window, record.body);
        let start = pointer(&mut cursor, common.encoding, self.data, 0)?;
        let size = pointer(&mut cursor, common.encoding & FORMAT, 0, 0)?;
        if common.has_data {
            let length = cursor.unsigned()?;
            cursor.skip(length)?;
        }
        let range = Span { start, end: start.checked_add(size)? };
        Some(Entry { common, range, instructions: Span { start: cursor.at, end: cursor.end } })
    }
}

/// As many letters are in use that change what follows.
type Letters = [u8; 8];

/// The letters that say what a common record has beyond the standard, up to their zero.
fn letters(cursor: &mut Cursor<'_>) -> Option<Letters> {
    let mut letters = Letters::default();
    for place in 0.. {
        let letter = cursor.u8()?;
        if letter == 0 {
            break;
        }
        *letters.get_mut(place)? = letter;
    }
    Some(letters)
}

impl Common {
    /// Reads what the letters announce. Letters that are not known end the reading: their data has a length, if they
    /// come after a `z`.
    fn augment(&mut self, cursor: &mut Cursor<'_>, letters: &Letters) -> Option<()> {
        self.has_data = letters[0] == b'z';
        let end = match self.has_data {
            true => cursor.unsigned()?.checked_add(cursor.at).filter(|end| *end <= cursor.end)?,
            false => cursor.end,
        };
        for letter in letters {
            match letter {
                b'z' | b'B' | b'G' => {} // The last two are about keys and tags of pointers, with no data.
                b'S' => self.is_signal = true,
                b'R' => self.encoding = cursor.u8()?,
                b'L' => cursor.skip(1)?,
                b'P' => {
                    let encoding = cursor.u8()?;
                    pointer(cursor, encoding & !INDIRECT, 0, 0)?; // Where exceptions are looked at: not wanted.
                }
                b'e' | b'h' if !self.has_data => {}
                0 => break,
                _ if self.has_data => break,
                _ => return None,
            }
        }
        if self.has_data {
            cursor.at = end;
        }
        Some(())
    }
}

/// The part of an encoding that says how many bytes there are.
pub(super) const FORMAT: u8 = 0x0f;
const RELATIVE: u8 = 0x70;
const INDIRECT: u8 = 0x80;

/// Nothing is written.
pub(super) const OMITTED: u8 = 0xff;

/// Signal-safe. An address in the encoding of `.eh_frame`: of as many bytes as it says, counted from where it stands, from
/// `data`, from `function`, or from 0.
pub(super) fn pointer(cursor: &mut Cursor<'_>, encoding: u8, data: u64, function: u64) -> Option<u64> {
    let base = match encoding & RELATIVE {
        0x00 => 0,
        0x10 => cursor.at,
        0x30 => data,
        0x40 => function,
        0x50 => {
            cursor.at = cursor.at.checked_next_multiple_of(8)?;
            0
        }
        _ => return None,
    };
    if encoding & INDIRECT != 0 {
        return None; // Of code there are no such pointers.
    }
    let value = match encoding & FORMAT {
        0x00 | 0x04 | 0x0c => cursor.u64()?,
        0x01 => cursor.unsigned()?,
        0x02 => cursor.u16()?.into(),
        0x03 => cursor.u32()?.into(),
        0x09 => cursor.signed()? as u64,
        0x0a => cursor.u16()? as i16 as u64,
        0x0b => cursor.u32()? as i32 as u64,
        _ => return None,
    };
    Some(base.wrapping_add(value))
}
