//! A unit that was read, and the frames that an address has in it.
//!
//! Twice over, by the same readers: in passing, until the one address is found, with nothing kept; or with tables of the unit's
//! functions and rows, for who asks more than once.

use super::Source;
use super::arena::Arena;
use super::dwarf::abbreviation::Abbreviations;
use super::dwarf::function::{self, Function, Inlined};
use super::dwarf::line::{self, Program, Row};
use super::dwarf::{Dwarf, Unit, name, split};
use super::find;
use super::image;

/// How many functions may be inlined into each other. What is deeper is left out.
const DEEPEST: usize = 96;

/// A function at an address, with names and files as their numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The function, for [`Loaded::name`]. `None` for code without one.
    pub function: Option<usize>,
    /// How far into the function the address is; for one that was not inlined.
    pub offset: Option<u64>,
    /// The file, for [`Loaded::source`]. `None` where no line is known.
    pub file: Option<u32>,
    /// The line, from 1; 0 when there is none.
    pub line: u32,
    /// The column, from 1; 0 when there is none.
    pub column: u32,
    /// What tells copies of one line apart; 0 when there is none.
    pub discriminator: u32,
    /// Whether it was inlined into the next.
    pub inlined: bool,
}

/// A unit that was read.
#[derive(Clone, Copy, Debug)]
pub struct Loaded<'a> {
    dwarf: Dwarf<'a>,
    /// The one with the entries: of the file of a split unit, if that was found.
    unit: Unit<'a>,
    shapes: Abbreviations<'a>,
    program: Option<Program<'a>>,
    functions: Option<&'a [Function]>,
    rows: Option<&'a [Row]>,
    /// The function that was found last.
    last: Option<Function>,
    /// What was inlined into the function that was asked for last.
    tree: Option<(usize, &'a [Inlined])>,
    /// Where the unit begins in the program's own section.
    pub(crate) at: usize,
}

/// Calls that were inlined, from the outermost to the innermost.
struct Chain {
    calls: [Inlined; DEEPEST],
    count: usize,
}

impl Chain {
    /// Takes note of a range that has the address, if it lies in the one before.
    fn note(&mut self, inlined: &Inlined, address: u64) {
        if address < inlined.low || address >= inlined.high {
            return;
        }
        let depth = self.calls().last().map_or(0, |last| last.depth);
        if inlined.depth > depth
            && let Some(place) = self.calls.get_mut(self.count)
        {
            *place = *inlined;
            self.count += 1;
        }
    }

    fn calls(&self) -> &[Inlined] {
        self.calls.get(..self.count).unwrap_or_default()
    }
}

impl<'a> Loaded<'a> {
    /// The unit of `skeleton`, or the split one that it stands for. `image` is where the program lies, beside which others are
    /// looked for.
    pub(crate) fn new(dwarf: &Dwarf<'a>, image: &[u8], skeleton: &Unit<'a>, arena: &'a Arena) -> Option<Self> {
        let whole = if skeleton.dwo_name.is_empty() { None } else { other_half(dwarf, image, skeleton, arena) };
        let unit = whole.unwrap_or(*skeleton);
        let shapes = Abbreviations::new(unit.own.abbrev, unit.head.abbrev, unit.head.encoding, arena)?;
        let program = Program::new(dwarf, &unit);
        let at = skeleton.head.offset;
        Some(Self { dwarf: *dwarf, unit, shapes, program, functions: None, rows: None, last: None, tree: None, at })
    }

    /// Makes the tables, as far as the arena has room.
    pub(crate) fn tabulate(&mut self, arena: &'a Arena) {
        if self.functions.is_none() {
            self.functions = function::table(&self.unit, &self.shapes, self.dwarf.lowest, arena);
        }
        if self.rows.is_none() {
            self.rows = self.program.and_then(|program| program.table(self.dwarf.lowest, arena));
        }
    }

    pub(crate) fn has_tables(&self) -> bool {
        self.functions.is_some()
    }

    /// Whether one of its functions has the address.
    pub(crate) fn has_function(&mut self, address: u64) -> bool {
        self.function(address).is_some()
    }

