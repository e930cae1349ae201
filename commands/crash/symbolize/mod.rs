//! `toolbox crash symbolize`: which function and line an address is in.
//!
//! ```text
//! $ toolbox crash symbolize -e ./server 0x1139
//! 0x1139  square(int) (inlined) at /src/other.c:6:13
//!         hidden+0x1a at /src/other.c:17:9
//! ```
//!
//! The engine is the library's ([`toolbox::crash::symbolize`]); here is what it is asked ([`input`]), how many addresses are
//! shared between threads ([`resolve`]), and how the answers are shown.

mod addr2line;
mod input;
mod names;
mod render;
mod resolve;

use crate::cli::{CrashSymbolize, Format};
use crate::exit::{Exit, hinted};
use crate::ui;
use crate::ui::terminal::Terminal;
use anyhow::Result;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

/// Looks up what was given.
///
/// # Errors
/// Nothing to look up, a file that is not there, or an answer that cannot be written.
pub(super) fn run(arguments: &CrashSymbolize) -> Result<Exit> {
    let input = input::read(arguments)?;
    let folders: Vec<&[u8]> = arguments.symbols.iter().map(|folder| folder.as_os_str().as_bytes()).collect();
    let folders: Vec<&[u8]> = folders.into_iter().chain([&b"/usr/lib/debug"[..]]).collect();
    let demangles = if arguments.addr2line.addr2line { arguments.addr2line.demangle } else { !arguments.no_demangle };
    let threads = arguments
        .threads
        .map_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get), usize::from);
    let answers = resolve::resolve(&input, &folders, demangles, threads);
    // A file that was named and cannot be used at all is no part of an answer.
    if let Some(path) = &arguments.exe
        && input.is_of_one_module()
        && let Some(why) = answers.unusable(0)
    {
        let message = format!("cannot use {}: {why}", path.display());
        return Err(hinted(message, format!("file '{}'", path.display())));
    }
    let terminal = Terminal::new(&arguments.output);
    ui::output::write(|out| match terminal.format {
        _ if arguments.addr2line.addr2line => addr2line::write(out, &input, &answers, &arguments.addr2line),
        Format::Table => render::text(out, &input, &answers, terminal),
        Format::Json => render::json(out, &input, &answers),
        Format::Csv => render::csv(out, &input, &answers),
    })?;
    // As addr2line has it, an address without an answer is an answer.
    let is_whole = arguments.addr2line.addr2line || answers.without_name() == 0;
    Ok(if is_whole { Exit::Done } else { Exit::Partly })
}

/// An address in hexadecimal, with `0x` or without.
fn parse_address(text: &[u8]) -> Option<u64> {
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X")).unwrap_or(text);
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u64::from_str_radix(digits, 16).ok()
}

fn no_address(text: &OsString) -> anyhow::Error {
    let shown = ui::escape::escape(text.as_bytes());
    hinted(format!("'{shown}' is no address"), "toolbox crash symbolize -e ./program 0x1139")
}
