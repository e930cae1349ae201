//! The report for people: names and lines. It runs in the child.
//!
//! ```text
//! *** names
//! #0  explode(int*) at /src/thing.c:12:8  thing+0x1139
//!        11 |
//!   >    12 |     *p = 1;
//!        13 | }
//! #1  (inlined) step at /src/thing.c:20:5
//! #1  main at /src/thing.c:31:9  thing+0x1172
//! ```
//!
//! Functions that were inlined into each other share the number of their frame, the innermost first. A frame without a name
//! says why. The source is shown once, for the first frame whose file is there.
//!
//! # Safety
//!
//! The kernel's own module is read where the kernel has mapped it.
#![allow(unsafe_code)]

use super::install::Setup;
use super::json;
use super::modules::{Module, Modules, Origin};
use super::record::Trace;
use super::render::Render;
use super::symbolize::{Place, Source, Symbolizer, Wanted, demangle};
use super::text;
use super::unwind::Frame;
use super::writer::{Tone, Writer};
use crate::sys::raw;
use core::ffi::CStr;

/// How much of a name is shown, in bytes.
const LONGEST_NAME: usize = 512;
/// How many lines of source are shown before and behind the one that counts.
const AROUND: u32 = 2;
/// How much of a line of source is shown, in bytes.
const LONGEST_LINE: usize = 160;
/// How far into a source file is looked, in bytes.
const MOST_SOURCE: usize = 4 << 20;

/// What the names of a trace are made with.
pub(crate) struct Names<'a, 'arena> {
    pub(crate) setup: &'a Setup,
    pub(crate) symbolizer: Symbolizer<'arena>,
    /// Whether the source is still to be shown.
    pub(crate) source: bool,
    /// Whether it is the stack of a panic.
    pub(crate) is_panic: bool,
}

impl Render for Names<'_, '_> {
    /// All frames of a trace, but for those of a panic's own machinery at its beginning.
    fn show(&mut self, trace: &Trace, modules: &Modules<'_>, to: &mut Writer) {
        let first = if self.is_panic { self.behind_panic(trace, modules) } else { 0 };
        text::each_line(trace, to, |number, frame, to| {
            if number >= first {
                self.frame(number, frame, modules, to);
            }
        });
        text::end(trace, to);
        // The first stack is that of the thread that crashed; others are shown without.
        (self.source, self.is_panic) = (false, false);
    }

    fn tell(&mut self, frame: &Frame, modules: &Modules<'_>, to: &mut Writer) {
        self.functions(frame, modules, to);
    }
}

impl Names<'_, '_> {
    /// The number of the first frame behind the machinery of a panic; 0 when there was none.
    fn behind_panic(&mut self, trace: &Trace, modules: &Modules<'_>) -> u32 {
        /// How deep that machinery may be.
        const DEEPEST: usize = 16;
        let mut first = 0;
        for (number, frame) in trace.kept().take(DEEPEST) {
            let address = frame.lookup();
            let Some(module) = modules.find(address) else { continue };
            let wanted = wanted(self.setup, &module);
            let (mut is_begin, mut is_core) = (false, false);
            let _ = self.symbolizer.place(&wanted, address.wrapping_sub(module.bias), &mut |place| {
                let name = place.function.unwrap_or_default();
                let has = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
                is_begin |= has(b"rust_begin_unwind");
                is_core |= has(b"4core9panicking");
            });
            if is_begin || (is_core && first > 0 && number == first) {
                first = number + 1;
            }
        }
        first
    }

    /// Fields of JSON about the functions of one frame.
    fn functions(&mut self, frame: &Frame, modules: &Modules<'_>, to: &mut Writer) {
        let address = frame.lookup();
        let Some(module) = modules.find(address).filter(|module| module.origin != Origin::Anonymous) else { return };
        let wanted = wanted(self.setup, &module);
        to.text(",\"functions\":[");
        let mut is_first = true;
        let found = self.symbolizer.place(&wanted, address.wrapping_sub(module.bias), &mut |place| {
            to.text(if is_first { "" } else { "," }).text("{\"inlined\":").text(if place.inlined {
                "true"
            } else {
                "false"
            });
            is_first = false;
            if let Some(mangled) = place.function {
                let mut buffer = [0; LONGEST_NAME];
                let name = demangle::demangle_in(mangled, &mut buffer).map_or(mangled, str::as_bytes);
                json::text("name", name, to);
            }
            let mut path = [0; 4096];
            if let Some(path) = place.source.and_then(|source| joined(&source, &mut path)) {
                json::text("file", path.to_bytes(), to);
                to.text(",\"line\":").decimal(place.line.into()).text(",\"column\":").decimal(place.column.into());
            }
            to.text("}");
        });
        to.text("]");
        if let Err(why) = found {
            json::text("no_name", why.in_words().as_bytes(), to);
        }
    }

