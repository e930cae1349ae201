//! Waiting until a value behind a mutex is as it should be.
//!
//! # How it works
//!
//! [`Condition::lock_when`] locks the mutex and asks the caller's question. If the answer is no, it gets in line **before**
//! it unlocks; whoever changes the value has to lock the mutex, so it finds the waiting one in line when it signals after
//! the change. The value is what remembers a signal that came before the wait, and the question is asked again after every
//! wake-up.
//!
//! # A signal is not swallowed
//!
//! With a bare condition variable, `notify_one` may wake a thread that waits for something else; it goes back to sleep, and
//! the one that was meant sleeps on. Here who is woken and gets no as an answer, panics or is cancelled hands the signal to
//! the next in line, among those who were in line when it was given. So `notify_one` reaches one whose answer is yes, if
//! there is one.
//!
//! Locking and waiting in one call, with the question as a value, is from conditional critical regions (Hoare, 1972), and
//! `LockWhen` of Abseil.
//!
//! # Safety
//!
//! A place in line is pinned when it gets there, and its destructor takes it out.
#![allow(unsafe_code)]

use super::line::{Batch, Line, Pass, Place, lock, poll};
use crate::primitive::{AtomicUsize, Mutex, MutexGuard, constant};
use crate::util::wait_list::Node;
use crate::wait::{Guarded, TimedOut, block_on, block_on_deadline, block_on_timeout};
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Where one waits for a value behind a mutex to be as it should.
///
/// Use one for one mutex: that of the standard library, with which a task that waits for the mutex holds up its thread; or
/// this library's, feature `mutex`, which tasks await. Change the value with the mutex locked, then notify, preferably with the
/// mutex unlocked.
///
/// ```
/// use std::sync::Mutex;
/// use std::thread;
/// use toolbox::event::Condition;
///
/// let jobs = Mutex::new(Vec::new());
/// let changed = Condition::new();
/// thread::scope(|scope| {
///     scope.spawn(|| {
///         jobs.lock().unwrap().push("write it");
///         changed.notify_one();
///     });
///     let mut jobs = changed.lock_when_blocking(&jobs, |jobs| !jobs.is_empty()).unwrap();
///     assert_eq!(jobs.pop(), Some("write it"));
/// });
/// ```
pub struct Condition {
    /// How many are in line: changed under the line's lock.
    waiting: AtomicUsize,
    line: Mutex<Line>,
}

impl Condition {
    constant! {
        /// Nobody waits.
        #[must_use]
        pub fn new() -> Self {
            Self { waiting: AtomicUsize::new(0), line: Mutex::new(Line::new()) }
        }
    }

    /// Locks `mutex` when `is_so` says yes to its value, and waits until then. The question is asked with the mutex
    /// locked, when this is called and after notifications. A poisoned mutex is returned as it is, and the question not asked.
    pub async fn lock_when<'a, M: Guarded + ?Sized>(
        &self,
        mutex: &'a M,
        mut is_so: impl FnMut(&mut M::Value) -> bool,
    ) -> M::Guard<'a> {
        let mut signal: Option<Signal<'_>> = None;
        loop {
            let mut turn = pin!(Turn::new(self));
            {
                let mut guard = mutex.lock().await;
                match M::value(&mut guard).map(&mut is_so) {
                    Some(true) => {
                        signal.take().into_iter().for_each(Signal::was_used);
                        return guard;
                    }
                    Some(false) => turn.as_mut().enter(),
                    None => return guard,
                }
            }
            // Now somebody else may use it. This one is in line for later signals only.
            drop(signal.take());
            signal = Some(turn.await);
        }
    }

    /// As [`lock_when`](Self::lock_when), as a thread.
    ///
    /// # Panics
    /// As [`block_on`], and when `is_so` does.
    pub fn lock_when_blocking<'a, M: Guarded + ?Sized>(
        &self,
        mutex: &'a M,
        is_so: impl FnMut(&mut M::Value) -> bool,
    ) -> M::Guard<'a> {
        block_on(self.lock_when(mutex, is_so))
    }

    /// As [`lock_when_blocking`](Self::lock_when_blocking), but waits to be notified for no longer than `timeout`.
    ///
    /// # Errors
    /// [`TimedOut`] when the time is over first.
    ///
    /// # Panics
    /// As [`block_on`], and when `is_so` does.
    pub fn lock_when_timeout<'a, M: Guarded + ?Sized>(
        &self,
        mutex: &'a M,
        timeout: Duration,
        is_so: impl FnMut(&mut M::Value) -> bool,
    ) -> Result<M::Guard<'a>, TimedOut> {
        block_on_timeout(self.lock_when(mutex, is_so), timeout)
    }

    /// As [`lock_when_timeout`](Self::lock_when_timeout), until an instant.
    ///
    /// # Errors
    /// [`TimedOut`] when the instant is over first.
    ///
    /// # Panics
    /// As [`block_on`], and when `is_so` does.
    pub fn lock_when_deadline<'a, M: Guarded + ?Sized>(
        &self,
        mutex: &'a M,
        deadline: Instant,
        is_so: impl FnMut(&mut M::Value) -> bool,
    ) -> Result<M::Guard<'a>, TimedOut> {
        block_on_deadline(self.lock_when(mutex, is_so), deadline)
    }

    /// Lets the question be asked by those who wait now, one after the other in the order in which they came, until one gets
    /// yes as an answer.
    pub fn notify_one(&self) {
        if self.is_anybody_waiting() {
            let mut line = lock(&self.line);
            let round = line.next_round();
            self.admit_one(line, round);
        }
    }

    /// Lets the question be asked by all who wait now.
    pub fn notify_all(&self) {
        if !self.is_anybody_waiting() {
            return;
        }
        let mut line = lock(&self.line);
        let round = line.next_round();
        loop {
            let mut batch = Batch::new();
            while !batch.is_full()
                && let Some(waker) = line.admit(round, Pass::WithAll)
            {
                self.waiting.fetch_sub(1, Relaxed);
                batch.push(waker);
            }
            let is_last = !batch.is_full();
            drop(line);
            batch.wake();
            if is_last {
                return;
            }
            line = lock(&self.line);
        }
    }

    fn is_anybody_waiting(&self) -> bool {
        // Relaxed: whoever got no as an answer was in line before it unlocked the mutex. If that was before the
        // caller's change, the mutex has ordered it before this; if after, the answer was to the changed value.
        self.waiting.load(Relaxed) > 0
    }

    /// Lets one through that came before `round`.
    fn admit_one(&self, mut line: MutexGuard<'_, Line>, round: u64) {
        if let Some(waker) = line.admit(round, Pass::Alone) {
            self.waiting.fetch_sub(1, Relaxed);
            drop(line);
            waker.into_iter().for_each(std::task::Waker::wake);
        }
    }
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Condition").field("waiting", &self.waiting.load(Relaxed)).finish()
    }
}

