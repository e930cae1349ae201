//! `toolbox fragtop -i`: the ranking while it fills, like `top`, and each file's extents at a key press.
//!
//! ```text
//! scanning  123,456 files  3 failures  412,345/s  0.3 s  2 threads
//! /srv/projects/toolbox/target
//! first 200 of 123,453 by fragments
//!  fragments▼ ideal   excess      size  extents  file
//!        266     2   3.2 ms   1.2 GiB      268 >/var/log/access.log
//!         39     1 456.0 us  38.0 MiB       39  /var/log/wtmp
//! ? help  q quit  Enter details  s sort  r reverse  / filter  e failures  x stop
//! ```
//!
//! The scan works in the background ([`scanner`]) and the view looks at what it has found five times a second; keys and
//! signals arrive over one channel ([`terminal`]), on which the view sleeps. Once the scan is done nothing wakes it but
//! a key, so that an idle view costs no processor time. What a key does is decided by [`state`], without a terminal;
//! [`draw`] turns the state into text.
//!
//! What it refuses to do: change any file; say that a list is the first of all files when it is not (each sort key has
//! a ranking of its own, and the list says how many files it was chosen from); leave the terminal other than it was.
//!
//! Ends with 0 after `q`; with 130 after Ctrl-C while the scan was on its way; by the signal itself, after the
//! terminal is given back, when it was terminated or hung up.

mod draw;
mod keys;
mod pager;
mod scanner;
mod state;
mod terminal;

use crate::exit::Exit;
use anyhow::Result;
use keys::{Decoder, Press};
use scanner::{KEPT, Scanner, Stage};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGWINCH};
use signal_hook::low_level::emulate_default_handler;
use state::{Action, Answer, Look, Model};
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};
use terminal::Screen;
use toolbox::fragment::{self, Key, Options, Root};

/// How the view begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// The first sort key.
    pub(crate) key: Key,
    /// Files to keep for each sort key, if more than 200.
    pub(crate) rows: usize,
    /// Files of fewer fragments are not listed.
    pub(crate) min_fragments: u64,
    /// Keep to ASCII.
    pub(crate) ascii: bool,
    /// Use colour.
    pub(crate) color: bool,
}

/// What wakes the view.
enum Event {
    Typed(Vec<u8>),
    /// The terminal is gone.
    HungUp,
    Signal(i32),
    Scanned,
    Extents(PathBuf, Answer),
}

/// How the view ends.
enum End {
    Exit(Exit),
    /// By this signal, as if it had not been caught.
    Signal(i32),
}

/// Time between looks at a scan that is on its way.
const REFRESH: Duration = Duration::from_millis(200);
/// How long the rest of an escape sequence may take.
const SEQUENCE: Duration = Duration::from_millis(40);
/// How long after suspending the process may take to stop.
const STOPPING: Duration = Duration::from_millis(300);
/// As good as forever: nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

/// Scans `roots` and shows the ranking until the user ends it. [`Options::stop`] is not looked at: signals are the
/// view's own business, since it has a terminal to give back.
///
/// # Errors
/// When there is no terminal, or it cannot be used; when a thread cannot be started.
pub(crate) fn run(roots: impl IntoIterator<Item = Root>, options: Options, setup: Setup) -> Result<Exit> {
    terminal::check()?;
    let roots: Vec<Root> = roots.into_iter().collect();
    let (sender, events) = mpsc::channel();
    terminal::listen_to_signals(&sender)?;
    let kept = setup.rows.max(KEPT);
    let look = Look { ascii: setup.ascii, color: setup.color, kept, min_fragments: setup.min_fragments };
    let model = Model::new(look, setup.key);
    let scanner = start(&roots, &options, &model, &sender)?;
    let screen = Screen::take()?;
    terminal::listen_to_keys(&sender)?;
    let mut view = View {
        screen,
        model,
        scanner,
        sender,
        decoder: Decoder::default(),
        roots,
        options,
        refreshed: None,
        resume_at: None,
        changed: true,
    };
    let end = view.until_end(&events);
    // Gives the terminal back, before anything else is said or done.
    drop(view);
    match end? {
        End::Exit(exit) => Ok(exit),
        End::Signal(signal) => {
            emulate_default_handler(signal)?;
            Ok(Exit::Interrupted)
        }
    }
}

fn start(roots: &[Root], options: &Options, model: &Model, sender: &Sender<Event>) -> Result<Scanner> {
    let sender = sender.clone();
    let done = move || {
        // Nobody listens any more when the view has ended.
        let _ = sender.send(Event::Scanned);
    };
    Scanner::start(roots.to_vec(), options, model.wanted(), done)
}

