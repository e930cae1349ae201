//! `toolbox bench`: primitives beside what one would use instead, measured on this host.
//!
//! ```text
//! $ toolbox bench queue --with segqueue,kanal,mutex-linkedlist --workload split --threads 2
//! split 1:1, 8 B
//! ns/pair  spread     x             foreign  fair  of limit  cpu ns    p50  p99.99     max
//!    24.7    27 %  1.48  1.04-1.69    100 %     -         -    24.3  40 ns  847 ns  4.1 ms  ████████████  *  kanal
//!    31.5    30 %  1.00  1.00-1.00    100 %     -         -    31.1  40 ns  703 ns  4.1 ms  █████████▍       segqueue
//!    55.3    27 %  0.62  0.48-0.76    100 %     -         -    54.9  41 ns  1.5 us  4.9 ms  █████▎           mutex-linkedlist
//! a line from core to core 35; 3 of 45 samples dropped
//!
//! split 1:1, 8 B: kanal, 1.48 times (1.04 to 1.69) the speed of segqueue
//! ```
//!
//! Options become cases and rivals; each rival is checked before it is timed; each case is measured by the library's
//! rounds; what they come to is rendered. The saved file is written anew after every case, so that an interrupt costs
//! one case at most.

mod bag;
mod broken;
mod check;
mod compare;
mod manual;
mod plan;
mod queue;
mod render;
mod report;
mod workload;

pub(crate) use manual::CHAPTERS;

use crate::cli::{Bench, BenchQueue, Benchmark};
use crate::exit::Exit;
use crate::interrupt;
use crate::ui::message;
use crate::ui::numbers::{count, nanoseconds, things};
use crate::ui::progress::Progress;
use crate::ui::terminal::Terminal;
use anyhow::Result;
use bag::{Rival, Role};
use compare::Saved;
use plan::Plan;
use report::{CaseReport, Method, Report};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use toolbox::bench::host::{Host, Load};
use toolbox::bench::rounds::{self, Subject};

/// What takes no longer needs no announcement.
const SHORT: Duration = Duration::from_secs(3);

/// Runs the subcommand.
///
/// # Errors
/// A name that is not known, a file that cannot be read or written, an answer that cannot be written.
pub(crate) fn run(arguments: Bench) -> Result<Exit> {
    match arguments.what {
        Benchmark::Queue(arguments) => measure(&arguments),
        Benchmark::List { output } => {
            render::list(&Terminal::new(&output))?;
            Ok(Exit::Done)
        }
    }
}

fn measure(arguments: &BenchQueue) -> Result<Exit> {
    let terminal = Terminal::new(&arguments.output);
    let saved = arguments.compare.as_deref().map(Saved::read).transpose()?;
    let host = Host::look();
    let plan = Plan::new(arguments, &host)?;
    let stop = interrupt::first()?;
    announce(&plan, &terminal);
    let load = Load::now();
    let mut report = empty(host, &plan);
    check(&plan, &mut report, &stop, &terminal);
    for index in 0..plan.cases.len() {
        if stop.load(Ordering::Relaxed) {
            report.partial = true;
            break;
        }
        one_case(&plan, index, &mut report, &stop, &terminal);
        if let Some(path) = &arguments.save {
            compare::save(path, &render::json(&report)?)?;
        }
    }
    report.warnings.extend(load.warnings_since().iter().map(ToString::to_string));
    if let Some(saved) = &saved {
        compare_with(saved, arguments, &mut report);
    }
    tell(&report, &terminal);
    if let Some(path) = &arguments.save {
        compare::save(path, &render::json(&report)?)?;
    }
    render::write(&report, &terminal)?;
    Ok(report.exit())
}

/// Says beforehand what takes long.
fn announce(plan: &Plan, terminal: &Terminal) {
    let estimate = plan.estimate();
    if !terminal.quiet && estimate > SHORT {
        let (cases, seconds) = (things(plan.cases.len() as u64, "load"), estimate.as_secs());
        message::note(&format!("{cases}, about {} s; Ctrl-C shows what was measured by then", count(seconds)));
    }
}

fn empty(host: Host, plan: &Plan) -> Report {
    let threads = plan.cases.iter().map(|case| case.threads).max().unwrap_or(1);
    let method = Method {
        rounds: plan.rounds.rounds,
        duration_ns: plan.setup.duration.as_nanos() as u64,
        operations: plan.setup.operations,
        seed: plan.rounds.seed,
    };
    Report {
        warnings: host.warnings(threads).iter().map(ToString::to_string).collect(),
        host,
        method,
        baseline: plan.rivals[plan.baseline].name,
        cases: Vec::new(),
        faults: Vec::new(),
        changes: None,
        over_limit: 0,
        partial: false,
    }
}

/// Looks at every item of every rival once.
fn check(plan: &Plan, report: &mut Report, stop: &AtomicBool, terminal: &Terminal) {
    let mut progress = Progress::new(terminal.progress, terminal.ascii);
    for rival in &plan.rivals {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        progress.draw(|| ("checking".to_owned(), rival.name.to_owned()));
        if let Err(faults) = rival.check() {
            let evidence = faults.iter().map(ToString::to_string).collect();
            report.faults.push((rival.name, "the check of every item".to_owned(), evidence));
        }
    }
}

/// Measures one case, with everybody who has not failed so far.
fn one_case(plan: &Plan, index: usize, report: &mut Report, stop: &AtomicBool, terminal: &Terminal) {
    let case = plan.cases[index];
    let has_failed = |rival: &Rival| report.faults.iter().any(|(name, ..)| *name == rival.name);
    let takes_part = |rival: &&Rival| (rival.role != Role::Reference || case.has_references()) && !has_failed(rival);
    let rivals: Vec<&Rival> = plan.rivals.iter().filter(takes_part).collect();
    let subject = |rival: &&Rival| -> Subject<'_> {
        let rival = **rival;
        Box::new(move |pass| rival.sample(&case, &plan.setup, pass))
    };
    let subjects: Vec<Subject<'_>> = rivals.iter().map(subject).collect();
    let mut progress = Progress::new(terminal.progress, terminal.ascii);
    // Where nothing crosses from processor to processor, it does not matter how far they are apart.
    let rounds = rounds::Plan { link: plan.rounds.link.filter(|_| case.is_shared()), ..plan.rounds.clone() };
    let measured = rounds::measure(&subjects, &rounds, stop, &mut |taken, all, next| {
        let place = || format!("{case}: {}", rivals[next].name);
        progress.draw(|| {
            (format!("load {} of {}, {}%", index + 1, plan.cases.len(), (taken * 100 / all).min(99)), place())
        });
    });
    progress.erase();
    for (rival, series) in rivals.iter().zip(&measured.series) {
        report.faults.extend(series.fault.iter().map(|fault| (rival.name, case.to_string(), vec![fault.to_string()])));
    }
    report.partial |= measured.is_partial;
    report.cases.push(CaseReport::new(case, &rivals, report.baseline, &measured));
}

fn compare_with(saved: &Saved, arguments: &BenchQueue, report: &mut Report) {
    if !saved.is_of(report) {
        report.warnings.push("the earlier run was on another kind of host".to_owned());
    }
    let changes = saved.changes(&report.cases);
    if let Some(percent) = arguments.fail_over {
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

/// Cores that share a cache are nearer than this.
const SLOW_LINK_NS: f64 = 100.0;
