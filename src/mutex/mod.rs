//! A lock that tasks await and threads block on.
//!
//! - [`Mutex`]: what to use unless there is a reason. A newcomer may take it while the one who was woken for it is still on
//!   its way, which keeps the lock in use; but nobody who was woken is passed over twice ([`BargingCore`]).
//! - [`FairMutex`]: strictly first come, first served. The lock goes from hand to hand and is never free in between
//!   ([`LockCore`]). Fair to the last place, and slow when threads outnumber processors, because the lock then waits for
//!   whoever is asleep.
//!
//! Both wait in the same way: whoever waits has a place in a list that runs through the waiting futures themselves, so that
//! nothing is allocated to wait, and leaves it in constant time when the future is dropped. What had just been given to a
//! dropped future is passed on. Tasks and threads stand in one line.
//!
//! # Poisoning
//!
//! There is none. A panic while the lock is held frees it, as does the end of a task that is dropped in the middle of its
//! work, which no flag could tell from one that was done. Data that must be whole has to be made whole by whoever
//! changes it: prepare beside it, then change it in one step.
//!
//! # What it does not do
//!
//! A thread or task that locks twice waits for itself. A future that was woken, and is neither polled nor dropped,
//! keeps the others waiting: do not leave one lying about.

mod barging;
mod guard;
mod lock;
mod lock_core;
mod protocol;
mod waiters;

#[cfg(test)]
mod tests;

pub use barging::BargingCore;
pub use guard::{MappedMutexGuard, MutexGuard, OwnedMutexGuard};
pub use lock::{FairMutex, Lock, Mutex};
pub use lock_core::LockCore;
pub use protocol::{Acquire, Core};
