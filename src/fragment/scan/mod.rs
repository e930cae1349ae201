//! Many files: a parallel walk that measures what it finds where it finds it.
//!
//! One queue holds directories still to be read. Each worker takes one, reads its entries, and measures every regular
//! file right there with calls relative to the directory's descriptor; what it finds goes to a collector of its own,
//! so that nothing is shared on the way. Directories found are pushed on the queue, last in, first out, which keeps
//! the queue as short as the tree is deep. A directory too large for one worker is handed out in pieces.
//!
//! The caller's own thread watches ([`watch`]): it ticks, stops the workers when asked, adds workers while the disk is
//! what they wait for, and gives up on a worker that has been inside one system call for longer than the time limit,
//! which becomes a [`Cause::Silent`](super::Cause) while another worker goes on behind the silent file.
//!
//! What it refuses to do: open anything but regular files and directories, follow symbolic links unasked, enter file
//! systems that have no extents (`/proc` on the way, a network mount), or count a file with several names twice.

mod file;
mod job;
mod queue;
pub(super) mod remote;
mod shared;
mod slot;
mod watch;
mod worker;

use super::cost::Media;
use super::failure::Failures;
use super::fold::Layout;
use super::measure::FileReport;
use super::volume::Volume;
use crate::sys::metadata::Metadata;
use std::cmp::Ordering;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Where a matcher stands in a tree: an opaque word that it made for the directory.
pub type State = u64;

/// Decides what counts below a root, by names alone.
///
/// Called for every entry, so it should not allocate. `directory` is the path of the directory that holds the entry.
pub trait Matcher: Send + Sync {
    /// Whether a file called `name`, in a directory with this state, counts.
    fn file(&self, state: State, directory: &[u8], name: &[u8]) -> bool;

    /// The state for the subdirectory `name`, or `None` if nothing in it can count.
    fn directory(&self, state: State, directory: &[u8], name: &[u8]) -> Option<State>;

    /// The only name that can count in a directory with this state, where there is but one: the directory is then not
    /// listed (it may even be unreadable), and a symbolic link of that name is followed if something below counts.
    fn only(&self, state: State) -> Option<&[u8]> {
        let _ = state;
        None
    }
}

/// Says of a directory's path and a name in it whether that is to be left out.
pub type Exclude = dyn Fn(&[u8], &[u8]) -> bool + Send + Sync;

/// The matcher of a plain directory: everything below it counts.
#[derive(Clone, Copy, Debug)]
pub struct Everything;

impl Matcher for Everything {
    fn file(&self, _: State, _: &[u8], _: &[u8]) -> bool {
        true
    }

    fn directory(&self, _: State, _: &[u8], _: &[u8]) -> Option<State> {
        Some(0)
    }
}

/// Where to look.
#[derive(Clone)]
pub struct Root {
    pub(super) path: PathBuf,
    /// With a matcher the path must be a directory, or nothing matches; without one it is what is looked at.
    pub(super) matcher: Option<(Arc<dyn Matcher>, State)>,
}

impl Root {
    /// A file, or a directory to be walked.
    #[must_use]
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), matcher: None }
    }

    /// Where the walk begins.
    #[must_use]
    pub fn base(&self) -> &Path {
        &self.path
    }

    /// What `matcher`, starting in `state`, finds below the directory `base`.
    #[must_use]
    pub fn matching(base: impl Into<PathBuf>, matcher: Arc<dyn Matcher>, state: State) -> Self {
        Self { path: base.into(), matcher: Some((matcher, state)) }
    }
}

impl std::fmt::Debug for Root {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Root").field("path", &self.path).finish_non_exhaustive()
    }
}

