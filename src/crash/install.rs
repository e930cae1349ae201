//! Everything that can be done before a crash, and costs a healthy program little.
//!
//! What is prepared here needs no memory, descriptor or file later: the stacks that the handler runs on, duplicates of the
//! descriptors that a report goes to, the program's path and its open file. No file is read, no symbol looked at, so that
//! the cost does not grow with the program: about twenty system calls. the example `crash_cost` measures it.
//!
//! The setup is written once, before the handlers are set, and only read from then on; [`uninstall`] takes the handlers
//! back and closes the descriptors, but leaves the memory, since a thread may be in the handler at that moment.
//!
//! # Safety
//!
//! The setup is a static that [`STATE`] guards: who changed it from `ABSENT` to `CHANGING` alone writes; after `INSTALLED`
//! there are only readers. A handler is set for signals only after the setup is complete.
#![allow(unsafe_code)]

use super::altstack;
use super::chain;
use super::files::Folder;
use super::handler;
use super::linked::Auxiliary;
use super::options::{Builder, Destination, LONGEST_PATH};
use super::record::Excerpt;
use super::signal;
use super::sink::{self, Sink};
use super::site::Kind;
#[cfg(feature = "symbolize")]
use super::symbolize::Arena;
use crate::sys::raw::{self, Action, AltStack, Errno, Identity, Mask, PAGE};
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::fmt;
#[cfg(feature = "symbolize")]
use core::ptr::NonNull;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use core::sync::atomic::{AtomicU32, AtomicUsize};

/// Why nothing was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstallError {
    /// It is installed already, or is being installed or taken back by another thread.
    AlreadyInstalled,
    /// There was no memory for stacks; the kernel's error number.
    Memory(i32),
    /// A descriptor that the report was to go to cannot be duplicated; its number and the kernel's error number.
    Descriptor(i32, i32),
    /// A folder that report files were to go to cannot be opened; the kernel's error number.
    Folder(i32),
    /// The kernel refused a handler; the signal and the error number.
    Signal(i32, i32),
}

impl fmt::Display for InstallError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyInstalled => write!(to, "the crash handler is installed already"),
            Self::Memory(error) => write!(to, "no memory for the crash handler's stacks (error {error})"),
            Self::Descriptor(descriptor, error) => {
                write!(to, "descriptor {descriptor} cannot be kept for crash reports (error {error})")
            }
            Self::Folder(error) => write!(to, "the folder for crash reports cannot be opened (error {error})"),
            Self::Signal(signal, error) => {
                write!(to, "no handler can be set for {} (error {error})", signal::name(*signal))
            }
        }
    }
}

impl core::error::Error for InstallError {}

/// A static that is shared by rules of its own, which its users state.
pub(crate) struct Shared<T>(UnsafeCell<T>);

// SAFETY: whoever gets at the value does so in an unsafe block that says why nobody else is there.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(UnsafeCell::new(value))
    }

    pub(crate) const fn get(&self) -> *mut T {
        self.0.get()
    }
}

const ABSENT: u32 = 0;
const CHANGING: u32 = 1;
const INSTALLED: u32 = 2;

static STATE: AtomicU32 = AtomicU32::new(ABSENT);

static SETUP: Shared<Setup> = Shared::new(Setup::new());

/// The stack that the handler moves to.
pub(crate) const WORK: usize = 256 << 10;
/// The stack for signals that come while it is there.
const NESTED: usize = 64 << 10;
/// The stack of the child.
pub(crate) const CHILD: usize = 1 << 20;

/// How much address space is kept for names, in bytes: none of it is memory before it is used, when a
/// limit leaves no other.
const BALLAST: usize = 32 << 20;

/// What lies ready.
pub(crate) struct Setup {
    pub(crate) options: Builder,
    pub(crate) text: Sink,
    pub(crate) file: Sink,
    pub(crate) json: Sink,
    /// Folders of `text`, `file` and `json`, where they are templates.
    pub(crate) folders: [Folder; 3],
    /// The path that the program was started by, which may be relative.
    pub(crate) program: Excerpt<LONGEST_PATH>,
    /// The program's file, open; -1 without.
    pub(crate) executable: i32,
    executable_identity: Identity,
    /// Where the program and the dynamic linker are, for when `/proc` is not there.
    pub(crate) auxiliary: Auxiliary,
    /// Where the C library leaves the words of a failed assertion; zero where it does not.
    pub(crate) abort_message: u64,
    /// Where the stacks are: addresses of their lowest bytes; zero before the first installation.
    work: usize,
    nested: usize,
    child: usize,
    alternate: usize,
    ballast: AtomicUsize,
}

