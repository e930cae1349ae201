//! An ELF file: its sections, its segments, its build id. Little-endian, of 64 bits.
//!
//! The tables are read where they lie, an entry at a time; nothing is copied. A table that reaches beyond the file is cut
//! off there. Sections whose bytes are beyond the file are empty.

use super::reader::Reader;

/// `SHT_NOBITS`: a section without bytes in the file, such as the code in a file that holds debug information only.
const NO_BITS: u32 = 8;
/// `SHT_NOTE`.
const NOTE: u32 = 7;
/// `SHN_XINDEX`: the number is elsewhere, as it does not fit.
const ELSEWHERE: u16 = 0xffff;
/// `SHF_ALLOC | SHF_EXECINSTR`.
const CODE: u64 = 6;

/// A file.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Elf<'a> {
    pub(crate) bytes: &'a [u8],
    sections: Table<'a>,
    segments: Table<'a>,
    /// The names of the sections.
    names: &'a [u8],
}

#[derive(Clone, Copy, Debug, Default)]
struct Table<'a> {
    bytes: &'a [u8],
    entry: usize,
}

impl<'a> Table<'a> {
    fn get(&self, index: usize) -> Option<Reader<'a>> {
        let from = index.checked_mul(self.entry)?;
        self.bytes.get(from..from.checked_add(self.entry)?).map(Reader::new)
    }

    fn count(&self) -> usize {
        self.bytes.len().checked_div(self.entry).unwrap_or(0)
    }
}

/// A section.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Section<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) kind: u32,
    pub(crate) flags: u64,
    pub(crate) address: u64,
    offset: u64,
    pub(crate) size: u64,
    pub(crate) link: u32,
}

impl Section<'_> {
    /// Whether it is code in memory.
    pub(crate) fn is_code(&self) -> bool {
        self.flags & CODE == CODE
    }
}

/// A segment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    file_size: u64,
    memory_size: u64,
}

impl<'a> Elf<'a> {
    /// `None` for what is no ELF file that can be read.
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let magic = reader.take(16)?;
        // 64 bits, little-endian, the one version.
        if !magic.starts_with(b"\x7fELF\x02\x01\x01") {
            return None;
        }
        reader.skip(2 + 2 + 4 + 8)?;
        let segments_at = reader.u64()?;
        let sections_at = reader.u64()?;
        reader.skip(4 + 2)?;
        let [segment_size, segments, section_size, sections, names] =
            [reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?];
        let mut elf = Self { bytes, ..Self::default() };
        let section_size = usize::from(section_size).max(64);
        elf.sections = table(bytes, sections_at, 1, section_size);
        // Section 0 holds the numbers that did not fit.
        let first = if sections_at != 0 { elf.section(0).unwrap_or_default() } else { Section::default() };
        let count = if sections == 0 { first.size } else { u64::from(sections) };
        if sections_at != 0 {
            elf.sections = table(bytes, sections_at, count, section_size);
        } else {
            elf.sections = Table::default();
        }
        elf.segments = table(bytes, segments_at, u64::from(segments), usize::from(segment_size).max(56));
        let names = if names == ELSEWHERE { first.link } else { u32::from(names) };
        elf.names = elf.section(names as usize).map(|section| elf.raw(&section)).unwrap_or_default();
        Some(elf)
    }

    pub(crate) fn section(&self, index: usize) -> Option<Section<'a>> {
        let mut entry = self.sections.get(index)?;
        let name = entry.u32()?;
        let kind = entry.u32()?;
        let [flags, address, offset, size] = [entry.u64()?, entry.u64()?, entry.u64()?, entry.u64()?];
        let link = entry.u32()?;
        let name = Reader::at(self.names, u64::from(name)).string().unwrap_or_default();
        Some(Section { name, kind, flags, address, offset, size, link })
    }

    pub(crate) fn sections(&self) -> impl Iterator<Item = Section<'a>> + use<'a> {
        let elf = *self;
        (0..elf.sections.count()).filter_map(move |index| elf.section(index))
    }

    pub(crate) fn find(&self, name: &[u8]) -> Option<Section<'a>> {
        self.sections().find(|section| section.name == name)
    }

    /// The bytes of a section as they lie in the file, compressed perhaps.
    pub(crate) fn raw(&self, section: &Section<'_>) -> &'a [u8] {
        if section.kind == NO_BITS {
            return &[];
        }
        part(self.bytes, section.offset, section.size).unwrap_or_default()
    }

    fn segments(&self) -> impl Iterator<Item = Segment> + use<'a> {
        let segments = self.segments;
        (0..segments.count()).filter_map(move |index| {
            let mut entry = segments.get(index)?;
            let kind = entry.u32()?;
            let flags = entry.u32()?;
            let [offset, address] = [entry.u64()?, entry.u64()?];
            entry.skip(8)?;
            let [file_size, memory_size] = [entry.u64()?, entry.u64()?];
            Some(Segment { kind, flags, offset, address, file_size, memory_size })
        })
    }

    /// The lowest and the highest address of code, the second not included. All there is where the file does not say.
    pub(crate) fn code(&self) -> (u64, u64) {
        let is_code = |segment: &Segment| segment.kind == 1 && segment.flags & 1 != 0;
        let of = |segment: Segment| (segment.address, segment.address.saturating_add(segment.memory_size));
        let whole = self.segments().filter(is_code).map(of).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        whole.unwrap_or((0, u64::MAX))
    }

    /// The address at which the byte at `offset` of the file lies, as the linker counted.
    pub(crate) fn address_of(&self, offset: u64) -> Option<u64> {
        let holds = |segment: &Segment| {
            segment.kind == 1 && offset >= segment.offset && offset - segment.offset < segment.file_size
        };
        let segment = self.segments().find(holds)?;
        segment.address.checked_add(offset - segment.offset)
    }

    /// The build id; empty when there is none.
    pub(crate) fn build_id(&self) -> &'a [u8] {
        // 4 is PT_NOTE.
        let in_segments = self.segments().filter(|segment| segment.kind == 4);
        let in_segments = in_segments.filter_map(|segment| part(self.bytes, segment.offset, segment.file_size));
        if let Some(found) = in_segments.filter_map(build_id).next() {
            return found;
        }
        // A file of debug information only has no segments with bytes, and its notes in sections.
        let in_sections = self.sections().filter(|section| section.kind == NOTE);
        in_sections.filter_map(|section| build_id(self.raw(&section))).next().unwrap_or_default()
    }
}

