//! From the options of `bench queue` and `bench stack` to loads: which, with how many threads, with what going through.

use super::workload::Case;
use super::{Rival, memory};
use crate::bench::load::Setup;
use crate::bench::subject::{self, Bench, Column, Entry, Form, Kind};
use crate::cli::{BenchBag, Carried, Workload};
use crate::exit::hinted;
use anyhow::Result;
use clap::ValueEnum;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use toolbox::bench::rounds::Subject;

#[cfg(doc)]
use super::Bag;

/// What only these benches tell: the memory, and the tail of an open load.
pub(super) const COLUMNS: &[Column] = &[
    memory::COLUMNS[0],
    memory::COLUMNS[1],
    memory::COLUMNS[2],
    memory::COLUMNS[3],
    Column {
        name: "taken_p99_ns",
        head: "p99",
        legend: "of 100 items one took longer; the median of the samples",
        form: Form::Nanoseconds,
        is_detail: true,
    },
    Column {
        name: "taken_p999_ns",
        head: "p99.9",
        legend: "the same of 1,000",
        form: Form::Nanoseconds,
        is_detail: true,
    },
];

/// The bench of one kind of [`Bag`].
///
/// # Errors
/// When no number of threads that was asked for fits a load.
pub(in crate::bench) fn bench(kind: Kind, rivals: Vec<Rival>, options: &BenchBag, setup: &Setup) -> Result<Bench> {
    let cases = cases(options);
    if cases.is_empty() {
        return Err(hinted("none of these loads can be done by so many threads", "split takes --threads 2 or more"));
    }
    let weights = Rc::new(Weights { bench: kind.name, items: options.weigh, known: RefCell::default() });
    let cases = cases.into_iter().map(|case| described(case, &rivals, setup, &weights)).collect();
    Ok(Bench { kind, entries: entries(&rivals), cases })
}

/// The names of these rivals, and how each is checked.
pub(in crate::bench) fn entries(rivals: &[Rival]) -> Vec<Entry> {
    let entry = |rival: &Rival| {
        let check = Box::new(rival.check);
        Entry { name: rival.name, about: rival.about, role: rival.role, check }
    };
    rivals.iter().map(entry).collect()
}

/// What `bench list` says of the loads.
pub(in crate::bench) fn loads() -> Vec<(String, String)> {
    let load = |load: &Workload| {
        let help = load.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        (load.name(), help.unwrap_or_default())
    };
    Workload::value_variants().iter().map(load).collect()
}

type Figures = Vec<(&'static str, f64)>;

/// What each structure weighs with each payload, found out once: in the round that warms up.
struct Weights {
    bench: &'static str,
    items: usize,
    known: RefCell<HashMap<(&'static str, &'static str), Figures>>,
}

impl Weights {
    fn of(&self, rival: &Rival, payload: Carried) -> Figures {
        if rival.role.is_reference() || self.items == 0 {
            return Figures::new();
        }
        let mut known = self.known.borrow_mut();
        let weigh =
            || memory::of(self.bench, rival.name, payload, self.items).map(memory::Weight::figures).unwrap_or_default();
        known.entry((rival.name, payload.name())).or_insert_with(weigh).clone()
    }
}

/// A load with everyone who can do it.
fn described(case: Case, rivals: &[Rival], setup: &Setup, weights: &Rc<Weights>) -> subject::Case {
    let takes_part = |(_, rival): &(usize, &Rival)| !rival.role.is_reference() || case.has_references();
    let subject = |(place, rival): (usize, &Rival)| {
        let (rival, setup, weights) = (*rival, setup.clone(), Rc::clone(weights));
        let subject: Subject<'static> = Box::new(move |pass| {
            let mut sample = rival.sample(&case, &setup, pass)?;
            sample.extra = weights.of(&rival, case.payload);
            Ok(sample)
        });
        (place, subject)
    };
    subject::Case {
        title: case.to_string(),
        key: vec![
            ("workload", case.workload.name().into()),
            ("threads", case.threads.into()),
            ("producers", (case.producers > 0).then_some(case.producers).into()),
            ("payload", case.payload.name().into()),
            ("rate", (case.rate > 0).then_some(case.rate).into()),
        ],
        threads: case.threads,
        is_shared: case.is_shared(),
        estimate: case.estimate(setup),
        subjects: rivals.iter().enumerate().filter(takes_part).map(subject).collect(),
    }
}

fn cases(options: &BenchBag) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for &load in &options.workload {
        let loads = load.map_or_else(|| Workload::value_variants().to_vec(), |load| vec![load]);
        for workload in loads {
            for &threads in &options.measuring.threads {
                for (threads, producers) in shapes(workload, threads.into()) {
                    let rate = if workload == Workload::Open { options.rate } else { 0 };
                    let with = |&payload| Case { workload, threads, producers, rate, payload };
                    cases.extend(options.payload.iter().map(with));
                }
            }
        }
    }
    let mut once: Vec<Case> = Vec::new();
    for case in cases {
        if !once.contains(&case) {
            once.push(case);
        }
    }
    once
}

/// How many threads, and how many of them producers, where so many threads are asked for.
fn shapes(workload: Workload, threads: usize) -> Vec<(usize, usize)> {
    match workload {
        Workload::Loop => vec![(1, 0)],
        Workload::PingPong => vec![(2, 0)],
        Workload::Open => vec![(2, 1)],
        Workload::Split if threads < 2 => vec![],
        Workload::Split => vec![(threads, 1), (threads, threads / 2), (threads, threads - 1)],
        _ => vec![(threads, 0)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Benchmark, Cli, Command};
    use clap::Parser;

    fn shown(line: &str) -> Vec<String> {
        let words = ["toolbox", "bench", "stack"].into_iter().chain(line.split_whitespace());
        let Command::Bench(crate::cli::Bench { what: Benchmark::Stack(options) }) = Cli::parse_from(words).command
        else {
            panic!("this is a command line of bench stack")
        };
        cases(&options).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn loads_become_cases() {
        let expected = ["loop, 1 thread, 8 B", "pairs, 1 thread, 8 B", "pairs, 2 threads, 8 B"];
        assert_eq!(shown("--threads 1,2"), expected);
        let splits = ["split 1:1, 8 B", "split 1:3, 8 B", "split 2:2, 8 B", "split 3:1, 8 B"];
        assert_eq!(shown("--workload split --threads 1,2,4"), splits);
        assert_eq!(
            shown("--workload loop --payload 8,64,boxed"),
            ["8 B", "64 B", "boxed"].map(|p| format!("loop, 1 thread, {p}"))
        );
        assert_eq!(shown("--workload open --threads 1,4"), ["open 500,000/s, time until taken, 8 B"]);
        assert_eq!(shown("--workload all,pairs --threads 2").len(), Workload::value_variants().len());
    }
}
