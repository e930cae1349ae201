//! One report: what it needs, and its steps.
//!
//! Everything is in one value of a fixed size that lies in the program's zeroes: untouched, it takes no memory. The steps
//! stand in [`STEPS`] in their order; each works on what the ones before have found, and does without what they have not.
//!
//! # Safety
//!
//! The modules lie in statics that belong to the thread which reports.
#![allow(unsafe_code)]

use super::chain;
use super::child::{self, Ended};
use super::fault::{self, Sort, Surroundings};
use super::install::{self, Setup, Shared};
#[cfg(target_arch = "x86_64")]
use super::instruction;
use super::json;
use super::maps;
use super::memory::{Memory, OwnMemory};
use super::modules::{Modules, Slot};
use super::options::{Callback, Color, Destination, LONGEST_PATH};
use super::record::{Crash, Excerpt, Record, Trace};
use super::registers::Registers;
use super::render::{Raw, Render, has_names, with_names};
use super::signal;
use super::sink::{Deadline, Sink};
use super::step::{self, Failure};
use super::text;
use super::threads::{self, Threads};
use super::unwind::{self, Scratch, Walker};
use super::writer::{SINKS, Tone, Writer};
use crate::sys::raw::{self, Action, Errno, Mask};
use core::cell::RefCell;
use core::ops::ControlFlow;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU32, AtomicUsize};

/// How many modules are known.
const MODULES: usize = 1024;
/// How long all their paths are, in bytes.
const PATHS: usize = 64 << 10;

static SLOTS: Shared<[Slot; MODULES]> = Shared::new([Slot::EMPTY; MODULES]);
static PATHS_OF_MODULES: Shared<[u8; PATHS]> = Shared::new([0; PATHS]);

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
const STEPS: [Step; 11] = [
    ("headline", Site::headline, 0),
    ("identity", Site::identity, 1000),
    ("registers", Site::registers, 1000),
    ("modules", Site::look, 2000),
    ("cause", Site::cause, 2000),
    ("stack", Site::stack, 3000),
    ("other crashes", Site::others, 1000),
    // It has a deadline of its own, and a child to be waited for.
    ("names", Site::beside, 0),
    ("JSON", Site::rest_of_json, 2000),
    ("callback", Site::callback, u32::MAX),
    ("end", Site::end, 1000),
];

/// What is reported.
#[derive(Clone, Copy, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one, and nothing can be allocated")]
pub(crate) enum Kind {
    /// A signal.
    Signal,
    /// A panic, and where it was raised.
    Panic {
        /// The source file.
        file: Excerpt<256>,
        /// The line, counted from 1.
        line: u32,
        /// The column, counted from 1.
        column: u32,
    },
    /// Where a thread is, because it asked.
    Here,
}

/// How many return addresses tell a panic from another.
const WITNESSES: usize = 4;

/// A panic that was reported: its thread, and return addresses with the places where they lay.
#[derive(Clone, Copy, Debug)]
struct Panicked {
    thread: u32,
    witnesses: [(u64, u64); WITNESSES],
}

/// A report under way.
pub(crate) struct Site {
    kind: Kind,
    panicked: Panicked,
    setup: Option<&'static Setup>,
    information: *const libc::siginfo_t,
    context: *mut libc::ucontext_t,
    others: Option<&'static Others>,
    pub(crate) record: Record,
    /// The program's path, by the kernel if it says it now.
    program: Excerpt<LONGEST_PATH>,
    pub(crate) writer: Writer,
    /// The report as JSON.
    pub(crate) json: Writer,
    deadline: Deadline,
    pub(crate) modules: Modules<'static>,
    pub(crate) scratch: Scratch,
    /// The other threads, why they could not be looked at, and the stack of the one that is looked at.
    pub(crate) threads: Threads,
    pub(crate) refused: Option<Errno>,
    pub(crate) other: Trace,
    around: Surroundings,
    /// Whether all mappings were seen.
    is_mapped_known: bool,
    timer: Option<i32>,
    /// What `SIGSEGV` and `SIGBUS` did, if not come to us.
    held: [Option<Action>; 2],
}

