//! The whole command line: every option with its help. Syntax only; what a pattern means or whether a file is there is
//! found out later, by the subcommand.

mod crash;

use crate::ui::numbers::{parse_bytes, parse_duration};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) use crash::{Addr2line, Crash, CrashCommand, CrashDemo, CrashRun, CrashSymbolize, CrashThreads};

/// The version with the commit it was built from.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("TOOLBOX_COMMIT"), ")");

/// Diagnostics for Linux hosts
///
/// A box of tools for the person on call. Each subcommand answers one question, writes the answer to standard output
/// and everything else to standard error, and speaks JSON when asked to.
#[derive(Debug, Parser)]
#[command(name = "toolbox", version = VERSION, propagate_version = true, max_term_width = 100)]
#[command(disable_help_subcommand = false, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Fragtop(Box<Fragtop>),

    Bench(Bench),

    Crash(Crash),

    /// Print a completion script for a shell
    ///
    /// For bash: `toolbox completions bash > /etc/bash_completion.d/toolbox`.
    Completions {
        /// The shell to complete in
        shell: Shell,
    },

    /// Write the manual pages into a directory
    #[command(hide = true)]
    Man {
        /// Where to write them
        directory: PathBuf,
    },
}

const FRAGTOP_EXAMPLES: &str = "\
Examples:
  toolbox fragtop /var/log                        walk a directory
  toolbox fragtop -p '/var/log/**/*.log' -n 5     a pattern; the five worst
  toolbox fragtop --sort excess --advise /srv     what to rewrite, and how
  toolbox fragtop --filesystem /                  every file of a mount
  toolbox fragtop --by dir /home                  which directories
  toolbox fragtop --extents /var/log/wtmp         where one file lies
  toolbox fragtop -i /srv                         watch, sort, look into files
  toolbox fragtop --format json /srv | jq '.files[0]'";

/// Rank files by fragmentation
///
/// Asks the kernel where every file lies on its volume, and lists those that lie in the most pieces. A fragment is a
/// run of extents that are contiguous on the volume, as filefrag counts them; holes do not break a run. Files that
/// cannot be looked at are counted and named, and never end the run. Nothing is written to any disk.
#[derive(Args, Debug)]
#[command(before_long_help = FRAGTOP_EXAMPLES)]
pub(crate) struct Fragtop {
    /// Files, and directories to walk
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) paths: Vec<PathBuf>,

    /// Look at what matches a pattern (repeatable)
    ///
    /// `*` and `?` match within a name, hidden ones too, `[a-z]` one character, `**` any number of directories:
    /// '/var/log/**/*'. Quote it, or the shell expands it first. A directory that matches is not descended into. A
    /// pattern without wildcards is a path, and a directory of that name is walked.
    #[arg(short, long = "pattern", value_name = "GLOB")]
    pub(crate) patterns: Vec<OsString>,

    /// Read paths from a file, each ended by a NUL; - for standard input
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, hide_short_help = true)]
    pub(crate) files0_from: Option<PathBuf>,

    /// Look at every file of a mount, from its records
    ///
    /// Without opening the files or walking the tree: ext2/3/4 by the inode tables on the block device (read only;
    /// takes the right to read the device), XFS by BULKSTAT and btrfs by TREE_SEARCH_V2 (both take root). Where that
    /// cannot be done it says why, and walks.
    #[arg(long, value_name = "MOUNT", value_hint = ValueHint::DirPath, conflicts_with_all = ["paths", "patterns", "files0_from"])]
    pub(crate) filesystem: Option<PathBuf>,

    /// Show the extents of the files given
    #[arg(long, conflicts_with_all = ["patterns", "filesystem", "by", "histogram", "files0_from"], requires = "paths")]
    pub(crate) extents: bool,

    /// Watch the ranking fill (? for help)
    ///
    /// A full-screen view of the first 200 files by each sort key, or of more with -n. Needs a terminal.
    #[arg(short, long, conflicts_with_all = ["extents", "all", "by", "histogram", "advise", "fail_over", "format"])]
    pub(crate) interactive: bool,

    #[command(flatten)]
    pub(crate) selection: Selection,

    #[command(flatten)]
    pub(crate) ranking: RankingOptions,

    #[command(flatten)]
    pub(crate) scan: ScanOptions,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Which files count.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which files")]
