//! Memory that may not be there: reads that fail instead of faulting.
//!
//! Whoever unwinds a crashed process follows pointers that the crash may have destroyed. So nothing of the process is
//! looked at through a reference; everything goes through [`Memory`], whose reads give all that was asked for or
//! [`Unreadable`]. The same unwinder then serves our own process in a signal handler ([`OwnMemory`]), another one
//! ([`OtherMemory`]) and bytes that lie somewhere else ([`Slices`]).
//!
//! Our own memory can be read in three ways. Which one serves depends on what the process may still do:
//!
//! 1. *Contained loads*: plain loads, of which each stands at an address that is known. One that faults comes to the
//!    handler of the signal, which asks [`contained`] and goes on at the landing instead. No system call, and the fastest;
//!    but it takes a handler that is in force. (The idea is HotSpot's `SafeFetch`.)
//! 2. `process_vm_readv` on ourselves, which needs nobody's permission, but which a filter of system calls may refuse.
//! 3. A question to the kernel whether a word can be read, then a plain load. The question is a call that no program
//!    can do without: a signal mask is read from the address, with a request that the kernel refuses once it has read it. Between the
//!    two another thread may unmap the page; that is the last resort.
//!
//! # Safety
//!
//! Plain loads are made only by the functions below that consist of them, after what is said above each. The one call to
//! the kernel writes nothing.
#![allow(unsafe_code)]

use crate::sys::raw::{self, Errno};
use core::arch::naked_asm;

/// Some of what was asked for cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// Memory by address, of which any may be missing.
pub trait Memory {
    /// Signal-safe. Reads exactly `into.len()` bytes or none that count.
    ///
    /// # Errors
    /// [`Unreadable`] when any of the bytes is not there; what `into` holds then is not specified.
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable>;

    /// Signal-safe. The eight bytes at `address`, which need not be aligned.
    ///
    /// # Errors
    /// [`Unreadable`] when any of them is not there.
    fn word(&self, address: u64) -> Result<u64, Unreadable> {
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

impl<M: Memory + ?Sized> Memory for &M {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        (**self).read(address, into)
    }

    fn word(&self, address: u64) -> Result<u64, Unreadable> {
        (**self).word(address)
    }
}

/// How our own memory is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Contained,
    Copied,
    Asked,
}

/// The memory of this process.
#[derive(Debug)]
pub struct OwnMemory {
    process: u32,
    way: Way,
}

impl OwnMemory {
    /// Signal-safe. Reads by system calls: by `process_vm_readv`, and where that is refused by asking before each load.
    ///
    /// A process that has forked needs a new one: it remembers the number of the process.
    #[must_use]
    pub fn new() -> Self {
        let process = raw::process();
        let is_refused = raw::read_process(process, 0, &mut []).is_err();
        Self { process, way: if is_refused { Way::Asked } else { Way::Copied } }
    }

    /// Signal-safe. Reads by contained loads, without any system call.
    ///
    /// # Safety
    /// For as long as this is used, `SIGSEGV` and `SIGBUS` must not be blocked in the calling thread, and their handler
    /// has to ask [`contained`] for the address at which it was raised, and go on at what that answers.
    #[must_use]
    pub const unsafe fn contained() -> Self {
        Self { process: 0, way: Way::Contained }
    }
}

