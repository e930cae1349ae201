//! The registers of a thread, by the numbers that DWARF gives them.
//!
//! Only those that unwinding is about: the general ones, the stack pointer and the program counter. They come from what
//! the kernel hands to a signal handler ([`Registers::from_context`]), from a traced thread or a core file
//! ([`Registers::from_traced`]), or from the caller itself ([`Registers::here`]).
//!
//! A register is known or not. In the frame where a thread stands all are; further out only those are that a caller finds
//! as it left them.
//!
//! # Safety
//!
//! A context is read where the kernel has put it, and a function that consists of stores fills an array of ours.
#![allow(unsafe_code)]

use core::arch::naked_asm;
use core::ffi::c_void;

pub use machine::{COUNT, FRAME, LINK, NAMES, PC, SP};

/// The registers of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    values: [u64; COUNT],
    known: u64,
}

impl Registers {
    /// Signal-safe. Only these two are known.
    #[must_use]
    pub const fn new(pc: u64, sp: u64) -> Self {
        let mut values = [0; COUNT];
        values[PC as usize] = pc;
        values[SP as usize] = sp;
        Self { values, known: 1 << PC | 1 << SP }
    }

    /// Signal-safe. The registers of the thread that a signal has interrupted.
    ///
    /// # Safety
    /// `context` is what the kernel passed to a handler that was installed with `SA_SIGINFO` as its third argument, and
    /// that handler has not returned.
    #[must_use]
    pub unsafe fn from_context(context: *const c_void) -> Self {
        // SAFETY: by the contract it points at a context that is there until the handler returns.
        let context = unsafe { &*context.cast::<libc::ucontext_t>() };
        Self { values: machine::from_context(context), known: u64::MAX }
    }

    /// The registers of a thread that is traced, or was dumped into a core file.
    #[must_use]
    pub fn from_traced(registers: &libc::user_regs_struct) -> Self {
        Self { values: machine::from_traced(registers), known: u64::MAX }
    }

    /// Signal-safe. The registers as the caller will find them when this returns: the beginning of a walk from here.
    /// The program counter is behind a call, so that the walk begins with [`Kind::Call`](super::unwind::Kind::Call).
    #[inline(always)]
    #[must_use]
    pub fn here() -> Self {
        let mut values = [0; COUNT];
        // SAFETY: the function stores as many words as the array has.
        unsafe { save(&raw mut values) };
        Self { values, known: u64::MAX }
    }

    /// Signal-safe. The program counter.
    #[must_use]
    pub const fn pc(&self) -> u64 {
        self.values[PC as usize]
    }

    /// Signal-safe. The stack pointer.
    #[must_use]
    pub const fn sp(&self) -> u64 {
        self.values[SP as usize]
    }

    /// Signal-safe. The register `number`, where it is known.
    #[must_use]
    pub fn get(&self, number: u16) -> Option<u64> {
        let value = self.values.get(usize::from(number))?;
        (self.known & 1 << number != 0).then_some(*value)
    }

    /// Signal-safe. Sets the register `number`, or makes it unknown; a number that no register has changes nothing.
    pub fn set(&mut self, number: u16, value: Option<u64>) {
        let Some(place) = self.values.get_mut(usize::from(number)) else { return };
        match value {
            Some(value) => (*place, self.known) = (value, self.known | 1 << number),
            None => self.known &= !(1 << number),
        }
    }

    /// Signal-safe. Names and values in the order of the machine's manual; none for a value that is not known.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Option<u64>)> {
        NAMES.iter().map(|&(name, number)| (name, self.get(number)))
    }
}

#[cfg(target_arch = "x86_64")]
mod machine {
    /// How many registers there are.
    pub const COUNT: usize = 17;
    /// The number of the stack pointer.
    pub const SP: u16 = 7;
    /// The number of the frame pointer.
    pub const FRAME: u16 = 6;
    /// The number of the program counter, which is that of the return address as well.
    pub const PC: u16 = 16;
    /// The register that a call leaves the return address in, where there is one.
    pub const LINK: Option<u16> = None;

    /// Names and numbers in the order in which they are shown.
    pub const NAMES: [(&str, u16); COUNT] = [
        ("rax", 0),
        ("rbx", 3),
        ("rcx", 2),
        ("rdx", 1),
        ("rsi", 4),
        ("rdi", 5),
        ("rbp", 6),
        ("rsp", 7),
        ("r8", 8),
        ("r9", 9),
        ("r10", 10),
        ("r11", 11),
        ("r12", 12),
        ("r13", 13),
        ("r14", 14),
        ("r15", 15),
        ("rip", 16),
    ];

