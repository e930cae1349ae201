//! XFS: every inode by `BULKSTAT`, allocation group by allocation group.
//!
//! The call tells of each inode how many extents it has. A file of one extent is one fragment; a file of more is a
//! *candidate*: its fragments are at most its extents, because extents can continue one another (across a hole, or
//! where one is written and the next is not). Candidates are opened by their inode and mapped by FIEMAP, as in a walk.
//!
//! When the ranking is by fragments and nothing else is asked for, a candidate is mapped only if its extents could
//! bring it among the first: those found so far are a bar that all workers share, and each batch of a thousand inodes
//! is taken up with most extents first, so that the bar rises early. No list of candidates is kept.
//!
//! Inodes without a name that are still open, and inodes that XFS keeps for itself, are left out.

use super::super::failure::Cause;
use super::super::fold::Layout;
use super::super::measure::Measurer;
use super::super::ranking::Key;
use super::super::top::Top;
use super::tally::{File, Tally};
use super::{Job, Method, Refusal, crew};
use crate::sys::handle::Handle;
use crate::sys::metadata::Metadata;
use crate::sys::xfs::{self, Bulk, Inode};
use std::cmp::Reverse;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Reads the inodes of the file system.
pub(super) fn scan(job: &Job<'_>, tick: &mut dyn FnMut()) -> Result<(Method, Vec<Tally>), Refusal> {
    let refuse = |error: &std::io::Error| Refusal::Kernel("BULKSTAT", Cause::of(error, "xfs"));
    let mount = job.target.descriptor();
    let groups = xfs::geometry(mount).map_err(|error| refuse(&error))?.groups;
    Bulk::new(0).fill(mount).map_err(|error| refuse(&error))?;
    check_handles(job)?;
    job.watch.expect(u64::from(groups));
    let shared = Shared { next: AtomicU32::new(0), groups, bar: Mutex::new(Top::new(job.request.keep)) };
    let tallies = crew::run(job.threads, tick, || Worker::new(job, &shared).run());
    Ok((Method::Bulkstat, tallies))
}

/// Whether candidates may be opened at all: asked before the work, since without that there is no ranking.
fn check_handles(job: &Job<'_>) -> Result<(), Refusal> {
    // A generation that is most likely wrong: the right to ask is looked at first, and the file is not wanted.
    match Handle::of_xfs(job.target.metadata.inode, u32::MAX).open(job.target.descriptor()) {
        Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
            Err(Refusal::Kernel("opening files by their inode numbers", Cause::Denied))
        }
        _ => Ok(()),
    }
}

/// What the workers share.
struct Shared {
    /// The next group that nobody has taken yet.
    next: AtomicU32,
    groups: u32,
    /// The candidates mapped so far that rank first, by fragments and then by inode.
    bar: Mutex<Top<(Reverse<u64>, u64)>>,
}

impl Shared {
    /// Whether a file of at most so many fragments could be among the first.
    fn admits(&self, fragments: u64, inode: u64) -> bool {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        bar.admits(|last| (Reverse(fragments), inode) < *last)
    }

    fn raise(&self, fragments: u64, inode: u64) {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner).push((Reverse(fragments), inode));
    }
}

struct Worker<'scan> {
    job: &'scan Job<'scan>,
    shared: &'scan Shared,
    tally: Tally,
    measurer: Measurer,
    /// Candidates of the batch at hand; never more than a batch has.
    candidates: Vec<Inode>,
}

impl<'scan> Worker<'scan> {
    fn new(job: &'scan Job<'scan>, shared: &'scan Shared) -> Self {
        let tally = Tally::new(job.request);
        Self { job, shared, tally, measurer: Measurer::default(), candidates: Vec::new() }
    }

    fn run(mut self) -> Tally {
        let mut bulk = Bulk::new(0);
        loop {
            let group = self.shared.next.fetch_add(1, Relaxed);
            if group >= self.shared.groups || self.job.watch.stopped() {
                return self.tally;
            }
            bulk.rewind(group);
            self.group(&mut bulk, group);
            self.job.watch.advance(1, 0);
        }
    }

