//! What random bytes are thrown at: whole files, and sections without the file around them.

use super::dwarf::unit::{self, Unit};
use super::dwarf::{Dwarf, Sections};
use super::place::{Frame, Loaded};
use super::{Arena, Image, Many};

/// How much memory an input may have. The arena refuses what is beyond.
const ARENA: usize = 1 << 24;
/// How many addresses and units of an input are looked at: what is fuzzed is the reading, and not patience.
const ENOUGH: usize = 16;

/// A file, read as a program: how many frames were shown for some addresses of it.
pub fn elf(bytes: &[u8]) -> usize {
    let (Ok(arena), Ok(scratch)) = (Arena::new(ARENA), Arena::new(ARENA)) else { return 0 };
    let Ok(image) = Image::of_bytes(&arena, bytes) else { return 0 };
    let (low, high) = image.elf.code();
    let Some(many) = Many::new(image, &arena) else { return 0 };
    let mut frames = 0;
    let step = (high.saturating_sub(low) / ENOUGH as u64).max(1);
    for index in 0..ENOUGH as u64 {
        let address = low.wrapping_add(index.wrapping_mul(step));
        frames += usize::from(many.symbol(address).is_some());
        for unit in many.units(address).take(2) {
            if let Some(mut loaded) = many.load(unit, &scratch) {
                frames += of(&mut loaded, address, &scratch);
            }
        }
    }
    frames + image.build_id().len()
}

/// Sections one behind the other, each after its length in two bytes: the shapes, the entries, the line program, ranges, strings and
/// addresses. How many frames were shown.
pub fn dwarf(mut bytes: &[u8]) -> usize {
    let mut next = || {
        let (length, rest) = bytes.split_first_chunk().unwrap_or((&[0; 2], &[]));
        let (section, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        bytes = rest;
        section
    };
    let sections = Sections {
        abbrev: next(),
        info: next(),
        line: next(),
        ranges: next(),
        rnglists: next(),
        str: next(),
        str_offsets: next(),
        line_str: next(),
        addr: next(),
        aranges: next(),
        cu_index: next(),
    };
    let dwarf = Dwarf { sections, shared: sections, package: sections, lowest: 1 };
    let Ok(arena) = Arena::new(ARENA) else { return 0 };
    let mut frames = 0;
    for head in unit::heads(sections.info, 0).take(ENOUGH) {
        let Some(unit) = Unit::new(&dwarf, sections, head) else { continue };
        let Some(mut loaded) = Loaded::new(&dwarf, b"", &unit, &arena) else { continue };
        // In passing, and with tables: both find the same or nothing.
        for address in [0, 1, 0x10, 0x1000, u64::MAX] {
            frames += of(&mut loaded, address, &arena);
        }
        loaded.tabulate(&arena);
        for address in [0, 1, 0x10, 0x1000, u64::MAX] {
            frames += of(&mut loaded, address, &arena);
        }
    }
    super::dwarf::index::find(&dwarf, 0x1000, &mut |_| false);
    frames
}

fn of<'a>(loaded: &mut Loaded<'a>, address: u64, arena: &'a Arena) -> usize {
    let names = *loaded;
    let mut length = 0;
    loaded.frames(address, Some(arena), &mut |frame: &Frame| {
        length += 1;
        length += frame.function.and_then(|function| names.name(function)).map_or(0, <[u8]>::len);
        length += frame.file.and_then(|file| names.source(file)).map_or(0, |source| source.pieces().count());
    });
    length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers to damage files by, the same each time.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }
    }

    #[test]
    fn random_bytes_are_survived() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for round in 0..300_usize {
            let mut bytes: Vec<u8> = (0..round * 3).map(|_| random.next() as u8).collect();
            dwarf(&bytes);
            bytes.splice(..0, *b"\x7fELF\x02\x01\x01");
            elf(&bytes);
        }
    }

    #[test]
    fn a_damaged_unit_is_survived() {
        let seed = include_bytes!("../../../tests/fuzz/corpus/dwarf_sections/seed");
        assert!(dwarf(seed) > 10, "{}", dwarf(seed));
        let mut random = Random(0x1234_5678_9abc_def1);
        for _ in 0..2000 {
            let mut bytes = seed.to_vec();
            for _ in 0..1 + random.next() % 6 {
                let at = random.next() as usize % bytes.len();
                bytes[at] = random.next() as u8;
            }
            bytes.truncate(bytes.len() - random.next() as usize % (bytes.len() / 4));
            dwarf(&bytes);
        }
    }
}
