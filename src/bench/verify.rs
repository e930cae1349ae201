//! Whether what came out is what went in: each item once, none lost, none made up, those of one producer in order.
//!
//! An item is a number that tells who made it and as which ([`Item`]). There are two ways to check.
//!
//! Inside a measured run every consumer compares an item with the last that it got of the same producer, counts it and
//! adds it up, mixed ([`Taken`]); [`settle`] then compares the sums of both sides. That costs a nanosecond or two an item
//! and finds lost, doubled and made-up items with certainty but for one in 2^64, though not which they were; an item
//! out of order it can name.
//!
//! Outside of measured runs every consumer writes down all that it got, and [`examine`] goes through it: it names the
//! items.
//!
//! Order means this, and no more: of one producer's items, each consumer gets those that it gets in the order they were
//! made. A queue that is first in, first out cannot do otherwise, whatever the threads' luck. That it also
//! keeps the order between producers takes the times of every operation to see, and is not looked at here. Of a stack the
//! reverse can be said only of a stretch in which nobody puts anything in, and that everything taken in it was put in
//! before: which order holds, and from when on, is up to the caller ([`Order`]). All that is checked for another kind of
//! structure, such as a lock, is up to it as well; it says what it found as [`Fault::Wrong`].

use super::random::mix;
use std::fmt;

const NUMBER_BITS: u32 = 40;

/// What goes through the structure under test: the number `sequence`, from 1, of producer `producer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// Who made it.
    pub producer: u32,
    /// As which, from 1.
    pub sequence: u64,
}

/// In which order a consumer has to get what one producer made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The earlier first: of a queue, always.
    #[default]
    Rising,
    /// The later first: of a stack, while nobody puts anything in.
    Falling,
    /// Nothing can be said.
    Any,
}

/// How a check failed, with the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A consumer got an item before or after another of the same producer, where it should have been the other way round.
    Reordered {
        /// Who got them.
        consumer: usize,
        /// What came at the wrong time.
        item: Item,
        /// What the consumer had before it.
        after: Item,
    },
    /// Items that came out twice: how many, and the first.
    Doubled(u64, Item),
    /// Items that never came out: how many, and the first.
    Lost(u64, Item),
    /// Something came out that nobody put in.
    MadeUp(u64),
    /// The numbers or the sums of what went in and came out differ.
    Unbalanced {
        /// How many went in.
        put: u64,
        /// How many came out.
        taken: u64,
    },
    /// Of the items inside when it was dropped, so many were never dropped.
    Leaked(u64),
    /// Anything else, in words that name the evidence: what was found, and what should have been.
    Wrong(String),
}

/// What a producer has put in so far.
#[derive(Clone, Debug)]
pub struct Put {
    producer: u32,
    sequence: u64,
    sum: u64,
}

/// What a consumer has taken out so far.
#[derive(Clone, Debug)]
pub struct Taken {
    consumer: usize,
    last: Vec<u64>,
    count: u64,
    sum: u64,
    own: u64,
    order: Order,
    fault: Option<Fault>,
}

impl Item {
    /// The item as a number; no two have the same, and none is 0.
    #[inline]
    #[must_use]
    pub fn to_bits(self) -> u64 {
        u64::from(self.producer) << NUMBER_BITS | self.sequence
    }

    /// The item of a number.
    #[inline]
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self { producer: (bits >> NUMBER_BITS) as u32, sequence: bits & ((1 << NUMBER_BITS) - 1) }
    }
}

impl Put {
    /// Nothing yet, of this producer.
    #[must_use]
    pub fn new(producer: usize) -> Self {
        Self { producer: producer as u32, sequence: 0, sum: 0 }
    }

    /// Makes the next item, as a number. It counts as put in.
    #[inline]
    pub fn item(&mut self) -> u64 {
        self.sequence += 1;
        let bits = Item { producer: self.producer, sequence: self.sequence }.to_bits();
        self.sum = self.sum.wrapping_add(mix(bits));
        bits
    }

