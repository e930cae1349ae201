//! From the options of `bench event` to loads.

use super::workload::{Case, Load};
use super::{Does, KIND, Rival, rivals};
use crate::bench::load::Setup;
use crate::bench::subject::{self, Bench, Entry};
use crate::cli::{BenchEvent, EventWorkload};
use std::time::Duration;
use toolbox::bench::rounds::Subject;

/// Signals of each thread or task that adds to a count, unless `--ops` says otherwise.
const POSTS: u64 = 20_000;

/// The bench of these options.
pub(in crate::bench) fn bench(options: &BenchEvent, setup: &Setup) -> Bench {
    let rivals = rivals();
    let cases = cases(options).into_iter().map(|case| described(case, &rivals, setup)).collect();
    Bench { kind: KIND, entries: entries(&rivals), cases }
}

/// The names of these rivals, and how each is checked.
pub(in crate::bench) fn entries(rivals: &[Rival]) -> Vec<Entry> {
    let entry = |rival: &Rival| {
        let checks: Vec<_> = LOADS.iter().filter_map(|load| does(rival, *load)).map(|(_, check)| check).collect();
        let check = Box::new(move || {
            let faults: Vec<_> = checks.iter().filter_map(|check| check().err()).collect();
            if faults.is_empty() { Ok(()) } else { Err(faults) }
        });
        Entry { name: rival.name, about: rival.about, role: rival.role, check }
    };
    rivals.iter().map(entry).collect()
}

const LOADS: [Load; 4] = [Load::FlagOfThreads, Load::FlagOfTasks, Load::CountOfThreads, Load::CountOfTasks];

fn does(rival: &Rival, load: Load) -> Does {
    match load {
        Load::FlagOfThreads => rival.flag_of_threads,
        Load::FlagOfTasks => rival.flag_of_tasks,
        Load::CountOfThreads => rival.count_of_threads,
        Load::CountOfTasks => rival.count_of_tasks,
    }
}

/// A load with everyone who can do it.
fn described(case: Case, rivals: &[Rival], setup: &Setup) -> subject::Case {
    let subject = |(place, rival): (usize, &Rival)| {
        let (measure, _) = does(rival, case.load)?;
        let setup = setup.clone();
        let subject: Subject<'static> = Box::new(move |pass| measure(&case, &setup, pass));
        Some((place, subject))
    };
    let posts = case.posts * case.count as u64;
    let estimate = match case.load {
        Load::FlagOfThreads | Load::FlagOfTasks => setup.duration,
        Load::CountOfThreads | Load::CountOfTasks => Duration::from_nanos(posts * 300),
    };
    subject::Case {
        title: case.to_string(),
        key: vec![
            ("workload", case.load.name().into()),
            ("after_ns", (case.after.as_nanos() as u64).into()),
            ("threads", case.count.into()),
        ],
        threads: if case.load.is_of_tasks() { 2 } else { case.count },
        is_shared: case.count > 1,
        estimate,
        subjects: rivals.iter().enumerate().filter_map(subject).collect(),
    }
}

fn cases(options: &BenchEvent) -> Vec<Case> {
    let posts = options.measuring.ops.unwrap_or(POSTS);
    let plain = Case { load: Load::FlagOfThreads, after: Duration::ZERO, count: 2, posts };
    let mut cases: Vec<Case> = Vec::new();
    let counts = |counts: &[u16]| counts.iter().map(|&count| usize::from(count)).collect::<Vec<_>>();
    for workload in &options.workload {
        let all = &EventWorkload::ALL[..];
        for workload in workload.as_ref().map_or(all, std::slice::from_ref) {
            let with = |load: Load, numbers: Vec<usize>| {
                numbers.into_iter().map(move |count| Case { load, count, ..plain }).collect::<Vec<_>>()
            };
            // A pair takes two, at least.
            let pairs = counts(&options.tasks).into_iter().map(|count| count.next_multiple_of(2)).collect();
            let found = match workload {
                EventWorkload::Threads => options.after.iter().map(|&after| Case { after, ..plain }).collect(),
                EventWorkload::Tasks => with(Load::FlagOfTasks, pairs),
                EventWorkload::CountThreads => with(Load::CountOfThreads, counts(&options.measuring.threads)),
                EventWorkload::CountTasks => with(Load::CountOfTasks, counts(&options.tasks)),
            };
            for case in found {
                if !cases.contains(&case) {
                    cases.push(case);
                }
            }
        }
    }
    cases
}

/// Those of one role.
#[cfg(test)]
pub(super) fn of_role(role: subject::Role) -> Vec<Rival> {
    rivals().into_iter().filter(|rival| rival.role == role).collect()
}
