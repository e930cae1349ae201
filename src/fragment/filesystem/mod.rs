//! Every file of a whole file system, ranked at metadata speed: from the file system's own records, without opening
//! the files and without walking the tree.
//!
//! - **ext2, ext3, ext4** (`ext4`): the inode tables and the blocks of the extent trees are read from the block
//!   device, whose cache is the one that the mounted file system keeps its metadata in.
//! - **XFS** (`xfs`): `BULKSTAT` tells every inode with its number of extents; only files whose extents are enough
//!   to reach the top are asked how they lie.
//! - **btrfs** (`btrfs`): the tree of the subvolume is searched from end to end, which also tells how much of the
//!   volume compressed extents take.
//!
//! Names are looked up in the end, and only for the files that are kept (`names`).
//!
//! What is counted is the file system, not the mount: files that have no name below it too, be it that they lie under
//! another mount or outside the directory that is mounted; on btrfs, the one subvolume that is mounted. A file is one
//! inode, however many names it has.
//!
//! What it refuses to do is a [`Refusal`], a reason to walk instead. The limits: data that the kernel has not given a
//! place yet (delayed allocation) is in none of these records, so that a file just written may count fewer fragments
//! than it will have, and on ext4 and btrfs its size and the space it takes lag behind what `stat` says; a file that
//! changes in the middle may be counted as it was half-way; nothing can be excluded by name.

mod btrfs;
mod crew;
mod ext4;
mod names;
mod refusal;
mod tally;
mod xfs;

pub use refusal::Refusal;

use super::cost::Media;
use super::failure::{Cause, Failures};
use super::fold::Layout;
use super::measure::{FileReport, Measurer};
use super::ranking::{HISTOGRAM_BUCKETS, Key, Totals};
use super::scan::join;
use super::volume::{Kind, Volume, Volumes};
use crate::sys::directory;
use crate::sys::metadata::{self, Device, Metadata};
use crew::Watch;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tally::{Ranked, Tally};

pub(super) use btrfs::{exact, search_for_one};
pub(super) use ext4::longest_run_bytes;

/// What is wanted of a whole file system.
#[derive(Clone, Debug)]
pub struct Request {
    /// What files are ranked by; anything but [`Key::Path`].
    pub key: Key,
    /// How many files to keep. Memory: about 150 bytes for each, and its path; twice that on several threads.
    pub keep: usize,
    /// Leave out files smaller than this.
    pub min_size_bytes: u64,
    /// Keep only files of at least this many fragments (all are still counted in the totals).
    pub min_fragments: u64,
    /// Count the files of more fragments than this in [`Report::over_limit`].
    pub limit: Option<u64>,
    /// Have every file mapped, so that the totals and the histogram are those of all. Without this, files of XFS that
    /// cannot reach the top by [`Key::Fragments`] are counted, but nobody asks how they lie ([`Report::unmapped`]).
    pub complete: bool,
    /// Fill in what only the kernel can tell of the kept files (shared and delayed extents), by opening them.
    pub with_flags: bool,
    /// Workers. `None` chooses: as many as there are processors, and at least four on a disk that does not turn; one if
    /// the caller says that it does ([`Request::media`]; the kernel says so of many a disk that does not).
    pub threads: Option<usize>,
    /// What the volume is on, instead of what the kernel says of it.
    pub media: Option<Media>,
    /// Examples to keep of each cause of failure.
    pub keep_failures: usize,
    /// Set from outside to end the scan early.
    pub stop: Arc<AtomicBool>,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            key: Key::Fragments,
            keep: 20,
            min_size_bytes: 0,
            min_fragments: 0,
            limit: None,
            complete: false,
            with_flags: false,
            threads: None,
            media: None,
            keep_failures: 10,
            stop: Arc::default(),
        }
    }
}

/// How the files were found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Inode tables and extent trees, read from this block device.
    InodeTables(PathBuf),
    /// The `BULKSTAT` call of XFS.
    Bulkstat,
    /// The `TREE_SEARCH_V2` call of btrfs.
    TreeSearch,
}

