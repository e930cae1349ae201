//! Where an instruction is: in which file of the program, in which function, on which line of the source.
//!
//! An address of the running process becomes a file and an address in it by the process's map and the file's segments;
//! the symbol table tells the function, and the line table, where the program was built with one, the line. Where a
//! function was inlined into another the innermost one that is not the standard library's is told: who looks for the
//! place of a stop wants to know which step of the algorithm it is, and not that it is an atomic operation.

use addr2line::{Context, LookupResult};
use gimli::{EndianRcSlice, RunTimeEndian};
use object::read::{File, Object, ObjectSection, ObjectSegment, ObjectSymbol};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Where an instruction is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The file that is mapped there, without its folders.
    pub(super) module: String,
    /// The address in it, as its own tables have it.
    pub(super) offset: u64,
    /// The function, in short.
    pub(super) function: Option<String>,
    /// The source file and the line.
    pub(super) source: Option<(String, u32)>,
    /// Whether this is the system's own code: the C library with its allocator, the loader, or what the kernel puts there.
    pub(super) is_system: bool,
}

impl Place {
    /// In one line: `src/queue/block.rs:120 Slot::fill`.
    pub(super) fn in_short(&self) -> String {
        let function = self.function.as_deref();
        match &self.source {
            Some((file, line)) => format!("{file}:{line} {}", function.unwrap_or_default()).trim_end().to_owned(),
            None => format!("{} ({}+{:#x})", function.unwrap_or("a function without a name"), self.module, self.offset),
        }
    }

    /// What makes a place the same as another for a reader: the line if there is one.
    pub(super) fn is_with(&self, other: &Self) -> bool {
        let exact = self.source.is_some() || self.offset == other.offset;
        self.module == other.module && self.function == other.function && self.source == other.source && exact
    }
}

/// A part of a file in the memory of a process.
struct Mapping {
    begin: u64,
    end: u64,
    offset: u64,
    path: PathBuf,
}

/// A file with its tables. One that cannot be read has none.
#[derive(Default)]
struct Module {
    /// Where the bytes of the file are in memory: the first byte, how many, and the address of the first.
    segments: Vec<(u64, u64, u64)>,
    /// Where functions begin, in order, how long they are, and their names.
    symbols: Vec<(u64, u64, String)>,
    lines: Option<Context<Bytes>>,
}

type Bytes = EndianRcSlice<RunTimeEndian>;

/// A function in short, and a file with a line.
type Named = (Option<String>, Option<(String, u32)>);

/// The places of a process.
pub(super) struct Places {
    mappings: Vec<Mapping>,
    modules: HashMap<PathBuf, Module>,
    known: HashMap<u64, Place>,
}

impl Places {
    /// Of the process with that number, as it is mapped now.
    pub(super) fn of(process: u32) -> Self {
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap_or_default();
        Self { mappings: maps.lines().filter_map(mapping).collect(), modules: HashMap::new(), known: HashMap::new() }
    }

    /// Whether this is the system's code.
    pub(super) fn is_system(&self, address: u64) -> bool {
        self.mapped(address).is_some_and(|mapping| is_system(&mapping.path))
    }

    /// What is at `address`.
    pub(super) fn at(&mut self, address: u64) -> Place {
        if let Some(place) = self.known.get(&address) {
            return place.clone();
        }
        let place = self.look(address);
        self.known.insert(address, place.clone());
        place
    }

    fn look(&mut self, address: u64) -> Place {
        let Some(mapping) = self.mapped(address) else { return Place::default() };
        let (path, in_file) = (mapping.path.clone(), address - mapping.begin + mapping.offset);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let mut place = Place {
            module: name.unwrap_or_default(),
            offset: in_file,
            is_system: is_system(&path),
            ..Place::default()
        };
        let module = self.modules.entry(path).or_insert_with_key(|path| Module::load(path));
        if let Some(offset) = module.address_of(in_file) {
            place.offset = offset;
            (place.function, place.source) = module.named(offset);
            // Linked into the program, it is the system's code all the same.
            place.is_system |= place.function.as_deref().is_some_and(|name| ALLOCATOR.contains(&name));
        }
        place
    }

    fn mapped(&self, address: u64) -> Option<&Mapping> {
        self.mappings.iter().find(|mapping| (mapping.begin..mapping.end).contains(&address))
    }
}

/// The allocator's names where the C library is linked into the program.
const ALLOCATOR: [&str; 6] = ["malloc", "free", "calloc", "realloc", "aligned_alloc", "posix_memalign"];

fn is_system(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ["libc.", "libc-", "libpthread", "ld-", "libjemalloc", "libtcmalloc", "libmimalloc", "["]
        .iter()
        .any(|begin| name.starts_with(begin))
}

/// `55d0-55e0 r-xp 0000a000 fd:01 1234   /usr/bin/toolbox`
fn mapping(line: &str) -> Option<Mapping> {
    let mut words = line.split_whitespace();
    let (begin, end) = words.next()?.split_once('-')?;
    let offset = words.nth(1)?;
    let path: Vec<&str> = words.skip(2).collect();
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some(Mapping {
        begin: number(begin)?,
        end: number(end)?,
        offset: number(offset)?,
        path: PathBuf::from(path.join(" ")),
    })
}

