//! btrfs: the tree of a subvolume, searched from end to end.
//!
//! The items of one inode lie together: the inode itself, its names, its extents in the order of the file. So one pass
//! tells all of every file, and in more detail than FIEMAP does, which shows a compressed extent only as long as what
//! it holds, not as what it takes. The tree is cut into ranges of inode numbers that several threads take in turn;
//! where the numbers end is found by bisection.
//!
//! Names of a few are followed upwards in the same tree, from the few files that are shown to the directory that is
//! mounted, so that no map of all names is kept. What is found is checked by `stat`.
//!
//! The limits: only the subvolume that is mounted is searched, and subvolumes inside it are counted and not entered.
//! What is only in the page cache is not in the tree, and a size may lag behind until the next commit. Addresses are
//! those of the volume, not of its devices. Whether an extent is shared these items do not tell.

mod items;

use super::super::extent::Extent;
use super::super::failure::Cause;
use super::super::fold::Fold;
use super::crew::{self, Watch};
use super::tally::{File, Ranked, Tally};
use super::{Job, Method, Refusal, Target};
use crate::sys::btrfs::{FIRST_INODE, Item, Key, LAST_INODE, Search};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Read at once from the tree.
const BUFFER_BYTES: usize = 192 << 10;

/// Read at once where the items of one inode are asked for: enough for nearly any to need one call.
const ONE_BYTES: usize = 136 << 10;

/// Ranges that the tree is cut into, so that no thread is left with much more than another.
const RANGES: u64 = 256;

/// No path of the kernel's has more components.
const DEEPEST: usize = 4096;

/// Searches the subvolume.
pub(super) fn scan(job: &Job<'_>, tick: &mut dyn FnMut()) -> Result<(Method, Vec<Tally>), Refusal> {
    let mount = job.target.descriptor();
    let last = last_inode(mount).map_err(|error| Refusal::Kernel("TREE_SEARCH_V2", Cause::of(&error, "btrfs")))?;
    let step = ((last - FIRST_INODE) / RANGES).max(1);
    let ranges = (last - FIRST_INODE) / step + 1;
    job.watch.expect(ranges);
    let next = AtomicU64::new(0);
    let tallies = crew::run(job.threads, tick, || {
        let mut worker = Worker { job, tally: Tally::new(job.request), search: Search::new(BUFFER_BYTES), files: 0 };
        loop {
            let range = next.fetch_add(1, Relaxed);
            if range >= ranges || job.watch.stopped() {
                return worker.tally;
            }
            let from = FIRST_INODE + range * step;
            // Inodes made meanwhile have numbers above all others.
            let to = if range + 1 == ranges { LAST_INODE } else { from + step - 1 };
            if let Err(error) = worker.range(from, to) {
                let what = format!("inodes {from} to {to} of {}", job.target.path.display());
                worker.tally.fail(what, Cause::of(&error, "btrfs"));
            }
            job.watch.advance(1, std::mem::take(&mut worker.files));
        }
    });
    Ok((Method::TreeSearch, tallies))
}

/// The highest inode number in use.
fn last_inode(mount: BorrowedFd<'_>) -> io::Result<u64> {
    let mut search = Search::new(0);
    let mut is_any_from = |inode: u64| {
        search.begin(Key::first_of(inode), Key::last_of(LAST_INODE));
        search.fill(mount, 1)
    };
    is_any_from(FIRST_INODE)?;
    let (mut low, mut high) = (FIRST_INODE, LAST_INODE);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if is_any_from(middle)? { low = middle } else { high = middle }
    }
    Ok(low)
}

struct Worker<'scan> {
    job: &'scan Job<'scan>,
    tally: Tally,
    search: Search,
    files: u64,
}

/// The file whose items are being read.
struct Open {
    number: u64,
    inode: items::Inode,
    /// What its extents add up to so far, or what is wrong with them.
    fold: Result<Fold, &'static str>,
}

