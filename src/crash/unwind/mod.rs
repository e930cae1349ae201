//! From a frame to its caller, and so on to the first.
//!
//! A compiler leaves tables that say for each instruction where the caller's registers are ([`Trust::Tables`]). They are
//! nearly always there, and exact; so they come first. What follows serves when they are missing, or when the stack they
//! are applied to is damaged: the place where a call leaves its return address, the chain of frame pointers, a search of
//! the stack. Each frame says which it was found by.
//!
//! The way of one step:
//!
//! 1. the address that is executed leads to a module, and the module's search table to an entry (`find`, `section`);
//! 2. the entry's program is run up to that address, which gives a row (`row`), of which the usual ones are kept (`cache`);
//! 3. the row is applied to the registers (`apply`, `expression`);
//! 4. what comes out has to lead into code; otherwise the caller is guessed (`guess`, `code`).
//!
//! The address is that of the next instruction where a thread was stopped, and that of the call where it has called something: a
//! call may be the last instruction of its function, and what comes after it belongs to another.
//!
//! A walk uses constant memory, allocates nothing and ends on any stack: see `walk` for what stops it. It is the same
//! for a thread of ours, of another process, and of one that is no more; only the [`Memory`] differs.
//!
//! Not done: 32-bit code, tables of other forms than DWARF's (Go keeps its own besides), and undoing what a function without a
//! table did to registers that it saved.

mod apply;
mod cache;
mod code;
mod expression;
mod find;
mod guess;
mod machine;
mod row;
mod section;
#[cfg(test)]
mod tests;
mod trampoline;
mod walk;

use super::maps::Span;
use super::memory::Memory;
use super::modules::{Module, Modules};
use super::registers::Registers;
use super::window::Window;
use cache::Cache;
use core::ops::ControlFlow;
use row::Rows;
use section::Windows;

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
    /// There is no table for this code, or it asks for a register that is lost; and nothing looked like a return address.
    Lost,
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
    cache: Cache,
    rows: Rows,
    windows: Windows,
    stack: Window<{ guess::STACK }>,
    records: u32,
    searches: u32,
}

impl Scratch {
    /// Signal-safe. Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        let (cache, rows) = (Cache::new(), Rows::new());
        Self { cache, rows, windows: Windows::new(), stack: Window::new(), records: 0, searches: 0 }
    }

    /// Forgets what an earlier walk has left: the modules may be others, and the stack has changed.
    fn clear(&mut self) {
        self.cache.clear();
        self.windows.clear();
        self.stack.clear();
        (self.records, self.searches) = (walk::MOST_RECORDS, walk::MOST_SEARCHES);
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}

/// A walk along a stack, to be configured and then [run](Self::run).
pub struct Walker<'a> {
    memory: &'a dyn Memory,
    modules: &'a Modules<'a>,
    scratch: &'a mut Scratch,
    tables: &'a dyn Tables,
    most: usize,
}

impl<'a> Walker<'a> {
    /// Signal-safe. Walks in `memory`, through `modules`, up to a million frames.
    pub fn new(memory: &'a dyn Memory, modules: &'a Modules<'a>, scratch: &'a mut Scratch) -> Self {
        Self { memory, modules, scratch, tables: &(), most: 1_000_000 }
    }

    /// Signal-safe. Has also the tables of files.
    #[must_use]
    pub fn tables(mut self, tables: &'a dyn Tables) -> Self {
        self.tables = tables;
        self
    }

    /// Signal-safe. Ends after `most` frames.
    #[must_use]
    pub fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Signal-safe. Visits the frames from `start` outwards. `kind` is [`Kind::Stopped`] for a thread that a signal or a
    /// tracer has stopped, [`Kind::Call`] for [`Registers::here`].
    ///
    /// A frame costs some tens of nanoseconds when its like was there before, as in a recursion, and otherwise what it
    /// takes to find and read its table.
    pub fn run(mut self, start: &Registers, kind: Kind, visit: &mut dyn FnMut(&Frame) -> ControlFlow<()>) -> End {
        self.scratch.clear();
        self.steps(start, kind, visit)
    }
}

/// Signal-safe. Visits the frames of a stopped thread from `start` outwards, with what is in memory alone. Takes some twelve
/// kilobytes of stack; [`Walker`] does without.
pub fn walk(
    memory: &dyn Memory,
    modules: &Modules<'_>,
    start: &Registers,
    visit: &mut dyn FnMut(&Frame) -> ControlFlow<()>,
) -> End {
    Walker::new(memory, modules, &mut Scratch::new()).run(start, Kind::Stopped, visit)
}
