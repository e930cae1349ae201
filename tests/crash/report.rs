//! Reads a report, and judges it.
//!
//! The frames of the raw part and of the named part both begin with `#N`; the named part follows a line `*** names`. A
//! name counts when it stands in its frame as a word of its own, so that `explode` is found in
//! `shapes::Grid<int>::explode(int*)` and in `crash::deeper::Holder<T>::explode`, but not in a mangled name.

use super::scenario::Scenario;
use std::fmt;

/// How much of what happened a report tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// Nothing that would help.
    Nothing,
    /// Addresses in modules.
    Raw,
    /// Some of the names that were expected.
    Part,
    /// All names; not the line of the crash.
    Names,
    /// All names, and the line.
    Full,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nothing => "nothing",
            Self::Raw => "addresses",
            Self::Part => "part of the frames",
            Self::Names => "names",
            Self::Full => "full",
        })
    }
}

/// A verdict on one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How much the report tells.
    pub(crate) level: Level,
    /// What may never be, in words.
    pub(crate) faults: Vec<String>,
}

impl Verdict {
    /// Whether the run had no fault.
    pub(crate) fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A report, cut into what is looked at.
pub(crate) struct Report<'a> {
    text: &'a str,
    /// Whether there are raw lines.
    raw: usize,
    /// The named frames of the thread that crashed, each with all of its lines.
    named: Vec<&'a str>,
}

/// Cuts a report.
pub(crate) fn read(text: &str) -> Report<'_> {
    let (raw_part, rest) = text.split_once("\n*** names").unwrap_or((text, ""));
    // The named frames of the thread that crashed end where the next part begins.
    let named_part = rest.split("\n*** ").next().unwrap_or_default();
    Report { text, raw: frames(raw_part).len(), named: frames(named_part) }
}

fn frames(part: &str) -> Vec<&str> {
    let starts: Vec<_> = part.match_indices("\n#").map(|(at, _)| at + 1).filter(|at| is_frame(&part[*at..])).collect();
    let ends = starts.iter().copied().skip(1).chain([part.len()]);
    starts.iter().zip(ends).map(|(from, to)| &part[*from..to]).collect()
}

fn is_frame(line: &str) -> bool {
    line.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
}

impl Report<'_> {
    /// What the report is worth for this scenario.
    pub(crate) fn verdict(&self, scenario: &Scenario) -> Verdict {
        let wrong = scenario.nowhere.iter().filter(|name| has_word(self.text, name));
        let faults = wrong.map(|name| format!("names `{name}`, which it is not")).collect();
        Verdict { level: self.level(scenario), faults }
    }

    fn level(&self, scenario: &Scenario) -> Level {
        if scenario.frames.is_empty() {
            // Of some nothing more is asked than how they end, or that there be addresses.
            return if scenario.best == Level::Raw && self.raw == 0 { Level::Nothing } else { scenario.best };
        }
        let mut at = 0;
        let mut found = Vec::new();
        for name in &scenario.frames {
            let Some(further) = self.named[at..].iter().position(|frame| has_word(first_line(frame), name)) else {
                continue;
            };
            found.push(self.named[at + further]);
            at += further + 1;
        }
        let others = scenario.somewhere.iter().all(|name| has_word(self.text, name));
        let is_all = found.len() == scenario.frames.len() && others;
        let has_place = |frame: &&str| match &scenario.place {
            Some((file, line)) => has_word_at(frame, &format!("{file}:{line}")),
            None => true,
        };
        match (is_all, found.first()) {
            (true, Some(first)) if has_place(first) => scenario.best,
            (true, _) => Level::Names,
            (false, Some(_)) => Level::Part,
            (false, None) if self.raw > 0 => Level::Raw,
            (false, None) => Level::Nothing,
        }
    }
}

fn first_line(frame: &str) -> &str {
    frame.lines().next().unwrap_or_default()
}

/// Whether `place` stands there and no digit follows.
fn has_word_at(text: &str, place: &str) -> bool {
    text.match_indices(place).any(|(at, _)| !text[at + place.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

/// Whether `word` stands there with nothing of a name on either side.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = "*** toolbox: crashed: SIGSEGV\n#0  0x0000000000001139  crash+0x1139\n#1  0x00  crash+0x2\n\
        *** names\n#0  ns::explode(int*) at /src/crash.c:12:8  crash+0x1139\n  >  12 |  *p = 1;\n\
        #1  (inlined) middle at /src/crash.c:20\n#2  main at /src/crash.c:120\n*** thread 12\n#0  idle at x.c:1\n*** end\n";

    fn check(frames: &[&str], line: usize, text: &str, expected: Level) {
        let mut scenario = super::super::scenario::all().swap_remove(0);
        scenario.frames = frames.iter().map(|&name| name.to_owned()).collect();
        scenario.place = Some(("crash.c".into(), line));
        assert_eq!(read(text).verdict(&scenario).level, expected, "{frames:?} {line}\n{text}");
    }

    #[test]
    fn reports_are_judged() {
        check(&["explode", "middle", "main"], 12, REPORT, Level::Full);
        check(&["explode", "main"], 12, REPORT, Level::Full);
        check(&["explode", "main"], 1, REPORT, Level::Names);
        check(&["explode", "main"], 13, REPORT, Level::Names);
        check(&["explode", "missing", "main"], 12, REPORT, Level::Part);
        check(&["main", "explode"], 120, REPORT, Level::Part);
        check(&["idle"], 1, REPORT, Level::Raw);
        check(&["explod"], 12, REPORT, Level::Raw);
        check(&["explode"], 12, "#0 explode at crash.c:12", Level::Nothing);
        check(&["explode"], 12, "", Level::Nothing);
    }
}
