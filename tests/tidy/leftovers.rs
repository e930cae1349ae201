//! Rule: nothing is left over, and the library is silent.
//!
//! Left over is what its writer meant to come back to: macros that stand for code, marks in comments, tests that are
//! switched off, code in comments, and paths of one machine in the library. The library prints nothing and ends no
//! process; its tests may print why they skip.

use super::source::Source;

/// Code that stands for something else. (clippy knows some of these too; it is not run by `cargo test`.)
const STANDINS: [&str; 4] = ["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// What only the tool may do.
const LOUD: [&str; 6] = ["print!", "println!", "eprint!", "eprintln!", "process::exit", "libc::exit"];

/// Where one machine keeps what another has not.
const PRIVATE_FOLDERS: [&str; 3] = ["/home/", "/root/", "/tmp/"];

/// How a line of code begins that was made a comment.
const STATEMENTS: [&str; 10] = ["let ", "use ", "fn ", "pub ", "return ", "if ", "for ", "while ", "match ", "assert"];

pub(crate) fn violations(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for word in STANDINS {
        let places = source.code.match_indices(word);
        found.extend(places.map(|(place, _)| source.at(place, &format!("`{word}` is left over"))));
    }
    let mut start = 0;
    for (text, code) in source.text.split_inclusive('\n').zip(source.code.split_inclusive('\n')) {
        let comment = text.trim_start().strip_prefix("//").filter(|_| code.trim().is_empty());
        found.extend(marks(text, code).map(|mark| source.at(start, &format!("`{mark}` is left over"))));
        if comment.is_some_and(is_code) {
            found.push(source.at(start, "code in a comment"));
        }
        start += text.len();
    }
    let is_test =
        source.path.components().any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name));
    if source.is_below("src") && !is_test {
        found.extend(library_violations(source));
    }
    found
}

/// The marks of unfinished work in the comments of a line.
fn marks(text: &str, code: &str) -> impl Iterator<Item = &'static str> {
    // Written in two halves, so that this file does not break its own rule.
    let all = [concat!("FIX", "ME"), concat!("XX", "X"), concat!("TO", "DO"), concat!("HA", "CK")];
    let comment = text.find("//").filter(|&place| code[place..].trim().is_empty()).map_or("", |place| &text[place..]);
    let words: Vec<_> = comment.split(|letter: char| !letter.is_alphanumeric()).collect();
    all.into_iter().filter(move |mark| words.contains(mark))
}

/// Whether a comment, given without its slashes, is a statement. Documentation may show code.
fn is_code(comment: &str) -> bool {
    let is_documentation = comment.starts_with(['/', '!']);
    let comment = comment.trim();
    let begins = STATEMENTS.iter().any(|statement| comment.starts_with(statement));
    !is_documentation && (comment.ends_with(");") || (begins && comment.ends_with([';', '{'])) || comment == "}")
}

fn library_violations(source: &Source) -> Vec<String> {
    let tests = source.test_modules();
    let is_test = |place: &usize| tests.iter().any(|module| module.contains(place));
    let mut found = Vec::new();
    for word in LOUD {
        let places = source.find(word).into_iter().filter(|place| !is_test(place));
        found.extend(places.map(|place| source.at(place, &format!("`{word}` in the library"))));
    }
    for folder in PRIVATE_FOLDERS {
        let quoted = format!("\"{folder}");
        let places = source.text.match_indices(&quoted).map(|(place, _)| place).filter(|place| !is_test(place));
        found.extend(places.map(|place| source.at(place, &format!("a path below `{folder}` in the library"))));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, expected: usize) {
        let found = violations(&Source::new(path, text));
        assert_eq!(found.len(), expected, "{text}\n{found:?}");
    }

    #[test]
    fn standins_are_found() {
        for code in ["todo!()", "unimplemented!(\"later\")", "dbg!(x)"] {
            check("tests/x.rs", &format!("fn f() {{ {code} }}\n"), 1);
        }
        check("tests/x.rs", "#[ignore = \"slow\"]\nfn f() {}\n", 1);
        check("tests/x.rs", "// A macro todo!() is named here.\n", 0);
    }

    #[test]
    fn marks_are_found() {
        check("src/x.rs", concat!("let a = 1; // FIX", "ME: two\n"), 1);
        check("src/x.rs", concat!("/// XX", "X\n"), 1);
        check("src/x.rs", concat!("let a = \"XX", "X\";\n"), 0);
        check("src/x.rs", concat!("// FIX", "MES are not the word.\n"), 0);
    }

    #[test]
    fn code_in_a_comment_is_found() {
        check("src/x.rs", "// let a = 1;\n", 1);
        check("src/x.rs", "    // call(a, b);\n", 1);
        check("src/x.rs", "// if a {\n//     b\n// }\n", 2);
        check("src/x.rs", "// use of it is free; the next line lets go.\n", 0);
        check("src/x.rs", "/// let a = 1;\n//! call();\n", 0);
    }

    #[test]
    fn a_loud_library_is_found() {
        check("src/x.rs", "fn f() { println!(\"x\") }\n", 1);
        check("src/x.rs", "fn f() { std::process::exit(1) }\n", 1);
        check("src/x.rs", "#[cfg(test)]\nmod tests { fn f() { eprintln!(\"x\") } }\n", 0);
        check("src/x/tests.rs", "fn f() { println!(\"x\") }\n", 0);
        check("src/x/tests/y.rs", "fn f() { println!(\"x\") }\n", 0);
        check("src/x/my_tests.rs", "fn f() { println!(\"x\") }\n", 1);
        check("src/x.rs", "fn f() { pretty_println!(\"x\") }\n", 0);
        check("commands/x.rs", "fn f() { println!(\"x\") }\n", 0);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        check("src/x.rs", "const A: &str = \"/home/me/a\";\n", 1);
        check("src/x.rs", "#[cfg(test)]\nmod tests { const A: &str = \"/tmp/a\"; }\n", 0);
    }
}
