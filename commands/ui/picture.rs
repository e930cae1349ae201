//! Pictures of a file in one line: where on the volume its data lies, and where along the file it is in pieces.
//!
//! A line has a fixed number of cells, each of which stands for an equal part of the volume or of the file. The height
//! of a block says how much there is in that part:
//!
//! - [`on_volume`]: the share of the file's data that lies there, the fullest cell being a full block. Whatever is not
//!   nothing shows, so that the few blocks a file has at the other end of the disk are seen.
//! - [`along_file`]: the number of fragments that begin there, by powers of two, so that the part of the file that is
//!   worth rewriting stands out. A cell without a beginning is part of a fragment that began further left; a hole, or
//!   data without a place yet, is a dot.
//!
//! [`lines`] puts both below each other, with what they mean. Pure functions: extents in, text out. Addresses are the
//! file system's own: on btrfs, and on a volume of several disks, they are not places on one disk.

use super::numbers::bytes;
use toolbox::fragment::{Cost, Extent, Flags, Fold};

/// Heights of a block, in eighths.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The same in ASCII, for shares of data.
const ASCII_SHARES: [char; 8] = ['_', '-', '-', '=', '=', '+', '+', '#'];

/// From this width on a picture has a label before it.
const LABELLED: usize = 40;

/// Both pictures, one below the other, and a line for each that says what it means; nothing for a file without
/// extents. `fragments` numbers the extents as [`fragments`] does.
pub(crate) fn lines(
    extents: &[Extent],
    fragments: &[u64],
    (file_bytes, volume_bytes): (u64, u64),
    width: usize,
    ascii: bool,
) -> Vec<String> {
    if extents.is_empty() {
        return Vec::new();
    }
    let (file, volume) = if width >= LABELLED { ("file    ", "volume  ") } else { ("", "") };
    let cells = width.saturating_sub(file.len());
    let cell = |whole: u64| bytes(whole.div_ceil(cells.max(1) as u64));
    let (file_bytes, volume_bytes) = (end_in_file(extents).max(file_bytes), end_on_volume(extents).max(volume_bytes));
    vec![
        format!("{file}{}", along_file(extents, fragments, file_bytes, cells, ascii)),
        format!("{volume}{}", on_volume(extents, volume_bytes, cells, ascii)),
        format!("{file}{} a cell; {}", cell(file_bytes), legend_along_file(ascii)),
        format!("{volume}{} a cell; the higher, the more of the file's data lies there", cell(volume_bytes)),
    ]
}

/// Which of the file's fragments each extent belongs to, counted from 1; 0 for what has no place of its own.
///
/// `exact` says that compressed extents tell how much of the volume they take.
pub(crate) fn fragments(extents: &[Extent], exact: bool) -> Vec<u64> {
    let fold = Fold::new(Cost::default());
    let mut fold = if exact { fold.knowing_disk_length() } else { fold };
    let number = |extent: &Extent| {
        fold.push(extent);
        if extent.flags.any(Flags::UNPLACED) { 0 } else { fold.fragments() }
    };
    extents.iter().map(number).collect()
}

/// Where on a volume of `volume_bytes` the data lies, in `width` cells.
fn on_volume(extents: &[Extent], volume_bytes: u64, width: usize, ascii: bool) -> String {
    let placed: Vec<_> = extents.iter().filter(|extent| !extent.flags.any(Flags::UNPLACED)).collect();
    let scale = Scale { whole: end_on_volume(extents).max(volume_bytes), cells: width };
    let mut amounts = vec![0; width];
    placed.iter().for_each(|extent| scale.spread(extent.physical, extent.disk_length, &mut amounts));
    let most = amounts.iter().copied().max().unwrap_or(0);
    amounts.into_iter().map(|amount| share(amount, most, ascii)).collect()
}

/// Where along the file's `file_bytes` its fragments begin, in `width` cells. `fragments` numbers the extents as
/// [`fragments`] does.
fn along_file(extents: &[Extent], fragments: &[u64], file_bytes: u64, width: usize, ascii: bool) -> String {
    let scale = Scale { whole: end_in_file(extents).max(file_bytes), cells: width };
    let (mut amounts, mut beginnings) = (vec![0; width], vec![0; width]);
    let mut before = 0;
    for (extent, &fragment) in extents.iter().zip(fragments) {
        if fragment > 0 {
            scale.spread(extent.logical, extent.length, &mut amounts);
        }
        if fragment > before {
            before = fragment;
            if let Some(cell) = beginnings.get_mut(scale.cell(extent.logical)) {
                *cell += 1;
            }
        }
    }
    amounts.into_iter().zip(beginnings).map(|(amount, begin)| beginning(amount, begin, ascii)).collect()
}

