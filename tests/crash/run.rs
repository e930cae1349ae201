//! Runs a program that is going to die, and looks at how it did.
//!
//! Each run has a folder of its own, made new, with links to what its program needs, because some remove or replace
//! their own files. Standard error goes to a file there: a pipe would have to be read meanwhile, and the report is to be
//! had also when the program hangs. A run that takes too long is killed with its whole process group. Time is counted
//! in naps and not by the clock, so that a machine that stood still for a while does not look like a program that did.

use super::report::{self, Verdict};
use super::scenario::Scenario;
use super::{Outcome, builds};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process_group, setrlimit};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

/// Naps of ten milliseconds before a program counts as hanging: 20 s on a machine that is idle.
const NAPS: u32 = 2000;

/// More than this is too much to read: 64 KB for the crashing thread and 256 KB for all others, raw and named.
const LONGEST: u64 = 2 * (64 + 256) * 1024;

/// The exit code by which a program says that its scenario cannot be set up here.
const CANNOT: &str = "exit:77";

/// No core files from what dies here; what the kernel writes into one is not looked at.
pub(crate) fn without_core_files() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).expect("a limit may always be lowered");
}

/// How a program ended.
pub(crate) enum End {
    /// By itself or by a signal, in the words of the scenarios.
    Died(String),
    /// It had to be killed.
    Hung,
}

/// The end of a process in the words of the scenarios: `SIGSEGV`, `exit:3`.
pub(crate) fn words(status: ExitStatus) -> String {
    const NAMES: [(i32, &str); 9] = [
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (11, "SIGSEGV"),
        (13, "SIGPIPE"),
        (31, "SIGSYS"),
    ];
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit:{code}"),
        (None, Some(signal)) => {
            let name = NAMES.iter().find(|(number, _)| *number == signal);
            name.map_or_else(|| format!("signal {signal}"), |(_, name)| (*name).to_owned())
        }
        (None, None) => "nothing known".to_owned(),
    }
}

/// Starts a command in a process group of its own and waits for it, for as long as that may take.
pub(crate) fn wait(command: &mut Command) -> End {
    let mut child = command.process_group(0).spawn().expect("a program that was just built can be started");
    let group = Pid::from_child(&child);
    for _ in 0..NAPS {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            // What it left behind, such as a child of its own, is not needed any more.
            let _ = kill_process_group(group, Signal::KILL);
            return End::Died(words(status));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
    End::Hung
}

/// A folder for one run of a scenario, with what its program needs.
fn prepare(scenario: &Scenario, kind: &str, program: &Path) -> PathBuf {
    let folder = builds::folder().join("runs").join(format!("{}-{kind}", scenario.name));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder of a run");
    let built = builds::folder();
    let place = |from: &Path, to: &str, is_copied: bool| {
        let to = folder.join(to);
        let done = if is_copied { fs::copy(from, to).map(|_| ()) } else { std::os::unix::fs::symlink(from, to) };
        done.unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    };
    place(&built.join("dso.so"), "dso.so", false);
    place(&built.join("dso_blocks.so"), "dso_blocks.so", false);
    if scenario.needs("copy") {
        place(&built.join("impostor"), "impostor", true);
    }
    if scenario.needs("copy_dso") {
        place(&built.join("dso.so"), "dso_copy.so", true);
    }
    if scenario.needs("copy") {
        place(program, "program", true);
    }
    folder
}

/// Where standard error goes, and what has to be kept until the end.
fn standard_error(scenario: &Scenario, folder: &Path) -> (Stdio, Option<std::io::PipeReader>) {
    if scenario.needs("stderr_full") {
        return (File::options().write(true).open("/dev/full").expect("/dev/full").into(), None);
    }
    if scenario.needs("stderr_stuck") || scenario.needs("stderr_broken") {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        if scenario.needs("stderr_broken") {
            return (writer.into(), None);
        }
        writer.write_all(&[b'.'; 65536]).expect("a new pipe holds 64 KiB");
        return (writer.into(), Some(reader));
    }
    (File::create(folder.join("stderr")).expect("a file in a new folder").into(), None)
}

/// One run, with the library or without.
fn one(scenario: &Scenario, kind: &str, program: &Path, is_preloaded: bool) -> (End, PathBuf) {
    let folder = prepare(scenario, kind, program);
    let program = if scenario.needs("copy") { folder.join("program") } else { program.to_owned() };
    let (stderr, _reader) = standard_error(scenario, &folder);
    let mut command = Command::new(program);
    command.arg(&scenario.argument).current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    command.env_remove("TOOLBOX_CRASH").env_remove("RUST_BACKTRACE");
    if is_preloaded {
        command.env("LD_PRELOAD", builds::library());
    }
    (wait(&mut command), folder)
}

/// What a scenario prints when nothing is preloaded; `None` where it cannot be run.
pub(crate) fn bare_report(scenario: &Scenario) -> Option<String> {
    let program = builds::plain(scenario).ok()?;
    let (end, folder) = one(scenario, "alone", &program, false);
    match end {
        End::Died(words) if words == CANNOT => None,
        End::Died(words) => {
            assert_eq!(words, scenario.end, "{} without the library", scenario.name);
            Some(text(&folder))
        }
        End::Hung => panic!("{} hangs without the library", scenario.name),
    }
}

/// Runs a scenario both ways and judges it.
pub(crate) fn outcome(scenario: &Scenario) -> Outcome {
    let (program, reporting) = match builds::plain(scenario).and_then(|plain| Ok((plain, builds::reporting(scenario)?)))
    {
        Ok(built) => built,
        Err(why) => return Outcome::Skipped(why),
    };
    let (alone, _) = one(scenario, "alone", &program, false);
    let expected = match alone {
        End::Died(words) if words == CANNOT => {
            return Outcome::Skipped("this host does not let it be set up".to_owned());
        }
        End::Died(words) => words,
        End::Hung => panic!("{} hangs without the library", scenario.name),
    };
    assert_eq!(expected, scenario.end, "{} without the library", scenario.name);
    let is_preloaded = !scenario.needs("linked") && !scenario.variant.is_some_and(|build| build.is_linked);
    let (end, folder) = one(scenario, "reported", &reporting, is_preloaded);
    let said = text(&folder);
    let mut verdict = report::read(&said).verdict(scenario);
    verdict.faults.extend(faults(scenario, end, &folder));
    Outcome::Judged(Verdict { ..verdict })
}

/// What may never happen, in words.
fn faults(scenario: &Scenario, end: End, folder: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    match end {
        End::Hung => faults.push("hangs".to_owned()),
        End::Died(words) if words != scenario.end => faults.push(format!("ends with {words}, not {}", scenario.end)),
        End::Died(_) => {}
    }
    if fs::metadata(folder.join("stderr")).is_ok_and(|file| file.len() > LONGEST) {
        faults.push(format!("prints more than {LONGEST} bytes"));
    }
    if scenario.needs("data") && fs::read(folder.join("data.txt")).unwrap_or_default() != b"data\n" {
        faults.push("writes into the program's own file".to_owned());
    }
    faults
}

fn text(folder: &Path) -> String {
    String::from_utf8_lossy(&fs::read(folder.join("stderr")).unwrap_or_default()).into_owned()
}

/// The last report of a scenario with the library.
pub(crate) fn last_report(scenario: &Scenario) -> String {
    text(&builds::folder().join("runs").join(format!("{}-reported", scenario.name)))
}
