//! What the stops come to: how many block, and where.
//!
//! Stops inside the system's library are counted apart. A thread that is frozen inside the allocator keeps a lock of
//! the allocator's, and who waits for that does not wait for the structure; though a structure that asks for memory under a
//! lock of its own has both reasons at once, and a stop does not tell which.

use super::places::Place;
use crate::exit::Exit;
use crate::ui::numbers::{count, things};
use toolbox::bench::freeze::Outcome;
use toolbox::bench::host::Host;

/// The answer, before it is rendered.
#[derive(Debug)]
pub(super) struct Report {
    /// What kind of structure: `queue`.
    pub(super) kind: &'static str,
    /// Where it was tried.
    pub(super) host: Host,
    /// In the order they were tried.
    pub(super) subjects: Vec<Subject>,
    /// What went wrong: with whom, and what.
    pub(super) faults: Vec<(&'static str, String)>,
    /// Whether it was cut short.
    pub(super) partial: bool,
}

/// One structure.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) name: &'static str,
    pub(super) series: Vec<Series>,
}

/// One operation in one state of the structure.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) operation: &'static str,
    /// Items that had gone in and out before, and that were inside.
    pub(super) passed: u64,
    pub(super) inside: u64,
    /// How many instructions the operation took.
    pub(super) instructions: usize,
    /// The stops in the order of the instructions, those at one place together.
    pub(super) sites: Vec<Site>,
}

/// A place, and the stops there.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) place: Place,
    pub(super) tally: Tally,
}

/// How many stops there were, and what the others did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) stops: u64,
    /// Where they slept or spun until the victim went on.
    pub(super) sleep: u64,
    pub(super) spin: u64,
    /// Where they went on, but could not get at items that were inside.
    pub(super) hide: u64,
}

impl Tally {
    /// Counts a stop.
    pub(super) fn note(&mut self, outcome: Outcome) {
        self.stops += 1;
        match outcome {
            Outcome::Free => {}
            Outcome::Sleep => self.sleep += 1,
            Outcome::Spin => self.spin += 1,
            Outcome::Withholds(_) => self.hide += 1,
        }
    }

    fn add(&mut self, other: &Self) {
        self.stops += other.stops;
        self.sleep += other.sleep;
        self.spin += other.spin;
        self.hide += other.hide;
    }

    /// Stops at which the others did not finish.
    pub(super) fn blocking(&self) -> u64 {
        self.sleep + self.spin
    }

    /// Stops at which the others were held up in any way.
    pub(super) fn held_up(&self) -> u64 {
        self.blocking() + self.hide
    }

    /// How they were: `sleep, hide`.
    pub(super) fn how(&self) -> String {
        let all = [(self.sleep, "sleep"), (self.spin, "spin"), (self.hide, "hide")];
        all.iter().filter(|(count, _)| *count > 0).map(|(_, word)| *word).collect::<Vec<_>>().join(", ")
    }
}

impl Series {
    /// The stops in the structure's own code, or in the system's.
    pub(super) fn tally(&self, is_system: bool) -> Tally {
        sum(self.sites.iter().filter(|site| site.place.is_system == is_system))
    }

    /// The first place, of the structure's own, at which the others were held up.
    pub(super) fn first(&self) -> Option<&Site> {
        self.sites.iter().find(|site| !site.place.is_system && site.tally.held_up() > 0)
    }

    /// What had been done before, in words.
    pub(super) fn before(&self) -> String {
        let inside = if self.inside == 0 { "empty".to_owned() } else { format!("{} inside", count(self.inside)) };
        if self.passed == 0 { inside } else { format!("{inside}, {} passed", count(self.passed)) }
    }
}

fn sum<'a>(sites: impl Iterator<Item = &'a Site>) -> Tally {
    sites.fold(Tally::default(), |mut all, site| {
        all.add(&site.tally);
        all
    })
}

impl Subject {
    /// The stops of all series.
    pub(super) fn tally(&self, is_system: bool) -> Tally {
        self.series.iter().fold(Tally::default(), |mut all, series| {
            all.add(&series.tally(is_system));
            all
        })
    }

    /// What the experiment shows, in words.
    pub(super) fn verdict(&self) -> String {
        let (own, system) = (self.tally(false), self.tally(true));
        let name = self.name;
        let first = self.series.iter().find_map(|series| Some((series, series.first()?)));
        let first = first.map(|(series, site)| format!(", first in {} at {}", series.operation, site.place.in_short()));
        let first = first.unwrap_or_default();
        let stops = things(own.stops, "stop");
        let said = match (own.blocking(), own.hide) {
            (0, 0) => format!("{name}: lock-free by experiment: 0 of {stops} block"),
            (0, hide) => format!("{name}: hides items from the others at {} of {stops}{first}", count(hide)),
            (blocking, 0) => format!("{name}: blocks at {} of {stops}{first}", count(blocking)),
            (blocking, hide) => {
                format!("{name}: blocks at {} of {stops}, hides items at {}{first}", count(blocking), count(hide))
            }
        };
        match system.held_up() {
            0 => said,
            more => format!("{said}; {} of {} in the system's library", count(more), count(system.stops)),
        }
    }
}

impl Report {
    /// How the command ends.
    pub(super) fn exit(&self) -> Exit {
        match (self.partial, self.faults.is_empty()) {
            (true, _) => Exit::Interrupted,
            (false, false) => Exit::Partly,
            (false, true) => Exit::Done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(line: u32, is_system: bool, stops: u64, spin: u64, hide: u64) -> Site {
        let source = Some(("src/q.rs".to_owned(), line));
        let place = Place { function: Some("Q::push".into()), source, is_system, ..Place::default() };
        Site { place, tally: Tally { stops, spin, hide, sleep: 0 } }
    }

    fn verdict(sites: Vec<Site>) -> String {
        let series = Series { operation: "push", passed: 0, inside: 0, instructions: 9, sites };
        Subject { name: "x", series: vec![series] }.verdict()
    }

    #[test]
    fn verdicts_tell_what_was_seen() {
        assert_eq!(verdict(vec![site(1, false, 143, 0, 0)]), "x: lock-free by experiment: 0 of 143 stops block");
        let blocks = verdict(vec![site(1, false, 100, 0, 0), site(7, false, 20, 12, 0), site(9, false, 5, 5, 0)]);
        assert_eq!(blocks, "x: blocks at 17 of 125 stops, first in push at src/q.rs:7 Q::push");
        let hides = verdict(vec![site(3, false, 4, 0, 2)]);
        assert_eq!(hides, "x: hides items from the others at 2 of 4 stops, first in push at src/q.rs:3 Q::push");
        // The allocator is not the structure's.
        let apart = verdict(vec![site(1, false, 10, 0, 0), site(2, true, 40, 3, 0)]);
        assert_eq!(apart, "x: lock-free by experiment: 0 of 10 stops block; 3 of 40 in the system's library");
    }

    #[test]
    fn what_was_done_before_is_told() {
        let before =
            |passed, inside| Series { operation: "pop", passed, inside, instructions: 0, sites: vec![] }.before();
        assert_eq!([before(0, 0), before(0, 3), before(1764, 0)], ["empty", "3 inside", "empty, 1,764 passed"]);
    }
}
