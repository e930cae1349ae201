//! `toolbox crash symbolize`: addresses and reports in, names out.

use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const SOURCE: &str = "\
static inline __attribute__((always_inline)) int square(int x) {
    return *(volatile int *)&x * x;
}
__attribute__((noinline)) int sum(int x) {
    return square(x) + 1;
}
int main(int argc, char **argv) {
    return sum(argc);
}
";

/// A program with debug information, built for the test that is named. `None` where there is no compiler.
fn program(test: &str, optimized: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("names-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the folder for tests can be written to");
    std::fs::write(folder.join("sum.c"), SOURCE).expect("the folder for tests can be written to");
    let arguments = ["-g", "-gno-column-info", optimized, "-no-pie", "-Wl,--build-id", "sum.c", "-o", "sum"];
    match Command::new("cc")
        .args(arguments)
        .arg(format!("-fdebug-prefix-map={}=/src", folder.display()))
        .current_dir(&folder)
        .status()
    {
        Ok(status) => assert!(status.success()),
        Err(_) => {
            println!("skipped: no C compiler here");
            return None;
        }
    }
    Some(folder.join("sum"))
}

/// Where `sum` begins: as nm says.
fn address(program: &Path, name: &str) -> u64 {
    let output = Command::new("nm").arg(program).output().expect("nm comes with the compiler");
    let text = String::from_utf8(output.stdout).expect("text");
    let line = text.lines().find(|line| line.ends_with(&format!(" {name}"))).expect("the program has the function");
    u64::from_str_radix(line.split(' ').next().expect("an address"), 16).expect("an address")
}

