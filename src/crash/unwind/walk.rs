//! The walk itself: one step after the other, and when to stop.
//!
//! A step asks the cache, then the tables, then it guesses; what a table says counts only if it leads into code. Two things
//! keep it from going on for ever over a stack that is damaged or made up: a pair of program counter and stack pointer that
//! comes again ends it (found as Brent finds a cycle, with one pair remembered), and so do too many steps down the stack, of which a
//! thread makes one for each signal stack and coroutine it is on.

use super::super::registers::{FRAME, Registers};
use super::apply;
use super::cache::{Known, Simple};
use super::find::Finder;
use super::guess::Guess;
use super::section::{Common, Section};
use super::{End, Frame, Kind, Scratch, Trust, Walker, trampoline};
use core::ops::ControlFlow;

/// How often a walk may go down the stack.
const MOST_DOWN: u32 = 64;

/// How many records a walk may go through one by one.
pub(super) const MOST_RECORDS: u32 = 4 << 20;

/// How often a walk may search the stack.
pub(super) const MOST_SEARCHES: u32 = 64;

/// What is known of a frame besides where it is.
struct Step {
    cfa: Option<u64>,
    /// The kernel has made it.
    is_signal: bool,
    caller: Result<(Registers, Trust), End>,
}

/// What is known of an address.
enum Learned<'a> {
    Kept(Known),
    /// The row is too special to be kept, and is the one that was made last.
    Row(Section<'a>, Common),
}

/// Remembers one place on the way, at distances that double: whoever goes in a circle comes to it again.
struct Circle {
    place: (u64, u64),
    steps: u64,
    until: u64,
}

impl Circle {
    fn is_closed(&mut self, place: (u64, u64)) -> bool {
        if place == self.place {
            return true;
        }
        self.steps += 1;
        if self.steps == self.until {
            (self.place, self.until) = (place, self.until * 2);
        }
        false
    }
}

impl<'a> Walker<'a> {
    /// Signal-safe. See [`Walker::run`].
    pub(super) fn steps(
        &mut self,
        start: &Registers,
        kind: Kind,
        visit: &mut dyn FnMut(&Frame) -> ControlFlow<()>,
    ) -> End {
        let mut registers = *start;
        let (mut trust, mut kind) = (Trust::Given, kind);
        let mut circle = Circle { place: (registers.pc(), registers.sp()), steps: 0, until: 1 };
        let mut down = 0;
        for _ in 0..self.most {
            let step = self.step(&registers, kind);
            if step.is_signal && kind == Kind::Call {
                kind = Kind::Trampoline;
            }
            let (pc, sp) = (registers.pc(), registers.sp());
            if visit(&Frame { pc, sp, cfa: step.cfa, trust, kind }).is_break() {
                return End::Stopped;
            }
            let (caller, how) = match step.caller {
                Ok(found) => found,
                Err(end) => return end,
            };
            down += u32::from(caller.sp() < sp || (caller.sp() == sp && kind == Kind::Call));
            if down > MOST_DOWN || circle.is_closed((caller.pc(), caller.sp())) {
                return End::NoProgress;
            }
            kind = if step.is_signal { Kind::Interrupted } else { Kind::Call };
            (registers, trust) = (caller, how);
        }
        End::TooMany
    }

    /// The caller of the frame with `registers`: by what is known, and then by guessing.
    fn step(&mut self, registers: &Registers, kind: Kind) -> Step {
        let exactly = kind != Kind::Call;
        let address = if exactly { registers.pc() } else { registers.pc().wrapping_sub(1) };
        let learned = match self.scratch.cache.get(address) {
            Some(known) => Learned::Kept(*known),
            None => self.learn(address),
        };
        let mut step = self.by_what_is_known(&learned, registers);
        let Err(end @ (End::Lost | End::NotCode(_) | End::Unreadable(_))) = step.caller else { return step };
        let has_table = !matches!(learned, Learned::Kept(Known::NoTable));
        if !has_table && !exactly && registers.get(FRAME) == Some(0) {
            step.caller = Err(End::Bottom); // Where a thread begins; without a table nothing else says so.
            return step;
        }
        step.caller = self.guess().caller(registers, exactly, has_table).ok_or(end);
        step
    }

    fn guess(&mut self) -> Guess<'a, '_> {
        let &mut Self { memory, modules, tables, .. } = self;
        let Scratch { stack, searches, windows, records, .. } = &mut *self.scratch;
        let finder = Finder { memory, tables, windows, left: records };
        Guess { memory, modules, stack, searches, finder }
    }

    /// Looks for the table of `address`, and keeps what comes of it if that can be kept.
    fn learn(&mut self, address: u64) -> Learned<'a> {
        let &mut Self { memory, modules, tables, .. } = self;
        let Scratch { rows, windows, cache, records, .. } = &mut *self.scratch;
        let found = modules.find(address).and_then(|module| {
            let (section, entry) = Finder { memory, tables, windows, left: records }.find(&module, address)?;
            rows.find(&section, windows, &entry, address.wrapping_sub(section.bias))?;
            Some((section, entry.common))
        });
        let known = match found {
            None => Known::NoTable,
            Some((section, common)) => match Simple::of(&rows.row, common.return_register, common.is_signal) {
                Some(simple) => Known::Row(simple),
                None => return Learned::Row(section, common),
            },
        };
        cache.keep(address, known);
        Learned::Kept(known)
    }

    fn by_what_is_known(&mut self, learned: &Learned<'_>, registers: &Registers) -> Step {
        let Scratch { rows, windows, stack, .. } = &mut *self.scratch;
        let mut frame = apply::Frame { memory: self.memory, stack, registers };
        let (is_signal, (cfa, caller)) = match learned {
            Learned::Kept(Known::Row(simple)) => (simple.is_signal, frame.simple(simple)),
            Learned::Row(section, common) => {
                (common.is_signal, frame.row(&rows.row, section, common, &mut windows.entries))
            }
            Learned::Kept(Known::NoTable) => {
                let interrupted = trampoline::interrupted(self.memory, registers.pc(), registers.sp());
                (interrupted.is_some(), (None, interrupted.ok_or(End::Lost)))
            }
        };
        let caller = caller.and_then(|caller| self.accept(caller, is_signal));
        Step { cfa, is_signal, caller: caller.map(|caller| (caller, Trust::Tables)) }
    }

    /// A caller has to be code; but a signal may come anywhere.
    fn accept(&mut self, caller: Registers, is_signal: bool) -> Result<Registers, End> {
        let pc = caller.pc();
        if is_signal || self.scratch.cache.get(pc.wrapping_sub(1)).is_some() || self.guess().is_code(pc) {
            return Ok(caller);
        }
        // Some threads begin with zeroes on their stack.
        Err(if pc == 0 && caller.get(FRAME) == Some(0) { End::Bottom } else { End::NotCode(pc) })
    }
}
