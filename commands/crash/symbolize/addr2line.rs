//! The output of addr2line from the GNU binutils, as scripts read it: one address after the other, unknown things as `??`.

use super::input::Input;
use super::resolve::{Answers, NOTHING, Named};
use crate::cli::Addr2line;
use std::io::{Result, Write};

/// Writes all answers.
pub(super) fn write(out: &mut dyn Write, input: &Input, answers: &Answers, options: &Addr2line) -> Result<()> {
    for (index, query) in input.queries.iter().enumerate() {
        if options.with_addresses {
            let end = if options.pretty_print { ": " } else { "\n" };
            write!(out, "{:#018x}{end}", query.shown)?;
        }
        let frames = answers.frames(index);
        let frames = if frames.is_empty() { std::slice::from_ref(&NOTHING) } else { frames };
        let count = if options.inlines { frames.len() } else { 1 };
        for (depth, frame) in frames.iter().take(count).enumerate() {
            if depth > 0 && options.pretty_print {
                out.write_all(b" (inlined by) ")?;
            }
            if options.functions {
                let name = answers.texts.function(frame.function).unwrap_or("??");
                write!(out, "{name}{}", if options.pretty_print { " at " } else { "\n" })?;
            }
            place(out, frame, answers, options.basenames)?;
        }
    }
    Ok(())
}

fn place(out: &mut dyn Write, frame: &Named, answers: &Answers, basenames: bool) -> Result<()> {
    let Some(source) = answers.texts.source(frame.source) else { return out.write_all(b"??:0\n") };
    let source = if basenames { source.rsplit('/').next().unwrap_or(source) } else { source };
    match (frame.line, frame.discriminator) {
        (0, _) => writeln!(out, "{source}:?"),
        (line, 0) => writeln!(out, "{source}:{line}"),
        (line, discriminator) => writeln!(out, "{source}:{line} (discriminator {discriminator})"),
    }
}
