//! One worker: takes jobs, reads directories, and hands every file to [`super::file`].

use super::super::failure::{Cause, Failure};
use super::super::measure::Measurer;
use super::super::volume::{Kind, Silence};
use super::file::Spot;
use super::job::{Above, Batch, Directory, Job, Roots, Tree, Waiting, in_inode_order, leads_back};
use super::remote;
use super::shared::Shared;
use super::slot::{GivenUp, Slot, SlotInner, Step, beat};
use super::{Collect, Everything, Root, join};
use crate::sys::directory::{self, Entry, Records};
use crate::sys::metadata::{self, Metadata};
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Roots that are drawn from their source at a time.
const ROOTS_AT_ONCE: usize = 64;

/// One worker of a scan.
pub(super) struct Worker<C> {
    pub(super) shared: Arc<Shared>,
    pub(super) slot: Arc<Slot<C>>,
    pub(super) measurer: Measurer,
    pub(super) records: Arc<Records>,
    /// Where the entry after the one being looked at begins in its batch.
    pub(super) next: usize,
}

impl<C: Collect> Worker<C> {
    pub(super) fn new(shared: Arc<Shared>, slot: Arc<Slot<C>>) -> Self {
        Self { shared, slot, measurer: Measurer::default(), records: Arc::default(), next: 0 }
    }

    /// Works until there is no more work.
    ///
    /// A panic can only come out of what the caller passed in: the collector, the matcher, the source of roots. It ends
    /// the scan, and goes on where the scan was called.
    pub(super) fn run(mut self) {
        while let Some(job) = self.shared.queue.take() {
            match catch_unwind(AssertUnwindSafe(|| self.job(job).and_then(|()| self.leave()))) {
                Ok(Ok(mut found)) => self.shared.queue.push_all(&mut found),
                Ok(Err(GivenUp)) => return,
                Err(panic) => self.shared.end_with(panic),
            }
            self.shared.queue.finish();
        }
        self.shared.queue.dismiss();
    }

    fn job(&mut self, job: Job) -> Step {
        if self.shared.stopped() {
            return Ok(());
        }
        match job {
            Job::Feed(roots) => {
                self.feed(roots);
                Ok(())
            }
            Job::Root(root) => self.root(&root),
            Job::Open(waiting) => self.open(waiting),
            Job::Read(directory) => self.read(&directory),
            Job::Look(batch) => self.look(&batch, false),
        }
    }

    /// Draws roots from their source. It may be slow, so one that waits for it does so alone: with nobody else at work,
    /// every root is looked at before the next is asked for.
    fn feed(&self, mut roots: Roots) {
        for _ in 0..ROOTS_AT_ONCE {
            let (alone, root) = self.shared.queue.while_feeding(|| roots.next());
            match root {
                Some(root) if !self.shared.stopped() => self.shared.queue.push_last(Job::Root(root)),
                _ => return,
            }
            if alone {
                break;
            }
        }
        self.shared.queue.push_last(Job::Feed(roots));
    }

    /// Says where the worker is about to be, in case it does not return from there.
    pub(super) fn enter(&self, directory: Option<&Arc<[u8]>>, name: &[u8], named: bool) -> Step {
        let mut inner = self.slot.lock();
        if inner.given_up {
            return Err(GivenUp);
        }
        let at = &mut inner.at;
        at.busy = true;
        at.named = named;
        at.name.clear();
        at.name.extend_from_slice(name);
        if let Some((batch, _)) = &mut at.rest {
            batch.from = self.next;
        }
        let same = match (&at.directory, directory) {
            (Some(known), Some(directory)) => Arc::ptr_eq(known, directory),
            (known, directory) => known.is_none() && directory.is_none(),
        };
        if !same {
            at.directory = directory.cloned();
        }
        // With the lock held, or else a worker that was idle for long could be taken for one that is stuck.
        beat(&self.slot.beats);
        Ok(())
    }

    /// Says that the job is done, and gives out what it has found to do next.
    fn leave(&self) -> Result<Vec<Job>, GivenUp> {
        let mut found = Vec::new();
        self.note(|inner| {
            inner.at.busy = false;
            inner.at.rest = None;
            inner.at.above = None;
            found = std::mem::take(&mut inner.at.found);
        })?;
        Ok(found)
    }

