//! Files made in every way that leaves its own kind of trace in a file's extents.

use super::Format;
use super::kernel::{clone_range, fallocate, set_attributes};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

pub(crate) const BLOCK: u64 = 4096;

/// `chattr +c`.
const COMPRESS: u32 = 0x4;
/// `chattr +C`.
const NO_COPY_ON_WRITE: u32 = 0x0080_0000;

/// One way to make a file.
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    formats: &'static [Format],
    make: fn(&Path, Format) -> io::Result<()>,
}

use Format::{Btrfs, Ext2, Ext3, Ext4, Xfs};
const ALL: &[Format] = &Format::ALL;
const ALLOCATING: &[Format] = &[Ext4, Xfs, Btrfs];
const COLLAPSING: &[Format] = &[Ext4, Xfs];
const SHARING: &[Format] = &[Xfs, Btrfs];
const COMPRESSING: &[Format] = &[Btrfs];

/// All of them.
pub(crate) const RECIPES: &[Recipe] = &[
    Recipe { name: "empty", formats: ALL, make: |path, _| fs::write(path, b"") },
    Recipe { name: "tiny", formats: ALL, make: |path, _| written(path, b"twenty bytes of text") },
    Recipe { name: "one_block", formats: ALL, make: |path, _| written(path, &noise(1)) },
    Recipe { name: "contiguous", formats: ALL, make: |path, format| contiguous(path, format, 256).map(drop) },
    Recipe { name: "beyond_indirect", formats: &[Ext2, Ext3], make: |path, _| written(path, &noise(1100)) },
    Recipe { name: "holes", formats: ALLOCATING, make: holes },
    Recipe { name: "leading_hole", formats: ALL, make: |path, _| islands(path, 16, &[256]) },
    Recipe { name: "sparse_islands", formats: ALL, make: |path, _| islands(path, 1, &EVERY_256TH) },
    Recipe { name: "only_a_hole", formats: ALL, make: |path, _| File::create(path)?.set_len(1 << 20) },
    Recipe { name: "preallocated", formats: ALLOCATING, make: preallocated },
    Recipe { name: "preallocated_past_end", formats: ALLOCATING, make: past_end },
    Recipe { name: "preallocated_large", formats: ALLOCATING, make: |path, _| allocate(path, 200 << 20) },
    Recipe { name: "collapsed", formats: COLLAPSING, make: collapsed },
    Recipe { name: "interleaved", formats: ALL, make: interleaved },
    Recipe { name: "backwards", formats: ALL, make: backwards },
    Recipe { name: "shared_whole", formats: SHARING, make: |path, format| shared(path, format).map(drop) },
    Recipe { name: "shared_shuffled", formats: SHARING, make: shuffled },
    Recipe { name: "shared_rewritten", formats: SHARING, make: rewritten_copy },
    Recipe { name: "compressed", formats: COMPRESSING, make: |path, _| compressed(path).map(drop) },
    Recipe { name: "compressed_rewritten", formats: COMPRESSING, make: compressed_rewritten },
    Recipe { name: "inline", formats: COMPRESSING, make: |path, _| written(path, &[b'y'; 2000]) },
    Recipe { name: "in_place", formats: COMPRESSING, make: rewritten_in_place },
    Recipe { name: "rewritten", formats: COMPRESSING, make: rewritten },
];

const EVERY_256TH: [u64; 64] = {
    let mut blocks = [0; 64];
    let mut i = 0;
    while i < 64 {
        blocks[i] = i as u64 * 256;
        i += 1;
    }
    blocks
};

/// Makes all that this format can have in `directory`; what a recipe makes has its name.
pub(crate) fn make_all(directory: &Path, format: Format) {
    for recipe in RECIPES.iter().filter(|recipe| recipe.formats.contains(&format)) {
        let made = (recipe.make)(&directory.join(recipe.name), format);
        made.unwrap_or_else(|error| panic!("{} on {}: {error}", recipe.name, format.name()));
    }
}

