//! Rows beside those of the crate `gimli`: for every entry of the C library, of the C++ library and of this program, at the
//! first and the last address of each row.

use super::super::super::memory::Slices;
use super::super::super::registers::COUNT;
use super::super::find::Finder;
use super::super::row::{Cfa, Row, Rows, Rule};
use super::super::section::{Section, Source, Windows};
use super::*;
use gimli::{BaseAddresses, CfaRule, LittleEndian, RegisterRule, UnwindSection};

/// A file, and the sections of it that unwinding is about: name, address, bytes.
struct File {
    sections: Vec<(String, u64, Vec<u8>)>,
}

impl File {
    fn read(path: &[u8]) -> Option<Self> {
        let bytes = std::fs::read(String::from_utf8_lossy(path).as_ref()).ok()?;
        let word = |at: usize, size: usize| {
            let mut word = [0; 8];
            word[..size].copy_from_slice(&bytes[at..at + size]);
            u64::from_le_bytes(word) as usize
        };
        let (table, size, count, names) = (word(40, 8), word(58, 2), word(60, 2), word(62, 2));
        let header = |index: usize| table + size * index;
        let names = word(header(names) + 24, 8);
        let section = |index: usize| {
            let at = header(index);
            let name = &bytes[names + word(at, 4)..];
            let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
            let (kind, address, offset, length) =
                (word(at + 4, 4), word(at + 16, 8), word(at + 24, 8), word(at + 32, 8));
            let contents = if kind == 8 { Vec::new() } else { bytes[offset..offset + length].to_vec() };
            (String::from_utf8_lossy(name).into_owned(), address as u64, contents)
        };
        Some(Self { sections: (0..count).map(section).collect() })
    }

    fn section(&self, name: &str) -> Option<(u64, &[u8])> {
        let found = self.sections.iter().find(|section| section.0 == name && !section.2.is_empty())?;
        Some((found.1, &found.2))
    }
}

/// One thing that gimli says, as we would say it. `base` is the address that its offsets count from.
fn rule(theirs: &RegisterRule<usize>, base: u64, memory: &dyn Memory) -> Rule {
    // We keep where the length of an expression stands, which is right before it.
    let place = |offset: usize, length: usize| {
        let at = base + offset as u64;
        let back = if length < 128 { 1 } else { 2 };
        let mut byte = [0];
        memory.read(at - back, &mut byte).unwrap();
        assert_eq!(usize::from(byte[0] & 0x7f), length & 0x7f);
        at - back
    };
    match theirs {
        RegisterRule::Undefined => Rule::Undefined,
        RegisterRule::SameValue => Rule::Same,
        RegisterRule::Offset(offset) => Rule::Offset(*offset),
        RegisterRule::ValOffset(offset) => Rule::ValueOffset(*offset),
        RegisterRule::Register(register) => Rule::Register(register.0),
        RegisterRule::Expression(found) => Rule::Expression(place(found.offset, found.length)),
        RegisterRule::ValExpression(found) => Rule::ValueExpression(place(found.offset, found.length)),
        other => panic!("{other:?}"),
    }
}

fn row(theirs: &gimli::UnwindTableRow<usize>, base: u64, memory: &dyn Memory) -> Row {
    let cfa = match theirs.cfa() {
        CfaRule::RegisterAndOffset { register, offset } => Cfa::Offset(register.0, *offset),
        CfaRule::Expression(found) => {
            let Rule::Expression(at) = rule(&RegisterRule::Expression(*found), base, memory) else { panic!() };
            Cfa::Expression(at)
        }
    };
    let mut rules = [Rule::Undefined; COUNT];
    for (register, theirs) in theirs.registers() {
        if let Some(place) = rules.get_mut(usize::from(register.0)) {
            *place = rule(theirs, base, memory);
        }
    }
    Row { cfa, rules, is_signed: false }
}

/// Ours, with what is not said as gimli has it: it makes no difference between that and lost.
fn plain(mut ours: Row) -> Row {
    for rule in &mut ours.rules {
        if *rule == Rule::Unspecified {
            *rule = Rule::Undefined;
        }
    }
    ours
}

/// Compares all rows of one section; how many there were. `ours` finds the row for an address.
fn compare<'a, S: UnwindSection<gimli::EndianSlice<'a, LittleEndian>, Offset = O>, O>(
    section: &S,
    bases: &BaseAddresses,
    base: u64,
    memory: &dyn Memory,
    mut ours: impl FnMut(u64) -> Option<Row>,
) -> usize
where
    O: gimli::UnwindOffset<usize>,
{
    let mut context = gimli::UnwindContext::new();
    let (mut entries, mut count) = (section.entries(bases), 0);
    while let Some(entry) = entries.next().unwrap() {
        let gimli::CieOrFde::Fde(partial) = entry else { continue };
        let entry = partial.parse(S::cie_from_offset).unwrap();
        let mut rows = entry.rows(section, bases, &mut context).unwrap();
        while let Some(theirs) = rows.next_row().unwrap() {
            let (start, end) = (theirs.start_address(), theirs.end_address());
            if start >= end {
                continue;
            }
            let theirs = row(theirs, base, memory);
            for address in [start, start + (end - start) / 2, end - 1] {
                let ours = ours(address).unwrap_or_else(|| panic!("no row for {address:#x}: {theirs:?}"));
                assert_eq!(plain(ours), theirs, "{address:#x} of {:#x}", entry.initial_address());
            }
            count += 1;
        }
    }
    count
}

