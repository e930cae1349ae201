//! Builds the programs, with the compilers of the host, and the library that is preloaded.
//!
//! A build is a line of shell, in a folder below `target`, made once in a run of the tests, when it is first asked for.
//! What has no tool here is skipped, and says which tool; under `CI` everything has to be there.

use super::report::Level;
use super::scenario::{Scenario, sources};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

/// A form in which a program can come.
#[derive(Debug)]
pub(crate) struct Build {
    /// Its name in the table, and of the program.
    pub(crate) name: &'static str,
    /// Which scenario is run.
    pub(crate) scenario: &'static str,
    /// Programs without which it cannot be made.
    pub(crate) tools: &'static [&'static str],
    /// How it is made; `$S` is where the sources lie, `$O` what comes out.
    pub(crate) recipe: &'static str,
    /// Whether the library is linked in (with `$INIT` in the recipe), because it cannot be preloaded.
    pub(crate) is_linked: bool,
    /// The most that can be said of it.
    pub(crate) best: Level,
}

const fn of(name: &'static str, scenario: &'static str, recipe: &'static str) -> Build {
    Build { name, scenario, tools: &[], recipe, is_linked: false, best: Level::Full }
}

const fn with(tools: &'static [&'static str], build: Build) -> Build {
    Build { tools, ..build }
}

const fn at_best(best: Level, build: Build) -> Build {
    Build { best, ..build }
}

const fn linked(build: Build) -> Build {
    Build { is_linked: true, ..build }
}