/// Bytes that do not compress.
pub(crate) fn noise(blocks: u64) -> Vec<u8> {
    let mut random = super::Random(0x9E37_79B9_7F4A_7C15 ^ blocks);
    (0..blocks * BLOCK / 8).flat_map(|_| random.below(u64::MAX).to_le_bytes()).collect()
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn written(path: &Path, data: &[u8]) -> io::Result<()> {
    let file = open(path)?;
    file.write_all_at(data, 0)?;
    file.sync_all()
}

fn write_blocks(file: &File, at: impl IntoIterator<Item = u64>) -> io::Result<()> {
    let block = noise(1);
    for at in at {
        file.write_all_at(&block, at * BLOCK)?;
        file.sync_all()?;
    }
    Ok(())
}

/// In one piece, if the file system has one to give.
pub(crate) fn contiguous(path: &Path, format: Format, blocks: u64) -> io::Result<File> {
    let file = open(path)?;
    if ALLOCATING.contains(&format) {
        fallocate(&file, 0, 0, blocks * BLOCK)?;
    }
    file.write_all_at(&noise(blocks), 0)?;
    file.sync_all()?;
    Ok(file)
}

fn allocate(path: &Path, bytes: u64) -> io::Result<()> {
    let file = open(path)?;
    fallocate(&file, 0, 0, bytes)?;
    file.sync_all()
}

/// Takes every second block out of a file.
pub(crate) fn punch_every_second(file: &File, blocks: u64) -> io::Result<()> {
    let punch = libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE;
    (1..blocks).step_by(2).try_for_each(|block| fallocate(file, punch, block * BLOCK, BLOCK))?;
    file.sync_all()
}

fn holes(path: &Path, format: Format) -> io::Result<()> {
    punch_every_second(&contiguous(path, format, 128)?, 128)
}

fn islands(path: &Path, blocks: u64, at: &[u64]) -> io::Result<()> {
    let file = open(path)?;
    let data = noise(blocks);
    at.iter().try_for_each(|block| file.write_all_at(&data, block * BLOCK))?;
    file.sync_all()
}

fn preallocated(path: &Path, _: Format) -> io::Result<()> {
    let file = open(path)?;
    fallocate(&file, 0, 0, 8 << 20)?;
    write_blocks(&file, (0..8).map(|i| 128 + i * 200))
}

fn past_end(path: &Path, _: Format) -> io::Result<()> {
    let file = open(path)?;
    fallocate(&file, libc::FALLOC_FL_KEEP_SIZE, 0, 4 << 20)?;
    write_blocks(&file, [0])
}

/// Every second block is taken out and the rest moved up: as many runs as blocks, and no hole.
fn collapsed(path: &Path, format: Format) -> io::Result<()> {
    let file = contiguous(path, format, 128)?;
    (0..63).try_for_each(|i| fallocate(&file, libc::FALLOC_FL_COLLAPSE_RANGE, (i + 1) * BLOCK, BLOCK))?;
    file.sync_all()
}

fn interleaved(path: &Path, _: Format) -> io::Result<()> {
    let files = [open(path)?, open(&path.with_extension("other"))?];
    let data = noise(4);
    for i in 0..32 {
        for file in &files {
            file.write_all_at(&data, i * 4 * BLOCK)?;
            file.sync_all()?;
        }
    }
    Ok(())
}

fn backwards(path: &Path, _: Format) -> io::Result<()> {
    write_blocks(&open(path)?, (0..32).rev())
}

fn shared(path: &Path, format: Format) -> io::Result<(File, File)> {
    let source = contiguous(&path.with_extension("source"), format, 256)?;
    let copy = open(path)?;
    clone_range(&copy, &source, 0, 256 * BLOCK, 0)?;
    copy.sync_all()?;
    Ok((copy, source))
}

fn shuffled(path: &Path, format: Format) -> io::Result<()> {
    let source = contiguous(&path.with_extension("source"), format, 256)?;
    let copy = open(path)?;
    (0..64).try_for_each(|i| clone_range(&copy, &source, (i * 37) % 64 * 2 * BLOCK, BLOCK, i * BLOCK))?;
    copy.sync_all()
}

fn rewritten_copy(path: &Path, format: Format) -> io::Result<()> {
    write_blocks(&shared(path, format)?.0, (0..16).map(|i| i * 16))
}

/// Text that compresses well, so that each of the pieces of 128 KiB takes a few blocks.
fn compressed(path: &Path) -> io::Result<File> {
    let file = open(path)?;
    set_attributes(&file, COMPRESS)?;
    let text: String = (0..80_000).map(|i| format!("{i:08} the quick brown fox {:x}\n", i * 7919)).collect();
    file.write_all_at(&text.as_bytes()[..2 << 20], 0)?;
    file.sync_all()?;
    Ok(file)
}

fn compressed_rewritten(path: &Path, _: Format) -> io::Result<()> {
    write_blocks(&compressed(path)?, (0..512).step_by(64))
}

fn rewritten_in_place(path: &Path, _: Format) -> io::Result<()> {
    let file = open(path)?;
    set_attributes(&file, NO_COPY_ON_WRITE)?;
    file.write_all_at(&noise(256), 0)?;
    write_blocks(&file, (0..256).step_by(8))
}

fn rewritten(path: &Path, format: Format) -> io::Result<()> {
    write_blocks(&contiguous(path, format, 256)?, (0..256).step_by(8))
}