impl std::fmt::Display for Method {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InodeTables(device) => write!(formatter, "inode tables of {}", device.display()),
            Self::Bulkstat => formatter.write_str("BULKSTAT"),
            Self::TreeSearch => formatter.write_str("TREE_SEARCH_V2"),
        }
    }
}

/// A file that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its inode number.
    pub inode: u64,
    /// A path below the mount; `None` for a file that has no name there, or when the scan was stopped before it was
    /// found.
    pub path: Option<PathBuf>,
    /// Its apparent size.
    pub size_bytes: u64,
    /// The space allocated to it.
    pub allocated_bytes: u64,
    /// How many names it has.
    pub links: u32,
    /// How it lies.
    pub layout: Layout,
}

impl Listed {
    /// The same as a walk would report it; `None` for a file without a name.
    #[must_use]
    pub fn to_report(&self, volume: &Arc<Volume>) -> Option<FileReport> {
        Some(FileReport {
            path: self.path.clone()?,
            size_bytes: self.size_bytes,
            allocated_bytes: self.allocated_bytes,
            links: self.links,
            layout: self.layout,
            volume: Arc::clone(volume),
        })
    }
}

/// Files that cannot be among the first, so that nobody asked how they lie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unmapped {
    /// How many.
    pub files: u64,
    /// Their extent records together: their fragments are at most so many, and at least one each.
    pub extents: u64,
}

/// What a scan of a file system has come to.
#[derive(Debug)]
pub struct Report {
    /// The first files by the key; among equal ones at the end of the list those of the lowest inode numbers, and
    /// among equal ones in the list by path.
    pub files: Vec<Listed>,
    /// Sums over all files. Where [`Report::unmapped`] is not empty, `fragmented`, `fragments` and `excess_ns` leave
    /// those files out.
    pub totals: Totals,
    /// Files by their number of fragments, the unmapped left out.
    pub histogram: [u64; HISTOGRAM_BUCKETS],
    /// Files of more fragments than [`Request::limit`]: exact in every case.
    pub over_limit: u64,
    /// Files below the minimum size, which the totals leave out.
    pub small: u64,
    /// Files whose layout is not in the sums; none with [`Request::complete`].
    pub unmapped: Unmapped,
    /// Subvolumes inside the one that was searched (btrfs), which were not entered.
    pub subvolumes: u64,
    /// What could not be looked at. The paths are words ("inode 12 of /dev/sda1"), since names are not known.
    pub failures: Failures,
    /// How the files were found.
    pub method: Method,
    /// The volume.
    pub volume: Arc<Volume>,
    /// Time it took, names included.
    pub elapsed: Duration,
    /// Time of that which the names took.
    pub naming: Duration,
    /// Workers.
    pub threads: usize,
    /// Whether it was stopped before it was through.
    pub stopped: bool,
}

/// The state of a scan that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Regular files met so far.
    pub files: u64,
    /// Pieces of the file system that are done.
    pub done: u64,
    /// Pieces that there are; 0 while that is not known.
    pub total: u64,
    /// Whether all files have been met, and names are being looked up.
    pub naming: bool,
    /// Time since the start.
    pub elapsed: Duration,
}