impl Default for OwnMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl Memory for OwnMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        if into.is_empty() {
            return Ok(());
        }
        let last = address.checked_add(into.len() as u64 - 1).ok_or(Unreadable)?;
        let is_read = match self.way {
            // SAFETY: `into` takes as many bytes, and a fault is contained, as whoever made this has promised.
            Way::Contained => unsafe { contained_copy(into.as_mut_ptr(), address, 0, into.len()) == 0 },
            Way::Copied => raw::read_process(self.process, address, into) == Ok(into.len()),
            Way::Asked => ask(address, last, into),
        };
        if is_read { Ok(()) } else { Err(Unreadable) }
    }

    fn word(&self, address: u64) -> Result<u64, Unreadable> {
        if self.way == Way::Contained {
            // SAFETY: a fault is contained, as whoever made this has promised.
            let loaded = unsafe { contained_word(address) };
            return if loaded.failed == 0 { Ok(loaded.value) } else { Err(Unreadable) };
        }
        let mut bytes = [0; 8];
        self.read(address, &mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

/// Pages are at least as large as this, and what is readable ends with one.
const PAGE: u64 = 4096;

/// Copies after a question for each page.
fn ask(address: u64, last: u64, into: &mut [u8]) -> bool {
    let mut page = address / PAGE * PAGE;
    while page <= last {
        if !is_readable(page) {
            return false;
        }
        let Some(next) = page.checked_add(PAGE) else { break };
        page = next;
    }
    // SAFETY: every page of the source was readable a moment ago, and `into` takes as many bytes.
    unsafe { contained_copy(into.as_mut_ptr(), address, 0, into.len()) == 0 }
}

/// Whether the eight bytes at `address` in our own memory can be read.
fn is_readable(address: u64) -> bool {
    let nonsense = u32::MAX as usize;
    // SAFETY: the kernel reads a mask from `address`, finds that the first argument names no operation, and is done.
    let answer = unsafe { raw::call(libc::SYS_rt_sigprocmask, [nonsense, address as usize, 0, 8, 0, 0]) };
    answer == Err(Errno(libc::EINVAL))
}

/// Signal-safe. Where to go on after a fault at `pc`, if it was one of the loads that are contained.
///
/// A handler of `SIGSEGV` and `SIGBUS` puts the answer in place of the interrupted thread's program counter and returns;
/// the read then fails, and nothing else has happened.
#[must_use]
pub fn contained(pc: u64) -> Option<u64> {
    let loads = [contained_copy as *const () as u64, contained_word as *const () as u64];
    loads.contains(&pc).then_some(landing as *const () as u64)
}

/// What a contained load of a word came to.
#[repr(C)]
struct Loaded {
    value: u64,
    failed: u64,
}

/// Signal-safe. Copies `length` bytes; 0 when all were, 1 when the landing was taken. The first instruction is the one that may fault.
///
/// # Safety
/// `into` takes `length` bytes, of which there is at least one. The source is readable, or a fault is contained.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn contained_copy(into: *mut u8, address: u64, unused: usize, length: usize) -> u64 {
    naked_asm!("rep movsb", "xor eax, eax", "ret") // To rdi, from rsi, rcx times: the first, second and fourth argument.
}

/// Signal-safe. Loads eight bytes. The first instruction is the one that may fault.
///
/// # Safety
/// They are readable, or a fault is contained.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
unsafe extern "C" fn contained_word(address: u64) -> Loaded {
    naked_asm!("mov rax, [rdi]", "xor edx, edx", "ret")
}

/// Where a load that faulted goes on: it returns to whoever called the load, with the answer that it failed.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
extern "C" fn landing() {
    naked_asm!("mov eax, 1", "mov edx, 1", "ret")
}

/// Signal-safe. Copies `length` bytes; 0 when all were, 1 when the landing was taken. The first instruction is the one that may fault.
///
/// # Safety
/// `into` takes `length` bytes, of which there is at least one. The source is readable, or a fault is contained.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn contained_copy(into: *mut u8, address: u64, unused: usize, length: usize) -> u64 {
    naked_asm!("2: ldrb w4, [x1], #1", "strb w4, [x0], #1", "subs x3, x3, #1", "b.ne 2b", "mov x0, #0", "ret")
}

/// Signal-safe. Loads eight bytes. The first instruction is the one that may fault.
///
/// # Safety
/// They are readable, or a fault is contained.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
unsafe extern "C" fn contained_word(address: u64) -> Loaded {
    naked_asm!("ldr x0, [x0]", "mov x1, #0", "ret")
}

/// Where a load that faulted goes on: it returns to whoever called the load, with the answer that it failed.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
extern "C" fn landing() {
    naked_asm!("mov x0, #1", "mov x1, #1", "ret")
}

/// The memory of another process, which has to be one that we may trace.
#[derive(Clone, Copy, Debug)]
pub struct OtherMemory {
    process: u32,
    file: Option<i32>,
}

impl OtherMemory {
    /// Signal-safe. The memory of `process`, read by `process_vm_readv`.
    #[must_use]
    pub const fn new(process: u32) -> Self {
        Self { process, file: None }
    }

    /// Signal-safe. The same, and where that is refused or the pages are not readable for the process itself, through
    /// `file`: the descriptor of its open `/proc/PID/mem`.
    #[must_use]
    pub const fn with_file(process: u32, file: i32) -> Self {
        Self { process, file: Some(file) }
    }
}

