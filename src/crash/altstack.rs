//! Stacks that signals are handled on.
//!
//! A stack that has overflowed cannot take the frame of a signal: without an alternate stack the kernel ends the program
//! without a word. An alternate stack belongs to one thread, so that each thread that is to be able to report an overflow
//! needs one. Ours hold little more than the kernel's frame, because [`handler`](super::handler) moves on to a stack that
//! all threads share: two pages on most processors, and a guard page below, of which memory is taken only when a signal
//! comes.
//!
//! Threads of Rust's standard library have an alternate stack already, of 8 KiB and more, which is enough; so has whoever
//! calls [`install`](super::install()). For other threads there is [`thread_guard`].
//!
//! # Safety
//!
//! The pages that become a stack were just mapped, and are unmapped by the guard that mapped them, after the stack was
//! taken from its thread.
#![allow(unsafe_code)]

use super::install::InstallError;
use crate::sys::raw::{self, AltStack, Errno, PAGE};
use core::marker::PhantomData;

/// What our part of a handler needs before it has moved on, in bytes, without optimisation as well.
const OURS: usize = 8192;

/// Length of the largest frame of a signal on this processor, in bytes.
fn largest_frame() -> usize {
    /// `AT_MINSIGSTKSZ`: what the kernel says since 5.14 on x86-64.
    const MINIMAL_SIGNAL_STACK: u64 = 51;
    // SAFETY: the C library looks a number up in a table of its own.
    let told = unsafe { libc::getauxval(MINIMAL_SIGNAL_STACK) } as usize;
    told.max(libc::MINSIGSTKSZ)
}

/// How long our alternate stacks are, in bytes: a multiple of the page.
pub(crate) fn length() -> usize {
    (largest_frame() + OURS).next_multiple_of(PAGE)
}

/// Signal-safe. Whether this is an alternate stack that is long enough for a report.
#[must_use]
pub fn is_enough(stack: &AltStack) -> bool {
    stack.flags & libc::SS_DISABLE == 0 && stack.size >= largest_frame() + 2048
}

/// An alternate stack with a guard page, for as long as this lives. It belongs to the thread that made it.
#[derive(Debug)]
#[must_use = "the thread loses its stack when this is dropped"]
pub struct ThreadGuard {
    /// The mapping and its length; null when the thread had a stack.
    mapped: *mut u8,
    length: usize,
    before: AltStack,
    /// It must be dropped where it was made.
    not_send: PhantomData<*mut ()>,
}

/// Gives the calling thread an alternate stack, if it has none that is large enough: then an overflow of its own stack is
/// reported, too. About 20 KiB of addresses, of which memory is taken when a signal comes; two or three system calls.
///
/// Threads of `std::thread` have one already, and so this does nothing there. The guard takes the stack back when it is
/// dropped.
///
/// # Errors
/// [`InstallError::Memory`] when there is none.
pub fn thread_guard() -> Result<ThreadGuard, InstallError> {
    // SAFETY: nothing is set.
    let before = unsafe { raw::alternate_stack(None) }.map_err(|error| InstallError::Memory(error.0))?;
    let mut guard = ThreadGuard { mapped: core::ptr::null_mut(), length: 0, before, not_send: PhantomData };
    if !is_enough(&before) {
        (guard.mapped, guard.length) = map().map_err(|error| InstallError::Memory(error.0))?;
        let stack = AltStack { base: guard.mapped as usize + PAGE, flags: 0, size: guard.length - PAGE };
        // SAFETY: the pages were mapped for this, and the guard takes the stack back before it unmaps them.
        unsafe { raw::alternate_stack(Some(&stack)) }.map_err(|error| InstallError::Memory(error.0))?;
    }
    Ok(guard)
}

/// A guard page and a stack above it, and the length of both.
fn map() -> Result<(*mut u8, usize), Errno> {
    let total = PAGE + length();
    let mapped = raw::map(total, libc::PROT_READ | libc::PROT_WRITE)?;
    // SAFETY: the page was just mapped, and nobody else knows it.
    unsafe { raw::protect(mapped, PAGE, libc::PROT_NONE) }?;
    Ok((mapped, total))
}

impl ThreadGuard {
    /// Leaves the stack to the thread for good: its memory is never given back.
    pub fn forget(self) {
        core::mem::forget(self);
    }
}

impl Drop for ThreadGuard {
    fn drop(&mut self) {
        if self.mapped.is_null() {
            return;
        }
        let before = AltStack { flags: self.before.flags & !libc::SS_ONSTACK, ..self.before };
        // SAFETY: nothing is set.
        let now = unsafe { raw::alternate_stack(None) };
        if now.is_ok_and(|now| now.base == self.mapped as usize + PAGE) {
            // SAFETY: it is the stack that the thread had before, or none.
            if unsafe { raw::alternate_stack(Some(&before)) }.is_err() {
                return; // The thread runs on it: rather lose the memory.
            }
        }
        // SAFETY: the guard mapped these pages, and they are the thread's stack no longer.
        unsafe { raw::unmap(self.mapped, self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> AltStack {
        // SAFETY: nothing is set.
        unsafe { raw::alternate_stack(None) }.unwrap()
    }

    #[test]
    fn a_thread_gets_a_stack_and_gives_it_back() {
        std::thread::spawn(|| {
            let before = now();
            assert!(is_enough(&before), "the standard library gives every thread one");
            drop(thread_guard().unwrap());
            assert_eq!(now(), before);
            // SAFETY: taking a stack away needs no memory.
            unsafe { raw::alternate_stack(Some(&AltStack::NONE)) }.unwrap();
            let guard = thread_guard().unwrap();
            assert!(is_enough(&now()));
            let base = now().base;
            drop(guard);
            assert_ne!(now().flags & libc::SS_DISABLE, 0);
            assert!(raw::read_own(base as u64, &mut [0]).is_err(), "given back");
            // SAFETY: it is the stack that the thread had at first.
            unsafe { raw::alternate_stack(Some(&before)) }.unwrap();
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_guard_lies_below() {
        let (mapped, total) = map().unwrap();
        assert!(raw::read_own(mapped as u64, &mut [0]).is_err());
        assert!(raw::read_own(mapped as u64 + PAGE as u64, &mut [0]).is_ok());
        assert!(total >= PAGE + largest_frame() + OURS);
        // SAFETY: mapped above, and nobody uses it.
        unsafe { raw::unmap(mapped, total) };
    }
}
