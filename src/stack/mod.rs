//! Last in, first out, between any number of threads.
//!
//! [`Stack`] is unbounded, lock-free and linearizable: each operation takes effect at one instant between its call and
//! its return. A pop on an empty stack returns `None`, and whoever wants to sleep until there is something needs a lock
//! or an event beside it.
//!
//! # When a lock is the better choice
//!
//! A stack has one end, so all threads meet there; no design makes pushes and pops of several threads independent of
//! each other. What [`Stack`] gains over a lock is that an operation needs one cache line where a lock needs two or
//! three, and that a thread which is stopped in the middle holds up nobody. A `Mutex<Vec<T>>` whose lock is held just for
//! the push or the pop is the better choice
//!
//! - when one thread does nearly all the work: a lock that nobody else wants takes two locked instructions for each
//!   operation, as many as what is done here, and a vector needs nothing else, while a list has to be followed;
//! - when memory matters: an item of eight bytes takes eight there and sixteen here, and a vector can be shrunk at any
//!   time;
//! - when more is asked than push and pop: how many items there are, a look at the top, several items at once.
//!
//! `toolbox bench stack` measures both on the machine at hand.

mod list;
mod nodes;
mod treiber;

#[cfg(test)]
mod tests;

pub use treiber::{Drain, IntoIter, PopAll, Stack};