struct View {
    screen: Screen,
    model: Model,
    scanner: Scanner,
    sender: Sender<Event>,
    decoder: Decoder,
    roots: Vec<Root>,
    options: Options,
    refreshed: Option<Instant>,
    /// When to take the terminal back after suspending, should nothing have stopped the process.
    resume_at: Option<Instant>,
    changed: bool,
}

impl View {
    fn until_end(&mut self, events: &Receiver<Event>) -> Result<End> {
        self.refresh();
        loop {
            if std::mem::take(&mut self.changed) {
                self.screen.draw(|frame| draw::draw(frame, &mut self.model))?;
            }
            let first = events.recv_timeout(self.patience()).ok();
            let nothing = first.is_none();
            // Whatever else has arrived is taken too, so that a burst of keys is drawn once.
            for event in first.into_iter().chain(events.try_iter()) {
                if let Some(end) = self.take(event)? {
                    return Ok(end);
                }
            }
            if nothing && let Some(end) = self.decoder.flush().map(|press| self.press(press)).transpose()?.flatten() {
                return Ok(end);
            }
            self.catch_up()?;
        }
    }

    /// How long there is nothing to do if nothing happens.
    fn patience(&self) -> Duration {
        if self.decoder.is_waiting() {
            return SEQUENCE;
        }
        if self.resume_at.is_some() {
            return STOPPING;
        }
        let is_working = self.model.progress.stage == Stage::Running || self.model.is_asking();
        if is_working { REFRESH } else { IDLE }
    }

    /// Does what has become due.
    fn catch_up(&mut self) -> Result<()> {
        if self.resume_at.is_some_and(|at| at <= Instant::now()) {
            self.resume()?;
        }
        let is_due = self.refreshed.is_none_or(|at| at.elapsed() >= REFRESH);
        if is_due && self.model.progress.stage == Stage::Running {
            self.refresh();
        }
        // An answer may be waited for that never comes, because its thread has panicked: drawing finds out.
        self.changed |= self.model.is_asking();
        Ok(())
    }

    fn refresh(&mut self) {
        let progress = self.scanner.progress();
        let (files, totals) = self.scanner.ranked(self.model.key);
        self.model.update(files, totals, progress);
        self.refreshed = Some(Instant::now());
        self.changed = true;
    }

    fn take(&mut self, event: Event) -> Result<Option<End>> {
        self.changed = true;
        match event {
            Event::Typed(bytes) => {
                for press in self.decoder.feed(&bytes) {
                    if let Some(end) = self.press(press)? {
                        return Ok(Some(end));
                    }
                }
            }
            Event::Scanned => self.refresh(),
            Event::Extents(path, answer) => self.model.answer(&path, answer),
            Event::HungUp => return Ok(Some(End::Signal(SIGHUP))),
            // The next drawing asks for the size.
            Event::Signal(SIGWINCH) => {}
            Event::Signal(SIGCONT) => self.resume()?,
            Event::Signal(SIGINT) => return Ok(Some(self.interrupted())),
            Event::Signal(signal) => return Ok(Some(End::Signal(signal))),
        }
        Ok(None)
    }

    fn press(&mut self, press: Press) -> Result<Option<End>> {
        self.changed = true;
        match self.model.press(press) {
            Action::Draw => {}
            Action::Quit => return Ok(Some(End::Exit(Exit::Done))),
            Action::Interrupt => return Ok(Some(self.interrupted())),
            Action::Suspend => {
                self.screen.suspend()?;
                self.resume_at = Some(Instant::now() + STOPPING);
            }
            Action::Redraw => self.resume()?,
            Action::Refresh => self.refresh(),
            Action::Open(path) => self.open(path)?,
            Action::Rescan => {
                self.scanner = start(&self.roots, &self.options, &self.model, &self.sender)?;
                self.refresh();
            }
            Action::Stop => self.scanner.stop(),
        }
        Ok(None)
    }

    fn resume(&mut self) -> Result<()> {
        self.resume_at = None;
        self.changed = true;
        self.screen.resume()
    }

    /// A scan that was cut short is an interrupted one; a view that is left after it is not.
    fn interrupted(&self) -> End {
        let is_running = self.scanner.progress().stage == Stage::Running;
        End::Exit(if is_running { Exit::Interrupted } else { Exit::Done })
    }

    /// Asks for a file's extents on a thread of its own: the file may lie where nothing answers.
    fn open(&self, path: PathBuf) -> Result<()> {
        let (sender, sync) = (self.sender.clone(), self.options.sync);
        terminal::spawn("extents", move || {
            let answer = fragment::extents(&path, sync).map_err(|failure| failure.cause.to_string());
            // Nobody listens any more when the view has ended.
            let _ = sender.send(Event::Extents(path, answer));
        })
    }
}
