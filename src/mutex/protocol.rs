//! What a mutex without its data has to be able to do, and the future that waits for it.
//!
//! # Safety
//!
//! A waiter is within its future and is pinned with it; the future takes it out of the list when it is dropped. It is
//! reached by shared references only, from the future as well as from the list.
#![allow(unsafe_code)]

use super::waiters::{Waiter, state};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// How a mutex goes from one to the next: [`BargingCore`](super::BargingCore) or [`LockCore`](super::LockCore).
pub trait Core: Protocol + fmt::Debug {}

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The future of some executor, which has other things to do.
    Task,
    /// A thread, which may look for a while before it sleeps, and takes long to wake.
    Thread,
}

/// The parts of [`Core`] that nobody outside can call, or implement.
pub trait Protocol: Send + Sync {
    /// Whether somebody has it, now.
    fn is_locked(&self) -> bool;

    /// Takes it if it is free.
    fn try_lock(&self) -> bool;

    /// Looks whether it becomes free, with so many pauses at most, and takes it then. Gives up when others wait.
    fn look(&self, pauses: u32) -> bool;

    /// Takes it, or waits until it is the waiter's turn.
    fn poll(&self, waiter: Pin<&Waiter>, context: &Context<'_>, who: Who) -> Poll<()>;

    /// Takes out a waiter that may be in the list, and passes on what it was given.
    fn cancel(&self, waiter: &Waiter);

    /// Gives it up.
    ///
    /// # Safety
    /// The caller has it.
    unsafe fn release(&self);
}

/// Waits for a mutex without data, as its [`lock`](super::LockCore::lock) returns it. Dropping it before it is ready
/// gives up the place in the line; constant time.
#[must_use = "a future does nothing unless it is awaited"]
pub struct Acquire<'a, C: Core> {
    core: &'a C,
    who: Who,
    waiter: Waiter,
}

impl<'a, C: Core> Acquire<'a, C> {
    #[inline]
    pub(crate) fn new(core: &'a C, who: Who) -> Self {
        Self { core, who, waiter: Waiter::new() }
    }
}

impl<C: Core> Future for Acquire<'_, C> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.into_ref();
        if this.waiter.state() == state::IDLE && this.core.try_lock() {
            return Poll::Ready(());
        }
        // SAFETY: the waiter is pinned with the future that it is in.
        let waiter = unsafe { this.map_unchecked(|this| &this.waiter) };
        this.core.poll(waiter, context, this.who)
    }
}

impl<C: Core> Drop for Acquire<'_, C> {
    #[inline]
    fn drop(&mut self) {
        if self.waiter.state() != state::IDLE {
            self.core.cancel(&self.waiter);
        }
    }
}

impl<C: Core> fmt::Debug for Acquire<'_, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Acquire").field("who", &self.who).finish_non_exhaustive()
    }
}
