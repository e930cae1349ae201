//! The answer as a table, as JSON or as CSV.

use super::compare::SCHEMA;
use super::report::{CaseReport, Report, Row, Standing, times};
use super::subject::{Column, Form, Kind};
use super::verdict;
use crate::cli::Format;
use crate::ui::bars::bar;
use crate::ui::json::{Document, object};
use crate::ui::numbers::{bytes, nanoseconds};
use crate::ui::table::{Align, Table};
use crate::ui::terminal::Terminal;
use crate::ui::{csv, output};
use anyhow::Result;
use serde_json::{Map, Value};
use toolbox::bench::host::Host;
use unicode_width::UnicodeWidthStr;

/// Cells for the bars.
const BAR: usize = 12;
/// One column of CSV and JSON. In the names `unit` stands for what the bench measures.
struct Field {
    name: &'static str,
    value: fn(&Row, &Kind) -> Value,
}

/// Those of every bench, before its own.
const FIELDS: [Field; 21] = [
    Field { name: "name", value: |row, _| row.name.into() },
    Field { name: "standing", value: |row, _| row.standing.word().into() },
    Field { name: "unit_ns", value: |row, _| rounded(row.unit_ns.median) },
    Field { name: "operation_ns", value: |row, kind| rounded(row.unit_ns.median / f64::from(kind.operations)) },
    Field { name: "unit_ns_quarter", value: |row, _| rounded(row.unit_ns.lower_quartile) },
    Field { name: "unit_ns_three_quarters", value: |row, _| rounded(row.unit_ns.upper_quartile) },
    Field { name: "ratio", value: |row, _| row.ratio.map(|ratio| ratio.value).into() },
    Field { name: "ratio_low", value: |row, _| row.interval().map(|range| range.low).into() },
    Field { name: "ratio_high", value: |row, _| row.interval().map(|range| range.high).into() },
    Field { name: "is_difference", value: |row, _| row.ratio.map(|ratio| ratio.is_difference()).into() },
    Field { name: "limit_share", value: |row, _| row.limit_share.into() },
    Field { name: "processor_ns", value: |row, _| row.processor_ns.map_or(Value::Null, rounded) },
    Field { name: "foreign_share", value: |row, _| row.foreign.into() },
    Field { name: "fairness", value: |row, _| row.fairness.into() },
    Field { name: "operation_p50_ns", value: |row, _| row.p50_ns.into() },
    Field { name: "operation_p99_ns", value: |row, _| row.p99_ns.into() },
    Field { name: "operation_p9999_ns", value: |row, _| row.p9999_ns.into() },
    Field { name: "operation_max_ns", value: |row, _| row.max_ns.into() },
    Field { name: "samples", value: |row, _| row.samples_ns.len().into() },
    Field { name: "fairness_to_mean", value: |row, _| row.fairness_to_mean.into() },
    Field { name: "longest_ns", value: |row, _| row.longest_ns.into() },
];

