//! What the samples of a case come to: a row for each rival, who leads, and the verdict in words.
//!
//! Who leads is not who has the smallest median: every rival whose ratio to the smallest has an interval that contains
//! 1 is level with it. And where threads share a structure but hardly anything crosses from one to another, one thread
//! has captured it for long stretches; the figure then says how fast a thread can use a structure that nobody else
//! touches, and is shown but not ranked.

use super::compare::Change;
use super::subject::{Case, Kind, Role};
use crate::exit::Exit;
use crate::ui::numbers::things;
use serde_json::Value;
use toolbox::bench::host::Host;
use toolbox::bench::rounds::{self, Sample, Series};
use toolbox::bench::stats::{Interval, Ratio, Summary, least_samples};

/// Less than this share of units crossing makes a figure not worth ranking.
const LEAST_FOREIGN: f64 = 0.05;

/// The answer, before it is rendered.
#[derive(Debug)]
pub(super) struct Report {
    /// What was measured.
    pub(super) kind: Kind,
    /// Where it was measured.
    pub(super) host: Host,
    /// How.
    pub(super) method: Method,
    /// Who the others are compared with.
    pub(super) baseline: &'static str,
    /// In the order they were measured.
    pub(super) cases: Vec<CaseReport>,
    /// Who gave a wrong answer: the name, under which load, and the evidence.
    pub(super) faults: Vec<(&'static str, String, Vec<String>)>,
    /// What is doubtful.
    pub(super) warnings: Vec<String>,
    /// Beside an earlier run.
    pub(super) changes: Option<Vec<Change>>,
    /// Changes for the worse beyond what was allowed.
    pub(super) over_limit: usize,
    /// Whether it was cut short.
    pub(super) partial: bool,
}

/// How it was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method {
    pub(super) rounds: usize,
    pub(super) duration_ns: u64,
    pub(super) operations: Option<u64>,
    pub(super) seed: u64,
}

/// Who took part in a case.
#[derive(Clone, Copy, Debug)]
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) role: Role,
}

/// One case.
#[derive(Debug)]
pub(super) struct CaseReport {
    /// Which, in words.
    pub(super) title: String,
    /// Which, for a program.
    pub(super) key: Vec<(&'static str, Value)>,
    /// How many threads were at work.
    pub(super) threads: usize,
    /// Whether they shared something.
    pub(super) is_shared: bool,
    /// Fastest first; then those that are not ranked.
    pub(super) rows: Vec<Row>,
    /// What a unit costs without any structure, and with the least that a shared one can do with.
    pub(super) harness_ns: Option<f64>,
    pub(super) limit_ns: Option<f64>,
    /// One line from processor to processor.
    pub(super) link_ns: Option<f64>,
    /// Samples that were dropped, of those taken.
    pub(super) dropped: usize,
    pub(super) taken: usize,
}

/// One rival in one case.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) standing: Standing,
    /// Nanoseconds a unit.
    pub(super) unit_ns: Summary,
    /// How many times faster than the baseline.
    pub(super) ratio: Option<Ratio>,
    /// How many times faster than the next of those that are ranked.
    pub(super) ahead: Option<Ratio>,
    pub(super) limit_share: Option<f64>,
    pub(super) processor_ns: Option<f64>,
    pub(super) foreign: Option<f64>,
    /// The least of a thread as a share of the most, and of the mean.
    pub(super) fairness: Option<f64>,
    pub(super) fairness_to_mean: Option<f64>,
    pub(super) longest_ns: Option<u64>,
    pub(super) p50_ns: Option<u64>,
    pub(super) p99_ns: Option<u64>,
    pub(super) p9999_ns: Option<u64>,
    pub(super) max_ns: Option<u64>,
    /// What only this bench tells, in the order of its columns.
    pub(super) own: Vec<Option<f64>>,
    /// Of each sample that counts.
    pub(super) samples_ns: Vec<f64>,
}

impl Row {
    /// Where the true ratio lies, if the samples say.
    pub(super) fn interval(&self) -> Option<Interval> {
        self.ratio.and_then(|ratio| ratio.interval)
    }
}

/// Where a rival stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The smallest median.
    Leader,
    /// Not shown to differ from it.
    Level,
    /// Slower.
    Behind,
    /// Hardly anything crossed threads.
    Captured,
}

