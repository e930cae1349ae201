//! Rule: what the documents name is there.
//!
//! A link to a file leads to one; the map in ARCHITECTURE.md names every module at the top of the library and of the
//! tool, and nothing that does not exist; CHANGELOG.md has a section for the version in `Cargo.toml`; the two licences
//! that it offers lie beside it.

use std::path::Path;

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

/// Where the map of the files differs from `top`. The map is the first fenced block; what is indented lies in the
/// folder above it, and the paths of a line, several perhaps, end where two spaces follow.
pub(crate) fn map_violations(top: &Path, architecture: &str) -> Vec<String> {
    let map = architecture.split("```").nth(1).unwrap_or_default();
    let paths = map_paths(map);
    let missing = paths.iter().filter(|path| !top.join(path).exists());
    let mut found: Vec<_> = missing.map(|path| format!("ARCHITECTURE.md: there is no `{path}`")).collect();
    for folder in ["src", "commands"] {
        let mut entries: Vec<_> = std::fs::read_dir(top.join(folder)).into_iter().flatten().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        let names = entries.iter().map(|entry| format!("{folder}/{}", entry.file_name().display()));
        let is_unnamed = |name: &String| !paths.iter().any(|path| path.trim_end_matches('/') == name);
        found.extend(names.filter(is_unnamed).map(|name| format!("ARCHITECTURE.md: the map leaves out `{name}`")));
    }
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
        let found = map_violations(top(), "Text.\n```\nsrc/\n  nothing.rs  is not there\n```\n");
        assert!(found.contains(&"ARCHITECTURE.md: there is no `src/nothing.rs`".to_owned()), "{found:?}");
        assert!(found.contains(&"ARCHITECTURE.md: the map leaves out `src/lib.rs`".to_owned()), "{found:?}");
    }

    #[test]
    fn a_release_without_words_is_found() {
        let manifest = "[workspace.package]\nversion = \"9.9.9\"\nlicense = \"MIT OR Unlicense-1.0\"\n";
        let found = release_violations(top(), manifest, "## [1.0.0]\n");
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(release_violations(top(), manifest, "## [9.9.9] - today\n").len(), 1);
    }
}
