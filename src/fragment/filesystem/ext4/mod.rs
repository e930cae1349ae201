//! ext2, ext3 and ext4: the inode tables, read from the block device.
//!
//! Group by group, on several threads, each table is read in pieces of 256 KiB, as far as it was ever used. Most files
//! say in the inode where their data are (up to four extents); only the others cost a read of a block each.
//!
//! The device is read through its cache, which is where the mounted file system keeps its metadata: what it has
//! changed and not yet written is seen. Not seen are data without a place yet (delayed allocation). Since the file
//! system goes on working, a block may be read while it is being changed; an inode whose map makes no sense is
//! therefore read again before it is called damaged. A change that is caught half-way and still makes sense is counted
//! as it was caught.
//!
//! A damaged table or map costs its own files, as a [`Cause::Damaged`] each, and never the scan.

mod inode;
mod map;
mod superblock;

use super::super::failure::Cause;
use super::super::fold::{Fold, Layout};
use super::super::volume::Volume;
use super::tally::{File, Tally};
use super::{Job, Method, Refusal, crew};
use crate::sys::block::{self, BlockDevice};
use inode::Inode;
use map::{Budget, Mapper};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use superblock::{Group, SUPERBLOCK_AT, SUPERBLOCK_BYTES, Superblock};

/// Read at once from an inode table.
const PIECE_BYTES: usize = 256 << 10;

/// How often an inode is read again whose map makes no sense.
const READ_AGAIN: usize = 3;

/// Positioned reads: a device, or an image in memory.
pub(super) trait ReadAt: Sync {
    /// Fills `bytes` from byte `at` on.
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()>;
}

impl ReadAt for std::fs::File {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, at)
    }
}

impl ReadAt for [u8] {
    fn read_exact_at(&self, bytes: &mut [u8], at: u64) -> io::Result<()> {
        let range = usize::try_from(at).ok().and_then(|at| self.get(at..at.checked_add(bytes.len())?));
        bytes.copy_from_slice(range.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// Reads, or says why not.
fn read<R: ReadAt + ?Sized>(source: &R, bytes: &mut [u8], at: u64) -> Result<(), Cause> {
    source.read_exact_at(bytes, at).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Cause::Damaged("larger than its device"),
        _ => Cause::of(&error, "ext4"),
    })
}

/// The longest run that the volume has room for, where its device may be read.
pub(in super::super) fn longest_run_bytes(volume: &Volume) -> Option<u64> {
    let device = open(volume).ok()?;
    superblock_of(&device.file, device.size_bytes, &device.path).ok().map(|superblock| superblock.longest_run_bytes())
}

fn open(volume: &Volume) -> io::Result<BlockDevice> {
    block::open(volume.device, volume.mount.as_ref().map(|mount| mount.source.as_os_str()))
}

fn superblock_of<R: ReadAt + ?Sized>(source: &R, size_bytes: u64, path: &Path) -> Result<Superblock, Refusal> {
    let mut bytes = [0; SUPERBLOCK_BYTES];
    read(source, &mut bytes, SUPERBLOCK_AT).map_err(|cause| Refusal::Device(path.into(), cause))?;
    Superblock::parse(&bytes, size_bytes)
}

/// Reads the inodes of the file system.
pub(super) fn scan(job: &Job<'_>, tick: &mut dyn FnMut()) -> Result<(Method, Vec<Tally>), Refusal> {
    let volume = &job.target.volume;
    let device = open(volume).map_err(|error| {
        let named = volume.mount.as_ref().map(|mount| PathBuf::from(&mount.source));
        let numbers = || format!("{}:{}", libc::major(volume.device), libc::minor(volume.device)).into();
        Refusal::Device(named.unwrap_or_else(numbers), Cause::of_named(&error, "ext4"))
    })?;
    let superblock = superblock_of(&device.file, device.size_bytes, &device.path)?;
    let tallies = scan_image(job, &device.file, &superblock, &device.path, tick);
    Ok((Method::InodeTables(device.path), tallies))
}

fn scan_image<R: ReadAt + ?Sized>(
    job: &Job<'_>,
    source: &R,
    superblock: &Superblock,
    name: &Path,
    tick: &mut dyn FnMut(),
) -> Vec<Tally> {
    job.watch.expect(superblock.groups);
    let (budget, next) = (Budget::new(superblock.blocks), AtomicU64::new(0));
    crew::run(job.threads, tick, || {
        let reader = Reader::new(source, superblock, &budget);
        let worker = Worker { job, volume: &job.target.volume, descriptor: job.target.descriptor(), name };
        worker.run(reader, &next)
    })
}

/// Reads groups of an image.
struct Reader<'image, R: ?Sized> {
    source: &'image R,
    superblock: &'image Superblock,
    mapper: Mapper<'image, R>,
    piece: Vec<u8>,
}

impl<'image, R: ReadAt + ?Sized> Reader<'image, R> {
    fn new(source: &'image R, superblock: &'image Superblock, budget: &'image Budget) -> Self {
        Self { source, superblock, mapper: Mapper::new(source, superblock, budget), piece: Vec::new() }
    }

    fn group(&self, group: u64) -> Result<Group, Cause> {
        let (at, length) = self.superblock.descriptor_at(group);
        let mut descriptor = [0; 1024];
        read(self.source, &mut descriptor[..length], at)?;
        self.superblock.parse_group(&descriptor[..length]).map_err(Cause::Damaged)
    }

