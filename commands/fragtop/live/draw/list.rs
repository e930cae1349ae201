//! The ranking: how far the scan is, the files, and what can be pressed.

use super::super::scanner::Stage;
use super::super::state::Model;
use super::{Pen, Tone, right};
use crate::ui::bars::bar;
use crate::ui::numbers;
use toolbox::fragment::{FileReport, Key};
use unicode_width::UnicodeWidthStr;

/// What can be pressed, the most needed first.
const PROMPTS: [&str; 9] =
    ["? help", "q quit", "Enter details", "s sort", "r reverse", "/ filter", "e failures", "x stop", "R rescan"];

/// The least room for a path beside the columns.
const PATH: usize = 24;
/// Room for the filter where it is one word among others.
const NAMED: usize = 20;
/// Room for the bars, where the screen is wide.
const BAR: usize = 12;

/// A column of numbers.
struct Column {
    key: Option<Key>,
    head: &'static str,
    width: usize,
    value: fn(&FileReport, bool) -> String,
}

/// Every column, in the order in which they stand.
const COLUMNS: [Column; 6] = [
    Column { key: Some(Key::Fragments), head: "fragments", width: 11, value: fragments },
    Column { key: None, head: "ideal", width: 6, value: |file, _| numbers::count(file.layout.ideal) },
    Column { key: Some(Key::Surplus), head: "surplus", width: 9, value: |file, _| numbers::count(surplus(file)) },
    Column {
        key: Some(Key::Excess),
        head: "excess",
        width: 9,
        value: |file, _| numbers::nanoseconds(file.layout.excess_ns),
    },
    Column { key: Some(Key::Size), head: "size", width: 10, value: |file, _| numbers::bytes(file.size_bytes) },
    Column { key: Some(Key::Extents), head: "extents", width: 9, value: |file, _| numbers::count(file.layout.extents) },
];

/// Columns by how much they are missed: indexes into [`COLUMNS`].
const BY_NEED: [usize; 5] = [0, 4, 3, 1, 5];

pub(super) fn draw(pen: &mut Pen<'_>, model: &mut Model) {
    let (above, below) = frame_lines(pen.height());
    status(pen, model);
    if above > 2 {
        place(pen, model);
    }
    if above > 3 {
        let choice = choice(pen, model);
        pen.line(2, &choice, Tone::Plain);
    }
    let page = pen.height().saturating_sub(above + below);
    let shown = model.shown().len();
    model.list.fit(shown, page);
    files(pen, model, above);
    if below > 0 {
        footer(pen, model);
    }
}

/// Lines above the files and below them, on a screen of so many.
fn frame_lines(height: usize) -> (usize, usize) {
    match height {
        0..=2 => (1, 0),
        3..=7 => (2, 1),
        8..=11 => (3, 1),
        _ => (4, 1),
    }
}

fn status(pen: &mut Pen<'_>, model: &Model) {
    let progress = &model.progress;
    let (stage, tone) = match progress.stage {
        Stage::Running => ("scanning", Tone::Title),
        Stage::Done => ("done", Tone::Title),
        Stage::Partial => ("stopped, partial", Tone::Alarm),
    };
    let seconds = progress.elapsed.as_secs_f64();
    let files = numbers::things(progress.counts.files, "file");
    let rate = format!("{}/s", numbers::count((progress.counts.files as f64 / seconds.max(0.001)) as u64));
    let failures = numbers::things(progress.failures.serious(), "failure");
    let notes = progress.failures.iter().filter(|(cause, _)| cause.is_note()).map(|(_, tally)| tally.count).sum();
    let notes = if notes > 0 { numbers::things(notes, "note") } else { String::new() };
    let elapsed = format!("{seconds:.1} s");
    let threads = numbers::things(progress.threads as u64, "thread");
    let alarm = if progress.failures.serious() > 0 { Tone::Alarm } else { Tone::Plain };
    let plain = [&notes, &rate, &elapsed, &threads].into_iter().filter(|text| !text.is_empty());
    let plain = plain.map(|text| (text.as_str(), Tone::Plain));
    pen.parts(0, [(stage, tone), (&files, Tone::Title), (&failures, alarm)].into_iter().chain(plain));
}

/// Where the scan is, or what it came to.
fn place(pen: &mut Pen<'_>, model: &Model) {
    if model.progress.stage == Stage::Running {
        let path = pen.name(&model.progress.current, pen.width());
        pen.line(1, &path, Tone::Faint);
        return;
    }
    let totals = &model.totals;
    let text = format!(
        "{} of {} fragmented, {} in {}, excess {}",
        numbers::count(totals.fragmented),
        numbers::things(totals.files, "file"),
        numbers::things(totals.fragments, "fragment"),
        numbers::bytes(totals.size_bytes),
        numbers::nanoseconds(totals.excess_ns),
    );
    pen.line(1, &text, Tone::Plain);
}

