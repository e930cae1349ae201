//! A walk at each instruction of a call.
//!
//! The processor is told to trap after each instruction, and the handler walks from wherever that was: in the middle of
//! what sets a frame up and takes it down, in the linkage table, in the dynamic linker as it looks a function up, in
//! assembly of the C library. The way out has to be the same every time.
//!
//! # Safety
//!
//! The handler touches only what is set up before; it does not allocate, because what it interrupts may be the allocator.
#![allow(unsafe_code)]

use super::super::super::memory::OwnMemory;
use super::real::handle;
use super::*;
use std::cell::UnsafeCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering::SeqCst};

/// Where a walk was wrong: program counter, stack pointer, how many frames outside were found, and how it ended.
type Wrong = (u64, u64, u64, Option<End>);

/// What the handler works with.
struct Stage<'a> {
    modules: &'a Modules<'a>,
    memory: OwnMemory,
    scratch: UnsafeCell<Scratch>,
    /// The way out from where the call is made.
    outside: Vec<(u64, u64)>,
    /// How many instructions there were.
    steps: AtomicUsize,
    /// How many of them had another way out, and the first few.
    wrong: AtomicUsize,
    first: UnsafeCell<[Wrong; 8]>,
}

static STAGE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());
static IS_OVER: AtomicBool = AtomicBool::new(false);
static ALONE: Mutex<()> = Mutex::new(());

const TRAP_FLAG: i64 = 0x100;

/// After so many instructions the rest goes without. The kernel's clock is read again and again while its ticks change it,
/// and so slowly there may be no time between two of them.
const MOST_STEPS: usize = 20_000;

