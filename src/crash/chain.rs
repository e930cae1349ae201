//! What becomes of a signal after its report: as if we had not been there.
//!
//! The action that was set before ours is put back, and the signal is sent to the thread once more, with the very
//! information that came with it. It is held back until the handler returns: then the kernel restores the registers of the
//! crash and delivers it before one more instruction of the program has run. So the wait status, the code and address in a
//! core file and the registers in it are those of the crash, and a program does not go on after a breakpoint. An earlier
//! handler is called by the kernel itself, with the flags, mask and stack that it asked for.
//!
//! The kernel does not deliver the default action of a signal that was *sent* to the first process of a namespace (of
//! a container). There the instruction that faulted is run again, and this time the kernel itself acts; a breakpoint and a
//! refused system call lie behind their instruction, and so it is stepped back by its length.
//!
//! The actions before ours are words that are written and read without a lock, because `sigaction` may be called in a
//! signal handler: [`exchange_next`] is what a replacement of `sigaction` calls.
//!
//! # Safety
//!
//! The actions that are set are the program's own, as the kernel gave them.
#![allow(unsafe_code)]

use super::install::our_action;
use super::options::Chain;
use super::signal;
use crate::sys::raw::{self, Action, Mask};
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, fence};

/// One action in words that can be read at any time: an even count means whole, an odd one that it is being written.
struct Kept {
    count: AtomicUsize,
    words: [AtomicU64; 4],
}

impl Kept {
    const fn new() -> Self {
        Self { count: AtomicUsize::new(0), words: [const { AtomicU64::new(0) }; 4] }
    }

    /// The action, unless it is being written.
    fn read(&self) -> Option<Action> {
        // Pairs with the release at the end of `write`.
        let before = self.count.load(Acquire);
        let [handler, flags, restorer, mask] = [0, 1, 2, 3].map(|index: usize| self.words[index].load(Relaxed));
        // Pairs with the fence in `write`: had we seen a word of a later write, then the count would differ.
        fence(Acquire);
        let is_whole = before.is_multiple_of(2) && self.count.load(Relaxed) == before;
        let action = Action { handler: handler as usize, flags, restorer: restorer as usize, mask: Mask(mask) };
        is_whole.then_some(action)
    }

    /// Writes the action, unless another thread is at it: then that one came later.
    fn write(&self, action: &Action) {
        let before = self.count.load(Relaxed);
        // Acquire pairs with the release at the end: writers follow each other.
        if !before.is_multiple_of(2) || self.count.compare_exchange(before, before + 1, Acquire, Relaxed).is_err() {
            return;
        }
        // Pairs with the fence in `read`.
        fence(Release);
        let words = [action.handler as u64, action.flags, action.restorer as u64, action.mask.0];
        for (place, word) in self.words.iter().zip(words) {
            place.store(word, Relaxed);
        }
        self.count.store(before + 2, Release); // Pairs with the acquire in `read`.
    }
}

/// How often a reader looks whether a write has come to its end. Then it takes the default: the writer may be the very
/// thread that crashed, or one that was stopped.
const READS: usize = 1000;

static EARLIER: [Kept; signal::ALL.len()] = [const { Kept::new() }; signal::ALL.len()];

/// Remembers what was set before ours.
pub(crate) fn keep(signal: i32, action: &Action) {
    if let Some(index) = signal::index(signal) {
        EARLIER[index].write(action);
    }
}

/// What gets `signal` after its report, as the kernel would show it; none for a signal that is not ours. Signal-safe.
#[must_use]
pub fn next(signal: i32) -> Option<Action> {
    signal::index(signal).map(|index| (0..READS).find_map(|_| EARLIER[index].read()).unwrap_or_default())
}

/// Sets what gets `signal` after its report, and says what did before; none for a signal that is not ours. What replaces
/// `sigaction` while the handlers are installed calls this, so that the report comes first. Signal-safe.
pub fn exchange_next(signal: i32, action: &Action) -> Option<Action> {
    let before = next(signal)?;
    keep(signal, action);
    Some(before)
}

/// Puts back what was before ours, for those of `signals` that are still ours. Signal-safe.
pub(crate) fn restore(signals: Mask) {
    let ours = our_action().handler;
    for signal in signal::ALL.into_iter().filter(|signal| signals.has(*signal)) {
        // SAFETY: nothing is set.
        let now = unsafe { raw::action(signal, None) };
        if now.is_ok_and(|now| now.handler == ours) {
            let earlier = next(signal).unwrap_or_default();
            // SAFETY: it is what the program had set, or the default.
            let _ = unsafe { raw::action(signal, Some(&earlier)) };
        }
    }
}

/// The thread whose signal was handed to an earlier handler last, and the signal.
static HANDED: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// The signal whose earlier handler has raised `information`, if that is where it comes from: the thread is still inside that
/// handler, as its mask shows. Such a signal is not another crash, but how that handler ends the program. Signal-safe.
pub(crate) fn raised_by_handler(information: &libc::siginfo_t, context: &libc::ucontext_t) -> Option<i32> {
    let [thread, signal] = [HANDED[0].load(Relaxed), HANDED[1].load(Relaxed)];
    if thread == 0 || information.si_signo != libc::SIGABRT || information.si_code != libc::SI_TKILL {
        return None;
    }
    let mask = (&raw const context.uc_sigmask).cast::<u64>();
    // SAFETY: the set of the kernel, whose 64 signals are the first word of the C library's.
    let held = Mask(unsafe { mask.read() });
    (thread == raw::thread() && held.has(signal as i32)).then_some(signal as i32)
}

