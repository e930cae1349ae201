//! `toolbox crash`: programs that report their own crash.
//!
//! ```text
//! $ toolbox crash run -- ./server
//! $ toolbox crash demo null-write
//! $ toolbox crash symbolize -e ./server 0x1139
//! ```

mod demo;
mod run;
mod symbolize;

use crate::cli::{Crash, CrashCommand};
use crate::exit::Exit;
use anyhow::Result;

pub(crate) use run::CHAPTERS as RUN_CHAPTERS;

/// Runs one of the subcommands.
///
/// # Errors
/// What kept it from being done.
pub(crate) fn run(arguments: Crash) -> Result<Exit> {
    match arguments.what {
        CrashCommand::Run(arguments) => run::run(&arguments),
        CrashCommand::Demo(arguments) => demo::run(&arguments),
        CrashCommand::Symbolize(arguments) => symbolize::run(&arguments),
    }
}
