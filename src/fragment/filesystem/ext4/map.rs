//! Where the data of an ext2, ext3 or ext4 file are: its extent tree, or its blocks of pointers.
//!
//! An extent tree has its root in the inode. A node is a head and entries of twelve bytes: extents in a leaf, pointers
//! to nodes one level down elsewhere. At most five levels, as the kernel has it.
//!
//! The older map names twelve blocks in the inode, then a block of pointers, a block of pointers to such blocks, and
//! one level more. A pointer of 0 is a hole.
//!
//! A damaged volume is told by what cannot be: nodes without their magic number or at the wrong level, extents out of
//! order or off the volume. No two nodes of a sound volume are the same block, so that there are no more of them than
//! blocks: a [`Budget`] of so many reads, shared by all files, ends every circle.

use super::super::super::extent::{Extent, Flags};
use super::super::super::failure::Cause;
use super::super::super::fold::Fold;
use super::inode::{Form, Inode, ROOT_BYTES};
use super::superblock::{Superblock, u16_at, u32_at};
use super::{ReadAt, read};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

const NODE_MAGIC: u16 = 0xF30A;
const HEAD_BYTES: usize = 12;
const ENTRY_BYTES: usize = 12;
const DEEPEST: u16 = 5;
/// A length above this is that of an extent that reads as zeroes until it is written, and so much too large.
const LONGEST_WRITTEN: u16 = 32768;

/// Blocks named in the inode itself.
const DIRECT: usize = 12;

/// How many nodes may still be read.
pub(super) type Budget = AtomicU64;

/// One node of an extent tree, its head checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node<'bytes> {
    /// Levels below this one; 0 for a leaf.
    depth: u16,
    entries: &'bytes [[u8; ENTRY_BYTES]],
}

/// Parses a node. `depth` is what the level above says, where there is one.
pub(super) fn parse_node(bytes: &[u8], depth: Option<u16>) -> Result<Node<'_>, &'static str> {
    let Some((head, rest)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Err("extent node is cut off") };
    let (rest, _) = rest.as_chunks::<ENTRY_BYTES>();
    let (entries, capacity, own_depth) = (u16_at(head, 2), u16_at(head, 4), u16_at(head, 6));
    if u16_at(head, 0) != NODE_MAGIC {
        return Err("extent node without its magic number");
    }
    if own_depth > DEEPEST || depth.is_some_and(|depth| depth != own_depth) {
        return Err("extent node at the wrong level");
    }
    if entries > capacity {
        return Err("extent node with more entries than it has room for");
    }
    match rest.get(..usize::from(entries)) {
        Some(entries) => Ok(Node { depth: own_depth, entries }),
        None => Err("extent node with more entries than it has room for"),
    }
}

/// An entry of a leaf: first block of the file, blocks, first block of the volume, and whether it was written.
fn leaf_entry(entry: &[u8; ENTRY_BYTES]) -> (u64, u64, u64, bool) {
    let length = u16_at(entry, 4);
    let physical = u64::from(u32_at(entry, 8)) | u64::from(u16_at(entry, 6)) << 32;
    let written = length <= LONGEST_WRITTEN;
    let length = if written { length } else { length - LONGEST_WRITTEN };
    (u64::from(u32_at(entry, 0)), u64::from(length), physical, written)
}

/// An entry of any other node: the block of the node below.
fn index_entry(entry: &[u8; ENTRY_BYTES]) -> u64 {
    u64::from(u32_at(entry, 4)) | u64::from(u16_at(entry, 8)) << 32
}

/// Reads the maps of files, one after the other, with buffers that outlive each.
pub(super) struct Mapper<'image, R: ?Sized> {
    source: &'image R,
    superblock: &'image Superblock,
    budget: &'image Budget,
    /// A block for every level.
    levels: [Vec<u8>; DEEPEST as usize],
}

impl<'image, R: ReadAt + ?Sized> Mapper<'image, R> {
    pub(super) fn new(source: &'image R, superblock: &'image Superblock, budget: &'image Budget) -> Self {
        Self { source, superblock, budget, levels: Default::default() }
    }

