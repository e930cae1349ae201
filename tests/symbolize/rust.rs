//! Rust's debug information: of this test itself, and of a program in each form that the compiler makes.

use super::build::{folder, run};
use super::oracle::compare;
use std::fs;
use std::path::Path;
use toolbox::crash::symbolize::Folders;

#[test]
fn this_program() {
    let program = std::env::current_exe().expect("it runs");
    let compared = compare(Path::new(&program), Path::new(&program), Folders::default(), 4999);
    println!("{compared:?}");
    assert!(compared.with_lines > 100, "{compared:?}");
    assert_eq!((compared.differing, compared.deeper), (0, 0), "{compared:?}");
}

fn check(name: &str, options: &[&str]) {
    let folder = folder(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/symbolize/programs/tree.rs");
    fs::copy(source, folder.join("tree.rs")).expect("the folder for tests can be written to");
    let mut arguments = vec!["tree.rs", "--edition=2024", "-O", "-C", "codegen-units=2"];
    arguments.extend(options);
    assert!(run(&folder, "rustc", &arguments), "it compiles");
    let program = folder.join("tree");
    let compared = compare(&program, &program, Folders::default(), 397);
    println!("{name}: {compared:?}");
    assert!(compared.with_lines > 200 && compared.with_inlined > 50, "{name}: {compared:?}");
    assert_eq!((compared.differing, compared.deeper), (0, 0), "{name}: {compared:?}");
    fs::remove_dir_all(folder).expect("it was made above");
}

#[test]
fn forms_of_the_compiler() {
    check("rust", &["-C", "debuginfo=2"]);
    check("rust-lines", &["-C", "debuginfo=line-tables-only"]);
    check("rust-mangling", &["-C", "debuginfo=2", "-C", "symbol-mangling-version=v0"]);
}

#[test]
fn link_time() {
    check("rust-lto", &["-C", "debuginfo=2", "-C", "lto=fat"]);
}

#[test]
fn split() {
    check("rust-unpacked", &["-C", "debuginfo=2", "-C", "split-debuginfo=unpacked"]);
    check("rust-packed", &["-C", "debuginfo=2", "-C", "split-debuginfo=packed"]);
}

#[test]
fn version_5() {
    check("rust-5", &["-C", "debuginfo=2", "-C", "dwarf-version=5"]);
    check("rust-5-unpacked", &["-C", "debuginfo=2", "-C", "dwarf-version=5", "-C", "split-debuginfo=unpacked"]);
    check("rust-5-packed", &["-C", "debuginfo=2", "-C", "dwarf-version=5", "-C", "split-debuginfo=packed"]);
}
