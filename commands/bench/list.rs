//! `toolbox bench list`: what can be measured, what it is compared with, and the loads.

use super::subject::{Entry, Kind, Role};
use crate::cli::Format;
use crate::ui::json::{Document, object};
use crate::ui::table::{Align, Table};
use crate::ui::terminal::Terminal;
use crate::ui::{csv, output};
use anyhow::Result;
use serde_json::Value;

/// Lists these benches with what takes part in each.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(benches: &[(Kind, Vec<Entry>)], terminal: &Terminal) -> Result<()> {
    let text = match terminal.format {
        Format::Table => table(benches, terminal),
        Format::Csv => {
            let mut text = csv::line([&b"bench"[..], b"name", b"role", b"about"]);
            for (kind, entry) in listed(benches) {
                let words = [kind.name, role(entry.role), entry.about];
                text.extend(csv::line([words[0], entry.name, words[1], words[2]].map(str::as_bytes)));
            }
            text
        }
        Format::Json => json(benches)?,
    };
    output::write(|out| out.write_all(&text))
}

/// Everything but what is broken on purpose.
fn listed(benches: &[(Kind, Vec<Entry>)]) -> impl Iterator<Item = (&Kind, &Entry)> {
    let all = benches.iter().flat_map(|(kind, entries)| entries.iter().map(move |entry| (kind, entry)));
    all.filter(|(_, entry)| entry.role != Role::Broken)
}

fn role(role: Role) -> &'static str {
    if role.is_reference() { "reference" } else { "rival" }
}

fn table(benches: &[(Kind, Vec<Entry>)], terminal: &Terminal) -> Vec<u8> {
    let mut table = Table::new([("bench", Align::Left), ("name", Align::Left), ("what it is", Align::Left)]);
    for (kind, entry) in listed(benches) {
        let name = if entry.name == kind.baseline { format!("{} (x = 1)", entry.name) } else { entry.name.to_owned() };
        table.row(vec![kind.name.to_owned(), name, entry.about.to_owned()]);
    }
    let mut lines = table.lines(terminal.width, terminal.ascii);
    lines.push(String::new());
    let mut loads = Table::new([("bench", Align::Left), ("load", Align::Left), ("what the threads do", Align::Left)]);
    for (kind, _) in benches {
        (kind.loads)().into_iter().for_each(|(name, about)| loads.row(vec![kind.name.to_owned(), name, about]));
    }
    lines.extend(loads.lines(terminal.width, terminal.ascii));
    lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
}

fn json(benches: &[(Kind, Vec<Entry>)]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut document = Document::open(&mut text, "toolbox.bench.list/1")?;
    let row = |(kind, entry): (&Kind, &Entry)| {
        let object = object! {
            "bench" => kind.name, "name" => entry.name, "role" => role(entry.role), "about" => entry.about,
            "is_baseline" => entry.name == kind.baseline,
        };
        Value::from(object)
    };
    document.list("rows", listed(benches).map(row))?;
    let loads = benches.iter().flat_map(|(kind, _)| (kind.loads)().into_iter().map(|load| (kind.name, load)));
    let load = |(bench, (name, about)): (&'static str, (String, String))| {
        object! { "name" => name, "about" => about, "bench" => bench }.into()
    };
    document.list("loads", loads.map(load))?;
    document.close()?;
    Ok(text)
}