/// Ranks every file of the file system that is mounted at `mount`. `tick` is called on the caller's thread about twenty
/// times a second.
///
/// Takes time in proportion to the inodes in use; memory for the files kept, and per thread a buffer: 256 KiB on ext4,
/// 192 KiB on XFS and on btrfs.
///
/// # Errors
/// A [`Refusal`], a reason to walk instead, which a caller prints and does.
///
/// ```
/// use toolbox::fragment::filesystem::{Request, scan};
///
/// match scan("/".as_ref(), &Request { keep: 3, ..Request::default() }, &mut |_| {}) {
///     Ok(report) => {
///         println!("{} files by {}", report.totals.files, report.method);
///         for file in &report.files {
///             match &file.path {
///                 Some(path) => println!("{:8} {}", file.layout.fragments, path.display()),
///                 None => println!("{:8} inode {}, not below this mount", file.layout.fragments, file.inode),
///             }
///         }
///     }
///     Err(refusal) => println!("{refusal}; walking instead"),
/// }
/// ```
pub fn scan(mount: &Path, request: &Request, tick: &mut dyn FnMut(&Progress)) -> Result<Report, Refusal> {
    let started = Instant::now();
    if request.key == Key::Path {
        return Err(Refusal::ByPath);
    }
    let target = Target::open(mount, request)?;
    let watch = Watch::new(&request.stop, started);
    let threads = request.threads.unwrap_or_else(|| target.threads(request)).max(1);
    let job = Job { target: &target, request, watch: &watch, threads };
    let mut beat = || tick(&watch.progress(false));
    let (method, tallies) = match target.volume.kind {
        Kind::Ext => ext4::scan(&job, &mut beat)?,
        Kind::Xfs => xfs::scan(&job, &mut beat)?,
        _ => btrfs::scan(&job, &mut beat)?,
    };
    let tally = tallies.into_iter().reduce(Tally::merge).unwrap_or_else(|| Tally::new(request));
    let scanned = started.elapsed();
    let (tally, files) = job.list(tally, &mut || tick(&watch.progress(true)));
    Ok(Report {
        files,
        totals: tally.totals,
        histogram: tally.histogram,
        over_limit: tally.over_limit,
        small: tally.small,
        unmapped: tally.unmapped,
        subvolumes: tally.subvolumes,
        failures: tally.failures,
        method,
        volume: Arc::clone(&target.volume),
        elapsed: started.elapsed(),
        naming: started.elapsed().saturating_sub(scanned),
        threads,
        stopped: watch.stopped(),
    })
}

/// Ways into the parsers, for the fuzz targets under `tests/fuzz` alone.
#[cfg(fuzzing)]
pub mod fuzzing {
    /// Reads an image of ext2, ext3 or ext4: the number of files and of fragments; `None` if it is refused.
    #[must_use]
    pub fn ext4(image: &[u8]) -> Option<(u64, u64)> {
        super::ext4::read_image(image)
    }

    /// Takes an answer of `TREE_SEARCH_V2` apart, and every item in it by its kind: how many made sense.
    #[must_use]
    pub fn btrfs(answer: &[u8], count: u32) -> usize {
        super::btrfs::read_answer(answer, count)
    }
}

/// What the readers of the file systems are given.
struct Job<'scan> {
    target: &'scan Target<'scan>,
    request: &'scan Request,
    watch: &'scan Watch<'scan>,
    threads: usize,
}

impl Job<'_> {
    /// The kept files with their names.
    fn list(&self, mut tally: Tally, tick: &mut dyn FnMut()) -> (Tally, Vec<Listed>) {
        let ranked = std::mem::take(&mut tally.top).into_sorted();
        let mut names = match self.target.volume.kind {
            Kind::Btrfs if ranked.len() <= names::FEW => btrfs::names(self.target, &ranked, self.watch),
            _ => names::resolve(self, &ranked, tick),
        };
        let mut measurer = Measurer::default();
        let mut listed = |ranked: &Ranked| {
            let file = &ranked.file;
            let mut layout = file.layout;
            let path = names.remove(&file.inode);
            if let Some(path) = path.as_deref().filter(|_| self.request.with_flags && !self.watch.stopped()) {
                self.add_flags(path, &mut layout, &mut measurer);
            }
            let (size_bytes, allocated_bytes) = (file.size_bytes, file.allocated_bytes);
            Listed { inode: file.inode, path, size_bytes, allocated_bytes, links: file.links, layout }
        };
        let mut files: Vec<_> = ranked.iter().map(&mut listed).collect();
        let score = |file: &Listed| self.request.key.score(&file.layout, file.size_bytes);
        // Files without a name come last among their equals; paths go by their bytes, as in a walk.
        files.sort_by(|a, b| {
            let by_path = || a.path.as_deref().map(Path::as_os_str).cmp(&b.path.as_deref().map(Path::as_os_str));
            score(b).cmp(&score(a)).then(a.path.is_none().cmp(&b.path.is_none())).then_with(by_path)
        });
        (tally, files)
    }

    /// Asks the kernel what the records of the file system do not tell.
    fn add_flags(&self, path: &Path, layout: &mut Layout, measurer: &mut Measurer) {
        let bytes = path.as_os_str().as_bytes();
        let Ok(file) = directory::open_path(bytes) else { return };
        let Ok(found) = metadata::of(&file) else { return };
        if let Ok(asked) = measurer.layout(file.as_fd(), &found, &self.target.volume, false, || {}) {
            layout.flags = match (layout.flags, asked.flags) {
                (Some(known), Some(told)) => Some(known | told),
                (known, told) => told.or(known),
            };
        }
    }
}

