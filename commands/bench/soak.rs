//! `--soak`: for so long, or until it is interrupted, everything is checked again and again; speed is beside the point.
//!
//! Whoever takes part is checked in turn: once by the closer look that comes before every timing, and once under each
//! load. The first wrong answer ends it with the evidence.

use super::load::Setup;
use super::plan::{self, Cast};
use super::render::host;
use super::subject::{Bench, Entry, Kind, Role};
use crate::cli::{Format, Measuring};
use crate::exit::Exit;
use crate::interrupt;
use crate::ui::json::{Document, object};
use crate::ui::message;
use crate::ui::numbers::{count, things};
use crate::ui::progress::Progress;
use crate::ui::table::{Align, Table};
use crate::ui::terminal::Terminal;
use crate::ui::{csv, output};
use anyhow::Result;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use toolbox::bench::host::Host;
use toolbox::bench::rounds::Pass;

const SCHEMA: &str = "toolbox.bench.soak/1";
/// Where progress is not drawn, a line this often.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// What has been done so far.
struct Soak {
    kind: Kind,
    rows: Vec<Row>,
    begin: Instant,
    fault: Option<(&'static str, String, Vec<String>)>,
    partial: bool,
}

/// Of one that takes part.
struct Row {
    name: &'static str,
    checks: u64,
    samples: u64,
    units: u64,
    busy: Duration,
}

/// Checks for `duration`.
///
/// # Errors
/// A name that is not known, an answer that cannot be written.
pub(super) fn run(options: &Measuring, duration: Duration, make: impl FnOnce(&Setup) -> Result<Bench>) -> Result<Exit> {
    let terminal = Terminal::new(&options.output);
    let host = Host::look();
    let bench = make(&plan::setup(options, &host)?)?;
    let members = members(options, &bench)?;
    let stop = interrupt::first()?;
    let row =
        |&place: &usize| Row { name: bench.entries[place].name, checks: 0, samples: 0, units: 0, busy: Duration::ZERO };
    let rows = members.iter().map(row).collect();
    let mut soak = Soak { kind: bench.kind, rows, begin: Instant::now(), fault: None, partial: false };
    if !terminal.quiet {
        let names: Vec<_> = soak.rows.iter().map(|row| row.name).collect();
        message::note(&format!("checking {} for {} s; Ctrl-C ends it", names.join(", "), duration.as_secs_f64()));
    }
    soak.go_on(&bench, &members, duration, &stop, &terminal);
    if let Some((name, load, evidence)) = &soak.fault {
        for text in evidence {
            message::error(&anyhow::anyhow!("{name} fails {load}: {text}"));
        }
    }
    let text = match terminal.format {
        Format::Table => soak.table(&terminal),
        Format::Json => soak.json(&host)?,
        Format::Csv => soak.csv(),
    };
    output::write(|out| out.write_all(&text))?;
    Ok(match (&soak.fault, soak.partial) {
        (Some(_), _) => Exit::Partly,
        (None, true) => Exit::Interrupted,
        (None, false) => Exit::Done,
    })
}

/// Those that were named, or ours, or everyone where none is ours.
fn members(options: &Measuring, bench: &Bench) -> Result<Vec<usize>> {
    let cast = Cast::new(options, bench)?;
    let entry = |place: &usize| &bench.entries[*place];
    let is_checked = |place: &usize| !entry(place).role.is_reference();
    let is_ours = |place: &usize| entry(place).role == Role::Rival && entry(place).name.starts_with("toolbox");
    let all: Vec<usize> = cast.members.into_iter().filter(is_checked).collect();
    let ours: Vec<usize> = all.iter().copied().filter(is_ours).collect();
    Ok(if options.with.is_empty() && !ours.is_empty() { ours } else { all })
}

impl Soak {
    /// Goes round until the time is up, somebody fails, or it is stopped.
    fn go_on(&mut self, bench: &Bench, members: &[usize], duration: Duration, stop: &AtomicBool, terminal: &Terminal) {
        let mut progress = Progress::new(terminal.progress, terminal.ascii);
        let mut said = Instant::now();
        // However little time there is, everyone has a turn.
        let mut turns = 0;
        while (turns == 0 || self.begin.elapsed() < duration) && self.fault.is_none() {
            for (index, &place) in members.iter().enumerate() {
                self.check(index, &bench.entries[place]);
                for case in &bench.cases {
                    self.partial = stop.load(Ordering::Relaxed);
                    let is_over = turns > 0 && self.begin.elapsed() >= duration;
                    if self.partial || self.fault.is_some() || is_over {
                        return;
                    }
                    progress.draw(|| (self.progress(), format!("{}: {}", case.title, bench.entries[place].name)));
                    if !terminal.progress && !terminal.quiet && said.elapsed() >= SAID_EVERY {
                        said = Instant::now();
                        message::note(&self.progress());
                    }
                    let subject = case.subjects.iter().find(|(its, _)| *its == place);
                    let Some((_, sample)) = subject else { continue };
                    match sample(Pass::Speed) {
                        Ok(sample) => {
                            let row = &mut self.rows[index];
                            row.samples += 1;
                            row.units += sample.units;
                            row.busy += sample.elapsed;
                        }
                        Err(fault) => {
                            let name = self.rows[index].name;
                            self.fault = Some((name, case.title.clone(), vec![fault.to_string()]));
                        }
                    }
                }
            }
            turns += 1;
        }
    }

