//! The answer as a table, as JSON or as CSV.

use super::bag::Role;
use super::compare::{SCHEMA, key};
use super::queue;
use super::report::{CaseReport, Report, Row, Standing, times};
use crate::cli::{Format, Workload};
use crate::ui::bars::bar;
use crate::ui::json::{Document, object};
use crate::ui::numbers::nanoseconds;
use crate::ui::table::{Align, Table};
use crate::ui::terminal::Terminal;
use crate::ui::{csv, output};
use anyhow::Result;
use clap::ValueEnum;
use serde_json::{Map, Value};

/// Cells for the bars.
const BAR: usize = 12;
/// Terminals narrower than this go without latencies, and without the share of the limit.
const WIDE: usize = 120;
/// And narrower than this without bars.
const MIDDLE: usize = 84;

/// One column of CSV and JSON.
struct Column {
    name: &'static str,
    value: fn(&Row) -> Value,
}

const COLUMNS: [Column; 19] = [
    Column { name: "name", value: |row| row.name.into() },
    Column { name: "standing", value: |row| row.standing.word().into() },
    Column { name: "pair_ns", value: |row| rounded(row.pair_ns.median) },
    Column { name: "operation_ns", value: |row| rounded(row.pair_ns.median / 2.0) },
    Column { name: "pair_ns_quarter", value: |row| rounded(row.pair_ns.lower_quartile) },
    Column { name: "pair_ns_three_quarters", value: |row| rounded(row.pair_ns.upper_quartile) },
    Column { name: "ratio", value: |row| row.ratio.map(|ratio| ratio.value).into() },
    Column { name: "ratio_low", value: |row| row.ratio.and_then(|ratio| ratio.interval).map(|range| range.low).into() },
    Column {
        name: "ratio_high",
        value: |row| row.ratio.and_then(|ratio| ratio.interval).map(|range| range.high).into(),
    },
    Column { name: "is_difference", value: |row| row.ratio.map(|ratio| ratio.is_difference()).into() },
    Column { name: "limit_share", value: |row| row.limit_share.into() },
    Column { name: "processor_ns", value: |row| row.processor_ns.map_or(Value::Null, rounded) },
    Column { name: "foreign_share", value: |row| row.foreign.into() },
    Column { name: "fairness", value: |row| row.fairness.into() },
    Column { name: "operation_p50_ns", value: |row| row.p50_ns.into() },
    Column { name: "operation_p99_ns", value: |row| row.p99_ns.into() },
    Column { name: "operation_p9999_ns", value: |row| row.p9999_ns.into() },
    Column { name: "operation_max_ns", value: |row| row.max_ns.into() },
    Column { name: "samples", value: |row| row.samples_ns.len().into() },
];

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

/// Lists what can be measured.
///
/// # Errors
/// When it cannot be written.
pub(super) fn list(terminal: &Terminal) -> Result<()> {
    let rivals = || queue::rivals().into_iter().filter(|rival| rival.role != Role::Broken);
    let role = |role| if role == Role::Reference { "reference" } else { "rival" };
    let text = match terminal.format {
        Format::Table => {
            let mut table = Table::new([("bench", Align::Left), ("name", Align::Left), ("what it is", Align::Left)]);
            rivals().for_each(|rival| table.row(vec!["queue".into(), rival.name.into(), rival.about.into()]));
            let mut lines = table.lines(terminal.width, terminal.ascii);
            lines.push(String::new());
            let mut loads = Table::new([("load", Align::Left), ("what the threads do", Align::Left)]);
            for load in Workload::value_variants() {
                loads.row(vec![load.name(), about(*load)]);
            }
            lines.extend(loads.lines(terminal.width, terminal.ascii));
            lines.join("\n").into_bytes().into_iter().chain([b'\n']).collect()
        }
        Format::Csv => {
            let mut text = csv::line([&b"bench"[..], b"name", b"role", b"about"]);
            rivals().for_each(|rival| {
                let words = ["queue", rival.name, role(rival.role), rival.about];
                text.extend(csv::line(words.map(str::as_bytes)));
            });
            text
        }
        Format::Json => {
            let mut text = Vec::new();
            let mut document = Document::open(&mut text, "toolbox.bench.list/1")?;
            let row = |rival: super::bag::Rival| {
                let object = object! {
                    "bench" => "queue", "name" => rival.name, "role" => role(rival.role), "about" => rival.about,
                };
                Value::from(object)
            };
            document.list("rows", rivals().map(row))?;
            let load = |load: &Workload| object! { "name" => load.name(), "about" => about(*load) }.into();
            document.list("loads", Workload::value_variants().iter().map(load))?;
            document.close()?;
            text
        }
    };
    output::write(|out| out.write_all(&text))
}

