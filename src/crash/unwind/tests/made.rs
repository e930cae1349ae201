//! Tables and stacks that are made by hand, whole ones and damaged ones.
//!
//! The module that is made has functions of 256 bytes each, from [`CODE`] on, all of `nop` but for a call where one is put. The
//! stack is words from [`STACK`] on.

use super::super::super::headers::tests::file;
use super::super::super::maps::{self, Mapping};
use super::*;

/// Where the module is, its code, and the stack.
const BASE: u64 = 0x10_0000;
const CODE: u64 = BASE + 0x1000;
const CODE_SIZE: u64 = 0x2000;
const TABLES: u64 = 0x400;
const STACK: u64 = 0x7ff0_0000;

/// Code that was made at run time.
const MADE: u64 = 0x50_0000;

/// The instructions of a function that has pushed `rbp` and moved the stack pointer to it, from its first one on.
const FRAMED: &[u8] = &[0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6];

/// Wraps a record: its length, then what is in it.
fn record(mut contents: Vec<u8>, is_wide: bool) -> Vec<u8> {
    contents.resize(contents.len().next_multiple_of(4), 0);
    let length = contents.len() as u64;
    let head =
        if is_wide { [&[0xff; 4][..], &length.to_le_bytes()].concat() } else { (length as u32).to_le_bytes().into() };
    [head, contents].concat()
}

/// A `.debug_frame` of one common record and four entries of three rows each.
pub(super) fn debug_frame(version: u8, is_wide: bool) -> Vec<u8> {
    let number =
        |number: u64| if is_wide { number.to_le_bytes().to_vec() } else { (number as u32).to_le_bytes().to_vec() };
    let mut common = number(u64::MAX);
    common.extend([version, 0]);
    if version == 4 {
        common.extend([8, 0]);
    }
    common.extend([1, 0x78, 16, 0x0c, 7, 8, 0x90, 1]); // Units 1 and -8; cfa = rsp + 8; return address at cfa - 8.
    let mut bytes = record(common, is_wide);
    for function in 0..4_u64 {
        let mut entry = number(0);
        entry.extend((0x1000 + function * 0x100).to_le_bytes());
        entry.extend(0x100_u64.to_le_bytes());
        entry.extend(FRAMED);
        bytes.extend(record(entry, is_wide));
    }
    bytes
}

/// A function of the module: its number, its letters beyond `zR`, its instructions.
struct Function<'a>(u64, &'a [u8], &'a [u8]);

impl Function<'_> {
    fn address(&self) -> u64 {
        CODE + self.0 * 0x100
    }
}