/// Every form beyond the plain one.
pub(crate) const VARIANTS: [Build; 37] = [
    of("bin_O2", "null_deref", "gcc -g -O2 $S/crash.c -o $O"),
    of("bin_O3", "null_deref", "gcc -g -O3 -fomit-frame-pointer $S/crash.c -o $O"),
    of(
        "bin_fp",
        "null_deref",
        "gcc -g -O1 -fno-omit-frame-pointer -fno-asynchronous-unwind-tables $S/crash.c -o $O; objcopy -R .eh_frame -R .eh_frame_hdr -R .debug_frame $O",
    ),
    of("bin_dwarf2", "null_deref", "gcc -gdwarf-2 -gstrict-dwarf $S/crash.c -o $O"),
    of("bin_dwarf3", "null_deref", "gcc -gdwarf-3 -gstrict-dwarf $S/crash.c -o $O"),
    of("bin_dwarf4", "null_deref", "gcc -gdwarf-4 $S/crash.c -o $O"),
    of("bin_dwarf5", "null_deref", "gcc -gdwarf-5 -O1 $S/crash.c -o $O"),
    of("bin_dwarf64", "null_deref", "gcc -gdwarf-5 -gdwarf64 $S/crash.c -o $O"),
    of("bin_zlib", "null_deref", "gcc -g -gz=zlib $S/crash.c -o $O"),
    with(
        &["objcopy"],
        of("bin_zlib_gnu", "null_deref", "gcc -g $S/crash.c -o $O; objcopy --compress-debug-sections=zlib-gnu $O"),
    ),
    with(
        &["objcopy"],
        of("bin_zstd", "null_deref", "gcc -g $S/crash.c -o $O; objcopy --compress-debug-sections=zstd $O"),
    ),
    with(
        &["objcopy"],
        of(
            "bin_debuglink",
            "null_deref",
            "gcc -g $S/crash.c -o $O; objcopy --only-keep-debug $O $O.debug; strip $O; objcopy --add-gnu-debuglink=$O.debug $O",
        ),
    ),
    of("bin_dwo", "null_deref", "gcc -gdwarf-5 -gsplit-dwarf -c $S/crash.c -o $O.o; gcc $O.o -o $O"),
    of("bin_dwo4", "null_deref", "gcc -gdwarf-4 -gsplit-dwarf -c $S/crash.c -o $O.o; gcc $O.o -o $O"),
    with(
        &["dwp"],
        of(
            "bin_dwp4",
            "null_deref",
            "gcc -gdwarf-4 -gsplit-dwarf -c $S/crash.c -o $O.o; gcc $O.o -o $O; dwp -e $O -o $O.dwp; rm $O.dwo",
        ),
    ),
    with(
        &["llvm-dwp"],
        of(
            "bin_dwp",
            "null_deref",
            "gcc -gdwarf-5 -gsplit-dwarf -c $S/crash.c -o $O.o; gcc $O.o -o $O; llvm-dwp -e $O -o $O.dwp; rm $O.dwo",
        ),
    ),
    with(&["clang"], of("bin_clang", "null_deref", "clang -g $S/crash.c -o $O")),
    with(&["clang"], of("bin_clang_O2", "null_deref", "clang -g -O2 $S/crash.c -o $O")),
    of(
        "bin_debugframe",
        "null_deref",
        "gcc -g -O2 -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-exceptions $S/crash.c -o $O",
    ),
    at_best(Level::Names, of("bin_nodebug", "null_deref", "gcc $S/crash.c -o $O")),
    at_best(Level::Names, with(&["objcopy", "xz", "nm"], of("bin_minidebug", "null_deref", MINIDEBUG))),
    at_best(Level::Raw, of("bin_stripped", "null_deref", "gcc $S/crash.c -o $O; strip $O")),
    of("bin_nopie", "null_deref", "gcc -g -no-pie -fno-pie $S/crash.c -o $O"),
    linked(of("bin_static", "null_deref", "gcc -g -static -DSTATIC $INIT $S/crash.c -o $O $LIB")),
    linked(of("bin_static_pie", "null_deref", "gcc -g -static-pie -fPIE -DSTATIC $INIT $S/crash.c -o $O $LIB")),
    linked(of(
        "static_overflow_thread",
        "stack_overflow_thread",
        "gcc -g -static -DSTATIC $INIT $S/crash.c -o $O $LIB",
    )),
    linked(of("static_app_handler", "app_handler", "gcc -g -static -DSTATIC $INIT $S/crash.c -o $O $LIB")),
    of("inlined_O2", "inlined", "gcc -g -O2 $S/crash.c -o $O"),
    of("inlined_dwarf4", "inlined", "gcc -gdwarf-4 -O2 $S/crash.c -o $O"),
    of("inlined_dwo", "inlined", "gcc -g -O2 -gsplit-dwarf -c $S/crash.c -o $O.o; gcc $O.o -o $O"),
    with(&["clang"], of("inlined_clang", "inlined", "clang -g -O2 $S/crash.c -o $O")),
    of("deep_100k_O2", "deep_100k", "gcc -g -O2 -fno-optimize-sibling-calls -fno-tree-tail-merge $S/crash.c -o $O"),
    of("cxx_template_O2", "cxx_template", "g++ -g -O2 $S/crash.cc -o $O"),
    of("cxx_throw_O2", "cxx_throw", "g++ -g -O2 $S/crash.cc -o $O"),
    of("rs_null_O3", "rs_null", "rustc -g -C opt-level=3 $S/crash.rs -o $O"),
    of("rs_null_v0", "rs_null", "rustc -g -C symbol-mangling-version=v0 $S/crash.rs -o $O"),
    at_best(Level::Names, of("rs_null_nodebug", "rs_null", "rustc $S/crash.rs -o $O; strip -g $O")),
];

/// As Fedora ships its programs: stripped, with a compressed table of the functions inside.
const MINIDEBUG: &str = "gcc $S/crash.c -o $O; objcopy --only-keep-debug $O $O.mini; strip --strip-all -R .comment $O.mini -K main; \
    nm $O --format=posix --defined-only | awk '$2 ~ /[TtDd]/ {print $1}' | sort > $O.keep; \
    objcopy -S --remove-section .gdb_index --remove-section .comment --keep-symbols=$O.keep $O $O.mini; xz -kf $O.mini; strip $O; \
    objcopy --add-section .gnu_debugdata=$O.mini.xz $O";

/// The programs as they are built when nothing else is asked for, and what they need beside them.
const PLAIN: [(&str, &str); 8] = [
    ("crash", "gcc -g -O0 -Wall -Wextra -Werror $S/crash.c -o $O"),
    ("cxx", "g++ -g -O0 -Wall $S/crash.cc -o $O"),
    ("rs", "rustc -g $S/crash.rs -o $O"),
    ("rs_panic_abort", "rustc -g -C panic=abort $S/crash.rs -o $O"),
    ("crash_omit", "gcc -g -O1 -fomit-frame-pointer $S/crash.c -o $O"),
    ("dso.so", "gcc -g -shared -fPIC $S/dso.c -o $O"),
    ("dso_blocks.so", "gcc -g -shared -fPIC -DBLOCKS $S/dso.c -o $O"),
    ("impostor", "gcc -O0 $S/impostor.c -o $O"),
];