impl Standing {
    /// For JSON and CSV.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Level => "level",
            Self::Behind => "behind",
            Self::Captured => "captured",
        }
    }

    /// For the table.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Leader => "*",
            Self::Level => "=",
            Self::Behind => "",
            Self::Captured => "-",
        }
    }
}

impl CaseReport {
    /// Puts together what the rounds of a case have come to, for those that took part in it.
    pub(super) fn new(
        case: &Case,
        kind: &Kind,
        contestants: &[Contestant],
        baseline: &str,
        report: &rounds::Report,
    ) -> Self {
        let with: Vec<(&Contestant, &Series)> = contestants.iter().zip(&report.series).collect();
        let reference = |role| {
            let found = with.iter().find(|(contestant, _)| contestant.role == role);
            found.and_then(|(_, series)| series.summary()).map(|summary| summary.median)
        };
        let limit_ns = reference(Role::Limit);
        let base = with.iter().find(|(contestant, _)| contestant.name == baseline).map(|(_, series)| *series);
        let base = base.filter(|series| series.fault.is_none());
        let compared = with.iter().filter(|(contestant, _)| !contestant.role.is_reference());
        let row = |(contestant, series): &(&Contestant, &'_ Series)| row(contestant.name, kind, series, base, limit_ns);
        let mut rows: Vec<(Row, &Series)> = compared.filter_map(|both| Some((row(both)?, both.1))).collect();
        rows.sort_by(|(one, _), (other, _)| {
            let key = |row: &Row| (row.standing == Standing::Captured, row.unit_ns.median);
            key(one).partial_cmp(&key(other)).expect("no time is NaN")
        });
        rank(&mut rows);
        Self {
            title: case.title.clone(),
            key: case.key.clone(),
            threads: case.threads,
            is_shared: case.is_shared,
            rows: rows.into_iter().map(|(row, _)| row).collect(),
            harness_ns: reference(Role::Harness),
            limit_ns,
            link_ns: report.link_ns,
            dropped: report.dropped,
            taken: report.taken,
        }
    }

    /// Who is best here, in words.
    pub(super) fn verdict(&self, baseline: &str) -> String {
        let case = &self.title;
        let Some(leader) = self.rows.first().filter(|row| row.standing == Standing::Leader) else {
            return format!("{case}: nothing to rank, since hardly anything crossed threads");
        };
        let level: Vec<_> =
            self.rows.iter().filter(|row| row.standing == Standing::Level).map(|row| row.name).collect();
        if leader.unit_ns.interval.is_none() {
            let least = least_samples();
            return format!("{case}: {} has the smallest median, but an interval takes {least} samples", leader.name);
        }
        if !level.is_empty() {
            return format!("{case}: no difference shown between {} and {}", leader.name, level.join(", "));
        }
        let beside = if leader.name == baseline {
            let next = self.rows.iter().find(|row| row.standing == Standing::Behind);
            leader.ahead.zip(next).map(|(ratio, next)| (ratio, next.name))
        } else {
            leader.ratio.map(|ratio| (ratio, baseline))
        };
        match beside {
            None => format!("{case}: {} (nothing to compare it with)", leader.name),
            Some((ratio, other)) if ratio.is_difference() => {
                format!("{case}: {}, {} the speed of {other}", leader.name, times(&ratio))
            }
            Some((ratio, other)) => {
                format!("{case}: {}, not shown to differ from {other}: {} its speed", leader.name, times(&ratio))
            }
        }
    }
}

/// `1.20 times (1.11 to 1.25)`.
pub(super) fn times(ratio: &Ratio) -> String {
    let interval = ratio.interval.map(|range| format!(" ({:.2} to {:.2})", range.low, range.high));
    format!("{:.2} times{}", ratio.value, interval.unwrap_or_default())
}

/// None where no sample counts.
fn row(name: &'static str, kind: &Kind, series: &Series, base: Option<&Series>, limit_ns: Option<f64>) -> Option<Row> {
    let unit_ns = series.summary()?;
    let foreign = series.median(Sample::foreign_share);
    let is_captured = foreign.is_some_and(|share| share < LEAST_FOREIGN);
    let quantile = |share| series.latency.quantile(share);
    Some(Row {
        name,
        standing: if is_captured { Standing::Captured } else { Standing::Behind },
        unit_ns,
        ratio: base.and_then(|base| series.speed_beside(base)),
        ahead: None,
        limit_share: limit_ns.map(|limit| limit / unit_ns.median),
        processor_ns: series.median(|sample| Some(sample.processor_ns())),
        foreign,
        fairness: series.median(Sample::fairness),
        fairness_to_mean: series.median(Sample::fairness_to_mean),
        longest_ns: series.longest().map(|longest| longest.as_nanos() as u64),
        p50_ns: quantile(0.5),
        p99_ns: quantile(0.99),
        p9999_ns: quantile(0.9999),
        max_ns: (series.latency.count() > 0).then(|| series.latency.largest()),
        own: kind.columns.iter().map(|column| series.median(|sample| sample.extra(column.name))).collect(),
        samples_ns: series.unit_ns(),
    })
}

/// Finds the leader, who is level with it, and how far it is ahead of the next. The rows are in order.
fn rank(rows: &mut [(Row, &Series)]) {
    let ranked = rows.iter().take_while(|(row, _)| row.standing != Standing::Captured).count();
    let Some(((leader, first), rest)) = rows[..ranked].split_first_mut() else { return };
    leader.standing = Standing::Leader;
    for (row, series) in rest.iter_mut() {
        let is_behind = first.speed_beside(series).is_some_and(|ratio| ratio.is_difference());
        row.standing = if is_behind { Standing::Behind } else { Standing::Level };
    }
    leader.ahead = rest.first().and_then(|(_, next)| first.speed_beside(next));
}

impl Report {
    /// The host in words.
    pub(super) fn host_lines(&self) -> Vec<String> {
        host_lines(&self.host)
    }

