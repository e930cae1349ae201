//! The answer as a table, as JSON or as CSV.

use super::compare::SCHEMA;
use super::report::{CaseReport, Report, Row, Standing, times};
use super::subject::{Form, Kind};
use crate::cli::Format;
use crate::ui::bars::bar;
use crate::ui::json::{Document, object};
use crate::ui::numbers::nanoseconds;
use crate::ui::table::{Align, Table};
use crate::ui::terminal::Terminal;
use crate::ui::{csv, output};
use anyhow::Result;
use serde_json::{Map, Value};

/// Cells for the bars.
const BAR: usize = 12;
/// Terminals narrower than this go without latencies, and without the share of the limit.
const WIDE: usize = 120;
/// And narrower than this without bars.
const MIDDLE: usize = 84;

/// One column of CSV and JSON. In the names `unit` stands for what the bench measures.
struct Column {
    name: &'static str,
    value: fn(&Row, &Kind) -> Value,
}

/// Those of every bench, before its own.
const COLUMNS: [Column; 21] = [
    Column { name: "name", value: |row, _| row.name.into() },
    Column { name: "standing", value: |row, _| row.standing.word().into() },
    Column { name: "unit_ns", value: |row, _| rounded(row.unit_ns.median) },
    Column { name: "operation_ns", value: |row, kind| rounded(row.unit_ns.median / f64::from(kind.operations)) },
    Column { name: "unit_ns_quarter", value: |row, _| rounded(row.unit_ns.lower_quartile) },
    Column { name: "unit_ns_three_quarters", value: |row, _| rounded(row.unit_ns.upper_quartile) },
    Column { name: "ratio", value: |row, _| row.ratio.map(|ratio| ratio.value).into() },
    Column { name: "ratio_low", value: |row, _| row.interval().map(|range| range.low).into() },
    Column { name: "ratio_high", value: |row, _| row.interval().map(|range| range.high).into() },
    Column { name: "is_difference", value: |row, _| row.ratio.map(|ratio| ratio.is_difference()).into() },
    Column { name: "limit_share", value: |row, _| row.limit_share.into() },
    Column { name: "processor_ns", value: |row, _| row.processor_ns.map_or(Value::Null, rounded) },
    Column { name: "foreign_share", value: |row, _| row.foreign.into() },
    Column { name: "fairness", value: |row, _| row.fairness.into() },
    Column { name: "operation_p50_ns", value: |row, _| row.p50_ns.into() },
    Column { name: "operation_p99_ns", value: |row, _| row.p99_ns.into() },
    Column { name: "operation_p9999_ns", value: |row, _| row.p9999_ns.into() },
    Column { name: "operation_max_ns", value: |row, _| row.max_ns.into() },
    Column { name: "samples", value: |row, _| row.samples_ns.len().into() },
    Column { name: "fairness_to_mean", value: |row, _| row.fairness_to_mean.into() },
    Column { name: "longest_ns", value: |row, _| row.longest_ns.into() },
];

/// The columns of CSV and JSON with their values, the bench's own last.
fn columns(row: &Row, kind: &Kind) -> Vec<(String, Value)> {
    let common = COLUMNS.iter().map(|column| (named(column.name, kind), (column.value)(row, kind)));
    let own = kind.columns.iter().zip(&row.own).map(|(column, value)| (column.name.to_owned(), (*value).into()));
    common.chain(own).collect()
}

