//! Stacks of this process, beside what the C compiler's unwinder says of them.
//!
//! # Safety
//!
//! Functions of the C library and of the compiler's runtime are called with what their manuals ask for. Handlers do not
//! return into what they interrupted before they are done.
#![allow(unsafe_code)]

use super::super::super::memory::OwnMemory;
use super::super::super::registers::{FRAME, LINK, PC, SP};
use super::*;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::sync::Mutex;

// SAFETY: as the ABI for exceptions declares them.
unsafe extern "C" {
    fn _Unwind_Backtrace(visit: extern "C" fn(*mut c_void, *mut c_void) -> c_int, argument: *mut c_void) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

extern "C" fn keep(context: *mut c_void, into: *mut c_void) -> c_int {
    // SAFETY: the context is the one that the runtime has just handed over.
    let pc = unsafe { _Unwind_GetIP(context) } as u64;
    // SAFETY: `theirs` passes its vector, and waits.
    unsafe { &mut *into.cast::<Vec<u64>>() }.push(pc);
    0
}

/// The program counters that the compiler's unwinder finds, from the caller of this outwards.
#[inline(never)]
pub(super) fn theirs() -> Vec<u64> {
    let mut found: Vec<u64> = Vec::with_capacity(256);
    // SAFETY: the visitor gets the vector, which outlives the call.
    unsafe { _Unwind_Backtrace(keep, (&raw mut found).cast()) };
    found.remove(0); // This function.
    if found.last() == Some(&0) {
        found.pop();
    }
    found
}

/// Ours and theirs from here. Only the innermost differs, because the two are called one after the other.
#[inline(always)]
fn compare() -> Vec<Frame> {
    let start = Registers::here();
    let theirs = theirs();
    let (ours, end) = with_modules(|modules| frames(&OwnMemory::new(), modules, &start, Kind::Call));
    assert_eq!(end, End::Bottom, "{ours:x?}");
    let ours_pcs: Vec<u64> = ours.iter().map(|frame| frame.pc).collect();
    assert_eq!(ours_pcs[1..], theirs[1..], "{ours:x?}");
    assert!(ours[1..].iter().all(|frame| frame.trust == Trust::Tables));
    ours
}

#[inline(never)]
fn nested(depth: u32) -> usize {
    let found = if depth == 0 { compare().len() } else { nested(depth - 1) };
    black_box(found)
}

#[test]
fn nested_calls() {
    let shallow = nested(1);
    assert_eq!(nested(41), shallow + 40);
}

#[test]
fn a_thread() {
    std::thread::spawn(|| nested(3)).join().unwrap();
}

/// What the callback found.
static FOUND: Mutex<Vec<Frame>> = Mutex::new(Vec::new());

#[inline(never)]
extern "C" fn order(a: *const c_void, b: *const c_void) -> c_int {
    // SAFETY: `qsort` passes two elements of the array, which are integers.
    let a = unsafe { a.cast::<u32>().read() };
    // SAFETY: as above.
    let b = unsafe { b.cast::<u32>().read() };
    let found = compare();
    *FOUND.lock().unwrap() = found;
    a.cmp(&b) as c_int
}

#[test]
fn a_callback_of_the_c_library_which_has_no_frame_pointers() {
    let mut numbers = [3_u32, 1, 2];
    // SAFETY: three elements of four bytes.
    unsafe { libc::qsort(numbers.as_mut_ptr().cast(), 3, 4, Some(order)) };
    assert_eq!(numbers, [1, 2, 3]);
    let found = FOUND.lock().unwrap();
    let names = with_modules(|modules| {
        let name = |frame: &Frame| modules.find(frame.pc).map(|module| module.path.to_vec()).unwrap_or_default();
        found.iter().map(name).collect::<Vec<_>>()
    });
    assert!(names.iter().any(|name| name.windows(4).any(|part| part == b"libc")), "{names:?}");
}

/// What a handler found: from where it was, and from where the signal came.
type Pair = (Vec<Frame>, Vec<u64>, Vec<Frame>);

static IN_HANDLER: Mutex<Option<Pair>> = Mutex::new(None);

extern "C" fn handler(_signal: c_int, _about: *mut libc::siginfo_t, context: *mut c_void) {
    // The signal comes only from `raise`, so that nothing is interrupted that must not be.
    let start = Registers::here();
    let theirs = theirs();
    // SAFETY: it is the context that the kernel has passed.
    let interrupted = unsafe { Registers::from_context(context) };
    let pair = with_modules(|modules| {
        let memory = OwnMemory::new();
        let (from_here, end) = frames(&memory, modules, &start, Kind::Call);
        assert_eq!(end, End::Bottom, "{from_here:x?}");
        (from_here, theirs, frames(&memory, modules, &interrupted, Kind::Stopped).0)
    });
    *IN_HANDLER.lock().unwrap() = Some(pair);
}

/// Lets `handler` have `signal`, on the alternate stack if asked.
pub(super) fn handle(signal: c_int, handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void), flags: c_int) {
    // SAFETY: an action of zeroes is a valid one.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | flags;
    // SAFETY: the handler has the form that the flags promise.
    assert_eq!(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) }, 0);
}

#[inline(never)]
fn raised(depth: u32) -> Pair {
    let found = if depth == 0 {
        // SAFETY: the handler is in place.
        unsafe { libc::raise(libc::SIGUSR1) };
        IN_HANDLER.lock().unwrap().take().expect("the handler has run")
    } else {
        raised(depth - 1)
    };
    black_box(found)
}

