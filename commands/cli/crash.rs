//! The command line of `toolbox crash`.

use crate::ui::numbers::parse_duration;
use clap::{Args, Subcommand, ValueEnum, ValueHint};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Say where and why a program died
///
/// Runs a program so that it reports its own crash, and shows what such reports look like.
#[derive(Args, Debug)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Crash {
    /// What to do.
    #[command(subcommand)]
    pub(crate) what: CrashCommand,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum CrashCommand {
    Run(CrashRun),

    Demo(CrashDemo),
}

const RUN_EXAMPLES: &str = "\
Examples:
  toolbox crash run -- ./server --port 80            a report on stderr if it crashes
  toolbox crash run --file '/var/crash/%e.%p' -- ./server
  toolbox crash run --text none --json fd:3 -- ./server 3>crash.json
  toolbox crash run --preload ./libtoolbox.so -- make test";

/// Run a command that reports its own crash
///
/// Loads libtoolbox.so into the command and into whatever that starts, by way of LD_PRELOAD. The command is started in place of
/// toolbox: its process, exit status and death by a signal are its own. Statically linked programs, and those
/// that have more rights than who starts them, load no other library; toolbox warns of them.
#[derive(Args, Debug)]
#[command(before_long_help = RUN_EXAMPLES)]
pub(crate) struct CrashRun {
    /// The library; otherwise libtoolbox.so beside toolbox, or in ../lib
    #[arg(long, value_name = "LIB", value_hint = ValueHint::FilePath)]
    pub(crate) preload: Option<PathBuf>,

    /// Where the text goes: stderr, none, fd:N, or a path
    ///
    /// In a path %p stands for the process, %i the thread, %t the time in seconds since 1970, %e the program's name, %s
    /// the signal's number.
    #[arg(long, value_name = "WHERE")]
    pub(crate) text: Option<String>,

    /// Write a second copy of the text to a file
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<String>,

    /// Where the report goes as JSON, as for --text
    #[arg(long, value_name = "WHERE")]
    pub(crate) json: Option<String>,

    /// Which threads are shown
    #[arg(long, value_enum, default_value = "all")]
    pub(crate) threads: CrashThreads,

    /// Show addresses only
    #[arg(long)]
    pub(crate) no_names: bool,

    /// Show no source lines
    #[arg(long)]
    pub(crate) no_source: bool,

    /// How long a report may take
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s", hide_short_help = true)]
    pub(crate) limit: Duration,

    /// Further options as in TOOLBOX_CRASH: key=value,... (repeatable)
    #[arg(short, long = "option", value_name = "KEY=VALUE", hide_short_help = true)]
    pub(crate) options: Vec<String>,

    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "CMD", value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<OsString>,
}

/// Which threads are in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CrashThreads {
    /// The one that crashed, then the others.
    All,
    /// The one that crashed.
    One,
}

const DEMO_EXAMPLES: &str = "\
Examples:
  toolbox crash demo --list                which ways there are
  toolbox crash demo stack-overflow        one of them
  toolbox crash demo                       all, one after the other";

/// Crash on purpose, to see the report
///
/// Starts toolbox once more, which crashes in the way that is named, or in each way in turn. The reports go to standard
/// error; how each ended is said on standard output.
#[derive(Args, Debug)]
#[command(before_long_help = DEMO_EXAMPLES)]
pub(crate) struct CrashDemo {
    /// The way to crash (--list)
    #[arg(conflicts_with = "list")]
    pub(crate) scenario: Option<String>,

    /// List the ways there are
    #[arg(long)]
    pub(crate) list: bool,

    /// Crash in this process
    #[arg(long, hide = true, requires = "scenario")]
    pub(crate) here: bool,
}
