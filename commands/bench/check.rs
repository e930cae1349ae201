//! Before anything is timed: every item of a run of many threads is written down and looked at, and what is still
//! inside when the structure is dropped has to be dropped with it.
//!
//! The checks inside the timed runs can tell that something was lost; this one names what.

use super::bag::{Bag, Payload};
use std::sync::Arc;
use std::time::{Duration, Instant};
use toolbox::bench::crew::{self, pause};
use toolbox::bench::random::Random;
use toolbox::bench::verify::{Fault, Put, examine};

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
    let queue = Q::new(THREADS * BURST as usize);
    let shifts = crew::run(THREADS, &[], |index| work(&queue, index));
    let mut put = Vec::new();
    let mut taken = Vec::new();
    for shift in shifts {
        put.push(shift.result.0);
        taken.push(shift.result.1);
    }
    taken.push(std::iter::from_fn(|| queue.pop()).map(Payload::bits).take(2 * THREADS * ITEMS as usize).collect());
    examine(&put, &taken)?;
    drops::<D>().map_err(|fault| vec![fault])
}

/// Puts in and takes out by turns, a few at a time; returns how many went in and what came out.
fn work<Q: Bag<u64>>(queue: &Q, index: usize) -> (u64, Vec<u64>) {
    let mut put = Put::new(index);
    let mut taken = Vec::with_capacity(ITEMS as usize);
    let mut random = Random::new(index as u64);
    while put.count() < ITEMS {
        let burst = 1 + random.below(BURST);
        for _ in 0..burst {
            let mut item = put.item();
            let mut spins = 0;
            while let Err(back) = queue.push(item) {
                item = back;
                pause(&mut spins);
            }
        }
        for _ in 0..burst {
            let Some(item) = wait(queue) else { return (put.count(), taken) };
            taken.push(item);
        }
    }
    (put.count(), taken)
}

fn wait<Q: Bag<u64>>(queue: &Q) -> Option<u64> {
    let mut spins = 0;
    let mut since = None;
    loop {
        if let Some(item) = queue.pop() {
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
    let queue = D::new(1000);
    for _ in 0..1000 {
        // One that is full gives the item back, and it is dropped here.
        let _ = queue.push(Arc::clone(&token));
    }
    (0..300).for_each(|_| drop(queue.pop()));
    drop(queue);
    match Arc::strong_count(&token) as u64 {
        1 => Ok(()),
        more => Err(Fault::Leaked(more - 1)),
    }
}
