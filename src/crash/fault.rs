//! What a fault address is.
//!
//! The kernel says which address could not be accessed and hardly why. More follows from the address itself (the first
//! page, a form that the processor does not have), from the error code that the processor left in the context (load, store
//! or fetch), from what is mapped around it (an overflow of the stack lies just below a stack), and, where the kernel gives no
//! address at all, from the instruction (`instruction`).
//!
//! A **stack overflow** is recognized by two things together: the address is in the guard or the hole right below a mapping
//! that the stack pointer is at the lower end of, or has already left. The address alone would call every wild store into
//! a guard page an overflow; and functions with large frames touch the stack far below what was used last.

use super::maps::{Mapping, Span};
use super::record::Access;
use super::writer::Writer;

/// What an address is, by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// In the first page or close to it: a null pointer, and the place of a field or an element behind it.
    Null,
    /// What the processor cannot address: bits that have to be alike are not.
    NotCanonical,
    /// The kernel's.
    Kernel,
    /// None of these.
    Usual,
}

/// Nothing is ever mapped below this (`vm.mmap_min_addr` of every distribution).
const NULL_END: u64 = 0x10000;

/// Signal-safe. What `address` is, by itself.
#[must_use]
pub const fn sort(address: u64) -> Sort {
    // User addresses have 47 bits on x86-64, 56 with five levels of tables; 48 or 52 on aarch64.
    const USER_BITS: u32 = if cfg!(target_arch = "x86_64") { 47 } else { 48 };
    let top = address >> USER_BITS;
    let all_ones = u64::MAX >> USER_BITS;
    if address < NULL_END {
        Sort::Null
    } else if top == 0 {
        Sort::Usual
    } else if top == all_ones {
        Sort::Kernel
    } else {
        Sort::NotCanonical
    }
}

/// Signal-safe. How memory was accessed, as the processor told the kernel, for a fault of memory.
#[must_use]
pub fn access(context: &libc::ucontext_t) -> Access {
    #[cfg(target_arch = "x86_64")]
    {
        const PAGE_FAULT: i64 = 14;
        const WRITE: i64 = 1 << 1;
        const FETCH: i64 = 1 << 4;
        let registers = &context.uc_mcontext.gregs;
        let error = registers[libc::REG_ERR as usize];
        if registers[libc::REG_TRAPNO as usize] != PAGE_FAULT {
            Access::Unknown
        } else if error & FETCH != 0 {
            Access::Execute
        } else if error & WRITE != 0 {
            Access::Write
        } else {
            Access::Read
        }
    }
    #[cfg(target_arch = "aarch64")]
    {
        syndrome(context).map_or(Access::Unknown, |syndrome| {
            const WRITE: u64 = 1 << 6;
            match syndrome >> 26 {
                0b10_0000 | 0b10_0001 => Access::Execute,
                0b10_0100 | 0b10_0101 if syndrome & WRITE != 0 => Access::Write,
                0b10_0100 | 0b10_0101 => Access::Read,
                _ => Access::Unknown,
            }
        })
    }
}

/// The record of the context that holds the exception syndrome.
#[cfg(target_arch = "aarch64")]
fn syndrome(context: &libc::ucontext_t) -> Option<u64> {
    const MAGIC: u32 = 0x4553_5201;
    let start = (&raw const context.uc_mcontext).wrapping_add(1) as u64;
    let mut place = start.next_multiple_of(16) - 4096;
    let place_end = place + 4096;
    // The records follow the general registers; each has its magic number and its length.
    place = (&raw const context.uc_mcontext.pstate) as u64 + 8;
    place = place.next_multiple_of(16);
    while place + 16 <= place_end {
        let mut head = [0; 16];
        crate::sys::raw::read_own(place, &mut head).ok()?;
        let magic = u32::from_ne_bytes(head[..4].try_into().ok()?);
        let length = u32::from_ne_bytes(head[4..8].try_into().ok()?);
        if magic == MAGIC {
            return Some(u64::from_ne_bytes(head[8..].try_into().ok()?));
        }
        if magic == 0 || length < 16 {
            return None;
        }
        place += u64::from(length);
    }
    None
}

/// A mapping without its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where it is.
    pub span: Span,
    /// Whether it can be read.
    pub is_readable: bool,
    /// Whether it can be written.
    pub is_writable: bool,
    /// Whether it can be executed.
    pub is_executable: bool,
    /// Whether it shows a file.
    pub is_file: bool,
    /// Whether it is the first thread's stack.
    pub is_main_stack: bool,
}

impl Part {
    fn new(mapping: &Mapping<'_>) -> Self {
        Self {
            span: mapping.span,
            is_readable: mapping.is_readable,
            is_writable: mapping.is_writable,
            is_executable: mapping.is_executable,
            is_file: mapping.inode != 0,
            is_main_stack: mapping.path == b"[stack]",
        }
    }

    /// Whether nobody can touch it: a guard.
    const fn is_guard(&self) -> bool {
        !self.is_readable && !self.is_writable && !self.is_executable
    }
}

/// What is mapped around an address.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings {
    address: u64,
    sp: u64,
    /// What ends at or below the address.
    below: Option<Part>,
    /// What the address is in.
    at: Option<Part>,
    /// What comes next.
    above: Option<Part>,
    /// What the stack pointer is in, or what comes next above it.
    stack: Option<Part>,
}

impl Surroundings {
    /// Signal-safe. Nothing is known yet of what is around `address`, for a thread whose stack pointer is `sp`.
    #[must_use]
    pub const fn new(address: u64, sp: u64) -> Self {
        Self { address, sp, below: None, at: None, above: None, stack: None }
    }

