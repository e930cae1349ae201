//! Abbreviations: the shapes that the entries of a unit have.
//!
//! Most entries are only passed. For that each shape is boiled down beforehand to a few [`Step`]s, "so many bytes, then something of
//! variable length", with all neighbours of fixed size joined; an entry of a type or a variable is then one or two
//! additions. The attributes themselves are read from `.debug_abbrev` again for the few entries that are looked into.

use super::constants::{at, form};
use super::form::{Encoding, Length, Value};
use crate::crash::symbolize::arena::Arena;
use crate::crash::symbolize::reader::Reader;

/// The shapes of a unit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Abbreviations<'a> {
    all: &'a [Abbreviation<'a>],
    /// Whether the code of a shape is its place in `all`, counted from 1: so every compiler does.
    is_dense: bool,
}

/// The shape of an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abbreviation<'a> {
    code: u64,
    pub(crate) tag: u16,
    pub(crate) has_children: bool,
    /// Whether it says where the entry after its children is.
    pub(crate) has_sibling: bool,
    /// Whether it says that the entry has code.
    pub(crate) has_code: bool,
    /// All attributes, to be read.
    pub(crate) attributes: Attributes<'a>,
    /// All attributes, to be passed.
    steps: &'a [Step],
}

/// So many bytes, then something of variable length.
#[derive(Clone, Copy, Debug)]
struct Step {
    fixed: u32,
    then: Length,
}

/// The attributes of a shape, as they stand in `.debug_abbrev`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a>(Reader<'a>);

impl Attributes<'_> {
    /// The name, the form and the constant of the next.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<(u16, u16, i64)> {
        let name = self.0.uleb()?;
        let form = self.0.uleb()?;
        if (name, form) == (0, 0) {
            return None;
        }
        let form = u16::try_from(form).ok()?;
        let implicit = if form == form::IMPLICIT_CONST { self.0.sleb()? } else { 0 };
        // A name that does not fit is one that is not known.
        Some((u16::try_from(name).unwrap_or(u16::MAX), form, implicit))
    }

    /// Shows `each` the attributes of the entry whose values `reader` is at, which is behind it afterwards.
    #[inline]
    pub(crate) fn read<'a>(
        mut self,
        reader: &mut Reader<'a>,
        encoding: Encoding,
        mut each: impl FnMut(u16, Value<'a>),
    ) -> Option<()> {
        while let Some((name, form, implicit)) = self.next() {
            each(name, super::form::read(reader, form, implicit, encoding)?);
        }
        Some(())
    }
}

impl<'a> Abbreviations<'a> {
    /// The shapes that begin at `offset` of `section`. `None` when they are damaged or do not fit the arena.
    pub(crate) fn new(section: &'a [u8], offset: u64, encoding: Encoding, arena: &'a Arena) -> Option<Self> {
        let begin = Reader::at(section, offset);
        let (mut count, mut steps) = (0, 0);
        each(begin, |_, _, _, attributes| {
            count += 1;
            steps += count_steps(attributes, encoding);
            true
        });
        let mut room: &'a mut [Step] = arena.slice(steps, Step { fixed: 0, then: Length::Fixed(0) })?;
        let blank = Abbreviation {
            code: 0,
            tag: 0,
            has_children: false,
            has_sibling: false,
            has_code: false,
            attributes: Attributes(begin),
            steps: &[],
        };
        let all = arena.slice(count, blank)?;
        let mut next = 0;
        let mut is_dense = true;
        each(begin, |code, tag, has_children, attributes| {
            let (own, rest) = core::mem::take(&mut room).split_at_mut(count_steps(attributes, encoding));
            room = rest;
            let Some(place) = all.get_mut(next) else { return false };
            *place = Abbreviation { code, tag, has_children, attributes, ..blank };
            fill(place, own, encoding);
            place.steps = own;
            next += 1;
            is_dense &= code == next as u64;
            true
        });
        if !is_dense {
            all.sort_unstable_by_key(|abbreviation| abbreviation.code);
        }
        Some(Self { all, is_dense })
    }

    #[inline]
    pub(crate) fn get(&self, code: u64) -> Option<&'a Abbreviation<'a>> {
        if self.is_dense {
            return self.all.get(usize::try_from(code).ok()?.wrapping_sub(1));
        }
        let index = self.all.binary_search_by_key(&code, |abbreviation| abbreviation.code).ok()?;
        self.all.get(index)
    }
}

impl Abbreviation<'_> {
    /// Passes the attributes of an entry.
    #[inline]
    pub(crate) fn skip(&self, reader: &mut Reader<'_>, encoding: Encoding) -> Option<()> {
        for step in self.steps {
            reader.skip(u64::from(step.fixed))?;
            match step.then {
                Length::Fixed(_) => {}
                Length::Leb => reader.skip_leb()?,
                Length::Block => {
                    let size = reader.uleb()?;
                    reader.skip(size)?;
                }
                other => super::form::skip(reader, other, encoding)?,
            }
        }
        Some(())
    }
}

