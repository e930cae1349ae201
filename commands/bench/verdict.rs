//! What to use on this host, in words: one answer for each shape of load, over all loads of that shape.
//!
//! The table has a verdict for each load; somebody who chooses a queue wants to know which to take for one thread, for
//! threads that share it, for more threads than there are processors. Within a shape everyone's time is divided by the
//! leader's in each load, and who has the smallest geometric mean is named, with the speed in times that of what it is
//! compared with: the baseline, or where the baseline is best, the next. Loads in which something else is shown to be
//! faster are named too. Loads in which somebody was not ranked, or too few samples count, are left out: who wins among the
//! rest would win by default.

use super::report::{CaseReport, Report, Row, Standing, times};
use crate::ui::numbers::things;
use toolbox::bench::stats::{Interval, Ratio};

/// A shape of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// One thread.
    One,
    /// Several, each with its own.
    Own,
    /// Several that share one, each with a processor.
    Shared,
    /// More than there are processors.
    Crowded,
}

impl Shape {
    const ALL: [Self; 4] = [Self::One, Self::Own, Self::Shared, Self::Crowded];

    fn of(case: &CaseReport, processors: usize) -> Self {
        match case.threads {
            0 | 1 => Self::One,
            _ if !case.is_shared => Self::Own,
            threads if threads <= processors => Self::Shared,
            _ => Self::Crowded,
        }
    }

    fn words(self, cases: &[&CaseReport], processors: usize) -> String {
        let counts = || cases.iter().map(|case| case.threads);
        let (least, most) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
        let threads = if least == most { things(most as u64, "thread") } else { format!("{least} to {most} threads") };
        match self {
            Self::One => "one thread".to_owned(),
            Self::Own => "one for each thread".to_owned(),
            Self::Shared => format!("shared by {threads}"),
            Self::Crowded => format!("shared by {threads} on {}", things(processors as u64, "processor")),
        }
    }
}

/// A line for each shape of load that was measured.
pub(super) fn advice(report: &Report) -> Vec<String> {
    let processors = report.host.processors();
    let line = |shape: Shape| {
        let of_shape = report.cases.iter().filter(|case| Shape::of(case, processors) == shape);
        let has_interval = |case: &CaseReport| leader(case).is_some_and(|leader| leader.unit_ns.interval.is_some());
        let is_captured = |case: &CaseReport| case.rows.iter().any(|row| row.standing == Standing::Captured);
        let is_ranked = |case: &&CaseReport| has_interval(case) && !is_captured(case);
        let all: Vec<&CaseReport> = of_shape.collect();
        let cases: Vec<&CaseReport> = all.iter().copied().filter(is_ranked).collect();
        let Some(best) = best(&cases) else {
            let words = shape.words(&all, processors);
            return (!all.is_empty()).then(|| format!("{words}: cannot be said, since no load ranked everyone"));
        };
        Some(format!("{}: {}", shape.words(&cases, processors), praise(best, &cases, report.baseline)))
    };
    Shape::ALL.into_iter().filter_map(line).collect()
}

fn leader(case: &CaseReport) -> Option<&Row> {
    case.rows.first().filter(|row| row.standing == Standing::Leader)
}

fn ranked<'a>(case: &'a CaseReport, name: &str) -> Option<&'a Row> {
    case.rows.iter().find(|row| row.name == name && row.standing != Standing::Captured)
}

/// How far `name` is behind the leaders, as a geometric mean; none where it is not ranked in every load.
fn behind(name: &str, cases: &[&CaseReport]) -> Option<f64> {
    let one = |case: &&CaseReport| Some((ranked(case, name)?.unit_ns.median / leader(case)?.unit_ns.median).ln());
    let sum: f64 = cases.iter().map(one).sum::<Option<f64>>()?;
    Some((sum / cases.len() as f64).exp())
}

/// Everyone who is ranked in every load, best first.
fn order(cases: &[&CaseReport]) -> Vec<&'static str> {
    let names = cases.first().map(|case| case.rows.iter().map(|row| row.name)).into_iter().flatten();
    let mut order: Vec<(f64, &'static str)> = names.filter_map(|name| Some((behind(name, cases)?, name))).collect();
    order.sort_by(|one, other| one.0.total_cmp(&other.0));
    order.into_iter().map(|(_, name)| name).collect()
}

fn best(cases: &[&CaseReport]) -> Option<&'static str> {
    order(cases).first().copied()
}