    /// Signal-safe. Takes the next mapping; they come in ascending order.
    pub fn note(&mut self, mapping: &Mapping<'_>) {
        let part = Part::new(mapping);
        if part.span.end <= self.address {
            self.below = Some(part);
        } else if part.span.contains(self.address) {
            self.at = Some(part);
        } else if self.above.is_none() {
            self.above = Some(part);
        }
        let is_stack = part.span.end > self.sp && !part.is_guard() && part.is_writable;
        if is_stack && self.stack.is_none() {
            self.stack = Some(part);
        }
    }

    /// Signal-safe. The stack that has overflowed, if that is what happened.
    #[must_use]
    pub fn overflowed_stack(&self) -> Option<Part> {
        /// How far below what it used last a function may touch its stack: large frames, and the red zone.
        const REACH: u64 = 1 << 20;
        /// How close to the lower end the stack pointer is, if it has not left the stack.
        const NEAR: u64 = 4096;
        let stack = self.stack?;
        let is_below = self.address < stack.span.start && stack.span.start - self.address <= REACH;
        let is_hole = self.at.is_none_or(|part| part.is_guard());
        let is_near = self.sp < stack.span.start.saturating_add(NEAR) && self.sp.abs_diff(self.address) <= REACH;
        (is_below && is_hole && is_near).then_some(stack)
    }

    /// Signal-safe. What is at the address.
    #[must_use]
    pub const fn at(&self) -> Option<Part> {
        self.at
    }

    /// Writes a line about what the address is, by what is around it, if that says something. Signal-safe.
    pub(crate) fn explain(&self, signal: i32, access: Access, to: &mut Writer) {
        let Some(part) = self.at else {
            to.text("cause    ");
            self.explain_hole(to);
            to.text("\n");
            return;
        };
        let what = match access {
            _ if signal == libc::SIGBUS && part.is_file => "beyond the end of the file that is mapped there",
            _ if signal == libc::SIGBUS => return,
            _ if part.is_guard() => "memory that nobody may touch: a guard, or reserved",
            Access::Execute if !part.is_executable => "execution of what is no code: ",
            Access::Write if !part.is_writable => "write to what can only be read: ",
            Access::Read if !part.is_readable => "read of what may not be read: ",
            _ => return,
        };
        to.text("cause    ").text(what).text(if what.ends_with(' ') { kind(&part) } else { "" }).text("\n");
    }

    /// Says how far the neighbours are, when one is close: a pointer that ran off its end.
    fn explain_hole(&self, to: &mut Writer) {
        const CLOSE: u64 = 1 << 20;
        let after = self.below.map(|part| self.address - part.span.end).filter(|far| *far < CLOSE);
        let before = self.above.map(|part| part.span.start - self.address).filter(|far| *far < CLOSE);
        match (after, before) {
            (Some(far), _) => {
                to.text("nothing is mapped there; ").decimal(far).text(" bytes behind the end of a mapping")
            }
            (None, Some(far)) => {
                to.text("nothing is mapped there; ").decimal(far).text(" bytes before the start of a mapping")
            }
            (None, None) => to.text("nothing is mapped there: a wild pointer, or memory that was given back"),
        };
    }
}

/// What a mapping is.
const fn kind(part: &Part) -> &'static str {
    match (part.is_main_stack, part.is_file, part.is_executable) {
        (true, ..) => "the stack",
        (_, true, true) => "the code of a file",
        (_, true, false) => "the data of a file",
        (_, false, true) => "code that was made at run time",
        (_, false, false) => "memory of the program",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_by_themselves() {
        assert_eq!(sort(0), Sort::Null);
        assert_eq!(sort(0xffff), Sort::Null);
        assert_eq!(sort(0x1_0000), Sort::Usual);
        assert_eq!(sort(0x4141_4141_4141_4141), Sort::NotCanonical);
        assert_eq!(sort(0x7fff_ffff_f000), Sort::Usual);
        assert_eq!(sort(0xffff_ffff_8000_0000), Sort::Kernel);
    }

    const NOTHING: Mapping<'static> = Mapping {
        span: Span { start: 0, end: 0 },
        is_readable: false,
        is_writable: false,
        is_executable: false,
        offset: 0,
        device: 0,
        inode: 0,
        path: b"",
        is_deleted: false,
    };

    fn stack(start: u64, end: u64) -> Mapping<'static> {
        Mapping { span: Span { start, end }, is_readable: true, is_writable: true, ..NOTHING }
    }

    fn guard(start: u64, end: u64) -> Mapping<'static> {
        Mapping { span: Span { start, end }, ..NOTHING }
    }

    fn check(address: u64, sp: u64, mappings: &[Mapping<'_>], is_overflow: bool) {
        let mut around = Surroundings::new(address, sp);
        mappings.iter().for_each(|mapping| around.note(mapping));
        assert_eq!(around.overflowed_stack().is_some(), is_overflow, "{around:x?}");
    }

    #[test]
    fn an_overflow_is_told_from_a_wild_store() {
        let thread = [guard(0x10_0000, 0x10_1000), stack(0x10_1000, 0x20_0000)];
        check(0x10_0ff8, 0x10_1000, &thread, true);
        check(0x10_0ff8, 0x10_0ff8, &thread, true);
        check(0x10_0800, 0x10_0400, &thread, true);
        check(0x10_0ff8, 0x18_0000, &thread, false);
        check(0x10_1ff8, 0x10_1000, &thread, false);
        let main = [stack(0x10_0000, 0x20_0000), stack(0x7f00_0000, 0x7f80_0000)];
        check(0x7eff_fff8, 0x7f00_0000, &main, true);
        check(0x7eff_0000, 0x7efe_ff00, &main, true);
        check(0x1000, 0x7f00_0000, &main, false);
        check(0xdead_0000, 0x7f00_1000, &main, false);
    }
}