/// The columns of CSV and JSON with their values, the bench's own last.
fn columns(row: &Row, kind: &Kind) -> Vec<(String, Value)> {
    let common = FIELDS.iter().map(|field| (named(field.name, kind), (field.value)(row, kind)));
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

/// Writes the reports of `bench all` to standard output.
///
/// # Errors
/// When they cannot be written.
pub(super) fn write_all(reports: &[Report], terminal: &Terminal) -> Result<()> {
    let text = match terminal.format {
        Format::Table => table_of_all(reports, terminal).into_bytes(),
        Format::Json => json_of_all(reports)?,
        Format::Csv => comma_separated_of_all(reports),
    };
    output::write(|out| out.write_all(&text))
}

fn table(report: &Report, terminal: &Terminal) -> String {
    let mut lines = report.host_lines();
    lines.extend(body(report, terminal));
    lines.push(String::new());
    lines.extend(report.verdicts());
    let advice = verdict::advice(report);
    if report.cases.len() > 1 && !advice.is_empty() {
        lines.extend([String::new(), bold("what to use on this host", terminal)]);
        lines.extend(advice);
    }
    if report.partial {
        lines.push("partial: interrupted".to_owned());
    }
    joined(&lines)
}

fn table_of_all(reports: &[Report], terminal: &Terminal) -> String {
    let mut lines = reports.first().map(Report::host_lines).unwrap_or_default();
    for report in reports {
        lines.extend([String::new(), bold(&report.kind.name.to_uppercase(), terminal)]);
        lines.extend(body(report, terminal));
    }
    lines.extend([String::new(), bold("what to use on this host", terminal)]);
    for report in reports {
        let advice = verdict::advice(report);
        lines.extend(advice.into_iter().map(|line| format!("{}, {line}", report.kind.name)));
    }
    if reports.iter().any(|report| report.partial) {
        lines.push("partial: interrupted".to_owned());
    }
    joined(&lines)
}

fn joined(lines: &[String]) -> String {
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn bold(text: &str, terminal: &Terminal) -> String {
    if terminal.color { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
}

/// The loads, what the columns mean, and what changed.
fn body(report: &Report, terminal: &Terminal) -> Vec<String> {
    let mut lines = Vec::new();
    let room = report.cases.iter().map(|case| Room::that_fits(case, &report.kind, terminal)).min();
    let room = room.unwrap_or(Room::All);
    for case in &report.cases {
        lines.push(String::new());
        lines.extend(case_lines(case, &report.kind, room, terminal));
    }
    lines.push(String::new());
    lines.extend(legend(report, room));
    if let Some(changes) = &report.changes {
        let (different, same): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.ratio.is_difference());
        lines.push(String::new());
        lines.extend(
            different.iter().map(|c| format!("{}, {}: {} the time of before", c.title, c.name, times(&c.ratio))),
        );
        lines.push(format!("{} compared with before: no difference shown in {}", changes.len(), same.len()));
    }
    lines
}

/// What the columns and marks are.
fn legend(report: &Report, room: Room) -> Vec<String> {
    let rows = || report.cases.iter().flat_map(|case| &case.rows);
    let has = |standing| rows().any(|row| row.standing == standing);
    let kind = &report.kind;
    let mut lines = vec![
        format!("ns/{}: {}", kind.unit, kind.unit_is),
        format!("x: speed in times that of {}, and the 99 % interval of that", report.baseline),
    ];
    let shares = SHARES.iter().filter(|_| room >= Room::Shares);
    let columns = shares.filter(|column| rows().any(|row| (column.value)(row).is_some()));
    lines.extend(columns.map(|column| match column.head {
        "foreign" => format!("foreign: {}", kind.foreign_is),
        head => format!("{head}: {}", column.legend.replace("UNIT", kind.unit)),
    }));
    let is_told = |place: usize| rows().any(|row| row.own.get(place).is_some_and(Option::is_some));
    let own = kind
        .columns
        .iter()
        .enumerate()
        .filter(|(place, column)| !column.legend.is_empty() && is_told(*place) && room >= Room::of(column));
    lines.extend(own.map(|(_, column)| format!("{}: {}", column.head, column.legend)));
    let mut marks = "* leads".to_owned();
    if has(Standing::Level) {
        marks += "; = not shown to differ from the leader";
    }
    if has(Standing::Captured) {
        marks += "; - not ranked, under 5 % foreign";
    }
    lines.push(marks);
    if room < Room::All {
        lines.push("there are more columns in a wider terminal, in a pipe and with --format csv".to_owned());
    }
    lines
}

/// How much there is room for. Each level has what the ones before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Room {
    /// Times and ratios.
    Figures,
    /// What else tells whether they hold: who did how much.
    Shares,
    /// Bars.
    Bars,
    /// Single operations.
    Details,
    /// What this bench alone tells in detail.
    All,
}

impl Room {
    /// The most that fits the terminal in all lines of a case.
    fn that_fits(case: &CaseReport, kind: &Kind, terminal: &Terminal) -> Self {
        let Some(width) = terminal.width else { return Self::All };
        let fits = |room: &Self| {
            let lines = case_table(case, kind, *room, terminal).lines(None, terminal.ascii);
            lines.iter().all(|line| line.width() <= width)
        };
        let rooms = [Self::All, Self::Details, Self::Bars, Self::Shares];
        rooms.into_iter().find(fits).unwrap_or(Self::Figures)
    }

    /// What a column of a bench's own takes.
    fn of(column: &Column) -> Self {
        if column.is_detail { Self::All } else { Self::Shares }
    }
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
        Form::Bytes => bytes(value as u64),
    }
}