pub(crate) struct Selection {
    /// Leave out files smaller than this (64K, 1.5GiB)
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, default_value = "0", hide_short_help = true)]
    pub(crate) min_size: u64,

    /// List only files of at least this many fragments
    #[arg(long, value_name = "N", default_value_t = 0, hide_short_help = true)]
    pub(crate) min_fragments: u64,

    /// Leave out what matches, directories with all they hold (repeatable)
    ///
    /// A pattern without a slash is matched against names, one with a slash against whole paths.
    #[arg(long, value_name = "GLOB", hide_short_help = true)]
    pub(crate) exclude: Vec<OsString>,

    /// Follow symbolic links
    #[arg(short = 'L', long, hide_short_help = true)]
    pub(crate) follow: bool,

    /// Stay on the file system of each path given
    #[arg(short = 'x', long)]
    pub(crate) one_file_system: bool,
}

/// How they are ranked.
#[derive(Args, Debug)]
#[command(next_help_heading = "Ranking")]
pub(crate) struct RankingOptions {
    /// List this many files
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub(crate) top: usize,

    /// List every file
    #[arg(long, conflicts_with = "top", hide_short_help = true)]
    pub(crate) all: bool,

    /// Rank by fragments, excess, surplus, size, extents, path
    ///
    /// Most first, but for path; equal files rank by path. excess: estimated extra time to read the file, over the
    /// ideal layout. surplus: fragments beyond the ideal. extents: extent records.
    #[arg(long, value_name = "KEY", value_enum, hide_possible_values = true, default_value_t = SortKey::Fragments)]
    pub(crate) sort: SortKey,

    /// Sum per directory
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(crate) by: Option<By>,

    /// Show how many files have how many fragments
    #[arg(long, hide_short_help = true)]
    pub(crate) histogram: bool,

    /// Print the command that would rewrite each listed file in one piece
    #[arg(long, hide_short_help = true)]
    pub(crate) advise: bool,

    /// Exit 1 when a file has more fragments than this
    #[arg(long, value_name = "N", hide_short_help = true)]
    pub(crate) fail_over: Option<u64>,
}

/// How the files are looked at.
#[derive(Args, Debug)]
#[command(next_help_heading = "How to look")]
pub(crate) struct ScanOptions {
    /// Have the kernel write out what it holds back before it tells where things lie
    ///
    /// Without it, data that has no place yet counts as no fragment, and the disk is not written to.
    #[arg(long, hide_short_help = true)]
    pub(crate) sync: bool,

    /// Look with this many threads [default: what the processors and the disk allow]
    #[arg(short = 'j', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), hide_short_help = true)]
    pub(crate) threads: Option<u16>,

    /// Give a file up that has not answered for so long [default: 10; with --sync 300]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..), hide_short_help = true)]
    pub(crate) timeout: Option<u32>,

    /// What the volumes are on, for `excess` and the number of threads
    #[arg(long, value_enum, default_value_t = Medium::Auto, hide_short_help = true)]
    pub(crate) media: Medium,

    /// List every file that could not be looked at
    #[arg(long, hide_short_help = true)]
    pub(crate) errors: bool,
}

