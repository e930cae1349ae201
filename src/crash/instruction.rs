//! Which address an instruction of x86-64 was about, where the kernel does not say.
//!
//! A pointer whose upper bits do not agree (`0x4141414141414141`, a value that was freed and overwritten) is no address of
//! any page, so that the processor reports no address either: the kernel passes zero. But the instruction is there, and so are
//! the registers: the operand is put together from them as the processor does it. Only an answer that explains the fault is
//! given, which is one that is not canonical.
//!
//! The encoding is that of Intel's manual, volume 2, chapter 2; of the operations only as much is known as tells loads from
//! stores.

use super::fault::{Sort, sort};
use super::memory::Memory;
use super::record::{Access, Record};
use super::registers::Registers;

/// Longest instruction, in bytes.
const LONGEST: usize = 15;

/// The numbers of DWARF for the registers in the order of the encoding.
const NUMBERS: [u16; 16] = [0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15];

/// An instruction, taken apart as far as its operand in memory.
struct Parts<'a> {
    rest: &'a [u8],
    rex: u8,
    /// 0 for opcodes of one byte, 1 behind `0f`, 2 and 3 behind `0f 38` and `0f 3a`.
    map: u8,
    opcode: u8,
}

/// Signal-safe. The address that cannot be one, and how it was accessed, by the instruction at the program counter.
pub(crate) fn bad_address(memory: &dyn Memory, registers: &Registers) -> Option<(u64, Access)> {
    let mut bytes = [0; LONGEST];
    // At the end of a page there may be less than the longest.
    let length = (1..=LONGEST).rev().find(|length| memory.read(registers.pc(), &mut bytes[..*length]).is_ok())?;
    let parts = take_apart(&bytes[..length])?;
    let is_bad = |address: u64| sort(address) == Sort::NotCanonical;
    let register = |number: usize| registers.get(NUMBERS[number]);
    if parts.map == 0 {
        match parts.opcode {
            0xc2 | 0xc3 => {
                let to = memory.word(registers.sp()).ok()?;
                return is_bad(to).then_some((to, Access::Execute));
            }
            // Strings: from `rsi`, to `rdi`.
            0xa4..=0xa7 | 0xaa..=0xaf => {
                let (from, to) = (register(6)?, register(7)?);
                let is_store = matches!(parts.opcode, 0xa4 | 0xa5 | 0xaa | 0xab);
                let found = if is_bad(to) {
                    (to, if is_store { Access::Write } else { Access::Read })
                } else {
                    (from, Access::Read)
                };
                return is_bad(found.0).then_some(found);
            }
            _ => {}
        }
    }
    let &[form, ..] = parts.rest else { return None };
    let is_branch = parts.map == 0 && parts.opcode == 0xff && matches!(form >> 3 & 7, 2 | 4);
    if form >> 6 == 3 {
        let to = register(usize::from(form & 7 | (parts.rex & 1) << 3))?;
        return (is_branch && is_bad(to)).then_some((to, Access::Execute));
    }
    let address = operand(&parts, &register)?;
    if is_bad(address) {
        return Some((address, if stores(&parts, form) { Access::Write } else { Access::Read }));
    }
    let to = if is_branch { memory.word(address).ok()? } else { 0 };
    is_bad(to).then_some((to, Access::Execute))
}

