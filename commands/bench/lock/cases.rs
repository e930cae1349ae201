//! From the options of a bench of locks to loads: how many write, how long the lock is held, with how many threads.

use super::Rival;
use super::workload::Case;
use crate::bench::load::Setup;
use crate::bench::subject::{self, Bench, Entry, Kind};
use std::time::Duration;
use toolbox::bench::rounds::Subject;

/// The loads that were asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::bench) struct Loads<'a> {
    /// How many threads.
    pub(in crate::bench) threads: &'a [u16],
    /// How many in a hundred locks are to write; of a mutex, all are.
    pub(in crate::bench) writes: &'a [u8],
    /// For how long the lock is held.
    pub(in crate::bench) held: &'a [Duration],
    /// Whether threads have nothing else to do.
    pub(in crate::bench) is_bare: bool,
}

/// The bench of one kind of lock.
pub(in crate::bench) fn bench(kind: Kind, rivals: &[Rival], loads: Loads<'_>, setup: &Setup) -> Bench {
    let cases = cases(loads).into_iter().map(|case| described(case, rivals, setup)).collect();
    Bench { kind, entries: entries(rivals), cases }
}

/// The names of these rivals, and how each is checked.
pub(in crate::bench) fn entries(rivals: &[Rival]) -> Vec<Entry> {
    let entry = |rival: &Rival| {
        let check = Box::new(rival.check);
        Entry { name: rival.name, about: rival.about, role: rival.role, check }
    };
    rivals.iter().map(entry).collect()
}

/// A load with everyone who can do it: without a lock only one thread can.
fn described(case: Case, rivals: &[Rival], setup: &Setup) -> subject::Case {
    let takes_part = |(_, rival): &(usize, &Rival)| !rival.role.is_reference() || case.threads == 1;
    let subject = |(place, rival): (usize, &Rival)| {
        let (rival, setup) = (*rival, setup.clone());
        let subject: Subject<'static> = Box::new(move |pass| (rival.measure)(&case, &setup, pass));
        (place, subject)
    };
    let nanoseconds = |each: u64| Duration::from_nanos(each * case.threads as u64 * (case.held_ns + 200));
    subject::Case {
        title: case.to_string(),
        key: vec![
            ("writes_percent", case.writes.into()),
            ("held_ns", case.held_ns.into()),
            ("threads", case.threads.into()),
            ("has_work", case.has_work.into()),
        ],
        threads: case.threads,
        is_shared: case.threads > 1,
        estimate: setup.operations.map_or(setup.duration, nanoseconds),
        subjects: rivals.iter().enumerate().filter(takes_part).map(subject).collect(),
    }
}

fn cases(loads: Loads<'_>) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for &writes in loads.writes {
        for held in loads.held {
            for &threads in loads.threads {
                let held_ns = held.as_nanos() as u64;
                let case = Case { threads: threads.into(), writes, held_ns, has_work: !loads.is_bare };
                if !cases.contains(&case) {
                    cases.push(case);
                }
            }
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_become_cases() {
        let held = [0, 750, 750].map(Duration::from_nanos);
        let loads = Loads { threads: &[1, 8], writes: &[10], held: &held, is_bare: false };
        let shown: Vec<String> = cases(loads).iter().map(ToString::to_string).collect();
        let expected = [
            "10 % writes, held 0, 1 thread",
            "10 % writes, held 0, 8 threads",
            "10 % writes, held 750 ns, 1 thread",
            "10 % writes, held 750 ns, 8 threads",
        ];
        assert_eq!(shown, expected);
        let bare = Loads { is_bare: true, threads: &[1], held: &held[..1], ..loads };
        assert_eq!(cases(bare)[0].to_string(), "10 % writes, held 0, 1 thread, bare");
    }
}