/// How to look.
#[derive(Clone)]
pub struct Options {
    /// Workers. `None` chooses: as many as there are processors, up to eight where a disk is waited for that is not
    /// known to turn, one on a disk that does.
    pub threads: Option<usize>,
    /// Follow symbolic links. Memory: 30 to 60 bytes for every file, to count each once, whatever leads to it, and as
    /// much for every directory, to enter each once.
    pub follow_links: bool,
    /// Do not leave the file system of the root.
    pub one_file_system: bool,
    /// Have the kernel write out what is not yet on the disk before it tells where things lie.
    pub sync: bool,
    /// Leave out files smaller than this.
    pub min_size_bytes: u64,
    /// What is left out, and not entered: asked with the path of the directory and the name.
    pub exclude: Option<Arc<Exclude>>,
    /// Count no file twice although the roots overlap. Memory: 30 to 60 bytes for every file.
    pub overlapping: bool,
    /// How long one system call may take before its file is given up.
    pub timeout: Duration,
    /// What the volumes are on, instead of what the kernel says of them.
    pub media: Option<Media>,
    /// Paths to keep of each cause of failure.
    pub keep_failures: usize,
    /// Set from outside to end the scan early.
    pub stop: Arc<AtomicBool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: None,
            follow_links: false,
            one_file_system: false,
            sync: false,
            min_size_bytes: 0,
            exclude: None,
            overlapping: false,
            timeout: Duration::from_secs(10),
            media: None,
            keep_failures: 10,
            stop: Arc::default(),
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Options").field("threads", &self.threads).finish_non_exhaustive()
    }
}

/// A file that was found and measured; borrows from the scan.
#[derive(Clone, Debug)]
pub struct Found<'scan> {
    /// The path of its directory; shared by all files that one worker finds there.
    pub directory: &'scan Arc<[u8]>,
    /// Its name in that directory.
    pub name: &'scan [u8],
    /// What the kernel says of it.
    pub metadata: &'scan Metadata,
    /// How it lies.
    pub layout: Layout,
    /// What it lies on.
    pub volume: &'scan Arc<Volume>,
}

impl Found<'_> {
    /// Its path, put together.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        PathBuf::from(OsStr::from_bytes(&join(self.directory, self.name)))
    }

    /// Compares its path with `other` byte by byte, without putting it together.
    #[must_use]
    pub fn compare_path(&self, other: &[u8]) -> Ordering {
        let directory = &**self.directory;
        let common = directory.len().min(other.len());
        match directory[..common].cmp(&other[..common]) {
            Ordering::Equal if common < directory.len() => Ordering::Greater,
            Ordering::Equal => {
                let slash: &[u8] = if needs_slash(directory) { b"/" } else { b"" };
                slash.iter().chain(self.name).cmp(other[common..].iter())
            }
            different => different,
        }
    }

    /// An owned report of it.
    #[must_use]
    pub fn to_report(&self) -> FileReport {
        FileReport {
            path: self.path(),
            size_bytes: self.metadata.size_bytes,
            allocated_bytes: self.metadata.allocated_bytes,
            links: self.metadata.links,
            layout: self.layout,
            volume: Arc::clone(self.volume),
        }
    }
}

fn needs_slash(directory: &[u8]) -> bool {
    directory.last().is_some_and(|&byte| byte != b'/')
}

/// `directory/name`, or `name` alone in the current directory.
pub(super) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    path.extend_from_slice(directory);
    if needs_slash(directory) {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Takes what a worker finds. Every worker has one of its own.
pub trait Collect: Send + 'static {
    /// Whether a file of at most one block, whose count is known without opening it, should be opened for its flags.
    fn wants_flags(&self, found: &Found<'_>) -> bool {
        let _ = found;
        false
    }

    /// One file.
    fn file(&mut self, found: &Found<'_>);
}

/// A collector that calls a function for every file.
#[derive(Clone, Debug)]
pub struct Each<F>(pub F);

impl<F: FnMut(&Found<'_>) + Send + 'static> Collect for Each<F> {
    fn wants_flags(&self, _: &Found<'_>) -> bool {
        true
    }

    fn file(&mut self, found: &Found<'_>) {
        (self.0)(found);
    }
}

/// What was met besides files that were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Regular files that matched, failures among them.
    pub files: u64,
    /// Directories read.
    pub directories: u64,
    /// Symbolic links that matched and were not followed.
    pub links: u64,
    /// FIFOs, sockets and devices that matched and were not opened.
    pub special: u64,
    /// Further names of files that had been counted.
    pub repeated: u64,
    /// Files below the minimum size.
    pub small: u64,
}

/// The state of a scan that is under way.
#[derive(Debug)]
pub struct Tick<'scan> {
    /// What was met so far.
    pub counts: Counts,
    /// Where one of the workers is.
    pub current: &'scan Path,
    /// Time since the start.
    pub elapsed: Duration,
    /// Workers at work.
    pub threads: usize,
    /// What could not be looked at so far, with a few paths of each cause.
    pub failures: &'scan Failures,
}

