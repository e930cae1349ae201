//! Formatting without the format machinery: into a buffer of a fixed size, and from there to the sinks.
//!
//! The standard library's formatting is not made for signals: it may panic, and it needs more stack. What a report is made
//! of is few: text, numbers, addresses, and bytes of others, whose control characters must not reach a terminal.
//!
//! Colour is part of the text as a mark of one byte, which each sink gets as an escape sequence or not at all.

use super::sink::{Deadline, Sink};
use core::fmt;

/// How many places a text goes to.
pub(crate) const SINKS: usize = 2;

/// Length of the buffer, in bytes.
const BUFFER: usize = 4096;

/// What is to stand out. Each is a byte that does not occur in text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tone {
    /// As the terminal has it.
    Plain = 1,
    /// What went wrong.
    Alarm = 2,
    /// A name.
    Name = 3,
}

impl Tone {
    const fn sequence(mark: u8) -> &'static [u8] {
        match mark {
            2 => b"\x1b[1;31m",
            3 => b"\x1b[1m",
            _ => b"\x1b[0m",
        }
    }
}

/// A text under way to its sinks.
#[derive(Debug)]
pub(crate) struct Writer {
    buffer: [u8; BUFFER],
    used: usize,
    sinks: [Sink; SINKS],
    colored: [bool; SINKS],
    /// How many more bytes go out.
    left: u64,
    /// When sinks are waited for no longer.
    deadline: Deadline,
}

impl Writer {
    /// Nothing to write, and nowhere to write it.
    pub(crate) const NONE: Self = Self {
        buffer: [0; BUFFER],
        used: 0,
        sinks: [Sink::NONE; SINKS],
        colored: [false; SINKS],
        left: u64::MAX,
        deadline: Deadline::NONE,
    };

    /// Begins a text. Signal-safe.
    pub(crate) fn begin(&mut self, sinks: [Sink; SINKS], colored: [bool; SINKS], deadline: Deadline) {
        self.used = 0;
        self.sinks = sinks;
        self.colored = colored;
        self.left = u64::MAX;
        self.deadline = deadline;
    }

    /// From now on to other sinks. Signal-safe.
    pub(crate) fn redirect(&mut self, sinks: [Sink; SINKS], colored: [bool; SINKS]) {
        self.flush();
        (self.sinks, self.colored) = (sinks, colored);
    }

    /// The sinks, to see which are still open. Signal-safe.
    pub(crate) fn sinks(&mut self) -> &mut [Sink; SINKS] {
        &mut self.sinks
    }

    /// From now on so many bytes at most; what is more is dropped. Signal-safe.
    pub(crate) fn limit(&mut self, bytes: u64) {
        self.left = bytes;
    }

    /// Whether something was dropped. Signal-safe.
    pub(crate) fn is_full(&self) -> bool {
        self.left == 0
    }

    /// Whether anything still goes anywhere. Signal-safe.
    pub(crate) fn is_open(&self) -> bool {
        self.sinks.iter().any(Sink::is_open)
    }

    /// Whether less than so many bytes may still go out. Signal-safe.
    pub(crate) fn has_less_than(&self, bytes: u64) -> bool {
        self.left < bytes
    }

