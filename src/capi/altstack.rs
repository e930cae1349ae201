//! `sigaltstack`: a program's alternate stack and ours.
//!
//! A stack that is large enough for a report is set as the program asks; ours waits meanwhile. One that is too small, or none, is
//! remembered and shown to the program, while ours stays: the program's handlers then run on ours, which is larger.
//!
//! # Safety
//!
//! The function is what the C library documents under its name, and its caller answers for the pointers and the memory of
//! the stack as it would there.
#![allow(unsafe_code)]

use crate::crash;
use crate::sys::raw::{AltStack, Errno, alternate_stack};
use core::cell::Cell;
use core::ffi::c_int;

thread_local! {
    /// What the program set, if it set any.
    static THEIRS: Cell<Option<AltStack>> = const { Cell::new(None) };
    /// What the thread had before the program set one that the kernel was told of.
    static OURS: Cell<Option<AltStack>> = const { Cell::new(None) };
}

/// Sets a stack, in the kernel or in the memory.
///
/// # Safety
/// The memory of `new` is the program's to give.
unsafe fn set(new: &AltStack, now: &AltStack) -> Result<(), Errno> {
    const KNOWN: c_int = libc::SS_DISABLE | i32::MIN; // The highest bit is SS_AUTODISARM.
    let is_none = new.flags & libc::SS_DISABLE != 0;
    if now.flags & libc::SS_ONSTACK != 0 {
        return Err(Errno(libc::EPERM));
    }
    if new.flags & !KNOWN & !libc::SS_ONSTACK != 0 {
        return Err(Errno(libc::EINVAL));
    }
    if !is_none && new.size < libc::MINSIGSTKSZ {
        return Err(Errno(libc::ENOMEM));
    }
    let ours = OURS.get();
    if !is_none && crash::is_enough(new) {
        // SAFETY: the memory is on the caller.
        unsafe { alternate_stack(Some(new)) }?;
        OURS.set(Some(ours.unwrap_or(*now)));
    } else if let Some(ours) = ours {
        // SAFETY: the thread had it before, and its memory stays for as long as the thread.
        unsafe { alternate_stack(Some(&ours)) }?;
        OURS.set(None);
    }
    THEIRS.set(Some(*new));
    Ok(())
}

/// Takes the place of the C library's: see there, and `toolbox.h`.
///
/// # Safety
/// As for the C library's.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigaltstack(new: *const libc::stack_t, old: *mut libc::stack_t) -> c_int {
    // SAFETY: null or a stack, which is laid out like ours, as the caller says.
    let new = unsafe { new.cast::<AltStack>().as_ref() };
    // SAFETY: nothing is set, or the memory is on the caller.
    let done = unsafe { alternate_stack(new.filter(|_| !crash::is_installed())) };
    let now = match done {
        Ok(now) => now,
        Err(Errno(error)) => return super::signals::failed(error),
    };
    let shown =
        THEIRS.get().map_or(now, |theirs| AltStack { flags: theirs.flags | now.flags & libc::SS_ONSTACK, ..theirs });
    if crash::is_installed()
        && let Some(new) = new
    {
        // SAFETY: as the caller says.
        if let Err(Errno(error)) = unsafe { set(new, &now) } {
            return super::signals::failed(error);
        }
    }
    // SAFETY: null or a place for a stack, as the caller says.
    if let Some(old) = unsafe { old.cast::<AltStack>().as_mut() } {
        *old = shown;
    }
    0
}
