//! `toolbox bench all`: every bench with its usual loads, one after the other, and what to use on this host at the end.
//!
//! How long it takes is said beforehand and kept to: what is left of the time is shared out among the loads still to be
//! measured, and each takes as many rounds as fit into its share. Only as many as an interval takes are taken in any case.

use super::compare::{self, Saved};
use super::report::Report;
use super::session::{self, Session};
use super::{all, parts, render, weighs};
use crate::cli::{BenchAll, Cli, Command};
use crate::exit::Exit;
use crate::interrupt;
use crate::ui::terminal::Terminal;
use anyhow::{Context, Result};
use clap::Parser;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use toolbox::bench::host::{Host, Load};

/// Runs it.
///
/// # Errors
/// A processor that cannot be used, a file that cannot be read or written, an answer that cannot be written.
pub(super) fn run(options: &BenchAll) -> Result<Exit> {
    let terminal = Terminal::new(&options.output);
    let host = Host::look();
    let sessions = sessions(options, &host)?;
    let keeping = &options.keeping;
    let read = |path| sessions.iter().map(|(name, _)| Saved::read(path, name)).collect::<Result<Vec<Saved>>>();
    let saved = keeping.compare.as_deref().map(read).transpose()?;
    let stop = interrupt::first()?;
    let estimates: Vec<Duration> = sessions.iter().map(|(_, session)| session.estimate(&host)).collect();
    let time = options.time.unwrap_or_else(|| estimates.iter().sum());
    session::announce(sessions.iter().map(|(_, session)| session.loads()).sum(), time, &terminal);
    let (begin, load) = (Instant::now(), Load::now());
    let mut reports: Vec<Report> = Vec::new();
    for (index, (_, session)) in sessions.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            reports.iter_mut().last().into_iter().for_each(|report| report.partial = true);
            break;
        }
        let ahead: Duration = estimates[index..].iter().sum();
        let share = estimates[index].as_secs_f64() / ahead.as_secs_f64().max(1e-9);
        let left = (begin + time).saturating_duration_since(Instant::now());
        let mut report = session.empty(&host);
        session.measure(&mut report, Some(Instant::now() + left.mul_f64(share)), &stop, &terminal, &mut |report| {
            let so_far = || render::json_of_all(reports.iter().chain([report]));
            keeping.save.as_deref().map_or(Ok(()), |path| compare::save(path, &so_far()?))
        })?;
        reports.push(report);
    }
    let meanwhile = load.warnings_since();
    for (index, report) in reports.iter_mut().enumerate() {
        report.warnings.extend(meanwhile.iter().map(ToString::to_string));
        if let Some(saved) = saved.as_ref().and_then(|saved| saved.get(index)) {
            session::compare_with(saved, keeping, report);
        }
    }
    session::tell(&reports, &terminal);
    if let Some(path) = &keeping.save {
        compare::save(path, &render::json_of_all(&reports)?)?;
    }
    render::write_all(&reports, &terminal)?;
    Ok(Report::exit_of_all(&reports))
}

/// Every bench as its own command line would have it.
fn sessions(options: &BenchAll, host: &Host) -> Result<Vec<(&'static str, Session)>> {
    let mut sessions = Vec::new();
    for (kind, _) in all() {
        let mut words = vec!["toolbox".to_owned(), "bench".to_owned(), kind.name.to_owned()];
        words.extend(options.quick.then(|| "--quick".to_owned()));
        words.extend(options.threads.iter().map(|threads| format!("--threads={threads}")));
        words.extend(options.ops.map(|operations| format!("--ops={operations}")));
        // Only what items are put into is weighed.
        words.extend(
            kind.columns.iter().any(|column| column.name == "item_bytes").then(|| format!("--weigh={}", options.weigh)),
        );
        words.extend(options.pin.iter().map(|processor| format!("--pin={processor}")));
        let Command::Bench(bench) = Cli::try_parse_from(words)?.command else { continue };
        let (measuring, make) = parts(&bench.what).context("a bench that is listed has options")?;
        sessions.push((kind.name, Session::new(measuring, weighs(&bench.what), host, make)?));
    }
    Ok(sessions)
}
