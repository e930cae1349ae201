//! The line of those who wait, and how one of them is let through.
//!
//! Each place in line has a state of its own, so that who is woken needs no lock to learn that it was let through. Whoever
//! lets one through takes it out of the line, takes its waker, and writes the state last: from then on the place may be gone.
//! Wakers are called when the lock is released, for they are other people's code and may come back here. (One that
//! panics keeps those from being woken that were to be woken after it.)
//!
//! Rounds tell who came before a signal and who after it. A signal that is handed on, or handed out piece by piece, must
//! not reach one that began to wait later.
//!
//! # Safety
//!
//! A place is in the line between [`Line::enter`] and the moment at which its owner learns that it is out. What it keeps for
//! the line is touched under the line's lock, or by the owner when it is out.
#![allow(unsafe_code)]

use crate::primitive::{AtomicU32, Mutex, MutexGuard, UnsafeCell};
use crate::util::wait_list::{Node, WaitList};
use std::pin::Pin;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::task::{Context, Poll, Waker};

/// Still to be let through, or in no line.
const WAITING: u32 = 0;

/// How one was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// By a signal that is now its own.
    Alone = 1,
    /// With everybody else.
    WithAll = 2,
}

/// What one that waits keeps in its node.
pub(super) struct Place {
    /// [`WAITING`], or a [`Pass`]: written once, under the lock, by who lets it through.
    state: AtomicU32,
    kept: UnsafeCell<Kept>,
}

struct Kept {
    waker: Option<Waker>,
    /// While in line: the round in which it came. Once through: the round of its signal.
    round: u64,
}

// SAFETY: `kept` is touched under the line's lock, or by the owner once the state says that it is out: the Acquire in
// `passed` pairs with the Release in `Line::admit`.
unsafe impl Sync for Place {}

impl Place {
    pub(super) fn new() -> Self {
        Self { state: AtomicU32::new(WAITING), kept: UnsafeCell::new(Kept { waker: None, round: 0 }) }
    }

    /// Whether it was let through, and how. Needs no lock.
    #[inline]
    pub(super) fn passed(&self) -> Option<Pass> {
        // Acquire: pairs with the Release in `Line::admit`; what the signaller wrote before is seen.
        match self.state.load(Acquire) {
            WAITING => None,
            state if state == Pass::Alone as u32 => Some(Pass::Alone),
            _ => Some(Pass::WithAll),
        }
    }

    /// The round of the signal that let it through, for the owner of a place that was let through.
    pub(super) fn signal_round(&self) -> u64 {
        debug_assert!(self.passed().is_some(), "nobody else touches a place that is out of line");
        // SAFETY: who lets a place through touches it no more after writing the state, which the owner has read.
        self.kept.with(|kept| unsafe { (*kept).round })
    }

    /// # Safety
    /// The lock of the line is held, or the place is in none and the caller is its owner.
    unsafe fn kept<R>(&self, change: impl FnOnce(&mut Kept) -> R) -> R {
        // SAFETY: the caller says that nobody else is at it.
        self.kept.with_mut(|kept| change(unsafe { &mut *kept }))
    }
}

/// Those who wait, first come first served. It lies behind a mutex: see [`lock`].
pub(super) struct Line {
    list: WaitList<Place>,
    round: u64,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { list: WaitList::new(), round: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Begins a new round: those who are in line now came before it.
    pub(super) fn next_round(&mut self) -> u64 {
        self.round += 1;
        self.round
    }

    /// Puts a place at the end of the line.
    ///
    /// # Safety
    /// - The place is new.
    /// - Before it is dropped, [`leave`](Self::leave) is called on it, or its owner sees that it was let through.
    pub(super) unsafe fn enter(&mut self, node: Pin<&Node<Place>>, waker: Option<Waker>) {
        let round = self.round;
        // SAFETY: it is in no line, and the caller is its owner.
        unsafe { node.value.kept(|kept| *kept = Kept { waker, round }) };
        // SAFETY: the caller's promises, handed on.
        unsafe { self.list.push(node) };
    }

    /// Takes a place out of the line. If it was not in it any more, it was let through.
    ///
    /// # Safety
    /// The place entered this line.
    pub(super) unsafe fn leave(&mut self, node: &Node<Place>) -> bool {
        // SAFETY: it is in this list, or was and is in none now.
        unsafe { self.list.remove(node) }
    }

    /// Lets the first one through if it came before round `before`, and returns its waker, which is for after the unlocking:
    /// `None` when there is no such place.
    pub(super) fn admit(&mut self, before: u64, pass: Pass) -> Option<Option<Waker>> {
        let place = &self.list.first()?.value;
        // SAFETY: the lock is held, as `&mut self` says.
        let waker =
            unsafe { place.kept(|kept| (kept.round < before).then(|| (kept.round = before, kept.waker.take()).1)) }?;
        let node = self.list.pop()?;
        // SAFETY: the place stays until its owner reads the state that is written here.
        let place = unsafe { &node.as_ref().value };
        // Release: pairs with the Acquire in `passed`. This is the last that is done to the place.
        place.state.store(pass as u32, Release);
        Some(waker)
    }
}

// SAFETY: the wakers in it may be sent, and everything else is a number or an address of such a place.
unsafe impl Send for Line {}

/// Nothing below it panics but for want of memory, so a poisoned line is whole.
pub(super) fn lock(line: &Mutex<Line>) -> MutexGuard<'_, Line> {
    line.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks whether a place in `line` was let through; if not, the task of `context` will be woken when it is.
pub(super) fn poll(place: &Place, line: &Mutex<Line>, context: &Context<'_>) -> Poll<Pass> {
    if let Some(pass) = place.passed() {
        return Poll::Ready(pass);
    }
    // Cloned before and dropped after the lock is held, since both are other people's code.
    let waker = context.waker().clone();
    let held = lock(line);
    if let Some(pass) = place.passed() {
        return Poll::Ready(pass);
    }
    // SAFETY: the lock is held.
    let old = unsafe { place.kept(|kept| kept.waker.replace(waker)) };
    drop(held);
    drop(old);
    Poll::Pending
}

/// Wakers that are called together, when no lock is held.
pub(super) struct Batch {
    wakers: [Option<Waker>; Self::MOST],
    count: usize,
}

impl Batch {
    const MOST: usize = 16;

    pub(super) const fn new() -> Self {
        Self { wakers: [const { None }; Self::MOST], count: 0 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.count == Self::MOST
    }

    /// There has to be room.
    pub(super) fn push(&mut self, waker: Option<Waker>) {
        self.wakers[self.count] = waker;
        self.count += 1;
    }

    pub(super) fn wake(&mut self) {
        self.wakers[..self.count].iter_mut().filter_map(Option::take).for_each(Waker::wake);
        self.count = 0;
    }
}
