//! `sigaction`, `signal` and the masks: a program's own handlers and ours.
//!
//! While our handler is set for a signal, what a program sets for it is remembered in its stead, and gets the signal after the
//! report; what it asks for is its own. All else goes to the kernel or to the next function of the name. In masks, those
//! of threads and of handlers, the signals of a fault are left out: one that comes while it is held back ends the program
//! at once, and no handler hears of it. `SIGABRT` is not among them, because `abort` lets it through itself.
//!
//! These functions may be called in a signal handler; they take no lock and allocate nothing, but for the first call, which looks up
//! the next function and is made when the library is installed.
//!
//! # Safety
//!
//! The functions are what the C library documents under their names, and their callers answer for the pointers as they
//! would there. The C library's set of signals is longer than the kernel's, whose 64 are its first word.
#![allow(unsafe_code)]

use super::next::Next;
use crate::crash;
use crate::crash::signal::{ALL, all};
use crate::sys::raw::{self, Action, Errno, Mask};
use core::ffi::c_int;
use core::sync::atomic::{AtomicUsize, Ordering};

/// `SA_RESTORER` of x86-64, which the C library sets for its callers.
const RESTORER: u64 = 0x0400_0000;

/// Two signals that the C library has for itself and shows nobody.
const INTERNAL: Mask = Mask(0b11 << 31);

static SIGACTION: Next = Next::new(c"sigaction");

/// The address of our handler, zero before the first installation.
static OURS: AtomicUsize = AtomicUsize::new(0);

/// What is done right after an installation: our handler is looked up, and the next function, which would otherwise be looked up by
/// its first caller, who may be in a signal handler.
pub(super) fn prepare() {
    let _ = SIGACTION.address();
    let ours = ALL.into_iter().filter(|signal| crash::is_handling(*signal)).find_map(set);
    // Relaxed: the address says all, and is the same after every installation.
    OURS.store(ours.map_or(0, |action| action.handler), Ordering::Relaxed);
}

/// What the kernel has for a signal.
fn set(signal: c_int) -> Option<Action> {
    // SAFETY: nothing is set.
    unsafe { raw::action(signal, None) }.ok()
}

/// Whether our handler is set for a signal. It is not while the program's own has the signal, after the report: what
/// that one sets is meant for now.
fn is_ours(signal: c_int) -> bool {
    let ours = OURS.load(Ordering::Relaxed);
    crash::is_handling(signal) && set(signal).is_some_and(|now| now.handler == ours)
}

/// What a program is not to hold back.
fn let_through() -> Mask {
    if crash::is_installed() { all().without(Mask::of(libc::SIGABRT)) } else { Mask::default() }
}

/// The kernel's signals of a set.
///
/// # Safety
/// `set` is a set of the C library.
unsafe fn word(set: *const libc::sigset_t) -> Mask {
    // SAFETY: the kernel's 64 signals are the first word.
    Mask(unsafe { set.cast::<u64>().read() })
}

/// Writes a set.
///
/// # Safety
/// `set` is null, or a place for a set of the C library.
unsafe fn write(set: *mut libc::sigset_t, mask: Mask) {
    if set.is_null() {
        return;
    }
    // SAFETY: a place for a set, as the caller says.
    unsafe { libc::sigemptyset(set) };
    // SAFETY: the kernel's 64 signals are the first word.
    unsafe { set.cast::<u64>().write(mask.0) };
}

pub(super) fn failed(error: i32) -> c_int {
    // SAFETY: the thread's own error number is always there.
    let place = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { place.write(error) };
    -1
}

/// An action as the kernel is told it.
fn told(action: &libc::sigaction) -> Action {
    let restorer = raw::restorer();
    let flags = action.sa_flags as u32 as u64;
    // SAFETY: a set of the C library.
    let mask = unsafe { word(&raw const action.sa_mask) }.without(let_through());
    Action { handler: action.sa_sigaction, flags: if restorer == 0 { flags } else { flags | RESTORER }, restorer, mask }
}

/// An action as a program is shown it.
///
/// # Safety
/// `place` is null, or a place for an action.
unsafe fn show(action: &Action, place: *mut libc::sigaction) {
    if place.is_null() {
        return;
    }
    // SAFETY: all of it is numbers, a set of numbers, and a function that may be absent.
    let mut shown = unsafe { core::mem::zeroed::<libc::sigaction>() };
    shown.sa_sigaction = action.handler;
    shown.sa_flags = (action.flags & !RESTORER) as c_int;
    // SAFETY: a set, which is ours.
    unsafe { write(&raw mut shown.sa_mask, action.mask) };
    // SAFETY: a place for an action, as the caller says.
    unsafe { place.write(shown) };
}

/// Sets an action where ours is set, or asks; none where it is not.
fn exchange(signal: c_int, new: Option<&Action>) -> Option<Action> {
    if !is_ours(signal) {
        return None;
    }
    match new {
        Some(action) => crash::exchange_next(signal, action),
        None => crash::next(signal),
    }
}

