//! Many threads against the lock-free structures, with every item accounted for.
//!
//! In a plain `cargo test` this takes a few seconds and finds what is grossly wrong; what is subtly wrong is for
//! `tests/model`. `TOOLBOX_STRESS=20` makes it twenty times as long. Under Miri it is as short as can be.

mod event;
mod history;
mod memory;
mod mutex;
mod order;
mod queue;
mod rwlock;
mod stack;

use std::thread;

/// How many times a test of `usual` rounds goes round.
fn rounds(usual: usize) -> usize {
    if cfg!(miri) {
        return (usual / 500).max(1);
    }
    let factor = std::env::var("TOOLBOX_STRESS").ok().and_then(|factor| factor.parse().ok());
    usual * factor.unwrap_or(1)
}

/// Every thread puts an item in and takes one out, again and again; each comes out once.
fn push_and_pop_by_turns(push: impl Fn(Box<usize>) + Sync, pop: impl Fn() -> Option<Box<usize>> + Sync) {
    let (threads, each) = (4, rounds(30_000));
    let sums: Vec<(usize, usize)> = thread::scope(|scope| {
        let work = |thread: usize| {
            let (push, pop) = (&push, &pop);
            move || {
                let mut got = (0, 0);
                for number in 0..each {
                    push(Box::new(thread * each + number));
                    // Our own push has returned and every other thread pops at most what it pushed, so it cannot be empty.
                    let item = *pop().expect("at least as many pushes as pops");
                    got = (got.0 + 1, got.1 + item);
                }
                got
            }
        };
        let all: Vec<_> = (0..threads).map(|thread| scope.spawn(work(thread))).collect();
        all.into_iter().map(|thread| thread.join().expect("a pop that finds something")).collect()
    });
    let count = threads * each;
    assert_eq!(sums.iter().map(|sum| sum.0).sum::<usize>(), count);
    assert_eq!(sums.iter().map(|sum| sum.1).sum::<usize>(), count * (count - 1) / 2);
}
