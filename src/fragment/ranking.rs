//! The worst files, in memory that does not grow with the number of files.
//!
//! A bounded heap with the least of the kept on top: a file that does not beat it costs one comparison, and only one
//! that does has its path put together. Every worker of a scan has a ranking of its own; [`Ranking::merge`] joins
//! them. Equal files rank by path, so that the same tree always gives the same list.

use super::fold::Layout;
use super::measure::FileReport;
use super::scan::{Collect, Found};
use super::top::Top;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

/// What files are ranked by, most first ([`Key::Path`]: in order).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Key {
    /// Fragments.
    #[default]
    Fragments,
    /// Estimated extra read time over the ideal layout.
    Excess,
    /// Fragments beyond the ideal.
    Surplus,
    /// Apparent size.
    Size,
    /// Extent records.
    Extents,
    /// Path alone.
    Path,
}

impl Key {
    /// What a file is ranked by, most first; 0 for [`Key::Path`].
    #[must_use]
    pub fn score(self, layout: &Layout, size_bytes: u64) -> u64 {
        match self {
            Self::Fragments => layout.fragments,
            Self::Excess => layout.excess_ns,
            Self::Surplus => layout.fragments.saturating_sub(layout.ideal),
            Self::Size => size_bytes,
            Self::Extents => layout.extents,
            Self::Path => 0,
        }
    }
}

/// Buckets of the histogram: 0, 1, 2, 3 to 4, 5 to 8, and so on by powers of two.
pub const HISTOGRAM_BUCKETS: usize = 24;

/// Sums over files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files that have a count.
    pub files: u64,
    /// Of those, files of more fragments than their ideal.
    pub fragmented: u64,
    /// Of those, files whose count is an upper bound.
    pub inexact: u64,
    /// Fragments.
    pub fragments: u64,
    /// Extent records.
    pub extents: u64,
    /// Estimated extra read time.
    pub excess_ns: u64,
    /// Apparent sizes.
    pub size_bytes: u64,
    /// Space allocated.
    pub allocated_bytes: u64,
}

impl Totals {
    /// Adds one file.
    pub fn add_file(&mut self, layout: &Layout, size_bytes: u64, allocated_bytes: u64) {
        self.files += 1;
        self.fragmented += u64::from(layout.fragments > layout.ideal.max(1));
        self.inexact += u64::from(!layout.exact);
        self.fragments += layout.fragments;
        self.extents += layout.extents;
        self.excess_ns = self.excess_ns.saturating_add(layout.excess_ns);
        self.size_bytes = self.size_bytes.saturating_add(size_bytes);
        self.allocated_bytes = self.allocated_bytes.saturating_add(allocated_bytes);
    }

    fn add_found(&mut self, found: &Found<'_>) {
        self.add_file(&found.layout, found.metadata.size_bytes, found.metadata.allocated_bytes);
    }

    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.files += other.files;
        self.fragmented += other.fragmented;
        self.inexact += other.inexact;
        self.fragments += other.fragments;
        self.extents += other.extents;
        self.excess_ns = self.excess_ns.saturating_add(other.excess_ns);
        self.size_bytes = self.size_bytes.saturating_add(other.size_bytes);
        self.allocated_bytes = self.allocated_bytes.saturating_add(other.allocated_bytes);
    }
}

#[derive(Clone, Debug)]
struct Ranked {
    score: u64,
    report: FileReport,
}

impl Ranked {
    fn path(&self) -> &[u8] {
        self.report.path.as_os_str().as_bytes()
    }
}

/// Greater is worse, so that a max-heap has the least of the kept on top.
impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.cmp(&self.score).then_with(|| self.path().cmp(other.path()))
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

/// Collects totals, a histogram and the first files by a [`Key`].
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    /// Sums over all files seen.
    pub totals: Totals,
    /// Files by their number of fragments.
    pub histogram: [u64; HISTOGRAM_BUCKETS],
    /// Files of more fragments than [`Ranking::limit`].
    pub over_limit: u64,
    key: Key,
    min_fragments: u64,
    limit: Option<u64>,
    wants_flags: bool,
    top: Top<Ranked>,
    directories: Option<Directories>,
}

/// Sums per directory; the one being read is kept at hand.
#[derive(Clone, Debug, Default)]
struct Directories {
    closed: HashMap<Box<[u8]>, Totals>,
    open: Option<(Arc<[u8]>, Totals)>,
}

impl Ranking {
    /// Keeps the first `capacity` files by `key`. Memory: a few hundred bytes and the path of each of those.
    #[must_use]
    pub fn new(key: Key, capacity: usize) -> Self {
        Self { key, top: Top::new(capacity), ..Self::default() }
    }

    /// Keeps only files of at least this many fragments (all are still counted in the totals).
    #[must_use]
    pub fn min_fragments(self, min_fragments: u64) -> Self {
        Self { min_fragments, ..self }
    }

