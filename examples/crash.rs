//! A program that dies in the way that is asked for, with a report.
//!
//! ```text
//! cargo run --features symbolize --example crash -- null
//! cargo run --features symbolize --example crash -- overflow-thread threads=one,color=never
//! ```
//!
//! The second argument has the options as text (`toolbox::crash::options`). Without an argument the ways are listed.
//!
//! # Safety
//!
//! The unsafe blocks are the crashes: they do what they must not, on purpose.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::time::Duration;

/// A way to die, and how it is called.
const WAYS: [(&str, fn()); 20] = [
    ("null", null),
    ("write", || write_to(0x10)),
    ("wild", || write_to(0x7000_0000_1234)),
    ("not-canonical", || write_to(0x4141_4141_4141_4141)),
    ("call-null", call_null),
    ("overflow", overflow),
    ("overflow-thread", overflow_in_thread),
    ("deep", || deep_then(100_000, null)),
    ("abort", || std::process::abort()),
    ("divide", || raise(libc::SIGFPE)),
    ("breakpoint", breakpoint),
    ("illegal", illegal),
    ("kill", || raise(libc::SIGSEGV)),
    ("threads", threads),
    ("together", together),
    ("panic", || panic!("the words of the panic")),
    ("panic-in-drop", panic_in_drop),
    ("panic-caught", panic_caught),
    ("trace", toolbox::crash::trace),
    ("pointer", thread_pointer),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(way) = arguments.next() else {
        return WAYS.iter().for_each(|(name, _)| println!("{name}"));
    };
    let options = arguments.next().unwrap_or_default();
    let builder = toolbox::crash::Builder::new().parse(options.as_bytes()).expect("options as the module names them");
    builder.install().expect("memory for the stacks");
    let (_, die) = WAYS.iter().find(|(name, _)| *name == way).expect("a way that is listed");
    die();
    println!("still alive");
}

#[inline(never)]
fn null() {
    // SAFETY: it is not; that is the crash.
    black_box(unsafe { black_box(std::ptr::null::<u64>()).read_volatile() });
}

#[inline(never)]
fn write_to(address: usize) {
    // SAFETY: it is not; that is the crash.
    unsafe { (black_box(address) as *mut u8).write_volatile(1) };
}

fn call_null() {
    // SAFETY: an address that is no function; that is the crash.
    let call: fn() = unsafe { std::mem::transmute::<usize, fn()>(black_box(8)) };
    call();
}

#[inline(never)]
fn deep(left: usize) -> usize {
    if left == 0 { black_box(0) } else { black_box(deep(black_box(left - 1))) }
}

/// Dies below so many calls.
#[inline(never)]
fn deep_then(left: usize, die: fn()) {
    if left == 0 {
        die()
    } else {
        black_box(deep_then)(black_box(left - 1), die)
    }
    black_box(left);
}

fn overflow() {
    black_box(deep(usize::MAX));
}

fn overflow_in_thread() {
    let thread = std::thread::Builder::new().name("digger".to_owned()).stack_size(1 << 20);
    let _ = thread.spawn(overflow).expect("a thread").join();
}

fn raise(signal: i32) {
    // SAFETY: raising a signal is always allowed.
    unsafe { libc::raise(signal) };
}

fn breakpoint() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a breakpoint changes nothing.
    unsafe {
        std::arch::asm!("int3")
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: a breakpoint changes nothing.
    unsafe {
        std::arch::asm!("brk #0")
    };
}

fn illegal() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it does nothing but raise the signal.
    unsafe {
        std::arch::asm!("ud2")
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: it does nothing but raise the signal.
    unsafe {
        std::arch::asm!("udf #0")
    };
}

#[inline(never)]
fn wait_for_ever() {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

fn threads() {
    for number in 0..3 {
        let thread = std::thread::Builder::new().name(format!("idler-{number}"));
        thread.spawn(wait_for_ever).expect("a thread");
    }
    std::thread::sleep(Duration::from_millis(50));
    null();
}

fn together() {
    let barrier = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                barrier.wait();
                null();
            });
        }
    });
}

/// Panics while it panics, which ends the program.
fn panic_in_drop() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            panic!("the second panic");
        }
    }
    let _grenade = Grenade;
    panic!("the first panic");
}

/// A panic that is caught, and then a crash that has nothing to do with it.
fn panic_caught() {
    let caught = std::panic::catch_unwind(|| panic!("it will be caught"));
    assert!(caught.is_err());
    std::process::abort();
}

/// Destroys what thread-local variables are found by.
fn thread_pointer() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: nothing that comes after needs a thread-local variable, but the crash.
    unsafe {
        std::arch::asm!("xor edi, edi", "mov esi, 0", "mov edi, 0x1002", "mov eax, 158", "syscall", "mov byte ptr [0], 1",
            out("rax") _, out("rcx") _, out("rdi") _, out("rsi") _, out("r11") _)
    };
    #[cfg(not(target_arch = "x86_64"))]
    null();
}
