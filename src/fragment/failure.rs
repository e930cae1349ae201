//! What went wrong with one file, and the count of it over many.
//!
//! A file that cannot be looked at is never the end of a scan: it becomes a [`Failure`], which is counted by its
//! [`Cause`]; the first few paths of each cause are kept, so that memory stays bounded however many there are.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

/// Why a file has no count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// No permission to open or list it.
    Denied,
    /// There is nothing of that name.
    Missing,
    /// It was listed, and was gone when its turn came.
    Vanished,
    /// It did not answer within the time limit.
    Silent,
    /// Symbolic links lead in a circle.
    Loop,
    /// Another process holds a lease on it, and opening would have had to wait.
    Busy,
    /// Not a regular file and not a directory, or a symbolic link that was not to be followed.
    NotAFile(&'static str),
    /// Its file system keeps no extents that it could tell of. The name of the file system.
    Unsupported(String),
    /// A file system without extents that was met on the way and not entered. Its name.
    NotEntered(String),
    /// Its records on the volume could not be made sense of. What was wrong.
    Damaged(&'static str),
    /// Any other error of the kernel, by its number.
    Kernel(i32),
}

impl Cause {
    /// The cause behind an error of the kernel, on a file system called `file_system`.
    #[must_use]
    pub fn of(error: &io::Error, file_system: &str) -> Self {
        match error.raw_os_error() {
            Some(libc::EACCES | libc::EPERM) => Self::Denied,
            Some(libc::ENOENT | libc::ESTALE | libc::ENOTDIR) => Self::Vanished,
            Some(libc::ELOOP) => Self::Loop,
            Some(libc::EWOULDBLOCK) => Self::Busy,
            Some(libc::EOPNOTSUPP | libc::ENOTTY | libc::ENOSYS) => Self::Unsupported(file_system.to_owned()),
            Some(number) => Self::Kernel(number),
            None => Self::Kernel(libc::EINVAL),
        }
    }

    /// The same for a path that the caller named: it cannot vanish, since nobody saw it before.
    #[must_use]
    pub fn of_named(error: &io::Error, file_system: &str) -> Self {
        match Self::of(error, file_system) {
            Self::Vanished => Self::Missing,
            cause => cause,
        }
    }

    /// Whether this is worth a note only: nothing is wrong with the run when a file of a busy directory vanishes, or
    /// when there are no extents to count where it lies.
    #[must_use]
    pub fn is_note(&self) -> bool {
        matches!(self, Self::Vanished | Self::Unsupported(_) | Self::NotEntered(_))
    }

    /// A word for scripts, the same for every file of one cause.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Denied => "permission_denied",
            Self::Missing => "missing",
            Self::Vanished => "vanished",
            Self::Silent => "no_answer",
            Self::Loop => "symlink_loop",
            Self::Busy => "busy",
            Self::NotAFile(_) => "not_a_file",
            Self::Unsupported(_) => "not_supported",
            Self::NotEntered(_) => "not_entered",
            Self::Damaged(_) => "damaged",
            Self::Kernel(_) => "kernel_error",
        }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Denied => formatter.write_str("permission denied"),
            Self::Missing => formatter.write_str("no such file or directory"),
            Self::Vanished => formatter.write_str("vanished before it was looked at"),
            Self::Silent => formatter.write_str("did not answer in time"),
            Self::Loop => formatter.write_str("symbolic link, or a loop of them"),
            Self::Busy => formatter.write_str("busy: another process holds a lease"),
            Self::NotAFile(what) => formatter.write_str(what),
            Self::Unsupported(name) => write!(formatter, "not supported here: {name} has no extents"),
            Self::NotEntered(name) => write!(formatter, "not entered: {name} has no extents"),
            Self::Damaged(what) => write!(formatter, "damaged: {what}"),
            Self::Kernel(number) => formatter.write_str(&without_number(&io::Error::from_raw_os_error(*number))),
        }
    }
}

/// The kernel's words for an error, in lower case and without the number that std appends.
fn without_number(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// One file or directory that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which.
    pub path: PathBuf,
    /// Why.
    pub cause: Cause,
    /// Whether the caller named this very path, as opposed to its having been found on the way.
    pub named: bool,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}: {}", self.path.display(), self.cause)
    }
}