impl Setup {
    /// Nothing.
    const fn new() -> Self {
        Self {
            options: Builder::new(),
            text: Sink::NONE,
            file: Sink::NONE,
            json: Sink::NONE,
            folders: [Folder::NONE; 3],
            program: Excerpt::EMPTY,
            executable: -1,
            executable_identity: Identity { device: 0, inode: 0, kind: raw::Kind::Other, length: 0 },
            auxiliary: Auxiliary { program_headers: 0, linker: 0, kernel: 0 },
            abort_message: 0,
            work: 0,
            nested: 0,
            child: 0,
            alternate: 0,
            ballast: AtomicUsize::new(0),
        }
    }

    /// Signal-safe. The upper end of the stack that the handler moves to; zero when there is none.
    pub(crate) fn work_top(&self) -> usize {
        if self.work == 0 { 0 } else { self.work + WORK }
    }

    /// Signal-safe. Whether an address lies on the stack that the handler moves to.
    pub(crate) fn is_on_work(&self, address: usize) -> bool {
        self.work != 0 && address.wrapping_sub(self.work) <= WORK
    }

    /// Signal-safe. Whether an address lies on the stack of the child.
    pub(crate) fn is_on_child(&self, address: usize) -> bool {
        self.child != 0 && address.wrapping_sub(self.child - PAGE) <= CHILD + PAGE
    }

    /// Signal-safe. The upper end of the child's stack, which is memory from now on.
    ///
    /// # Errors
    /// The kernel's number.
    pub(crate) fn child_top(&self) -> Result<*mut u8, Errno> {
        let lowest = self.child as *mut u8;
        // SAFETY: the pages are kept for this, and whoever has the claim is the only one who uses them.
        unsafe { raw::protect(lowest, CHILD, libc::PROT_READ | libc::PROT_WRITE) }?;
        Ok(lowest.wrapping_add(CHILD))
    }

    /// Signal-safe. The alternate stack while the handler runs.
    pub(crate) fn nested(&self) -> AltStack {
        AltStack { base: self.nested, flags: 0, size: NESTED }
    }

    /// Signal-safe. Memory for names when nothing can be mapped any more: the kernel lets pages be touched that were
    /// mapped before the limit was reached. Once, since it is never given back.
    #[cfg(feature = "symbolize")]
    pub(crate) fn arena_at_limit(&self) -> Option<Arena> {
        let ballast = self.ballast.swap(0, AcqRel); // Whoever gets it has it alone.
        let begin = NonNull::new(ballast as *mut u8)?;
        // SAFETY: nobody could touch these pages so far.
        unsafe { raw::protect(begin.as_ptr(), BALLAST, libc::PROT_READ | libc::PROT_WRITE) }.ok()?;
        // SAFETY: the pages are ours, and zero; the word that led to them is gone.
        Some(unsafe { Arena::over(begin, BALLAST) })
    }

    /// Signal-safe. The program's file, if the descriptor is still what it was.
    pub(crate) fn executable(&self) -> Option<i32> {
        let is_same = raw::identity(self.executable).is_ok_and(|now| now.is_same(&self.executable_identity));
        (self.executable >= 0 && is_same).then_some(self.executable)
    }
}

/// Signal-safe. The setup, once it is installed.
pub(crate) fn setup() -> Option<&'static Setup> {
    // Pairs with the release in `install_with`: what is behind it has been written.
    if STATE.load(Acquire) != INSTALLED {
        return None;
    }
    // SAFETY: it is written only between `ABSENT` and `INSTALLED`, by one thread.
    Some(unsafe { &*SETUP.get() })
}

/// Sets the handlers with the usual options. See [`Builder`] for others.
///
/// # Errors
/// [`InstallError`]; then nothing is set.
pub fn install() -> Result<(), InstallError> {
    Builder::new().install()
}

/// Signal-safe. Whether the handlers are set.
#[must_use]
pub fn is_installed() -> bool {
    STATE.load(Acquire) == INSTALLED
}

