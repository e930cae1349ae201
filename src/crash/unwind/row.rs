//! The row of a table that is right for one address: where the caller's registers are.
//!
//! A table is written as a program. Its instructions move on through the addresses of the function and change the row; the row
//! as it stands when they pass the address is the one that counts. A row says where the frame begins (the CFA: what the
//! stack pointer was before the call) and for each register how to get the value that it had there. (DWARF 5, section
//! 6.4.2.)
//!
//! Registers that unwinding is not about (those of vectors) are passed over. A program with an instruction that nobody
//! knows has no row.

use super::super::registers::COUNT;
use super::super::window::Cursor;
use super::section::{Entry, Section, Windows, pointer};

/// Where the frame begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cfa {
    /// So far from what the register holds.
    Offset(u16, i64),
    /// Where the expression at this address says.
    Expression(u64),
}

/// How to get the value that a register had before the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Rule {
    /// Nothing is said: it holds it still, as far as anybody knows.
    #[default]
    Unspecified,
    /// It is lost.
    Undefined,
    /// It holds it still.
    Same,
    /// It was saved so far from the frame's beginning.
    Offset(i64),
    /// It is so far from the frame's beginning.
    ValueOffset(i64),
    /// Another register holds it.
    Register(u16),
    /// It was saved where the expression at this address says.
    Expression(u64),
    /// It is what the expression at this address says.
    ValueExpression(u64),
}

/// How to get from a frame to its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) cfa: Cfa,
    pub(super) rules: [Rule; COUNT],
    /// Whether the return address carries a signature (64-bit ARM).
    pub(super) is_signed: bool,
}

impl Row {
    const EMPTY: Self = Self { cfa: Cfa::Offset(u16::MAX, 0), rules: [Rule::Unspecified; COUNT], is_signed: false };
}

/// How many rows a program may keep for later; compilers keep one or two.
const MOST_KEPT: usize = 6;

/// The rows that a program works on.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) row: Row,
    initial: Row,
    kept: [Row; MOST_KEPT],
    depth: usize,
}

impl Rows {
    pub(super) const fn new() -> Self {
        Self { row: Row::EMPTY, initial: Row::EMPTY, kept: [Row::EMPTY; MOST_KEPT], depth: 0 }
    }

    /// Signal-safe. Makes [`row`](Self::row) the one for `address`, as the section counts addresses; none when the
    /// program makes no sense.
    pub(super) fn find(
        &mut self,
        section: &Section<'_>,
        windows: &mut Windows,
        entry: &Entry,
        address: u64,
    ) -> Option<()> {
        (self.row, self.initial, self.depth) = (Row::EMPTY, Row::EMPTY, 0);
        let mut program = Program { rows: self, section, entry, at: entry.range.start, until: address };
        // What all tables begin with is for all addresses.
        program.at = address;
        program.run(&mut section.cursor(&mut windows.common, entry.common.instructions))?;
        program.rows.initial = program.rows.row;
        program.at = entry.range.start;
        program.run(&mut section.cursor(&mut windows.entries, entry.instructions))
    }
}

/// Instructions and what they change.
struct Program<'a> {
    rows: &'a mut Rows,
    section: &'a Section<'a>,
    entry: &'a Entry,
    /// The address that the row is for by now.
    at: u64,
    /// The address that a row is wanted for.
    until: u64,
}