impl std::error::Error for Failure {}

/// Failures counted by cause.
#[derive(Clone, Debug, Default)]
pub struct Failures {
    by_cause: BTreeMap<Cause, Tally>,
    keep: usize,
}

/// How often one cause was met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files and directories it was met with.
    pub count: u64,
    /// How many of those the caller had named.
    pub named: u64,
    /// The first paths, as many as were to be kept.
    pub examples: Vec<PathBuf>,
}

impl Failures {
    /// None yet; keeps `keep` paths of each cause.
    #[must_use]
    pub fn keeping(keep: usize) -> Self {
        Self { by_cause: BTreeMap::new(), keep }
    }

    /// One more.
    pub fn push(&mut self, failure: Failure) {
        let keep = self.keep;
        let tally = self.by_cause.entry(failure.cause).or_default();
        tally.count += 1;
        tally.named += u64::from(failure.named);
        if tally.examples.len() < keep {
            tally.examples.push(failure.path);
        }
    }

    /// All of `other` too.
    pub fn merge(&mut self, other: Self) {
        for (cause, theirs) in other.by_cause {
            let ours = self.by_cause.entry(cause).or_default();
            ours.count += theirs.count;
            ours.named += theirs.named;
            let room = self.keep.saturating_sub(ours.examples.len());
            ours.examples.extend(theirs.examples.into_iter().take(room));
        }
    }

    /// All of `other` too, copying no more of its paths than there is room for.
    pub fn add(&mut self, other: &Self) {
        for (cause, theirs) in &other.by_cause {
            let ours = self.by_cause.entry(cause.clone()).or_default();
            ours.count += theirs.count;
            ours.named += theirs.named;
            let room = self.keep.saturating_sub(ours.examples.len());
            ours.examples.extend(theirs.examples.iter().take(room).cloned());
        }
    }

    /// Causes and their counts, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (&Cause, &Tally)> {
        self.by_cause.iter()
    }

    /// How many there are that are more than a note.
    #[must_use]
    pub fn serious(&self) -> u64 {
        self.iter().filter(|(cause, _)| !cause.is_note()).map(|(_, tally)| tally.count).sum()
    }

    /// How many paths that the caller named have no count, for whatever cause.
    #[must_use]
    pub fn named(&self) -> u64 {
        self.iter().map(|(_, tally)| tally.named).sum()
    }

    /// Whether there are none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_cause.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(path: &str) -> Failure {
        Failure { path: path.into(), cause: Cause::Denied, named: false }
    }

    #[test]
    fn counts_all_and_keeps_a_few() {
        let mut one = Failures::keeping(2);
        let mut two = Failures::keeping(2);
        ["a", "b", "c"].iter().for_each(|path| one.push(denied(path)));
        two.push(denied("d"));
        two.push(Failure { path: "e".into(), cause: Cause::Vanished, named: true });
        let mut sum = Failures::keeping(1);
        [&one, &two].into_iter().for_each(|part| sum.add(part));
        one.merge(two);
        let tally = |failures: &Failures| failures.iter().map(|(_, tally)| tally.count).collect::<Vec<_>>();
        assert_eq!(tally(&sum), tally(&one));
        assert!(sum.iter().all(|(_, tally)| tally.examples.len() == 1));
        let counts: Vec<_> =
            one.iter().map(|(cause, tally)| (cause.word(), tally.count, tally.examples.len())).collect();
        assert_eq!(counts, [("permission_denied", 4, 2), ("vanished", 1, 1)]);
        assert_eq!((one.serious(), one.named()), (4, 1));
    }

    #[test]
    fn kernel_errors_become_causes() {
        let cause = |number| Cause::of(&io::Error::from_raw_os_error(number), "tmpfs");
        assert_eq!(cause(libc::EACCES), Cause::Denied);
        assert_eq!(cause(libc::EOPNOTSUPP), Cause::Unsupported("tmpfs".into()));
        assert_eq!(cause(libc::EIO).to_string(), "input/output error");
        assert_eq!(cause(libc::EOPNOTSUPP).to_string(), "not supported here: tmpfs has no extents");
    }
}
