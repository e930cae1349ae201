//! A run of one bench: announce, check, measure, save, compare, say, and the exit code. It knows no bench by name.
//!
//! Each entry is checked before it is timed; each case is measured by the library's rounds; the saved file is written
//! anew after every case, so that an interrupt costs one case at most.

use super::compare::{self, Saved};
use super::load::Setup;
use super::plan::{self, Cast};
use super::render;
use super::report::{CaseReport, Contestant, Method, Report};
use super::subject::{Bench, Case};
use crate::cli::Measuring;
use crate::exit::Exit;
use crate::interrupt;
use crate::ui::message;
use crate::ui::numbers::{count, nanoseconds, things};
use crate::ui::progress::Progress;
use crate::ui::terminal::Terminal;
use anyhow::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use toolbox::bench::host::{Host, Load};
use toolbox::bench::rounds::{self, Pass, Subject};

/// What takes no longer needs no announcement.
const SHORT: Duration = Duration::from_secs(3);
/// Cores that share a cache are nearer than this.
const SLOW_LINK_NS: f64 = 100.0;

/// Measures what `make` makes of the options.
///
/// # Errors
/// A name that is not known, a file that cannot be read or written, an answer that cannot be written.
pub(super) fn run(options: &Measuring, make: impl FnOnce(&Setup) -> Result<Bench>) -> Result<Exit> {
    let terminal = Terminal::new(&options.output);
    let host = Host::look();
    let bench = make(&plan::setup(options, &host)?)?;
    let cast = Cast::new(options, &bench)?;
    let saved = options.compare.as_deref().map(|path| Saved::read(path, bench.kind.name)).transpose()?;
    let stop = interrupt::first()?;
    let rounds = plan::rounds(options, &host);
    let session = Session { bench, cast, rounds, stop: &stop, terminal: &terminal };
    session.announce();
    let load = Load::now();
    let mut report = session.empty(host, options);
    session.check(&mut report);
    for index in 0..session.bench.cases.len() {
        if stop.load(Ordering::Relaxed) {
            report.partial = true;
            break;
        }
        session.one_case(index, &mut report);
        if let Some(path) = &options.save {
            compare::save(path, &render::json(&report)?)?;
        }
    }
    report.warnings.extend(load.warnings_since().iter().map(ToString::to_string));
    if let Some(saved) = &saved {
        compare_with(saved, options, &mut report);
    }
    tell(&report, &terminal);
    if let Some(path) = &options.save {
        compare::save(path, &render::json(&report)?)?;
    }
    render::write(&report, &terminal)?;
    Ok(report.exit())
}

/// Everything that a run needs.
struct Session<'a> {
    bench: Bench,
    cast: Cast,
    rounds: rounds::Plan,
    stop: &'a AtomicBool,
    terminal: &'a Terminal,
}

