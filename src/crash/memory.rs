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
//! 3. A question to the kernel whether a word can be read ([`peek::is_readable`]), then a plain load. Between the two
//!    another thread may unmap the page; that is the last resort.
//!
//! # Safety
//!
//! Plain loads are made only by the functions below that consist of them, after what is said above each.
#![allow(unsafe_code)]

use crate::sys::peek;
use core::arch::naked_asm;
use core::cell::Cell;

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
    process: i32,
    way: Cell<Way>,
}

impl OwnMemory {
    /// Signal-safe. Reads by system calls: by `process_vm_readv`, and where that is refused by asking before each load.
    ///
    /// A process that has forked needs a new one: it remembers the number of the process.
    #[must_use]
    pub fn new() -> Self {
        let process = peek::process();
        Self { process, way: Cell::new(if peek::is_permitted(process) { Way::Copied } else { Way::Asked }) }
    }

    /// Signal-safe. Reads by contained loads, without any system call.
    ///
    /// # Safety
    /// For as long as this is used, `SIGSEGV` and `SIGBUS` must not be blocked in the calling thread, and their handler
    /// has to ask [`contained`] for the address at which it was raised, and go on at what that answers.
    #[must_use]
    pub const unsafe fn contained() -> Self {
        Self { process: 0, way: Cell::new(Way::Contained) }
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
        let is_read = match self.way.get() {
            // SAFETY: `into` takes as many bytes, and a fault is contained, as whoever made this has promised.
            Way::Contained => unsafe { contained_copy(into.as_mut_ptr(), address, 0, into.len()) == 0 },
            Way::Copied => peek::copy(self.process, address, into),
            Way::Asked => ask(address, last, into),
        };
        if is_read { Ok(()) } else { Err(Unreadable) }
    }

    fn word(&self, address: u64) -> Result<u64, Unreadable> {
        if self.way.get() == Way::Contained {
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
        if !peek::is_readable(page) {
            return false;
        }
        let Some(next) = page.checked_add(PAGE) else { break };
        page = next;
    }
    // SAFETY: every page of the source was readable a moment ago, and `into` takes as many bytes.
    unsafe { contained_copy(into.as_mut_ptr(), address, 0, into.len()) == 0 }
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
    process: i32,
    file: Option<i32>,
}

impl OtherMemory {
    /// Signal-safe. The memory of `process`, read by `process_vm_readv`.
    #[must_use]
    pub const fn new(process: i32) -> Self {
        Self { process, file: None }
    }

    /// Signal-safe. The same, and where that is refused or the pages are not readable for the process itself, through
    /// `file`: the descriptor of its open `/proc/PID/mem`.
    #[must_use]
    pub const fn with_file(process: i32, file: i32) -> Self {
        Self { process, file: Some(file) }
    }
}

impl Memory for OtherMemory {
    fn read(&self, address: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let is_read = peek::copy(self.process, address, into)
            || self.file.is_some_and(|file| peek::copy_from_file(file, address, into));
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
