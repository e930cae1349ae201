//! The interactive view in a real terminal: what it shows, and that it gives the terminal back however it ends.
//!
//! The terminal is tmux's: a shell runs in it, keys are sent, the screen is read back. Nothing is timed; a test waits
//! until the screen says what it should, and shows the screen when that does not happen.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TOOLBOX: &str = env!("CARGO_BIN_EXE_toolbox");
const PATIENCE: Duration = Duration::from_secs(30);
const CTRL_C: &str = "C-c";

/// A shell in a terminal, with a folder of its own.
struct Terminal {
    folder: PathBuf,
}

impl Terminal {
    /// `None`, with the reason printed, where there is no tmux or no file system with extents.
    fn new(name: &str, size: (u16, u16)) -> Option<Self> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("live-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("tree")).expect("the folder for tests can be written to");
        for (file, blocks) in [("small", 1), ("medium", 8), ("large", 64)] {
            fs::write(folder.join("tree").join(file), vec![b'x'; blocks * 4096]).expect("there is room for a file");
        }
        let terminal = Self { folder };
        if let Some(why) = terminal.missing() {
            assert!(std::env::var_os("CI").is_none(), "{why}");
            println!("skipped: {why}");
            return None;
        }
        let (width, height) = (size.0.to_string(), size.1.to_string());
        // The prompt is set once, in the environment, so that no line of set-up has to be waited for.
        let shell = "LC_ALL=C.UTF-8 PS1='ready$ ' NO_COLOR= sh -i";
        terminal.tmux(&["new-session", "-d", "-x", &width, "-y", &height, shell]);
        terminal.wait("ready$");
        Some(terminal)
    }

    fn missing(&self) -> Option<String> {
        if Command::new("tmux").arg("-V").stdout(Stdio::null()).status().is_err() {
            return Some("there is no tmux".to_owned());
        }
        let scan = Command::new(TOOLBOX).arg("fragtop").arg(self.folder.join("tree")).output();
        let scanned = scan.expect("the binary was built for this test");
        let reason = String::from_utf8_lossy(&scanned.stderr).into_owned();
        (scanned.status.code() != Some(0)).then(|| format!("no extents below {}: {reason}", self.folder.display()))
    }

