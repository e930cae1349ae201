//! A Rust source file as the rules see it: its text, and the same text with everything that is not code made blank.
//!
//! The rules ask about words ("is there an `unsafe` here?"), and a word in a comment or in a string is no code. So the
//! text is read once, letter by letter, and comments, strings and characters are replaced by spaces, line breaks kept:
//! every position and every line number means the same in both. That is all the parsing there is; braces then match
//! by counting. It knows nested comments, raw strings with any number of hashes, escapes, byte and C strings, and the
//! difference between a lifetime and a character.
//!
//! It refuses to understand macros: what a macro is given counts as the code that it looks like.

use std::ops::Range;
use std::path::{Path, PathBuf};

/// One file.
pub(crate) struct Source {
    /// Its path from the top of the repository.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) text: String,
    /// The same length, and nothing but code.
    pub(crate) code: String,
}

impl Source {
    pub(crate) fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let text = text.into();
        let code = only_code(&text);
        Self { path: path.into(), text, code }
    }

    pub(crate) fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }

    /// The line that the byte at `position` is on, counted from 1.
    pub(crate) fn line(&self, position: usize) -> usize {
        1 + self.code.as_bytes()[..position].iter().filter(|&&byte| byte == b'\n').count()
    }

    /// `path:line: message`, as compilers write it.
    pub(crate) fn at(&self, position: usize, message: &str) -> String {
        format!("{}:{}: {message}", self.path.display(), self.line(position))
    }

    /// Where `word` stands in the code, with no letter, digit or underscore on either side.
    pub(crate) fn find(&self, word: &str) -> Vec<usize> {
        let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let bytes = self.code.as_bytes();
        self.code
            .match_indices(word)
            .map(|(start, _)| start)
            .filter(|&start| !is_part(start.checked_sub(1).and_then(|before| bytes.get(before))))
            .filter(|&start| !is_part(bytes.get(start + word.len())))
            .collect()
    }

    /// The code from the first brace at or after `position` to the one that closes it, both included; `None` where a
    /// semicolon comes first.
    pub(crate) fn block(&self, position: usize) -> Option<Range<usize>> {
        let start = position + self.code[position..].find(['{', ';'])?;
        if self.code.as_bytes()[start] == b';' {
            return None;
        }
        let mut depth = 0;
        for (offset, byte) in self.code[start..].bytes().enumerate() {
            depth += i32::from(byte == b'{') - i32::from(byte == b'}');
            if depth == 0 {
                return Some(start..start + offset + 1);
            }
        }
        None
    }

    /// The modules written inside this file, each from its opening to its closing brace.
    pub(crate) fn inline_modules(&self) -> Vec<Range<usize>> {
        self.find("mod").into_iter().filter_map(|position| self.block(position)).collect()
    }

    /// The modules that only tests see.
    pub(crate) fn test_modules(&self) -> Vec<Range<usize>> {
        let marker = "#[cfg(test)]";
        self.code.match_indices(marker).filter_map(|(position, _)| self.block(position)).collect()
    }
}

/// The file at `path`, relative to `top`.
pub(crate) fn read(top: &Path, path: &Path) -> Source {
    let text = std::fs::read_to_string(top.join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Source::new(path, text)
}

/// `text` with comments, strings and characters made blank.
fn only_code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut previous = ' ';
    while let Some(first) = rest.chars().next() {
        let inside_word = previous.is_alphanumeric() || previous == '_';
        let length = not_code(rest, inside_word);
        if length == 0 {
            code.push(first);
            previous = first;
            rest = &rest[first.len_utf8()..];
        } else {
            let (blank, after) = rest.split_at(length);
            code.extend(blank.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            previous = ' ';
            rest = after;
        }
    }
    code
}

/// How many bytes at the start of `rest` are a comment, a string or a character; 0 where code begins.
fn not_code(rest: &str, inside_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    let prefix = if inside_word { 0 } else { rest.len() - rest.trim_start_matches(['b', 'c', 'r']).len() };
    let (letters, literal) = rest.split_at(prefix.min(2));
    let hashes = literal.len() - literal.trim_start_matches('#').len();
    match literal[hashes..].chars().next() {
        Some('"') if letters.ends_with('r') => prefix + raw_string(literal, hashes),
        Some('"') if hashes == 0 => prefix + string(literal),
        Some('\'') if hashes == 0 && letters == "b" => prefix + character(literal),
        _ => 0,
    }
}

/// The length of a comment, others inside it included.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut position = 0;
    while position < rest.len() {
        let step = match rest.as_bytes()[position..] {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            _ => (0, 1),
        };
        depth += step.0;
        position += step.1;
        if depth == 0 {
            break;
        }
    }
    position
}

/// The length of a string that begins and ends with a quotation mark.
fn string(rest: &str) -> usize {
    let mut escaped = true; // The first mark opens.
    for (position, byte) in rest.bytes().enumerate() {
        match byte {
            b'"' if !escaped => return position + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    rest.len()
}

/// The length of a raw string that opens with so many hashes.
fn raw_string(rest: &str, hashes: usize) -> usize {
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = hashes + 1;
    rest[inside..].find(&end).map_or(rest.len(), |position| inside + position + end.len())
}

/// The length of a character in quotes; 0 for a lifetime.
fn character(rest: &str) -> usize {
    let mut letters = rest.char_indices().skip(1);
    match letters.next() {
        Some((_, '\\')) => {
            let after_escaped = letters.nth(1).map_or(rest.len(), |(position, _)| position);
            rest[after_escaped..].find('\'').map_or(rest.len(), |position| after_escaped + position + 1)
        }
        _ => letters.next().filter(|&(_, letter)| letter == '\'').map_or(0, |(position, _)| position + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of `text`, with runs of blanks as one.
    fn check(text: &str, expected: &str) {
        let code = only_code(text);
        assert_eq!(code.len(), text.len(), "{text}");
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expected, "{text}");
    }

    #[test]
    fn comments_are_no_code() {
        check("a // unsafe\nb", "a b");
        check("a /* x /* unsafe */ y */ b", "a b");
        check("//! unsafe", "");
        check("a /* never closed", "a");
    }

    #[test]
    fn strings_are_no_code() {
        check(r#"a("x { \" }", b"\\", c"y")"#, "a( , , )");
        check(r####"a(r"\", r#"x " y"#, br##"z "# z"##) b"####, "a( , , ) b");
        check("for r in list { bar\"s\" }", "for r in list { bar }");
        check("r#type + br", "r#type + br");
        check("\"ends never", "");
    }

    #[test]
    fn a_lifetime_is_code_and_a_character_is_not() {
        check("fn f<'a>(x: &'a str) { '{' }", "fn f<'a>(x: &'a str) { }");
        check(r"('\'', '\\', '\u{7f}', b'\n', b'{', 'é')", "( , , , , , )");
        check("'outer: loop { break 'outer }", "'outer: loop { break 'outer }");
    }

    #[test]
    fn words_and_blocks_are_found() {
        let source = Source::new("x.rs", "fn f();\nfn g() { '}'; { } }\nmod fn_x { }");
        assert_eq!(source.find("fn").len(), 2);
        assert_eq!(source.block(0), None);
        let body = source.block(source.find("fn")[1]).unwrap();
        assert_eq!((source.line(body.start), &source.text[body]), (2, "{ '}'; { } }"));
        assert_eq!(source.inline_modules().len(), 1);
    }
}
