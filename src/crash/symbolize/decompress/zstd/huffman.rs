//! Literals: Huffman codes of at most eleven bits, in one stream or in four that are decoded at once (RFC 8878, 4.2).

use super::super::Error;
use super::bits::Bits;
use super::fse::{Counts, Table};

const LOG_MAX: u32 = 11;

/// The codes: for any eleven bits, the symbol that they begin with and the length of its code above it.
pub(super) struct Codes {
    entries: [u16; 1 << LOG_MAX],
    log: u32,
}

impl Codes {
    pub(super) const fn new() -> Self {
        Self { entries: [0; 1 << LOG_MAX], log: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.log = 0;
    }

    pub(super) fn is_set(&self) -> bool {
        self.log > 0
    }

    /// Reads the description of the codes; the value is how many bytes it took. `table` is used for a moment.
    pub(super) fn read(&mut self, data: &[u8], table: &mut Table) -> Result<usize, Error> {
        let header = usize::from(*data.first().ok_or(Error::Truncated)?);
        let mut weights = [0u8; 256];
        let (count, length) = if header < 128 {
            let coded = data.get(1..1 + header).ok_or(Error::Truncated)?;
            (coded_weights(coded, &mut weights, table)?, 1 + header)
        } else {
            let count = header - 127;
            let bytes = data.get(1..1 + count.div_ceil(2)).ok_or(Error::Truncated)?;
            for (index, weight) in weights[..count].iter_mut().enumerate() {
                *weight = if index % 2 == 0 { bytes[index / 2] >> 4 } else { bytes[index / 2] & 15 };
            }
            (count, 1 + bytes.len())
        };
        self.build(&mut weights, count)?;
        Ok(length)
    }

    /// Makes the table from the weights of all symbols but the last, whose weight completes it.
    fn build(&mut self, weights: &mut [u8; 256], count: usize) -> Result<(), Error> {
        self.log = 0;
        let mut sum = 0u32;
        for &weight in &weights[..count] {
            if u32::from(weight) > LOG_MAX {
                return Err(Error::Corrupt);
            }
            sum += (1u32 << weight) >> 1;
        }
        if sum == 0 || count >= 256 {
            return Err(Error::Corrupt);
        }
        let log = sum.ilog2() + 1;
        let rest = (1u32 << log) - sum;
        if log > LOG_MAX || !rest.is_power_of_two() {
            return Err(Error::Corrupt);
        }
        weights[count] = rest.ilog2() as u8 + 1;
        let mut place = 0usize;
        for weight in 1..=log as u8 {
            let entry = u16::from(log as u8 + 1 - weight) << 8;
            for (symbol, _) in weights[..=count].iter().enumerate().filter(|(_, its)| **its == weight) {
                let end = place + (1usize << (weight - 1));
                self.entries.get_mut(place..end).ok_or(Error::Corrupt)?.fill(entry | symbol as u16);
                place = end;
            }
        }
        if place != 1 << log {
            return Err(Error::Corrupt);
        }
        self.log = log;
        Ok(())
    }

    #[inline(always)]
    fn symbol(&self, bits: &mut Bits<'_>, shift: u32) -> u8 {
        let entry = self.entries[bits.peek(shift) & ((1 << LOG_MAX) - 1)];
        bits.pass(u32::from(entry >> 8));
        entry as u8
    }

    /// Decodes one stream until `out` is full, from where it is; it has to end there.
    fn rest(&self, bits: &mut Bits<'_>, out: &mut [u8]) -> Result<(), Error> {
        let shift = 64 - self.log;
        for five in out.chunks_mut(5) {
            bits.refill();
            for byte in five {
                *byte = self.symbol(bits, shift);
            }
            if bits.is_overrun() {
                return Err(Error::Corrupt);
            }
        }
        if bits.is_finished() { Ok(()) } else { Err(Error::Corrupt) }
    }

    /// Decodes a single stream.
    pub(super) fn one(&self, data: &[u8], out: &mut [u8]) -> Result<(), Error> {
        self.rest(&mut Bits::new(data)?, out)
    }

    /// Decodes four streams, each for a quarter of `out`. In turns: the processor works on them at the same time.
    pub(super) fn four(&self, data: &[u8], out: &mut [u8]) -> Result<(), Error> {
        let (jumps, data) = data.split_first_chunk::<6>().ok_or(Error::Corrupt)?;
        let length = |index: usize| usize::from(u16::from_le_bytes([jumps[index], jumps[index + 1]]));
        let (a, data) = data.split_at_checked(length(0)).ok_or(Error::Corrupt)?;
        let (b, data) = data.split_at_checked(length(2)).ok_or(Error::Corrupt)?;
        let (c, d) = data.split_at_checked(length(4)).ok_or(Error::Corrupt)?;
        let (mut a, mut b, mut c, mut d) = (Bits::new(a)?, Bits::new(b)?, Bits::new(c)?, Bits::new(d)?);
        let quarter = out.len().div_ceil(4);
        let (out_a, out) = out.split_at_mut_checked(quarter).ok_or(Error::Corrupt)?;
        let (out_b, out) = out.split_at_mut_checked(quarter).ok_or(Error::Corrupt)?;
        let (out_c, out_d) = out.split_at_mut_checked(quarter).ok_or(Error::Corrupt)?;
        let rounds = out_d.len() / 5;
        let shift = 64 - self.log;
        let fives = out_a.chunks_exact_mut(5).zip(out_b.chunks_exact_mut(5));
        let fives = fives.zip(out_c.chunks_exact_mut(5).zip(out_d.chunks_exact_mut(5)));
        for ((five_a, five_b), (five_c, five_d)) in fives {
            a.refill();
            b.refill();
            c.refill();
            d.refill();
            for index in 0..5 {
                five_a[index] = self.symbol(&mut a, shift);
                five_b[index] = self.symbol(&mut b, shift);
                five_c[index] = self.symbol(&mut c, shift);
                five_d[index] = self.symbol(&mut d, shift);
            }
        }
        // Overruns are found here: a stream that is past its beginning stays there.
        self.rest(&mut a, &mut out_a[rounds * 5..])?;
        self.rest(&mut b, &mut out_b[rounds * 5..])?;
        self.rest(&mut c, &mut out_c[rounds * 5..])?;
        self.rest(&mut d, &mut out_d[rounds * 5..])
    }
}

/// Weights that are themselves coded, by two states in turns until the bits are used up.
fn coded_weights(data: &[u8], weights: &mut [u8; 256], table: &mut Table) -> Result<usize, Error> {
    let (counts, length) = Counts::read(data, 16, 6)?;
    table.build(&counts, |symbol| (symbol as u32, 0))?;
    table.clear(); // It is not one for sequences.
    let mut bits = Bits::new(data.get(length..).ok_or(Error::Corrupt)?)?;
    let mut states = [table.start(&mut bits), table.start(&mut bits)];
    let mut count = 0;
    let mut turn = 0;
    loop {
        let entry = table.at(states[turn]);
        *weights.get_mut(count).ok_or(Error::Corrupt)? = entry.base as u8;
        count += 1;
        states[turn] = entry.follow(&mut bits);
        bits.refill();
        turn ^= 1;
        if bits.is_overrun() {
            break;
        }
    }
    *weights.get_mut(count).ok_or(Error::Corrupt)? = table.at(states[turn]).base as u8;
    if count + 1 > 255 { Err(Error::Corrupt) } else { Ok(count + 1) }
}