/// An ELF file with these functions, as it is in memory. `with_table` adds the search table; otherwise its place only
/// says where the records begin.
fn module(functions: &[Function<'_>], with_table: bool) -> Vec<u8> {
    let table_size = 12 + if with_table { 8 * functions.len() as u64 } else { 0 };
    let records = BASE + TABLES + table_size;
    let (mut bytes, mut pairs) = (Vec::new(), Vec::new());
    for function in functions {
        let common = records + bytes.len() as u64;
        let mut contents = vec![0, 0, 0, 0, 1, b'z', b'R'];
        contents.extend(function.1);
        contents.extend([0, 1, 0x78, 16, 1, 0x00, 0x0c, 7, 8, 0x90, 1]); // As above; addresses of eight bytes.
        bytes.extend(record(contents, false));
        let entry = records + bytes.len() as u64;
        let mut contents = ((entry + 4 - common) as u32).to_le_bytes().to_vec();
        contents.extend(function.address().to_le_bytes());
        contents.extend(0x100_u64.to_le_bytes());
        contents.push(0);
        contents.extend(function.2);
        bytes.extend(record(contents, false));
        pairs.push((function.address(), entry));
    }
    bytes.extend([0; 4]);
    let relative = |address: u64| (address.wrapping_sub(BASE + TABLES) as u32).to_le_bytes();
    let mut table = vec![1, 0x3b, 0x03, if with_table { 0x3b } else { 0xff }];
    table.extend(relative(records));
    table.extend((functions.len() as u32).to_le_bytes());
    if with_table {
        table.extend(pairs.iter().flat_map(|(start, entry)| [relative(*start), relative(*entry)].concat()));
    }
    let segments =
        [(1, 4, 0, BASE, 0x1000), (1, 5, 0x1000, CODE, CODE_SIZE), (0x6474_e550, 4, TABLES, BASE + TABLES, table_size)];
    let mut whole = file(&segments, &[]);
    whole[TABLES as usize..][..table.len()].copy_from_slice(&table);
    whole[(TABLES + table_size) as usize..][..bytes.len()].copy_from_slice(&bytes);
    whole.resize((0x1000 + CODE_SIZE) as usize, 0x90);
    whole
}

/// A process: its module, code made at run time, and its stack.
struct World {
    module: Vec<u8>,
    made: Vec<u8>,
    stack: Vec<u8>,
}

impl World {
    fn new(functions: &[Function<'_>], stack: &[u64]) -> Self {
        let stack = stack.iter().flat_map(|word| word.to_le_bytes()).collect();
        Self { module: module(functions, true), made: vec![0x90; 4096], stack }
    }

    /// Puts a call before `address`.
    fn with_call(mut self, address: u64) -> Self {
        for (base, bytes) in [(BASE, &mut self.module), (MADE, &mut self.made)] {
            let at = address.wrapping_sub(base) as usize;
            if at < bytes.len() {
                bytes[at - 2..at].copy_from_slice(b"\xff\xd0");
            }
        }
        self
    }

    fn walk(&self, start: &Registers, kind: Kind) -> (Vec<Frame>, End) {
        let slices = [(BASE, &self.module[..]), (MADE, &self.made), (STACK, &self.stack)];
        let memory = Slices(&slices);
        let lines = format!(
            "{BASE:x}-{CODE:x} r--p 00000000 fe:01 7 /made\n{CODE:x}-{:x} r-xp 00001000 fe:01 7 /made\n\
             {MADE:x}-{:x} rwxp 00000000 00:00 0\n{STACK:x}-{:x} rw-p 00000000 00:00 0 [stack]\n",
            CODE + CODE_SIZE,
            MADE + 4096,
            STACK + 4096
        );
        let (mut slots, mut names, mut rest) = ([Slot::EMPTY; 4], [0; 64], lines.as_bytes());
        let mut modules = Modules::new(&mut slots, &mut names);
        let mut buffer = [0; 512];
        modules.read_maps(&memory, &mut buffer, |into| std::io::Read::read(&mut rest, into)).unwrap();
        assert!(modules.find(CODE).is_some() && modules.find(MADE).is_some());
        frames(&memory, &modules, start, kind)
    }
}

use super::super::super::memory::Slices;

/// Registers with these, and the others 0.
fn registers(pc: u64, sp: u64, fp: u64) -> Registers {
    let mut registers = Registers::new(pc, sp);
    for number in 0..super::super::super::registers::COUNT as u16 {
        if registers.get(number).is_none() {
            registers.set(number, Some(0));
        }
    }
    registers.set(super::super::super::registers::FRAME, Some(fp));
    registers
}

/// What is said of each frame.
fn said(frames: &[Frame]) -> Vec<(u64, Trust, Kind)> {
    frames.iter().map(|frame| (frame.pc, frame.trust, frame.kind)).collect()
}

/// The return address is undefined: nobody has called it.
const OUTERMOST: &[u8] = &[0x07, 16];

#[test]
fn calls_are_looked_up_where_they_were_made() {
    // The first function calls as its last instruction, so that it returns to where the second begins.
    let functions = [Function(0, b"", &[]), Function(1, b"", &[0x0e, 64]), Function(2, b"", OUTERMOST)];
    let world = World::new(&functions, &[CODE + 0x100, CODE + 0x250, 0]);
    let (frames, end) = world.walk(&registers(CODE + 0x10, STACK, 0), Kind::Stopped);
    let expected = [
        (CODE + 0x10, Trust::Given, Kind::Stopped),
        (CODE + 0x100, Trust::Tables, Kind::Call),
        (CODE + 0x250, Trust::Tables, Kind::Call),
    ];
    assert_eq!((said(&frames), end), (expected.to_vec(), End::Bottom));
    assert_eq!(frames.iter().map(|frame| frame.cfa).collect::<Vec<_>>(), [8, 16, 24].map(|at| Some(STACK + at)));
    assert_eq!(frames[1].lookup(), CODE + 0xff);
}

#[test]
fn a_frame_that_a_signal_came_to_is_looked_up_where_it_was() {
    // Each word of the stack is a saved register; the signal came to the first instruction of the third function.
    let behind = [0x16, 7, 2, 0x77, 16, 0x10, 16, 2, 0x77, 8]; // rsp = rsp + 16; rip at rsp + 8
    let functions = [Function(0, b"", &[]), Function(1, b"S", &behind), Function(2, b"", OUTERMOST)];
    let world = World::new(&functions, &[CODE + 0x150, 0, CODE + 0x200, 0, 0]);
    let (frames, end) = world.walk(&registers(CODE + 0x10, STACK, 0), Kind::Stopped);
    let expected = [
        (CODE + 0x10, Trust::Given, Kind::Stopped),
        (CODE + 0x150, Trust::Tables, Kind::Trampoline),
        (CODE + 0x200, Trust::Tables, Kind::Interrupted),
    ];
    assert_eq!((said(&frames), end), (expected.to_vec(), End::Bottom));
    assert_eq!(frames[2].lookup(), CODE + 0x200);
}

#[test]
fn a_trampoline_without_a_table_is_known_by_its_instructions() {
    let mut words = [0_u64; 24];
    words[0] = MADE; // Where the handler returns to.
    let context = 1;
    let place = |index: usize| context + 5 + index;
    (words[place(15)], words[place(16)]) = (STACK + 8 * 20, CODE + 0x200); // The stack pointer and the program counter.
    words[place(10)] = 77; // The frame pointer.
    let mut world = World::new(&[Function(0, b"", &[]), Function(2, b"", OUTERMOST)], &words);
    world.made[..9].copy_from_slice(b"\x48\xc7\xc0\x0f\0\0\0\x0f\x05");
    let (frames, end) = world.walk(&registers(CODE + 0x10, STACK, 0), Kind::Stopped);
    let expected = [
        (CODE + 0x10, Trust::Given, Kind::Stopped),
        (MADE, Trust::Tables, Kind::Trampoline),
        (CODE + 0x200, Trust::Tables, Kind::Interrupted),
    ];
    assert_eq!((said(&frames), end), (expected.to_vec(), End::Bottom));
    assert_eq!(frames[2].sp, STACK + 8 * 20);
}

#[test]
fn expressions_are_computed() {
    // As in a linkage table: cfa = rsp + 8 + (((rip & 15) >= 11) << 3).
    let linkage = [0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a, 0x33, 0x24, 0x22];
    let functions = [Function(0, b"", &linkage), Function(2, b"", OUTERMOST)];
    let world = World::new(&functions, &[CODE + 0x250, CODE + 0x240]);
    for (pc, caller) in [(CODE + 0x16, CODE + 0x250), (CODE + 0x1b, CODE + 0x240)] {
        let (frames, end) = world.walk(&registers(pc, STACK, 0), Kind::Stopped);
        assert_eq!((frames[1].pc, frames[1].trust, end), (caller, Trust::Tables, End::Bottom));
    }
}

#[test]
fn code_that_was_made_at_run_time_is_passed_by_its_frame_pointers() {
    let words = [1, 2, STACK + 32, MADE + 0x80, STACK + 56, CODE + 0x250, 3, 0, 0];
    let world = World::new(&[Function(2, b"", OUTERMOST)], &words).with_call(MADE + 0x80).with_call(CODE + 0x250);
    let (frames, end) = world.walk(&registers(MADE + 0x10, STACK, STACK + 16), Kind::Stopped);
    let expected = [
        (MADE + 0x10, Trust::Given, Kind::Stopped),
        (MADE + 0x80, Trust::FramePointer, Kind::Call),
        (CODE + 0x250, Trust::FramePointer, Kind::Call),
    ];
    assert_eq!((said(&frames), end), (expected.to_vec(), End::Bottom));
}

#[test]
fn an_overwritten_return_address_is_searched_past() {
    let garbage = 0x4141_4141_4141_4141;
    // What looks like code but has no call before it is no return address.
    let words = [garbage, garbage, CODE + 0x244, garbage, CODE + 0x250, 0];
    let world = World::new(&[Function(0, b"", &[]), Function(2, b"", OUTERMOST)], &words).with_call(CODE + 0x250);
    let (frames, end) = world.walk(&registers(CODE + 0x10, STACK, garbage), Kind::Stopped);
    let expected = [(CODE + 0x10, Trust::Given, Kind::Stopped), (CODE + 0x250, Trust::Search, Kind::Call)];
    assert_eq!((said(&frames), end), (expected.to_vec(), End::Bottom));
    assert_eq!(frames[1].sp, STACK + 40);
    let world = World::new(&[Function(0, b"", &[])], &words);
    let (frames, end) = world.walk(&registers(CODE + 0x10, STACK, garbage), Kind::Stopped);
    assert_eq!((frames.len(), end), (1, End::NotCode(garbage)));
}

#[test]
fn a_jump_to_nowhere_is_repaired() {
    let words = [CODE + 0x50, CODE + 0x250, 0];
    let functions = [Function(0, b"", &[]), Function(2, b"", OUTERMOST)];
    let world = World::new(&functions, &words).with_call(CODE + 0x50);
    for nowhere in [0, 0x4141_4141_4141_4141, STACK] {
        let (frames, end) = world.walk(&registers(nowhere, STACK, 0), Kind::Stopped);
        let expected = [
            (nowhere, Trust::Given, Kind::Stopped),
            (CODE + 0x50, Trust::CallSite, Kind::Call),
            (CODE + 0x250, Trust::Tables, Kind::Call),
        ];
        assert_eq!((said(&frames), end), (expected.to_vec(), End::Bottom));
    }
}

#[test]
fn a_circle_ends() {
    // The frame begins at rbp, and rbp leads back to where it began.
    let to_frame = [0x0c, 6, 16, 0x86, 2];
    let functions = [Function(0, b"", &to_frame)];
    for words in [[STACK, CODE + 0x50, 0, 0], [STACK + 16, CODE + 0x50, STACK, CODE + 0x60]] {
        let (frames, end) = World::new(&functions, &words).walk(&registers(CODE + 0x10, STACK, STACK), Kind::Stopped);
        assert_eq!(end, End::NoProgress);
        assert!(frames.len() < 20, "{}", frames.len());
    }
}

#[test]
fn a_stack_that_ends_too_early_says_where() {
    let functions = [Function(0, b"", &[0x0e, 32])];
    let (frames, end) = World::new(&functions, &[0, 0]).walk(&registers(CODE + 0x10, STACK, 0), Kind::Stopped);
    assert_eq!((frames.len(), end), (1, End::Unreadable(STACK + 24)));
}

#[test]
fn a_thread_that_begins_with_zeroes_has_a_bottom() {
    let world = World::new(&[Function(0, b"", &[])], &[CODE + 0x50, 0, 0]);
    let (frames, end) = world.walk(&registers(CODE + 0x10, STACK, 0), Kind::Stopped);
    assert_eq!((frames.len(), end), (2, End::Bottom));
}

#[test]
fn a_table_without_order_is_gone_through() {
    let functions = [Function(3, b"", &[]), Function(0, b"", &[]), Function(2, b"", OUTERMOST)];
    let mut world = World::new(&functions, &[CODE + 0x350, CODE + 0x250, 0]);
    world.module = module(&functions, false);
    let (frames, end) = world.walk(&registers(CODE + 0x10, STACK, 0), Kind::Stopped);
    assert_eq!((frames.len(), end), (3, End::Bottom));
    assert!(frames[1..].iter().all(|frame| frame.trust == Trust::Tables));
}

#[test]
fn rows_are_kept_and_brought_back() {
    // 4: kept, cfa = rsp + 16; 8: brought back; 12: the return address is where it was at first.
    let program = [0x44, 0x0a, 0x0e, 16, 0x90, 2, 0x44, 0x0b, 0x44, 0x90, 3, 0xd0];
    let functions = [Function(0, b"", &program), Function(2, b"", OUTERMOST)];
    let world = World::new(&functions, &[CODE + 0x250, CODE + 0x240, 0, 0]);
    for (offset, cfa) in [(0, 8), (4, 16), (7, 16), (8, 8), (12, 8)] {
        let (frames, end) = world.walk(&registers(CODE + offset, STACK, 0), Kind::Stopped);
        assert_eq!((frames[0].cfa, frames[1].pc, end), (Some(STACK + cfa), CODE + 0x250, End::Bottom), "{offset}");
    }
}

#[test]
fn what_makes_no_sense_is_no_table() {
    let endless = [0x0f, 3, 0x2f, 0xfd, 0xff];
    let programs: [&[u8]; 8] = [
        &endless,
        &[0x0f, 1, 0x06],                            // Looks at what an empty stack has on top.
        &[0x0f, 2, 0x31, 0xf7],                      // An operation that nobody knows.
        &[0x0b],                                     // Brings back what was not kept.
        &[0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a], // Keeps more than there is room for.
        &[0x3f],                                     // An instruction that nobody knows.
        &[0x0f, 0x7f],                               // Longer than its record.
        &[0x0c, 99, 8],                              // A register that there is not.
    ];
    for program in programs {
        let world = World::new(&[Function(0, b"", program)], &[0, 0]);
        let (frames, end) = world.walk(&registers(CODE + 0x10, STACK, 8), Kind::Stopped);
        assert_eq!((frames.len(), end), (1, End::Lost), "{program:x?}");
    }
}

#[test]
fn any_damage_is_survived() {
    let functions = [Function(0, b"", FRAMED), Function(1, b"S", FRAMED), Function(2, b"", &[0x0f, 2, 0x77, 8])];
    let words: Vec<u64> =
        (0..64).map(|index| if index % 3 == 0 { STACK + index * 8 } else { CODE + index * 13 }).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) as usize % below
    };
    let (mut longest, mut ends) = (0, std::collections::BTreeSet::new());
    for _ in 0..3000 {
        let mut world = World::new(&functions, &words);
        for _ in 0..random(8) {
            let at = [random(0x200), TABLES as usize + random(0x200), TABLES as usize + random(0x100)][random(3)];
            world.module[at] = [0, 1, 0x7f, 0x80, 0xff, random(256) as u8][random(6)];
        }
        for _ in 0..random(8) {
            let at = random(world.stack.len());
            world.stack[at] = random(256) as u8;
        }
        let slices = [(BASE, &world.module[..]), (STACK, &world.stack)];
        let (mut slots, mut names) = ([Slot::EMPTY; 4], [0; 64]);
        let mut modules = Modules::new(&mut slots, &mut names);
        let code = Mapping { span: Span { start: CODE, end: CODE + CODE_SIZE }, offset: 0x1000, ..line() };
        modules.add(&Slices(&slices), &Mapping { is_executable: false, ..line() });
        modules.add(&Slices(&slices), &code);
        let start = registers(CODE + random(0x300) as u64, STACK + random(64) as u64, STACK + random(64) as u64);
        let (frames, end) = frames(&Slices(&slices), &modules, &start, Kind::Stopped);
        longest = longest.max(frames.len());
        ends.insert(format!("{end:?}").split('(').next().unwrap().to_owned());
    }
    assert!(longest > 5 && ends.len() >= 4, "{longest} {ends:?}");
}

fn line() -> Mapping<'static> {
    let mapping = maps::parse(b"100000-101000 r-xp 00000000 fe:01 7 /made").unwrap();
    assert_eq!(mapping.span.start, BASE);
    mapping
}
