//! From patterns to roots and matchers.
//!
//! A pattern is cut at its slashes. What comes before the first wildcard is where the walk begins; the rest is a list
//! of components, of which a walk has matched some number by the time it is in a directory. With `**` it may have
//! matched several numbers at once, so what it carries along is a set of them, one bit each. Names are then compared
//! with single components, never whole paths with whole patterns.
//!
//! The meaning of a component is that of the `glob` crate, whose `Pattern` does the matching, and so is the meaning of
//! the whole, with three differences: names that are no UTF-8 match (`glob` leaves them out), symbolic links to
//! directories are followed only on request, and no wildcard matches `.` or `..`.

use crate::exit::hinted;
use crate::ui::message;
use crate::ui::numbers::things;
use crate::ui::terminal::Terminal;
use anyhow::Result;
use glob::Pattern;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toolbox::fragment::{Matcher, Root, State};

/// Components that a pattern may have, since a state has that many bits.
const MOST_COMPONENTS: usize = 64;

/// Whether `text` has a character that means something in a pattern.
pub(crate) fn has_wildcards(text: &OsStr) -> bool {
    text.as_bytes().iter().any(|byte| b"*?[".contains(byte))
}

/// Where to look for what matches `pattern`.
///
/// # Errors
/// Shows where the pattern is wrong.
pub(crate) fn root(pattern: &OsStr) -> Result<Root> {
    if pattern.is_empty() {
        return Err(hinted("the pattern is empty", "every file below the current directory is '**/*'"));
    }
    if !has_wildcards(pattern) {
        return Ok(Root::path(pattern));
    }
    let Some(text) = pattern.to_str() else {
        let lossy = pattern.to_string_lossy();
        return Err(hinted(
            format!("the pattern '{lossy}' is not valid UTF-8"),
            "match the odd bytes with ? or *, which match them one by one or together",
        ));
    };
    let (base, components) = split(text)?;
    let only_directories = text.ends_with('/');
    let matcher = Components { components, only_directories };
    let start = matcher.closure(1);
    Ok(Root::matching(base, Arc::new(matcher), start))
}

/// Why a pattern that was fine matches no file, if it can be told from the pattern alone.
pub(crate) fn why_nothing(pattern: &OsStr) -> Option<String> {
    let text = pattern.to_str()?;
    if text.ends_with("**") {
        Some(format!("** matches directories only; try '{text}/*'"))
    } else if text.ends_with('/') && has_wildcards(pattern) {
        Some(format!("a pattern that ends in a slash matches directories only; try '{text}**/*'"))
    } else {
        let literal = has_wildcards(pattern) && Path::new(pattern).symlink_metadata().is_ok();
        literal.then(|| "there is a file of that very name; give it without -p to have it taken literally".to_owned())
    }
}

/// The directory to begin in, and the components from the first with a wildcard on.
fn split(text: &str) -> Result<(PathBuf, Vec<Component>)> {
    let mut base = PathBuf::from(if text.starts_with('/') { "/" } else { "" });
    let mut components = Vec::new();
    let mut position = 0;
    for part in text.split('/') {
        if !part.is_empty() {
            let component = Component::new(part).map_err(|error| malformed(text, position, &error))?;
            match component {
                Component::Literal(_) if components.is_empty() => base.push(part),
                component => components.push(component),
            }
        }
        position += part.chars().count() + 1;
    }
    if components.len() > MOST_COMPONENTS {
        let message = format!("the pattern '{text}' has {} components after the first wildcard", components.len());
        return Err(hinted(message, format!("{MOST_COMPONENTS} are the most; begin further down, or use **")));
    }
    Ok((base, components))
}

fn malformed(text: &str, position: usize, error: &glob::PatternError) -> anyhow::Error {
    let at = position + error.pos;
    let marker = " ".repeat(at);
    hinted(
        format!("malformed pattern, at character {}: {}\n  {text}\n  {marker}^", at + 1, error.msg),
        "[ needs its ], and ** stands alone between slashes; to match the character itself write [[] or [*]",
    )
}

/// One part of a pattern, between slashes.
#[derive(Debug)]
enum Component {
    /// `**`: any number of directories.
    Recursive,
    /// `*`: any name.
    Any,
    /// A name without wildcards.
    Literal(String),
    /// Anything else.
    Wild(Pattern),
}

impl Component {
    fn new(part: &str) -> Result<Self, glob::PatternError> {
        let pattern = Pattern::new(part)?;
        Ok(match part {
            "**" => Self::Recursive,
            "*" => Self::Any,
            _ if !has_wildcards(part.as_ref()) => Self::Literal(part.to_owned()),
            _ => Self::Wild(pattern),
        })
    }

