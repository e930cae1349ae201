//! What all workers of a scan share: the queue, the volumes, and what has been met before.

use super::super::volume::Volumes;
use super::queue::Queue;
use super::{Options, State};
use crate::sys::metadata::{self, Device, Metadata};
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// What all workers share.
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) options: Options,
    pub(super) volumes: Volumes,
    pub(super) inode_order: AtomicBool,
    /// Files of which a further name may come: what is left of their link counts.
    pub(super) seen: Mutex<HashMap<(Device, u64), u32>>,
    /// Directories that were entered, kept where links are followed and may lead there again.
    pub(super) entered: Mutex<HashSet<(Device, u64, State)>>,
    pub(super) user: u32,
    /// What a worker's panic carried.
    pub(super) panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Shared {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            queue: Queue::default(),
            options: options.clone(),
            volumes: Volumes::new(options.media),
            inode_order: AtomicBool::new(false),
            seen: Mutex::default(),
            entered: Mutex::default(),
            panic: Mutex::default(),
            user: metadata::effective_user(),
        }
    }

    pub(super) fn stopped(&self) -> bool {
        self.options.stop.load(Relaxed) || self.queue.is_closed()
    }

    pub(super) fn end_with(&self, panic: Box<dyn Any + Send>) {
        *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        self.queue.close();
    }

    /// Whether this directory was entered before by way of another link. Directories that lead to each other have more
    /// paths than there is time for.
    pub(super) fn was_entered(&self, metadata: &Metadata, state: State) -> bool {
        let key = (metadata.device, metadata.inode, state);
        self.options.follow_links && !self.entered.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }

    /// Whether this file was counted under another name, or by another root, before.
    pub(super) fn was_seen(&self, metadata: &Metadata) -> bool {
        let always = self.options.overlapping || self.options.follow_links;
        if metadata.links <= 1 && !always {
            return false;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (metadata.device, metadata.inode);
        match seen.get_mut(&key) {
            None => {
                seen.insert(key, metadata.links.saturating_sub(1));
                false
            }
            Some(left) => {
                *left = left.saturating_sub(1);
                if *left == 0 && !always {
                    seen.remove(&key);
                }
                true
            }
        }
    }
}
