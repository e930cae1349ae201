//! What every module here stands on: volumes with file systems on them, scratch directories, and time limits.
//!
//! All mounts are made in a mount namespace of this process's own ([`kernel`]), so that the kernel takes them down when
//! the process ends, however it ends: a failed test, a panic or `kill -9` leaves nothing mounted. The image files are
//! unlinked as soon as they are mounted. What a killed process leaves behind is one directory without mounts, which
//! the next run sweeps away.
//!
//! Every image is made once, by the first test that asks for it.

pub(crate) mod fuse;
pub(crate) mod kernel;
pub(crate) mod recipe;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Duration;
use toolbox::fragment::{Each, FileReport, Found, Options, Outcome, Root, scan};

/// A kind of file system that a test can have on a volume of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Ext2,
    Ext3,
    /// With data inside the inode, where it fits.
    Ext4,
    Xfs,
    Btrfs,
}

impl Format {
    pub(crate) const ALL: [Self; 5] = [Self::Ext2, Self::Ext3, Self::Ext4, Self::Xfs, Self::Btrfs];

    /// What the kernel calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ext2 => "ext2",
            Self::Ext3 => "ext3",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Ext2 => &["-q", "-F", "-b", "4096", "-N", "4000"],
            Self::Ext3 => &["-q", "-F", "-b", "4096", "-N", "4000", "-J", "size=4"],
            Self::Ext4 => &["-q", "-F", "-b", "4096", "-O", "inline_data,^has_journal", "-N", "200000"],
            Self::Xfs => &["-q", "-f", "-m", "reflink=1,rmapbt=1"],
            Self::Btrfs => &["-q", "-f", "-m", "single", "-d", "single"],
        }
    }

    fn size_bytes(self) -> u64 {
        match self {
            Self::Ext2 | Self::Ext3 => 256 << 20,
            Self::Ext4 => 2 << 30,
            Self::Xfs | Self::Btrfs => 1 << 30,
        }
    }
}

/// A mounted volume that only this process sees.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) format: Format,
    /// The block device.
    #[allow(dead_code)] // For tests that read a volume below its file system.
    pub(crate) device: PathBuf,
    /// Where it is mounted.
    pub(crate) point: PathBuf,
}

/// The volume of this format, made by the first who asks; `None`, and a word on stderr, where it cannot be made.
pub(crate) fn image(format: Format) -> Option<&'static Image> {
    static MADE: [OnceLock<Result<Image, String>>; 5] = [const { OnceLock::new() }; 5];
    match MADE[format as usize].get_or_init(|| make_image(format)) {
        Ok(image) => Some(image),
        Err(why) => skip(&format!("no {} volume: {why}", format.name())),
    }
}

fn make_image(format: Format) -> Result<Image, String> {
    if !kernel::has_own_mounts() {
        return Err("mounting takes root (CAP_SYS_ADMIN)".into());
    }
    let file = base().join(format!("{}.img", format.name()));
    let point = base().join(format.name());
    let image = fs::File::create(&file).and_then(|image| image.set_len(format.size_bytes()));
    image.and_then(|()| fs::create_dir_all(&point)).map_err(|error| error.to_string())?;
    run(Command::new(format!("mkfs.{}", format.name())).args(format.arguments()).arg(&file))?;
    let options =
        if format == Format::Xfs || format == Format::Btrfs { "loop" } else { "loop,nobarrier,noinit_itable" };
    run(Command::new("mount").args(["-t", format.name(), "-o", options]).arg(&file).arg(&point))?;
    // The loop device holds on to it.
    fs::remove_file(&file).map_err(|error| error.to_string())?;
    let source = run(Command::new("findmnt").args(["-n", "-o", "SOURCE", "--target"]).arg(&point))?;
    Ok(Image { format, device: PathBuf::from(source.trim()), point })
}

/// Runs a command to its end, and returns what it printed.
pub(crate) fn run(command: &mut Command) -> Result<String, String> {
    let done = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(said);
    }
    Err(format!("{command:?}: {}: {said}{}", done.status, String::from_utf8_lossy(&done.stderr)))
}

/// Says why a test cannot be run here; fails it where everything is meant to be there.
pub(crate) fn skip<T>(why: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "not to be skipped where CI is set: {why}");
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Past the test harness's capture, which would swallow it.
    kernel::say(&format!("SKIPPED {test}: {why}\n"));
    None
}

/// The directory of this process, under which everything is made.
pub(crate) fn base() -> &'static Path {
    static BASE: OnceLock<PathBuf> = OnceLock::new();
    BASE.get_or_init(|| {
        sweep();
        let base = base_of(std::process::id());
        fs::create_dir_all(&base).expect("the directory for temporary files can be written");
        base
    })
}

const PREFIX: &str = "toolbox-runtime-";

pub(crate) fn base_of(process: u32) -> PathBuf {
    std::env::temp_dir().join(format!("{PREFIX}{process}"))
}

/// Removes what processes that are gone have left behind.
fn sweep() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|id| id.parse::<u32>().ok());
        if process.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A directory that goes away when it is dropped, also when a test fails.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// One below `parent`.
    pub(crate) fn under(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = parent.join(format!("scratch{}", NEXT.fetch_add(1, Relaxed)));
        fs::create_dir_all(&path).expect("a directory of ours can be written");
        Self(path)
    }

    /// One among the host's temporary files, on whatever file system those are.
    pub(crate) fn temporary() -> Self {
        Self::under(base())
    }

    /// One on a volume of this format.
    pub(crate) fn on(format: Format) -> Option<Self> {
        image(format).map(|image| Self::under(&image.point))
    }
}

