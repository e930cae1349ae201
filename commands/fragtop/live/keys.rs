//! From the bytes that a terminal sends to key presses.
//!
//! Only the few keys that the view knows; any other sequence is swallowed whole, so that an unknown function key does
//! not type letters. An escape that nothing follows may be the Escape key or the first byte of a sequence whose rest
//! is still on its way: [`Decoder::is_waiting`] says so, and [`Decoder::flush`] decides for the key once the caller
//! has waited long enough.

/// A key, pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Press {
    /// A character, as typed.
    Char(char),
    /// A letter with the control key held.
    Control(char),
    Enter,
    Escape,
    Backspace,
    Up,
    Down,
    PageUp,
    PageDown,
    Home,
    End,
}

/// The longest sequence that a terminal sends for a key; what is longer is no key.
const LONGEST: usize = 32;

/// Takes bytes as they come, in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    pending: Vec<u8>,
}

/// What the bytes at hand begin with.
enum Step {
    /// So many bytes, which are a key, or nothing that is known.
    Took(usize, Option<Press>),
    /// A sequence whose end is not there yet.
    More,
}

impl Decoder {
    /// The keys in `bytes`, together with what was left over before.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Press> {
        self.pending.extend_from_slice(bytes);
        let mut pressed = Vec::new();
        while !self.pending.is_empty() {
            match step(&self.pending) {
                Step::Took(length, press) => {
                    self.pending.drain(..length);
                    pressed.extend(press);
                }
                Step::More if self.pending.len() > LONGEST => self.pending.clear(),
                Step::More => break,
            }
        }
        pressed
    }

    /// Whether a sequence has begun and not ended.
    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Gives up waiting for the rest: a lone escape is the Escape key, anything else is dropped.
    pub(super) fn flush(&mut self) -> Option<Press> {
        let pending = std::mem::take(&mut self.pending);
        (pending == [ESCAPE]).then_some(Press::Escape)
    }
}

const ESCAPE: u8 = 0x1b;

fn step(bytes: &[u8]) -> Step {
    match bytes[0] {
        ESCAPE => sequence(bytes),
        b'\r' | b'\n' => Step::Took(1, Some(Press::Enter)),
        0x7f | 0x08 => Step::Took(1, Some(Press::Backspace)),
        control @ 0x01..=0x1a => Step::Took(1, Some(Press::Control(char::from(control - 1 + b'a')))),
        0x00..=0x1f => Step::Took(1, None),
        _ => character(bytes),
    }
}

fn sequence(bytes: &[u8]) -> Step {
    match bytes.get(1) {
        None => Step::More,
        Some(b'[') => parameters(bytes),
        Some(b'O') => match bytes.get(2) {
            None => Step::More,
            Some(&last) => Step::Took(3, named(&[], last)),
        },
        // Escape, and then another key pressed quickly.
        Some(_) => Step::Took(1, Some(Press::Escape)),
    }
}

fn parameters(bytes: &[u8]) -> Step {
    let body = &bytes[2..];
    match body.iter().position(|byte| (0x40..=0x7e).contains(byte)) {
        Some(end) => Step::Took(end + 3, named(&body[..end], body[end])),
        None => Step::More,
    }
}

/// The key of a sequence that ends in `last`. Held modifiers (`ESC [ 1 ; 5 A`) are not told apart.
fn named(parameters: &[u8], last: u8) -> Option<Press> {
    let first = parameters.split(|&byte| byte == b';').next().unwrap_or_default();
    match (last, first) {
        (b'A', _) => Some(Press::Up),
        (b'B', _) => Some(Press::Down),
        (b'H', _) | (b'~', b"1" | b"7") => Some(Press::Home),
        (b'F', _) | (b'~', b"4" | b"8") => Some(Press::End),
        (b'~', b"5") => Some(Press::PageUp),
        (b'~', b"6") => Some(Press::PageDown),
        _ => None,
    }
}

fn character(bytes: &[u8]) -> Step {
    let length = match bytes[0] {
        0x00..=0x7f => 1,
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Step::Took(1, None),
    };
    let Some(encoded) = bytes.get(..length) else { return Step::More };
    match std::str::from_utf8(encoded) {
        Ok(text) => Step::Took(length, text.chars().next().map(Press::Char)),
        Err(_) => Step::Took(1, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &[Press]) {
        let mut whole = Decoder::default();
        let mut pressed = whole.feed(bytes);
        pressed.extend(whole.flush());
        assert_eq!(pressed, expected, "{bytes:?}");
        // However the bytes are cut, the keys are the same.
        let mut bytewise = Decoder::default();
        let mut pressed: Vec<_> = bytes.iter().flat_map(|byte| bytewise.feed(&[*byte])).collect();
        pressed.extend(bytewise.flush());
        assert_eq!(pressed, expected, "{bytes:?}, byte by byte");
    }

    #[test]
    fn letters_and_controls() {
        check(b"q", &[Press::Char('q')]);
        check("é漢😀".as_bytes(), &[Press::Char('é'), Press::Char('漢'), Press::Char('😀')]);
        check(b"\x03\x1a", &[Press::Control('c'), Press::Control('z')]);
        check(b"\r\n\x7f\x08", &[Press::Enter, Press::Enter, Press::Backspace, Press::Backspace]);
        check(b"\x00\x1c\xff\x80a", &[Press::Char('a')]);
        check(b"\xc3a", &[Press::Char('a')]);
    }

    #[test]
    fn sequences_of_several_terminals() {
        check(b"\x1b[A\x1b[B\x1bOA\x1bOB", &[Press::Up, Press::Down, Press::Up, Press::Down]);
        check(b"\x1b[H\x1b[1~\x1b[7~\x1bOH", &[Press::Home; 4]);
        check(b"\x1b[F\x1b[4~\x1b[8~\x1bOF", &[Press::End; 4]);
        check(b"\x1b[5~\x1b[6~", &[Press::PageUp, Press::PageDown]);
        check(b"\x1b[1;5A", &[Press::Up]);
        check(b"\x1b[15~\x1b[200~x", &[Press::Char('x')]);
    }

    #[test]
    fn a_lone_escape_is_a_key_and_an_endless_sequence_is_not() {
        check(b"\x1b", &[Press::Escape]);
        check(b"\x1b\x1b", &[Press::Escape, Press::Escape]);
        check(b"\x1bq", &[Press::Escape, Press::Char('q')]);
        check(b"\x1b[", &[]);
        let mut decoder = Decoder::default();
        assert_eq!(decoder.feed(b"\x1b["), []);
        assert!(decoder.is_waiting());
        assert_eq!(decoder.feed(&[b'1'; 100]), []);
        assert_eq!(decoder.feed(b"q"), [Press::Char('q')]);
    }
}