    /// How the command ends.
    pub(super) fn exit(&self) -> Exit {
        match (self.partial, self.faults.is_empty() && self.over_limit == 0) {
            (true, _) => Exit::Interrupted,
            (false, false) => Exit::Partly,
            (false, true) => Exit::Done,
        }
    }

    /// How the command ends that made all these.
    pub(super) fn exit_of_all(reports: &[Self]) -> Exit {
        let ends: Vec<Exit> = reports.iter().map(Self::exit).collect();
        let worst = [Exit::Interrupted, Exit::Partly].into_iter().find(|end| ends.contains(end));
        worst.unwrap_or(if ends.is_empty() { Exit::Interrupted } else { Exit::Done })
    }

    /// Who is best at what, in words.
    pub(super) fn verdicts(&self) -> Vec<String> {
        self.cases.iter().map(|case| case.verdict(self.baseline)).collect()
    }
}

/// The host in words.
pub(super) fn host_lines(host: &Host) -> Vec<String> {
    let allowed = host.allowed.len();
    let processors = match host.online {
        online if online == allowed => things(online as u64, "processor"),
        online => format!("{allowed} of {}", things(online as u64, "processor")),
    };
    let first = format!("{}, {processors}; {}", host.processor, host.caches.join(", "));
    let governor = host.governor.as_deref().unwrap_or("not the kernel's to choose");
    let guest = host
        .hypervisor
        .as_deref()
        .map_or_else(|| "no virtual machine".to_owned(), |name| format!("virtual machine ({name})"));
    let second = format!("Linux {}, governor {governor}, {guest}", host.kernel);
    let third = format!("toolbox {}, rustc {}", crate::cli::VERSION, env!("TOOLBOX_RUSTC"));
    vec![first, second, third]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::bench::bag::queue::KIND;
    use std::time::Duration;
    use toolbox::bench::rounds::Taken;

    /// Nine samples of `nanoseconds`, with some noise, of which `foreign` of 1000 items crossed.
    pub(in crate::bench) fn series(nanoseconds: u64, foreign: u64) -> Series {
        let sample = |round: usize| Sample {
            units: 1000,
            elapsed: Duration::from_nanos((nanoseconds + (round as u64 * 7) % 5) * 1000),
            foreign: Some(foreign),
            ..Sample::default()
        };
        let taken = |round| Taken { round, sample: sample(round), link: None, is_kept: true };
        Series { samples: (1..=9).map(taken).collect(), ..Series::default() }
    }

    /// The case of pairs with so many threads, by the series of those that took part.
    pub(in crate::bench) fn case_of(threads: usize, of: &[(&'static str, Series)]) -> CaseReport {
        let role = |name| if name == "limit" { Role::Limit } else { Role::Rival };
        let contestants: Vec<_> = of.iter().map(|&(name, _)| Contestant { name, role: role(name) }).collect();
        let mut series: Vec<Series> = of.iter().map(|(_, series)| series.clone()).collect();
        let alone = |taken: &mut Taken| taken.sample.foreign = taken.sample.foreign.filter(|_| threads > 1);
        series.iter_mut().flat_map(|series| &mut series.samples).for_each(alone);
        let report = rounds::Report { series, link_ns: None, dropped: 0, taken: 9, is_partial: false };
        let is_shared = threads > 1;
        let (title, key) = (format!("pairs, {threads} threads, 8 B"), vec![]);
        let case = Case { title, key, threads, is_shared, estimate: Duration::ZERO, subjects: vec![] };
        CaseReport::new(&case, &KIND, &contestants, "segqueue", &report)
    }

    /// A report of these, on a host of so many processors.
    pub(in crate::bench) fn report_of(cases: Vec<CaseReport>, processors: usize) -> Report {
        Report {
            kind: KIND,
            host: Host { allowed: (0..processors).collect(), ..Host::default() },
            method: Method { rounds: 9, duration_ns: 1, operations: None, seed: 1 },
            baseline: "segqueue",
            cases,
            faults: vec![],
            warnings: vec![],
            changes: None,
            over_limit: 0,
            partial: false,
        }
    }

    fn case(of: &[(&'static str, Series)]) -> CaseReport {
        case_of(2, of)
    }

    #[test]
    fn all_ends_as_the_worst_does() {
        let report = |partial, over_limit| Report { partial, over_limit, ..report_of(vec![], 2) };
        let end = |of: &[Report]| Report::exit_of_all(of);
        assert_eq!(end(&[report(false, 0), report(false, 0)]), Exit::Done);
        assert_eq!(end(&[report(false, 1), report(false, 0)]), Exit::Partly);
        assert_eq!(end(&[report(false, 1), report(true, 0)]), Exit::Interrupted);
    }

    fn standings(case: &CaseReport) -> Vec<(&str, &str)> {
        case.rows.iter().map(|row| (row.name, row.standing.word())).collect()
    }

    #[test]
    fn the_fastest_leads_by_what_the_samples_show() {
        let case = case(&[("segqueue", series(240, 500)), ("flume", series(200, 500)), ("limit", series(100, 500))]);
        assert_eq!(standings(&case), [("flume", "leader"), ("segqueue", "behind")]);
        assert_eq!(
            case.verdict("segqueue"),
            "pairs, 2 threads, 8 B: flume, 1.20 times (1.20 to 1.20) the speed of segqueue"
        );
        assert_eq!(
            case.verdict("flume"),
            "pairs, 2 threads, 8 B: flume, 1.20 times (1.20 to 1.20) the speed of segqueue"
        );
        assert!((case.rows[0].limit_share.unwrap() - 0.505).abs() < 0.01);
    }

    #[test]
    fn what_is_not_shown_to_differ_is_level() {
        let mut noisy = series(200, 500);
        noisy.samples.iter_mut().step_by(2).for_each(|taken| taken.sample.elapsed *= 2);
        let case = case(&[("segqueue", series(210, 500)), ("flume", noisy)]);
        assert!(case.rows.iter().all(|row| row.standing != Standing::Behind), "{:?}", standings(&case));
        assert!(case.verdict("segqueue").contains("no difference shown between segqueue and flume"));
    }

    #[test]
    fn a_captured_structure_is_not_ranked() {
        let captured = case(&[("segqueue", series(10, 20)), ("flume", series(200, 60))]);
        assert_eq!(standings(&captured), [("flume", "leader"), ("segqueue", "captured")]);
        let mut noisy = series(200, 500);
        noisy.samples.iter_mut().skip(1).step_by(2).for_each(|taken| taken.sample.elapsed /= 30);
        let alone = case(&[("segqueue", series(150, 20)), ("flume", noisy)]).verdict("segqueue");
        assert!(alone.contains("flume, not shown to differ from segqueue: 0.75 times"), "{alone}");
        let all = case(&[("segqueue", series(10, 20))]);
        assert!(all.verdict("segqueue").contains("nothing to rank"));
    }

    #[test]
    fn a_wrong_answer_has_no_row_and_few_samples_no_interval() {
        let fault = Some(toolbox::bench::verify::Fault::Leaked(1));
        let wrong = Series { fault, ..Series::default() };
        let mut few = series(100, 500);
        few.samples.truncate(3);
        let case = case(&[("segqueue", wrong), ("flume", few)]);
        assert_eq!(standings(&case), [("flume", "leader")]);
        assert!(case.verdict("segqueue").contains("an interval takes 8 samples"));
    }
}
