//! One report: what it needs, and its steps.
//!
//! Everything is in one value of a fixed size that lies in the program's zeroes: untouched, it takes no memory. The steps
//! stand in [`STEPS`] in their order; each works on what the ones before have found, and does without what they have not.
//!
//! # Safety
//!
//! The modules lie in statics that belong to the thread which reports.
#![allow(unsafe_code)]

use super::fault::{self, Surroundings};
use super::install::{self, Setup, Shared};
use super::maps;
use super::memory::OwnMemory;
use super::modules::{Modules, Slot};
use super::options::{Callback, Color, Destination};
use super::record::{Crash, Record};
use super::registers::Registers;
use super::signal;
use super::sink::{Deadline, Sink};
use super::step::{self, Failure};
use super::text;
use super::unwind::{Kind, Scratch, Walker};
use super::writer::Writer;
use crate::sys::raw::{self, Action, Mask};
use core::cell::RefCell;
use core::ops::ControlFlow;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicUsize};

/// How many modules are known.
const MODULES: usize = 1024;
/// How long all their paths are, in bytes.
const PATHS: usize = 64 << 10;

static SLOTS: Shared<[Slot; MODULES]> = Shared::new([Slot::EMPTY; MODULES]);
static NAMES: Shared<[u8; PATHS]> = Shared::new([0; PATHS]);

/// Threads that crashed while another reports: number and signal, as one word each.
pub(crate) struct Others {
    count: AtomicUsize,
    notes: [(AtomicU32, AtomicU32); 32],
}

impl Others {
    /// None.
    pub(crate) const fn new() -> Self {
        Self { count: AtomicUsize::new(0), notes: [const { (AtomicU32::new(0), AtomicU32::new(0)) }; 32] }
    }

    /// Takes note of one. Signal-safe.
    pub(crate) fn add(&self, thread: u32, signal: i32) {
        let index = self.count.fetch_add(1, Relaxed);
        if let Some((noted, its_signal)) = self.notes.get(index) {
            its_signal.store(signal as u32, Relaxed);
            noted.store(thread, Release); // Pairs with the acquire in `each`: the signal is there.
        }
    }

    /// Forgets all. Signal-safe.
    pub(crate) fn clear(&self) {
        self.count.store(0, Relaxed);
        for (thread, _) in &self.notes {
            thread.store(0, Relaxed);
        }
    }

    /// How many there are. Signal-safe.
    fn count(&self) -> usize {
        self.count.load(Relaxed)
    }

    /// Thread and signal of each that was noted. Signal-safe.
    pub(crate) fn each(&self) -> impl Iterator<Item = (u32, i32)> {
        // Pairs with the release in `add`.
        let noted = self.notes.iter().map(|(thread, signal)| (thread.load(Acquire), signal.load(Relaxed) as i32));
        noted.filter(|(thread, _)| *thread != 0)
    }
}

