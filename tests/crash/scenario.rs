//! What the scenarios are: read from the comments above them, and from the list of builds.
//!
//! A line `//= NAME FRAME... @MARK END WORD...` in a program stands above each scenario; `crash.c` says what it means.
//! The line of the crash is looked up in the source by its marker, so that nothing here has to follow a change there.

use super::builds::{self, Build};
use super::report::Level;
use std::path::{Path, PathBuf};

/// One way to crash.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Its name in the table.
    pub(crate) name: String,
    /// The argument that the program is started with.
    pub(crate) argument: String,
    /// Names that the report has to have, from the innermost frame on.
    pub(crate) frames: Vec<String>,
    /// The file and the line of the first of them.
    pub(crate) place: Option<(String, usize)>,
    /// How the program ends when nothing is preloaded.
    pub(crate) end: String,
    /// Names that have to stand somewhere.
    pub(crate) somewhere: Vec<String>,
    /// Names that may stand nowhere.
    pub(crate) nowhere: Vec<String>,
    /// What has to be prepared.
    pub(crate) needs: Vec<String>,
    /// How the program is built, if not plainly.
    pub(crate) variant: Option<&'static Build>,
    /// The program.
    pub(crate) program: &'static str,
    /// The most that can be said of it by anybody.
    pub(crate) best: Level,
}

impl Scenario {
    /// Whether `word` is among what has to be prepared.
    pub(crate) fn needs(&self, word: &str) -> bool {
        self.needs.iter().any(|need| need == word)
    }
}

/// Where the programs' sources lie.
pub(crate) fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/crash/programs")
}

/// Every scenario, in the order of the sources and then of the builds.
pub(crate) fn all() -> Vec<Scenario> {
    let mut all = Vec::new();
    for (file, program) in [("crash.c", "crash"), ("crash.cc", "cxx"), ("crash.rs", "rs")] {
        let text = std::fs::read_to_string(sources().join(file)).expect("the sources are there");
        all.extend(text.lines().filter_map(|line| line.strip_prefix("//= ")).map(|line| parse(line, program)));
    }
    let variants: Vec<_> = builds::VARIANTS.iter().map(|build| variant(&all, build)).collect();
    all.extend(variants);
    all
}

/// The scenario that a build is of, in that build.
fn variant(plain: &[Scenario], build: &'static Build) -> Scenario {
    let base = plain.iter().find(|scenario| scenario.name == build.scenario).expect("a build of a scenario there is");
    let mut needs = base.needs.clone();
    needs.retain(|need| need != "panic_abort");
    let mut frames = base.frames.clone();
    if build.best == Level::Raw {
        frames.clear();
    }
    Scenario {
        name: build.name.to_owned(),
        variant: Some(build),
        best: build.best,
        frames,
        needs,
        program: build.name,
        place: base.place.clone().filter(|_| build.best == Level::Full),
        ..base.clone()
    }
}

fn parse(line: &str, program: &'static str) -> Scenario {
    let mut words = line.split_whitespace();
    let name = words.next().expect("a scenario has a name").to_owned();
    let mut scenario = Scenario {
        argument: name.clone(),
        name,
        frames: Vec::new(),
        place: None,
        end: String::new(),
        somewhere: Vec::new(),
        nowhere: Vec::new(),
        needs: Vec::new(),
        variant: None,
        program,
        best: Level::Full,
    };
    for word in words {
        match word.split_at(1) {
            ("@", mark) => scenario.place = Some(place(mark)),
            ("*", name) => scenario.somewhere.push(name.to_owned()),
            ("!", name) => scenario.nowhere.push(name.to_owned()),
            ("+", need) => scenario.needs.push(need.to_owned()),
            _ if word.starts_with("SIG") || word.starts_with("exit:") => scenario.end = word.to_owned(),
            _ => scenario.frames.push(word.to_owned()),
        }
    }
    assert!(!scenario.end.is_empty(), "how does it end: {line}");
    scenario
}

/// The file and the line that carry a marker.
fn place(mark: &str) -> (String, usize) {
    let marker = format!("// HERE {mark}");
    for entry in std::fs::read_dir(sources()).expect("the sources are there") {
        let path = entry.expect("a folder can be read to its end").path();
        let text = std::fs::read_to_string(&path).expect("a source is text");
        if let Some(number) = text.lines().position(|line| line.ends_with(&marker)) {
            let name = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
            return (name, number + 1);
        }
    }
    panic!("no source has `{marker}`");
}

#[test]
fn a_scenario_is_read() {
    let parsed = parse("multi explode start @explode exit:3 *other !wrong +copy", "crash");
    assert_eq!((parsed.name.as_str(), parsed.end.as_str()), ("multi", "exit:3"));
    assert_eq!(parsed.frames, ["explode", "start"]);
    assert_eq!((parsed.somewhere, parsed.nowhere), (vec!["other".to_owned()], vec!["wrong".to_owned()]));
    assert!(parsed.needs.iter().any(|need| need == "copy"));
    let (file, line) = parsed.place.expect("it has a marker");
    let text = std::fs::read_to_string(sources().join(file)).expect("it was just read");
    assert!(text.lines().nth(line - 1).is_some_and(|text| text.ends_with("HERE explode")));
}
