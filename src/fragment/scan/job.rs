//! Units of work, and what they know of the tree they belong to.

use super::super::volume::{Silence, Volume};
use super::{Matcher, Root, State};
use crate::sys::directory::Records;
use crate::sys::metadata::{Device, Metadata};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// What is the same for everything below one root.
pub(super) struct Tree {
    pub(super) matcher: Arc<dyn Matcher>,
    /// The root's own device, for staying on it.
    pub(super) device: Device,
    /// Mounts below that are not to be touched: path as the walk will spell it, and type.
    pub(super) avoid: HashMap<Box<[u8]>, String>,
}

/// A directory that is to be read.
pub(super) struct Waiting {
    pub(super) tree: Arc<Tree>,
    pub(super) path: Arc<[u8]>,
    pub(super) state: State,
    /// What it was found in; none for a root.
    pub(super) parent: Option<Arc<Above>>,
    /// Whether a symbolic link of that name leads to it, and may.
    pub(super) follow: bool,
}

/// A directory that is being read. Kept open while anything in it is still to be looked at.
pub(super) struct Directory {
    pub(super) descriptor: OwnedFd,
    pub(super) tree: Arc<Tree>,
    pub(super) path: Arc<[u8]>,
    pub(super) state: State,
    pub(super) here: Arc<Above>,
}

/// What those below a directory have to know of it once its descriptor is closed.
pub(super) struct Above {
    pub(super) device: Device,
    pub(super) inode: u64,
    pub(super) volume: Arc<Volume>,
    /// What is above it, kept only where links are followed and may lead back.
    pub(super) above: Option<Arc<Above>>,
    pub(super) files: Silence,
    pub(super) directories: Silence,
}

impl Above {
    /// One of its files, or of its directories, did not answer. A place that is given up for that counts as one against
    /// its volume, so that one bad place does not take the volume along, and a dead volume is soon known for what it
    /// is.
    pub(super) fn was_silent(&self, what: impl Fn(&Self) -> &Silence) {
        if what(self).note() {
            self.volume.silence.note();
        }
    }

    pub(super) fn answered(&self, what: impl Fn(&Self) -> &Silence) {
        what(self).end();
        self.volume.silence.end();
    }

    /// Whether there is no point in waiting for another.
    pub(super) fn is_silent(&self, what: impl Fn(&Self) -> &Silence) -> bool {
        what(self).is_enough() || self.volume.silence.is_enough()
    }
}

/// Entries of a directory that have been read and not yet looked at.
#[derive(Clone)]
pub(super) struct Batch {
    pub(super) directory: Arc<Directory>,
    pub(super) records: Arc<Records>,
    /// Where in the records each entry begins, when they are to be taken in another order.
    pub(super) order: Option<Arc<[usize]>>,
    /// The first that is still to be looked at: an index of `order`, or else an offset in the records.
    pub(super) from: usize,
}

/// Where paths come from.
pub(super) type Roots = Box<dyn Iterator<Item = Root> + Send>;

/// A unit of work.
pub(super) enum Job {
    /// More paths that the caller gives.
    Feed(Roots),
    /// A path that the caller gave.
    Root(Root),
    /// A directory that was found.
    Open(Waiting),
    /// The rest of a directory, from where its descriptor stands.
    Read(Arc<Directory>),
    /// Entries that were read.
    Look(Batch),
}

/// Whether a directory is one of those above it.
pub(super) fn leads_back(metadata: &Metadata, above: Option<&Arc<Above>>) -> bool {
    let mut above = above.into_iter();
    std::iter::successors(above.next(), |directory| directory.above.as_ref())
        .any(|directory| (directory.device, directory.inode) == (metadata.device, metadata.inode))
}

/// Offsets of the entries, by inode number: the order in which a disk that turns reads them with the least movement.
pub(super) fn in_inode_order(records: &Records) -> Arc<[usize]> {
    let mut entries = records.entries();
    let mut order = Vec::new();
    let mut offset = entries.offset();
    while let Some(entry) = entries.next() {
        order.push((entry.inode, offset));
        offset = entries.offset();
    }
    order.sort_unstable();
    order.into_iter().map(|(_, offset)| offset).collect()
}
