//! Rule: a file is at most 900 lines long and opens with an essay, and a function is at most 80 lines long.

use super::source::Source;

const FILE_LINES: usize = 900;
const FUNCTION_LINES: usize = 80;

pub(crate) fn violations(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > FILE_LINES {
        found.push(format!("{}: {lines} lines; at most {FILE_LINES}", source.path.display()));
    }
    if !source.text.starts_with("//! ") {
        found.push(source.at(0, "opens without an essay (`//!`)"));
    }
    for position in source.find("fn") {
        let is_named = source.code[position + 2..].trim_start().starts_with(|c: char| c.is_alphabetic() || c == '_');
        let body = source.block(position).filter(|_| is_named);
        let lines = body.map_or(0, |body| source.line(body.end) - source.line(position) + 1);
        if lines > FUNCTION_LINES {
            found.push(source.at(position, &format!("a function of {lines} lines; at most {FUNCTION_LINES}")));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: usize) {
        let found = violations(&Source::new("src/x.rs", text));
        assert_eq!(found.len(), expected, "{found:?}");
    }

    #[test]
    fn a_long_file_is_found() {
        check(&format!("//! Essay.\n{}", "\n".repeat(899)), 0);
        check(&format!("//! Essay.\n{}", "\n".repeat(900)), 1);
    }

    #[test]
    fn a_file_without_an_essay_is_found() {
        check("use std::io;\n", 1);
        check("// A note.\n", 1);
    }

    #[test]
    fn a_long_function_is_found() {
        check(&format!("//! Essay.\nfn short() {{{}}}\n", "\n".repeat(79)), 0);
        check(&format!("//! Essay.\nfn long(f: fn() -> u8) {{{}}}\n", "\n".repeat(80)), 1);
        check(&format!("//! Essay.\ntrait T {{ fn no_body(&self);{}}}\n", "\n".repeat(80)), 0);
    }
}