/// Whether the program goes on after the signal, for all we know: it has a handler of its own. Signal-safe.
pub(crate) fn has_handler(signal: i32, chain: Chain) -> bool {
    let handler = next(signal).unwrap_or_default().handler;
    chain == Chain::Earlier && handler != libc::SIG_DFL && handler != libc::SIG_IGN
}

/// Lets a signal take its course, when the handler that calls this returns. Signal-safe.
///
/// # Safety
/// `context` is what the kernel passed to the handler, for this signal.
pub(crate) unsafe fn hand_over(chain: Chain, information: &libc::siginfo_t, context: &mut libc::ucontext_t) {
    let signal = information.si_signo;
    raw::mask(libc::SIG_BLOCK, signal::all());
    let is_fault = information.si_code > 0;
    if has_handler(signal, chain) {
        restore(Mask::of(signal));
    } else {
        restore(signal::all());
        let ignored = next(signal).unwrap_or_default().handler == libc::SIG_IGN;
        // The kernel ends a program that ignores a fault of its own.
        if chain == Chain::Default || (ignored && is_fault) {
            // SAFETY: the default action runs no code.
            let _ = unsafe { raw::action(signal, Some(&Action::default())) };
        }
    }
    let mask = (&raw mut context.uc_sigmask).cast::<u64>();
    // SAFETY: the set of the kernel, whose 64 signals are the first word of the C library's.
    let held = unsafe { mask.read() };
    // SAFETY: as above.
    unsafe { mask.write(held & !Mask::of(signal).0) };
    let (process, thread) = (raw::process(), raw::thread());
    HANDED[0].store(thread, Relaxed);
    HANDED[1].store(signal as u32, Relaxed);
    let sent = raw::queue_to_thread(process, thread, signal, information);
    if process == 1 && !has_handler(signal, chain) {
        step_back(information, context);
    } else if sent.is_err() && !(is_fault && is_repeated(signal)) {
        let _ = raw::send_to_thread(process, thread, signal);
    }
}

/// Whether the instruction of a fault runs again when the handler returns.
fn is_repeated(signal: i32) -> bool {
    !matches!(signal, libc::SIGTRAP | libc::SIGSYS)
}

/// Moves the program counter back to the instruction that raised the signal, where it lies behind it.
fn step_back(information: &libc::siginfo_t, context: &mut libc::ucontext_t) {
    #[cfg(target_arch = "x86_64")]
    {
        const BREAKPOINT: u8 = 0xcc;
        let registers = &mut context.uc_mcontext.gregs;
        let pc = registers[libc::REG_RIP as usize];
        let mut before = [0];
        let is_readable = raw::read_own((pc - 1) as u64, &mut before) == Ok(1);
        if information.si_signo == libc::SIGTRAP && is_readable && before == [BREAKPOINT] {
            registers[libc::REG_RIP as usize] = pc - 1;
        } else if information.si_signo == libc::SIGSYS && information.si_code > 0 {
            registers[libc::REG_RIP as usize] = pc - 2;
            registers[libc::REG_RAX as usize] = i64::from(refused_call(information));
        }
    }
    #[cfg(target_arch = "aarch64")]
    if information.si_signo == libc::SIGSYS && information.si_code > 0 {
        context.uc_mcontext.pc -= 4;
    }
}

/// The number of the system call that a `SIGSYS` is about: behind the address of the call in `siginfo_t`.
#[cfg(target_arch = "x86_64")]
fn refused_call(information: &libc::siginfo_t) -> i32 {
    let place = core::ptr::from_ref(information).cast::<i32>().wrapping_add(6);
    // SAFETY: `siginfo_t` has 128 bytes, and the number is at byte 24 of it.
    unsafe { place.read() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_comes_back() {
        let kept = Kept::new();
        assert_eq!(kept.read(), Some(Action::default()));
        let action = Action { handler: 1, flags: 2, restorer: 3, mask: Mask(4) };
        kept.write(&action);
        assert_eq!(kept.read(), Some(action));
        kept.count.fetch_add(1, Relaxed);
        assert_eq!(kept.read(), None, "being written");
        kept.write(&Action::default());
        kept.count.fetch_add(1, Relaxed);
        assert_eq!(kept.read(), Some(action), "the other one was at it");
    }

    #[test]
    fn readers_see_whole_actions() {
        let kept = Kept::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..20_000 {
                    kept.write(&Action {
                        handler: round,
                        flags: round as u64,
                        restorer: round,
                        mask: Mask(round as u64),
                    });
                }
            });
            for _ in 0..20_000 {
                let Some(action) = kept.read() else { continue };
                assert_eq!(action.handler as u64, action.mask.0);
                assert_eq!((action.flags, action.restorer), (action.mask.0, action.handler));
            }
        });
    }

    #[test]
    fn only_our_signals_have_a_next() {
        assert!(next(libc::SIGKILL).is_none());
        assert!(exchange_next(libc::SIGUSR1, &Action::default()).is_none());
        assert!(next(libc::SIGSYS).is_some());
    }
}
