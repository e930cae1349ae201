//! Frames written in one of two ways: raw, or with names where the feature `symbolize` is on.
//!
//! Names need memory and files, so that this is lent to whoever writes, for as long as it takes: the arena behind it is given
//! back afterwards.

use super::install::Setup;
use super::modules::Modules;
#[cfg(feature = "symbolize")]
use super::names::Names;
#[cfg(feature = "symbolize")]
use super::options::Path;
use super::record::Trace;
#[cfg(feature = "symbolize")]
use super::symbolize::{Arena, Folders, Symbolizer};
use super::text;
use super::unwind::Frame;
use super::writer::Writer;

/// Writes frames.
pub(crate) trait Render {
    /// Whether it can say more than the raw lines.
    fn has_names(&self) -> bool {
        true
    }

    /// Writes the frames of a stack as text.
    fn show(&mut self, trace: &Trace, modules: &Modules<'_>, to: &mut Writer);

    /// Writes which functions a frame stands for, as further fields of an object of JSON.
    fn tell(&mut self, frame: &Frame, modules: &Modules<'_>, to: &mut Writer);
}

/// Without names.
pub(crate) struct Raw;

impl Render for Raw {
    fn has_names(&self) -> bool {
        false
    }

    fn show(&mut self, trace: &Trace, modules: &Modules<'_>, to: &mut Writer) {
        text::trace(trace, modules, to);
    }

    fn tell(&mut self, _frame: &Frame, _modules: &Modules<'_>, _to: &mut Writer) {}
}

/// Whether names are wanted, and can be had. Signal-safe.
pub(crate) fn has_names(setup: &Setup) -> bool {
    cfg!(feature = "symbolize") && setup.options.names
}

/// How much memory names may take, in bytes; taken as it is used.
#[cfg(feature = "symbolize")]
const ARENA: usize = 256 << 20;

/// Lends `work` a way to write frames with names; without them where there is no memory for it.
#[cfg(feature = "symbolize")]
pub(crate) fn with_names(setup: &Setup, is_panic: bool, work: impl FnOnce(&mut dyn Render)) {
    // At the limit of the address space there is what was kept for this.
    let Some(arena) = Arena::new(ARENA).ok().or_else(|| setup.arena_at_limit()) else { return work(&mut Raw) };
    let folder = setup.options.debug;
    let debug = [folder.as_ref().map_or(&b"/usr/lib/debug"[..], Path::as_bytes)];
    let symbolizer = Symbolizer::new(&arena, Folders { debug: &debug, root: b"" });
    work(&mut Names { setup, symbolizer, source: setup.options.source, is_panic });
}

/// Lends `work` a way to write frames: there are no names without the feature.
#[cfg(not(feature = "symbolize"))]
pub(crate) fn with_names(_setup: &Setup, _is_panic: bool, work: impl FnOnce(&mut dyn Render)) {
    work(&mut Raw);
}
