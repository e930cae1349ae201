//! From addresses to answers.
//!
//! A few addresses are looked up one by one, reading no more than each needs. Many are sorted first, so that each unit is read
//! once, with the tables that make its addresses cheap; units are shared between threads. Answers hold numbers of names and
//! paths, so that a hundred thousand of them are a few megabytes.

use super::input::{Input, Module, Query};
use super::names::{NONE, Names, Texts};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use toolbox::crash::symbolize::place::{Frame, Loaded};
use toolbox::crash::symbolize::{Arena, Folders, Image, Many, Symbolizer, Wanted, Why, is_mangled};

/// So many addresses of one file are looked up one by one.
const FEW: usize = 24;
/// How much address space is asked for to begin with; memory is taken only where it is used.
const ARENA: usize = 1 << 34;
/// How many units are tried for one address.
const UNITS: usize = 4;

/// A function at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) function: u32,
    pub(super) source: u32,
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) discriminator: u32,
    pub(super) inlined: bool,
    /// How far into the function, for one that was not inlined; [`NONE`] when not known.
    pub(super) offset: u32,
}

/// An address of which nothing is known.
pub(super) const NOTHING: Named =
    Named { function: NONE, source: NONE, line: 0, column: 0, discriminator: 0, inlined: false, offset: NONE };

/// The answers to all queries, in their order.
#[derive(Debug, Default)]
pub(super) struct Answers {
    frames: Vec<Vec<Named>>,
    /// For each query: which worker has its frames, and which of those.
    places: Vec<(u32, Range<u32>)>,
    /// For each query without a name: why.
    why: HashMap<usize, Why>,
    /// For each module that cannot be used: why.
    unusable: HashMap<usize, Why>,
    pub(super) texts: Texts,
}

impl Answers {
    /// The frames of a query, the innermost first.
    pub(super) fn frames(&self, query: usize) -> &[Named] {
        let Some((worker, range)) = self.places.get(query) else { return &[] };
        let all = self.frames.get(*worker as usize).map(Vec::as_slice).unwrap_or_default();
        all.get(range.start as usize..range.end as usize).unwrap_or_default()
    }

    /// Why a query has no name.
    pub(super) fn why(&self, query: usize) -> Option<Why> {
        self.why.get(&query).copied()
    }

    /// Why a file cannot be used at all.
    pub(super) fn unusable(&self, module: usize) -> Option<Why> {
        self.unusable.get(&module).copied()
    }

    /// How many queries have no name.
    pub(super) fn without_name(&self) -> usize {
        self.why.len()
    }
}

/// Looks everything up.
pub(super) fn resolve(input: &Input, folders: &[&[u8]], demangles: bool, threads: usize) -> Answers {
    let names = Names::new(demangles);
    let folders = Folders { debug: folders, root: b"" };
    let mut answers = Answers { places: vec![(0, 0..0); input.queries.len()], ..Answers::default() };
    let mut by_module: Vec<Vec<usize>> = vec![Vec::new(); input.modules.len()];
    for (index, query) in input.queries.iter().enumerate() {
        by_module[query.module].push(index);
    }
    for (number, (module, mut queries)) in input.modules.iter().zip(by_module).enumerate() {
        queries.sort_by_key(|&index| input.queries[index].address);
        let done = if queries.len() <= FEW {
            few(&input.queries, &queries, module, folders, &names, &mut answers)
        } else {
            many(&input.queries, &queries, module, folders, &names, &mut answers, threads)
        };
        if let Err(why) = done {
            answers.unusable.insert(number, why);
            answers.why.extend(queries.iter().map(|&index| (index, why)));
        }
    }
    answers.texts = names.into_texts();
    answers
}

/// An arena of as much address space as there is.
fn arena() -> Result<Arena, Why> {
    let mut size = ARENA;
    loop {
        match Arena::new(size) {
            Ok(arena) => return Ok(arena),
            Err(_) if size > 1 << 24 => size /= 2,
            Err(_) => return Err(Why::OutOfMemory),
        }
    }
}