fn case_lines(case: &CaseReport, kind: &Kind, room: Room, terminal: &Terminal) -> Vec<String> {
    let mut lines = vec![bold(&case.title, terminal)];
    if !case.rows.is_empty() {
        let marked = case.rows.iter().map(|row| row.standing == Standing::Leader);
        let rows = case_table(case, kind, room, terminal).lines(terminal.width, terminal.ascii);
        let marked = std::iter::once(false).chain(marked);
        lines.extend(rows.into_iter().zip(marked).map(|(line, mark)| if mark { bold(&line, terminal) } else { line }));
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

fn case_table(case: &CaseReport, kind: &Kind, room: Room, terminal: &Terminal) -> Table {
    let fastest = case.rows.iter().map(|row| 1e9 / row.unit_ns.median).fold(0.0, f64::max) as u64;
    let told = |columns: &'static [Share], least: Room| -> Vec<&'static Share> {
        let is_told = |column: &&Share| case.rows.iter().any(|row| (column.value)(row).is_some());
        columns.iter().filter(|_| room >= least).filter(is_told).collect()
    };
    let (shares, details) = (told(&SHARES, Room::Shares), told(&DETAILS, Room::Details));
    let is_told = |place: &usize| case.rows.iter().any(|row| row.own[*place].is_some());
    let own = (0..kind.columns.len()).filter(|&place| room >= Room::of(&kind.columns[place])).filter(is_told);
    let (own_details, own): (Vec<usize>, Vec<usize>) = own.partition(|&place| kind.columns[place].is_detail);
    let unit = format!("ns/{}", kind.unit);
    let left = |head: &str| (head.to_owned(), Align::Left);
    let right = |head: &str| (head.to_owned(), Align::Right);
    let mut heads = vec![right(&unit), right("spread"), right("x"), left("")];
    heads.extend(shares.iter().map(|column| right(column.head)));
    heads.extend(own.iter().map(|&place| right(kind.columns[place].head)));
    heads.extend(details.iter().map(|column| right(column.head)));
    heads.extend(own_details.iter().map(|&place| right(kind.columns[place].head)));
    heads.extend((room >= Room::Bars).then(|| left("")));
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
        cells.extend(own_details.iter().map(|&place| shown(kind.columns[place].form, row.own[place])));
        if room >= Room::Bars {
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
    document.field("host", &host(&report.host).into())?;
    document.field("method", &method(report).into())?;
    for (name, list) in lists(report) {
        document.list(name, list.into_iter())?;
    }
    document.close()?;
    Ok(text)
}

/// The document of `bench all`: in `benches` what each bench has of its own.
///
/// # Errors
/// None that a buffer in memory could meet.
pub(super) fn json_of_all<'a>(reports: impl IntoIterator<Item = &'a Report> + Clone) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut document = Document::open(&mut text, SCHEMA)?;
    document.field("bench", &"all".into())?;
    document.field("partial", &reports.clone().into_iter().any(|report| report.partial).into())?;
    let on = reports.clone().into_iter().next().map(|report| host(&report.host)).unwrap_or_default();
    document.field("host", &on.into())?;
    let one = |report: &Report| {
        let mut object =
            object! { "bench" => report.kind.name, "partial" => report.partial, "method" => method(report) };
        object.extend(lists(report).into_iter().map(|(name, list)| (name.to_owned(), list.into())));
        Value::from(object)
    };
    document.list("benches", reports.into_iter().map(one))?;
    document.close()?;
    Ok(text)
}

fn method(report: &Report) -> Map<String, Value> {
    object! {
        "rounds" => report.method.rounds,
        "sample_ns" => report.method.duration_ns,
        "operations" => report.method.operations,
        "seed" => report.method.seed,
        "confidence" => 0.99,
        "baseline" => report.baseline,
    }
}

/// The lists that a report has in JSON.
fn lists(report: &Report) -> Vec<(&'static str, Vec<Value>)> {
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
    let fault = |(name, load, evidence): &(&'static str, String, Vec<String>)| {
        object! { "name" => *name, "under" => load.as_str(), "evidence" => evidence.clone() }.into()
    };
    let texts = |texts: Vec<String>| texts.into_iter().map(Value::from).collect();
    let mut lists = vec![("cases", report.cases.iter().map(|its| case(its, &report.kind)).collect())];
    lists.extend(report.changes.iter().map(|changes| ("changes", changes.iter().map(change).collect())));
    lists.push(("verdicts", texts(report.verdicts())));
    lists.push(("faults", report.faults.iter().map(fault).collect()));
    lists.push(("warnings", texts(report.warnings.clone())));
    lists.push(("advice", texts(verdict::advice(report))));
    lists
}

/// The host, as every document of a bench has it.
pub(super) fn host(host: &Host) -> Map<String, Value> {
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
    let common = FIELDS.iter().map(|field| named(field.name, kind));
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

/// The benches below each other, under names that they have in common.
fn comma_separated_of_all(reports: &[Report]) -> Vec<u8> {
    let heads = ["bench", "load"].into_iter().chain(FIELDS.iter().map(|field| field.name));
    let mut text = csv::line(heads.map(str::as_bytes));
    for report in reports {
        for (case, row) in report.cases.iter().flat_map(|case| case.rows.iter().map(move |row| (case, row))) {
            let words = [report.kind.name.to_owned(), case.title.clone()].into_iter();
            let values = FIELDS.iter().map(|field| plain((field.value)(row, &report.kind)));
            let values: Vec<String> = words.chain(values).collect();
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
