//! What is asked: addresses of one file, `module+0x1139`, or a whole report with its list of modules.
//!
//! A report is read to its end first, since the list of modules with their build ids stands behind the frames. Every line is
//! kept, so that the answer can be the report with names in it.

use super::{no_address, parse_address};
use crate::cli::CrashSymbolize;
use crate::exit::hinted;
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;

/// A file that addresses lie in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) path: Vec<u8>,
    /// As the report names it; empty when it does not.
    pub(super) build_id: Vec<u8>,
}

/// An address in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) module: usize,
    /// As it was given.
    pub(super) shown: u64,
    /// What to look up: one less, for a call.
    pub(super) address: u64,
}

/// Everything that is asked.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) modules: Vec<Module>,
    pub(super) queries: Vec<Query>,
    /// The lines of a report, each with the number of its query. Empty when plain addresses were given.
    pub(super) lines: Vec<(Vec<u8>, Option<usize>)>,
    numbers: HashMap<Vec<u8>, usize>,
}

/// Reads the command line, or else standard input.
pub(super) fn read(arguments: &CrashSymbolize) -> Result<Input> {
    let mut input = Input::default();
    let exe = arguments.exe.as_ref().map(|path| input.module(path.as_os_str().as_bytes()));
    let less = u64::from(arguments.calls);
    for text in &arguments.addresses {
        let plain = exe.and_then(|module| Some((module, parse_address(text.as_bytes())?)));
        let found = plain.or_else(|| input.of_module(text.as_bytes()));
        let Some((module, shown)) = found else {
            if parse_address(text.as_bytes()).is_some() {
                return Err(hinted(
                    "an address needs the file that it lies in",
                    "toolbox crash symbolize -e ./program 0x1139",
                ));
            }
            return Err(no_address(text));
        };
        input.queries.push(Query { module, shown, address: shown.wrapping_sub(less) });
    }
    if arguments.addresses.is_empty() {
        let mut text = Vec::new();
        std::io::stdin().lock().read_to_end(&mut text).context("cannot read standard input")?;
        input.lines_of(&text, exe, less);
        if input.queries.is_empty() && !text.is_empty() {
            let hint = "an address needs -e FILE; a report has lines such as `#0  0x55d0c0de1139  thing+0x1139`";
            return Err(hinted("no address on standard input", hint));
        }
    }
    Ok(input)
}

impl Input {
    /// Whether all is about the file that was named.
    pub(super) fn is_of_one_module(&self) -> bool {
        self.modules.len() == 1
    }

    fn module(&mut self, path: &[u8]) -> usize {
        if let Some(&number) = self.numbers.get(path) {
            return number;
        }
        self.modules.push(Module { path: path.to_vec(), build_id: Vec::new() });
        self.numbers.insert(path.to_vec(), self.modules.len() - 1);
        self.modules.len() - 1
    }

    /// `thing+0x1139`, and `thing(+0x1139)` as the C library writes it.
    fn of_module(&mut self, text: &[u8]) -> Option<(usize, u64)> {
        let text = text.strip_suffix(b")").unwrap_or(text);
        let plus = text.windows(3).rposition(|part| part == b"+0x")?;
        let address = parse_address(text.get(plus + 1..)?)?;
        let name = text.get(..plus)?;
        let name = name.strip_suffix(b"(").unwrap_or(name);
        if name.is_empty() {
            return None;
        }
        Some((self.module(name), address))
    }

    fn lines_of(&mut self, text: &[u8], exe: Option<usize>, less: u64) {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut lines = Vec::new();
        let mut is_plain = true;
        for line in text.split(|&byte| byte == b'\n') {
            if let Some((name, module)) = listed(line) {
                let number = self.module(name);
                // The first of a name is the one that the frames mean.
                if let Some(known) = self.modules.get_mut(number).filter(|known| known.build_id.is_empty()) {
                    *known = module;
                }
                is_plain = false;
            }
            let query = self.query(line, exe, less);
            is_plain &= query.is_some_and(|(_, is_plain)| is_plain);
            if let Some((query, _)) = query {
                self.queries.push(query);
            }
            lines.push((line.to_vec(), query.map(|_| self.queries.len() - 1)));
        }
        if !is_plain {
            self.lines = lines;
        }
    }

