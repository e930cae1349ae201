//! Sessions in which something is wrong: the command line, the files, the streams, the system, or the user's patience.

use crate::session::{Session, can};
use std::io::{Read, Write};
use std::process::Child;
use std::time::{Duration, Instant};

const NO_MATCH: &str = "\
error: no files are scanned: nothing matches '*.nothing'

hint: quote the pattern, so that the shell leaves it alone; ** matches any number of directories
";

#[test]
fn nothing_to_look_at() {
    let Some(session) = Session::new() else { return };
    session.check("toolbox fragtop -p '*.nothing'", "", NO_MATCH, 2);
    session.check("toolbox fragtop -q -p '*.nothing'", "", NO_MATCH, 2);
    session.check("toolbox fragtop -p '*.nothing' --format csv", "", NO_MATCH, 2);
    session.check(
        "toolbox fragtop nothing",
        "",
        "warning: nothing: no such file or directory\nerror: no files are scanned\n\n\
         hint: toolbox fragtop PATH, or toolbox fragtop -p 'PATTERN' in quotes\n",
        2,
    );
    session.check(
        "toolbox fragtop",
        "",
        "error: nothing to look at: no path and no pattern given\n\n\
         hint: toolbox fragtop /var/log, or toolbox fragtop -p '/var/log/**/*'\n",
        2,
    );
    session.check(
        "toolbox fragtop -p 'su?'",
        "",
        "error: no files are scanned: nothing matches 'su?'\n\n\
         hint: quote the pattern, so that the shell leaves it alone; ** matches any number of directories\n",
        2,
    );
    assert!(session.output("toolbox fragtop ''", 2).stderr.starts_with(b"error: "));
    assert!(session.output("toolbox fragtop -p ''", 2).stdout.is_empty());
}

#[test]
fn a_malformed_pattern_is_shown_where_it_is_wrong() {
    let Some(session) = Session::new() else { return };
    let hint =
        "\nhint: [ needs its ], and ** stands alone between slashes; to match the character itself write [[] or [*]\n";
    let wrong = |shown: &str, at: usize, why: &str| {
        let place = " ".repeat(at - 1);
        format!("error: -p: malformed pattern, at character {at}: {why}\n  {shown}\n  {place}^\n{hint}")
    };
    session.check("toolbox fragtop -p 'a[b'", "", &wrong("a[b", 2, "invalid range pattern"), 2);
    session.check("toolbox fragtop -p 'sub/é[b'", "", &wrong("sub/é[b", 6, "invalid range pattern"), 2);
    let stars = session.output("toolbox fragtop -p 'sub/**x'", 2);
    assert!(String::from_utf8_lossy(&stars.stderr).contains("sub/**x\n"), "{stars:?}");
    assert!(session.output("toolbox fragtop . --exclude '['", 2).stdout.is_empty());
}

#[test]
fn wrong_usage_is_2_and_says_so_on_stderr() {
    let Some(session) = Session::new() else { return };
    for arguments in ["--bogus", ". --sort size2", ". -n x", ". -j 0", ". --min-size 5Q", "--extents", ". --all -n 3"] {
        let output = session.output(&format!("toolbox fragtop {arguments}"), 2);
        assert!(output.stdout.is_empty() && output.stderr.starts_with(b"error: "), "{arguments}: {output:?}");
    }
    session.check(
        "toolbox fragtop --files0-from missing",
        "",
        "error: cannot read the list of paths missing: No such file or directory (os error 2)\n",
        2,
    );
}

const ONE: &str = "\
fragments  ideal  excess     size                file
        1      1       0  8.0 KiB  ████████████  one
";

#[test]
fn a_file_that_is_missing_costs_one_line() {
    let Some(session) = Session::new() else { return };
    let table = format!("{ONE}1 file, 0 fragmented, 1 unreadable (--errors lists them)\n");
    let warning = "warning: nothing: no such file or directory\n";
    session.check("toolbox fragtop one nothing", &table, warning, 1);
    session.check("toolbox fragtop one nothing -q", &table, warning, 1);
    let json = session.json("toolbox fragtop one nothing --format json", 1);
    let failure = &json["failures"][0];
    assert_eq!((failure["cause"].as_str(), failure["count"].as_u64()), (Some("missing"), Some(1)));
    assert_eq!(failure["examples"][0]["path"].as_str(), Some("nothing"));
}

#[test]
fn an_unreadable_directory_costs_one_line() {
    let Some(session) = Session::new() else { return };
    // Root reads everything, unless it gives up the right to.
    let without = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all";
    let privileged = std::process::Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    let without = if privileged { without } else { "" };
    if can(&format!("{without} true")).is_none() {
        return;
    }
    session.output("chmod 0 sub", 0);
    let table = format!("{ONE}1 file, 0 fragmented, 1 unreadable (--errors lists them)\n").replace("  one", "  ./one");
    let warning = "warning: ./sub: permission denied\n";
    session.check(&format!("rm two; {without} toolbox fragtop ."), &table, warning, 1);
    session.check(&format!("{without} toolbox fragtop . -q"), &table, "", 1);
    session.check(&format!("{without} toolbox fragtop . --errors"), &table, warning, 1);
    let named = session.output(&format!("{without} toolbox fragtop sub"), 2);
    let said = String::from_utf8_lossy(&named.stderr).into_owned();
    assert!(said.starts_with("warning: sub: permission denied\n") && said.contains("hint: run it as root"), "{said}");
    session.output("chmod 700 sub", 0);
}

