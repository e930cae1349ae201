//! What a report is to be like: a builder for programs, and `key=value,…` for whoever installs from outside.
//!
//! Everything is kept by value and in a fixed size, paths too, because it is read in the handler.
//!
//! As text, keys are separated by commas, and `\,` stands for a comma in a path:
//!
//! | key | values | without it |
//! |---|---|---|
//! | `signals` | names with `+` between them: `segv+bus` | all seven |
//! | `text` | `stderr`, `none`, `fd:N`, or the template of a path | `stderr` |
//! | `file` | the template of a path, for a second copy of the text | none |
//! | `json` | as for `text` | `none` |
//! | `color` | `auto`, `always`, `never` | `auto` |
//! | `threads` | `all`, `one` | `all` |
//! | `names` | `yes`, `no`: whether to look for names and lines | `yes` |
//! | `source` | `yes`, `no`: whether to show the source line | `yes` |
//! | `limit` | milliseconds for the whole report | 10000 |
//! | `chain` | `yes`, `no`: whether earlier handlers are called afterwards | `yes` |
//! | `panic` | `yes`, `no`: whether panics of Rust are reported | `yes` |
//! | `files` | how many report files a folder may hold | 100 |
//! | `bytes` | how long one may become | 1048576 |
//! | `debug` | folder of debug files | `/usr/lib/debug` |
//!
//! In a template `%p` is the process, `%i` the thread, `%t` the time in seconds since 1970, `%e` the program's name, `%s` the
//! signal's number, `%%` a percent sign.

use super::record::Crash;
use super::signal;
use crate::sys::raw::Mask;
use core::ffi::c_void;
use core::fmt;

/// How long a path or template may be, in bytes.
pub const LONGEST_PATH: usize = 511;

/// A path in a fixed size, ended by a zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Path {
    bytes: [u8; LONGEST_PATH + 1],
    length: u16,
}

impl Path {
    /// The path of these bytes; none when it is too long, empty, or has a zero in it.
    #[must_use]
    pub fn new(path: &[u8]) -> Option<Self> {
        if path.is_empty() || path.len() > LONGEST_PATH || path.contains(&0) {
            return None;
        }
        let mut bytes = [0; LONGEST_PATH + 1];
        bytes[..path.len()].copy_from_slice(path);
        Some(Self { bytes, length: path.len() as u16 })
    }

    /// Signal-safe. Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.as_bytes().escape_ascii().to_string(), to)
    }
}

/// Where a report goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(clippy::large_enum_variant, reason = "there are three, and they are read where nothing can be allocated")]
pub enum Destination {
    /// Nowhere.
    #[default]
    None,
    /// Standard error, as it is at installation: a duplicate is kept, so that a report comes also from a program that has
    /// closed it, and never goes into a file that has taken its number.
    Stderr,
    /// A descriptor, which is duplicated likewise.
    Descriptor(i32),
    /// A new file for each report, after a template ([`options`](self)).
    File(Path),
}

/// Whether there is colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

/// What becomes of a signal after the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Chain {
    /// The handler that was there before gets it, as from the kernel; where there was none, the program ends by it.
    #[default]
    Earlier,
    /// The program ends by it, whatever was there before.
    Default,
}

