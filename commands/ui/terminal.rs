//! What the terminal can show: whether there is one, how wide it is, whether it takes colour and more than ASCII.

use crate::cli::{Color, Format, Output};
use std::env;
use std::io::IsTerminal;
use std::os::fd::AsFd;

/// How to print, settled once from the options, the environment and the streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    /// Table, JSON or CSV.
    pub(crate) format: Format,
    /// Columns to fit a table in; none when piped, where nothing is cut.
    pub(crate) width: Option<usize>,
    /// Whether stdout takes colour.
    pub(crate) color: bool,
    /// Whether to keep to ASCII.
    pub(crate) ascii: bool,
    /// Errors only.
    pub(crate) quiet: bool,
    /// Whether progress may be drawn on stderr.
    pub(crate) progress: bool,
}

const DEFAULT_WIDTH: usize = 80;

impl Terminal {
    /// Settles how to print.
    pub(crate) fn new(output: &Output) -> Self {
        let (out, err) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            format: output.format,
            width: out.then(width),
            color: takes_color(output.color, out, dumb),
            ascii: output.ascii || !is_utf8_locale(),
            quiet: output.quiet,
            progress: err && !dumb && !output.quiet,
        }
    }
}

/// Whether a stream takes colour.
fn takes_color(asked: Color, is_terminal: bool, dumb: bool) -> bool {
    match asked {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => is_terminal && !dumb && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// The terminal's width: what `COLUMNS` says, or else the terminal.
fn width() -> usize {
    let told = env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|&columns| columns > 0);
    told.unwrap_or_else(|| width_of(std::io::stdout()))
}

/// The width that the terminal behind `stream` has, or 80 where it has none.
pub(crate) fn width_of(stream: impl AsFd) -> usize {
    let size = rustix::termios::tcgetwinsize(stream);
    size.map(|size| usize::from(size.ws_col)).ok().filter(|&width| width > 0).unwrap_or(DEFAULT_WIDTH)
}

/// Whether the locale's characters are UTF-8: by the first of the three variables that is set, as libc has it.
pub(crate) fn is_utf8_locale() -> bool {
    let set = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}
