//! What the view shows, and what each key does to it: no terminal, no threads, no clock.
//!
//! The model holds the files that the scan has ranked so far, and which of them are shown. A key press changes the
//! model, and where it takes more than that (a scan, a file's extents, the end) the answer is an [`Action`] for the
//! loop that owns the rest.
//!
//! While the scan runs the list changes under the user's hands. The selection stays on the first line until it is
//! moved; from then on it follows its file.

use super::keys::Press;
use super::pager::Pager;
use super::scanner::{KEYS, Progress, Wanted, contains};
use crate::ui::picture;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use toolbox::fragment::{Extent, FileReport, Key, Totals};

/// What the loop is to do about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing but draw.
    Draw,
    /// End.
    Quit,
    /// End, as after Ctrl-C.
    Interrupt,
    /// Give the terminal back and stop.
    Suspend,
    /// Draw from nothing.
    Redraw,
    /// Fetch the ranking by the key that is now chosen.
    Refresh,
    /// Find out how this file lies.
    Open(PathBuf),
    /// Begin the scan again, for what is now wanted.
    Rescan,
    /// End the scan, and keep what it found.
    Stop,
}

/// How things are drawn, and what is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) ascii: bool,
    pub(super) color: bool,
    /// Files kept for each sort key.
    pub(super) kept: usize,
    pub(super) min_fragments: u64,
}

/// A page that covers the view until it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    Help,
    Failures,
}

/// A file looked at closely.
#[derive(Clone, Debug)]
pub(super) struct Detail {
    pub(super) report: FileReport,
    pub(super) extents: Extents,
    pub(super) pager: Pager,
}

/// The extents of the file looked at.
#[derive(Clone, Debug)]
pub(super) enum Extents {
    /// Asked for.
    Asked,
    /// Not to be had; why.
    Failed(String),
    /// Known, with the number of the fragment that each belongs to.
    Known(Vec<Extent>, Vec<u64>),
}

/// What came of asking for a file's extents.
pub(super) type Answer = Result<(FileReport, Vec<Extent>), String>;

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) look: Look,
    pub(super) key: Key,
    pub(super) reverse: bool,
    pub(super) filter: String,
    pub(super) editing: bool,
    /// The filter that the scan was begun with: other files were not ranked at all.
    pub(super) scanned: String,
    pub(super) progress: Progress,
    pub(super) totals: Totals,
    pub(super) list: Pager,
    pub(super) detail: Option<Detail>,
    pub(super) page: Option<(Page, Pager)>,
    files: Vec<FileReport>,
    shown: Vec<usize>,
    followed: Option<PathBuf>,
}

impl Model {
    /// Nothing found yet.
    pub(super) fn new(look: Look, key: Key) -> Self {
        Self {
            look,
            key,
            reverse: false,
            filter: String::new(),
            editing: false,
            scanned: String::new(),
            progress: Progress::default(),
            totals: Totals::default(),
            list: Pager::default(),
            detail: None,
            page: None,
            files: Vec::new(),
            shown: Vec::new(),
            followed: None,
        }
    }

    /// Takes note of how far the scan is.
    pub(super) fn update(&mut self, files: Vec<FileReport>, totals: Totals, progress: Progress) {
        (self.files, self.totals, self.progress) = (files, totals, progress);
        // The two were not taken at the same moment, and the files are the fresher.
        self.progress.counts.files = self.progress.counts.files.max(self.totals.files);
        self.choose();
    }

    /// Takes note of how a file lies, if it is still the one looked at.
    pub(super) fn answer(&mut self, path: &Path, answer: Answer) {
        let Some(detail) = self.detail.as_mut().filter(|detail| detail.report.path == path) else { return };
        detail.extents = match answer {
            Ok((report, extents)) => {
                let fragments = picture::fragments(&extents, report.layout.exact);
                detail.report = report;
                Extents::Known(extents, fragments)
            }
            Err(why) => Extents::Failed(why),
        };
    }

    /// What the scan is to keep.
    pub(super) fn wanted(&self) -> Wanted {
        let Look { kept, min_fragments, .. } = self.look;
        Wanted { kept, min_fragments, filter: self.scanned.clone() }
    }