    /// How many were made.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.sequence
    }
}

impl Taken {
    /// Nothing yet, of this consumer, where so many producers are at work. What it gets of each has to rise.
    #[must_use]
    pub fn new(consumer: usize, producers: usize) -> Self {
        Self { consumer, last: vec![0; producers], count: 0, sum: 0, own: 0, order: Order::Rising, fault: None }
    }

    /// From now on this order holds among the items to come; those before are forgotten.
    pub fn expect(&mut self, order: Order) {
        self.order = order;
        self.last.fill(if order == Order::Rising { 0 } else { u64::MAX });
    }

    /// Takes note of the item with the number `bits`.
    #[inline]
    pub fn note(&mut self, bits: u64) {
        let item = Item::from_bits(bits);
        self.count += 1;
        self.sum = self.sum.wrapping_add(mix(bits));
        self.own += u64::from(item.producer as usize == self.consumer);
        match self.last.get_mut(item.producer as usize) {
            Some(last) if *last < item.sequence && self.order == Order::Rising => *last = item.sequence,
            Some(last) if *last > item.sequence && self.order == Order::Falling => *last = item.sequence,
            Some(_) if self.order == Order::Any => {}
            _ => self.accuse(bits),
        }
    }

    /// How many were taken.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of them the producer of the same number as this consumer had made.
    #[must_use]
    pub fn own(&self) -> u64 {
        self.own
    }

    #[cold]
    fn accuse(&mut self, bits: u64) {
        let item = Item::from_bits(bits);
        let fault = match self.last.get(item.producer as usize) {
            None => Fault::MadeUp(bits),
            Some(&last) if last == item.sequence => Fault::Doubled(1, item),
            Some(&last) => Fault::Reordered {
                consumer: self.consumer,
                item,
                after: Item { producer: item.producer, sequence: last },
            },
        };
        self.fault.get_or_insert(fault);
    }
}

/// Compares what all producers have put in with what all consumers, and whoever emptied the structure at the end, have
/// taken out.
///
/// # Errors
/// The first fault. One that a consumer saw comes before a balance that is wrong.
pub fn settle<'a>(
    put: impl IntoIterator<Item = &'a Put>,
    taken: impl IntoIterator<Item = &'a Taken>,
) -> Result<(), Fault> {
    let sums = put.into_iter().fold((0, 0_u64), |all, one| (all.0 + one.sequence, all.1.wrapping_add(one.sum)));
    let mut found = (0, 0_u64);
    let mut fault = None;
    for one in taken {
        found = (found.0 + one.count, found.1.wrapping_add(one.sum));
        fault = fault.or_else(|| one.fault.clone());
    }
    match fault {
        Some(fault) => Err(fault),
        None if sums == found => Ok(()),
        None => Err(Fault::Unbalanced { put: sums.0, taken: found.0 }),
    }
}

