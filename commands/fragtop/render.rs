//! The answer as a table, as JSON or as CSV.

use super::advice;
use super::columns::{Column, FILE, SUMS};
use super::report::{self, Report, Row};
use crate::cli::{Format, Fragtop, SortKey};
use crate::ui::bars::bar;
use crate::ui::escape::{escape, escape_ascii};
use crate::ui::json::{Document, object, put_path};
use crate::ui::numbers::{bytes, count, nanoseconds, things};
use crate::ui::table::{Align, Table};
use crate::ui::terminal::Terminal;
use crate::ui::{csv, output};
use anyhow::Result;
use clap::ValueEnum;
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use toolbox::fragment::{FileReport, HISTOGRAM_BUCKETS, Media, Totals, Volume};

/// Cells for the bars.
const BAR: usize = 12;
/// Terminals narrower than this go without bars, and without the estimate.
const WIDE: usize = 72;

/// Writes `report` to standard output.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(report: &Report, arguments: &Fragtop, terminal: &Terminal) -> Result<()> {
    match terminal.format {
        Format::Table => {
            let text = table(report, arguments, terminal);
            output::write(|out| out.write_all(text.as_bytes()))
        }
        Format::Json => output::write(|out| json(out, report, arguments)),
        Format::Csv => output::write(|out| comma_separated(out, report, arguments)),
    }
}

/// A path as the terminal may show it.
pub(super) fn shown(path: &Path, terminal: &Terminal) -> String {
    let bytes = path.as_os_str().as_bytes();
    if terminal.ascii { escape_ascii(bytes) } else { escape(bytes) }
}

