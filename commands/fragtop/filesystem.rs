//! `toolbox fragtop --filesystem MOUNT`: every file, from the file system's own records; or else why not.

use super::{Report, key};
use crate::cli::{Fragtop, SortKey};
use crate::ui::message;
use crate::ui::numbers::{count, things};
use crate::ui::progress::Progress as Line;
use crate::ui::terminal::Terminal;
use std::sync::Arc;
use toolbox::fragment::Options;
use toolbox::fragment::filesystem::{Progress, Request, scan};

/// Reads the records, if that is asked for and can be done. `None` to walk, after saying why.
pub(super) fn look(arguments: &Fragtop, options: &Options, terminal: &Terminal) -> Option<Report> {
    let mount = arguments.filesystem.as_ref()?;
    if let Some(reason) = needs_names(arguments) {
        return walk(reason, terminal);
    }
    let request = request(arguments, options);
    let mut line = Line::new(terminal.progress, terminal.ascii);
    let scanned = scan(mount, &request, &mut |progress| line.draw(|| describe(progress)));
    line.erase();
    match scanned {
        Ok(report) => {
            if report.subvolumes > 0 && !terminal.quiet {
                message::note(&format!("{} inside were not entered", things(report.subvolumes, "subvolume")));
            }
            Some(Report::of_file_system(report))
        }
        Err(refusal) => walk(&refusal.to_string(), terminal),
    }
}

fn walk(reason: &str, terminal: &Terminal) -> Option<Report> {
    if !terminal.quiet {
        message::note(&format!("{reason}; walking instead"));
    }
    None
}

/// What was asked for that takes the name of every file, which the records do not give cheaply.
fn needs_names(arguments: &Fragtop) -> Option<&'static str> {
    if arguments.ranking.by.is_some() {
        Some("--by dir takes the name of every file")
    } else if !arguments.selection.exclude.is_empty() {
        Some("--exclude takes the name of every file")
    } else if arguments.selection.follow {
        Some("-L takes the links, which are no files")
    } else if arguments.scan.sync {
        Some("--sync asks file by file")
    } else {
        None
    }
}

fn request(arguments: &Fragtop, options: &Options) -> Request {
    let ranking = &arguments.ranking;
    Request {
        key: key(ranking.sort),
        keep: arguments.top(),
        min_size_bytes: options.min_size_bytes,
        min_fragments: arguments.selection.min_fragments,
        limit: ranking.fail_over,
        complete: ranking.histogram || ranking.sort != SortKey::Fragments,
        with_flags: true,
        threads: options.threads,
        media: options.media,
        keep_failures: options.keep_failures,
        stop: Arc::clone(&options.stop),
    }
}

fn describe(progress: &Progress) -> (String, String) {
    let files = things(progress.files, "file");
    let what = match (progress.naming, progress.total) {
        (true, _) => format!("{files}, looking up names"),
        (false, 0) => files,
        (false, total) => format!("{files}, {} of {}", count(progress.done), count(total)),
    };
    (what, String::new())
}
