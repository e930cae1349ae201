//! One line on stderr that says what is being done, while there is a terminal to say it on.
//!
//! It appears after 300 ms, so that a quick command stays quiet; it is drawn ten times a second at most, never wraps,
//! and leaves nothing behind.

use super::table::cut_left;
use super::terminal::width_of;
use std::io::Write;
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

const APPEARS_AFTER: Duration = Duration::from_millis(300);
const REDRAWN_AFTER: Duration = Duration::from_millis(100);
const ERASE_LINE: &str = "\r\x1b[2K";

/// A progress line. Erased when dropped.
#[derive(Debug)]
pub(crate) struct Progress {
    enabled: bool,
    ascii: bool,
    started: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// A line that is drawn only if `enabled`.
    pub(crate) fn new(enabled: bool, ascii: bool) -> Self {
        Self { enabled, ascii, started: Instant::now(), drawn: None }
    }

    /// Draws the line if it is time to: `what` in full, and as much of the end of `place` as fits.
    pub(crate) fn draw(&mut self, line: impl FnOnce() -> (String, String)) {
        let due = self.drawn.map_or(self.started + APPEARS_AFTER, |drawn| drawn + REDRAWN_AFTER);
        if !self.enabled || Instant::now() < due {
            return;
        }
        self.drawn = Some(Instant::now());
        let (what, place) = line();
        // One cell is left free: writing to the last one makes some terminals wrap.
        let width = width_of(std::io::stderr());
        let what = cut_left(&what, width.saturating_sub(1), self.ascii);
        let room = width.saturating_sub(what.width() + 2);
        let place = if room < 8 { String::new() } else { cut_left(&place, room, self.ascii) };
        let _ = write!(std::io::stderr().lock(), "{ERASE_LINE}{what} {place}");
    }

    /// Takes the line away.
    pub(crate) fn erase(&mut self) {
        if self.drawn.take().is_some() {
            let _ = write!(std::io::stderr().lock(), "{ERASE_LINE}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.erase();
    }
}
