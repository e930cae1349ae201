//! The programs that are looked at: built by the compilers that are there, in a folder of their own for each test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A folder for one test, empty.
pub(crate) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("symbolize-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the folder for tests can be written to");
    folder
}

/// Whether a program is there; under CI it has to be.
pub(crate) fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("skipped: no {program} here");
    }
    found
}

/// Runs a program in `folder`. Says whether it succeeded, and prints what it said if not.
pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str]) -> bool {
    let output = Command::new(program).args(arguments).current_dir(folder).output().expect("it was found before");
    if !output.status.success() {
        println!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    output.status.success()
}

/// Compiles the two sources with `options` into `folder/program`. The compiler is `gcc` or `clang`, for C++ with its two letters more.
pub(crate) fn program(folder: &Path, compiler: &str, options: &[&str]) -> Option<PathBuf> {
    let plus = if compiler == "clang" { "clang++" } else { "g++" };
    for (source, compiler) in [("shapes.cpp", plus), ("other.c", compiler)] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/symbolize/programs").join(source);
        fs::copy(from, folder.join(source)).expect("the folder for tests can be written to");
        let object = format!("{}.o", source.split('.').next().expect("a name has a beginning"));
        let mut arguments = vec!["-c", source, "-o", &object];
        arguments.extend(options);
        if !run(folder, compiler, &arguments) {
            return None;
        }
    }
    let mut arguments = vec!["shapes.o", "other.o", "-o", "program", "-Wl,--build-id"];
    arguments.extend(options);
    run(folder, plus, &arguments).then(|| folder.join("program"))
}
