//! `toolbox fragtop`: rank files by fragmentation.
//!
//! ```text
//! $ toolbox fragtop -p '/var/log/**/*' -n 2
//! fragments  ideal   excess      size                file
//!       266      2   3.2 ms   1.2 GiB  ████████████  /var/log/access.log
//!        39      1  456.0 us 38.0 MiB  █▊            /var/log/wtmp
//! 657 files, 12 fragmented
//! ```
//!
//! Patterns become roots and matchers, the library's scan walks them, and what its rankings hold at the end is
//! rendered. Everything that is counted or measured here is counted and measured by the library.

mod advice;
mod columns;
mod extents;
mod filesystem;
mod live;
mod manual;
mod pattern;
mod render;
mod report;

pub(crate) use manual::CHAPTERS;

use crate::cli::{self, Format, Fragtop, Medium, SortKey};
use crate::exit::{Exit, hinted};
use crate::interrupt;
use crate::ui::numbers::{count, things};
use crate::ui::progress::Progress;
use crate::ui::terminal::Terminal;
use anyhow::{Context, Result};
use report::Report;
use std::ffi::OsStr;
use std::io::BufReader;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use toolbox::fragment::{Cause, Key, Media, Options, Ranking, Root, Tick, scan};

/// Paths that are remembered of each cause of failure, unless all are to be listed.
const EXAMPLES: usize = 3;
const TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT_WITH_SYNC: Duration = Duration::from_secs(300);

/// Runs the subcommand.
///
/// # Errors
/// A malformed pattern, nothing to look at, an answer that cannot be written.
pub(crate) fn run(arguments: Fragtop) -> Result<Exit> {
    let terminal = Terminal::new(&arguments.output);
    if arguments.extents {
        return extents::run(&arguments, &terminal);
    }
    let sources = Sources::new(&arguments)?;
    if arguments.interactive {
        return live(&arguments, sources, &terminal);
    }
    let options = options(&arguments, sources.overlap, interrupt::first()?)?;
    let report = match filesystem::look(&arguments, &options, &terminal) {
        Some(report) => report,
        None => look(&arguments, sources.roots, &options, &terminal),
    };
    report.warn(&arguments, &terminal);
    let faults = sources.faults.lock().unwrap_or_else(PoisonError::into_inner).take_error(&terminal);
    if report.is_empty() && !report.partial {
        if terminal.format == Format::Json {
            render::write(&report, &arguments, &terminal)?;
        }
        return Err(faults.map_or_else(|| nothing(&arguments, &report), anyhow::Error::from));
    }
    render::write(&report, &arguments, &terminal)?;
    if let Some(fault) = faults {
        crate::ui::message::error(&fault.into());
        return Ok(Exit::Partly);
    }
    Ok(report.exit())
}

/// Scans behind an interactive view.
fn live(arguments: &Fragtop, sources: Sources, terminal: &Terminal) -> Result<Exit> {
    let setup = live::Setup {
        key: key(arguments.ranking.sort),
        rows: arguments.ranking.top,
        min_fragments: arguments.selection.min_fragments,
        ascii: terminal.ascii,
        color: terminal.color,
    };
    // Signals are the view's own business, since it has a terminal to give back.
    let exit = live::run(sources.roots, options(arguments, sources.overlap, Arc::default())?, setup)?;
    let faults = sources.faults.lock().unwrap_or_else(PoisonError::into_inner).take_error(terminal);
    faults.map_or(Ok(exit), |fault| Err(fault.into()))
}

/// Scans, with a progress line.
fn look(
    arguments: &Fragtop,
    roots: Box<dyn Iterator<Item = Root> + Send>,
    options: &Options,
    terminal: &Terminal,
) -> Report {
    let ranking = || {
        Ranking::new(key(arguments.ranking.sort), arguments.top())
            .min_fragments(arguments.selection.min_fragments)
            .limit(arguments.ranking.fail_over)
            .with_flags(terminal.format == Format::Json)
            .by_directory(arguments.ranking.by.is_some())
    };
    let mut progress = Progress::new(terminal.progress, terminal.ascii);
    let mut outcome = scan(roots, options, ranking, &mut |tick| progress.draw(|| line(tick)));
    progress.erase();
    let collectors = std::mem::take(&mut outcome.collectors);
    let ranking = collectors.into_iter().reduce(Ranking::merge).unwrap_or_default();
    Report::new(arguments, outcome, ranking)
}

fn line(tick: &Tick<'_>) -> (String, String) {
    let rate = tick.counts.files as f64 / tick.elapsed.as_secs_f64().max(1e-3);
    let what = format!("{}, {}/s", things(tick.counts.files, "file"), count(rate as u64));
    (what, crate::ui::escape::escape(tick.current.as_os_str().as_encoded_bytes()))
}

/// Where to look.
struct Sources {
    roots: Box<dyn Iterator<Item = Root> + Send>,
    /// Whether a file could be come across twice.
    overlap: bool,
    faults: Arc<Mutex<pattern::Faults>>,
}