/// A signal that was given to one. If that one has no use for it, the next gets it.
struct Signal<'a> {
    condition: &'a Condition,
    /// Those who came before this round may use it; none if everybody got it.
    round: Option<u64>,
}

impl Signal<'_> {
    fn was_used(mut self) {
        self.round = None;
    }
}

impl Drop for Signal<'_> {
    fn drop(&mut self) {
        if let Some(round) = self.round {
            self.condition.admit_one(lock(&self.condition.line), round);
        }
    }
}

/// One turn of waiting, from getting in line to a signal.
struct Turn<'a> {
    condition: &'a Condition,
    node: Node<Place>,
    is_in_line: bool,
}

impl<'a> Turn<'a> {
    fn new(condition: &'a Condition) -> Self {
        Self { condition, node: Node::new(Place::new()), is_in_line: false }
    }

    /// The node, and whether it is in line.
    fn parts(self: Pin<&mut Self>) -> (&'a Condition, Pin<&Node<Place>>, &mut bool) {
        // SAFETY: nothing is moved out of it: the node stays where it is, and the rest may move.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: the node is a part of what is pinned, and never moved.
        (this.condition, unsafe { Pin::new_unchecked(&this.node) }, &mut this.is_in_line)
    }

    /// Gets in line. The waker comes with the first poll.
    fn enter(self: Pin<&mut Self>) {
        let (condition, node, is_in_line) = self.parts();
        let mut line = lock(&condition.line);
        condition.waiting.fetch_add(1, Relaxed);
        // SAFETY: the place is new, since a turn is entered once; it is pinned, and its destructor takes it out.
        unsafe { line.enter(node, None) };
        *is_in_line = true;
    }

    /// The signal that let it through. `None` when everybody got it.
    fn signal(condition: &'a Condition, node: &Node<Place>, pass: Pass) -> Signal<'a> {
        Signal { condition, round: (pass == Pass::Alone).then(|| node.value.signal_round()) }
    }
}

impl<'a> Future for Turn<'a> {
    type Output = Signal<'a>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Signal<'a>> {
        let (condition, node, is_in_line) = self.parts();
        poll(&node.value, &condition.line, context).map(|pass| {
            *is_in_line = false;
            Self::signal(condition, &node, pass)
        })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_in_line {
            return;
        }
        let mut line = lock(&self.condition.line);
        // SAFETY: it entered this line.
        let was_in = unsafe { line.leave(&self.node) };
        if was_in {
            self.condition.waiting.fetch_sub(1, Relaxed);
        }
        drop(line);
        if let Some(pass) = self.node.value.passed() {
            drop(Self::signal(self.condition, &self.node, pass));
        }
    }
}
