//! `toolbox crash demo`: crashes on purpose, to see the report.
//!
//! ```text
//! $ toolbox crash demo null-write
//! ```
//!
//! The process that crashes is a child, this program once more with `--here`. It runs under the same handler as every run
//! of `toolbox`; what is shown is what a user would see.

mod ways;

use crate::cli::CrashDemo;
use crate::exit::{Exit, hinted};
use crate::ui::{message, output};
use anyhow::{Context, Result};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use ways::{WAYS, Way};

/// Lists the ways, crashes in one, or has a child crash in one or in all.
///
/// # Errors
/// A way that there is not, or a child that cannot be started.
pub(super) fn run(arguments: &CrashDemo) -> Result<Exit> {
    if arguments.list {
        return list();
    }
    let chosen = match &arguments.scenario {
        Some(name) => vec![way(name)?],
        None => WAYS.iter().collect(),
    };
    if arguments.here {
        (chosen[0].crash)();
        message::warning("the crash did not come");
        return Ok(Exit::Partly);
    }
    let mut exit = Exit::Done;
    for way in chosen {
        let status = child(way)?;
        output::write(|out| writeln!(out, "{}: {}", way.name, words(status)))?;
        if status.signal() != Some(way.signal) {
            exit = Exit::Partly;
        }
    }
    Ok(exit)
}

fn way(name: &str) -> Result<&'static Way> {
    WAYS.iter()
        .find(|way| way.name == name)
        .ok_or_else(|| hinted(format!("there is no way to crash called {name}"), "toolbox crash demo --list"))
}

fn list() -> Result<Exit> {
    let widest = WAYS.iter().map(|way| way.name.len()).max().unwrap_or_default();
    output::write(|out| WAYS.iter().try_for_each(|way| writeln!(out, "{:widest$}  {}", way.name, way.about)))?;
    Ok(Exit::Done)
}

/// Has a child crash.
fn child(way: &Way) -> Result<ExitStatus> {
    let own = std::env::current_exe().context("cannot tell where toolbox is")?;
    let mut command = Command::new(own);
    command.args(["crash", "demo", "--here", way.name]).stdin(Stdio::null()).stdout(Stdio::null());
    command.status().context("cannot start toolbox once more")
}

/// How a child ended.
fn words(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("ended by signal {signal} ({})", name(signal)),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => "ended, and nobody knows how".to_owned(),
    }
}

fn name(signal: i32) -> &'static str {
    signal_hook::low_level::signal_name(signal).unwrap_or("no name")
}
