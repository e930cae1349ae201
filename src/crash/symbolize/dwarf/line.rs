//! Line programs: which file, line and column an instruction comes from, in all versions.
//!
//! A program is a list of instructions for a small machine that writes rows, in sequences that each go up through one stretch of
//! code. For one address the machine is run until a row passes it ([`Program::find`]); for many, all its rows are kept, in the order of
//! their addresses ([`Program::table`]).

use super::constants::line as op;
use super::form::{Encoding, Value, read};
use super::function::Growing;
use super::unit::{self, Unit};
use super::{Dwarf, string_at};
use crate::crash::symbolize::Source;
use crate::crash::symbolize::arena::Arena;
use crate::crash::symbolize::reader::Reader;

/// How many kinds of things an entry of a file may say, in version 5. The standard has five.
const FORMATS: usize = 16;

/// A row: what it says holds from its address to that of the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) address: u64,
    pub(crate) file: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
    pub(crate) discriminator: u32,
}

/// The head of a line program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program<'a> {
    encoding: Encoding,
    least_instruction: u8,
    operations: u8,
    line_base: i8,
    line_range: u8,
    opcode_base: u8,
    /// How many operands the standard opcodes have.
    lengths: &'a [u8],
    /// The table of directories, with all the rest of the head behind it.
    directories: Reader<'a>,
    /// The table of files, likewise.
    files: Reader<'a>,
    code: Reader<'a>,
}

/// What an entry of a table consists of, in version 5.
#[derive(Clone, Copy, Debug, Default)]
struct Format {
    parts: [(u64, u16); FORMATS],
    count: usize,
}

/// An entry of a table of files or directories.
#[derive(Clone, Copy, Debug, Default)]
struct Entry<'a> {
    name: &'a [u8],
    directory: u64,
}

impl<'a> Program<'a> {
    /// The line program of a unit. `None` when it has none, or it is damaged.
    pub(crate) fn new(dwarf: &Dwarf<'a>, unit: &Unit<'a>) -> Option<Self> {
        let section = unit.main.line;
        let (mut reader, is_64, end) = unit::begin(section, usize::try_from(unit.line?).ok()?)?;
        let section = section.get(..end)?;
        let version = reader.u16()?;
        if !(2..=5).contains(&version) {
            return None;
        }
        let mut encoding = Encoding { version, is_64, address_size: unit.head.encoding.address_size };
        if version >= 5 {
            encoding.address_size = reader.u8()?;
            reader.skip(1)?;
        }
        let length = reader.offset(is_64)?;
        let code = u64::try_from(reader.position()).ok()?.checked_add(length)?;
        let mut reader = Reader::at(section, reader.position() as u64);
        let least_instruction = reader.u8()?;
        let operations = if version >= 4 { reader.u8()? } else { 1 };
        reader.skip(1)?;
        let (line_base, line_range, opcode_base) = (reader.u8()?.cast_signed(), reader.u8()?, reader.u8()?);
        let lengths = reader.take(u64::from(opcode_base).saturating_sub(1))?;
        let directories = reader;
        let mut program = Self {
            encoding,
            least_instruction,
            operations,
            line_base,
            line_range,
            opcode_base,
            lengths,
            directories,
            files: directories,
            code: Reader::at(section, code),
        };
        program.files = program.behind_directories(dwarf, unit)?;
        Some(program)
    }