    pub(super) fn from_context(context: &libc::ucontext_t) -> [u64; COUNT] {
        use libc::{REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
        use libc::{REG_RAX, REG_RBP, REG_RBX, REG_RCX, REG_RDI, REG_RDX, REG_RIP, REG_RSI, REG_RSP};
        [
            REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8, REG_R9, REG_R10, REG_R11,
            REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP,
        ]
        .map(|index| context.uc_mcontext.gregs[index as usize] as u64)
    }

    pub(super) fn from_traced(r: &libc::user_regs_struct) -> [u64; COUNT] {
        [
            r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14,
            r.r15, r.rip,
        ]
    }
}

#[cfg(target_arch = "aarch64")]
mod machine {
    /// How many registers there are.
    pub const COUNT: usize = 33;
    /// The number of the stack pointer.
    pub const SP: u16 = 31;
    /// The number of the frame pointer.
    pub const FRAME: u16 = 29;
    /// The number of the program counter.
    pub const PC: u16 = 32;
    /// The register that a call leaves the return address in, where there is one.
    pub const LINK: Option<u16> = Some(30);

    /// Names and numbers in the order in which they are shown.
    #[rustfmt::skip]
    pub const NAMES: [(&str, u16); COUNT] = [
        ("x0", 0), ("x1", 1), ("x2", 2), ("x3", 3), ("x4", 4), ("x5", 5), ("x6", 6), ("x7", 7), ("x8", 8), ("x9", 9),
        ("x10", 10), ("x11", 11), ("x12", 12), ("x13", 13), ("x14", 14), ("x15", 15), ("x16", 16), ("x17", 17),
        ("x18", 18), ("x19", 19), ("x20", 20), ("x21", 21), ("x22", 22), ("x23", 23), ("x24", 24), ("x25", 25),
        ("x26", 26), ("x27", 27), ("x28", 28), ("x29", 29), ("x30", 30), ("sp", 31), ("pc", 32),
    ];

    pub(super) fn from_context(context: &libc::ucontext_t) -> [u64; COUNT] {
        let machine = &context.uc_mcontext;
        together(&machine.regs, machine.sp, machine.pc)
    }

    pub(super) fn from_traced(registers: &libc::user_regs_struct) -> [u64; COUNT] {
        together(&registers.regs, registers.sp, registers.pc)
    }

    fn together(general: &[u64; 31], sp: u64, pc: u64) -> [u64; COUNT] {
        let mut values = [0; COUNT];
        values[..31].copy_from_slice(general);
        (values[31], values[32]) = (sp, pc);
        values
    }
}

/// Signal-safe. Stores all registers as they are when it has returned.
///
/// # Safety
/// `into` is ours to write.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn save(into: *mut [u64; COUNT]) {
    naked_asm!(
        "mov [rdi], rax",
        "mov [rdi + 8], rdx",
        "mov [rdi + 16], rcx",
        "mov [rdi + 24], rbx",
        "mov [rdi + 32], rsi",
        "mov [rdi + 40], rdi",
        "mov [rdi + 48], rbp",
        "lea rax, [rsp + 8]", // What it is behind the `ret`.
        "mov [rdi + 56], rax",
        "mov [rdi + 64], r8",
        "mov [rdi + 72], r9",
        "mov [rdi + 80], r10",
        "mov [rdi + 88], r11",
        "mov [rdi + 96], r12",
        "mov [rdi + 104], r13",
        "mov [rdi + 112], r14",
        "mov [rdi + 120], r15",
        "mov rax, [rsp]", // Where it returns to.
        "mov [rdi + 128], rax",
        "ret",
    )
}

/// Signal-safe. Stores all registers as they are when it has returned.
///
/// # Safety
/// `into` is ours to write.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn save(into: *mut [u64; COUNT]) {
    naked_asm!(
        "stp x0, x1, [x0]",
        "stp x2, x3, [x0, #16]",
        "stp x4, x5, [x0, #32]",
        "stp x6, x7, [x0, #48]",
        "stp x8, x9, [x0, #64]",
        "stp x10, x11, [x0, #80]",
        "stp x12, x13, [x0, #96]",
        "stp x14, x15, [x0, #112]",
        "stp x16, x17, [x0, #128]",
        "stp x18, x19, [x0, #144]",
        "stp x20, x21, [x0, #160]",
        "stp x22, x23, [x0, #176]",
        "stp x24, x25, [x0, #192]",
        "stp x26, x27, [x0, #208]",
        "stp x28, x29, [x0, #224]",
        "mov x1, sp",
        "stp x30, x1, [x0, #240]", // The link register, then the stack pointer.
        "str x30, [x0, #256]",     // It returns to where the link register leads.
        "ret",
    )
}
