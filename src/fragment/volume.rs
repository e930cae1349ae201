//! What is known of the volume that a file lies on, looked up once per device.

use super::cost::{Cost, Media};
use super::fold::Layout;
use super::geometry;
use crate::sys::metadata::{Device, FileSystem, Metadata};
use crate::sys::mounts::{self, Mount};
use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// File systems that are treated in a way of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ext2, ext3 and ext4, which share a magic number and a driver.
    Ext,
    /// XFS.
    Xfs,
    /// btrfs.
    Btrfs,
    /// A file system that passes the question on to others, whose answers may differ from file to file.
    Overlay,
    /// Kept in memory: no extents. Entered on the way, since a volume may be mounted on a directory in it (removable
    /// disks are, below `/run`).
    Memory,
    /// Made by the kernel out of nothing: no extents, and opening a file may have effects. Not entered.
    Pseudo,
    /// On another host or in another process: no extents, and no answer is to be counted on.
    Remote,
    /// Any other: it is asked, and may refuse.
    Other,
}

/// Magic numbers, the names that `/proc/filesystems` uses, and kinds. The numbers are those of `linux/magic.h`; the
/// few that are not there are in the file system's own source.
const KNOWN: [(u64, &str, Kind); 40] = [
    (0xEF53, "ext4", Kind::Ext),
    (0x5846_5342, "xfs", Kind::Xfs),
    (0x9123_683E, "btrfs", Kind::Btrfs),
    (0x794C_7630, "overlay", Kind::Overlay),
    (0xF15F, "ecryptfs", Kind::Overlay),
    (0x0102_1994, "tmpfs", Kind::Memory),
    (0x8584_58F6, "ramfs", Kind::Memory),
    (0x9FA0, "proc", Kind::Pseudo),
    (0x6265_6572, "sysfs", Kind::Pseudo),
    (0x1373, "devfs", Kind::Pseudo),
    (0x1CD1, "devpts", Kind::Pseudo),
    (0x6462_6720, "debugfs", Kind::Pseudo),
    (0x7472_6163, "tracefs", Kind::Pseudo),
    (0x7363_6673, "securityfs", Kind::Pseudo),
    (0xF97C_FF8C, "selinuxfs", Kind::Pseudo),
    (0x0027_E0EB, "cgroup", Kind::Pseudo),
    (0x6367_7270, "cgroup2", Kind::Pseudo),
    (0xCAFE_4A11, "bpf", Kind::Pseudo),
    (0x6165_676C, "pstore", Kind::Pseudo),
    (0xDE5E_81E4, "efivarfs", Kind::Pseudo),
    (0x9584_58F6, "hugetlbfs", Kind::Pseudo),
    (0x1980_0202, "mqueue", Kind::Pseudo),
    (0x6265_6570, "configfs", Kind::Pseudo),
    (0x4249_4E4D, "binfmt_misc", Kind::Pseudo),
    (0x6E73_6673, "nsfs", Kind::Pseudo),
    (0x6759_6969, "rpc_pipefs", Kind::Pseudo),
    (0x0187, "autofs", Kind::Remote),
    (0x6573_5546, "fuse", Kind::Remote),
    (0x6969, "nfs", Kind::Remote),
    (0x0102_1997, "9p", Kind::Remote),
    (0x00C3_6400, "ceph", Kind::Remote),
    (0x5346_414F, "afs", Kind::Remote),
    (0x7375_7245, "coda", Kind::Remote),
    (0xFF53_4D42, "cifs", Kind::Other),
    (0xFE53_4D42, "smb2", Kind::Other),
    (0xF2F5_2010, "f2fs", Kind::Other),
    (0xCA45_1A4E, "bcachefs", Kind::Other),
    (0x2FC1_2FC1, "zfs", Kind::Other),
    (0x4D44, "vfat", Kind::Other),
    (0x7371_7368, "squashfs", Kind::Other),
];

/// One volume: a device number, and what is known of it.
#[derive(Debug)]
pub struct Volume {
    /// The device number that its files carry.
    pub device: Device,
    /// What kind of file system it holds.
    pub kind: Kind,
    /// The file system's name: from the list of mounts, which tells ext3 from ext4, or else from the magic number.
    pub name: String,
    /// Size of an allocation unit.
    pub block_bytes: u64,
    /// Size of the volume.
    pub total_bytes: u64,
    /// Inodes in all; 0 where there is no such number.
    pub inodes: u64,
    /// What the disk is, and so what a jump costs.
    pub cost: Cost,
    /// The mount it was found by, where there is a list of mounts.
    pub mount: Option<Mount>,
    /// Whether it has answered that it has no extents.
    refused: AtomicBool,
    /// How many places in a row were given up for not answering in time.
    pub(super) silence: Silence,
    longest_run: OnceLock<u64>,
}

