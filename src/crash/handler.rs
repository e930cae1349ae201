//! The signal.
//!
//! ```text
//! entry    on whatever stack the kernel chose: a few hundred bytes
//!   begin    a contained load? a fault of our own? somebody else reports already? or it is ours to report
//! report   on a stack of 256 KiB that all threads share, since one at a time reports
//!   steps    one after the other, each guarded, what it wrote flushed before the next
//!   chain    the signal takes its course
//! ```
//!
//! **The claim.** One thread reports. It is recognized by the stack that it is on, not by its number, so that a fault inside
//! the report is told from another thread's crash without a system call. A thread that crashes meanwhile leaves a line
//! about itself and waits; when the report is finished the program ends, and with it that thread. If the reporter is gone
//! without having finished (it was a child that shared our memory, as after `vfork`) the claim is taken over.
//!
//! **Order.** What is known without asking anybody is written first: signal, code, address, registers. Then comes what takes
//! system calls, so that a filter which ends the process for one of them, or an exhausted resource, costs only what is behind.
//!
//! **Deadlines.** A timer of the kernel's sends the reporting thread one of our own signals when a step takes too long, and
//! the step is abandoned like one that crashed. Output waits for nobody ([`sink`](super::sink)). Names are made in a child,
//! which is killed when its time is over.
//!
//! The thread pointer may be destroyed, so nothing here touches a thread-local variable; `errno` is one.
//!
//! A signal that is blocked when the thread itself raises it never comes here: the kernel ends the program at once.
//!
//! # Safety
//!
//! What the report is made of lies in a static that belongs to the thread which has the claim. The information and the
//! context that the kernel passed lie on the signal's stack and stay there until the handler returns.
#![allow(unsafe_code)]

use super::chain;
use super::install::{self, Setup, Shared};
use super::memory;
use super::record::Excerpt;
use super::registers::Registers;
use super::signal;
use super::sink::Deadline;
use super::site::{Kind, Others, Site};
use super::step::{self, Failure};
use crate::sys::raw::{self, Mask};
use core::arch::naked_asm;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicUsize};

/// Nobody reports.
const FREE: u32 = 0;
/// Somebody does.
const CLAIMED: u32 = 1;

/// Who reports. Changed by compare-and-exchange from `FREE`, and back by whoever has it.
static CLAIM: AtomicU32 = AtomicU32::new(FREE);

/// The thread that reports, once it knows its number, to see whether it still lives.
static REPORTER: AtomicU32 = AtomicU32::new(0);

/// What the report is made of. Belongs to whoever has the claim.
static SITE: Shared<Site> = Shared::new(Site::new());

/// Other threads that crashed meanwhile.
static OTHERS: Others = Others::new();

/// How deep we are in faults of our own, for a fault in what handles them.
static FAULTS: AtomicUsize = AtomicUsize::new(0);

/// More faults of our own than this, and the program ends without more words.
const MOST_FAULTS: usize = 32;

/// What the kernel calls. Asks [`begin`] for a stack, and calls [`report`] there.
///
/// # Safety
/// Only for the kernel, as a handler with `SA_SIGINFO`, or for a handler that passes on what it got.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn entry(signal: i32, information: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "mov ebx, edi",
        "mov r12, rsi",
        "mov r13, rdx",
        "call {begin}",
        "test rax, rax",
        "jz 2f",
        "mov r14, rsp",
        "mov rsp, rax",
        "mov edi, ebx",
        "mov rsi, r12",
        "mov rdx, r13",
        "call {report}",
        "mov rsp, r14",
        "2:",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
        begin = sym begin,
        report = sym report,
    )
}

/// What the kernel calls. Asks [`begin`] for a stack, and calls [`report`] there.
///
/// # Safety
/// Only for the kernel, as a handler with `SA_SIGINFO`, or for a handler that passes on what it got.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn entry(signal: i32, information: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    naked_asm!(
        "stp x29, x30, [sp, #-48]!",
        "mov x29, sp",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "mov w19, w0",
        "mov x20, x1",
        "mov x21, x2",
        "bl {begin}",
        "cbz x0, 2f",
        "mov x22, sp",
        "mov sp, x0",
        "mov w0, w19",
        "mov x1, x20",
        "mov x2, x21",
        "bl {report}",
        "mov sp, x22",
        "2:",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x29, x30, [sp], #48",
        "ret",
        begin = sym begin,
        report = sym report,
    )
}