    fn matches(&self, name: &[u8]) -> bool {
        match self {
            Self::Recursive => false,
            Self::Any => true,
            Self::Literal(literal) => literal.as_bytes() == name,
            Self::Wild(pattern) => pattern.matches(&String::from_utf8_lossy(name)),
        }
    }
}

/// The components of a pattern after its base. Bit `i` of a state: component `i` is the next to be matched.
#[derive(Debug)]
struct Components {
    components: Vec<Component>,
    only_directories: bool,
}

impl Components {
    fn last(&self) -> usize {
        self.components.len() - 1
    }

    /// Adds what comes after every `**` in `state`, since it matches no directory at all, too.
    fn closure(&self, mut state: State) -> State {
        for (index, component) in self.components.iter().enumerate() {
            if matches!(component, Component::Recursive) && state & (1 << index) != 0 && index < self.last() {
                state |= 1 << (index + 1);
            }
        }
        state
    }

    fn expected(&self, state: State) -> impl Iterator<Item = (usize, &Component)> {
        self.components.iter().enumerate().filter(move |(index, _)| state & (1 << index) != 0)
    }
}

impl Matcher for Components {
    fn file(&self, state: State, _: &[u8], name: &[u8]) -> bool {
        let last = self.last();
        !self.only_directories && state & (1 << last) != 0 && self.components[last].matches(name)
    }

    fn directory(&self, state: State, _: &[u8], name: &[u8]) -> Option<State> {
        let mut next = 0;
        for (index, component) in self.expected(state) {
            if matches!(component, Component::Recursive) {
                next |= 1 << index;
            } else if index < self.last() && component.matches(name) {
                next |= 1 << (index + 1);
            }
        }
        (next != 0).then(|| self.closure(next))
    }

    fn only(&self, state: State) -> Option<&[u8]> {
        let mut expected = self.expected(state);
        match (expected.next(), expected.next()) {
            (Some((_, Component::Literal(literal))), None) => Some(literal.as_bytes()),
            _ => None,
        }
    }
}

/// What `--exclude` leaves out.
///
/// # Errors
/// Shows where a pattern is wrong.
pub(crate) fn exclude(patterns: &[OsString]) -> Result<Option<Arc<toolbox::fragment::Exclude>>> {
    if patterns.is_empty() {
        return Ok(None);
    }
    let mut names = Vec::new();
    let mut paths = Vec::new();
    for pattern in patterns {
        let text = pattern.to_string_lossy();
        let text = text.trim_end_matches('/');
        let pattern = Pattern::new(text).map_err(|error| malformed(text, 0, &error))?;
        if text.contains('/') { &mut paths } else { &mut names }.push(pattern);
    }
    Ok(Some(Arc::new(move |directory: &[u8], name: &[u8]| {
        let of_name = || names.iter().any(|pattern| pattern.matches(&String::from_utf8_lossy(name)));
        let of_path = || {
            let path = Path::new(OsStr::from_bytes(directory)).join(OsStr::from_bytes(name));
            let path = path.to_string_lossy();
            let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
            paths.iter().any(|pattern| pattern.matches_with(&path, options))
        };
        of_name() || (!paths.is_empty() && of_path())
    })))
}

/// Whether some of `paths` lie below others, so that a file could be come across twice.
pub(crate) fn overlap<'a>(paths: impl Iterator<Item = &'a Path>) -> bool {
    let mut absolute: Vec<PathBuf> =
        paths.map(|path| std::path::absolute(path).unwrap_or_else(|_| path.into())).collect();
    absolute.sort();
    // Sorted by components, what lies below a path comes right after it.
    absolute.windows(2).any(|pair| pair[1].starts_with(&pair[0]))
}

/// Paths from a stream, each ended by a NUL.
pub(crate) struct Paths0<R> {
    pub(crate) stream: R,
    pub(crate) faults: Arc<std::sync::Mutex<Faults>>,
}

/// What was wrong with a stream of paths.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Paths of no length.
    pub(crate) empty: u64,
    /// What ended the stream before its end.
    pub(crate) error: Option<std::io::Error>,
}

impl Faults {
    /// Warns of what was passed over, and gives out the error that ended the stream.
    pub(crate) fn take_error(&mut self, terminal: &Terminal) -> Option<std::io::Error> {
        if self.empty > 0 && !terminal.quiet {
            message::warning(&format!("{} of no length left out", things(self.empty, "path")));
        }
        self.error.take()
    }
}

impl<R: std::io::BufRead> Iterator for Paths0<R> {
    type Item = Root;

