//! The report for people: raw lines.
//!
//! ```text
//! *** toolbox: crashed: SIGSEGV: address not mapped (write of 0x0000000000000010: null page, offset 16)
//! program  /usr/bin/thing   pid 4711   thread 4713 "worker-3"   2026-11-21T18:40:12Z
//! rax 0x0000000000000000  rbx 0x0000000000000001  rcx 0x0000000000000000
//! cause    …
//! #0  0x000055d0c0de1139  thing+0x1139
//! #1  0x00007f2a0c046d0a  libc.so.6+0x23d0a
//! module   thing  3f9c…  /usr/bin/thing
//! ```
//!
//! The number behind the module's name is the address as its linker counted, so that `addr2line` takes it, and with the build
//! id it can be resolved on another host. For a frame that has called another it is where the call returns to.

use super::fault::{self, Sort};
use super::modules::{Module, Modules, Origin};
use super::record::{Access, Excerpt, Line, Record, Trace};
use super::signal;
use super::unwind::{End, Frame, Kind, Trust};
use super::writer::{Tone, Writer};

/// How much of a name of a module is shown, in bytes.
const LONGEST_NAME: usize = 64;

/// The first line. Signal-safe.
pub(crate) fn headline(record: &Record, to: &mut Writer) {
    to.tone(Tone::Alarm).text("*** toolbox: crashed: ").text(signal::name(record.signal)).text(": ");
    to.text(signal::code(record.signal, record.code));
    if let Some((process, user)) = record.sender {
        to.text(" (by process ").decimal(u64::from(process)).text(", user ").decimal(u64::from(user)).text(")");
    }
    address_in_words(record, to);
    to.tone(Tone::Plain).text("\n");
}

/// The first lines of a panic. Signal-safe.
pub(crate) fn panic_headline(record: &Record, file: &Excerpt<256>, line: u32, column: u32, to: &mut Writer) {
    to.tone(Tone::Alarm).text("*** toolbox: panicked: ");
    for (index, part) in record.message.as_bytes().split(|byte| *byte == b'\n').enumerate() {
        to.text(if index > 0 { "\n         " } else { "" }).foreign(part);
    }
    to.tone(Tone::Plain).text("\n");
    if line > 0 {
        to.text("at       ").foreign(file.as_bytes()).text(":").decimal(u64::from(line));
        to.text(":").decimal(u64::from(column)).text("\n");
    }
}

/// How an address was accessed and what it is, in parentheses. Signal-safe.
pub(crate) fn address_in_words(record: &Record, to: &mut Writer) {
    let Some(address) = record.address else { return };
    to.text(match record.access {
        Access::Read => " (read of ",
        Access::Write => " (write of ",
        Access::Execute => " (execution of ",
        Access::Unknown => " (address ",
    });
    to.address(address);
    match fault::sort(address) {
        Sort::Null if address == 0 => to.text(": null pointer"),
        Sort::Null => to.text(": null page, offset ").decimal(address),
        Sort::NotCanonical => to.text(": not a canonical address"),
        Sort::Kernel => to.text(": an address of the kernel"),
        Sort::Usual => to,
    };
    to.text(")");
}

/// Who crashed, and when. Signal-safe.
pub(crate) fn identity(record: &Record, program: &[u8], to: &mut Writer) {
    to.text("program  ").foreign(if program.is_empty() { b"(not known)" } else { program });
    to.text("   pid ").decimal(u64::from(record.process));
    to.text("   thread ").decimal(u64::from(record.thread)).text(" \"").foreign(record.thread_name()).text("\"   ");
    to.time(record.time).text("\n");
}

/// Registers, three in a line. Signal-safe.
pub(crate) fn registers(record: &Record, to: &mut Writer) {
    let count = record.registers.named().count();
    for (index, (name, value)) in record.registers.named().enumerate() {
        to.text(name).spaces(4_usize.saturating_sub(name.len()));
        match value {
            Some(value) => to.address(value),
            None => to.text("(not known)       "),
        };
        to.text(if index % 3 == 2 || index + 1 == count { "\n" } else { "  " });
    }
}

/// The last part of a path. Signal-safe.
pub(crate) fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