/// Measure primitives beside what one would use instead, on this host
///
/// Answers which queue to use on this host for which shape of load, with figures that hold: threads share one structure,
/// rounds are shuffled between the rivals, every run is checked, and a ratio comes with the interval that it lies in.
#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// What to measure.
    #[command(subcommand)]
    pub(crate) what: Benchmark,
}

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum Benchmark {
    /// Measure queues: first in, first out
    ///
    /// Every rival moves items between threads under several loads. The unit is a pair: one item put in and taken out.
    /// Before anything is timed each rival is checked item by item, and each timed run is checked as well; a wrong answer
    /// has no speed, and ends with exit code 1.
    #[command(before_long_help = BENCH_QUEUE_EXAMPLES)]
    Queue(Box<BenchBag>),

    /// Measure stacks: last in, first out
    ///
    /// Every rival moves items between threads under several loads. The unit is a pair: one item put in and taken out. Each
    /// item is checked, before anything is timed and while it is; a wrong answer has no speed, and ends with exit code 1.
    #[command(before_long_help = BENCH_STACK_EXAMPLES)]
    Stack(Box<BenchBag>),

    /// Measure locks for one writer or many readers
    #[command(before_long_help = BENCH_RWLOCK_EXAMPLES)]
    Rwlock(Box<BenchRwlock>),

    /// Measure locks for one thread at a time
    #[command(before_long_help = BENCH_MUTEX_EXAMPLES)]
    Mutex(Box<BenchMutex>),

    /// Measure locks that tasks await
    #[command(before_long_help = BENCH_ASYNC_MUTEX_EXAMPLES)]
    AsyncMutex(Box<BenchAsyncMutex>),

    /// Measure events: one signals, another goes on
    #[command(before_long_help = BENCH_EVENT_EXAMPLES)]
    Event(Box<BenchEvent>),

    /// Measure everything, one bench after the other
    ///
    /// Says beforehand how long it will take, and keeps to that: as many samples are taken as fit. Ends with what to use on
    /// this host for which shape of load.
    #[command(before_long_help = BENCH_ALL_EXAMPLES)]
    All(Box<BenchAll>),

    /// The process in which a structure is frozen; started by --freeze, and of no use to anybody else
    #[command(hide = true)]
    Stage {
        /// What kind of structure
        kind: String,
        /// Which
        name: String,
    },

    /// List what can be measured, and the rivals
    List {
        #[command(flatten)]
        output: Output,
    },

    /// Weigh a queue or a stack in this process
    #[command(hide = true)]
    Weigh {
        /// queue or stack
        bench: String,
        /// Which
        name: String,
        /// With what inside
        #[arg(value_enum)]
        payload: Carried,
        /// How many
        items: usize,
    },
}

const BENCH_ALL_EXAMPLES: &str = "\
Examples:
  toolbox bench all                     every bench with its usual loads
  toolbox bench all --quick             the same in a fraction of the time
  toolbox bench all --time 10m --save today.json";

/// How everything is measured.
#[derive(Args, Debug)]
pub(crate) struct BenchAll {
    /// Shorter samples, and fewer
    #[arg(long)]
    pub(crate) quick: bool,

    /// Take about so long in all (90s, 10m)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) time: Option<Duration>,

    /// With so many threads, where the load leaves it open [default: 1,2,4,8]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Vec<u16>,

    /// How many units, such as pairs, each thread does in a sample
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000), hide_short_help = true)]
    pub(crate) ops: Option<u64>,

    /// Keep thread i on the i-th of these processors
    #[arg(long, value_name = "CPU,...", value_delimiter = ',', hide_short_help = true)]
    pub(crate) pin: Vec<usize>,

    /// Weigh each queue and stack with so many items inside; 0 for not at all
    #[arg(long, value_name = "N", default_value_t = 1_000_000, hide_short_help = true)]
    pub(crate) weigh: usize,

    #[command(flatten)]
    pub(crate) keeping: Keeping,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// Answers that are kept, and compared with.
#[derive(Args, Clone, Debug)]
pub(crate) struct Keeping {
    /// Write the JSON to a file, after every load
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) save: Option<PathBuf>,

    /// Compare with what --save wrote, on another day or host
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) compare: Option<PathBuf>,

    /// Exit 1 when something became slower by more than this (with --compare)
    #[arg(long, value_name = "PERCENT", requires = "compare", value_parser = parse_percent, hide_short_help = true)]
    pub(crate) fail_over: Option<f64>,
}

