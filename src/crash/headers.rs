//! What an ELF file in memory says of itself: its program headers, read where they are mapped.
//!
//! Section headers are not mapped, and need not be: the addresses of the segments, the build id (a note) and the search
//! table for unwinding are all named by program headers. Nothing is believed that would wrap around or be endless.

use super::maps::Span;
use super::memory::Memory;
use super::modules::BuildId;
use super::window::{Cursor, TABLE, Window};

/// More program headers than this are not looked at; linkers make about a dozen.
const MOST_HEADERS: u16 = 128;

/// More notes than this are not looked at.
const MOST_NOTES: usize = 64;

/// Segments begin at multiples of this in memory, whatever they say.
const PAGE: u64 = 4096;

const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const NOTE: u32 = 4;
const SEARCH_TABLE: u32 = 0x6474_e550;

/// The flag of a segment that is code.
const EXECUTABLE: u32 = 1;

/// The type of the note that holds a build id.
const BUILD_ID: u32 = 3;

/// An ELF file in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Headers {
    /// From its first segment to its last, in memory.
    pub(super) span: Span,
    /// From the first segment of code to the last.
    pub(super) text: Span,
    /// What an address in memory has more than in the file.
    pub(super) bias: u64,
    /// The linker's number for the build.
    pub(super) build_id: BuildId,
    /// The section `.eh_frame_hdr`.
    pub(super) search_table: Span,
    /// What the dynamic linker goes by.
    pub(super) dynamic: Span,
}

/// A table of program headers.
struct Table<'a> {
    memory: &'a dyn Memory,
    at: u64,
    size_of_one: u16,
    count: u16,
}

/// One program header.
struct Header {
    kind: u32,
    flags: u32,
    offset: u64,
    /// Where it is, as linked.
    span: Span,
}

/// Signal-safe. Reads the headers of the ELF file whose first byte is mapped at `base`; none when there is none, or
/// nothing of it would be loaded.
pub(super) fn read(memory: &dyn Memory, window: &mut Window<TABLE>, base: u64) -> Option<Headers> {
    let table = Table::locate(memory, window, base)?;
    let mut found = table.segments(window, base)?;
    for index in 0..table.count {
        let Some(header) = table.header(window, index) else { break };
        let Some(span) = moved(header.span, found.bias) else { continue };
        match header.kind {
            DYNAMIC => found.dynamic = span,
            SEARCH_TABLE => found.search_table = span,
            NOTE if found.build_id.as_bytes().is_empty() => {
                found.build_id = build_id(memory, window, span).unwrap_or_default();
            }
            _ => {}
        }
    }
    Some(found)
}

impl<'a> Table<'a> {
    fn locate(memory: &'a dyn Memory, window: &mut Window<TABLE>, base: u64) -> Option<Self> {
        let [magic @ .., class, order]: [u8; 6] = window.read(memory, base).ok()?;
        if magic != *b"\x7fELF" || class != 2 || order != 1 {
            return None; // Not of 64 bits, or not little-endian.
        }
        let offset = window.word(memory, base.checked_add(32)?).ok()?;
        let sizes: [u8; 4] = window.read(memory, base.checked_add(54)?).ok()?;
        let size_of_one = u16::from_le_bytes([sizes[0], sizes[1]]);
        let count = u16::from_le_bytes([sizes[2], sizes[3]]).min(MOST_HEADERS);
        (size_of_one >= 56).then_some(Self { memory, at: base.checked_add(offset)?, size_of_one, count })
    }

    fn header(&self, window: &mut Window<TABLE>, index: u16) -> Option<Header> {
        let at = self.at.checked_add(u64::from(index) * u64::from(self.size_of_one))?;
        let mut cursor = Cursor::new(self.memory, window, at, u64::MAX);
        let (kind, flags, offset) = (cursor.u32()?, cursor.u32()?, cursor.u64()?);
        let address = cursor.u64()?;
        cursor.skip(16)?; // The physical address, and the size in the file.
        let size = cursor.u64()?;
        Some(Header { kind, flags, offset, span: Span { start: address, end: address.saturating_add(size) } })
    }

    /// Where the segments are. The one that holds the beginning of the file tells how far they were moved.
    fn segments(&self, window: &mut Window<TABLE>, base: u64) -> Option<Headers> {
        let (mut span, mut text) = (Span::default(), Span::default());
        let mut first = None;
        for index in 0..self.count {
            let header = self.header(window, index)?;
            if header.kind != LOAD || header.span.is_empty() {
                continue;
            }
            span = join(span, header.span);
            if header.flags & EXECUTABLE != 0 {
                text = join(text, header.span);
            }
            if header.offset < PAGE && first.is_none() {
                first = Some(header.span.start.wrapping_sub(header.offset));
            }
        }
        let begin = first.unwrap_or(span.start);
        let bias = base.wrapping_sub(begin - begin % PAGE);
        let text = moved(text, bias).unwrap_or_default();
        Some(Headers { span: moved(span, bias)?, text, bias, ..Headers::default() })
    }
}

/// The build id among the notes in `span`.
fn build_id(memory: &dyn Memory, window: &mut Window<TABLE>, span: Span) -> Option<BuildId> {
    let mut at = span.start;
    for _ in 0..MOST_NOTES {
        let mut cursor = Cursor::new(memory, window, at, span.end);
        let (name_length, length, kind) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
        let name = cursor.at;
        let is_ours = name_length == 4 && cursor.bytes()? == *b"GNU\0";
        cursor.at = name;
        cursor.skip(u64::from(name_length).next_multiple_of(4))?;
        if is_ours && kind == BUILD_ID {
            let mut bytes = [0; BuildId::LONGEST];
            let kept = bytes.get_mut(..length as usize)?;
            memory.read(cursor.at, kept).ok()?;
            return Some(BuildId::new(kept));
        }
        cursor.skip(u64::from(length).next_multiple_of(4))?;
        at = cursor.at;
    }
    None
}

