//! Split units: the program has a skeleton, and the entries lie in a file of their own (`.dwo`), or in a package of many (`.dwp`).
//!
//! The two halves know each other by a number. Addresses and the line program stay in the program; so do the ranges before
//! version 5. Everything else is counted within the other file.

use super::unit::{self, Unit};
use super::{Dwarf, Sections};
use crate::crash::symbolize::reader::Reader;

/// The unit with the entries that `skeleton` stands for, in `file`.
pub(crate) fn unit<'a>(dwarf: &Dwarf<'a>, skeleton: &Unit<'a>, file: Sections<'a>) -> Option<Unit<'a>> {
    let heads = unit::heads(file.info, 0).filter(unit::Head::has_code);
    for head in heads {
        let Some(mut unit) = Unit::new(dwarf, file, head) else { continue };
        if unit.id != skeleton.id && skeleton.id != 0 {
            continue;
        }
        unit.addr_base = skeleton.addr_base;
        unit.ranges_base = skeleton.split_ranges_base;
        unit.low = skeleton.low;
        unit.line = skeleton.line;
        unit.compiled_in = skeleton.compiled_in;
        if unit.rnglists_base == 0 {
            // Behind the head of the one table that the file has.
            unit.rnglists_base = if head.encoding.is_64 { 20 } else { 12 };
        }
        return Some(unit);
    }
    None
}

/// Numbers of sections in the index of a package: in version 2, by GNU, and in version 5.
mod column {
    pub(super) const INFO: u32 = 1;
    pub(super) const ABBREV: u32 = 3;
    pub(super) const STR_OFFSETS: u32 = 6;
    /// From version 5 on; before, it stood for something else that is not read.
    pub(super) const RNGLISTS: u32 = 8;
}

/// What belongs to the unit with that number in a package.
pub(crate) fn in_package<'a>(package: &Sections<'a>, id: u64) -> Option<Sections<'a>> {
    let mut reader = Reader::new(package.cu_index);
    // Version 5 has two bytes and two that are empty, version 2 has four: read as four they are the same.
    let version = reader.u32()?;
    let [columns, units, slots] = [reader.u32()?, reader.u32()?, reader.u32()?];
    if !matches!(version, 2 | 5) || !slots.is_power_of_two() {
        return None;
    }
    let hashes = reader.position() as u64;
    let rows = hashes + u64::from(slots) * 8;
    let names = rows + u64::from(slots) * 4;
    let offsets = names + u64::from(columns) * 4;
    let sizes = offsets + u64::from(columns) * u64::from(units) * 4;
    let word = |at: u64| Reader::at(package.cu_index, at).u32();
    let row = row(package.cu_index, id, slots, hashes, rows).filter(|row| (1..=units).contains(row))?;
    let mut own = Sections { str: package.str, ..Sections::default() };
    for index in 0..columns {
        let cell = (u64::from(row - 1) * u64::from(columns) + u64::from(index)) * 4;
        let (from, size) = (word(offsets + cell)? as usize, word(sizes + cell)? as usize);
        let part = |section: &'a [u8]| section.get(from..from.checked_add(size)?);
        match word(names + u64::from(index) * 4)? {
            column::INFO => own.info = part(package.info)?,
            column::ABBREV => own.abbrev = part(package.abbrev)?,
            column::STR_OFFSETS => own.str_offsets = part(package.str_offsets)?,
            column::RNGLISTS if version == 5 => own.rnglists = part(package.rnglists)?,
            _ => {}
        }
    }
    Some(own)
}

/// The row of a unit, counted from 1: by a hash table with a second step for collisions.
fn row(index: &[u8], id: u64, slots: u32, hashes: u64, rows: u64) -> Option<u32> {
    let mask = u64::from(slots) - 1;
    let step = ((id >> 32) & mask) | 1;
    let mut slot = id & mask;
    for _ in 0..slots {
        let row = Reader::at(index, rows + slot * 4).u32()?;
        if Reader::at(index, hashes + slot * 8).u64()? == id && row != 0 {
            return Some(row);
        }
        if row == 0 {
            return None;
        }
        slot = (slot + step) & mask;
    }
    None
}
