//! What machine code gives away about calls: whether one ends at an address, and where a function that has no table keeps
//! its return address.
//!
//! A few instructions are known by their bytes, no more. Both machines are here whichever one it is built for, because
//! nothing in it runs: it looks.

use super::super::memory::Memory;

/// A call instruction in front of a return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Of the function at this address.
    Direct(u64),
    /// Through a register or memory.
    Indirect,
}

/// Signal-safe. The call that returns to `address`; none when what stands before it is no call.
pub(super) fn call_before(memory: &dyn Memory, address: u64) -> Option<Call> {
    if cfg!(target_arch = "aarch64") {
        let mut bytes = [0; 4];
        memory.read(address.checked_sub(4)?, &mut bytes).ok()?;
        return arm::call(u32::from_le_bytes(bytes), address);
    }
    let mut bytes = [0; 8];
    memory.read(address.checked_sub(8)?, &mut bytes).ok()?;
    intel::call(&bytes, address)
}

/// Signal-safe. How far above the stack pointer the return address lies, as far as the instructions around `pc` tell: at the
/// beginning of a function, at its end, and in a linkage table (for which some linkers make no table). For machines that
/// keep it on the stack.
pub(super) fn distance_of_return(memory: &dyn Memory, pc: u64) -> Option<u64> {
    if cfg!(target_arch = "aarch64") {
        return None;
    }
    let mut bytes = [0; 14];
    let (before, after) = bytes.split_at_mut(6);
    memory.read(pc, after).ok()?;
    // What cannot be read is left zero, which is none of the instructions that are known.
    let _ = pc.checked_sub(6).map(|at| memory.read(at, before));
    intel::distance(&bytes)
}

/// Signal-safe. Whether the instructions at `pc` are those that return from a signal.
pub(super) fn is_trampoline(memory: &dyn Memory, pc: u64) -> bool {
    let (mut wide, mut narrow) = ([0; 9], [0; 8]);
    if cfg!(target_arch = "aarch64") {
        return memory.read(pc, &mut narrow).is_ok() && narrow == *arm::RETURN_FROM_SIGNAL;
    }
    if memory.read(pc, &mut wide).is_ok() && wide == *intel::RETURN_FROM_SIGNAL {
        return true;
    }
    memory.read(pc, &mut narrow[..7]).is_ok() && narrow[..7] == *intel::RETURN_FROM_SIGNAL_SHORT
}

/// x86-64.
mod intel {
    use super::Call;

    /// `mov rax, 15; syscall`
    pub(super) const RETURN_FROM_SIGNAL: &[u8; 9] = b"\x48\xc7\xc0\x0f\0\0\0\x0f\x05";
    /// `mov eax, 15; syscall`
    pub(super) const RETURN_FROM_SIGNAL_SHORT: &[u8; 7] = b"\xb8\x0f\0\0\0\x0f\x05";

    /// The call that the bytes end with, the last of them before `address`.
    pub(super) fn call(bytes: &[u8; 8], address: u64) -> Option<Call> {
        if let [.., 0xe8, a, b, c, d] = *bytes {
            let distance = i32::from_le_bytes([a, b, c, d]);
            return Some(Call::Direct(address.wrapping_add(distance as u64)));
        }
        let is_call = |length: usize| is_indirect(&bytes[8 - length..]);
        (2..=8).any(is_call).then_some(Call::Indirect)
    }

    /// Whether these bytes are one whole call through a register or memory.
    fn is_indirect(bytes: &[u8]) -> bool {
        let plain = match bytes {
            [0x40..=0x4f | 0x3e, rest @ ..] => rest, // A prefix: upper registers, or no check of the target.
            all => all,
        };
        let [0xff, form, rest @ ..] = plain else { return false };
        if form >> 3 & 7 != 2 {
            return false;
        }
        let has_index = form >> 6 != 3 && form & 7 == 4;
        let displacement = match (form >> 6, form & 7) {
            (0, 5) | (2, _) => 4,
            (0, 4) if rest.first().is_some_and(|index| index & 7 == 5) => 4,
            (1, _) => 1,
            _ => 0,
        };
        rest.len() == usize::from(has_index) + displacement
    }

    /// How far above the stack pointer the return address lies: `bytes` are six that were done, then those that follow.
    pub(super) fn distance(bytes: &[u8; 14]) -> Option<u64> {
        let (done, mut next) = bytes.split_at(6);
        next = next.strip_prefix(b"\xf3\x0f\x1e\xfa").unwrap_or(next); // A mark for indirect calls.
        match (done, next) {
            (_, [0x55 | 0xc3 | 0xc2, ..] | [0xf3, 0xc3, ..]) => Some(0), // push rbp; ret
            (_, [0x5d, 0xc3, ..]) => Some(8),                            // pop rbp; ret
            ([.., 0x55], [0x48, 0x89, 0xe5, ..]) => Some(8),             // mov rbp, rsp after push rbp
            // A linkage table: jump to the function, or push its number and jump to the beginning, which pushes
            // another word and jumps to the dynamic linker.
            ([0xff, 0x35, ..], [0xff, 0x25, ..]) => Some(16),
            (_, [0xff, 0x35, _, _, _, _, 0xff, 0x25]) => Some(8),
            ([_, 0x68, ..], [0xe9, ..]) => Some(8),
            (_, [0xff, 0x25, ..] | [0x68, _, _, _, _, 0xe9, ..]) => Some(0),
            _ => None,
        }
    }
}

/// 64-bit ARM.
mod arm {
    use super::Call;

