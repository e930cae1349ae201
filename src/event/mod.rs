//! Signals between threads and tasks: a flag, a count, and a condition on a value behind a mutex.
//!
//! - [`Event`]: a flag. With [`Event::auto_reset`] each signal lets one through, with [`Event::manual_reset`] it stays
//!   until it is taken back and lets everybody through.
//! - [`Semaphore`]: a count. Each signal lets one through, and none is merged with another.
//! - [`Condition`]: waits until a value behind a mutex is as it should be.
//!
//! # The two traps
//!
//! A bare condition variable has two traps, and each of these structures is made so that one cannot step into them. **A
//! signal that comes before the wait is lost**, because nobody remembers it: here it is a flag, a count or the value
//! itself, and a wait looks at that first. **A wait ends although nobody signalled**: operating systems and wakers allow that,
//! and here the wait looks and goes on; what returns has been given its signal, which nobody else was given.
//!
//! # Who may wait
//!
//! Anything: a task awaits ([`Event::wait`]), a thread blocks ([`Event::wait_blocking`], [`Event::wait_timeout`]), all
//! in one line, first come first served. Who signals never waits, but for the lock around the line, which is held for some
//! nanoseconds. Waiting allocates nothing: the place in line is in the future.
//!
//! A wait that is given up, because its future is dropped or its time is over, leaves the line at once; if it had
//! just been given a signal, it hands that to the next.

mod condition;
mod core;
mod flag;
mod line;
mod semaphore;

#[cfg(test)]
mod tests;

pub use crate::wait::Guarded;
pub use condition::Condition;
pub use core::Wait;
pub use flag::Event;
pub use semaphore::Semaphore;
