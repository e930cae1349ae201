//! One session: a command line as a shell takes it, what it prints on both streams, and its exit code.
//!
//! Every session has a folder with three files of known counts: `one`, `two` and `sub/three`, in so many fragments.
//! They are made with `fallocate --collapse-range`, which takes a block out of a file and moves the rest up, so that
//! the two sides lie a block apart on the volume for certain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A folder of files, and a shell in it; removed when dropped.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) folder: PathBuf,
    /// The file system that the folder is on.
    filesystem: String,
}

impl Session {
    /// `None`, with the reason printed, where such files cannot be made.
    pub(crate) fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("session-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(folder.join("sub")).expect("the folder for tests can be written to");
        let mut session = Self { folder, filesystem: String::new() };
        match session.make_files() {
            Ok(filesystem) => session.filesystem = filesystem,
            Err(why) => return skip(&why),
        }
        Some(session)
    }

    fn make_files(&self) -> Result<String, String> {
        for (name, fragments) in [("one", 1), ("two", 2), ("sub/three", 3)] {
            self.make_file(name, fragments)?;
        }
        let told = succeed(self.shell("filefrag one two sub/three"))?;
        if told != "one: 1 extent found\ntwo: 2 extents found\nsub/three: 3 extents found\n" {
            return Err(format!("the files came out differently: {told}"));
        }
        let filesystem = succeed(self.shell("toolbox fragtop -p one --format csv | tail -n 1 | cut -d, -f 8"))?;
        Ok(filesystem.trim().to_owned())
    }

    /// A file of so many fragments, of a block each but for the last, which has one more.
    pub(crate) fn make_file(&self, name: &str, fragments: usize) -> Result<(), String> {
        let path = self.folder.join(name);
        let run = |arguments: &[&str]| succeed(Command::new("fallocate").args(arguments).arg(&path)).map(drop);
        run(&["--length", &(fragments * 8192).to_string()])?;
        let file = fs::File::options().write(true).open(&path).map_err(|error| error.to_string())?;
        let data = vec![b'x'; fragments * 8192];
        std::os::unix::fs::FileExt::write_all_at(&file, &data, 0).map_err(|error| error.to_string())?;
        file.sync_all().map_err(|error| error.to_string())?;
        (1..fragments).try_for_each(|block| {
            run(&["--collapse-range", "--offset", &(block * 4096).to_string(), "--length", "4096"])
        })
    }

    /// A shell command in the folder, with `toolbox` on its path and nothing in the environment that changes what it
    /// prints.
    pub(crate) fn shell(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).current_dir(&self.folder).stdin(Stdio::null());
        let binary = Path::new(env!("CARGO_BIN_EXE_toolbox")).parent().expect("a binary lies in a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", binary.display())).env("LC_ALL", "C.UTF-8").env("TERM", "xterm");
        for name in ["COLUMNS", "NO_COLOR", "LANG", "LC_CTYPE"] {
            command.env_remove(name);
        }
        command
    }

    /// Starts the tool itself, with its streams in the test's hands.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_toolbox"));
        command.args(arguments).current_dir(&self.folder).env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the binary was built for this test")
    }

    /// Runs `line` and compares all that comes out.
    #[track_caller]
    pub(crate) fn check(&self, line: &str, stdout: &str, stderr: &str, code: i32) {
        let output = self.shell(line).output().expect("there is a shell");
        let expected = self.localised(stdout);
        let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        assert_eq!(
            (out.as_str(), err.as_str(), output.status.code()),
            (expected.as_str(), stderr, Some(code)),
            "{line}"
        );
    }

    /// The command that rewrites a file is another on each file system.
    fn localised(&self, text: &str) -> String {
        match self.filesystem.as_str() {
            "xfs" => text.replace("e4defrag", "xfs_fsr"),
            _ => text.replace("on ext4", &format!("on {}", self.filesystem)),
        }
    }

    /// Runs `line`, which must end with this code, for a look at parts of what it prints.
    #[track_caller]
    pub(crate) fn output(&self, line: &str, code: i32) -> Output {
        let output = self.shell(line).output().expect("there is a shell");
        assert_eq!(output.status.code(), Some(code), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// The same, for JSON on stdout.
    #[track_caller]
    pub(crate) fn json(&self, line: &str, code: i32) -> serde_json::Value {
        let output = self.output(line, code);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Says why a test cannot be run here; fails it where everything is meant to be there.
pub(crate) fn skip<T>(why: &str) -> Option<T> {
    assert!(std::env::var_os("CI").is_none(), "not to be skipped where CI is set: {why}");
    // The harness's own capture knows nothing of what a child process prints.
    let _ = Command::new("sh").args(["-c", "echo \"SKIPPED: $0\" >&2", why]).status();
    None
}

fn succeed(mut command: impl std::borrow::BorrowMut<Command>) -> Result<String, String> {
    let command = command.borrow_mut();
    let done = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!("{command:?}: {}: {}", done.status, String::from_utf8_lossy(&done.stderr)))
}

/// Whether a command can be run with this success here.
pub(crate) fn can(line: &str) -> Option<()> {
    let done = Command::new("sh").args(["-c", line]).output().is_ok_and(|output| output.status.success());
    if done { Some(()) } else { skip(&format!("`{line}` does not work here")) }
}
