//! From a frame to its caller.

use super::maps::Span;
use super::memory::Memory;
use super::modules::{Module, Modules};
use super::registers::{self, Registers};
use core::ops::ControlFlow;

/// How a frame was found: how far it can be believed. The best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// The registers were given.
    Given,
    /// By the tables that the compiler has written for the frame it was called from.
    Tables,
    /// By the chain of frame pointers.
    FramePointer,
    /// The return address lay where a call leaves it, under a frame that has no code of its own: a jump to nowhere, or
    /// a function that has no tables and no frame.
    CallSite,
    /// By searching the stack for something that looks like a return address. May be left over from an earlier call.
    Search,
}

/// What the thread was doing at a frame's program counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It was stopped there: the instruction is the one that faulted, or would have been next.
    Stopped,
    /// It has called the frame before; the program counter is where that returns to.
    Call,
    /// The kernel put this frame there, for a signal handler to return to.
    Trampoline,
    /// A signal came here.
    Interrupted,
}

/// One frame of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The program counter: of the next instruction of this frame.
    pub pc: u64,
    /// The stack pointer at that point.
    pub sp: u64,
    /// What the stack pointer was before this frame was called, where it is known.
    pub cfa: Option<u64>,
    /// How it was found.
    pub trust: Trust,
    /// What the thread was doing there.
    pub kind: Kind,
}

impl Frame {
    /// Signal-safe. The address to look up: that of the call, not of what comes after it.
    #[must_use]
    pub const fn lookup(&self) -> u64 {
        match self.kind {
            Kind::Call => self.pc.wrapping_sub(1),
            Kind::Stopped | Kind::Trampoline | Kind::Interrupted => self.pc,
        }
    }
}

/// Why a walk has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The last frame says that nobody has called it.
    Bottom,
    /// The visitor has seen enough.
    Stopped,
    /// There were as many frames as were allowed.
    TooMany,
    /// The next frame would be no further out: the stack runs in a circle, or the tables are wrong.
    NoProgress,
    /// The stack cannot be read at this address.
    Unreadable(u64),
    /// The return address is no code, and nothing else looked like one.
    NotCode(u64),
}

/// Tables that are in the file of a module and not in memory.
pub trait Tables {
    /// Signal-safe. The section `.debug_frame` of the module's file, decompressed.
    fn debug_frame(&self, module: &Module<'_>) -> Option<&[u8]>;

    /// Signal-safe. Where in memory the section `.eh_frame` of a module is that has no search table.
    fn eh_frame(&self, module: &Module<'_>) -> Option<Span>;
}

/// No files are at hand.
impl Tables for () {
    fn debug_frame(&self, _module: &Module<'_>) -> Option<&[u8]> {
        None
    }

    fn eh_frame(&self, _module: &Module<'_>) -> Option<Span> {
        None
    }
}

/// What a walk writes to: some kilobytes that are better not taken from the stack of a signal handler.
#[derive(Debug)]
pub struct Scratch {
    unused: u8,
}

impl Scratch {
    /// Signal-safe.
    #[must_use]
    pub const fn new() -> Self {
        Self { unused: 0 }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// A walk along a stack, to be configured and then [run](Self::run).
pub struct Walker<'a, M, T = ()> {
    memory: &'a M,
    modules: &'a Modules<'a>,
    scratch: &'a mut Scratch,
    tables: T,
    most: usize,
}

impl<'a, M: Memory> Walker<'a, M> {
    /// Signal-safe. Walks in `memory`, through `modules`, up to a million frames.
    pub fn new(memory: &'a M, modules: &'a Modules<'a>, scratch: &'a mut Scratch) -> Self {
        Self { memory, modules, scratch, tables: (), most: 1_000_000 }
    }
}

impl<'a, M: Memory, T: Tables> Walker<'a, M, T> {
    /// Signal-safe. Has also the tables of files.
    pub fn tables<U: Tables>(self, tables: U) -> Walker<'a, M, U> {
        let Self { memory, modules, scratch, most, .. } = self;
        Walker { memory, modules, scratch, tables, most }
    }

    /// Signal-safe. Ends after `most` frames.
    #[must_use]
    pub fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Signal-safe. Visits the frames from `start` outwards. `kind` is [`Kind::Stopped`] for a thread that a signal or a
    /// tracer has stopped, [`Kind::Call`] for [`Registers::here`].
    pub fn run(self, start: &Registers, kind: Kind, visit: &mut dyn FnMut(&Frame) -> ControlFlow<()>) -> End {
        let _ = (&self.tables, &self.modules, &self.scratch.unused);
        let mut registers = *start;
        let (mut trust, mut kind) = (Trust::Given, kind);
        for _ in 0..self.most {
            let frame = Frame { pc: registers.pc(), sp: registers.sp(), cfa: None, trust, kind };
            if visit(&frame).is_break() {
                return End::Stopped;
            }
            let Some(fp) = registers.get(registers::FRAME).filter(|fp| *fp >= frame.sp) else { return End::NoProgress };
            let Ok(pc) = self.memory.word(fp.wrapping_add(8)) else { return End::Unreadable(fp) };
            registers.set(registers::FRAME, self.memory.word(fp).ok());
            registers.set(registers::SP, Some(fp.wrapping_add(16)));
            registers.set(registers::PC, Some(pc));
            (trust, kind) = (Trust::FramePointer, Kind::Call);
        }
        End::TooMany
    }
}

/// Signal-safe. Visits the frames of a stopped thread from `start` outwards, with what is in memory alone.
pub fn walk(
    memory: &impl Memory,
    modules: &Modules<'_>,
    start: &Registers,
    visit: &mut dyn FnMut(&Frame) -> ControlFlow<()>,
) -> End {
    Walker::new(memory, modules, &mut Scratch::new()).run(start, Kind::Stopped, visit)
}
