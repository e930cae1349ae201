//! Rule: imports point down.
//!
//! In the library a module may use what its feature names in `Cargo.toml`, and nothing else; so the arrows are read
//! from there and cannot differ from what the compiler is told. The [`LEAVES`] below all may be used by all.
//! In the tool no subcommand uses another, and what they
//! share ([`SHARED`]) uses no subcommand, but for the places that tie them together ([`TIES`]).
//!
//! An import is any path that begins at the top of the crate, whether in a `use` or in the middle of a line, and
//! whether it is written with `crate` or with as many `super` as lead there.

use super::features::LEAVES;
use super::manifest::Features;
use super::source::Source;
use std::path::{Component, Path};

/// What subcommands share. Every other module of the tool is a subcommand.
const SHARED: [&str; 5] = ["cli", "exit", "interrupt", "manual", "ui"];

/// What may name every subcommand: the entry, and the manual, which has a page for each.
const TIES: [&str; 2] = ["main", "manual"];

pub(crate) fn violations(source: &Source, features: &Features) -> Vec<String> {
    let Some((folder, module)) = place(&source.path) else { return Vec::new() };
    let mut found = Vec::new();
    for (position, used) in used(source) {
        let is_allowed = match folder {
            "src" => module == "lib" || module == used || names(features, module, &used),
            _ => TIES.contains(&module) || module == used || SHARED.contains(&used.as_str()),
        };
        if !is_allowed {
            found.push(source.at(position, &format!("`{module}` may not use `{used}`")));
        }
    }
    if folder == "commands" && source.code.contains("#[path") {
        found.push(format!("{}: the tool uses the library, not its files", source.path.display()));
    }
    found
}

fn names(features: &Features, module: &str, used: &str) -> bool {
    let rank = |name: &str| LEAVES.iter().position(|leaf| *leaf == name);
    let is_leaf_below = rank(used).is_some_and(|used| rank(module).is_none_or(|own| used < own));
    is_leaf_below || features.get(module).is_some_and(|named| named.iter().any(|name| name == used))
}

/// The folder, `src` or `commands`, and the name of the module at the top of the crate that the file belongs to.
fn place(path: &Path) -> Option<(&str, &str)> {
    let folder = path.components().next()?.as_os_str().to_str().filter(|name| ["src", "commands"].contains(name))?;
    let Component::Normal(module) = path.components().nth(1)? else { return None };
    Some((folder, Path::new(module).file_stem()?.to_str()?))
}

/// How many modules a file is below the top of the crate.
fn depth(path: &Path) -> usize {
    let folders = path.components().count() - 2;
    let is_folder = path.file_stem().is_some_and(|name| name == "mod");
    let is_root = folders == 0 && path.file_stem().is_some_and(|name| name == "lib" || name == "main");
    folders + usize::from(!is_folder && !is_root)
}

/// The names at the top of the crate that the code mentions.
fn used(source: &Source) -> Vec<(usize, String)> {
    let modules = source.inline_modules();
    let depth = depth(&source.path);
    let mut used = Vec::new();
    for position in source.find("crate") {
        used.extend(heads(after_colons(&source.code[position + "crate".len()..])).map(|name| (position, name)));
    }
    for position in source.find("super") {
        if source.code[..position].trim_end().ends_with("super::") {
            continue; // Not the first of a row.
        }
        let mut rest = &source.code[position..];
        let mut climbed = 0;
        while let Some(after) = rest.strip_prefix("super").and_then(after_colons) {
            (rest, climbed) = (after, climbed + 1);
        }
        let inline = modules.iter().filter(|module| module.contains(&position)).count();
        if climbed >= depth + inline {
            used.extend(heads(Some(rest)).map(|name| (position, name)));
        }
    }
    // A crate also has items of its own at the top, such as a type in `main`; they begin with a capital letter.
    used.retain(|(_, name)| name.starts_with(|letter: char| letter.is_lowercase()));
    used
}