    /// Runs tmux on a server of our own, and returns what it prints.
    fn tmux(&self, arguments: &[&str]) -> String {
        let socket = self.folder.join("socket");
        let output = Command::new("tmux")
            .env_remove("TMUX")
            .current_dir(&self.folder)
            .args(["-u", "-f", "/dev/null", "-S"])
            .arg(socket.file_name().expect("the path was made with a name"))
            .args(arguments)
            .output()
            .expect("tmux was there a moment ago");
        assert!(output.status.success(), "tmux {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Types a command for the shell.
    fn run(&self, command: &str) {
        self.keys(&["-l", command]);
        self.keys(&["Enter"]);
    }

    /// Starts the view below the shell, and has the shell say how it ended and whether the terminal is as it was.
    fn view(&self, arguments: &str) {
        let script = format!(
            "stty -g > before; {TOOLBOX} fragtop -i {arguments}; echo code=$?; stty -g > after; \
             cmp before after && echo terminal=same\n"
        );
        fs::write(self.folder.join("script"), script).expect("the folder for tests can be written to");
        self.run(". ./script");
    }

    fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the screen shows `text`, and returns it.
    fn wait(&self, text: &str) -> String {
        self.wait_until(text, |screen| screen.contains(text))
    }

    fn wait_until(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        loop {
            let screen = self.screen();
            if is_there(&screen) {
                return screen;
            }
            assert!(started.elapsed() < PATIENCE, "waited for {what:?}; the screen is\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for the end of the view: the code, the terminal as it was, and nothing left of the view on the screen.
    fn check_end(&self, code: i32) {
        self.wait("terminal=same");
        let screen = self.screen();
        assert!(screen.contains(&format!("code={code}\n")), "{screen}");
        assert!(!screen.contains("fragments"), "{screen}");
    }

    /// Takes away what the end of a view has left for [`Terminal::check_end`].
    fn clear(&self) {
        self.run("clear");
        self.wait_until("a clear screen", |screen| !screen.contains("code="));
    }

    /// A list that names a folder so often that a scan of it does not end while a test looks on.
    fn endless(&self) -> String {
        let crowd = self.folder.join("crowd");
        fs::create_dir_all(&crowd).expect("the folder for tests can be written to");
        (0..500).for_each(|name| fs::write(crowd.join(name.to_string()), "").expect("there is room for an empty file"));
        fs::write(self.folder.join("list"), b"crowd\0".repeat(100_000)).expect("there is room for a list");
        "--files0-from list".to_owned()
    }

    /// The process of the view.
    fn view_process(&self) -> String {
        let pane = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", pane.trim());
        let children = fs::read_to_string(children).expect("the shell of the terminal runs");
        children.split_whitespace().next().expect("the view runs below the shell").to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = Command::new("tmux").current_dir(&self.folder).args(["-S", "socket", "kill-server"]).output();
        drop(socket);
        drop(fs::remove_dir_all(&self.folder));
    }
}

#[test]
fn the_view_ranks_sorts_filters_and_quits() {
    let Some(terminal) = Terminal::new("tour", (80, 24)) else { return };
    terminal.view("tree");
    let screen = terminal.wait("done  3 files  0 failures");
    assert!(screen.contains("all 3 of 3 by fragments") && screen.contains("tree/large"), "{screen}");
    terminal.keys(&["s", "s", "s"]);
    terminal.wait_until("the largest first", |screen| {
        screen.contains("size▼")
            && screen.lines().any(|line| line.contains("256.0 KiB") && line.ends_with(">tree/large"))
    });
    terminal.keys(&["/", "med"]);
    terminal.wait_until("the filtered list", |screen| screen.contains("/med_") && !screen.contains("tree/large"));
    terminal.keys(&["Enter", "R"]);
    terminal.wait("all 1 of 1 with med in their paths by size");
    terminal.keys(&["Enter"]);
    let screen = terminal.wait("volume  ");
    assert!(screen.starts_with("tree/medium\n") && screen.contains("32.0 KiB"), "{screen}");
    terminal.keys(&["Escape"]);
    terminal.keys(&["Escape", "R"]);
    terminal.wait("tree/large");
    terminal.keys(&["Down", "PageDown", "Home", "?"]);
    terminal.wait("help");
    terminal.keys(&["q"]);
    terminal.check_end(0);
}

#[test]
fn the_view_follows_the_size_of_the_terminal() {
    let Some(terminal) = Terminal::new("size", (80, 24)) else { return };
    terminal.view("tree");
    terminal.wait("done  3 files");
    terminal.tmux(&["resize-window", "-x", "20", "-y", "5"]);
    let screen = terminal.wait_until("a small view", |screen| screen.lines().last() == Some("? help  q quit"));
    assert_eq!(screen.lines().count(), 5, "{screen}");
    terminal.tmux(&["resize-window", "-x", "200", "-y", "50"]);
    terminal.wait("R rescan");
    terminal.keys(&["q"]);
    terminal.check_end(0);
}

#[test]
fn ctrl_c_during_the_scan_is_an_interrupt_and_after_it_an_end() {
    let Some(terminal) = Terminal::new("interrupt", (80, 24)) else { return };
    terminal.view(&terminal.endless());
    terminal.wait("scanning  ");
    terminal.keys(&[CTRL_C]);
    terminal.check_end(130);
    terminal.clear();
    terminal.view("--files0-from list");
    terminal.wait("scanning  ");
    terminal.keys(&["x"]);
    terminal.wait("stopped, partial");
    terminal.keys(&[CTRL_C]);
    terminal.check_end(0);
}

#[test]
fn signals_give_the_terminal_back() {
    let Some(terminal) = Terminal::new("signals", (80, 24)) else { return };
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 0)] {
        terminal.view("tree");
        terminal.wait("done  3 files");
        let status = Command::new("kill").args(["-s", signal, &terminal.view_process()]).status();
        assert!(status.expect("there is a kill").success());
        terminal.check_end(code);
        terminal.clear();
    }
}

#[test]
fn suspending_gives_the_terminal_back_and_continuing_takes_it() {
    let Some(terminal) = Terminal::new("suspend", (80, 24)) else { return };
    terminal.run(&format!("stty -g > before; {TOOLBOX} fragtop -i tree"));
    terminal.wait("done  3 files");
    terminal.keys(&["C-z"]);
    terminal.wait("Stopped");
    terminal.run("stty -g > after; cmp before after && echo terminal=same");
    terminal.wait("\nterminal=same");
    terminal.run("fg");
    terminal.wait("done  3 files");
    terminal.keys(&["s"]);
    terminal.wait("excess▼");
    terminal.keys(&["q"]);
    terminal.wait("\nterminal=same");
}

#[test]
fn the_view_ends_when_the_terminal_goes_away() {
    let Some(terminal) = Terminal::new("hangup", (80, 24)) else { return };
    terminal.view("tree");
    terminal.wait("done  3 files");
    let process = Path::new("/proc").join(terminal.view_process());
    terminal.tmux(&["kill-server"]);
    let started = Instant::now();
    while fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "toolbox") {
        assert!(started.elapsed() < PATIENCE, "the view has outlived its terminal");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn names_do_nothing_to_the_terminal() {
    let Some(terminal) = Terminal::new("names", (80, 24)) else { return };
    let name = std::ffi::OsStr::from_bytes(b"\x1b]2;owned\x07\x1b[2J\n\xff");
    fs::write(terminal.folder.join("tree").join(name), [b'x'; 65536]).expect("a name may hold any byte");
    terminal.view("tree --sort size");
    let screen = terminal.wait("done  4 files");
    assert!(screen.contains(r"/\x1b]2;owned\x07\x1b[2J\n\xff"), "{screen}");
    assert!(!terminal.tmux(&["display-message", "-p", "#{pane_title}"]).contains("owned"));
    terminal.keys(&["q"]);
    terminal.check_end(0);
}

#[test]
fn without_a_terminal_nothing_is_drawn() {
    let run = Command::new(TOOLBOX).args(["fragtop", "-i", "."]).stdin(Stdio::null()).output();
    let output = run.expect("the binary was built for this test");
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.starts_with("error: -i needs a terminal") && message.contains("\nhint: "), "{message}");
}