impl Sources {
    fn new(arguments: &Fragtop) -> Result<Self> {
        let mut roots = Vec::new();
        for path in &arguments.paths {
            roots.push(root_of_path(path)?);
        }
        for text in &arguments.patterns {
            roots.push(pattern::root(text).with_context(|| "-p")?);
        }
        // What is walked when the file system's own records cannot be had.
        roots.extend(arguments.filesystem.as_ref().map(Root::path));
        let faults = Arc::default();
        if roots.is_empty() && arguments.files0_from.is_none() {
            return Err(hinted(
                "nothing to look at: no path and no pattern given",
                "toolbox fragtop /var/log, or toolbox fragtop -p '/var/log/**/*'",
            ));
        }
        let overlap = arguments.files0_from.is_some() || pattern::overlap(roots.iter().map(Root::base));
        let mut all: Box<dyn Iterator<Item = Root> + Send> = Box::new(roots.into_iter());
        if let Some(list) = &arguments.files0_from {
            all = Box::new(all.chain(paths0(list, &faults)?));
        }
        Ok(Self { roots: all, overlap, faults })
    }
}

/// A path as the shell hands it over is taken literally if there is such a file, and as a pattern if not.
fn root_of_path(path: &Path) -> Result<Root> {
    let literal = !pattern::has_wildcards(path.as_os_str()) || path.symlink_metadata().is_ok();
    if literal { Ok(Root::path(path)) } else { pattern::root(path.as_os_str()) }
}

fn paths0(list: &Path, faults: &Arc<Mutex<pattern::Faults>>) -> Result<Box<dyn Iterator<Item = Root> + Send>> {
    let faults = Arc::clone(faults);
    if list.as_os_str() == OsStr::new("-") {
        return Ok(Box::new(pattern::Paths0 { stream: BufReader::new(std::io::stdin()), faults }));
    }
    let file =
        std::fs::File::open(list).with_context(|| format!("cannot read the list of paths {}", list.display()))?;
    Ok(Box::new(pattern::Paths0 { stream: BufReader::new(file), faults }))
}

fn options(arguments: &Fragtop, overlapping: bool, stop: Arc<AtomicBool>) -> Result<Options> {
    let scan = &arguments.scan;
    let timeout = scan.timeout.map(|seconds| Duration::from_secs(seconds.into()));
    Ok(Options {
        threads: scan.threads.map(usize::from),
        follow_links: arguments.selection.follow,
        one_file_system: arguments.selection.one_file_system || arguments.filesystem.is_some(),
        sync: scan.sync,
        min_size_bytes: arguments.selection.min_size,
        exclude: pattern::exclude(&arguments.selection.exclude).context("--exclude")?,
        overlapping,
        timeout: timeout.unwrap_or(if scan.sync { TIMEOUT_WITH_SYNC } else { TIMEOUT }),
        media: media(scan.media),
        keep_failures: if scan.errors { usize::MAX } else { EXAMPLES },
        stop,
    })
}

fn media(medium: Medium) -> Option<Media> {
    match medium {
        Medium::Auto => None,
        Medium::Ssd => Some(Media::Solid),
        Medium::Hdd => Some(Media::Rotating),
    }
}

fn key(sort: SortKey) -> Key {
    match sort {
        SortKey::Fragments => Key::Fragments,
        SortKey::Excess => Key::Excess,
        SortKey::Surplus => Key::Surplus,
        SortKey::Size => Key::Size,
        SortKey::Extents => Key::Extents,
        SortKey::Path => Key::Path,
    }
}

/// Why there is nothing to show, and what to try. What is wrong with single files has been said before.
fn nothing(arguments: &Fragtop, report: &Report) -> anyhow::Error {
    let links = report.counts.links;
    let because = |cause: &Cause| match cause {
        Cause::Unsupported(name) => {
            Some(format!("{name} keeps no extents; ext2/3/4, xfs and btrfs are among those that do"))
        }
        Cause::Denied => Some("run it as root, or as the owner of the files".to_owned()),
        Cause::NotAFile("a symbolic link") => Some("-L follows symbolic links".to_owned()),
        _ => None,
    };
    if let Some(hint) = report.failures.iter().find_map(|(cause, _)| because(cause)) {
        return hinted("no files are scanned: none of those found has a count", hint);
    }
    if !report.failures.is_empty() {
        return hinted("no files are scanned", "toolbox fragtop PATH, or toolbox fragtop -p 'PATTERN' in quotes");
    }
    let hint = arguments.patterns.iter().find_map(|text| pattern::why_nothing(text));
    let hint = hint.unwrap_or_else(|| match links {
        0 => "quote the pattern, so that the shell leaves it alone; ** matches any number of directories".to_owned(),
        links => format!("{} matched; -L follows them", things(links, "symbolic link")),
    });
    let what: Vec<_> = arguments.patterns.iter().map(|text| format!("'{}'", text.to_string_lossy())).collect();
    let what = if what.is_empty() {
        "there is no regular file".to_owned()
    } else {
        format!("nothing matches {}", what.join(", "))
    };
    hinted(format!("no files are scanned: {what}"), hint)
}

impl cli::Fragtop {
    /// How many files to list.
    fn top(&self) -> usize {
        if self.ranking.all { usize::MAX } else { self.ranking.top }
    }
}
