//! The house rules, as tests.
//!
//! What ARCHITECTURE.md states is tested here, one module for each rule; a module also tests that it finds a sample
//! that breaks its rule, so that a rule cannot pass by having stopped to look. A failure names file and line.
//!
//! The rules read the sources as text ([`source`]); what the compiler or clippy already holds us to is left to them.

mod documents;
mod features;
mod imports;
mod leftovers;
mod lengths;
mod manifest;
mod safety;
mod source;

use source::Source;
use std::path::{Path, PathBuf};

fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file of ours that ends in `.ending`, below the folders of the repository that hold sources, in order.
fn files(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(top().join(&folder)).expect("a folder that was just listed") {
            let entry = entry.expect("a folder can be read to its end");
            let path = folder.join(entry.file_name());
            let name = entry.file_name();
            let is_ours = !name.as_encoded_bytes().starts_with(b".") && name != "target";
            let kind = entry.file_type().expect("an entry that was just listed");
            if kind.is_dir() && is_ours {
                folders.push(path);
            } else if kind.is_file() && path.extension().is_some_and(|its| its == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn sources() -> Vec<Source> {
    let sources: Vec<_> = files("rs").iter().map(|path| source::read(top(), path)).collect();
    assert!(sources.iter().any(|source| source.path == Path::new("src/lib.rs")), "looking in the wrong place");
    sources
}

fn text(name: &str) -> String {
    std::fs::read_to_string(top().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[track_caller]
fn assert_none(violations: impl IntoIterator<Item = String>) {
    let violations: Vec<_> = violations.into_iter().collect();
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn files_and_functions_are_short_and_open_with_an_essay() {
    assert_none(sources().iter().flat_map(lengths::violations));
}

#[test]
fn unsafe_code_is_where_it_may_be_and_argued() {
    assert_none(sources().iter().flat_map(safety::violations));
}

#[test]
fn nothing_is_left_over_and_the_library_is_silent() {
    assert_none(sources().iter().flat_map(leftovers::violations));
}

#[test]
fn imports_point_down() {
    let features = manifest::features(&text("Cargo.toml"));
    assert_none(sources().iter().flat_map(|source| imports::violations(source, &features)));
}

#[test]
fn the_feature_table_is_whole() {
    assert_none(features::violations(&text("Cargo.toml"), &text("src/lib.rs")));
}

#[test]
fn links_in_documents_lead_somewhere() {
    let documents = files("md");
    assert!(documents.len() >= 4, "looking in the wrong place");
    let broken = |path: &PathBuf| documents::broken_links(top(), path, &text(&path.display().to_string()));
    assert_none(documents.iter().flat_map(broken));
}

#[test]
fn the_map_is_the_territory() {
    assert_none(documents::map_violations(top(), &files("rs"), &text("ARCHITECTURE.md")));
}

#[test]
fn the_release_has_its_words_and_its_licences() {
    assert_none(documents::release_violations(top(), &text("Cargo.toml"), &text("CHANGELOG.md")));
}
