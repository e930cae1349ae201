//! Processes and threads: who we are, a child that shares our memory, waiting with a limit, time.
//!
//! # Safety
//!
//! Every call passes integers or pointers to what it borrows, but for [`clone_sharing_memory`] and [`trace`], which say
//! themselves what they need.
#![allow(unsafe_code)]

use super::{Errno, Outcome, call};
use core::sync::atomic::AtomicU32;

/// Number of this process, in its own namespace. Signal-safe.
#[must_use]
pub fn process() -> u32 {
    // SAFETY: the call has no arguments.
    unsafe { call(libc::SYS_getpid, [0; 6]) }.unwrap_or(0) as u32
}

/// Number of the parent process. Signal-safe.
#[must_use]
pub fn parent_process() -> u32 {
    // SAFETY: the call has no arguments.
    unsafe { call(libc::SYS_getppid, [0; 6]) }.unwrap_or(0) as u32
}

/// Number of the calling thread. Signal-safe.
#[must_use]
pub fn thread() -> u32 {
    // SAFETY: the call has no arguments.
    unsafe { call(libc::SYS_gettid, [0; 6]) }.unwrap_or(0) as u32
}

/// Name of the calling thread, ended by a zero; empty when the kernel refuses. Signal-safe.
#[must_use]
pub fn thread_name() -> [u8; 16] {
    let mut name = [0; 16];
    let arguments = [libc::PR_GET_NAME as usize, name.as_mut_ptr() as usize, 0, 0, 0, 0];
    // SAFETY: the kernel writes at most 16 bytes for this request.
    let _ = unsafe { call(libc::SYS_prctl, arguments) };
    name
}

/// Whether a filter of system calls is set for this thread: 0 none, 1 strict, 2 a filter. Signal-safe.
#[must_use]
pub fn seccomp_mode() -> u32 {
    // SAFETY: the request has no pointers.
    unsafe { call(libc::SYS_prctl, [libc::PR_GET_SECCOMP as usize, 0, 0, 0, 0, 0]) }.unwrap_or(0) as u32
}

/// Lets process `tracer` trace us, where only parents may (`kernel.yama.ptrace_scope` 1); zero takes it back. Signal-safe.
///
/// # Errors
/// `EINVAL` where nothing keeps others from it.
pub fn allow_tracer(tracer: u32) -> Outcome {
    // SAFETY: the request has no pointers.
    unsafe { call(libc::SYS_prctl, [libc::PR_SET_PTRACER as usize, tracer as usize, 0, 0, 0, 0]) }
}

/// Kills the calling process when its parent's thread is gone. Signal-safe.
pub fn die_with_parent() {
    // SAFETY: the request has no pointers.
    let _ = unsafe { call(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, libc::SIGKILL as usize, 0, 0, 0, 0]) };
}

/// Whether others of the same user may look into this process. Signal-safe.
#[must_use]
pub fn dumpable() -> bool {
    // SAFETY: the request has no pointers.
    let answer = unsafe { call(libc::SYS_prctl, [libc::PR_GET_DUMPABLE as usize, 0, 0, 0, 0, 0]) };
    answer == Ok(1)
}

/// The soft and the hard limit of `resource`. Signal-safe.
///
/// # Errors
/// The kernel's number.
pub fn limit(resource: u32) -> Result<(u64, u64), Errno> {
    let mut limits = [0_u64; 2];
    let arguments = [0, resource as usize, 0, limits.as_mut_ptr() as usize, 0, 0];
    // SAFETY: the kernel writes a `rlimit64`, which is two integers.
    unsafe { call(libc::SYS_prlimit64, arguments) }?;
    Ok((limits[0], limits[1]))
}

/// Sets the soft and the hard limit of `resource`. Signal-safe.
///
/// # Errors
/// The kernel's number.
pub fn set_limit(resource: u32, soft: u64, hard: u64) -> Outcome {
    let limits = [soft, hard];
    // SAFETY: the kernel reads a `rlimit64`, which is two integers.
    unsafe { call(libc::SYS_prlimit64, [0, resource as usize, limits.as_ptr() as usize, 0, 0, 0]) }
}