fn table(report: &Report, arguments: &Fragtop, terminal: &Terminal) -> String {
    let mut lines = match arguments.ranking.by {
        Some(_) => directories(report, terminal),
        None => files(report, arguments.ranking.sort, terminal),
    };
    if let Some(head) = lines.first_mut().filter(|_| terminal.color) {
        *head = format!("\x1b[1m{head}\x1b[0m");
    }
    if arguments.ranking.histogram {
        lines.push(String::new());
        lines.extend(histogram(&report.histogram, terminal));
        lines.push(String::new());
    }
    lines.push(summary(report));
    lines.extend(advise(report, arguments));
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

fn files(report: &Report, sort: SortKey, terminal: &Terminal) -> Vec<String> {
    if report.files.is_empty() {
        return Vec::new();
    }
    let wide = terminal.width.is_none_or(|width| width >= WIDE);
    let most = report.files.iter().map(|row| measure(&row.file, sort)).max().unwrap_or(0);
    let mut heads = vec![("fragments", Align::Right), ("ideal", Align::Right)];
    if wide {
        heads.push(("excess", Align::Right));
    }
    if sort == SortKey::Extents {
        heads.push(("extents", Align::Right));
    }
    heads.push(("size", Align::Right));
    if wide {
        heads.push(("", Align::Left));
    }
    heads.push(("file", Align::Left));
    let mut table = Table::new(heads);
    for row in &report.files {
        let file = &row.file;
        let layout = &file.layout;
        let mut cells = vec![fragments(file, terminal), count(layout.ideal)];
        if wide {
            cells.push(nanoseconds(layout.excess_ns));
        }
        if sort == SortKey::Extents {
            cells.push(count(layout.extents));
        }
        cells.push(bytes(file.size_bytes));
        if wide {
            cells.push(bar(measure(file, sort), most, BAR, terminal.ascii));
        }
        cells.push(name(row, terminal));
        table.row(cells);
    }
    table.lines(terminal.width, terminal.ascii)
}

/// What a file is called, if it is.
fn name(row: &Row, terminal: &Terminal) -> String {
    match row.nameless {
        Some(inode) => format!("(inode {inode}: no name below the mount)"),
        None => shown(&row.file.path, terminal),
    }
}

/// The count, marked where it is an upper bound.
fn fragments(file: &FileReport, terminal: &Terminal) -> String {
    let mark = match (file.layout.exact, terminal.ascii) {
        (true, _) => "",
        (false, true) => "<=",
        (false, false) => "≤",
    };
    format!("{mark}{}", count(file.layout.fragments))
}

/// What the bar of a file shows: what the list is sorted by.
fn measure(file: &FileReport, sort: SortKey) -> u64 {
    match sort {
        SortKey::Fragments | SortKey::Path => file.layout.fragments,
        SortKey::Excess => file.layout.excess_ns,
        SortKey::Surplus => file.layout.fragments - file.layout.ideal.min(file.layout.fragments),
        SortKey::Size => file.size_bytes,
        SortKey::Extents => file.layout.extents,
    }
}

fn directories(report: &Report, terminal: &Terminal) -> Vec<String> {
    let wide = terminal.width.is_none_or(|width| width >= WIDE);
    let mut heads = vec![("fragments", Align::Right), ("files", Align::Right), ("fragmented", Align::Right)];
    if wide {
        heads.extend([("excess", Align::Right), ("size", Align::Right)]);
    }
    heads.push(("directory", Align::Left));
    let mut table = Table::new(heads);
    for (path, totals) in &report.directories {
        let mut cells = vec![count(totals.fragments), count(totals.files), count(totals.fragmented)];
        if wide {
            cells.extend([nanoseconds(totals.excess_ns), bytes(totals.size_bytes)]);
        }
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        cells.push(shown(path, terminal));
        table.row(cells);
    }
    table.lines(terminal.width, terminal.ascii)
}

fn histogram(buckets: &[u64; HISTOGRAM_BUCKETS], terminal: &Terminal) -> Vec<String> {
    let last = buckets.iter().rposition(|&files| files > 0).unwrap_or(0);
    let most = buckets.iter().copied().max().unwrap_or(0);
    let mut table = Table::new([("fragments", Align::Right), ("files", Align::Right), ("", Align::Left)]);
    for (bucket, &files) in buckets.iter().enumerate().take(last + 1) {
        table.row(vec![range(bucket), count(files), bar(files, most, 40, terminal.ascii)]);
    }
    table.lines(terminal.width, terminal.ascii)
}

/// The counts that fall into a bucket: 0, 1, 2, 3-4, 5-8 and on by powers of two.
fn range(bucket: usize) -> String {
    let (low, high) = bounds(bucket);
    match high {
        None => format!("{}+", count(low)),
        Some(high) if high == low => count(low),
        Some(high) => format!("{}-{}", count(low), count(high)),
    }
}

fn bounds(bucket: usize) -> (u64, Option<u64>) {
    match bucket {
        0..=2 => (bucket as u64, Some(bucket as u64)),
        _ => ((1 << (bucket - 2)) + 1, (bucket + 1 < HISTOGRAM_BUCKETS).then_some(1 << (bucket - 1))),
    }
}

fn summary(report: &Report) -> String {
    let totals = &report.totals;
    let mut line = format!("{}, {} fragmented", things(totals.files, "file"), count(totals.fragmented));
    if report.unmapped.files > 0 {
        let files = count(report.unmapped.files);
        line += &format!(" among those mapped ({files} cannot reach the list and were not; --histogram maps all)");
    }
    if totals.inexact > 0 {
        line += &format!(", {} counted as upper bounds", count(totals.inexact));
    }
    let unreadable = report.failures.serious();
    if unreadable > 0 {
        line += &format!(", {} unreadable (--errors lists them)", count(unreadable));
    }
    if report.method != report::WALK {
        line += &format!("; by {}", report.method);
    }
    if report.partial {
        line += "; partial: interrupted";
    }
    line
}

/// The commands for all files listed, if asked for; else the one for the first, if it is worth it.
fn advise(report: &Report, arguments: &Fragtop) -> Vec<String> {
    let listed = if arguments.ranking.by.is_some() { &[] } else { &report.files[..] };
    let mut named = listed.iter().filter(|row| row.nameless.is_none()).map(|row| &row.file);
    if arguments.ranking.advise {
        let advice = named.filter_map(advice::of);
        return advice
            .flat_map(|advice| [advice.warning.map(|text| format!("# {text}")), Some(advice.command)])
            .flatten()
            .collect();
    }
    let first = named.next().filter(|file| file.layout.excess_ns > 0).and_then(advice::of);
    first.map(|advice| format!("to rewrite the first: {}", advice.command)).into_iter().collect()
}

fn json(out: &mut dyn Write, report: &Report, arguments: &Fragtop) -> io::Result<()> {
    let sort = arguments.ranking.sort.to_possible_value();
    let mut document = Document::open(out, "toolbox.fragtop/1")?;
    document.field("partial", &report.partial.into())?;
    document.field("sort", &sort.as_ref().map(|value| value.get_name()).into())?;
    document.field("method", &report.method.as_str().into())?;
    document.list("files", report.files.iter().map(file))?;
    if arguments.ranking.by.is_some() {
        document.list("directories", report.directories.iter().map(|(path, totals)| directory(path, totals)))?;
    }
    if arguments.ranking.histogram {
        document.list("histogram", report.histogram.iter().enumerate().map(bucket))?;
    }
    document.field("summary", &summary_object(report).into())?;
    document.list("failures", failures(report))?;
    document.list("volumes", report.volumes.iter().map(|volume| self::volume(volume)))?;
    document.close()
}

fn put_columns<T>(object: &mut Map<String, Value>, columns: &[Column<T>], of: &T) {
    columns.iter().for_each(|column| {
        object.insert(column.name.to_owned(), (column.value)(of).json());
    });
}

fn file(row: &Row) -> Value {
    let file = &row.file;
    let mut object = Map::new();
    match row.nameless {
        Some(inode) => object.extend(object! { "path" => Value::Null, "inode" => inode }),
        None => put_path(&mut object, "path", &file.path),
    }
    put_columns(&mut object, &FILE, file);
    let advice = advice::of(file).filter(|_| row.nameless.is_none());
    object.insert("defragment".to_owned(), advice.as_ref().map(|advice| advice.command.as_str()).into());
    if let Some(warning) = advice.and_then(|advice| advice.warning) {
        object.insert("defragment_warning".to_owned(), warning.into());
    }
    object.into()
}

fn directory(path: &Path, totals: &Totals) -> Value {
    let mut object = Map::new();
    put_path(&mut object, "path", if path.as_os_str().is_empty() { Path::new(".") } else { path });
    put_columns(&mut object, &SUMS, totals);
    object.into()
}

fn summary_object(report: &Report) -> Map<String, Value> {
    let mut object = Map::new();
    put_columns(&mut object, &SUMS, &report.totals);
    let counts = &report.counts;
    let more = object! {
        "failed" => report.failures.serious(),
        "over_limit" => report.over_limit,
        "directories_read" => counts.directories,
        "links_not_followed" => counts.links,
        "special_files" => counts.special,
        "further_names" => counts.repeated,
        "below_min_size" => counts.small,
        "unmapped_files" => report.unmapped.files,
        "unmapped_extents" => report.unmapped.extents,
        "elapsed_ns" => u64::try_from(report.elapsed.as_nanos()).unwrap_or(u64::MAX),
        "threads" => report.threads,
    };
    object.extend(more);
    object
}

fn failures(report: &Report) -> impl Iterator<Item = Value> {
    let examples = |path: &std::path::PathBuf| {
        let mut object = Map::new();
        put_path(&mut object, "path", path);
        Value::from(object)
    };
    report.failures.iter().map(move |(cause, tally)| {
        let object = object! {
            "cause" => cause.word(),
            "message" => cause.to_string(),
            "note_only" => cause.is_note(),
            "count" => tally.count,
            "examples" => tally.examples.iter().map(examples).collect::<Vec<_>>(),
        };
        object.into()
    })
}

fn volume(volume: &Volume) -> Value {
    let media = if volume.cost.media == Media::Rotating { "hdd" } else { "ssd" };
    let mut object = object! { "filesystem" => volume.name.as_str(), "block_bytes" => volume.block_bytes };
    object.extend(object! { "total_bytes" => volume.total_bytes, "media" => media });
    if let Some(mount) = &volume.mount {
        put_path(&mut object, "mounted_at", &mount.point);
        put_path(&mut object, "source", Path::new(&mount.source));
    }
    object.into()
}

fn bucket((bucket, &files): (usize, &u64)) -> Value {
    let (low, high) = bounds(bucket);
    object! { "from_fragments" => low, "to_fragments" => high, "files" => files }.into()
}

fn comma_separated(out: &mut dyn Write, report: &Report, arguments: &Fragtop) -> io::Result<()> {
    match arguments.ranking.by {
        Some(_) => rows(out, &SUMS, report.directories.iter().map(|(path, totals)| (path.as_path(), totals))),
        None => rows(out, &FILE, report.files.iter().map(|row| (row.file.path.as_path(), &row.file))),
    }
}

fn rows<'a, T: 'a>(
    out: &mut dyn Write,
    columns: &[Column<T>],
    items: impl Iterator<Item = (&'a Path, &'a T)>,
) -> io::Result<()> {
    let heads = columns.iter().map(|column| column.name.as_bytes()).chain([&b"path"[..]]);
    out.write_all(&csv::line(heads))?;
    for (path, item) in items {
        let values: Vec<String> = columns.iter().map(|column| (column.value)(item).raw()).collect();
        let fields = values.iter().map(String::as_bytes).chain([path.as_os_str().as_bytes()]);
        out.write_all(&csv::line(fields))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_follow_each_other() {
        let ranges: Vec<_> = (0..6).map(range).collect();
        assert_eq!(ranges, ["0", "1", "2", "3-4", "5-8", "9-16"]);
        assert!(range(HISTOGRAM_BUCKETS - 1).ends_with('+'));
        for bucket in 1..HISTOGRAM_BUCKETS {
            assert_eq!(bounds(bucket - 1).1.map(|high| high + 1), Some(bounds(bucket).0));
        }
    }
}
