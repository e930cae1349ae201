//! A thread of another process under ptrace: held still, moved on by single instructions, looked at.
//!
//! Only the thread that is named is held ([`Tracee::seize`]); the others of its process go on. The thread says where it
//! begins by [`mark`], a signal to itself that whoever traces it sees and swallows. Everything is undone when the tracer
//! goes away: a [`Tracee`] that is dropped lets its thread go on, and when the tracing process dies the kernel kills the
//! traced one.
//!
//! All calls on a [`Tracee`] have to come from the thread that seized it, which is why it is not `Send`: to the kernel a
//! tracer is a thread. There are registers for x86-64 and 64-bit ARM; elsewhere [`Tracee::seize`] says that it is
//! unsupported. Under an emulator such as qemu's user mode the kernel calls are missing, and the error is theirs.
//!
//! # Safety
//!
//! The requests fill or read plain C structs and words that we own. What is written into the memory of the other process
//! cannot break this one: the kernel traces no thread of its own process.
#![allow(unsafe_code)]

use super::{check, retry};
use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

/// What a thread sends itself at its mark. Untraced it would end the process.
const MARK: libc::c_int = libc::SIGUSR1;

/// How long a wait looks again at once, giving the processor away; then it sleeps in between.
const EAGER: Duration = Duration::from_millis(5);
const PAUSE: Duration = Duration::from_micros(200);

/// Where a thread stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The address of the next instruction.
    pub pc: u64,
    /// The stack pointer.
    pub sp: u64,
    /// Where the running function returns to, on machines that keep that in a register; only right at its beginning.
    pub link: Option<u64>,
}

/// Why a thread stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It did one instruction, or came to a breakpoint.
    Trap,
    /// It came to its [`mark`].
    Mark,
    /// It got another signal, which it will not see.
    Signal(i32),
    /// It is no more.
    Gone,
}

/// A traced thread.
#[derive(Debug)]
pub struct Tracee {
    thread: libc::pid_t,
    /// To the kernel the tracer is a thread, so this must stay with it.
    stays: PhantomData<*const ()>,
}

/// An instruction that was replaced by a trap, and what it was.
#[derive(Debug)]
pub struct Breakpoint {
    address: u64,
    word: u64,
}

/// Stops the calling thread for whoever traces it. Ends the process when nobody does.
pub fn mark() {
    let (process, thread) = (std::process::id(), own_thread());
    // SAFETY: a signal to ourselves; the numbers are ours.
    unsafe { libc::syscall(libc::SYS_tgkill, process, thread, MARK) };
}

/// The number of the calling thread, by which another process can name it.
#[must_use]
pub fn own_thread() -> u32 {
    // SAFETY: the call only tells who we are.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) };
    u32::try_from(thread).expect("the number of a thread is positive")
}