    /// `mov x8, #139; svc #0`
    pub(super) const RETURN_FROM_SIGNAL: &[u8; 8] = b"\x68\x11\x80\xd2\x01\0\0\xd4";

    /// The call that `instruction`, right before `address`, is.
    pub(super) fn call(instruction: u32, address: u64) -> Option<Call> {
        if instruction & 0xfc00_0000 == 0x9400_0000 {
            let words = ((instruction << 6) as i32) >> 6;
            return Some(Call::Direct(address.wrapping_sub(4).wrapping_add((i64::from(words) * 4) as u64)));
        }
        // Through a register, and through one that carries a signature.
        let is_indirect = instruction & 0xffff_fc1f == 0xd63f_0000
            || instruction & 0xffff_f81f == 0xd63f_081f
            || instruction & 0xffff_f800 == 0xd73f_0800;
        is_indirect.then_some(Call::Indirect)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the call is that ends with these bytes, whatever stands before it.
    fn call(bytes: &[u8]) -> Option<Call> {
        let mut all = [0x90; 8];
        all[8 - bytes.len()..].copy_from_slice(bytes);
        intel::call(&all, 0x1000)
    }

    #[test]
    fn intel_calls_are_known() {
        assert_eq!(call(b"\xe8\x10\0\0\0"), Some(Call::Direct(0x1010)));
        assert_eq!(call(b"\xe8\xf0\xff\xff\xff"), Some(Call::Direct(0xff0)));
        // call rax; r12; [rax]; [r12]; [rax + 8]; [rsp + 8]; [r12 + 8]; [rip + 8]; [rax + 256]; [rsp + 256];
        // [rax * 8 + 256]; [r12 + 256]; notrack rax
        let calls: [&[u8]; 13] = [
            b"\xff\xd0",
            b"\x41\xff\xd4",
            b"\xff\x10",
            b"\x41\xff\x14\x24",
            b"\xff\x50\x08",
            b"\xff\x54\x24\x08",
            b"\x41\xff\x54\x24\x08",
            b"\xff\x15\x08\0\0\0",
            b"\xff\x90\0\x01\0\0",
            b"\xff\x94\x24\0\x01\0\0",
            b"\xff\x14\xc5\0\x01\0\0",
            b"\x41\xff\x94\x24\0\x01\0\0",
            b"\x3e\xff\xd0",
        ];
        for bytes in calls {
            assert_eq!(call(bytes), Some(Call::Indirect), "{bytes:x?}");
        }
    }

    #[test]
    fn what_is_no_intel_call_is_not() {
        // ret; jmp rax; jmp [rax]; push [rax]; call [rax + 8] without its last byte; mov eax, 1; jmp 0x1010
        let others: [&[u8]; 7] =
            [b"\xc3", b"\xff\xe0", b"\xff\x20", b"\xff\x30", b"\xff\x50", b"\xb8\x01\0\0\0", b"\xe9\x10\0\0\0"];
        for bytes in others {
            assert_eq!(call(bytes), None, "{bytes:x?}");
        }
    }

    #[test]
    fn arm_calls_are_known() {
        assert_eq!(arm::call(0x9400_0001, 0x1004), Some(Call::Direct(0x1004))); // bl .+4
        assert_eq!(arm::call(0x97ff_ffff, 0x1004), Some(Call::Direct(0xffc))); // bl .-4
        for instruction in [0xd63f_0100, 0xd63f_081f, 0xd63f_0c3f, 0xd73f_0801, 0xd73f_0c41] {
            assert_eq!(arm::call(instruction, 0x1004), Some(Call::Indirect), "{instruction:x}"); // blr, blraaz, blrab
        }
        for instruction in [0xd61f_0100, 0xd65f_03c0, 0x1400_0001, 0xd503_201f] {
            assert_eq!(arm::call(instruction, 0x1004), None, "{instruction:x}"); // br, ret, b, nop
        }
    }

    #[test]
    fn the_ends_of_a_function_tell_where_its_return_address_is() {
        let distance = |before: &[u8], bytes: &[u8]| {
            let mut all = [0x90; 14];
            all[6 - before.len()..6].copy_from_slice(before);
            all[6..6 + bytes.len()].copy_from_slice(bytes);
            intel::distance(&all)
        };
        assert_eq!(distance(b"", b"\x55\x48\x89\xe5"), Some(0));
        assert_eq!(distance(b"", b"\xf3\x0f\x1e\xfa\x55"), Some(0));
        assert_eq!(distance(b"\x55", b"\x48\x89\xe5"), Some(8));
        assert_eq!(distance(b"\x90", b"\x48\x89\xe5"), None);
        assert_eq!(distance(b"\xc9", b"\xc3"), Some(0));
        assert_eq!(distance(b"", b"\x5d\xc3"), Some(8));
        assert_eq!(distance(b"", b"\x8b\x07"), None);
    }

    #[test]
    fn a_linkage_table_is_known_at_each_of_its_instructions() {
        let (first, entry) = (b"\xff\x351234\xff\x255678", b"\xff\x251234\x68\x02\0\0\0\xe9\xc0\xff\xff\xff");
        let distance = |all: &[u8], at: usize| {
            let padded = [&[0x90; 6][..], all, &[0x90; 8]].concat();
            intel::distance(padded[at..at + 14].try_into().unwrap())
        };
        assert_eq!([0, 6].map(|at| distance(first, at)), [Some(8), Some(16)]);
        assert_eq!([0, 6, 11].map(|at| distance(entry, at)), [Some(0), Some(0), Some(8)]);
    }
}
