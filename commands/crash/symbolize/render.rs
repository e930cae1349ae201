//! The answers: as text, as JSON, as CSV.

use super::input::{Input, Query};
use super::names::NONE;
use super::resolve::{Answers, NOTHING, Named};
use crate::ui::csv;
use crate::ui::escape::{escape, escape_ascii};
use crate::ui::json::{Document, object};
use crate::ui::terminal::Terminal;
use serde_json::Value;
use std::io::{Result, Write};

/// Text: an address with its frames below each other, or a report with names below its frames.
pub(super) fn text(out: &mut dyn Write, input: &Input, answers: &Answers, terminal: Terminal) -> Result<()> {
    let shown = |text: &str| if terminal.ascii { escape_ascii(text.as_bytes()) } else { escape(text.as_bytes()) };
    let mut line = String::new();
    let mut write = |out: &mut dyn Write, index: usize, first: &str, indent: &str| -> Result<()> {
        let mut begin = first;
        for frame in answers.frames(index) {
            line.clear();
            line.push_str(begin);
            frame_text(&mut line, frame, answers, &shown);
            line.push('\n');
            out.write_all(line.as_bytes())?;
            begin = indent;
        }
        match answers.why(index) {
            Some(why) if answers.frames(index).is_empty() => writeln!(out, "{first}no name: {why}"),
            _ => Ok(()),
        }
    };
    if input.lines.is_empty() {
        let width = input.queries.iter().map(|query| label(input, query).len()).max().unwrap_or(0);
        let indent = " ".repeat(width + 2);
        for (index, query) in input.queries.iter().enumerate() {
            let first = format!("{:width$}  ", shown(&label(input, query)));
            write(out, index, &first, &indent)?;
        }
        return Ok(());
    }
    for (raw, query) in &input.lines {
        writeln!(out, "{}", shown(&String::from_utf8_lossy(raw)))?;
        if let Some(index) = query {
            write(out, *index, "      ", "      ")?;
        }
    }
    Ok(())
}

/// What a query is called: its address, and the file where there are several.
fn label(input: &Input, query: &Query) -> String {
    if input.is_of_one_module() {
        return format!("{:#x}", query.shown);
    }
    let path = input.modules.get(query.module).map(|module| String::from_utf8_lossy(&module.path));
    format!("{}+{:#x}", path.unwrap_or_default(), query.shown)
}

fn frame_text(line: &mut String, frame: &Named, answers: &Answers, shown: &dyn Fn(&str) -> String) {
    use std::fmt::Write;
    match answers.texts.function(frame.function) {
        Some(name) => line.push_str(&shown(name)),
        None => line.push_str("(no name)"),
    }
    if frame.inlined {
        line.push_str(" (inlined)");
    } else if frame.offset != NONE {
        // Writing to a string does not fail.
        let _ = write!(line, "+{:#x}", frame.offset);
    }
    let Some(source) = answers.texts.source(frame.source) else { return };
    let _ = write!(line, " at {}", shown(source));
    for (number, before) in [(frame.line, ":"), (frame.column, ":"), (frame.discriminator, " discriminator ")] {
        if number > 0 {
            let _ = write!(line, "{before}{number}");
        }
    }
}

/// JSON: a list of addresses, each with its frames.
pub(super) fn json(out: &mut dyn Write, input: &Input, answers: &Answers) -> Result<()> {
    let mut document = Document::open(out, "toolbox.crash.symbolize/1")?;
    let one = |(index, query): (usize, &Query)| {
        let frames: Vec<Value> = answers.frames(index).iter().map(|frame| frame_json(frame, answers)).collect();
        let module = &input.modules[query.module];
        // An address has more digits than some readers of JSON keep of a number.
        Value::from(object! {
            "address" => format!("{:#x}", query.shown),
            "looked_up" => format!("{:#x}", query.address),
            "module" => String::from_utf8_lossy(&module.path).into_owned(),
            "build_id" => (!module.build_id.is_empty()).then(|| hexadecimal(&module.build_id)),
            "frames" => frames,
            "why" => answers.why(index).map(|why| why.in_words()),
        })
    };
    document.list("addresses", input.queries.iter().enumerate().map(one))?;
    document.close()
}

fn frame_json(frame: &Named, answers: &Answers) -> Value {
    let some = |number: u32| (number > 0).then_some(number);
    let raw = answers.texts.raw(frame.function).map(|raw| String::from_utf8_lossy(raw).into_owned());
    Value::from(object! {
        "function" => answers.texts.function(frame.function),
        "linkage_name" => raw,
        "offset" => (frame.offset != NONE).then_some(frame.offset),
        "file" => answers.texts.source(frame.source),
        "line" => some(frame.line),
        "column" => some(frame.column),
        "discriminator" => some(frame.discriminator),
        "inlined" => frame.inlined,
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// CSV: a line for each frame; an address without one has a line as well.
pub(super) fn csv(out: &mut dyn Write, input: &Input, answers: &Answers) -> Result<()> {
    const HEADS: [&[u8]; 12] = [
        b"address",
        b"module",
        b"build_id",
        b"depth",
        b"function",
        b"linkage_name",
        b"offset",
        b"file",
        b"line",
        b"column",
        b"inlined",
        b"why",
    ];
    out.write_all(&csv::line(HEADS))?;
    for (index, query) in input.queries.iter().enumerate() {
        let module = &input.modules[query.module];
        let why = answers.why(index).map_or("", |why| why.in_words());
        let frames = answers.frames(index);
        for (depth, frame) in if frames.is_empty() { std::slice::from_ref(&NOTHING) } else { frames }.iter().enumerate()
        {
            let some = |number: u32| if number > 0 { number.to_string() } else { String::new() };
            let offset = if frame.offset == NONE { String::new() } else { frame.offset.to_string() };
            out.write_all(&csv::line([
                format!("{:#x}", query.shown).as_bytes(),
                &module.path,
                hexadecimal(&module.build_id).as_bytes(),
                depth.to_string().as_bytes(),
                answers.texts.function(frame.function).unwrap_or_default().as_bytes(),
                answers.texts.raw(frame.function).unwrap_or_default(),
                offset.as_bytes(),
                answers.texts.source(frame.source).unwrap_or_default().as_bytes(),
                some(frame.line).as_bytes(),
                some(frame.column).as_bytes(),
                if frame.inlined { b"1" } else { b"0" },
                why.as_bytes(),
            ]))?;
        }
    }
    Ok(())
}