impl Memory for OtherMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let is_read = raw::read_process(self.process, address, into) == Ok(into.len())
            || self.file.is_some_and(|file| raw::read_at(file, into, address) == Ok(into.len()));
        if is_read { Ok(()) } else { Err(Unreadable) }
    }
}

/// Bytes that stand for the memory at some addresses: a section of a file, the segments of a core file.
///
/// A read is answered from one slice; it fails where it would go from one into the next.
#[derive(Clone, Copy, Debug)]
pub struct Slices<'a>(pub &'a [(u64, &'a [u8])]);

impl Memory for Slices<'_> {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        for (begin, bytes) in self.0 {
            let Some(offset) = address.checked_sub(*begin) else { continue };
            let Ok(offset) = usize::try_from(offset) else { continue };
            let there = bytes.get(offset..).and_then(|rest| rest.get(..into.len()));
            if let Some(there) = there {
                into.copy_from_slice(there);
                return Ok(());
            }
        }
        Err(Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsRawFd;

    /// Two pages, of which only the first can be read; it is full of sevens.
    fn half_readable() -> u64 {
        let page = raw::PAGE;
        let place = raw::map(2 * page, libc::PROT_READ | libc::PROT_WRITE).unwrap();
        // SAFETY: the page has just been mapped for writing, and is given to nobody.
        unsafe { place.write_bytes(7, page) };
        // SAFETY: the second page is given to nobody.
        unsafe { raw::protect(place.wrapping_add(page), page, libc::PROT_NONE) }.unwrap();
        place as u64
    }

    fn check(memory: &impl Memory) {
        let page = raw::PAGE as u64;
        let place = half_readable();
        let mut all = vec![0; raw::PAGE];
        assert_eq!(memory.read(place, &mut all), Ok(()));
        assert!(all.iter().all(|byte| *byte == 7));
        assert_eq!(memory.word(place + page - 8), Ok(0x0707_0707_0707_0707));
        assert_eq!(memory.word(place + 3), Ok(0x0707_0707_0707_0707));
        assert_eq!(memory.word(place + page - 7), Err(Unreadable));
        assert_eq!(memory.word(place + page), Err(Unreadable));
        assert_eq!(memory.read(place + 8, &mut all), Err(Unreadable));
        assert_eq!(memory.read(place + page, &mut []), Ok(()));
        for nowhere in [0, 8, 1 << 63, u64::MAX - 6, u64::MAX] {
            assert_eq!(memory.word(nowhere), Err(Unreadable), "{nowhere:x}");
        }
        // SAFETY: nobody else knows the pages.
        unsafe { raw::unmap(place as *const u8, 2 * raw::PAGE) };
        assert_eq!(memory.word(place), Err(Unreadable));
    }

    #[test]
    fn our_own_memory_is_read_by_copies() {
        let memory = OwnMemory::new();
        if memory.way != Way::Copied {
            return println!("skipped: process_vm_readv is refused here");
        }
        check(&memory);
    }

    #[test]
    fn our_own_memory_is_read_after_a_question() {
        check(&OwnMemory { process: 0, way: Way::Asked });
    }

    #[test]
    fn our_own_memory_is_read_through_a_file() {
        let file = std::fs::File::open("/proc/self/mem").unwrap();
        let memory = OtherMemory::with_file(u32::MAX >> 1, file.as_raw_fd()); // There is no such process.
        let word = 0x0123_4567_89ab_cdef_u64;
        assert_eq!(memory.word((&raw const word) as u64), Ok(word));
        assert_eq!(memory.word(8), Err(Unreadable));
    }

    #[test]
    fn slices_are_memory_as_far_as_they_go() {
        let slices = [(0x1000, &[1_u8; 16][..]), (0x2000, &[2; 8][..])];
        let memory = Slices(&slices);
        assert_eq!(memory.word(0x1008), Ok(0x0101_0101_0101_0101));
        assert_eq!(memory.word(0x1009), Err(Unreadable));
        assert_eq!(memory.word(0x2000), Ok(0x0202_0202_0202_0202));
        assert_eq!(memory.word(0xfff), Err(Unreadable));
        assert_eq!(memory.word(u64::MAX), Err(Unreadable));
    }
}
