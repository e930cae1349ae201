//! One file: what is known of it, where it lies, and every extent.

use super::super::state::{Detail, Extents};
use super::{Pen, Tone, right};
use crate::ui::{numbers, picture};
use toolbox::fragment::FileReport;

/// From this width on places are given to the byte, below it with a unit.
const EXACT: usize = 76;

pub(super) fn draw(pen: &mut Pen<'_>, detail: &mut Detail) {
    let last = pen.height().saturating_sub(1);
    let path = pen.name(&detail.report.path, pen.width());
    pen.line(0, &path, Tone::Title);
    // A third of the screen at least is left for the extents, their heads and the last line.
    let most = (pen.height() * 2 / 3).saturating_sub(1);
    let summary = summary(pen, detail);
    let used = summary.len().min(most);
    summary.iter().take(used).enumerate().for_each(|(line, text)| pen.line(line + 1, text, Tone::Plain));
    if used + 1 < last {
        list(pen, detail, used + 1, last);
    }
    if last > 0 {
        pen.parts(last, ["Esc back", "q quit", "R read again", "? help"].map(|prompt| (prompt, Tone::Faint)));
    }
}

/// What is said above the extents, the most needed first.
fn summary(pen: &Pen<'_>, detail: &Detail) -> Vec<String> {
    let (report, layout) = (&detail.report, &detail.report.layout);
    let bound = if layout.exact { "" } else { "at most " };
    let mut lines = vec![format!(
        "{bound}{} (ideal {}), {}, {}, excess {}",
        numbers::things(layout.fragments, "fragment"),
        numbers::count(layout.ideal),
        numbers::things(layout.extents, "extent"),
        numbers::bytes(report.size_bytes),
        numbers::nanoseconds(layout.excess_ns),
    )];
    if let Extents::Known(extents, fragments) = &detail.extents {
        let sizes = (report.size_bytes, report.volume.total_bytes);
        lines.extend(picture::lines(extents, fragments, sizes, pen.width(), pen.look.ascii));
    }
    lines.insert(lines.len().min(3), facts(report));
    lines
}

fn facts(report: &FileReport) -> String {
    let flags = report.layout.flags.map(|flags| flags.names().collect::<Vec<_>>().join(", "));
    let flags = flags.filter(|names| !names.is_empty()).map_or_else(String::new, |names| format!("; {names}"));
    let volume = &report.volume;
    format!(
        "{} allocated on {} of {}, {}{flags}",
        numbers::bytes(report.allocated_bytes),
        volume.name,
        numbers::bytes(volume.total_bytes),
        numbers::things(u64::from(report.links), "name"),
    )
}

/// The extents, from line `first` to before `last`.
fn list(pen: &mut Pen<'_>, detail: &mut Detail, first: usize, last: usize) {
    let (extents, fragments) = match &detail.extents {
        Extents::Asked => return pen.line(first, "reading its extents", Tone::Plain),
        Extents::Failed(why) => return pen.line(first, &format!("cannot read its extents: {why}"), Tone::Alarm),
        Extents::Known(extents, _) if extents.is_empty() => return pen.line(first, "no extents", Tone::Plain),
        Extents::Known(extents, fragments) => (extents, fragments),
    };
    let exact = pen.width() >= EXACT;
    let heads =
        Row { fragment: "fragment", logical: "in file", physical: "on volume", length: "length", flags: "flags" };
    pen.line(first, &heads.text(pen.width()), Tone::Head);
    detail.pager.fit(extents.len(), last - first - 1);
    let size = |bytes: u64| if exact { numbers::count(bytes) } else { numbers::bytes(bytes) };
    for index in detail.pager.seen() {
        let (extent, fragment) = (&extents[index], fragments[index]);
        let place = fragment > 0;
        let row = Row {
            fragment: &if place { numbers::count(fragment) } else { "-".to_owned() },
            logical: &size(extent.logical),
            physical: &if place { size(extent.physical) } else { "-".to_owned() },
            length: &size(extent.length),
            flags: &extent.flags.names().collect::<Vec<_>>().join(" "),
        };
        let selected = index == detail.pager.at;
        let text = row.text(pen.width().saturating_sub(1));
        let line = format!("{}{text}", if selected { '>' } else { ' ' });
        let tone = if selected { Tone::Selected } else { Tone::Plain };
        pen.line(first + 1 + index - detail.pager.top, &line, tone);
    }
}

/// One line of the table of extents.
struct Row<'a> {
    fragment: &'a str,
    logical: &'a str,
    physical: &'a str,
    length: &'a str,
    flags: &'a str,
}

impl Row<'_> {
    fn text(&self, width: usize) -> String {
        let (place, length) = if width + 1 >= EXACT { (18, 15) } else { (11, 11) };
        let [logical, physical] = [self.logical, self.physical].map(|text| right(text, place));
        let length = right(self.length, length);
        match width {
            0..=30 => format!("{}{}", right(self.physical, 9), right(self.length, 10)),
            31..=45 => format!("{logical}{physical}{length}"),
            _ => format!("{}{logical}{physical}{length}  {}", right(self.fragment, 9), self.flags),
        }
    }
}