/// Which files these are: the list is honest about being a part.
fn choice(pen: &Pen<'_>, model: &Model) -> String {
    let order = match (model.key, model.reverse) {
        (Key::Path, false) => "in order".to_owned(),
        (Key::Path, true) => "in order, last first".to_owned(),
        (key, false) => format!("by {}", name(key)),
        (key, true) => format!("by {}, least first", name(key)),
    };
    let (kept, all) = (numbers::count(model.kept() as u64), numbers::count(model.totals.files));
    let which = if model.kept() as u64 == model.totals.files { "all" } else { "first" };
    let part = pen.name(model.scanned.as_ref(), NAMED);
    let ranked = if part.is_empty() { String::new() } else { format!(" with {part} in their paths") };
    let mut text = format!("{which} {kept} of {all}{ranked} {order}");
    if model.filter != model.scanned {
        let matching = numbers::count(model.shown().len() as u64);
        let filter = if model.filter.is_empty() { String::new() } else { format!("{matching} of these match; ") };
        text += &format!("; {filter}R scans for {}", if model.filter.is_empty() { "all" } else { "more" });
    }
    text
}

fn name(key: Key) -> &'static str {
    COLUMNS.iter().find(|column| column.key == Some(key)).map_or("path", |column| column.head)
}

/// The columns that fit beside a path, in their order.
fn columns(width: usize, key: Key) -> Vec<&'static Column> {
    let sorted = COLUMNS.iter().position(|column| column.key == Some(key));
    let mut chosen: Vec<usize> = sorted.into_iter().collect();
    let room = |chosen: &[usize]| width.saturating_sub(2 + chosen.iter().map(|&i| COLUMNS[i].width).sum::<usize>());
    for index in BY_NEED {
        let wider = [&chosen[..], &[index]].concat();
        if chosen.is_empty() || (!chosen.contains(&index) && room(&wider) >= PATH) {
            chosen = wider;
        }
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|index| &COLUMNS[index]).collect()
}

fn files(pen: &mut Pen<'_>, model: &Model, above: usize) {
    let columns = columns(pen.width(), model.key);
    let before: usize = columns.iter().map(|column| column.width).sum();
    let with_bars = pen.width() >= before + PATH * 2 + BAR;
    if above > 1 {
        let mut head = columns.iter().fold(String::new(), |head, column| head + &cell(model, column));
        head += if with_bars { "              " } else { "" };
        let arrow = if model.key == Key::Path { format!(" {}", arrow(model)) } else { String::new() };
        pen.line(above - 1, &format!("{head}  file{arrow}"), Tone::Head);
    }
    let most = model.shown().map(|file| score(model.key, file)).max().unwrap_or(0);
    let seen = model.list.seen();
    for (line, file) in model.shown().enumerate().skip(seen.start).take(seen.len()) {
        let mut text = columns
            .iter()
            .fold(String::new(), |text, column| text + &right(&(column.value)(file, model.look.ascii), column.width));
        if with_bars {
            let bar = bar(score(model.key, file), most, BAR, model.look.ascii);
            text += &format!("  {bar}{}", " ".repeat(BAR - bar.width().min(BAR)));
        }
        let selected = line == model.list.at;
        text += if selected { " >" } else { "  " };
        text += &pen.name(&file.path, pen.width().saturating_sub(text.width()));
        pen.line(above + line - seen.start, &text, if selected { Tone::Selected } else { Tone::Plain });
    }
}

fn cell(model: &Model, column: &Column) -> String {
    if column.key != Some(model.key) {
        return right(column.head, column.width);
    }
    right(&format!("{}{}", column.head, arrow(model)), column.width)
}

/// Which way the list is sorted.
fn arrow(model: &Model) -> &'static str {
    match (model.reverse == (model.key == Key::Path), model.look.ascii) {
        (true, false) => "▼",
        (false, false) => "▲",
        (true, true) => "v",
        (false, true) => "^",
    }
}

fn footer(pen: &mut Pen<'_>, model: &Model) {
    let y = pen.height() - 1;
    if model.editing || !model.filter.is_empty() {
        let filter = pen.name(model.filter.as_ref(), pen.width().saturating_sub(2));
        let end = pen.write(0, y, &format!("/{filter}"), Tone::Title);
        let hint = if model.editing { "Enter keep, Esc clear" } else { "Esc clear" };
        let end = if model.editing { pen.write(end, y, "_", Tone::Title) } else { end };
        if end + 2 + hint.len() <= pen.width() {
            pen.write(end + 2, y, hint, Tone::Faint);
        }
        return;
    }
    pen.parts(y, PROMPTS.map(|prompt| (prompt, Tone::Faint)));
}

/// The count; one that is an upper bound says so.
fn fragments(file: &FileReport, ascii: bool) -> String {
    let count = numbers::count(file.layout.fragments);
    match (file.layout.exact, ascii) {
        (true, _) => count,
        (false, false) => format!("≤{count}"),
        (false, true) => format!("<={count}"),
    }
}

fn surplus(file: &FileReport) -> u64 {
    file.layout.fragments.saturating_sub(file.layout.ideal)
}

fn score(key: Key, file: &FileReport) -> u64 {
    match key {
        Key::Fragments | Key::Path => file.layout.fragments,
        Key::Excess => file.layout.excess_ns,
        Key::Surplus => surplus(file),
        Key::Size => file.size_bytes,
        Key::Extents => file.layout.extents,
    }
}