/// What clock `clock` shows, in nanoseconds. Signal-safe.
#[must_use]
pub fn clock(clock: i32) -> u64 {
    let mut time = [0_i64; 2];
    // SAFETY: the kernel writes a `timespec`, which is two integers.
    let _ = unsafe { call(libc::SYS_clock_gettime, [clock as usize, time.as_mut_ptr() as usize, 0, 0, 0, 0]) };
    (time[0] as u64).saturating_mul(1_000_000_000).saturating_add(time[1] as u64)
}

/// Sleeps for a number of nanoseconds, or until a signal. Signal-safe.
pub fn sleep(nanoseconds: u64) {
    let time = [nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000];
    // SAFETY: the kernel reads a `timespec`, which is two integers.
    let _ = unsafe { call(libc::SYS_nanosleep, [time.as_ptr() as usize, 0, 0, 0, 0, 0]) };
}

/// Lets others run. Signal-safe.
pub fn yield_now() {
    // SAFETY: the call has no arguments.
    let _ = unsafe { call(libc::SYS_sched_yield, [0; 6]) };
}

/// Sleeps while `word` is `expected`, for `limit_ns` nanoseconds at most. Unlike the futex of the locks this one is not
/// private to the process: the kernel wakes it when a child that shares our memory is gone. Signal-safe.
pub fn futex_wait(word: &AtomicU32, expected: u32, limit_ns: u64) {
    let time = [limit_ns / 1_000_000_000, limit_ns % 1_000_000_000];
    let arguments =
        [word.as_ptr() as usize, libc::FUTEX_WAIT as usize, expected as usize, time.as_ptr() as usize, 0, 0];
    // SAFETY: a word that is borrowed, and a `timespec` of two integers.
    let _ = unsafe { call(libc::SYS_futex, arguments) };
}

/// Wakes all that sleep on `word`. Signal-safe.
pub fn futex_wake(word: &AtomicU32) {
    let arguments = [word.as_ptr() as usize, libc::FUTEX_WAKE as usize, i32::MAX as usize, 0, 0, 0];
    // SAFETY: the kernel only compares the address.
    let _ = unsafe { call(libc::SYS_futex, arguments) };
}

/// Ends the process, without any clean-up. Signal-safe.
pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: the call does not come back.
        let _ = unsafe { call(libc::SYS_exit_group, [status as usize, 0, 0, 0, 0, 0]) };
    }
}

/// Asks after child `process` without waiting for it, and buries it if it is dead: its wait status. Signal-safe.
///
/// # Errors
/// `ECHILD` when it is no child of ours, or already buried.
pub fn wait(process: u32, options: i32) -> Result<Option<i32>, Errno> {
    let mut status = 0_i32;
    let arguments = [process as usize, (&raw mut status) as usize, options as usize, 0, 0, 0];
    // SAFETY: the kernel writes one integer.
    let found = unsafe { call(libc::SYS_wait4, arguments) }?;
    Ok((found != 0).then_some(status))
}

/// One request of `ptrace`. Signal-safe.
///
/// # Errors
/// The kernel's number: `EPERM` when it is not allowed, `ESRCH` when the thread is not stopped.
///
/// # Safety
/// `address` and `data` are what the request wants them to be.
pub unsafe fn trace(request: u32, thread: u32, address: usize, data: usize) -> Outcome {
    // SAFETY: as the caller promises.
    unsafe { call(libc::SYS_ptrace, [request as usize, thread as usize, address, data, 0, 0]) }
}

/// Starts a process that shares our memory, and nothing else: not descriptors, not handlers, and it is nobody's thread. It
/// runs `run(argument)` on the stack that ends at `stack`, and then ends. When it is gone, the kernel sets `alive` to zero
/// and wakes who sleeps on it ([`futex_wait`]). No signal tells the parent; it is buried with `__WALL`. Signal-safe.
///
/// # Errors
/// `EAGAIN` at the limit of processes; what a filter of system calls answers.
///
/// # Safety
/// `stack` is the upper end, aligned to 16, of memory that nobody else uses until the child is gone; `alive` lives as long.
/// `thread_pointer` leads to memory that serves as the child's thread-local memory, and as nobody else's. `run` touches nothing
/// that the threads of this process may be changing.
pub unsafe fn clone_sharing_memory(
    stack: *mut u8,
    thread_pointer: usize,
    alive: &AtomicU32,
    run: extern "C" fn(usize),
    argument: usize,
) -> Result<u32, Errno> {
    let flags = libc::CLONE_VM | libc::CLONE_SETTLS | libc::CLONE_CHILD_CLEARTID | libc::CLONE_CHILD_SETTID;
    let run = run as *const () as usize;
    // SAFETY: the child begins on a stack of its own, as the caller promises, and never returns into this function's
    // frames.
    let result = unsafe { clone_and_run(flags as usize, stack, alive.as_ptr(), run, argument, thread_pointer) };
    if result < 0 { Err(Errno(-result as i32)) } else { Ok(result as u32) }
}

