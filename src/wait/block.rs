//! A thread polls a future, and sleeps in between.

use super::parker::{self, with_wait};
use crate::sys::futex::Deadline;
use std::error::Error;
use std::fmt;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// What was waited for did not come in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("waited for as long as was asked, in vain")
    }
}

impl Error for TimedOut {}

/// Waits on this thread until `future` is ready.
///
/// The future may wait in the same way while it is polled. The waker that it gets may be kept, and used when the wait is over:
/// that does nothing, or makes a later wait look once more.
///
/// # Panics
/// When the future does; and when a filter of system calls forbids the process to sleep on a futex.
///
/// ```
/// let answer = toolbox::wait::block_on(async { 6 * 7 });
/// assert_eq!(answer, 42);
/// ```
pub fn block_on<F: Future>(future: F) -> F::Output {
    match wait_for(future, None) {
        Ok(output) => output,
        Err(TimedOut) => unreachable!("there is no deadline"),
    }
}

/// Waits on this thread until `future` is ready, but for no longer than `timeout`. With a timeout of zero the future is polled
/// and not waited for.
///
/// A future that did not make it is dropped; for those of this library that is as if it had never begun. To go on with
/// it later, pass `&mut future` of one that is pinned.
///
/// # Errors
/// [`TimedOut`] when the time is over first.
///
/// # Panics
/// As [`block_on`].
///
/// ```
/// use std::time::Duration;
/// use toolbox::wait::{TimedOut, block_on_timeout};
///
/// let never = std::future::pending::<()>();
/// assert_eq!(block_on_timeout(never, Duration::from_millis(1)), Err(TimedOut));
/// ```
pub fn block_on_timeout<F: Future>(future: F, timeout: Duration) -> Result<F::Output, TimedOut> {
    wait_for(future, Deadline::after(timeout))
}

/// As [`block_on_timeout`], until an instant.
///
/// # Errors
/// [`TimedOut`] when the instant is over first.
///
/// # Panics
/// As [`block_on`].
pub fn block_on_deadline<F: Future>(future: F, deadline: Instant) -> Result<F::Output, TimedOut> {
    wait_for(future, Deadline::at(deadline))
}

/// Looks for something, as often and for as long as is sensible on this host, before the wait for it begins by `block_on`
/// or the like. Whether it was there.
///
/// For structures in which it is cheaper for both sides when nobody is in line.
#[allow(dead_code, reason = "for the structures, each of which is a feature of its own")]
pub(crate) fn look(is_there: impl FnMut() -> bool) -> bool {
    parker::look(is_there)
}

fn wait_for<F: Future>(future: F, deadline: Option<Deadline>) -> Result<F::Output, TimedOut> {
    let mut future = pin!(future);
    with_wait(|wait| {
        let waker = wait.waker();
        let mut context = Context::from_waker(&waker);
        loop {
            // The clock is read before the poll: what is there when the time is over counts.
            let is_over = deadline.is_some_and(Deadline::has_passed);
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Ok(output);
            }
            if is_over {
                return Err(TimedOut);
            }
            wait.park(deadline);
        }
    })
}