/// Signal-safe. Whether `signal` is one of those that are reported.
#[must_use]
pub fn is_handling(signal: i32) -> bool {
    setup().is_some_and(|setup| setup.options.signals.has(signal))
}

impl Builder {
    /// Sets the handlers. What was there before is kept and called afterwards, unless the options say otherwise.
    ///
    /// May be called from any thread; the calling one gets an alternate stack if it has none, and so does no other
    /// ([`thread_guard`](super::thread_guard)).
    ///
    /// # Errors
    /// [`InstallError`]; then nothing is set.
    pub fn install(self) -> Result<(), InstallError> {
        // Acquire pairs with the release in `uninstall`, so that we write after who read.
        if STATE.compare_exchange(ABSENT, CHANGING, AcqRel, Acquire).is_err() {
            return Err(InstallError::AlreadyInstalled);
        }
        // SAFETY: this thread alone changed the state, and so it alone writes.
        let setup = unsafe { &mut *SETUP.get() };
        let prepared = prepare(setup, &self);
        // Pairs with the acquire in `setup`.
        STATE.store(if prepared.is_ok() { INSTALLED } else { ABSENT }, Release);
        prepared?;
        let set = set_handlers(self.signals);
        if set.is_err() {
            uninstall();
            return set;
        }
        super::panic::install(self.panic);
        Ok(())
    }
}

/// Writes where the calling thread is, with names, to where reports go as text; the program goes on. Nothing when nothing is
/// installed.
///
/// Not for signal handlers: a report that the signal has interrupted would be waited for, though not for ever.
#[inline(never)]
pub fn trace() {
    handler::report_here(Kind::Here, Excerpt::EMPTY);
}

/// Takes the handlers back, where they are still ours, and closes what was kept open. The memory stays: about 34 MiB of
/// addresses, of which a few pages were ever touched.
pub fn uninstall() {
    // Acquire pairs with the release that installed.
    if STATE.compare_exchange(INSTALLED, CHANGING, AcqRel, Acquire).is_err() {
        return;
    }
    super::panic::uninstall();
    chain::restore(signal::all());
    // SAFETY: this thread alone changed the state, and so it alone writes; who was in the handler before has its copies.
    let setup = unsafe { &mut *SETUP.get() };
    if let Some(executable) = setup.executable() {
        raw::close(executable);
    }
    setup.executable = -1;
    for sink in [&mut setup.text, &mut setup.file, &mut setup.json] {
        sink.close();
    }
    setup.folders.iter_mut().for_each(Folder::close);
    // Pairs with the acquire of the next installation.
    STATE.store(ABSENT, Release);
}

/// Everything before the handlers.
fn prepare(setup: &mut Setup, options: &Builder) -> Result<(), InstallError> {
    setup.options = *options;
    if setup.work == 0 {
        map_stacks(setup).map_err(|error| InstallError::Memory(error.0))?;
    }
    setup.text = keep(options.text)?;
    setup.file = keep(options.file)?;
    setup.json = keep(options.json)?;
    for (folder, destination) in setup.folders.iter_mut().zip([options.text, options.file, options.json]) {
        if let Destination::File(template) = destination {
            *folder = Folder::open(&template).map_err(|error| InstallError::Folder(error.0))?;
        }
    }
    setup.program = started_as();
    keep_executable(setup);
    setup.auxiliary = auxiliary();
    setup.abort_message = abort_message();
    give_alternate(setup).map_err(|error| InstallError::Memory(error.0))
}

/// The sink of a destination. Standard error that is closed is not an error: then there is none.
fn keep(destination: Destination) -> Result<Sink, InstallError> {
    match destination {
        Destination::None | Destination::File(_) => Ok(Sink::NONE),
        Destination::Stderr => Ok(Sink::keep(libc::STDERR_FILENO).unwrap_or(Sink::NONE)),
        Destination::Descriptor(number) => {
            Sink::keep(number).map_err(|error| InstallError::Descriptor(number, error.0))
        }
    }
}