impl Worker<'_> {
    fn range(&mut self, from: u64, to: u64) -> io::Result<()> {
        let mut open = None;
        let mut search = std::mem::replace(&mut self.search, Search::new(0));
        search.begin(Key::first_of(from), Key::last_of(to));
        let done = loop {
            match search.fill(self.job.target.descriptor(), u32::MAX) {
                Ok(true) if !self.job.watch.stopped() => search.items().for_each(|item| self.item(&item, &mut open)),
                Ok(_) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.search = search;
        self.close(open.take());
        done
    }

    fn item(&mut self, item: &Item<'_>, open: &mut Option<Open>) {
        match item.key.kind {
            items::INODE => {
                self.close(open.take());
                *open = self.open(item);
            }
            items::EXTENT => {
                let of_open = open.as_mut().filter(|open| open.number == item.key.object);
                let Some(Open { fold, .. }) = of_open else { return };
                match (fold.as_mut(), items::extent(item)) {
                    (Ok(fold), Ok(Some(extent))) => fold.push(&extent),
                    (Ok(_), Err(what)) => *fold = Err(what),
                    _ => {}
                }
            }
            items::ENTRY => self.tally.subvolumes += u64::from(items::is_subvolume(item.data)),
            _ => {}
        }
    }

    fn open(&self, item: &Item<'_>) -> Option<Open> {
        let inode = items::inode(item.data)?;
        let is_file = inode.mode & libc::S_IFMT == libc::S_IFREG && inode.links > 0;
        let fold = Fold::new(self.job.target.volume.cost).knowing_disk_length();
        is_file.then_some(Open { number: item.key.object, inode, fold: Ok(fold) })
    }

    /// All items of a file have been read.
    fn close(&mut self, open: Option<Open>) {
        let Some(Open { number, inode, fold }) = open else { return };
        self.files += 1;
        if self.tally.is_small(inode.size_bytes) {
            return;
        }
        let fold = match fold {
            Ok(fold) => fold,
            Err(what) => {
                let which = format!("inode {number} of {}", self.job.target.path.display());
                return self.tally.fail(which, Cause::Damaged(what));
            }
        };
        let target = self.job.target;
        let ideal = target.volume.ideal(fold.mapped_bytes(), false, target.descriptor());
        let layout = fold.finish(ideal);
        let items::Inode { size_bytes, links, .. } = inode;
        // `stat` rounds up, where data lie in the tree.
        let block_bytes = target.volume.block_bytes.max(1);
        let allocated_bytes = inode.allocated_bytes.div_ceil(block_bytes).saturating_mul(block_bytes);
        self.tally.file(&File { inode: number, generation: 0, size_bytes, allocated_bytes, links, layout });
    }
}

/// For [`exact`], to be kept from one file to the next.
pub(in super::super) fn search_for_one() -> Search {
    Search::new(ONE_BYTES)
}

/// Visits the extents of one file, from the tree of its subvolume. `None` without the right to read that, or where
/// something in it makes no sense.
pub(in super::super) fn exact(
    search: &mut Search,
    file: BorrowedFd<'_>,
    inode: u64,
    mut visit: impl FnMut(Extent),
) -> Option<()> {
    let of_inode = |offset| Key { object: inode, kind: items::EXTENT, offset };
    search.begin(of_inode(0), of_inode(u64::MAX));
    while search.fill(file, u32::MAX).ok()? {
        for item in search.items() {
            items::extent(&item).ok()?.into_iter().for_each(&mut visit);
        }
    }
    Some(())
}

/// Names of the inodes; those that have none below the mount are left out.
pub(super) fn names(target: &Target<'_>, ranked: &[Ranked], watch: &Watch<'_>) -> HashMap<u64, PathBuf> {
    let mut climb = Climb { target, search: search_for_one() };
    let inodes = ranked.iter().map(|ranked| ranked.file.inode).take_while(|_| !watch.stopped());
    inodes.filter_map(|inode| Some((inode, climb.path_of(inode)?))).collect()
}

/// Climbs from a file to the directory that is mounted.
struct Climb<'scan> {
    target: &'scan Target<'scan>,
    search: Search,
}

impl Climb<'_> {
    fn path_of(&mut self, inode: u64) -> Option<PathBuf> {
        self.names_of(inode).into_iter().find_map(|(directory, name)| self.path_below(directory, name, inode))
    }

    /// The path of the file called `name` in `directory`, if the file that is seen there is the one meant.
    fn path_below(&mut self, mut directory: u64, name: Vec<u8>, inode: u64) -> Option<PathBuf> {
        let mut components = vec![name];
        while directory != self.target.metadata.inode {
            let (above, name) = self.names_of(directory).into_iter().next()?;
            components.push(name);
            directory = above;
            if components.len() > DEEPEST {
                return None;
            }
        }
        let below: Vec<_> = components.iter().rev().map(Vec::as_slice).collect();
        self.target.path_of(inode, &below.join(&b'/'))
    }

    fn names_of(&mut self, inode: u64) -> Vec<(u64, Vec<u8>)> {
        let key = |kind, offset| Key { object: inode, kind, offset };
        self.search.begin(key(items::NAME, 0), key(items::LONG_NAME, u64::MAX));
        // One call: whatever further names there may be, some of them will do.
        if !self.search.fill(self.target.descriptor.as_fd(), u32::MAX).unwrap_or(false) {
            return Vec::new();
        }
        let mut found = Vec::new();
        for item in self.search.items() {
            found.extend(items::names(&item).map(|(directory, name)| (directory, name.to_vec())));
        }
        found
    }
}

/// Takes an answer of the kernel apart, and every item in it by its kind: how many made sense.
#[cfg(fuzzing)]
pub(super) fn read_answer(answer: &[u8], count: u32) -> usize {
    let makes_sense = |item: &Item<'_>| match item.key.kind {
        items::INODE => items::inode(item.data).is_some(),
        items::ENTRY => items::is_subvolume(item.data),
        items::EXTENT => items::extent(item).is_ok(),
        _ => items::names(item).map(|(_, name)| name.len()).sum::<usize>() > 0,
    };
    crate::sys::btrfs::items(answer, count).filter(makes_sense).count()
}
