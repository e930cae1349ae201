//! When the library installs itself, and what it does beside others who handle signals.

use super::run::{End, wait};
use super::{builds, scenario};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The plain program and the one that is linked against the library.
fn programs() -> (PathBuf, PathBuf) {
    let all = scenario::all();
    let linked = all.iter().find(|scenario| scenario.name == "linked").expect("a scenario that there is");
    let built = builds::plain(linked).and_then(|plain| Ok((plain, builds::reporting(linked)?)));
    built.expect("no tool is asked for")
}

/// Runs a program in a folder of its own; how it ended, and what it said.
fn run(name: &str, program: &Path, variables: &[(&str, &str)]) -> (String, String, PathBuf) {
    let folder = builds::folder().join(format!("preload-{name}"));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("a folder below target");
    let file = std::fs::File::create(folder.join("stderr")).expect("a file in a new folder");
    let mut command = Command::new(program);
    command.arg("null_deref").current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    command.env_remove("TOOLBOX_CRASH").envs(variables.iter().copied());
    let End::Died(end) = wait(&mut command) else { panic!("{name} hangs") };
    let said = std::fs::read(folder.join("stderr")).expect("it was just written");
    (end, String::from_utf8_lossy(&said).into_owned(), folder)
}

fn check(name: &str, program: &Path, variables: &[(&str, &str)], expected: bool) {
    let (end, said, _) = run(name, program, variables);
    assert_eq!(end, "SIGSEGV", "{name}: {said}");
    assert_eq!(said.contains("*** toolbox: crashed"), expected, "{name}: {said}");
}

#[test]
fn it_installs_itself_when_that_was_asked_for() {
    super::run::without_core_files();
    let (plain, linked) = programs();
    let library = builds::library().display().to_string();
    check("preloaded", &plain, &[("LD_PRELOAD", &library)], true);
    check("off", &plain, &[("LD_PRELOAD", &library), ("TOOLBOX_CRASH", "off")], false);
    check("alone", &plain, &[("TOOLBOX_CRASH", "text=stderr")], false);
    // Linked, and its main does not call toolbox_crash_init in this scenario.
    check("linked", &linked, &[], false);
    check("linked-asked", &linked, &[("TOOLBOX_CRASH", "")], true);
    check("linked-off", &linked, &[("TOOLBOX_CRASH", "no")], false);
}

#[test]
fn its_options_are_obeyed_and_wrong_ones_named() {
    super::run::without_core_files();
    let (plain, _) = programs();
    let library = builds::library().display().to_string();
    let with = |name, options| run(name, &plain, &[("LD_PRELOAD", &library), ("TOOLBOX_CRASH", options)]);
    let (end, said, folder) = with("file", "text=none,file=report.%e.txt");
    assert_eq!((end.as_str(), said.as_str()), ("SIGSEGV", ""));
    let report = folder.join("report.crash.txt");
    let text = std::fs::read_to_string(&report).expect("the report");
    assert!(text.contains("*** toolbox: crashed"), "{text}");
    let mode = report.metadata().expect("it was just read").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (_, said, _) = with("wrong", "threads=one,colour=red");
    assert!(said.contains("colour=red") && said.contains("*** toolbox: crashed"), "{said}");
}

/// A program with more rights than who starts it could be made to write files by its options.
#[test]
fn a_program_with_more_rights_does_not_look_at_the_environment() {
    super::run::without_core_files();
    if !rustix::process::geteuid().is_root() {
        println!("skipped: takes root to make a program that changes its user");
        return;
    }
    let (_, linked) = programs();
    let changed = linked.with_file_name("crash_setuid");
    std::fs::copy(&linked, &changed).expect("a copy");
    std::os::unix::fs::chown(&changed, Some(65534), Some(65534)).expect("root may");
    std::fs::set_permissions(&changed, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    check("setuid-before", &changed, &[("TOOLBOX_CRASH", "threads=one")], true);
    std::fs::set_permissions(&changed, std::fs::Permissions::from_mode(0o4755)).expect("it is ours");
    check("setuid", &changed, &[("TOOLBOX_CRASH", "threads=one")], false);
}

/// The address sanitizer wants to come first, and says so; told not to, it finds what it would have found.
#[test]
fn beside_the_address_sanitizer() {
    super::run::without_core_files();
    let recipe = "printf '#include <stdlib.h>\\nint main(void) { char *volatile p = malloc(4); free(p); return p[2]; }' > sanitized.c; \
        gcc -g -fsanitize=address sanitized.c -o $O";
    let program = builds::made("sanitized", &[], recipe).expect("no tool is asked for");
    let library = builds::library().display().to_string();
    let (end, said, _) = run(
        "sanitizer",
        &program,
        &[("LD_PRELOAD", &library), ("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0")],
    );
    assert_eq!(end, "exit:1", "{said}");
    assert!(said.contains("heap-use-after-free"), "{said}");
}
