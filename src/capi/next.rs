//! The functions behind those whose place we take.
//!
//! In a program that is linked dynamically, the next one with the name in the order in which the loader looks: usually the
//! C library's, or that of another library that takes its place as well. A static program has no such order; there the C
//! library's `pthread_create` has a second name, `__pthread_create`, hidden in a shared C library and so a weak symbol
//! here. That it is linked in at all is seen to by naming `thrd_create`, which is in both kinds of library and calls it.
//!
//! # Safety
//!
//! What is found under a name is taken for a function of the type that the C library documents for it.
#![allow(unsafe_code)]

use core::ffi::{CStr, c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

/// A name whose function is looked up once.
pub(super) struct Next {
    name: &'static CStr,
    found: AtomicUsize,
}

/// Stands for a function that is not there; no function is at this address.
const NOTHING: usize = 1;

impl Next {
    pub(super) const fn new(name: &'static CStr) -> Self {
        Self { name, found: AtomicUsize::new(0) }
    }

    /// The address of the function, if there is one.
    pub(super) fn address(&self) -> Option<usize> {
        // Relaxed: the address says all, and whoever looks at the same time finds the same.
        let mut found = self.found.load(Ordering::Relaxed);
        if found == 0 {
            // SAFETY: the name ends with a zero.
            let symbol = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
            found = if symbol.is_null() { NOTHING } else { symbol as usize };
            self.found.store(found, Ordering::Relaxed);
        }
        (found != NOTHING).then_some(found)
    }
}

core::arch::global_asm!(
    ".weak __pthread_create",
    ".pushsection .data.rel.ro.toolbox_static_pthread_create, \"aw\"",
    ".balign 8",
    ".globl toolbox_static_pthread_create",
    ".hidden toolbox_static_pthread_create",
    "toolbox_static_pthread_create:",
    ".8byte __pthread_create",
    ".popsection",
);

// SAFETY: the word stands above; the function is the C library's, with the types of C11.
unsafe extern "C" {
    static toolbox_static_pthread_create: usize;

    fn thrd_create(thread: *mut c_void, start: *const c_void, argument: *mut c_void) -> c_int;
}

/// Brings the C library's `__pthread_create` into a static program.
#[used]
static BRINGS: unsafe extern "C" fn(*mut c_void, *const c_void, *mut c_void) -> c_int = thrd_create;

/// The function behind our `pthread_create`.
pub(super) fn pthread_create() -> Option<usize> {
    static NEXT: Next = Next::new(c"pthread_create");
    // SAFETY: a word that the linker or the loader filled in before anything runs; zero where there is no such function.
    let in_static = unsafe { toolbox_static_pthread_create };
    if in_static != 0 { Some(in_static) } else { NEXT.address() }
}
