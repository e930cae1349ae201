//! Every interleaving of small cases of the lock-free structures, and every value that a weak memory may return.
//!
//! loom runs a case again and again, each time with another order of the threads' steps and another choice among the
//! values that each atomic load may see, until there are none left. It also follows each cell and each allocation: a
//! value read while it is written, memory used after it was freed and memory never freed end the test.
//!
//! # How the sources get here
//!
//! They are included by `#[path]`, and take their atomics, cells and allocator from `crate::primitive`, which is loom's
//! here. So the model is of the code that is shipped, and runs in a plain `cargo test`. Constants shrink where
//! `IS_MODEL` is looked at: a block has two slots, and a pop waits for a push once.
//!
//! # What it cannot show
//!
//! Cases are bounded: two or three threads with one or two operations each, and at most as many preemptions as each
//! file says. loom takes `SeqCst` accesses for acquire and release, so it cannot tell when the former is needed; that is
//! argued in the sources. Threads that stop for ever, and the instructions that a compiler makes of all this, are for the
//! stress tests.
//!
//! # Weakened on purpose
//!
//! A model that cannot fail proves nothing. `tests/mutations/run` weakens each ordering and wants the test that its table names
//! to fail; where a file says what else was tried, that was by hand.

mod futex;
mod primitive;

/// The kernel, as far as the sources below ask for it.
mod sys {
    pub(crate) use crate::futex;
}

#[path = "../../src/util"]
#[allow(dead_code, reason = "a library offers what a model does not use")]
mod util {
    pub(crate) mod backoff;
    pub(crate) mod padded;
    pub(crate) mod wait_list;
}

#[path = "../../src/queue"]
#[allow(dead_code, unreachable_pub, reason = "a library offers what a model does not use")]
mod queue {
    mod block;
    mod bounded;
    mod group;
    mod linked;
    mod packed;
    mod unbounded;
    mod words;

    pub(crate) use bounded::Bounded;
    pub(crate) use linked::Linked;
    pub(crate) use unbounded::{PointerQueue, Queue};
}

#[path = "../../src/stack"]
#[allow(dead_code, unreachable_pub, reason = "a library offers what a model does not use")]
mod stack_source {
    mod list;
    mod nodes;
    mod treiber;

    pub(crate) use treiber::Stack;
}

#[path = "../../src/mutex"]
#[allow(dead_code, unreachable_pub, reason = "a library offers what a model does not use")]
mod mutex {
    mod barging;
    mod lock_core;
    mod protocol;
    mod waiters;

    pub(crate) use barging::BargingCore;
    pub(crate) use lock_core::LockCore;
    pub(crate) use protocol::{Acquire, Core, Protocol, Who};
}

#[path = "../../src/wait"]
#[allow(dead_code, unreachable_pub, reason = "a library offers what a model does not use")]
mod wait {
    mod block;
    mod guarded;
    mod parker;
    mod patience;

    pub(crate) use block::{TimedOut, block_on, block_on_deadline, block_on_timeout, look};
    pub(crate) use guarded::Guarded;
    pub(crate) use patience::Patience;
}

#[path = "../../src/event"]
#[allow(dead_code, unreachable_pub, reason = "a library offers what a model does not use")]
mod event {
    mod condition;
    mod core;
    mod flag;
    mod line;
    mod semaphore;

    pub(crate) use condition::Condition;
    pub(crate) use flag::Event;
    pub(crate) use semaphore::Semaphore;
}

#[path = "../../src/rwlock"]
#[allow(dead_code, unreachable_pub, reason = "a library offers what a model does not use")]
mod rwlock {
    mod options;
    mod poison;
    mod word;

    pub(crate) use options::Options;
    pub(crate) use poison::Poison;
    pub(crate) use word::{RawSharedLock, Refusal};
}

mod bounded;
mod condition;
mod linked;
mod mutexes;
mod pointers;
mod published;
mod shared_lock;
mod signals;
mod stack;
mod unbounded;
mod waiting;

/// Runs every interleaving of `case` with at most `preemptions` of them.
fn check(preemptions: usize, case: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(move || {
        fresh_run();
        case();
    });
    fresh_run();
}

fn fresh_run() {
    primitive::fresh_run();
    futex::fresh_run();
}