    fn push(&self, waiting: Waiting) -> Step {
        self.note(|inner| inner.at.found.push(Job::Open(waiting)))
    }

    pub(super) fn note(&self, write: impl FnOnce(&mut SlotInner<C>)) -> Step {
        let mut inner = self.slot.lock();
        if inner.given_up {
            return Err(GivenUp);
        }
        write(&mut inner);
        Ok(())
    }

    pub(super) fn fail(&self, path: &[u8], cause: Cause, named: bool) -> Step {
        let path = Path::new(OsStr::from_bytes(path)).to_owned();
        self.note(|inner| inner.failures.push(Failure { path, cause, named }))
    }

    /// A path that the caller gave: a file, a directory to walk, or the base of a pattern.
    fn root(&mut self, root: &Root) -> Step {
        let path = root.path.as_os_str().as_bytes();
        self.enter(None, path, true)?;
        if path.is_empty() && root.matcher.is_none() {
            return self.fail(path, Cause::Missing, true);
        }
        if let Some(kind) = remote::mount_of(&root.path, self.shared.volumes.mounts()) {
            return self.fail(path, Cause::Unsupported(kind), true);
        }
        let follow = self.shared.options.follow_links || root.matcher.is_some() || path.ends_with(b"/");
        let metadata = match metadata::of_path(path, follow) {
            Ok(metadata) => metadata,
            Err(error) if root.matcher.is_some() && Cause::of(&error, "") == Cause::Vanished => return Ok(()),
            Err(error) => return self.fail(path, Cause::of_named(&error, ""), true),
        };
        if metadata.is_directory() {
            self.plant(root, path, &metadata, follow)
        } else if root.matcher.is_some() {
            Ok(())
        } else if metadata.is_file() {
            self.named_file(path, follow)
        } else {
            let what = metadata.not_a_file().unwrap_or("not a regular file");
            self.fail(path, Cause::NotAFile(what), true)
        }
    }

    fn plant(&self, root: &Root, path: &[u8], metadata: &Metadata, follow: bool) -> Step {
        let (matcher, state) = root.matcher.clone().unwrap_or_else(|| (Arc::new(Everything), 0));
        let avoid = remote::mounts_below(&root.path, self.shared.volumes.mounts());
        let tree = Arc::new(Tree { matcher, device: metadata.device, avoid });
        self.push(Waiting { tree, path: path.into(), state, parent: None, follow })
    }

    fn named_file(&mut self, path: &[u8], follow: bool) -> Step {
        let cut = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let directory: Arc<[u8]> = path[..cut].into();
        let (at, call) = match directory::split(path) {
            Ok(split) => split,
            Err(error) => return self.fail(path, Cause::of_named(&error, ""), true),
        };
        let at = at.as_ref().map_or(directory::current(), AsFd::as_fd);
        let spot = Spot { directory: at, call: &call, path: &directory, name: &path[cut..], follow, named: true };
        self.file(&spot, None)
    }

    fn open(&mut self, waiting: Waiting) -> Step {
        let named = waiting.parent.is_none();
        self.enter(Some(&waiting.path), b"", named)?;
        if let Some(kind) = waiting.tree.avoid.get(&*waiting.path) {
            return self.fail(&waiting.path, Cause::NotEntered(kind.clone()), false);
        }
        if waiting.parent.as_ref().is_some_and(|parent| parent.is_silent(|parent| &parent.directories)) {
            return self.fail(&waiting.path, Cause::Silent, false);
        }
        self.note(|inner| inner.at.above = waiting.parent.clone())?;
        let directory = match self.open_directory(&waiting) {
            Ok(Some(directory)) => Arc::new(directory),
            Ok(None) => return Ok(()),
            Err(cause) => return self.fail(&waiting.path, cause, named),
        };
        self.note(|inner| inner.counts.directories += 1)?;
        match directory.tree.matcher.only(directory.state) {
            Some(name) => match CString::new(name) {
                Ok(name) => self.only(&directory, &name),
                Err(_) => Ok(()),
            },
            None => self.read(&directory),
        }
    }

