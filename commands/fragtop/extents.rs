//! `toolbox fragtop --extents FILE…`: every extent of a file, and a picture of where it lies.
//!
//! ```text
//! $ toolbox fragtop --extents /var/log/wtmp
//! /var/log/wtmp: 2 fragments in 2 extents, ideal 1, excess 12.0 us, 38.0 MiB on ext4
//! file    ▂▁▁▁▁▁▁▁▁▁▁▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁
//! volume  ···▆·····█················
//!  #     in file   on volume      length    jump  flags
//!  0           0  1073741824    16777216
//!  1    16777216  2147483648    23068672  +1.0 G
//! ```

use super::render::shown;
use crate::cli::{Format, Fragtop};
use crate::exit::{Exit, hinted};
use crate::ui::json::{Document, object, put_path};
use crate::ui::numbers::{bytes, count, nanoseconds, things};
use crate::ui::table::{Align, Table};
use crate::ui::terminal::Terminal;
use crate::ui::{csv, message, output, picture};
use anyhow::Result;
use serde_json::{Map, Value};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use toolbox::fragment::{self, Extent, FileReport, Flags};

/// Cells of a picture, at most, the word before it included.
const PICTURE: usize = 80;

/// Shows the extents of every file given.
///
/// # Errors
/// When none of the files could be asked, or the answer cannot be written.
pub(super) fn run(arguments: &Fragtop, terminal: &Terminal) -> Result<Exit> {
    let mut maps = Vec::new();
    let mut failed = false;
    for path in &arguments.paths {
        match fragment::extents(path, arguments.scan.sync) {
            Ok(map) => maps.push(map),
            Err(failure) => {
                failed = true;
                message::warning(&format!("{}: {}", shown(path, terminal), failure.cause));
            }
        }
    }
    if maps.is_empty() {
        return Err(hinted("no files are scanned", "--extents takes regular files, on a file system that has extents"));
    }
    match terminal.format {
        Format::Table => output::write(|out| {
            maps.iter().try_for_each(|(file, extents)| out.write_all(table(file, extents, terminal).as_bytes()))
        }),
        Format::Json => output::write(|out| json(out, &maps)),
        Format::Csv => output::write(|out| comma_separated(out, &maps)),
    }?;
    Ok(if failed { Exit::Partly } else { Exit::Done })
}

fn table(file: &FileReport, extents: &[Extent], terminal: &Terminal) -> String {
    let layout = &file.layout;
    let mut lines = vec![format!(
        "{}: {} in {}, ideal {}, excess {}, {} on {}",
        shown(&file.path, terminal),
        things(layout.fragments, "fragment"),
        things(layout.extents, "extent"),
        count(layout.ideal),
        nanoseconds(layout.excess_ns),
        bytes(file.size_bytes),
        file.volume.name,
    )];
    lines.extend(pictures(file, extents, terminal));
    let heads = ["#", "in file", "on volume", "length", "on disk", "jump"].map(|head| (head, Align::Right));
    let mut table = Table::new(heads.into_iter().chain([("flags", Align::Left)]));
    for (index, extent) in extents.iter().enumerate() {
        let jump = index.checked_sub(1).and_then(|before| jump(&extents[before], extent));
        table.row(vec![
            index.to_string(),
            extent.logical.to_string(),
            if extent.flags.any(Flags::UNPLACED) { "-".to_owned() } else { extent.physical.to_string() },
            extent.length.to_string(),
            extent.disk_length.to_string(),
            jump.unwrap_or_default(),
            extent.flags.names().collect::<Vec<_>>().join(" "),
        ]);
    }
    lines.extend(table.lines(terminal.width, terminal.ascii));
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// Where along the file its fragments begin, and where on the volume they lie. (What the glyphs mean says the manual.)
fn pictures(file: &FileReport, extents: &[Extent], terminal: &Terminal) -> impl Iterator<Item = String> {
    let width = terminal.width.unwrap_or(PICTURE).min(PICTURE);
    let fragments = picture::fragments(extents, file.layout.exact);
    let sizes = (file.size_bytes, file.volume.total_bytes);
    picture::lines(extents, &fragments, sizes, width, terminal.ascii).into_iter().take(2)
}

/// How far the second lies from the end of the first, where both have a place and it is not right there.
fn jump(first: &Extent, second: &Extent) -> Option<String> {
    if (first.flags | second.flags).any(Flags::UNPLACED) {
        return None;
    }
    let end = first.physical.saturating_add(first.disk_length);
    match second.physical.checked_sub(end) {
        Some(0) => None,
        Some(forward) => Some(format!("+{}", bytes(forward))),
        None => Some(format!("-{}", bytes(end - second.physical))),
    }
}

fn json(out: &mut dyn Write, maps: &[(FileReport, Vec<Extent>)]) -> io::Result<()> {
    let mut document = Document::open(out, "toolbox.fragtop.extents/1")?;
    document.list("files", maps.iter().map(|(file, extents)| map(file, extents)))?;
    document.close()
}

fn map(file: &FileReport, extents: &[Extent]) -> Value {
    let mut object = Map::new();
    put_path(&mut object, "path", &file.path);
    object.extend(object! {
        "size_bytes" => file.size_bytes,
        "fragments" => file.layout.fragments,
        "fragments_exact" => file.layout.exact,
        "ideal" => file.layout.ideal,
        "excess_ns" => file.layout.excess_ns,
        "filesystem" => file.volume.name.as_str(),
        "volume_bytes" => file.volume.total_bytes,
    });
    let extents: Vec<Value> = extents
        .iter()
        .map(|extent| {
            let placed = !extent.flags.any(Flags::UNPLACED);
            Value::from(object! {
                "logical_bytes" => extent.logical,
                "physical_bytes" => placed.then_some(extent.physical),
                "length_bytes" => extent.length,
                "disk_length_bytes" => extent.disk_length,
                "flags" => extent.flags.names().collect::<Vec<_>>(),
            })
        })
        .collect();
    object.insert("extents".to_owned(), extents.into());
    object.into()
}

fn comma_separated(out: &mut dyn Write, maps: &[(FileReport, Vec<Extent>)]) -> io::Result<()> {
    let heads = ["logical_bytes", "physical_bytes", "length_bytes", "disk_length_bytes", "flags", "path"];
    out.write_all(&csv::line(heads.map(str::as_bytes)))?;
    for (file, extent) in maps.iter().flat_map(|(file, extents)| extents.iter().map(move |extent| (file, extent))) {
        let numbers = [extent.logical, extent.physical, extent.length, extent.disk_length].map(|n| n.to_string());
        let flags = extent.flags.names().collect::<Vec<_>>().join(" ");
        let fields = numbers.iter().map(String::as_bytes).chain([flags.as_bytes(), file.path.as_os_str().as_bytes()]);
        out.write_all(&csv::line(fields))?;
    }
    Ok(())
}