    fn next(&mut self) -> Option<Root> {
        loop {
            let mut path = Vec::new();
            let faults = || self.faults.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match self.stream.read_until(0, &mut path) {
                Ok(0) => return None,
                Ok(_) => {
                    path.pop_if(|byte| *byte == 0);
                    if !path.is_empty() {
                        return Some(Root::path(OsString::from_vec(path)));
                    }
                    faults().empty += 1;
                }
                Err(error) => {
                    faults().error = Some(error);
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `pattern` matches the file `path`, walked as a scan would.
    fn matches(pattern: &str, path: &str) -> bool {
        let (base, components) = split(pattern).unwrap();
        let Ok(below) = Path::new(path).strip_prefix(&base) else { return false };
        let matcher = Components { components, only_directories: pattern.ends_with('/') };
        let mut names: Vec<_> = below.iter().map(OsStr::as_bytes).collect();
        let Some(file) = names.pop() else { return false };
        let start = Some(matcher.closure(1));
        let state = names.iter().fold(start, |state, name| matcher.directory(state?, b"", name));
        state.is_some_and(|state| matcher.file(state, b"", file))
    }

    #[test]
    fn patterns_mean_what_glob_means() {
        let yes = [
            ("*", "a"),
            ("*.rs", ".rs"),
            ("src/*.rs", "src/x.rs"),
            ("/var/**/*", "/var/a"),
            ("/var/**/*", "/var/a/b/c"),
            ("/var/**/x/*.log", "/var/x/a.log"),
            ("/var/**/x/*.log", "/var/a/x/x/a.log"),
            ("**/**/a", "x/y/a"),
            ("/a/[b-d]/?", "/a/c/é"),
            ("/a[!b]/[*]", "/ac/*"),
            ("/a//b*", "/a/bc"),
        ];
        let no = [
            ("*", "a/b"),
            ("*.rs", "a.rsx"),
            ("/var/*/*", "/var/a"),
            ("/var/*", "/var/a/b"),
            ("/var/**/x/*.log", "/var/a/a.log"),
            ("/var/**", "/var/a"),
            ("/var/*/", "/var/a/b"),
            ("/a/[!b-d]/?", "/a/c/x"),
        ];
        yes.iter().for_each(|(pattern, path)| assert!(matches(pattern, path), "{pattern} {path}"));
        no.iter().for_each(|(pattern, path)| assert!(!matches(pattern, path), "{pattern} {path}"));
    }

    #[test]
    fn names_that_are_no_text_match() {
        let matcher = Components { components: split("*/a?b").unwrap().1, only_directories: false };
        let state = matcher.directory(1, b"", b"\xff").unwrap();
        assert!(matcher.file(state, b"", b"a\xffb"));
    }

    #[test]
    fn a_literal_name_need_not_be_listed() {
        let (base, components) = split("/home/*/.cache/**/*.db").unwrap();
        let matcher = Components { components, only_directories: false };
        assert_eq!(base, Path::new("/home"));
        assert_eq!(matcher.only(1), None);
        let state = matcher.directory(1, b"", b"user").unwrap();
        assert_eq!(matcher.only(state), Some(&b".cache"[..]));
        let state = matcher.directory(state, b"", b".cache").unwrap();
        assert_eq!(matcher.only(state), None);
    }

    #[test]
    fn a_malformed_pattern_shows_where() {
        let message = root("/var/lög/[a".as_ref()).unwrap_err().to_string();
        assert!(
            message.contains("at character 10:") && message.ends_with("\n  /var/lög/[a\n           ^"),
            "{message}"
        );
        assert!(root("a**b/*".as_ref()).is_err());
        assert!(root("/x/***".as_ref()).is_err());
        assert!(root("*/".repeat(65).as_ref()).is_err());
    }

    #[test]
    fn patterns_that_cannot_match_a_file_say_so() {
        assert!(why_nothing("/var/**".as_ref()).unwrap().contains("'/var/**/*'"));
        assert!(why_nothing("/var/*/".as_ref()).unwrap().contains("'/var/*/**/*'"));
        assert_eq!(why_nothing("/nonexistent/*".as_ref()), None);
    }

    #[test]
    fn overlaps_are_seen() {
        let overlap = |paths: &[&str]| super::overlap(paths.iter().map(Path::new));
        assert!(overlap(&["/a/b", "/x", "/a"]) && overlap(&["/a", "/a"]));
        assert!(!overlap(&["/a", "/ab", "/a.b/c"]) && !overlap(&["/a"]));
    }

    #[test]
    fn paths_come_from_a_stream() {
        let faults = Arc::default();
        let paths = Paths0 { stream: &b"a\0\0b\nc\0d"[..], faults: Arc::clone(&faults) };
        assert_eq!(paths.count(), 3);
        assert_eq!(faults.lock().unwrap().empty, 1);
    }
}