/// The step, its name, and how long it may take at most, in milliseconds.
type Step = (&'static str, fn(&mut Site), u32);

/// All steps in their order. What is first needs least.
const STEPS: [Step; 9] = [
    ("headline", Site::headline, 0),
    ("identity", Site::identity, 1000),
    ("registers", Site::registers, 1000),
    ("modules", Site::look, 2000),
    ("cause", Site::cause, 2000),
    ("stack", Site::stack, 3000),
    ("other crashes", Site::others, 1000),
    ("callback", Site::callback, u32::MAX),
    ("end", Site::end, 1000),
];

/// A report under way.
pub(crate) struct Site {
    setup: Option<&'static Setup>,
    information: *const libc::siginfo_t,
    context: *mut libc::ucontext_t,
    others: Option<&'static Others>,
    pub(crate) record: Record,
    pub(crate) writer: Writer,
    deadline: Deadline,
    modules: Modules<'static>,
    scratch: Scratch,
    around: Surroundings,
    timer: Option<i32>,
    /// What `SIGSEGV` and `SIGBUS` did, if not come to us.
    held: [Option<Action>; 2],
}

impl Site {
    /// No report.
    pub(crate) const fn new() -> Self {
        Self {
            setup: None,
            information: core::ptr::null(),
            context: core::ptr::null_mut(),
            others: None,
            record: Record::new(),
            writer: Writer::NONE,
            deadline: Deadline::NONE,
            modules: Modules::new(&mut [], &mut []),
            scratch: Scratch::new(),
            around: Surroundings::new(0, 0),
            timer: None,
            held: [None; 2],
        }
    }

    /// Begins a report. No system calls but to look at the descriptors. Signal-safe.
    pub(crate) fn open(
        &mut self,
        setup: &'static Setup,
        information: *const libc::siginfo_t,
        context: *mut libc::ucontext_t,
        others: &'static Others,
    ) {
        self.setup = Some(setup);
        (self.information, self.context, self.others) = (information, context, Some(others));
        self.deadline = Deadline::in_ms(setup.options.limit_ms);
        self.timer = None;
        self.held = [None; 2];
        self.record.trace.clear();
        let mut text = setup.text;
        text.check();
        self.writer.begin([text, Sink::NONE], [is_colored(setup.options.color, &text), false], self.deadline);
        // SAFETY: the claim is ours, and the modules of an earlier report are replaced right here.
        let slots = unsafe { &mut *SLOTS.get() };
        // SAFETY: as above.
        let names = unsafe { &mut *NAMES.get() };
        self.modules = Modules::new(slots, names);
    }

    /// All steps. `known` is told the number of this thread. Signal-safe.
    pub(crate) fn run(&mut self, known: impl Fn(u32)) {
        for (name, step, limit_ms) in STEPS {
            self.watch(limit_ms);
            let done = step::guarded(step, self);
            if let Err(failure) = done {
                self.tell(name, failure);
            }
            self.writer.flush();
            if self.record.thread != 0 {
                known(self.record.thread);
            }
        }
        self.watch(0);
        self.close();
    }

    /// Gives the next step so much time; zero for none.
    fn watch(&mut self, limit_ms: u32) {
        if let Some(timer) = self.timer {
            let left_ms = if limit_ms == 0 { 0 } else { limit_ms.min(self.deadline.left_ms()).max(20) };
            let _ = raw::timer_set(timer, left_ms);
        }
    }

    /// Says that a step did not come to its end.
    fn tell(&mut self, name: &str, failure: Failure) {
        self.writer.text("    (the step \"").text(name).text("\" of this report was left out: ");
        match failure {
            Failure::TimedOut => self.writer.text("no time left"),
            Failure::Signal(signal, pc) => self.writer.text(signal::name(signal)).text(" at ").address(pc),
        };
        self.writer.text(")\n");
    }

    /// Signal, code, address and registers: all of it is in what the kernel passed.
    fn headline(&mut self) {
        // SAFETY: the kernel passed it to the handler, which has not returned.
        let information = unsafe { &*self.information };
        // SAFETY: as above.
        let context = unsafe { &*self.context };
        let record = &mut self.record;
        (record.signal, record.code) = (information.si_signo, information.si_code);
        record.thread = 0;
        record.access = fault::access(context);
        // SAFETY: it is what the kernel passed, and the handler has not returned.
        record.registers = unsafe { Registers::from_context(self.context.cast()) };
        (record.address, record.sender) = (None, None);
        let is_of_memory = matches!(record.signal, libc::SIGSEGV | libc::SIGBUS);
        if record.code > 0 && is_of_memory {
            // SAFETY: a fault of memory comes with an address.
            record.address = Some(unsafe { information.si_addr() } as u64);
        } else if record.code <= 0 {
            // SAFETY: whoever sends a signal is noted in these two places, or zeroes are.
            record.sender = Some(unsafe { (information.si_pid() as u32, 0) });
            // SAFETY: as above.
            let user = unsafe { information.si_uid() };
            record.sender = record.sender.map(|(process, _)| (process, user));
        }
        text::headline(&self.record, &mut self.writer);
    }

    /// Process, thread, name, time; and the report files, whose names are made of them.
    fn identity(&mut self) {
        let Some(setup) = self.setup else { return };
        self.record.process = raw::process();
        self.record.thread = raw::thread();
        self.record.thread_name = raw::thread_name();
        self.record.time = raw::clock(libc::CLOCK_REALTIME) / 1_000_000_000;
        self.timer = raw::timer_create(self.record.thread, libc::SIGSEGV).ok();
        text::identity(&self.record, setup.program.as_bytes(), &mut self.writer);
    }

    fn registers(&mut self) {
        text::registers(&self.record, &mut self.writer);
    }

    /// What is mapped where.
    fn look(&mut self) {
        self.take_faults();
        self.around = Surroundings::new(self.record.address.unwrap_or(0), self.record.registers.sp());
        let memory = memory();
        let Ok(descriptor) = raw::open(libc::AT_FDCWD, c"/proc/self/maps", libc::O_RDONLY | libc::O_CLOEXEC, 0) else {
            let Some(setup) = self.setup else { return };
            self.modules.add_linked(&memory, &setup.auxiliary, setup.program.as_bytes());
            return;
        };
        let mut buffer = [0; 4096];
        let (modules, around) = (&mut self.modules, &mut self.around);
        let _ = maps::each(
            &mut buffer,
            |into| raw::read(descriptor, into),
            |mapping| {
                modules.add(&memory, mapping);
                around.note(mapping);
            },
        );
        raw::close(descriptor);
    }

    /// Makes sure that faults of reads come to us, whatever the program has set.
    fn take_faults(&mut self) {
        let ours = install::our_action();
        for (held, signal) in self.held.iter_mut().zip([libc::SIGSEGV, libc::SIGBUS]) {
            // SAFETY: the handler knows what to do with faults of a report.
            let before = unsafe { raw::action(signal, Some(&ours)) };
            *held = before.ok().filter(|before| before.handler != ours.handler);
        }
        raw::mask(libc::SIG_UNBLOCK, Mask::of(libc::SIGSEGV).with(Mask::of(libc::SIGBUS)));
    }

    /// What the address is, by what is around it.
    fn cause(&mut self) {
        let Some(_) = self.record.address else { return };
        if let Some(stack) = self.around.overflowed_stack() {
            let size = (stack.span.end - stack.span.start) / 1024;
            self.writer.text("cause    stack overflow of thread \"").foreign(self.record.thread_name());
            self.writer.text("\" (stack of ").decimal(size).text(" KiB)\n");
            return;
        }
    }

    /// The stack of the thread that crashed.
    fn stack(&mut self) {
        let memory = memory();
        let trace = &mut self.record.trace;
        let end = Walker::new(&memory, &self.modules, &mut self.scratch).run(
            &self.record.registers,
            Kind::Stopped,
            &mut |frame| {
                trace.push(frame);
                ControlFlow::Continue(())
            },
        );
        trace.finish(end);
        text::trace(&self.record.trace, &self.modules, &mut self.writer);
        text::builds(&self.record.trace, &self.modules, &mut self.writer);
    }

    /// Threads that crashed meanwhile, a line each.
    fn others(&mut self) {
        let Some(others) = self.others else { return };
        for (thread, signal) in others.each() {
            self.writer.text("also crashed: thread ").decimal(u64::from(thread)).text(" by ");
            self.writer.text(signal::name(signal)).text("\n");
        }
        let unnamed = others.count().saturating_sub(others.each().count());
        if unnamed > 0 {
            self.writer.text("also crashed: ").decimal(unnamed as u64).text(" more threads\n");
        }
    }

    /// What the program wants to add.
    fn callback(&mut self) {
        match self.setup.and_then(|setup| setup.options.callback) {
            None => {}
            Some(Callback::Rust(call)) => {
                call(&Crash { record: &self.record, writer: RefCell::new(&mut self.writer) });
            }
            Some(Callback::C(call, data)) => {
                self.writer.flush();
                let descriptor = self.writer.sinks().iter().map(Sink::descriptor).find(|number| *number >= 0);
                call(self.record.signal, descriptor.unwrap_or(-1), data as *mut core::ffi::c_void);
            }
        }
    }

    fn end(&mut self) {
        self.writer.text("*** end\n");
    }

    /// Gives back what the report has taken, in case the program goes on.
    fn close(&mut self) {
        if let Some(timer) = self.timer.take() {
            raw::timer_delete(timer);
        }
        for (held, signal) in self.held.iter_mut().zip([libc::SIGSEGV, libc::SIGBUS]) {
            if let Some(before) = held.take() {
                // SAFETY: it is what the program had set.
                let _ = unsafe { raw::action(signal, Some(&before)) };
            }
        }
        let _ = Destination::None;
    }
}

/// Our own memory.
pub(crate) fn memory() -> OwnMemory {
    // SAFETY: `take_faults` has seen to it that these faults come to our handler, which asks for their landing.
    unsafe { OwnMemory::contained() }
}

/// Whether a sink gets colour.
fn is_colored(color: Color, sink: &Sink) -> bool {
    match color {
        Color::Auto => sink.is_terminal(),
        Color::Always => true,
        Color::Never => false,
    }
}
