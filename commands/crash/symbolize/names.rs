//! Names and paths, each kept once: answers hold their numbers.
//!
//! Among a hundred thousand addresses there are a few thousand functions; each is demangled once, by whichever thread meets it
//! first.

use std::collections::HashMap;
use std::sync::Mutex;
use toolbox::crash::symbolize::Source;
use toolbox::crash::symbolize::demangle::demangle;

/// The number of nothing.
pub(super) const NONE: u32 = u32::MAX;

/// Strings by their numbers, and numbers by what they were made of.
#[derive(Debug, Default)]
struct Kept {
    numbers: HashMap<Box<[u8]>, u32>,
    texts: Vec<Box<str>>,
}

impl Kept {
    fn get(&self, index: u32) -> &str {
        self.texts.get(index as usize).map_or("", |text| text)
    }
}

/// What several threads add to.
#[derive(Debug, Default)]
pub(super) struct Names {
    functions: Mutex<Kept>,
    sources: Mutex<Kept>,
    demangles: bool,
}

/// The same when all have been added: raw names and names for people, and paths.
#[derive(Debug, Default)]
pub(super) struct Texts {
    raw: Vec<Box<[u8]>>,
    functions: Kept,
    sources: Kept,
}

impl Names {
    pub(super) fn new(demangles: bool) -> Self {
        Self { demangles, ..Self::default() }
    }

    /// The number of a function's name.
    pub(super) fn function(&self, raw: &[u8]) -> u32 {
        number(&self.functions, raw, || if self.demangles { for_people(raw) } else { text(raw) })
    }

    /// The number of a path.
    pub(super) fn source(&self, source: Source<'_>) -> u32 {
        let mut path = Vec::new();
        for piece in source.pieces() {
            if path.last().is_some_and(|&last| last != b'/') {
                path.push(b'/');
            }
            path.extend_from_slice(piece);
        }
        number(&self.sources, &path, || text(&path))
    }

    /// All of them, when no thread adds any more.
    pub(super) fn into_texts(self) -> Texts {
        let take = |kept: Mutex<Kept>| kept.into_inner().unwrap_or_default();
        let (mut functions, sources) = (take(self.functions), take(self.sources));
        let mut raw = vec![Box::default(); functions.texts.len()];
        for (name, index) in std::mem::take(&mut functions.numbers) {
            raw[index as usize] = name;
        }
        Texts { raw, functions, sources }
    }
}

impl Texts {
    /// A function's name for people.
    pub(super) fn function(&self, index: u32) -> Option<&str> {
        (index != NONE).then(|| self.functions.get(index))
    }

    /// A function's name as the file has it.
    pub(super) fn raw(&self, index: u32) -> Option<&[u8]> {
        self.raw.get(index as usize).map(|name| &**name)
    }

    /// A path.
    pub(super) fn source(&self, index: u32) -> Option<&str> {
        (index != NONE).then(|| self.sources.get(index))
    }
}

/// The number of `key`, whose text is made if nobody has yet; outside the lock, as that is most of the work.
fn number(kept: &Mutex<Kept>, key: &[u8], make: impl FnOnce() -> Box<str>) -> u32 {
    // A thread that panicked has left nothing half done in there.
    let lock = || kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(&number) = lock().numbers.get(key) {
        return number;
    }
    let made = make();
    let mut kept = lock();
    let next = u32::try_from(kept.texts.len()).unwrap_or(NONE);
    let number = *kept.numbers.entry(key.into()).or_insert(next);
    if number == next {
        kept.texts.push(made);
    }
    number
}

fn for_people(raw: &[u8]) -> Box<str> {
    let mut name = String::new();
    match demangle(raw, &mut name) {
        Ok(()) => name.into(),
        Err(_) => text(raw),
    }
}

fn text(bytes: &[u8]) -> Box<str> {
    String::from_utf8_lossy(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_kept_once() {
        let names = Names::new(true);
        let numbers = [names.function(b"_ZN1a1bEv"), names.function(b"main"), names.function(b"_ZN1a1bEv")];
        let source = Source { compiled_in: b"/src/", directory: b"sub", name: b"a.c" };
        assert_eq!(names.source(source), names.source(source));
        let texts = names.into_texts();
        assert_eq!(numbers, [0, 1, 0]);
        assert_eq!((texts.function(0), texts.function(1), texts.function(NONE)), (Some("a::b()"), Some("main"), None));
        assert_eq!((texts.raw(0), texts.source(0)), (Some(&b"_ZN1a1bEv"[..]), Some("/src/sub/a.c")));
    }
}
