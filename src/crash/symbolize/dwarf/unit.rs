//! Units: the head, the root entry, and what later values are counted from.
//!
//! The root is read by its own shape alone, which is the first in the table as every compiler writes it, so that looking
//! at thousands of units costs a few hundred bytes each and no memory.

use super::constants::{at, kind};
use super::form::{Encoding, Value};
use super::{Dwarf, Sections, abbreviation, range, string_at};
use crate::crash::symbolize::reader::Reader;

/// The head of a unit in `.debug_info`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Where it begins.
    pub(crate) offset: usize,
    /// Where the next one begins.
    pub(crate) end: usize,
    /// Where its root is.
    pub(crate) root: usize,
    pub(crate) encoding: Encoding,
    /// `DW_UT_*`; a compile unit before version 5.
    pub(crate) kind: u8,
    pub(crate) abbrev: u64,
    /// The number by which the two halves of a split unit find each other; 0 where the head has none.
    pub(crate) id: u64,
}

impl Head {
    /// The head at `offset`. `None` at the end of the section, or where it is damaged.
    pub(crate) fn read(info: &[u8], offset: usize) -> Option<Self> {
        let (mut reader, is_64, end) = begin(info, offset)?;
        let version = reader.u16()?;
        if !(2..=5).contains(&version) {
            return None;
        }
        let mut head = Self { offset, end, kind: kind::COMPILE, ..Self::default() };
        let address_size;
        if version >= 5 {
            head.kind = reader.u8()?;
            address_size = reader.u8()?;
            head.abbrev = reader.offset(is_64)?;
            match head.kind {
                kind::SKELETON | kind::SPLIT_COMPILE => head.id = reader.u64()?,
                kind::TYPE | kind::SPLIT_TYPE => {
                    reader.skip(8)?;
                    reader.offset(is_64)?;
                }
                _ => {}
            }
        } else {
            head.abbrev = reader.offset(is_64)?;
            address_size = reader.u8()?;
        }
        head.encoding = Encoding { version, is_64, address_size };
        head.root = reader.position();
        (head.root <= end && matches!(address_size, 4 | 8)).then_some(head)
    }

    /// Whether the unit may have code.
    pub(crate) fn has_code(&self) -> bool {
        !matches!(self.kind, kind::TYPE | kind::SPLIT_TYPE)
    }
}

/// The length that units, line programs, address ranges and lists begin with: a reader behind it, whether the format is that of
/// 64 bits, and where what it measures ends. What would end beyond the section ends with it.
pub(crate) fn begin(section: &[u8], offset: usize) -> Option<(Reader<'_>, bool, usize)> {
    let mut reader = Reader::at(section, offset as u64);
    let mut length = u64::from(reader.u32()?);
    let is_64 = length == 0xffff_ffff;
    if is_64 {
        length = reader.u64()?;
    } else if length >= 0xffff_fff0 {
        return None;
    }
    let end = usize::try_from(length).ok().and_then(|length| reader.position().checked_add(length));
    Some((reader, is_64, end.unwrap_or(usize::MAX).min(section.len())))
}

/// All heads of a section, from `offset` on.
pub(crate) fn heads(info: &[u8], offset: usize) -> impl Iterator<Item = Head> + '_ {
    let mut next = Some(offset);
    core::iter::from_fn(move || {
        loop {
            let at = next?;
            // One that is not understood is passed by its length.
            let (_, _, end) = begin(info, at)?;
            next = (end > at).then_some(end);
            if let Some(head) = Head::read(info, at) {
                return Some(head);
            }
        }
    })
}

/// A unit with what its root says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unit<'a> {
    pub(crate) head: Head,
    /// Where its entries, their shapes and strings are: in the program, or in another file for a split unit.
    pub(crate) own: Sections<'a>,
    /// Where its addresses, its line program and, before version 5, its ranges are: in the program.
    pub(crate) main: Sections<'a>,
    pub(crate) str_offsets_base: u64,
    pub(crate) addr_base: u64,
    pub(crate) rnglists_base: u64,
    /// What ranges of a split unit before version 5 are counted from.
    pub(crate) ranges_base: u64,
    /// In a skeleton: the same, for the unit that it stands for.
    pub(crate) split_ranges_base: u64,
    pub(crate) low: u64,
    /// Where its code is.
    pub(crate) extent: Extent,
    pub(crate) line: Option<u64>,
    pub(crate) name: &'a [u8],
    pub(crate) compiled_in: &'a [u8],
    pub(crate) dwo_name: &'a [u8],
    pub(crate) id: u64,
}