#[test]
fn through_a_signal_frame() {
    let mut stack = vec![0_u8; 1 << 20];
    let alternate = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
    handle(libc::SIGUSR1, handler, 0);
    let on_same = raised(5);
    // SAFETY: the stack outlives its use: it is taken away below.
    assert_eq!(unsafe { libc::sigaltstack(&raw const alternate, std::ptr::null_mut()) }, 0);
    handle(libc::SIGUSR1, handler, libc::SA_ONSTACK);
    let on_other = raised(5);
    let none = libc::stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };
    // SAFETY: no handler runs now.
    assert_eq!(unsafe { libc::sigaltstack(&raw const none, std::ptr::null_mut()) }, 0);
    for (from_handler, theirs, from_context) in [on_same, on_other] {
        let pcs: Vec<u64> = from_handler.iter().map(|frame| frame.pc).collect();
        assert_eq!(pcs[1..], theirs[1..], "{from_handler:x?}");
        let trampoline = from_handler.iter().position(|frame| frame.kind == Kind::Trampoline).unwrap();
        let rest = &from_handler[trampoline + 1..];
        assert_eq!(rest[0].kind, Kind::Interrupted);
        assert_eq!(from_context[0].kind, Kind::Stopped);
        assert_eq!(from_context.len(), rest.len());
        for (a, b) in from_context.iter().zip(rest) {
            assert_eq!((a.pc, a.sp, a.cfa, a.lookup()), (b.pc, b.sp, b.cfa, b.lookup()));
        }
        assert!(rest.len() > 8);
    }
}

/// A recursion of `depth` frames; what it finds at its end.
#[inline(never)]
fn deep(depth: u32, found: &mut (usize, Option<End>)) -> u32 {
    if depth == 0 {
        let start = Registers::here();
        found.1 = Some(with_modules(|modules| {
            let mut scratch = Scratch::new();
            let memory = OwnMemory::new();
            Walker::new(&memory, modules, &mut scratch).run(&start, Kind::Call, &mut |frame| {
                assert!(frame.trust <= Trust::Tables);
                found.0 += 1;
                ControlFlow::Continue(())
            })
        }));
        return 1;
    }
    black_box(deep(depth - 1, found) + 1)
}

#[test]
fn a_hundred_thousand_frames_are_walked_to_the_end() {
    let walk = || {
        let mut found = (0, None);
        assert_eq!(deep(100_000, &mut found), 100_001);
        found
    };
    let (count, end) = std::thread::Builder::new().stack_size(256 << 20).spawn(walk).unwrap().join().unwrap();
    assert_eq!(end, Some(End::Bottom));
    assert!((100_001..100_050).contains(&count), "{count}");
}

#[test]
fn a_walk_may_be_ended_anywhere() {
    let start = Registers::here();
    with_modules(|modules| {
        let memory = OwnMemory::new();
        let mut seen = 0;
        let mut third = |_: &Frame| {
            seen += 1;
            if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert_eq!(walk(&memory, modules, &start, &mut third), End::Stopped);
        assert_eq!(seen, 3);
        let mut scratch = Scratch::new();
        let mut go_on = |_: &Frame| ControlFlow::Continue(());
        let walker = Walker::new(&memory, modules, &mut scratch).at_most(4);
        assert_eq!(walker.run(&start, Kind::Call, &mut go_on), End::TooMany);
    });
}

/// The frames of a thread whose registers were changed by `damage` as a crash may have left them, and those that are right.
#[inline(never)]
fn damaged(damage: impl FnOnce(&mut Registers)) -> (Vec<Frame>, Vec<Frame>) {
    let mut start = Registers::here();
    with_modules(|modules| {
        let memory = OwnMemory::new();
        let right = frames(&memory, modules, &start, Kind::Call).0;
        damage(&mut start);
        let (found, _) = frames(&memory, modules, &start, Kind::Stopped);
        black_box((found, right))
    })
}

#[test]
fn a_call_of_nothing_is_repaired() {
    for nowhere in [0, 8, 0x1234_5678_9abc, u64::MAX, 1 << 63] {
        // As if a call had just been made to there, from behind the call that saved the registers.
        let mut below = [0_u64; 4];
        let (found, right) = damaged(|registers| {
            let pc = registers.pc();
            registers.set(PC, Some(nowhere));
            if let Some(link) = LINK {
                registers.set(link, Some(pc));
            } else {
                // The stack below cannot be written here; so another one stands for it, and leads no further.
                below[0] = pc;
                registers.set(SP, Some((&raw const below) as u64));
            }
        });
        assert_eq!((found[0].pc, found[0].trust), (nowhere, Trust::Given));
        assert_eq!((found[1].pc, found[1].trust, found[1].kind), (right[0].pc, Trust::CallSite, Kind::Call));
    }
}

#[test]
fn a_lost_stack_pointer_ends_a_walk_or_is_passed_by_the_frame_pointer() {
    for nowhere in [0, 1, 8, 1 << 63, u64::MAX - 8, u64::MAX] {
        let (found, _) = damaged(|registers| {
            registers.set(SP, Some(nowhere));
            registers.set(FRAME, Some(nowhere));
        });
        assert_eq!(found.len(), 1, "{found:x?}");
        assert_eq!(found[0].sp, nowhere);
    }
}
