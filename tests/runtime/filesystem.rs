//! Whole file systems, on small images of every kind that is understood: what the scan says of each file is compared
//! with what `filefrag` says of it, and with what the walk does.
//!
//! Mounting takes root, and making the images takes `mkfs`. Where either is missing these tests say so and pass; with
//! `CI` set in the environment they fail instead.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use toolbox::fragment::filesystem::{Method, Refusal, Report, Request, Unmapped, scan};
use toolbox::fragment::{Cause, Flags, Key, extents, measure};

/// An image, mounted; unmounted and removed in the end.
struct Bed {
    folder: PathBuf,
    mount: PathBuf,
    /// What else was mounted, in that order.
    more: Vec<PathBuf>,
}

impl Bed {
    /// Makes an image with `make` (the command line of a `mkfs`) and mounts it with `options`. `None` where that cannot
    /// be done here.
    fn new(size_mib: u64, make: &str, options: &str) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("toolbox-filesystem-{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
        let folder = std::env::temp_dir().join(name);
        let bed = Self { mount: folder.join("mount"), folder, more: Vec::new() };
        fs::create_dir_all(&bed.mount).expect("the folder for temporary files can be written to");
        File::create(bed.image()).and_then(|image| image.set_len(size_mib << 20)).expect("a sparse file takes no room");
        match run(make, &[&bed.image()]).and_then(|_| bed.mount_image(options)) {
            Ok(_) => Some(bed),
            Err(why) if std::env::var_os("CI").is_some() => panic!("{make}: {why}"),
            Err(why) => {
                eprintln!("SKIPPED: {make}: {why} (takes root, loop devices and the tools of the file system)");
                None
            }
        }
    }

    fn image(&self) -> PathBuf {
        self.folder.join("image")
    }

    fn mount_image(&self, options: &str) -> Result<String, String> {
        run(&format!("mount -o {options}"), &[&self.image(), &self.mount])
    }

