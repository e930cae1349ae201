//! From the state to text: one screen, whatever its size.
//!
//! Everything is lines of cells. A [`Pen`] writes them and knows the edges, so that a screen of one cell is as good as
//! a large one: what has no room is left out, first what matters least. Nothing is said by colour or brightness alone.
//!
//! Names are escaped before they get here ([`Pen::name`]), so that no file name can move the cursor, and widths are
//! those of the terminal's cells.

mod detail;
mod list;
mod page;

use super::state::{Look, Model};
use crate::ui::escape::{escape, escape_ascii};
use crate::ui::table::cut_left;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

/// Draws what is to be seen, and tells the lists of the model how much of them that is.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model) {
    let area = frame.area();
    let pen = &mut Pen { buffer: frame.buffer_mut(), area, look: model.look };
    if let Some((which, mut pager)) = model.page {
        page::draw(pen, model, which, &mut pager);
        model.page = Some((which, pager));
    } else if let Some(mut detail) = model.detail.take() {
        detail::draw(pen, &mut detail);
        model.detail = Some(detail);
    } else {
        list::draw(pen, model);
    }
}

/// What a piece of text means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tone {
    Plain,
    /// Titles.
    Title,
    /// Heads of columns.
    Head,
    /// What can be pressed, and other small print.
    Faint,
    /// Something that is not as it should be.
    Alarm,
    /// The selected line.
    Selected,
}

/// Writes text on the screen.
struct Pen<'a> {
    buffer: &'a mut Buffer,
    area: Rect,
    look: Look,
}

impl Pen<'_> {
    fn width(&self) -> usize {
        usize::from(self.area.width)
    }

    fn height(&self) -> usize {
        usize::from(self.area.height)
    }

    fn style(&self, tone: Tone) -> Style {
        let plain = Style::new();
        match tone {
            Tone::Plain => plain,
            Tone::Title => plain.add_modifier(Modifier::BOLD),
            Tone::Head => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            Tone::Faint if self.look.color => plain.fg(Color::Cyan),
            Tone::Faint => plain,
            Tone::Alarm if self.look.color => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            Tone::Alarm => plain.add_modifier(Modifier::BOLD),
            Tone::Selected => plain.add_modifier(Modifier::REVERSED),
        }
    }

    /// Writes `text` from column `x` of line `y` on, as much as fits; returns the column behind it.
    fn write(&mut self, x: usize, y: usize, text: &str, tone: Tone) -> usize {
        if y >= self.height() || x >= self.width() {
            return x;
        }
        // Both fit 16 bits, because they lie inside the area.
        let at = (self.area.x + x as u16, self.area.y + y as u16);
        let style = self.style(tone);
        let (end, _) = self.buffer.set_stringn(at.0, at.1, text, self.width() - x, style);
        usize::from(end - self.area.x)
    }

    /// Writes a whole line, filled up so that its tone reaches the edge.
    fn line(&mut self, y: usize, text: &str, tone: Tone) {
        let end = self.write(0, y, text, tone);
        let rest = self.width().saturating_sub(end);
        self.write(end, y, &" ".repeat(rest), tone);
    }

    /// Writes as many of `parts` as fit, most important first.
    fn parts<'t>(&mut self, y: usize, parts: impl IntoIterator<Item = (&'t str, Tone)>) {
        let mut x = 0;
        for (text, tone) in parts {
            if x > 0 && x + text.width() > self.width() {
                return;
            }
            x = self.write(x, y, text, tone) + 2;
        }
    }

    /// A path as it may be shown, its beginning left out where it is longer than `width`.
    fn name(&self, path: &Path, width: usize) -> String {
        let bytes = path.as_os_str().as_bytes();
        let text = if self.look.ascii { escape_ascii(bytes) } else { escape(bytes) };
        cut_left(&text, width, self.look.ascii)
    }
}

/// `text` at the right of `width` cells.
fn right(text: &str, width: usize) -> String {
    format!("{}{text}", " ".repeat(width.saturating_sub(text.width())))
}

#[cfg(test)]
mod tests;