/// Prefixes and opcode. None for what has no operand of the usual form, or is relative to a segment.
fn take_apart(mut bytes: &[u8]) -> Option<Parts<'_>> {
    while let [0x66 | 0xf2 | 0xf3 | 0xf0 | 0x2e | 0x36 | 0x3e | 0x26, rest @ ..] = bytes {
        bytes = rest;
    }
    let mut rex = 0;
    if let [prefix @ 0x40..=0x4f, rest @ ..] = bytes {
        (rex, bytes) = (*prefix, rest);
    }
    match bytes {
        // Vector instructions: the bits of the prefix are inverted.
        [0xc5, _, opcode, rest @ ..] => Some(Parts { rest, rex: 0, map: 1, opcode: *opcode }),
        [0xc4, first, _, opcode, rest @ ..] => {
            Some(Parts { rest, rex: !first >> 5 & 7, map: first & 3, opcode: *opcode })
        }
        [0x0f, 0x38, opcode, rest @ ..] => Some(Parts { rest, rex, map: 2, opcode: *opcode }),
        [0x0f, 0x3a, opcode, rest @ ..] => Some(Parts { rest, rex, map: 3, opcode: *opcode }),
        [0x0f, opcode, rest @ ..] => Some(Parts { rest, rex, map: 1, opcode: *opcode }),
        [0x64 | 0x65 | 0x67 | 0x62, ..] | [] => None,
        [opcode, rest @ ..] => has_operand(*opcode).then_some(Parts { rest, rex, map: 0, opcode: *opcode }),
    }
}

/// Whether an opcode of one byte is one that can be bad: with an operand, a return, or of strings.
const fn has_operand(opcode: u8) -> bool {
    match opcode {
        0..=0x3f => opcode & 7 < 4,
        0x63 | 0x69 | 0x6b | 0x80..=0x8f | 0xa4..=0xa7 | 0xaa..=0xaf => true,
        0xc0..=0xc3 | 0xc6 | 0xc7 | 0xd0..=0xd3 | 0xd8..=0xdf | 0xf6 | 0xf7 | 0xfe | 0xff => true,
        _ => false,
    }
}

/// The address of the operand in memory; none when it is relative to the instruction.
fn operand(parts: &Parts<'_>, register: &impl Fn(usize) -> Option<u64>) -> Option<u64> {
    let (form, rest) = parts.rest.split_first()?;
    let mode = form >> 6;
    let (mut base, mut rest) = (form & 7, rest);
    let mut address = 0_u64;
    let mut has_base = true;
    if base == 4 {
        let (scaled, behind) = rest.split_first()?;
        rest = behind;
        let index = usize::from(scaled >> 3 & 7 | (parts.rex & 2) << 2);
        if index != 4 {
            address = register(index)?.wrapping_shl(u32::from(scaled >> 6));
        }
        base = scaled & 7;
        has_base = !(base == 5 && mode == 0);
    } else if base == 5 && mode == 0 {
        return None;
    }
    if has_base {
        address = address.wrapping_add(register(usize::from(base | (parts.rex & 1) << 3))?);
    }
    let offset = match mode {
        1 => i64::from(*rest.first()? as i8),
        2 => i64::from(i32::from_le_bytes(rest.get(..4)?.try_into().ok()?)),
        _ if has_base => 0,
        _ => i64::from(i32::from_le_bytes(rest.get(..4)?.try_into().ok()?)),
    };
    Some(address.wrapping_add_signed(offset))
}

/// Whether the operand in memory is written to.
const fn stores(parts: &Parts<'_>, form: u8) -> bool {
    let operation = form >> 3 & 7;
    match (parts.map, parts.opcode) {
        (0, 0..=0x37) => parts.opcode & 2 == 0,
        (0, 0x80..=0x83) => operation != 7,
        (0, 0x86..=0x89 | 0x8c | 0x8f | 0xc0 | 0xc1 | 0xc6 | 0xc7 | 0xd0..=0xd3) => true,
        (0, 0xf6 | 0xf7) => operation == 2 || operation == 3,
        (0, 0xfe | 0xff) => operation < 2,
        (1, 0x11 | 0x13 | 0x17 | 0x29 | 0x2b | 0x7e | 0x7f | 0xb0 | 0xb1 | 0xc0 | 0xc1 | 0xc3 | 0xd6 | 0xe7) => true,
        (1, 0x90..=0x9f) => true,
        _ => false,
    }
}

