//! File systems that have no extents of their own: named, counted, never opened; and what lies below them.

use crate::support::{Format, Scratch, Seen, file, image, kernel, look, skip};
use std::fs;
use std::path::{Path, PathBuf};
use toolbox::fragment::{Cause, Kind, Options, Root, measure};

fn scan(path: impl Into<PathBuf>) -> Seen {
    look([Root::path(path)], &Options::default())
}

fn causes(seen: &Seen) -> Vec<(Cause, u64)> {
    seen.outcome.failures.iter().map(|(cause, tally)| (cause.clone(), tally.count)).collect()
}

/// A mount that ends with the test.
struct Mounted(PathBuf);

impl Mounted {
    fn new(kind: &str, point: &Path, options: &str) -> Option<Self> {
        if !kernel::has_own_mounts() {
            return skip("mounting takes root (CAP_SYS_ADMIN)");
        }
        fs::create_dir_all(point).unwrap();
        match kernel::mount("toolbox-test", point, kind, options) {
            Ok(()) => Some(Self(point.to_owned())),
            Err(error) => skip(&format!("no {kind}: {error}")),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = kernel::unmount(&self.0);
    }
}

#[test]
fn what_the_kernel_makes_up_is_not_walked() {
    for (path, name) in [("/proc", "proc"), ("/sys", "sysfs"), ("/proc/self/maps", "proc"), ("/proc/self/", "proc")] {
        let seen = scan(path);
        assert_eq!(causes(&seen), [(Cause::Unsupported(name.into()), 1)], "{path}");
        assert_eq!((seen.calls, seen.outcome.failures.named(), seen.outcome.failures.serious()), (0, 1, 0), "{path}");
    }
    let failure = measure("/proc/self/maps".as_ref(), false).unwrap_err();
    assert_eq!(failure.cause, Cause::Unsupported("proc".into()));
    assert_eq!(failure.to_string(), "/proc/self/maps: not supported here: proc has no extents");
}

#[test]
fn what_the_kernel_makes_up_is_not_entered_on_the_way() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    file(&scratch.join("file"));
    let Some(_proc) = Mounted::new("proc", &scratch.join("proc"), "") else { return };
    let Some(_sys) = Mounted::new("sysfs", &scratch.join("sys"), "") else { return };
    let seen = scan(&*scratch);
    let expected = ["proc", "sysfs"].map(|name| (Cause::NotEntered(name.into()), 1));
    assert_eq!((causes(&seen), seen.names(&scratch)), (expected.to_vec(), vec!["file".to_owned()]));
    assert_eq!((seen.outcome.failures.named(), seen.outcome.failures.serious()), (0, 0));
}

/// Files in memory have no extents, but a disk may be mounted below them, as removable ones are below `/run`.
#[test]
fn memory_is_entered_for_what_may_be_mounted_there() {
    let (Some(scratch), Some(disk)) = (Scratch::on(Format::Ext4), Scratch::on(Format::Xfs)) else { return };
    file(&scratch.join("near"));
    file(&disk.join("on_disk"));
    let Some(_memory) = Mounted::new("tmpfs", &scratch.join("run"), "size=1m") else { return };
    file(&scratch.join("run/a/in_memory"));
    fs::create_dir_all(scratch.join("run/media/disk")).unwrap();
    kernel::bind(&disk, &scratch.join("run/media/disk")).unwrap();
    let _disk = Mounted(scratch.join("run/media/disk"));
    let unsupported = vec![(Cause::Unsupported("tmpfs".into()), 1)];
    let seen = scan(&*scratch);
    assert_eq!(seen.names(&scratch), ["near", "run/media/disk/on_disk"]);
    assert_eq!((causes(&seen), seen.outcome.failures.serious()), (unsupported.clone(), 0));
    assert_eq!(causes(&scan(scratch.join("run/a"))), unsupported);
    let named = scan(scratch.join("run/a/in_memory"));
    assert_eq!((causes(&named), named.outcome.failures.named()), (unsupported, 1));
    let stay = Options { one_file_system: true, ..Options::default() };
    assert_eq!(look([Root::path(&*scratch)], &stay).names(&scratch), ["near"]);
}

/// An overlay over `lower` on ext4 and an upper layer at `upper`, mounted at `point`.
fn overlay(scratch: &Path, upper: &Path) -> Option<Mounted> {
    file(&scratch.join("lower/below"));
    ["upper", "work"].iter().for_each(|name| fs::create_dir_all(upper.join(name)).unwrap());
    let (lower, upper, work) = (scratch.join("lower"), upper.join("upper"), upper.join("work"));
    let options = format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    let mounted = Mounted::new("overlay", &scratch.join("merged"), &options)?;
    file(&scratch.join("merged/above"));
    file(&scratch.join("merged/sub/above"));
    Some(mounted)
}

#[test]
fn an_overlay_passes_the_question_on() {
    let Some(scratch) = Scratch::on(Format::Xfs) else { return };
    let Some(_overlay) = overlay(&scratch, &scratch) else { return };
    let merged = scratch.join("merged");
    let seen = scan(&merged);
    assert_eq!(
        (seen.names(&merged), causes(&seen)),
        (vec!["above".into(), "below".into(), "sub/above".into()], vec![])
    );
    assert!(seen.files.values().all(|file| file.layout.fragments == 1));
    assert_eq!(scan(merged.join("below")).calls, 1);
    assert_eq!(measure(&merged.join("above"), false).unwrap().layout.fragments, 1);
    let stay = Options { one_file_system: true, ..Options::default() };
    assert_eq!(look([Root::path(&merged)], &stay).calls, 3);
}

/// The same overlay may have files that can tell and files that cannot.
#[test]
fn an_overlay_whose_upper_layer_is_memory_answers_for_the_lower_one() {
    let Some(scratch) = Scratch::on(Format::Xfs) else { return };
    let Some(_memory) = Mounted::new("tmpfs", &scratch.join("memory"), "size=1m") else { return };
    let Some(_overlay) = overlay(&scratch, &scratch.join("memory")) else { return };
    let merged = scratch.join("merged");
    for _ in 0..2 {
        let seen = scan(&merged);
        assert_eq!(seen.names(&merged), ["below"]);
        let [(Cause::Unsupported(name), 2)] = &causes(&seen)[..] else { panic!("{:?}", seen.outcome.failures) };
        assert!(["overlay", "tmpfs"].contains(&name.as_str()), "{name}");
        assert_eq!(seen.outcome.failures.serious(), 0);
    }
    let failure = measure(&merged.join("above"), false).unwrap_err();
    assert!(matches!(failure.cause, Cause::Unsupported(_)), "{failure}");
    let stay = Options { one_file_system: true, ..Options::default() };
    assert_eq!(look([Root::path(&merged)], &stay).names(&merged), ["below"]);
}

/// ext2 is not told from ext4 by its number, but by the list of mounts.
#[test]
fn one_driver_has_many_names() {
    for format in [Format::Ext2, Format::Ext3, Format::Ext4] {
        let Some(image) = image(format) else { continue };
        let scratch = Scratch::under(&image.point);
        file(&scratch.join("file"));
        let report = measure(&scratch.join("file"), false).unwrap();
        assert_eq!((report.volume.kind, report.volume.name.as_str()), (Kind::Ext, format.name()));
    }
}
