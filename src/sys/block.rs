//! The block device below a file system, opened for reading.
//!
//! A mount names its device in words that may be stale (`/dev/root`, a device renamed since), so every candidate is
//! checked: what was opened must be a block device of the number that the file system's files carry. Nothing here
//! ever opens a device for writing.

use super::directory::open_with;
use super::metadata::{self, Device, Metadata};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// A block device that is open for reading.
#[derive(Debug)]
pub struct BlockDevice {
    /// The device, for positioned reads.
    pub file: File,
    /// The path it was opened by.
    pub path: PathBuf,
    /// Its size.
    pub size_bytes: u64,
}

/// Opens `device` for reading: by `source`, the name that the mount gives, or by the names that the kernel keeps.
///
/// # Errors
/// The kernel's error of the first candidate that exists (`EACCES` or `EPERM` mostly: only root may read a disk);
/// `ENODEV` when no name leads to the device.
pub fn open(device: Device, source: Option<&OsStr>) -> io::Result<BlockDevice> {
    let numbers = format!("{}:{}", libc::major(device), libc::minor(device));
    let named = source.filter(|source| source.as_bytes().starts_with(b"/")).map(PathBuf::from);
    let of_number = Some(Path::new("/dev/block").join(&numbers));
    let mut refused = io::Error::from_raw_os_error(libc::ENODEV);
    for path in [named, of_number, name_of(&numbers)].into_iter().flatten() {
        match open_as(&path, device) {
            Ok(Some(open)) => return Ok(open),
            Ok(None) => {}
            Err(error) if refused.raw_os_error() == Some(libc::ENODEV) => refused = error,
            Err(_) => {}
        }
    }
    Err(refused)
}

/// `None` when `path` is not there, or is not `device`: it is looked at before it is opened, since opening some devices
/// does things.
fn open_as(path: &Path, device: Device) -> io::Result<Option<BlockDevice>> {
    let is_it = |found: &Metadata| found.mode & libc::S_IFMT == libc::S_IFBLK && found.node_device == device;
    match metadata::of_path(path.as_os_str().as_bytes(), true) {
        Ok(found) if is_it(&found) => {}
        _ => return Ok(None),
    }
    let mut file = File::from(open_with(path.as_os_str().as_bytes(), 0)?);
    if !is_it(&metadata::of(&file)?) {
        return Ok(None);
    }
    let size_bytes = file.seek(SeekFrom::End(0))?;
    Ok(Some(BlockDevice { file, path: path.to_owned(), size_bytes }))
}

/// The name under `/dev` that the kernel gave the device.
fn name_of(numbers: &str) -> Option<PathBuf> {
    let events = std::fs::read_to_string(format!("/sys/dev/block/{numbers}/uevent")).ok()?;
    events.lines().find_map(|line| line.strip_prefix("DEVNAME=")).map(|name| Path::new("/dev").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_block_device_is_not_opened() {
        // The null device is a character device, and its number as that of a block device is a RAM disk or nothing.
        let error = open(libc::makedev(0, 77), Some(OsStr::new("/dev/null"))).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        assert!(open(libc::makedev(0, 77), Some(OsStr::new("none"))).is_err());
    }
}
