//! Queues and stacks on the stage of [`toolbox::bench::freeze`]: what one thread is frozen in, and what the others then do.
//!
//! The victim puts one item in or takes one out. The others do a thousand and more of both: pairs first; then all
//! put in so many that every structure here comes to several new blocks or to new memory; then all take out until there
//! is nothing left. What they have put in they must be able to take out, but for one item that a frozen pop may hold. When
//! the victim has finished as well, everything is taken out and added up: as much as was put in, and the same.
//!
//! Most operations are alike, and now and then one is not: it allocates a block, moves to the next, frees one. Which that is
//! is nobody's business but the structure's, so it is looked for: the operations of a fresh structure are timed one by
//! one, again and again, and the slowest are proposed ([`ask`]).

use super::Bag;
use std::cmp::Reverse;
use std::hint::black_box;
use std::io;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;
use toolbox::bench::freeze::{Piece, Scene, play};
use toolbox::bench::random::mix;

/// What the victim does, by the place in [`Piece::operations`].
pub(in crate::bench) const OPERATIONS: [&str; 2] = ["push", "pop"];
const POP: u64 = 1;

/// Pairs that each of the others does.
const PAIRS: u64 = 100;
/// Items that each of the others then puts in.
const BURST: u64 = 1000;
const OTHERS: usize = 2;
/// Who makes items, other than the threads with numbers from 0.
const VICTIM: u64 = 100;
const MAKER: u64 = 101;

/// How many operations of a fresh structure are timed in search of the slow ones, how often, and how many are proposed.
const SEARCHED: u64 = 2000;
const TIMES: usize = 15;
const PROPOSED: usize = 6;
/// Items inside while pops are timed.
const FEW: usize = 3;

/// What has been done to a structure when the victim comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bench) struct Before {
    /// Items that went in and out.
    pub(in crate::bench) passed: u64,
    /// Items that then went in.
    pub(in crate::bench) inside: u64,
}

/// The victim's operation on a structure of which this is known.
pub(in crate::bench) fn scene(operation: usize, before: Before) -> Scene {
    Scene { operation, numbers: vec![operation as u64, before.passed, before.inside] }
}

/// What is tried with every structure, by the operation's place.
pub(in crate::bench) fn always() -> Vec<(usize, Before)> {
    let before = |passed, inside| Before { passed, inside };
    vec![(0, before(0, 0)), (0, before(0, 3)), (1, before(0, 0)), (1, before(0, 1)), (1, before(0, 3))]
}

/// A question after operations that are not like the others.
pub(in crate::bench) struct Search {
    /// What [`ask`] is told.
    pub(in crate::bench) question: u64,
    /// The operation that it is about.
    pub(in crate::bench) operation: usize,
    /// What a number in the answer stands for.
    pub(in crate::bench) meaning: fn(u64) -> Before,
}

/// All such questions.
pub(in crate::bench) fn searches() -> [Search; 3] {
    [
        Search { question: 0, operation: 0, meaning: |number| Before { passed: 0, inside: number } },
        Search { question: 1, operation: 0, meaning: |number| Before { passed: number, inside: 0 } },
        Search { question: 2, operation: 1, meaning: |number| Before { passed: number, inside: FEW as u64 } },
    ]
}

/// Plays the piece of this structure for whoever holds the other ends of the standard streams.
///
/// # Errors
/// When they cannot be used.
pub(super) fn perform<Q: Bag<u64> + 'static>() -> io::Result<()> {
    let piece = const {
        &Piece {
            operations: &[push_once::<Q>, pop_once::<Q>],
            others: OTHERS,
            make: make::<Q>,
            work: work::<Q>,
            withheld: withheld::<Q>,
            settle: settle::<Q>,
            ask: ask::<Q>,
        }
    };
    play(piece, io::stdin(), io::stdout())
}

/// A structure, and what is known to have gone in and come out.
struct Bout<Q> {
    bag: Q,
    /// Whether the victim takes out.
    is_pop: bool,
    put: Sum,
    taken: Sum,
    /// The same of the victim, who is frozen at times.
    victim_put: Sum,
    victim_taken: Sum,
}

/// How many items, and which.
#[derive(Default)]
struct Sum {
    count: AtomicU64,
    bits: AtomicU64,
}

