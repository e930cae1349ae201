//! First in, first out, between any number of threads.
//!
//! - [`Queue`]: without a limit. What to use unless there is a reason.
//! - [`Bounded`]: at most as many items as it was made for, in memory that is taken once.
//!
//! Both are linearizable: each operation takes effect at one instant between its call and its return, so an item that was
//! pushed before another was even begun leaves before it, whichever threads do the work. A pop on an empty queue returns
//! `None`, and whoever wants to sleep until there is something needs a lock or an event beside it. [`Queue`] is
//! lock-free; [`Bounded`] is not: an operation waits for one that was begun before it on the same slot.

mod block;
mod bounded;
mod unbounded;

#[cfg(test)]
mod tests;

pub use bounded::Bounded;
pub use unbounded::{Drain, IntoIter, Queue};
