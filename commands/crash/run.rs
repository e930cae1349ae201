//! `toolbox crash run`: a command with the library preloaded.
//!
//! ```text
//! $ toolbox crash run --file '/var/crash/%e.%p' -- ./server --port 80
//! ```
//!
//! Two variables of the environment are set, `LD_PRELOAD` and `TOOLBOX_CRASH`, and the command takes this
//! process's place. So there is nobody in between: signals, the terminal, the exit status and the wait status are the
//! command's own.
//!
//! The loader passes by what it cannot preload without failing. What can be known of that beforehand is said: a program
//! without a loader, and one that changes its rights.

use crate::cli::{CrashRun, CrashThreads};
use crate::exit::{Exit, hinted};
use crate::manual::Chapters;
use crate::ui::message;
use anyhow::{Context, Result, ensure};
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, ReadCache};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the manual page says beyond the options.
pub(crate) const CHAPTERS: Chapters = &[
    (
        "EXIT STATUS OF THE COMMAND",
        &[
            "The command takes the place of toolbox, so the exit status is the command's; when a signal ends it, whoever started toolbox sees that signal. 2 means also that the command could not be started.",
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            "LD_PRELOAD\tThe library is put before what is there.",
            "TOOLBOX_CRASH\tHolds the options for the library: key=value,... or off. The command's own children inherit both.",
        ],
    ),
];

/// The names under which the library is looked for.
const NAMES: [&str; 2] = ["libtoolbox.so", "libtoolbox.so.0"];

/// Starts the command; comes back only when that failed.
///
/// # Errors
/// No library, or no such command.
pub(super) fn run(arguments: &CrashRun) -> Result<Exit> {
    let library = library(arguments.preload.as_deref())?;
    let options = options(arguments)?;
    let (name, rest) = arguments.command.split_first().context("no command")?;
    if let Some(why) = find(name).and_then(|program| cannot_be_preloaded(&program)) {
        message::warning(&format!("{} {why}: its crashes will not be reported", Path::new(name).display()));
    }
    let mut preload = library.into_os_string();
    if let Some(before) = std::env::var_os("LD_PRELOAD").filter(|before| !before.is_empty()) {
        preload.push(":");
        preload.push(before);
    }
    let error = Command::new(name).args(rest).env("LD_PRELOAD", preload).env("TOOLBOX_CRASH", options).exec();
    Err(error).with_context(|| format!("cannot start {}", Path::new(name).display()))
}

/// The library: the one that was named, or the one that came with this program.
fn library(named: Option<&Path>) -> Result<PathBuf> {
    let found = match named {
        Some(named) => named.canonicalize().with_context(|| format!("no library at {}", named.display()))?,
        None => {
            let own = std::env::current_exe().context("cannot tell where toolbox is")?;
            let beside = own.parent().unwrap_or(Path::new("/"));
            let folders = [beside.to_owned(), beside.join("../lib")];
            let files = folders.iter().flat_map(|folder| NAMES.map(|name| folder.join(name)));
            let found = files.filter_map(|file| file.canonicalize().ok()).next();
            found.ok_or_else(|| {
                let message = format!("no libtoolbox.so in {} or in ../lib", beside.display());
                hinted(message, "`cargo capi` builds target/capi/libtoolbox.so; name it with --preload")
            })?
        }
    };
    let is_listable = !found.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b':' | b' '));
    ensure!(is_listable, "{}: LD_PRELOAD cannot hold a path with a space or a colon", found.display());
    Ok(found)
}

/// The options as the library reads them.
fn options(arguments: &CrashRun) -> Result<String> {
    let mut all = Vec::new();
    let paths = [("text", &arguments.text), ("file", &arguments.file), ("json", &arguments.json)];
    for (key, value) in paths {
        if let Some(value) = value {
            all.push(format!("{key}={}", value.replace(',', "\\,")));
        }
    }
    if arguments.threads == CrashThreads::One {
        all.push("threads=one".to_owned());
    }
    if arguments.no_names {
        all.push("names=no".to_owned());
    }
    if arguments.no_source {
        all.push("source=no".to_owned());
    }
    all.push(format!("limit={}", arguments.limit.as_millis()));
    all.extend(arguments.options.iter().cloned());
    let text = all.join(",");
    ensure!(!text.contains('\0'), "an option has a zero in it");
    Ok(text)
}

/// Where the command is, as far as it can be told.
fn find(name: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(name));
    }
    let path: OsString = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Why the loader will pass by the library, if that can be told.
fn cannot_be_preloaded(program: &Path) -> Option<&'static str> {
    const CHANGES_USER: u32 = 0o4000;
    const CHANGES_GROUP: u32 = 0o2000;
    let metadata = program.metadata().ok()?;
    let mode = metadata.mode();
    let user = rustix::process::getuid().as_raw();
    let group = rustix::process::getgid().as_raw();
    if mode & CHANGES_USER != 0 && metadata.uid() != user || mode & CHANGES_GROUP != 0 && metadata.gid() != group {
        return Some("changes its rights when it starts");
    }
    let file = ReadCache::new(File::open(program).ok()?);
    let header = FileHeader64::<Endianness>::parse(&file).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &file).ok()?;
    let has_loader = segments.iter().any(|segment| segment.p_type(endian) == PT_INTERP);
    (!has_loader).then_some("is statically linked")
}
