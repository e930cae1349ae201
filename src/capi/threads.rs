//! `pthread_create`: every thread gets an alternate stack.
//!
//! The new thread begins in a few instructions of ours, which get the stack and then jump to where the program wanted it
//! to begin. Nothing of ours stays below the program's frames: `pthread_exit` and cancellation unwind a thread's stack, and must
//! not meet a frame of Rust. What was given is taken back by the destructor of a key, which the C library calls however a
//! thread ends; it asks to be called again as often as it may, so that destructors of the program still have the stack.
//!
//! A thread that cannot have a stack goes without.
//!
//! # Safety
//!
//! The record that a thread begins with is made for it alone, and it alone frees it. What lies under the key was put there
//! by this file.
#![allow(unsafe_code)]

use super::next;
use super::{ERROR_MEMORY, OK};
use crate::crash::{self, ThreadGuard};
use core::ffi::{c_int, c_void};
use std::sync::OnceLock;

/// What a thread begins with.
#[repr(C)]
struct Begin {
    start: usize,
    argument: usize,
}

/// A thread's stack, and how often the destructor was called.
struct Given {
    _guard: ThreadGuard,
    round: usize,
}

/// How often the C library calls destructors (`PTHREAD_DESTRUCTOR_ITERATIONS`); the last round takes the stack.
const ROUNDS: usize = 4;

fn key() -> Option<libc::pthread_key_t> {
    static KEY: OnceLock<Option<libc::pthread_key_t>> = OnceLock::new();
    *KEY.get_or_init(|| {
        let mut key = 0;
        // SAFETY: a place for a key, and a function that takes what is put under it.
        let failed = unsafe { libc::pthread_key_create(&raw mut key, Some(end)) };
        (failed == 0).then_some(key)
    })
}

/// What the calling thread has under the key.
fn given(key: libc::pthread_key_t) -> *mut Given {
    // SAFETY: the key was made and is never deleted.
    unsafe { libc::pthread_getspecific(key) }.cast()
}

/// Gives the calling thread a stack, if it has none.
pub(super) fn give() -> c_int {
    let Some(key) = key() else { return ERROR_MEMORY };
    if !given(key).is_null() {
        return OK;
    }
    let Ok(guard) = crash::thread_guard() else { return ERROR_MEMORY };
    let given = Box::into_raw(Box::new(Given { _guard: guard, round: 1 }));
    // SAFETY: the key was made and is never deleted.
    if unsafe { libc::pthread_setspecific(key, given.cast()) } != 0 {
        // SAFETY: made above, and nobody else has it.
        drop(unsafe { Box::from_raw(given) });
        return ERROR_MEMORY;
    }
    OK
}

/// Takes back what the calling thread was given.
pub(super) fn take() {
    let Some(key) = key() else { return };
    let given = given(key);
    if given.is_null() {
        return;
    }
    // SAFETY: the key was made and is never deleted.
    let _ = unsafe { libc::pthread_setspecific(key, core::ptr::null()) };
    // SAFETY: it was made by `give` for this thread, and is under the key no longer.
    drop(unsafe { Box::from_raw(given) });
}

/// The destructor of the key: waits for the last round.
extern "C" fn end(given: *mut c_void) {
    let given = given.cast::<Given>();
    // SAFETY: what was under the key is the thread's own, and still there.
    let round = unsafe { &mut (*given).round };
    *round += 1;
    let is_last = *round > ROUNDS;
    // SAFETY: the key was made, or there would be nothing under it.
    let kept = !is_last && key().is_some_and(|key| unsafe { libc::pthread_setspecific(key, given.cast()) } == 0);
    if !kept {
        // SAFETY: it was made by `give` for this thread, and nobody asks for it again.
        drop(unsafe { Box::from_raw(given) });
    }
}

/// The first thing that a new thread does; what it returns, it goes on with.
///
/// # Safety
/// `begin` was made by `pthread_create` below, for this thread.
unsafe extern "C" fn begins(begin: *mut Begin) -> Begin {
    let _ = give();
    // SAFETY: as the caller says.
    *unsafe { Box::from_raw(begin) }
}

#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".pushsection .text.toolbox_thread_start, \"ax\", @progbits",
    ".balign 16",
    ".globl toolbox_thread_start",
    ".hidden toolbox_thread_start",
    ".type toolbox_thread_start, @function",
    "toolbox_thread_start:",
    ".cfi_startproc",
    "sub rsp, 8", // The stack is 16-byte aligned at a call.
    ".cfi_adjust_cfa_offset 8",
    "call {begins}", // Returns where to go in rax, and with what in rdx.
    "add rsp, 8",
    ".cfi_adjust_cfa_offset -8",
    "mov rdi, rdx",
    "jmp rax",
    ".cfi_endproc",
    ".size toolbox_thread_start, . - toolbox_thread_start",
    ".popsection",
    begins = sym begins,
);

#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".pushsection .text.toolbox_thread_start, \"ax\", @progbits",
    ".balign 16",
    ".globl toolbox_thread_start",
    ".hidden toolbox_thread_start",
    ".type toolbox_thread_start, @function",
    "toolbox_thread_start:",
    ".cfi_startproc",
    "stp x29, x30, [sp, -16]!",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset x29, -16",
    ".cfi_offset x30, -8",
    "bl {begins}", // Returns where to go in x0, and with what in x1.
    "mov x16, x0",              // What an indirect branch to a function may be made by.
    "mov x0, x1",
    "ldp x29, x30, [sp], 16",
    ".cfi_restore x29",
    ".cfi_restore x30",
    ".cfi_def_cfa_offset 0",
    "br x16",
    ".cfi_endproc",
    ".size toolbox_thread_start, . - toolbox_thread_start",
    ".popsection",
    begins = sym begins,
);

// SAFETY: the instructions above, which keep to the calling convention of C.
unsafe extern "C" {
    fn toolbox_thread_start(begin: *mut c_void) -> *mut c_void;
}

type Start = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
type Create = unsafe extern "C" fn(*mut libc::pthread_t, *const libc::pthread_attr_t, Start, *mut c_void) -> c_int;

/// Takes the place of the C library's: see there, and `toolbox.h`.
///
/// # Safety
/// As for the C library's.
// SAFETY: whoever has a function of this name means this one.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    let Some(address) = next::pthread_create() else { return libc::EAGAIN };
    // SAFETY: the function that is documented under this name.
    let create = unsafe { core::mem::transmute::<usize, Create>(address) };
    if !crash::is_installed() {
        // SAFETY: what the caller passes is for this function.
        return unsafe { create(thread, attributes, start, argument) };
    }
    let begin = Box::into_raw(Box::new(Begin { start: start as usize, argument: argument as usize }));
    // SAFETY: as above; the beginning is ours, with the record that was made for it.
    let failed = unsafe { create(thread, attributes, toolbox_thread_start, begin.cast()) };
    if failed != 0 {
        // SAFETY: no thread came to be that could have it.
        drop(unsafe { Box::from_raw(begin) });
    }
    failed
}
