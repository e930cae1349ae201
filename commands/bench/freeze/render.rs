//! The answer as a table, as JSON or as CSV.

use super::report::{Report, Series, Site, Subject, Tally};
use crate::bench::report::host_lines;
use crate::cli::Format;
use crate::ui::json::{Document, object};
use crate::ui::numbers::{count, things};
use crate::ui::table::{Align, Table};
use crate::ui::terminal::Terminal;
use crate::ui::{csv, output};
use anyhow::Result;
use serde_json::Value;

const SCHEMA: &str = "toolbox.bench.freeze/1";

/// Places at which a structure holds up others that the table names; JSON has them all.
const NAMED: usize = 4;

/// Writes `report` to standard output.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(report: &Report, terminal: &Terminal) -> Result<()> {
    let text = match terminal.format {
        Format::Table => table(report, terminal).into_bytes(),
        Format::Json => json(report)?,
        Format::Csv => comma_separated(report),
    };
    output::write(|out| out.write_all(&text))
}

fn table(report: &Report, terminal: &Terminal) -> String {
    let mut table = Table::new([
        (report.kind, Align::Left),
        ("operation", Align::Left),
        ("before", Align::Left),
        ("instructions", Align::Right),
        ("stops", Align::Right),
        ("block", Align::Right),
        ("hide", Align::Right),
        ("in libc", Align::Right),
        ("block", Align::Right),
        ("first at", Align::Left),
    ]);
    for subject in &report.subjects {
        for series in &subject.series {
            let (own, system) = (series.tally(false), series.tally(true));
            let first = series.first().map(|site| format!("{} ({})", site.place.in_short(), site.tally.how()));
            table.row(vec![
                subject.name.to_owned(),
                series.operation.to_owned(),
                series.before(),
                count(series.instructions as u64),
                count(own.stops),
                count(own.blocking()),
                count(own.hide),
                count(system.stops),
                count(system.held_up()),
                first.unwrap_or_default(),
            ]);
        }
    }
    let mut lines = host_lines(&report.host);
    lines.push(String::new());
    lines.extend(table.lines(terminal.width, terminal.ascii));
    lines.extend(report.subjects.iter().flat_map(where_lines));
    lines.push(String::new());
    lines.push("block: the others did not finish until the frozen thread went on (sleep, spin)".to_owned());
    lines.push("hide: they did, but could not take out what they had put in".to_owned());
    lines.push(String::new());
    lines.extend(report.subjects.iter().map(Subject::verdict));
    if report.partial {
        lines.push("partial: interrupted".to_owned());
    }
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// Where a structure holds up the others most often.
fn where_lines(subject: &Subject) -> Vec<String> {
    let mut sites: Vec<(&Series, &Site, u64)> = Vec::new();
    for series in &subject.series {
        for site in series.sites.iter().filter(|site| !site.place.is_system && site.tally.held_up() > 0) {
            let known = |(one, other, _): &&mut (&Series, &Site, u64)| {
                one.operation == series.operation && other.place.is_with(&site.place)
            };
            match sites.iter_mut().find(known) {
                Some((.., stops)) => *stops += site.tally.held_up(),
                None => sites.push((series, site, site.tally.held_up())),
            }
        }
    }
    sites.sort_by_key(|(.., stops)| std::cmp::Reverse(*stops));
    let mut lines = Vec::new();
    if !sites.is_empty() {
        lines.extend([String::new(), format!("{} holds up the others", subject.name)]);
    }
    lines.extend(sites.iter().take(NAMED).map(|(series, site, stops)| {
        let (how, place) = (site.tally.how(), site.place.in_short());
        format!("  {:4} at {} ({how}): {place}", series.operation, things(*stops, "stop"))
    }));
    if let more @ 1.. = sites.len().saturating_sub(NAMED) {
        lines.push(format!("  and at {}", things(more as u64, "other place")));
    }
    lines
}

/// The document, in raw numbers.
fn json(report: &Report) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut document = Document::open(&mut text, SCHEMA)?;
    document.field("bench", &report.kind.into())?;
    document.field("partial", &report.partial.into())?;
    document.field("host", &crate::bench::render::host(&report.host).into())?;
    let all = report.subjects.iter().flat_map(|subject| subject.series.iter().map(move |series| (subject, series)));
    document.list("cases", all.map(|(subject, series)| case(subject, series)))?;
    let verdict = |subject: &Subject| {
        let (own, system) = (subject.tally(false), subject.tally(true));
        object! {
            "name" => subject.name, "stops" => own.stops, "blocking" => own.blocking(), "hiding" => own.hide,
            "system_stops" => system.stops, "system_blocking" => system.held_up(), "verdict" => subject.verdict(),
        }
    };
    document.list("subjects", report.subjects.iter().map(|subject| verdict(subject).into()))?;
    let fault = |(name, what): &(&'static str, String)| object! { "name" => *name, "evidence" => what.as_str() }.into();
    document.list("faults", report.faults.iter().map(fault))?;
    document.close()?;
    Ok(text)
}

fn case(subject: &Subject, series: &Series) -> Value {
    let mut case = object! {
        "name" => subject.name, "operation" => series.operation, "passed" => series.passed,
        "inside" => series.inside, "instructions" => series.instructions,
    };
    case.extend(tallied(&series.tally(false)));
    let system = series.tally(true);
    case.extend(object! { "system_stops" => system.stops, "system_blocking" => system.held_up() });
    let site = |site: &Site| {
        let (place, source) = (&site.place, site.place.source.as_ref());
        let mut of = object! {
            "function" => place.function.clone(), "file" => source.map(|(file, _)| file.clone()),
            "line" => source.map(|(_, line)| *line), "module" => place.module.as_str(), "offset" => place.offset,
            "is_system" => place.is_system,
        };
        of.extend(tallied(&site.tally));
        Value::from(of)
    };
    case.insert("places".to_owned(), series.sites.iter().map(site).collect::<Vec<_>>().into());
    case.into()
}

fn tallied(tally: &Tally) -> serde_json::Map<String, Value> {
    object! {
        "stops" => tally.stops, "blocking" => tally.blocking(), "sleeping" => tally.sleep, "spinning" => tally.spin,
        "hiding" => tally.hide,
    }
}

fn comma_separated(report: &Report) -> Vec<u8> {
    let heads = [
        "name",
        "operation",
        "passed",
        "inside",
        "instructions",
        "stops",
        "blocking",
        "sleeping",
        "spinning",
        "hiding",
        "system_stops",
        "system_blocking",
        "first_function",
        "first_file",
        "first_line",
    ];
    let mut text = csv::line(heads.iter().map(|head| head.as_bytes()));
    for subject in &report.subjects {
        for series in &subject.series {
            let (own, system) = (series.tally(false), series.tally(true));
            let place = series.first().map(|site| &site.place);
            let source = place.and_then(|place| place.source.as_ref());
            let numbers = [
                series.passed,
                series.inside,
                series.instructions as u64,
                own.stops,
                own.blocking(),
                own.sleep,
                own.spin,
                own.hide,
                system.stops,
                system.held_up(),
            ];
            let first = [
                place.and_then(|place| place.function.clone()).unwrap_or_default(),
                source.map(|(file, _)| file.clone()).unwrap_or_default(),
                source.map(|(_, line)| line.to_string()).unwrap_or_default(),
            ];
            let words = [subject.name.to_owned(), series.operation.to_owned()].into_iter();
            let fields: Vec<String> = words.chain(numbers.map(|number| number.to_string())).chain(first).collect();
            text.extend(csv::line(fields.iter().map(String::as_bytes)));
        }
    }
    text
}
