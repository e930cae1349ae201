//! Errors, warnings and notes on stderr. Each begins with what it is, and names what it is about.

use super::escape::escape;
use crate::exit::Hinted;
use std::io::Write;

/// Says what failed, on what, why, and what to try.
pub(crate) fn error(error: &anyhow::Error) {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.dedup();
    say("error", &causes.join(": "));
    if let Some(Hinted { hint, .. }) = error.chain().find_map(|cause| cause.downcast_ref::<Hinted>()) {
        say("\nhint", hint);
    }
}

/// Something that makes the answer incomplete or doubtful.
pub(crate) fn warning(text: &str) {
    say("warning", text);
}

/// Something worth knowing.
pub(crate) fn note(text: &str) {
    say("note", text);
}

fn say(what: &str, text: &str) {
    // Newlines are ours; whatever else a name smuggles in is made harmless.
    let text = text.split('\n').map(|line| escape(line.as_bytes())).collect::<Vec<_>>().join("\n");
    // Nobody reads a stderr that cannot be written to.
    let _ = writeln!(std::io::stderr().lock(), "{what}: {text}");
}
