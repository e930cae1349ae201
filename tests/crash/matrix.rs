//! The table of scenarios: written when asked for, and otherwise compared with what happened.
//!
//! What the peers print is from runs of our own of comparable programs on one machine (Debian 12, glibc 2.36), each peer
//! installed by a preloaded library; versions stand in the table's introduction.

use super::report::Level;
use super::scenario::Scenario;
use super::{Outcome, known};
use std::path::{Path, PathBuf};

const INTRODUCTION: &str = "\
# What is said of each way to crash

Made by `TOOLBOX_MATRIX=write cargo test -p toolbox-cli --test crash`; the test fails when a verdict changes. The programs
lie in [programs](programs), with the frames and the line that a report has to name.

*full*: every expected frame is named, and the line of the fault. *names*: every frame, no line. *part of the frames*: some
of them. *addresses*: module and offset. *nothing*: nothing that would help. Behind a comma stands what may never be, such as
*hangs*: no end within 20 s.

The peers are cpptrace 91b6b78 (by its recipe for signals), folly ff98381ea, and crash-handler 0.8.1 with minidumper 0.11 (which has
a process beside the program and makes names later), each preloaded into programs like these. An empty cell was not tried.

";

/// What three peers do in comparable scenarios: cpptrace, folly, minidumper. F full, N names, P part, A addresses,
/// - nothing, h hangs, x ends otherwise, w wrong names, d writes into the program's file, c the earlier handler is not called.
const PEERS: &str = "
null_deref F F F|sigfpe F F F|sigill F F F|call_noncanonical F F F|bin_O2 F F F|bin_dwarf4 F F F|stack_overflow P P F
stack_overflow_thread - - F|rs_overflow_thread - - F|abort F F F|stack_chk F F F|double_free F F F|abort_in_malloc -h F F
segv_in_malloc -h F F|sigbus F F F|sigtrap F - Fx|sigsys F - -|segv_in_handler F F P|nested_handlers F F P
bin_nopie F F P|jump_null F F F|call_garbage F F F|dlclosed F F F|call_heap - - F|smashed_frame F - F|smashed_return - - F
bad_rsp F - F|multi_thread F F F|other_threads F F F|tiny_stack - - -|blocked_segv - - -|app_handler - - -|fs_zero - - -
bin_static - - -|deep_100k P P F|small_altstack - - F|ucontext F F F|ctor F F F|bin_fp F F F|jit F F F|loader_lock -h -h F
dlopen_lock F F F|stdio_lock F F F|fork_child -h -h P|pid1 F F -|dlopen F F F|dso_deleted P P P|exe_deleted A A A
exe_replaced A A Pw|fd_exhausted - A F|seccomp_eperm - A F|oom - Ax F|stdio_closed - - F|stdio_reused Fd -d F
seccomp_kill -x -x -x|chroot_empty A - F|undumpable F F F|chain_early Fc F F|app_recovers F F F|vdso F F F|in_syscall F F F
heap_scribble F - -|atexit F F F|inlined F P F|inlined_O2 F P F|bin_zlib F N F|bin_zstd F N F|bin_debuglink F F F
bin_dwo F F N|bin_dwp N N N|bin_clang F N F|bin_debugframe P P P|bin_nodebug F F F|bin_minidebug A A F|bin_stripped A A A
inlined_dwo F P P|cxx_template F F F|cxx_template_O2 F F F|cxx_throw F F F|cxx_noexcept F F F|cxx_pure F F P
cxx_static_dtor F F P|rs_null Nm N F|rs_overflow P P P|rs_panic_abort Nm F F";

const COLUMNS: [&str; 3] = ["cpptrace", "folly", "minidumper"];

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/crash/MATRIX.md")
}

/// What came of a scenario, in words.
pub(crate) fn words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Skipped(why) => format!("skipped: {why}"),
        Outcome::Judged(verdict) => {
            let faults = verdict.faults.iter().map(|fault| format!(", {fault}"));
            format!("{}{}", verdict.level, faults.collect::<String>())
        }
    }
}

fn peers(name: &str) -> [String; 3] {
    let found = PEERS.split(['|', '\n']).find(|row| row.split_whitespace().next() == Some(name));
    let mut letters = found.unwrap_or_default().split_whitespace().skip(1).map(in_words);
    std::array::from_fn(|_| letters.next().unwrap_or_default())
}

