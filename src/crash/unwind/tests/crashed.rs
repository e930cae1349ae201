//! Walks from where a process has really crashed.
//!
//! A child is forked for each crash. Its handler walks from the context that the kernel gives it, puts the frames into memory
//! that the parent shares, and ends the child. Since the child is a copy, its code is where the parent's is: the way out
//! of a crash has to be the parent's own.
//!
//! # Safety
//!
//! Everything that is unsound here is meant to be, and happens in the child. Its handler touches only what was prepared
//! before the fork.
#![allow(unsafe_code)]

use super::super::super::memory::{Memory, OwnMemory, Unreadable, contained};
use super::super::super::registers::PC;
use super::real::handle;
use super::*;
use crate::sys::raw;
use std::arch::naked_asm;
use std::ffi::{c_int, c_void};
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

const MOST: usize = 64;

/// What a child tells.
struct Told {
    count: usize,
    frames: [Option<Frame>; MOST],
    end: Option<End>,
}

struct Stage<'a> {
    modules: &'a Modules<'a>,
    scratch: Scratch,
    told: *mut Told,
}

static STAGE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static ALONE: Mutex<()> = Mutex::new(());

extern "C" fn handler(_signal: c_int, _about: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the parent has set it, and the child has it alone.
    let stage = unsafe { &mut *STAGE.load(SeqCst).cast::<Stage<'_>>() };
    // SAFETY: it is the context that the kernel has passed.
    let start = unsafe { Registers::from_context(context) };
    // SAFETY: the parent does not look before the child has ended.
    let told = unsafe { &mut *stage.told };
    let memory = OwnMemory::new();
    let walker = Walker::new(&memory, stage.modules, &mut stage.scratch).at_most(MOST);
    told.end = Some(walker.run(&start, Kind::Stopped, &mut |frame| {
        told.frames[told.count] = Some(*frame);
        told.count += 1;
        ControlFlow::Continue(())
    }));
    raw::exit(0);
}

/// Forks, and runs `in_child` there, which has to end it; the status.
fn forked(in_child: impl FnOnce()) -> c_int {
    // SAFETY: the child does what a child of many threads may, and at worst hangs, for which its alarm is there.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: it only sets a timer.
        unsafe { libc::alarm(60) };
        in_child();
        raw::exit(99);
    }
    let mut status = 0;
    // SAFETY: the kernel writes one integer.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    status
}

/// The frames of a child that does `crash`, and those of its parent from here outwards.
#[inline(never)]
fn crashed(crash: &dyn Fn()) -> (Vec<Frame>, End, Vec<Frame>) {
    let _alone = ALONE.lock();
    let here = Registers::here();
    let size = size_of::<Told>();
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping, of zeroes, where the kernel finds room.
    let told = unsafe { libc::mmap(std::ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
    assert_ne!(told, libc::MAP_FAILED);
    let told = told.cast::<Told>();
    // SAFETY: it is ours, and large enough.
    unsafe { told.write(Told { count: 0, frames: [None; MOST], end: None }) };
    let mut other_stack = vec![0_u8; 1 << 18];
    with_modules(|modules| {
        let mut stage = Stage { modules, scratch: Scratch::new(), told };
        STAGE.store((&raw mut stage).cast(), SeqCst);
        let status = forked(|| {
            let stack =
                libc::stack_t { ss_sp: other_stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: other_stack.len() };
            // SAFETY: the stack outlives the child.
            unsafe { libc::sigaltstack(&raw const stack, std::ptr::null_mut()) };
            handle(libc::SIGSEGV, handler, libc::SA_ONSTACK);
            crash();
        });
        assert_eq!(status, 0, "the child did not crash, or its handler did");
        // SAFETY: the child has ended, and it has told.
        let told = unsafe { &*told };
        let found = told.frames[..told.count].iter().map(|frame| frame.unwrap()).collect();
        let outside = frames(&OwnMemory::new(), modules, &here, Kind::Call).0;
        (found, told.end.unwrap(), outside)
    })
}

/// How many frames there are above those that lead out of [`crashed`], which have to be there and found by `trust` or better.
#[track_caller]
fn way_out(found: &[Frame], outside: &[Frame]) -> usize {
    let place = |frame: &Frame| (frame.pc, frame.sp);
    let begin = found.iter().position(|frame| place(frame) == place(&outside[1]));
    let begin = begin.unwrap_or_else(|| panic!("{found:x?}\n{outside:x?}"));
    assert_eq!(
        found[begin..].iter().map(place).collect::<Vec<_>>(),
        outside[1..].iter().map(place).collect::<Vec<_>>()
    );
    begin
}

/// How the frame was found that the crash is right below of.
#[track_caller]
fn check(crash: &dyn Fn(), expected: Trust) {
    let (found, end, outside) = crashed(crash);
    assert_eq!(end, End::Bottom);
    way_out(&found, &outside);
    assert_eq!((found[0].trust, found[1].trust), (Trust::Given, expected), "{found:x?}");
    assert!(found[2..].iter().all(|frame| frame.trust == Trust::Tables), "{found:x?}");
}

/// Calls whatever is at `address`.
#[inline(never)]
fn call(address: u64) {
    // SAFETY: nothing makes this sound.
    let function = unsafe { std::mem::transmute::<u64, extern "C" fn()>(black_box(address)) };
    function();
    black_box(());
}

#[test]
fn a_call_of_nothing() {
    let heap = Box::new([0x90_u8; 64]);
    for address in [16, 0x1234_5678_9000, heap.as_ptr() as u64] {
        check(&|| call(address), Trust::CallSite);
    }
    // The processor refuses this one before it has jumped: the thread is still at the call.
    check(&|| call(0x4141_4141_4141_4141), Trust::Tables);
}

#[test]
fn a_read_of_nothing() {
    let read = |address: u64| {
        // SAFETY: nothing makes this sound.
        black_box(unsafe { black_box(address as *const u32).read_volatile() });
    };
    check(&|| read(8), Trust::Tables);
    // In the C library, by its own code.
    let length = |address: usize| {
        // SAFETY: nothing makes this sound.
        black_box(unsafe { libc::strlen(black_box(address as *const _)) });
    };
    let (found, end, outside) = crashed(&|| length(8));
    assert_eq!(end, End::Bottom);
    assert!(way_out(&found, &outside) >= 2);
    assert!(found[1..].iter().all(|frame| frame.trust == Trust::Tables), "{found:x?}");
}

/// Sets up a frame without a table, overwrites nothing, and reads nothing.
#[unsafe(naked)]
extern "C" fn untold() {
    naked_asm!("push rbp", "mov rbp, rsp", "sub rsp, 64", "mov eax, [0]", "leave", "ret")
}

/// The same with a frame pointer that leads nowhere.
#[unsafe(naked)]
extern "C" fn untold_and_smashed() {
    naked_asm!("push rbp", "mov rbp, rsp", "sub rsp, 64", "mov rbp, 0x41414141", "mov eax, [0]", "ret")
}

/// A table that goes by the frame pointer, which leads nowhere.
#[unsafe(naked)]
extern "C" fn smashed_frame() {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa rsp, 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rbp, 0x41414141",
        "mov eax, [0]",
        "ret",
        ".cfi_endproc"
    )
}

/// Returns to nowhere: to an address that there is not, after it has overwritten the one it should have returned to.
#[unsafe(naked)]
extern "C" fn smashed_return() {
    naked_asm!("mov rax, 0x4141414141414141", "mov [rsp], rax", "mov rbp, rax", "ret")
}

/// Loses its stack.
#[unsafe(naked)]
extern "C" fn lost_stack() {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa rsp, 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "mov rsp, 0x41414140",
        "push rax",
        "leave",
        "ret",
        ".cfi_endproc"
    )
}

