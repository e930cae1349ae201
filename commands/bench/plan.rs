//! From the options that every bench has to a plan: for how long, how many rounds, on which processors, and who takes part.

use super::load::{Setup, Work};
use super::subject::{Bench, Case, Role};
use crate::cli::Measuring;
use crate::exit::hinted;
use anyhow::Result;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use toolbox::bench::host::Host;
use toolbox::bench::rounds;

/// The time of a sample: a virtual machine that is moved every 20 to 60 ms leaves most of these alone.
const DURATION: Duration = Duration::from_millis(20);
const QUICK_DURATION: Duration = Duration::from_millis(10);
/// With this many an interval leaves out the eight largest and the eight smallest ratios.
const ROUNDS: usize = 31;
/// Some more than an interval takes, so that a time that was announced can be kept to.
const QUICK_ROUNDS: usize = 11;

/// What starting threads, checking what they did and looking at the host take, for each sample.
const AROUND: Duration = Duration::from_millis(2);
/// What a sample takes beyond that with each thread more than there are processors: until all have begun and ended.
const CROWDED: Duration = Duration::from_micros(3500);
/// Where the host is moved about, so much of what is measured is lost and done again.
const LOST: f64 = 0.5;
/// A look at one that takes part before it is timed, and weighing it.
const CHECK: Duration = Duration::from_millis(60);
const WEIGHING: Duration = Duration::from_millis(400);

/// What the loads are told.
///
/// # Errors
/// A processor that cannot be used.
pub(super) fn setup(options: &Measuring, host: &Host) -> Result<Setup> {
    if let Some(processor) = options.pin.iter().find(|number| !host.allowed.contains(number)) {
        let message = format!("--pin: this process may not run on processor {processor}");
        return Err(hinted(message, format!("it may on {}", list(&host.allowed))));
    }
    let duration = duration(options);
    Ok(Setup { duration, operations: options.ops, pins: options.pin.clone(), work: Work::calibrate() })
}

/// How long a sample takes, where the load has no number of units of its own.
pub(super) fn duration(options: &Measuring) -> Duration {
    options.duration.unwrap_or(if options.quick { QUICK_DURATION } else { DURATION })
}

/// How many rounds, and which processors lie between the threads.
pub(super) fn rounds(options: &Measuring, host: &Host) -> rounds::Plan {
    let rounds = options.rounds.map_or(if options.quick { QUICK_ROUNDS } else { ROUNDS }, usize::from);
    let ends = if options.pin.len() > 1 { &options.pin } else { &host.allowed };
    let link = ends.first().copied().zip(ends.get(1).copied()).filter(|(one, other)| one != other);
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64);
    rounds::Plan { rounds, latency_rounds: (rounds / 5).max(1), budget: None, link, seed }
}

/// Who takes part, by their places among the entries.
#[derive(Debug)]
pub(super) struct Cast {
    /// The references, and those that were named or all rivals.
    pub(super) members: Vec<usize>,
    /// The one that the others are compared with.
    pub(super) baseline: &'static str,
}

impl Cast {
    /// # Errors
    /// A name that is not in the list, or does not take part.
    pub(super) fn new(options: &Measuring, bench: &Bench) -> Result<Self> {
        let what = bench.kind.name;
        let can_be_named = |role: Role| !role.is_reference();
        for name in &options.with {
            if !bench.entries.iter().any(|entry| entry.name == name && can_be_named(entry.role)) {
                return Err(hinted(format!("--with: there is no {what} called '{name}'"), "toolbox bench list"));
            }
        }
        let is_named = |name: &str| options.with.iter().any(|its| its == name);
        let takes_part = |place: &usize| {
            let entry = &bench.entries[*place];
            match entry.role {
                Role::Harness | Role::Limit => true,
                Role::Rival => options.with.is_empty() || is_named(entry.name),
                Role::Broken => is_named(entry.name),
            }
        };
        let members: Vec<usize> = (0..bench.entries.len()).filter(takes_part).collect();
        let named = members.iter().map(|place| &bench.entries[*place]).filter(|entry| can_be_named(entry.role));
        let names: Vec<&'static str> = named.map(|entry| entry.name).collect();
        let place = |name: &str| names.iter().copied().find(|its| *its == name);
        let baseline = match &options.baseline {
            Some(name) => place(name)
                .ok_or_else(|| hinted(format!("--baseline: '{name}' does not take part"), "toolbox bench list"))?,
            None => place(bench.kind.baseline)
                .or_else(|| names.first().copied())
                .expect("somebody takes part, since every name was found"),
        };
        Ok(Self { members, baseline })
    }