/// What a scan has come to.
#[derive(Debug)]
pub struct Outcome<C> {
    /// The workers' collectors.
    pub collectors: Vec<C>,
    /// What was met.
    pub counts: Counts,
    /// What could not be looked at.
    pub failures: Failures,
    /// Whether it was stopped before it was through.
    pub stopped: bool,
    /// Time it took.
    pub elapsed: Duration,
    /// The most workers that were at work at one time.
    pub threads: usize,
    /// The volumes it has met.
    pub volumes: Vec<Arc<Volume>>,
}

/// Looks at every regular file below `roots`, and hands each to a collector that `collector` made for the worker.
///
/// `roots` is drawn from by a worker as the scan needs more, so that it may be endless or slow. `tick` is called on the
/// caller's thread about twenty times a second, and once at the end.
///
/// # Panics
/// When one of the caller's functions does; the scan then ends early.
///
/// Takes time in proportion to the number of entries; memory for the queue (paths of directories waiting), about
/// 64 KiB a worker, and 30 to 60 bytes for every file of several names of which some were not yet met.
pub fn scan<C: Collect>(
    roots: impl IntoIterator<Item = Root, IntoIter: Send + 'static>,
    options: &Options,
    collector: impl FnMut() -> C,
    tick: &mut dyn FnMut(&Tick<'_>),
) -> Outcome<C> {
    watch::run(Box::new(roots.into_iter()), options, collector, tick)
}

/// Calls `visit` for every regular file below `roots`, from several threads at a time.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::Arc;
/// use toolbox::fragment::{Options, Root, scan_each};
///
/// let files = Arc::new(AtomicU64::new(0));
/// let counter = Arc::clone(&files);
/// let outcome = scan_each([Root::path("src")], &Options::default(), move |found| {
///     assert!(found.path().starts_with("src"));
///     counter.fetch_add(1, Ordering::Relaxed);
/// });
/// assert!(files.load(Ordering::Relaxed) <= outcome.counts.files);
/// ```
pub fn scan_each(
    roots: impl IntoIterator<Item = Root, IntoIter: Send + 'static>,
    options: &Options,
    visit: impl FnMut(&Found<'_>) + Clone + Send + 'static,
) -> Outcome<Each<impl FnMut(&Found<'_>) + Clone + Send + 'static>> {
    scan(roots, options, || Each(visit.clone()), &mut |_| {})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_join_and_compare_alike() {
        let names = [(&b""[..], &b"a"[..]), (b"/", b"a"), (b"/x", b"a"), (b"/x/", b"b"), (b"x", b"y"), (b"/x.y", b"a")];
        let metadata = crate::sys::metadata::of_path(b"Cargo.toml", false).unwrap();
        let directory = crate::sys::directory::open(b".", true, true).unwrap();
        let volumes = super::super::volume::Volumes::new(None);
        let volume = volumes.of(&metadata, std::os::fd::AsFd::as_fd(&directory)).unwrap();
        for (directory, name) in names {
            let directory: Arc<[u8]> = directory.into();
            let layout = Layout::unopened(0);
            let found = Found { directory: &directory, name, metadata: &metadata, layout, volume: &volume };
            for (other, its) in names {
                let other = join(other, its);
                assert_eq!(found.compare_path(&other), join(&directory, name).cmp(&other), "{found:?} {other:?}");
            }
        }
    }
}