/// Has this process killed when its parent is.
pub fn die_with_parent() {
    // SAFETY: the call takes a number, and cannot fail for one that is a signal.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

impl Tracee {
    /// Takes over the thread with the number `thread`, which goes on until it comes to its mark.
    ///
    /// # Errors
    /// `EPERM` when this process may not trace that one, `ENOSYS` and `EIO` from emulators, `ESRCH` when there is no such
    /// thread; unsupported on machines whose registers are not known here.
    pub fn seize(thread: u32) -> io::Result<Self> {
        if !machine::IS_KNOWN {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let thread = libc::pid_t::try_from(thread).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the request takes no address, and its flags as a number.
        check_long(unsafe { libc::ptrace(libc::PTRACE_SEIZE, thread, 0_usize, libc::PTRACE_O_EXITKILL as usize) })?;
        Ok(Self { thread, stays: PhantomData })
    }

    /// Has the thread do one instruction. A system call counts as one.
    ///
    /// # Errors
    /// `ESRCH` when it is no more, or does not stand still.
    pub fn step(&self) -> io::Result<()> {
        // SAFETY: the request takes neither address nor data: no signal.
        check_long(unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, self.thread, 0_usize, 0_usize) })
    }

    /// Lets the thread go on.
    ///
    /// # Errors
    /// `ESRCH` when it is no more, or does not stand still.
    pub fn go_on(&self) -> io::Result<()> {
        // SAFETY: the request takes neither address nor data: no signal.
        check_long(unsafe { libc::ptrace(libc::PTRACE_CONT, self.thread, 0_usize, 0_usize) })
    }

    /// Waits until the thread stands still, and says why; none when it does not within `patience`.
    ///
    /// # Errors
    /// `ECHILD` when the thread is not traced any more.
    pub fn wait(&self, patience: Duration) -> io::Result<Option<Stop>> {
        let begin = Instant::now();
        loop {
            let mut status = 0;
            let flags = libc::__WALL | libc::WNOHANG;
            // SAFETY: the kernel writes one integer.
            if retry(|| check(unsafe { libc::waitpid(self.thread, &raw mut status, flags) }))? != 0 {
                return Ok(Some(told(status)));
            }
            let waited = begin.elapsed();
            if waited >= patience {
                return Ok(None);
            }
            if waited < EAGER { std::thread::yield_now() } else { std::thread::sleep(PAUSE) }
        }
    }

    /// Where the thread stands.
    ///
    /// # Errors
    /// `ESRCH` when it is no more, or does not stand still.
    pub fn registers(&self) -> io::Result<Registers> {
        self.raw().map(|raw| machine::registers(&raw))
    }

    /// Puts a trap in place of the instruction at `address`.
    ///
    /// # Errors
    /// `EIO` or `EFAULT` when there is nothing.
    pub fn set(&self, address: u64) -> io::Result<Breakpoint> {
        let word = self.read(word_of(address))?;
        let mut bytes = word.to_le_bytes();
        let offset = (address % WORD) as usize;
        bytes[offset..offset + machine::TRAP.len()].copy_from_slice(machine::TRAP);
        self.write(word_of(address), u64::from_le_bytes(bytes))?;
        Ok(Breakpoint { address, word })
    }

    /// Puts the instruction back.
    ///
    /// # Errors
    /// `ESRCH` when the thread is no more, or does not stand still.
    pub fn clear(&self, breakpoint: &Breakpoint) -> io::Result<()> {
        self.write(word_of(breakpoint.address), breakpoint.word)
    }

    /// Whether the thread stands still because it came to `breakpoint`. If so, the instruction that was there is the next
    /// one to do, once it is back.
    ///
    /// # Errors
    /// `ESRCH` when the thread is no more, or does not stand still.
    pub fn is_at(&self, breakpoint: &Breakpoint) -> io::Result<bool> {
        let mut raw = self.raw()?;
        if machine::registers(&raw).pc != breakpoint.address + machine::BEHIND {
            return Ok(false);
        }
        machine::set_pc(&mut raw, breakpoint.address);
        let mut area = area(&mut raw);
        let (set, of) = (libc::PTRACE_SETREGSET, libc::NT_PRSTATUS as usize);
        // SAFETY: `area` names `raw`, which is alive and of the size that it says.
        check_long(unsafe { libc::ptrace(set, self.thread, of, &raw mut area) }).map(|()| true)
    }

    fn raw(&self) -> io::Result<machine::Raw> {
        // SAFETY: a set of registers is integers, for which zero is a value.
        let mut raw = unsafe { MaybeUninit::<machine::Raw>::zeroed().assume_init() };
        let mut area = area(&mut raw);
        let (get, of) = (libc::PTRACE_GETREGSET, libc::NT_PRSTATUS as usize);
        // SAFETY: `area` names `raw`, which is alive and of the size that it says.
        check_long(unsafe { libc::ptrace(get, self.thread, of, &raw mut area) })?;
        Ok(raw)
    }

    fn read(&self, address: u64) -> io::Result<u64> {
        let mut word = 0_u64;
        let (call, peek) = (libc::SYS_ptrace, libc::PTRACE_PEEKDATA);
        // SAFETY: the call itself, unlike its wrapper, writes the word to where the last argument points: ours.
        check_long(unsafe { libc::syscall(call, peek, self.thread, address, &raw mut word) })?;
        Ok(word)
    }

    fn write(&self, address: u64, word: u64) -> io::Result<()> {
        // SAFETY: the word is passed by value, and written to the other process.
        check_long(unsafe { libc::ptrace(libc::PTRACE_POKEDATA, self.thread, address, word) })
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        // SAFETY: the request takes neither address nor data. It fails when the thread is gone or still moves; then the
        // end of the tracer detaches it.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.thread, 0_usize, 0_usize) };
    }
}

const WORD: u64 = 8;

fn word_of(address: u64) -> u64 {
    address - address % WORD
}

fn area(raw: &mut machine::Raw) -> libc::iovec {
    libc::iovec { iov_base: (&raw mut *raw).cast(), iov_len: size_of::<machine::Raw>() }
}

fn told(status: libc::c_int) -> Stop {
    if !libc::WIFSTOPPED(status) {
        return Stop::Gone;
    }
    match libc::WSTOPSIG(status) {
        libc::SIGTRAP => Stop::Trap,
        MARK => Stop::Mark,
        other => Stop::Signal(other),
    }
}

fn check_long(returned: libc::c_long) -> io::Result<()> {
    if returned < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(target_arch = "x86_64")]
mod machine {
    use super::Registers;

    pub(super) type Raw = libc::user_regs_struct;

    pub(super) const IS_KNOWN: bool = true;

    /// `int3`.
    pub(super) const TRAP: &[u8] = &[0xcc];

    /// How far behind a trap the thread stands when it came to it.
    pub(super) const BEHIND: u64 = 1;

    pub(super) fn registers(raw: &Raw) -> Registers {
        Registers { pc: raw.rip, sp: raw.rsp, link: None }
    }

    pub(super) fn set_pc(raw: &mut Raw, pc: u64) {
        raw.rip = pc;
    }
}

#[cfg(target_arch = "aarch64")]
mod machine {
    use super::Registers;

    pub(super) type Raw = libc::user_regs_struct;

    pub(super) const IS_KNOWN: bool = true;

    /// `brk #0`.
    pub(super) const TRAP: &[u8] = &0xd420_0000_u32.to_le_bytes();

    /// How far behind a trap the thread stands when it came to it.
    pub(super) const BEHIND: u64 = 0;

    pub(super) fn registers(raw: &Raw) -> Registers {
        Registers { pc: raw.pc, sp: raw.sp, link: Some(raw.regs[30]) }
    }

    pub(super) fn set_pc(raw: &mut Raw, pc: u64) {
        raw.pc = pc;
    }
}

/// A machine whose registers are not known: nothing is seized, so that nothing here is reached.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod machine {
    use super::Registers;

    pub(super) type Raw = u64;

    pub(super) const IS_KNOWN: bool = false;

    pub(super) const TRAP: &[u8] = &[];

    pub(super) const BEHIND: u64 = 0;

    pub(super) fn registers(raw: &Raw) -> Registers {
        Registers { pc: *raw, sp: 0, link: None }
    }

    pub(super) fn set_pc(raw: &mut Raw, pc: u64) {
        *raw = pc;
    }
}