/// Sets an action for another signal, or one of ours while it is not: by the next `sigaction` or by the kernel.
///
/// # Safety
/// As for `sigaction`.
unsafe fn pass_on(signal: c_int, new: *const libc::sigaction, old: *mut libc::sigaction) -> c_int {
    type Sigaction = unsafe extern "C" fn(c_int, *const libc::sigaction, *mut libc::sigaction) -> c_int;
    // SAFETY: null or an action, as the caller says.
    let mut cleaned = unsafe { new.as_ref() }.copied();
    if let Some(cleaned) = &mut cleaned {
        // SAFETY: a set of the C library.
        let mask = unsafe { word(&raw const cleaned.sa_mask) }.without(let_through());
        // SAFETY: as above.
        unsafe { write(&raw mut cleaned.sa_mask, mask) };
    }
    if let Some(address) = SIGACTION.address() {
        // SAFETY: the function that is documented under this name.
        let next = unsafe { core::mem::transmute::<usize, Sigaction>(address) };
        // SAFETY: what the caller passed, but for a shorter mask.
        return unsafe { next(signal, cleaned.as_ref().map_or(core::ptr::null(), core::ptr::from_ref), old) };
    }
    if INTERNAL.has(signal) {
        return failed(libc::EINVAL);
    }
    // SAFETY: the handler is on the caller.
    match unsafe { raw::action(signal, cleaned.as_ref().map(told).as_ref()) } {
        Ok(before) => {
            // SAFETY: as the caller says.
            unsafe { show(&before, old) };
            0
        }
        Err(Errno(error)) => failed(error),
    }
}

/// Takes the place of the C library's: see there, and `toolbox.h`.
///
/// # Safety
/// As for the C library's.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigaction(signal: c_int, new: *const libc::sigaction, old: *mut libc::sigaction) -> c_int {
    // SAFETY: null or an action, as the caller says.
    let action = unsafe { new.as_ref() }.map(told);
    match exchange(signal, action.as_ref()) {
        Some(before) => {
            // SAFETY: null or a place for an action, as the caller says.
            unsafe { show(&before, old) };
            0
        }
        // SAFETY: as the caller says.
        None => unsafe { pass_on(signal, new, old) },
    }
}

/// `signal` in one of its kinds.
fn simple(signal: c_int, handler: usize, flags: c_int) -> usize {
    // SAFETY: all of it is numbers, a set of numbers, and a function that may be absent.
    let mut new = unsafe { core::mem::zeroed::<libc::sigaction>() };
    new.sa_sigaction = handler;
    new.sa_flags = flags;
    let mut old = new;
    // SAFETY: an action, and a place for one.
    if unsafe { sigaction(signal, &raw const new, &raw mut old) } == 0 { old.sa_sigaction } else { libc::SIG_ERR }
}

/// With the meaning of BSD: a system call that is interrupted goes on, and the handler stays.
fn lasting(number: c_int, handler: usize, next: &Next) -> usize {
    type Signal = unsafe extern "C" fn(c_int, usize) -> usize;
    let is_ours = is_ours(number);
    match next.address() {
        // It alone knows what `siginterrupt` was told.
        Some(address) if !is_ours => {
            // SAFETY: the function that is documented under this name.
            let next = unsafe { core::mem::transmute::<usize, Signal>(address) };
            // SAFETY: the handler is on the caller.
            unsafe { next(number, handler) }
        }
        _ => simple(number, handler, libc::SA_RESTART),
    }
}

/// Takes the place of the C library's: see there, and `toolbox.h`.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
extern "C" fn signal(number: c_int, handler: usize) -> usize {
    static NEXT: Next = Next::new(c"signal");
    lasting(number, handler, &NEXT)
}

/// Takes the place of the C library's: see there, and `toolbox.h`.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
extern "C" fn bsd_signal(number: c_int, handler: usize) -> usize {
    static NEXT: Next = Next::new(c"bsd_signal");
    lasting(number, handler, &NEXT)
}

/// Takes the place of the C library's: see there, and `toolbox.h`. The handler serves once.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
extern "C" fn sysv_signal(number: c_int, handler: usize) -> usize {
    simple(number, handler, libc::SA_RESETHAND | libc::SA_NODEFER)
}

/// The name by which headers call `sysv_signal` in a program that asks for the old meaning of `signal`.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
extern "C" fn __sysv_signal(number: c_int, handler: usize) -> usize {
    sysv_signal(number, handler)
}

/// Changes the mask of the calling thread.
///
/// # Safety
/// As for `sigprocmask`.
unsafe fn change_mask(how: c_int, new: *const libc::sigset_t, old: *mut libc::sigset_t) -> Result<(), c_int> {
    let before = if new.is_null() {
        raw::mask(libc::SIG_BLOCK, Mask::default())
    } else {
        if ![libc::SIG_BLOCK, libc::SIG_UNBLOCK, libc::SIG_SETMASK].contains(&how) {
            return Err(libc::EINVAL);
        }
        // SAFETY: a set, as the caller says.
        let set = unsafe { word(new) }.without(INTERNAL);
        raw::mask(how, if how == libc::SIG_UNBLOCK { set } else { set.without(let_through()) })
    };
    // SAFETY: null or a place for a set, as the caller says.
    unsafe { write(old, before) };
    Ok(())
}

/// Takes the place of the C library's: see there, and `toolbox.h`.
///
/// # Safety
/// As for the C library's.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
unsafe extern "C" fn sigprocmask(how: c_int, new: *const libc::sigset_t, old: *mut libc::sigset_t) -> c_int {
    // SAFETY: as the caller says.
    unsafe { change_mask(how, new, old) }.map_or_else(failed, |()| 0)
}

/// Takes the place of the C library's: see there, and `toolbox.h`.
///
/// # Safety
/// As for the C library's.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_sigmask(how: c_int, new: *const libc::sigset_t, old: *mut libc::sigset_t) -> c_int {
    // SAFETY: as the caller says.
    unsafe { change_mask(how, new, old) }.map_or_else(|error| error, |()| 0)
}
