//! From options to cases: which loads, with how many threads, with what going through; and who takes part.

use super::bag::{Rival, Role};
use super::queue;
use super::workload::{Case, Setup, Work};
use crate::cli::{BenchQueue, Workload};
use crate::exit::hinted;
use anyhow::Result;
use clap::ValueEnum;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use toolbox::bench::host::Host;
use toolbox::bench::rounds;

/// The time of a sample.
const DURATION: Duration = Duration::from_millis(50);
const QUICK_DURATION: Duration = Duration::from_millis(10);
/// With this many an interval leaves out the two largest and the two smallest ratios.
const ROUNDS: usize = 15;
const QUICK_ROUNDS: usize = 9;

/// What is going to be measured.
pub(super) struct Plan {
    pub(super) rivals: Vec<Rival>,
    /// The place of the one that others are compared with, among `rivals`.
    pub(super) baseline: usize,
    pub(super) cases: Vec<Case>,
    pub(super) setup: Setup,
    pub(super) rounds: rounds::Plan,
}

impl Plan {
    /// # Errors
    /// A name that is not in the list, a processor that cannot be used, a load that no number of threads fits.
    pub(super) fn new(arguments: &BenchQueue, host: &Host) -> Result<Self> {
        let rivals = rivals(arguments)?;
        let baseline = baseline(arguments, &rivals)?;
        let cases = cases(arguments);
        if cases.is_empty() {
            return Err(hinted(
                "none of these loads can be done by so many threads",
                "split takes --threads 2 or more",
            ));
        }
        if let Some(processor) = arguments.pin.iter().find(|number| !host.allowed.contains(number)) {
            let message = format!("--pin: this process may not run on processor {processor}");
            return Err(hinted(message, format!("it may on {}", list(&host.allowed))));
        }
        let duration = arguments.duration.unwrap_or(if arguments.quick { QUICK_DURATION } else { DURATION });
        let rounds = arguments.rounds.map_or(if arguments.quick { QUICK_ROUNDS } else { ROUNDS }, usize::from);
        let setup = Setup { duration, operations: arguments.ops, pins: arguments.pin.clone(), work: Work::calibrate() };
        let ends = if arguments.pin.len() > 1 { &arguments.pin } else { &host.allowed };
        let link = ends.first().copied().zip(ends.get(1).copied()).filter(|(one, other)| one != other);
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
        let rounds = rounds::Plan { rounds, latency_rounds: (rounds / 5).max(1), link, seed };
        Ok(Self { rivals, baseline, cases, setup, rounds })
    }

    /// How long it will take, roughly.
    pub(super) fn estimate(&self) -> Duration {
        let rounds = 1 + self.rounds.rounds + self.rounds.latency_rounds;
        let subjects = |case: &Case| {
            let takes_part = |rival: &&Rival| rival.role != Role::Reference || case.has_references();
            self.rivals.iter().filter(takes_part).count()
        };
        let case = |case: &Case| case.estimate(&self.setup) * (rounds * subjects(case)) as u32;
        self.cases.iter().map(case).sum()
    }
}

/// The references, and those that were named or all rivals.
fn rivals(arguments: &BenchQueue) -> Result<Vec<Rival>> {
    let all = queue::rivals();
    for name in &arguments.with {
        if !all.iter().any(|rival| rival.name == name && rival.role != Role::Reference) {
            return Err(hinted(format!("--with: there is no queue called '{name}'"), "toolbox bench list"));
        }
    }
    let takes_part = |rival: &Rival| match rival.role {
        Role::Reference => true,
        Role::Rival => arguments.with.is_empty() || arguments.with.iter().any(|name| name == rival.name),
        Role::Broken => arguments.with.iter().any(|name| name == rival.name),
    };
    Ok(all.into_iter().filter(takes_part).collect())
}

fn baseline(arguments: &BenchQueue, rivals: &[Rival]) -> Result<usize> {
    let place = |name: &str| rivals.iter().position(|rival| rival.name == name && rival.role != Role::Reference);
    match &arguments.baseline {
        Some(name) => {
            place(name).ok_or_else(|| hinted(format!("--baseline: '{name}' does not take part"), "toolbox bench list"))
        }
        None => {
            let first = || rivals.iter().position(|rival| rival.role != Role::Reference);
            Ok(place(queue::BASELINE).or_else(first).expect("somebody takes part, since every name was found"))
        }
    }
}

fn cases(arguments: &BenchQueue) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for &load in &arguments.workload {
        let loads = load.map_or_else(|| Workload::value_variants().to_vec(), |load| vec![load]);
        for workload in loads {
            for &threads in &arguments.threads {
                for (threads, producers) in shapes(workload, threads.into()) {
                    let with = |&payload| Case { workload, threads, producers, payload };
                    cases.extend(arguments.payload.iter().map(with));
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
        Workload::Split if threads < 2 => vec![],
        Workload::Split => vec![(threads, 1), (threads, threads / 2), (threads, threads - 1)],
        _ => vec![(threads, 0)],
    }
}

fn list(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Bench, Benchmark, Cli, Command};
    use clap::Parser;

    fn plan(line: &str) -> Result<Plan> {
        let words = ["toolbox", "bench", "queue"].into_iter().chain(line.split_whitespace());
        let Command::Bench(Bench { what: Benchmark::Queue(arguments) }) = Cli::parse_from(words).command else {
            panic!("this is a command line of bench queue")
        };
        Plan::new(&arguments, &Host { allowed: vec![0, 3], ..Host::default() })
    }

    fn shown(line: &str) -> Vec<String> {
        plan(line).unwrap().cases.iter().map(ToString::to_string).collect()
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
        assert_eq!(shown("--workload all,pairs --threads 2").len(), Workload::value_variants().len());
    }

    #[test]
    fn names_choose_who_takes_part() {
        let names = |line| plan(line).unwrap().rivals.iter().map(|rival| rival.name).collect::<Vec<_>>();
        assert_eq!(names("--with flume,broken-lost"), ["harness", "limit", "flume", "broken-lost"]);
        assert!(!names("").iter().any(|name| name.starts_with("broken")));
        let plan = plan("--with kanal,flume --baseline kanal").unwrap();
        assert_eq!(plan.rivals[plan.baseline].name, "kanal");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in ["--with nobody", "--with harness", "--baseline nobody", "--pin 1", "--workload split --threads 1"]
        {
            assert!(plan(line).is_err(), "{line}");
        }
        assert!(plan("--pin 3,0").unwrap().rounds.link == Some((3, 0)));
    }

    #[test]
    fn the_time_it_takes_is_known_before() {
        let plan = plan("--with flume --workload pairs --threads 2 --duration 10ms --rounds 10").unwrap();
        // One to warm up, ten that count, two for latency; flume and two references.
        assert_eq!(plan.estimate(), Duration::from_millis(13 * 3 * 10));
    }
}
