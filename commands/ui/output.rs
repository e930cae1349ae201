//! Standard output: written once, in whole, with every error seen.
//!
//! The answer of a command is put together first and then written, so that a progress line never mixes with it, and
//! flushed, so that a full disk is noticed. A pipe that its reader closed is no error to speak of ([`crate::exit`]).

use anyhow::{Context, Result};
use std::io::{BufWriter, Write};

/// Hands `write` a buffered stdout, and flushes it.
///
/// # Errors
/// Whatever writing meets: a full disk, a closed pipe.
pub(crate) fn write(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    write(&mut out).and_then(|()| out.flush()).context("cannot write to standard output")
}