/// `pair_ns` for `unit_ns`.
fn named(name: &str, kind: &Kind) -> String {
    name.strip_prefix("unit").map_or_else(|| name.to_owned(), |rest| kind.unit.replace('-', "_") + rest)
}

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
    let mut lines = report.host_lines();
    for case in &report.cases {
        lines.push(String::new());
        lines.extend(case_lines(case, &report.kind, terminal));
    }
    lines.push(String::new());
    lines.extend(legend(report));
    if let Some(changes) = &report.changes {
        let (different, same): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.ratio.is_difference());
        lines.push(String::new());
        lines.extend(
            different.iter().map(|c| format!("{}, {}: {} the time of before", c.title, c.name, times(&c.ratio))),
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
    let rows = || report.cases.iter().flat_map(|case| &case.rows);
    let has = |standing| rows().any(|row| row.standing == standing);
    let kind = &report.kind;
    let mut lines = vec![
        format!("ns/{}: {}", kind.unit, kind.unit_is),
        format!("x: speed in times that of {}, and the 99 % interval of that", report.baseline),
    ];
    let columns = SHARES.iter().filter(|column| rows().any(|row| (column.value)(row).is_some()));
    lines.extend(columns.map(|column| match column.head {
        "foreign" => format!("foreign: {}", kind.foreign_is),
        head => format!("{head}: {}", column.legend.replace("UNIT", kind.unit)),
    }));
    let is_told = |place: usize| rows().any(|row| row.own.get(place).is_some_and(Option::is_some));
    let own = kind.columns.iter().enumerate().filter(|(place, column)| !column.legend.is_empty() && is_told(*place));
    lines.extend(own.map(|(_, column)| format!("{}: {}", column.head, column.legend)));
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

/// A column of the table, which is there when it tells something.
struct Share {
    head: &'static str,
    legend: &'static str,
    form: Form,
    value: fn(&Row) -> Option<f64>,
}

/// What every table shows, where there is something to show.
const SHARES: [Share; 3] = [
    Share { head: "foreign", legend: "", form: Form::Percent, value: |row| row.foreign },
    Share {
        head: "fair",
        legend: "UNITs of the slowest thread, as a share of the mean of all threads",
        form: Form::Plain,
        value: |row| row.fairness_to_mean,
    },
    Share {
        head: "longest",
        legend: "the longest that anyone waited, of all samples that count",
        form: Form::Nanoseconds,
        value: |row| row.longest_ns.map(|time| time as f64),
    },
];

/// What only a wide table shows.
const DETAILS: [Share; 5] = [
    Share { head: "of limit", legend: "", form: Form::Percent, value: |row| row.limit_share },
    Share { head: "cpu ns", legend: "", form: Form::Tenth, value: |row| row.processor_ns },
    Share { head: "p50", legend: "", form: Form::Nanoseconds, value: |row| row.p50_ns.map(|time| time as f64) },
    Share { head: "p99.99", legend: "", form: Form::Nanoseconds, value: |row| row.p9999_ns.map(|time| time as f64) },
    Share { head: "max", legend: "", form: Form::Nanoseconds, value: |row| row.max_ns.map(|time| time as f64) },
];

/// A number as it is shown; a dash where there is none.
fn shown(form: Form, value: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    match form {
        Form::Percent => format!("{:.0} %", value * 100.0),
        Form::Plain => format!("{value:.2}"),
        Form::Tenth => format!("{value:.1}"),
        Form::Nanoseconds => nanoseconds(value as u64),
    }
}

fn case_lines(case: &CaseReport, kind: &Kind, terminal: &Terminal) -> Vec<String> {
    let bold = |text: String| if terminal.color { format!("\x1b[1m{text}\x1b[0m") } else { text };
    let mut lines = vec![bold(case.title.clone())];
    if !case.rows.is_empty() {
        let marked = case.rows.iter().map(|row| row.standing == Standing::Leader);
        let rows = case_table(case, kind, terminal).lines(terminal.width, terminal.ascii);
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

fn case_table(case: &CaseReport, kind: &Kind, terminal: &Terminal) -> Table {
    let fits = |least| terminal.width.is_none_or(|width| width >= least);
    let fastest = case.rows.iter().map(|row| 1e9 / row.unit_ns.median).fold(0.0, f64::max) as u64;
    let is_told = |column: &&Share| case.rows.iter().any(|row| (column.value)(row).is_some());
    let shares: Vec<&Share> = SHARES.iter().filter(is_told).collect();
    let details: Vec<&Share> = if fits(WIDE) { DETAILS.iter().collect() } else { vec![] };
    let is_told = |place: &usize| case.rows.iter().any(|row| row.own[*place].is_some());
    let own: Vec<usize> = (0..kind.columns.len()).filter(is_told).collect();
    let unit = format!("ns/{}", kind.unit);
    let left = |head: &str| (head.to_owned(), Align::Left);
    let right = |head: &str| (head.to_owned(), Align::Right);
    let mut heads = vec![right(&unit), right("spread"), right("x"), left("")];
    heads.extend(shares.iter().map(|column| right(column.head)));
    heads.extend(own.iter().map(|&place| right(kind.columns[place].head)));
    heads.extend(details.iter().map(|column| right(column.head)));
    heads.extend(fits(MIDDLE).then(|| left("")));
    heads.extend([left(""), left("")]);
    let mut table = Table::new(heads);
    for row in &case.rows {
        let mut cells = vec![
            shown(Form::Tenth, Some(row.unit_ns.median)),
            shown(Form::Percent, Some(row.unit_ns.spread())),
            shown(Form::Plain, row.ratio.map(|ratio| ratio.value)),
            row.interval().map_or_else(|| "-".to_owned(), |range| format!("{:.2}-{:.2}", range.low, range.high)),
        ];
        cells.extend(shares.iter().map(|column| shown(column.form, (column.value)(row))));
        cells.extend(own.iter().map(|&place| shown(kind.columns[place].form, row.own[place])));
        cells.extend(details.iter().map(|column| shown(column.form, (column.value)(row))));
        if fits(MIDDLE) {
            cells.push(bar((1e9 / row.unit_ns.median) as u64, fastest, BAR, terminal.ascii));
        }
        cells.extend([row.standing.mark().to_owned(), row.name.to_owned()]);
        table.row(cells);
    }
    table
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
    document.field("bench", &report.kind.name.into())?;
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
    document.list("cases", report.cases.iter().map(|its| case(its, &report.kind)))?;
    if let Some(changes) = &report.changes {
        let change = |change: &super::compare::Change| {
            let mut object = named_key(&change.key);
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

fn named_key(key: &[(&'static str, Value)]) -> Map<String, Value> {
    key.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn case(case: &CaseReport, kind: &Kind) -> Value {
    let mut object = named_key(&case.key);
    object.extend(object! {
        "harness_ns" => case.harness_ns,
        "limit_ns" => case.limit_ns,
        "link_ns" => case.link_ns,
        "samples_taken" => case.taken,
        "samples_dropped" => case.dropped,
        "results" => case.rows.iter().map(|row| result(row, kind)).collect::<Vec<_>>(),
    });
    object.into()
}

fn result(row: &Row, kind: &Kind) -> Value {
    let mut object: Map<String, Value> = columns(row, kind).into_iter().collect();
    object.insert("samples_ns".to_owned(), row.samples_ns.iter().copied().map(rounded).collect::<Vec<_>>().into());
    object.into()
}

fn comma_separated(report: &Report) -> Vec<u8> {
    let kind = &report.kind;
    let key = report.cases.first().map(|case| case.key.iter().map(|(name, _)| (*name).to_owned()));
    let common = COLUMNS.iter().map(|column| named(column.name, kind));
    let own = kind.columns.iter().map(|column| column.name.to_owned());
    let heads: Vec<String> = key.into_iter().flatten().chain(common).chain(own).collect();
    let mut text = csv::line(heads.iter().map(String::as_bytes));
    for case in &report.cases {
        for row in &case.rows {
            let key = case.key.iter().map(|(_, value)| value.clone());
            let values: Vec<String> =
                key.chain(columns(row, kind).into_iter().map(|(_, value)| value)).map(plain).collect();
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