    /// Counts files of more than this many fragments in [`Ranking::over_limit`].
    #[must_use]
    pub fn limit(self, limit: Option<u64>) -> Self {
        Self { limit, ..self }
    }

    /// Has the flags of every kept file filled in, at the price of opening a file of one block when it is kept.
    #[must_use]
    pub fn with_flags(self, wants_flags: bool) -> Self {
        Self { wants_flags, ..self }
    }

    /// Sums per directory too. Memory: about 150 bytes and the path of every directory that holds a file.
    #[must_use]
    pub fn by_directory(self, wanted: bool) -> Self {
        Self { directories: wanted.then(Directories::default), ..self }
    }

    fn score(&self, found: &Found<'_>) -> u64 {
        self.key.score(&found.layout, found.metadata.size_bytes)
    }

    /// Whether `found` would be among the kept.
    fn would_keep(&self, found: &Found<'_>) -> bool {
        let beats = |least: &Ranked| {
            let by_score = self.score(found).cmp(&least.score);
            by_score.then_with(|| found.compare_path(least.path()).reverse()) == Ordering::Greater
        };
        found.layout.fragments >= self.min_fragments && self.top.admits(beats)
    }

    fn add_to_directory(&mut self, found: &Found<'_>) {
        let Some(directories) = &mut self.directories else { return };
        let same = directories.open.as_ref().is_some_and(|(path, _)| Arc::ptr_eq(path, found.directory));
        if !same {
            directories.close();
            directories.open = Some((Arc::clone(found.directory), Totals::default()));
        }
        if let Some((_, totals)) = &mut directories.open {
            totals.add_found(found);
        }
    }

    /// The two joined, as if one ranking had seen all files.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.totals.add(&other.totals);
        self.over_limit += other.over_limit;
        self.histogram.iter_mut().zip(other.histogram).for_each(|(ours, theirs)| *ours += theirs);
        self.top.merge(other.top);
        if let (Some(ours), Some(mut theirs)) = (&mut self.directories, other.directories) {
            theirs.close();
            theirs.closed.into_iter().for_each(|(path, totals)| ours.closed.entry(path).or_default().add(&totals));
        }
        self
    }

    /// The kept files, first rank first.
    #[must_use]
    pub fn into_sorted(self) -> Vec<FileReport> {
        self.top.into_sorted().into_iter().map(|ranked| ranked.report).collect()
    }

    /// Directories with their sums, most excess first when that is the key, else most fragments; ties by path.
    pub fn take_directories(&mut self) -> Vec<(PathBuf, Totals)> {
        let Some(mut directories) = self.directories.take() else { return Vec::new() };
        directories.close();
        let path = |bytes: Box<[u8]>| PathBuf::from(std::ffi::OsStr::from_bytes(&bytes));
        let mut all: Vec<_> = directories.closed.into_iter().map(|(bytes, totals)| (path(bytes), totals)).collect();
        let key = self.key;
        all.sort_by(|a, b| directory_score(key, &b.1).cmp(&directory_score(key, &a.1)).then_with(|| a.0.cmp(&b.0)));
        all
    }
}

fn directory_score(key: Key, totals: &Totals) -> u64 {
    match key {
        Key::Fragments => totals.fragments,
        Key::Excess => totals.excess_ns,
        Key::Surplus => totals.fragmented,
        Key::Size => totals.size_bytes,
        Key::Extents => totals.extents,
        Key::Path => 0,
    }
}

impl Directories {
    fn close(&mut self) {
        if let Some((path, totals)) = self.open.take() {
            self.closed.entry(Box::from(&*path)).or_default().add(&totals);
        }
    }
}

impl Collect for Ranking {
    fn wants_flags(&self, found: &Found<'_>) -> bool {
        self.wants_flags && self.would_keep(found)
    }

    fn file(&mut self, found: &Found<'_>) {
        self.totals.add_found(found);
        self.histogram[bucket(found.layout.fragments)] += 1;
        self.over_limit += u64::from(self.limit.is_some_and(|limit| found.layout.fragments > limit));
        self.add_to_directory(found);
        if self.would_keep(found) {
            self.top.push(Ranked { score: self.score(found), report: found.to_report() });
        }
    }
}

/// 0, 1 and 2 have a bucket each, then one for every power of two.
pub(super) fn bucket(fragments: u64) -> usize {
    let bucket = match fragments {
        0 => 0,
        more => 65 - (more - 1).leading_zeros() as usize,
    };
    bucket.min(HISTOGRAM_BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_powers_of_two() {
        let buckets: Vec<_> = [0, 1, 2, 3, 4, 5, 8, 9, 16, u64::MAX].map(bucket).to_vec();
        assert_eq!(buckets, [0, 1, 2, 3, 3, 4, 4, 5, 5, HISTOGRAM_BUCKETS - 1]);
    }
}