const BENCH_QUEUE_EXAMPLES: &str = "\
Examples:
  toolbox bench queue                              one thread, and pairs
  toolbox bench queue --quick                      the same in seconds
  toolbox bench queue --workload all --threads 2   every load
  toolbox bench queue --with segqueue,flume        these only
  toolbox bench queue --save today.json
  toolbox bench queue --compare today.json --fail-over 10";

const BENCH_STACK_EXAMPLES: &str = "\
Examples:
  toolbox bench stack                              one thread, and pairs
  toolbox bench stack --workload all --threads 2   every load
  toolbox bench stack --with mutex-vec,mutex-linkedlist
  toolbox bench stack --save today.json";

const BENCH_RWLOCK_EXAMPLES: &str = "\
Examples:
  toolbox bench rwlock                                    10 and 50 % writes, held for 750 ns
  toolbox bench rwlock --quick                            the same in seconds
  toolbox bench rwlock --writes 1,10,50,100 --held 0,100ns,750ns,5us
  toolbox bench rwlock --bare --threads 1 --held 0        what taking a free lock costs
  toolbox bench rwlock --with std,parking-lot             these only";

const BENCH_MUTEX_EXAMPLES: &str = "\
Examples:
  toolbox bench mutex                                held for 750 ns, by as many threads as processors and more
  toolbox bench mutex --quick                        the same in seconds
  toolbox bench mutex --held 0,100ns,750ns,5us
  toolbox bench mutex --bare --threads 1 --held 0    what taking a free lock costs
  toolbox bench mutex --with toolbox,std             these only";

const BENCH_ASYNC_MUTEX_EXAMPLES: &str = "\
Examples:
  toolbox bench async-mutex                          1, 2, 8 and 64 tasks on two threads
  toolbox bench async-mutex --quick                  the same in seconds
  toolbox bench async-mutex --tasks 64 --held yield  held while others run
  toolbox bench async-mutex --with toolbox,tokio     these only";

/// Measure locks for one thread at a time
///
/// Threads take one lock, hold it for a time and work by themselves for 50 to 150 ns. The unit is a lock taken and let go.
/// Before anything is timed each rival is checked for who is inside, and in each timed run what the lock protects has to come
/// out right; a lock that lets in whom it should not has no speed, and ends with exit code 1.
#[derive(Args, Debug)]
pub(crate) struct BenchMutex {
    /// Hold the lock for so long (100ns, 5us)
    #[arg(long, value_name = "TIME,...", value_delimiter = ',', value_parser = parse_held, default_value = "750ns")]
    pub(crate) held: Vec<Duration>,

    /// Nothing to do between two locks
    #[arg(long, hide_short_help = true)]
    pub(crate) bare: bool,

    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// Measure locks that tasks await
///
/// Tasks of one executor take one lock and let it go again, or hold it while others run. The unit is a lock taken and let go.
/// Before anything is timed each rival is checked for who is inside, and in each timed run what the lock protects has to come
/// out right; a lock that lets in whom it should not has no speed, and ends with exit code 1.
#[derive(Args, Debug)]
#[command(mut_arg("threads", |threads| threads.default_values(["2"]).help("Tasks run on so many threads")))]
pub(crate) struct BenchAsyncMutex {
    /// So many tasks
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=1024), default_values_t = [1, 2, 8, 64])]
    pub(crate) tasks: Vec<u16>,

    /// What a task does with the lock: let it go at once, or let others run before
    #[arg(long, value_name = "WHAT,...", value_delimiter = ',', value_enum, default_values_t = [HeldBy::Nothing, HeldBy::Yield])]
    pub(crate) held: Vec<HeldBy>,

    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// What is done while a task holds a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HeldBy {
    /// What the lock protects is counted up
    Nothing,
    /// Other tasks run
    Yield,
}