    /// Text as it is. Signal-safe.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.raw(text.as_bytes())
    }

    /// Bytes of ours as they are. Signal-safe.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        let bytes = &bytes[..bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX))];
        self.left -= bytes.len() as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.used == BUFFER {
                self.flush();
            }
            let length = rest.len().min(BUFFER - self.used);
            self.buffer[self.used..self.used + length].copy_from_slice(&rest[..length]);
            self.used += length;
            rest = &rest[length..];
        }
        self
    }

    /// What follows stands out. Signal-safe.
    pub(crate) fn tone(&mut self, tone: Tone) -> &mut Self {
        self.raw(&[tone as u8])
    }

    /// Bytes of others: control characters as `\xNN`, everything else as it is. Signal-safe.
    pub(crate) fn foreign(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            if *byte < b' ' || *byte == 0x7f {
                self.text("\\x").digits(u64::from(*byte), 16, 2);
            } else {
                self.raw(core::slice::from_ref(byte));
            }
        }
        self
    }

    /// Spaces. Signal-safe.
    pub(crate) fn spaces(&mut self, count: usize) -> &mut Self {
        for _ in 0..count {
            self.raw(b" ");
        }
        self
    }

    /// A number in decimal. Signal-safe.
    pub(crate) fn decimal(&mut self, number: u64) -> &mut Self {
        self.digits(number, 10, 1)
    }

    /// A number in hexadecimal, after `0x`. Signal-safe.
    pub(crate) fn hex(&mut self, number: u64) -> &mut Self {
        self.text("0x").digits(number, 16, 1)
    }

    /// An address: `0x` and 16 digits. Signal-safe.
    pub(crate) fn address(&mut self, address: u64) -> &mut Self {
        self.text("0x").digits(address, 16, 16)
    }

    /// A number in `base`, with at least so many digits, 20 at most. Signal-safe.
    pub(crate) fn digits(&mut self, mut number: u64, base: u64, least: usize) -> &mut Self {
        let mut digits = [b'0'; 20];
        let mut start = digits.len();
        while start > 0 && (number > 0 || start > digits.len() - least.min(20)) {
            start -= 1;
            digits[start] = b"0123456789abcdef"[(number % base) as usize];
            number /= base;
        }
        self.raw(&digits[start..])
    }

    /// Bytes in hexadecimal, two digits each. Signal-safe.
    pub(crate) fn bytes_hex(&mut self, bytes: &[u8]) -> &mut Self {
        for byte in bytes {
            self.digits(u64::from(*byte), 16, 2);
        }
        self
    }

    /// Seconds since 1970 as `2026-11-21T18:40:12Z`. Signal-safe.
    pub(crate) fn time(&mut self, seconds: u64) -> &mut Self {
        let (year, month, day) = date(seconds / 86_400);
        let second = seconds % 86_400;
        self.digits(year, 10, 4).text("-").digits(month, 10, 2).text("-").digits(day, 10, 2);
        self.text("T").digits(second / 3600, 10, 2).text(":").digits(second / 60 % 60, 10, 2);
        self.text(":").digits(second % 60, 10, 2).text("Z")
    }

    /// Everything so far goes to the sinks. Signal-safe.
    pub(crate) fn flush(&mut self) {
        let bytes = &self.buffer[..self.used];
        let is_mark = |byte: &u8| (1..=3).contains(byte);
        for (sink, colored) in self.sinks.iter_mut().zip(self.colored) {
            if !bytes.iter().any(is_mark) {
                sink.write(bytes, &mut self.deadline);
                continue;
            }
            let mut plain = [0; BUFFER];
            let mut length = 0;
            for part in bytes.chunk_by(|a, b| !is_mark(a) && !is_mark(b)) {
                let part = if !is_mark(&part[0]) {
                    part
                } else if colored {
                    Tone::sequence(part[0])
                } else {
                    &[]
                };
                if length + part.len() > BUFFER {
                    sink.write(&plain[..length], &mut self.deadline);
                    length = 0;
                }
                plain[length..length + part.len()].copy_from_slice(part);
                length += part.len();
            }
            sink.write(&plain[..length], &mut self.deadline);
        }
        self.used = 0;
    }
}

/// For what runs outside the handler and may format.
impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.foreign(text.as_bytes());
        Ok(())
    }
}

/// Year, month and day of a day since 1970, in the Gregorian calendar. Counts years from March on, so that the day that
/// some have comes last; an era has 400 years. (Howard Hinnant, chrono-Compatible Low-Level Date Algorithms.)
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::fd::AsRawFd;

    /// What comes out of a pipe, with or without colour.
    fn check(colored: bool, write: impl FnOnce(&mut Writer), expected: &str) {
        let (mut reader, pipe) = std::io::pipe().unwrap();
        let mut writer = Writer::NONE;
        writer.begin([Sink::keep(pipe.as_raw_fd()).unwrap(), Sink::NONE], [colored, false], Deadline::in_ms(1000));
        drop(pipe);
        write(&mut writer);
        writer.flush();
        writer.sinks()[0].close();
        let mut found = String::new();
        reader.read_to_string(&mut found).unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn numbers() {
        check(
            false,
            |to| {
                to.decimal(0).text(" ").decimal(u64::MAX);
            },
            "0 18446744073709551615",
        );
        check(
            false,
            |to| {
                to.hex(0).text(" ").hex(0xabc).text(" ").address(0x1139);
            },
            "0x0 0xabc 0x0000000000001139",
        );
        check(
            false,
            |to| {
                to.bytes_hex(&[0, 0x3f, 0xff]);
            },
            "003fff",
        );
    }

    #[test]
    fn times() {
        check(
            false,
            |to| {
                to.time(0);
            },
            "1970-01-01T00:00:00Z",
        );
        check(
            false,
            |to| {
                to.time(951_782_400);
            },
            "2000-02-29T00:00:00Z",
        );
        check(
            false,
            |to| {
                to.time(1_795_286_412);
            },
            "2026-11-21T18:40:12Z",
        );
        check(
            false,
            |to| {
                to.time(4_107_542_400);
            },
            "2100-03-01T00:00:00Z",
        );
    }

    #[test]
    fn what_others_wrote_is_harmless() {
        check(
            false,
            |to| {
                to.foreign(b"a\x1b[2J\n\xc3\xa4\x7f\x02");
            },
            "a\\x1b[2J\\x0aä\\x7f\\x02",
        );
    }

    #[test]
    fn colour_is_for_those_who_want_it() {
        let write = |to: &mut Writer| {
            to.tone(Tone::Alarm).text("a").tone(Tone::Plain).text("b");
        };
        check(true, write, "\x1b[1;31ma\x1b[0mb");
        check(false, write, "ab");
    }

    #[test]
    fn long_texts_are_whole_and_limits_hold() {
        let long = "x".repeat(10_000);
        check(
            false,
            |to| {
                to.text(&long).tone(Tone::Name).text(&long);
            },
            &long.repeat(2),
        );
        check(
            true,
            |to| {
                to.limit(5);
                to.text("abc").text("def");
                assert!(to.is_full());
            },
            "abcde",
        );
    }
}
