//! Before anything is timed: every item of a run of many threads is written down and looked at, and what is still
//! inside when the structure is dropped has to be dropped with it.
//!
//! The checks inside the timed runs can tell that something was lost; this one names what. A stack's order is looked at
//! where it is defined: threads put items in, and only when all are done take them out.

use super::{Bag, Discipline, Payload};
use std::sync::Arc;
use std::time::{Duration, Instant};
use toolbox::bench::crew::{self, Line, pause};
use toolbox::bench::random::Random;
use toolbox::bench::verify::{Fault, Order, Put, examine};

/// An item that can be counted: how many there are is what its counter says.
pub(super) type Token = Arc<()>;

/// Enough to find each other on few processors as well, since threads are interrupted in the middle.
const THREADS: usize = 4;
const ITEMS: u64 = 20_000;
/// At most so many at once, so that the structure is sometimes empty and sometimes not.
const BURST: u32 = 64;
/// After so long without an item, one that should be there has been lost.
const PATIENCE: Duration = Duration::from_millis(250);

/// Checks a structure by its items, and what it does with those inside when it is dropped.
///
/// # Errors
/// Every kind of fault, with its first case.
pub(super) fn check<Q: Bag<u64>, D: Bag<Token>>() -> Result<(), Vec<Fault>> {
    let is_queue = Q::DISCIPLINE == Discipline::Queue;
    let order = if is_queue { Order::Rising } else { Order::Any };
    run::<Q>(THREADS * BURST as usize, order, work)?;
    if !is_queue {
        let line = Line::new(THREADS);
        run::<Q>(THREADS * ITEMS as usize, Order::Falling, |stack, index| fill_then_drain(stack, index, &line))?;
    }
    drops::<D>().map_err(|fault| vec![fault])
}

/// Lets threads work on a structure, takes out what they left, and looks at all that came out.
fn run<Q: Bag<u64>>(
    capacity: usize,
    order: Order,
    work: impl Fn(&Q, usize) -> (u64, Vec<u64>) + Sync,
) -> Result<(), Vec<Fault>> {
    let bag = Q::new(capacity);
    let shifts = crew::run(THREADS, &[], |index| work(&bag, index));
    let mut put = Vec::new();
    let mut taken = Vec::new();
    for shift in shifts {
        put.push(shift.result.0);
        taken.push(shift.result.1);
    }
    taken.push(std::iter::from_fn(|| bag.pop()).map(Payload::bits).take(2 * THREADS * ITEMS as usize).collect());
    examine(&put, &taken, order)
}

/// Puts all in, waits for the others, and takes out until there is nothing left.
fn fill_then_drain<Q: Bag<u64>>(stack: &Q, index: usize, line: &Line) -> (u64, Vec<u64>) {
    let mut put = Put::new(index);
    for _ in 0..ITEMS {
        insert(stack, put.item());
    }
    line.wait();
    let most = 2 * THREADS * ITEMS as usize;
    (put.count(), std::iter::from_fn(|| stack.pop()).take(most).collect())
}

/// Puts an item in, as soon as there is room.
fn insert<Q: Bag<u64>>(bag: &Q, mut item: u64) {
    let mut spins = 0;
    while let Err(back) = bag.push(item) {
        item = back;
        pause(&mut spins);
    }
}

/// Puts in and takes out by turns, a few at a time; returns how many went in and what came out.
fn work<Q: Bag<u64>>(bag: &Q, index: usize) -> (u64, Vec<u64>) {
    let mut put = Put::new(index);
    let mut taken = Vec::with_capacity(ITEMS as usize);
    let mut random = Random::new(index as u64);
    while put.count() < ITEMS {
        let burst = 1 + random.below(BURST);
        for _ in 0..burst {
            insert(bag, put.item());
        }
        for _ in 0..burst {
            let Some(item) = wait(bag) else { return (put.count(), taken) };
            taken.push(item);
        }
    }
    (put.count(), taken)
}

fn wait<Q: Bag<u64>>(bag: &Q) -> Option<u64> {
    let mut spins = 0;
    let mut since = None;
    loop {
        if let Some(item) = bag.pop() {
            return Some(item);
        }
        pause(&mut spins);
        if since.get_or_insert_with(Instant::now).elapsed() > PATIENCE {
            return None;
        }
    }
}

/// Whether all items inside are dropped with it. (One that is dropped twice ends the process.)
fn drops<D: Bag<Token>>() -> Result<(), Fault> {
    let token = Token::new(());
    let bag = D::new(1000);
    for _ in 0..1000 {
        // One that is full gives the item back, and it is dropped here.
        let _ = bag.push(Arc::clone(&token));
    }
    (0..300).for_each(|_| drop(bag.pop()));
    drop(bag);
    match Arc::strong_count(&token) as u64 {
        1 => Ok(()),
        more => Err(Fault::Leaked(more - 1)),
    }
}