/// Measure locks for one writer or many readers
///
/// Threads take one lock, to write or to read, hold it for a time and work by themselves for 50 to 150 ns. The unit is a
/// lock taken and let go. Before anything is timed each rival is checked for who is inside, and in each timed run what the
/// lock protects has to come out right; a lock that lets in whom it should not has no speed, and ends with exit code 1.
#[derive(Args, Debug)]
pub(crate) struct BenchRwlock {
    /// So many in a hundred locks are to write
    #[arg(long, value_name = "PERCENT,...", value_delimiter = ',', value_parser = clap::value_parser!(u8).range(0..=100), default_values_t = [10, 50])]
    pub(crate) writes: Vec<u8>,

    /// Hold the lock for so long (100ns, 5us)
    #[arg(long, value_name = "TIME,...", value_delimiter = ',', value_parser = parse_held, default_value = "750ns")]
    pub(crate) held: Vec<Duration>,

    /// Nothing to do between two locks
    #[arg(long, hide_short_help = true)]
    pub(crate) bare: bool,

    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

const BENCH_EVENT_EXAMPLES: &str = "\
Examples:
  toolbox bench event                              a flag to and fro: threads, tasks
  toolbox bench event --quick                      the same in seconds
  toolbox bench event --after 0,100us              threads that fall asleep in between
  toolbox bench event --workload count-threads,count-tasks
  toolbox bench event --workload tasks --tasks 2,64";

/// Measure events: one signals, another goes on
///
/// Flags that two threads or tasks hand to and fro, and counts that some add to and others take from. The unit is a signal.
/// Before anything is timed each rival is checked for signals that are lost and waits that end without one, and each timed
/// run is checked as well; who is wrong has no speed, and ends with exit code 1.
#[derive(Args, Debug)]
pub(crate) struct BenchEvent {
    /// What is done, or all
    ///
    /// threads: two threads hand a flag to and fro. tasks: pairs of tasks do, on a runtime with two workers. count-threads: half
    /// of the threads add to a count, the others take from it; a single one does both. count-tasks: the same with tasks.
    #[arg(long, value_name = "LOAD,...", value_delimiter = ',', value_parser = parse_event_workload, default_value = "threads,tasks")]
    pub(crate) workload: Vec<Option<EventWorkload>>,

    /// Threads work for so long before they hand a flag back (0, 100us)
    #[arg(long, value_name = "TIME,...", value_delimiter = ',', value_parser = parse_held, default_value = "0")]
    pub(crate) after: Vec<Duration>,

    /// With so many tasks
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=1024), default_values_t = [2, 64], hide_short_help = true)]
    pub(crate) tasks: Vec<u16>,

    #[command(flatten)]
    pub(crate) measuring: Measuring,
}

/// What is done to flags and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventWorkload {
    /// Two threads hand a flag to and fro
    Threads,
    /// Pairs of tasks do
    Tasks,
    /// Some threads add to a count, others take from it
    CountThreads,
    /// The same with tasks
    CountTasks,
}

impl EventWorkload {
    /// Each of them.
    pub(crate) const ALL: [Self; 4] = [Self::Threads, Self::Tasks, Self::CountThreads, Self::CountTasks];
}

/// A load of events, or all of them.
fn parse_event_workload(text: &str) -> Result<Option<EventWorkload>, String> {
    if text == "all" {
        return Ok(None);
    }
    let wrong = |_| "there are threads, tasks, count-threads, count-tasks and all".to_owned();
    EventWorkload::from_str(text, false).map(Some).map_err(wrong)
}

