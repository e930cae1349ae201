//! One worker: takes jobs, reads directories, measures files.

use super::super::failure::{Cause, Failure, Failures};
use super::super::fold::Layout;
use super::super::measure::Measurer;
use super::super::volume::{Kind, Silence, Volume, Volumes};
use super::queue::Queue;
use super::remote;
use super::{Collect, Counts, Everything, Found, Matcher, Options, Root, State, join};
use crate::sys::directory::{self, Entry, Records};
use crate::sys::metadata::{self, Device, Metadata};
use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What is the same for everything below one root.
pub(super) struct Tree {
    matcher: Arc<dyn Matcher>,
    /// The root's own device, for staying on it.
    device: Device,
    /// Mounts below that are not to be touched: path as the walk will spell it, and type.
    avoid: HashMap<Box<[u8]>, String>,
}

/// A directory that is to be read.
pub(super) struct Waiting {
    tree: Arc<Tree>,
    path: Arc<[u8]>,
    state: State,
    /// What it was found in; none for a root.
    parent: Option<Arc<Above>>,
    /// Whether a symbolic link of that name leads to it, and may.
    follow: bool,
}

/// A directory that is being read. Kept open while anything in it is still to be looked at.
pub(super) struct Directory {
    descriptor: OwnedFd,
    tree: Arc<Tree>,
    path: Arc<[u8]>,
    state: State,
    here: Arc<Above>,
}

/// What those below a directory have to know of it once its descriptor is closed.
struct Above {
    device: Device,
    inode: u64,
    volume: Arc<Volume>,
    /// What is above it, kept only where links are followed and may lead back.
    above: Option<Arc<Above>>,
    files: Silence,
    directories: Silence,
}

impl Above {
    /// One of its files, or of its directories, did not answer. A place that is given up for that counts as one against
    /// its volume, so that one bad place does not take the volume along, and a dead volume is soon known for what it
    /// is.
    fn was_silent(&self, what: impl Fn(&Self) -> &Silence) {
        if what(self).note() {
            self.volume.silence.note();
        }
    }

    fn answered(&self, what: impl Fn(&Self) -> &Silence) {
        what(self).end();
        self.volume.silence.end();
    }

    /// Whether there is no point in waiting for another.
    fn is_silent(&self, what: impl Fn(&Self) -> &Silence) -> bool {
        what(self).is_enough() || self.volume.silence.is_enough()
    }
}

/// Entries of a directory that have been read and not yet looked at.
#[derive(Clone)]
pub(super) struct Batch {
    directory: Arc<Directory>,
    records: Arc<Records>,
    /// Where in the records each entry begins, when they are to be taken in another order.
    order: Option<Arc<[usize]>>,
    /// The first that is still to be looked at: an index of `order`, or else an offset in the records.
    from: usize,
}

/// Where paths come from.
pub(super) type Roots = Box<dyn Iterator<Item = Root> + Send>;

/// Roots that are drawn from their source at a time.
const ROOTS_AT_ONCE: usize = 64;

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