impl Site {
    /// No report.
    pub(crate) const fn new() -> Self {
        Self {
            kind: Kind::Signal,
            panicked: Panicked { thread: 0, witnesses: [(0, 0); WITNESSES] },
            setup: None,
            information: core::ptr::null(),
            context: core::ptr::null_mut(),
            others: None,
            record: Record::new(),
            program: Excerpt::EMPTY,
            writer: Writer::NONE,
            json: Writer::NONE,
            deadline: Deadline::NONE,
            modules: Modules::new(&mut [], &mut []),
            scratch: Scratch::new(),
            threads: Threads::new(),
            refused: None,
            other: Trace::new(),
            around: Surroundings::new(0, 0),
            is_mapped_known: false,
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
        self.kind = Kind::Signal;
        (self.information, self.context, self.others) = (information, context, Some(others));
        self.begin(setup);
    }

    /// Begins a report of the calling thread without a signal. Signal-safe.
    pub(crate) fn open_here(
        &mut self,
        setup: &'static Setup,
        kind: Kind,
        message: Excerpt<1024>,
        registers: &Registers,
    ) {
        self.kind = kind;
        (self.information, self.context, self.others) = (core::ptr::null(), core::ptr::null_mut(), None);
        self.record = Record { message, registers: *registers, ..Record::new() };
        self.begin(setup);
    }

    fn begin(&mut self, setup: &'static Setup) {
        self.setup = Some(setup);
        self.deadline = Deadline::in_ms(setup.options.limit_ms);
        self.timer = None;
        self.held = [None; 2];
        self.record.trace.clear();
        let mut text = setup.text;
        text.check();
        self.writer.begin([text, Sink::NONE], [is_colored(setup.options.color, &text), false], self.deadline);
        let mut json = if matches!(self.kind, Kind::Here) { Sink::NONE } else { setup.json };
        json.check();
        self.json.begin([json, Sink::NONE], [false; SINKS], self.deadline);
        // SAFETY: the claim is ours, and the modules of an earlier report are replaced right here.
        let slots = unsafe { &mut *SLOTS.get() };
        // SAFETY: as above.
        let names = unsafe { &mut *PATHS_OF_MODULES.get() };
        self.modules = Modules::new(slots, names);
    }

    /// Writes one line instead of a report, when the signal is only how something ends that was reported: a panic, or an
    /// earlier handler that calls `abort`. Whether that is so. Signal-safe.
    pub(crate) fn tell_aftermath(
        &mut self,
        setup: &'static Setup,
        information: &libc::siginfo_t,
        context: &libc::ucontext_t,
    ) -> bool {
        if information.si_signo != libc::SIGABRT {
            return false;
        }
        let handler = chain::raised_by_handler(information, context);
        if handler.is_none() && !self.is_of_panic() {
            return false;
        }
        self.begin(setup);
        self.writer.text("*** toolbox: aborted by ");
        match handler {
            Some(signal) => self.writer.text("the earlier handler of ").text(signal::name(signal)),
            None => self.writer.text("the panic above"),
        };
        self.writer.text("\n").flush();
        true
    }

    /// Whether this thread is still inside the panic that was reported last.
    fn is_of_panic(&self) -> bool {
        let Panicked { thread, witnesses } = self.panicked;
        let memory = OwnMemory::new();
        thread != 0
            && thread == raw::thread()
            && witnesses.iter().all(|(place, value)| memory.word(*place) == Ok(*value))
    }

    /// Remembers the return addresses around a panic.
    fn note_panic(&mut self) {
        /// The first frames are the hook's, and gone when it returns.
        const SKIPPED: usize = 2;
        let mut panicked = Panicked { thread: self.record.thread, witnesses: [(0, 0); WITNESSES] };
        let memory = memory();
        let outer = self.record.trace.kept().skip(SKIPPED).filter_map(|(_, frame)| frame.cfa);
        let mut count = 0;
        for (witness, cfa) in panicked.witnesses.iter_mut().zip(outer) {
            let place = cfa.wrapping_sub(8);
            *witness = (place, memory.word(place).unwrap_or(0));
            count += 1;
        }
        if count == WITNESSES {
            self.panicked = panicked;
        }
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
        if self.information.is_null() {
            return self.write_headline();
        }
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
        if record.code > 0 && is_of_memory && record.code != signal::FROM_KERNEL {
            // SAFETY: a fault of memory comes with an address.
            record.address = Some(unsafe { information.si_addr() } as u64);
        } else if record.code <= 0 {
            // SAFETY: whoever sends a signal is noted in these two places, or zeroes are.
            record.sender = Some(unsafe { (information.si_pid() as u32, 0) });
            // SAFETY: as above.
            let user = unsafe { information.si_uid() };
            record.sender = record.sender.map(|(process, _)| (process, user));
        }
        self.write_headline();
    }

    fn write_headline(&mut self) {
        match self.kind {
            Kind::Signal => text::headline(&self.record, &mut self.writer),
            Kind::Panic { file, line, column } => {
                text::panic_headline(&self.record, &file, line, column, &mut self.writer)
            }
            Kind::Here => {
                self.writer.text("*** toolbox: a trace that was asked for\n");
            }
        }
    }

    /// Process, thread, name, time; and the report files, whose names are made of them.
    fn identity(&mut self) {
        let Some(setup) = self.setup else { return };
        self.record.process = raw::process();
        self.record.thread = raw::thread();
        self.record.thread_name = raw::thread_name();
        self.record.time = raw::clock(libc::CLOCK_REALTIME) / 1_000_000_000;
        self.timer = raw::timer_create(self.record.thread, libc::SIGSEGV).ok();
        let mut path = [0; LONGEST_PATH];
        let link = raw::read_link(c"/proc/self/exe", &mut path);
        self.program = link.map_or(setup.program, Excerpt::new);
        self.open_files(setup);
        text::identity(&self.record, self.program.as_bytes(), &mut self.writer);
    }

    /// Creates the report files, and writes to them what went out before.
    fn open_files(&mut self, setup: &Setup) {
        let mut created = [Sink::NONE; SINKS];
        let destinations = [setup.options.text, setup.options.file];
        if matches!(self.kind, Kind::Here) {
            return;
        }
        let mut trouble = None;
        for (index, (sink, destination)) in created.iter_mut().zip(destinations).enumerate() {
            let (files, bytes) = (setup.options.files, setup.options.bytes);
            match destination {
                Destination::File(template) => {
                    let program = self.program.as_bytes();
                    match setup.folders[index].create(&template, &self.record, program, files, bytes) {
                        Ok(file) => *sink = file,
                        Err(error) => trouble = Some(error),
                    }
                }
                Destination::Descriptor(_) if index == 1 => {
                    *sink = setup.file;
                    sink.check();
                }
                _ => {}
            }
        }
        if created.iter().any(Sink::is_open) {
            let open = *self.writer.sinks();
            let colored = created.map(|sink| is_colored(setup.options.color, &sink));
            self.writer.redirect(created, colored);
            self.write_headline();
            self.writer.flush();
            let both = [if created[0].is_open() { created[0] } else { open[0] }, created[1]];
            self.writer.redirect(both, both.map(|sink| is_colored(setup.options.color, &sink)));
        }
        if let Destination::File(template) = setup.options.json {
            let (program, files) = (self.program.as_bytes(), setup.options.files);
            match setup.folders[2].create(&template, &self.record, program, files, setup.options.bytes) {
                Ok(file) => self.json.redirect([file, Sink::NONE], [false; SINKS]),
                Err(error) => trouble = Some(error),
            }
        }
        if let Some(error) = trouble {
            self.writer.text("(no report file: error ").decimal(error.0.unsigned_abs().into()).text(")\n");
        }
    }

    fn registers(&mut self) {
        if !matches!(self.kind, Kind::Signal) {
            return;
        }
        text::registers(&self.record, &mut self.writer);
    }

    /// What is mapped where.
    fn look(&mut self) {
        self.take_faults();
        self.is_mapped_known = false;
        self.record.overflowed = None;
        self.around = Surroundings::new(self.record.address.unwrap_or(0), self.record.registers.sp());
        let memory = memory();
        // Of this thread: the first thread's own are gone when it has ended before the others.
        let open = |path| raw::open(libc::AT_FDCWD, path, libc::O_RDONLY | libc::O_CLOEXEC, 0);
        let mut count = 0;
        if let Ok(descriptor) = open(c"/proc/thread-self/maps").or_else(|_| open(c"/proc/self/maps")) {
            let mut buffer = [0; 4096];
            let (modules, around) = (&mut self.modules, &mut self.around);
            let read = maps::each(
                &mut buffer,
                |into| raw::read(descriptor, into),
                |mapping| {
                    modules.add(&memory, mapping);
                    around.note(mapping);
                    count += 1;
                },
            );
            raw::close(descriptor);
            self.is_mapped_known = read.is_ok() && count > 0;
        }
        if count == 0
            && let Some(setup) = self.setup
        {
            self.modules.add_linked(&memory, &setup.auxiliary, self.program.as_bytes());
        }
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

    /// What the address is, by what is around it; and what the C library has to say.
    fn cause(&mut self) {
        if !matches!(self.kind, Kind::Signal) {
            return;
        }
        self.record.message = self.last_words();
        if !self.record.message.as_bytes().is_empty() {
            self.writer.text("message  ").foreign(self.record.message.as_bytes().trim_ascii_end()).text("\n");
        }
        self.find_address();
        let is_told = |sort| matches!(sort, Sort::Null | Sort::NotCanonical | Sort::Kernel);
        let Some(address) = self.record.address else { return };
        if let Some(stack) = self.around.overflowed_stack() {
            self.record.overflowed = Some(stack.span);
            self.writer.text("cause    stack overflow of thread \"").foreign(self.record.thread_name());
            self.writer.text("\" (stack of ").decimal(stack.span.length() / 1024).text(" KiB)\n");
        } else if self.is_mapped_known && !is_told(fault::sort(address)) {
            self.around.explain(self.record.signal, self.record.access, &mut self.writer);
        }
    }

    /// Looks for the address of a fault that the kernel had none for, and says what it is.
    fn find_address(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if self.record.signal == libc::SIGSEGV && self.record.code == signal::FROM_KERNEL {
            let memory = memory();
            self.record.address = None;
            if instruction::explain(&memory, &mut self.record) {
                self.writer.text("cause   ");
                text::address_in_words(&self.record, &mut self.writer);
                self.writer.text("\n");
            }
        }
    }

    /// What the C library noted before it called `abort`.
    fn last_words(&self) -> Excerpt<1024> {
        let place = self.setup.map_or(0, |setup| setup.abort_message);
        if self.record.signal != libc::SIGABRT || place == 0 {
            return Excerpt::EMPTY;
        }
        let memory = memory();
        let mut bytes = [0; 1024];
        let Ok(message) = memory.word(place) else { return Excerpt::EMPTY };
        // Behind a length of four bytes. It ends with a zero, and may lie at the end of a page.
        let mut length = 0;
        while length < bytes.len() {
            let next = message.wrapping_add(4 + length as u64);
            if message == 0 || memory.read(next, &mut bytes[length..=length]).is_err() || bytes[length] == 0 {
                break;
            }
            length += 1;
        }
        Excerpt::new(&bytes[..length])
    }

    /// The stack of the thread that crashed.
    fn stack(&mut self) {
        let memory = memory();
        let trace = &mut self.record.trace;
        // The instruction of a breakpoint or of a refused call lies before the program counter, like that of a call.
        let is_behind = cfg!(target_arch = "x86_64")
            && matches!(
                (self.record.signal, self.record.code),
                (libc::SIGTRAP, signal::FROM_KERNEL) | (libc::SIGSYS, 1..)
            );
        // Without a signal the first frames are ours: where the registers were taken, and who asked for that.
        let mut ours = if matches!(self.kind, Kind::Signal) { 0 } else { 2 };
        let end = Walker::new(&memory, &self.modules, &mut self.scratch).run(
            &self.record.registers,
            if matches!(self.kind, Kind::Signal) && !is_behind { unwind::Kind::Stopped } else { unwind::Kind::Call },
            &mut |frame| {
                if ours == 0 {
                    trace.push(frame);
                } else {
                    ours -= 1;
                }
                ControlFlow::Continue(())
            },
        );
        trace.finish(end);
        text::trace(&self.record.trace, &self.modules, &mut self.writer);
        text::builds(&self.record.trace, &self.modules, &mut self.writer);
        if self.is_panic() {
            self.note_panic();
        }
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

    /// Names, and the other threads, in a child; without one, the names here.
    fn beside(&mut self) {
        let Some(setup) = self.setup else { return };
        STAGE.store(STOP, Relaxed);
        loop {
            self.writer.flush();
            let site = core::ptr::from_mut(self) as usize;
            let mut deadline = self.deadline;
            let ended = child::run(setup, in_child, site, &mut deadline);
            self.deadline = deadline;
            match ended {
                Ok(Ended::Well) => return,
                Ok(Ended::TimedOut) => {
                    self.writer.text("    (cut here: no time left)\n");
                    return;
                }
                Ok(Ended::Badly) => {
                    self.writer.text("    (cut here: this part of the report crashed)\n");
                    // What the child was at is not tried again.
                    STAGE.fetch_add(1, Relaxed);
                }
                Err(error) => {
                    self.writer.text("    (no process for the other threads: error ");
                    self.writer.decimal(error.0.unsigned_abs().into()).text(")\n");
                    self.watch(u32::MAX);
                    if has_names(setup) {
                        with_names(setup, self.is_panic(), |render| self.name(render));
                    }
                    return;
                }
            }
        }
    }

    /// The names of the stack that was written raw.
    fn name(&mut self, render: &mut dyn Render) {
        if !render.has_names() {
            return;
        }
        self.writer.text("*** names\n");
        self.writer.limit(MOST_BYTES);
        render.show(&self.record.trace, &self.modules, &mut self.writer);
        let is_cut = self.writer.is_full();
        self.writer.limit(u64::MAX);
        if is_cut {
            self.writer.tone(Tone::Plain).text("\n    (cut here: 48 KiB are the limit)\n");
        }
    }

    /// The report as JSON, in the child: everything but the end.
    fn whole_json(&mut self, render: &mut dyn Render, has_threads: bool) {
        if !self.json.is_open() {
            return;
        }
        json::head(&self.record, self.program.as_bytes(), &mut self.json);
        let (trace, modules) = (&self.record.trace, &self.modules);
        json::trace(trace, modules, &mut |frame, to| render.tell(frame, modules, to), &mut self.json);
        if has_threads && self.refused.is_none() {
            threads::show_json(self, render);
        }
        self.json.flush();
    }

    /// The end of it; and all of it, raw, if there was no child to write it.
    fn rest_of_json(&mut self) {
        if !self.json.is_open() {
            return;
        }
        if STAGE.load(Relaxed) < JSON {
            self.whole_json(&mut Raw, false);
        }
        self.json.text(",\"also_crashed\":[");
        for (index, (thread, signal)) in self.others.iter().flat_map(|others| others.each()).enumerate() {
            self.json.text(if index > 0 { "," } else { "" }).text("{\"thread\":").decimal(thread.into());
            json::text("signal", signal::name(signal).as_bytes(), &mut self.json);
            self.json.text("}");
        }
        self.json.text("],\"end\":true}\n").flush();
    }

    /// The descriptors that a report needs.
    fn kept(&mut self) -> [i32; 4] {
        let [first, second] = *self.writer.sinks();
        let json = self.json.sinks()[0].descriptor();
        let executable = self.setup.and_then(Setup::executable).unwrap_or(-1);
        [first.descriptor(), second.descriptor(), json, executable]
    }

    fn is_panic(&self) -> bool {
        matches!(self.kind, Kind::Panic { .. })
    }

    /// What the program wants to add.
    fn callback(&mut self) {
        match self.setup.and_then(|setup| setup.options.callback) {
            _ if !matches!(self.kind, Kind::Signal) => {}
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
        let Some(setup) = self.setup else { return };
        for (sink, destination) in self.writer.sinks().iter_mut().zip([setup.options.text, setup.options.file]) {
            if matches!(destination, Destination::File(_)) {
                sink.close();
            }
        }
        if matches!(setup.options.json, Destination::File(_)) {
            self.json.sinks()[0].close();
        }
    }
}

/// How much of the crashing thread's names is written, in bytes.
const MOST_BYTES: u64 = 48 << 10;

/// What the child is at: threads are stopped, names are looked for, threads are shown with names, threads are shown raw,
/// everything is written as JSON.
static STAGE: AtomicU32 = AtomicU32::new(STOP);
const STOP: u32 = 0;
const NAMES: u32 = 1;
const THREADS: u32 = 2;
const RAW_THREADS: u32 = 3;
const JSON: u32 = 4;
const DONE: u32 = 5;

/// What the child does. One that follows another which crashed goes on behind what that one was at.
extern "C" fn in_child(site: usize) {
    // SAFETY: the parent passes its site, and waits.
    let site = unsafe { &mut *(site as *mut Site) };
    let Some(setup) = site.setup else { return };
    let first = STAGE.load(Relaxed);
    raw::die_with_parent();
    child::lift_limits();
    child::close_others(&mut site.kept());
    site.refused = None;
    let has_threads = setup.options.threads && matches!(site.kind, Kind::Signal);
    if has_threads {
        child::wait_until_ready();
        threads::stop(site);
    }
    let has_names = has_names(setup) && first <= THREADS;
    let is_panic = site.is_panic();
    let mut work = |render: &mut dyn Render| {
        if has_names && first <= NAMES {
            STAGE.store(NAMES, Relaxed);
            site.name(render);
            site.writer.flush();
        }
        if has_threads && first <= RAW_THREADS {
            STAGE.store(first.max(THREADS), Relaxed);
            threads::show(site, render);
            site.writer.flush();
        }
        if first <= RAW_THREADS {
            STAGE.store(JSON, Relaxed);
            site.whole_json(render, has_threads);
        }
    };
    if has_names {
        with_names(setup, is_panic, work)
    } else {
        work(&mut Raw)
    }
    STAGE.store(DONE, Relaxed);
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
