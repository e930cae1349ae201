//! What is not as good as it could be, and why; anything else that falls short fails the test.

use super::Outcome;
use super::report::Level;
use super::scenario::Scenario;

/// A scenario that falls short of what is to be had, and the reason, which the table shows.
const SHORT: [(&str, &str); 1] = [(
    "seccomp_kill",
    "the filter kills at the first system call that it does not list, and what it lists cannot be asked: the end is the filter's",
)];

/// The reason why a scenario falls short, if it is known.
pub(crate) fn reason(name: &str) -> Option<&'static str> {
    SHORT.iter().find(|(its, _)| *its == name).map(|(_, reason)| *reason)
}

/// What falls short without a known reason, and what does not although there is one.
pub(crate) fn complaints(rows: &[(&Scenario, &Outcome)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (scenario, outcome) in rows {
        let Outcome::Judged(verdict) = outcome else { continue };
        let is_short = verdict.level < scenario.best || !verdict.is_sound();
        let words = super::matrix::words(outcome);
        match reason(&scenario.name) {
            None if is_short => {
                complaints.push(format!("{}: {words}, and `{}` is to be had", scenario.name, scenario.best))
            }
            Some(_) if !is_short => complaints.push(format!("{}: {words}; known.rs still excuses it", scenario.name)),
            _ => {}
        }
    }
    complaints
}

/// What there is to be had, where that is less than everything.
pub(crate) fn limit(best: Level) -> Option<&'static str> {
    match best {
        Level::Full => None,
        Level::Names => Some("no line information in the file"),
        Level::Part | Level::Raw | Level::Nothing => Some("no symbols in the file: module, offset and build id"),
    }
}
