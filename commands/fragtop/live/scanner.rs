//! The scan in the background, and what the view may know of it at any time.
//!
//! A ranking keeps the first files of one sort key only, so every worker has one for each key ([`KEYS`]): whatever key
//! the view sorts by, its list holds the true first files of all that were seen. The price is memory, [`KEPT`] files
//! for each key and worker, whatever the number of files, and a tenth of a microsecond a file.

use super::terminal;
use anyhow::Result;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use toolbox::fragment::{
    Collect, Counts, Failures, FileReport, Found, Key, Options, Ranking, Root, Tick, Totals, scan,
};

/// The sort keys, in the order in which one key press leads to the next.
pub(super) const KEYS: [Key; 6] = [Key::Fragments, Key::Excess, Key::Surplus, Key::Size, Key::Extents, Key::Path];

/// The least number of files that are kept for each key.
pub(super) const KEPT: usize = 200;

/// How far a scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// On its way.
    #[default]
    Running,
    /// Everything was seen.
    Done,
    /// Stopped before that: what is shown is true of a part.
    Partial,
}

/// What is known of a scan besides its files.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub(super) stage: Stage,
    pub(super) counts: Counts,
    pub(super) failures: Failures,
    pub(super) current: PathBuf,
    pub(super) elapsed: Duration,
    pub(super) threads: usize,
}

/// Which files a scan keeps.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// So many for each key.
    pub(super) kept: usize,
    /// Of at least so many fragments.
    pub(super) min_fragments: u64,
    /// With this in their paths; others are not counted either.
    pub(super) filter: String,
}

/// The rankings of one worker.
struct Board([Ranking; KEYS.len()]);

/// A worker's end of its board; the view holds the other.
struct Writer {
    board: Arc<Mutex<Board>>,
    filter: Arc<str>,
}

impl Collect for Writer {
    fn file(&mut self, found: &Found<'_>) {
        if !matches(found.directory, found.name, &self.filter) {
            return;
        }
        // Uncontended but for the few times a second that the view looks.
        lock(&self.board).0.iter_mut().for_each(|ranking| ranking.file(found));
    }
}

/// Whether the path of a file contains `part`. It is put together only where the part may lie across its two halves.
fn matches(directory: &[u8], name: &[u8], part: &str) -> bool {
    let part = part.as_bytes();
    contains(directory, part)
        || contains(name, part)
        || (part.contains(&b'/')
            && contains(&[directory.strip_suffix(b"/").unwrap_or(directory), name].join(&b'/'), part))
}

/// Whether `part` occurs in `text`.
pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}

/// A scan under way, or finished.
pub(super) struct Scanner {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
}

#[derive(Default)]
struct Shared {
    boards: Mutex<Vec<Arc<Mutex<Board>>>>,
    progress: Mutex<Progress>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Scanner {
    /// Starts a scan that keeps what is `wanted`, and calls `done` at its end.
    ///
    /// # Errors
    /// The kernel's error when there is no thread to be had.
    pub(super) fn start(
        roots: Vec<Root>,
        options: &Options,
        wanted: Wanted,
        done: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let (shared, stop) = (Arc::<Shared>::default(), Arc::<AtomicBool>::default());
        let options = Options { stop: Arc::clone(&stop), ..options.clone() };
        let theirs = Arc::clone(&shared);
        terminal::spawn("scanner", move || {
            theirs.run(roots, &options, &wanted);
            done();
        })?;
        Ok(Self { shared, stop })
    }

    /// Ends the scan early; what was found stays.
    pub(super) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// How far it is.
    pub(super) fn progress(&self) -> Progress {
        lock(&self.shared.progress).clone()
    }

    /// The first files by `key`, and the sums over all files.
    pub(super) fn ranked(&self, key: Key) -> (Vec<FileReport>, Totals) {
        let index = KEYS.iter().position(|&other| other == key).unwrap_or(0);
        let boards = lock(&self.shared.boards).clone();
        let rankings = boards.iter().map(|board| lock(board).0[index].clone());
        let ranking = rankings.reduce(Ranking::merge).unwrap_or_default();
        let totals = ranking.totals.clone();
        (ranking.into_sorted(), totals)
    }
}

impl Drop for Scanner {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn run(&self, roots: Vec<Root>, options: &Options, wanted: &Wanted) {
        let filter: Arc<str> = wanted.filter.as_str().into();
        let collector = || {
            let ranking = |key| Ranking::new(key, wanted.kept).min_fragments(wanted.min_fragments);
            let board = Arc::new(Mutex::new(Board(KEYS.map(ranking))));
            lock(&self.boards).push(Arc::clone(&board));
            Writer { board, filter: Arc::clone(&filter) }
        };
        let outcome = scan(roots, options, collector, &mut |tick| self.note(tick));
        let mut progress = lock(&self.progress);
        progress.stage = if outcome.stopped { Stage::Partial } else { Stage::Done };
        progress.counts = outcome.counts;
        progress.failures = outcome.failures;
        progress.elapsed = outcome.elapsed;
        progress.threads = outcome.threads;
        progress.current = PathBuf::new();
    }

