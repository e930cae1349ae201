//! The comparison: frames by ours, one address at a time and many at once, and frames by the crate `addr2line`.

use addr2line::Loader;
use std::path::Path;
use toolbox::crash::symbolize::place::Loaded;
use toolbox::crash::symbolize::{Arena, Folders, Image, Many, Source, Symbolizer, Wanted, is_mangled};

/// A function, file, line and column, as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) function: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(source: Source<'_>) -> String {
    let mut path = String::new();
    for piece in source.pieces() {
        if !path.is_empty() && !path.ends_with('/') {
            path.push('/');
        }
        path.push_str(&text(piece));
    }
    path
}

/// What a [`Symbolizer`] says: names as in the file.
pub(crate) fn ours(symbolizer: &mut Symbolizer<'_>, wanted: &Wanted<'_>, address: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    let _ = symbolizer.place(wanted, address, &mut |place| {
        frames.push(Frame {
            function: place.function.map(text),
            file: place.source.map(path),
            line: place.line,
            column: place.column,
        });
    });
    frames
}

/// What [`Many`] says, without symbols. The unit that was read last is kept, as addresses come in order.
struct Bulk<'a> {
    table: &'a Many<'a>,
    arena: &'a Arena,
    last: Option<(usize, Loaded<'a>)>,
}

impl<'a> Bulk<'a> {
    fn frames(&mut self, address: u64) -> Vec<Frame> {
        let mut found = Vec::new();
        for unit in self.table.units(address) {
            let loaded = match self.last {
                Some((last, loaded)) if last == unit => Some(loaded),
                _ => self.table.load(unit, self.arena),
            };
            let Some(mut loaded) = loaded else { continue };
            let names = loaded;
            let mut frames = Vec::new();
            loaded.frames(address, Some(self.arena), &mut |frame| {
                frames.push(Frame {
                    function: frame.function.and_then(|function| names.name(function)).map(text),
                    file: frame.file.and_then(|file| names.source(file)).map(path),
                    line: frame.line,
                    column: frame.column,
                });
            });
            self.last = Some((unit, loaded));
            let has_function = frames.iter().any(|frame| frame.function.is_some());
            if has_function || found.is_empty() {
                found = frames;
            }
            if has_function {
                break;
            }
        }
        if let Some(last) = found.last_mut().filter(|last| !is_whole(last)) {
            let symbol = self.table.symbol(address).map(|(name, _)| text(name));
            let symbol = symbol.filter(|name| last.function.is_none() || is_mangled(name.as_bytes()));
            last.function = symbol.or_else(|| last.function.take());
        }
        found
    }
}

fn is_whole(frame: &Frame) -> bool {
    frame.function.as_ref().is_some_and(|name| is_mangled(name.as_bytes()))
}

fn theirs(loader: &Loader, address: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut found = loader.find_frames(address).expect("the program is not damaged");
    while let Some(frame) = found.next().expect("the program is not damaged") {
        let location = frame.location.as_ref();
        frames.push(Frame {
            function: frame.function.as_ref().and_then(|name| name.raw_name().ok().map(|name| name.into_owned())),
            file: location.and_then(|location| location.file.map(str::to_owned)),
            line: location.and_then(|location| location.line).unwrap_or(0),
            column: location.and_then(|location| location.column).unwrap_or(0),
        });
    }
    // Where there is no debug information for the function there is a symbol, as the tool of that crate does it too.
    let symbol = || loader.find_symbol(address).map(str::to_owned);
    match frames.last_mut() {
        // The symbol tells more than a bare name.
        Some(last) if !is_whole(last) => {
            let found = symbol().filter(|name| last.function.is_none() || is_mangled(name.as_bytes()));
            last.function = found.or_else(|| last.function.take());
        }
        Some(_) => {}
        None => frames.extend(symbol().map(|name| Frame { function: Some(name), ..Frame::default() })),
    }
    frames
}

/// How a comparison came out.
#[derive(Debug, Default)]
pub(crate) struct Compared {
    /// Addresses that were looked at.
    pub(crate) addresses: usize,
    /// Those for which theirs has a function with a line.
    pub(crate) with_lines: usize,
    /// Those with calls that were inlined.
    pub(crate) with_inlined: usize,
    /// Those between symbols.
    pub(crate) padding: usize,
    /// Those for which ours has more calls, between the same line and the same function.
    pub(crate) deeper: usize,
    /// Addresses where the two differ, the first few of them in full.
    pub(crate) differing: usize,
}

/// Compares every address in steps of `step` in the section `.text` of `program`; theirs looks at `oracle`.
pub(crate) fn compare(program: &Path, oracle: &Path, folders: Folders<'_>, step: usize) -> Compared {
    let loader = Loader::new(oracle).expect("the program is not damaged");
    let range = loader.get_section_range(b".text").expect("a program has code");
    let arena = Arena::new(1 << 30).expect("there is address space");
    let mut symbolizer = Symbolizer::new(&arena, folders);
    let path = program.to_str().expect("the folder for tests has a plain name").as_bytes();
    let wanted = Wanted { path, ..Wanted::default() };
    let image = Image::open(&arena, &folders, &wanted).expect("the program is there");
    let table = Many::new(image, &arena).expect("the arena is large");
    let scratch = Arena::new(1 << 30).expect("there is address space");
    let mut bulk = Bulk { table: &table, arena: &scratch, last: None };
    let mut compared = Compared::default();
    for address in (range.begin..range.end).step_by(step) {
        let expected = theirs(&loader, address);
        let found = ours(&mut symbolizer, &wanted, address);
        compared.addresses += 1;
        compared.with_lines += usize::from(expected.last().is_some_and(|frame| frame.line > 0));
        compared.with_inlined += usize::from(expected.len() > 1);
        if found.iter().any(|frame| frame.file.is_some()) {
            assert_eq!(bulk.frames(address), found, "one and many at {address:#x}");
        }
        // Theirs takes a symbol to reach up to the next one, whatever its size: padding has a name there, and none here.
        let mut without = expected.clone();
        without.iter_mut().for_each(|frame| frame.function = None);
        without.retain(|frame| frame.file.is_some());
        let is_padding = expected.len() == 1 && found == without;
        compared.padding += usize::from(is_padding && !expected.is_empty());
        // Where an entry does not say where its code is, theirs leaves out what was inlined below it.
        let ends = |frames: &[Frame]| {
            let first = frames.first().map(|frame| (frame.file.clone(), frame.line, frame.column));
            (first, frames.last().and_then(|frame| frame.function.clone()))
        };
        let is_deeper = found.len() > expected.len() && ends(&found) == ends(&expected);
        compared.deeper += usize::from(is_deeper);
        if found != expected && !is_padding && !is_deeper {
            compared.differing += 1;
            if compared.differing <= 5 {
                println!("{address:#x}\n  ours   {found:?}\n  theirs {expected:?}");
            }
        }
    }
    compared
}