/// How queues and stacks are measured.
#[derive(Args, Debug)]
pub(crate) struct BenchBag {
    /// What the threads do, or all
    ///
    /// pairs: everyone puts one in and takes one out, with 50 to 150 ns of own work in between; the load to judge by. bare:
    /// the same without work. loop: one thread puts 100,000 in, then takes them out. shared: every thread does that, on one
    /// structure. private: on one for each thread. split: some only put in, the others only take out. burst: all put
    /// 100,000 each in; when the last has, all take out. ping-pong: two threads hand one item to and fro. open: one puts in
    /// at a given rate (--rate), another takes out; the time is that from when an item was due until it is taken.
    #[arg(long, value_name = "LOAD,...", value_delimiter = ',', value_parser = parse_workload, default_value = "loop,pairs")]
    pub(crate) workload: Vec<Option<Workload>>,

    /// What the items are
    #[arg(long, value_name = "WHAT,...", value_delimiter = ',', value_enum, default_values_t = [Carried::Word], hide_short_help = true)]
    pub(crate) payload: Vec<Carried>,

    /// Weigh each structure with so many items inside; 0 for not at all
    #[arg(long, value_name = "N", default_value_t = 1_000_000, hide_short_help = true)]
    pub(crate) weigh: usize,

    /// Items a second, of the load open
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000), default_value_t = 500_000, hide_short_help = true)]
    pub(crate) rate: u64,

    #[command(flatten)]
    pub(crate) measuring: Measuring,

    #[command(flatten)]
    pub(crate) freezing: Freezing,
}

/// What else than measuring.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Progress by experiment")]
pub(crate) struct Freezing {
    /// See whether a thread that is stopped in the middle holds up the others
    ///
    /// Measures nothing. One thread is frozen before each instruction of a push and of a pop in turn, by single steps
    /// (ptrace), in a process of its own; meanwhile two others put in and take out a few thousand items, or cannot. Says at how
    /// many stops they cannot, and at which lines.
    #[arg(long, conflicts_with_all = ["workload", "payload", "threads", "baseline", "duration", "ops", "rounds", "quick", "pin", "save", "compare"])]
    pub(crate) freeze: bool,

    /// Freeze at so many places of each operation, evenly spread [default: every instruction, in loops the first and last time]
    #[arg(long, value_name = "N", requires = "freeze", value_parser = clap::value_parser!(u32).range(1..), hide_short_help = true)]
    pub(crate) stops: Option<u32>,

    /// With so many items inside before [default: none, 1, 3, and where an operation is not like the others]
    #[arg(long, value_name = "N,...", value_delimiter = ',', requires = "freeze", value_parser = clap::value_parser!(u64).range(..=10_000_000), hide_short_help = true)]
    pub(crate) inside: Vec<u64>,
}

/// How it is measured; the same for every bench.
#[derive(Args, Clone, Debug)]
pub(crate) struct Measuring {
    /// Only these (toolbox bench list)
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(crate) with: Vec<String>,

    /// Compare with this one [default: what bench list marks x = 1]
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    pub(crate) baseline: Option<String>,

    /// With so many threads, where the load leaves it open
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=256), default_values_t = [1, 2, 4, 8])]
    pub(crate) threads: Vec<u16>,

    /// How long a sample takes (20ms, 1s), where the load has no number of units of its own
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with = "ops", hide_short_help = true)]
    pub(crate) duration: Option<Duration>,

    /// How many units, such as pairs, each thread does in a sample
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000_000), hide_short_help = true)]
    pub(crate) ops: Option<u64>,

    /// Take so many samples of each that count [default: 31; with --quick 11]
    ///
    /// One more before them warms up. An interval takes at least eight that were not dropped.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) rounds: Option<u16>,

    /// Fewer and shorter samples
    #[arg(long)]
    pub(crate) quick: bool,

    /// Keep thread i on the i-th of these processors
    #[arg(long, value_name = "CPU,...", value_delimiter = ',', hide_short_help = true)]
    pub(crate) pin: Vec<usize>,

    /// Check for so long instead of measuring (10m), or until Ctrl-C; only ours unless --with names others
    ///
    /// Every run is checked, again and again, under every load that was chosen. The first wrong answer ends it, with the
    /// evidence and exit code 1.
    #[arg(long, value_name = "TIME", value_parser = parse_duration, conflicts_with_all = ["rounds", "save", "compare"], hide_short_help = true)]
    pub(crate) soak: Option<Duration>,

    #[command(flatten)]
    pub(crate) keeping: Keeping,

    #[command(flatten)]
    pub(crate) output: Output,
}

