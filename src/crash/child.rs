//! A process beside the one that dies, for what may go wrong: names, and the other threads.
//!
//! It is made by the raw system call, so that no handlers of `fork` run (they take the locks of the allocator), and it
//! *shares* the memory of the process: making it costs the same however large the process is, it sees the stacks that it
//! reads as they are now, and what it reads no copy can make stale. It shares nothing else. Its descriptors are a copy, so that it may
//! close some to have numbers; its limits are its own; a fault in it ends only itself, because our handler recognizes its
//! stack; and it is another process as far as tracing is concerned, which threads of the same process are not.
//!
//! It has thread-local memory of its own, an empty piece that the thread pointer is set into: the C library stores `errno`
//! there, and the parent's thread pointer may be what was destroyed.
//!
//! The parent waits for a word that the kernel clears when the child is gone, for a limited time, and then kills it: that
//! needs no descriptor and no signal. It is buried at once; it never was a child that the program's own `wait` sees.
//!
//! # Safety
//!
//! The child's stack and its thread-local memory belong to whoever has the claim, and are used by one child at a time, which
//! is waited for. While it runs the parent does nothing but wait.
#![allow(unsafe_code)]

use super::install::{Setup, Shared};
use super::sink::Deadline;
use crate::sys::raw::{self, Errno};
use core::sync::atomic::AtomicU32;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// How a child has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It came to its end.
    Well,
    /// It crashed.
    Badly,
    /// It was killed when its time was over.
    TimedOut,
}

/// What is before the child's thread pointer, and what is behind it, in words: room for all that a C library keeps there.
const TLS_WORDS: usize = 4096;

/// Thread-local memory for the child: zeroes, but for what [`run`] writes.
static TLS: Shared<[usize; TLS_WORDS]> = Shared::new([0; TLS_WORDS]);

/// Not zero while there is a child; the kernel clears it.
static ALIVE: AtomicU32 = AtomicU32::new(0);

/// Set when the child may begin: the parent has done what it had to do with its number.
static READY: AtomicU32 = AtomicU32::new(0);

/// What a child ends with if it came to its end.
const WELL: i32 = 0;

/// Runs `run(argument)` in a child, waits for it until `deadline`, and buries it. Signal-safe.
///
/// The child can trace us, as far as that is ours to allow.
///
/// # Errors
/// The kernel's number, when no child could be made.
pub(crate) fn run(
    setup: &Setup,
    run: extern "C" fn(usize),
    argument: usize,
    deadline: &mut Deadline,
) -> Result<Ended, Errno> {
    let top = setup.child_top()?;
    READY.store(0, Relaxed);
    ALIVE.store(1, Relaxed);
    let tls = TLS.get().cast::<usize>().wrapping_add(TLS_WORDS / 2);
    // The ABI of x86-64 has a pointer to itself in the first word, and glibc another in the third.
    for word in [tls, tls.wrapping_add(2)] {
        // SAFETY: the word lies in the middle of the memory, which no child uses now.
        unsafe { word.write(tls as usize) };
    }
    // SAFETY: the stack lies ready for this, and the child before was waited for; the parent waits.
    let child = unsafe { raw::clone_sharing_memory(top, tls as usize, &ALIVE, run, argument) }?;
    let _ = raw::allow_tracer(child);
    READY.store(1, Release); // Pairs with the acquire in `wait_until_ready`.
    raw::futex_wake(&READY);
    let mut is_late = false;
    loop {
        let alive = ALIVE.load(Acquire);
        if alive == 0 {
            break;
        }
        let left_ms = deadline.left_ms();
        if left_ms == 0 && !is_late {
            is_late = true;
            let _ = raw::send_to_process(child, libc::SIGKILL);
        }
        // Whom the kernel cannot kill, because it waits for a device, is not waited for either.
        let wait_ms = if is_late { 500 } else { left_ms };
        raw::futex_wait(&ALIVE, alive, u64::from(wait_ms) * 1_000_000);
        if is_late && ALIVE.load(Acquire) != 0 {
            return Ok(Ended::TimedOut);
        }
    }
    let status = bury(child);
    let _ = raw::allow_tracer(0);
    Ok(match status {
        _ if is_late => Ended::TimedOut,
        Some(WELL) => Ended::Well,
        _ => Ended::Badly,
    })
}

/// Takes the child's wait status. It is dead already, or will be in a moment.
fn bury(child: u32) -> Option<i32> {
    for _ in 0..1000 {
        match raw::wait(child, libc::__WALL | libc::WNOHANG) {
            Ok(Some(status)) => return Some(status),
            Ok(None) => raw::sleep(20_000),
            Err(Errno(libc::EINTR)) => {}
            Err(_) => return Some(WELL), // Somebody else took it: the kernel, where `SIGCHLD` is ignored.
        }
    }
    None
}

/// In the child: waits until the parent has allowed it what it can, but not for ever. Signal-safe.
pub(crate) fn wait_until_ready() {
    for _ in 0..10 {
        // Pairs with the release in `run`.
        if READY.load(Acquire) != 0 {
            return;
        }
        raw::futex_wait(&READY, 0, 10_000_000);
    }
}

/// In the child: lifts the limits of its address space and descriptors as far as it may, since it needs files and memory
/// where the program has none left; the limits of the program stay. Signal-safe.
pub(crate) fn lift_limits() {
    for resource in [libc::RLIMIT_AS, libc::RLIMIT_NOFILE, libc::RLIMIT_DATA] {
        let Ok((soft, hard)) = raw::limit(resource) else { continue };
        let most = if resource == libc::RLIMIT_NOFILE { hard.max(1024) } else { libc::RLIM_INFINITY };
        // A hard limit takes a privilege to lift.
        if soft < most && raw::set_limit(resource, most, most.max(hard)).is_err() && soft < hard {
            let _ = raw::set_limit(resource, hard, hard);
        }
    }
}

/// In the child: closes all descriptors but the first three and those in `kept`, so that numbers are free. They are the
/// child's copies: what they stand for stays open. Signal-safe.
pub(crate) fn close_others(kept: &mut [i32]) {
    kept.sort_unstable();
    let mut first = 3;
    for number in kept.iter().filter(|number| **number >= 3) {
        let number = *number as u32;
        if number > first && raw::close_range(first, number - 1).is_err() {
            return; // Before Linux 5.9.
        }
        first = first.max(number + 1);
    }
    let _ = raw::close_range(first, u32::MAX);
}
