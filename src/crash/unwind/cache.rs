//! Rows that were used before, by address.
//!
//! A recursion asks for the same few rows over and over. Finding one costs a search, the reading of two records and their
//! programs; most come to the same simple form, in which every register that was saved lies at a fixed distance from
//! where the frame begins. These are kept, together with the knowledge that there is no table. A place is chosen by the
//! address, and the last one to come has it.

use super::row::{Cfa, Row, Rule};

/// How many rows are kept: a power of two.
const PLACES: usize = 64;

/// As many registers as a function has to preserve, and a few more.
const MOST_SAVED: usize = 13;

/// A row whose values all lie in the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simple {
    /// The frame begins so far from what this register holds.
    pub(super) register: u8,
    pub(super) offset: i32,
    pub(super) return_register: u8,
    pub(super) is_signal: bool,
    pub(super) is_signed: bool,
    count: u8,
    registers: [u8; MOST_SAVED],
    offsets: [i32; MOST_SAVED],
}

impl Simple {
    const EMPTY: Self = Self {
        register: 0,
        offset: 0,
        return_register: 0,
        is_signal: false,
        is_signed: false,
        count: 0,
        registers: [0; MOST_SAVED],
        offsets: [0; MOST_SAVED],
    };

    /// Signal-safe. The simple form of `row`; none when it has no such.
    pub(super) fn of(row: &Row, return_register: u16, is_signal: bool) -> Option<Self> {
        let Cfa::Offset(register, offset) = row.cfa else { return None };
        let mut simple = Self {
            register: register.try_into().ok()?,
            offset: offset.try_into().ok()?,
            return_register: return_register.try_into().ok()?,
            is_signal,
            is_signed: row.is_signed,
            ..Self::EMPTY
        };
        for (number, rule) in row.rules.iter().enumerate() {
            match rule {
                Rule::Unspecified | Rule::Same => {}
                Rule::Offset(offset) => simple.add(number, *offset)?,
                _ => return None,
            }
        }
        Some(simple)
    }

    fn add(&mut self, register: usize, offset: i64) -> Option<()> {
        let place = usize::from(self.count);
        *self.offsets.get_mut(place)? = offset.try_into().ok()?;
        *self.registers.get_mut(place)? = register.try_into().ok()?;
        self.count += 1;
        Some(())
    }

    /// Signal-safe. The registers that were saved, and how far from the frame's beginning.
    pub(super) fn saved(&self) -> impl Iterator<Item = (u16, i64)> {
        let both = self.registers.iter().zip(&self.offsets).take(usize::from(self.count));
        both.map(|(register, offset)| (u16::from(*register), i64::from(*offset)))
    }
}

/// What is known for an address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Known {
    /// Its row.
    Row(Simple),
    /// That it is in code without a table.
    NoTable,
}

/// Rows by address.
#[derive(Debug)]
pub(super) struct Cache {
    addresses: [u64; PLACES],
    known: [Known; PLACES],
}

/// No code lies here.
const NOWHERE: u64 = u64::MAX;

impl Cache {
    pub(super) const fn new() -> Self {
        Self { addresses: [NOWHERE; PLACES], known: [Known::NoTable; PLACES] }
    }

    /// Signal-safe. Forgets everything.
    pub(super) fn clear(&mut self) {
        self.addresses = [NOWHERE; PLACES];
    }

    /// Signal-safe. What is known for `address`.
    #[inline]
    pub(super) fn get(&self, address: u64) -> Option<&Known> {
        let place = place(address);
        (self.addresses[place] == address && address != NOWHERE).then(|| &self.known[place])
    }

    /// Signal-safe. Keeps what is known for `address`, in place of what was there.
    pub(super) fn keep(&mut self, address: u64, known: Known) {
        let place = place(address);
        (self.addresses[place], self.known[place]) = (address, known);
    }
}

/// Neighbouring calls of one function should not meet: the product mixes all bits into the upper ones.
fn place(address: u64) -> usize {
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACES.ilog2())) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Row {
        let mut rules = [Rule::Unspecified; super::super::super::registers::COUNT];
        (rules[3], rules[6], rules[16]) = (Rule::Offset(-24), Rule::Offset(-16), Rule::Offset(-8));
        Row { cfa: Cfa::Offset(7, 32), rules, is_signed: false }
    }

    #[test]
    fn a_simple_row_keeps_what_it_says() {
        let simple = Simple::of(&row(), 16, false).unwrap();
        assert_eq!((simple.register, simple.offset, simple.return_register), (7, 32, 16));
        assert_eq!(simple.saved().collect::<Vec<_>>(), [(3, -24), (6, -16), (16, -8)]);
    }

    #[test]
    fn what_is_not_simple_is_not_kept() {
        let with = |rule| {
            let mut row = row();
            row.rules[12] = rule;
            Simple::of(&row, 16, false)
        };
        assert!(with(Rule::Same).is_some());
        for rule in
            [Rule::Undefined, Rule::ValueOffset(8), Rule::Register(3), Rule::Expression(9), Rule::Offset(1 << 40)]
        {
            assert!(with(rule).is_none(), "{rule:?}");
        }
        assert!(Simple::of(&Row { cfa: Cfa::Expression(9), ..row() }, 16, false).is_none());
        assert!(Simple::of(&Row { rules: [Rule::Offset(-8); 17], ..row() }, 16, false).is_none());
    }

    #[test]
    fn the_last_to_come_has_the_place() {
        let mut cache = Cache::new();
        assert!(cache.get(NOWHERE).is_none());
        for address in 0..1000 {
            cache.keep(address, Known::NoTable);
            assert!(cache.get(address).is_some());
        }
        let kept = (0..1000).filter(|address| cache.get(*address).is_some()).count();
        assert!((PLACES / 2..=PLACES).contains(&kept), "{kept}");
        cache.clear();
        assert!((0..1000).all(|address| cache.get(address).is_none()));
    }
}