/// Signal-safe. Completes what the kernel says of a fault without an address; whether there was something to add.
pub(crate) fn explain(memory: &dyn Memory, record: &mut Record) -> bool {
    if sort(record.registers.pc()) == Sort::NotCanonical {
        (record.address, record.access) = (Some(record.registers.pc()), Access::Execute);
        return true;
    }
    let Some((address, access)) = bad_address(memory, &record.registers) else { return false };
    (record.address, record.access) = (Some(address), access);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::memory::Slices;

    const BAD: u64 = 0x4141_4141_4141_4141;

    /// What is found for an instruction, with these registers (by the numbers of the encoding).
    fn check(bytes: &[u8], values: &[(usize, u64)], expected: Option<(u64, Access)>) {
        const PC: u64 = 0x1000;
        const SP: u64 = 0x2000;
        let mut registers = Registers::new(PC, SP);
        for number in NUMBERS {
            registers.set(number, registers.get(number).or(Some(0x3000)));
        }
        for (number, value) in values {
            registers.set(NUMBERS[*number], Some(*value));
        }
        let stack = BAD.to_ne_bytes();
        let memory = [(PC, bytes), (SP, &stack[..]), (0x3000, &stack[..])];
        assert_eq!(bad_address(&Slices(&memory), &registers), expected, "{bytes:x?}");
    }

    #[test]
    fn operands_are_put_together() {
        let (read, write) = (Access::Read, Access::Write);
        check(&[0x8b, 0x00], &[(0, BAD)], Some((BAD, read))); // mov eax, [rax]
        check(&[0x48, 0x89, 0x5f, 0x10], &[(7, BAD)], Some((BAD + 16, write))); // mov [rdi + 16], rbx
        check(&[0x43, 0x8b, 0x44, 0xc8, 0xf8], &[(8, BAD), (9, 1)], Some((BAD, read))); // mov eax, [r8 + 8 * r9 - 8]
        check(&[0x8b, 0x04, 0x24], &[(4, BAD)], Some((BAD, read))); // mov eax, [rsp]
        check(&[0xc6, 0x80, 0, 1, 0, 0, 7], &[(0, BAD)], Some((BAD + 256, write))); // mov byte [rax + 256], 7
        check(&[0x0f, 0xb6, 0x02], &[(2, BAD)], Some((BAD, read))); // movzx eax, byte [rdx]
        check(&[0xf3, 0x0f, 0x7f, 0x02], &[(2, BAD)], Some((BAD, write))); // movdqu [rdx], xmm0
        check(&[0xc5, 0xfe, 0x6f, 0x06], &[(6, BAD)], Some((BAD, read))); // vmovdqu ymm0, [rsi]
        check(&[0xf3, 0xa4], &[(7, BAD)], Some((BAD, write))); // rep movsb
        check(&[0x80, 0x38, 0x00], &[(0, BAD)], Some((BAD, read))); // cmp byte [rax], 0
    }

    #[test]
    fn branches_lead_somewhere() {
        check(&[0xc3], &[], Some((BAD, Access::Execute))); // ret
        check(&[0xff, 0xd0], &[(0, BAD)], Some((BAD, Access::Execute))); // call rax
        check(&[0x41, 0xff, 0xe3], &[(11, BAD)], Some((BAD, Access::Execute))); // jmp r11
        check(&[0xff, 0x10], &[], Some((BAD, Access::Execute))); // call [rax]
        check(&[0xff, 0x10], &[(0, BAD)], Some((BAD, Access::Read)));
    }

    #[test]
    fn what_explains_nothing_is_no_answer() {
        check(&[0x8b, 0x00], &[], None);
        check(&[0x90], &[(0, BAD)], None); // nop
        check(&[0x8b, 0x05, 0, 0, 0, 0], &[(0, BAD)], None); // mov eax, [rip]
        check(&[0x64, 0x8b, 0x00], &[(0, BAD)], None); // mov eax, fs:[rax]
        check(&[0x89, 0xd8], &[(0, BAD)], None); // mov eax, ebx
        check(&[0x48], &[(0, BAD)], None);
        check(&[0x8b, 0x84], &[(0, BAD)], None);
    }
}
