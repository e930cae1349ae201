//! Lists of address ranges: `.debug_ranges` before version 5, `.debug_rnglists` from then on.

use super::constants::range;
use super::unit::{Extent, Unit};
use crate::crash::symbolize::reader::Reader;

/// Shows `visit` each range of `extent`, from the first address up to the second, for as long as it says so. Empty ranges
/// are left out; a damaged list ends where it is.
pub(crate) fn each(unit: &Unit<'_>, extent: Extent, visit: &mut dyn FnMut(u64, u64) -> bool) {
    match extent {
        Extent::None => {}
        Extent::One(low, high) => {
            if low < high {
                visit(low, high);
            }
        }
        Extent::List(offset) if unit.head.encoding.version >= 5 => drop(lists(unit, offset, visit)),
        Extent::List(offset) => drop(pairs(unit, offset, visit)),
    }
}

/// The highest address of a size: what says that a new base follows, and what linkers write for code that they removed.
fn highest(size: u8) -> u64 {
    if size == 4 { u64::from(u32::MAX) } else { u64::MAX }
}

fn pairs(unit: &Unit<'_>, offset: u64, visit: &mut dyn FnMut(u64, u64) -> bool) -> Option<()> {
    let size = unit.head.encoding.address_size;
    let mut reader = Reader::at(unit.main.ranges, offset);
    let mut base = unit.low;
    loop {
        let (low, high) = (reader.sized(size)?, reader.sized(size)?);
        if (low, high) == (0, 0) {
            return Some(());
        }
        if low == highest(size) {
            base = high;
            continue;
        }
        // Removed code: such a range is the pair (1, 1) or ends nowhere, and so is empty.
        let (low, high) = (base.wrapping_add(low), base.wrapping_add(high));
        if low < high && !visit(low, high) {
            return Some(());
        }
    }
}

fn lists(unit: &Unit<'_>, offset: u64, visit: &mut dyn FnMut(u64, u64) -> bool) -> Option<()> {
    let size = unit.head.encoding.address_size;
    let mut reader = Reader::at(unit.own.rnglists, offset);
    let mut base = unit.low;
    loop {
        let (low, high) = match reader.u8()? {
            range::END_OF_LIST => return Some(()),
            range::BASE_ADDRESSX => {
                base = unit.indexed_address(reader.uleb()?)?;
                continue;
            }
            range::BASE_ADDRESS => {
                base = reader.sized(size)?;
                continue;
            }
            range::STARTX_ENDX => (unit.indexed_address(reader.uleb()?)?, unit.indexed_address(reader.uleb()?)?),
            range::STARTX_LENGTH => {
                let low = unit.indexed_address(reader.uleb()?)?;
                (low, low.wrapping_add(reader.uleb()?))
            }
            range::OFFSET_PAIR => (base.wrapping_add(reader.uleb()?), base.wrapping_add(reader.uleb()?)),
            range::START_END => (reader.sized(size)?, reader.sized(size)?),
            range::START_LENGTH => {
                let low = reader.sized(size)?;
                (low, low.wrapping_add(reader.uleb()?))
            }
            _ => return None,
        };
        if low < high && base < highest(size) - 1 && !visit(low, high) {
            return Some(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sections;
    use super::super::form::Encoding;
    use super::super::unit::Head;
    use super::*;

    fn check(version: u16, section: &[u8], expected: &[(u64, u64)]) {
        let encoding = Encoding { version, is_64: false, address_size: 8 };
        let head = Head { encoding, ..Head::default() };
        let addr = [0x10_u64.to_le_bytes(), 0x20_u64.to_le_bytes()].concat();
        let sections = Sections { ranges: section, rnglists: section, addr: &addr, ..Sections::default() };
        let unit = Unit { head, own: sections, main: sections, low: 0x1000, ..Unit::default() };
        let mut found = Vec::new();
        each(&unit, Extent::List(0), &mut |low, high| {
            found.push((low, high));
            true
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn pairs_are_counted_from_a_base() {
        let words = [1_u64, 5, 1, 1, u64::MAX, 0x2000, 3, 4, 0, 0, 9, 10];
        let section: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        check(4, &section, &[(0x1001, 0x1005), (0x2003, 0x2004)]);
        check(4, &section[..40], &[(0x1001, 0x1005)]);
    }

    #[test]
    fn every_kind_of_entry_is_read() {
        let mut section = vec![4, 1, 5, 2, 0, 1, 3, 1, 4, 1, 0, 4, 2, 3, 5];
        section.extend(0x3000_u64.to_le_bytes());
        section.extend([4, 1, 2, 6]);
        section.extend([7_u64.to_le_bytes(), 8_u64.to_le_bytes()].concat());
        section.push(7);
        section.extend(9_u64.to_le_bytes());
        section.extend([2, 0, 4, 1, 1]);
        let expected = [(0x1001, 0x1005), (0x10, 0x20), (0x20, 0x24), (0x12, 0x13), (0x3001, 0x3002), (7, 8), (9, 11)];
        check(5, &section, &expected);
        check(5, &[4, 1, 5, 99], &[(0x1001, 0x1005)]);
    }
}