/// Module and address as its linker counted. Signal-safe.
pub(crate) fn place(pc: u64, modules: &Modules<'_>, to: &mut Writer) {
    let Some(module) = modules.find(pc) else {
        to.text("(no module)");
        return;
    };
    match module.origin {
        Origin::Anonymous => {
            to.text("(code made at run time)+").hex(pc.wrapping_sub(module.span.start));
        }
        Origin::File | Origin::Kernel => {
            let name = file_name(module.path);
            to.foreign(&name[..name.len().min(LONGEST_NAME)]).text("+").hex(pc.wrapping_sub(module.bias));
        }
    }
}

/// What is special about a frame. Signal-safe.
pub(crate) fn remark(frame: &Frame, to: &mut Writer) {
    match frame.kind {
        Kind::Trampoline => to.text("  (signal handler returns here)"),
        Kind::Interrupted => to.text("  (interrupted here)"),
        Kind::Stopped | Kind::Call => to,
    };
    match frame.trust {
        Trust::Given | Trust::Tables => to,
        Trust::FramePointer => to.text("  (by frame pointer)"),
        Trust::CallSite => to.text("  (by return address)"),
        Trust::Search => to.text("  (by search, may be stale)"),
    };
}

/// The frames of a stack, raw. Signal-safe.
pub(crate) fn trace(trace: &Trace, modules: &Modules<'_>, to: &mut Writer) {
    each_line(trace, to, |number, frame, to| {
        frame_number(number, to);
        to.address(frame.pc).text("  ");
        place(frame.pc, modules, to);
        remark(frame, to);
        to.text("\n");
    });
    end(trace, to);
}

/// `#12 `, as wide as two digits need. Signal-safe.
pub(crate) fn frame_number(number: u32, to: &mut Writer) {
    to.text("#").decimal(u64::from(number)).spaces(if number < 10 { 2 } else { 1 });
}

/// Calls `show` for each frame that was kept, and writes what stands for the others. Signal-safe if `show` is.
pub(crate) fn each_line(trace: &Trace, to: &mut Writer, mut show: impl FnMut(u32, &Frame, &mut Writer)) {
    let (before, left_out) = trace.left_out();
    for (index, line) in trace.lines().enumerate() {
        if index == before && left_out > 0 {
            to.text("    ... ").decimal(left_out as u64).text(" lines left out\n");
        }
        match line {
            Line::Frame(number, frame) => show(*number, frame, to),
            Line::Again { calls, times } => {
                to.text("    ... the ").decimal(u64::from(*calls));
                to.text(if *calls == 1 { " frame above comes " } else { " frames above come " });
                to.decimal(u64::from(*times)).text(" times more\n");
            }
        }
    }
}

/// Why a stack ends where it does, if not at its bottom. Signal-safe.
pub(crate) fn end(trace: &Trace, to: &mut Writer) {
    match trace.end() {
        None | Some(End::Bottom | End::Stopped) => return,
        Some(End::TooMany) => to.text("    (no more: ").decimal(trace.frames() as u64).text(" frames are the limit"),
        Some(End::NoProgress) => to.text("    (no more: the next frame would lie inside this one"),
        Some(End::Unreadable(address)) => to.text("    (no more: the stack cannot be read at ").address(address),
        Some(End::Lost) => to.text("    (no more: nothing says where this frame was called from"),
        Some(End::NotCode(address)) => to.text("    (no more: the return address is no code: ").address(address),
    };
    to.text(")\n");
}

/// The modules that frames of the stack are in, each once, with build id and path. Signal-safe.
pub(crate) fn builds(trace: &Trace, modules: &Modules<'_>, to: &mut Writer) {
    for module in modules.iter() {
        let is_used = trace.kept().any(|(_, frame)| module.span.contains(frame.pc));
        if is_used && module.origin != Origin::Anonymous {
            build(&module, to);
        }
    }
}

fn build(module: &Module<'_>, to: &mut Writer) {
    to.text("module   ").foreign(file_name(module.path)).text("  ");
    match module.build_id.as_bytes() {
        [] => to.text("(no build id)"),
        id => to.bytes_hex(id),
    };
    to.text("  ").foreign(module.path);
    to.text(if module.is_deleted { "  (deleted or replaced)\n" } else { "\n" });
}