/// Where the code of an entry is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It has none, or does not say.
    #[default]
    None,
    /// From the first address, up to the second.
    One(u64, u64),
    /// In a list in `.debug_ranges` or `.debug_rnglists`, at this offset.
    List(u64),
}

/// What attributes say of where an entry's code is, before the addresses are looked up.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds<'a> {
    low: Option<Value<'a>>,
    high: Option<Value<'a>>,
    ranges: Option<Value<'a>>,
}

impl<'a> Bounds<'a> {
    /// Takes note of an attribute, if it is one of those.
    #[inline]
    pub(crate) fn note(&mut self, name: u16, value: Value<'a>) {
        match name {
            at::LOW_PC => self.low = Some(value),
            at::HIGH_PC => self.high = Some(value),
            at::RANGES => self.ranges = Some(value),
            _ => {}
        }
    }

    #[inline]
    pub(crate) fn extent(&self, unit: &Unit<'_>) -> Extent {
        match self.ranges {
            Some(Value::ListIndex(index)) => return unit.list(index).map_or(Extent::None, Extent::List),
            Some(Value::Offset(offset) | Value::Number(offset)) => {
                // Only the entries of a split unit are counted from its base, and not the skeleton's own.
                return Extent::List(offset.wrapping_add(unit.ranges_base));
            }
            _ => {}
        }
        let Some(low) = self.low.and_then(|low| unit.address(low)) else { return Extent::None };
        match self.high {
            Some(Value::Number(length)) => Extent::One(low, low.saturating_add(length)),
            Some(high) => unit.address(high).map_or(Extent::None, |high| Extent::One(low, high)),
            None => Extent::None,
        }
    }
}

impl<'a> Unit<'a> {
    /// The unit with that head among `own`, with what its root says.
    pub(crate) fn new(dwarf: &Dwarf<'a>, own: Sections<'a>, head: Head) -> Option<Self> {
        let mut unit = Self { head, own, main: dwarf.sections, id: head.id, ..Self::default() };
        // A version 5 table begins with a head of its own, behind which a base is unless it is said.
        unit.str_offsets_base = match (head.encoding.version >= 5, head.encoding.is_64) {
            (true, true) => 16,
            (true, false) => 8,
            _ => 0,
        };
        let bytes = own.info.get(..head.end)?;
        let mut reader = Reader::at(bytes, head.root as u64);
        let code = reader.uleb()?;
        let (_, _, attributes) = abbreviation::find(own.abbrev, head.abbrev, code)?;
        let mut bounds = Bounds::default();
        let [mut name, mut compiled_in, mut dwo_name] = [None; 3];
        attributes.read(&mut reader, head.encoding, |attribute, value| {
            bounds.note(attribute, value);
            match (attribute, value) {
                (at::NAME, value) => name = Some(value),
                (at::COMP_DIR, value) => compiled_in = Some(value),
                (at::DWO_NAME | at::GNU_DWO_NAME, value) => dwo_name = Some(value),
                (at::STMT_LIST, Value::Offset(offset) | Value::Number(offset)) => unit.line = Some(offset),
                (at::STR_OFFSETS_BASE, Value::Offset(base)) => unit.str_offsets_base = base,
                (at::ADDR_BASE | at::GNU_ADDR_BASE, Value::Offset(base) | Value::Number(base)) => unit.addr_base = base,
                (at::RNGLISTS_BASE, Value::Offset(base)) => unit.rnglists_base = base,
                (at::GNU_RANGES_BASE, Value::Offset(base) | Value::Number(base)) => unit.split_ranges_base = base,
                (at::GNU_DWO_ID, Value::Number(id)) => unit.id = id,
                _ => {}
            }
        })?;
        unit.low = bounds.low.and_then(|low| unit.address(low)).unwrap_or(0);
        unit.extent = bounds.extent(&unit);
        let string = |value: Option<Value<'a>>| value.and_then(|value| unit.string(dwarf, value)).unwrap_or_default();
        let strings = [string(name), string(compiled_in), string(dwo_name)];
        [unit.name, unit.compiled_in, unit.dwo_name] = strings;
        Some(unit)
    }

