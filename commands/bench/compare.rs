//! A run beside an earlier one that `--save` kept: what became slower or faster since.
//!
//! The file is the JSON that `--format json` prints. Two runs have no rounds in common, so a change is judged by all
//! their samples; where the interval of the ratio contains 1 there is no change, and a limit counts as broken only where
//! the whole interval lies beyond it.

use super::report::{CaseReport, Report};
use crate::exit::hinted;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};
use toolbox::bench::stats::{Ratio, independent_ratio};

pub(super) const SCHEMA: &str = "toolbox.bench/1";

/// An earlier run.
#[derive(Debug)]
pub(super) struct Saved {
    document: Value,
}

/// A rival in a case, then and now.
#[derive(Debug)]
pub(super) struct Change {
    /// In which case, in words.
    pub(super) title: String,
    /// And for a program.
    pub(super) key: Vec<(&'static str, Value)>,
    pub(super) name: &'static str,
    /// The time now, in times then.
    pub(super) ratio: Ratio,
}

impl Saved {
    /// Reads what `bench` saved.
    ///
    /// # Errors
    /// When it cannot be read, or is something else.
    pub(super) fn read(path: &Path, bench: &str) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("--compare: cannot read {}", path.display()))?;
        let document: Option<Value> = serde_json::from_slice(&text).ok();
        let document = document.filter(|document| document["schema"] == SCHEMA);
        match document.and_then(|document| part(document, bench)) {
            Some(document) => Ok(Self { document }),
            None => Err(hinted(
                format!("--compare: {} is not what bench {bench} --save writes", path.display()),
                format!("toolbox bench {bench} --save {}", path.display()),
            )),
        }
    }

    /// Whether that was on a machine of the same kind.
    pub(super) fn is_of(&self, report: &Report) -> bool {
        let host = &self.document["host"];
        host["processor"] == report.host.processor.as_str() && host["online"] == report.host.online
    }

    /// What changed, for everything that both runs have.
    pub(super) fn changes(&self, cases: &[CaseReport]) -> Vec<Change> {
        let rows = cases.iter().flat_map(|case| case.rows.iter().map(move |row| (case, row)));
        let change = |(case, row): (&CaseReport, &super::report::Row)| {
            let ratio = independent_ratio(&row.samples_ns, &self.samples(&case.key, row.name)?)?;
            Some(Change { title: case.title.clone(), key: case.key.clone(), name: row.name, ratio })
        };
        rows.filter_map(change).collect()
    }

    fn samples(&self, key: &[(&'static str, Value)], name: &str) -> Option<Vec<f64>> {
        let is_it = |saved: &&Value| key.iter().all(|(field, value)| saved[*field] == *value);
        let saved = self.document["cases"].as_array()?.iter().find(is_it)?;
        let row = saved["results"].as_array()?.iter().find(|row| row["name"] == name)?;
        let samples = row["samples_ns"].as_array()?.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>()?;
        samples.iter().all(|sample| *sample > 0.0).then_some(samples)
    }
}

/// The part of a document that is about `bench`: all of it, or one of those that `bench all` has saved.
fn part(document: Value, bench: &str) -> Option<Value> {
    if document["bench"] == bench {
        return Some(document);
    }
    let mut of_all = document["benches"].as_array()?.iter();
    let mut part = of_all.find(|part| part["bench"] == bench)?.clone();
    part["host"] = document["host"].clone();
    Some(part)
}

impl Change {
    /// Whether it is surely slower by more than so many percent.
    pub(super) fn is_over(&self, percent: f64) -> bool {
        self.ratio.interval.is_some_and(|range| range.low > 1.0 + percent / 100.0)
    }
}

/// Puts `text` in place of what is at `path`, at once: whoever reads it meanwhile sees the one or the other.
///
/// # Errors
/// When it cannot be written.
pub(super) fn save(path: &Path, text: &[u8]) -> Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}", std::process::id()));
    let beside = PathBuf::from(beside);
    let written = std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, path));
    written.with_context(|| format!("--save: cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use toolbox::bench::stats::Summary;

    fn key(threads: usize, producers: usize, payload: &str) -> Vec<(&'static str, Value)> {
        let numbers = [("threads", threads.into()), ("producers", producers.into())];
        [("workload", "split".into())].into_iter().chain(numbers).chain([("payload", payload.into())]).collect()
    }

    fn series(nanoseconds: f64) -> Vec<f64> {
        (0..9).map(|index| nanoseconds * (1.0 + f64::from(index) / 100.0)).collect()
    }

    fn saved() -> Saved {
        let results = json!([{ "name": "flume", "samples_ns": series(100.0) }]);
        let case = json!({ "workload": "split", "threads": 3, "producers": 1, "payload": "8 B", "results": results });
        Saved { document: json!({ "cases": [case] }) }
    }

    fn now(key: Vec<(&'static str, Value)>, name: &'static str, nanoseconds: f64) -> CaseReport {
        let samples_ns = series(nanoseconds);
        let row = super::super::report::Row {
            name,
            standing: super::super::report::Standing::Leader,
            unit_ns: Summary::of(&samples_ns).unwrap(),
            ratio: None,
            ahead: None,
            limit_share: None,
            processor_ns: None,
            foreign: None,
            fairness: None,
            fairness_to_mean: None,
            longest_ns: None,
            p50_ns: None,
            p99_ns: None,
            p9999_ns: None,
            max_ns: None,
            own: vec![],
            samples_ns,
        };
        let title = "split 1:2, 8 B".to_owned();
        CaseReport {
            title,
            key,
            threads: 3,
            is_shared: true,
            rows: vec![row],
            harness_ns: None,
            limit_ns: None,
            link_ns: None,
            dropped: 0,
            taken: 9,
        }
    }

    #[test]
    fn a_change_is_what_the_samples_show() {
        let saved = saved();
        let changes = saved.changes(&[now(key(3, 1, "8 B"), "flume", 130.0)]);
        assert_eq!((changes.len(), changes[0].name), (1, "flume"));
        assert!(changes[0].ratio.is_difference() && changes[0].is_over(10.0) && !changes[0].is_over(30.0));
        assert!(!saved.changes(&[now(key(3, 1, "8 B"), "flume", 100.0)])[0].ratio.is_difference());
        assert!(!saved.changes(&[now(key(3, 1, "8 B"), "flume", 70.0)])[0].is_over(0.0));
    }

    #[test]
    fn a_part_of_all_is_as_good_as_the_whole() {
        let of_all =
            json!({ "bench": "all", "host": { "online": 2 }, "benches": [{ "bench": "stack", "cases": [1] }] });
        let found = part(of_all.clone(), "stack").unwrap();
        assert_eq!((&found["cases"][0], &found["host"]["online"]), (&json!(1), &json!(2)));
        assert!(part(of_all, "queue").is_none() && part(json!({ "bench": "queue" }), "stack").is_none());
        assert_eq!(part(json!({ "bench": "queue" }), "queue").unwrap()["bench"], "queue");
    }

    #[test]
    fn only_the_same_is_compared() {
        let saved = saved();
        assert!(saved.changes(&[now(key(3, 1, "8 B"), "kanal", 130.0)]).is_empty());
        for other in [key(3, 2, "8 B"), key(3, 1, "64 B"), key(4, 1, "8 B")] {
            assert!(saved.changes(&[now(other, "flume", 130.0)]).is_empty());
        }
    }
}