    /// One frame: a line for each function that it stands for.
    fn frame(&mut self, number: u32, frame: &Frame, modules: &Modules<'_>, to: &mut Writer) {
        let address = frame.lookup();
        let Some(module) = modules.find(address).filter(|module| module.origin != Origin::Anonymous) else {
            text::frame_number(number, to);
            to.text("?? ").address(frame.pc).text("  ");
            text::place(frame.pc, modules, to);
            text::remark(frame, to);
            to.text("\n");
            return;
        };
        let wanted = wanted(self.setup, &module);
        let wants_source = self.source;
        let mut shown = Shown { is_open: false, source: false };
        let found = self.symbolizer.place(&wanted, address.wrapping_sub(module.bias), &mut |place| {
            text::frame_number(number, to);
            function(place, to);
            if !place.inlined {
                to.text("  ");
                text::place(frame.pc, modules, to);
                text::remark(frame, to);
                shown.is_open = true;
            }
            to.text("\n");
            if wants_source && !shown.source {
                shown.source = source(place, to);
            }
        });
        self.source &= !shown.source;
        if !shown.is_open {
            text::frame_number(number, to);
            to.text("?? ").address(frame.pc).text("  ");
            text::place(frame.pc, modules, to);
            text::remark(frame, to);
            if let Err(why) = found {
                to.text("  (").text(why.in_words()).text(")");
            }
            to.text("\n");
        }
    }
}

/// What was shown of a frame.
struct Shown {
    /// Whether the function that was not inlined was shown, and with it the place in the module.
    is_open: bool,
    source: bool,
}

/// Which file a module is.
fn wanted<'a>(setup: &Setup, module: &'a Module<'a>) -> Wanted<'a> {
    let length = (module.span.end - module.span.start) as usize;
    // SAFETY: the kernel maps its module into every process for as long as it lives, for reading.
    let kernel = || unsafe { core::slice::from_raw_parts(module.span.start as *const u8, length) };
    let is_program = module.span.contains(setup.auxiliary.program_headers);
    Wanted {
        path: module.path,
        build_id: module.build_id.as_bytes(),
        mapped: (module.mapping.start, module.mapping.end),
        is_program,
        descriptor: setup.executable().filter(|_| is_program),
        image: (module.origin == Origin::Kernel).then(kernel),
    }
}

/// Name, file and line of one function.
fn function(place: &Place<'_>, to: &mut Writer) {
    if place.inlined {
        to.text("(inlined) ");
    }
    to.tone(Tone::Name);
    match place.function {
        Some(mangled) => {
            let mut buffer = [0; LONGEST_NAME];
            match demangle::demangle_in(mangled, &mut buffer) {
                Some(name) => to.foreign(name.as_bytes()),
                None => to.foreign(&mangled[..mangled.len().min(LONGEST_NAME)]),
            }
        }
        None => to.text("??"),
    };
    to.tone(Tone::Plain);
    let Some(source) = place.source else { return };
    to.text(" at ");
    for (index, piece) in source.pieces().enumerate() {
        if index > 0 {
            to.text("/");
        }
        to.foreign(piece);
    }
    if place.line > 0 {
        to.text(":").decimal(u64::from(place.line));
    }
    if place.line > 0 && place.column > 0 {
        to.text(":").decimal(u64::from(place.column));
    }
    if place.discriminator > 0 {
        to.text(" (discriminator ").decimal(u64::from(place.discriminator)).text(")");
    }
}

/// The path of a source file, whole; none when it is too long.
fn joined<'a>(source: &Source<'_>, into: &'a mut [u8; 4096]) -> Option<&'a CStr> {
    let mut length = 0;
    for (index, piece) in source.pieces().enumerate() {
        let separator: &[u8] = if index > 0 { b"/" } else { b"" };
        for byte in separator.iter().chain(piece) {
            *into[..4095].get_mut(length)? = *byte;
            length += 1;
        }
    }
    CStr::from_bytes_until_nul(into).ok()
}

/// Shows the source around a line; whether the file was there.
fn source(place: &Place<'_>, to: &mut Writer) -> bool {
    let Some(source) = place.source.filter(|_| place.line > 0) else { return false };
    let mut path = [0; 4096];
    let Some(path) = joined(&source, &mut path) else { return false };
    let flags = libc::O_RDONLY | libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
    let Ok(file) = raw::open(libc::AT_FDCWD, path, flags, 0) else { return false };
    let is_file = raw::identity(file).is_ok_and(|about| about.kind == raw::Kind::Regular);
    let is_shown = is_file && lines(file, place.line, to);
    raw::close(file);
    is_shown
}

/// Copies the lines around `line` of an open file.
fn lines(file: i32, line: u32, to: &mut Writer) -> bool {
    let mut buffer = [0; 4096];
    let (mut number, mut column, mut is_shown, mut total) = (1_u32, 0_usize, false, 0);
    let first = line.saturating_sub(AROUND).max(1);
    while let Ok(length @ 1..) = raw::read(file, &mut buffer) {
        for byte in &buffer[..length] {
            if number >= first && column == 0 {
                to.text(if number == line { "  > " } else { "    " });
                let width = if number < 10_000 { 5 } else { 8 };
                let digits = number.ilog10() as usize + 1;
                to.spaces(width - digits).decimal(u64::from(number)).text(" | ");
                is_shown = true;
            }
            if *byte == b'\n' {
                if number >= first {
                    to.text("\n");
                }
                (number, column) = (number + 1, 0);
                if number > line.saturating_add(AROUND) {
                    return is_shown;
                }
                continue;
            }
            if number >= first && column < LONGEST_LINE {
                to.foreign(if *byte == b'\t' { b"    " } else { core::slice::from_ref(byte) });
            }
            column += 1;
        }
        total += length;
        if total > MOST_SOURCE {
            break;
        }
    }
    if is_shown && column > 0 {
        to.text("\n");
    }
    is_shown
}
