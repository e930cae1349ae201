//! Tables: numbers on the right, text on the left, one column that gives way when the terminal is narrow.
//!
//! Widths are those of the terminal's cells, so that names in any script line up. Only the last column is ever cut,
//! from the left, since the end of a path tells more than its beginning; and nothing is cut in a pipe.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Space between columns.
const GAP: &str = "  ";
/// The least that is left of the last column.
const LEAST: usize = 10;

/// Which side a column keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction. The last column is the one that is cut.
#[derive(Debug)]
pub(crate) struct Table {
    heads: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub(crate) fn new(heads: impl IntoIterator<Item = (impl Into<String>, Align)>) -> Self {
        let heads = heads.into_iter().map(|(head, align)| (head.into(), align)).collect();
        Self { heads, rows: Vec::new() }
    }

    /// One more row, a cell for each column.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.heads.len());
        self.rows.push(cells);
    }

    /// The lines, the heads first, for a terminal of `width` cells.
    pub(crate) fn lines(&self, width: Option<usize>, ascii: bool) -> Vec<String> {
        let last = self.heads.len() - 1;
        let widths: Vec<usize> = (0..last).map(|column| self.width_of(column)).collect();
        let before: usize = widths.iter().map(|width| width + GAP.len()).sum();
        let room = width.map(|width| width.saturating_sub(before).max(LEAST));
        let heads: Vec<String> = self.heads.iter().map(|(head, _)| head.clone()).collect();
        std::iter::once(&heads).chain(&self.rows).map(|cells| self.line(cells, &widths, room, ascii)).collect()
    }

    fn width_of(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row[column].width());
        cells.chain([self.heads[column].0.width()]).max().unwrap_or(0)
    }

    fn line(&self, cells: &[String], widths: &[usize], room: Option<usize>, ascii: bool) -> String {
        let mut line = String::new();
        for (column, &width) in widths.iter().enumerate() {
            let padding = " ".repeat(width.saturating_sub(cells[column].width()));
            match self.heads[column].1 {
                Align::Right => line.extend([padding.as_str(), &cells[column]]),
                Align::Left => line.extend([cells[column].as_str(), &padding]),
            }
            line.push_str(GAP);
        }
        let last = &cells[cells.len() - 1];
        match room {
            Some(room) => line.push_str(&cut_left(last, room, ascii)),
            None => line.push_str(last),
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// The end of `text` that fits `room` cells, marked as cut.
pub(crate) fn cut_left(text: &str, room: usize, ascii: bool) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mark = if ascii { "..." } else { "…" };
    let room = room.saturating_sub(mark.width());
    let mut used = 0;
    let fits = |letter: &char| {
        used += letter.width().unwrap_or(0);
        used <= room
    };
    let end: Vec<char> = text.chars().rev().take_while(fits).collect();
    mark.chars().chain(end.into_iter().rev()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([("n", Align::Right), ("what", Align::Left), ("file", Align::Left)]);
        table.row(vec!["12".into(), "x".into(), "/a/long/path/to/日本語".into()]);
        table.row(vec!["3".into(), "wide".into(), "/b".into()]);
        table
    }

    #[test]
    fn columns_line_up() {
        let expected = [" n  what  file", "12  x     /a/long/path/to/日本語", " 3  wide  /b"];
        assert_eq!(table().lines(None, false), expected);
    }

    #[test]
    fn only_the_path_is_cut_and_from_the_left() {
        let expected = [" n  what  file", "12  x     …h/to/日本語", " 3  wide  /b"];
        assert_eq!(table().lines(Some(22), false), expected);
        assert_eq!(table().lines(Some(24), true)[1], "12  x     ...h/to/日本語");
    }

    #[test]
    fn cutting_never_splits_a_wide_letter() {
        assert_eq!(cut_left("日本", 4, false), "日本");
        assert_eq!(cut_left("日本語", 4, false), "…語");
        assert_eq!(cut_left("abc", 0, false), "…");
    }
}