/// Where the last extent ends in the file: behind its last byte where blocks are not full, or were given in advance.
fn end_in_file(extents: &[Extent]) -> u64 {
    extents.iter().map(|extent| extent.logical.saturating_add(extent.length)).max().unwrap_or(0)
}

/// Where the last extent ends on the volume: behind its end, where addresses are not those of one disk.
fn end_on_volume(extents: &[Extent]) -> u64 {
    let placed = extents.iter().filter(|extent| !extent.flags.any(Flags::UNPLACED));
    placed.map(|extent| extent.physical.saturating_add(extent.disk_length)).max().unwrap_or(0)
}

/// Maps bytes of a whole to cells.
struct Scale {
    whole: u64,
    cells: usize,
}

impl Scale {
    fn cell(&self, at: u64) -> usize {
        let cell = u128::from(at) * self.cells as u128 / u128::from(self.whole.max(1));
        usize::try_from(cell).unwrap_or(usize::MAX).min(self.cells.saturating_sub(1))
    }

    /// Where a cell begins.
    fn begin(&self, cell: usize) -> u64 {
        let begin = (u128::from(self.whole) * cell as u128).div_ceil(self.cells.max(1) as u128);
        u64::try_from(begin).unwrap_or(u64::MAX)
    }

    /// Adds the bytes from `start` on to the cells that they lie in.
    fn spread(&self, start: u64, length: u64, amounts: &mut [u64]) {
        if length == 0 || amounts.is_empty() {
            return;
        }
        let end = start.saturating_add(length);
        let last = self.cell(end - 1);
        for (cell, amount) in amounts.iter_mut().enumerate().take(last + 1).skip(self.cell(start)) {
            let upper = if cell == last { end } else { end.min(self.begin(cell + 1)) };
            *amount = amount.saturating_add(upper.saturating_sub(start.max(self.begin(cell))).max(1));
        }
    }
}

/// The glyph for `amount` where the fullest cell has `most`.
fn share(amount: u64, most: u64, ascii: bool) -> char {
    if amount == 0 {
        return nothing(ascii);
    }
    let level = (u128::from(amount) * 8).div_ceil(u128::from(most.max(1))).clamp(1, 8) as usize;
    if ascii { ASCII_SHARES[level - 1] } else { BLOCKS[level - 1] }
}

/// The glyph for a part of the file that has `amount` bytes, in which `beginnings` fragments begin.
fn beginning(amount: u64, beginnings: u64, ascii: bool) -> char {
    match (amount, beginnings) {
        (0, _) => nothing(ascii),
        (_, 0) if ascii => '-',
        (_, 1..=9) if ascii => char::from(b'0' + beginnings as u8),
        (_, _) if ascii => '+',
        (_, 0) => BLOCKS[0],
        // 1, 2, 3 to 4, 5 to 8, and so on: the blocks from the second on.
        (_, more) => BLOCKS[(1 + (u64::BITS - (more - 1).leading_zeros()) as usize).min(7)],
    }
}

/// What the glyphs of [`along_file`] mean, for a legend.
fn legend_along_file(ascii: bool) -> &'static str {
    if ascii {
        "begin: - 0, 1-9, + more, . hole"
    } else {
        "begin: ▁ 0 ▂ 1 ▃ 2 ▄ ≤4 ▅ ≤8 ▆ ≤16 ▇ ≤32 █ >32 · hole"
    }
}

