//! The C face: the header, what the libraries export, and `examples/example.c` in every form in which it is linked.

use super::run::{End, wait};
use super::{builds, report};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the shared library has in place of the C library's: as listed in `toolbox.h`.
const REPLACED: [&str; 9] = [
    "__sysv_signal",
    "bsd_signal",
    "pthread_create",
    "pthread_sigmask",
    "sigaction",
    "sigaltstack",
    "signal",
    "sigprocmask",
    "sysv_signal",
];

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

fn header() -> String {
    std::fs::read_to_string(top().join("src/capi/toolbox.h")).expect("the header is there")
}

/// The functions that the header declares.
fn declared(header: &str) -> BTreeSet<String> {
    let lines = header.lines().filter(|line| line.ends_with(';') && !line.starts_with([' ', '/', '*', '#']));
    lines
        .filter_map(|line| line.split('(').next()?.split([' ', '*']).next_back())
        .map(str::to_owned)
        .filter(|name| name.starts_with("toolbox_"))
        .collect()
}

/// What comes out of a command.
fn output(command: &mut Command) -> String {
    let done = command.output().expect("a program that is there");
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn exported_is_what_the_header_says_and_nothing_else() {
    let symbols = output(Command::new("nm").args(["-D", "--defined-only"]).arg(builds::library()));
    let exported: BTreeSet<_> =
        symbols.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect();
    let header = header();
    let mut expected = declared(&header);
    assert!(expected.len() >= 8, "{expected:?}");
    expected.extend(REPLACED.map(str::to_owned));
    assert_eq!(exported, expected);
    // The second name of sysv_signal is one that no program writes.
    let untold = REPLACED.iter().filter(|name| !name.starts_with("__") && !header.contains(**name));
    assert_eq!(untold.count(), 0, "toolbox.h does not tell of all that is replaced");
}

#[test]
fn the_shared_library_has_a_name_and_stays() {
    let dynamic = output(Command::new("readelf").arg("-d").arg(builds::library()));
    assert!(dynamic.contains("[libtoolbox.so.0]"), "{dynamic}");
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
    assert!(dynamic.contains("NOW"), "nothing is left to be bound in a signal handler: {dynamic}");
}

#[test]
fn versions_agree() {
    let manifest = std::fs::read_to_string(top().join("Cargo.toml")).expect("it is there");
    let version =
        manifest.lines().find_map(|line| line.strip_prefix("version = ")).expect("the workspace has a version");
    assert!(header().contains(&format!("#define TOOLBOX_VERSION {version}\n")), "{version}");
    let package = std::fs::read_to_string(top().join("src/capi/toolbox.pc")).expect("it is there");
    assert!(package.contains(&format!("\nVersion: {}\n", version.trim_matches('"'))), "{version}");
}

/// The example, built by `recipe`; `$A` is the archive, `$L` its folder, `$I` the header's.
fn example(name: &str, recipe: &str) -> PathBuf {
    let library = builds::library();
    let folder = library.parent().expect("a file lies in a folder").display().to_string();
    let recipe = recipe
        .replace("$A", &library.with_file_name("libtoolbox.a").display().to_string())
        .replace("$L", &folder)
        .replace("$I", &top().join("src/capi").display().to_string())
        .replace("$E", &top().join("examples/example.c").display().to_string());
    builds::made(name, &[], &recipe).expect("no tool is asked for")
}

/// Runs it; how it ended, and what it said.
fn run(program: &Path, how: &str) -> (String, String) {
    let said = program.with_extension(format!("{how}.txt"));
    let file = std::fs::File::create(&said).expect("a file beside the program");
    let end = wait(Command::new(program).arg(how).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file));
    let text = String::from_utf8_lossy(&std::fs::read(said).expect("it was just written")).into_owned();
    match end {
        End::Died(words) => (words, text),
        End::Hung => panic!("{} {how} hangs: {text}", program.display()),
    }
}

fn line(mark: &str) -> usize {
    let text = std::fs::read_to_string(top().join("examples/example.c")).expect("it is there");
    text.lines().position(|line| line.contains(&format!("/* HERE {mark} */"))).expect("a marker") + 1
}