fn wanted(module: &Module) -> Wanted<'_> {
    Wanted { path: &module.path, build_id: &module.build_id, ..Wanted::default() }
}

fn few(
    all: &[Query],
    queries: &[usize],
    module: &Module,
    folders: Folders<'_>,
    names: &Names,
    answers: &mut Answers,
) -> Result<(), Why> {
    if queries.is_empty() {
        return Ok(());
    }
    let arena = arena()?;
    let wanted = wanted(module);
    let mut symbolizer = Symbolizer::new(&arena, folders);
    symbolizer.open(&wanted)?;
    let mut frames = Vec::new();
    let worker = u32::try_from(answers.frames.len()).unwrap_or(NONE);
    for &index in queries {
        let begin = count(&frames);
        let done = symbolizer.place(&wanted, all[index].address, &mut |place| {
            frames.push(Named {
                function: place.function.map_or(NONE, |raw| names.function(raw)),
                source: place.source.map_or(NONE, |source| names.source(source)),
                line: place.line,
                column: place.column,
                discriminator: place.discriminator,
                inlined: place.inlined,
                offset: offset(place.offset),
            });
        });
        if let Err(why) = done {
            answers.why.insert(index, why);
        }
        answers.places[index] = (worker, begin..count(&frames));
    }
    answers.frames.push(frames);
    Ok(())
}

fn count(frames: &[Named]) -> u32 {
    u32::try_from(frames.len()).unwrap_or(NONE)
}

fn offset(offset: Option<u64>) -> u32 {
    offset.and_then(|offset| u32::try_from(offset).ok()).unwrap_or(NONE)
}

/// Queries, in the order of their addresses, that are likely in one unit.
type Group = (Option<usize>, Vec<usize>);

fn many(
    all: &[Query],
    queries: &[usize],
    module: &Module,
    folders: Folders<'_>,
    names: &Names,
    answers: &mut Answers,
    threads: usize,
) -> Result<(), Why> {
    let arena = arena()?;
    let image = Image::open(&arena, &folders, &wanted(module))?;
    let table = Many::new(image, &arena).ok_or(Why::OutOfMemory)?;
    let groups = groups(all, queries, &table);
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, groups.len().max(1)) {
            scope.spawn(|| {
                let Ok(arena) = self::arena() else { return };
                let mut worker = Worker { table, names, frames: Vec::new(), places: Vec::new(), is_whole: false };
                let mut arena = arena;
                // Relaxed: who draws a number has it alone, and what is drawn was there before the threads.
                while let Some((unit, queries)) = groups.get(next.fetch_add(1, Relaxed)) {
                    worker.group(all, queries, *unit, &arena);
                    arena.reset();
                }
                let mut done = done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                done.push((worker.frames, worker.places));
            });
        }
    });
    let done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    for (frames, places) in done {
        let worker = u32::try_from(answers.frames.len()).unwrap_or(NONE);
        for (index, range) in places {
            let is_named = frames[range.start as usize..range.end as usize].iter().any(|frame| frame.function != NONE);
            if !is_named {
                answers.why.insert(index, table.why());
            }
            answers.places[index] = (worker, range);
        }
        answers.frames.push(frames);
    }
    Ok(())
}

fn groups(all: &[Query], queries: &[usize], table: &Many<'_>) -> Vec<Group> {
    let mut numbers = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for &index in queries {
        let unit = table.units(all[index].address).next();
        let number = *numbers.entry(unit).or_insert(groups.len());
        if number == groups.len() {
            groups.push((unit, Vec::new()));
        }
        groups[number].1.push(index);
    }
    // In the order of the file, as far as pages are concerned.
    groups.sort_by_key(|(unit, _)| *unit);
    groups
}