impl Module {
    fn load(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap_or_default();
        let Ok(file) = File::parse(&*bytes) else { return Self::default() };
        let segment = |segment: object::read::Segment<'_, '_>| {
            let (offset, size) = segment.file_range();
            (offset, size, segment.address())
        };
        let symbol = |symbol: object::read::Symbol<'_, '_>| {
            Some((symbol.address(), symbol.size(), symbol.name().ok()?.to_owned()))
        };
        let all = file.symbols().chain(file.dynamic_symbols());
        let functions = all.filter(|symbol| symbol.kind() == object::SymbolKind::Text && symbol.is_definition());
        let mut symbols: Vec<_> = functions.filter_map(symbol).collect();
        symbols.sort();
        Self { segments: file.segments().map(segment).collect(), symbols, lines: lines(&file) }
    }

    /// The address that the file's own tables have for a byte of it.
    fn address_of(&self, in_file: u64) -> Option<u64> {
        let holds = |(offset, size, _): &&(u64, u64, u64)| (*offset..offset + size).contains(&in_file);
        self.segments.iter().find(holds).map(|(offset, _, address)| in_file - offset + address)
    }

    /// The function and the line.
    fn named(&self, address: u64) -> Named {
        let mut found: Option<Named> = None;
        for (function, source) in self.frames(address) {
            if source.as_ref().is_some_and(|(file, _)| !file.contains("/library/")) {
                found = Some((function, source));
                break;
            }
            found.get_or_insert((function, source));
        }
        let (function, source) = found.unwrap_or_default();
        let source = source.map(|(file, line)| (without_folders(&file), line));
        (function.or_else(|| self.symbol(address)), source)
    }

    /// The functions that were inlined into each other there, the innermost first.
    fn frames(&self, address: u64) -> Vec<Named> {
        let Some(lines) = &self.lines else { return Vec::new() };
        // What would be loaded is a part of the line table that lies in another file: it is done without.
        let LookupResult::Output(Ok(mut frames)) = lines.find_frames(address) else { return Vec::new() };
        let mut all = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let function = frame.function.as_ref().and_then(|name| Some(short(&name.demangle().ok()?)));
            let location = frame.location.and_then(|location| Some((location.file?.to_owned(), location.line?)));
            all.push((function, location));
        }
        all
    }

    fn symbol(&self, address: u64) -> Option<String> {
        let end = self.symbols.partition_point(|(begin, ..)| *begin <= address);
        let (begin, size, name) = self.symbols[..end].last()?;
        // A size of zero is one that was not told.
        let is_inside = *size == 0 || address < begin + size;
        is_inside.then(|| short(&addr2line::demangle_auto(name.into(), None)))
    }
}

/// The line table, where there is one.
fn lines(file: &File<'_>) -> Option<Context<Bytes>> {
    let order = if file.is_little_endian() { RunTimeEndian::Little } else { RunTimeEndian::Big };
    let section = |id: gimli::SectionId| -> Result<Bytes, gimli::Error> {
        let bytes = file.section_by_name(id.name()).and_then(|section| section.data().ok()).unwrap_or_default();
        Ok(EndianRcSlice::new(Rc::from(bytes), order))
    };
    Context::from_dwarf(gimli::Dwarf::load(section).ok()?).ok()
}

/// A path from where its package begins: what stands before is this machine's business.
fn without_folders(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(""));
    if let Ok(own) = Path::new(file).strip_prefix(folder) {
        return own.to_string_lossy().into_owned();
    }
    if let Some((_, rest)) = file.split_once("/registry/src/") {
        return rest.split_once('/').map_or(rest, |(_, rest)| rest).to_owned();
    }
    file.split_once("/library/").map_or(file, |(_, rest)| rest).to_owned()
}

/// The last two parts of a path to a function, without its types: `Slot::fill`.
fn short(name: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0_usize;
    let mut rest = name;
    // `<a::Type<T> as b::Trait>::method`: the type is what tells.
    if let Some(inner) = name.strip_prefix('<') {
        let end = closing(inner);
        let own = inner[..end].split(" as ").next().unwrap_or_default();
        return short(&format!("{own}{}", inner.get(end + 1..).unwrap_or_default()));
    }
    while let Some(letter) = rest.chars().next() {
        rest = &rest[letter.len_utf8()..];
        match letter {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(letter),
            _ => {}
        }
    }
    let parts: Vec<&str> = plain.split("::").filter(|part| !part.is_empty()).collect();
    parts[parts.len().saturating_sub(2)..].join("::")
}

/// Where the angle that was opened before `text` is closed.
fn closing(text: &str) -> usize {
    let mut depth = 1;
    for (place, letter) in text.char_indices() {
        match letter {
            '<' => depth += 1,
            '>' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return place;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short() {
        for (name, expected) in [
            ("toolbox::queue::block::Slot<T>::fill", "Slot::fill"),
            ("<crossbeam_queue::seg_queue::SegQueue<T> as core::ops::Drop>::drop", "SegQueue::drop"),
            ("<std::sync::Mutex<alloc::vec::Vec<u64>>>::lock", "Mutex::lock"),
            ("malloc", "malloc"),
            ("a::b::{closure#0}", "b::{closure#0}"),
        ] {
            assert_eq!(short(name), expected);
        }
        assert_eq!(without_folders("/x/registry/src/host-1/flume-0.12.0/src/lib.rs"), "flume-0.12.0/src/lib.rs");
        assert_eq!(without_folders("/rustc/abc/library/std/src/sync/mutex.rs"), "std/src/sync/mutex.rs");
    }

    #[test]
    fn a_function_of_this_program_is_found() {
        let mut places = Places::of(std::process::id());
        let place = places.at(short as fn(&str) -> String as usize as u64);
        assert_eq!((place.function.as_deref(), place.is_system), (Some("places::short"), false), "{place:?}");
        assert_eq!(places.at(1), Place::default());
    }
}