fn nothing(ascii: bool) -> char {
    if ascii { '.' } else { '·' }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Extents from (logical, physical, length), a unit being a block.
    fn extents(blocks: &[(u64, u64, u64)]) -> Vec<Extent> {
        let extent = |&(logical, physical, length): &(u64, u64, u64)| Extent {
            logical: logical * 4096,
            physical: physical * 4096,
            length: length * 4096,
            disk_length: length * 4096,
            flags: Flags::default(),
        };
        blocks.iter().map(extent).collect()
    }

    fn volume(blocks: &[(u64, u64, u64)], whole: u64, width: usize, ascii: bool) -> String {
        on_volume(&extents(blocks), whole * 4096, width, ascii)
    }

    fn file(blocks: &[(u64, u64, u64)], whole: u64, width: usize, ascii: bool) -> String {
        let extents = extents(blocks);
        along_file(&extents, &fragments(&extents, false), whole * 4096, width, ascii)
    }

    #[test]
    fn data_shows_where_it_lies() {
        assert_eq!(volume(&[(0, 0, 10)], 100, 10, false), "█·········");
        assert_eq!(volume(&[(0, 90, 10)], 100, 10, true), ".........#");
        assert_eq!(volume(&[(0, 0, 10), (10, 50, 5)], 100, 10, false), "█····▄····");
        assert_eq!(volume(&[(0, 5, 10)], 100, 10, false), "██········", "half in either cell");
        assert_eq!(volume(&[], 100, 10, true), "..........");
    }

    #[test]
    fn a_single_block_on_a_large_volume_shows() {
        let far = [(0, 0, 100_000), (100_000, 999_999, 1)];
        assert_eq!(volume(&far, 1_000_000, 10, false), "█········▁");
    }

    #[test]
    fn beginnings_of_fragments_are_counted_per_cell() {
        assert_eq!(file(&[(0, 100, 10)], 10, 5, false), "▂▁▁▁▁");
        assert_eq!(file(&[(0, 100, 10)], 10, 5, true), "1----");
        let pieces: Vec<_> = (0..20).map(|i| (i, 1000 - 2 * i, 1)).collect();
        assert_eq!(file(&pieces, 20, 1, true), "+");
        assert_eq!(file(&pieces, 20, 20, true), "1".repeat(20));
        assert_eq!(file(&pieces, 20, 10, false), "▃".repeat(10));
        assert_eq!(file(&[(0, 100, 2), (8, 500, 2)], 10, 5, true), "1...1", "a hole between");
        assert_eq!(file(&[(0, 100, 2), (8, 108, 2)], 10, 5, true), "1...-", "the same run beyond a hole");
    }

    #[test]
    fn what_has_no_place_is_no_part_of_the_picture() {
        let mut all = extents(&[(0, 100, 2), (2, 0, 2), (4, 102, 2)]);
        all[1].flags = Flags::DELAYED | Flags::UNKNOWN;
        let numbers = fragments(&all, false);
        assert_eq!(numbers, [1, 0, 1], "the run goes on behind it");
        assert_eq!(along_file(&all, &numbers, 6 * 4096, 3, true), "1.-");
        assert_eq!(on_volume(&all, 200 * 4096, 4, true), "..#.");
    }

    #[test]
    fn nothing_panics_on_absurd_sizes() {
        let absurd = [Extent {
            logical: u64::MAX,
            physical: u64::MAX - 1,
            length: u64::MAX,
            disk_length: u64::MAX,
            flags: Flags::default(),
        }];
        for width in [0, 1, 7, 500] {
            assert_eq!(on_volume(&absurd, 0, width, false).chars().count(), width);
            assert_eq!(along_file(&absurd, &fragments(&absurd, true), 0, width, true).len(), width);
        }
        assert_eq!(on_volume(&extents(&[(0, 7, 0)]), 10, 3, true), "...");
    }

    #[test]
    fn both_pictures_say_what_a_cell_is() {
        let all = extents(&[(0, 0, 4), (4, 8, 4)]);
        let numbers = fragments(&all, true);
        let drawn = lines(&all, &numbers, (30_000, 40 * 4096), 40, true);
        assert_eq!(drawn[0], "file    1---------------1---------------");
        assert_eq!(drawn[1], "volume  ###-..=##=......................");
        assert!(drawn[2].starts_with("file    1.0 KiB a cell; ") && drawn[3].starts_with("volume  5.0 KiB a cell; "));
        assert_eq!(lines(&all, &numbers, (0, 0), 4, true)[1], "#--#", "no label where there is no room");
        assert!(lines(&[], &[], (1, 1), 40, true).is_empty());
    }

    #[test]
    fn every_cell_of_a_covered_part_shows() {
        // More cells than bytes: no cell may fall between two.
        assert!(!volume(&[(0, 0, 3)], 3, 100, false).contains('·'));
    }
}