extern "C" fn step(_signal: c_int, _about: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: `stepped` has set it, and what it points to is there until the flag is cleared.
    let stage = unsafe { &*STAGE.load(SeqCst).cast::<Stage<'_>>() };
    if IS_OVER.load(SeqCst) || stage.steps.load(SeqCst) >= MOST_STEPS {
        // SAFETY: it is the context that the kernel has passed, and nobody else looks at it.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        context.uc_mcontext.gregs[libc::REG_EFL as usize] &= !TRAP_FLAG;
        return;
    }
    // SAFETY: it is the context that the kernel has passed.
    let start = unsafe { Registers::from_context(context) };
    // SAFETY: only this handler uses it, and does not interrupt itself.
    let scratch = unsafe { &mut *stage.scratch.get() };
    stage.steps.fetch_add(1, SeqCst);
    // The last frames of the walk have to be those outside.
    let (mut matched, mut is_trusted, mut index) = (0, true, 0);
    let outside = &stage.outside;
    // Rows that are known stay known, which makes this quick; the stack has changed.
    scratch.stack.clear();
    let mut walker = Walker::new(&stage.memory, stage.modules, scratch);
    let end = walker.steps(&start, Kind::Stopped, &mut |frame| {
        // Some linkers make no unwinding table for the linkage table.
        is_trusted &= frame.trust <= Trust::Tables || (index == 1 && frame.trust == Trust::CallSite);
        index += 1;
        let place = (frame.pc, frame.sp);
        matched = if outside.get(matched) == Some(&place) { matched + 1 } else { usize::from(outside[0] == place) };
        ControlFlow::Continue(())
    });
    if end != End::Bottom || matched != outside.len() || !is_trusted {
        let count = stage.wrong.fetch_add(1, SeqCst);
        // SAFETY: as above.
        if let Some(place) = unsafe { &mut *stage.first.get() }.get_mut(count) {
            *place = (start.pc(), start.sp(), matched as u64, Some(end));
        }
    }
}

/// Does `call` step by step. The way out of every step has to be that of this function.
#[inline(never)]
fn stepped(name: &str, least: usize, call: &mut dyn FnMut()) {
    let _alone = ALONE.lock();
    handle(libc::SIGTRAP, step, 0);
    with_modules(|modules| {
        let start = Registers::here();
        let (memory, mut scratch) = (OwnMemory::new(), UnsafeCell::new(Scratch::new()));
        scratch.get_mut().clear();
        let (frames, end) = frames(&memory, modules, &start, Kind::Call);
        assert_eq!(end, End::Bottom);
        let outside = frames[1..].iter().map(|frame| (frame.pc, frame.sp)).collect();
        let mut stage = Stage {
            modules,
            memory,
            scratch,
            outside,
            steps: AtomicUsize::new(0),
            wrong: AtomicUsize::new(0),
            first: UnsafeCell::new([(0, 0, 0, None); 8]),
        };
        IS_OVER.store(false, SeqCst);
        STAGE.store((&raw mut stage).cast(), SeqCst);
        // SAFETY: it sets the flag that makes the processor trap, and the handler is in place.
        unsafe { std::arch::asm!("pushfq", "or qword ptr [rsp], 0x100", "popfq") };
        call();
        IS_OVER.store(true, SeqCst);
        let (steps, wrong) = (stage.steps.load(SeqCst), stage.wrong.load(SeqCst));
        let where_from = |&(pc, sp, matched, end): &Wrong| {
            let module = modules.find(pc).unwrap_or_default();
            let path = String::from_utf8_lossy(module.path).into_owned();
            format!("{path}+{:#x} sp {sp:#x} matched {matched} {end:?}", pc.wrapping_sub(module.bias))
        };
        let first: Vec<_> = stage.first.get_mut().iter().take(wrong).map(where_from).collect();
        println!("{name}: {steps} instructions");
        assert_eq!(wrong, 0, "{name}: of {steps}: {first:#?}");
        assert!(steps >= least, "{name}: {steps}");
    });
}

extern "C" fn order(a: *const c_void, b: *const c_void) -> c_int {
    // SAFETY: `qsort` passes two elements of the array, which are integers.
    let a = unsafe { a.cast::<u32>().read() };
    // SAFETY: as above.
    let b = unsafe { b.cast::<u32>().read() };
    a.cmp(&b) as c_int
}

#[test]
fn at_each_instruction_of_a_sort() {
    let mut numbers = [5_u32, 3, 1, 4, 2, 9, 8, 7];
    stepped("qsort", 500, &mut || {
        // SAFETY: eight elements of four bytes.
        unsafe { libc::qsort(numbers.as_mut_ptr().cast(), 8, 4, Some(order)) }
    });
}

#[test]
fn at_each_instruction_of_printing_a_number() {
    let mut text = [0_u8; 64];
    stepped("snprintf", 1000, &mut || {
        // SAFETY: the buffer is as long as is said, and the format takes one `double`.
        unsafe { libc::snprintf(text.as_mut_ptr().cast(), 64, c"%.17g %p".as_ptr(), 1.0e-7_f64, 7_usize) };
    });
    assert!(text.starts_with(b"9.9999999999999995e-08 0x7"));
}

#[test]
fn at_each_instruction_of_strings() {
    let long = [b'x'; 300];
    let mut copy = [0_u8; 300];
    stepped("memory and strings", 200, &mut || {
        for length in [0, 1, 7, 8, 31, 64, 200, 299] {
            let (from, to) = (long.as_ptr().cast::<c_void>(), copy.as_mut_ptr().cast::<c_void>());
            let behind = to.wrapping_byte_add(1);
            // SAFETY: both have more bytes than that.
            black_box(unsafe { libc::memcpy(to, from, length) });
            // SAFETY: as above.
            black_box(unsafe { libc::memmove(behind, to, length) });
            // SAFETY: as above.
            black_box(unsafe { libc::memcmp(from, to, length) });
            // SAFETY: as above.
            black_box(unsafe { libc::memchr(from, c_int::from(b'z'), length) });
        }
    });
}

#[test]
fn at_each_instruction_of_an_allocation() {
    stepped("malloc", 300, &mut || {
        for size in [1, 100, 5000, 1 << 20] {
            // SAFETY: any size may be asked for.
            let block = unsafe { libc::malloc(black_box(size)) };
            // SAFETY: it is given back at once, and was not used.
            unsafe { libc::free(black_box(block)) };
        }
    });
}

#[test]
fn at_each_instruction_of_the_kernels_own_module() {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    stepped("clock_gettime", 20, &mut || {
        // SAFETY: the time is ours to write.
        unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    });
    assert!(time.tv_sec != 0 || time.tv_nsec != 0);
}

#[test]
fn at_each_instruction_of_a_look_up_by_the_dynamic_linker() {
    type Demangle = unsafe extern "C" fn(*const c_char, *mut c_char, *mut usize, *mut c_int) -> *mut c_char;
    // SAFETY: a library that may be loaded at any time.
    let library = unsafe { libc::dlopen(c"libstdc++.so.6".as_ptr(), libc::RTLD_LAZY) };
    if library.is_null() {
        return println!("skipped: no libstdc++ here");
    }
    // SAFETY: the library is open, and the name is a C string.
    let function = unsafe { libc::dlsym(library, c"__cxa_demangle".as_ptr()) };
    // SAFETY: it is of this type, by the C++ ABI.
    let demangle = unsafe { std::mem::transmute::<*mut c_void, Demangle>(function) };
    let mut answer = std::ptr::null_mut();
    stepped("__cxa_demangle", 1000, &mut || {
        let null = std::ptr::null_mut();
        // SAFETY: a name to read, and room that it allocates itself.
        answer = unsafe { demangle(c"_ZNSt6vectorIiSaIiEE9push_backEOi".as_ptr(), null, null.cast(), null.cast()) };
    });
    // SAFETY: a C string, as it has said.
    let text = unsafe { CStr::from_ptr(answer) };
    assert_eq!(text, c"std::vector<int, std::allocator<int> >::push_back(int&&)");
    // SAFETY: it was allocated by `malloc`, and is ours.
    unsafe { libc::free(answer.cast()) };
}