/// What one thread finds.
struct Worker<'a> {
    table: Many<'a>,
    names: &'a Names,
    frames: Vec<Named>,
    places: Vec<(usize, Range<u32>)>,
    /// Whether the name of the last frame tells the whole path.
    is_whole: bool,
}

impl Worker<'_> {
    /// Looks up addresses that are likely in `unit`.
    fn group(&mut self, all: &[Query], queries: &[usize], unit: Option<usize>, arena: &Arena) {
        let mut loaded = unit.and_then(|unit| self.table.load(unit, arena));
        let mut known = Known::default();
        let mut before = None;
        for &index in queries {
            let address = all[index].address;
            // The same address again has the same answer.
            if let Some((_, range)) = before.as_ref().filter(|(same, _)| *same == address) {
                self.places.push((index, Range::clone(range)));
                continue;
            }
            let begin = count(&self.frames);
            if let Some(loaded) = &mut loaded {
                self.show(loaded, address, &mut known, arena);
            }
            if count(&self.frames) == begin {
                self.elsewhere(address, unit, arena);
            }
            self.symbol(address, begin as usize);
            before = Some((address, begin..count(&self.frames)));
            self.places.push((index, begin..count(&self.frames)));
        }
    }

    fn show<'b>(&mut self, loaded: &mut Loaded<'b>, address: u64, known: &mut Known, arena: &'b Arena) {
        let unit = *loaded;
        loaded.frames(address, Some(arena), &mut |frame| {
            let named = self.named(&unit, frame, known);
            self.frames.push(named);
        });
    }

    fn named(&mut self, unit: &Loaded<'_>, frame: &Frame, known: &mut Known) -> Named {
        let names = self.names;
        let function = |at| {
            let name = unit.name(at);
            (name.map_or(NONE, |raw| names.function(raw)), name.is_some_and(is_mangled))
        };
        let source = |file| unit.source(file).map_or(NONE, |path| names.source(path));
        let function = frame.function.map(|at| *known.functions.entry(at).or_insert_with(|| function(at)));
        let (function, is_whole) = function.unwrap_or((NONE, false));
        self.is_whole = is_whole;
        Named {
            function,
            source: frame.file.map_or(NONE, |file| *known.sources.entry(file).or_insert_with(|| source(file))),
            line: frame.line,
            column: frame.column,
            discriminator: frame.discriminator,
            inlined: frame.inlined,
            offset: offset(frame.offset),
        }
    }

    /// Tries the other units that may have the address.
    fn elsewhere(&mut self, address: u64, tried: Option<usize>, arena: &Arena) {
        for unit in self.table.units(address).filter(|unit| Some(*unit) != tried).take(UNITS) {
            let begin = self.frames.len();
            if let Some(mut loaded) = self.table.load(unit, arena) {
                self.show(&mut loaded, address, &mut Known::default(), arena);
            }
            if self.frames.len() > begin {
                return;
            }
        }
    }

    /// Gives the outermost function its name from the symbols, where the debug information has none, or the bare name only.
    fn symbol(&mut self, address: u64, begin: usize) {
        let found = self.frames.get(begin..).and_then(<[Named]>::last).copied();
        if found.is_some_and(|frame| self.is_whole || frame.inlined) {
            return;
        }
        let has_name = found.is_some_and(|frame| frame.function != NONE);
        let Some((raw, into)) = self.table.symbol(address).filter(|(raw, _)| !has_name || is_mangled(raw)) else {
            return;
        };
        let (function, offset) = (self.names.function(raw), offset(Some(into)));
        match self.frames.get_mut(begin..).and_then(<[Named]>::last_mut) {
            Some(last) => (last.function, last.offset) = (function, offset),
            None => self.frames.push(Named { function, offset, ..NOTHING }),
        }
    }
}

/// What is known of a unit's names: by the places of functions, with whether they tell the whole path, and by the numbers of files.
#[derive(Debug, Default)]
struct Known {
    functions: HashMap<usize, (u32, bool)>,
    sources: HashMap<u32, u32>,
}
