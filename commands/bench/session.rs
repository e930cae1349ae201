//! A run of one bench: announce, check, measure, save, compare, say, and the exit code. It knows no bench by name.
//!
//! Each entry is checked before it is timed; each case is measured by the library's rounds; the saved file is written
//! anew after every case, so that an interrupt costs one case at most.

use super::compare::{self, Saved};
use super::load::{Setup, Work};
use super::plan::{self, Cast};
use super::render;
use super::report::{CaseReport, Contestant, Method, Report};
use super::subject::{Bench, Case};
use crate::cli::{Keeping, Measuring};
use crate::exit::Exit;
use crate::interrupt;
use crate::ui::message;
use crate::ui::numbers::{count, nanoseconds, things};
use crate::ui::progress::Progress;
use crate::ui::terminal::Terminal;
use anyhow::Result;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use toolbox::bench::host::{Host, Load};
use toolbox::bench::rounds::{self, Pass, Subject};

/// What takes no longer needs no announcement.
const SHORT: Duration = Duration::from_secs(3);
/// Cores that share a cache are nearer than this.
const SLOW_LINK_NS: f64 = 100.0;

/// Measures what `make` makes of the options; `weighs` tells whether structures are weighed as well.
///
/// # Errors
/// A name that is not known, a file that cannot be read or written, an answer that cannot be written.
pub(super) fn run(options: &Measuring, weighs: bool, make: impl FnOnce(&Setup) -> Result<Bench>) -> Result<Exit> {
    let terminal = Terminal::new(&options.output);
    let host = Host::look();
    let session = Session::new(options, weighs, &host, make)?;
    let saved =
        options.keeping.compare.as_deref().map(|path| Saved::read(path, session.bench.kind.name)).transpose()?;
    let stop = interrupt::first()?;
    announce(session.loads(), session.estimate(&host), &terminal);
    let load = Load::now();
    let mut report = session.empty(&host);
    session.measure(&mut report, None, &stop, &terminal, &mut |report| {
        options.keeping.save.as_deref().map_or(Ok(()), |path| compare::save(path, &render::json(report)?))
    })?;
    report.warnings.extend(load.warnings_since().iter().map(ToString::to_string));
    if let Some(saved) = &saved {
        compare_with(saved, &options.keeping, &mut report);
    }
    tell(std::slice::from_ref(&report), &terminal);
    if let Some(path) = &options.keeping.save {
        compare::save(path, &render::json(&report)?)?;
    }
    render::write(&report, &terminal)?;
    Ok(report.exit())
}

/// Says beforehand what takes long.
pub(super) fn announce(loads: usize, estimate: Duration, terminal: &Terminal) {
    if !terminal.quiet && estimate > SHORT {
        let (loads, seconds) = (things(loads as u64, "load"), estimate.as_secs());
        message::note(&format!("{loads}, about {} s; Ctrl-C shows what was measured by then", count(seconds)));
    }
}

/// A bench, and how it is measured.
pub(super) struct Session {
    bench: Bench,
    cast: Cast,
    rounds: rounds::Plan,
    duration: Duration,
    operations: Option<u64>,
    /// How fast a thread works by itself, which all loads share.
    work: Work,
    weighs: bool,
}

impl Session {
    /// # Errors
    /// A name that is not known, a processor that cannot be used, loads that cannot be done.
    pub(super) fn new(
        options: &Measuring,
        weighs: bool,
        host: &Host,
        make: impl FnOnce(&Setup) -> Result<Bench>,
    ) -> Result<Self> {
        let setup = plan::setup(options, host)?;
        let bench = make(&setup)?;
        let cast = Cast::new(options, &bench)?;
        let Setup { duration, operations, work, .. } = setup;
        Ok(Self { bench, cast, rounds: plan::rounds(options, host), duration, operations, work, weighs })
    }

    /// How many loads there are.
    pub(super) fn loads(&self) -> usize {
        self.bench.cases.len()
    }

    /// How long all of it takes, roughly.
    pub(super) fn estimate(&self, host: &Host) -> Duration {
        self.cast.before(self.weighs) + self.estimate_of_loads(host)
    }

    fn estimate_of_loads(&self, host: &Host) -> Duration {
        self.bench.cases.iter().map(|case| self.cast.estimate(case, &self.rounds, host)).sum()
    }

