//! `toolbox crash run` and `toolbox crash demo`, and the tool under its own handler.

use super::builds;
use super::run::words;
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn toolbox(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolbox"));
    command.args(arguments).env_remove("TOOLBOX_CRASH").env_remove("LD_PRELOAD").env("RUST_BACKTRACE", "0");
    command.output().expect("toolbox was just built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn each_way_of_the_demonstration_ends_as_it_says() {
    super::run::without_core_files();
    let list = text(&toolbox(&["crash", "demo", "--list"]).stdout);
    let ways: Vec<_> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(ways.len() >= 15, "{list}");
    // Two at a time: without optimisation it takes seconds to look up the names of a program of this size.
    let (even, odd): (Vec<_>, Vec<_>) = ways.iter().enumerate().partition(|(number, _)| number % 2 == 0);
    std::thread::scope(|scope| {
        for half in [even, odd] {
            scope.spawn(move || half.into_iter().for_each(|(_, way)| demonstrate(way)));
        }
    });
    assert_eq!(toolbox(&["crash", "demo", "no-such-way"]).status.code(), Some(2));
}

fn demonstrate(way: &str) {
    let done = toolbox(&["crash", "demo", way]);
    let (said, reported) = (text(&done.stdout), text(&done.stderr));
    assert_eq!(done.status.code(), Some(0), "{said}{reported}");
    assert!(said.starts_with(&format!("{way}: ended by signal ")), "{said}");
    // A panic is reported as one, and then what it led to in one line.
    let is_panic = way.starts_with("panic");
    assert!(
        reported.contains(if is_panic { "*** toolbox: panic" } else { "*** toolbox: crashed" }),
        "{way}: {reported}"
    );
    assert!(reported.contains("\n#0 "), "{way}: {reported}");
}

#[test]
fn the_command_that_is_run_ends_by_itself() {
    super::run::without_core_files();
    let library = builds::library().display().to_string();
    let run = |command: &[&str]| toolbox(&[&["crash", "run", "--preload", &library, "--"], command].concat());
    for code in [0, 1, 2, 77, 130] {
        assert_eq!(run(&["sh", "-c", &format!("exit {code}")]).status.code(), Some(code));
    }
    assert_eq!(words(run(&["sh", "-c", "kill -TERM $$"]).status), "signal 15");
    let crashed = run(&["sh", "-c", "kill -SEGV $$"]);
    assert_eq!(words(crashed.status), "SIGSEGV");
    assert!(text(&crashed.stderr).contains("*** toolbox: crashed"), "{}", text(&crashed.stderr));
    let missing = run(&["/no/such/program"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(text(&missing.stderr).contains("/no/such/program"));
}

#[test]
fn options_reach_the_library() {
    super::run::without_core_files();
    let library = builds::library().display().to_string();
    let folder = builds::folder().join("run-options");
    std::fs::create_dir_all(&folder).expect("a folder below target");
    let file = folder.join("a,b.%e");
    let _ = std::fs::remove_file(folder.join("a,b.sh"));
    let file = file.display().to_string();
    let arguments =
        ["crash", "run", "--preload", &library, "--text", "none", "--file", &file, "--no-names", "--threads", "one"];
    let done =
        toolbox(&[&arguments[..], &["--limit", "3s", "-o", "color=never", "--", "sh", "-c", "kill -SEGV $$"]].concat());
    assert_eq!(text(&done.stderr), "");
    let program =
        std::fs::read_dir(&folder).expect("it was just made").next().expect("a report").expect("an entry").path();
    let said = std::fs::read_to_string(program).expect("a report");
    assert!(said.contains("*** toolbox: crashed") && !said.contains("*** names"), "{said}");
}

#[test]
fn what_cannot_be_preloaded_is_said() {
    super::run::without_core_files();
    let library = builds::library().display().to_string();
    let program =
        builds::made("static_true", &[], "echo 'int main(void) { return 0; }' > true.c; gcc -static true.c -o $O");
    let program = program.expect("no tool is asked for").display().to_string();
    let done = toolbox(&["crash", "run", "--preload", &library, "--", &program]);
    assert_eq!(done.status.code(), Some(0));
    assert!(text(&done.stderr).contains("is statically linked"), "{}", text(&done.stderr));
    let missing = toolbox(&["crash", "run", "--preload", "/no/such/library.so", "--", "true"]);
    assert_eq!(missing.status.code(), Some(2));
}

/// It waits for standard input, and gets a signal that ends it. (One that Rust's standard library has a handler of its own
/// for would not: that one lets the first pass.)
#[test]
fn the_tool_is_under_its_own_handler() {
    super::run::without_core_files();
    let mut said = String::new();
    // The signal may come before the handler is there: then later.
    for wait_ms in [200, 1000, 5000] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolbox"));
        command
            .args(["fragtop", "--files0-from", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("toolbox was just built");
        std::thread::sleep(Duration::from_millis(wait_ms));
        kill_process(Pid::from_child(&child), Signal::ABORT).expect("it waits");
        let mut stderr = child.stderr.take().expect("it is piped");
        let status = child.wait().expect("a child can be waited for");
        said.clear();
        stderr.read_to_string(&mut said).expect("a report is text");
        assert_eq!(words(status), "SIGABRT", "{said}");
        if said.contains("\n#0 ") {
            break;
        }
    }
    assert!(said.contains("*** toolbox: crashed: SIGABRT") && said.contains("\n#0 "), "{said}");
}
