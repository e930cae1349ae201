//! The caller of a frame that no table describes, or whose table leads nowhere.
//!
//! In this order, each with less to say for itself than the one before:
//!
//! 1. *Call site.* A thread that jumped to where no code is has just made a call: the return address is where a call
//!    leaves it, on top of the stack or in the link register. The same holds for a function at its first or last
//!    instruction. One that was called directly has only pushed some registers on it, if it is the one that the call names.
//! 2. *Frame pointer.* Code that a compiler makes at run time has no tables, but nearly always a chain of frame pointers.
//! 3. *Search.* The stack is gone through for a word that could be a return address: it leads into code, and a call
//!    instruction stands before it. It may be left over from a call that has long returned, which nothing here can tell.
//!
//! The idea of the last, and of marking what it finds, is Breakpad's.

use super::super::memory::Memory;
use super::super::modules::Modules;
use super::super::registers::{FRAME, LINK, Registers, SP};
use super::super::window::Window;
use super::Trust;
use super::code::{self, Call};
use super::find::Finder;
use super::machine;

/// A function that was called directly is taken to be no longer than this.
const LONGEST_FUNCTION: u64 = 64 << 10;

/// As many words are looked at for the return address of such a function: it has pushed some registers.
const PUSHED: u64 = 32;

/// A frame is taken to be no larger than this.
const LARGEST_FRAME: u64 = 8 << 20;

/// How many words of the stack a search looks at.
const SEARCHED: u64 = 8192;

/// How many bytes of the stack are read at once.
pub(super) const STACK: usize = 2048;

/// What a guess is made from.
pub(super) struct Guess<'a, 'w> {
    pub(super) memory: &'a dyn Memory,
    pub(super) modules: &'a Modules<'a>,
    pub(super) stack: &'w mut Window<STACK>,
    /// How many more searches there may be.
    pub(super) searches: &'w mut u32,
    /// To tell functions that have a table from others.
    pub(super) finder: Finder<'a, 'w>,
}

impl Guess<'_, '_> {
    /// Signal-safe. The caller of the frame with `registers`, and how it was found. The thread stands `exactly` there, or
    /// has called something from there. `has_table` when a table has been tried.
    pub(super) fn caller(
        &mut self,
        registers: &Registers,
        exactly: bool,
        has_table: bool,
    ) -> Option<(Registers, Trust)> {
        if exactly
            && !has_table
            && let Some(caller) = self.call_site(registers)
        {
            return Some((caller, Trust::CallSite));
        }
        if let Some(caller) = self.frame_pointer(registers) {
            return Some((caller, Trust::FramePointer));
        }
        self.search(registers).map(|caller| (caller, Trust::Search))
    }

    /// Signal-safe. Whether `address` can be where a call returns to: code, with a call before it.
    fn is_return(&self, address: u64) -> bool {
        self.is_code(address) && code::call_before(self.memory, address).is_some()
    }

    /// Signal-safe. Whether `address` can be code: where not all mappings are known, anything outside those that are.
    pub(super) fn is_code(&self, address: u64) -> bool {
        match self.modules.find(address) {
            Some(module) => module.text.contains(address),
            None => !self.modules.is_complete() && address >= 4096,
        }
    }

    /// The caller of a function that has not moved the stack pointer, or that does not exist.
    fn call_site(&mut self, registers: &Registers) -> Option<Registers> {
        let (pc, sp) = (registers.pc(), registers.sp());
        if let Some(link) = LINK {
            let address = machine::unsigned(registers.get(link)?);
            let is_plain = !self.is_code(pc) || self.was_called(pc, address);
            return (is_plain && self.is_return(address)).then(|| moved(registers, address, sp));
        }
        let distance = match self.modules.is_code(pc) {
            true => code::distance_of_return(self.memory, pc),
            false => Some(0),
        };
        let Some(distance) = distance else { return self.direct_call(registers) };
        let place = sp.checked_add(distance)?;
        let address = self.stack.word(self.memory, place).ok().filter(|address| self.is_return(*address))?;
        let mut caller = moved(registers, address, place + 8);
        if distance == 8 {
            caller.set(FRAME, self.stack.word(self.memory, sp).ok()); // It has been pushed, and may be changed since.
        }
        Some(caller)
    }

    /// The caller of a function that was called directly, and has at most pushed some registers since.
    fn direct_call(&mut self, registers: &Registers) -> Option<Registers> {
        for index in 0..PUSHED {
            let place = registers.sp().checked_add(index * 8)?;
            let address = self.stack.word(self.memory, place).ok()?;
            if self.modules.is_code(address) && self.was_called(registers.pc(), address) {
                return Some(moved(registers, address, place.checked_add(8)?));
            }
        }
        None
    }

    /// Whether the call that returns to `address` was of the function that `pc` seems to be in: one before it, not far, and
    /// without a table as well.
    fn was_called(&mut self, pc: u64, address: u64) -> bool {
        let Some(Call::Direct(target)) = code::call_before(self.memory, address) else { return false };
        let is_near = pc.checked_sub(target).is_some_and(|inside| inside < LONGEST_FUNCTION);
        is_near && self.modules.find(target).is_some_and(|module| self.finder.find(&module, target).is_none())
    }

    /// The caller by the frame pointer, when that points up the stack at another one and a return address.
    fn frame_pointer(&mut self, registers: &Registers) -> Option<Registers> {
        let (frame, sp) = (registers.get(FRAME)?, registers.sp());
        let is_sp_good = self.stack.word(self.memory, sp).is_ok();
        let is_near = frame >= sp && frame - sp <= LARGEST_FRAME;
        if frame == 0 || !frame.is_multiple_of(8) || (is_sp_good && !is_near) {
            return None;
        }
        let outer = self.stack.word(self.memory, frame).ok()?;
        let place = frame.checked_add(8)?;
        let address = machine::unsigned(self.stack.word(self.memory, place).ok()?);
        if !(outer == 0 || outer > frame) || !self.is_return(address) {
            return None;
        }
        let mut caller = Registers::new(address, place + 8);
        caller.set(FRAME, Some(outer));
        Some(caller)
    }

    /// The nearest word up the stack that could be a return address.
    fn search(&mut self, registers: &Registers) -> Option<Registers> {
        *self.searches = self.searches.checked_sub(1)?;
        let sp = registers.sp().checked_next_multiple_of(8)?;
        for index in 0..SEARCHED {
            let place = sp.checked_add(index * 8)?;
            let address = machine::unsigned(self.stack.word(self.memory, place).ok()?);
            // Where mappings are missing, nothing but modules counts: a number is too easily taken for code.
            if !self.modules.is_code(address) || code::call_before(self.memory, address).is_none() {
                continue;
            }
            let mut caller = Registers::new(address, place.checked_add(8)?);
            caller.set(FRAME, self.frame_beside(place, registers.get(FRAME)));
            return Some(caller);
        }
        None
    }

    /// The frame pointer of a caller whose return address lies at `place`: right below it, or the one there was.
    fn frame_beside(&mut self, place: u64, current: Option<u64>) -> Option<u64> {
        let is_above = |frame: &u64| *frame > place && *frame - place <= LARGEST_FRAME;
        let pushed = place.checked_sub(8).and_then(|below| self.stack.word(self.memory, below).ok());
        pushed.filter(is_above).or(current.filter(is_above))
    }
}

/// What a caller finds again that has just made a call: everything but the two.
fn moved(registers: &Registers, pc: u64, sp: u64) -> Registers {
    let mut caller = *registers;
    caller.set(super::super::registers::PC, Some(pc));
    caller.set(SP, Some(sp));
    caller
}