impl Program<'_> {
    /// Does instructions until they pass the address or end.
    fn run(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        while !cursor.is_done() {
            let code = cursor.u8()?;
            let low = code & 0x3f;
            match code & 0xc0 {
                0x40 => self.advance(low.into()),
                0x80 => {
                    let offset = cursor.unsigned()?;
                    self.set(low.into(), Rule::Offset(self.scaled(offset as i64)));
                }
                0xc0 => self.restore(low.into()),
                _ if matches!(low, 0x00..=0x04 | 0x1d) => self.other_address(low, cursor)?,
                _ if matches!(low, 0x0c..=0x0f | 0x12 | 0x13) => self.other_frame(low, cursor)?,
                _ => self.other_rule(low, cursor)?,
            }
            if self.at > self.until {
                return Some(());
            }
        }
        Some(())
    }

    /// Instructions that move on.
    fn other_address(&mut self, code: u8, cursor: &mut Cursor<'_>) -> Option<()> {
        match code {
            0x00 => {}
            0x01 => {
                let at = pointer(cursor, self.entry.common.encoding, self.section.data, self.entry.range.start)?;
                self.at = at;
            }
            0x02 => self.advance(cursor.u8()?.into()),
            0x03 => self.advance(cursor.u16()?.into()),
            0x04 => self.advance(cursor.u32()?.into()),
            0x1d => self.advance(cursor.u64()?),
            _ => return None,
        }
        Some(())
    }

    /// Instructions that say where the frame begins.
    fn other_frame(&mut self, code: u8, cursor: &mut Cursor<'_>) -> Option<()> {
        self.rows.row.cfa = match (code, self.rows.row.cfa) {
            (0x0c, _) => Cfa::Offset(register(cursor)?, cursor.unsigned()? as i64),
            (0x12, _) => Cfa::Offset(register(cursor)?, self.scaled(cursor.signed()?)),
            (0x0d, Cfa::Offset(_, offset)) => Cfa::Offset(register(cursor)?, offset),
            (0x0e, Cfa::Offset(register, _)) => Cfa::Offset(register, cursor.unsigned()? as i64),
            (0x13, Cfa::Offset(register, _)) => Cfa::Offset(register, self.scaled(cursor.signed()?)),
            (0x0f, _) => Cfa::Expression(block(cursor)?),
            _ => return None,
        };
        Some(())
    }

    /// Instructions that say where a register is, and those about whole rows.
    fn other_rule(&mut self, code: u8, cursor: &mut Cursor<'_>) -> Option<()> {
        match code {
            0x0a => self.keep()?,
            0x0b => self.bring_back()?,
            0x2c | 0x2d => self.rows.row.is_signed = !self.rows.row.is_signed,
            0x2e => drop(cursor.unsigned()?), // How much a call takes off the stack: for exceptions only.
            0x06 => {
                let register = register(cursor)?;
                self.restore(register);
            }
            _ => {
                let register = register(cursor)?;
                let rule = match code {
                    0x05 => Rule::Offset(self.scaled(cursor.unsigned()? as i64)),
                    0x07 => Rule::Undefined,
                    0x08 => Rule::Same,
                    0x09 => Rule::Register(self::register(cursor)?),
                    0x10 => Rule::Expression(block(cursor)?),
                    0x11 => Rule::Offset(self.scaled(cursor.signed()?)),
                    0x14 => Rule::ValueOffset(self.scaled(cursor.unsigned()? as i64)),
                    0x15 => Rule::ValueOffset(self.scaled(cursor.signed()?)),
                    0x16 => Rule::ValueExpression(block(cursor)?),
                    0x2f => Rule::Offset(self.scaled(cursor.unsigned()? as i64).wrapping_neg()),
                    _ => return None,
                };
                self.set(register, rule);
            }
        }
        Some(())
    }

    fn advance(&mut self, units: u64) {
        self.at = self.at.saturating_add(units.saturating_mul(self.entry.common.code_unit));
    }

    fn scaled(&self, units: i64) -> i64 {
        units.wrapping_mul(self.entry.common.data_unit)
    }

    fn set(&mut self, register: u16, rule: Rule) {
        if let Some(place) = self.rows.row.rules.get_mut(usize::from(register)) {
            *place = rule;
        }
    }

    fn restore(&mut self, register: u16) {
        let initial = self.rows.initial.rules.get(usize::from(register)).copied();
        self.set(register, initial.unwrap_or_default());
    }

    fn keep(&mut self) -> Option<()> {
        *self.rows.kept.get_mut(self.rows.depth)? = self.rows.row;
        self.rows.depth += 1;
        Some(())
    }

    fn bring_back(&mut self) -> Option<()> {
        self.rows.depth = self.rows.depth.checked_sub(1)?;
        self.rows.row = self.rows.kept[self.rows.depth];
        Some(())
    }
}

/// The number of a register; one that does not fit is none of ours.
fn register(cursor: &mut Cursor<'_>) -> Option<u16> {
    Some(cursor.unsigned()?.try_into().unwrap_or(u16::MAX))
}

/// The address of an expression, at which its length stands; the cursor goes over it.
fn block(cursor: &mut Cursor<'_>) -> Option<u64> {
    let at = cursor.at;
    let length = cursor.unsigned()?;
    cursor.skip(length)?;
    Some(at)
}