    /// Whether its line program has the address.
    pub(crate) fn has_line(&self, address: u64) -> bool {
        self.row(address).is_some()
    }

    fn function(&mut self, address: u64) -> Option<Function> {
        let known = self.last.filter(|last| (last.low..last.high).contains(&address));
        self.last = known.or_else(|| self.look_for_function(address));
        self.last
    }

    fn look_for_function(&self, address: u64) -> Option<Function> {
        if let Some(table) = self.functions {
            return function::find(table, address).copied();
        }
        let mut found = None;
        let _ = function::each(&self.unit, &self.shapes, self.dwarf.lowest, &mut |function| {
            if address >= function.low && address < function.high {
                found = Some(function);
            }
            found.is_none()
        });
        found
    }

    fn row(&self, address: u64) -> Option<Row> {
        match self.rows {
            Some(rows) => line::find(rows, address).copied(),
            None => self.program?.find(address, self.dwarf.lowest),
        }
    }

    /// What was inlined at `address` into the function whose entry is at `at`. With an arena the function's calls are
    /// remembered for the next address.
    fn chain(&mut self, at: usize, address: u64, arena: Option<&'a Arena>) -> Chain {
        let mut chain = Chain { calls: [Inlined::default(); DEEPEST], count: 0 };
        let known = self.tree.filter(|(of, _)| *of == at).map(|(_, tree)| tree);
        let made = || arena.and_then(|arena| function::inlined(&self.unit, &self.shapes, at, arena));
        if let Some(tree) = known.or_else(made) {
            self.tree = Some((at, tree));
            tree.iter().for_each(|inlined| chain.note(inlined, address));
        } else {
            let _ = function::each_inlined(&self.unit, &self.shapes, at, &mut |inlined| {
                chain.note(&inlined, address);
                true
            });
        }
        chain
    }

    /// Shows `visit` the frames of `address`, the innermost first. Says whether there is any.
    pub fn frames(&mut self, address: u64, arena: Option<&'a Arena>, visit: &mut dyn FnMut(&Frame)) -> bool {
        let row = self.row(address);
        let of_row = row.map_or(Frame::default(), |row| Frame {
            file: Some(row.file),
            line: row.line,
            // The column of no line is what was left over.
            column: if row.line == 0 { 0 } else { row.column },
            discriminator: row.discriminator,
            ..Frame::default()
        });
        let Some(function) = self.function(address) else {
            if row.is_some() {
                visit(&of_row);
            }
            return row.is_some();
        };
        let chain = self.chain(function.at, address, arena);
        let mut place = of_row;
        for call in chain.calls().iter().rev() {
            visit(&Frame { function: Some(call.at), inlined: true, ..place });
            place = Frame {
                file: call.file,
                line: call.line,
                column: call.column,
                discriminator: call.discriminator,
                ..Frame::default()
            };
        }
        let offset = address.wrapping_sub(function.entry);
        visit(&Frame { function: Some(function.at), offset: Some(offset), ..place });
        true
    }

    /// The name of a function, as the file has it.
    pub fn name(&self, function: usize) -> Option<&'a [u8]> {
        name::of(&self.dwarf, &self.unit, &self.shapes, function)
    }

    /// The path of a file.
    pub fn source(&self, file: u32) -> Option<Source<'a>> {
        self.program.as_ref()?.source(&self.dwarf, &self.unit, file).filter(|source| !source.name.is_empty())
    }
}

/// The entries that a skeleton stands for: in the package, or in a file of their own.
fn other_half<'a>(dwarf: &Dwarf<'a>, image: &[u8], skeleton: &Unit<'a>, arena: &'a Arena) -> Option<Unit<'a>> {
    if let Some(sections) = split::in_package(&dwarf.package, skeleton.id)
        && let Some(unit) = split::unit(dwarf, skeleton, sections)
    {
        return Some(unit);
    }
    let found = find::split(arena, image, skeleton.compiled_in, skeleton.dwo_name)?;
    split::unit(dwarf, skeleton, image::sections(&found.elf, arena, true).ok()?)
}
