//! What a scan finds, what it leaves alone, and what it says of the rest.

use crate::support::kernel::{self, Opens};
use crate::support::{DATA, Format, Scratch, as_nobody, file, filefrag, image, look};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use toolbox::fragment::{Cause, Matcher, Options, Root, State};

fn root(path: impl Into<PathBuf>) -> [Root; 1] {
    [Root::path(path)]
}

/// Scans with one thread and with several, and expects these files, by their paths below `base`.
fn check(base: &Path, roots: &[&str], options: &Options, files: &[&str], causes: &[(&str, u64)]) {
    for threads in [1, 4] {
        let options = Options { threads: Some(threads), ..options.clone() };
        let roots: Vec<_> = roots.iter().map(|root| Root::path(base.join(root))).collect();
        let seen = look(roots, &options);
        assert_eq!(
            (seen.names(base), seen.causes()),
            (files.iter().map(|s| (*s).to_owned()).collect(), causes.to_vec())
        );
        seen.assert_accounted();
        assert!(!seen.outcome.stopped);
    }
}

#[test]
fn a_file_of_several_names_counts_once() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    file(&scratch.join("a"));
    (0..5).for_each(|i| fs::hard_link(scratch.join("a"), scratch.join(format!("b{i}"))).unwrap());
    let seen = look(root(&*scratch), &Options::default());
    assert_eq!((seen.calls, seen.outcome.counts.files, seen.outcome.counts.repeated), (1, 6, 5));
}

#[test]
fn symbolic_links_are_left_alone() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    file(&scratch.join("dir/file"));
    symlink("dir", scratch.join("to_dir")).unwrap();
    symlink("dir/file", scratch.join("to_file")).unwrap();
    symlink("nowhere", scratch.join("to_nowhere")).unwrap();
    symlink("itself", scratch.join("itself")).unwrap();
    check(&scratch, &["."], &Options::default(), &["dir/file"], &[]);
    check(&scratch, &["to_file", "to_nowhere"], &Options::default(), &[], &[("not_a_file", 2)]);
    check(&scratch, &["to_dir"], &Options::default(), &[], &[("not_a_file", 1)]);
    check(&scratch, &["to_dir/"], &Options::default(), &["to_dir/file"], &[]);
    assert_eq!(look(root(&*scratch), &Options::default()).outcome.counts.links, 4);
}

#[test]
fn symbolic_links_are_followed_when_asked_and_loops_are_noted() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    let follow = Options { follow_links: true, ..Options::default() };
    file(&scratch.join("tree/file"));
    file(&scratch.join("outside/other"));
    symlink("../outside", scratch.join("tree/to_outside")).unwrap();
    symlink("file", scratch.join("tree/to_file")).unwrap();
    symlink("nowhere", scratch.join("tree/to_nowhere")).unwrap();
    fs::create_dir(scratch.join("tree/sub")).unwrap();
    symlink("..", scratch.join("tree/sub/up")).unwrap();
    symlink("itself", scratch.join("tree/itself")).unwrap();
    let seen = look(root(scratch.join("tree")), &follow);
    assert_eq!((seen.calls, seen.causes()), (2, vec![("symlink_loop", 2)]), "{:?}", seen.outcome);
    assert_eq!(seen.outcome.counts.repeated, 1, "file and to_file are one");
    check(&scratch, &["tree/to_outside"], &follow, &["tree/to_outside/other"], &[]);
}

/// Directories that all lead to each other have more paths than there is time for.
#[test]
fn links_between_directories_do_not_multiply() {
    let scratch = Scratch::temporary();
    for i in 0..12 {
        let directory = scratch.join(format!("d{i}"));
        fs::create_dir(&directory).unwrap();
        (0..12).for_each(|j| symlink(format!("../d{j}"), directory.join(format!("to{j}"))).unwrap());
    }
    let follow = Options { follow_links: true, ..Options::default() };
    let seen = look(root(&*scratch), &follow);
    assert_eq!(seen.outcome.counts.directories, 13, "{:?}", seen.outcome);
}