fn toolbox(folder: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolbox"));
    command.args(["crash", "symbolize"]).args(arguments).current_dir(folder).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary was built");
    // One that reads nothing may be gone by now.
    let _ = child.stdin.take().expect("it is a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("it ends")
}

fn check(folder: &Path, arguments: &[&str], input: &str, code: i32, expected: &str) {
    let output = toolbox(folder, arguments, input);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!((said.as_ref(), output.status.code()), (expected, Some(code)), "{arguments:?}: {output:?}");
}

#[test]
fn addresses_are_named() {
    let Some(program) = program("addresses", "-O0") else { return };
    let folder = program.parent().expect("it lies in a folder");
    let sum = address(&program, "sum");
    let text = format!("{sum:#x}  sum+0x0 at /src/sum.c:4\n");
    check(folder, &["-e", "sum", &format!("{sum:x}")], "", 0, &text);
    check(folder, &["-e", "sum"], &format!("{sum:#x}\n"), 0, &text);
    check(folder, &[&format!("./sum+{sum:#x}")], "", 0, &text);
    check(
        folder,
        &["-e", "sum", "--calls", &format!("{:x}", sum + 1)],
        "",
        0,
        &text.replacen(&format!("{sum:#x}"), &format!("{:#x}", sum + 1), 1),
    );
    check(folder, &["-e", "sum", "10"], "", 1, "0x10  no name: no symbol there\n");
    let addr2line = ["--addr2line", "-f", "-a", "-e", "sum"];
    check(
        folder,
        &addr2line,
        &format!("{sum:x}\n10\n"),
        0,
        &format!("{sum:#018x}\nsum\n/src/sum.c:4\n0x0000000000000010\n??\n??:0\n"),
    );
    std::fs::remove_dir_all(folder).expect("it was made above");
}

#[test]
fn inlined_calls_are_told_in_every_form() {
    let Some(program) = program("inlined", "-O1") else { return };
    let folder = program.parent().expect("it lies in a folder");
    let sum = address(&program, "sum");
    // Somewhere in the function is what was inlined.
    let addresses: Vec<String> = (sum..sum + 16).map(|address| format!("{address:#x}")).collect();
    let mut arguments = vec!["-e", "sum", "--format", "json"];
    arguments.extend(addresses.iter().map(String::as_str));
    let read: Value = serde_json::from_slice(&toolbox(folder, &arguments, "").stdout).expect("JSON");
    assert_eq!(read["schema"], "toolbox.crash.symbolize/1");
    let all = read["addresses"].as_array().expect("a list");
    assert_eq!(all.len(), 16);
    let inlined = all.iter().find(|one| one["frames"].as_array().is_some_and(|frames| frames.len() == 2));
    let frames = &inlined.expect("square was inlined")["frames"];
    assert_eq!(
        (&frames[0]["function"], &frames[0]["inlined"], &frames[0]["line"]),
        (&"square".into(), &true.into(), &2.into())
    );
    assert_eq!(
        (&frames[1]["function"], &frames[1]["file"], &frames[1]["line"]),
        (&"sum".into(), &"/src/sum.c".into(), &5.into())
    );
    let address = inlined.expect("square was inlined")["address"].as_str().expect("text");
    let pretty = toolbox(folder, &["--addr2line", "-f", "-i", "-p", "-s", "-e", "sum", address], "");
    assert_eq!(String::from_utf8_lossy(&pretty.stdout), "square at sum.c:2\n (inlined by) sum at sum.c:5\n");
    let csv = toolbox(folder, &["-e", "sum", "--format", "csv", address], "");
    assert_eq!(String::from_utf8_lossy(&csv.stdout).lines().count(), 3, "{csv:?}");
    std::fs::remove_dir_all(folder).expect("it was made above");
}

#[test]
fn a_report_gets_names_where_the_build_is_the_same() {
    let Some(program) = program("report", "-O0") else { return };
    let folder = program.parent().expect("it lies in a folder");
    let sum = address(&program, "sum");
    let report = |id: &str| {
        format!(
            "*** toolbox: crashed: SIGSEGV\n#0  {sum:#018x}  sum+{sum:#x}\n#1  {:#018x}  sum+{:#x}\nmodule   sum  {id}  {}\n",
            sum + 1,
            sum + 1,
            program.display()
        )
    };
    let wrong = report(&"11".repeat(20));
    let lines: Vec<&str> = wrong.lines().collect();
    let reason = "      no name: file replaced since";
    let expected = [lines[0], lines[1], reason, lines[2], reason, lines[3], ""].join("\n");
    check(folder, &[], &wrong, 1, &expected);
    let notes =
        Command::new("readelf").args(["-n", "sum"]).current_dir(folder).output().expect("it comes with the compiler");
    let notes = String::from_utf8_lossy(&notes.stdout).into_owned();
    let id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: ")).expect("it was asked for");
    let right = report(id);
    let lines: Vec<&str> = right.lines().collect();
    let name = "      sum+0x0 at /src/sum.c:4";
    let expected = [lines[0], lines[1], name, lines[2], name, lines[3], ""].join("\n");
    check(folder, &[], &right, 0, &expected);
    // From a folder of symbols, when it is not where it was.
    std::fs::create_dir(folder.join("symbols")).expect("the folder for tests can be written to");
    std::fs::rename(&program, folder.join("symbols/sum")).expect("the folder for tests can be written to");
    check(folder, &["--symbols", "symbols"], &right, 0, &expected);
    std::fs::remove_dir_all(folder).expect("it was made above");
}

#[test]
fn what_cannot_be_done_is_said() {
    let folder = Path::new("/");
    for (arguments, said) in [
        (&["-e", "/nowhere", "10"][..], "cannot use /nowhere: file not readable"),
        (&["-e", "/etc/passwd", "10"], "cannot use /etc/passwd: not a file that can be read"),
        (&["-e", "/nowhere", "hello"], "'hello' is no address"),
        (&["10"], "an address needs the file"),
        (&["--functions", "-e", "/nowhere", "10"], "--addr2line"),
    ] {
        let output = toolbox(folder, arguments, "");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains(said) && output.status.code() == Some(2), "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
    let output = toolbox(folder, &[], "no address\n");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{output:?}");
}