/// A function of the program that is called when the report is written, just before the end.
///
/// It runs in the signal handler, on a stack of 256 KiB: it may call only what is safe in a signal. If it crashes or takes
/// longer than the time that is left, it is abandoned.
#[derive(Clone, Copy, Debug)]
pub enum Callback {
    /// For Rust.
    Rust(fn(&Crash<'_>)),
    /// For C: the signal, a descriptor of the report (or -1), and the pointer that is kept here as a number.
    C(extern "C" fn(i32, i32, *mut c_void), usize),
}

/// What a report is to be like. Begin with [`Builder::new`], end with [`install`](Builder::install).
#[derive(Clone, Copy, Debug)]
#[must_use = "nothing is installed before `install` is called"]
pub struct Builder {
    pub(crate) signals: Mask,
    pub(crate) text: Destination,
    pub(crate) file: Destination,
    pub(crate) json: Destination,
    pub(crate) color: Color,
    pub(crate) threads: bool,
    pub(crate) names: bool,
    pub(crate) source: bool,
    pub(crate) limit_ms: u32,
    pub(crate) chain: Chain,
    pub(crate) panic: bool,
    pub(crate) files: u32,
    pub(crate) bytes: u64,
    pub(crate) debug: Option<Path>,
    pub(crate) callback: Option<Callback>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// Text to standard error, for all signals, all threads, with names and source lines, within ten seconds.
    pub const fn new() -> Self {
        Self {
            signals: signal::all(),
            text: Destination::Stderr,
            file: Destination::None,
            json: Destination::None,
            color: Color::Auto,
            threads: true,
            names: true,
            source: true,
            limit_ms: 10_000,
            chain: Chain::Earlier,
            panic: true,
            files: 100,
            bytes: 1 << 20,
            debug: None,
            callback: None,
        }
    }

    /// Which signals: any of [`signal::ALL`]; others are left alone.
    pub fn signals(mut self, signals: &[i32]) -> Self {
        self.signals = Mask(0);
        for signal in signals.iter().filter(|signal| signal::index(**signal).is_some()) {
            self.signals = self.signals.with(Mask::of(*signal));
        }
        self
    }

    /// Where the text goes.
    pub const fn text(mut self, destination: Destination) -> Self {
        self.text = destination;
        self
    }

    /// Where a second copy of the text goes: usually a file.
    pub const fn file(mut self, destination: Destination) -> Self {
        self.file = destination;
        self
    }

    /// Where the report goes as JSON: one object, `"schema": "toolbox.crash/1"`.
    pub const fn json(mut self, destination: Destination) -> Self {
        self.json = destination;
        self
    }

    /// Whether there is colour.
    pub const fn color(mut self, color: Color) -> Self {
        self.color = color;
        self
    }

    /// Whether all threads are shown, or only the one that crashed.
    pub const fn all_threads(mut self, all: bool) -> Self {
        self.threads = all;
        self
    }

    /// Whether names and lines are looked for, after the raw lines. Nothing without the feature `symbolize`.
    pub const fn names(mut self, names: bool) -> Self {
        self.names = names;
        self
    }

    /// Whether the line of the source file is shown, where the file is there.
    pub const fn source(mut self, source: bool) -> Self {
        self.source = source;
        self
    }

    /// How long a whole report may take, in milliseconds, 100 at least. Then the program ends with what has been written.
    pub fn limit_ms(mut self, limit_ms: u32) -> Self {
        self.limit_ms = limit_ms.max(100);
        self
    }

    /// What becomes of the signal after the report.
    pub const fn chain(mut self, chain: Chain) -> Self {
        self.chain = chain;
        self
    }

    /// Whether panics of Rust are reported, in place of the hook that is there.
    pub const fn panics(mut self, panics: bool) -> Self {
        self.panic = panics;
        self
    }

    /// How many report files may lie in a folder, and how long each may become, in bytes. With so many there, no more is
    /// written.
    pub const fn caps(mut self, files: u32, bytes: u64) -> Self {
        self.files = files;
        self.bytes = bytes;
        self
    }

    /// Another folder of debug files than `/usr/lib/debug`.
    pub const fn debug_folder(mut self, folder: Path) -> Self {
        self.debug = Some(folder);
        self
    }

    /// What is called just before the end.
    pub const fn callback(mut self, callback: Callback) -> Self {
        self.callback = Some(callback);
        self
    }

    /// What the text `options` asks for ([`options`](self)), beginning from `self`. Allocates nothing.
    ///
    /// # Errors
    /// The place of the first key or value that is not known, as a range of bytes of `options`.
    pub fn parse(mut self, options: &[u8]) -> Result<Self, Unknown> {
        let mut start = 0;
        while start <= options.len() {
            let rest = &options[start..];
            let is_end = |at: &usize| rest[*at] == b',' && (*at == 0 || rest[*at - 1] != b'\\');
            let length = (0..rest.len()).find(is_end).unwrap_or(rest.len());
            if length > 0 {
                self = self.set(&rest[..length]).ok_or(Unknown { start, end: start + length })?;
            }
            start += length + 1;
        }
        Ok(self)
    }

    /// One `key=value`.
    fn set(self, option: &[u8]) -> Option<Self> {
        let split = option.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (&option[..split], &option[split + 1..]);
        Some(match key {
            b"signals" => self.signals_by_name(value)?,
            b"text" => self.text(destination(value)?),
            b"file" => self.file(destination(value)?),
            b"json" => self.json(destination(value)?),
            b"color" => self.color(match value {
                b"auto" => Color::Auto,
                b"always" => Color::Always,
                b"never" => Color::Never,
                _ => return None,
            }),
            b"threads" => self.all_threads(match value {
                b"all" => true,
                b"one" => false,
                _ => return None,
            }),
            b"names" => self.names(truth(value)?),
            b"source" => self.source(truth(value)?),
            b"limit" => self.limit_ms(u32::try_from(number(value)?).ok()?),
            b"chain" => self.chain(if truth(value)? { Chain::Earlier } else { Chain::Default }),
            b"panic" => self.panics(truth(value)?),
            b"files" => Self { files: u32::try_from(number(value)?).ok()?, ..self },
            b"bytes" => Self { bytes: number(value)?, ..self },
            b"debug" => self.debug_folder(unescaped(value)?),
            _ => return None,
        })
    }

    fn signals_by_name(mut self, names: &[u8]) -> Option<Self> {
        self.signals = Mask(0);
        for name in names.split(|byte| *byte == b'+') {
            let signal = signal::by_name(core::str::from_utf8(name).ok()?)?;
            self.signals = self.signals.with(Mask::of(signal));
        }
        Some(self)
    }
}

/// Which part of the options was not understood, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl fmt::Display for Unknown {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "option not known, at bytes {} to {}", self.start, self.end)
    }
}

