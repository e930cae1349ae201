//! Expressions: small programs for a stack machine that compute an address.
//!
//! The linkage table of a program has one (its frame begins where depends on the instruction), a signal frame has one for
//! each register, and hand-written assembly may have any. All operations are known that can stand in a table for
//! unwinding (DWARF 5, section 2.5); those that need more than registers and memory are refused. Steps are counted,
//! because there are jumps.

use super::super::memory::Memory;
use super::super::registers::Registers;
use super::super::window::{Cursor, TABLE, Window};

/// No expression that is meant takes more steps.
const MOST_STEPS: usize = 1000;

/// How high the stack may grow.
const HIGHEST: usize = 32;

/// The stack of the machine.
struct Stack {
    values: [u64; HIGHEST],
    height: usize,
}

impl Stack {
    fn push(&mut self, value: u64) -> Option<()> {
        *self.values.get_mut(self.height)? = value;
        self.height += 1;
        Some(())
    }

    fn pop(&mut self) -> Option<u64> {
        self.height = self.height.checked_sub(1)?;
        Some(self.values[self.height])
    }

    /// The value that lies `depth` below the topmost.
    fn peek(&self, depth: usize) -> Option<u64> {
        Some(self.values[self.height.checked_sub(depth)?.checked_sub(1)?])
    }

    /// Takes two, the second from the top first, and puts back what comes of them.
    fn combine(&mut self, operation: impl FnOnce(u64, u64) -> Option<u64>) -> Option<()> {
        let (top, second) = (self.pop()?, self.pop()?);
        self.push(operation(second, top)?)
    }

    fn change(&mut self, operation: impl FnOnce(u64) -> u64) -> Option<()> {
        let top = self.pop()?;
        self.push(operation(top))
    }
}

/// What an expression is computed with.
pub(super) struct Machine<'a> {
    /// Where the expression is.
    pub(super) table: &'a dyn Memory,
    pub(super) window: &'a mut Window<TABLE>,
    /// What it looks at.
    pub(super) memory: &'a dyn Memory,
    pub(super) registers: &'a Registers,
    /// What an address in memory has more than in the table.
    pub(super) bias: u64,
}

impl Machine<'_> {
    /// Signal-safe. What the expression at `at` (its length, then its operations) comes to, when the stack begins with
    /// `first`; none when it makes no sense, or looks at what is not there.
    pub(super) fn compute(&mut self, at: u64, first: Option<u64>) -> Option<u64> {
        let mut cursor = Cursor::new(self.table, self.window, at, at.checked_add(1 << 20)?);
        let length = cursor.unsigned()?;
        let begin = cursor.at;
        cursor.end = begin.checked_add(length)?;
        let mut stack = Stack { values: [0; HIGHEST], height: 0 };
        if let Some(first) = first {
            stack.push(first)?;
        }
        for _ in 0..MOST_STEPS {
            if cursor.is_done() {
                return stack.pop();
            }
            let code = cursor.u8()?;
            match code {
                0x03 | 0x08..=0x11 | 0x30..=0x4f => stack.push(constant(code, &mut cursor, self.bias)?)?,
                0x70..=0x8f | 0x92 => {
                    let register = if code == 0x92 { cursor.unsigned()? } else { u64::from(code - 0x70) };
                    let value = self.registers.get(register.try_into().ok()?)?;
                    stack.push(value.wrapping_add(cursor.signed()? as u64))?;
                }
                0x06 => stack.change_with(|address| self.memory.word(address).ok())?,
                0x94 => {
                    let size = cursor.u8()?;
                    stack.change_with(|address| part(self.memory, address, size))?;
                }
                0x12..=0x17 => arrange(code, &mut cursor, &mut stack)?,
                0x28 | 0x2f => jump(code, &mut cursor, &mut stack, begin)?,
                0x96 => {}
                _ => calculate(code, &mut cursor, &mut stack)?,
            }
        }
        None
    }
}

impl Stack {
    fn change_with(&mut self, operation: impl FnOnce(u64) -> Option<u64>) -> Option<()> {
        let top = self.pop()?;
        self.push(operation(top)?)
    }
}

