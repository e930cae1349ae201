//! Which unit has an address.
//!
//! `.debug_aranges` says so for the units that it lists: gcc and rustc write it, clang does not, and a program is often made by several. So
//! what it does not list is asked by the roots of the units, which say where their code is; and a unit that does not say so
//! is asked last, by trying it. For one address nothing is remembered ([`find`]). For many there is a table ([`Index`]).

use super::Dwarf;
use super::line::Program;
use super::range;
use super::unit::{self, Extent, Head, Unit};
use crate::crash::symbolize::arena::Arena;
use crate::crash::symbolize::reader::Reader;

/// One unit's entry in `.debug_aranges`.
struct Set<'a> {
    /// Of the unit in `.debug_info`.
    unit: usize,
    address_size: u8,
    /// Pairs of an address and a length.
    pairs: &'a [u8],
}

fn sets(section: &[u8]) -> impl Iterator<Item = Set<'_>> {
    let mut next = 0;
    core::iter::from_fn(move || {
        loop {
            let (reader, is_64, end) = unit::begin(section, next)?;
            let begin = next;
            next = if end > next { end } else { return None };
            if let Some(set) = set(section, reader, is_64, begin, end) {
                return Some(set);
            }
        }
    })
}

/// `None` for a set of a version or shape that nobody writes.
fn set<'a>(section: &'a [u8], mut reader: Reader<'a>, is_64: bool, begin: usize, end: usize) -> Option<Set<'a>> {
    let version = reader.u16()?;
    let unit = usize::try_from(reader.offset(is_64)?).ok()?;
    let (address_size, segment_size) = (reader.u8()?, reader.u8()?);
    if version != 2 || !matches!(address_size, 4 | 8) || segment_size != 0 {
        return None;
    }
    // The pairs are aligned to their size, counted from where the set begins.
    let pair = usize::from(address_size) * 2;
    let from = (reader.position() - begin).next_multiple_of(pair) + begin;
    Some(Set { unit, address_size, pairs: section.get(from..end)? })
}

impl Set<'_> {
    /// Shows `visit` each range, for as long as it says so.
    #[inline]
    fn each(&self, mut visit: impl FnMut(u64, u64) -> bool) {
        if self.address_size == 8 {
            for pair in self.pairs.as_chunks::<16>().0 {
                let (low, length) = pair.split_at(8);
                let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
                let low = number(low);
                if !visit(low, low.saturating_add(number(length))) {
                    return;
                }
            }
            return;
        }
        let mut reader = Reader::new(self.pairs);
        while let (Some(low), Some(length)) = (reader.u32(), reader.u32()) {
            if !visit(u64::from(low), u64::from(low) + u64::from(length)) {
                return;
            }
        }
    }
}

/// Shows `try_unit` the units that may have `address`, the likeliest first, until it is content with one.
pub(crate) fn find<'a>(dwarf: &Dwarf<'a>, address: u64, try_unit: &mut dyn FnMut(&Unit<'a>) -> bool) {
    let sections = dwarf.sections;
    for set in sets(sections.aranges) {
        let mut is_inside = false;
        set.each(|low, high| {
            is_inside = address >= low && address < high;
            !is_inside
        });
        let unit = || Unit::new(dwarf, sections, Head::read(sections.info, set.unit)?);
        if is_inside && unit().is_some_and(|unit| try_unit(&unit)) {
            return;
        }
    }
    let mut has_silent = false;
    for head in unlisted(dwarf) {
        let Some(unit) = Unit::new(dwarf, sections, head) else { continue };
        match unit.has(address) {
            Some(true) if try_unit(&unit) => return,
            Some(_) => {}
            None => has_silent |= is_worth_trying(&unit),
        }
    }
    if !has_silent {
        return;
    }
    for head in unlisted(dwarf) {
        let Some(unit) = Unit::new(dwarf, sections, head) else { continue };
        if unit.extent == Extent::None && is_worth_trying(&unit) && try_unit(&unit) {
            return;
        }
    }
}

/// Whether a unit that does not say where its code is may have some.
fn is_worth_trying(unit: &Unit<'_>) -> bool {
    unit.line.is_some() || !unit.dwo_name.is_empty()
}

/// The heads of the units that `.debug_aranges` does not list.
fn unlisted<'a>(dwarf: &Dwarf<'a>) -> impl Iterator<Item = Head> + use<'a> {
    // Both sections are written in the order of the object files, so one look at each is enough; where they are not, some
    // are asked in vain.
    let mut listed = sets(dwarf.sections.aranges).map(|set| set.unit).peekable();
    unit::heads(dwarf.sections.info, 0).filter(move |head| {
        while listed.next_if(|&unit| unit < head.offset).is_some() {}
        head.has_code() && listed.peek() != Some(&head.offset)
    })
}

/// A range of addresses, and the unit that it belongs to.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    low: u64,
    high: u64,
    /// The highest `high` of this range and all before it: how far to look back.
    reach: u64,
    unit: usize,
}

/// All units by their addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Index<'a> {
    ranges: &'a [Range],
}

impl<'a> Index<'a> {
    /// `None` when it does not fit the arena.
    pub(crate) fn new(dwarf: &Dwarf<'_>, arena: &'a Arena) -> Option<Self> {
        let mut count = 0;
        walk(dwarf, &mut |_, _, _| count += 1);
        let all = arena.slice(count, Range::default())?;
        let mut places = all.iter_mut();
        walk(dwarf, &mut |low, high, unit| {
            if let Some(place) = places.next() {
                *place = Range { low, high, reach: high, unit };
            }
        });
        all.sort_unstable_by_key(|range| (range.low, range.high, range.unit));
        let mut reach = 0;
        for range in all.iter_mut() {
            reach = range.high.max(reach);
            range.reach = reach;
        }
        Some(Self { ranges: all })
    }

    /// The units that may have `address`, the likeliest first.
    pub(crate) fn units(&self, address: u64) -> impl Iterator<Item = usize> + use<'a> {
        let end = self.ranges.partition_point(|range| range.low <= address);
        let before = self.ranges.get(..end).unwrap_or_default().iter().rev();
        let near = before.take_while(move |range| range.reach > address);
        near.filter(move |range| range.high > address).map(|range| range.unit)
    }
}

/// Shows `range` the addresses of every unit. Of a unit that does not say where its code is, those of its line program.
fn walk(dwarf: &Dwarf<'_>, range: &mut dyn FnMut(u64, u64, usize)) {
    for set in sets(dwarf.sections.aranges) {
        set.each(|low, high| {
            if low >= dwarf.lowest && low < high {
                range(low, high, set.unit);
            }
            true
        });
    }
    for head in unlisted(dwarf) {
        let Some(unit) = Unit::new(dwarf, dwarf.sections, head) else { continue };
        let mut one = |low, high| {
            if low >= dwarf.lowest {
                range(low, high, head.offset);
            }
            true
        };
        if unit.extent != Extent::None {
            range::each(&unit, unit.extent, &mut one);
        } else if let Some(program) = Program::new(dwarf, &unit) {
            program.sequences(&mut one);
        }
    }
}

/// The head of the unit that has the entry at `offset` of `.debug_info`: for references from one unit to another.
pub(crate) fn head_of(info: &[u8], offset: usize) -> Option<Head> {
    let mut heads = unit::heads(info, 0).skip_while(|head| head.end <= offset);
    heads.next().filter(|head| head.root <= offset)
}
