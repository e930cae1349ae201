//! From extents to a count: the one definition of a fragment, for every source of extents.
//!
//! A *fragment* is a run of extents that lie one behind the other on the volume. Two neighbours in the file belong
//! to one run when the second begins where the first ends on the volume (dense), or when it lies exactly as far
//! from the first there as it does in the file, so that only the hole between them was left out (displaced). This
//! is how `filefrag` counts, so that a file full of holes that otherwise lies in one piece is one fragment.
//!
//! Three things differ from `filefrag`, each on purpose:
//!
//! - An extent without a place of its own (delayed allocation, inline) neither ends a run nor begins one, since
//!   nobody knows yet where it will lie; a file that has nothing else still counts as one fragment.
//! - A compressed extent is compared by the space that it takes on the volume, where the source tells. FIEMAP does
//!   not; the count is then an upper bound and says so ([`Layout::exact`]).
//! - `filefrag` compares the first extent with address zero; here the first extent begins a run.

use super::cost::Cost;
use super::extent::{Extent, Flags};

/// What the extents of one file add up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Extent records, as the source has them.
    pub extents: u64,
    /// Runs of physically contiguous extents.
    pub fragments: u64,
    /// Whether `fragments` is exact; otherwise it is at most that many.
    pub exact: bool,
    /// The fewest runs that this file system could have used for a file like this.
    pub ideal: u64,
    /// Estimated extra time for reading the file, over the ideal layout ([`Cost`]).
    pub excess_ns: u64,
    /// Bytes of the file that have a place, holes left out.
    pub mapped_bytes: u64,
    /// All flags of all extents; `None` when the file did not have to be opened.
    pub flags: Option<Flags>,
}

impl Layout {
    /// A file of which the kernel says without opening it that it has no more than one block: it lies in one piece,
    /// or, with nothing allocated, in none.
    #[must_use]
    pub fn unopened(allocated_bytes: u64) -> Self {
        let pieces = u64::from(allocated_bytes > 0);
        Self {
            extents: pieces,
            fragments: pieces,
            exact: true,
            ideal: pieces,
            excess_ns: 0,
            mapped_bytes: allocated_bytes,
            flags: None,
        }
    }
}

/// Takes a file's extents one by one, in the order of the file.
#[derive(Clone, Debug)]
pub struct Fold {
    cost: Cost,
    previous: Option<Extent>,
    extents: u64,
    runs: u64,
    run: Run,
    flags: Flags,
    mapped_bytes: u64,
    /// Whether the source knows how much of the volume a compressed extent takes.
    knows_disk_length: bool,
    guessed: bool,
    breaks: u64,
    breaks_ns: u64,
}

/// The run that is being read: its length so far, and the jump that led to it.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    bytes: u64,
    from: u64,
    to: u64,
}

impl Fold {
    /// Nothing yet, priced by `cost`.
    #[must_use]
    #[inline]
    pub fn new(cost: Cost) -> Self {
        Self {
            cost,
            previous: None,
            extents: 0,
            runs: 0,
            run: Run::default(),
            flags: Flags::default(),
            mapped_bytes: 0,
            knows_disk_length: false,
            guessed: false,
            breaks: 0,
            breaks_ns: 0,
        }
    }

    /// The same, for a source that fills [`Extent::disk_length`] truthfully for compressed extents too.
    #[must_use]
    pub fn knowing_disk_length(self) -> Self {
        Self { knows_disk_length: true, ..self }
    }

    /// The same, with flags that another source has told of the file.
    #[must_use]
    pub fn marked(self, flags: Flags) -> Self {
        Self { flags: self.flags | flags, ..self }
    }

    /// The next extent of the file.
    #[inline]
    pub fn push(&mut self, extent: &Extent) {
        self.extents += 1;
        self.flags |= extent.flags;
        self.mapped_bytes = self.mapped_bytes.saturating_add(extent.length);
        if extent.flags.any(Flags::UNPLACED) {
            return;
        }
        self.guessed |= extent.flags.any(Flags::ENCODED) && !self.knows_disk_length;
        match self.previous {
            Some(previous) if self.continues(&previous, extent) => {
                self.run.bytes = self.run.bytes.saturating_add(extent.disk_length)
            }
            previous => self.begin_run(previous, extent),
        }
        self.previous = Some(*extent);
    }

    fn begin_run(&mut self, previous: Option<Extent>, extent: &Extent) {
        self.charge();
        self.runs += 1;
        let from = previous.map_or(0, |previous| previous.physical.saturating_add(previous.disk_length));
        self.run = Run { bytes: extent.disk_length, from, to: extent.physical };
    }

    /// Prices the jump to the run that has just ended. Nobody jumps to the first.
    fn charge(&mut self) {
        if self.runs > 1 {
            let price = self.cost.of_break(self.run.from, self.run.to, self.run.bytes);
            self.breaks += u64::from(price > 0);
            self.breaks_ns = self.breaks_ns.saturating_add(price);
        }
    }

    /// Where a compressed extent of unknown size ends nobody knows, so that nothing continues it: the count stays an
    /// upper bound.
    #[inline]
    fn continues(&self, previous: &Extent, extent: &Extent) -> bool {
        if previous.flags.any(Flags::ENCODED) && !self.knows_disk_length {
            return false;
        }
        previous.physical.wrapping_add(previous.disk_length) == extent.physical || is_displaced(previous, extent)
    }

    /// Bytes that have a place so far.
    #[must_use]
    pub fn mapped_bytes(&self) -> u64 {
        self.mapped_bytes
    }

    /// Fragments so far; it grows by one with an extent that begins another.
    #[must_use]
    pub fn fragments(&self) -> u64 {
        self.runs
    }