fn about(load: Workload) -> String {
    let help = load.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
    help.unwrap_or_default()
}

fn table(report: &Report, terminal: &Terminal) -> String {
    let mut lines = report.host_lines();
    for case in &report.cases {
        lines.push(String::new());
        lines.extend(case_lines(case, terminal));
    }
    lines.push(String::new());
    lines.extend(legend(report));
    if let Some(changes) = &report.changes {
        let (different, same): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.ratio.is_difference());
        lines.push(String::new());
        lines.extend(
            different.iter().map(|c| format!("{}, {}: {} the time of before", c.case, c.name, times(&c.ratio))),
        );
        lines.push(format!("{} compared with before: no difference shown in {}", changes.len(), same.len()));
    }
    lines.push(String::new());
    lines.extend(report.verdicts());
    if report.partial {
        lines.push("partial: interrupted".to_owned());
    }
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// What the columns and marks are.
fn legend(report: &Report) -> Vec<String> {
    let has = |standing| report.cases.iter().flat_map(|case| &case.rows).any(|row| row.standing == standing);
    let mut lines = vec![
        "ns/pair: one item put in and taken out, by all threads together".to_owned(),
        format!("x: speed in times that of {}, and the 99 % interval of that", report.baseline),
    ];
    if report.cases.iter().any(|case| case.case.is_shared()) {
        lines.push("foreign: items that came from another thread".to_owned());
        lines.push("fair: pairs of the slowest thread, as a share of the fastest one's".to_owned());
    }
    let mut marks = "* leads".to_owned();
    if has(Standing::Level) {
        marks += "; = not shown to differ from the leader";
    }
    if has(Standing::Captured) {
        marks += "; - not ranked, under 5 % foreign";
    }
    lines.push(marks);
    lines
}

fn case_lines(case: &CaseReport, terminal: &Terminal) -> Vec<String> {
    let bold = |text: String| if terminal.color { format!("\x1b[1m{text}\x1b[0m") } else { text };
    let mut lines = vec![bold(case.case.to_string())];
    if !case.rows.is_empty() {
        let marked = case.rows.iter().map(|row| row.standing == Standing::Leader);
        let rows = case_table(case, terminal).lines(terminal.width, terminal.ascii);
        let marked = std::iter::once(false).chain(marked);
        lines.extend(rows.into_iter().zip(marked).map(|(line, mark)| if mark { bold(line) } else { line }));
    }
    let mut parts = Vec::new();
    parts.extend(case.harness_ns.map(|time| format!("the harness alone {time:.1} ns")));
    parts.extend(case.limit_ns.map(|time| format!("this host's limit {time:.1}")));
    parts.extend(case.link_ns.map(|time| format!("a line from core to core {time:.0}")));
    if case.link_ns.is_some() {
        parts.push(format!("{} of {} samples dropped", case.dropped, case.taken));
    }
    lines.extend((!parts.is_empty()).then(|| parts.join("; ")));
    lines
}

fn case_table(case: &CaseReport, terminal: &Terminal) -> Table {
    let fits = |least| terminal.width.is_none_or(|width| width >= least);
    let fastest = case.rows.iter().map(|row| 1e9 / row.pair_ns.median).fold(0.0, f64::max) as u64;
    let has_shares = case.case.is_shared();
    let mut heads = vec![("ns/pair", Align::Right), ("spread", Align::Right), ("x", Align::Right), ("", Align::Left)];
    if has_shares {
        heads.extend([("foreign", Align::Right), ("fair", Align::Right)]);
    }
    if fits(WIDE) {
        heads.extend([("of limit", Align::Right), ("cpu ns", Align::Right)]);
        heads.extend([("p50", Align::Right), ("p99.99", Align::Right), ("max", Align::Right)]);
    }
    if fits(MIDDLE) {
        heads.push(("", Align::Left));
    }
    heads.extend([("", Align::Left), ("", Align::Left)]);
    let mut table = Table::new(heads);
    for row in &case.rows {
        let interval = row.ratio.and_then(|ratio| ratio.interval);
        let mut cells = vec![
            format!("{:.1}", row.pair_ns.median),
            percent(Some(row.pair_ns.spread())),
            row.ratio.map_or_else(dash, |ratio| format!("{:.2}", ratio.value)),
            interval.map_or_else(dash, |range| format!("{:.2}-{:.2}", range.low, range.high)),
        ];
        if has_shares {
            cells.extend([percent(row.foreign), row.fairness.map_or_else(dash, |share| format!("{share:.2}"))]);
        }
        if fits(WIDE) {
            let time = |time: Option<u64>| time.map_or_else(dash, nanoseconds);
            cells.extend([percent(row.limit_share), row.processor_ns.map_or_else(dash, |time| format!("{time:.1}"))]);
            cells.extend([time(row.p50_ns), time(row.p9999_ns), time(row.max_ns)]);
        }
        if fits(MIDDLE) {
            cells.push(bar((1e9 / row.pair_ns.median) as u64, fastest, BAR, terminal.ascii));
        }
        cells.extend([row.standing.mark().to_owned(), row.name.to_owned()]);
        table.row(cells);
    }
    table
}