    /// Checks, then measures every load, and calls `after` with the report after each. When there is a time for all of
    /// it, every load gets the share of what is left that its estimate has of what is to be done.
    ///
    /// # Errors
    /// Those of `after`.
    pub(super) fn measure(
        &self,
        report: &mut Report,
        until: Option<Instant>,
        stop: &AtomicBool,
        terminal: &Terminal,
        after: &mut dyn FnMut(&Report) -> Result<()>,
    ) -> Result<()> {
        self.check(report, stop, terminal);
        let host = report.host.clone();
        let mut ahead = self.estimate_of_loads(&host);
        for (index, case) in self.bench.cases.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                report.partial = true;
                break;
            }
            let estimate = self.cast.estimate(case, &self.rounds, &host);
            let share = estimate.as_secs_f64() / ahead.as_secs_f64().max(1e-9);
            let budget = until.map(|until| until.saturating_duration_since(Instant::now()).mul_f64(share.min(1.0)));
            ahead = ahead.saturating_sub(estimate);
            self.one_case(index, budget, report, stop, terminal);
            after(report)?;
        }
        Ok(())
    }

    /// The report before anything was measured.
    pub(super) fn empty(&self, host: &Host) -> Report {
        let threads = self.bench.cases.iter().map(|case| case.threads).max().unwrap_or(1);
        let method = Method {
            rounds: self.rounds.rounds,
            duration_ns: self.duration.as_nanos() as u64,
            operations: self.operations,
            seed: self.rounds.seed,
        };
        Report {
            kind: self.bench.kind,
            warnings: host.warnings(threads).iter().map(ToString::to_string).collect(),
            host: host.clone(),
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
    fn check(&self, report: &mut Report, stop: &AtomicBool, terminal: &Terminal) {
        let mut progress = Progress::new(terminal.progress, terminal.ascii);
        for entry in self.cast.members.iter().map(|&place| &self.bench.entries[place]) {
            if stop.load(Ordering::Relaxed) {
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
    fn one_case(
        &self,
        index: usize,
        budget: Option<Duration>,
        report: &mut Report,
        stop: &AtomicBool,
        terminal: &Terminal,
    ) {
        let (case, all) = (&self.bench.cases[index], self.bench.cases.len());
        let (contestants, subjects) = self.contestants(case, report);
        let mut progress = Progress::new(terminal.progress, terminal.ascii);
        // Where nothing crosses from processor to processor, it does not matter how far they are apart.
        let rounds = rounds::Plan { link: self.rounds.link.filter(|_| case.is_shared), budget, ..self.rounds.clone() };
        let measured = rounds::measure(&subjects, &rounds, stop, &mut |taken, samples, next| {
            let place = || format!("{}: {}", case.title, contestants[next].name);
            progress.draw(|| {
                let share = (taken * 100 / samples.max(1)).min(99);
                (format!("{} {} of {all}, {share}%", self.bench.kind.name, index + 1), place())
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
            let subject: Subject<'b> = Box::new(move |pass: Pass| {
                self.work.refresh();
                let mut sample = take(pass)?;
                sample.is_disturbed |= !self.work.is_fresh();
                Ok(sample)
            });
            (Contestant { name: entry.name, role: entry.role }, subject)
        });
        both.unzip()
    }
}

/// Compares with what was saved.
pub(super) fn compare_with(saved: &Saved, keeping: &Keeping, report: &mut Report) {
    if !saved.is_of(report) {
        report.warnings.push("the earlier run was on another kind of host".to_owned());
    }
    let changes = saved.changes(&report.cases);
    if let Some(percent) = keeping.fail_over {
        report.over_limit = changes.iter().filter(|change| change.is_over(percent)).count();
    }
    report.changes = Some(changes);
}

/// Says on stderr what is wrong or doubtful, each thing once. A wrong answer is an error even under `-q`.
pub(super) fn tell(reports: &[Report], terminal: &Terminal) {
    for (name, load, evidence) in reports.iter().flat_map(|report| &report.faults) {
        for text in evidence {
            message::error(&anyhow::anyhow!("{name} fails {load}: {text}"));
        }
    }
    if terminal.quiet {
        return;
    }
    let mut said: Vec<&String> = Vec::new();
    for text in reports.iter().flat_map(|report| &report.warnings) {
        if !said.contains(&text) {
            message::warning(text);
            said.push(text);
        }
    }
    let over: usize = reports.iter().map(|report| report.over_limit).sum();
    if over > 0 {
        message::warning(&format!("{} slower than allowed", things(over as u64, "figure")));
    }
    if reports.iter().any(|report| report.partial) {
        message::warning("interrupted: this is what was measured until then");
    }
    let links = reports.iter().flat_map(|report| &report.cases).filter_map(|case| case.link_ns);
    let slow = links.fold(0.0, f64::max);
    if slow > SLOW_LINK_NS {
        message::note(&format!("a line takes {} from core to core, as between sockets", nanoseconds(slow as u64)));
    }
}