#[test]
fn what_is_no_file_is_never_opened() {
    let Some(session) = Session::new() else { return };
    session.output("mkdir odd; mkfifo odd/fifo; ln -s loop odd/loop; ln -s ../one odd/link; ln -s .. odd/up", 0);
    let found =
        "error: no files are scanned: there is no regular file\n\nhint: 3 symbolic links matched; -L follows them\n";
    session.check("timeout 10 toolbox fragtop odd", "", found, 2);
    let named = session.output("timeout 10 toolbox fragtop odd/fifo", 2);
    assert!(named.stderr.starts_with(b"warning: odd/fifo: a FIFO\n"), "{named:?}");
    let followed = session.json("timeout 10 toolbox fragtop -L odd --format json", 1);
    assert_eq!(followed["summary"]["files"].as_u64(), Some(3), "{followed}");
    let causes = followed["failures"].as_array().unwrap();
    assert!(causes.iter().all(|failure| failure["cause"] == "symlink_loop"), "{causes:?}");
}

#[test]
fn what_has_no_extents_is_named() {
    let Some(session) = Session::new() else { return };
    let said = |path: &str| {
        format!(
            "warning: {path}: not supported here: proc has no extents\n\
             error: no files are scanned: none of those found has a count\n\n\
             hint: proc keeps no extents; ext2/3/4, xfs and btrfs are among those that do\n"
        )
    };
    session.check("toolbox fragtop /proc/self/maps", "", &said("/proc/self/maps"), 2);
    session.check("toolbox fragtop /proc", "", &said("/proc"), 2);
    let table = format!("{ONE}1 file, 0 fragmented\n");
    let warning = "warning: /proc/version: not supported here: proc has no extents\n";
    session.check("toolbox fragtop one /proc/version", &table, warning, 1);
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_not() {
    let Some(session) = Session::new() else { return };
    let full = "error: cannot write to standard output: No space left on device (os error 28)\n";
    for form in ["table", "json", "csv"] {
        session.check(&format!("toolbox fragtop . --format {form} > /dev/full"), "", full, 2);
    }
    session.check("toolbox fragtop . 2> /dev/full > /dev/null", "", "", 0);
    session.check("toolbox fragtop one nothing 2>&- > /dev/null", "", "", 1);
    (0..2000).for_each(|i| std::fs::write(session.folder.join(format!("small{i}")), b"").unwrap());
    for form in ["table", "json", "csv"] {
        let line = format!("{{ toolbox fragtop . --all --format {form}; echo $? >&2; }} | head -n 1 | wc -l");
        session.check(&line, "1\n", "0\n", 0);
    }
    session.check("{ toolbox --help; echo $? >&2; } | true", "", "0\n", 0);
}

/// Even with nowhere to write, nothing hangs and nothing dies of it.
#[test]
fn streams_that_are_closed_from_the_start() {
    let Some(session) = Session::new() else { return };
    for line in
        ["toolbox fragtop . >&-", "toolbox fragtop . <&-", "toolbox fragtop . 2>&-", "toolbox fragtop . <&- >&- 2>&-"]
    {
        let output = session.shell(line).output().unwrap();
        assert!(output.status.code().is_some_and(|code| code == 0 || code == 2), "{line}: {output:?}");
    }
    let list = session.output("toolbox fragtop --files0-from - <&-", 2);
    assert!(list.stderr.starts_with(b"error: no files are scanned"), "{list:?}");
}

#[test]
fn a_list_of_paths_may_be_odd() {
    let Some(session) = Session::new() else { return };
    let table = format!("{ONE}1 file, 0 fragmented, 1 unreadable (--errors lists them)\n");
    session.check(
        "printf 'one\\0two\\nthree\\0\\0' | toolbox fragtop --files0-from -",
        &table,
        "warning: two\\nthree: no such file or directory\nwarning: 1 path of no length left out\n",
        1,
    );
    let once = format!("{ONE}1 file, 0 fragmented\n");
    session.check("printf 'one\\0one\\0./one' | toolbox fragtop --files0-from -", &once, "", 0);
    let directory = session.output("toolbox fragtop --files0-from sub", 2);
    assert!(String::from_utf8_lossy(&directory.stderr).contains("directory"), "{directory:?}");
    assert_eq!(session.output("printf '' | toolbox fragtop --files0-from -", 2).stdout, b"");
}

#[test]
fn without_proc_it_works_as_well() {
    let Some(session) = Session::new() else { return };
    if can("unshare -m sh -c 'mount -t tmpfs none /proc'").is_none() {
        return;
    }
    let line = "unshare -m sh -c 'mount -t tmpfs none /proc && toolbox fragtop one two --format csv --media ssd'";
    let output = session.output(line, 0);
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<_> = text.lines().skip(1).map(|row| row.split(',').next().unwrap()).collect();
    assert_eq!((rows, output.stderr.len()), (vec!["2", "1"], 0), "{text}");
    session.output("unshare -m sh -c 'mount -t tmpfs none /proc && toolbox fragtop --extents two'", 0);
}

/// The connection to this mount is held open by the shell, and nobody ever answers on it.
const SILENT: &str = "exec 7<>/dev/fuse; mkdir mnt; ln -s mnt link; \
                      mount -i -t fuse -o fd=7,rootmode=40000,user_id=0,group_id=0 none mnt;";

#[test]
fn a_mount_that_does_not_answer_is_named_and_the_run_ends() {
    let Some(session) = Session::new() else { return };
    session.output("mkdir sub/deep", 0);
    let silent =
        |line: &str| format!("unshare -m sh -c '{SILENT} timeout 20 {line}; code=$?; umount -f mnt; exit $code'");
    if can(&format!("cd {}/sub/deep && {}", session.folder.display(), silent("true"))).is_none() {
        return;
    }
    session.output("rm -r sub/deep", 0);
    let check = |line: &str, unreadable: &str, stderr: &str| {
        session.check(&silent(line), &format!("{ONE}1 file, 0 fragmented{unreadable}\n"), stderr, 1);
        session.output("rm -r mnt link", 0);
    };
    check("toolbox fragtop -p one -p mnt/", "", "warning: mnt/: not supported here: fuse has no extents\n");
    check("toolbox fragtop one mnt/file", "", "warning: mnt/file: not supported here: fuse has no extents\n");
    // What a link leads to its spelling does not tell.
    let unreadable = ", 1 unreadable (--errors lists them)";
    check("toolbox fragtop one link/file --timeout 1", unreadable, "warning: link/file: did not answer in time\n");
    let walked = session.output(&silent("toolbox fragtop ."), 0);
    assert_eq!(String::from_utf8_lossy(&walked.stderr), "note: ./mnt: not entered: fuse has no extents\n");
    assert!(String::from_utf8_lossy(&walked.stdout).contains("\n3 files, 2 fragmented\n"), "{walked:?}");
}

/// Waits for the end, but not for ever.
fn ended(mut child: Child, patience: Duration) -> (String, String, Option<i32>) {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > patience {
            let _ = child.kill();
            panic!("it did not end within {patience:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    (out, err, child.wait().unwrap().code())
}

fn interrupt(child: &Child, signal: rustix::process::Signal) {
    let process = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(process, signal).unwrap();
}

/// The list of paths has no end yet, so that the scan is in its middle for as long as the test wants.
#[test]
fn the_first_interrupt_prints_what_there_is() {
    use rustix::process::Signal;
    let Some(session) = Session::new() else { return };
    for (signal, form) in [(Signal::INT, "json"), (Signal::TERM, "json"), (Signal::INT, "table"), (Signal::INT, "csv")]
    {
        let mut child = session.start(&["fragtop", "--files0-from", "-", "--format", form]);
        let mut list = child.stdin.take().unwrap();
        list.write_all(b"two\0one\0").unwrap();
        std::thread::sleep(Duration::from_millis(500));
        interrupt(&child, signal);
        let (out, err, code) = ended(child, Duration::from_secs(5));
        assert_eq!(
            (code, err.as_str()),
            (Some(130), "warning: interrupted: this is what was found until then\n"),
            "{out}"
        );
        assert!(out.contains("two") && out.contains("one"), "{out}");
        assert!(form != "json" || out.contains("\"partial\": true"), "{out}");
        assert!(form != "table" || out.contains("partial: interrupted"), "{out}");
        drop(list);
    }
}

/// `timeout` signals its child, and then the process group that the child is in.
#[test]
fn a_signal_that_comes_twice_at_once_counts_once() {
    use rustix::process::Signal;
    let Some(session) = Session::new() else { return };
    for _ in 0..10 {
        let mut child = session.start(&["fragtop", "--files0-from", "-"]);
        let mut list = child.stdin.take().unwrap();
        list.write_all(b"two\0").unwrap();
        std::thread::sleep(Duration::from_millis(200));
        interrupt(&child, Signal::TERM);
        interrupt(&child, Signal::TERM);
        interrupt(&child, Signal::INT);
        let (out, _, code) = ended(child, Duration::from_secs(5));
        assert!(code == Some(130) && out.contains("partial: interrupted"), "{code:?} {out}");
        drop(list);
    }
}

/// Nobody reads the answer, so that the first interrupt cannot get it to its end.
#[test]
fn the_second_interrupt_ends_it_at_once() {
    use rustix::process::Signal;
    let Some(session) = Session::new() else { return };
    (0..2000).for_each(|i| std::fs::write(session.folder.join(format!("small{i}")), b"").unwrap());
    let child = session.start(&["fragtop", ".", "--all", "--format", "json"]);
    std::thread::sleep(Duration::from_millis(700));
    interrupt(&child, Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    let mut child = child;
    assert!(child.try_wait().unwrap().is_none(), "it waits for its reader");
    interrupt(&child, Signal::INT);
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(5), "the second interrupt does not end it");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
