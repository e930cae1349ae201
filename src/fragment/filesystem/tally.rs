//! What one worker has found: sums, a histogram, and the first files by the key, by inode number.
//!
//! Equal files rank by inode number here, since names are not known yet; only among the files that are kept in the end
//! does the path decide.

use super::super::failure::{Cause, Failure, Failures};
use super::super::fold::Layout;
use super::super::ranking::{self, HISTOGRAM_BUCKETS, Key, Totals};
use super::super::top::Top;
use super::{Request, Unmapped};
use std::cmp::Ordering;

/// One file, without its name.
#[derive(Clone, Copy, Debug)]
pub(super) struct File {
    pub(super) inode: u64,
    /// Tells it from earlier inodes of the same number; 0 on btrfs, where nobody asks.
    pub(super) generation: u32,
    pub(super) size_bytes: u64,
    pub(super) allocated_bytes: u64,
    pub(super) links: u32,
    pub(super) layout: Layout,
}

/// A file with what it is ranked by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ranked {
    score: u64,
    pub(super) file: File,
}

/// The smaller ranks first.
impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.cmp(&self.score).then_with(|| self.file.inode.cmp(&other.file.inode))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

/// Collects what one worker finds.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) totals: Totals,
    pub(super) histogram: [u64; HISTOGRAM_BUCKETS],
    pub(super) over_limit: u64,
    pub(super) small: u64,
    pub(super) unmapped: Unmapped,
    pub(super) subvolumes: u64,
    pub(super) failures: Failures,
    pub(super) top: Top<Ranked>,
    key: Key,
    min_fragments: u64,
    min_size_bytes: u64,
    limit: Option<u64>,
}

impl Tally {
    pub(super) fn new(request: &Request) -> Self {
        Self {
            totals: Totals::default(),
            histogram: [0; HISTOGRAM_BUCKETS],
            over_limit: 0,
            small: 0,
            unmapped: Unmapped::default(),
            subvolumes: 0,
            failures: Failures::keeping(request.keep_failures),
            top: Top::new(request.keep),
            key: request.key,
            min_fragments: request.min_fragments,
            min_size_bytes: request.min_size_bytes,
            limit: request.limit,
        }
    }

    /// Whether a file of this size is to be left out; counts it if so.
    #[inline]
    pub(super) fn is_small(&mut self, size_bytes: u64) -> bool {
        let small = size_bytes < self.min_size_bytes;
        self.small += u64::from(small);
        small
    }

    /// One file.
    #[inline]
    pub(super) fn file(&mut self, file: &File) {
        let fragments = file.layout.fragments;
        self.totals.add_file(&file.layout, file.size_bytes, file.allocated_bytes);
        self.histogram[ranking::bucket(fragments)] += 1;
        self.over_limit += u64::from(self.limit.is_some_and(|limit| fragments > limit));
        let score = self.key.score(&file.layout, file.size_bytes);
        let beats = |last: &Ranked| (last.score, file.inode) < (score, last.file.inode);
        if fragments >= self.min_fragments && self.top.admits(beats) {
            self.top.push(Ranked { score, file: *file });
        }
    }

    /// One file that cannot reach the top, so that nobody asked how it lies: only that it has so many extents.
    pub(super) fn unmapped(&mut self, extents: u64, size_bytes: u64, allocated_bytes: u64) {
        let layout = Layout { extents, fragments: 0, exact: true, ..Layout::unopened(0) };
        self.totals.add_file(&layout, size_bytes, allocated_bytes);
        self.unmapped.files += 1;
        self.unmapped.extents += extents;
    }

    /// Something that could not be looked at. `what` says which in words, since it has no name yet.
    pub(super) fn fail(&mut self, what: impl Into<std::path::PathBuf>, cause: Cause) {
        self.failures.push(Failure { path: what.into(), cause, named: false });
    }

    /// The two joined, as if one worker had found all.
    pub(super) fn merge(mut self, other: Self) -> Self {
        self.totals.add(&other.totals);
        self.histogram.iter_mut().zip(other.histogram).for_each(|(ours, theirs)| *ours += theirs);
        self.over_limit += other.over_limit;
        self.small += other.small;
        self.unmapped.files += other.unmapped.files;
        self.unmapped.extents += other.unmapped.extents;
        self.subvolumes += other.subvolumes;
        self.failures.merge(other.failures);
        self.top.merge(other.top);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(inode: u64, fragments: u64) -> File {
        let layout = Layout { fragments, extents: fragments, ..Layout::unopened(1) };
        File { inode, generation: 0, size_bytes: 4096, allocated_bytes: 4096, links: 1, layout }
    }

    #[test]
    fn equal_files_rank_by_inode_whoever_found_them() {
        let request = Request { keep: 2, ..Request::default() };
        let (mut one, mut two) = (Tally::new(&request), Tally::new(&request));
        [(9, 3), (5, 3), (7, 1)].iter().for_each(|&(inode, fragments)| one.file(&file(inode, fragments)));
        [(6, 3), (8, 2)].iter().for_each(|&(inode, fragments)| two.file(&file(inode, fragments)));
        let joined = one.merge(two);
        assert_eq!((joined.totals.files, joined.totals.fragments, joined.histogram[3]), (5, 12, 3));
        let kept: Vec<_> = joined.top.into_sorted().iter().map(|ranked| ranked.file.inode).collect();
        assert_eq!(kept, [5, 6]);
    }
}
