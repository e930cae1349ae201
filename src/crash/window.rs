//! A piece of memory that was read at once, and reading from it number by number.
//!
//! Reading another process, and our own by system call, costs the same for a word as for a kilobyte. So a [`Window`] reads
//! what lies around an address and answers its neighbours from that. It never reaches over the end of a page: what is
//! readable ends with a page, and a word must not be lost because something behind it is missing. A number that lies
//! across the end of the window, or whose window cannot be had, is read by itself.
//!
//! A [`Cursor`] goes through the bytes of a table that way. It refuses to go past its end.

use super::memory::{Memory, Unreadable};

/// Pages are at least as large as this.
const PAGE: u64 = 4096;

/// Windows begin at multiples of this.
const LINE: u64 = 64;

/// Bytes of memory that were read at once.
#[derive(Debug)]
pub(super) struct Window<const SIZE: usize> {
    base: u64,
    length: usize,
    bytes: [u8; SIZE],
}

impl<const SIZE: usize> Window<SIZE> {
    pub(super) const fn new() -> Self {
        Self { base: 0, length: 0, bytes: [0; SIZE] }
    }

    /// Signal-safe. Forgets what was read: it may be of another memory, or have changed.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// Signal-safe. The `N` bytes at `address`.
    #[inline]
    pub(super) fn read<const N: usize>(&mut self, memory: &dyn Memory, address: u64) -> Result<[u8; N], Unreadable> {
        if let Some(bytes) = self.held(address) {
            return Ok(bytes);
        }
        self.load(memory, address);
        self.read_alone(memory, address)
    }

    /// Signal-safe. The same without moving the window: for places whose neighbours are of no interest.
    pub(super) fn read_alone<const N: usize>(&self, memory: &dyn Memory, address: u64) -> Result<[u8; N], Unreadable> {
        if let Some(bytes) = self.held(address) {
            return Ok(bytes);
        }
        let mut bytes = [0; N];
        memory.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Signal-safe. The eight bytes at `address`.
    #[inline]
    pub(super) fn word(&mut self, memory: &dyn Memory, address: u64) -> Result<u64, Unreadable> {
        self.read(memory, address).map(u64::from_ne_bytes)
    }

    #[inline]
    fn held<const N: usize>(&self, address: u64) -> Option<[u8; N]> {
        let offset = usize::try_from(address.wrapping_sub(self.base)).ok()?;
        let end = offset.checked_add(N).filter(|end| *end <= self.length)?;
        self.bytes.get(offset..end)?.try_into().ok()
    }

    /// Moves to `address`, a little before it: saved registers lie below the return address that is asked for first.
    #[cold]
    fn load(&mut self, memory: &dyn Memory, address: u64) {
        let page = address - address % PAGE;
        let base = (address - address % LINE).saturating_sub(LINE).max(page);
        let length = (page + (PAGE - 1) - base + 1).min(SIZE as u64) as usize;
        let is_read = memory.read(base, &mut self.bytes[..length]).is_ok();
        (self.base, self.length) = (base, if is_read { length } else { 0 });
    }
}

/// How many bytes of a table are read at once.
pub(super) const TABLE: usize = 512;

/// A place in a table, and where that ends.
pub(super) struct Cursor<'a> {
    memory: &'a dyn Memory,
    window: &'a mut Window<TABLE>,
    /// The address of the next byte.
    pub(super) at: u64,
    /// The address behind the last one.
    pub(super) end: u64,
    /// Whether it jumps about, so that the window stays where it is.
    pub(super) is_jumping: bool,
}

impl<'a> Cursor<'a> {
    /// Signal-safe. From `at` to `end` in `memory`. What `window` holds has to be from there.
    pub(super) fn new(memory: &'a dyn Memory, window: &'a mut Window<TABLE>, at: u64, end: u64) -> Self {
        Self { memory, window, at, end, is_jumping: false }
    }

    /// Signal-safe. Whether there is nothing more.
    pub(super) fn is_done(&self) -> bool {
        self.at >= self.end
    }