    /// What a line asks, and whether it is an address alone.
    fn query(&mut self, line: &[u8], exe: Option<usize>, less: u64) -> Option<(Query, bool)> {
        let line = line.trim_ascii();
        if let Some((module, shown)) = exe.and_then(|module| Some((module, parse_address(line)?))) {
            return Some((Query { module, shown, address: shown.wrapping_sub(less) }, true));
        }
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let first = words.next()?;
        let frame = first.strip_prefix(b"#").and_then(|number| std::str::from_utf8(number).ok()?.parse::<u32>().ok());
        let Some(frame) = frame else {
            let (module, shown) = self.of_module(first)?;
            return Some((Query { module, shown, address: shown.wrapping_sub(less) }, line == first));
        };
        // A frame of a report: where the program was, or where a call returns to.
        words.next().filter(|word| word.starts_with(b"0x"))?;
        let (module, shown) = self.of_module(words.next()?)?;
        let is_exact = frame == 0 || line.ends_with(b"(interrupted here)");
        Some((Query { module, shown, address: shown.wrapping_sub(u64::from(!is_exact)) }, false))
    }
}

/// A line of a report's list of modules: `module   thing  3f9c…  /usr/bin/thing`, with two spaces between its parts.
fn listed(line: &[u8]) -> Option<(&[u8], Module)> {
    let rest = line.strip_prefix(b"module ")?.trim_ascii();
    let (name, rest) = parted(rest)?;
    let (build_id, path) = parted(rest)?;
    let path = path.strip_suffix(b"  (deleted or replaced)").unwrap_or(path);
    if name.is_empty() || path.is_empty() {
        return None;
    }
    Some((name, Module { path: path.to_vec(), build_id: hexadecimal(build_id).unwrap_or_default() }))
}

/// What stands before and behind the first two spaces.
fn parted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let place = text.windows(2).position(|pair| pair == b"  ")?;
    Some((text.get(..place)?, text.get(place..)?.trim_ascii()))
}

fn hexadecimal(text: &[u8]) -> Option<Vec<u8>> {
    let pair = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let (pairs, rest) = text.as_chunks::<2>();
    if rest.is_empty() { pairs.iter().map(pair).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let report = b"*** toolbox: crashed: SIGSEGV\n#0  0x000055d0c0de1139  thing+0x1139\n\
            #1  0x00007f2a0c046d0a  libc.so.6+0x23d0a\n#2  0x00007f2a0c046d10  libc.so.6+0x23d10  (interrupted here)\n\
            module   thing  3f9c  /usr/bin/thing\nmodule   libc.so.6  (no build id)  /lib/libc.so.6  (deleted or replaced)\n";
        let mut input = Input::default();
        input.lines_of(report, None, 0);
        let found: Vec<_> = input.queries.iter().map(|query| (query.module, query.shown, query.address)).collect();
        assert_eq!(found, [(0, 0x1139, 0x1139), (1, 0x23d0a, 0x23d09), (1, 0x23d10, 0x23d10)]);
        assert_eq!(input.modules[0], Module { path: b"/usr/bin/thing".to_vec(), build_id: vec![0x3f, 0x9c] });
        assert_eq!(input.modules[1], Module { path: b"/lib/libc.so.6".to_vec(), build_id: vec![] });
        assert_eq!(input.lines.iter().filter(|(_, query)| query.is_some()).count(), 3);
        assert_eq!(input.lines.len(), 6);
    }

    #[test]
    fn plain_lines_are_no_report() {
        let mut input = Input::default();
        input.lines_of(b"1139\n0x24F0\n", Some(0), 1);
        let found: Vec<_> = input.queries.iter().map(|query| (query.shown, query.address)).collect();
        assert_eq!((found, input.lines.len()), (vec![(0x1139, 0x1138), (0x24f0, 0x24ef)], 0));
        let mut input = Input::default();
        input.lines_of(b"/lib/libc.so.6(+0x23d0a)\nlibc.so.6+0x10\n", None, 0);
        let paths: Vec<_> = input.modules.iter().map(|module| module.path.as_slice()).collect();
        assert_eq!((paths, input.lines.len()), (vec![&b"/lib/libc.so.6"[..], b"libc.so.6"], 0));
    }

    #[test]
    fn what_is_no_address_is_none() {
        for text in ["", "0x", "x", "+12", "-1", "0x1_0", "10000000000000000"] {
            assert_eq!(parse_address(text.as_bytes()), None, "{text}");
        }
    }
}