    /// Folds what `inode` says of its data.
    #[inline]
    pub(super) fn map(&mut self, inode: &Inode<'_>, fold: &mut Fold) -> Result<(), Cause> {
        match inode.form {
            // A file that was cut to nothing keeps the form.
            Form::Inline if inode.size_bytes == 0 => Ok(()),
            Form::Inline => {
                let length = inode.size_bytes;
                fold.push(&Extent { length, disk_length: length, flags: Flags::INLINE, ..Extent::default() });
                Ok(())
            }
            Form::Extents => {
                let root = parse_node(inode.root, None).map_err(Cause::Damaged)?;
                self.node(root, &mut 0, fold)
            }
            Form::Blocks => self.blocks(inode.root, fold),
        }
    }

    /// Folds a node and all below it. `next` is the first block of the file that may follow.
    fn node(&mut self, node: Node<'_>, next: &mut u64, fold: &mut Fold) -> Result<(), Cause> {
        if node.depth == 0 {
            return node.entries.iter().try_for_each(|entry| self.leaf_entry(entry, next, fold));
        }
        let level = usize::from(node.depth - 1);
        let mut block = std::mem::take(&mut self.levels[level]);
        let mut below = |entry| {
            self.read_block(index_entry(entry), &mut block)?;
            let node = parse_node(&block, Some(node.depth - 1)).map_err(Cause::Damaged)?;
            self.node(node, next, fold)
        };
        let done = node.entries.iter().try_for_each(&mut below);
        self.levels[level] = block;
        done
    }

    #[inline]
    fn leaf_entry(&self, entry: &[u8; ENTRY_BYTES], next: &mut u64, fold: &mut Fold) -> Result<(), Cause> {
        let (logical, blocks, physical, written) = leaf_entry(entry);
        if logical < *next || blocks == 0 {
            return Err(Cause::Damaged("extents out of order"));
        }
        *next = logical + blocks;
        self.check_place(physical, blocks)?;
        let flags = if written { Flags::default() } else { Flags::UNWRITTEN };
        fold.push(&self.extent(logical, physical, blocks, flags));
        Ok(())
    }

    fn extent(&self, logical: u64, physical: u64, blocks: u64, flags: Flags) -> Extent {
        let unit = self.superblock.block_bytes;
        let length = blocks * unit;
        Extent { logical: logical * unit, physical: physical * unit, length, disk_length: length, flags }
    }

    /// Block 0 holds no data on any volume, and is what a pointer says that was wiped.
    fn check_place(&self, physical: u64, blocks: u64) -> Result<(), Cause> {
        let inside = physical > 0 && physical.checked_add(blocks).is_some_and(|end| end <= self.superblock.blocks);
        if inside { Ok(()) } else { Err(Cause::Damaged("an extent that is not on the volume")) }
    }

    fn read_block(&self, physical: u64, block: &mut Vec<u8>) -> Result<(), Cause> {
        self.check_place(physical, 1)?;
        // Relaxed: a count that nothing else hangs on.
        if self.budget.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_err() {
            return Err(Cause::Damaged("maps with more nodes than the volume has blocks"));
        }
        block.resize(self.superblock.block_bytes as usize, 0);
        read(self.source, block, physical * self.superblock.block_bytes)
    }

    /// Folds a map of blocks.
    fn blocks(&mut self, root: &[u8; ROOT_BYTES], fold: &mut Fold) -> Result<(), Cause> {
        let (pointers, _) = root.as_chunks::<4>();
        let mut run = Run::default();
        for (logical, pointer) in pointers.iter().enumerate() {
            match logical.checked_sub(DIRECT) {
                None => self.pointer(u32::from_le_bytes(*pointer), 0, &mut run, fold)?,
                Some(level) => self.pointer(u32::from_le_bytes(*pointer), level + 1, &mut run, fold)?,
            }
        }
        run.end(self, fold);
        Ok(())
    }

