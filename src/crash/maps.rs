//! The text of `/proc/PID/maps`, line by line, through a buffer of any size.
//!
//! The file has a line for each mapping, in ascending order of addresses, and the kernel makes it up as it is read. Here
//! nothing keeps it: [`each`] asks for pieces, and gives out the mappings of the lines that are whole. A line that is
//! longer than the buffer loses the end of its path, and is given out all the same.
//!
//! What is not in the form of a mapping is passed over: the kernel writes none such, but a copy may have been cut.
//!
//! The kernel appends ` (deleted)` to the path of a file that has no name any more. A file may be named so by somebody;
//! the two cannot be told apart here, only by device and inode.

/// Addresses from `start` up to and without `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
}

impl Span {
    /// Signal-safe. How many bytes it has.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Signal-safe. Whether `address` lies in it.
    #[must_use]
    pub const fn contains(&self, address: u64) -> bool {
        self.start <= address && address < self.end
    }

    /// Signal-safe. Whether there is no address in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.start >= self.end
    }
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// Where it is.
    pub span: Span,
    /// Whether it may be read.
    pub is_readable: bool,
    /// Whether it may be written.
    pub is_writable: bool,
    /// Whether it may be executed.
    pub is_executable: bool,
    /// Where in the file it begins, in bytes.
    pub offset: u64,
    /// The device that the file is on: its major number in the upper half, its minor number in the lower.
    pub device: u64,
    /// The number of the file on it; 0 for memory without a file.
    pub inode: u64,
    /// The path of the file as the kernel escapes it (`\012` for a line break), or a name in brackets; without the mark
    /// of a deleted file.
    pub path: &'a [u8],
    /// Whether the file has been deleted, or replaced by another of its name.
    pub is_deleted: bool,
}

/// What the kernel appends to the path of a file without a name.
const DELETED: &[u8] = b" (deleted)";

/// Signal-safe. The mapping that a line names, without its line break; none when it is no such line.
#[must_use]
pub fn parse(line: &[u8]) -> Option<Mapping<'_>> {
    let mut rest = line;
    let start = hexadecimal(field(&mut rest, b'-')?)?;
    let end = hexadecimal(field(&mut rest, b' ')?)?;
    let &[readable, writable, executable, _shared] = field(&mut rest, b' ')? else { return None };
    let offset = hexadecimal(field(&mut rest, b' ')?)?;
    let major = hexadecimal(field(&mut rest, b':')?)?;
    let minor = hexadecimal(field(&mut rest, b' ')?)?;
    let digits = rest.iter().position(|&byte| byte == b' ').unwrap_or(rest.len());
    let (inode, padded) = rest.split_at(digits);
    let inode = decimal(inode)?;
    let path = padded.trim_ascii_start();
    let undeleted = path.strip_suffix(DELETED);
    Some(Mapping {
        span: Span { start, end: (end > start).then_some(end)? },
        is_readable: readable == b'r',
        is_writable: writable == b'w',
        is_executable: executable == b'x',
        offset,
        device: (major << 32) | (minor & 0xffff_ffff),
        inode,
        path: undeleted.unwrap_or(path),
        is_deleted: undeleted.is_some(),
    })
}

/// Signal-safe. Gives `visit` every mapping of a text that `read` fills pieces of `buffer` with; 0 bytes are its end.
///
/// A buffer of a page holds the longest lines that occur; it needs at least the hundred bytes before a path.
///
/// # Errors
/// The first error of `read`; what came before it has been visited.
pub fn each<E>(
    buffer: &mut [u8],
    mut read: impl FnMut(&mut [u8]) -> Result<usize, E>,
    mut visit: impl FnMut(&Mapping<'_>),
) -> Result<(), E> {
    let mut held = 0;
    let mut is_cut = false; // The beginning of this line has been given out, and the rest of it is passed over.
    loop {
        let count = read(&mut buffer[held..])?.min(buffer.len() - held);
        held += count;
        let mut begin = 0;
        while let Some(length) = buffer[begin..held].iter().position(|&byte| byte == b'\n') {
            let line = &buffer[begin..begin + length];
            if let Some(mapping) = parse(line).filter(|_| !is_cut) {
                visit(&mapping);
            }
            begin += length + 1;
            is_cut = false;
        }
        let is_last = count == 0;
        let is_full = begin == 0 && held == buffer.len();
        if (is_last || is_full) && held > begin {
            if let Some(mapping) = parse(&buffer[begin..held]).filter(|_| !is_cut) {
                visit(&mapping);
            }
            (begin, is_cut) = (held, true);
        }
        if is_last {
            return Ok(());
        }
        buffer.copy_within(begin..held, 0);
        held -= begin;
    }
}

/// Takes what comes before `end` off `rest`, and `end` itself.
fn field<'a>(rest: &mut &'a [u8], end: u8) -> Option<&'a [u8]> {
    let length = rest.iter().position(|&byte| byte == end)?;
    let (field, after) = rest.split_at(length);
    *rest = &after[1..];
    Some(field)
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    number(digits, 16)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    number(digits, 10)
}

