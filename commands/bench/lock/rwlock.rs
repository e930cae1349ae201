//! Locks for one writer or many readers: ours, and what a program would use instead.
//!
//! A rival is a type, an implementation of [`Lock`] and a line in [`rivals`].

use super::broken::{OpenToReaders, OpenToWriters};
use super::{Lock, Open, Record, Rival, rival};
use crate::bench::subject::{Column, Form, Kind};
use std::sync::PoisonError;
use toolbox::rwlock::{LockError, Options, SharedLock, Waiting};

/// What never changes about this bench.
pub(in crate::bench) const KIND: Kind = Kind {
    name: "rwlock",
    unit: "lock",
    unit_is: "a lock taken and let go, by all threads together",
    operations: 1,
    foreign_is: "",
    baseline: "std",
    columns: &[Column {
        name: "handed_share",
        head: "handed",
        legend: "writes that came after one of another thread",
        form: Form::Percent,
        is_detail: false,
    }],
    loads,
};

fn loads() -> Vec<(String, String)> {
    let load = |name: &str, about: &str| (name.to_owned(), about.to_owned());
    vec![
        load("--writes 1,10,50,100", "so many in a hundred locks are to write"),
        load("--held 0,100ns,750ns,5us", "the lock is held for so long"),
        load("--bare", "nothing to do between two locks; otherwise 50 to 150 ns"),
    ]
}

/// Everything that can be in the table.
pub(in crate::bench) fn rivals() -> Vec<Rival> {
    vec![
        rival!(Harness, "harness", Open, "no lock: what the record and own work cost, on one thread"),
        rival!(Rival, "toolbox", Ours, "toolbox::rwlock::SharedLock: one word, writers first, sleeps"),
        rival!(Rival, "toolbox-yield", OursYielding, "the same, spinning 64 times and then yielding"),
        rival!(Rival, "toolbox-spin", OursSpinning, "the same, spinning for ever"),
        rival!(Rival, "std", Std, "std::sync::RwLock: a futex, writers first"),
        rival!(Rival, "parking-lot", ParkingLot, "parking_lot RwLock: queues by address, fair now and then"),
        rival!(Rival, "spin", Spin, "spin RwLock: spins for ever"),
        rival!(Rival, "usync", Usync, "usync RwLock: one word, with the queue in it"),
        rival!(Rival, "sharded", Sharded, "crossbeam ShardedLock: a lock for each shard of readers"),
        rival!(Broken, "broken-writers", OpenToWriters, "keeps no writer out"),
        rival!(Broken, "broken-readers", OpenToReaders, "keeps no reader out"),
    ]
}

/// A lock of the standard library's shape: poisoned when a holder panics, which none does here.
macro_rules! poisonable {
    ($name:ident, $lock:ty) => {
        type $name = $lock;

        impl Lock for $name {
            fn new() -> Self {
                <$lock>::new(Record::default())
            }

            #[inline]
            fn write<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
                act(&<$lock>::write(self).unwrap_or_else(PoisonError::into_inner))
            }

            #[inline]
            fn read<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
                act(&<$lock>::read(self).unwrap_or_else(PoisonError::into_inner))
            }
        }
    };
}

/// A lock whose guards come without a result.
macro_rules! plain {
    ($name:ident, $lock:ty) => {
        type $name = $lock;

        impl Lock for $name {
            fn new() -> Self {
                <$lock>::new(Record::default())
            }

            #[inline]
            fn write<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
                act(&<$lock>::write(self))
            }

            #[inline]
            fn read<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
                act(&<$lock>::read(self))
            }
        }
    };
}

/// One of ours, whose threads wait as the number says.
struct OursWith<const WAITING: usize>(SharedLock<Record>);

type Ours = OursWith<0>;
type OursYielding = OursWith<1>;
type OursSpinning = OursWith<2>;

impl<const WAITING: usize> Lock for OursWith<WAITING> {
    fn new() -> Self {
        let waiting = [Waiting::Sleep, Waiting::Yield { after: 64 }, Waiting::Spin][WAITING];
        Self(SharedLock::with_options(Record::default(), Options::new().waiting(waiting)))
    }

    #[inline]
    fn write<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
        act(&self.0.write().unwrap_or_else(guard))
    }

    #[inline]
    fn read<R>(&self, act: impl FnOnce(&Record) -> R) -> R {
        act(&self.0.read().unwrap_or_else(guard))
    }
}

/// No thread panics while it holds a lock here, or asks for it twice.
fn guard<G>(error: LockError<G>) -> G {
    error.into_guard().expect("there are few readers, and none holds the lock")
}

poisonable!(Std, std::sync::RwLock<Record>);
poisonable!(Sharded, crossbeam_utils::sync::ShardedLock<Record>);
plain!(ParkingLot, parking_lot::RwLock<Record>);
plain!(Spin, spin::RwLock<Record>);
plain!(Usync, usync::RwLock<Record>);