    /// The files shown, in order.
    pub(super) fn shown(&self) -> impl ExactSizeIterator<Item = &FileReport> {
        self.shown.iter().map(|&index| &self.files[index])
    }

    /// How many files there are to choose from.
    pub(super) fn kept(&self) -> usize {
        self.files.len()
    }

    /// Whether an answer is waited for.
    pub(super) fn is_asking(&self) -> bool {
        self.detail.as_ref().is_some_and(|detail| matches!(detail.extents, Extents::Asked))
    }

    /// What a key does.
    pub(super) fn press(&mut self, press: Press) -> Action {
        match press {
            Press::Control('c') => Action::Interrupt,
            Press::Control('z') => Action::Suspend,
            Press::Control('l') => Action::Redraw,
            _ if self.editing => self.edit(press),
            Press::Char('q') => Action::Quit,
            _ if self.page.is_some() => self.press_on_page(press),
            Press::Char('?') => self.open_page(Page::Help),
            Press::Char('e') => self.open_page(Page::Failures),
            _ if self.detail.is_some() => self.press_on_detail(press),
            _ => self.press_on_list(press),
        }
    }

    fn open_page(&mut self, page: Page) -> Action {
        self.page = Some((page, Pager::default()));
        Action::Draw
    }

    fn press_on_page(&mut self, press: Press) -> Action {
        match press {
            Press::Escape | Press::Enter | Press::Backspace => self.page = None,
            Press::Char('?') => return self.open_page(Page::Help),
            Press::Char('e') => return self.open_page(Page::Failures),
            _ => {
                if let Some((_, pager)) = &mut self.page {
                    pager.scroll(press);
                }
            }
        }
        Action::Draw
    }

    fn press_on_detail(&mut self, press: Press) -> Action {
        let Some(detail) = &mut self.detail else { return Action::Draw };
        match press {
            Press::Escape | Press::Backspace => self.detail = None,
            Press::Char('R') => {
                detail.extents = Extents::Asked;
                return Action::Open(detail.report.path.clone());
            }
            _ => {
                detail.pager.select(press);
            }
        }
        Action::Draw
    }

    fn press_on_list(&mut self, press: Press) -> Action {
        match press {
            Press::Char('s') => return self.sort_by_next(),
            Press::Char('r') => {
                self.reverse = !self.reverse;
                self.begin_at_top();
            }
            Press::Char('/') => self.editing = true,
            Press::Escape => self.set_filter(String::new()),
            Press::Enter => return self.open_selected(),
            Press::Char('x') => return Action::Stop,
            Press::Char('R') => {
                self.scanned.clone_from(&self.filter);
                return Action::Rescan;
            }
            _ => self.walk(press),
        }
        Action::Draw
    }

    fn sort_by_next(&mut self) -> Action {
        let index = KEYS.iter().position(|&key| key == self.key).unwrap_or(0);
        self.key = KEYS[(index + 1) % KEYS.len()];
        self.begin_at_top();
        Action::Refresh
    }

    fn open_selected(&mut self) -> Action {
        let Some(report) = self.shown().nth(self.list.at).cloned() else { return Action::Draw };
        let path = report.path.clone();
        self.detail = Some(Detail { report, extents: Extents::Asked, pager: Pager::default() });
        Action::Open(path)
    }

    fn edit(&mut self, press: Press) -> Action {
        match press {
            Press::Enter => self.editing = false,
            Press::Escape => {
                self.editing = false;
                self.set_filter(String::new());
            }
            Press::Backspace => {
                let mut filter = std::mem::take(&mut self.filter);
                filter.pop();
                self.set_filter(filter);
            }
            Press::Control('u') => self.set_filter(String::new()),
            Press::Char(letter) => {
                let filter = std::mem::take(&mut self.filter) + letter.encode_utf8(&mut [0; 4]);
                self.set_filter(filter);
            }
            _ => self.walk(press),
        }
        Action::Draw
    }