    /// All flags so far.
    #[must_use]
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// The sum, given the fewest runs that the file system could have used.
    #[must_use]
    #[inline]
    pub fn finish(mut self, ideal: u64) -> Layout {
        self.charge();
        let fragments = self.runs.max(u64::from(self.extents > 0));
        let ideal = ideal.min(fragments);
        // The jumps that the ideal layout has too are not excess; which ones they are nobody can say, so the
        // average is taken off.
        let unavoidable = ideal.saturating_sub(1).min(self.breaks);
        let excess_ns = match self.breaks {
            0 => 0,
            breaks => (u128::from(self.breaks_ns) * u128::from(breaks - unavoidable) / u128::from(breaks)) as u64,
        };
        Layout {
            extents: self.extents,
            fragments,
            exact: !self.guessed || fragments <= 1,
            ideal,
            excess_ns,
            mapped_bytes: self.mapped_bytes,
            flags: Some(self.flags),
        }
    }
}

/// Whether bytes of the file and bytes of the volume run in step, and by exactly the same distance.
#[inline]
fn is_displaced(previous: &Extent, extent: &Extent) -> bool {
    !(previous.flags | extent.flags).any(Flags::ENCODED)
        && extent.physical.wrapping_sub(previous.physical) == extent.logical.wrapping_sub(previous.logical)
}

#[cfg(test)]
mod tests {
    use super::super::cost::Media;
    use super::*;

    const BLOCK: u64 = 4096;

    /// Extents from (logical, physical, length) in blocks.
    fn fold(extents: &[(u64, u64, u64, Flags)]) -> Layout {
        let mut fold = Fold::new(Cost { media: Media::Solid, volume_bytes: 1 << 30 });
        for &(logical, physical, length, flags) in extents {
            fold.push(&Extent {
                logical: logical * BLOCK,
                physical: physical * BLOCK,
                length: length * BLOCK,
                disk_length: length * BLOCK,
                flags,
            });
        }
        fold.finish(1)
    }

    fn count(extents: &[(u64, u64, u64)]) -> u64 {
        fold(&extents.iter().map(|&(a, b, c)| (a, b, c, Flags::default())).collect::<Vec<_>>()).fragments
    }

    #[test]
    fn counts_as_filefrag_does() {
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[(0, 100, 8)]), 1);
        assert_eq!(count(&[(0, 100, 8), (8, 108, 8)]), 1, "dense");
        assert_eq!(count(&[(0, 100, 1), (2, 102, 1), (4, 104, 1)]), 1, "displaced by the hole");
        assert_eq!(count(&[(0, 100, 1), (2, 101, 1)]), 1, "dense across a hole");
        assert_eq!(count(&[(0, 100, 1), (1, 102, 1)]), 2, "a gap that the file does not have");
        assert_eq!(count(&[(0, 103, 1), (1, 102, 1), (2, 101, 1)]), 3, "backwards");
        assert_eq!(count(&[(5, 100, 1)]), 1, "a leading hole");
    }

    #[test]
    fn what_has_no_place_begins_nothing() {
        let none = Flags::default();
        let delayed = Flags::UNKNOWN | Flags::DELAYED;
        assert_eq!(fold(&[(0, 100, 8, none), (8, 0, 4, delayed)]).fragments, 1);
        assert_eq!(fold(&[(0, 100, 1, none), (1, 0, 1, delayed), (2, 102, 1, none)]).fragments, 1);
        assert_eq!(fold(&[(0, 0, 8, delayed)]).fragments, 1);
        assert_eq!(fold(&[(0, 0, 1, Flags::INLINE)]).fragments, 1);
    }

    #[test]
    fn compressed_extents_are_compared_by_what_they_take() {
        let push = |known: bool| {
            let mut fold = Fold::new(Cost::default());
            fold.knows_disk_length = known;
            for i in 0..3 {
                let disk_length = if known { BLOCK } else { 32 * BLOCK };
                let (logical, physical) = (i * 32 * BLOCK, (100 + i) * BLOCK);
                fold.push(&Extent { logical, physical, length: 32 * BLOCK, disk_length, flags: Flags::ENCODED });
            }
            fold.finish(1)
        };
        assert_eq!((push(true).fragments, push(true).exact), (1, true));
        assert_eq!((push(false).fragments, push(false).exact), (3, false));
    }

    #[test]
    fn only_jumps_beyond_the_ideal_are_excess() {
        let pieces: Vec<_> = (0..10).map(|i| (i, 100 + 2 * i, 1, Flags::default())).collect();
        let layout = fold(&pieces);
        assert_eq!((layout.fragments, layout.ideal, layout.excess_ns), (10, 1, 9 * 12_000));
        let large = (64 << 20) / BLOCK;
        let pieces: Vec<_> = (0..10).map(|i| (i * large, i * 2 * large, large, Flags::default())).collect();
        assert_eq!((fold(&pieces).fragments, fold(&pieces).excess_ns), (10, 0));
    }

    #[test]
    fn ideal_never_exceeds_what_is_there() {
        let mut fold = Fold::new(Cost::default());
        fold.push(&Extent { length: BLOCK, disk_length: BLOCK, ..Extent::default() });
        assert_eq!(fold.finish(7).ideal, 1);
    }

    #[test]
    fn absurd_addresses_do_not_overflow() {
        let mut fold = Fold::new(Cost { media: Media::Rotating, volume_bytes: 0 });
        for physical in [u64::MAX, 0, u64::MAX - 1] {
            fold.push(&Extent {
                logical: u64::MAX,
                physical,
                length: u64::MAX,
                disk_length: 4096,
                flags: Flags::default(),
            });
        }
        let layout = fold.finish(1);
        assert_eq!(layout.fragments, 3);
        assert!(layout.excess_ns > 0 && layout.mapped_bytes == u64::MAX);
    }
}