    /// Opens a directory; `None` if it is to be passed over without a word.
    fn open_directory(&self, waiting: &Waiting) -> Result<Option<Directory>, Cause> {
        let parent = waiting.parent.as_deref();
        let told = |error: &io::Error| match parent {
            Some(parent) => Cause::of(error, &parent.volume.name),
            None => Cause::of_named(error, ""),
        };
        // A directory that is not going to be listed needs no right to be.
        let listed = waiting.tree.matcher.only(waiting.state).is_none();
        let descriptor = directory::open(&waiting.path, waiting.follow, listed).map_err(|error| told(&error))?;
        let metadata = metadata::of(&descriptor).map_err(|error| told(&error))?;
        if self.shared.options.one_file_system && metadata.device != waiting.tree.device {
            return Ok(None);
        }
        let crossed = parent.is_some_and(|parent| parent.device != metadata.device);
        let volume = match parent {
            Some(parent) if !crossed => Arc::clone(&parent.volume),
            _ => self.shared.volumes.of(&metadata, descriptor.as_fd()).map_err(|error| told(&error))?,
        };
        if matches!(volume.kind, Kind::Pseudo | Kind::Remote) {
            let name = volume.name.clone();
            return Err(if parent.is_some() { Cause::NotEntered(name) } else { Cause::Unsupported(name) });
        }
        let above = waiting.parent.clone().filter(|_| self.shared.options.follow_links);
        if leads_back(&metadata, above.as_ref()) {
            return Err(Cause::Loop);
        }
        if self.shared.was_entered(&metadata, waiting.state) {
            return Ok(None);
        }
        parent.iter().for_each(|parent| parent.answered(|parent| &parent.directories));
        let (files, directories) = (Silence::default(), Silence::default());
        let here = Above { device: metadata.device, inode: metadata.inode, volume, above, files, directories };
        let (tree, path) = (Arc::clone(&waiting.tree), Arc::clone(&waiting.path));
        Ok(Some(Directory { descriptor, tree, path, state: waiting.state, here: Arc::new(here) }))
    }