#[test]
fn another_file_system_is_entered_unless_told_not_to() {
    let (Some(scratch), Some(other)) = (Scratch::on(Format::Ext4), Scratch::on(Format::Xfs)) else { return };
    file(&scratch.join("near"));
    file(&other.join("far"));
    fs::create_dir(scratch.join("there")).unwrap();
    fs::write(scratch.join("one"), b"").unwrap();
    kernel::bind(&other, &scratch.join("there")).unwrap();
    kernel::bind(&other.join("far"), &scratch.join("one")).unwrap();
    let stay = Options { one_file_system: true, ..Options::default() };
    let both = look(root(&*scratch), &Options::default());
    let near = look(root(&*scratch), &stay);
    let inside = look(root(scratch.join("there")), &stay);
    kernel::unmount(&scratch.join("one")).unwrap();
    kernel::unmount(&scratch.join("there")).unwrap();
    assert_eq!(both.names(&scratch), ["near", "one", "there/far"]);
    assert_eq!(both.files[&scratch.join("there/far")].volume.name, "xfs");
    assert_eq!(both.files[&scratch.join("one")].volume.name, "xfs");
    assert_eq!((near.names(&scratch), near.outcome.counts.files), (vec!["near".to_owned()], 1));
    assert_eq!(inside.names(&scratch), ["there/far"]);
}

#[test]
fn what_is_not_a_regular_file_is_never_opened() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    file(&scratch.join("file"));
    fs::write(scratch.join("small"), b"one block, and so known without opening it").unwrap();
    fs::write(scratch.join("block"), [1; 4096]).unwrap();
    kernel::make_node(&scratch.join("fifo"), libc::S_IFIFO, 0).unwrap();
    kernel::make_node(&scratch.join("null"), libc::S_IFCHR, libc::makedev(1, 3)).unwrap();
    kernel::make_node(&scratch.join("ram"), libc::S_IFBLK, libc::makedev(1, 0)).unwrap();
    let _socket = UnixListener::bind(scratch.join("socket")).unwrap();
    symlink("fifo", scratch.join("to_fifo")).unwrap();
    let opens = Opens::watch(&scratch).unwrap();
    for follow_links in [false, true] {
        let options = Options { follow_links, ..Options::default() };
        let seen = look(root(&*scratch), &options);
        assert_eq!((seen.names(&scratch).len(), seen.causes()), (3, vec![]));
        assert_eq!(seen.outcome.counts.special, 4 + u64::from(follow_links));
        let named: Vec<_> = ["fifo", "null", "ram", "socket"].map(|name| Root::path(scratch.join(name))).into();
        let seen = look(named, &options);
        assert!(seen.causes().iter().all(|(word, _)| *word == "not_a_file"), "{:?}", seen.causes());
        assert_eq!((seen.calls, seen.outcome.failures.named()), (0, 4));
    }
    let opened = opens.names().unwrap();
    assert!(opened.contains("file"), "the watch works: {opened:?}");
    let never = ["fifo", "null", "ram", "socket", "to_fifo"];
    assert!(never.iter().all(|name| !opened.contains(*name)), "{opened:?}");
}

/// A ranking by fragments has no use for opening a file of one block.
#[test]
fn a_file_of_one_block_is_not_opened_for_a_ranking() {
    use toolbox::fragment::{Key, Ranking, scan};
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    file(&scratch.join("two_blocks"));
    fs::write(scratch.join("one_block"), [1; 4096]).unwrap();
    fs::write(scratch.join("empty"), b"").unwrap();
    fs::File::open(scratch.join("one_block")).unwrap().sync_all().unwrap();
    let opens = Opens::watch(&scratch).unwrap();
    let outcome = scan(root(&*scratch), &Options::default(), || Ranking::new(Key::Fragments, 9), &mut |_| {});
    let files = outcome.collectors.into_iter().reduce(Ranking::merge).unwrap().totals.files;
    let opened = opens.names().unwrap();
    assert_eq!((files, opened.into_iter().collect::<Vec<_>>()), (3, vec!["two_blocks".to_owned()]));
}

#[test]
fn an_unreadable_directory_or_file_is_a_failure_of_its_own() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    file(&scratch.join("open"));
    file(&scratch.join("closed"));
    file(&scratch.join("sub/inside"));
    file(&scratch.join("locked/inside"));
    file(&scratch.join("listed/inside"));
    let mode = |name: &str, mode| fs::set_permissions(scratch.join(name), fs::Permissions::from_mode(mode)).unwrap();
    mode("closed", 0o600);
    mode("locked", 0o700);
    mode("listed", 0o744);
    let base = scratch.to_path_buf();
    let seen = as_nobody(move || crate::support::look_here(root(base), &Options::default()));
    assert_eq!(seen.names(&scratch), ["open", "sub/inside"], "{:?}", seen.outcome);
    assert_eq!(seen.causes(), [("permission_denied", 3)]);
    assert_eq!(seen.outcome.failures.serious(), 3);
    seen.assert_accounted();
    let base = scratch.to_path_buf();
    let named = ["closed", "locked", "locked/inside"].map(|name| Root::path(base.join(name)));
    let seen = as_nobody(move || crate::support::look_here(named, &Options::default()));
    assert_eq!((seen.causes(), seen.outcome.failures.named()), (vec![("permission_denied", 3)], 3));
}