/// Goes through all that every consumer got, in the order it did, where producer `i` has put in `put[i]` items and each
/// consumer has to get them in `order`.
///
/// # Errors
/// Every kind of fault that is found, with its first case.
pub fn examine(put: &[u64], taken: &[Vec<u64>], order: Order) -> Result<(), Vec<Fault>> {
    let mut faults = Vec::new();
    let mut seen: Vec<Vec<u8>> = put.iter().map(|&count| vec![0; count as usize + 1]).collect();
    for (consumer, list) in taken.iter().enumerate() {
        let mut last = vec![if order == Order::Rising { 0 } else { u64::MAX }; put.len()];
        for &bits in list {
            let item = Item::from_bits(bits);
            let slot = seen.get_mut(item.producer as usize).and_then(|slots| slots.get_mut(item.sequence as usize));
            let Some(slot) = slot.filter(|_| item.sequence > 0) else {
                keep_first(&mut faults, Fault::MadeUp(bits));
                continue;
            };
            *slot = slot.saturating_add(1);
            let before = &mut last[item.producer as usize];
            let is_wrong = match order {
                Order::Rising => item.sequence < *before,
                Order::Falling => item.sequence > *before,
                Order::Any => false,
            };
            if is_wrong {
                let after = Item { producer: item.producer, sequence: *before };
                keep_first(&mut faults, Fault::Reordered { consumer, item, after });
            } else {
                *before = item.sequence;
            }
        }
    }
    faults.extend(counted(&seen, |times| times > 1).map(|(count, item)| Fault::Doubled(count, item)));
    faults.extend(counted(&seen, |times| times == 0).map(|(count, item)| Fault::Lost(count, item)));
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

fn keep_first(faults: &mut Vec<Fault>, fault: Fault) {
    let kind = std::mem::discriminant(&fault);
    if !faults.iter().any(|known| std::mem::discriminant(known) == kind) {
        faults.push(fault);
    }
}

/// How many items came out as often as `wanted` says, and the first of them.
fn counted(seen: &[Vec<u8>], wanted: impl Fn(u8) -> bool) -> Option<(u64, Item)> {
    let mut all = seen.iter().enumerate().flat_map(|(producer, slots)| {
        let numbered = slots.iter().enumerate().skip(1);
        let hits = numbered.filter(|(_, times)| wanted(**times));
        hits.map(move |(sequence, _)| Item { producer: producer as u32, sequence: sequence as u64 })
    });
    let first = all.next()?;
    Some((1 + all.count() as u64, first))
}

impl fmt::Display for Item {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "item {} of producer {}", self.sequence, self.producer)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reordered { consumer, item, after } => {
                write!(formatter, "reordered: consumer {consumer} got {item} after item {}", after.sequence)
            }
            Self::Doubled(count, item) => write!(formatter, "doubled: {count} came out again, first {item}"),
            Self::Lost(count, item) => write!(formatter, "lost: {count} never came out, first {item}"),
            Self::MadeUp(bits) => write!(formatter, "made up: {bits:#x} came out, which nobody put in"),
            Self::Unbalanced { put, taken } if put > taken => {
                write!(formatter, "lost: {put} went in and {taken} came out")
            }
            Self::Unbalanced { put, taken } if put < taken => {
                write!(formatter, "doubled or made up: {put} went in and {taken} came out")
            }
            Self::Unbalanced { put, .. } => {
                write!(formatter, "lost and doubled: {put} went in and as many came out, but not the same")
            }
            Self::Wrong(what) => formatter.write_str(what),
            Self::Leaked(count) => write!(formatter, "leaked: {count} of the items inside were never dropped"),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(producer: u32, sequence: u64) -> u64 {
        Item { producer, sequence }.to_bits()
    }

    /// Runs both checks on two producers of three items each, and returns what each says.
    fn check(taken: &[&[u64]]) -> (Option<String>, Vec<String>) {
        let mut producers = [Put::new(0), Put::new(1)];
        for put in &mut producers {
            assert_eq!((0..3).map(|_| put.item()).count(), 3);
        }
        let notes: Vec<_> = taken
            .iter()
            .enumerate()
            .map(|(consumer, list)| {
                let mut note = Taken::new(consumer, 2);
                list.iter().for_each(|&bits| note.note(bits));
                note
            })
            .collect();
        let lists: Vec<_> = taken.iter().map(|list| list.to_vec()).collect();
        let told = examine(&[3, 3], &lists, Order::Rising).err().unwrap_or_default();
        (settle(&producers, &notes).err().map(|fault| fault.to_string()), told.iter().map(Fault::to_string).collect())
    }

    #[test]
    fn what_is_right_passes() {
        let whole: &[&[u64]] = &[&[bits(0, 1), bits(1, 2), bits(0, 3)], &[bits(1, 1), bits(0, 2), bits(1, 3)]];
        assert_eq!(check(whole), (None, vec![]));
    }

    #[test]
    fn a_lost_item_is_found() {
        let (quick, whole) = check(&[&[bits(0, 1), bits(0, 3)], &[bits(1, 1), bits(1, 2), bits(1, 3)]]);
        assert_eq!(quick.unwrap(), "lost: 6 went in and 5 came out");
        assert_eq!(whole, ["lost: 1 never came out, first item 2 of producer 0"]);
    }

    #[test]
    fn a_doubled_item_is_found() {
        let one: &[u64] = &[bits(0, 1), bits(0, 2), bits(0, 2), bits(0, 3)];
        let (quick, whole) = check(&[one, &[bits(1, 1), bits(1, 2), bits(1, 3)]]);
        assert_eq!(quick.unwrap(), "doubled: 1 came out again, first item 2 of producer 0");
        assert_eq!(whole, ["doubled: 1 came out again, first item 2 of producer 0"]);
        let (quick, whole) = check(&[&[bits(0, 1), bits(0, 2), bits(0, 3), bits(1, 1)], &[bits(1, 1), bits(1, 3)]]);
        assert_eq!(quick.unwrap(), "lost and doubled: 6 went in and as many came out, but not the same");
        assert_eq!(whole.len(), 2, "{whole:?}");
    }

    #[test]
    fn an_item_out_of_order_is_found() {
        let (quick, whole) = check(&[&[bits(0, 2), bits(0, 1), bits(0, 3)], &[bits(1, 1), bits(1, 2), bits(1, 3)]]);
        let expected = "reordered: consumer 0 got item 1 of producer 0 after item 2";
        assert_eq!((quick.unwrap().as_str(), whole), (expected, vec![expected.to_owned()]));
    }

    #[test]
    fn a_stack_is_held_to_its_own_order() {
        let mut taken = Taken::new(0, 1);
        let fault = |taken: &Taken| taken.fault.as_ref().map(ToString::to_string);
        taken.expect(Order::Any);
        [1, 3, 2].iter().for_each(|&sequence| taken.note(bits(0, sequence)));
        taken.expect(Order::Falling);
        [9, 8, 4].iter().for_each(|&sequence| taken.note(bits(0, sequence)));
        assert_eq!((taken.count(), fault(&taken)), (6, None));
        taken.note(bits(0, 5));
        assert_eq!(fault(&taken).unwrap(), "reordered: consumer 0 got item 5 of producer 0 after item 4");
        let list = |order| examine(&[3], &[vec![bits(0, 3), bits(0, 1), bits(0, 2)]], order).err().unwrap_or_default();
        assert_eq!((list(Order::Any).len(), list(Order::Falling).len(), list(Order::Rising).len()), (0, 1, 1));
        let twice = examine(&[2], &[vec![bits(0, 2), bits(0, 2), bits(0, 1)]], Order::Falling).unwrap_err();
        assert_eq!(twice, [Fault::Doubled(1, Item { producer: 0, sequence: 2 })]);
    }

    #[test]
    fn an_item_of_nobody_is_found() {
        let whole: &[u64] = &[bits(0, 1), bits(0, 2), bits(0, 3)];
        for odd in [bits(9, 1), bits(0, 4), bits(1, 0)] {
            let (quick, told) = check(&[whole, &[bits(1, 1), odd, bits(1, 2), bits(1, 3)]]);
            assert!(quick.is_some(), "{odd:x}");
            assert!(told[0].starts_with("made up: 0x") || told[0].starts_with("reordered"), "{told:?}");
        }
    }

    #[test]
    fn own_items_are_told_from_foreign_ones() {
        let mut taken = Taken::new(1, 2);
        [bits(0, 1), bits(1, 1), bits(0, 2)].iter().for_each(|&bits| taken.note(bits));
        assert_eq!((taken.count(), taken.own()), (3, 1));
    }
}