impl core::error::Error for Unknown {}

fn truth(value: &[u8]) -> Option<bool> {
    match value {
        b"yes" | b"1" | b"true" | b"on" => Some(true),
        b"no" | b"0" | b"false" | b"off" => Some(false),
        _ => None,
    }
}

fn number(value: &[u8]) -> Option<u64> {
    core::str::from_utf8(value).ok()?.parse().ok()
}

fn destination(value: &[u8]) -> Option<Destination> {
    Some(match value {
        b"none" => Destination::None,
        b"stderr" => Destination::Stderr,
        _ => match value.strip_prefix(b"fd:") {
            Some(digits) => Destination::Descriptor(i32::try_from(number(digits)?).ok()?),
            None => Destination::File(unescaped(value)?),
        },
    })
}

/// A path in which `\,` stands for a comma.
fn unescaped(value: &[u8]) -> Option<Path> {
    let mut bytes = [0; LONGEST_PATH + 1];
    let mut length = 0;
    for (at, byte) in value.iter().enumerate() {
        if *byte == b'\\' && value.get(at + 1) == Some(&b',') {
            continue;
        }
        *bytes.get_mut(length)? = *byte;
        length += 1;
    }
    Path::new(&bytes[..length])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_from_text() {
        let options = Builder::new()
            .parse(
                b"signals=segv+BUS,text=none,json=fd:7,file=a\\,b.%p,limit=5,threads=one,,color=never,panic=no,bytes=9",
            )
            .unwrap();
        assert_eq!(options.signals, Mask::of(libc::SIGSEGV).with(Mask::of(libc::SIGBUS)));
        assert_eq!((options.text, options.json), (Destination::None, Destination::Descriptor(7)));
        assert_eq!(options.file, Destination::File(Path::new(b"a,b.%p").unwrap()));
        assert_eq!((options.limit_ms, options.threads, options.panic, options.bytes), (100, false, false, 9));
        assert_eq!(options.color, Color::Never);
        assert!(Builder::new().parse(b"").is_ok());
    }

    #[test]
    fn what_is_not_known_is_named() {
        let check = |text: &[u8], start, end| {
            assert_eq!(Builder::new().parse(text).unwrap_err(), Unknown { start, end }, "{}", text.escape_ascii());
        };
        check(b"limit=5,colour=auto", 8, 19);
        check(b"threads", 0, 7);
        check(b"names=perhaps", 0, 13);
        check(b"text=", 0, 5);
        check(b"json=fd:x", 0, 9);
        check(b"signals=segv+kill", 0, 17);
        check(&[b"text=", &[b'a'; 512][..]].concat(), 0, 517);
        check(b"limit=99999999999", 0, 17);
    }

    #[test]
    fn other_signals_are_left_alone() {
        assert_eq!(Builder::new().signals(&[libc::SIGKILL, libc::SIGFPE]).signals, Mask::of(libc::SIGFPE));
    }
}