impl Sum {
    /// Relaxed, as all of it: what is added up is read when the threads have said through a channel that they are done.
    fn add(&self, count: u64, bits: u64) {
        self.count.fetch_add(count, Relaxed);
        self.bits.fetch_add(bits, Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (self.count.load(Relaxed), self.bits.load(Relaxed))
    }
}

/// The item that `who` makes as its `number`th.
fn item(who: u64, number: u64) -> u64 {
    who << 32 | number
}

#[inline(never)]
fn push_once<Q: Bag<u64>>(bout: &Bout<Q>) {
    if bout.bag.push(item(VICTIM, 0)).is_ok() {
        bout.victim_put.add(1, mix(item(VICTIM, 0)));
    }
}

#[inline(never)]
fn pop_once<Q: Bag<u64>>(bout: &Bout<Q>) {
    if let Some(item) = bout.bag.pop() {
        bout.victim_taken.add(1, mix(item));
    }
}

fn make<Q: Bag<u64>>(numbers: &[u64]) -> Bout<Q> {
    let &[operation, passed, inside] = numbers else { panic!("three numbers make a bout: {numbers:?}") };
    // One that is bounded gets full, and its ring comes around to where the victim is.
    let capacity = inside.max(BURST) as usize;
    let bout = Bout {
        bag: Q::new(capacity),
        is_pop: operation == POP,
        put: Sum::default(),
        taken: Sum::default(),
        victim_put: Sum::default(),
        victim_taken: Sum::default(),
    };
    let (mut put, mut taken) = (Local::default(), Local::default());
    for number in 0..passed {
        put.push(&bout.bag, item(MAKER, number));
        taken.pop(&bout.bag);
    }
    (passed..passed + inside).for_each(|number| put.push(&bout.bag, item(MAKER, number)));
    put.into(&bout.put);
    taken.into(&bout.taken);
    bout
}

/// The same for one thread, until it is done.
#[derive(Default)]
struct Local {
    count: u64,
    bits: u64,
}

impl Local {
    fn push<Q: Bag<u64>>(&mut self, bag: &Q, item: u64) {
        if bag.push(item).is_ok() {
            self.note(item);
        }
    }

    fn pop<Q: Bag<u64>>(&mut self, bag: &Q) -> bool {
        let item = bag.pop();
        item.into_iter().for_each(|item| self.note(item));
        item.is_some()
    }

    fn note(&mut self, item: u64) {
        self.count += 1;
        self.bits = self.bits.wrapping_add(mix(item));
    }

    fn into(self, sum: &Sum) {
        sum.add(self.count, self.bits);
    }
}

fn work<Q: Bag<u64>>(bout: &Bout<Q>, index: usize, barrier: &Barrier) {
    let (mut put, mut taken) = (Local::default(), Local::default());
    for number in 0..PAIRS {
        put.push(&bout.bag, item(index as u64, number));
        taken.pop(&bout.bag);
    }
    (PAIRS..PAIRS + BURST).for_each(|number| put.push(&bout.bag, item(index as u64, number)));
    put.into(&bout.put);
    barrier.wait();
    // More there cannot be; and what keeps nothing would hand out for ever.
    let most = bout.put.get().0 + 2;
    (0..most).take_while(|_| taken.pop(&bout.bag)).count();
    taken.into(&bout.taken);
}

/// Items that were put in and could not be taken out, but for one that a pop may hold.
fn withheld<Q: Bag<u64>>(bout: &Bout<Q>) -> u64 {
    let held = u64::from(bout.is_pop);
    if Q::KEEPS { bout.put.get().0.saturating_sub(bout.taken.get().0 + held) } else { 0 }
}

fn settle<Q: Bag<u64>>(bout: &Bout<Q>) -> Option<String> {
    let mut left = Local::default();
    let (put, bits) = bout.put.get();
    let (more, more_bits) = bout.victim_put.get();
    let put = (put + more, bits.wrapping_add(more_bits));
    if !Q::KEEPS {
        return None;
    }
    (0..=put.0).take_while(|_| left.pop(&bout.bag)).count();
    left.into(&bout.taken);
    let ((taken, bits), (more, more_bits)) = (bout.taken.get(), bout.victim_taken.get());
    let taken = (taken + more, bits.wrapping_add(more_bits));
    let which = if put.0 == taken.0 { ", but not the same" } else { "" };
    (put != taken).then(|| format!("{} went in and {} came out{which}", put.0, taken.0))
}

/// Finds operations that take long: pushes without a pop (0), pushes (1) or pops (2) with a few items inside. Answers
/// how many there were before each.
fn ask<Q: Bag<u64>>(numbers: &[u64]) -> Vec<u64> {
    let mut shortest = vec![u64::MAX; SEARCHED as usize];
    for _ in 0..TIMES {
        let (bag, mut local) = (Q::new(SEARCHED as usize + FEW), Local::default());
        if numbers == [2] {
            (0..FEW).for_each(|_| local.push(&bag, 0));
        }
        for shortest in &mut shortest {
            let mut begin = Instant::now();
            local.push(&bag, 0);
            if numbers == [2] {
                begin = Instant::now();
                local.pop(&bag);
            }
            *shortest = (*shortest).min(begin.elapsed().as_nanos() as u64);
            if numbers == [1] {
                local.pop(&bag);
            }
        }
        black_box(local);
    }
    let mut places: Vec<u64> = (0..SEARCHED).collect();
    places.sort_by_key(|&place| (Reverse(shortest[place as usize]), place));
    places.truncate(PROPOSED);
    places
}