/// Operations that put a number there.
fn constant(code: u8, cursor: &mut Cursor<'_>, bias: u64) -> Option<u64> {
    Some(match code {
        0x03 => cursor.u64()?.wrapping_add(bias),
        0x08 => cursor.u8()?.into(),
        0x09 => cursor.u8()? as i8 as u64,
        0x0a => cursor.u16()?.into(),
        0x0b => cursor.u16()? as i16 as u64,
        0x0c => cursor.u32()?.into(),
        0x0d => cursor.u32()? as i32 as u64,
        0x0e | 0x0f => cursor.u64()?,
        0x10 => cursor.unsigned()?,
        0x11 => cursor.signed()? as u64,
        0x30..=0x4f => u64::from(code - 0x30),
        _ => return None,
    })
}

/// The `size` bytes at `address`, as a number.
fn part(memory: &dyn Memory, address: u64, size: u8) -> Option<u64> {
    let mut bytes = [0; 8];
    memory.read(address, bytes.get_mut(..usize::from(size))?).ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// Operations that order the stack.
fn arrange(code: u8, cursor: &mut Cursor<'_>, stack: &mut Stack) -> Option<()> {
    match code {
        0x12 => stack.push(stack.peek(0)?),
        0x13 => stack.pop().map(drop),
        0x14 => stack.push(stack.peek(1)?),
        0x15 => {
            let depth = cursor.u8()?;
            stack.push(stack.peek(depth.into())?)
        }
        0x16 => {
            let (top, second) = (stack.pop()?, stack.pop()?);
            stack.push(top)?;
            stack.push(second)
        }
        _ => {
            let (top, second, third) = (stack.pop()?, stack.pop()?, stack.pop()?);
            stack.push(top)?;
            stack.push(third)?;
            stack.push(second)
        }
    }
}

/// Goes on elsewhere: always, or when the topmost value is not zero.
fn jump(code: u8, cursor: &mut Cursor<'_>, stack: &mut Stack, begin: u64) -> Option<()> {
    let distance = cursor.u16()? as i16;
    if code == 0x2f || stack.pop()? != 0 {
        let at = cursor.at.wrapping_add(distance as u64);
        cursor.at = (begin..=cursor.end).contains(&at).then_some(at)?;
    }
    Some(())
}

/// Arithmetic, logic and comparisons; comparisons and division are signed.
fn calculate(code: u8, cursor: &mut Cursor<'_>, stack: &mut Stack) -> Option<()> {
    let signed = |compare: fn(&i64, &i64) -> bool| {
        move |second: u64, top: u64| Some(u64::from(compare(&(second as i64), &(top as i64))))
    };
    let shift = |by: u64| u32::try_from(by).ok().filter(|by| *by < 64);
    match code {
        0x19 => stack.change(|top| (top as i64).wrapping_abs() as u64),
        0x1a => stack.combine(|second, top| Some(second & top)),
        0x1b => stack.combine(|second, top| Some((second as i64).checked_div(top as i64)? as u64)),
        0x1c => stack.combine(|second, top| Some(second.wrapping_sub(top))),
        0x1d => stack.combine(u64::checked_rem),
        0x1e => stack.combine(|second, top| Some(second.wrapping_mul(top))),
        0x1f => stack.change(u64::wrapping_neg),
        0x20 => stack.change(|top| !top),
        0x21 => stack.combine(|second, top| Some(second | top)),
        0x22 => stack.combine(|second, top| Some(second.wrapping_add(top))),
        0x23 => {
            let more = cursor.unsigned()?;
            stack.change(|top| top.wrapping_add(more))
        }
        0x24 => stack.combine(|second, top| Some(shift(top).map_or(0, |by| second << by))),
        0x25 => stack.combine(|second, top| Some(shift(top).map_or(0, |by| second >> by))),
        0x26 => stack.combine(|second, top| Some((second as i64 >> shift(top).unwrap_or(63)) as u64)),
        0x27 => stack.combine(|second, top| Some(second ^ top)),
        0x29 => stack.combine(signed(i64::eq)),
        0x2a => stack.combine(signed(i64::ge)),
        0x2b => stack.combine(signed(i64::gt)),
        0x2c => stack.combine(signed(i64::le)),
        0x2d => stack.combine(signed(i64::lt)),
        0x2e => stack.combine(signed(i64::ne)),
        _ => None,
    }
}
