//! Rule: what the documents name is there.
//!
//! A link to a file leads to one; the map in ARCHITECTURE.md names every source file of the library and of the tool, or
//! the folder that holds it, and nothing that does not exist; CHANGELOG.md has a section for the version in
//! `Cargo.toml`; the two licences that it offers lie beside it.

use std::path::{Path, PathBuf};

/// The links of the document at `path` that lead nowhere.
pub(crate) fn broken_links(top: &Path, path: &Path, text: &str) -> Vec<String> {
    let folder = top.join(path.parent().unwrap_or(Path::new("")));
    let targets = without_code(text);
    let is_broken = |target: &&str| {
        let file = target.split('#').next().unwrap_or(target);
        !file.is_empty() && !target.contains("://") && !target.starts_with("mailto:") && !folder.join(file).exists()
    };
    let targets = targets.match_indices("](").filter_map(|(place, _)| targets[place + 2..].split(')').next());
    targets.filter(is_broken).map(|target| format!("{}: nothing at `{target}`", path.display())).collect()
}

/// The lines outside fences, where brackets are only code.
fn without_code(text: &str) -> String {
    let mut is_code = false;
    let mut kept = String::new();
    for line in text.lines() {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        if !is_code && !is_fence {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// Where the map of the files differs from what lies below `top`, `sources` being all source files. The map is the
/// first fenced block; what is indented lies in the folder above it, and the paths of a line, several perhaps, end
/// where two spaces follow. A folder that is named without anything in it stands for all that it holds.
pub(crate) fn map_violations(top: &Path, sources: &[PathBuf], architecture: &str) -> Vec<String> {
    let map = architecture.split("```").nth(1).unwrap_or_default();
    let paths = map_paths(map);
    let missing = paths.iter().filter(|path| !top.join(path).exists());
    let mut found: Vec<_> = missing.map(|path| format!("ARCHITECTURE.md: there is no `{path}`")).collect();
    let is_whole = |folder: &String| {
        folder.ends_with('/') && !paths.iter().any(|path| path != folder && path.starts_with(folder.as_str()))
    };
    let whole: Vec<_> = paths.iter().filter(|path| is_whole(path)).collect();
    let mapped = sources.iter().filter(|source| source.starts_with("src") || source.starts_with("commands"));
    let is_left_out = |source: &&PathBuf| {
        let is_named = paths.iter().any(|path| Path::new(path) == source.as_path());
        !is_named && !whole.iter().any(|folder| source.starts_with(folder))
    };
    let left_out = mapped.filter(is_left_out);
    found.extend(left_out.map(|source| format!("ARCHITECTURE.md: the map leaves out `{}`", source.display())));
    found
}

fn map_paths(map: &str) -> Vec<String> {
    let mut folders: Vec<(usize, String)> = Vec::new();
    let mut paths = Vec::new();
    for line in map.lines().skip(1).filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        folders.retain(|(its, _)| *its < indent);
        let above = folders.last().map_or("", |(_, folder)| folder).to_owned();
        let names = line.trim().split("  ").next().unwrap_or_default();
        for name in names.split_whitespace() {
            let path = format!("{above}{name}");
            if name.ends_with('/') {
                folders.push((indent, path.clone()));
            }
            paths.push(path);
        }
    }
    paths
}

/// What CHANGELOG.md and the licences lack, given the text of `Cargo.toml`.
pub(crate) fn release_violations(top: &Path, manifest: &str, changelog: &str) -> Vec<String> {
    let package = super::manifest::table(manifest, "workspace.package");
    let value = |key: &str| {
        let entry = package.iter().find(|(its, _)| its == key);
        entry.and_then(|(_, value)| super::manifest::strings(value).pop()).unwrap_or_default()
    };
    let mut found = Vec::new();
    let heading = format!("## [{}]", value("version"));
    if !changelog.lines().any(|line| line.starts_with(&heading)) {
        found.push(format!("CHANGELOG.md: no section `{heading}`"));
    }
    for licence in value("license").split(" OR ") {
        let file = format!("LICENSE-{}", licence.split('-').next().unwrap_or(licence).to_uppercase());
        if !top.join(&file).is_file() {
            found.push(format!("{file}: missing, and Cargo.toml offers {licence}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn a_broken_link_is_found() {
        let text = "[a](Cargo.toml) [b](src/lib.rs#top) [c](#here) [d](https://x.example)\n```\n[e](nowhere)\n```\n";
        assert_eq!(broken_links(top(), Path::new("README.md"), text), [""; 0]);
        let broken = broken_links(top(), Path::new("README.md"), "[a](nowhere.md) and [b](lib.rs)");
        assert_eq!(broken.len(), 2, "{broken:?}");
        assert_eq!(broken_links(top(), Path::new("src/README.md"), "[b](lib.rs)"), [""; 0]);
    }

    #[test]
    fn a_map_is_read() {
        let map = "\nCargo.toml README.md  two files\nsrc/\n  lib.rs   the map\n  sys/     kernel\n    mod.rs xfs.rs\n";
        let expected =
            ["Cargo.toml", "README.md", "src/", "src/lib.rs", "src/sys/", "src/sys/mod.rs", "src/sys/xfs.rs"];
        assert_eq!(map_paths(map), expected);
    }

    #[test]
    fn a_wrong_map_is_found() {
        let sources = ["src/lib.rs", "src/sys/mod.rs", "src/fragment/mod.rs", "tests/x.rs"].map(PathBuf::from);
        let found = map_violations(top(), &sources, "Text.\n```\nsrc/\n  nothing.rs  is not there\n  sys/\n```\n");
        let expected = ["there is no `src/nothing.rs`", "leaves out `src/lib.rs`", "leaves out `src/fragment/mod.rs`"];
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(found.iter().zip(expected).all(|(found, expected)| found.ends_with(expected)), "{found:?}");
    }

    #[test]
    fn a_release_without_words_is_found() {
        let manifest = "[workspace.package]\nversion = \"9.9.9\"\nlicense = \"MIT OR Unlicense-1.0\"\n";
        let found = release_violations(top(), manifest, "## [1.0.0]\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(release_violations(top(), manifest, "## [9.9.9] - today\n").len(), 1);
    }
}
