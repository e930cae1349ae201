//! The pages that cover the view: help, and the failures by cause.

use super::super::pager::Pager;
use super::super::scanner::KEYS;
use super::super::state::{Look, Model, Page};
use super::{Pen, Tone};
use crate::ui::numbers;
use toolbox::fragment::FileReport;
use unicode_width::UnicodeWidthStr;

pub(super) fn draw(pen: &mut Pen<'_>, model: &Model, page: Page, pager: &mut Pager) {
    let (title, lines) = match page {
        Page::Help => ("help", help(model.look)),
        Page::Failures => ("what could not be looked at", failures(pen, model)),
    };
    let lines: Vec<_> = lines.iter().flat_map(|line| wrap(line, pen.width())).collect();
    let last = pen.height().saturating_sub(1);
    pager.fit(lines.len(), last.saturating_sub(1));
    pen.line(0, title, Tone::Head);
    for (line, text) in lines[pager.seen()].iter().enumerate() {
        pen.line(line + 1, text, Tone::Plain);
    }
    if last > 0 {
        let more = if pager.seen().end < lines.len() { "more below" } else { "" };
        pen.parts(last, [("Esc back", Tone::Faint), ("q quit", Tone::Faint), (more, Tone::Title)]);
    }
}

/// Workers that a scan has at most unless it was told otherwise, for the bound on memory.
const WORKERS: usize = 8;

fn help(look: Look) -> Vec<String> {
    // A path of 100 bytes, and what the allocator and the heap add.
    let per_file = size_of::<FileReport>() + 150;
    let memory = numbers::bytes((look.kept * KEYS.len() * WORKERS * per_file) as u64);
    let kept = numbers::count(look.kept as u64);
    let least = match look.min_fragments {
        0 | 1 => String::new(),
        more => format!(" Files of fewer than {} fragments are not listed.", numbers::count(more)),
    };
    let text = format!(
        "up, down, j, k     move by a line\n\
         PgUp, PgDn         move by a page\n\
         Home, End, g, G    move to either end\n\
         Enter              details of the selected file: its pictures and extents\n\
         Esc                back; in the list: clear the filter\n\
         s                  sort by the next key: fragments, excess, surplus, size, extents, path\n\
         r                  reverse the list\n\
         /                  filter: show only paths that contain what is typed\n\
         e                  failures by cause\n\
         x                  stop the scan and keep what it found\n\
         R                  scan again, and rank only what the filter lets through, if there is
\x20                  one; in the details: read the extents again\n\
         Ctrl-L, Ctrl-Z     draw again, suspend\n\
         q, Ctrl-C          quit; the exit code of Ctrl-C is 130 while the scan runs\n\
         \n\
         fragments: runs of the file that lie in one piece on the volume. ideal: the fewest that this file system \
         could have used. surplus: fragments beyond the ideal. excess: estimated extra time to read the file, \
         nothing cached.\n\
         \n\
         The list holds the first {kept} files by the key it is sorted by, whichever that is; reversing and filtering \
         choose among these; R with a filter ranks all files that match it.{least} Each worker keeps so many for each of the {} keys: {memory} at most with \
         {WORKERS} workers and paths of 100 bytes, however many files there are.",
        KEYS.len(),
    );
    text.lines().map(str::to_owned).collect()
}

fn failures(pen: &Pen<'_>, model: &Model) -> Vec<String> {
    let failures = &model.progress.failures;
    if failures.is_empty() {
        return vec!["nothing".to_owned()];
    }
    let mut lines = Vec::new();
    for (cause, tally) in failures.iter() {
        let note = if cause.is_note() { " (only a note: nothing is wrong)" } else { "" };
        let cause = crate::ui::escape::escape(cause.to_string().as_bytes());
        lines.push(format!("{}  {cause}{note}", numbers::count(tally.count)));
        lines.extend(tally.examples.iter().map(|path| format!("    {}", pen.name(path, usize::MAX))));
        let rest = tally.count.saturating_sub(tally.examples.len() as u64);
        if rest > 0 {
            lines.push(format!("    and {} more", numbers::count(rest)));
        }
    }
    lines
}

/// Breaks a line at spaces so that it fits; a line that is indented, or set in columns, goes on further right.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let indent = line.len() - line.trim_start().len();
    let hanging = line.trim_start().find("  ").map_or(indent, |_| indent + 4).min(width / 2);
    let mut lines = vec![String::new()];
    for word in line.split_inclusive(' ') {
        let current = lines.last_mut().expect("there is always a line, since one is there from the start");
        if current.width() + word.trim_end().width() > width && !current.trim().is_empty() {
            lines.push(" ".repeat(hanging) + word);
        } else {
            current.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrap("", 8), [""]);
        assert_eq!(wrap("unbreakable", 4), ["unbreakable"]);
        assert_eq!(wrap("key    does this", 14), ["key    does ", "    this"]);
        assert_eq!(wrap("a b", 0), ["a ", "b"]);
    }
}
