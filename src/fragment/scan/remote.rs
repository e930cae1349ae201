//! Which paths lie on mounts that may never answer, told without touching them.

use super::super::volume::is_remote;
use super::join;
use crate::sys::mounts::Mount;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// The type of the remote mount that `path` lies on, by its spelling alone.
pub(in crate::fragment) fn mount_of(path: &Path, mounts: &[Mount]) -> Option<String> {
    let absolute = without_dots(&std::path::absolute(path).ok()?);
    // Of mounts on one another the last is the one seen, and `max_by_key` takes the last of those that are equal.
    let on = mounts.iter().filter(|mount| absolute.starts_with(&mount.point));
    let innermost = on.max_by_key(|mount| mount.point.as_os_str().len())?;
    is_remote(&innermost.kind).then(|| innermost.kind.clone())
}

/// `..` taken for the directory above, as it is where no symbolic link comes before it.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            plain.pop();
        } else {
            plain.push(component);
        }
    }
    plain
}

/// Remote mounts below the directory `root`, by the paths under which a walk from there will come across them.
pub(super) fn mounts_below(root: &Path, mounts: &[Mount]) -> HashMap<Box<[u8]>, String> {
    if !mounts.iter().any(|mount| is_remote(&mount.kind)) {
        return HashMap::new();
    }
    let Ok(real) = std::fs::canonicalize(root) else { return HashMap::new() };
    let spelled = |mount: &Mount| {
        let below = mount.point.strip_prefix(&real).ok().filter(|below| !below.as_os_str().is_empty())?;
        Some(join(root.as_os_str().as_bytes(), below.as_os_str().as_bytes()).into_boxed_slice())
    };
    let mut below = HashMap::new();
    for mount in mounts {
        let Some(path) = spelled(mount) else { continue };
        // An automounter's own mount lies under what it has mounted.
        if is_remote(&mount.kind) {
            below.insert(path, mount.kind.clone());
        } else {
            below.remove(&path);
        }
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::mounts::parse;

    fn mounts(points: &[(&str, &str)]) -> Vec<Mount> {
        let line = |(point, kind): &(&str, &str)| format!("1 1 0:1 / {point} rw - {kind} none rw\n");
        parse(points.iter().map(line).collect::<String>().as_bytes())
    }

    #[test]
    fn the_innermost_mount_decides() {
        let mounts = mounts(&[("/", "ext4"), ("/net", "nfs4"), ("/net/local", "xfs"), ("/nets", "ext4")]);
        assert_eq!(mount_of("/net/x".as_ref(), &mounts).as_deref(), Some("nfs4"));
        assert_eq!(mount_of("/net/local/x".as_ref(), &mounts), None);
        assert_eq!(mount_of("/nets/x".as_ref(), &mounts), None);
        assert_eq!(mount_of("/".as_ref(), &mounts), None);
        assert_eq!(mount_of("/net/../nets/x".as_ref(), &mounts), None);
        assert_eq!(mount_of("/nets/../net/x".as_ref(), &mounts).as_deref(), Some("nfs4"));
    }

    #[test]
    fn of_mounts_on_one_another_the_last_decides() {
        let mounts = mounts(&[("/", "ext4"), ("/boot", "autofs"), ("/boot", "vfat"), ("/x", "ext4"), ("/x", "nfs")]);
        assert_eq!(mount_of("/boot/file".as_ref(), &mounts), None);
        assert_eq!(mount_of("/x/file".as_ref(), &mounts).as_deref(), Some("nfs"));
        let below = mounts_below("/".as_ref(), &mounts);
        assert_eq!(below.keys().map(|path| &**path).collect::<Vec<_>>(), [b"/x"]);
    }

    #[test]
    fn mounts_are_spelled_as_the_walk_will() {
        let here = std::env::temp_dir().canonicalize().unwrap();
        let point = here.join("a/b");
        let mounts = mounts(&[("/", "ext4"), (point.to_str().unwrap(), "fuse.x")]);
        let below = mounts_below(&here, &mounts);
        assert_eq!(below.get(point.as_os_str().as_bytes()).map(String::as_str), Some("fuse.x"));
        assert!(mounts_below("/proc".as_ref(), &mounts).is_empty());
    }
}