    fn behind_directories(&self, dwarf: &Dwarf<'a>, unit: &Unit<'a>) -> Option<Reader<'a>> {
        let mut reader = self.directories;
        if self.encoding.version < 5 {
            while !reader.string()?.is_empty() {}
            return Some(reader);
        }
        let (format, count) = self.table_head(&mut reader)?;
        for _ in 0..count {
            self.entry(dwarf, unit, &format, &mut reader)?;
        }
        Some(reader)
    }

    fn table_head(&self, reader: &mut Reader<'a>) -> Option<(Format, u64)> {
        let mut format = Format { count: usize::from(reader.u8()?), ..Format::default() };
        if format.count > FORMATS {
            return None;
        }
        for part in format.parts.iter_mut().take(format.count) {
            *part = (reader.uleb()?, u16::try_from(reader.uleb()?).ok()?);
        }
        let count = reader.uleb()?;
        // Entries of nothing could be counted for ever.
        Some((format, if format.count == 0 { 0 } else { count }))
    }

    /// An entry of version 5.
    fn entry(&self, dwarf: &Dwarf<'a>, unit: &Unit<'a>, format: &Format, reader: &mut Reader<'a>) -> Option<Entry<'a>> {
        let mut entry = Entry::default();
        let before = reader.position();
        for &(what, form) in format.parts.iter().take(format.count) {
            match (what, read(reader, form, 0, self.encoding)?) {
                (op::PATH, Value::String(name)) => entry.name = name,
                (op::PATH, Value::LineStringAt(at)) => {
                    entry.name = string_at(unit.main.line_str, at).unwrap_or_default()
                }
                (op::PATH, Value::StringAt(at)) => entry.name = string_at(unit.main.str, at).unwrap_or_default(),
                (op::PATH, value) => entry.name = unit.string(dwarf, value).unwrap_or_default(),
                (op::DIRECTORY_INDEX, Value::Number(index)) => entry.directory = index,
                _ => {}
            }
        }
        (reader.position() > before).then_some(entry)
    }

    /// The path of a file, by its number in rows and calls.
    pub(crate) fn source(&self, dwarf: &Dwarf<'a>, unit: &Unit<'a>, file: u32) -> Option<Source<'a>> {
        let mut reader = self.files;
        let compiled_in = unit.compiled_in;
        if self.encoding.version >= 5 {
            let (format, count) = self.table_head(&mut reader)?;
            let entry = self.nth(dwarf, unit, &format, reader, count, u64::from(file))?;
            let mut reader = self.directories;
            let (format, count) = self.table_head(&mut reader)?;
            // The first directory is the one in which the compiler was started.
            let directory = match entry.directory {
                0 => Entry::default(),
                index => self.nth(dwarf, unit, &format, reader, count, index).unwrap_or_default(),
            };
            return Some(Source { compiled_in, directory: directory.name, name: entry.name });
        }
        for _ in 1..file {
            old_entry(&mut reader)?;
        }
        let entry = if file == 0 { Entry { name: unit.name, directory: 0 } } else { old_entry(&mut reader)? };
        let mut reader = self.directories;
        let mut directory: &[u8] = &[];
        for _ in 0..entry.directory {
            directory = reader.string().filter(|name| !name.is_empty())?;
        }
        Some(Source { compiled_in, directory, name: entry.name })
    }

    fn nth(
        &self,
        dwarf: &Dwarf<'a>,
        unit: &Unit<'a>,
        format: &Format,
        mut reader: Reader<'a>,
        count: u64,
        index: u64,
    ) -> Option<Entry<'a>> {
        for _ in 0..index.min(count) {
            self.entry(dwarf, unit, format, &mut reader)?;
        }
        if index < count { self.entry(dwarf, unit, format, &mut reader) } else { None }
    }

    /// The row that holds `address`, in sequences that begin at `lowest` or above.
    pub(crate) fn find(&self, address: u64, lowest: u64) -> Option<Row> {
        let mut found = None;
        let mut before: Option<Row> = None;
        let _ = self.run(&mut |row, is_end| {
            let begins = before.filter(|before| before.address <= address && before.address >= lowest);
            if let Some(row_before) = begins.filter(|_| address < row.address) {
                found = Some(row_before);
                return false;
            }
            before = (!is_end).then_some(*row);
            true
        });
        found
    }

    /// Shows `visit` where each sequence begins and ends, for as long as it says so.
    pub(crate) fn sequences(&self, visit: &mut dyn FnMut(u64, u64) -> bool) {
        let mut begin = None;
        let _ = self.run(&mut |row, is_end| {
            let low = *begin.get_or_insert(row.address);
            if !is_end {
                return true;
            }
            begin = None;
            low >= row.address || visit(low, row.address)
        });
    }

    /// All rows of sequences that begin at `lowest` or above, by address; of several rows for one address the last. What lies
    /// behind the end of a sequence is a row of the line 0 without a file.
    pub(crate) fn table(&self, lowest: u64, arena: &'a Arena) -> Option<&'a [Row]> {
        let mut all = Growing::new(arena);
        let _ = self.run(&mut |row, is_end| {
            row.address < lowest
                || all.push(if is_end { Row { address: row.address, file: END, ..Row::default() } } else { *row })
        });
        let all = all.finish()?;
        if !all.is_sorted_by_key(|row| row.address) {
            sort_sequences(all, arena)?;
        }
        Some(all)
    }

    /// Runs the machine. `each` sees every row, and whether it ends a sequence, until it has seen enough.
    #[inline]
    fn run(&self, each: &mut impl FnMut(&Row, bool) -> bool) -> Option<()> {
        let mut machine = Machine::new(self);
        let mut reader = self.code;
        while !reader.is_empty() {
            let opcode = reader.u8()?;
            if opcode >= self.opcode_base {
                machine.special(self, opcode - self.opcode_base)?;
                if !each(&machine.row, false) {
                    return Some(());
                }
                machine.row.discriminator = 0;
                continue;
            }
            let goes_on = match opcode {
                0 => self.extended(&mut machine, &mut reader, each)?,
                op::COPY => {
                    let goes_on = each(&machine.row, false);
                    machine.row.discriminator = 0;
                    goes_on
                }
                _ => {
                    self.standard(&mut machine, &mut reader, opcode)?;
                    true
                }
            };
            if !goes_on {
                return Some(());
            }
        }
        Some(())
    }

    #[inline]
    fn standard(&self, machine: &mut Machine, reader: &mut Reader<'a>, opcode: u8) -> Option<()> {
        match opcode {
            op::ADVANCE_PC => machine.advance(self, reader.uleb()?),
            op::ADVANCE_LINE => {
                machine.row.line = machine.row.line.wrapping_add(low_half(reader.sleb()?.cast_unsigned()))
            }
            op::SET_FILE => machine.row.file = low_half(reader.uleb()?),
            op::SET_COLUMN => machine.row.column = low_half(reader.uleb()?),
            op::CONST_ADD_PC => {
                let steps = (255 - self.opcode_base).checked_div(self.line_range)?;
                machine.advance(self, u64::from(steps));
            }
            op::FIXED_ADVANCE_PC => {
                machine.row.address = machine.row.address.wrapping_add(u64::from(reader.u16()?));
                machine.operation = 0;
            }
            op::SET_ISA => reader.skip_leb()?,
            op::NEGATE_STMT | op::SET_BASIC_BLOCK | op::SET_PROLOGUE_END | op::SET_EPILOGUE_BEGIN => {}
            unknown => {
                for _ in 0..*self.lengths.get(usize::from(unknown).wrapping_sub(1))? {
                    reader.skip_leb()?;
                }
            }
        }
        Some(())
    }

    fn extended(
        &self,
        machine: &mut Machine,
        reader: &mut Reader<'a>,
        each: &mut impl FnMut(&Row, bool) -> bool,
    ) -> Option<bool> {
        let length = reader.uleb()?;
        let mut operands = Reader::new(reader.take(length)?);
        match operands.u8().unwrap_or(u8::MAX) {
            op::END_SEQUENCE => {
                let goes_on = each(&machine.row, true);
                *machine = Machine::new(self);
                return Some(goes_on);
            }
            op::SET_ADDRESS => {
                machine.row.address = operands.sized(u8::try_from(length.wrapping_sub(1)).ok()?)?;
                machine.operation = 0;
            }
            op::SET_DISCRIMINATOR => machine.row.discriminator = low_half(operands.uleb()?),
            // A file that is defined on the way: nobody writes that, and its number would only lead to no name.
            op::DEFINE_FILE => {}
            _ => {}
        }
        Some(true)
    }
}

