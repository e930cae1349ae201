//! A window on a list that may be longer than the screen: which line is selected, which are seen.
//!
//! The same keys move it in every view: arrows or `j` and `k` by a line, Page Up and Page Down by a page, Home and End
//! (or `g` and `G`) to either end.

use super::keys::Press;
use std::ops::Range;

/// A list of `len` lines of which `page` are seen from `top` on, and `at` is selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pager {
    pub(super) at: usize,
    pub(super) top: usize,
    page: usize,
    len: usize,
}

impl Pager {
    /// Moves the selected line; `false` when the key is none that moves.
    pub(super) fn select(&mut self, press: Press) -> bool {
        let moved = self.moved(self.at, press);
        self.at = moved.unwrap_or(self.at).min(self.len.saturating_sub(1));
        self.keep_in_sight();
        moved.is_some()
    }

    /// Moves the window where no line is selected; `false` when the key is none that moves.
    pub(super) fn scroll(&mut self, press: Press) -> bool {
        let moved = self.moved(self.top, press);
        self.top = moved.unwrap_or(self.top).min(self.len.saturating_sub(self.page));
        self.at = self.top;
        moved.is_some()
    }

    fn moved(&self, from: usize, press: Press) -> Option<usize> {
        let page = self.page.max(1);
        match press {
            Press::Up | Press::Char('k') => Some(from.saturating_sub(1)),
            Press::Down | Press::Char('j') => Some(from.saturating_add(1)),
            Press::PageUp => Some(from.saturating_sub(page)),
            Press::PageDown => Some(from.saturating_add(page)),
            Press::Home | Press::Char('g') => Some(0),
            Press::End | Press::Char('G') => Some(usize::MAX),
            _ => None,
        }
    }

    /// Takes note of how many lines there are.
    pub(super) fn hold(&mut self, len: usize) {
        self.fit(len, self.page);
    }

    /// Takes note of how many lines there are and how many are seen.
    pub(super) fn fit(&mut self, len: usize, page: usize) {
        (self.len, self.page) = (len, page);
        self.at = self.at.min(len.saturating_sub(1));
        self.top = self.top.min(len.saturating_sub(page));
        self.keep_in_sight();
    }

    fn keep_in_sight(&mut self) {
        if self.at < self.top {
            self.top = self.at;
        } else if self.page > 0 && self.at - self.top >= self.page {
            self.top = self.at + 1 - self.page;
        }
    }

    /// The lines that are seen.
    pub(super) fn seen(&self) -> Range<usize> {
        self.top..self.len.min(self.top.saturating_add(self.page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pager(len: usize, page: usize) -> Pager {
        let mut pager = Pager::default();
        pager.fit(len, page);
        pager
    }

    fn check(pager: &mut Pager, press: Press, at: usize, seen: Range<usize>) {
        assert!(pager.select(press));
        assert_eq!((pager.at, pager.seen()), (at, seen), "{press:?}");
    }

    #[test]
    fn the_selected_line_stays_in_sight() {
        let mut pager = pager(10, 3);
        check(&mut pager, Press::Up, 0, 0..3);
        check(&mut pager, Press::Down, 1, 0..3);
        check(&mut pager, Press::PageDown, 4, 2..5);
        check(&mut pager, Press::End, 9, 7..10);
        check(&mut pager, Press::Down, 9, 7..10);
        check(&mut pager, Press::PageUp, 6, 6..9);
        check(&mut pager, Press::Home, 0, 0..3);
        assert!(!pager.select(Press::Char('x')));
    }

    #[test]
    fn scrolling_stops_at_the_last_page() {
        let mut pager = pager(10, 4);
        assert!(pager.scroll(Press::End));
        assert_eq!(pager.seen(), 6..10);
        assert!(pager.scroll(Press::Up));
        assert_eq!(pager.seen(), 5..9);
    }

    #[test]
    fn a_list_that_shrinks_or_has_no_room_is_no_trouble() {
        let mut pager = pager(10, 3);
        pager.select(Press::End);
        pager.fit(2, 3);
        assert_eq!((pager.at, pager.seen()), (1, 0..2));
        pager.fit(0, 0);
        pager.select(Press::Down);
        assert_eq!((pager.at, pager.seen()), (0, 0..0));
        pager.fit(5, 0);
        pager.select(Press::End);
        pager.fit(5, 2);
        assert_eq!((pager.at, pager.seen()), (4, 3..5));
    }
}