impl Session<'_> {
    /// Says beforehand what takes long.
    fn announce(&self) {
        let cases = &self.bench.cases;
        let estimate: Duration = cases.iter().map(|case| self.cast.estimate(case, &self.rounds)).sum();
        if !self.terminal.quiet && estimate > SHORT {
            let (cases, seconds) = (things(cases.len() as u64, "load"), estimate.as_secs());
            message::note(&format!("{cases}, about {} s; Ctrl-C shows what was measured by then", count(seconds)));
        }
    }

    /// The report before anything was measured.
    fn empty(&self, host: Host, options: &Measuring) -> Report {
        let threads = self.bench.cases.iter().map(|case| case.threads).max().unwrap_or(1);
        let duration = plan::duration(options);
        let method = Method {
            rounds: self.rounds.rounds,
            duration_ns: duration.as_nanos() as u64,
            operations: options.ops,
            seed: self.rounds.seed,
        };
        Report {
            kind: self.bench.kind,
            warnings: host.warnings(threads).iter().map(ToString::to_string).collect(),
            host,
            method,
            baseline: self.cast.baseline,
            cases: Vec::new(),
            faults: Vec::new(),
            changes: None,
            over_limit: 0,
            partial: false,
        }
    }

    /// Looks closely at everyone who takes part, once.
    fn check(&self, report: &mut Report) {
        let mut progress = Progress::new(self.terminal.progress, self.terminal.ascii);
        for entry in self.cast.members.iter().map(|&place| &self.bench.entries[place]) {
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            progress.draw(|| ("checking".to_owned(), entry.name.to_owned()));
            if let Err(faults) = (entry.check)() {
                let evidence = faults.iter().map(ToString::to_string).collect();
                report.faults.push((entry.name, "the check before the timing".to_owned(), evidence));
            }
        }
    }

    /// Measures one case, with everybody who has not failed so far.
    fn one_case(&self, index: usize, report: &mut Report) {
        let (case, all) = (&self.bench.cases[index], self.bench.cases.len());
        let (contestants, subjects) = self.contestants(case, report);
        let mut progress = Progress::new(self.terminal.progress, self.terminal.ascii);
        // Where nothing crosses from processor to processor, it does not matter how far they are apart.
        let rounds = rounds::Plan { link: self.rounds.link.filter(|_| case.is_shared), ..self.rounds.clone() };
        let measured = rounds::measure(&subjects, &rounds, self.stop, &mut |taken, samples, next| {
            let place = || format!("{}: {}", case.title, contestants[next].name);
            progress.draw(|| {
                (format!("load {} of {all}, {}%", index + 1, (taken * 100 / samples.max(1)).min(99)), place())
            });
        });
        progress.erase();
        for (contestant, series) in contestants.iter().zip(&measured.series) {
            let fault = |fault: &_| (contestant.name, case.title.clone(), vec![ToString::to_string(fault)]);
            report.faults.extend(series.fault.iter().map(fault));
        }
        report.partial |= measured.is_partial;
        report.cases.push(CaseReport::new(case, &self.bench.kind, &contestants, report.baseline, &measured));
    }

    /// Who measures themselves in `case`, and how.
    fn contestants<'b>(&'b self, case: &'b Case, report: &Report) -> (Vec<Contestant>, Vec<Subject<'b>>) {
        let has_failed = |name: &str| report.faults.iter().any(|(its, ..)| *its == name);
        let of_cast = case.subjects.iter().filter(|(place, _)| self.cast.members.contains(place));
        let with_entry = of_cast.map(|(place, take)| (&self.bench.entries[*place], take));
        let taking_part = with_entry.filter(|(entry, _)| !has_failed(entry.name));
        let both = taking_part.map(|(entry, take)| {
            let subject: Subject<'b> = Box::new(move |pass: Pass| take(pass));
            (Contestant { name: entry.name, role: entry.role }, subject)
        });
        both.unzip()
    }
}

fn compare_with(saved: &Saved, options: &Measuring, report: &mut Report) {
    if !saved.is_of(report) {
        report.warnings.push("the earlier run was on another kind of host".to_owned());
    }
    let changes = saved.changes(&report.cases);
    if let Some(percent) = options.fail_over {
        report.over_limit = changes.iter().filter(|change| change.is_over(percent)).count();
    }
    report.changes = Some(changes);
}

/// Says on stderr what is wrong or doubtful. A wrong answer is an error even under `-q`.
fn tell(report: &Report, terminal: &Terminal) {
    for (name, load, evidence) in &report.faults {
        for text in evidence {
            message::error(&anyhow::anyhow!("{name} fails {load}: {text}"));
        }
    }
    if terminal.quiet {
        return;
    }
    report.warnings.iter().for_each(|text| message::warning(text));
    if report.over_limit > 0 {
        message::warning(&format!("{} slower than allowed", things(report.over_limit as u64, "figure")));
    }
    if report.partial {
        message::warning("interrupted: this is what was measured until then");
    }
    let slow = report.cases.iter().filter_map(|case| case.link_ns).fold(0.0, f64::max);
    if slow > SLOW_LINK_NS {
        message::note(&format!("a line takes {} from core to core, as between sockets", nanoseconds(slow as u64)));
    }
}