fn number(digits: &[u8], base: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |value, &digit| {
        let digit = char::from(digit).to_digit(base)?;
        value.checked_mul(u64::from(base))?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    const TEXT: &str = "\
55d0c0de0000-55d0c0de1000 r--p 00000000 fe:01 1311                       /usr/bin/thing
55d0c0de1000-55d0c0de2000 r-xp 00001000 fe:01 1311                       /usr/bin/thing
7f0000000000-7f0000021000 rw-p 00000000 00:00 0 
7f1000000000-7f1000001000 r-xs 00002000 00:1f 18446744073709551615       /tmp/a b (deleted)
7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0                          [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
";

    /// All mappings of `text`, read in pieces of `piece` bytes through a buffer of `size`.
    fn all(text: &[u8], size: usize, piece: usize) -> Vec<(Span, u64, Vec<u8>)> {
        let (mut rest, mut found) = (text, Vec::new());
        let read = |into: &mut [u8]| {
            let count = rest.len().min(piece).min(into.len());
            into[..count].copy_from_slice(&rest[..count]);
            rest = &rest[count..];
            Ok::<_, Infallible>(count)
        };
        let keep = |mapping: &Mapping<'_>| found.push((mapping.span, mapping.inode, mapping.path.to_vec()));
        each(&mut vec![0; size], read, keep).unwrap();
        found
    }

    #[test]
    fn a_line_says_everything() {
        let mapping = parse(TEXT.lines().nth(3).unwrap().as_bytes()).unwrap();
        let expected = Mapping {
            span: Span { start: 0x7f10_0000_0000, end: 0x7f10_0000_1000 },
            is_readable: true,
            is_writable: false,
            is_executable: true,
            offset: 0x2000,
            device: 0x1f,
            inode: u64::MAX,
            path: b"/tmp/a b",
            is_deleted: true,
        };
        assert_eq!(mapping, expected);
        assert_eq!(parse(TEXT.as_bytes()).unwrap().device, 0xfe_0000_0001);
    }

    #[test]
    fn what_is_no_line_is_passed_over() {
        for line in ["", "-", "1-2", "2-1 r-xp 0 0:0 0", "1-2 r-x 0 0:0 0", "1-2 r-xp 0 0:0 ", "1-g r-xp 0 0:0 0"] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
        assert!(parse(b"1-2 r-xp 0 0:0 0").is_some());
        assert_eq!(parse(b"1-10000000000000000 r-xp 0 0:0 0"), None);
        assert_eq!(all(b"nonsense\n1-2 r-xp 0 0:0 0\n\n", 100, 100).len(), 1);
    }

    #[test]
    fn pieces_make_the_same_lines() {
        let whole = all(TEXT.as_bytes(), 4096, 4096);
        assert_eq!(whole.len(), 6);
        assert_eq!(whole[5].0, Span { start: 0xffff_ffff_ff60_0000, end: 0xffff_ffff_ff60_1000 });
        for (size, piece) in [(100, 1), (100, 7), (100, 100), (128, 64), (4096, 13)] {
            assert_eq!(all(TEXT.as_bytes(), size, piece), whole, "{size} {piece}");
        }
    }

    #[test]
    fn a_long_line_loses_the_end_of_its_path() {
        let line =
            "1000-2000 r-xp 00000000 fe:01 1311 /".to_owned() + &"long".repeat(100) + "\n2000-3000 r--p 0 0:0 0\n";
        let found = all(line.as_bytes(), 64, 64);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].2.len(), 64 - 35);
        assert_eq!(found[1].0.start, 0x2000);
    }

    #[test]
    fn a_text_that_ends_in_the_middle_gives_what_it_has() {
        assert_eq!(all(b"1000-2000 r-xp 00000000 fe:01 1311 /usr/bi", 100, 100)[0].2, b"/usr/bi");
    }

    #[test]
    fn our_own_mappings_are_found() {
        let text = std::fs::read("/proc/self/maps").unwrap();
        let here = our_own_mappings_are_found as fn() as usize as u64;
        assert!(all(&text, 4096, 4096).iter().any(|(span, inode, _)| span.contains(here) && *inode != 0));
    }
}
