//! Out of a signal handler whose trampoline has no table.
//!
//! A handler returns to a few instructions that ask the kernel to go on where the signal came. Some C libraries have a
//! table for them that says where each register was saved, others (musl, and the kernel's own page on 64-bit ARM) have
//! none. But the kernel has always put its record of the interrupted thread at the same distance from the stack pointer.

use super::super::memory::Memory;
use super::super::registers::Registers;
use super::code;

/// Signal-safe. The registers of the thread as the signal found it, when `pc` is a trampoline.
pub(super) fn interrupted(memory: &dyn Memory, pc: u64, sp: u64) -> Option<Registers> {
    if !code::is_trampoline(memory, pc) {
        return None;
    }
    let mut words = [0; machine::WORDS];
    for (place, index) in words.iter_mut().zip(0..) {
        *place = memory.word(sp.checked_add(machine::DISTANCE + index * 8)?).ok()?;
    }
    Some(machine::registers(&words))
}

#[cfg(target_arch = "x86_64")]
mod machine {
    use super::Registers;

    /// The stack pointer is at the kernel's `ucontext`, whose registers follow two words and the old stack.
    pub(super) const DISTANCE: u64 = 40;

    pub(super) const WORDS: usize = 17;

    /// The registers in the kernel's order, by DWARF's numbers.
    const ORDER: [u16; WORDS] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16];

    pub(super) fn registers(words: &[u64; WORDS]) -> Registers {
        let mut registers = Registers::new(0, 0);
        for (word, number) in words.iter().zip(ORDER) {
            registers.set(number, Some(*word));
        }
        registers
    }
}

#[cfg(target_arch = "aarch64")]
mod machine {
    use super::Registers;

    /// The stack pointer is at 128 bytes about the signal. Behind them the kernel's `ucontext` has two words, the old stack,
    /// room for 1024 bits of mask, and then, aligned to 16, the fault address and the registers.
    pub(super) const DISTANCE: u64 = 128 + 176 + 8;

    /// In the order of DWARF's numbers.
    pub(super) const WORDS: usize = 33;

    pub(super) fn registers(words: &[u64; WORDS]) -> Registers {
        let mut registers = Registers::new(0, 0);
        for (word, number) in words.iter().zip(0..) {
            registers.set(number, Some(*word));
        }
        registers
    }
}