fn after_colons(rest: &str) -> Option<&str> {
    rest.trim_start().strip_prefix("::").map(str::trim_start)
}

/// The first names of a path: one, or those of a group in braces.
fn heads(path: Option<&str>) -> std::vec::IntoIter<String> {
    let Some(path) = path else { return Vec::new().into_iter() };
    let Some(group) = path.strip_prefix('{') else { return Vec::from_iter(word(path)).into_iter() };
    let mut names = Vec::from_iter(word(group));
    let mut depth = 1;
    for (position, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => names.extend(word(&group[position + 1..])),
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    names.into_iter()
}

fn word(text: &str) -> Option<String> {
    let text = text.trim_start();
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: usize) {
        let features = super::super::manifest::features(
            "[features]\nsys = []\nfragment = [\"sys\"]\nqueue = []\nreactor = [\"sys\", \"queue\"]\nconn = [\"reactor\"]\n",
        );
        let found = violations(&Source::new(path, text), &features);
        assert_eq!(found.len(), expected, "{path}: {text}\n{found:?}");
    }

    #[test]
    fn the_library_keeps_to_the_feature_table() {
        check("src/fragment/fold.rs", "use crate::sys::extents;", 0);
        check("src/fragment/fold.rs", "use crate::fragment::cost;", 0);
        check("src/reactor.rs", "use crate::{queue::Queue, sys};", 0);
        check("src/sys/mod.rs", "use crate::fragment::Fold;", 1);
        check("src/fragment/fold.rs", "fn f() { crate::queue::push() }", 1);
        check("src/fragment/fold.rs", "use crate::{sys::{a, queue}, queue, conn::a};", 2);
        check("src/conn.rs", "use crate::sys::a;", 1);
        check("src/unnamed.rs", "use crate::sys::a;", 1);
        check("src/queue/block.rs", "use crate::primitive::AtomicU8; use crate::util::padded;", 0);
        check("src/util/backoff.rs", "use crate::primitive::spin_loop;", 0);
        check("src/primitive.rs", "use crate::util::padded;", 1);
        check("src/util/backoff.rs", "use crate::queue::Queue;", 1);
        check("src/queue.rs", "// crate::sys\nfn f() { \"crate::sys\" }", 0);
    }

    #[test]
    fn super_is_followed_to_the_top() {
        check("src/queue.rs", "use super::sys;", 1);
        check("src/queue.rs", "mod tests { use super::*; use super::push; }", 0);
        check("src/queue.rs", "mod tests { use super::super::sys; }", 1);
        check("src/sys/xfs.rs", "use super::check;", 0);
        check("src/sys/xfs.rs", "use super::super::fragment;", 1);
        check("src/fragment/scan/mod.rs", "use super::cost;", 0);
        check("src/fragment/scan/worker.rs", "use super::super::super::queue;", 1);
    }

    #[test]
    fn subcommands_do_not_know_each_other() {
        check("commands/fragtop/mod.rs", "use crate::ui::table; use crate::exit;", 0);
        check("commands/fragtop/rows.rs", "use super::columns; use crate::fragtop::columns;", 0);
        check("commands/fragtop/mod.rs", "use crate::crash;", 1);
        check("commands/crash.rs", "use super::fragtop::Row;", 1);
        check("commands/ui/table.rs", "use crate::fragtop::Row;", 1);
        check("commands/ui/table.rs", "use crate::ui::width; use super::escape;", 0);
        check("commands/fragtop/mod.rs", "use crate::cli::Fragtop;", 0);
        check("commands/cli.rs", "use crate::fragtop::Row;", 1);
        check("commands/manual.rs", "use crate::fragtop::CHAPTERS;", 0);
        check("commands/main.rs", "mod fragtop; use crate::fragtop;", 0);
    }

    #[test]
    fn the_tool_does_not_reach_into_the_library() {
        check("commands/fragtop/mod.rs", "#[path = \"../../src/sys/mod.rs\"]\nmod sys;", 1);
    }
}
