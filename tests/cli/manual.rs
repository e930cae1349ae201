//! What the tool says of itself: help, version, manual pages, completions.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn toolbox(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_toolbox"));
    command.args(arguments).env("LC_ALL", "C.UTF-8").env_remove("COLUMNS").output().expect("the binary was built")
}

fn said(arguments: &[&str]) -> String {
    let output = toolbox(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn manual_pages_are_current() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../man");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("man-{}", std::process::id()));
    fs::create_dir_all(&fresh).unwrap();
    said(&["man", fresh.to_str().expect("a path of ours is text")]);
    let pages = |folder: &Path| {
        let mut pages: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
            .collect();
        pages.sort();
        pages
    };
    let (written, kept) = (pages(&fresh), pages(&committed));
    fs::remove_dir_all(&fresh).unwrap();
    let names = |pages: &[(std::ffi::OsString, String)]| pages.iter().map(|page| page.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&written), names(&kept));
    for ((name, written), (_, kept)) in written.iter().zip(&kept) {
        assert!(written == kept, "{name:?} is stale: cargo run -- man man");
    }
}

#[test]
fn the_table_of_exit_codes_stands_in_every_page() {
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../man")).unwrap() {
        let page = fs::read_to_string(entry.unwrap().path()).unwrap();
        let table = page.split(".SH \"EXIT STATUS\"").nth(1).expect("a page has the chapter");
        let codes: Vec<_> = table.lines().filter_map(|line| line.strip_prefix("\\fB")?.strip_suffix("\\fR")).collect();
        assert_eq!(codes, ["0", "1", "2", "130"], "{page}");
    }
}

#[test]
fn short_help_fits_a_screen_and_long_help_begins_with_examples() {
    let short = said(&["fragtop", "-h"]);
    assert!(short.lines().count() <= 40, "{} lines", short.lines().count());
    let long = said(&["fragtop", "--help"]);
    assert!(long.starts_with("Examples:\n"), "{long}");
    assert!(long.contains("--files0-from") && long.contains("--fail-over") && long.contains("[default: 20]"), "{long}");
    assert_eq!(long, said(&["help", "fragtop"]));
    assert!(long.lines().all(|line| line.chars().count() <= 100), "{long}");
    assert!(said(&["--help"]).contains("fragtop"));
}

/// Every example parses: it fails on what is not there at most, never on its own form.
#[test]
fn the_examples_of_the_help_run_as_printed() {
    let help = said(&["fragtop", "--help"]);
    let examples: Vec<_> = help.lines().skip(1).take_while(|line| !line.is_empty()).collect();
    assert!(examples.len() >= 5);
    for example in examples.iter().filter(|example| !example.contains(" -i ")) {
        let line = example.trim().split("    ").next().unwrap().split(" | ").next().unwrap();
        // In a place where none of the paths exists, so that it is quick.
        let line = line
            .replace("toolbox", env!("CARGO_BIN_EXE_toolbox"))
            .replace(" /", " /nonexistent/")
            .replace("'/", "'/nonexistent/");
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("no files are scanned") || said.contains("nonexistent"), "{line}: {said}");
        assert!(!said.contains("Usage:"), "{line}: {said}");
    }
}

#[test]
fn the_version_names_the_commit() {
    let version = said(&["--version"]);
    let (number, commit) = version.trim().split_once(" (").expect("a commit in brackets");
    assert_eq!(number, format!("toolbox {}", env!("CARGO_PKG_VERSION")));
    let commit = commit.trim_end_matches(')').trim_end_matches("-dirty");
    assert!(commit == "unknown" || (commit.len() == 12 && commit.bytes().all(|byte| byte.is_ascii_hexdigit())));
}

#[test]
fn completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(said(&["completions", shell]).contains("files0-from"), "{shell}");
    }
    assert_eq!(toolbox(&["completions", "tcsh"]).status.code(), Some(2));
}

#[test]
fn without_a_subcommand_help_is_the_answer_to_wrong_usage() {
    let output = toolbox(&[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&output.stderr).contains("Usage: toolbox <COMMAND>"));
}