    /// Mounts something else at `to`.
    fn mount_more(&mut self, line: &str, paths: &[&Path], to: &Path) {
        fs::create_dir_all(to).unwrap();
        run(line, &[paths, &[to]].concat()).unwrap();
        self.more.push(to.to_owned());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.mount.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> File {
        let mut file = File::create(self.path(name)).unwrap();
        file.write_all(bytes).unwrap();
        file
    }
}

impl Bed {
    /// Takes the volume down. It may be busy for a moment: a process that another test is just starting has all
    /// descriptors until it runs its program.
    fn unmount(&self) {
        let started = std::time::Instant::now();
        while let Err(why) = run("umount", &[&self.mount]) {
            assert!(started.elapsed() < std::time::Duration::from_secs(10), "{why}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for mount in self.more.iter().rev().chain([&self.mount]) {
            // Not mounted where the test was skipped, and then there is nothing to undo.
            let _ = run("umount", &[mount]);
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Runs a command line with these paths behind it, and gives what it printed.
fn run(line: &str, paths: &[&Path]) -> Result<String, String> {
    let mut words = line.split(' ').map(OsStr::new).chain(paths.iter().map(|path| path.as_os_str()));
    let program = words.next().expect("a command has a name");
    let output = Command::new(program).args(words).output().map_err(|error| format!("{line}: {error}"))?;
    let printed = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(printed(&output.stdout)) } else { Err(printed(&output.stderr).trim().to_owned()) }
}

const BLOCK: usize = 4096;

/// Bytes that no file system can store in less room.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(step).collect()
}

/// Files of every shape.
fn fill(bed: &Bed) {
    let bytes = noise(1 << 20);
    bed.write("empty", b"");
    bed.write("twenty bytes", &bytes[..20]);
    bed.write("shortened to nothing", &bytes[..20]).set_len(0).unwrap();
    bed.write("one block", &bytes[..BLOCK]);
    bed.write("contiguous", &bytes);
    fs::hard_link(bed.path("contiguous"), bed.path("contiguous, by another name")).unwrap();
    std::os::unix::fs::symlink("contiguous", bed.path("symbolic link")).unwrap();
    run("mkfifo", &[&bed.path("fifo")]).unwrap();
    let islands = bed.write("islands", b"");
    (0..1500).for_each(|i| islands.write_all_at(&bytes[..BLOCK], i * 2 * BLOCK as u64).unwrap());
    let far = bed.write("far out", b"");
    [0, 1 << 24, 1 << 32].iter().for_each(|&at| far.write_all_at(&bytes[..2 * BLOCK], at).unwrap());
    let backwards = bed.write("backwards", b"");
    for i in (0..8).rev() {
        backwards.write_all_at(&bytes[..BLOCK], i * BLOCK as u64).unwrap();
        backwards.sync_data().unwrap();
    }
    let pair = ["one of two", "two of two"].map(|name| bed.write(name, b""));
    for i in 0..12 {
        for file in &pair {
            file.write_all_at(&bytes[..4 * BLOCK], i * 4 * BLOCK as u64).unwrap();
            file.sync_data().unwrap();
        }
    }
    let odd = bed.path("by\u{1b}[31m\nname").into_os_string().into_string().unwrap();
    fs::write(odd, &bytes[..3 * BLOCK]).unwrap();
    fs::create_dir_all(bed.path("a/b/c")).unwrap();
    for i in 0..200 {
        fs::write(bed.path(&format!("a/b/c/{i:0>40}")), &bytes[..i * 100]).unwrap();
    }
    let open_and_gone = bed.write("removed", &bytes);
    fs::remove_file(bed.path("removed")).unwrap();
    run("sync -f", &[&bed.mount]).unwrap();
    drop(open_and_gone);
}

/// What only newer file systems can do.
fn preallocate(bed: &Bed) {
    let bytes = noise(8 * BLOCK);
    for (name, line) in [
        ("preallocated", "fallocate -l 3MiB"),
        ("preallocated beyond its end", "fallocate -n -l 1MiB"),
        ("preallocated and written", "fallocate -l 1MiB"),
    ] {
        bed.write(name, b"");
        run(line, &[&bed.path(name)]).unwrap();
    }
    let file = File::options().write(true).open(bed.path("preallocated and written")).unwrap();
    (1..8).for_each(|i| file.write_all_at(&bytes[..BLOCK], i * 16 * BLOCK as u64).unwrap());
    let punched = noise(64 * BLOCK);
    bed.write("punched", &punched).sync_all().unwrap();
    for i in [3, 9, 27] {
        run(&format!("fallocate -p -o {} -l {BLOCK}", i * BLOCK), &[&bed.path("punched")]).unwrap();
    }
    run("sync -f", &[&bed.mount]).unwrap();
}

fn all() -> Request {
    Request { keep: usize::MAX, complete: true, threads: Some(2), ..Request::default() }
}

fn scanned(bed: &Bed, request: &Request) -> Report {
    let report = scan(&bed.mount, request, &mut |_| {}).unwrap_or_else(|refusal| panic!("{refusal}"));
    let failures: Vec<_> = report.failures.iter().collect();
    assert!(failures.is_empty(), "{failures:?}");
    report
}

/// Every regular file below, by its inode.
fn files_below(directory: &Path, found: &mut BTreeMap<u64, PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => files_below(&entry.path(), found),
            kind if kind.is_file() => {
                found.insert(entry.metadata().unwrap().ino(), entry.path());
            }
            _ => {}
        }
    }
}

fn filefrag(path: &Path) -> u64 {
    let printed = run("filefrag", &[path]).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let words = printed.rsplit(": ").next().unwrap_or_default();
    words.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or_else(|| panic!("{printed}"))
}

/// Compares the scan of a whole file system with `filefrag` and with the walk, file by file.
fn check(bed: &Bed, method: fn(&Method) -> bool) -> Report {
    let report = scanned(bed, &all());
    assert!(method(&report.method), "{}", report.method);
    let mut expected = BTreeMap::new();
    files_below(&bed.mount, &mut expected);
    let inodes: Vec<_> = expected.keys().copied().collect();
    let mut listed: Vec<_> = report.files.iter().map(|file| file.inode).collect();
    listed.sort_unstable();
    assert_eq!(listed, inodes, "every file once, and nothing else");
    for file in &report.files {
        let path = file.path.as_deref().unwrap_or_else(|| panic!("inode {} has no name", file.inode));
        let metadata = fs::symlink_metadata(path).unwrap();
        let told = (metadata.ino(), metadata.len(), metadata.blocks() * 512, metadata.nlink());
        let found = (file.inode, file.size_bytes, file.allocated_bytes, u64::from(file.links));
        assert_eq!(found, told, "{}", path.display());
        let walked = measure(path, false).unwrap();
        let count =
            |layout: &toolbox::fragment::Layout| (layout.fragments, layout.ideal, layout.exact, layout.excess_ns);
        assert_eq!(count(&file.layout), count(&walked.layout), "{} walked", path.display());
        if !file.layout.flags.is_some_and(|flags| flags.any(Flags::ENCODED)) {
            assert_eq!(file.layout.fragments, filefrag(path), "{} by filefrag", path.display());
        }
    }
    assert_eq!((report.totals.files, report.unmapped), (inodes.len() as u64, Unmapped::default()));
    assert_eq!(report.totals.fragments, report.files.iter().map(|file| file.layout.fragments).sum::<u64>());
    assert_eq!(report.histogram.iter().sum::<u64>(), report.totals.files);
    report
}

fn check_ext(size_mib: u64, make: &str, more: fn(&Bed)) {
    let Some(bed) = Bed::new(size_mib, make, "loop") else { return };
    fill(&bed);
    more(&bed);
    let report = check(&bed, |method| matches!(method, Method::InodeTables(_)));
    let worst = report.files[0].path.as_ref().unwrap();
    assert!(report.files[0].layout.fragments > 3, "{}", worst.display());
}

#[test]
fn ext2() {
    check_ext(64, "mkfs.ext2 -q -b 1024 -I 128", |_| {});
}

#[test]
fn ext3() {
    check_ext(64, "mkfs.ext3 -q -b 4096", |_| {});
}

#[test]
fn ext4() {
    check_ext(64, "mkfs.ext4 -q -b 4096 -O inline_data", preallocate);
}

#[test]
fn ext4_with_deep_trees() {
    check_ext(64, "mkfs.ext4 -q -b 1024 -O ea_inode", preallocate);
}

#[test]
fn ext4_with_descriptors_in_their_groups() {
    check_ext(200, "mkfs.ext4 -q -b 1024 -O meta_bg,^resize_inode", preallocate);
}

#[test]
fn ext4_with_clusters() {
    check_ext(128, "mkfs.ext4 -q -b 4096 -C 16384 -O bigalloc", preallocate);
}

#[test]
fn xfs() {
    let Some(bed) = Bed::new(512, "mkfs.xfs -q -f", "loop") else { return };
    fill(&bed);
    preallocate(&bed);
    let complete = check(&bed, |method| *method == Method::Bulkstat);
    // What can be left out for a short list does not change it.
    let short = Request { keep: 3, limit: Some(10), threads: Some(2), ..Request::default() };
    let brief = scanned(&bed, &short);
    let ranks = |report: &Report| report.files.iter().take(3).map(|f| f.layout.fragments).collect::<Vec<_>>();
    assert_eq!(ranks(&brief), ranks(&complete));
    let over = complete.files.iter().filter(|file| file.layout.fragments > 10).count() as u64;
    assert_eq!((brief.over_limit, brief.totals.files), (over, complete.totals.files));
    let known = brief.totals.fragments;
    let all = complete.totals.fragments;
    assert!((known + brief.unmapped.files..=known + brief.unmapped.extents).contains(&all), "{brief:?}");
}

#[test]
fn btrfs() {
    let Some(bed) = Bed::new(300, "mkfs.btrfs -q", "loop") else { return };
    fill(&bed);
    preallocate(&bed);
    run("btrfs -q subvolume create", &[&bed.path("inside")]).unwrap();
    run("sync -f", &[&bed.mount]).unwrap();
    let report = scanned(&bed, &all());
    assert_eq!(report.subvolumes, 1);
    fs::remove_dir(bed.path("inside")).unwrap();
    run("sync -f", &[&bed.mount]).unwrap();
    check(&bed, |method| *method == Method::TreeSearch);
}

#[test]
fn btrfs_compressed() {
    let Some(bed) = Bed::new(300, "mkfs.btrfs -q", "loop,compress-force=zstd") else { return };
    let text: Vec<u8> = (0..200_000).flat_map(|i: u32| format!("{i:08} lines of text\n").into_bytes()).collect();
    let file = bed.write("text", &text);
    file.sync_all().unwrap();
    fs::copy(bed.path("text"), bed.path("copy")).unwrap();
    for i in 0..8 {
        file.write_all_at(&text[..BLOCK], i * 100 * BLOCK as u64).unwrap();
        file.sync_all().unwrap();
    }
    run("sync -f", &[&bed.mount]).unwrap();
    check(&bed, |method| *method == Method::TreeSearch);
    let (report, pieces) = extents(&bed.path("text"), false).unwrap();
    assert!(report.layout.exact && report.layout.fragments < filefrag(&bed.path("text")));
    assert!(report.layout.fragments > 8, "{:?}", report.layout);
    let sums = pieces.iter().fold((0, 0), |sums, piece| (sums.0 + piece.length, sums.1 + piece.disk_length));
    assert!(sums.0 >= text.len() as u64 && sums.1 < sums.0 / 2, "{sums:?}");
    assert_eq!(pieces.len() as u64, report.layout.extents);
}

#[test]
fn files_that_cannot_be_seen_have_no_path() {
    let Some(mut bed) = Bed::new(64, "mkfs.ext4 -q", "loop") else { return };
    fill(&bed);
    fs::create_dir(bed.path("covered")).unwrap();
    fs::write(bed.path("covered/below"), noise(BLOCK)).unwrap();
    let below = fs::metadata(bed.path("covered/below")).unwrap().ino();
    run("sync -f", &[&bed.mount]).unwrap();
    let (part, covered) = (bed.folder.join("part"), bed.path("covered"));
    bed.mount_more("mount --bind", &[&bed.path("a")], &part);
    bed.mount_more("mount -t tmpfs none", &[], &covered);
    let nameless =
        |report: &Report| report.files.iter().filter(|f| f.path.is_none()).map(|f| f.inode).collect::<Vec<_>>();
    assert_eq!(nameless(&scanned(&bed, &all())), [below]);
    let through = scan(&part, &all(), &mut |_| {}).unwrap();
    assert_eq!(through.files.len() - nameless(&through).len(), 200);
    let named = through.files.iter().filter_map(|file| file.path.as_ref());
    assert!(named.clone().all(|path| path.starts_with(&part)), "{:?}", named.collect::<Vec<_>>());
}

#[test]
fn a_damaged_file_costs_itself_and_nothing_else() {
    let Some(bed) = Bed::new(64, "mkfs.ext4 -q -b 1024", "loop") else { return };
    fill(&bed);
    let before = scanned(&bed, &all());
    bed.unmount();
    // The magic number of one root, and the place of an extent in another.
    for (name, field) in [("contiguous", "block[0] 0"), ("islands", "block[4] 4294967295")] {
        let line = format!("set_inode_field {name} {field}");
        let done = Command::new("debugfs").args(["-w", "-R", &line]).arg(bed.image()).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
    bed.mount_image("loop,ro").unwrap();
    let after = scan(&bed.mount, &all(), &mut |_| {}).unwrap();
    let damaged: Vec<_> = after.failures.iter().map(|(cause, tally)| (cause.word(), tally.count)).collect();
    assert_eq!(damaged, [("damaged", 1), ("damaged", 1)], "{:?}", after.failures);
    assert_eq!(after.totals.files, before.totals.files - 2);
}

#[test]
fn a_file_system_that_is_damaged_throughout_is_still_read_to_its_end() {
    let Some(bed) = Bed::new(64, "mkfs.ext4 -q -b 1024 -O ^metadata_csum", "loop") else { return };
    fill(&bed);
    bed.unmount();
    // Every block of the image that looks like part of an extent tree is made to point to itself.
    let mut image = fs::read(bed.image()).unwrap();
    for (number, block) in image.chunks_exact_mut(1024).enumerate() {
        if block.starts_with(&[0x0A, 0xF3]) {
            block[6] = 1;
            block[16..20].copy_from_slice(&(number as u32).to_le_bytes());
        }
    }
    fs::write(bed.image(), image).unwrap();
    bed.mount_image("loop,ro").unwrap();
    let report = scan(&bed.mount, &all(), &mut |_| {}).unwrap();
    let damaged = report.failures.iter().map(|(_, tally)| tally.count).sum::<u64>();
    assert!(damaged >= 1 && report.failures.iter().all(|(cause, _)| matches!(cause, Cause::Damaged(_))));
}

#[test]
fn filters_and_interrupts() {
    let Some(bed) = Bed::new(64, "mkfs.ext4 -q", "loop") else { return };
    fill(&bed);
    let large = scanned(&bed, &Request { min_size_bytes: 1 << 20, ..all() });
    assert!(large.files.iter().all(|file| file.size_bytes >= 1 << 20) && large.small > 200);
    let torn = scanned(&bed, &Request { min_fragments: 5, ..all() });
    assert!(!torn.files.is_empty() && torn.files.iter().all(|file| file.layout.fragments >= 5));
    assert!(torn.totals.files > 200);
    let by_size = scanned(&bed, &Request { key: Key::Size, keep: 1, with_flags: true, ..all() });
    assert_eq!(by_size.files[0].path.as_deref(), Some(&*bed.path("far out")));
    let stopped = all();
    stopped.stop.store(true, Relaxed);
    let report = scanned(&bed, &stopped);
    assert!(report.stopped && report.totals.files == 0);
}

#[test]
fn what_cannot_be_read_as_a_whole_is_refused() {
    let refusal = |path: &Path, request: &Request| scan(path, request, &mut |_| {}).err();
    let nowhere = Path::new("/nonexistent");
    assert_eq!(refusal(nowhere, &all()), Some(Refusal::Unreachable(nowhere.into(), Cause::Missing)));
    assert_eq!(refusal(Path::new("/proc"), &all()), Some(Refusal::FileSystem("proc".into())));
    let folder = std::env::temp_dir().join(format!("toolbox-no-mount-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    assert_eq!(refusal(&folder, &all()), Some(Refusal::NotAMount(folder.clone())));
    fs::remove_dir(&folder).unwrap();
    let by_path = Request { key: Key::Path, ..all() };
    assert_eq!(refusal(Path::new("/"), &by_path), Some(Refusal::ByPath));
}