/// Program counter and stack pointer of what was interrupted.
fn place(context: &libc::ucontext_t) -> (u64, u64) {
    #[cfg(target_arch = "x86_64")]
    {
        let registers = &context.uc_mcontext.gregs;
        (registers[libc::REG_RIP as usize] as u64, registers[libc::REG_RSP as usize] as u64)
    }
    #[cfg(target_arch = "aarch64")]
    {
        (context.uc_mcontext.pc, context.uc_mcontext.sp)
    }
}

fn go_on_at(context: &mut libc::ucontext_t, pc: u64) {
    #[cfg(target_arch = "x86_64")]
    {
        context.uc_mcontext.gregs[libc::REG_RIP as usize] = pc as i64;
    }
    #[cfg(target_arch = "aarch64")]
    {
        context.uc_mcontext.pc = pc;
    }
}

/// Decides whose signal it is: the stack to report it on, or zero when there is nothing to report.
extern "C" fn begin(signal: i32, information: *mut libc::siginfo_t, context: *mut libc::ucontext_t) -> usize {
    // SAFETY: the kernel passed it, and nobody else knows it.
    let context = unsafe { &mut *context };
    // SAFETY: as above.
    let information = unsafe { &*information };
    let (pc, sp) = place(context);
    if information.si_code > 0
        && let Some(landing) = memory::contained(pc)
    {
        go_on_at(context, landing);
        return 0;
    }
    let Some(setup) = install::setup() else {
        leave(information, context);
        return 0;
    };
    if setup.is_on_child(sp as usize) {
        raw::exit(1); // Nothing there is worth a report; whoever waits for the child sees that it did not finish.
    }
    if setup.is_on_work(sp as usize) {
        failed(signal, information, context);
        return 0;
    }
    // Acquire pairs with the release that gave the claim back.
    if setup.work_top() != 0 && CLAIM.compare_exchange(FREE, CLAIMED, AcqRel, Acquire).is_ok() {
        return setup.work_top();
    }
    wait_for_reporter(setup, information, context)
}

/// Nothing is installed (any more): the signal takes its course.
fn leave(information: &libc::siginfo_t, context: &mut libc::ucontext_t) {
    // SAFETY: both are what the kernel passed to the handler.
    unsafe { chain::hand_over(super::options::Chain::Earlier, information, context) };
}

/// A fault of our own while reporting, or a step that took too long: the step is abandoned.
fn failed(signal: i32, information: &libc::siginfo_t, context: &mut libc::ucontext_t) {
    if information.si_code == libc::SI_TIMER {
        step::abandon(context, Failure::TimedOut);
        return;
    }
    let faults = FAULTS.fetch_add(1, Relaxed);
    let why = Failure::Signal(signal, place(context).0);
    if faults >= MOST_FAULTS || !step::abandon(context, why) {
        // Between two steps, where nothing can fail, or for ever: an end is better than none.
        chain::restore(signal::all());
        raw::mask(libc::SIG_UNBLOCK, signal::all());
        let _ = raw::send_to_thread(raw::process(), raw::thread(), signal);
        raw::exit(128 + signal);
    }
}

/// Somebody else reports. This thread leaves a note and waits until the program ends; if it does not, the signal takes its
/// course here as well, and if the reporter is gone, this thread reports.
fn wait_for_reporter(setup: &Setup, information: &libc::siginfo_t, context: &mut libc::ucontext_t) -> usize {
    let (process, thread) = (raw::process(), raw::thread());
    OTHERS.add(thread, information.si_signo);
    let limit_ns = u64::from(setup.options.limit_ms) * 2_000_000;
    let start = raw::clock(libc::CLOCK_MONOTONIC);
    while CLAIM.load(Acquire) == CLAIMED {
        raw::futex_wait(&CLAIM, CLAIMED, 100_000_000);
        let reporter = REPORTER.load(Relaxed);
        let is_gone = reporter != 0 && raw::send_to_thread(process, reporter, 0).is_err();
        if is_gone && REPORTER.compare_exchange(reporter, thread, AcqRel, Relaxed).is_ok() {
            return setup.work_top(); // The claim stays claimed, and is ours.
        }
        if raw::clock(libc::CLOCK_MONOTONIC).saturating_sub(start) > limit_ns {
            break;
        }
    }
    leave(information, context);
    0
}

