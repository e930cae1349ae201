//! LZMA, as LZMA2 uses it: bits with a probability each, which is that of the bit in the same place before.
//!
//! A decision is literal or match; a match has a length and a distance, perhaps one of the last four. Each of these is a row of
//! bits, and each bit has a probability of its own in [`Models`], which moves by a 32nd towards what came.

use super::super::Error;

/// A probability that a bit is 0, of 2,048.
type Probability = u16;

const EVEN: Probability = 1024;

/// How long a match is: three ranges of lengths, the first two by the position.
struct Lengths {
    is_not_low: Probability,
    is_high: Probability,
    low: [[Probability; 8]; 16],
    middle: [[Probability; 8]; 16],
    high: [Probability; 256],
}

impl Lengths {
    const fn new() -> Self {
        Self { is_not_low: EVEN, is_high: EVEN, low: [[EVEN; 8]; 16], middle: [[EVEN; 8]; 16], high: [EVEN; 256] }
    }
}

/// All probabilities.
struct Models {
    literals: [Probability; 0x300 << 4],
    is_match: [[Probability; 16]; 12],
    is_repeat: [Probability; 12],
    is_other_repeat: [Probability; 12],
    is_third_or_later: [Probability; 12],
    is_fourth: [Probability; 12],
    is_long: [[Probability; 16]; 12],
    slots: [[Probability; 64]; 4],
    distances: [Probability; 128],
    lowest: [Probability; 16],
    match_lengths: Lengths,
    repeat_lengths: Lengths,
}

impl Models {
    const fn new() -> Self {
        Self {
            literals: [EVEN; 0x300 << 4],
            is_match: [[EVEN; 16]; 12],
            is_repeat: [EVEN; 12],
            is_other_repeat: [EVEN; 12],
            is_third_or_later: [EVEN; 12],
            is_fourth: [EVEN; 12],
            is_long: [[EVEN; 16]; 12],
            slots: [[EVEN; 64]; 4],
            distances: [EVEN; 128],
            lowest: [EVEN; 16],
            match_lengths: Lengths::new(),
            repeat_lengths: Lengths::new(),
        }
    }
}

/// What goes on from chunk to chunk.
pub(super) struct Lzma {
    models: Models,
    /// What the last few decisions were: below 7 the last was a literal.
    state: usize,
    /// The last four distances, less one.
    recent: [u32; 4],
    literal_context_bits: u32,
    literal_position_mask: usize,
    position_mask: usize,
}

/// The coded bits.
struct Range<'a> {
    data: core::slice::Iter<'a, u8>,
    range: u32,
    code: u32,
    is_overrun: bool,
}

impl<'a> Range<'a> {
    fn new(data: &'a [u8]) -> Result<Self, Error> {
        let (first, rest) = data.split_first_chunk::<5>().ok_or(Error::Corrupt)?;
        let [0, code @ ..] = *first else { return Err(Error::Corrupt) };
        Ok(Self { data: rest.iter(), range: u32::MAX, code: u32::from_be_bytes(code), is_overrun: false })
    }

    #[inline(always)]
    fn fill(&mut self) {
        if self.range < 1 << 24 {
            let byte = self.data.next().copied();
            self.is_overrun |= byte.is_none();
            self.range <<= 8;
            self.code = (self.code << 8) | u32::from(byte.unwrap_or(0));
        }
    }

    #[inline(always)]
    fn bit(&mut self, probability: &mut Probability) -> usize {
        self.fill();
        let bound = (self.range >> 11) * u32::from(*probability);
        if self.code < bound {
            self.range = bound;
            *probability += (2048 - *probability) >> 5;
            0
        } else {
            self.range -= bound;
            self.code -= bound;
            *probability -= *probability >> 5;
            1
        }
    }

    /// Bits that choose a leaf of a tree, from the root on: a number below the number of leaves.
    #[inline(always)]
    fn tree<const LEAVES: usize>(&mut self, tree: &mut [Probability; LEAVES]) -> usize {
        let mut node = 1;
        while node < LEAVES {
            node = (node << 1) | self.bit(&mut tree[node]);
        }
        node - LEAVES
    }

    /// `count` bits from the lowest on, in the tree that begins at `base`.
    #[inline(always)]
    fn reverse(&mut self, tree: &mut [Probability], base: usize, count: u32) -> u32 {
        let mut node = 1;
        let mut sum = 0;
        for place in 0..count {
            let Some(probability) = tree.get_mut(base + node) else { break };
            let bit = self.bit(probability);
            node = (node << 1) | bit;
            sum |= (bit as u32) << place;
        }
        sum
    }

    /// Bits that are as likely 0 as 1.
    fn direct(&mut self, count: u32) -> u32 {
        let mut sum = 0;
        for _ in 0..count {
            self.fill();
            self.range >>= 1;
            let bit = u32::from(self.code >= self.range);
            self.code -= self.range * bit;
            sum = (sum << 1) | bit;
        }
        sum
    }

    #[inline(always)]
    fn length(&mut self, lengths: &mut Lengths, position: usize) -> usize {
        if self.bit(&mut lengths.is_not_low) == 0 {
            return 2 + self.tree(&mut lengths.low[position & 15]);
        }
        if self.bit(&mut lengths.is_high) == 0 {
            return 10 + self.tree(&mut lengths.middle[position & 15]);
        }
        18 + self.tree(&mut lengths.high)
    }
}

impl Lzma {
    pub(super) const fn new() -> Self {
        Self {
            models: Models::new(),
            state: 0,
            recent: [0; 4],
            literal_context_bits: 0,
            literal_position_mask: 0,
            position_mask: 0,
        }
    }

    /// Forgets what was learnt.
    pub(super) fn reset(&mut self) {
        self.models = const { Models::new() };
        self.state = 0;
        self.recent = [0; 4];
    }

