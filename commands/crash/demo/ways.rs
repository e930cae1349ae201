//! The ways to crash.
//!
//! # Safety
//!
//! There is none: these functions do what no program may do, each one thing, in a process that was started to die of
//! it. Nothing else of the tool calls them.
#![allow(unsafe_code)]

use signal_hook::consts::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};
use std::hint::black_box;
use std::sync::{Arc, Barrier};

/// One way to crash.
pub(super) struct Way {
    /// What it is called.
    pub(super) name: &'static str,
    /// What happens.
    pub(super) about: &'static str,
    /// The signal that ends it.
    pub(super) signal: i32,
    /// What crashes.
    pub(super) crash: fn(),
}

const fn way(name: &'static str, signal: i32, crash: fn(), about: &'static str) -> Way {
    Way { name, about, signal, crash }
}

/// All of them, the usual ones first.
pub(super) const WAYS: [Way; 18] = [
    way("null-write", SIGSEGV, null_write, "writes through a null pointer"),
    way("null-read", SIGSEGV, null_read, "reads a field of what a null pointer points to"),
    way("null-call", SIGSEGV, null_call, "calls a null pointer"),
    way("wild-pointer", SIGSEGV, wild_pointer, "reads where nothing is mapped"),
    way("non-canonical", SIGSEGV, non_canonical, "reads at an address that no memory can have"),
    way("read-only", SIGSEGV, read_only, "writes to a constant"),
    way("call-data", SIGSEGV, call_data, "calls what is no code"),
    way("stack-overflow", SIGABRT, stack_overflow, "calls itself for ever, in the main thread"),
    way("stack-overflow-thread", SIGABRT, stack_overflow_thread, "calls itself for ever, in another thread"),
    way("panic-in-drop", SIGABRT, panic_in_drop, "panics while a panic unwinds the stack"),
    way("abort", SIGABRT, abort, "calls abort"),
    way("divide", SIGFPE, divide, "divides by zero, which Rust itself would not let happen"),
    way("illegal", SIGILL, illegal, "executes what is no instruction"),
    way("breakpoint", SIGTRAP, breakpoint, "runs into a breakpoint, and no debugger is there"),
    way("truncated-file", SIGBUS, truncated_file, "reads a mapped file beyond its end"),
    way("in-a-lock", SIGSEGV, in_a_lock, "crashes while it holds the lock of standard output and of standard error"),
    way("eight-threads", SIGSEGV, eight_threads, "crashes in eight threads at the same instant"),
    way("inlined", SIGSEGV, inlined, "crashes in a function that was inlined into another"),
];

#[inline(never)]
fn write_to(place: *mut u32) {
    // SAFETY: none; this is the crash.
    unsafe { place.write_volatile(7) };
    black_box(());
}

#[inline(never)]
fn read_from(place: *const u32) -> u32 {
    // SAFETY: none; this is the crash.
    black_box(unsafe { place.read_volatile() })
}

fn null_write() {
    write_to(black_box(std::ptr::null_mut()));
}

fn null_read() {
    struct Record {
        _before: [u32; 6],
        field: u32,
    }
    let offset = std::mem::offset_of!(Record, field);
    black_box(read_from(black_box(std::ptr::null::<u32>()).wrapping_byte_add(offset)));
}

#[inline(never)]
fn call_address(address: usize) {
    // SAFETY: none; this is the crash.
    let function = unsafe { std::mem::transmute::<*const (), extern "C" fn()>(std::ptr::without_provenance(address)) };
    function();
    black_box(());
}

fn null_call() {
    // A function of Rust is never null, and the compiler counts on it; the register is set where it does not look.
    #[cfg(target_arch = "x86_64")]
    // SAFETY: none; this is the crash.
    unsafe {
        std::arch::asm!("call {}", in(reg) black_box(0_usize), clobber_abi("C"));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: none; this is the crash.
    unsafe {
        std::arch::asm!("blr {}", in(reg) black_box(0_usize), clobber_abi("C"));
    }
}

fn wild_pointer() {
    black_box(read_from(black_box(std::ptr::without_provenance(0x7a00_0000_1230))));
}

fn non_canonical() {
    black_box(read_from(black_box(std::ptr::without_provenance(0x4141_4141_4141_4140))));
}

fn read_only() {
    static CONSTANT: u32 = 4;
    write_to(black_box(std::ptr::from_ref(&CONSTANT).cast_mut()));
}

fn call_data() {
    let data = Box::new([0_u64; 8]);
    call_address(black_box(data.as_ptr().addr()));
}

#[inline(never)]
#[allow(unconditional_recursion)]
fn call_itself(depth: u64) -> u64 {
    let space = black_box([depth; 50]);
    call_itself(depth + 1) + space[7]
}

fn stack_overflow() {
    black_box(call_itself(0));
}

fn stack_overflow_thread() {
    let thread = std::thread::Builder::new().name("deep".into()).spawn(|| black_box(call_itself(0)));
    let _ = thread.map(std::thread::JoinHandle::join);
}

struct Unlucky;

impl Drop for Unlucky {
    fn drop(&mut self) {
        panic!("while it unwinds");
    }
}

fn panic_in_drop() {
    let _unlucky = Unlucky;
    panic!("the first");
}

fn abort() {
    std::process::abort();
}

fn divide() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: none; this is the crash.
    unsafe {
        std::arch::asm!("xor edx, edx", "mov eax, 7", "div {:e}", in(reg) black_box(0), out("eax") _, out("edx") _);
    }
    // This machine divides by zero without a word.
    #[cfg(not(target_arch = "x86_64"))]
    let _ = signal_hook::low_level::raise(SIGFPE);
}

fn illegal() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: none; this is the crash.
    unsafe {
        std::arch::asm!("ud2");
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: none; this is the crash.
    unsafe {
        std::arch::asm!("udf #0");
    }
}

fn breakpoint() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: none; this is the crash.
    unsafe {
        std::arch::asm!("int3");
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: none; this is the crash.
    unsafe {
        std::arch::asm!("brk #0");
    }
}

fn truncated_file() {
    if let Err(error) = read_beyond_the_end() {
        crate::ui::message::error(&error);
    }
}

fn read_beyond_the_end() -> anyhow::Result<()> {
    use rustix::mm::{MapFlags, ProtFlags, mmap};
    let file = rustix::fs::memfd_create("truncated", rustix::fs::MemfdFlags::CLOEXEC)?;
    rustix::fs::ftruncate(&file, 8192)?;
    let null = std::ptr::null_mut();
    // SAFETY: the kernel chooses the place.
    let mapped = unsafe { mmap(null, 8192, ProtFlags::READ, MapFlags::SHARED, &file, 0) }?;
    rustix::fs::ftruncate(&file, 0)?;
    black_box(read_from(mapped.cast()));
    Ok(())
}

fn in_a_lock() {
    let _output = std::io::stdout().lock();
    let _error = std::io::stderr().lock();
    null_write();
}

fn eight_threads() {
    let together = Arc::new(Barrier::new(8));
    let crash = || {
        let together = Arc::clone(&together);
        std::thread::spawn(move || {
            together.wait();
            null_write();
        })
    };
    let threads: Vec<_> = (0..8).map(|_| crash()).collect();
    threads.into_iter().for_each(|thread| drop(thread.join()));
}

#[inline(always)]
fn inner(place: *mut u32) {
    // SAFETY: none; this is the crash.
    unsafe { place.write_volatile(9) };
}

#[inline(always)]
fn outer(place: *mut u32) {
    inner(place.wrapping_add(1));
}

fn inlined() {
    outer(black_box(std::ptr::null_mut()));
}
