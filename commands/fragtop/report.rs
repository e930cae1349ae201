//! What there is to show once the files have been looked at.

use crate::cli::{Fragtop, SortKey};
use crate::exit::Exit;
use crate::ui::escape::escape;
use crate::ui::message;
use crate::ui::numbers::things;
use crate::ui::terminal::Terminal;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use toolbox::fragment::filesystem::{self, Listed, Unmapped};
use toolbox::fragment::{Counts, Failures, FileReport, HISTOGRAM_BUCKETS, Media, Outcome, Ranking, Totals, Volume};

/// The method of a scan that went through directories.
pub(super) const WALK: &str = "walk";

/// A file that is listed.
#[derive(Debug)]
pub(super) struct Row {
    /// What is known of it. The path is empty where it has no name.
    pub(super) file: FileReport,
    /// The inode number of a file that has no name below the mount that was asked for.
    pub(super) nameless: Option<u64>,
}

/// The answer, before it is rendered.
#[derive(Debug)]
pub(super) struct Report {
    /// Whether it was cut short.
    pub(super) partial: bool,
    /// The files to list, first rank first.
    pub(super) files: Vec<Row>,
    /// Sums over all files.
    pub(super) totals: Totals,
    /// Files by number of fragments.
    pub(super) histogram: [u64; HISTOGRAM_BUCKETS],
    /// Sums per directory.
    pub(super) directories: Vec<(PathBuf, Totals)>,
    /// What was met.
    pub(super) counts: Counts,
    /// What could not be looked at.
    pub(super) failures: Failures,
    /// Files of more fragments than allowed.
    pub(super) over_limit: u64,
    /// Volumes met.
    pub(super) volumes: Vec<Arc<Volume>>,
    /// Time taken.
    pub(super) elapsed: Duration,
    /// Workers at work, at most.
    pub(super) threads: usize,
    /// How the files were found.
    pub(super) method: String,
    /// Files that cannot reach the list, and were not asked how they lie.
    pub(super) unmapped: Unmapped,
}

impl Row {
    fn of(listed: Listed, volume: &Arc<Volume>) -> Self {
        let nameless = listed.path.is_none().then_some(listed.inode);
        let file = FileReport {
            path: listed.path.unwrap_or_default(),
            size_bytes: listed.size_bytes,
            allocated_bytes: listed.allocated_bytes,
            links: listed.links,
            layout: listed.layout,
            volume: Arc::clone(volume),
        };
        Self { file, nameless }
    }
}

impl Report {
    /// Puts together what a scan and its ranking have come to.
    pub(super) fn new(arguments: &Fragtop, outcome: Outcome<Ranking>, mut ranking: Ranking) -> Self {
        let mut directories = ranking.take_directories();
        directories.truncate(arguments.top());
        Self {
            partial: outcome.stopped,
            totals: ranking.totals.clone(),
            histogram: ranking.histogram,
            over_limit: ranking.over_limit,
            directories,
            files: ranking.into_sorted().into_iter().map(|file| Row { file, nameless: None }).collect(),
            counts: outcome.counts,
            failures: outcome.failures,
            volumes: outcome.volumes,
            elapsed: outcome.elapsed,
            threads: outcome.threads,
            method: WALK.to_owned(),
            unmapped: Unmapped::default(),
        }
    }

    /// Takes over what the records of a whole file system have told.
    pub(super) fn of_file_system(report: filesystem::Report) -> Self {
        let counts = Counts { files: report.totals.files, small: report.small, ..Counts::default() };
        Self {
            partial: report.stopped,
            files: report.files.into_iter().map(|listed| Row::of(listed, &report.volume)).collect(),
            totals: report.totals,
            histogram: report.histogram,
            directories: Vec::new(),
            counts,
            failures: report.failures,
            over_limit: report.over_limit,
            volumes: vec![report.volume],
            elapsed: report.elapsed,
            threads: report.threads,
            method: report.method.to_string(),
            unmapped: report.unmapped,
        }
    }

    /// Whether no file was looked at, though not for being too small.
    pub(super) fn is_empty(&self) -> bool {
        self.totals.files == 0 && self.counts.small == 0
    }

    /// How the command ends.
    pub(super) fn exit(&self) -> Exit {
        let partly = self.failures.serious() > 0 || self.failures.named() > 0 || self.over_limit > 0;
        match (self.partial, partly) {
            (true, _) => Exit::Interrupted,
            (false, true) => Exit::Partly,
            (false, false) => Exit::Done,
        }
    }

    /// Says on stderr what the answer lacks.
    pub(super) fn warn(&self, arguments: &Fragtop, terminal: &Terminal) {
        self.warn_of_failures(arguments.scan.errors, terminal);
        if terminal.quiet {
            return;
        }
        if let Some(limit) = arguments.ranking.fail_over.filter(|_| self.over_limit > 0) {
            let files = things(self.over_limit, "file");
            message::warning(&format!("{files} of more than {}", things(limit, "fragment")));
        }
        if arguments.ranking.sort == SortKey::Excess {
            self.note_guessed_media();
        }
        if self.partial {
            message::warning("interrupted: this is what was found until then");
        }
    }

    /// A path that the user named is an error even under `-q`; what was met on the way is not.
    fn warn_of_failures(&self, all: bool, terminal: &Terminal) {
        for (cause, tally) in self.failures.iter() {
            let say = if cause.is_note() && tally.named == 0 { message::note } else { message::warning };
            if terminal.quiet && tally.named == 0 && !all {
                continue;
            }
            if all || tally.count == 1 {
                tally
                    .examples
                    .iter()
                    .for_each(|path| say(&format!("{}: {cause}", escape(path.as_os_str().as_bytes()))));
            } else {
                let example = tally.examples.first().map(|path| escape(path.as_os_str().as_bytes()));
                let example = example.unwrap_or_default();
                say(&format!("{}: {cause}; {example} is one (--errors lists them)", things(tally.count, "file")));
            }
        }
    }

    fn note_guessed_media(&self) {
        let turning = self.volumes.iter().find(|volume| volume.cost.media == Media::Rotating);
        if let Some(mount) = turning.and_then(|volume| volume.mount.as_ref()) {
            let source = escape(mount.source.as_bytes());
            let text = format!("excess is estimated for a rotating disk, which the kernel says {source} is");
            message::note(&format!("{text}; virtual disks often are not: --media ssd"));
        }
    }
}