/// So many in a row that do not answer, and nothing more is expected from where they lie.
const SILENCES_ENOUGH: u32 = 3;

/// How many in one place did not answer, since the last that did.
#[derive(Debug, Default)]
pub(super) struct Silence(AtomicU32);

// Relaxed throughout: a worker that sees the count late waits for one file more, or one less.
impl Silence {
    /// One more; whether with that it is enough.
    pub(super) fn note(&self) -> bool {
        self.0.fetch_add(1, Relaxed) + 1 == SILENCES_ENOUGH
    }

    /// One has answered. Reads before it writes, so that workers do not take the line from each other for nothing.
    #[inline]
    pub(super) fn end(&self) {
        if self.0.load(Relaxed) != 0 {
            self.0.store(0, Relaxed);
        }
    }

    /// Whether there is no point in waiting for another.
    #[inline]
    pub(super) fn is_enough(&self) -> bool {
        self.0.load(Relaxed) >= SILENCES_ENOUGH
    }
}

impl Volume {
    fn new(device: Device, told: FileSystem, mount: Option<Mount>, media: Option<Media>) -> Self {
        let known = KNOWN.iter().find(|(magic, ..)| *magic == told.magic);
        let kind = known.map_or(Kind::Other, |known| known.2);
        let name = match (&mount, known) {
            (Some(mount), _) => mount.kind.clone(),
            (None, Some(known)) => known.1.to_owned(),
            (None, None) => format!("file system {:#x}", told.magic),
        };
        let total_bytes = told.blocks.saturating_mul(told.block_bytes);
        let media = media.unwrap_or_else(|| media_of(mount.as_ref(), device));
        Self {
            device,
            kind,
            name,
            block_bytes: told.block_bytes,
            total_bytes,
            inodes: told.inodes,
            cost: Cost { media, volume_bytes: total_bytes },
            mount,
            refused: AtomicBool::new(false),
            silence: Silence::default(),
            longest_run: OnceLock::new(),
        }
    }

    /// Whether there is any point in asking a file here for its extents.
    #[must_use]
    #[inline]
    pub fn has_extents(&self) -> bool {
        !matches!(self.kind, Kind::Memory | Kind::Pseudo | Kind::Remote) && !self.refused.load(Relaxed)
    }

    /// Remembers that a file here had no extents to tell of. Where the answer depends on the file, it is forgotten.
    pub fn refuse(&self) {
        // Relaxed: a worker that sees it late asks once more and gets the same answer.
        self.refused.store(self.kind != Kind::Overlay, Relaxed);
    }

    /// How a file lies, where what `stat` says of it is enough: a file with no more than one block allocated cannot be
    /// in two pieces. One with nothing allocated may still have its data inside the inode, and an empty one's block may
    /// hold attributes; both are asked. (What is left is a file that is all hole and has a block of attributes: it
    /// counts as one piece here, and as none when it is opened.)
    #[must_use]
    #[inline]
    pub fn layout_unopened(&self, metadata: &Metadata) -> Option<Layout> {
        let allocated = metadata.allocated_bytes;
        let trusted = matches!(self.kind, Kind::Ext | Kind::Xfs | Kind::Btrfs);
        let known = allocated <= self.block_bytes && (allocated > 0) == (metadata.size_bytes > 0);
        (trusted && known).then(|| Layout::unopened(allocated))
    }

    /// The fewest runs that this file system could have used for `mapped_bytes` of data.
    ///
    /// `file` is any descriptor on the volume; it is asked once about the volume's geometry, when the first file
    /// comes along that is large enough for it to matter.
    pub fn ideal(&self, mapped_bytes: u64, block_mapped: bool, file: BorrowedFd<'_>) -> u64 {
        if mapped_bytes == 0 {
            return 0;
        }
        let between_indirect =
            block_mapped.then(|| geometry::runs_between_indirect_blocks(mapped_bytes, self.block_bytes));
        if mapped_bytes <= geometry::SURELY_ONE_RUN_BYTES {
            return between_indirect.unwrap_or(1);
        }
        let longest = *self.longest_run.get_or_init(|| geometry::longest_run_bytes(self, file));
        mapped_bytes.div_ceil(longest.max(1)).max(between_indirect.unwrap_or(1))
    }
}

