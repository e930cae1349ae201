//! The name of a function: its own, or that of the entry which it is an instance of.
//!
//! The linkage name is preferred, since it tells the whole path and the types; it stands at the entry itself, or at the one that
//! `DW_AT_abstract_origin` or `DW_AT_specification` leads to, in the same unit, in another, or in the file that several
//! programs share. The way is at most [`HOPS`] long.

use super::Dwarf;
use super::abbreviation::{self, Abbreviations};
use super::constants::at;
use super::form::Value;
use super::index::head_of;
use super::unit::Unit;
use crate::crash::symbolize::reader::Reader;

/// How many entries lead to each other at most: an instance, its abstract form, its declaration, and then some.
const HOPS: usize = 8;

/// The name of the entry at `at` of `unit`'s section; `shapes` are those of `unit`.
pub(crate) fn of<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, shapes: &Abbreviations<'a>, at: usize) -> Option<&'a [u8]> {
    let mut shapes = Some(shapes);
    let mut unit = *unit;
    let mut at = at;
    let mut plain = None;
    for _ in 0..HOPS {
        if !unit.holds(at) {
            unit = Unit::new(dwarf, unit.own, head_of(unit.own.info, at)?)?;
            shapes = None;
        }
        let entry = Entry::read(dwarf, &unit, shapes, at)?;
        if entry.linkage.is_some() {
            return entry.linkage;
        }
        plain = plain.or(entry.plain);
        at = match entry.origin {
            Some(Value::InUnit(offset)) => usize::try_from(offset).ok()?.checked_add(unit.head.offset)?,
            Some(Value::InSection(offset)) => usize::try_from(offset).ok()?,
            Some(Value::Shared(offset)) => {
                let at = usize::try_from(offset).ok()?;
                let head = head_of(dwarf.shared.info, at)?;
                let shared = Dwarf { sections: dwarf.shared, ..*dwarf };
                unit = Unit::new(&shared, dwarf.shared, head)?;
                shapes = None;
                at
            }
            _ => break,
        };
    }
    plain
}

/// What an entry says of its name.
#[derive(Default)]
struct Entry<'a> {
    linkage: Option<&'a [u8]>,
    plain: Option<&'a [u8]>,
    /// Where more is said.
    origin: Option<Value<'a>>,
}

impl<'a> Entry<'a> {
    fn read(dwarf: &Dwarf<'a>, unit: &Unit<'a>, shapes: Option<&Abbreviations<'a>>, at: usize) -> Option<Self> {
        let mut reader = Reader::at(unit.entries(), at as u64);
        let code = reader.uleb()?;
        let attributes = match shapes {
            Some(shapes) => shapes.get(code)?.attributes,
            None => abbreviation::find(unit.own.abbrev, unit.head.abbrev, code)?.2,
        };
        let mut entry = Self::default();
        attributes.read(&mut reader, unit.head.encoding, |name, value| match name {
            at::LINKAGE_NAME | at::MIPS_LINKAGE_NAME => entry.linkage = unit.string(dwarf, value),
            at::NAME => entry.plain = unit.string(dwarf, value),
            at::ABSTRACT_ORIGIN | at::SPECIFICATION => entry.origin = Some(value),
            _ => {}
        })?;
        entry.linkage = entry.linkage.filter(|name| !name.is_empty());
        Some(entry)
    }
}
