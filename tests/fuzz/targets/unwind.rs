//! Unwinding tables and a stack, whatever is in them: records, their programs, expressions, and what is guessed without
//! them. A walk has to end, and what an earlier one has left behind must make no difference.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::convert::Infallible;
use std::ops::ControlFlow;
use toolbox::crash::maps::Span;
use toolbox::crash::memory::Slices;
use toolbox::crash::modules::{Module, Modules, Slot};
use toolbox::crash::registers::{COUNT, Registers};
use toolbox::crash::unwind::{End, Frame, Kind, Scratch, Tables, Walker};

const BASE: u64 = 0x10_0000;
const TABLES: u64 = BASE + 0x400;
const CODE: u64 = BASE + 0x2000;
const STACK: u64 = 0x7ff0_0000;

/// No input needs more frames.
const MOST: usize = 2000;

/// An ELF file in memory whose code is at [`CODE`] and whose search table is at [`TABLES`].
fn headers(has_table: bool) -> Vec<u8> {
    let mut bytes = b"\x7fELF\x02\x01\x01".to_vec();
    bytes.resize(64, 0);
    (bytes[32], bytes[54], bytes[56]) = (64, 56, 3);
    let table = if has_table { 0x6474_e550_u32 } else { 0 };
    for (kind, flags, offset, size) in [(1, 4, 0, 0x2000), (1, 5, 0x2000, 0x1000), (table, 4, 0x400, 0x1000_u64)] {
        bytes.extend([kind, flags].map(u32::to_le_bytes).concat());
        bytes.extend([offset, BASE + offset, BASE + offset, size, size, 8].map(u64::to_le_bytes).concat());
    }
    bytes.resize(0x400, 0);
    bytes
}

/// The same bytes stand for the tables of the file.
struct File<'a>(&'a [u8], bool);

impl Tables for File<'_> {
    fn debug_frame(&self, _module: &Module<'_>) -> Option<&[u8]> {
        Some(self.0)
    }

    fn eh_frame(&self, _module: &Module<'_>) -> Option<Span> {
        self.1.then_some(Span { start: TABLES, end: TABLES + self.0.len() as u64 })
    }
}

fuzz_target!(|input: &[u8]| {
    // Where the thread is, how its tables are found, its code, its stack; the rest is tables.
    let Some((head, rest)) = input.split_at_checked(8) else { return };
    let Some((code, rest)) = rest.split_at_checked(64) else { return };
    let Some((stack, tables)) = rest.split_at_checked(256) else { return };
    let module = [&headers(head[0] & 1 != 0), &tables[..tables.len().min(0x1000)]].concat();
    let code = code.repeat(64);
    let slices = [(BASE, &module[..]), (CODE, &code), (STACK, stack)];
    let memory = Slices(&slices);

    let mut text = &b"100000-102000 r--p 0 fe:01 7 /made\n102000-103000 r-xp 2000 fe:01 7 /made\n"[..];
    let (mut slots, mut names) = ([Slot::EMPTY; 2], [0; 16]);
    let mut modules = Modules::new(&mut slots, &mut names);
    let read = |into: &mut [u8]| Ok::<_, Infallible>(std::io::Read::read(&mut text, into).unwrap_or(0));
    let Ok(()) = modules.read_maps(&memory, &mut [0; 128], read);

    let mut start = Registers::new(CODE + u64::from(head[1]), STACK + u64::from(head[2]));
    for number in 0..COUNT as u16 {
        if start.get(number).is_none() {
            start.set(number, Some(STACK + u64::from(head[3 + usize::from(number) % 4])));
        }
    }
    let kind = if head[0] & 2 != 0 { Kind::Stopped } else { Kind::Call };
    let file = File(tables, head[0] & 4 != 0);
    let mut scratch = Scratch::new();
    let mut walk = || -> (Vec<Frame>, End) {
        let mut frames = Vec::new();
        let end =
            Walker::new(&memory, &modules, &mut scratch).tables(&file).at_most(MOST).run(&start, kind, &mut |frame| {
                frames.push(*frame);
                ControlFlow::Continue(())
            });
        (frames, end)
    };
    let first = walk();
    assert!(!first.0.is_empty() && first.0.len() <= MOST);
    assert_eq!(first, walk());
});
