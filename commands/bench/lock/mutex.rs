//! Locks for one thread at a time: ours, and what a program would use instead.
//!
//! A rival is a type, an implementation of [`Lock`] and a line in [`rivals`]. Those that are made for tasks take part with the
//! form in which a thread blocks on them.

use super::broken::OpenToWriters;
use super::{Lock, Open, Record, Rival, rival};
use crate::bench::subject::{Column, Form, Kind};
use std::sync::PoisonError;
use toolbox::wait::block_on;

/// What never changes about this bench.
pub(in crate::bench) const KIND: Kind = Kind {
    name: "mutex",
    unit: "lock",
    unit_is: "a lock taken and let go, by all threads together",
    operations: 1,
    foreign_is: "",
    baseline: "std",
    columns: &[Column {
        name: "handed_share",
        head: "handed",
        legend: "locks that came after one of another thread",
        form: Form::Percent,
        is_detail: false,
    }],
    loads,
};

fn loads() -> Vec<(String, String)> {
    let load = |name: &str, about: &str| (name.to_owned(), about.to_owned());
    vec![
        load("--held 0,100ns,750ns,5us", "the lock is held for so long"),
        load("--bare", "nothing to do between two locks; otherwise 50 to 150 ns"),
    ]
}

/// Everything that can be in the table.
pub(in crate::bench) fn rivals() -> Vec<Rival> {
    vec![
        rival!(Harness, "harness", Open, "no lock: what the record and own work cost, on one thread"),
        rival!(
            Rival,
            "toolbox",
            Ours,
            "toolbox Mutex: for threads and tasks; who was woken is passed over once at most"
        ),
        rival!(
            Rival,
            "toolbox-fair",
            OursFair,
            "toolbox FairMutex: for threads and tasks, strictly first come, first served"
        ),
        rival!(Rival, "std", Std, "std::sync::Mutex: a futex"),
        rival!(Rival, "parking-lot", ParkingLot, "parking_lot Mutex: queues by address, fair now and then"),
        rival!(Rival, "spin", Spin, "spin Mutex: spins for ever"),
        rival!(Rival, "usync", Usync, "usync Mutex: one word, with the queue in it"),
        rival!(Rival, "async-lock", AsyncLock, "async-lock Mutex, lock_blocking: for tasks as well"),
        rival!(Rival, "tokio", Tokio, "tokio Mutex, blocking_lock: for tasks as well, strictly fair"),
        rival!(
            Rival,
            "intrusive",
            Intrusive,
            "futures-intrusive Mutex, not fair: for tasks; a thread waits by toolbox's block_on"
        ),
        rival!(Broken, "broken", OpenToWriters, "keeps nobody out"),
    ]
}

/// A lock, and how a thread has it for as long as an expression lasts.
macro_rules! mutex {
    ($name:ident, $lock:ty, $new:expr, |$mutex:ident| $guard:expr) => {
        type $name = $lock;

        impl Lock for $name {
            fn new() -> Self {
                $new(Record::default())
            }

            #[inline]
            fn write<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
                let $mutex = self;
                act(&*$guard)
            }
        }
    };
}

mutex!(Ours, toolbox::mutex::Mutex<Record>, toolbox::mutex::Mutex::new, |mutex| mutex.lock_blocking());
mutex!(OursFair, toolbox::mutex::FairMutex<Record>, toolbox::mutex::FairMutex::fair, |mutex| mutex.lock_blocking());
mutex!(Std, std::sync::Mutex<Record>, std::sync::Mutex::new, |mutex| {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
});
mutex!(ParkingLot, parking_lot::Mutex<Record>, parking_lot::Mutex::new, |mutex| mutex.lock());
mutex!(Spin, spin::Mutex<Record>, spin::Mutex::new, |mutex| mutex.lock());
mutex!(Usync, usync::Mutex<Record>, usync::Mutex::new, |mutex| mutex.lock());
mutex!(AsyncLock, async_lock::Mutex<Record>, async_lock::Mutex::new, |mutex| mutex.lock_blocking());
mutex!(Tokio, tokio::sync::Mutex<Record>, tokio::sync::Mutex::new, |mutex| mutex.blocking_lock());
mutex!(Intrusive, futures_intrusive::sync::Mutex<Record>, unfair, |mutex| block_on(mutex.lock()));

fn unfair(record: Record) -> Intrusive {
    Intrusive::new(record, false)
}
