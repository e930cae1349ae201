//! The command line of `toolbox crash`.

use super::Output;
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

    Symbolize(Box<CrashSymbolize>),
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

const SYMBOLIZE_EXAMPLES: &str = "\
Examples:
  toolbox crash symbolize -e ./server 0x1139 0x24f0   addresses as the linker counted
  toolbox crash symbolize -e ./server < addresses     one a line
  toolbox crash symbolize < report.txt                a report of addresses, with names
  toolbox crash symbolize --symbols ./debug < report.txt
  toolbox crash symbolize --addr2line -f -C -i -e ./server 0x1139";

/// Say which function and line an address is in
///
/// Reads symbols, and DWARF of versions 2 to 5, compressed or in other files. Without addresses on the command line they are
/// read from standard input, one a line: an address, `module+0x1139`, or a line of a report. A file is used only when it has the
/// build id that the report names.
#[derive(Args, Debug)]
#[command(before_long_help = SYMBOLIZE_EXAMPLES)]
pub(crate) struct CrashSymbolize {
    /// Addresses in hexadecimal, with 0x or without; or module+0x1139
    #[arg(value_name = "ADDR")]
    pub(crate) addresses: Vec<OsString>,

    /// The program or library that plain addresses lie in
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) exe: Option<PathBuf>,

    /// Where to look for files with symbols, by build id or name (repeatable)
    ///
    /// Looked at are DIR/.build-id/xx/yyyy.debug, DIR/BUILDID/debuginfo, DIR/PATH and DIR/NAME, before /usr/lib/debug.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) symbols: Vec<PathBuf>,

    /// Plain addresses are where calls return to: look at the call before
    #[arg(long)]
    pub(crate) calls: bool,

    /// Leave names as the linker has them
    #[arg(long, conflicts_with = "addr2line")]
    pub(crate) no_demangle: bool,

    /// Look with this many threads [default: what the processors allow]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), hide_short_help = true)]
    pub(crate) threads: Option<u16>,

    #[command(flatten)]
    pub(crate) addr2line: Addr2line,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// The output of another tool, for scripts that read it.
#[derive(Args, Debug)]
#[command(next_help_heading = "As addr2line")]
pub(crate) struct Addr2line {
    /// Print what addr2line of the GNU binutils would
    #[arg(long, conflicts_with = "format")]
    pub(crate) addr2line: bool,

    /// Print the function as well
    #[arg(short, long, requires = "addr2line")]
    pub(crate) functions: bool,

    /// Print demangled names
    #[arg(short = 'C', long, requires = "addr2line")]
    pub(crate) demangle: bool,

    /// Print the functions that it was inlined into
    #[arg(short, long, requires = "addr2line")]
    pub(crate) inlines: bool,

    /// Print on one line
    #[arg(short, long, requires = "addr2line")]
    pub(crate) pretty_print: bool,

    /// Print names of files without their folders
    #[arg(short = 's', long, requires = "addr2line")]
    pub(crate) basenames: bool,

    /// Print the address
    #[arg(short = 'a', long = "addresses", requires = "addr2line")]
    pub(crate) with_addresses: bool,
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
