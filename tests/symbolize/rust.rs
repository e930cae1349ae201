//! This test itself, as Rust's debug information describes it.

use super::oracle::compare;
use std::path::Path;
use toolbox::crash::symbolize::Folders;

#[test]
fn this_program() {
    let program = std::env::current_exe().expect("it runs");
    let compared = compare(Path::new(&program), Path::new(&program), Folders::default(), 997);
    println!("{compared:?}");
    assert!(compared.with_lines > 300, "{compared:?}");
    assert_eq!(compared.differing, 0, "{compared:?}");
}