impl std::ops::Deref for Scratch {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Two blocks, so that a file has to be opened to be counted.
pub(crate) const DATA: [u8; 8192] = [b'x'; 8192];

/// Makes a file of that, and the directories above it.
pub(crate) fn file(path: &Path) {
    fs::create_dir_all(path.parent().expect("a file has a directory")).unwrap();
    fs::write(path, DATA).unwrap();
}

/// Calls `work` on a thread of its own, and fails if it is not done in time: a hang is a failed test, not a stuck one.
pub(crate) fn within<T: Send + 'static>(limit: Duration, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    let name = std::thread::current().name().unwrap_or("test").to_owned();
    let thread = std::thread::Builder::new().name(name).spawn(move || {
        let _ = sender.send(work());
    });
    let thread = thread.expect("the test process may have a thread");
    match receiver.recv_timeout(limit) {
        Ok(done) => done,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("not done within {limit:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => std::panic::resume_unwind(payload),
            Ok(()) => unreachable!("a thread that ends without a panic has sent what it was asked for"),
        },
    }
}

/// As a user who may nothing; the threads that the scan starts are that user's too.
pub(crate) fn as_nobody<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    within(Duration::from_secs(60), || {
        kernel::become_user(65534).expect("root may become anybody");
        work()
    })
}

/// Runs `body` in a process of its own, for what it does to the process: `test` is the path of the calling test, which
/// the new process runs again, to come here and go on into `body`.
pub(crate) fn in_own_process(test: &str, body: impl FnOnce()) {
    if kernel::is_inside() {
        return body();
    }
    let program = std::env::current_exe().expect("the test knows where it is");
    let mut command = Command::new(program);
    command.args([test, "--exact", "--nocapture"]);
    kernel::set_inside(&mut command);
    let said = within(Duration::from_secs(60), move || run(&mut command)).unwrap_or_else(|why| panic!("{why}"));
    assert!(said.contains("1 passed"), "{said}");
}

/// What a scan has come to, with all that it found.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) files: BTreeMap<PathBuf, FileReport>,
    /// Calls of the collector: more than there are files if one was handed over twice.
    pub(crate) calls: usize,
    pub(crate) outcome: Outcome<()>,
}

impl Seen {
    /// Names of the files found, below `base`.
    pub(crate) fn names(&self, base: &Path) -> Vec<String> {
        let name = |path: &PathBuf| path.strip_prefix(base).unwrap_or(path).to_string_lossy().into_owned();
        self.files.keys().map(name).collect()
    }

    /// Causes as words, with their counts.
    pub(crate) fn causes(&self) -> Vec<(&'static str, u64)> {
        self.outcome.failures.iter().map(|(cause, tally)| (cause.word(), tally.count)).collect()
    }

    /// Whether every file that was counted was measured, failed, or was passed over for a reason that is counted too.
    pub(crate) fn assert_accounted(&self) {
        let counts = &self.outcome.counts;
        let kept = self.calls as u64 + counts.small + counts.repeated;
        let failed: u64 = self.outcome.failures.iter().map(|(_, tally)| tally.count).sum();
        assert!(kept <= counts.files && counts.files <= kept + failed, "{:?} {:?}", self.outcome, self.calls);
    }
}

/// Scans, within a minute, and keeps every file.
pub(crate) fn look<I>(roots: I, options: &Options) -> Seen
where
    I: IntoIterator<Item = Root> + Send + 'static,
    I::IntoIter: Send + 'static,
{
    let options = options.clone();
    within(Duration::from_secs(60), move || look_here(roots, &options))
}

/// The same on the caller's own thread.
pub(crate) fn look_here<I>(roots: I, options: &Options) -> Seen
where
    I: IntoIterator<Item = Root>,
    I::IntoIter: Send + 'static,
{
    let kept = Arc::new(Mutex::new((BTreeMap::new(), 0)));
    let collector = || {
        let kept = Arc::clone(&kept);
        Each(move |found: &Found<'_>| {
            let mut kept = kept.lock().unwrap();
            let report = found.to_report();
            kept.0.insert(report.path.clone(), report);
            kept.1 += 1;
        })
    };
    let outcome = scan(roots, options, collector, &mut |_| {});
    let (files, calls) = std::mem::take(&mut *kept.lock().unwrap());
    let Outcome { counts, failures, stopped, elapsed, threads, volumes, .. } = outcome;
    let outcome = Outcome { collectors: Vec::new(), counts, failures, stopped, elapsed, threads, volumes };
    Seen { files, calls, outcome }
}

/// `filefrag`'s count for every one of `paths`; `None` where it cannot be run.
pub(crate) fn filefrag(paths: &[PathBuf]) -> Option<Vec<u64>> {
    let said = match run(Command::new("filefrag").args(paths)) {
        Ok(said) => said,
        Err(why) => return skip(&why),
    };
    let count = |line: &str| line.rsplit(": ").next()?.split(' ').next()?.parse().ok();
    let counts: Vec<u64> = said.lines().filter_map(count).collect();
    assert_eq!(counts.len(), paths.len(), "{said}");
    Some(counts)
}

/// Numbers that look random and are the same in every run.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
