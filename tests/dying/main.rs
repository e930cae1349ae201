//! Programs that link the library and die: what is said, and how they end.
//!
//! This program runs itself again, as a child that is told by a variable in which way to die; the test `child` is that child's
//! part, and does nothing otherwise. The children of C and C++, and all ways in which a *program* can be broken, are under
//! `tests/crash`; here are the ways in which a *report* can be disturbed, and what only Rust has.
//!
//! # Safety
//!
//! The unsafe blocks are the crashes: they do what they must not, on purpose; and handlers for signals.
#![allow(unsafe_code)]

use std::hint::black_box;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use toolbox::crash::record::Crash;
use toolbox::crash::{self, Builder, Callback};

const WAY: &str = "TOOLBOX_TEST_WAY";
const OPTIONS: &str = "TOOLBOX_TEST_OPTIONS";

/// What a child does, once the handlers are set; and before.
const WAYS: [(&str, fn(Builder) -> Builder, fn()); 15] = [
    ("null", |builder| builder, null),
    ("callback", |builder| builder.callback(Callback::Rust(add_a_line)), null),
    ("callback-crashes", |builder| builder.callback(Callback::Rust(|_| null())), null),
    ("callback-hangs", |builder| builder.callback(Callback::Rust(|_| hang())), null),
    ("breakpoint", |builder| builder, breakpoint),
    (
        "overflow",
        |builder| builder,
        || {
            black_box(dig(0));
        },
    ),
    ("deep", |builder| builder, || dig_then(30_000, null)),
    ("together", |builder| builder, together),
    ("panic", |builder| builder, || panic!("first line\nsecond line")),
    ("panic-twice", |builder| builder, panic_twice),
    ("panic-caught", |builder| builder, panic_caught),
    ("earlier", earlier, || write_to(0x10)),
    (
        "uninstalled",
        |builder| builder,
        || {
            crash::uninstall();
            null();
        },
    ),
    (
        "trace",
        |builder| builder,
        || {
            crash::trace();
            std::process::exit(3);
        },
    ),
    ("words", |builder| builder, words),
];

/// The part of the child.
#[test]
fn child() {
    let Ok(way) = std::env::var(WAY) else { return };
    let (_, prepare, die) = WAYS.iter().find(|(name, ..)| *name == way).expect("a way that is listed");
    let options = std::env::var(OPTIONS).unwrap_or_default();
    let builder = Builder::new().parse(options.as_bytes()).expect("options that are known");
    prepare(builder).install().expect("memory for the stacks");
    die();
    panic!("still alive");
}

#[inline(never)]
fn null() {
    write_to(0);
}

#[inline(never)]
fn write_to(address: usize) {
    // SAFETY: it is not; that is the crash.
    unsafe { (black_box(address) as *mut u8).write_volatile(1) };
}

fn hang() {
    loop {
        std::hint::spin_loop();
    }
}