/// What all workers share.
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) options: Options,
    pub(super) volumes: Volumes,
    pub(super) inode_order: AtomicBool,
    /// Files of which a further name may come: what is left of their link counts.
    seen: Mutex<HashMap<(Device, u64), u32>>,
    /// Directories that were entered, kept where links are followed and may lead there again.
    entered: Mutex<HashSet<(Device, u64, State)>>,
    user: u32,
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

    fn stopped(&self) -> bool {
        self.options.stop.load(Relaxed) || self.queue.is_closed()
    }

    fn end_with(&self, panic: Box<dyn Any + Send>) {
        *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
        self.queue.close();
    }

    /// Whether this directory was entered before by way of another link. Directories that lead to each other have more
    /// paths than there is time for.
    fn was_entered(&self, metadata: &Metadata, state: State) -> bool {
        let key = (metadata.device, metadata.inode, state);
        self.options.follow_links && !self.entered.lock().unwrap_or_else(PoisonError::into_inner).insert(key)
    }

    /// Whether this file was counted under another name, or by another root, before.
    fn was_seen(&self, metadata: &Metadata) -> bool {
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

/// What a worker and whoever watches it share.
pub(super) struct Slot<C> {
    inner: Mutex<SlotInner<C>>,
    /// Counts system calls, roughly: stands still only while the worker is inside one, or idle.
    pub(super) beats: AtomicU64,
}

pub(super) struct SlotInner<C> {
    pub(super) collector: Option<C>,
    pub(super) counts: Counts,
    pub(super) failures: Failures,
    pub(super) at: At,
    /// The worker was given up: whatever it still finds must not be counted.
    pub(super) given_up: bool,
}

/// Where a worker is.
#[derive(Default)]
pub(super) struct At {
    pub(super) busy: bool,
    pub(super) directory: Option<Arc<[u8]>>,
    pub(super) name: Vec<u8>,
    /// Whether it is a path that the caller gave.
    pub(super) named: bool,
    /// The entries that the worker is looking at, and whether the directory is its to read on: what is left to do of
    /// the job if the worker never returns.
    rest: Option<(Batch, bool)>,
    /// Directories found in the one being read, pushed when it is done.
    found: Vec<Job>,
    /// The directory that holds the one being opened or read.
    above: Option<Arc<Above>>,
}

impl At {
    /// What another worker has to do in place of one that was given up here.
    pub(super) fn take_rest(&mut self) -> Vec<Job> {
        let mut jobs = std::mem::take(&mut self.found);
        let above = self.above.take();
        let Some((batch, reading)) = self.rest.take() else {
            above.iter().for_each(|above| above.was_silent(|above| &above.directories));
            return jobs;
        };
        batch.directory.here.was_silent(|here| &here.files);
        let read = reading.then(|| Job::Read(Arc::clone(&batch.directory)));
        jobs.extend(read.into_iter().chain([Job::Look(batch)]));
        jobs
    }

    /// The path of what it is at.
    pub(super) fn path(&self) -> Vec<u8> {
        match &self.directory {
            Some(directory) if !self.name.is_empty() => join(directory, &self.name),
            Some(directory) => directory.to_vec(),
            None => self.name.clone(),
        }
    }
}

impl<C> Slot<C> {
    pub(super) fn new(collector: C, keep: usize) -> Self {
        let (counts, failures) = (Counts::default(), Failures::keeping(keep));
        let inner = SlotInner { collector: Some(collector), counts, failures, at: At::default(), given_up: false };
        Self { inner: Mutex::new(inner), beats: AtomicU64::new(0) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, SlotInner<C>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The worker was given up while it was inside a system call, and must leave without touching anything.
struct GivenUp;

type Step = Result<(), GivenUp>;

/// What became of a file, if not a failure.
enum Verdict {
    Measured(Metadata, Arc<Volume>, Layout),
    Small,
    Repeated,
    Elsewhere,
}

/// How a file is reached, and how it is called.
struct Spot<'worker> {
    directory: BorrowedFd<'worker>,
    call: &'worker CStr,
    path: &'worker Arc<[u8]>,
    name: &'worker [u8],
    follow: bool,
    named: bool,
}

/// One worker of a scan.
pub(super) struct Worker<C> {
    pub(super) shared: Arc<Shared>,
    pub(super) slot: Arc<Slot<C>>,
    measurer: Measurer,
    records: Arc<Records>,
    /// Where the entry after the one being looked at begins in its batch.
    next: usize,
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
    fn enter(&self, directory: Option<&Arc<[u8]>>, name: &[u8], named: bool) -> Step {
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

    fn note(&self, write: impl FnOnce(&mut SlotInner<C>)) -> Step {
        let mut inner = self.slot.lock();
        if inner.given_up {
            return Err(GivenUp);
        }
        write(&mut inner);
        Ok(())
    }

    fn fail(&self, path: &[u8], cause: Cause, named: bool) -> Step {
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

    fn file(&mut self, spot: &Spot<'_>, directory: Option<&Directory>) -> Step {
        self.enter(Some(spot.path), spot.name, spot.named)?;
        let verdict = self.judge(spot, directory);
        let mut inner = self.slot.lock();
        if inner.given_up {
            return Err(GivenUp);
        }
        inner.counts.files += 1;
        match verdict {
            Ok(Verdict::Measured(metadata, volume, layout)) => {
                if let Some(collector) = &mut inner.collector {
                    collector.file(&spot.found(&metadata, &volume, layout));
                }
            }
            Ok(Verdict::Small) => inner.counts.small += 1,
            Ok(Verdict::Repeated) => inner.counts.repeated += 1,
            Ok(Verdict::Elsewhere) => inner.counts.files -= 1,
            Err(cause) => {
                let path = Path::new(OsStr::from_bytes(&join(spot.path, spot.name))).to_owned();
                inner.failures.push(Failure { path, cause, named: spot.named });
            }
        }
        // The collector may have taken its time.
        beat(&self.slot.beats);
        Ok(())
    }

    /// Asks what is to be asked of one file, as little as will do.
    fn judge(&mut self, spot: &Spot<'_>, directory: Option<&Directory>) -> Result<Verdict, Cause> {
        let options = &self.shared.options;
        let name = directory.map_or("", |directory| &directory.here.volume.name);
        if directory.is_some_and(|directory| directory.here.is_silent(|here| &here.files)) {
            return Err(Cause::Silent);
        }
        let metadata =
            metadata::at(spot.directory, spot.call, spot.follow).map_err(|error| spot.cause(&error, name))?;
        if let Some(what) = metadata.not_a_file() {
            // It was a file when it was listed: that one is gone, whatever has its name now.
            return Err(if spot.named { Cause::NotAFile(what) } else { Cause::Vanished });
        }
        if metadata.size_bytes < options.min_size_bytes {
            return Ok(Verdict::Small);
        }
        let (known, tree) = (directory.map(|d| (d.here.device, &d.here.volume)), directory.map(|d| &d.tree));
        let elsewhere = options.one_file_system && tree.is_some_and(|tree| tree.device != metadata.device);
        if elsewhere && known.is_some_and(|(_, volume)| volume.kind != Kind::Overlay) {
            return Ok(Verdict::Elsewhere);
        }
        if self.shared.was_seen(&metadata) {
            return Ok(Verdict::Repeated);
        }
        match known {
            Some((device, volume)) if device == metadata.device => {
                let volume = Arc::clone(volume);
                let layout = self.measure(spot, &metadata, &volume)?;
                if layout.flags.is_some() {
                    directory.iter().for_each(|directory| directory.here.answered(|here| &here.files));
                }
                Ok(Verdict::Measured(metadata, volume, layout))
            }
            _ => self.measure_elsewhere(spot, metadata),
        }
    }

    /// A file that is not on its directory's volume (an overlay, a file mounted on a file), or that was named without
    /// one: a descriptor that opens nothing tells what it lies on.
    fn measure_elsewhere(&mut self, spot: &Spot<'_>, metadata: Metadata) -> Result<Verdict, Cause> {
        let volume = match self.shared.volumes.known(metadata.device) {
            Some(volume) => volume,
            None => directory::locate(spot.directory, spot.call, spot.follow)
                .and_then(|place| self.shared.volumes.of(&metadata, place.as_fd()))
                .map_err(|error| spot.cause(&error, ""))?,
        };
        self.measure(spot, &metadata, &volume).map(|layout| Verdict::Measured(metadata, volume, layout))
    }

    fn measure(&mut self, spot: &Spot<'_>, metadata: &Metadata, volume: &Arc<Volume>) -> Result<Layout, Cause> {
        if !volume.has_extents() {
            return Err(Cause::Unsupported(volume.name.clone()));
        }
        if let Some(layout) = volume.layout_unopened(metadata) {
            let found = spot.found(metadata, volume, layout);
            let wants = self.slot.lock().collector.as_ref().is_some_and(|collector| collector.wants_flags(&found));
            if !wants {
                return Ok(layout);
            }
        }
        let file = self.open_file(spot, metadata, &volume.name)?;
        self.ask_extents(spot, &file, metadata, volume)
    }

    fn open_file(&self, spot: &Spot<'_>, metadata: &Metadata, name: &str) -> Result<OwnedFd, Cause> {
        let allowed = self.shared.user == 0 || self.shared.user == metadata.owner;
        directory::open_file(spot.directory, spot.call, spot.follow, allowed).map_err(|error| spot.cause(&error, name))
    }

    fn ask_extents(
        &mut self,
        spot: &Spot<'_>,
        file: &OwnedFd,
        metadata: &Metadata,
        volume: &Volume,
    ) -> Result<Layout, Cause> {
        let beats = &self.slot.beats;
        let asked = self.measurer.layout(file.as_fd(), metadata, volume, self.shared.options.sync, || beat(beats));
        asked.map_err(|error| {
            let cause = spot.cause(&error, &volume.name);
            if matches!(cause, Cause::Unsupported(_)) {
                volume.refuse();
            }
            cause
        })
    }
}

impl<'worker> Spot<'worker> {
    fn found<'a>(&'a self, metadata: &'a Metadata, volume: &'a Arc<Volume>, layout: Layout) -> Found<'a> {
        Found { directory: self.path, name: self.name, metadata, layout, volume }
    }

    fn cause(&self, error: &io::Error, file_system: &str) -> Cause {
        if self.named { Cause::of_named(error, file_system) } else { Cause::of(error, file_system) }
    }
}

fn matches(directory: &Directory, name: &[u8]) -> bool {
    directory.tree.matcher.file(directory.state, &directory.path, name)
}

fn beat(beats: &AtomicU64) {
    // Relaxed, and not one step: only the worker's own thread writes, and whoever reads it wants to know no more than
    // whether it has changed.
    beats.store(beats.load(Relaxed).wrapping_add(1), Relaxed);
}

/// Whether a directory is one of those above it.
fn leads_back(metadata: &Metadata, above: Option<&Arc<Above>>) -> bool {
    let mut above = above.into_iter();
    std::iter::successors(above.next(), |directory| directory.above.as_ref())
        .any(|directory| (directory.device, directory.inode) == (metadata.device, metadata.inode))
}

/// Offsets of the entries, by inode number: the order in which a disk that turns reads them with the least movement.
fn in_inode_order(records: &Records) -> Arc<[usize]> {
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