/// Calls `function` from a frame whose pointer is kept in a register, as code without optimisation does.
#[unsafe(naked)]
extern "C" fn framed(function: extern "C" fn()) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa rsp, 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "call rdi",
        "pop rbp",
        "ret",
        ".cfi_endproc"
    )
}

/// Pushes registers, has no frame and no table.
#[unsafe(naked)]
extern "C" fn by_hand() {
    naked_asm!("push rbx", "push r12", "mov eax, [8]", "pop r12", "pop rbx", "ret")
}

#[inline(never)]
fn call_by_hand() {
    by_hand();
    black_box(());
}

#[test]
fn a_frame_without_a_table() {
    check(&|| framed(untold), Trust::FramePointer);
    check(&call_by_hand, Trust::CallSite);
}

#[test]
fn a_smashed_frame_pointer() {
    check(&|| framed(untold_and_smashed), Trust::Search);
    check(&|| framed(smashed_frame), Trust::Search);
}

#[test]
fn a_lost_stack_pointer() {
    check(&|| framed(lost_stack), Trust::Tables);
}

#[test]
fn a_smashed_return_address() {
    // The frame that it should have returned to is lost with the address; the one outside of it is found.
    let (found, end, outside) = crashed(&|| framed(smashed_return));
    assert_eq!(end, End::Bottom);
    assert_eq!(found[1].trust, Trust::Search);
    way_out(&found, &outside);
}

/// Uses up the stack.
#[inline(never)]
fn endless(depth: u64) -> u64 {
    let room = [black_box(depth); 64];
    let more = if black_box(depth) == u64::MAX { 0 } else { endless(depth + 1) };
    more + black_box(room)[depth as usize % 64]
}

#[test]
fn a_stack_that_is_used_up() {
    let call = || {
        black_box(endless(black_box(0)));
    };
    let (found, end, _) = crashed(&call);
    assert_eq!((found.len(), end), (MOST, End::TooMany));
    assert!(found[2..].windows(2).all(|pair| pair[0].pc == pair[1].pc && pair[0].sp < pair[1].sp), "{found:x?}");
}

/// Goes on where a load that faulted is to go on.
extern "C" fn contain(_signal: c_int, _about: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: it is the context that the kernel has passed, and nobody else looks at it.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    // SAFETY: as above.
    let registers = unsafe { Registers::from_context((&raw const *context).cast()) };
    let Some(landing) = contained(registers.get(PC).unwrap()) else { raw::exit(98) };
    context.uc_mcontext.gregs[libc::REG_RIP as usize] = landing as i64;
}

#[test]
fn loads_are_contained() {
    let _alone = ALONE.lock();
    let status = forked(|| {
        handle(libc::SIGSEGV, contain, libc::SA_NODEFER);
        handle(libc::SIGBUS, contain, libc::SA_NODEFER);
        // SAFETY: the handler is in place, and nothing blocks the signals.
        let memory = unsafe { OwnMemory::contained() };
        let words = [1_u64, 2, 3];
        let mut into = [0; 16];
        let address = (&raw const words) as u64;
        let is_right = memory.word(address + 8) == Ok(2)
            && memory.read(address, &mut into) == Ok(())
            && into[8] == 2
            && [0, 8, 1 << 63, u64::MAX - 7].iter().all(|address| memory.word(*address) == Err(Unreadable))
            && memory.read(8, &mut into) == Err(Unreadable)
            && memory.read(u64::MAX - 3, &mut into) == Err(Unreadable);
        raw::exit(if is_right { 0 } else { 97 });
    });
    assert_eq!(status, 0);
}
