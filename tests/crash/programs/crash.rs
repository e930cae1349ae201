//! Ways to crash in Rust, built by itself and preloaded like the others. See crash.c for what the lines with `//=` say.
//!
//! # Safety
//! There is none: a write through a null pointer is what is to be seen.

#![allow(unsafe_code)]
#![allow(unconditional_recursion)]

use std::hint::black_box;
use std::ptr::null_mut;

mod deeper {
    pub(super) struct Holder<T>(pub(super) T);

    impl<T: Copy> Holder<*mut T> {
        #[inline(never)]
        pub(super) fn explode(&self, value: T) {
            // SAFETY: none; this is the crash.
            unsafe { self.0.write_volatile(value) } // HERE rs_null
        }
    }
}

//= rs_null explode rs_null main @rs_null SIGSEGV
#[inline(never)]
fn rs_null() {
    deeper::Holder(black_box(null_mut::<u64>())).explode(7);
    black_box(());
}

#[inline(never)] fn recurse(n: u64) -> u64 { let pad = black_box([n; 60]); recurse(n + 1) + pad[3] } // HERE rs_recurse

//= rs_overflow recurse rs_overflow main @rs_recurse SIGABRT
#[inline(never)]
fn rs_overflow() {
    black_box(recurse(0));
}

//= rs_overflow_thread recurse @rs_recurse SIGABRT
#[inline(never)]
fn rs_overflow_thread() {
    let thread = std::thread::Builder::new().name("deep".into()).spawn(|| black_box(recurse(0)));
    let _ = thread.expect("a thread").join();
}

#[inline(never)]
fn panics(index: usize) -> u8 {
    let short = black_box([1, 2, 3]);
    short[index] // HERE rs_panic
}

//= rs_panic_abort panics rs_panic_abort main @rs_panic SIGABRT +panic_abort
#[inline(never)]
fn rs_panic_abort() {
    black_box(panics(black_box(7)));
}

struct Unlucky;

impl Drop for Unlucky {
    fn drop(&mut self) {
        black_box(panics(black_box(8)));
    }
}

//= rs_panic_in_drop panic_in_cleanup rs_panic_in_drop main SIGABRT
#[inline(never)]
fn rs_panic_in_drop() {
    let _unlucky = Unlucky;
    black_box(panics(black_box(9)));
}

//= rs_closure closure rs_closure main @rs_closure SIGSEGV
#[inline(never)]
fn rs_closure() {
    let nothing = black_box(null_mut::<u32>());
    // SAFETY: none; this is the crash.
    let closure: &dyn Fn(u32) = &|value| unsafe { nothing.write_volatile(value) }; // HERE rs_closure
    black_box(closure)(4);
    black_box(());
}

//= rs_abort rs_abort main @rs_abort SIGABRT
#[inline(never)]
fn rs_abort() {
    std::process::abort(); // HERE rs_abort
}

fn main() {
    match std::env::args().nth(1).unwrap_or_default().as_str() {
        "rs_null" => rs_null(),
        "rs_overflow" => rs_overflow(),
        "rs_overflow_thread" => rs_overflow_thread(),
        "rs_panic_abort" => rs_panic_abort(),
        "rs_panic_in_drop" => rs_panic_in_drop(),
        "rs_closure" => rs_closure(),
        "rs_abort" => rs_abort(),
        _ => {}
    }
    std::process::exit(99);
}