    /// The address that a value stands for.
    #[inline]
    pub(crate) fn address(&self, value: Value<'_>) -> Option<u64> {
        match value {
            Value::Address(address) => Some(address),
            Value::AddressIndex(index) => self.indexed_address(index),
            _ => None,
        }
    }

    pub(crate) fn indexed_address(&self, index: u64) -> Option<u64> {
        let size = self.head.encoding.address_size;
        let offset = index.checked_mul(u64::from(size))?.checked_add(self.addr_base)?;
        Reader::at(self.main.addr, offset).sized(size)
    }

    /// The offset of a list of ranges, by its number.
    fn list(&self, index: u64) -> Option<u64> {
        let size = if self.head.encoding.is_64 { 8 } else { 4 };
        let entry = index.checked_mul(size)?.checked_add(self.rnglists_base)?;
        Reader::at(self.own.rnglists, entry).offset(size == 8)?.checked_add(self.rnglists_base)
    }

    /// The string that a value stands for.
    pub(crate) fn string(&self, dwarf: &Dwarf<'a>, value: Value<'a>) -> Option<&'a [u8]> {
        match value {
            Value::String(string) => Some(string),
            Value::StringAt(offset) => string_at(self.own.str, offset),
            Value::LineStringAt(offset) => string_at(self.own.line_str, offset),
            Value::SharedStringAt(offset) => string_at(dwarf.shared.str, offset),
            Value::StringIndex(index) => {
                let is_64 = self.head.encoding.is_64;
                let entry = index.checked_mul(if is_64 { 8 } else { 4 })?.checked_add(self.str_offsets_base)?;
                string_at(self.own.str, Reader::at(self.own.str_offsets, entry).offset(is_64)?)
            }
            _ => None,
        }
    }

    /// Whether its root says that it has the address. `None` when it does not say where its code is.
    pub(crate) fn has(&self, address: u64) -> Option<bool> {
        if self.extent == Extent::None {
            return None;
        }
        let mut is_inside = false;
        range::each(self, self.extent, &mut |low, high| {
            is_inside = (low..high).contains(&address);
            !is_inside
        });
        Some(is_inside)
    }

    /// The bytes of its entries, from the beginning of the section.
    pub(crate) fn entries(&self) -> &'a [u8] {
        self.own.info.get(..self.head.end).unwrap_or_default()
    }

    /// Whether the entry at this offset of the section is one of its own.
    pub(crate) fn holds(&self, offset: usize) -> bool {
        (self.head.root..self.head.end).contains(&offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_both_formats_are_read() {
        let mut info = vec![8, 0, 0, 0, 4, 0, 0, 0, 0, 0, 8, 0];
        info.extend([0xff, 0xff, 0xff, 0xff, 20, 0, 0, 0, 0, 0, 0, 0, 5, 0, 4, 8, 1, 0, 0, 0, 0, 0, 0, 0]);
        info.extend([7, 0, 0, 0, 0, 0, 0, 0]);
        let all: Vec<_> = heads(&info, 0).collect();
        let of =
            |head: &Head| (head.offset, head.end, head.encoding.version, head.encoding.is_64, head.abbrev, head.id);
        assert_eq!(all.iter().map(of).collect::<Vec<_>>(), [(0, 12, 4, false, 0, 0), (12, 44, 5, true, 1, 7)]);
    }

    #[test]
    fn a_length_of_nothing_ends_the_section() {
        assert_eq!(heads(&[0; 64], 0).count(), 0);
        assert_eq!(heads(&[0xff; 64], 0).count(), 0);
    }
}