/// Reports, and lets the signal take its course.
extern "C" fn report(_signal: i32, information: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    let Some(setup) = install::setup() else { return };
    // SAFETY: this thread has the claim.
    let site = unsafe { &mut *SITE.get() };
    // SAFETY: the kernel passed it, and nobody else knows it.
    let information = unsafe { &*information };
    // SAFETY: as above.
    let interrupted = unsafe { &*context };
    if !site.tell_aftermath(setup, information, interrupted) {
        site.open(setup, information, context, &OTHERS);
        // SAFETY: the stack lies ready for this and belongs to whoever has the claim. The kernel puts the thread's own back
        // when the handler returns, from the context.
        let _ = unsafe { raw::alternate_stack(Some(&setup.nested())) };
        site.run(|thread| REPORTER.store(thread, Relaxed));
        FAULTS.store(0, Relaxed);
    }
    // SAFETY: the kernel passed it, and the report has done with it.
    let context = unsafe { &mut *context };
    // SAFETY: both are what the kernel passed to the handler.
    unsafe { chain::hand_over(setup.options.chain, information, context) };
    if chain::has_handler(information.si_signo, setup.options.chain) {
        give_back();
    }
}

/// Reports where the calling thread is, and returns; does nothing when nothing is installed, and when no turn comes within
/// the limit of a report. Not for a signal handler that may have interrupted a report.
#[inline(never)]
pub(crate) fn report_here(kind: Kind, message: Excerpt<1024>) {
    let registers = Registers::here();
    let Some(setup) = install::setup().filter(|setup| setup.work_top() != 0) else { return };
    if setup.is_on_work(registers.sp() as usize) || !claim_patiently(setup) {
        return;
    }
    let held = raw::mask(libc::SIG_BLOCK, Mask(u64::MAX).without(signal::all()));
    // SAFETY: this thread has the claim.
    let site = unsafe { &mut *SITE.get() };
    site.open_here(setup, kind, message, &registers);
    // SAFETY: the stack lies ready for this and belongs to whoever has the claim; the function takes a site.
    unsafe { call_on(core::ptr::from_mut(site), run_here, setup.work_top()) };
    raw::mask(libc::SIG_SETMASK, held);
    give_back();
}

/// All steps, on the stack that they need.
extern "C" fn run_here(site: *mut Site) {
    // SAFETY: the pointer is that of the one who has the claim, and waits.
    let site = unsafe { &mut *site };
    site.run(|thread| REPORTER.store(thread, Relaxed));
    FAULTS.store(0, Relaxed);
}

/// Waits for the claim, for as long as a report may take.
fn claim_patiently(setup: &Setup) -> bool {
    let mut deadline = Deadline::in_ms(setup.options.limit_ms);
    // Acquire pairs with the release that gave the claim back.
    while CLAIM.compare_exchange(FREE, CLAIMED, AcqRel, Acquire).is_err() {
        let left_ms = deadline.left_ms();
        if left_ms == 0 {
            return false;
        }
        raw::futex_wait(&CLAIM, CLAIMED, u64::from(left_ms) * 1_000_000);
    }
    true
}

/// Calls `run(site)` on another stack, and comes back.
///
/// # Safety
/// `stack` is the upper end, aligned to 16, of memory that nobody else uses until `run` has returned.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn call_on(site: *mut Site, run: extern "C" fn(*mut Site), stack: usize) {
    naked_asm!("push rbp", "mov rbp, rsp", "mov rsp, rdx", "call rsi", "mov rsp, rbp", "pop rbp", "ret")
}

/// Calls `run(site)` on another stack, and comes back.
///
/// # Safety
/// `stack` is the upper end, aligned to 16, of memory that nobody else uses until `run` has returned.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn call_on(site: *mut Site, run: extern "C" fn(*mut Site), stack: usize) {
    naked_asm!(
        "stp x29, x30, [sp, #-16]!",
        "mov x29, sp",
        "mov sp, x2",
        "blr x1",
        "mov sp, x29",
        "ldp x29, x30, [sp], #16",
        "ret",
    )
}

/// The program may go on: others may report, and those who wait go on as well.
fn give_back() {
    OTHERS.clear();
    REPORTER.store(0, Relaxed);
    CLAIM.store(FREE, Release); // Pairs with the acquire of the next claim.
    raw::futex_wake(&CLAIM);
}
