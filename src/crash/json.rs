//! The report for programs: one object, in the form that `"schema": "toolbox.crash/1"` stands for.
//!
//! Numbers that are addresses are strings in hexadecimal, since JSON's numbers are not exact beyond 2⁵³. Text that is no UTF-8
//! is an object with the bytes in base64. Fields are added, never renamed. A report that was cut short (a crash of this part,
//! no time left) is no whole object: `"end"` is its last field.

use super::fault;
use super::modules::{Modules, Origin};
use super::record::{Access, Line, Record, Trace};
use super::signal;
use super::unwind::{End, Frame, Kind, Trust};
use super::writer::Writer;

/// What adds fields about the functions of a frame: nothing, or a comma first.
pub(crate) type Functions<'a> = dyn FnMut(&Frame, &mut Writer) + 'a;

/// A string. Signal-safe.
pub(crate) fn string(bytes: &[u8], to: &mut Writer) {
    if core::str::from_utf8(bytes).is_err() {
        to.text("{\"base64\":\"");
        base64(bytes, to);
        to.text("\"}");
        return;
    }
    to.text("\"");
    for byte in bytes {
        match byte {
            b'"' => to.text("\\\""),
            b'\\' => to.text("\\\\"),
            b'\n' => to.text("\\n"),
            b'\t' => to.text("\\t"),
            0..b' ' | 0x7f => to.text("\\u").digits(u64::from(*byte), 16, 4),
            _ => to.raw(core::slice::from_ref(byte)),
        };
    }
    to.text("\"");
}

fn base64(bytes: &[u8], to: &mut Writer) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * index) & 63) as usize];
            to.raw(&[if index > chunk.len() { b'=' } else { digit }]);
        }
    }
}

/// `,"name":"0x…"`. Signal-safe.
fn address(name: &str, address: u64, to: &mut Writer) {
    to.text(",\"").text(name).text("\":\"").hex(address).text("\"");
}

/// `,"name":7`. Signal-safe.
fn number(name: &str, number: u64, to: &mut Writer) {
    to.text(",\"").text(name).text("\":").decimal(number);
}

/// `,"name":"text"`. Signal-safe.
pub(crate) fn text(name: &str, text: &[u8], to: &mut Writer) {
    to.text(",\"").text(name).text("\":");
    string(text, to);
}

/// Everything up to the frames of the thread that crashed. Signal-safe.
pub(crate) fn head(record: &Record, program: &[u8], to: &mut Writer) {
    to.text("{\"schema\":\"toolbox.crash/1\"");
    text("program", program, to);
    number("process", record.process.into(), to);
    number("thread", record.thread.into(), to);
    text("thread_name", record.thread_name(), to);
    number("time", record.time, to);
    if record.signal == 0 {
        text("kind", b"panic", to);
    } else {
        text("kind", b"signal", to);
        text("signal", signal::name(record.signal).as_bytes(), to);
        number("signal_number", record.signal.unsigned_abs().into(), to);
        to.text(",\"code\":").text(if record.code < 0 { "-" } else { "" }).decimal(record.code.unsigned_abs().into());
        text("reason", signal::code(record.signal, record.code).as_bytes(), to);
    }
    if let Some((process, user)) = record.sender {
        to.text(",\"sender\":{\"process\":").decimal(process.into()).text(",\"user\":").decimal(user.into()).text("}");
    }
    if let Some(fault) = record.address {
        address("address", fault, to);
        text("address_kind", kind_of_address(record, fault), to);
    }
    match record.access {
        Access::Read => text("access", b"read", to),
        Access::Write => text("access", b"write", to),
        Access::Execute => text("access", b"execute", to),
        Access::Unknown => {}
    }
    if let Some(stack) = record.overflowed {
        number("stack_bytes", stack.length(), to);
    }
    if !record.message.as_bytes().is_empty() {
        text("message", record.message.as_bytes(), to);
    }
    if record.signal != 0 {
        to.text(",\"registers\":{");
        for (index, (name, value)) in record.registers.named().enumerate() {
            to.text(if index > 0 { ",\"" } else { "\"" }).text(name).text("\":");
            match value {
                Some(value) => to.text("\"").hex(value).text("\""),
                None => to.text("null"),
            };
        }
        to.text("}");
    }
}

