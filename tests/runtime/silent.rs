//! Files that do not answer: named, counted, and never the end of the others.

use crate::support::fuse::{Fuse, Manner};
use crate::support::{Format, Scratch, Seen, file, in_own_process, kernel, look, look_here, skip, within};
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use toolbox::fragment::{Cause, Each, Options, Root, scan};

fn patient(timeout: Duration) -> Options {
    Options { timeout, threads: Some(2), ..Options::default() }
}

/// Scans and expects it to be over in little more than `most` times the limit.
fn timed(roots: Vec<Root>, options: &Options, most: u32) -> Seen {
    let started = Instant::now();
    let seen = look(roots, options);
    let elapsed = started.elapsed();
    assert!(elapsed < options.timeout * most + Duration::from_secs(2), "{elapsed:?} {:?}", seen.outcome);
    seen.assert_accounted();
    seen
}

/// A tree with a file beside a mount that does not answer.
fn with_mount(manner: Manner) -> Option<(Scratch, Fuse)> {
    let scratch = Scratch::on(Format::Ext4)?;
    file(&scratch.join("tree/before"));
    file(&scratch.join("tree/sub/beside"));
    fs::create_dir(scratch.join("tree/mount")).unwrap();
    let fuse = Fuse::mount(&scratch.join("tree/mount"), manner)?;
    Some((scratch, fuse))
}

#[test]
fn a_remote_mount_is_told_by_its_type_and_left_alone() {
    for manner in Manner::ALL {
        let Some((scratch, _fuse)) = with_mount(manner) else { return };
        let check = |name: &str, expected: Cause, named: u64, files: usize| {
            let seen = timed(vec![Root::path(scratch.join(name))], &patient(Duration::from_secs(30)), 0);
            let found: Vec<_> =
                seen.outcome.failures.iter().map(|(cause, tally)| (cause.clone(), tally.count)).collect();
            assert_eq!((found, seen.calls), (vec![(expected, 1)], files), "{name} {manner:?}");
            assert_eq!((seen.outcome.failures.named(), seen.outcome.failures.serious()), (named, 0), "{name}");
        };
        check("tree/mount/file", Cause::Unsupported("fuse".into()), 1, 0);
        check("tree/mount", Cause::Unsupported("fuse".into()), 1, 0);
        check("tree/sub/../mount/file", Cause::Unsupported("fuse".into()), 1, 0);
        check("tree", Cause::NotEntered("fuse".into()), 0, 2);
        check("tree/", Cause::NotEntered("fuse".into()), 0, 2);
        let path = scratch.join("tree/mount/file");
        let asked = path.clone();
        let measured = within(Duration::from_secs(10), move || toolbox::fragment::measure(&asked, false));
        let failure = measured.unwrap_err();
        assert_eq!((failure.cause, failure.path), (Cause::Unsupported("fuse".into()), path));
    }
}

/// By way of a symbolic link the path does not show where it leads, and the first call never returns.
#[test]
fn a_mount_behind_a_link_costs_the_time_limit() {
    for manner in [Manner::Absent, Manner::Mute] {
        let Some((scratch, _fuse)) = with_mount(manner) else { return };
        symlink("tree/mount", scratch.join("link")).unwrap();
        let roots = ["link/file", "tree/before", "link/", "tree/sub"].map(|name| Root::path(scratch.join(name)));
        let seen = timed(roots.into(), &patient(Duration::from_millis(300)), 2);
        assert_eq!(
            (seen.names(&scratch), seen.causes()),
            (vec!["tree/before".to_owned(), "tree/sub/beside".to_owned()], vec![("no_answer", 2)],)
        );
        assert_eq!((seen.outcome.failures.named(), seen.outcome.failures.serious()), (2, 2));
        let silent = examples(&seen, &Cause::Silent);
        assert!(silent.contains(&scratch.join("link/file")), "{silent:?}");
    }
}

#[test]
fn a_mount_behind_a_link_that_answers_is_told_by_its_type() {
    let Some((scratch, _fuse)) = with_mount(Manner::Closed) else { return };
    symlink("tree/mount", scratch.join("link")).unwrap();
    let roots = ["link/file", "link/"].map(|name| Root::path(scratch.join(name)));
    let seen = timed(roots.into(), &patient(Duration::from_secs(30)), 0);
    assert_eq!(seen.causes(), [("not_supported", 2)]);
}

fn examples(seen: &Seen, cause: &Cause) -> Vec<PathBuf> {
    let of_cause = seen.outcome.failures.iter().filter(|(its, _)| *its == cause);
    of_cause.flat_map(|(_, tally)| tally.examples.clone()).collect()
}