    /// Takes what matters of a position and of the byte before, from their byte in the header of a chunk.
    pub(super) fn set_properties(&mut self, byte: u8) -> Result<(), Error> {
        let (context, position) = (u32::from(byte % 9), u32::from(byte / 9 % 5));
        if byte >= 9 * 5 * 5 || context + position > 4 {
            return Err(Error::Corrupt);
        }
        self.literal_context_bits = context;
        self.literal_position_mask = (1 << position) - 1;
        self.position_mask = (1 << (byte / 45)) - 1;
        Ok(())
    }

    /// Decodes a chunk. `out` is everything since the dictionary was reset, up to the end of the chunk; it is filled up to `at`.
    pub(super) fn chunk(&mut self, data: &[u8], out: &mut [u8], mut at: usize) -> Result<(), Error> {
        let mut range = Range::new(data)?;
        while at < out.len() {
            let position = at & self.position_mask;
            if range.bit(&mut self.models.is_match[self.state][position]) == 0 {
                self.literal(&mut range, out, at)?;
                at += 1;
                continue;
            }
            let is_repeat = range.bit(&mut self.models.is_repeat[self.state]) == 1;
            let length =
                if is_repeat { self.repeat(&mut range, position) } else { self.new_match(&mut range, position) };
            copy(out, at, self.recent[0] as usize, length)?;
            at += length;
            if range.is_overrun {
                return Err(Error::Corrupt);
            }
        }
        range.fill();
        let is_whole = range.code == 0 && range.data.as_slice().is_empty() && !range.is_overrun;
        if is_whole { Ok(()) } else { Err(Error::Corrupt) }
    }

    #[inline(always)]
    fn literal(&mut self, range: &mut Range<'_>, out: &mut [u8], at: usize) -> Result<(), Error> {
        let before = usize::from(if at == 0 { 0 } else { out[at - 1] });
        let by_position = (at & self.literal_position_mask) << self.literal_context_bits;
        let context = by_position + (before >> (8 - self.literal_context_bits));
        let models = self.models.literals.get_mut(0x300 * context..).and_then(|rest| rest.first_chunk_mut::<0x300>());
        let models = models.ok_or(Error::Corrupt)?;
        let mut node = 1;
        if self.state >= 7 {
            // After a match: the byte that it would have gone on with is a hint, up to the first bit that differs.
            let from = at.checked_sub(self.recent[0] as usize + 1).ok_or(Error::Corrupt)?;
            let mut hint = usize::from(out[from]) << 1;
            let mut agrees = 0x100;
            while node < 0x100 {
                let hinted = hint & agrees;
                let bit = range.bit(&mut models[agrees + hinted + node]);
                node = (node << 1) | bit;
                agrees &= if bit == 1 { hint } else { !hint };
                hint <<= 1;
            }
        } else {
            while node < 0x100 {
                node = (node << 1) | range.bit(&mut models[node]);
            }
        }
        out[at] = node as u8;
        self.state = match self.state {
            0..=3 => 0,
            state @ 4..=9 => state - 3,
            state => state - 6,
        };
        Ok(())
    }

    /// A match at one of the last four distances: its length. The distance comes first then.
    #[inline(always)]
    fn repeat(&mut self, range: &mut Range<'_>, position: usize) -> usize {
        let state = self.state;
        let models = &mut self.models;
        if range.bit(&mut models.is_other_repeat[state]) == 0 {
            if range.bit(&mut models.is_long[state][position]) == 0 {
                self.state = if state < 7 { 9 } else { 11 };
                return 1;
            }
        } else if range.bit(&mut models.is_third_or_later[state]) == 0 {
            self.recent.swap(0, 1);
        } else if range.bit(&mut models.is_fourth[state]) == 0 {
            self.recent[..3].rotate_right(1);
        } else {
            self.recent.rotate_right(1);
        }
        self.state = if state < 7 { 8 } else { 11 };
        range.length(&mut models.repeat_lengths, position)
    }

    /// A match at a new distance: its length.
    #[inline(always)]
    fn new_match(&mut self, range: &mut Range<'_>, position: usize) -> usize {
        self.state = if self.state < 7 { 7 } else { 10 };
        let models = &mut self.models;
        let length = range.length(&mut models.match_lengths, position);
        let slot = range.tree(&mut models.slots[(length - 2).min(3)]) as u32;
        let distance = if slot < 4 {
            slot
        } else {
            let bits = (slot >> 1) - 1;
            let base = (2 | (slot & 1)) << bits;
            if slot < 14 {
                // Each slot has a tree of its own, and they lie one behind the other.
                base + range.reverse(&mut models.distances, (base - slot) as usize, bits)
            } else {
                let high = range.direct(bits - 4) << 4;
                base.wrapping_add(high).wrapping_add(range.reverse(&mut models.lowest, 0, 4))
            }
        };
        self.recent = [distance, self.recent[0], self.recent[1], self.recent[2]];
        length
    }
}

/// Copies `length` bytes from `distance` and one further back.
#[inline(always)]
fn copy(out: &mut [u8], at: usize, distance: usize, length: usize) -> Result<(), Error> {
    let back = distance + 1;
    let from = at.checked_sub(back).ok_or(Error::Corrupt)?;
    let both = out.get_mut(from..at + length).ok_or(Error::Corrupt)?;
    if back >= length {
        let (old, new) = both.split_at_mut(back);
        if length >= 16 {
            new.copy_from_slice(&old[..length]);
        } else {
            // A call takes longer than these few bytes.
            for (to, from) in new.iter_mut().zip(old) {
                *to = *from;
            }
        }
    } else {
        for index in back..both.len() {
            both[index] = both[index - back];
        }
    }
    Ok(())
}