/// What the threads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// One thread puts n in, then takes n out
    Loop,
    /// Everyone puts one in and takes one out, with work in between
    Pairs,
    /// The same without work
    Bare,
    /// Some only put in, the others only take out
    Split,
    /// Every thread puts n in and takes n out, on one structure
    Shared,
    /// The same, on a structure for each thread
    Private,
    /// All put in, then all take out
    Burst,
    /// Two threads hand one item to and fro
    PingPong,
    /// One puts in at a given rate, another takes out: the time until an item is taken
    Open,
}

/// What an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Carried {
    /// 8 bytes
    #[value(name = "8")]
    Word,
    /// 64 bytes
    #[value(name = "64")]
    Line,
    /// A pointer to 8 bytes on the heap, which are made and freed with every pair
    Boxed,
}

impl Workload {
    /// As it is written on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().expect("no load is skipped").get_name().to_owned()
    }
}

impl Carried {
    /// As it is shown.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Word => "8 B",
            Self::Line => "64 B",
            Self::Boxed => "boxed",
        }
    }
}

/// A load by its name; none for `all`.
fn parse_workload(text: &str) -> Result<Option<Workload>, String> {
    if text == "all" {
        return Ok(None);
    }
    let names = || Workload::value_variants().iter().map(|load| load.name()).collect::<Vec<_>>().join(", ");
    Workload::from_str(text, false).map(Some).map_err(|_| format!("there are {} and all", names()))
}

/// For how long a lock is held: nothing, or a number with a unit.
fn parse_held(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no such time: 0, or a number with ns, us or ms, up to a second");
    let held = match text.strip_suffix("ns") {
        Some(number) => number.trim().parse().ok().map(Duration::from_nanos),
        None if text == "0" => Some(Duration::ZERO),
        None => parse_duration(text).ok().filter(|_| text.ends_with('s')),
    };
    held.filter(|held| *held <= Duration::from_secs(1)).ok_or_else(wrong)
}

/// A share in percent, not negative.
fn parse_percent(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').unwrap_or(text).trim().parse::<f64>().ok();
    percent.filter(|percent| (0.0..1e6).contains(percent)).ok_or_else(|| format!("'{text}' is no percentage"))
}

/// How the answer looks; the same for every subcommand.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Form of the answer: table, json, csv
    ///
    /// table is for people. json is one document in raw units, whose fields are added and never renamed. csv has a head
    /// line and raw units.
    #[arg(long, value_enum, value_name = "FORM", hide_possible_values = true, default_value_t = Format::Table)]
    pub(crate) format: Format,

    /// Use colour
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto, hide_short_help = true)]
    pub(crate) color: Color,

    /// Draw with ASCII only [default: when the locale is not UTF-8]
    #[arg(long, hide_short_help = true)]
    pub(crate) ascii: bool,

    /// Say nothing but errors on standard error
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// What to rank by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortKey {
    /// Fragments
    Fragments,
    /// Estimated extra time to read the file, over the ideal layout
    Excess,
    /// Fragments beyond the ideal
    Surplus,
    /// Apparent size
    Size,
    /// Extent records
    Extents,
    /// Path, in order
    Path,
}

/// What to sum by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// The directory that a file is in
    Dir,
}

/// What a volume is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Medium {
    /// What the kernel says
    Auto,
    /// Pays for each request
    Ssd,
    /// Pays for distance
    Hdd,
}

/// Form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs: one document, raw units, fields are added and never renamed
    Json,
    /// For spreadsheets: a head line, raw units
    Csv,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }
}
