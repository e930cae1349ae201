//! One file: from an open descriptor to its [`Layout`].

use super::extent::{Extent, Flags};
use super::failure::{Cause, Failure};
use super::filesystem;
use super::fold::{Fold, Layout};
use super::scan::remote::mount_of;
use super::volume::{Kind, Volume, Volumes};
use crate::sys::btrfs::Search;
use crate::sys::directory;
use crate::sys::extents::{self, Reader};
use crate::sys::metadata::{self, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was found out about one file.
#[derive(Clone, Debug)]
pub struct FileReport {
    /// Its path, as it was reached.
    pub path: PathBuf,
    /// Its apparent size.
    pub size_bytes: u64,
    /// The space allocated to it.
    pub allocated_bytes: u64,
    /// How many names it has.
    pub links: u32,
    /// How it lies.
    pub layout: Layout,
    /// What it lies on.
    pub volume: Arc<Volume>,
}

/// Asks for extents with a buffer that outlives the file.
#[derive(Debug, Default)]
pub(super) struct Measurer {
    reader: Reader,
    /// For compressed files on btrfs, once there are any.
    search: Option<Search>,
}

impl Measurer {
    /// How `file` lies. `alive` is called now and then, to show that a long answer is making progress.
    #[inline]
    pub(super) fn layout(
        &mut self,
        file: BorrowedFd<'_>,
        metadata: &Metadata,
        volume: &Volume,
        sync: bool,
        mut alive: impl FnMut(),
    ) -> io::Result<Layout> {
        let mut fold = Fold::new(volume.cost);
        let mut seen = 0;
        self.reader.each(file, sync, |record| {
            seen += 1;
            if seen % extents::BATCH == 0 {
                alive();
            }
            fold.push(&Extent::from(record));
        })?;
        let flags = fold.flags();
        let mut exact = Fold::new(volume.cost).knowing_disk_length().marked(flags);
        if self.exact_btrfs(file, metadata.inode, flags, volume, |extent| exact.push(&extent)).is_some() {
            fold = exact;
        }
        let ideal = volume.ideal(fold.mapped_bytes(), fold.flags().any(Flags::MERGED), file);
        Ok(fold.finish(ideal))
    }

    /// A compressed file on btrfs, from the extent items of its tree, which alone tell how much of the volume each
    /// takes. FIEMAP's `flags` tell whether it is one. `None` where the tree does not matter, without the right to read
    /// it, and while some of the file has no place yet, since that part is not in the tree.
    fn exact_btrfs(
        &mut self,
        file: BorrowedFd<'_>,
        inode: u64,
        flags: Flags,
        volume: &Volume,
        visit: impl FnMut(Extent),
    ) -> Option<()> {
        let matters = volume.kind == Kind::Btrfs && flags.any(Flags::ENCODED);
        if !matters || flags.any(Flags::UNKNOWN | Flags::DELAYED) {
            return None;
        }
        let search = self.search.get_or_insert_with(filesystem::search_for_one);
        filesystem::exact(search, file, inode, visit)
    }
}

/// Marks what FIEMAP calls shared in what the tree says.
fn mark_shared(exact: &mut [Extent], told: &[Extent]) {
    let shared = |extent: &Extent| {
        let overlap = |other: &&Extent| {
            other.logical < extent.logical.saturating_add(extent.length)
                && extent.logical < other.logical.saturating_add(other.length)
        };
        let first = told.partition_point(|other| other.logical.saturating_add(other.length) <= extent.logical);
        told[first..].iter().take_while(overlap).any(|other| other.flags.any(Flags::SHARED))
    };
    for extent in exact {
        if shared(extent) {
            extent.flags |= Flags::SHARED;
        }
    }
}

/// How the file at `path` lies. A symbolic link is not followed. A mount that is remote by its type is not touched; any
/// other file system is waited for however long it takes, where [`super::scan()`] would give up.
///
/// # Errors
/// A [`Failure`] that names the path and the cause.
///
/// ```
/// let report = toolbox::fragment::measure("Cargo.toml".as_ref(), false);
/// // In a container the file may lie on a file system that has no extents to tell of.
/// if let Ok(report) = report {
///     assert!(report.layout.fragments <= report.layout.extents);
/// }
/// ```
pub fn measure(path: &Path, sync: bool) -> Result<FileReport, Failure> {
    let (file, metadata, volume) = open(path)?;
    let layout = Measurer::default().layout(file.as_fd(), &metadata, &volume, sync, || {});
    let layout = layout.map_err(|error| failure(path, Cause::of(&error, &volume.name)))?;
    Ok(report(path, &metadata, layout, volume))
}

/// The same, with every extent of the file, in the order of the file. For a compressed file on btrfs they are those of
/// the tree where this process may read that, so that [`Extent::disk_length`] is what they really take.
///
/// # Errors
/// A [`Failure`] that names the path and the cause.
pub fn extents(path: &Path, sync: bool) -> Result<(FileReport, Vec<Extent>), Failure> {
    let (file, metadata, volume) = open(path)?;
    let (mut measurer, mut extents) = (Measurer::default(), Vec::new());
    let asked = measurer.reader.each(&file, sync, |record| extents.push(Extent::from(record)));
    asked.map_err(|error| failure(path, Cause::of(&error, &volume.name)))?;
    let flags = extents.iter().fold(Flags::default(), |all, extent| all | extent.flags);
    let mut fold = Fold::new(volume.cost).marked(flags);
    let mut exact = Vec::new();
    let visit = |extent| exact.push(extent);
    if measurer.exact_btrfs(file.as_fd(), metadata.inode, flags, &volume, visit).is_some() {
        mark_shared(&mut exact, &extents);
        (extents, fold) = (exact, fold.knowing_disk_length());
    }
    extents.iter().for_each(|extent| fold.push(extent));
    let ideal = volume.ideal(fold.mapped_bytes(), fold.flags().any(Flags::MERGED), file.as_fd());
    Ok((report(path, &metadata, fold.finish(ideal), volume), extents))
}

fn report(path: &Path, metadata: &Metadata, layout: Layout, volume: Arc<Volume>) -> FileReport {
    FileReport {
        path: path.to_owned(),
        size_bytes: metadata.size_bytes,
        allocated_bytes: metadata.allocated_bytes,
        links: metadata.links,
        layout,
        volume,
    }
}

fn open(path: &Path) -> Result<(OwnedFd, Metadata, Arc<Volume>), Failure> {
    let bytes = path.as_os_str().as_bytes();
    let fail = |error: &io::Error| failure(path, Cause::of_named(error, ""));
    if bytes.is_empty() {
        return Err(failure(path, Cause::Missing));
    }
    let volumes = Volumes::new(None);
    if let Some(kind) = mount_of(path, volumes.mounts()) {
        return Err(failure(path, Cause::Unsupported(kind)));
    }
    let metadata = metadata::of_path(bytes, false).map_err(|error| fail(&error))?;
    if let Some(what) = metadata.not_a_file() {
        return Err(failure(path, Cause::NotAFile(what)));
    }
    // What it lies on is found out first, because opening a file of `/proc` may have effects.
    let (at, name) = directory::split(bytes).map_err(|error| fail(&error))?;
    let at = at.as_ref().map_or(directory::current(), AsFd::as_fd);
    let place = directory::locate(at, &name, false).map_err(|error| fail(&error))?;
    let volume = volumes.of(&metadata, place.as_fd()).map_err(|error| fail(&error))?;
    if !volume.has_extents() {
        return Err(failure(path, Cause::Unsupported(volume.name.clone())));
    }
    let file = directory::open_path(bytes).map_err(|error| fail(&error))?;
    Ok((file, metadata, volume))
}

fn failure(path: &Path, cause: Cause) -> Failure {
    Failure { path: path.to_owned(), cause, named: true }
}