    fn walk(&mut self, press: Press) {
        if self.list.select(press) {
            let file = self.shown().nth(self.list.at).filter(|_| self.list.at > 0);
            self.followed = file.map(|file| file.path.clone());
        }
    }

    fn begin_at_top(&mut self) {
        (self.followed, self.list.at, self.list.top) = (None, 0, 0);
        self.choose();
    }

    fn set_filter(&mut self, filter: String) {
        self.filter = filter;
        self.choose();
    }

    /// Settles which files are shown, and where the selection goes.
    fn choose(&mut self) {
        let matches = |&index: &usize| contains(self.files[index].path.as_os_str().as_bytes(), self.filter.as_bytes());
        self.shown = (0..self.files.len()).filter(matches).collect();
        if self.reverse {
            self.shown.reverse();
        }
        let followed = self.followed.as_ref().and_then(|path| self.shown().position(|file| file.path == *path));
        self.list.at = followed.unwrap_or(self.list.at);
        self.list.hold(self.shown.len());
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::Arc;
    use toolbox::fragment::{Layout, Volumes};

    /// A model of files with these names and counts.
    pub(in super::super) fn model(files: &[(&str, u64)]) -> Model {
        let look = Look { ascii: false, color: false, kept: 200, min_fragments: 0 };
        let mut model = Model::new(look, Key::Fragments);
        update(&mut model, files);
        model
    }

    pub(in super::super) fn update(model: &mut Model, files: &[(&str, u64)]) {
        let reports: Vec<_> = files.iter().map(|&(path, fragments)| report(path.as_ref(), fragments)).collect();
        let totals = Totals { files: 12_345, fragmented: 67, fragments: 23_456, ..Totals::default() };
        let progress = Progress { current: "/now/here".into(), ..Progress::default() };
        model.update(reports, totals, progress);
        model.list.fit(files.len(), 3);
    }

    pub(in super::super) fn report(path: &Path, fragments: u64) -> FileReport {
        let layout = Layout { fragments, extents: fragments + 1, ideal: 1, ..Layout::unopened(4096) };
        let directory = std::fs::File::open(".").expect("there is a current directory");
        let metadata = toolbox::sys::metadata::of(&directory).expect("it can be asked about");
        let descriptor = std::os::fd::AsFd::as_fd(&directory);
        let volume = Volumes::new(None).of(&metadata, descriptor).expect("it lies on something");
        let (size_bytes, allocated_bytes) = (fragments * 4096, fragments * 4096);
        FileReport { path: path.to_owned(), size_bytes, allocated_bytes, links: 1, layout, volume: Arc::clone(&volume) }
    }

    fn shown(model: &Model) -> Vec<&str> {
        model.shown().map(|file| file.path.to_str().expect("names of these tests are text")).collect()
    }

    fn selected(model: &Model) -> &str {
        shown(model)[model.list.at]
    }

    fn press(model: &mut Model, keys: &str) -> Action {
        keys.chars().fold(Action::Draw, |_, key| model.press(Press::Char(key)))
    }

    const FILES: [(&str, u64); 4] = [("/a/log", 9), ("/b/log", 7), ("/c/data", 5), ("/d/log", 3)];

    #[test]
    fn the_sort_key_goes_round() {
        let mut model = model(&FILES);
        let mut seen = vec![model.key];
        for _ in 0..KEYS.len() {
            assert_eq!(press(&mut model, "s"), Action::Refresh);
            seen.push(model.key);
        }
        assert_eq!(seen[..KEYS.len()], KEYS);
        assert_eq!(seen[KEYS.len()], Key::Fragments);
    }

    #[test]
    fn reversing_shows_the_last_of_the_kept_first() {
        let mut model = model(&FILES);
        press(&mut model, "jr");
        assert_eq!((shown(&model)[0], selected(&model)), ("/d/log", "/d/log"));
        press(&mut model, "r");
        assert_eq!(selected(&model), "/a/log");
    }

    #[test]
    fn the_filter_is_live_and_escape_clears_it() {
        let mut model = model(&FILES);
        press(&mut model, "/log");
        assert_eq!(shown(&model), ["/a/log", "/b/log", "/d/log"]);
        press(&mut model, "q");
        assert!(shown(&model).is_empty(), "q is a letter here");
        assert_eq!(model.press(Press::Backspace), Action::Draw);
        model.press(Press::Enter);
        assert_eq!((model.editing, shown(&model).len()), (false, 3));
        assert_eq!(press(&mut model, "q"), Action::Quit);
        assert_eq!((press(&mut model, "R"), model.wanted().filter.as_str()), (Action::Rescan, "log"));
        model.press(Press::Escape);
        assert_eq!(shown(&model).len(), 4);
        press(&mut model, "/é");
        model.press(Press::Backspace);
        assert_eq!(model.filter, "", "a letter is taken back in whole");
    }

    #[test]
    fn the_selection_follows_its_file_once_it_was_moved() {
        let mut model = model(&FILES);
        update(&mut model, &[("/new", 10), FILES[0], FILES[1]]);
        assert_eq!(selected(&model), "/new");
        press(&mut model, "jj");
        assert_eq!(selected(&model), "/b/log");
        update(&mut model, &[("/newer", 11), ("/new", 10), FILES[0], FILES[1], FILES[2]]);
        assert_eq!(selected(&model), "/b/log");
        update(&mut model, &[("/new", 10)]);
        assert_eq!(selected(&model), "/new", "its file has fallen out of the list");
    }

    #[test]
    fn enter_opens_the_selected_file_and_escape_goes_back() {
        let mut model = model(&FILES);
        press(&mut model, "j");
        assert_eq!(model.press(Press::Enter), Action::Open("/b/log".into()));
        assert!(model.is_asking());
        model.answer(Path::new("/a/log"), Err("stale".into()));
        assert!(model.is_asking(), "the answer was for another file");
        let extents = vec![Extent { length: 4096, disk_length: 4096, ..Extent::default() }];
        model.answer(Path::new("/b/log"), Ok((report(Path::new("/b/log"), 1), extents)));
        let detail = model.detail.as_ref().expect("a file is looked at");
        assert!(matches!(&detail.extents, Extents::Known(_, numbers) if numbers == &[1]));
        assert_eq!(detail.report.layout.fragments, 1);
        assert_eq!(press(&mut model, "R"), Action::Open("/b/log".into()));
        model.press(Press::Escape);
        assert!(model.detail.is_none());
        assert_eq!(selected(&model), "/b/log");
    }

    #[test]
    fn pages_cover_and_uncover() {
        let mut model = model(&FILES);
        press(&mut model, "?");
        assert_eq!(model.page.map(|(page, _)| page), Some(Page::Help));
        press(&mut model, "e");
        assert_eq!(model.page.map(|(page, _)| page), Some(Page::Failures));
        press(&mut model, "s");
        assert_eq!(model.key, Key::Fragments, "the list below is not in reach");
        model.press(Press::Escape);
        assert!(model.page.is_none());
    }

    #[test]
    fn an_empty_list_has_nothing_to_open() {
        let mut model = model(&[]);
        for press in [Press::Enter, Press::Down, Press::End, Press::Up] {
            assert_eq!(model.press(press), Action::Draw);
        }
    }

    #[test]
    fn keys_that_end_work_everywhere() {
        let mut model = model(&FILES);
        for keys in ["", "?", "e", "/"] {
            press(&mut model, keys);
            assert_eq!(model.press(Press::Control('c')), Action::Interrupt);
            assert_eq!(model.press(Press::Control('z')), Action::Suspend);
        }
        assert_eq!(model.press(Press::Escape), Action::Draw);
    }

    #[test]
    fn random_keys_do_no_harm() {
        let all = "jkgGsr/xRe?q abc";
        let mut model = model(&FILES);
        let mut seed = 1u64;
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let choice = (seed >> 33) as usize % 24;
            let special = [Press::Enter, Press::Escape, Press::Backspace, Press::PageDown, Press::PageUp, Press::End];
            let letter = || Press::Char(all.as_bytes()[choice % all.len()].into());
            model.press(special.get(choice).copied().unwrap_or_else(letter));
            assert!(model.list.at < model.shown().len().max(1));
        }
    }
}
