//! Rule: the feature table is the module graph, whole.
//!
//! Every module of the library has a feature of its own name that switches it on, but for the [`LEAVES`]; every feature
//! is part of `full`, so
//! that one word builds everything; every dependency is optional and belongs to a feature, so that a program pays
//! only for what it uses.

use super::manifest::{Features, reached, table};

/// Features that `full` leaves out, each with a reason: every reader of a lock pays for being told of a deadlock; the C face
/// takes the place of functions of the C library.
const NOT_IN_FULL: [&str; 2] = ["deadlock-detection", "capi"];

/// Private modules that every other may use, and that have no feature of their own: those that need them switch them on.
/// Each may use those before it.
pub(crate) const LEAVES: [&str; 2] = ["primitive", "util"];

pub(crate) fn violations(manifest: &str, library: &str) -> Vec<String> {
    let features = super::manifest::features(manifest);
    let mut found = left_out(&features);
    if features.get("default").is_none_or(|named| !named.is_empty()) {
        found.push("Cargo.toml: `default` has to be there and to be empty".to_owned());
    }
    for (name, value) in table(manifest, "dependencies") {
        let is_named = features.values().flatten().any(|named| *named == format!("dep:{name}"));
        if !value.contains("optional = true") || !is_named {
            found.push(format!("Cargo.toml: the dependency `{name}` is not optional, or no feature names it"));
        }
    }
    found.extend(ungated(&features, library));
    found
}

fn left_out(features: &Features) -> Vec<String> {
    let full = reached(features, "full");
    let is_left_out =
        |name: &&String| !full.contains(name) && !NOT_IN_FULL.contains(&name.as_str()) && name.as_str() != "default";
    features
        .keys()
        .filter(is_left_out)
        .map(|name| format!("Cargo.toml: the feature `{name}` is not in `full`"))
        .collect()
}

/// The modules in the text of `src/lib.rs` that are not under a `cfg` of a feature of their own name.
fn ungated(features: &Features, library: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut above = "";
    for line in library.lines().map(str::trim) {
        let is_leaf = LEAVES.iter().any(|leaf| line == format!("mod {leaf};"));
        let module = line.trim_start_matches("pub ").strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
        let Some(module) = module else {
            above = line;
            continue;
        };
        let is_switched = above == format!("#[cfg(feature = \"{module}\")]") && features.contains_key(module);
        let is_leaf = is_leaf && above.starts_with("#[cfg(") && above.contains("feature = ");
        if !is_switched && !is_leaf {
            found.push(format!("src/lib.rs: the module `{module}` is not switched by a feature of its name"));
        }
        above = line;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIBRARY: &str = "#[cfg(feature = \"sys\")]\npub mod sys;\n";

    fn check(features: &str, dependencies: &str, library: &str, expected: usize) {
        let found = violations(&format!("[features]\n{features}\n[dependencies]\n{dependencies}\n"), library);
        assert_eq!(found.len(), expected, "{found:?}");
    }

    #[test]
    fn a_whole_table_passes() {
        check("default = []\nsys = [\"dep:libc\"]\nfull = [\"sys\"]", "libc = { optional = true }", LIBRARY, 0);
    }

    #[test]
    fn a_feature_outside_full_is_found() {
        check("default = []\nsys = []\nother = []\nfull = [\"sys\"]", "", LIBRARY, 1);
        check("default = []\nsys = []\nmore = [\"sys\"]\nfull = [\"more\"]", "", LIBRARY, 0);
    }

    #[test]
    fn a_default_that_is_not_empty_is_found() {
        check("default = [\"sys\"]\nsys = []\nfull = [\"sys\"]", "", LIBRARY, 1);
        check("sys = []\nfull = [\"sys\"]", "", LIBRARY, 1);
    }

    #[test]
    fn a_dependency_for_everyone_is_found() {
        check("default = []\nsys = [\"dep:libc\"]\nfull = [\"sys\"]", "libc = \"1\"", LIBRARY, 1);
        check("default = []\nsys = []\nfull = [\"sys\"]", "libc = { optional = true }", LIBRARY, 1);
    }

    #[test]
    fn a_module_without_a_feature_is_found() {
        let features = "default = []\nsys = []\nfull = [\"sys\"]";
        check(features, "", "pub mod sys;\n", 1);
        check(features, "", "#[cfg(feature = \"sys\")]\npub mod other;\n", 1);
        check(features, "", "#[cfg(feature = \"other\")]\nmod other;\n", 1);
        check(features, "", "#[cfg(feature = \"sys\")]\nmod util;\n", 0);
        check(features, "", "#[cfg(feature = \"sys\")]\npub mod util;\n", 1);
        check(features, "", "mod util;\n", 1);
    }
}