fn media_of(mount: Option<&Mount>, device: Device) -> Media {
    let disk = mount.map_or(Some(device), mounts::block_device);
    match disk.and_then(mounts::rotational) {
        Some(true) => Media::Rotating,
        _ => Media::Solid,
    }
}

/// All volumes met so far.
#[derive(Debug, Default)]
pub struct Volumes {
    mounts: Vec<Mount>,
    media: Option<Media>,
    known: Mutex<HashMap<Device, Arc<Volume>>>,
}

impl Volumes {
    /// Reads the list of mounts. With `media` given, every volume is taken to be on that.
    #[must_use]
    pub fn new(media: Option<Media>) -> Self {
        Self { mounts: mounts::list(), media, known: Mutex::default() }
    }

    /// The mounts, as they were at the start.
    #[must_use]
    pub fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// The volume with this device number, if it was met before.
    #[must_use]
    pub fn known(&self, device: Device) -> Option<Arc<Volume>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&device).cloned()
    }

    /// The volume of a file with this metadata, `descriptor` being on the same file system.
    ///
    /// # Errors
    /// The kernel's error when the file system cannot be asked what it is.
    pub fn of(&self, metadata: &Metadata, descriptor: BorrowedFd<'_>) -> std::io::Result<Arc<Volume>> {
        if let Some(volume) = self.known(metadata.device) {
            return Ok(volume);
        }
        // Asked without the lock held: a file system may take its time to answer.
        let told = crate::sys::metadata::file_system(descriptor)?;
        let mount = self.mount_of(metadata).cloned();
        let volume = Arc::new(Volume::new(metadata.device, told, mount, self.media));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.entry(metadata.device).or_insert(volume)))
    }

    fn mount_of(&self, metadata: &Metadata) -> Option<&Mount> {
        let by_id = self.mounts.iter().find(|mount| Some(mount.id) == metadata.mount);
        by_id.or_else(|| self.mounts.iter().rev().find(|mount| mount.device == metadata.device))
    }

    /// Every volume met, in the order of their device numbers.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Volume>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = known.values().cloned().collect();
        all.sort_by_key(|volume| volume.device);
        all
    }
}

/// Whether a mount of this type (`fuse.sshfs`, `nfs4`) is one whose files have no extents, on a host or in a process
/// that may never answer. Tells by the type's name alone, so that the mount need not be touched.
#[must_use]
pub fn is_remote(kind: &str) -> bool {
    let family = kind.split('.').next().unwrap_or(kind);
    matches!(family, "fuse" | "fuseblk" | "nfs" | "nfs4" | "9p" | "ceph" | "afs" | "coda" | "autofs" | "virtiofs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{directory, metadata};
    use std::os::fd::AsFd;

    fn volume_of(path: &[u8]) -> Arc<Volume> {
        let directory = directory::open(path, true, true).unwrap();
        Volumes::new(None).of(&metadata::of(&directory).unwrap(), directory.as_fd()).unwrap()
    }

    #[test]
    fn proc_has_no_extents_and_a_name() {
        let volume = volume_of(b"/proc");
        assert_eq!((volume.kind, volume.name.as_str(), volume.has_extents()), (Kind::Pseudo, "proc", false));
    }

    #[test]
    fn a_refusal_is_remembered_but_for_overlays() {
        let told = |magic| FileSystem { magic, block_bytes: 4096, blocks: 1000, inodes: 10 };
        let vfat = Volume::new(1, told(0x4D44), None, None);
        assert!(vfat.has_extents());
        vfat.refuse();
        assert!(!vfat.has_extents());
        let overlay = Volume::new(1, told(0x794C_7630), None, None);
        overlay.refuse();
        assert!(overlay.has_extents());
        assert_eq!(Volume::new(1, told(0x1234), None, None).name, "file system 0x1234");
    }

    #[test]
    fn remote_mounts_are_known_by_their_names() {
        assert!(["fuse.sshfs", "fuse", "nfs4", "autofs"].iter().all(|kind| is_remote(kind)));
        assert!(["ext4", "cifs", "tmpfs", "fusectl"].iter().all(|kind| !is_remote(kind)));
    }

    #[test]
    fn the_table_has_no_number_twice() {
        let numbers: std::collections::HashSet<_> = KNOWN.iter().map(|known| known.0).collect();
        assert_eq!(numbers.len(), KNOWN.len());
    }
}
