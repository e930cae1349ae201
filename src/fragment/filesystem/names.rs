//! Names for inode numbers.
//!
//! Inodes do not know their names. So once it is known which few files are to be shown, they are looked for: first in
//! the kernel's own cache of names, which has those that were used of late; then by a walk that only lists. Directories
//! are read on several threads, and every entry's inode number is compared with those few; nothing is opened but
//! directories, nothing is asked of a file but of those that match, and the walk ends when all have been found. Of a
//! file's several names the one that is met first is taken.
//!
//! The walk enters no other mount, so that it cannot take a file of another file system for one of this, and whatever
//! is found is checked by `stat`. A file that is not found has no name below the mount: it lies under another mount,
//! outside the part of the file system that is mounted here, or has been removed meanwhile.

use super::super::scan::join;
use super::super::volume;
use super::crew::{self, Watch};
use super::tally::{File, Ranked};
use super::{Job, Target};
use crate::sys::directory::{self, Entry, Kind, Records};
use crate::sys::handle::Handle;
use crate::sys::metadata;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// More files than this are not looked up one by one; a walk finds them all at once.
pub(super) const FEW: usize = 256;

/// Finds a name for each of the files; those without one are left out.
pub(super) fn resolve(job: &Job<'_>, ranked: &[Ranked], tick: &mut dyn FnMut()) -> HashMap<u64, PathBuf> {
    let few = ranked.len() <= FEW && job.target.volume.kind != volume::Kind::Btrfs;
    let found = if few { cached(job.target, ranked) } else { HashMap::new() };
    let mut inodes: Vec<_> = ranked.iter().map(|ranked| ranked.file.inode).collect();
    inodes.retain(|inode| !found.contains_key(inode));
    inodes.sort_unstable();
    if inodes.is_empty() || job.watch.stopped() {
        return found;
    }
    let missing = inodes.len();
    let top = job.target.path.as_os_str().as_bytes();
    let walk = Walk {
        target: job.target,
        inodes,
        watch: job.watch,
        mounts: job.target.mounts_below(),
        state: Mutex::new(State { waiting: vec![top.into()], missing, found, ..State::default() }),
        changed: Condvar::new(),
    };
    crew::run(job.threads, tick, || walk.work());
    walk.state.into_inner().unwrap_or_else(PoisonError::into_inner).found
}

/// Names from the kernel's cache of names.
fn cached(target: &Target<'_>, ranked: &[Ranked]) -> HashMap<u64, PathBuf> {
    let name = |file: &File| {
        let handle = match target.volume.kind {
            volume::Kind::Xfs => Handle::of_xfs(file.inode, file.generation),
            _ => Handle::of_ext(u32::try_from(file.inode).ok()?, file.generation),
        };
        let path = handle.cached_path(target.descriptor()).ok()?;
        let below = path.strip_prefix(&target.real).ok()?;
        target.path_of(file.inode, below.as_os_str().as_bytes())
    };
    ranked.iter().filter_map(|ranked| Some((ranked.file.inode, name(&ranked.file)?))).collect()
}

struct Walk<'scan> {
    target: &'scan Target<'scan>,
    /// What is looked for, in order.
    inodes: Vec<u64>,
    watch: &'scan Watch<'scan>,
    /// Directories that something else is mounted on, as this walk spells them.
    mounts: HashSet<Box<[u8]>>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Directories still to be listed; the last comes first, so that there are never many.
    waiting: Vec<Box<[u8]>>,
    /// Workers with a directory in hand, and workers that wait for one.
    busy: usize,
    idle: usize,
    missing: usize,
    found: HashMap<u64, PathBuf>,
}

impl Walk<'_> {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut records = Records::default();
        let mut below = Vec::new();
        let mut held = 0;
        while let Some(directory) = self.take(&mut below, held) {
            held = 1;
            // What cannot be listed has no names to give; its files stay without.
            let opened = directory::open(&directory, directory.len() == self.target.path.as_os_str().len(), true);
            let Ok(descriptor) = opened else { continue };
            while records.fill(&descriptor).unwrap_or(false) {
                for entry in records.entries() {
                    self.entry(&descriptor, &directory, &entry, &mut below);
                }
            }
        }
    }

    /// Hands in the directory that was `held`, if any, with those that were found in it, and takes the next; `None`
    /// when there is nothing more to do.
    fn take(&self, below: &mut Vec<Box<[u8]>>, held: usize) -> Option<Box<[u8]>> {
        let mut state = self.lock();
        state.waiting.append(below);
        state.busy -= held;
        if state.idle > 0 && state.waiting.len() > 1 {
            self.changed.notify_all();
        }
        loop {
            let over = self.watch.stopped() || state.missing == 0;
            match state.waiting.pop() {
                Some(directory) if !over => {
                    state.busy += 1;
                    return Some(directory);
                }
                _ if over || state.busy == 0 => return self.finish(),
                _ => {
                    state.idle += 1;
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.idle -= 1;
                }
            }
        }
    }

    fn finish(&self) -> Option<Box<[u8]>> {
        self.changed.notify_all();
        None
    }

    fn entry(&self, descriptor: &OwnedFd, directory: &[u8], entry: &Entry<'_>, below: &mut Vec<Box<[u8]>>) {
        let kind = match entry.kind {
            Kind::Unknown => self.ask(descriptor, entry),
            known => known,
        };
        match kind {
            Kind::Directory => {
                let path = join(directory, entry.name.to_bytes());
                if !self.mounts.contains(path.as_slice()) {
                    below.push(path.into_boxed_slice());
                }
            }
            Kind::File if self.inodes.binary_search(&entry.inode).is_ok() => self.matches(descriptor, directory, entry),
            _ => {}
        }
    }

    fn ask(&self, descriptor: &OwnedFd, entry: &Entry<'_>) -> Kind {
        match metadata::at(descriptor.as_fd(), entry.name, false) {
            Ok(found) if found.is_directory() => Kind::Directory,
            Ok(found) if found.is_file() => Kind::File,
            _ => Kind::Special,
        }
    }

    fn matches(&self, descriptor: &OwnedFd, directory: &[u8], entry: &Entry<'_>) {
        let really = metadata::at(descriptor.as_fd(), entry.name, false);
        let is_it = |found: &metadata::Metadata| (found.device, found.inode) == (self.target.device(), entry.inode);
        if really.is_ok_and(|found| is_it(&found)) {
            let path = PathBuf::from(OsStr::from_bytes(&join(directory, entry.name.to_bytes())));
            let mut state = self.lock();
            if state.found.insert(entry.inode, path).is_none() {
                state.missing -= 1;
            }
        }
    }
}