/// The file of a row that is the end of a sequence.
pub(crate) const END: u32 = u32::MAX;

/// The row of a table that holds an address.
pub(crate) fn find(table: &[Row], address: u64) -> Option<&Row> {
    let end = table.partition_point(|row| row.address <= address);
    table.get(..end)?.last().filter(|row| row.file != END)
}

/// Puts the sequences into the order of their addresses: they are few, and each is in order within.
fn sort_sequences(rows: &mut [Row], arena: &Arena) -> Option<()> {
    let is_end = |row: &&Row| row.file == END;
    let order = arena.slice(rows.iter().filter(is_end).count() + 1, (0_usize, 0_usize))?;
    let mut count = 0;
    let mut from = 0;
    for (index, row) in rows.iter().enumerate() {
        if is_end(&row) || index + 1 == rows.len() {
            if let Some(place) = order.get_mut(count) {
                *place = (from, index + 1);
                count += 1;
            }
            from = index + 1;
        }
    }
    let order = order.get_mut(..count)?;
    let first = |&(from, _): &(usize, usize)| rows.get(from).map_or(0, |row| row.address);
    order.sort_unstable_by_key(|sequence| (first(sequence), sequence.0));
    let sorted = arena.slice(rows.len(), Row::default())?;
    let all = order.iter().flat_map(|&(from, to)| rows.get(from..to).unwrap_or_default());
    sorted.iter_mut().zip(all).for_each(|(place, row)| *place = *row);
    rows.copy_from_slice(sorted);
    // A sequence that goes down, or two that overlap: damaged, but a table has to be in order to be searched.
    if !rows.is_sorted_by_key(|row| row.address) {
        rows.sort_unstable_by_key(|row| (row.address, row.file != END));
    }
    Some(())
}