#[test]
fn a_link_that_is_followed_into_silence_costs_only_itself() {
    let Some((scratch, _fuse)) = with_mount(Manner::Mute) else { return };
    fs::create_dir(scratch.join("links")).unwrap();
    (0..5).for_each(|i| file(&scratch.join(format!("links/file{i}"))));
    symlink("../tree/mount/file", scratch.join("links/link")).unwrap();
    let options = Options { follow_links: true, ..patient(Duration::from_millis(300)) };
    let seen = timed(vec![Root::path(scratch.join("links"))], &options, 1);
    assert_eq!((seen.calls, seen.causes()), (5, vec![("no_answer", 1)]), "{:?}", seen.outcome);
    assert_eq!(examples(&seen, &Cause::Silent), [scratch.join("links/link")]);
}

/// Until what is returned is dropped, opening anything in `directory` waits; directories too, if so told.
fn block_opens(directory: &Path, of_directories: bool) -> Option<OwnedFd> {
    let blocked = kernel::block_opens(directory, of_directories);
    blocked.map_or_else(|error| skip(&format!("fanotify: {error}")), Some)
}

/// Opening anything in `blocked` waits for ever. What lies around it, and below it, is found all the same, and after a
/// few of its files the rest is not waited for.
#[test]
fn opens_that_never_return_cost_the_limit_a_few_times_and_no_other_file() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    (0..20).for_each(|i| file(&scratch.join(format!("open/file{i}"))));
    (0..20).for_each(|i| file(&scratch.join(format!("blocked/file{i}"))));
    (0..20).for_each(|i| file(&scratch.join(format!("blocked/sub{i}/file"))));
    let Some(_group) = block_opens(&scratch.join("blocked"), false) else { return };
    let options = Options { keep_failures: 50, ..patient(Duration::from_millis(300)) };
    let seen = timed(vec![Root::path(&*scratch)], &options, 4);
    assert_eq!((seen.calls, seen.causes()), (40, vec![("no_answer", 20)]), "{:?}", seen.outcome);
    assert_eq!(seen.outcome.counts.files, 60);
    let silent = examples(&seen, &Cause::Silent);
    assert!(silent.iter().all(|path| path.starts_with(scratch.join("blocked"))), "{silent:?}");
}

#[test]
fn directories_that_never_open_cost_the_limit_a_few_times() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    (0..20).for_each(|i| file(&scratch.join(format!("blocked/sub{i:02}/file"))));
    (0..20).for_each(|i| file(&scratch.join(format!("open/sub{i:02}/file"))));
    let Some(_group) = block_opens(&scratch.join("blocked"), true) else { return };
    // The directory with the mark is read through the one above it, which has none.
    let seen = timed(vec![Root::path(&*scratch)], &patient(Duration::from_millis(300)), 5);
    assert_eq!(seen.names(&scratch).len(), 20, "{:?}", seen.outcome);
    assert!(seen.causes()[0].1 >= 1 && seen.causes().len() == 1, "{:?}", seen.causes());
}

/// A process that was stopped, by Ctrl-Z for one, has not waited for anything.
#[test]
fn time_in_which_the_process_was_stopped_does_not_count() {
    in_own_process("silent::time_in_which_the_process_was_stopped_does_not_count", || {
        let Some(scratch) = Scratch::on(Format::Ext4) else { return };
        (0..2000).for_each(|i| file(&scratch.join(format!("file{i}"))));
        let mut stopper = Command::new("sh")
            .args(["-c", "for i in 1 2 3; do sleep 0.1; kill -STOP $PPID; sleep 0.6; kill -CONT $PPID; done"])
            .spawn()
            .unwrap();
        let options = patient(Duration::from_millis(400));
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(2500) {
            let seen = look_here([Root::path(&*scratch)], &options);
            assert_eq!((seen.calls, seen.causes()), (2000, vec![]));
        }
        stopper.wait().unwrap();
    });
}

/// Nor does the time that the caller takes for itself.
#[test]
fn a_slow_collector_is_not_a_silent_file() {
    let Some(scratch) = Scratch::on(Format::Ext4) else { return };
    (0..6).for_each(|i| file(&scratch.join(format!("file{i}"))));
    let slow = || Each(|_: &toolbox::fragment::Found<'_>| std::thread::sleep(Duration::from_millis(250)));
    let outcome = scan([Root::path(&*scratch)], &patient(Duration::from_millis(100)), slow, &mut |_| {});
    assert!(outcome.failures.is_empty(), "{:?}", outcome.failures);
    assert_eq!(outcome.counts.files, 6);
}

/// Threads that hang in the kernel do not keep the process from ending.
#[test]
fn a_process_ends_although_a_file_never_answered() {
    let started = Instant::now();
    in_own_process("silent::a_process_ends_although_a_file_never_answered", || {
        let Some((scratch, fuse)) = with_mount(Manner::Absent) else { return };
        symlink("tree/mount", scratch.join("link")).unwrap();
        let seen = look([Root::path(scratch.join("link/file"))], &patient(Duration::from_millis(200)));
        assert_eq!(seen.causes(), [("no_answer", 1)]);
        // Neither told to give up its users nor unmounted.
        std::mem::forget(fuse);
        std::mem::forget(scratch);
    });
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
