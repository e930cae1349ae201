//! From a frame's registers to its caller's, by a row.
//!
//! A register whose saved value cannot be read is unknown to the caller, and that is all. Only where the frame begins and
//! where it returns to have to be found.

use super::super::memory::Memory;
use super::super::registers::{PC, Registers, SP};
use super::super::window::{TABLE, Window};
use super::End;
use super::cache::Simple;
use super::expression::Machine;
use super::guess::STACK;
use super::machine;
use super::row::{Cfa, Row, Rule};
use super::section::{Common, Section};

/// What a row comes to: where the frame begins, as far as it is known, and the caller.
pub(super) type Applied = (Option<u64>, Result<Registers, End>);

/// What rows are applied to.
pub(super) struct Frame<'a> {
    pub(super) memory: &'a dyn Memory,
    pub(super) stack: &'a mut Window<STACK>,
    pub(super) registers: &'a Registers,
}

impl Frame<'_> {
    /// Signal-safe. The caller by a row of the simple form.
    pub(super) fn simple(&mut self, row: &Simple) -> Applied {
        let Some(base) = self.registers.get(row.register.into()) else { return (None, Err(End::Lost)) };
        let cfa = base.wrapping_add(i64::from(row.offset) as u64);
        let mut caller = *self.registers;
        caller.set(SP, Some(cfa));
        for (register, offset) in row.saved() {
            caller.set(register, self.stack.word(self.memory, cfa.wrapping_add(offset as u64)).ok());
        }
        (Some(cfa), returned(caller, row.return_register.into(), row.is_signed, cfa))
    }

    /// Signal-safe. The caller by any row, whose expressions are in `section`.
    pub(super) fn row(
        &mut self,
        row: &Row,
        section: &Section<'_>,
        common: &Common,
        table: &mut Window<TABLE>,
    ) -> Applied {
        let &mut Self { memory, registers, .. } = self;
        let mut machine = Machine { table: &section.source, window: table, memory, registers, bias: section.bias };
        let cfa = match row.cfa {
            Cfa::Offset(register, offset) => registers.get(register).map(|base| base.wrapping_add(offset as u64)),
            Cfa::Expression(at) => machine.compute(at, None),
        };
        let Some(cfa) = cfa else { return (None, Err(End::Lost)) };
        let is_outermost = row.rules.get(usize::from(common.return_register)) == Some(&Rule::Undefined);
        if is_outermost {
            return (Some(cfa), Err(End::Bottom));
        }
        let mut caller = *registers;
        caller.set(SP, Some(cfa));
        for (number, rule) in (0..).zip(row.rules) {
            let value = match rule {
                Rule::Unspecified | Rule::Same => continue,
                Rule::Undefined => None,
                Rule::Offset(offset) => self.stack.word(memory, cfa.wrapping_add(offset as u64)).ok(),
                Rule::ValueOffset(offset) => Some(cfa.wrapping_add(offset as u64)),
                Rule::Register(other) => registers.get(other),
                Rule::Expression(at) => {
                    machine.compute(at, Some(cfa)).and_then(|place| self.stack.word(memory, place).ok())
                }
                Rule::ValueExpression(at) => machine.compute(at, Some(cfa)),
            };
            caller.set(number, value);
        }
        (Some(cfa), returned(caller, common.return_register, row.is_signed, cfa))
    }
}

/// The caller goes on where the frame returns to.
fn returned(mut caller: Registers, register: u16, is_signed: bool, cfa: u64) -> Result<Registers, End> {
    let address = caller.get(register).ok_or(End::Unreadable(cfa.wrapping_sub(8)))?;
    if register != PC {
        caller.set(PC, Some(if is_signed { machine::unsigned(address) } else { address }));
    }
    Ok(caller)
}