/// Whether the workers' rankings add up to this many files, each of them once.
fn check_ranked(base: &Path, threads: usize, files: u64) {
    use toolbox::fragment::{Key, Ranking, scan};
    let options = Options { threads: Some(threads), ..Options::default() };
    let ranking = || Ranking::new(Key::Fragments, 5).by_directory(true);
    let outcome = scan(root(base), &options, ranking, &mut |_| {});
    let workers = outcome.collectors.iter().filter(|ranking| ranking.totals.files > 0).count();
    assert!(threads == 1 || workers > 1, "a large directory is work for several");
    let mut ranking = outcome.collectors.into_iter().reduce(Ranking::merge).unwrap();
    assert_eq!((ranking.totals.files, outcome.counts.files), (files, files), "{threads} threads");
    let directories = ranking.take_directories();
    assert_eq!((directories.len(), directories[0].1.files), (1, files));
}

#[test]
fn a_directory_of_a_hundred_thousand_files() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    const FILES: u64 = 100_000;
    (0..FILES).for_each(|i| kernel::make_node(&scratch.join(format!("{i}")), libc::S_IFREG, 0).unwrap());
    [1, 2, 8].iter().for_each(|&threads| check_ranked(&scratch, threads, FILES));
    // The volume goes away as a whole, which is quicker.
    std::mem::forget(scratch);
}

#[test]
fn a_path_longer_than_the_kernel_takes() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    let name = "n".repeat(255);
    let mut path = scratch.to_path_buf();
    let mut handle = fs::File::open(&path).unwrap();
    for level in 0..40 {
        use std::os::fd::AsRawFd;
        let here = PathBuf::from(format!("/proc/self/fd/{}", handle.as_raw_fd()));
        fs::write(here.join(format!("file{level}")), DATA).unwrap();
        fs::create_dir(here.join(&name)).unwrap();
        handle = fs::File::open(here.join(&name)).unwrap();
        path.push(&name);
    }
    assert!(path.as_os_str().len() > 2 * libc::PATH_MAX as usize);
    check_count(root(&*scratch), 40);
    // The deepest file, by its name, and the deepest directory.
    let deepest = path.parent().unwrap().join("file39");
    check_count(root(&deepest), 1);
    check_count(root(deepest.parent().unwrap()), 1);
    let report = toolbox::fragment::measure(&deepest, false).unwrap();
    assert_eq!((report.layout.fragments, report.path), (1, deepest));
    let missing = toolbox::fragment::measure(&path.join("missing"), false).unwrap_err();
    assert_eq!(missing.cause, Cause::Missing);
    let slashes = format!("{}{}", scratch.display(), "/".repeat(5000));
    check_count(root(slashes), 40);
}

fn check_count(roots: [Root; 1], files: usize) {
    let seen = look(roots, &Options::default());
    assert_eq!((seen.calls, seen.causes()), (files, vec![]));
}

#[test]
fn hostile_names_come_back_as_they_are() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    let names: [&[u8]; 9] = [
        b"new\nline",
        b"\x1b[31mred",
        "\u{202e}txt.exe".as_bytes(),
        b"\xff\xfe\x80",
        b" ",
        b"-n",
        b"*?[",
        b"\\",
        b"\r",
    ];
    names.iter().for_each(|name| file(&scratch.join(OsStr::from_bytes(name)).join(OsStr::from_bytes(name))));
    let seen = look(root(&*scratch), &Options::default());
    let mut expected: Vec<_> = names.map(OsStr::from_bytes).map(|name| scratch.join(name).join(name)).into();
    expected.sort();
    assert_eq!(seen.files.keys().cloned().collect::<Vec<_>>(), expected);
    let named = expected.iter().map(Root::path).collect::<Vec<_>>();
    assert_eq!(look(named, &Options::default()).calls, names.len());
}

#[test]
fn roots_of_every_kind() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    file(&scratch.join("a/file"));
    let none = Options::default();
    check(&scratch, &["a"], &none, &["a/file"], &[]);
    check(&scratch, &["a/file"], &none, &["a/file"], &[]);
    check(&scratch, &["a/file/"], &none, &[], &[("missing", 1)]);
    check(&scratch, &["a/file/below"], &none, &[], &[("missing", 1)]);
    check(&scratch, &["nothing", "a"], &none, &["a/file"], &[("missing", 1)]);
    check(&scratch, &[], &none, &[], &[]);
    for path in ["", "\0", "x\0y"] {
        assert!(toolbox::fragment::measure(path.as_ref(), false).is_err(), "{path:?}");
        assert_eq!(look(root(path), &none).outcome.failures.named(), 1, "{path:?}");
    }
}