/// Compares all of a file's `.eh_frame`, by the search table and without it.
fn compare_mapped(file: &File) -> usize {
    let (table_at, table) = file.section(".eh_frame_hdr").expect("linkers make one");
    let (frame_at, frame) = file.section(".eh_frame").expect("it goes with the other");
    let slices = [(table_at, table), (frame_at, frame)];
    let memory = Slices(&slices);
    let bases = BaseAddresses::default().set_eh_frame(frame_at).set_eh_frame_hdr(table_at);
    let mut theirs = gimli::EhFrame::new(frame, LittleEndian);
    theirs.set_address_size(8);
    let end = frame_at + frame.len() as u64;
    let module = Module {
        span: Span { start: 0, end: end.max(table_at + table.len() as u64) },
        search_table: Span { start: table_at, end: table_at + table.len() as u64 },
        ..Module::default()
    };
    let (mut rows, mut windows) = (Rows::new(), Windows::new());
    let by_table = |address| {
        let mut left = 0; // Nothing is gone through one by one.
        let mut finder = Finder { memory: &memory, tables: &(), windows: &mut windows, left: &mut left };
        let (section, entry) = finder.find(&module, address)?;
        rows.find(&section, &mut windows, &entry, address)?;
        Some(rows.row)
    };
    let count = compare(&theirs, &bases, frame_at, &memory, by_table);
    let section = Section {
        source: Source::Mapped(&memory),
        span: Span { start: frame_at, end },
        is_debug: false,
        bias: 0,
        data: table_at,
    };
    let mut entries = 0;
    let mut each = theirs.entries(&bases);
    let (mut windows, mut left) = (Windows::new(), u32::MAX);
    while let Some(entry) = each.next().unwrap() {
        let gimli::CieOrFde::Fde(partial) = entry else { continue };
        let entry = partial.parse(gimli::EhFrame::cie_from_offset).unwrap();
        entries += 1;
        // One by one costs as many records as lie before it, so only some.
        if entries % 97 == 1 {
            let found = section.search(&mut windows, entry.initial_address(), &mut left).unwrap();
            assert_eq!((found.range.start, found.range.end), (entry.initial_address(), entry.end_address()));
            assert_eq!(found.common.is_signal, entry.is_signal_trampoline());
            assert_eq!(found.common.return_register, entry.cie().return_address_register().0);
        }
    }
    count
}

#[test]
fn rows_of_the_c_library_are_those_of_gimli() {
    check_module("/libc.so.6", 10_000);
}

#[test]
fn rows_of_this_program_are_those_of_gimli() {
    let path = std::env::current_exe().unwrap();
    let count = compare_mapped(&File::read(path.as_os_str().as_encoded_bytes()).unwrap());
    println!("{}: {count} rows", path.display());
    assert!(count > 10_000, "{count}");
}

/// Compares the library that is mapped here and whose path ends so.
fn check_module(ending: &str, least: usize) {
    let path = with_modules(|modules| {
        let is_it = |module: &Module<'_>| module.path.ends_with(ending.as_bytes());
        modules.iter().find(is_it).map(|module| module.path.to_vec())
    });
    let Some(file) = path.as_ref().and_then(|path| File::read(path)) else {
        return println!("skipped: no {ending} here");
    };
    let count = compare_mapped(&file);
    println!("{ending}: {count} rows");
    assert!(count > least, "{count}");
}

#[test]
fn rows_of_the_cpp_library_are_those_of_gimli() {
    let folders = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let read = |folder: &&str| File::read(format!("{folder}/libstdc++.so.6").as_bytes());
    let Some(file) = folders.iter().find_map(read) else { return println!("skipped: no libstdc++ here") };
    let count = compare_mapped(&file);
    println!("libstdc++: {count} rows");
    assert!(count > 10_000, "{count}");
}

/// `.debug_frame` in each form: written by hand from what the standard says, and read by both.
#[test]
fn rows_of_a_debug_frame_are_those_of_gimli() {
    for (version, is_wide) in [(1, false), (3, false), (4, false), (3, true), (4, true)] {
        let bytes = super::made::debug_frame(version, is_wide);
        let mut theirs = gimli::DebugFrame::new(&bytes, LittleEndian);
        theirs.set_address_size(8);
        let module = Module { bias: 0x7000_0000, ..Module::default() };
        let (mut rows, mut windows) = (Rows::new(), Windows::new());
        let ours = |address: u64| {
            let (mut left, tables, nothing) = (100, File1(&bytes), Slices(&[]));
            let mut finder = Finder { memory: &nothing, tables: &tables, windows: &mut windows, left: &mut left };
            let (section, entry) = finder.find(&module, address + 0x7000_0000)?;
            rows.find(&section, &mut windows, &entry, address)?;
            Some(rows.row)
        };
        let memory = Source::File(&bytes);
        let count = compare(&theirs, &BaseAddresses::default(), 0, &memory, ours);
        assert_eq!(count, 4 * 3, "version {version}");
    }
}

/// A `.debug_frame`, and nothing else.
struct File1<'a>(&'a [u8]);

impl Tables for File1<'_> {
    fn debug_frame(&self, _module: &Module<'_>) -> Option<&[u8]> {
        Some(self.0)
    }

    fn eh_frame(&self, _module: &Module<'_>) -> Option<Span> {
        None
    }
}