    fn note(&self, tick: &Tick<'_>) {
        *lock(&self.progress) = Progress {
            stage: Stage::Running,
            counts: tick.counts,
            failures: tick.failures.clone(),
            current: tick.current.to_owned(),
            elapsed: tick.elapsed,
            threads: tick.threads,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn scanned(root: &str, filter: &str, stop: bool) -> Scanner {
        let (sender, done) = mpsc::channel();
        let done_is_near = move || {
            let _ = sender.send(());
        };
        let roots = vec![Root::path(root)];
        let wanted = Wanted { kept: KEPT, min_fragments: 0, filter: filter.to_owned() };
        let scanner = Scanner::start(roots, &Options::default(), wanted, done_is_near).unwrap();
        if stop {
            scanner.stop();
        }
        done.recv_timeout(Duration::from_secs(60)).expect("the scan ends");
        scanner
    }

    #[test]
    fn every_key_has_its_own_first_files() {
        let scanner = scanned(".", "", false);
        let progress = scanner.progress();
        assert_eq!(progress.stage, Stage::Done);
        assert!(progress.counts.files > 0);
        for key in KEYS {
            let (files, totals) = scanner.ranked(key);
            assert!(files.len() <= KEPT && files.len() as u64 <= totals.files, "{key:?}");
            if key == Key::Size {
                assert!(files.is_sorted_by_key(|file| std::cmp::Reverse(file.size_bytes)));
            }
            if key == Key::Path {
                assert!(files.is_sorted_by_key(|file| file.path.as_os_str().to_owned()));
            }
        }
    }

    #[test]
    fn what_cannot_be_looked_at_is_counted() {
        let scanner = scanned("/there/is/no/such/path", "", false);
        assert_eq!(scanner.progress().failures.serious(), 1);
        assert!(scanner.ranked(Key::Fragments).0.is_empty());
    }

    #[test]
    fn only_what_the_filter_lets_through_is_ranked() {
        let scanner = scanned("fragtop", "live/sc", false);
        let (files, totals) = scanner.ranked(Key::Path);
        let names: Vec<_> = files.iter().map(|file| file.path.to_str()).collect();
        assert_eq!((names, totals.files), (vec![Some("fragtop/live/scanner.rs")], 1));
    }

    #[test]
    fn a_filter_may_lie_across_directory_and_name() {
        for (directory, name) in [(&b"/a/b"[..], &b"cd"[..]), (b"/a/b/", b"cd")] {
            for part in ["", "a/b", "c", "b/c", "/a/b/cd"] {
                assert!(matches(directory, name, part), "{part}");
            }
            assert!(!matches(directory, name, "bc") && !matches(directory, name, "b//c"));
        }
        assert!(matches(b"", b"cd", "cd") && !matches(b"/", b"cd", "//"));
    }

    #[test]
    fn a_stopped_scan_is_partial() {
        assert_eq!(scanned("/", "", true).progress().stage, Stage::Partial);
    }
}
