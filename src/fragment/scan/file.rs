//! One file: what is asked of it, as little as will do, and what becomes of the answer.

use super::super::failure::{Cause, Failure};
use super::super::fold::Layout;
use super::super::volume::{Kind, Volume};
use super::job::Directory;
use super::slot::{GivenUp, Step, beat};
use super::worker::Worker;
use super::{Collect, Found, join};
use crate::sys::directory;
use crate::sys::metadata::{self, Metadata};
use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// What became of a file, if not a failure.
pub(super) enum Verdict {
    Measured(Metadata, Arc<Volume>, Layout),
    Small,
    Repeated,
    Elsewhere,
}

/// How a file is reached, and how it is called.
pub(super) struct Spot<'worker> {
    pub(super) directory: BorrowedFd<'worker>,
    pub(super) call: &'worker CStr,
    pub(super) path: &'worker Arc<[u8]>,
    pub(super) name: &'worker [u8],
    pub(super) follow: bool,
    pub(super) named: bool,
}

impl<C: Collect> Worker<C> {
    pub(super) fn file(&mut self, spot: &Spot<'_>, directory: Option<&Directory>) -> Step {
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