/// How many frames stand in the report, and whether the first of ours has its name and its line.
fn check(name: &str, recipe: &str, has_names: bool, has_lines: bool) {
    let program = example(name, recipe);
    for (how, end, function) in
        [("null", "SIGSEGV", "explode"), ("overflow", "SIGSEGV", "recurse"), ("abort", "SIGABRT", "main")]
    {
        let (ended, said) = run(&program, how);
        assert_eq!(ended, end, "{name} {how}: {said}");
        assert!(said.contains("\n#0 "), "{name} {how}: {said}");
        assert!(report::has_word(&said, function) || !has_names, "{name} {how}: {said}");
        let place = format!("example.c:{}", line(how));
        assert_eq!(said.contains(&place), has_lines, "{name} {how}: {place} in {said}");
    }
    let (ended, said) = run(&program, "thread");
    assert_eq!(ended, "SIGSEGV", "{name} thread: {said}");
    assert!(said.contains("stack overflow"), "{name} thread: {said}");
}

#[test]
fn the_example_shared() {
    check("example_g", "gcc -g -Wall -Wextra -Werror -I$I $E -o $O -L$L -ltoolbox -Wl,-rpath,$L", true, true);
    check("example_plain", "gcc -I$I $E -o $O -L$L -ltoolbox -Wl,-rpath,$L", true, false);
    check("example_stripped", "gcc -s -I$I $E -o $O -L$L -ltoolbox -Wl,-rpath,$L", false, false);
}

#[test]
fn the_example_with_the_archive() {
    check("example_archive", "gcc -g -fPIE -pie -I$I $E -o $O $A -lm -ldl -lpthread", true, true);
    check("example_nopie", "gcc -g -fno-pie -no-pie -I$I $E -o $O $A -lm -ldl -lpthread", true, true);
}

#[test]
fn the_example_static() {
    check("example_static", "gcc -g -static -I$I $E -o $O $A", true, true);
    check("example_static_pie", "gcc -g -static-pie -fPIE -I$I $E -o $O $A", true, true);
}

#[test]
fn the_header_is_for_cxx_as_well() {
    let recipe = "printf '#include <toolbox.h>\\nint main() { return toolbox_crash_init(); }' > header.cc; \
        g++ -std=c++98 -pedantic -Wall -Werror -I$I header.cc -o $O -L$L -ltoolbox -Wl,-rpath,$L";
    assert_eq!(run(&example("header", recipe), "").0, "exit:0");
}

#[test]
fn where_it_is_can_be_printed_without_a_crash() {
    let recipe = "gcc -g -Wall -I$I $E -o $O -L$L -ltoolbox -Wl,-rpath,$L";
    let (end, said) = run(&example("example_print", recipe), "print");
    assert_eq!(end, "exit:0", "{said}");
    assert!(said.contains(&format!("example.c:{}", line("print"))), "{said}");
}

#[test]
fn the_package_file_serves() {
    let package = top().join("src/capi/toolbox.pc");
    let Ok(done) = Command::new("pkg-config").args(["--libs", "--cflags"]).arg(package).output() else {
        assert!(std::env::var_os("CI").is_none(), "pkg-config is missing");
        println!("skipped: no pkg-config here");
        return;
    };
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "-I/usr/local/include -L/usr/local/lib -ltoolbox");
}

/// Wrong use is told by a code, for which there are words.
#[test]
fn wrong_use_has_a_code() {
    let source = "#include <toolbox.h>\n#include <stdio.h>\nint main(void) { struct toolbox_crash_options o = {0}; int n = 0;\n\
        n |= (toolbox_crash_init_with(0) == TOOLBOX_ERROR_ARGUMENT) << 0; n |= (toolbox_crash_init_with(&o) == TOOLBOX_ERROR_ARGUMENT) << 1;\n\
        o.size = sizeof o; o.options = \"colour=red\"; n |= (toolbox_crash_init_with(&o) == TOOLBOX_ERROR_OPTIONS) << 2;\n\
        o.options = \"text=fd:999\"; n |= (toolbox_crash_init_with(&o) == TOOLBOX_ERROR_OUTPUT) << 3; o.options = 0;\n\
        n |= (toolbox_crash_init_with(&o) == TOOLBOX_OK) << 4; n |= (toolbox_crash_init() == TOOLBOX_OK) << 5;\n\
        n |= (toolbox_crash_thread_init() == TOOLBOX_OK) << 6; n |= (toolbox_crash_uninstall() == TOOLBOX_OK && toolbox_error_text(-77)[0]) << 7;\n\
        n |= (toolbox_crash_print() == TOOLBOX_ERROR_ABSENT) << 8;\n\
        return n != 511; }\n";
    let recipe =
        format!("printf '%s' '{}' > wrong.c; gcc -Wall -I$I wrong.c -o $O -L$L -ltoolbox -Wl,-rpath,$L", source);
    assert_eq!(run(&example("wrong", &recipe), "").0, "exit:0");
}