    /// Reads a directory to its end, and hands what it cannot look at itself soon to workers that wait for work.
    fn read(&mut self, directory: &Arc<Directory>) -> Step {
        let mut first = true;
        loop {
            self.enter(Some(&directory.path), b"", false)?;
            if self.shared.stopped() {
                return Ok(());
            }
            if Arc::get_mut(&mut self.records).is_none() {
                self.records = Arc::default();
            }
            let records = Arc::get_mut(&mut self.records).expect("nobody else holds records that were just made");
            match records.fill(&directory.descriptor) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => return self.fail(&directory.path, Cause::of(&error, &directory.here.volume.name), false),
            }
            let batch = self.batch(directory);
            if !first && self.shared.queue.idle() > 0 {
                self.shared.queue.push_all(&mut vec![Job::Look(batch)]);
            } else {
                self.look(&batch, true)?;
            }
            first = false;
        }
    }

    fn batch(&self, directory: &Arc<Directory>) -> Batch {
        let order = self.shared.inode_order.load(Relaxed).then(|| in_inode_order(&self.records));
        Batch { directory: Arc::clone(directory), records: Arc::clone(&self.records), order, from: 0 }
    }

    /// Looks at entries that were read. `reading` says that the directory is not at its end, and this worker's to read
    /// on.
    fn look(&mut self, batch: &Batch, reading: bool) -> Step {
        self.note(|inner| inner.at.rest = Some((batch.clone(), reading)))?;
        match &batch.order {
            None => {
                let mut entries = batch.records.entries_from(batch.from);
                while let Some(entry) = entries.next() {
                    self.entry(&batch.directory, entry, entries.offset())?;
                }
            }
            Some(order) => {
                for index in batch.from..order.len() {
                    let Some(entry) = batch.records.entries_from(order[index]).next() else { continue };
                    self.entry(&batch.directory, entry, index + 1)?;
                }
            }
        }
        self.note(|inner| inner.at.rest = None)
    }

    /// Looks at one entry; `next` is where in its batch the one after it begins.
    fn entry(&mut self, directory: &Arc<Directory>, entry: Entry<'_>, next: usize) -> Step {
        if self.shared.stopped() {
            return Ok(());
        }
        let name = entry.name.to_bytes();
        if self.shared.options.exclude.as_ref().is_some_and(|exclude| exclude(&directory.path, name)) {
            return Ok(());
        }
        self.next = next;
        match entry.kind {
            directory::Kind::File => self.found_file(directory, entry.name, false),
            directory::Kind::Directory => self.found_directory(directory, name, false),
            directory::Kind::Special => self.found_special(directory, name),
            directory::Kind::Symlink if self.shared.options.follow_links => self.ask(directory, entry.name, true),
            directory::Kind::Symlink => self.found_link(directory, name),
            directory::Kind::Unknown => self.ask(directory, entry.name, self.shared.options.follow_links),
        }
    }

    fn found_file(&mut self, directory: &Arc<Directory>, name: &CStr, follow: bool) -> Step {
        let bytes = name.to_bytes();
        if !matches(directory, bytes) {
            return Ok(());
        }
        let at = directory.descriptor.as_fd();
        let spot = Spot { directory: at, call: name, path: &directory.path, name: bytes, follow, named: false };
        self.file(&spot, Some(directory))
    }

    fn found_directory(&self, directory: &Arc<Directory>, name: &[u8], follow: bool) -> Step {
        let Some(state) = directory.tree.matcher.directory(directory.state, &directory.path, name) else {
            return Ok(());
        };
        let path: Arc<[u8]> = join(&directory.path, name).into();
        let (tree, parent) = (Arc::clone(&directory.tree), Some(Arc::clone(&directory.here)));
        self.push(Waiting { tree, path, state, parent, follow })
    }

    fn found_special(&self, directory: &Directory, name: &[u8]) -> Step {
        if matches(directory, name) { self.note(|inner| inner.counts.special += 1) } else { Ok(()) }
    }

    fn found_link(&self, directory: &Directory, name: &[u8]) -> Step {
        if matches(directory, name) { self.note(|inner| inner.counts.links += 1) } else { Ok(()) }
    }

    /// Asks the kernel what `name` is, and goes on from there.
    fn ask(&mut self, directory: &Arc<Directory>, name: &CStr, follow: bool) -> Step {
        let bytes = name.to_bytes();
        self.enter(Some(&directory.path), bytes, false)?;
        if directory.here.is_silent(|here| &here.files) {
            return self.fail(&join(&directory.path, bytes), Cause::Silent, false);
        }
        match metadata::at(directory.descriptor.as_fd(), name, follow) {
            Ok(metadata) if metadata.is_file() => self.found_file(directory, name, follow),
            Ok(metadata) if metadata.is_directory() => self.found_directory(directory, bytes, follow),
            Ok(metadata) if metadata.is_symlink() => self.found_link(directory, bytes),
            Ok(_) => self.found_special(directory, bytes),
            // A link to nowhere is no file, and nothing has gone wrong with it.
            Err(error) if follow && Cause::of(&error, "") == Cause::Vanished => self.found_link(directory, bytes),
            Err(error) => {
                self.fail(&join(&directory.path, bytes), Cause::of(&error, &directory.here.volume.name), false)
            }
        }
    }

    /// Looks at the one name in a directory that can match, without listing the directory. What the caller spelled
    /// out is followed, but for the last component.
    fn only(&mut self, directory: &Arc<Directory>, name: &CStr) -> Step {
        let bytes = name.to_bytes();
        self.enter(Some(&directory.path), bytes, false)?;
        let leads_on = directory.tree.matcher.directory(directory.state, &directory.path, bytes).is_some();
        match metadata::at(directory.descriptor.as_fd(), name, leads_on || self.shared.options.follow_links) {
            Err(error) if Cause::of(&error, "") == Cause::Vanished => Ok(()),
            Ok(metadata) if leads_on && !metadata.is_directory() => Ok(()),
            _ => self.ask(directory, name, leads_on || self.shared.options.follow_links),
        }
    }
}

fn matches(directory: &Directory, name: &[u8]) -> bool {
    directory.tree.matcher.file(directory.state, &directory.path, name)
}
