//! The functions of a unit, and what was inlined into them.
//!
//! Entries stand in one row, children behind their parent, so that finding all functions is one pass over the unit in which
//! everything else is passed by its shape. What was inlined is read for one function at a time: [`Inlined`] remembers
//! each range with its depth, and the ranges that hold an address, in the order of the entries and ever deeper, are the calls.

use super::abbreviation::{Abbreviation, Abbreviations};
use super::constants::{at, tag};
use super::form::Value;
use super::range;
use super::unit::{Bounds, Extent, Unit};
use crate::crash::symbolize::arena::Arena;
use crate::crash::symbolize::reader::Reader;

/// A range of a function's code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) low: u64,
    pub(crate) high: u64,
    /// Where the function is entered, or where its first range begins: what offsets are counted from.
    pub(crate) entry: u64,
    /// Its entry in the unit's section.
    pub(crate) at: usize,
}

/// A range of code that was inlined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inlined {
    pub(crate) low: u64,
    pub(crate) high: u64,
    /// How deep its entry lies below that of the function.
    pub(crate) depth: u32,
    /// Where it was called: file, line and column.
    pub(crate) file: Option<u32>,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) discriminator: u32,
    /// Its entry in the unit's section.
    pub(crate) at: usize,
}

/// Shows `visit` every range of code of every function, for as long as it says so.
pub(crate) fn each<'a>(
    unit: &Unit<'a>,
    shapes: &Abbreviations<'a>,
    lowest: u64,
    visit: &mut dyn FnMut(Function) -> bool,
) -> Option<()> {
    let encoding = unit.head.encoding;
    let mut reader = Reader::at(unit.entries(), unit.head.root as u64);
    let mut goes_on = true;
    while goes_on && !reader.is_empty() {
        let at = reader.position();
        let code = reader.uleb()?;
        if code == 0 {
            continue;
        }
        let shape = shapes.get(code)?;
        if shape.tag == tag::SUBPROGRAM && shape.has_code {
            let mut bounds = Bounds::default();
            shape.attributes.read(&mut reader, encoding, |name, value| bounds.note(name, value))?;
            let extent = bounds.extent(unit);
            let mut entry = None;
            range::each(unit, extent, &mut |low, high| {
                let entry = *entry.get_or_insert(low);
                goes_on = low < lowest || visit(Function { low, high, entry, at });
                goes_on
            });
        } else if shape.has_sibling && is_without_code(shape) {
            pass(unit, shape, &mut reader)?;
        } else {
            shape.skip(&mut reader, encoding)?;
        }
    }
    Some(())
}

/// Whether nothing below such an entry has code of its own. Functions stay: one may be defined in another.
fn is_without_code(shape: &Abbreviation<'_>) -> bool {
    let types = [
        tag::ARRAY_TYPE,
        tag::CLASS_TYPE,
        tag::ENUMERATION_TYPE,
        tag::STRUCTURE_TYPE,
        tag::SUBROUTINE_TYPE,
        tag::UNION_TYPE,
    ];
    types.contains(&shape.tag) || shape.tag == tag::SUBPROGRAM && !shape.has_code
}

/// Passes an entry and all below it, if it says where that ends; else the entry alone.
fn pass<'a>(unit: &Unit<'a>, shape: &Abbreviation<'_>, reader: &mut Reader<'a>) -> Option<bool> {
    let mut sibling = None;
    shape.attributes.read(reader, unit.head.encoding, |name, value| {
        if let (at::SIBLING, Value::InUnit(offset)) = (name, value) {
            sibling = usize::try_from(offset).ok();
        }
    })?;
    let target = sibling.and_then(|offset| offset.checked_add(unit.head.offset));
    // Forwards only, or there would be no end.
    let target = target.filter(|&target| target >= reader.position() && target <= unit.head.end);
    if let Some(target) = target {
        *reader = Reader::at(unit.entries(), target as u64);
    }
    Some(target.is_some())
}

/// All functions of a unit by their addresses.
pub(crate) fn table<'a>(
    unit: &Unit<'a>,
    shapes: &Abbreviations<'a>,
    lowest: u64,
    arena: &'a Arena,
) -> Option<&'a [Function]> {
    let mut all = Growing::new(arena);
    // What is damaged ends the table, and what was found before serves.
    let _ = each(unit, shapes, lowest, &mut |function| all.push(function));
    let all = all.finish()?;
    all.sort_unstable_by_key(|function| (function.low, core::cmp::Reverse(function.high), function.at));
    Some(all)
}

/// The function of a table that has an address.
pub(crate) fn find(table: &[Function], address: u64) -> Option<&Function> {
    let end = table.partition_point(|function| function.low <= address);
    // Ranges of functions do not overlap but for code that was folded: a few steps back are enough.
    table.get(..end)?.iter().rev().take(8).find(|function| function.high > address)
}

