//! Names as they were written, and sections as they were before they were compressed: beside the tools that are used everywhere.

mod decompress;
mod names;

/// Says why a part of a test is left out. Where `CI` is set, all tools have to be there.
fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "not to be skipped where CI is set: {why}");
    eprintln!("skipped: {why}");
}
