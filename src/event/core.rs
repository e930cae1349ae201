//! What the flag and the count have in common: one word, and a line for those who found nothing in it.
//!
//! # How it works
//!
//! The word holds how many signals lie there, and in its lowest bit whether somebody is in line. While somebody is, no
//! signal lies there: who gives one lets the first in line through instead, so nobody can snatch it. While nobody is, both
//! sides need one exchange on the word and no lock.
//!
//! | word          | giving                     | taking                          |
//! |---------------|----------------------------|---------------------------------|
//! | 0             | becomes a signal           | takes the lock, sets the bit, gets in line |
//! | signals       | becomes more (a flag: stays) | becomes fewer (a flag that stays: stays) |
//! | the bit alone | takes the lock, lets the first through | takes the lock, gets in line |
//!
//! The bit is set and cleared under the line's lock only. It may be set when nobody is in line any more; who gives then finds
//! that out and clears it.
//!
//! # A flag that stays
//!
//! Letting everybody through may take several rounds of the lock, since wakers are called outside. Meanwhile the flag may
//! be taken back and others may get in line: those came after the signal and are not let through by it.
//!
//! # Order
//!
//! What was done before a signal is given is seen by who takes it: through the word, or through the state of its place.
//!
//! # Safety
//!
//! A [`Wait`] is pinned when it gets in line, and its destructor takes it out. Its place is made when it gets in line, since
//! waits are made and moved more often than that, and what was just written is dear to move; so the place is there when its
//! progress is past [`Progress::Begun`], unless the signal was there at once.
#![allow(unsafe_code)]

use super::line::{Batch, Line, Pass, Place, lock, poll};
use crate::primitive::{AtomicUsize, Mutex, constant};
use crate::util::wait_list::Node;
use crate::wait::look;
use std::fmt;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::{Context, Poll, Waker};

/// Somebody is in line.
const LINE: usize = 1;
/// One signal.
const SIGNAL: usize = 2;

/// What signals come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Each counts.
    Count,
    /// Those that nobody took yet count as one.
    One,
    /// One lets everybody through, and stays.
    Stays,
}

pub(super) struct Core {
    word: AtomicUsize,
    kind: Kind,
    line: Mutex<Line>,
}