/// Where everything is built and run.
pub(crate) fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder below target");
        // The tests run as another user as well.
        folder.canonicalize().expect("it was just made")
    })
}

type Built = Arc<OnceLock<Result<PathBuf, String>>>;

/// Runs a recipe, once.
pub(crate) fn made(name: &str, tools: &[&str], recipe: &str) -> Result<PathBuf, String> {
    static MADE: OnceLock<Mutex<HashMap<String, Built>>> = OnceLock::new();
    let made = MADE.get_or_init(Mutex::default);
    let entry = made.lock().expect("no test panicked in between").entry(name.to_owned()).or_default().clone();
    entry.get_or_init(|| make(name, tools, recipe)).clone()
}

fn make(name: &str, tools: &[&str], recipe: &str) -> Result<PathBuf, String> {
    if let Some(tool) = tools.iter().find(|tool| !is_there(tool)) {
        return Err(format!("no `{tool}` here"));
    }
    let output = folder().join(name);
    let done = Command::new("sh")
        .args(["-ec", recipe])
        .current_dir(folder())
        .env("S", sources().canonicalize().expect("the sources are there"))
        .env("O", name)
        .output()
        .expect("a shell");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{name} cannot be built:\n{recipe}\n{said}");
    Ok(output)
}

fn is_there(tool: &str) -> bool {
    let found =
        std::env::var_os("PATH").is_some_and(|all| std::env::split_paths(&all).any(|path| path.join(tool).exists()));
    assert!(found || std::env::var_os("CI").is_none(), "`{tool}` is missing, and under CI everything has to be there");
    found
}

/// The program of a scenario as it is without the library.
pub(crate) fn plain(scenario: &Scenario) -> Result<PathBuf, String> {
    for name in ["dso.so", "dso_blocks.so", "impostor"] {
        by_name(name)?;
    }
    match scenario.variant {
        Some(build) => made(build.name, build.tools, &recipe(build, false)),
        None => by_name(plain_name(scenario)),
    }
}

fn plain_name(scenario: &Scenario) -> &'static str {
    match scenario.program {
        "rs" if scenario.needs("panic_abort") => "rs_panic_abort",
        "crash" if scenario.needs("omit_frame_pointer") => "crash_omit",
        program => program,
    }
}

fn by_name(name: &str) -> Result<PathBuf, String> {
    let (_, recipe) = PLAIN.iter().find(|(its, _)| *its == name).expect("a program that there is");
    made(name, &[], recipe)
}

fn recipe(build: &Build, is_reporting: bool) -> String {
    let library = library();
    let archive = library.with_file_name("libtoolbox.a");
    let (init, library) =
        if is_reporting { ("-DCALLS_INIT", archive.display().to_string()) } else { ("", String::new()) };
    build.recipe.replace("$INIT", init).replace("$LIB", &library)
}

/// The program of a scenario as it is to be run with the library.
pub(crate) fn reporting(scenario: &Scenario) -> Result<PathBuf, String> {
    match scenario.variant {
        Some(build) if build.is_linked => made(&format!("{}_reporting", build.name), build.tools, &recipe(build, true)),
        _ if scenario.needs("linked") => {
            let folder = library().parent().expect("a file lies in a folder").display().to_string();
            let headers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/capi").display().to_string();
            let recipe =
                format!("gcc -g -O0 -DLINKED -I{headers} $S/crash.c -o $O -L{folder} -ltoolbox -Wl,-rpath,{folder}");
            made("crash_linked", &[], &recipe)
        }
        _ => plain(scenario),
    }
}

/// The shared library, built by the command that the README names; the archive lies beside it.
pub(crate) fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace");
        let target = folder().with_file_name("capi-for-tests");
        let done = Command::new(env!("CARGO")).arg("capi").env("CARGO_TARGET_DIR", &target).current_dir(top).output();
        let done = done.expect("cargo is what started this");
        assert!(done.status.success(), "cargo capi:\n{}", String::from_utf8_lossy(&done.stderr));
        let library = target.join("capi/libtoolbox.so");
        // What a program that is linked against it looks for at run time, and an installation has.
        let _ = std::os::unix::fs::symlink("libtoolbox.so", library.with_file_name("libtoolbox.so.0"));
        library
    })
}
