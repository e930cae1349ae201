//! What goes wrong around a scan: it is stopped, its sources block, the system has nothing to give, the tree changes
//! under it, or the caller's own functions fail.

use crate::support::{DATA, Format, Random, Scratch, file, in_own_process, kernel, look, look_here, within};
use std::fs;
use std::os::unix::fs::symlink;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use toolbox::fragment::{Each, Found, Matcher, Options, Root, State, scan, scan_each};

/// Sets the flag after a while, on a thread of its own.
fn stop_after(time: Duration) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let later = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(time);
        later.store(true, Relaxed);
    });
    stop
}

#[test]
fn a_stop_in_the_middle_keeps_what_was_found() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    (0..500).for_each(|i| file(&scratch.join(format!("d{}/file{i}", i % 10))));
    let found = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&found);
    let options = Options { stop: stop_after(Duration::from_millis(200)), ..Options::default() };
    let started = Instant::now();
    let outcome = scan_each([Root::path(&*scratch)], &options, move |_| {
        std::thread::sleep(Duration::from_millis(10));
        counter.fetch_add(1, Relaxed);
    });
    let found = found.load(Relaxed);
    assert!(outcome.stopped && (1..500).contains(&found), "{found}");
    assert_eq!(outcome.counts.files, found as u64);
    assert!(outcome.failures.is_empty());
    assert!(started.elapsed() < Duration::from_millis(800), "{:?}", started.elapsed());
}

#[test]
fn an_endless_source_of_roots_is_stopped() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    file(&scratch.join("file"));
    for threads in [1, 4] {
        let stop = stop_after(Duration::from_millis(200));
        let options = Options { stop, threads: Some(threads), ..Options::default() };
        let path = scratch.join("file");
        let seen = look(std::iter::repeat_with(move || Root::path(&path)), &options);
        assert!(seen.outcome.stopped && seen.calls > 100, "{} calls", seen.calls);
        assert!(seen.outcome.elapsed < Duration::from_millis(900), "{:?}", seen.outcome.elapsed);
    }
}

/// Whatever the source has given is looked at while it makes up its mind about the next, however few work; and a stop
/// does not wait for it.
#[test]
fn a_source_of_roots_may_block() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    (0..3).for_each(|i| file(&scratch.join(format!("file{i}"))));
    for threads in [1, 4] {
        let stop = Arc::new(AtomicBool::new(false));
        let options = Options { stop: Arc::clone(&stop), threads: Some(threads), ..Options::default() };
        let (roots, source) = mpsc::channel();
        let (seen, sightings) = mpsc::channel();
        let watcher = std::thread::spawn(move || {
            let outcome = scan_each(source, &options, move |found| seen.send(found.path()).unwrap());
            (outcome.stopped, outcome.counts.files)
        });
        for i in 0..3 {
            let path = scratch.join(format!("file{i}"));
            roots.send(Root::path(&path)).unwrap();
            assert_eq!(sightings.recv_timeout(Duration::from_secs(10)), Ok(path), "{threads} threads");
        }
        stop.store(true, Relaxed);
        let ended = within(Duration::from_secs(1), || watcher.join().unwrap());
        assert_eq!(ended, (true, 3));
        drop(roots);
    }
}

#[test]
fn many_roots_are_all_looked_at() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    (0..50).for_each(|i| file(&scratch.join(format!("file{i}"))));
    for threads in [1, 4] {
        let base = scratch.to_path_buf();
        let roots = (0..5000).map(move |i| Root::path(base.join(format!("file{}", i % 50))));
        let seen = look(roots, &Options { threads: Some(threads), ..Options::default() });
        assert_eq!((seen.calls, seen.files.len(), seen.outcome.stopped), (5000, 50, false));
    }
}