    /// Follows a pointer through so many levels of pointers, to data at level 0.
    fn pointer(&mut self, pointer: u32, level: usize, run: &mut Run, fold: &mut Fold) -> Result<(), Cause> {
        let physical = u64::from(pointer);
        if physical == 0 {
            run.logical += (self.superblock.block_bytes / 4).pow(level as u32);
            return Ok(());
        }
        let Some(below) = level.checked_sub(1) else {
            self.check_place(physical, 1)?;
            run.block(physical, self, fold);
            return Ok(());
        };
        let mut block = std::mem::take(&mut self.levels[below]);
        let mut done = self.read_block(physical, &mut block);
        let (pointers, _) = block.as_chunks::<4>();
        for pointer in pointers {
            done = done.and_then(|()| self.pointer(u32::from_le_bytes(*pointer), below, run, fold));
        }
        self.levels[below] = block;
        done
    }
}

/// Blocks of a file that follow one another both in the file and on the volume.
#[derive(Default)]
struct Run {
    /// The block of the file that comes next.
    logical: u64,
    start: u64,
    physical: u64,
    blocks: u64,
}

impl Run {
    fn block<R: ReadAt + ?Sized>(&mut self, physical: u64, mapper: &Mapper<'_, R>, fold: &mut Fold) {
        let continues = self.start + self.blocks == self.logical && self.physical + self.blocks == physical;
        if !(continues && self.blocks > 0) {
            self.end(mapper, fold);
            (self.start, self.physical, self.blocks) = (self.logical, physical, 0);
        }
        self.blocks += 1;
        self.logical += 1;
    }