/// Opens the program's file: after `chroot`, without `/proc` or at the limit of descriptors it could not be opened.
fn keep_executable(setup: &mut Setup) {
    let Ok(opened) = raw::open(libc::AT_FDCWD, c"/proc/self/exe", libc::O_RDONLY | libc::O_CLOEXEC, 0) else { return };
    setup.executable = sink::keep(opened).unwrap_or(-1);
    raw::close(opened);
    setup.executable_identity = raw::identity(setup.executable).unwrap_or_default();
}

/// The path that the program was started by.
fn started_as() -> Excerpt<LONGEST_PATH> {
    // SAFETY: the C library looks a number up in a table of its own.
    let path = unsafe { libc::getauxval(libc::AT_EXECFN) } as *const core::ffi::c_char;
    if path.is_null() {
        return Excerpt::EMPTY;
    }
    // SAFETY: the kernel put the string above the stack, where it stays.
    Excerpt::new(unsafe { CStr::from_ptr(path) }.to_bytes())
}

/// What the kernel told the program about itself.
fn auxiliary() -> Auxiliary {
    let [program_headers, linker, kernel] = [libc::AT_PHDR, libc::AT_BASE, libc::AT_SYSINFO_EHDR].map(|entry| {
        // SAFETY: the C library looks a number up in a table of its own.
        unsafe { libc::getauxval(entry) }
    });
    Auxiliary { program_headers, linker, kernel }
}

/// Where glibc has its `__abort_msg`, which is private to it; zero elsewhere, and in static programs.
fn abort_message() -> u64 {
    // SAFETY: the name is a C string, and looking it up changes nothing.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__abort_msg".as_ptr()) as u64 }
}

/// One mapping for everything, of which a part becomes memory now: the stacks that a signal needs at once. Below them is a
/// page that nobody can touch; between them is none, since each change of a mapping costs as much as the mapping: who leaves the
/// lower end of one is in another that is not in use then. The rest is for the child and its names, and becomes memory when
/// it is needed, which the kernel allows also when a limit of the address space has been reached.
fn map_stacks(setup: &mut Setup) -> Result<(), Errno> {
    let at_once = NESTED + WORK + altstack::length();
    let total = PAGE + at_once + PAGE + CHILD + BALLAST;
    let mapped = raw::map(total, libc::PROT_NONE)?;
    let stacks = mapped.wrapping_add(PAGE);
    // SAFETY: the pages were just mapped, and nobody else knows them.
    unsafe { raw::protect(stacks, at_once, libc::PROT_READ | libc::PROT_WRITE) }?;
    setup.nested = stacks as usize;
    setup.work = setup.nested + NESTED;
    setup.alternate = setup.work + WORK;
    setup.child = setup.nested + at_once + PAGE;
    setup.ballast = AtomicUsize::new(setup.child + CHILD);
    Ok(())
}

/// Gives the calling thread the alternate stack, unless it has one.
fn give_alternate(setup: &Setup) -> Result<(), Errno> {
    // SAFETY: nothing is set.
    let now = unsafe { raw::alternate_stack(None) }?;
    if altstack::is_enough(&now) {
        return Ok(());
    }
    let stack = AltStack { base: setup.alternate, flags: 0, size: altstack::length() };
    // SAFETY: the pages were mapped for this and are never unmapped.
    unsafe { raw::alternate_stack(Some(&stack)) }.map(|_| ())
}

/// Our action, for any signal. Signal-safe.
///
/// While the handler runs everything is held back but the signals of a fault: one that came then and was held back would
/// end the program at once.
pub(crate) fn our_action() -> Action {
    let restorer = raw::restorer();
    /// `SA_RESTORER` of x86-64.
    const RESTORER: u64 = 0x0400_0000;
    let flags = (libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER) as u64;
    Action {
        handler: handler::entry as *const () as usize,
        flags: if restorer == 0 { flags } else { flags | RESTORER },
        restorer,
        mask: Mask(u64::MAX).without(signal::all()),
    }
}

fn set_handlers(signals: Mask) -> Result<(), InstallError> {
    let action = our_action();
    for wanted in signal::ALL.into_iter().filter(|wanted| signals.has(*wanted)) {
        // SAFETY: the handler can run at any time: the setup is complete.
        let before =
            unsafe { raw::action(wanted, Some(&action)) }.map_err(|error| InstallError::Signal(wanted, error.0))?;
        if before.handler != action.handler {
            chain::keep(wanted, &before);
        }
    }
    Ok(())
}