fn add_a_line(crash: &Crash<'_>) {
    crash.line(if crash.record().signal == libc::SIGSEGV { b"breadcrumb: \x1b[31m" } else { b"another signal" });
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

#[inline(never)]
fn dig(depth: usize) -> usize {
    if black_box(depth) == usize::MAX { 0 } else { black_box(dig(depth + 1)) }
}

#[inline(never)]
fn dig_then(left: usize, die: fn()) {
    if left == 0 {
        die();
    } else {
        black_box(dig_then)(black_box(left - 1), die);
    }
    black_box(left);
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

fn panic_twice() {
    struct Grenade;
    impl Drop for Grenade {
        fn drop(&mut self) {
            panic!("the second panic");
        }
    }
    let _grenade = Grenade;
    panic!("the first panic");
}

fn panic_caught() {
    assert!(std::panic::catch_unwind(|| panic!("it will be caught")).is_err());
    std::process::abort();
}

/// Sets a handler before ours, which ends the program well if it is told the truth.
fn earlier(builder: Builder) -> Builder {
    extern "C" fn handler(signal: i32, information: *mut libc::siginfo_t, _context: *mut libc::c_void) {
        // SAFETY: the kernel passed it.
        let information = unsafe { &*information };
        // SAFETY: a fault has an address.
        let address = unsafe { information.si_addr() } as usize;
        let is_true = (signal, information.si_code, address) == (libc::SIGSEGV, 1, 0x10);
        // SAFETY: ending the process is allowed in a signal.
        unsafe { libc::_exit(if is_true { 7 } else { 8 }) };
    }
    // SAFETY: zeroes are a value of it.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as usize;
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    // SAFETY: the handler calls only what is safe in a signal.
    assert_eq!(unsafe { libc::sigaction(libc::SIGSEGV, &raw const action, std::ptr::null_mut()) }, 0);
    builder
}

/// Lets the C library complain.
fn words() {
    let words = c"stack smashing detected";
    let block = words.as_ptr().cast_mut().cast();
    // SAFETY: it is not from the allocator; that is the crash.
    unsafe { libc::free(block) };
}

/// How a child ended, and what it wrote to standard error.
fn run(way: &str, options: &str) -> (ExitStatus, String) {
    let mut child = start(way, options).stderr(Stdio::piped()).spawn().expect("this program can be started again");
    let mut report = Vec::new();
    child.stderr.take().expect("a pipe").read_to_end(&mut report).expect("a pipe can be read");
    (child.wait().expect("a child can be waited for"), String::from_utf8_lossy(&report).into_owned())
}

fn start(way: &str, options: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("a program knows its path"));
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env(WAY, way).env(OPTIONS, options).env_remove("RUST_BACKTRACE").stdout(Stdio::null());
    command
}

#[track_caller]
fn assert_has(report: &str, parts: &[&str]) {
    for part in parts {
        assert!(report.contains(part), "no `{part}` in\n{report}");
    }
}

/// How often a text occurs.
fn count(report: &str, part: &str) -> usize {
    report.matches(part).count()
}

#[test]
fn a_null_write_is_reported_and_dies_of_its_signal() {
    let (status, report) = run("null", "");
    assert_eq!(status.signal(), Some(libc::SIGSEGV), "{report}");
    assert_has(
        &report,
        &[
            "*** toolbox: crashed: SIGSEGV: address not mapped (write of 0x0000000000000000: null pointer)\n",
            "program  /",
            "\"child\"",
            "\n#0  0x",
            "\nmodule   dying-",
            "*** end\n",
        ],
    );
    assert_eq!(report.contains("*** names"), cfg!(feature = "symbolize"), "{report}");
    if cfg!(feature = "symbolize") {
        assert_has(&report, &["dying::write_to at ", "tests/dying/main.rs", "dying::null at "]);
    }
}

#[test]
fn what_is_not_wanted_is_left_out() {
    let (_, report) = run("null", "names=no,threads=one");
    assert!(!report.contains("***  names") && !report.contains("other threads"), "{report}");
    let (status, report) = run("null", "text=none");
    assert_eq!((status.signal(), report.as_str()), (Some(libc::SIGSEGV), ""));
    let (status, report) = run("null", "signals=fpe+bus");
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert!(!report.contains("toolbox"), "{report}");
}

#[test]
fn a_callback_adds_to_the_report() {
    let (status, report) = run("callback", "names=no");
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert_has(&report, &["\nbreadcrumb: \\x1b[31m\n*** end\n"]);
}

#[test]
fn a_callback_that_crashes_or_hangs_costs_only_itself() {
    let (status, report) = run("callback-crashes", "names=no");
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert_has(&report, &["(the step \"callback\" of this report was left out: SIGSEGV at 0x", "*** end\n"]);
    let (status, report) = run("callback-hangs", "names=no,limit=1000");
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert_has(&report, &["(the step \"callback\" of this report was left out: no time left)\n", "*** end\n"]);
}

#[test]
fn a_breakpoint_ends_the_program() {
    let (status, report) = run("breakpoint", "names=no");
    assert_eq!(status.signal(), Some(libc::SIGTRAP), "{report}");
    assert_has(&report, &["SIGTRAP: "]);
}

#[test]
fn an_overflow_is_named_and_reported_once() {
    let (status, report) = run("overflow", "");
    assert_eq!(status.signal(), Some(libc::SIGABRT), "as the standard library does it:\n{report}");
    assert_has(
        &report,
        &[
            "cause    stack overflow of thread \"child\" (stack of ",
            "frame above comes ",
            "has overflowed its stack",
            "*** toolbox: aborted by the earlier handler of SIGSEGV\n",
        ],
    );
    assert_eq!(count(&report, "*** toolbox: crashed"), 1, "{report}");
}

#[test]
fn a_deep_stack_is_folded_with_both_ends() {
    let (_, report) = run("deep", "threads=one");
    assert_has(&report, &["frame above comes ", "#30"]);
    assert!(report.len() < 64 << 10, "{} bytes", report.len());
    if cfg!(feature = "symbolize") {
        assert_has(&report, &["dying::null at ", "dying::child at ", "start_thread"]);
    }
}

#[test]
fn of_eight_crashes_one_is_reported_and_the_others_are_noted() {
    let (status, report) = run("together", "names=no,threads=one");
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert_eq!(count(&report, "*** toolbox: crashed"), 1, "{report}");
    assert!(count(&report, "also crashed: thread ") <= 7);
    assert_has(&report, &["*** end\n"]);
}

#[test]
fn a_panic_is_reported_once_and_goes_on() {
    let (status, report) = run("panic", "");
    assert_eq!(status.code(), Some(101), "{report}");
    assert_has(
        &report,
        &["*** toolbox: panicked: first line\n         second line\nat       tests/dying/main.rs:", "*** end\n"],
    );
    assert_eq!(count(&report, "panicked: first line"), 1, "{report}");
    if cfg!(feature = "symbolize") {
        assert!(!report.contains("rust_begin_unwind") && !report.contains("report_here"), "{report}");
    }
}

#[test]
fn a_panic_in_a_panic_ends_with_one_line() {
    let (status, report) = run("panic-twice", "names=no");
    assert_eq!(status.signal(), Some(libc::SIGABRT));
    assert_has(
        &report,
        &["panicked: the first panic\n", "panicked: the second panic\n", "*** toolbox: aborted by the panic above\n"],
    );
    assert!(!report.contains("*** toolbox: crashed"), "{report}");
}

#[test]
fn a_crash_after_a_panic_that_was_caught_is_a_crash() {
    let (status, report) = run("panic-caught", "names=no");
    assert_eq!(status.signal(), Some(libc::SIGABRT));
    assert_has(&report, &["panicked: it will be caught\n", "*** toolbox: crashed: SIGABRT: "]);
    assert!(!report.contains("aborted by"), "{report}");
}

#[test]
fn an_earlier_handler_gets_what_the_kernel_said() {
    let (status, report) = run("earlier", "names=no");
    assert_eq!(status.code(), Some(7), "{report}");
    assert_has(&report, &["offset 16)", "*** end\n"]);
    let (status, _) = run("earlier", "names=no,chain=no");
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
}

#[test]
fn what_is_taken_back_is_silent() {
    let (status, report) = run("uninstalled", "");
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    assert!(!report.contains("toolbox:"), "{report}");
}

#[test]
fn a_trace_can_be_asked_for() {
    let (status, report) = run("trace", "");
    assert_eq!(status.code(), Some(3), "{report}");
    assert_has(&report, &["*** toolbox: a trace that was asked for\n", "\n#0  0x", "*** end\n"]);
    assert!(!report.contains("report_here"), "{report}");
}

#[test]
fn the_words_of_the_c_library_are_in_the_report() {
    if !cfg!(all(target_env = "gnu", target_feature = "crt-static")) && cfg!(target_env = "gnu") {
        let (status, report) = run("words", "names=no");
        assert_eq!(status.signal(), Some(libc::SIGABRT), "{report}");
        assert_has(&report, &["\nmessage  ", "(): invalid pointer\n"]);
    }
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_nothing() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let full = std::thread::spawn({
        let mut writer = writer.try_clone().expect("a descriptor");
        move || std::io::Write::write_all(&mut writer, &[b' '; 1 << 20])
    });
    // Room for what the other thread writes is made only at the end.
    std::thread::sleep(std::time::Duration::from_millis(100));
    let status = start("null", "names=no,limit=300")
        .stderr(writer.try_clone().expect("a descriptor"))
        .status()
        .expect("a child that ends");
    assert_eq!(status.signal(), Some(libc::SIGSEGV));
    drop(reader);
    assert!(full.join().expect("a thread that ends").is_err());
    let _ = std::io::Write::flush(&mut writer);
}

#[test]
fn a_report_file_is_private_and_whole() {
    let folder = std::env::temp_dir().join(format!("toolbox-dying-{}", std::process::id()));
    std::fs::create_dir(&folder).expect("a folder of our own");
    let options = format!("file={0}/r.%s.txt,json={0}/r.%p.json,threads=all", folder.display());
    let (_, report) = run("null", &options);
    let file = folder.join("r.11.txt");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), report[report.find("***").expect("a report")..]);
    assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
    let json = std::fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let json = json.into_iter().find(|path| path.extension().is_some_and(|its| its == "json")).expect("a file");
    let json = std::fs::read_to_string(json).expect("the file");
    assert!(json.starts_with("{\"schema\":\"toolbox.crash/1\",\"program\":\"/"), "{json}");
    assert_has(
        &json,
        &["\"signal\":\"SIGSEGV\"", "\"address\":\"0x0\"", "\"frames\":[{\"number\":0,", "\"threads\":["],
    );
    assert!(json.ends_with(",\"end\":true}\n"), "{json}");
    assert_eq!(depth(&json), Some(0), "{json}");
    let (_, again) = run("null", &options);
    assert_has(&again, &["(no report file: error 17)\n"]);
    std::fs::remove_dir_all(folder).expect("a folder of our own");
}

/// How deep the brackets of JSON are at its end; none where one closes that is not open.
fn depth(json: &str) -> Option<usize> {
    let (mut open, mut is_text, mut is_escaped) = (Vec::new(), false, false);
    for letter in json.chars() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_text => is_escaped = true,
            '"' => is_text = !is_text,
            '{' | '[' if !is_text => open.push(letter),
            '}' | ']' if !is_text => {
                let is_pair = matches!((open.pop(), letter), (Some('{'), '}') | (Some('['), ']'));
                is_pair.then_some(())?;
            }
            _ => {}
        }
    }
    Some(open.len())
}