/// `clone`, and in the child a call. The return value is the kernel's, in the parent only.
///
/// # Safety
/// As for [`clone_sharing_memory`].
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn clone_and_run(
    flags: usize,
    stack: *mut u8,
    alive: *mut u32,
    run: usize,
    argument: usize,
    thread_pointer: usize,
) -> isize {
    core::arch::naked_asm!(
        // clone(flags rdi, stack rsi, parent_tid rdx, child_tid r10, tls r8); what the child needs lies in registers
        // that the call keeps.
        "mov r10, rdx", // child_tid
        "mov rdx, r8",  // argument, in a register that the call keeps: CLONE_PARENT_SETTID is not asked for
        "mov r8, r9",   // tls
        "mov r9, rcx",  // run
        "mov eax, 56",  // SYS_clone
        "syscall",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "xor ebp, ebp", // the last frame
        "mov rdi, rdx",
        "call r9",
        "xor edi, edi",
        "mov eax, 231", // exit_group
        "syscall",
        "ud2",
    );
}

/// `clone`, and in the child a call. The return value is the kernel's, in the parent only.
///
/// # Safety
/// As for [`clone_sharing_memory`].
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn clone_and_run(
    flags: usize,
    stack: *mut u8,
    alive: *mut u32,
    run: usize,
    argument: usize,
    thread_pointer: usize,
) -> isize {
    core::arch::naked_asm!(
        // clone(flags x0, stack x1, parent_tid x2, tls x3, child_tid x4)
        "mov x9, x3",
        "mov x10, x4",
        "mov x4, x2",
        "mov x3, x5",
        "mov x8, 220", // SYS_clone
        "svc 0",
        "cbz x0, 2f",
        "ret",
        "2:",
        "mov x29, xzr",
        "mov x30, xzr",
        "mov x0, x10",
        "blr x9",
        "mov x0, xzr",
        "mov x8, 94", // exit_group
        "svc 0",
        "udf #0",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::Ordering::SeqCst;

    extern "C" fn double(argument: usize) {
        // SAFETY: the parent passes the address of a word that it keeps until the child is gone.
        let word = unsafe { &*(argument as *const AtomicU32) };
        word.fetch_add(21, SeqCst);
    }

    #[test]
    fn a_child_shares_memory_and_is_buried() {
        let stack = super::super::map(1 << 16, libc::PROT_READ | libc::PROT_WRITE).unwrap();
        let (alive, word) = (AtomicU32::new(1), AtomicU32::new(21));
        let (top, pointer) = (stack.wrapping_add(1 << 16), stack as usize);
        // SAFETY: the stack is used by nobody else; the child touches one word, atomically, and is waited for.
        let child = unsafe { clone_sharing_memory(top, pointer, &alive, double, word.as_ptr() as usize) }.unwrap();
        loop {
            match alive.load(SeqCst) {
                0 => break,
                now => futex_wait(&alive, now, 1_000_000_000),
            }
        }
        while wait(child, libc::__WALL).unwrap().is_none() {}
        assert_eq!(word.load(SeqCst), 42);
        assert_eq!(wait(child, libc::__WALL), Err(Errno(libc::ECHILD)));
        // SAFETY: the child that used it is gone.
        unsafe { super::super::unmap(stack, 1 << 16) };
    }

    #[test]
    fn who_and_when() {
        assert!(thread() >= process() || thread() > 0);
        assert_eq!(parent_process(), std::os::unix::process::parent_id());
        let name = thread_name();
        assert!(name.contains(&0));
        let before = clock(libc::CLOCK_MONOTONIC);
        sleep(1_000_000);
        assert!(clock(libc::CLOCK_MONOTONIC) >= before + 1_000_000);
        let (soft, hard) = limit(libc::RLIMIT_NOFILE).unwrap();
        assert!(soft <= hard);
        set_limit(libc::RLIMIT_NOFILE, soft, hard).unwrap();
    }
}
