//! What is mounted where, and whether the disk below turns.
//!
//! `/proc/self/mountinfo` is the only source that gives the type of a mount without touching it, which matters when
//! the mount does not answer. Where `/proc` is missing there is no list, and callers do without.

use super::metadata::{self, Device};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// One line of `/proc/self/mountinfo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// The kernel's number for it, as in [`metadata::Metadata::mount`].
    pub id: u64,
    /// The device, as `stat` gives it for the root of the mount (btrfs: not for the files below it).
    pub device: Device,
    /// The directory of the file system that is mounted: `/` but for bind mounts and subvolumes.
    pub root: PathBuf,
    /// Where it is mounted.
    pub point: PathBuf,
    /// The type: `ext4`, `fuse.sshfs`, `proc`.
    pub kind: String,
    /// What is mounted: a block device's path, or whatever the file system calls its source.
    pub source: OsString,
}

/// The mounts of this process, in the order they were made; empty where `/proc` is missing.
#[must_use]
pub fn list() -> Vec<Mount> {
    std::fs::read("/proc/self/mountinfo").map(|text| parse(&text)).unwrap_or_default()
}

/// Parses the text of a `mountinfo` file. Lines that are not in its form are left out.
#[must_use]
pub fn parse(text: &[u8]) -> Vec<Mount> {
    text.split(|&byte| byte == b'\n').filter_map(parse_line).collect()
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|&byte| byte == b' ');
    let id = number(fields.next()?)?;
    let _parent = fields.next()?;
    let mut device = fields.next()?.split(|&byte| byte == b':');
    let device = libc::makedev(number(device.next()?)?, number(device.next()?)?);
    let root = PathBuf::from(unescape(fields.next()?));
    let point = PathBuf::from(unescape(fields.next()?));
    // Options, then any number of tagged fields, then a lone dash.
    let mut rest = fields.skip_while(|field| *field != b"-").skip(1);
    let kind = String::from_utf8_lossy(&unescape_bytes(rest.next()?)).into_owned();
    let source = unescape(rest.next().unwrap_or_default());
    Some(Mount { id, device, root, point, kind, source })
}

fn number<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn unescape(field: &[u8]) -> OsString {
    OsString::from_vec(unescape_bytes(field))
}

/// Undoes the kernel's `\040` for space, tab, newline and backslash.
fn unescape_bytes(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).filter(|digits| byte == b'\\' && digits.iter().all(|d| (b'0'..=b'7').contains(d)));
        if let Some(digits) = octal {
            plain.push(digits.iter().fold(0u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')));
            rest = &after[3..];
        } else {
            plain.push(byte);
            rest = after;
        }
    }
    plain
}

/// Whether the kernel calls the disk under `device` a rotating one; `None` where it does not say (no disk, no
/// `/sys`). Virtual disks are often called rotating because nobody told the kernel otherwise.
#[must_use]
pub fn rotational(device: Device) -> Option<bool> {
    let node = format!("/sys/dev/block/{}:{}", libc::major(device), libc::minor(device));
    // A partition has no queue of its own; its disk is the folder above.
    let said = ["queue/rotational", "../queue/rotational"]
        .iter()
        .find_map(|file| std::fs::read(Path::new(&node).join(file)).ok())?;
    match said.first() {
        Some(b'0') => Some(false),
        Some(b'1') => Some(true),
        _ => None,
    }
}

/// The block device behind a mount: its own device, or, for a file system with device numbers of its own (btrfs),
/// the one that its source names.
#[must_use]
pub fn block_device(mount: &Mount) -> Option<Device> {
    if libc::major(mount.device) != 0 {
        return Some(mount.device);
    }
    let source = mount.source.as_bytes();
    if !source.starts_with(b"/dev/") {
        return None;
    }
    metadata::of_path(source, true).ok().map(|node| node.node_device).filter(|&device| device != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_every_kind_of_field() {
        let line = b"36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw\n";
        let mounts = parse(line);
        let expected = Mount {
            id: 36,
            device: libc::makedev(98, 0),
            root: "/mnt1".into(),
            point: "/mnt 2\\x".into(),
            kind: "ext3".into(),
            source: "/dev/root".into(),
        };
        assert_eq!(mounts, [expected]);
    }

    #[test]
    fn lines_of_another_form_are_left_out() {
        assert!(parse(b"").is_empty());
        assert!(parse(b"36 35 98:0 /a /b rw\n36 35\nx y z\n\xff\xfe - \n").is_empty());
        assert_eq!(parse(b"1 1 0:5 / /p rw - proc \\9\\04 rw").len(), 1);
    }

    #[test]
    fn the_root_is_mounted() {
        let root = metadata::of_path(b"/", true).unwrap();
        let mounts = list();
        assert!(mounts.iter().any(|mount| mount.point == Path::new("/") && Some(mount.id) == root.mount));
    }
}
