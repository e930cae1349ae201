//! What the C library's allocator has given out: to the byte, with what each block costs it.
//!
//! glibc counts this in `mallinfo2`, which is younger (2.33) than what this crate can be linked with; so it is looked
//! for when asked. Another C library has no such count.
//!
//! # Safety
//!
//! A function of the C library is called by its name, with the type that its manual gives.
#![allow(unsafe_code)]

use std::ffi::c_void;

/// `struct mallinfo2`.
#[repr(C)]
#[derive(Debug)]
struct Information {
    arena: usize,
    free_blocks: usize,
    free_fast_blocks: usize,
    mapped_blocks: usize,
    mapped_bytes: usize,
    unused: usize,
    free_fast_bytes: usize,
    given_out_bytes: usize,
    free_bytes: usize,
    releasable_bytes: usize,
}

/// Bytes on the heap that the program has and has not given back, their headers and roundings included; none where the C
/// library does not tell. Blocks that glibc keeps for the next call of a thread (its *tcache*) count as if the program had them.
#[must_use]
pub fn in_use() -> Option<u64> {
    if !cfg!(target_env = "gnu") {
        return None;
    }
    // SAFETY: the name is a C string, and looking it up changes nothing.
    let found: *mut c_void = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"mallinfo2".as_ptr()) };
    if found.is_null() {
        return None;
    }
    // SAFETY: it is a function without arguments that returns `struct mallinfo2`, which `Information` repeats: ten
    // `size_t`. A pointer to a function is as large as one to data on every system that has glibc.
    let mallinfo2 = unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> Information>(found) };
    let information = mallinfo2();
    Some((information.given_out_bytes + information.mapped_bytes) as u64)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_taken_is_counted() {
        let Some(before) = super::in_use() else { return println!("skipped: this C library does not tell") };
        let block = vec![1_u8; 1 << 24];
        let during = super::in_use().unwrap();
        drop(block);
        // Other tests of this process take and give back meanwhile, but not so much.
        assert!(during > before + (1 << 23), "{before} {during}");
        assert!(super::in_use().unwrap() < during - (1 << 23));
    }
}