/// The tag and the attributes of the shape `code`, looked for from the beginning of the table at `offset`: for the one entry of a
/// unit that is not read otherwise.
pub(crate) fn find(section: &[u8], offset: u64, code: u64) -> Option<(u16, bool, Attributes<'_>)> {
    let mut found = None;
    each(Reader::at(section, offset), |its, tag, has_children, attributes| {
        if its == code {
            found = Some((tag, has_children, attributes));
        }
        found.is_none()
    });
    found
}

/// Shows `each` every shape of a table, for as long as it says so. A table that is cut off has those before.
fn each<'a>(mut reader: Reader<'a>, mut each: impl FnMut(u64, u16, bool, Attributes<'a>) -> bool) {
    let mut one = || {
        let code = reader.uleb().filter(|&code| code != 0)?;
        let tag = u16::try_from(reader.uleb()?).unwrap_or(u16::MAX);
        let has_children = reader.u8()? != 0;
        let mut attributes = Attributes(reader);
        let begin = attributes;
        while attributes.next().is_some() {}
        reader = attributes.0;
        each(code, tag, has_children, begin).then_some(())
    };
    while one().is_some() {}
}

/// How many steps the attributes come to.
fn count_steps(mut attributes: Attributes<'_>, encoding: Encoding) -> usize {
    let mut variable = 0;
    while let Some((_, form, _)) = attributes.next() {
        variable += usize::from(!matches!(super::form::length(form, encoding), Some(Length::Fixed(_))));
    }
    variable + 1
}

/// Boils the attributes down to `steps`, of which there are as many as were counted.
fn fill(place: &mut Abbreviation<'_>, steps: &mut [Step], encoding: Encoding) {
    let mut attributes = place.attributes;
    let mut steps = steps.iter_mut();
    let mut fixed = 0_u32;
    while let Some((name, form, _)) = attributes.next() {
        place.has_sibling |= name == at::SIBLING;
        place.has_code |= matches!(name, at::LOW_PC | at::RANGES);
        match super::form::length(form, encoding) {
            Some(Length::Fixed(size)) => fixed = fixed.saturating_add(size),
            // What is not known cannot be passed: more bytes than there are, and so the unit ends here.
            unknown_or_variable => {
                let then = unknown_or_variable.unwrap_or(Length::SizedBlock(0));
                if let Some(step) = steps.next() {
                    *step = Step { fixed, then };
                }
                fixed = 0;
            }
        }
    }
    if let Some(step) = steps.next() {
        *step = Step { fixed, then: Length::Fixed(0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [u8; 23] = [
        1, 0x11, 1, 0x03, 0x08, 0x13, 0x05, 0, 0, // name: string, language: data2
        2, 0x2e, 0, 0x11, 0x01, 0x58, 0x21, 0x05, 0x02, 0x18, 0,
        0, // low_pc: addr, call_file: 5, location: exprloc
        0, 0xff,
    ];
    const ENCODING: Encoding = Encoding { version: 5, is_64: false, address_size: 8 };

    #[test]
    fn a_table_is_read() {
        let arena = Arena::new(1 << 16).unwrap();
        let all = Abbreviations::new(&TABLE, 0, ENCODING, &arena).unwrap();
        assert!(all.is_dense && all.get(0).is_none() && all.get(3).is_none());
        let function = all.get(2).unwrap();
        assert_eq!((function.tag, function.has_children, function.has_code), (0x2e, false, true));
        let entry = [1, 0, 0, 0, 0, 0, 0, 0, 2, 7, 7, 9];
        let mut reader = Reader::new(&entry);
        function.skip(&mut reader, ENCODING).unwrap();
        assert_eq!(reader.u8(), Some(9));
        let mut values = Vec::new();
        function.attributes.read(&mut Reader::new(&entry), ENCODING, |name, value| values.push((name, value))).unwrap();
        assert_eq!(values, [(0x11, Value::Address(1)), (0x58, Value::Number(5)), (2, Value::Other)]);
    }

    #[test]
    fn one_shape_is_found_without_the_others() {
        assert_eq!(find(&TABLE, 0, 2).map(|(tag, ..)| tag), Some(0x2e));
        assert!(find(&TABLE, 0, 3).is_none());
        assert!(find(&TABLE, 99, 1).is_none());
    }

    #[test]
    fn a_form_that_is_not_known_cannot_be_passed() {
        let arena = Arena::new(1 << 16).unwrap();
        let table = [1, 0x11, 1, 0x03, 0x7f, 0, 0, 0];
        let all = Abbreviations::new(&table, 0, ENCODING, &arena).unwrap();
        assert!(all.get(1).unwrap().skip(&mut Reader::new(&[0; 64]), ENCODING).is_none());
    }
}