    fn check(&mut self, index: usize, entry: &Entry) {
        match (entry.check)() {
            Ok(()) => self.rows[index].checks += 1,
            Err(faults) => {
                let evidence = faults.iter().map(ToString::to_string).collect();
                self.fault = Some((entry.name, "the check before the timing".to_owned(), evidence));
            }
        }
    }

    fn progress(&self) -> String {
        let units: u64 = self.rows.iter().map(|row| row.units).sum();
        let samples: u64 = self.rows.iter().map(|row| row.samples).sum();
        let busy: Duration = self.rows.iter().map(|row| row.busy).sum();
        let rate = units as f64 / busy.as_secs_f64().max(1e-9) / 1e6;
        let seconds = self.begin.elapsed().as_secs();
        let units = things(units, self.kind.unit);
        format!("{seconds} s, {units} in {}, all right, {rate:.1} M/s", things(samples, "sample"))
    }

    fn table(&self, terminal: &Terminal) -> Vec<u8> {
        let units = format!("{}s", self.kind.unit);
        let right = |head: &str| (head.to_owned(), Align::Right);
        let heads = [right("checks"), right("samples"), right(&units), right("M/s"), (String::new(), Align::Left)];
        let mut table = Table::new(heads);
        for row in &self.rows {
            let rate = row.units as f64 / row.busy.as_secs_f64().max(1e-9) / 1e6;
            let counts = [count(row.checks), count(row.samples), count(row.units), format!("{rate:.1}")];
            table.row(counts.into_iter().chain([row.name.to_owned()]).collect());
        }
        let mut lines = table.lines(terminal.width, terminal.ascii);
        lines.push(String::new());
        let seconds = self.begin.elapsed().as_secs_f64();
        lines.push(match (&self.fault, self.partial) {
            (Some((name, load, _)), _) => format!("{name} gave a wrong answer under {load} after {seconds:.0} s"),
            (None, true) => format!("partial: interrupted after {seconds:.0} s; every answer by then was right"),
            (None, false) => format!("every answer in {seconds:.0} s was right"),
        });
        lines.iter().flat_map(|line| [line.as_bytes(), b"\n"].concat()).collect()
    }

    fn csv(&self) -> Vec<u8> {
        let mut text = csv::line([&b"bench"[..], b"name", b"checks", b"samples", b"units", b"busy_ns"]);
        for row in &self.rows {
            let numbers =
                [row.checks, row.samples, row.units, row.busy.as_nanos() as u64].map(|number| number.to_string());
            let words = [self.kind.name, row.name].into_iter().chain(numbers.iter().map(String::as_str));
            text.extend(csv::line(words.map(str::as_bytes)));
        }
        text
    }

    fn json(&self, on: &Host) -> Result<Vec<u8>> {
        let mut text = Vec::new();
        let mut document = Document::open(&mut text, SCHEMA)?;
        document.field("bench", &self.kind.name.into())?;
        document.field("partial", &self.partial.into())?;
        document.field("host", &host(on).into())?;
        document.field("elapsed_ns", &(self.begin.elapsed().as_nanos() as u64).into())?;
        let row = |row: &Row| {
            let object = object! {
                "name" => row.name, "checks" => row.checks, "samples" => row.samples, "units" => row.units,
                "busy_ns" => row.busy.as_nanos() as u64,
            };
            Value::from(object)
        };
        document.list("results", self.rows.iter().map(row))?;
        let fault = self.fault.iter().map(|(name, load, evidence)| {
            object! { "name" => *name, "under" => load.as_str(), "evidence" => evidence.clone() }.into()
        });
        document.list("faults", fault)?;
        document.close()?;
        Ok(text)
    }
}
