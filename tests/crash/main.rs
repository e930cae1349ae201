//! Programs that crash on purpose, each in its own way, and what is said of it.
//!
//! The programs under `programs/` are ours, in C, C++ and Rust; a comment above each scenario says which frames its
//! report has to name, and a marker in the source which line ([`scenario`]). They are built here with the compilers of
//! the host, once plainly and then in every form in which programs come: optimised, stripped, with each format of debug
//! information ([`builds`]). Each runs twice ([`run`]): alone, which tells how it ends and that it does crash; and with
//! the library preloaded, after which it has to have ended the same way, within a limit, with a report that says what
//! it should ([`report`]). None knows the library, but for those that have to be linked against it.
//!
//! What came of it is a table, `MATRIX.md` ([`matrix`]), committed; the test fails when a verdict has changed, for better
//! or worse, and when a scenario falls short of what is to be had without a reason ([`known`]). To write it anew:
//!
//! ```text
//! TOOLBOX_MATRIX=write cargo test -p toolbox-cli --test crash
//! ```
//!
//! `TOOLBOX_SCENARIOS=null_deref,oom` runs only those, and shows what they print.

mod builds;
mod capi;
mod known;
mod matrix;
mod preload;
mod report;
mod run;
mod scenario;
mod tool;

use report::Verdict;
use scenario::Scenario;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What came of one scenario.
#[derive(Clone, Debug)]
pub(crate) enum Outcome {
    /// It could not be run here, and why.
    Skipped(String),
    /// It ran.
    Judged(Verdict),
}

/// Runs every scenario that was asked for, as many at a time as there are processors.
fn run_all(scenarios: &[Scenario]) -> Vec<Outcome> {
    let next = AtomicUsize::new(0);
    let outcomes: Vec<_> = scenarios.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, |count| count.get().min(4)) {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed); // Only hands out numbers.
                    let Some(scenario) = scenarios.get(number) else { break };
                    *outcomes[number].lock().expect("no other thread panicked with it") = Some(judge(scenario));
                }
            });
        }
    });
    outcomes.into_iter().map(|outcome| outcome.into_inner().ok().flatten().expect("each was run")).collect()
}

/// One scenario. What looks wrong is run again: a busy host may be what went wrong.
fn judge(scenario: &Scenario) -> Outcome {
    let mut outcome = run::outcome(scenario);
    for _ in 0..2 {
        match &outcome {
            Outcome::Judged(verdict) if !verdict.is_sound() || verdict.level < scenario.best => {
                outcome = run::outcome(scenario);
            }
            _ => break,
        }
    }
    outcome
}

#[test]
fn every_way_to_crash_is_answered() {
    run::without_core_files();
    let all = scenario::all();
    let only = std::env::var("TOOLBOX_SCENARIOS").ok();
    let is_wanted = |name: &str| only.as_ref().is_none_or(|only| only.split(',').any(|wanted| wanted == name));
    let scenarios: Vec<_> = all.into_iter().filter(|scenario| is_wanted(&scenario.name)).collect();
    assert!(!scenarios.is_empty(), "TOOLBOX_SCENARIOS names none that there is");
    let outcomes = run_all(&scenarios);
    let rows: Vec<_> = scenarios.iter().zip(&outcomes).collect();
    if only.is_some() {
        for (scenario, outcome) in &rows {
            println!("--- {}: {outcome:?}\n{}", scenario.name, run::last_report(scenario));
        }
    }
    for (scenario, outcome) in &rows {
        println!("{:24} {}", scenario.name, matrix::words(outcome));
    }
    let mut complaints = known::complaints(&rows);
    if only.is_none() {
        complaints.extend(matrix::compare_or_write(&rows));
    }
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// A runner that finds a report where nobody wrote one would find it everywhere.
#[test]
fn without_the_library_there_is_nothing() {
    run::without_core_files();
    for scenario in scenario::all().iter().filter(|scenario| !scenario.frames.is_empty() && scenario.variant.is_none())
    {
        if let Some(said) = run::bare_report(scenario) {
            let verdict = report::read(&said).verdict(scenario);
            assert_eq!(verdict.level, report::Level::Nothing, "{}: {said}", scenario.name);
        }
    }
}