#[test]
fn overlapping_roots_count_once_when_told_so() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    file(&scratch.join("a/b/file"));
    file(&scratch.join("a/other"));
    let roots = || ["a", "a/b", "a", "a/b/file"].map(|name| Root::path(scratch.join(name)));
    let once = look(roots(), &Options { overlapping: true, ..Options::default() });
    assert_eq!((once.calls, once.outcome.counts.files, once.outcome.counts.repeated), (2, 6, 4));
    assert_eq!(look(roots(), &Options::default()).calls, 6);
}

#[test]
fn what_is_excluded_is_not_entered() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    ["keep/file", "skip/file", "keep/file.log", "keep/skip/file"].iter().for_each(|name| file(&scratch.join(name)));
    let exclude = |_: &[u8], name: &[u8]| name == b"skip" || name.ends_with(b".log");
    let options = Options { exclude: Some(Arc::new(exclude)), ..Options::default() };
    check(&scratch, &["."], &options, &["keep/file"], &[]);
    assert_eq!(look(root(&*scratch), &options).outcome.counts.directories, 2);
}

#[test]
fn small_files_are_left_out_when_told_so() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    [0, 100, 8191, 8192, 8193]
        .iter()
        .for_each(|&size| fs::write(scratch.join(format!("{size}")), vec![1; size]).unwrap());
    let options = Options { min_size_bytes: 8192, ..Options::default() };
    check(&scratch, &["."], &options, &["8192", "8193"], &[]);
    assert_eq!(look(root(&*scratch), &options).outcome.counts.small, 3);
}

/// Walks `components`, one per level, without ever listing a directory.
struct Spelled(Vec<&'static [u8]>);

impl Matcher for Spelled {
    fn file(&self, state: State, _: &[u8], name: &[u8]) -> bool {
        state as usize + 1 == self.0.len() && self.0[state as usize] == name
    }

    fn directory(&self, state: State, _: &[u8], name: &[u8]) -> Option<State> {
        (state as usize + 1 < self.0.len() && self.0[state as usize] == name).then_some(state + 1)
    }

    fn only(&self, state: State) -> Option<&[u8]> {
        self.0.get(state as usize).copied()
    }
}

#[test]
fn a_name_that_is_spelled_out_needs_no_right_to_list() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    file(&scratch.join("a/b/file"));
    file(&scratch.join("a/b/other"));
    symlink("a", scratch.join("link")).unwrap();
    symlink("file", scratch.join("a/b/to_file")).unwrap();
    fs::set_permissions(scratch.join("a"), fs::Permissions::from_mode(0o711)).unwrap();
    let base = scratch.to_path_buf();
    let spelled = move |names: &[&'static [u8]]| {
        let root = Root::matching(&base, Arc::new(Spelled(names.to_vec())), 0);
        let seen = as_nobody(move || crate::support::look_here([root], &Options::default()));
        (seen.calls, seen.causes())
    };
    assert_eq!(spelled(&[b"a", b"b", b"file"]), (1, vec![]));
    assert_eq!(spelled(&[b"link", b"b", b"file"]), (1, vec![]), "a link on the way is followed");
    assert_eq!(spelled(&[b"a", b"b", b"to_file"]), (0, vec![]), "a link at the end is not");
    assert_eq!(spelled(&[b"a", b"missing", b"file"]), (0, vec![]));
    assert_eq!(spelled(&[b"a", b"b", b"file", b"below"]), (0, vec![]));
}

#[test]
fn a_file_of_a_hundred_thousand_extents() {
    use crate::support::recipe::{BLOCK, punch_every_second};
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    const EXTENTS: u64 = 100_000;
    let path = scratch.join("file");
    let file = fs::File::create(&path).unwrap();
    kernel::fallocate(&file, 0, 0, 2 * EXTENTS * BLOCK).unwrap();
    punch_every_second(&file, 2 * EXTENTS).unwrap();
    let started = Instant::now();
    let seen = look(root(&*scratch), &Options::default());
    let elapsed = started.elapsed();
    let layout = seen.files[&path].layout;
    assert_eq!(layout.extents, EXTENTS);
    assert_eq!(Some(vec![layout.fragments]), filefrag(&[path]));
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}

#[test]
fn the_volumes_are_named() {
    for format in Format::ALL {
        let Some(image) = image(format) else { continue };
        let scratch = Scratch::under(&image.point);
        file(&scratch.join("file"));
        let seen = look(root(&*scratch), &Options::default());
        assert_eq!(seen.outcome.volumes.len(), 1);
        assert_eq!(seen.outcome.volumes[0].name, image.format.name());
    }
}