    /// How long `case` takes, roughly.
    pub(super) fn estimate(&self, case: &Case, rounds: &rounds::Plan, host: &Host) -> Duration {
        let subjects = case.subjects.iter().filter(|(place, _)| self.members.contains(place)).count();
        let crowd = CROWDED * case.threads.saturating_sub(host.processors()) as u32;
        let all = (case.estimate + AROUND + crowd) * ((1 + rounds.rounds + rounds.latency_rounds) * subjects) as u32;
        let is_moved = case.is_shared && rounds.link.is_some() && host.hypervisor.is_some();
        if is_moved { all.mul_f64(1.0 + LOST) } else { all }
    }

    /// How long it takes before the first sample, where everybody may be weighed.
    pub(super) fn before(&self, weighs: bool) -> Duration {
        (CHECK + if weighs { WEIGHING } else { Duration::ZERO }) * self.members.len() as u32
    }
}

fn list(numbers: &[usize]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::bag;
    use crate::cli::{Benchmark, Cli, Command};
    use clap::Parser;

    /// The bench of a command line of `bench queue`, who takes part, and the rounds.
    fn plan(line: &str) -> Result<(Bench, Cast, rounds::Plan)> {
        let words = ["toolbox", "bench", "queue"].into_iter().chain(line.split_whitespace());
        let Command::Bench(crate::cli::Bench { what: Benchmark::Queue(arguments) }) = Cli::parse_from(words).command
        else {
            panic!("this is a command line of bench queue")
        };
        let host = Host { allowed: vec![0, 3], ..Host::default() };
        let bench =
            bag::bench(bag::queue::KIND, bag::queue::rivals(), &arguments, &setup(&arguments.measuring, &host)?)?;
        let cast = Cast::new(&arguments.measuring, &bench)?;
        Ok((bench, cast, rounds(&arguments.measuring, &host)))
    }

    #[test]
    fn names_choose_who_takes_part() {
        let names = |line| {
            let (bench, cast, _) = plan(line).unwrap();
            cast.members.iter().map(|place| bench.entries[*place].name).collect::<Vec<_>>()
        };
        assert_eq!(names("--with flume,broken-lost"), ["harness", "limit", "flume", "broken-lost"]);
        assert!(!names("").iter().any(|name| name.starts_with("broken")));
        let baseline = |line| plan(line).unwrap().1.baseline;
        assert_eq!(baseline("--with kanal,flume --baseline kanal"), "kanal");
        assert_eq!((baseline(""), baseline("--with kanal,flume")), ("segqueue", "flume"));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for line in ["--with nobody", "--with harness", "--baseline nobody", "--pin 1", "--workload split --threads 1"]
        {
            assert!(plan(line).is_err(), "{line}");
        }
        assert!(plan("--pin 3,0").unwrap().2.link == Some((3, 0)));
    }

    #[test]
    fn the_time_it_takes_is_known_before() {
        let line = "--with flume --workload pairs --threads 2 --duration 10ms --rounds 10";
        let (bench, cast, rounds) = plan(line).unwrap();
        let host = Host { allowed: vec![0, 3], ..Host::default() };
        // One to warm up, ten that count, two for latency; flume and two references.
        assert_eq!(cast.estimate(&bench.cases[0], &rounds, &host), Duration::from_millis(13 * 3 * 12));
        let moved = Host { hypervisor: Some("one".to_owned()), ..host.clone() };
        assert_eq!(cast.estimate(&bench.cases[0], &rounds, &moved), Duration::from_millis(13 * 3 * 18));
        let narrow = Host { allowed: vec![0], ..host };
        assert_eq!(cast.estimate(&bench.cases[0], &rounds, &narrow), Duration::from_micros(13 * 3 * 15_500));
        assert_eq!((cast.before(false), cast.before(true)), (Duration::from_millis(180), Duration::from_millis(1380)));
    }
}