impl Core {
    constant! {
        pub(super) fn new(kind: Kind, signals: usize) -> Self {
            assert!(signals <= usize::MAX / SIGNAL, "so many signals cannot be counted");
            Self { word: AtomicUsize::new(signals * SIGNAL), kind, line: Mutex::new(Line::new()) }
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// How many signals lie there.
    pub(super) fn signals(&self) -> usize {
        // Acquire: pairs with the Releases of those who give.
        self.word.load(Acquire) / SIGNAL
    }

    /// Takes a signal if one lies there.
    #[inline]
    pub(super) fn try_take(&self) -> bool {
        // Acquire, here for a flag that stays and below for the others: pairs with the Releases of those who give.
        let mut word = self.word.load(Acquire);
        while word >= SIGNAL {
            if self.kind == Kind::Stays {
                return true;
            }
            match self.word.compare_exchange_weak(word, word - SIGNAL, Acquire, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Takes a signal if one lies there, or comes while a thread looks for as long as is sensible before it waits. That is
    /// faster for both sides than to get in line, and overtakes nobody: no signal lies there while somebody is in line.
    pub(super) fn look(&self) -> bool {
        self.try_take() || look(|| self.try_take())
    }

    /// Takes back all signals that lie there. How many there were.
    pub(super) fn take_back(&self) -> usize {
        // Acquire: who takes a signal back knows what came before it.
        self.word.fetch_and(LINE, Acquire) / SIGNAL
    }

    /// Gives one signal: to the first in line, or into the word.
    pub(super) fn give_one(&self) {
        // In a loop, since the line may turn out to be empty.
        while !self.try_put(1) {
            let mut line = lock(&self.line);
            let admitted = line.admit(u64::MAX, Pass::Alone);
            self.clear_bit(&line);
            drop(line);
            if let Some(waker) = admitted {
                waker.into_iter().for_each(Waker::wake);
                return;
            }
        }
    }

    /// Gives `count` signals: to the first in line, and what is left is put into the word.
    pub(super) fn give(&self, mut count: usize) {
        while count > 1 {
            if self.try_put(count) {
                return;
            }
            let mut batch = Batch::new();
            let mut line = lock(&self.line);
            while count > 0 && !batch.is_full() {
                let Some(waker) = line.admit(u64::MAX, Pass::Alone) else { break };
                batch.push(waker);
                count -= 1;
            }
            self.clear_bit(&line);
            drop(line);
            batch.wake();
        }
        if count == 1 {
            self.give_one();
        }
    }

    /// Lets everybody through until it is taken back.
    pub(super) fn open(&self) {
        if self.try_put(1) {
            return;
        }
        let mut line = lock(&self.line);
        // Release: pairs with the Acquire of who takes; those in line see the state of their place. An exchange, so that who
        // reads it sees earlier signals as well.
        self.word.swap(SIGNAL, Release);
        let round = line.next_round();
        loop {
            let mut batch = Batch::new();
            while !batch.is_full()
                && let Some(waker) = line.admit(round, Pass::WithAll)
            {
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

    /// Puts signals into the word, unless somebody is in line.
    fn try_put(&self, count: usize) -> bool {
        let mut word = self.word.load(Relaxed);
        while word & LINE == 0 {
            let more = match self.kind {
                Kind::Count => count.checked_mul(SIGNAL).and_then(|more| word.checked_add(more)),
                Kind::One | Kind::Stays => Some(SIGNAL),
            };
            let more = more.expect("so many signals cannot be counted");
            // Release: pairs with the Acquire of who takes. The exchange is made even where it changes nothing: who takes a
            // signal that stands for several sees what was done before each of them.
            match self.word.compare_exchange_weak(word, more, Release, Relaxed) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// For who has taken somebody out of the line.
    fn clear_bit(&self, line: &Line) {
        // Relaxed: the lock orders what concerns the line. While the bit is set the word changes under the lock only, so what
        // was read is still there; and no signal lies there that a plain store could cut off from what was done before it.
        if line.is_empty() && self.word.load(Relaxed) == LINE {
            self.word.store(0, Relaxed);
        }
    }

    #[inline]
    pub(super) fn wait(&self) -> Wait<'_> {
        Wait { core: self, progress: Progress::Begun, node: MaybeUninit::uninit() }
    }

    /// Gets in line for a signal, unless one comes meanwhile.
    fn take_or_enter(&self, node: Pin<&Node<Place>>, waker: Waker) -> Progress {
        let mut line = lock(&self.line);
        loop {
            // Relaxed: who finds the bit takes the lock, and that is held until the place is in line.
            match self.word.compare_exchange(0, LINE, Relaxed, Relaxed) {
                Ok(_) | Err(LINE) => break,
                Err(_) if self.try_take() => return Progress::Done,
                Err(_) => {}
            }
        }
        // SAFETY: the place is new, since its wait had only begun; it is pinned, and its destructor takes it out.
        unsafe { line.enter(node, Some(waker)) };
        Progress::InLine
    }

    /// Takes a wait out of the line that is given up.
    fn leave(&self, node: &Node<Place>) {
        let mut line = lock(&self.line);
        // SAFETY: it entered this line.
        let was_in = unsafe { line.leave(node) };
        self.clear_bit(&line);
        drop(line);
        if !was_in && node.value.passed() == Some(Pass::Alone) {
            self.give_one();
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Relaxed);
        formatter.debug_struct("Core").field("signals", &(word / SIGNAL)).field("line", &(word & LINE != 0)).finish()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Not polled yet.
    Begun,
    /// In line, or let through without knowing yet.
    InLine,
    Done,
}

/// A wait for a signal, which is over when the signal was taken. It gets in line when it is first polled.
///
/// To drop it is to give it up: it leaves the line, in constant time, and a signal that it had been given goes to the next.
#[must_use = "a future does nothing unless it is polled"]
// In this order: what is written when it is made comes first, so that it is moved by itself.
#[repr(C)]
pub struct Wait<'a> {
    core: &'a Core,
    progress: Progress,
    /// There while in line.
    node: MaybeUninit<Node<Place>>,
}

impl Future for Wait<'_> {
    type Output = ();

    /// # Panics
    /// When it is polled again after it was over.
    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // SAFETY: nothing is moved out of it: the node stays where it is, and the rest may move.
        let this = unsafe { self.get_unchecked_mut() };
        let progress = match this.progress {
            Progress::Begun if this.core.try_take() => Progress::Done,
            Progress::Begun => {
                // Cloned before the lock is held, since it is other people's code.
                let waker = context.waker().clone();
                let node = &*this.node.write(Node::new(Place::new()));
                // SAFETY: the node is a part of what is pinned, and never moved.
                this.core.take_or_enter(unsafe { Pin::new_unchecked(node) }, waker)
            }
            Progress::InLine => {
                // SAFETY: in line there is a node.
                let node = unsafe { this.node.assume_init_ref() };
                if node.value.passed().is_some() || poll(&node.value, &this.core.line, context).is_ready() {
                    Progress::Done
                } else {
                    Progress::InLine
                }
            }
            Progress::Done => panic!("polled again after it was over"),
        };
        this.progress = progress;
        if progress == Progress::Done { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Wait<'_> {
    #[inline]
    fn drop(&mut self) {
        // Otherwise nothing is in the node that has to be dropped: who let it through took the waker, or there never was one.
        if self.progress == Progress::InLine {
            // SAFETY: in line there is a node.
            self.core.leave(unsafe { self.node.assume_init_ref() });
            // SAFETY: it is in no line now, and nobody uses it after this.
            unsafe { self.node.assume_init_drop() };
        }
    }
}

impl fmt::Debug for Wait<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Wait").field("progress", &self.progress).finish_non_exhaustive()
    }
}
