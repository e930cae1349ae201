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

/// The rankings of one worker.
struct Board([Ranking; KEYS.len()]);

/// A worker's end of its board; the view holds the other.
struct Writer(Arc<Mutex<Board>>);

impl Collect for Writer {
    fn file(&mut self, found: &Found<'_>) {
        // Uncontended but for the few times a second that the view looks.
        lock(&self.0).0.iter_mut().for_each(|ranking| ranking.file(found));
    }
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
    /// Starts a scan that keeps `kept` files of at least `min_fragments` for each key, and calls `done` at its end.
    ///
    /// # Errors
    /// The kernel's error when there is no thread to be had.
    pub(super) fn start(
        roots: Vec<Root>,
        options: &Options,
        kept: usize,
        min_fragments: u64,
        done: impl FnOnce() + Send + 'static,
    ) -> Result<Self> {
        let (shared, stop) = (Arc::<Shared>::default(), Arc::<AtomicBool>::default());
        let options = Options { stop: Arc::clone(&stop), ..options.clone() };
        let theirs = Arc::clone(&shared);
        terminal::spawn("scanner", move || {
            theirs.run(roots, &options, kept, min_fragments);
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
    fn run(&self, roots: Vec<Root>, options: &Options, kept: usize, min_fragments: u64) {
        let collector = || {
            let ranking = |key| Ranking::new(key, kept).min_fragments(min_fragments);
            let board = Arc::new(Mutex::new(Board(KEYS.map(ranking))));
            lock(&self.boards).push(Arc::clone(&board));
            Writer(board)
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

    fn scanned(root: &str, stop: bool) -> Scanner {
        let (sender, done) = mpsc::channel();
        let done_is_near = move || {
            let _ = sender.send(());
        };
        let roots = vec![Root::path(root)];
        let scanner = Scanner::start(roots, &Options::default(), KEPT, 0, done_is_near).unwrap();
        if stop {
            scanner.stop();
        }
        done.recv_timeout(Duration::from_secs(60)).expect("the scan ends");
        scanner
    }

    #[test]
    fn every_key_has_its_own_first_files() {
        let scanner = scanned(".", false);
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
        let scanner = scanned("/there/is/no/such/path", false);
        assert_eq!(scanner.progress().failures.serious(), 1);
        assert!(scanner.ranked(Key::Fragments).0.is_empty());
    }

    #[test]
    fn a_stopped_scan_is_partial() {
        assert_eq!(scanned("/", true).progress().stage, Stage::Partial);
    }
}