/// The file system that is to be read.
struct Target<'scan> {
    /// The mount point, as the caller spelled it.
    path: &'scan Path,
    /// The same, as the list of mounts spells it.
    real: PathBuf,
    descriptor: OwnedFd,
    metadata: Metadata,
    volume: Arc<Volume>,
    volumes: Volumes,
}

impl<'scan> Target<'scan> {
    fn open(path: &'scan Path, request: &Request) -> Result<Self, Refusal> {
        let unreachable = |error: &std::io::Error| Refusal::Unreachable(path.into(), Cause::of_named(error, ""));
        let descriptor =
            directory::open(path.as_os_str().as_bytes(), true, true).map_err(|error| unreachable(&error))?;
        let metadata = metadata::of(&descriptor).map_err(|error| unreachable(&error))?;
        let real = std::fs::canonicalize(path).map_err(|error| unreachable(&error))?;
        let volumes = Volumes::new(request.media);
        let volume = volumes.of(&metadata, descriptor.as_fd()).map_err(|error| unreachable(&error))?;
        if !volumes.mounts().iter().any(|mount| mount.point == real) {
            return Err(Refusal::NotAMount(path.into()));
        }
        if !matches!(volume.kind, Kind::Ext | Kind::Xfs | Kind::Btrfs) {
            return Err(Refusal::FileSystem(volume.name.clone()));
        }
        Ok(Self { path, real, descriptor, metadata, volume, volumes })
    }

    fn device(&self) -> Device {
        self.metadata.device
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// The path of `below`, relative to the mount, if what is seen there is this file.
    fn path_of(&self, inode: u64, below: &[u8]) -> Option<PathBuf> {
        let path = join(self.path.as_os_str().as_bytes(), below);
        let found = metadata::of_path(&path, false).ok()?;
        let is_it = (found.device, found.inode) == (self.device(), inode);
        is_it.then(|| PathBuf::from(OsStr::from_bytes(&path)))
    }

    fn threads(&self, request: &Request) -> usize {
        match (request.media, self.volume.cost.media) {
            (Some(Media::Rotating), _) => 1,
            (None, Media::Rotating) => crew::processors(),
            (Some(Media::Solid), _) | (None, Media::Solid) => crew::processors().max(4),
        }
    }

    /// Directories below the mount that something else is mounted on, spelled as a walk from [`Target::path`] would.
    fn mounts_below(&self) -> HashSet<Box<[u8]>> {
        let below = |mount: &crate::sys::mounts::Mount| {
            let below = mount.point.strip_prefix(&self.real).ok().filter(|below| !below.as_os_str().is_empty())?;
            Some(join(self.path.as_os_str().as_bytes(), below.as_os_str().as_bytes()).into_boxed_slice())
        };
        self.volumes.mounts().iter().filter_map(below).collect()
    }
}