    fn end<R: ReadAt + ?Sized>(&self, mapper: &Mapper<'_, R>, fold: &mut Fold) {
        if self.blocks > 0 {
            fold.push(&mapper.extent(self.start, self.physical, self.blocks, Flags::MERGED));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::cost::Cost;
    use super::super::super::super::fold::Layout;
    use super::super::superblock::tests::superblock;
    use super::*;

    const BLOCK: usize = 4096;

    /// A node of the given level with the given entries (first block, length or 0, block of the volume).
    fn node(depth: u16, entries: &[(u32, u16, u64)]) -> Vec<u8> {
        let mut bytes = vec![0x0A, 0xF3];
        [entries.len() as u16, 340, depth, 0, 0].iter().for_each(|half| bytes.extend(half.to_le_bytes()));
        for &(logical, length, physical) in entries {
            bytes.extend(logical.to_le_bytes());
            if depth == 0 {
                bytes.extend(length.to_le_bytes());
                bytes.extend(((physical >> 32) as u16).to_le_bytes());
                bytes.extend((physical as u32).to_le_bytes());
            } else {
                bytes.extend((physical as u32).to_le_bytes());
                bytes.extend(((physical >> 32) as u16).to_le_bytes());
                bytes.extend([0, 0]);
            }
        }
        bytes
    }

    fn map(form: Form, root: &[u8], blocks: &[(usize, Vec<u8>)], budget: u64) -> Result<Layout, Cause> {
        let mut image = vec![0; 64 * BLOCK];
        blocks.iter().for_each(|(at, bytes)| image[at * BLOCK..at * BLOCK + bytes.len()].copy_from_slice(bytes));
        let mut whole = [0; ROOT_BYTES];
        whole[..root.len()].copy_from_slice(root);
        let superblock = Superblock::parse(&superblock(&[]), 1 << 40).unwrap();
        let (budget, mut fold) = (Budget::new(budget), Fold::new(Cost::default()));
        let inode = Inode { size_bytes: 20, allocated_bytes: 0, links: 1, generation: 0, form, root: &whole };
        Mapper::new(&image[..], &superblock, &budget).map(&inode, &mut fold)?;
        Ok(fold.finish(1))
    }

    fn counts(layout: Result<Layout, Cause>) -> Result<(u64, u64, u64), Cause> {
        layout.map(|layout| (layout.extents, layout.fragments, layout.mapped_bytes / BLOCK as u64))
    }

    #[test]
    fn extents_in_the_inode() {
        let root = node(0, &[(0, 8, 100), (8, 8, 108), (20, 32768, 500), (40000, 32769, 9)]);
        let layout = map(Form::Extents, &root, &[], 0).unwrap();
        assert_eq!(counts(Ok(layout)), Ok((4, 3, 8 + 8 + 32768 + 1)));
        assert!(layout.flags.unwrap().any(Flags::UNWRITTEN));
        assert_eq!(counts(map(Form::Extents, &node(0, &[]), &[], 0)), Ok((0, 0, 0)));
    }

    #[test]
    fn extents_two_levels_down() {
        let root = node(2, &[(0, 0, 10)]);
        let middle = node(1, &[(0, 0, 11), (100, 0, 12)]);
        let leaves = [(10, middle), (11, node(0, &[(0, 4, 30), (4, 4, 40)])), (12, node(0, &[(100, 1, 50)]))];
        assert_eq!(counts(map(Form::Extents, &root, &leaves, 3)), Ok((3, 3, 9)));
        let cause = map(Form::Extents, &root, &leaves, 2).unwrap_err();
        assert_eq!(cause, Cause::Damaged("maps with more nodes than the volume has blocks"));
    }

    #[test]
    fn trees_that_cannot_be() {
        let damaged = |root: &[u8], blocks: &[(usize, Vec<u8>)]| match map(Form::Extents, root, blocks, 1000) {
            Err(Cause::Damaged(what)) => what,
            other => panic!("{other:?}"),
        };
        assert_eq!(damaged(&[], &[]), "extent node without its magic number");
        assert_eq!(damaged(&node(6, &[]), &[]), "extent node at the wrong level");
        assert_eq!(damaged(&node(1, &[(0, 0, 7)]), &[(7, node(1, &[]))]), "extent node at the wrong level");
        let circle = node(1, &[(0, 0, 7)]);
        assert_eq!(damaged(&circle, &[(7, circle.clone())]), "extent node at the wrong level");
        assert_eq!(damaged(&node(0, &[(5, 2, 9), (6, 1, 40)]), &[]), "extents out of order");
        assert_eq!(damaged(&node(0, &[(5, 0, 9)]), &[]), "extents out of order");
        assert_eq!(damaged(&node(0, &[(0, 1, 1 << 40)]), &[]), "an extent that is not on the volume");
        assert_eq!(damaged(&node(1, &[(0, 0, 0)]), &[]), "an extent that is not on the volume");
        let mut full = node(0, &[]);
        full[2] = 5;
        assert_eq!(damaged(&full, &[]), "extent node with more entries than it has room for");
    }

    #[test]
    fn maps_of_blocks_are_cut_by_their_own_pointers() {
        let mut root: Vec<u8> = (100..112u32).flat_map(u32::to_le_bytes).collect();
        root.extend([20u32, 0, 0].iter().flat_map(|pointer| pointer.to_le_bytes()));
        let pointers: Vec<u8> = (113..120u32).flat_map(u32::to_le_bytes).collect();
        let layout = map(Form::Blocks, &root, &[(20, pointers)], 1).unwrap();
        assert_eq!(counts(Ok(layout)), Ok((2, 2, 19)));
        assert!(layout.flags.unwrap().any(Flags::MERGED));
    }

    #[test]
    fn holes_in_maps_of_blocks_keep_their_length() {
        // Twelve holes, no single level, and at the second level the second block of pointers.
        let mut root = vec![0u8; 13 * 4];
        root.extend(20u32.to_le_bytes());
        let second: Vec<u8> = [0u32, 21].iter().flat_map(|pointer| pointer.to_le_bytes()).collect();
        let blocks: Vec<u8> = [200u32, 0, 202].iter().flat_map(|pointer| pointer.to_le_bytes()).collect();
        let layout = map(Form::Blocks, &root, &[(20, second), (21, blocks)], 2);
        assert_eq!(counts(layout), Ok((2, 1, 2)), "displaced by the hole");
        let circle: Vec<u8> = std::iter::repeat_n(20u32, 1024).flat_map(u32::to_le_bytes).collect();
        let mut root = vec![0u8; 14 * 4];
        root.extend(20u32.to_le_bytes());
        let cause = map(Form::Blocks, &root, &[(20, circle)], 50).unwrap_err();
        assert_eq!(cause, Cause::Damaged("maps with more nodes than the volume has blocks"));
    }

    #[test]
    fn data_inside_the_inode_are_one_piece() {
        assert_eq!(map(Form::Inline, &[], &[], 0).unwrap().fragments, 1);
    }
}