/// The state between two instructions.
struct Machine {
    row: Row,
    /// Which operation of the instruction at the address, on machines that have several in one.
    operation: u8,
}

impl Machine {
    fn new(program: &Program<'_>) -> Self {
        let _ = program;
        Self { row: Row { file: 1, line: 1, ..Row::default() }, operation: 0 }
    }

    #[inline]
    fn special(&mut self, program: &Program<'_>, adjusted: u8) -> Option<()> {
        let steps = adjusted.checked_div(program.line_range)?;
        let lines = i32::from(program.line_base) + i32::from(adjusted % program.line_range);
        self.row.line = self.row.line.wrapping_add_signed(lines);
        self.advance(program, u64::from(steps));
        Some(())
    }

    #[inline]
    fn advance(&mut self, program: &Program<'_>, steps: u64) {
        let least = u64::from(program.least_instruction);
        if program.operations <= 1 {
            self.row.address = self.row.address.wrapping_add(steps.wrapping_mul(least));
            return;
        }
        let operations = u64::from(program.operations);
        let all = steps.wrapping_add(u64::from(self.operation));
        self.row.address = self.row.address.wrapping_add((all / operations).wrapping_mul(least));
        self.operation = u8::try_from(all % operations).unwrap_or(0);
    }
}

/// An entry of the table of files before version 5. `None` at its end.
fn old_entry<'a>(reader: &mut Reader<'a>) -> Option<Entry<'a>> {
    let name = reader.string().filter(|name| !name.is_empty())?;
    let directory = reader.uleb()?;
    reader.skip_leb()?;
    reader.skip_leb()?;
    Some(Entry { name, directory })
}

/// What fits the 32 bits of a row; lines and columns beyond are nobody's.
#[inline]
fn low_half(number: u64) -> u32 {
    (number & u64::from(u32::MAX)) as u32
}
