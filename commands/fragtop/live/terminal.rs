//! The terminal, taken over and given back.
//!
//! [`Screen::take`] switches to the alternate screen and to raw input; dropping the screen undoes both, and so does a
//! panic on any thread, before its message is printed. Whoever gives the terminal back does it once: a flag says
//! whether it is taken, and the one who clears the flag does the work.
//!
//! Signals and bytes arrive on two threads, which send them to the view's one channel: the view then sleeps until
//! there is something to do, and a signal is seen at once even while nobody types. The threads end with the process.
//! (The reader that crossterm has is not used: it polls, and once the terminal has hung up it turns in a loop that no
//! timeout and no signal ends.)
//!
//! Raw input turns Ctrl-Z into a byte. [`Screen::suspend`] gives the terminal back and sends the stop to the whole
//! foreground group, as the terminal would have done; where nothing could continue the group, the kernel ignores it.

use super::Event;
use anyhow::{Context, Result, bail};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::crossterm::{execute, queue};
use ratatui::layout::{Position, Rect};
use rustix::process::{Signal, kill_current_process_group};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGWINCH};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use std::io::{ErrorKind, IsTerminal, Read, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::Sender;
use std::sync::{Mutex, Once, PoisonError};

/// Whether the terminal is ours.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether a thread has panicked since the view began: nothing is drawn from then on.
static PANICKED: AtomicBool = AtomicBool::new(false);
/// Held while drawing, so that no half of a picture follows the giving back.
static DRAWING: Mutex<()> = Mutex::new(());

/// The terminal while the view has it.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

/// Checks that there is a terminal to read keys from and to draw on.
///
/// # Errors
/// Says which is missing.
pub(super) fn check() -> Result<()> {
    let hint = "leave out -i for a table, or run it without a pipe";
    let needs = |what: &str| crate::exit::hinted(format!("-i needs a terminal, and {what} is none"), hint);
    if !std::io::stdout().is_terminal() {
        return Err(needs("standard output"));
    }
    if !std::io::stdin().is_terminal() {
        return Err(needs("standard input"));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(crate::exit::hinted("-i needs a terminal that can move its cursor, and TERM is dumb", hint));
    }
    Ok(())
}

impl Screen {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// The kernel's error when the terminal cannot be switched to raw input, or not be written to.
    pub(super) fn take() -> Result<Self> {
        give_back_on_panic();
        // From here on an error on the way drops the screen, which gives back what was taken.
        let terminal = Terminal::new(CrosstermBackend::new(std::io::stdout())).context("cannot use the terminal")?;
        let mut screen = Self { terminal };
        screen.resume()?;
        Ok(screen)
    }

    /// Takes it again after it was given back, or after somebody else may have changed it, and forgets what was drawn.
    ///
    /// # Errors
    /// As [`Screen::take`].
    pub(super) fn resume(&mut self) -> Result<()> {
        give_back();
        TAKEN.store(true, SeqCst);
        enable_raw_mode().context("cannot switch the terminal to raw input")?;
        execute!(std::io::stdout(), EnterAlternateScreen).context("cannot write to the terminal")?;
        // Not `Terminal::clear`: that asks the terminal where its cursor is, and the answer would be taken for keys.
        let size = self.terminal.size().context("cannot use the terminal")?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size))).context("cannot write to the terminal")
    }

    /// Draws, unless the terminal is given back.
    ///
    /// # Errors
    /// When the terminal cannot be written to, or a thread has panicked.
    pub(super) fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> Result<()> {
        let _drawing = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
        if PANICKED.load(SeqCst) {
            bail!("the view has ended, because a thread of it panicked");
        }
        if TAKEN.load(SeqCst) {
            self.terminal.draw(draw).context("cannot write to the terminal")?;
        }
        Ok(())
    }

    /// Gives the terminal back and stops the process, as Ctrl-Z does. Returns when it goes on, or a moment before it
    /// stops: whoever calls waits for the signal that says so, and then calls [`Screen::resume`].
    ///
    /// # Errors
    /// The kernel's error when the group cannot be stopped.
    pub(super) fn suspend(&mut self) -> Result<()> {
        give_back();
        kill_current_process_group(Signal::TSTP).context("cannot suspend")
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Switches the terminal back, if it is taken.
fn give_back() {
    if !TAKEN.swap(false, SeqCst) {
        return;
    }
    // Where the terminal is gone there is nothing to restore, and nobody to tell.
    let mut out = std::io::stdout();
    let _ = queue!(out, LeaveAlternateScreen, Show).and_then(|()| out.flush());
    let _ = disable_raw_mode();
}

/// Puts in front of the panic hook one that gives the terminal back first.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    let view = std::thread::current().id();
    ONCE.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // The view's own thread may hold the lock; any other waits until the picture is out.
            let other = std::thread::current().id() != view;
            let drawing = other.then(|| DRAWING.lock().unwrap_or_else(PoisonError::into_inner));
            if TAKEN.load(SeqCst) {
                PANICKED.store(true, SeqCst);
                give_back();
            }
            drop(drawing);
            print(panic);
        }));
    });
}

/// Starts the thread that sends signals. From then on they do nothing by themselves.
///
/// # Errors
/// The kernel's error when signals cannot be handled, or there is no thread to be had.
pub(super) fn listen_to_signals(events: &Sender<Event>) -> Result<()> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCONT, SIGWINCH]).context("cannot handle signals")?;
    let events = events.clone();
    spawn("signals", move || {
        let mut is_ending = false;
        for signal in signals.forever() {
            let ends = !matches!(signal, SIGCONT | SIGWINCH);
            if ends && std::mem::replace(&mut is_ending, true) {
                end_at_once(signal);
            }
            if events.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    })
}

/// Ends the process although the view has not followed the first signal: it is stuck, perhaps because the terminal
/// takes nothing. So nothing is written to it, and only its input is switched back.
fn end_at_once(signal: i32) {
    let _ = disable_raw_mode();
    let _ = emulate_default_handler(signal);
}

/// Starts the thread that sends what is typed. To be called once the terminal is taken, since before that the end of
/// the input is a key.
///
/// # Errors
/// The kernel's error when there is no thread to be had.
pub(super) fn listen_to_keys(events: &Sender<Event>) -> Result<()> {
    let events = events.clone();
    spawn("keys", move || read(&events))
}

/// Starts a thread that nobody waits for.
///
/// # Errors
/// The kernel's error when there is no thread to be had.
pub(super) fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(drop).context("cannot start a thread")
}

/// Sends what is typed, until the terminal is gone.
fn read(events: &Sender<Event>) {
    let mut buffer = [0; 256];
    loop {
        let event = match std::io::stdin().lock().read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => Event::HungUp,
            Ok(length) => Event::Typed(buffer[..length].to_vec()),
        };
        let last = matches!(event, Event::HungUp);
        if events.send(event).is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_anywhere_gives_the_terminal_back_and_ends_the_drawing() {
        give_back_on_panic();
        let panicked = std::thread::spawn(|| panic!("before the terminal is taken")).join();
        assert!(panicked.is_err() && !PANICKED.load(SeqCst), "a panic is the view's business only while it lasts");
        TAKEN.store(true, SeqCst);
        let panicked = std::thread::spawn(|| panic!("while it is taken")).join();
        assert!(panicked.is_err() && PANICKED.load(SeqCst) && !TAKEN.load(SeqCst));
    }
}
