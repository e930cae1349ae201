//! The parts of a `Cargo.toml` that the rules ask about: the lines of one table, and the feature table.
//!
//! It reads the few forms that our own manifests use (a key, `=`, and the rest, which may be a list over several
//! lines), not the whole language.

use std::collections::BTreeMap;

/// Every feature with what it names.
pub(crate) type Features = BTreeMap<String, Vec<String>>;

/// The entries of the table called `name`: keys, and values as they are written.
pub(crate) fn table(manifest: &str, name: &str) -> Vec<(String, String)> {
    let head = format!("[{name}]");
    let lines = manifest.lines().skip_while(|line| line.trim() != head).skip(1);
    let mut entries: Vec<(String, String)> = Vec::new();
    for line in lines.take_while(|line| !line.starts_with('[')) {
        let line = line.split(" #").next().unwrap_or(line).trim();
        let is_open = entries.last().is_some_and(|(_, value)| value.starts_with('[') && !value.ends_with(']'));
        match (line.split_once('='), entries.last_mut()) {
            _ if line.is_empty() || line.starts_with('#') => {}
            (_, Some((_, value))) if is_open => value.push_str(line),
            (Some((key, value)), _) => entries.push((key.trim().to_owned(), value.trim().to_owned())),
            _ => {}
        }
    }
    entries
}

pub(crate) fn features(manifest: &str) -> Features {
    table(manifest, "features").into_iter().map(|(name, value)| (name, strings(&value))).collect()
}

/// What stands between quotation marks.
pub(crate) fn strings(value: &str) -> Vec<String> {
    value.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// All features that `name` switches on, itself among them.
pub(crate) fn reached(features: &Features, name: &str) -> Vec<String> {
    let mut reached = vec![name.to_owned()];
    let mut next = 0;
    while let Some(feature) = reached.get(next) {
        let named = features.get(feature).into_iter().flatten();
        let new: Vec<_> = named.filter(|name| features.contains_key(*name) && !reached.contains(name)).collect();
        let new: Vec<_> = new.into_iter().cloned().collect();
        reached.extend(new);
        next += 1;
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read() {
        let manifest = "[a]\nx = 1\n[features]\n# A note.\nsys = [\"dep:libc\"] # why\nfull = [\n    \"sys\",\n    \"y\",\n]\ny = []\n\n[b]\nz = 2\n";
        assert_eq!(table(manifest, "a"), [("x".to_owned(), "1".to_owned())]);
        let features = features(manifest);
        assert_eq!(features["full"], ["sys", "y"]);
        assert_eq!(features["sys"], ["dep:libc"]);
        assert_eq!(features["y"], [""; 0]);
        assert_eq!(reached(&features, "full"), ["full", "sys", "y"]);
    }
}