/// What is to be said for `best`.
fn praise(best: &'static str, cases: &[&CaseReport], baseline: &'static str) -> String {
    let is_level = |name: &str, case: &CaseReport| {
        let standing = ranked(case, name).map(|row| row.standing);
        matches!(standing, Some(Standing::Leader | Standing::Level))
    };
    let order = order(cases);
    let level: Vec<_> = order.iter().filter(|name| cases.iter().all(|case| is_level(name, case))).copied().collect();
    let mut text = match &level[..] {
        [] | [_] => best.to_owned(),
        [.., last] if level.contains(&best) => {
            let others = level[..level.len() - 1].join(", ");
            format!("{others} or {last}, between which no difference was shown")
        }
        _ => best.to_owned(),
    };
    let other = if best == baseline { order.get(1).copied() } else { Some(baseline) };
    if let Some(other) = other.filter(|other| !level.contains(other)) {
        let ratios: Vec<Ratio> = cases.iter().filter_map(|case| between(case, best, other, baseline)).collect();
        text += &beside(&ratios, other);
    }
    let faster = cases.iter().filter(|case| !is_level(best, case));
    let faster: Vec<String> =
        faster.filter_map(|case| Some(format!("{} in {}", leader(case)?.name, case.title))).collect();
    if !faster.is_empty() {
        text += &format!("; faster: {}", faster.join("; "));
    }
    text
}

/// The speed of `best` in times that of `other`, of which one is the baseline.
fn between(case: &CaseReport, best: &str, other: &str, baseline: &str) -> Option<Ratio> {
    if other == baseline {
        return ranked(case, best)?.ratio;
    }
    let ratio = ranked(case, other)?.ratio?;
    let interval = ratio.interval.map(|range| Interval { low: 1.0 / range.high, high: 1.0 / range.low });
    Some(Ratio { value: 1.0 / ratio.value, interval })
}

fn beside(ratios: &[Ratio], other: &str) -> String {
    let values = || ratios.iter().map(|ratio| ratio.value);
    match ratios {
        [] => String::new(),
        [ratio] => format!(", {} the speed of {other}", times(ratio)),
        _ if !ratios.iter().any(Ratio::is_difference) => format!(", not shown to differ from {other}"),
        _ => {
            let (least, most) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
            format!(", {least:.2} to {most:.2} times the speed of {other} in {} loads", ratios.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::report::tests::{case_of, report_of, series};

    #[test]
    fn each_shape_has_its_own_answer() {
        let one = case_of(1, &[("segqueue", series(2000, 0)), ("mutex-vecdeque", series(1000, 0))]);
        let two = case_of(2, &[("segqueue", series(24000, 500)), ("toolbox", series(20000, 500))]);
        let four = case_of(4, &[("segqueue", series(48000, 500)), ("toolbox", series(24000, 500))]);
        let eight = case_of(8, &[("segqueue", series(30000, 500)), ("toolbox", series(60000, 500))]);
        let report = report_of(vec![one, two, four, eight], 4);
        let expected = [
            "one thread: mutex-vecdeque, 2.00 times (2.00 to 2.00) the speed of segqueue",
            "shared by 2 to 4 threads: toolbox, 1.20 to 2.00 times the speed of segqueue in 2 loads",
            "shared by 8 threads on 4 processors: segqueue, 2.00 times (2.00 to 2.00) the speed of toolbox",
        ];
        assert_eq!(advice(&report), expected);
    }

    #[test]
    fn where_another_is_faster_it_is_said() {
        let two = case_of(2, &[("segqueue", series(20000, 500)), ("toolbox", series(24000, 500))]);
        let three = case_of(3, &[("segqueue", series(60000, 500)), ("toolbox", series(20000, 500))]);
        let said = advice(&report_of(vec![two, three], 4)).join("\n");
        assert!(said.contains("toolbox, 0.83 to 3.00 times the speed of segqueue in 2 loads"), "{said}");
        assert!(said.ends_with("; faster: segqueue in pairs, 2 threads, 8 B"), "{said}");
    }

    #[test]
    fn who_is_level_is_named_beside_and_who_is_not_ranked_is_not() {
        let mut noisy = series(20500, 500);
        noisy.samples.iter_mut().step_by(2).for_each(|taken| taken.sample.elapsed *= 2);
        let level = case_of(2, &[("toolbox", series(21000, 500)), ("flume", noisy), ("segqueue", series(90000, 500))]);
        let said = advice(&report_of(vec![level], 2)).join("\n");
        assert!(said.contains("toolbox or flume, between which no difference was shown, "), "{said}");
        let captured = case_of(2, &[("toolbox", series(5, 1)), ("segqueue", series(9000, 500))]);
        assert_eq!(
            advice(&report_of(vec![captured], 2)),
            ["shared by 2 threads: cannot be said, since no load ranked everyone"]
        );
    }
}
