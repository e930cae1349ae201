//! Which files lie in pieces.
//!
//! - [`scan()`] walks trees in parallel, asks the kernel for the extents of every regular file, and hands what it finds
//!   to a [`Collect`] of the caller's; [`Ranking`] is one that keeps the worst files in bounded memory.
//! - [`measure()`] and [`extents()`] do the same for one file.
//! - [`filesystem`] ranks the files of a whole file system from its own records, without opening them.
//! - [`Fold`] is the definition of a fragment, shared by every source of extents.
//!
//! A file that cannot be looked at is a [`Failure`], counted by [`Cause`], and never the end of a scan. Nothing here
//! writes to a disk, unless the caller asks for a flush first ([`Options::sync`]).
//!
//! ```
//! use toolbox::fragment::{Key, Options, Ranking, Root, scan};
//!
//! let roots = [Root::path("src")];
//! let outcome = scan(roots, &Options::default(), || Ranking::new(Key::Fragments, 3), &mut |_| {});
//! let ranking = outcome.collectors.into_iter().reduce(Ranking::merge).unwrap_or_default();
//! assert!(ranking.totals.files > 0 && ranking.into_sorted().len() <= 3);
//! ```

mod cost;
mod extent;
mod failure;
pub mod filesystem;
mod fold;
mod geometry;
mod measure;
mod ranking;
mod scan;
mod top;
mod volume;

pub use cost::{Cost, FREE_RUN_BYTES, Media};
pub use extent::{Extent, Flags};
pub use failure::{Cause, Failure, Failures, Tally};
pub use fold::{Fold, Layout};
pub use measure::{FileReport, extents, measure};
pub use ranking::{HISTOGRAM_BUCKETS, Key, Ranking, Totals};
pub use scan::{
    Collect, Counts, Each, Everything, Exclude, Found, Matcher, Options, Outcome, Root, State, Tick, scan, scan_each,
};
pub use volume::{Kind, Volume, Volumes, is_remote};