fn join(a: Span, b: Span) -> Span {
    if a.is_empty() { b } else { Span { start: a.start.min(b.start), end: a.end.max(b.end) } }
}

/// `span` as it is in memory; none when nothing is left of it, or it would go around the end of all addresses.
fn moved(span: Span, bias: u64) -> Option<Span> {
    let moved = Span { start: span.start.wrapping_add(bias), end: span.end.wrapping_add(bias) };
    (!moved.is_empty()).then_some(moved)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::linked::Auxiliary;
    use super::super::memory::{OwnMemory, Slices};
    use super::*;

    /// A file of one page with these program headers (kind, flags, offset, address, size), and `rest` behind them.
    pub(in super::super) fn file(headers: &[(u32, u32, u64, u64, u64)], rest: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
        bytes.resize(64, 0);
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&(headers.len() as u16).to_le_bytes());
        for (kind, flags, offset, address, size) in headers {
            bytes.extend(kind.to_le_bytes());
            bytes.extend(flags.to_le_bytes());
            bytes.extend([*offset, *address, *address, *size, *size, 8].map(u64::to_le_bytes).concat());
        }
        bytes.extend(rest);
        bytes.resize(4096, 0);
        bytes
    }

    pub(in super::super) fn note(id: &[u8]) -> Vec<u8> {
        let mut bytes = [4, id.len() as u32, BUILD_ID].map(u32::to_le_bytes).concat();
        bytes.extend(b"GNU\0");
        bytes.extend(id);
        bytes
    }

    fn headers(file: &[u8], base: u64) -> Option<Headers> {
        read(&Slices(&[(base, file)]), &mut Window::new(), base)
    }

    #[test]
    fn a_library_is_read_where_it_was_moved_to() {
        let at = 64 + 56 * 5;
        let rest = [&[4, 8, 9].map(u32::to_le_bytes).concat(), &b"ABC\x0012345678"[..], &note(&[7; 20])].concat();
        let headers = headers(
            &file(
                &[
                    (LOAD, 4, 0, 0, 0x500),
                    (LOAD, 5, 0x1000, 0x1000, 0x234),
                    (LOAD, 6, 0x2000, 0x3000, 0x100),
                    (NOTE, 4, at, at, rest.len() as u64),
                    (SEARCH_TABLE, 4, 0x400, 0x400, 0x80),
                ],
                &rest,
            ),
            0x7f00_0000_0000,
        )
        .unwrap();
        assert_eq!(headers.bias, 0x7f00_0000_0000);
        assert_eq!(headers.span, Span { start: 0x7f00_0000_0000, end: 0x7f00_0000_3100 });
        assert_eq!(headers.text, Span { start: 0x7f00_0000_1000, end: 0x7f00_0000_1234 });
        assert_eq!(headers.search_table, Span { start: 0x7f00_0000_0400, end: 0x7f00_0000_0480 });
        assert_eq!(headers.build_id.as_bytes(), [7; 20]);
    }

    #[test]
    fn a_program_at_its_linked_address_has_no_bias() {
        let headers = headers(&file(&[(LOAD, 5, 0, 0x40_0000, 0x500)], &[]), 0x40_0000).unwrap();
        assert_eq!((headers.bias, headers.text.start), (0, 0x40_0000));
        assert!(headers.build_id.as_bytes().is_empty() && headers.search_table.is_empty());
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let whole = file(&[(LOAD, 5, 0, 0, 0x500)], &[]);
        assert!(headers(&whole, 0x1000).is_some());
        for (place, value) in [(0, 0), (4, 1), (5, 2), (39, 0xff), (54, 8), (56, 0), (64, 2)] {
            let mut damaged = whole.clone();
            damaged[place] = value;
            assert_eq!(headers(&damaged, 0x1000), None, "{place}");
        }
        assert_eq!(headers(&file(&[(LOAD, 5, 0, 0, u64::MAX)], &[]), 0x1000), None);
        assert_eq!(headers(&whole[..100], 0x1000), None);
    }

    #[test]
    fn a_build_id_of_any_length_is_taken_or_left() {
        let at = 64 + 56 * 2;
        let with = |id: &[u8]| {
            let segments = [(LOAD, 4, 0, 0, 0x500), (NOTE, 4, at, at, note(id).len() as u64)];
            headers(&file(&segments, &note(id)), 0x1000).unwrap().build_id
        };
        assert_eq!(with(&[1; 8]).as_bytes(), [1; 8]);
        assert_eq!(with(&[1; 32]).as_bytes(), [1; 32]);
        assert!(with(&[1; 33]).as_bytes().is_empty());
        assert!(with(&[]).as_bytes().is_empty());
    }

    #[test]
    fn the_vdso_is_a_file_in_memory() {
        let base = Auxiliary::parse(&std::fs::read("/proc/self/auxv").unwrap()).kernel;
        if base == 0 {
            return println!("skipped: no vDSO here");
        }
        let headers = read(&OwnMemory::new(), &mut Window::new(), base).unwrap();
        assert_eq!(headers.span.start, base);
        assert!(!headers.text.is_empty() && !headers.search_table.is_empty(), "{headers:?}");
        assert!(!headers.build_id.as_bytes().is_empty(), "{headers:?}");
    }
}