/// All that was inlined into the function whose entry is at `at`, in the order of the entries.
pub(crate) fn inlined<'a>(
    unit: &Unit<'a>,
    shapes: &Abbreviations<'a>,
    at: usize,
    arena: &'a Arena,
) -> Option<&'a [Inlined]> {
    let mut all = Growing::new(arena);
    let _ = each_inlined(unit, shapes, at, &mut |inlined| all.push(inlined));
    all.finish().map(|all| &*all)
}

/// Shows `visit` every range that was inlined into the function whose entry is at `at`.
pub(crate) fn each_inlined<'a>(
    unit: &Unit<'a>,
    shapes: &Abbreviations<'a>,
    at: usize,
    visit: &mut dyn FnMut(Inlined) -> bool,
) -> Option<()> {
    let encoding = unit.head.encoding;
    let mut reader = Reader::at(unit.entries(), at as u64);
    let function = shapes.get(reader.uleb()?)?;
    function.skip(&mut reader, encoding)?;
    let mut depth = u32::from(function.has_children);
    // Functions within the function have their own entries in the table of functions.
    let mut other = u32::MAX;
    while depth > 0 {
        let at = reader.position();
        let code = reader.uleb()?;
        if code == 0 {
            depth -= 1;
            if depth <= other {
                other = u32::MAX;
            }
            continue;
        }
        let shape = shapes.get(code)?;
        if shape.tag == tag::INLINED_SUBROUTINE && other == u32::MAX {
            let (inlined, extent) = one_inlined(unit, shape, &mut reader, depth, at)?;
            let mut goes_on = true;
            range::each(unit, extent, &mut |low, high| {
                goes_on = visit(Inlined { low, high, ..inlined });
                goes_on
            });
            if !goes_on {
                return Some(());
            }
        } else if shape.has_sibling && is_without_code(shape) {
            if pass(unit, shape, &mut reader)? {
                continue;
            }
        } else {
            shape.skip(&mut reader, encoding)?;
        }
        if shape.has_children {
            if shape.tag == tag::SUBPROGRAM && other == u32::MAX {
                other = depth;
            }
            depth = depth.checked_add(1)?;
        }
    }
    Some(())
}

fn one_inlined<'a>(
    unit: &Unit<'a>,
    shape: &Abbreviation<'a>,
    reader: &mut Reader<'a>,
    depth: u32,
    at: usize,
) -> Option<(Inlined, Extent)> {
    let mut bounds = Bounds::default();
    let mut inlined = Inlined { depth, at, ..Inlined::default() };
    shape.attributes.read(reader, unit.head.encoding, |name, value| {
        bounds.note(name, value);
        let Value::Number(number) = value else { return };
        let number = u32::try_from(number).unwrap_or(0);
        match name {
            at::CALL_FILE => inlined.file = Some(number),
            at::CALL_LINE => inlined.line = number,
            at::CALL_COLUMN => inlined.column = number,
            at::GNU_DISCRIMINATOR => inlined.discriminator = number,
            _ => {}
        }
    })?;
    Some((inlined, bounds.extent(unit)))
}

/// A list that grows in an arena: when it is full it moves, and leaves behind as much as it was.
#[derive(Debug)]
pub(crate) struct Growing<'a, T: Copy> {
    arena: &'a Arena,
    items: &'a mut [T],
    count: usize,
    is_full: bool,
}

impl<'a, T: Copy + Default> Growing<'a, T> {
    pub(crate) fn new(arena: &'a Arena) -> Self {
        Self { arena, items: &mut [], count: 0, is_full: false }
    }

    /// Whether there was room.
    pub(crate) fn push(&mut self, item: T) -> bool {
        if self.count == self.items.len() {
            let Some(room) = self.arena.slice((self.count * 2).max(16), T::default()) else {
                self.is_full = true;
                return false;
            };
            room.iter_mut().zip(self.items.iter()).for_each(|(new, old)| *new = *old);
            self.items = room;
        }
        if let Some(place) = self.items.get_mut(self.count) {
            *place = item;
            self.count += 1;
        }
        true
    }

    pub(crate) fn items(&self) -> &[T] {
        self.items.get(..self.count).unwrap_or_default()
    }

    pub(crate) fn items_mut(&mut self) -> &mut [T] {
        self.items.get_mut(..self.count).unwrap_or_default()
    }

    /// What was pushed; `None` when there was no room for all of it.
    pub(crate) fn finish(self) -> Option<&'a mut [T]> {
        if self.is_full { None } else { self.items.get_mut(..self.count) }
    }
}