    /// Calls `visit` for every file among the inodes of `group`, a piece of the table at a time; `between` before each
    /// piece says whether to go on.
    fn each(
        &mut self,
        group: u64,
        mut between: impl FnMut() -> bool,
        mut visit: impl FnMut(&mut Mapper<'image, R>, u32, u64, Inode<'_>),
    ) -> Result<(), Cause> {
        let Group { table_at, inodes } = self.group(group)?;
        let inode_bytes = self.superblock.inode_bytes;
        // The product has 32 bits, which the superblock was checked for; numbers begin with 1.
        let first = (group * u64::from(self.superblock.group_inodes)) as u32 + 1;
        let in_piece = (PIECE_BYTES / inode_bytes) as u32;
        let mut done = 0;
        while done < inodes && between() {
            let count = in_piece.min(inodes - done);
            let at = table_at + u64::from(done) * inode_bytes as u64;
            self.piece.resize(count as usize * inode_bytes, 0);
            read(self.source, &mut self.piece, at)?;
            for (index, bytes) in self.piece.chunks_exact(inode_bytes).enumerate() {
                let number = first + done + index as u32;
                if let Some(inode) = inode::parse(self.superblock, number, bytes) {
                    visit(&mut self.mapper, number, at + (index * inode_bytes) as u64, inode);
                }
            }
            done += count;
        }
        Ok(())
    }
}

struct Worker<'scan> {
    job: &'scan Job<'scan>,
    volume: &'scan Volume,
    descriptor: BorrowedFd<'scan>,
    /// The device, for messages.
    name: &'scan Path,
}

impl Worker<'_> {
    fn run<R: ReadAt + ?Sized>(&self, mut reader: Reader<'_, R>, next: &AtomicU64) -> Tally {
        let mut tally = Tally::new(self.job.request);
        loop {
            let group = next.fetch_add(1, Relaxed);
            if group >= reader.superblock.groups || self.job.watch.stopped() {
                return tally;
            }
            let (source, superblock) = (reader.source, reader.superblock);
            let mut files = 0;
            let go_on = || !self.job.watch.stopped();
            let done = reader.each(group, go_on, |mapper, number, at, inode| {
                files += 1;
                if tally.is_small(inode.size_bytes) {
                    return;
                }
                let layout = self.layout(mapper, &inode).or_else(|cause| {
                    let again = |_| self.layout_again(mapper, source, superblock, number, at);
                    (0..READ_AGAIN).find_map(again).unwrap_or(Err(cause))
                });
                match layout {
                    Ok(layout) => tally.file(&file(number, &inode, layout)),
                    Err(cause) => tally.fail(format!("inode {number} of {}", self.name.display()), cause),
                }
            });
            if let Err(cause) = done {
                tally.fail(format!("inode table {group} of {}", self.name.display()), cause);
            }
            self.job.watch.advance(1, files);
        }
    }

    #[inline]
    fn layout<R: ReadAt + ?Sized>(&self, mapper: &mut Mapper<'_, R>, inode: &Inode<'_>) -> Result<Layout, Cause> {
        let mut fold = Fold::new(self.volume.cost);
        mapper.map(inode, &mut fold)?;
        let ideal = self.volume.ideal(fold.mapped_bytes(), inode.form == inode::Form::Blocks, self.descriptor);
        Ok(fold.finish(ideal))
    }

    /// Reads an inode again that made no sense; `None` if it still makes none.
    fn layout_again<R: ReadAt + ?Sized>(
        &self,
        mapper: &mut Mapper<'_, R>,
        source: &R,
        superblock: &Superblock,
        number: u32,
        at: u64,
    ) -> Option<Result<Layout, Cause>> {
        let mut bytes = [0; inode::CORE_BYTES];
        read(source, &mut bytes, at).ok()?;
        match inode::parse(superblock, number, &bytes) {
            Some(inode) => self.layout(mapper, &inode).ok().map(Ok),
            None => Some(Err(Cause::Vanished)),
        }
    }
}

fn file(number: u32, inode: &Inode<'_>, layout: Layout) -> File {
    File {
        inode: u64::from(number),
        generation: inode.generation,
        size_bytes: inode.size_bytes,
        allocated_bytes: inode.allocated_bytes,
        links: inode.links,
        layout,
    }
}

/// Reads an image in memory from end to end, as a scan would, and gives the number of its files and of fragments.
#[cfg(fuzzing)]
pub(super) fn read_image(image: &[u8]) -> Option<(u64, u64)> {
    let superblock = superblock_of(image, image.len() as u64, Path::new("")).ok()?;
    let budget = Budget::new(superblock.blocks);
    let mut reader = Reader::new(image, &superblock, &budget);
    let (mut files, mut fragments) = (0, 0);
    for group in 0..superblock.groups {
        // A group that makes no sense is passed over, as in a scan.
        let _ = reader.each(
            group,
            || true,
            |mapper, _, _, inode| {
                let mut fold = Fold::new(super::super::cost::Cost::default());
                files += 1;
                fragments += mapper.map(&inode, &mut fold).map_or(0, |()| fold.finish(1).fragments);
            },
        );
    }
    Some((files, fragments))
}