    fn group(&mut self, bulk: &mut Bulk, group: u32) {
        while !self.job.watch.stopped() {
            match bulk.fill(self.job.target.descriptor()) {
                Ok(true) => self.batch(bulk),
                Ok(false) => return,
                Err(error) => {
                    let what = format!("allocation group {group} of {}", self.job.target.path.display());
                    return self.tally.fail(what, Cause::of(&error, "xfs"));
                }
            }
        }
    }

    fn batch(&mut self, bulk: &Bulk) {
        let mut files = 0;
        for inode in bulk.inodes() {
            if inode.mode & libc::S_IFMT != libc::S_IFREG || inode.links == 0 {
                continue;
            }
            files += 1;
            if self.tally.is_small(inode.size_bytes) {
                continue;
            }
            match layout_by_count(&inode) {
                Some(layout) => self.tally.file(&file(&inode, layout)),
                None => self.candidates.push(inode),
            }
        }
        self.job.watch.advance(0, files);
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.sort_unstable_by_key(|inode| (Reverse(inode.extents), inode.number));
        candidates.drain(..).for_each(|inode| self.candidate(&inode));
        self.candidates = candidates;
    }

    fn candidate(&mut self, inode: &Inode) {
        if self.job.watch.stopped() {
            return;
        }
        if !self.is_wanted(inode) {
            return self.tally.unmapped(inode.extents, inode.size_bytes, inode.allocated_bytes);
        }
        match self.map(inode) {
            Ok(layout) => {
                self.shared.raise(layout.fragments, inode.number);
                self.tally.file(&file(inode, layout));
            }
            Err(cause) => {
                self.tally.fail(format!("inode {} of {}", inode.number, self.job.target.path.display()), cause);
            }
        }
    }

    /// Whether how the file lies can change anything in the report.
    fn is_wanted(&self, inode: &Inode) -> bool {
        let request = self.job.request;
        // Nothing placed yet, or a size that the count of extents does not explain: there is no bound to judge it by.
        let bounded = inode.extents > 0;
        let over = request.limit.is_some_and(|limit| inode.extents > limit);
        let wants_all = request.complete || request.key != Key::Fragments;
        let ranks = inode.extents >= request.min_fragments && self.shared.admits(inode.extents, inode.number);
        !bounded || over || wants_all || ranks
    }

    fn map(&mut self, inode: &Inode) -> Result<Layout, Cause> {
        let target = self.job.target;
        let told = |error: &std::io::Error| Cause::of(error, "xfs");
        let handle = Handle::of_xfs(inode.number, inode.generation);
        let opened = handle.open(target.descriptor()).map_err(|error| told(&error))?;
        let metadata = Metadata { inode: inode.number, mode: inode.mode, ..target.metadata };
        let asked = self.measurer.layout(opened.as_fd(), &metadata, &target.volume, false, || {});
        asked.map_err(|error| told(&error))
    }
}

/// How a file lies of which the count of extents tells all: one with a single extent, or with nothing allocated.
fn layout_by_count(inode: &Inode) -> Option<Layout> {
    match (inode.extents, inode.allocated_bytes) {
        (1, _) => Some(Layout { mapped_bytes: inode.allocated_bytes, ..Layout::unopened(1) }),
        (0, 0) => Some(Layout::unopened(0)),
        _ => None,
    }
}

fn file(inode: &Inode, layout: Layout) -> File {
    File {
        inode: inode.number,
        generation: inode.generation,
        size_bytes: inode.size_bytes,
        allocated_bytes: inode.allocated_bytes,
        links: inode.links,
        layout,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inode(extents: u64, allocated_bytes: u64) -> Inode {
        Inode { number: 1, generation: 0, mode: 0o100_644, links: 1, size_bytes: 1 << 20, allocated_bytes, extents }
    }

    #[test]
    fn one_extent_is_one_fragment_and_more_have_to_be_asked() {
        let fragments = |extents, allocated| layout_by_count(&inode(extents, allocated)).map(|l| l.fragments);
        assert_eq!(fragments(1, 1 << 20), Some(1));
        assert_eq!(fragments(0, 0), Some(0), "all hole");
        assert_eq!(fragments(0, 4096), None, "not placed yet, or only attributes");
        assert_eq!(fragments(2, 1 << 20), None);
    }
}