/// Panics where it is told to.
struct Fails(&'static str);

impl Matcher for Fails {
    fn file(&self, _: State, _: &[u8], _: &[u8]) -> bool {
        assert!(self.0 != "matcher", "matcher");
        true
    }

    fn directory(&self, _: State, _: &[u8], _: &[u8]) -> Option<State> {
        Some(0)
    }
}

/// A panic of the caller's function comes back to the caller, and nothing waits for ever.
#[test]
fn panics_of_the_callers_functions_come_back() {
    let scratch = Scratch::temporary();
    (0..200).for_each(|i| file(&scratch.join(format!("d{}/file{i}", i % 20))));
    for who in ["collector", "matcher", "exclude", "roots", "tick"] {
        let base = scratch.to_path_buf();
        let payload = within(Duration::from_secs(10), move || {
            let exclude = move |_: &[u8], _: &[u8]| {
                assert!(who != "exclude", "exclude");
                false
            };
            let options = Options { exclude: Some(Arc::new(exclude)), ..Options::default() };
            let root = Root::matching(&base, Arc::new(Fails(who)), 0);
            let roots = std::iter::once(root).inspect(move |_| assert!(who != "roots", "roots"));
            let collector = || Each(move |_: &Found<'_>| assert!(who != "collector", "collector"));
            let mut tick = |_: &toolbox::fragment::Tick<'_>| assert!(who != "tick", "tick");
            catch_unwind(AssertUnwindSafe(|| scan(roots, &options, collector, &mut tick))).map(drop).unwrap_err()
        });
        let said = payload.downcast_ref::<&str>().copied().unwrap_or_default();
        assert_eq!(said, who);
    }
}

#[test]
fn without_a_thread_to_be_had_the_caller_does_the_work() {
    in_own_process("trouble::without_a_thread_to_be_had_the_caller_does_the_work", || {
        let Some(scratch) = Scratch::on(Format::Ext4) else { return };
        (0..300).for_each(|i| file(&scratch.join(format!("d{}/file{i}", i % 30))));
        let base = scratch.to_path_buf();
        let seen = within(Duration::from_secs(30), move || {
            kernel::become_user(65534).unwrap();
            kernel::set_limit(libc::RLIMIT_NPROC, 0).unwrap();
            let none = std::thread::Builder::new().spawn(|| {});
            assert!(none.is_err(), "the limit holds");
            let few = look_here([Root::path(&base)], &Options::default());
            let roots: Vec<_> =
                (0..3000).map(|i| Root::path(base.join(format!("d{}/file{}", i % 30, i % 300)))).collect();
            (few, look_here(roots, &Options::default()))
        });
        assert_eq!((seen.0.calls, seen.0.causes()), (300, vec![]));
        assert_eq!((seen.1.calls, seen.1.files.len()), (3000, 300));
    });
}

#[test]
fn with_few_descriptors_every_file_is_found_or_its_directory_named() {
    in_own_process("trouble::with_few_descriptors_every_file_is_found_or_its_directory_named", || {
        let Some(scratch) = Scratch::on(Format::Ext4) else { return };
        let deep: std::path::PathBuf = (0..40).map(|_| "deep").collect();
        (0..200).for_each(|i| file(&scratch.join(format!("wide{i}/file"))));
        deep.ancestors().take(40).for_each(|path| file(&scratch.join(path).join("file")));
        kernel::set_limit(libc::RLIMIT_NOFILE, 16).unwrap();
        for threads in [1, 2, 16] {
            let options = Options { threads: Some(threads), keep_failures: 1000, ..Options::default() };
            let seen = look([Root::path(&*scratch)], &options);
            assert!(seen.causes().iter().all(|(word, _)| *word == "kernel_error"), "{:?}", seen.causes());
            let failed: Vec<_> = seen.outcome.failures.iter().flat_map(|(_, tally)| &tally.examples).collect();
            let covered = |path: &Path| failed.iter().any(|failed| path.starts_with(failed));
            let all = (0..200).map(|i| scratch.join(format!("wide{i}/file")));
            let all = all.chain(deep.ancestors().take(40).map(|path| scratch.join(path).join("file")));
            all.for_each(|path| assert!(seen.files.contains_key(&path) || covered(&path), "{}", path.display()));
            assert!(threads > 2 || failed.is_empty(), "one or two workers do with few: {failed:?}");
        }
    });
}

/// Creates, grows, cuts, renames, links and removes, until told to stop.
fn churn(directory: &Path, stop: &AtomicBool) {
    let mut random = Random(7);
    while !stop.load(Relaxed) {
        let path = directory.join(format!("d{}", random.below(4))).join(format!("f{}", random.below(40)));
        let other = directory.join(format!("d{}", random.below(4))).join(format!("f{}", random.below(40)));
        // Most of these fail now and then, which is the point.
        let _ = match random.below(9) {
            0 => fs::create_dir_all(path.parent().unwrap()),
            1 | 2 => fs::write(&path, vec![1; random.below(200_000) as usize]),
            3 => fs::remove_file(&path),
            4 => fs::rename(&path, &other),
            5 => fs::File::options().write(true).open(&path).and_then(|file| file.set_len(random.below(100_000))),
            6 => symlink(&other, &path),
            7 => fs::hard_link(&path, &other),
            _ => fs::remove_dir_all(path.parent().unwrap()),
        };
    }
}

#[test]
fn a_tree_that_changes_under_the_scan() {
    for format in [Format::Ext4, Format::Xfs, Format::Btrfs] {
        let Some(scratch) = Scratch::on(format) else { continue };
        let stop = Arc::new(AtomicBool::new(false));
        let churning: Vec<_> = (0..2)
            .map(|_| {
                let (directory, stop) = (scratch.to_path_buf(), Arc::clone(&stop));
                std::thread::spawn(move || churn(&directory, &stop))
            })
            .collect();
        let started = Instant::now();
        let mut scans = 0;
        while started.elapsed() < Duration::from_millis(700) {
            for follow_links in [false, true] {
                let options = Options { follow_links, threads: Some(3), ..Options::default() };
                let seen = look([Root::path(&*scratch)], &options);
                seen.assert_accounted();
                let fine = ["vanished", "symlink_loop"];
                assert!(seen.causes().iter().all(|(word, _)| fine.contains(word)), "{:?}", seen.outcome.failures);
                scans += 1;
            }
        }
        stop.store(true, Relaxed);
        churning.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(scans > 2);
    }
}

/// Each call to the kernel is answered from a file that has changed since the last.
#[test]
fn a_file_whose_extents_change_while_they_are_read() {
    use std::os::unix::fs::FileExt;
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    let path = scratch.join("file");
    let file = fs::File::create(&path).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let until = Arc::clone(&stop);
    let writer = std::thread::spawn(move || {
        let mut random = Random(3);
        while !until.load(Relaxed) {
            match random.below(50) {
                0 => file.set_len(random.below(1 << 24)).unwrap(),
                _ => file.write_all_at(&[1; 4096], random.below(4096) * 8192).unwrap(),
            }
        }
    });
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(700) {
        let (report, extents) = toolbox::fragment::extents(&path, false).unwrap();
        assert!(extents.windows(2).all(|pair| pair[0].logical + pair[0].length <= pair[1].logical));
        assert!(report.layout.fragments <= report.layout.extents);
    }
    stop.store(true, Relaxed);
    writer.join().unwrap();
}

/// Loops are looked for by going up from every directory, and what is above is let go of again, both as deep as it
/// takes.
#[test]
fn a_very_deep_tree_with_links_followed() {
    use std::os::fd::AsRawFd;
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    const DEPTH: usize = 3000;
    let mut handle = fs::File::open(&*scratch).unwrap();
    for _ in 0..DEPTH {
        let below = format!("/proc/self/fd/{}/d", handle.as_raw_fd());
        fs::create_dir(&below).unwrap();
        handle = fs::File::open(&below).unwrap();
    }
    fs::write(format!("/proc/self/fd/{}/file", handle.as_raw_fd()), DATA).unwrap();
    let options = Options { follow_links: true, ..Options::default() };
    let seen = look([Root::path(&*scratch)], &options);
    assert_eq!((seen.calls, seen.causes(), seen.outcome.counts.directories), (1, vec![], DEPTH as u64 + 1));
}
