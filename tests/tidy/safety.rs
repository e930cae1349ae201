//! Rule: unsafe code has an address and a reason.
//!
//! It stands only in files that say so at their top, with `#![allow(unsafe_code)]` under a paragraph `# Safety`. The
//! tool's own package has none at all, but for what `bench` measures ours beside and cannot be written without, and for the
//! crashes that `crash demo` shows. Every block and every impl has a comment right above its statement that says
//! which fact makes it sound; every function has a paragraph `# Safety` in its documentation.

use super::source::Source;

pub(crate) fn violations(source: &Source) -> Vec<String> {
    let places = source.find("unsafe");
    let mut found = Vec::new();
    let Some(&first) = places.first() else { return found };
    let may_have = ["commands/bench", "commands/crash/demo"].iter().any(|folder| source.is_below(folder));
    if source.is_below("commands") && !may_have {
        found.push(source.at(first, "unsafe code in the tool; it belongs below `src/`"));
    }
    let essay = source.text.lines().take_while(|line| line.starts_with("//!"));
    let has_paragraph = essay.map(|line| line[3..].trim()).any(|line| line == "# Safety");
    if !source.code.contains("#![allow(unsafe_code)]") || !has_paragraph {
        let message = "unsafe code in a file without `#![allow(unsafe_code)]` under a paragraph `# Safety`";
        found.push(source.at(first, message));
    }
    for place in places {
        // An attribute, such as that of a function without a prologue: what it is put on has its own words.
        let is_attribute = source.code[..place].ends_with("#[");
        if !is_attribute && !is_argued(source, place) {
            found.push(source.at(place, "unsafe without a reason right above"));
        }
    }
    found
}

fn is_argued(source: &Source, place: usize) -> bool {
    let mark = match declared(&source.code[place + "unsafe".len()..]) {
        Declared::Function => "# Safety",
        Declared::Type => return true,
        Declared::Other => "SAFETY:",
    };
    let line = source.line(place);
    let texts: Vec<_> = source.text.lines().take(line).collect();
    let codes: Vec<_> = source.code.lines().take(line).collect();
    for (text, code) in texts.iter().zip(&codes).rev().skip(1) {
        let code = code.trim();
        if text.contains(mark) && code.is_empty() {
            return true;
        }
        // The end of the statement or block before, and an empty line, end the search; attributes do not.
        let is_before = code.ends_with([';', '{', '}']) || text.trim().is_empty();
        if is_before {
            return false;
        }
    }
    false
}

enum Declared {
    /// A function with a name: its callers need to know what to keep to.
    Function,
    /// The type of a pointer to one.
    Type,
    /// A block, an impl, a trait, or a block of foreign declarations.
    Other,
}

/// What the code after the word `unsafe` declares.
fn declared(rest: &str) -> Declared {
    let rest = rest.trim_start();
    // The name of the calling convention is a string, and so blank by now.
    let rest = rest.strip_prefix("extern").map_or(rest, str::trim_start);
    match rest.strip_prefix("fn").map(str::trim_start) {
        Some(after) if after.starts_with('(') => Declared::Type,
        Some(_) => Declared::Function,
        None => Declared::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOP: &str = "//! Essay.\n//!\n//! # Safety\n//!\n//! Why.\n#![allow(unsafe_code)]\n\n";

    fn check(path: &str, text: &str, expected: usize) {
        let found = violations(&Source::new(path, text));
        assert_eq!(found.len(), expected, "{text}\n{found:?}");
    }

    #[test]
    fn a_file_has_to_say_so() {
        let block = "fn f() {\n    // SAFETY: it is.\n    unsafe { g() }\n}\n";
        check("src/x.rs", &format!("{TOP}{block}"), 0);
        check("src/x.rs", &format!("//! Essay.\n{block}"), 1);
        check("src/x.rs", &format!("//! Essay.\n#![allow(unsafe_code)]\n{block}"), 1);
        check("commands/x.rs", &format!("{TOP}{block}"), 1);
        check("commands/bench/x.rs", &format!("{TOP}{block}"), 0);
        check("commands/bench/x.rs", &format!("//! Essay.\n{block}"), 1);
        check("src/x.rs", "//! An unsafe word, and `#![deny(unsafe_code)]`.\nfn f() { \"unsafe\"; }\n", 0);
    }

    #[test]
    fn a_block_has_to_be_argued() {
        check("src/x.rs", &format!("{TOP}fn f() {{\n    unsafe {{ g() }}\n}}\n"), 1);
        check("src/x.rs", &format!("{TOP}// SAFETY: of another.\nlet a = 1;\nlet b = unsafe {{ g() }};\n"), 1);
        check("src/x.rs", &format!("{TOP}// SAFETY: of another.\n\nlet b = unsafe {{ g() }};\n"), 1);
        check("src/x.rs", &format!("{TOP}// SAFETY: it is.\nlet b =\n    check(unsafe {{ g() }});\n"), 0);
        check("src/x.rs", &format!("{TOP}unsafe impl Send for X {{}}\n"), 1);
        check("src/x.rs", &format!("{TOP}#[unsafe(naked)]\nextern \"C\" fn f() {{ naked_asm!() }}\n"), 0);
        check("src/x.rs", &format!("{TOP}// SAFETY: it is.\n#[cfg(x)]\nunsafe impl Send for X {{}}\n"), 0);
    }

    #[test]
    fn a_function_has_to_say_what_it_needs() {
        check("src/x.rs", &format!("{TOP}/// Does.\npub unsafe fn f() {{}}\n"), 1);
        check("src/x.rs", &format!("{TOP}/// Does.\n///\n/// # Safety\n/// Much.\npub unsafe fn f() {{}}\n"), 0);
        check("src/x.rs", &format!("{TOP}type F = unsafe extern \"C\" fn(u8);\n"), 0);
        check("src/x.rs", &format!("{TOP}unsafe extern \"C\" {{}}\n"), 1);
    }
}