fn kind_of_address(record: &Record, address: u64) -> &'static [u8] {
    match fault::sort(address) {
        _ if record.overflowed.is_some() => b"stack overflow",
        fault::Sort::Null => b"null page",
        fault::Sort::NotCanonical => b"not canonical",
        fault::Sort::Kernel => b"kernel",
        fault::Sort::Usual => b"usual",
    }
}

/// `,"frames":[…],"frames_end":"…"`. Signal-safe if `functions` is.
pub(crate) fn trace(trace: &Trace, modules: &Modules<'_>, functions: &mut Functions<'_>, to: &mut Writer) {
    to.text(",\"frame_count\":").decimal(trace.frames() as u64).text(",\"frames\":[");
    let (before, left_out) = trace.left_out();
    for (index, line) in trace.lines().enumerate() {
        to.text(if index > 0 { "," } else { "" });
        if index == before && left_out > 0 {
            to.text("{\"left_out\":").decimal(left_out as u64).text("},");
        }
        match line {
            Line::Frame(number, frame) => self::frame(*number, frame, modules, functions, to),
            Line::Again { calls, times } => {
                to.text("{\"again\":{\"frames\":").decimal((*calls).into());
                to.text(",\"times\":").decimal((*times).into()).text("}}");
            }
        }
    }
    to.text("]");
    text("frames_end", end(trace.end()), to);
}

fn end(end: Option<End>) -> &'static [u8] {
    match end {
        None => b"not walked",
        Some(End::Bottom) => b"bottom",
        Some(End::Stopped | End::TooMany) => b"limit",
        Some(End::NoProgress) => b"no progress",
        Some(End::Unreadable(_)) => b"unreadable",
        Some(End::NotCode(_)) => b"not code",
        Some(End::Lost) => b"lost",
    }
}

fn frame(number: u32, frame: &Frame, modules: &Modules<'_>, functions: &mut Functions<'_>, to: &mut Writer) {
    to.text("{\"number\":").decimal(number.into());
    address("pc", frame.pc, to);
    let kind: &[u8] = match frame.kind {
        Kind::Stopped => b"stopped",
        Kind::Call => b"call",
        Kind::Trampoline => b"trampoline",
        Kind::Interrupted => b"interrupted",
    };
    text("kind", kind, to);
    let trust: &[u8] = match frame.trust {
        Trust::Given => b"given",
        Trust::Tables => b"tables",
        Trust::FramePointer => b"frame pointer",
        Trust::CallSite => b"return address",
        Trust::Search => b"search",
    };
    text("trust", trust, to);
    if let Some(module) = modules.find(frame.lookup()) {
        text("module", module.path, to);
        if module.origin != Origin::Anonymous {
            address("offset", frame.pc.wrapping_sub(module.bias), to);
        }
        if !module.build_id.as_bytes().is_empty() {
            to.text(",\"build_id\":\"").bytes_hex(module.build_id.as_bytes()).text("\"");
        }
    }
    functions(frame, to);
    to.text("}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::sink::{Deadline, Sink};
    use std::io::Read;
    use std::os::fd::AsRawFd;

    fn check(bytes: &[u8], expected: &str) {
        let (mut reader, pipe) = std::io::pipe().unwrap();
        let mut writer = Box::new(Writer::NONE);
        let sinks = [Sink::keep(pipe.as_raw_fd()).unwrap(), Sink::NONE];
        writer.begin(sinks, [false; 2], Deadline::in_ms(1000));
        drop(pipe);
        string(bytes, &mut writer);
        writer.flush();
        writer.sinks()[0].close();
        let mut found = String::new();
        reader.read_to_string(&mut found).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn strings_are_exact() {
        check("a\"b\\c\nd\u{1}ä".as_bytes(), "\"a\\\"b\\\\c\\nd\\u0001ä\"");
        check(b"\xff", "{\"base64\":\"/w==\"}");
        check(b"\xff\xfe", "{\"base64\":\"//4=\"}");
        check(b"Man\xff\xfe\xfd", "{\"base64\":\"TWFu//79\"}");
    }
}
