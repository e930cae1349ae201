//! One file: from an open descriptor to its [`Layout`].

use super::extent::{Extent, Flags};
use super::failure::{Cause, Failure};
use super::fold::{Fold, Layout};
use super::volume::{Kind, Volume, Volumes};
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
        if fold.flags().any(Flags::ENCODED) && volume.kind == Kind::Btrfs {
            fold = exact_btrfs(file, metadata, volume).unwrap_or(fold);
        }
        let ideal = volume.ideal(fold.mapped_bytes(), fold.flags().any(Flags::MERGED), file);
        Ok(fold.finish(ideal))
    }
}

/// A compressed file on btrfs, from the extent items of its tree, which alone tell how much of the volume each takes.
/// `None` without the right to read them.
fn exact_btrfs(file: BorrowedFd<'_>, metadata: &Metadata, volume: &Volume) -> Option<Fold> {
    let _ = (file, metadata, volume);
    None
}

/// How the file at `path` lies. A symbolic link is not followed.
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

/// The same, with every extent of the file, in the order of the file.
///
/// # Errors
/// A [`Failure`] that names the path and the cause.
pub fn extents(path: &Path, sync: bool) -> Result<(FileReport, Vec<Extent>), Failure> {
    let (file, metadata, volume) = open(path)?;
    let mut extents = Vec::new();
    let asked = Reader::default().each(&file, sync, |record| extents.push(Extent::from(record)));
    asked.map_err(|error| failure(path, Cause::of(&error, &volume.name)))?;
    let mut fold = Fold::new(volume.cost);
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
    let metadata = metadata::of_path(bytes, false).map_err(|error| fail(&error))?;
    if let Some(what) = metadata.not_a_file() {
        return Err(failure(path, Cause::NotAFile(what)));
    }
    let file = directory::open_path(bytes).map_err(|error| fail(&error))?;
    let volume = Volumes::new(None).of(&metadata, file.as_fd()).map_err(|error| fail(&error))?;
    if !volume.has_extents() {
        return Err(failure(path, Cause::Unsupported(volume.name.clone())));
    }
    Ok((file, metadata, volume))
}

fn failure(path: &Path, cause: Cause) -> Failure {
    Failure { path: path.to_owned(), cause, named: true }
}