    /// Signal-safe. The next `N` bytes; none when they are not there.
    #[inline]
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let after = self.at.checked_add(N as u64).filter(|after| *after <= self.end)?;
        let bytes = match self.is_jumping {
            true => self.window.read_alone(self.memory, self.at),
            false => self.window.read(self.memory, self.at),
        };
        let bytes = bytes.ok()?;
        self.at = after;
        Some(bytes)
    }

    /// Signal-safe. One byte.
    #[inline]
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    /// Signal-safe. Two bytes.
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_le_bytes)
    }

    /// Signal-safe. Four bytes.
    #[inline]
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    /// Signal-safe. Eight bytes.
    pub(super) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// Signal-safe. Goes over `count` bytes.
    pub(super) fn skip(&mut self, count: u64) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|after| *after <= self.end)?;
        Some(())
    }

    /// Signal-safe. An unsigned number in as many bytes as it takes (LEB128); none when it does not fit 64 bits.
    pub(super) fn unsigned(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift > 63 || (shift == 63 && bits > 1) {
                return None;
            }
            value |= bits << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
    }

    /// Signal-safe. A signed number in as many bytes as it takes (LEB128); none when it does not fit 64 bits.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if shift > 63 || (shift == 63 && bits != 0 && bits != 0x7f) {
                return None;
            }
            value |= bits << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                let is_negative = byte & 0x40 != 0 && shift < 64;
                return Some(if is_negative { value | u64::MAX << shift } else { value } as i64);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Slices;
    use super::*;
    use std::cell::Cell;

    /// Counts how often it is read.
    struct Counted<'a>(Slices<'a>, Cell<usize>);

    impl Memory for Counted<'_> {
        fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
            self.1.set(self.1.get() + 1);
            self.0.read(address, into)
        }
    }

    #[test]
    fn neighbours_are_read_at_once() {
        let bytes: Vec<u8> = (0..8192_u32).map(|index| (index / 8) as u8).collect();
        let slices = [(0x10000, &bytes[..])];
        let memory = Counted(Slices(&slices), Cell::new(0));
        let mut window = Window::<512>::new();
        for address in (0x10100..0x10200).step_by(8) {
            assert_eq!(window.word(&memory, address), Ok(((address & 0xfff) / 8) * 0x0101_0101_0101_0101));
        }
        assert_eq!(memory.1.get(), 1);
        assert_eq!(window.word(&memory, 0x100f8).map(|word| word as u8), Ok(0x1f)); // A little before the first.
        assert_eq!(memory.1.get(), 1);
    }

    #[test]
    fn what_lies_across_the_end_of_a_page_is_read_by_itself() {
        let bytes = [7; 8192];
        let slices = [(0x10000, &bytes[..])];
        let mut window = Window::<512>::new();
        assert_eq!(window.word(&Slices(&slices), 0x10ffc), Ok(0x0707_0707_0707_0707));
        assert_eq!(window.word(&Slices(&slices), 0x11ff8), Ok(0x0707_0707_0707_0707));
        assert_eq!(window.word(&Slices(&slices), 0x11ffc), Err(Unreadable));
        assert_eq!(window.word(&Slices(&slices), u64::MAX - 3), Err(Unreadable));
        assert_eq!(window.word(&Slices(&slices), u64::MAX), Err(Unreadable));
        assert_eq!(window.word(&Slices(&slices), 0), Err(Unreadable));
    }

    #[test]
    fn nothing_is_lost_where_the_window_cannot_be_had() {
        let bytes = [7; 20];
        let slices = [(0x10010, &bytes[..])]; // The page around it is not all there.
        let mut window = Window::<512>::new();
        assert_eq!(window.word(&Slices(&slices), 0x10010), Ok(0x0707_0707_0707_0707));
        assert_eq!(window.word(&Slices(&slices), 0x1001c), Ok(0x0707_0707_0707_0707));
        assert_eq!(window.word(&Slices(&slices), 0x1001d), Err(Unreadable));
    }

    fn numbers<T>(bytes: &[u8], read: impl Fn(&mut Cursor<'_>) -> Option<T>) -> Option<T> {
        let mut window = Window::new();
        let slices = [(0x1000, bytes)];
        let memory = Slices(&slices);
        let mut cursor = Cursor::new(&memory, &mut window, 0x1000, 0x1000 + bytes.len() as u64);
        read(&mut cursor)
    }

    #[test]
    fn numbers_of_any_length() {
        assert_eq!(numbers(&[0xe5, 0x8e, 0x26], |cursor| cursor.unsigned()), Some(624_485));
        assert_eq!(numbers(&[0xc0, 0xbb, 0x78], |cursor| cursor.signed()), Some(-123_456));
        assert_eq!(numbers(&[0x80], |cursor| cursor.unsigned()), None);
        let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(numbers(&most, |cursor| cursor.unsigned()), Some(u64::MAX));
        let least = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f];
        assert_eq!(numbers(&least, |cursor| cursor.signed()), Some(i64::MIN));
        assert_eq!(numbers(&[0xff; 12], |cursor| cursor.unsigned()), None);
        assert_eq!(numbers(&[0xff; 12], |cursor| cursor.signed()), None);
    }

    #[test]
    fn a_cursor_stops_at_its_end() {
        assert_eq!(numbers(&[1, 2, 3], |cursor| cursor.u32()), None);
        assert_eq!(numbers(&[1, 2, 3, 4], |cursor| cursor.skip(2).and_then(|()| cursor.u16())), Some(0x0403));
        assert_eq!(numbers(&[1, 2], |cursor| cursor.skip(u64::MAX)), None);
    }
}