fn in_words(letters: &str) -> String {
    let word = |letter| match letter {
        'F' => "full",
        'N' => "names",
        'P' => "part",
        'A' => "addresses",
        '-' => "nothing",
        'h' => ", hangs",
        'x' => ", ends otherwise",
        'w' => ", wrong names",
        'd' => ", writes into the program's file",
        'c' => ", earlier handler not called",
        'm' => ", mangled",
        _ => "?",
    };
    letters.chars().map(word).collect()
}

/// The lines of the table, one a scenario.
fn table(rows: &[(&Scenario, &Outcome)]) -> String {
    let mut table = format!("| scenario | ends with | we print | {} | why not full |\n", COLUMNS.join(" | "));
    table.push_str("|---|---|---|---|---|---|---|\n");
    for (scenario, outcome) in rows {
        let why = known::reason(&scenario.name).or(known::limit(scenario.best)).unwrap_or_default();
        let peers = peers(&scenario.name).join(" | ");
        let end = &scenario.end;
        table.push_str(&format!("| {} | {end} | {} | {peers} | {why} |\n", scenario.name, words(outcome)));
    }
    table
}

fn sums(rows: &[(&Scenario, &Outcome)]) -> String {
    let judged = rows.iter().filter_map(|(scenario, outcome)| match outcome {
        Outcome::Judged(verdict) => Some((scenario, verdict)),
        Outcome::Skipped(_) => None,
    });
    let (mut all, mut full, mut best, mut unsound) = (0, 0, 0, 0);
    for (scenario, verdict) in judged {
        all += 1;
        full += usize::from(verdict.level == Level::Full && verdict.is_sound());
        best += usize::from(verdict.level >= scenario.best && verdict.is_sound());
        unsound += usize::from(!verdict.is_sound());
    }
    format!("{all} scenarios: {full} in full, {best} with all that is to be had, {unsound} with what may never be.\n\n")
}

/// Writes the table when that is asked for; otherwise what differs in it.
pub(crate) fn compare_or_write(rows: &[(&Scenario, &Outcome)]) -> Vec<String> {
    if std::env::var("TOOLBOX_MATRIX").is_ok_and(|value| value == "write") {
        let text = format!("{INTRODUCTION}{}{}", sums(rows), table(rows));
        return std::fs::write(path(), text).err().map(|error| error.to_string()).into_iter().collect();
    }
    differences(&std::fs::read_to_string(path()).unwrap_or_default(), rows)
}

fn differences(committed: &str, rows: &[(&Scenario, &Outcome)]) -> Vec<String> {
    let cells = |line: &str| -> Vec<String> { line.split('|').map(|cell| cell.trim().to_owned()).collect() };
    let committed: Vec<_> = committed.lines().filter(|line| line.starts_with("| ")).map(cells).collect();
    let mut found = Vec::new();
    for (scenario, outcome) in rows {
        let now = words(outcome);
        let before = committed.iter().find(|cells| cells[1] == scenario.name).map(|cells| cells[3].as_str());
        // What this host has no tool for was perhaps tried on another.
        let is_same = before == Some(now.as_str()) || matches!(outcome, Outcome::Skipped(_)) && before.is_some();
        if !is_same {
            found.push(format!("MATRIX.md is stale: {}: {now}, it says {before:?}", scenario.name));
        }
    }
    let gone = committed.iter().skip(1).filter(|cells| !rows.iter().any(|(scenario, _)| scenario.name == cells[1]));
    found.extend(gone.map(|cells| format!("MATRIX.md is stale: there is no scenario `{}`", cells[1])));
    found
}

#[test]
fn a_stale_table_is_found() {
    let scenarios = super::scenario::all();
    let outcome = Outcome::Judged(super::report::Verdict { level: Level::Full, faults: Vec::new() });
    let worse = Outcome::Judged(super::report::Verdict { level: Level::Full, faults: vec!["hangs".to_owned()] });
    let rows: Vec<_> = scenarios.iter().take(3).map(|scenario| (scenario, &outcome)).collect();
    let fresh = table(&rows);
    assert_eq!(differences(&fresh, &rows), [""; 0]);
    assert_eq!(differences(&fresh, &rows[..2]).len(), 1);
    assert_eq!(differences(&fresh, &[rows[0], rows[1], (rows[2].0, &worse)]).len(), 1);
    assert_eq!(differences("", &rows).len(), 3);
}

#[test]
fn every_peer_row_belongs_to_a_scenario() {
    let scenarios = super::scenario::all();
    let names = PEERS.split(['|', '\n']).filter_map(|row| row.split_whitespace().next());
    let unknown: Vec<_> = names.filter(|name| !scenarios.iter().any(|scenario| scenario.name == *name)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert_eq!(peers("sigtrap"), ["full", "nothing", "full, ends otherwise"]);
}