fn table(bytes: &[u8], at: u64, count: u64, entry: usize) -> Table<'_> {
    let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let wanted = usize::try_from(count).ok().and_then(|count| count.checked_mul(entry)).unwrap_or(usize::MAX);
    Table { bytes: &rest[..wanted.min(rest.len())], entry }
}

fn part(bytes: &[u8], offset: u64, size: u64) -> Option<&[u8]> {
    let from = usize::try_from(offset).ok()?;
    bytes.get(from..from.checked_add(usize::try_from(size).ok()?)?)
}

/// The build id among notes: of the owner `GNU`, kind 3.
fn build_id(notes: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(notes);
    loop {
        let [name_size, size, kind] = [reader.u32()?, reader.u32()?, reader.u32()?].map(u64::from);
        let name = reader.take(name_size)?;
        reader.skip(name_size.wrapping_neg() % 4)?;
        let contents = reader.take(size)?;
        if kind == 3 && name == b"GNU\0" {
            return Some(contents);
        }
        reader.skip(size.wrapping_neg() % 4)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_is_read() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        let elf = Elf::new(&bytes).unwrap();
        let text = elf.find(b".text").unwrap();
        let (low, high) = elf.code();
        assert!(text.is_code() && text.address >= low && text.address + text.size <= high);
        assert_eq!(elf.address_of(text.offset), Some(text.address));
        assert_eq!(elf.raw(&text).len() as u64, text.size);
        assert!(elf.find(b".nothing").is_none());
    }

    #[test]
    fn a_build_id_is_found_behind_other_notes() {
        let mut notes = vec![4, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0];
        notes.extend(b"GNU\0abcde\0\0\0");
        notes.extend([4, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]);
        notes.extend(b"GNU\0\x12\x34");
        assert_eq!(build_id(&notes), Some(&[0x12, 0x34][..]));
        assert_eq!(build_id(&notes[..notes.len() - 1]), None);
    }

    #[test]
    fn what_is_cut_off_is_no_file_or_has_less_in_it() {
        let bytes = std::fs::read("/proc/self/exe").unwrap();
        for length in (0..4096).step_by(7) {
            if let Some(elf) = Elf::new(&bytes[..length]) {
                assert!(elf.sections().all(|section| elf.raw(&section).len() <= length));
                assert!(elf.build_id().len() <= length);
            }
        }
    }
}