fn dash() -> String {
    "-".to_owned()
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(dash, |share| format!("{:.0} %", share * 100.0))
}

/// To a hundredth, which is less than any clock resolves.
fn rounded(value: f64) -> Value {
    ((value * 100.0).round() / 100.0).into()
}

/// The document, in raw units.
///
/// # Errors
/// None that a buffer in memory could meet.
pub(super) fn json(report: &Report) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut document = Document::open(&mut text, SCHEMA)?;
    document.field("bench", &"queue".into())?;
    document.field("partial", &report.partial.into())?;
    document.field("host", &host(report).into())?;
    let method = object! {
        "rounds" => report.method.rounds,
        "sample_ns" => report.method.duration_ns,
        "operations" => report.method.operations,
        "seed" => report.method.seed,
        "confidence" => 0.99,
        "baseline" => report.baseline,
    };
    document.field("method", &method.into())?;
    document.list("cases", report.cases.iter().map(case))?;
    if let Some(changes) = &report.changes {
        let change = |change: &super::compare::Change| {
            let mut object: Map<String, Value> =
                key(change.case).map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
            object.extend(object! {
                "name" => change.name,
                "time_ratio" => change.ratio.value,
                "time_ratio_low" => change.ratio.interval.map(|range| range.low),
                "time_ratio_high" => change.ratio.interval.map(|range| range.high),
                "is_difference" => change.ratio.is_difference(),
            });
            Value::from(object)
        };
        document.list("changes", changes.iter().map(change))?;
    }
    document.list("verdicts", report.verdicts().into_iter().map(Value::from))?;
    let fault = |(name, load, evidence): &(&'static str, String, Vec<String>)| {
        object! { "name" => *name, "under" => load.as_str(), "evidence" => evidence.clone() }.into()
    };
    document.list("faults", report.faults.iter().map(fault))?;
    document.list("warnings", report.warnings.iter().map(|text| text.as_str().into()))?;
    document.close()?;
    Ok(text)
}

fn host(report: &Report) -> Map<String, Value> {
    let host = &report.host;
    object! {
        "processor" => host.processor.as_str(),
        "caches" => host.caches.clone(),
        "online" => host.online,
        "allowed" => host.allowed.clone(),
        "quota" => host.quota,
        "kernel" => host.kernel.as_str(),
        "governor" => host.governor.clone(),
        "hypervisor" => host.hypervisor.clone(),
        "commit" => env!("TOOLBOX_COMMIT"),
        "rustc" => env!("TOOLBOX_RUSTC"),
    }
}

fn case(case: &CaseReport) -> Value {
    let mut object: Map<String, Value> =
        key(case.case).map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
    object.extend(object! {
        "harness_ns" => case.harness_ns,
        "limit_ns" => case.limit_ns,
        "link_ns" => case.link_ns,
        "samples_taken" => case.taken,
        "samples_dropped" => case.dropped,
        "results" => case.rows.iter().map(result).collect::<Vec<_>>(),
    });
    object.into()
}

fn result(row: &Row) -> Value {
    let mut object: Map<String, Value> =
        COLUMNS.iter().map(|column| (column.name.to_owned(), (column.value)(row))).collect();
    object.insert("samples_ns".to_owned(), row.samples_ns.iter().copied().map(rounded).collect::<Vec<_>>().into());
    object.into()
}

fn comma_separated(report: &Report) -> Vec<u8> {
    let heads = ["workload", "threads", "producers", "payload"].into_iter();
    let heads: Vec<&str> = heads.chain(COLUMNS.iter().map(|column| column.name)).collect();
    let mut text = csv::line(heads.iter().map(|head| head.as_bytes()));
    for case in &report.cases {
        for row in &case.rows {
            let values = key(case.case).map(|(_, value)| value).into_iter();
            let values: Vec<String> =
                values.chain(COLUMNS.iter().map(|column| (column.value)(row))).map(plain).collect();
            text.extend(csv::line(values.iter().map(String::as_bytes)));
        }
    }
    text
}

/// A value as it stands in CSV: nothing where there is none.
fn plain(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}
