//! Sessions with `toolbox bench queue --freeze`: operations of which it is known whether others wait for them, with few
//! stops, since a stop takes long on a busy host. Where the kernel refuses to trace, the command has to say so.

use serde_json::Value;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn freeze(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolbox"));
    command.env("LC_ALL", "C.UTF-8").args(["bench", "queue", "--freeze"]).args(arguments);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether something was seen; if not, the command has to have said that the kernel refuses.
#[track_caller]
fn is_allowed(output: &Output) -> bool {
    let is_refused = output.status.code() == Some(2);
    assert!(!is_refused || text(&output.stderr).contains("refuses to trace"), "{}", text(&output.stderr));
    if is_refused {
        eprintln!("nothing is seen: {}", text(&output.stderr));
    }
    !is_refused
}

#[test]
fn a_lock_blocks_an_addition_does_not_and_ours_does_not() {
    let arguments = ["--with", "segqueue,mutex-vecdeque,toolbox", "--stops", "8", "--inside", "3", "--format", "json"];
    let output = freeze(&arguments).output().unwrap();
    if !is_allowed(&output) {
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["schema"], &json["bench"]), (&"toolbox.bench.freeze/1".into(), &"queue".into()));
    let subject = |name: &str| json["subjects"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap();
    let held_up = |name| subject(name)["blocking"].as_u64().unwrap() + subject(name)["hiding"].as_u64().unwrap();
    for free in ["limit", "toolbox"] {
        assert_eq!(held_up(free), 0, "{}", subject(free));
        assert!(subject(free)["verdict"].as_str().unwrap().contains("lock-free by experiment"), "{}", subject(free));
    }
    for blocking in ["segqueue", "mutex-vecdeque"] {
        assert!(held_up(blocking) > 0 && held_up(blocking) < subject(blocking)["stops"].as_u64().unwrap());
    }
    let cases = json["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    let has_place = |case: &Value| case["places"][0]["function"].is_string() && case["instructions"].as_u64() > Some(5);
    assert!(cases.iter().all(has_place), "{cases:?}");
    let sleeps = cases.iter().filter(|case| case["name"] == "mutex-vecdeque");
    assert!(sleeps.into_iter().all(|case| case["sleeping"].as_u64() > Some(0)), "{cases:?}");
}

#[test]
fn a_table_has_places_and_verdicts_and_csv_a_line_for_each_case() {
    let arguments = ["--with", "mutex-linkedlist", "--stops", "6", "--inside", "1", "-q"];
    let table = freeze(&arguments).output().unwrap();
    if !is_allowed(&table) {
        return;
    }
    assert_eq!((table.status.code(), text(&table.stderr).as_str()), (Some(0), ""));
    let shown = text(&table.stdout);
    assert!(shown.contains("mutex-linkedlist holds up the others\n"), "{shown}");
    assert!(shown.lines().last().is_some_and(|line| line.starts_with("mutex-linkedlist: blocks at ")), "{shown}");
    let csv = freeze(&[&arguments[..], &["--format", "csv"]].concat()).output().unwrap();
    let csv = text(&csv.stdout);
    assert!(csv.starts_with("name,operation,passed,inside,") && csv.lines().count() == 1 + 4, "{csv}");
}

/// A thread has one tracer: under another one the kernel refuses, and the command says why.
#[test]
fn under_another_tracer_it_says_so() {
    let traced = Command::new("strace")
        .args(["-f", "-o", "/dev/null", env!("CARGO_BIN_EXE_toolbox"), "bench", "queue", "--freeze"])
        .args(["--with", "limit", "--stops", "2", "--inside", "0"])
        .output();
    let Ok(output) = traced else { return println!("skipped: there is no strace") };
    let told = text(&output.stderr);
    if !told.contains("refuses to trace") {
        return println!("skipped: strace itself could not trace: {told}");
    }
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("hint: this command is traced itself"), "{told}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for arguments in [&["--with", "nobody"][..], &["--workload", "loop"], &["--save", "x"]] {
        assert_eq!(freeze(arguments).output().unwrap().status.code(), Some(2), "{arguments:?}");
    }
    // On stage without anybody who watches it ends by itself.
    let stage = Command::new(env!("CARGO_BIN_EXE_toolbox"))
        .args(["bench", "stage", "queue", "limit"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(stage.status.success() && text(&stage.stdout).contains("@stage "), "{}", text(&stage.stderr));
}

#[test]
fn an_interrupt_shows_what_was_seen_and_leaves_nobody_behind() {
    let mut child =
        freeze(&["--with", "mutex-vecdeque"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let children = format!("/proc/{}/task", child.id());
    let stages = || -> Vec<String> {
        let tasks = std::fs::read_dir(&children).into_iter().flatten().flatten();
        let of = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        tasks.flat_map(|task| of(task).split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let begin = Instant::now();
    let mut seen = Vec::new();
    while seen.is_empty() && begin.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none() {
        seen = stages();
    }
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    let output = child.wait_with_output().unwrap();
    if !is_allowed(&output) {
        return;
    }
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("partial: interrupted\n"), "{}", text(&output.stdout));
    for stage in seen {
        let command = std::fs::read_to_string(format!("/proc/{stage}/cmdline")).unwrap_or_default();
        assert!(!command.contains("stage"), "{stage} is still there: {command}");
    }
}
