//! The process of an experiment, from both sides.
//!
//! It is a process of its own because a process cannot trace itself, and because it is killed when it is stuck. Its
//! owner starts it and speaks to it through pipes ([`Stage`]); it does as it is told ([`play`]), a line for a line:
//!
//! ```text
//! < @stage PROCESS VICTIM OTHER... / ENTRY...       once, at the beginning
//! > set OPERATION NUMBER...   < @set                a new structure; the victim goes to its mark
//! > work                      < @done WITHHELD      the others begin; they have finished
//! > settle                    < @settled [FAULT]    the victim has finished too: is all as it should be?
//! > ask NUMBER...             < @told NUMBER...     anything else
//! ```
//!
//! What is answered begins with an `@`, so that nothing else that a program writes is taken for an answer. The process ends
//! when its input does, when its parent dies, or when it is killed, which its owner does at the end in any case.

use super::victim::Victim;
use super::{Cast, PATIENCE, Trouble};
use crate::sys::trace::{die_with_parent, mark, own_thread};
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

/// What is played: a structure, what the victim may do to it, and what the others do.
#[derive(Debug)]
pub struct Piece<T: 'static> {
    /// What the victim may do: functions of their own, never inlined, one of which is stepped through.
    pub operations: &'static [fn(&T)],
    /// How many others there are, at least one.
    pub others: usize,
    /// Makes the structure, as the numbers say that were given to [`Stage::freeze`](super::Stage::freeze).
    pub make: fn(&[u64]) -> T,
    /// What each of the others does, told its number; the barrier is for all of them.
    pub work: fn(&T, usize, &Barrier),
    /// How many items they could not get at, when all have worked and the victim may still be frozen.
    pub withheld: fn(&T) -> u64,
    /// What is not as it should be, when the victim has finished as well.
    pub settle: fn(&T) -> Option<String>,
    /// Answers any other question.
    pub ask: fn(&[u64]) -> Vec<u64>,
}

/// Plays `piece` for whoever reads `output` and writes `input`, until `input` ends. Threads are left behind, perhaps stuck
/// for ever; so the process should end soon after.
///
/// # Errors
/// When `output` cannot be written or what is read makes no sense.
///
/// # Panics
/// When the system has no thread to give.
pub fn play<T: Send + Sync>(piece: &'static Piece<T>, input: impl io::Read, mut output: impl Write) -> io::Result<()> {
    let barrier: &'static Barrier = Box::leak(Box::new(Barrier::new(piece.others)));
    let (victim, helpers) = (Actor::victim(piece), (1..piece.others).map(|index| Actor::other(piece, index, barrier)));
    let helpers: Vec<_> = helpers.collect();
    write!(output, "\n@stage {} {} {}", std::process::id(), victim.thread, own_thread())?;
    helpers.iter().try_for_each(|helper| write!(output, " {}", helper.thread))?;
    write!(output, " /")?;
    piece.operations.iter().try_for_each(|operation| write!(output, " {}", *operation as usize))?;
    writeln!(output)?;
    output.flush()?;
    let mut thing = None;
    let mut line = String::with_capacity(256);
    let mut input = BufReader::new(input);
    loop {
        line.clear();
        if input.read_line(&mut line)? == 0 {
            return Ok(());
        }
        // Threads may be stuck from now on, and no input be read any more.
        die_with_parent();
        let (word, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        let numbers = numbers(rest)?;
        match (word, &thing) {
            ("set", _) => {
                let fresh = Arc::new((piece.make)(numbers.get(1..).unwrap_or_default()));
                victim.send(numbers.first().copied().unwrap_or(0) as usize, &fresh);
                thing = Some(fresh);
                output.write_all(b"@set\n")?;
            }
            ("work", Some(thing)) => {
                helpers.iter().for_each(|helper| helper.send(0, thing));
                (piece.work)(thing, 0, barrier);
                helpers.iter().for_each(Actor::wait);
                writeln!(output, "@done {}", (piece.withheld)(thing))?;
            }
            ("settle", Some(thing)) => {
                victim.wait();
                writeln!(output, "@settled {}", (piece.settle)(thing).unwrap_or_default())?;
            }
            ("ask", _) => {
                let told = (piece.ask)(&numbers).iter().map(|number| format!(" {number}")).collect::<String>();
                writeln!(output, "@told{told}")?;
            }
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        output.flush()?;
    }
}

fn numbers(text: &str) -> io::Result<Vec<u64>> {
    let parse = |word: &str| word.parse().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
    text.split_whitespace().map(parse).collect()
}

/// A thread that plays, as the main thread of its process sees it.
struct Actor<T> {
    thread: u32,
    orders: Sender<(usize, Arc<T>)>,
    done: Receiver<()>,
}

impl<T: Send + Sync + 'static> Actor<T> {
    fn victim(piece: &'static Piece<T>) -> Self {
        Self::new(|number, thing| {
            let operation = std::hint::black_box(piece.operations[number]);
            mark();
            operation(thing);
            mark();
        })
    }

    fn other(piece: &'static Piece<T>, index: usize, barrier: &'static Barrier) -> Self {
        Self::new(move |_, thing| (piece.work)(thing, index, barrier))
    }

    fn new(act: impl Fn(usize, &T) + Send + 'static) -> Self {
        let (orders, received) = mpsc::channel::<(usize, Arc<T>)>();
        let (finished, done) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let is_known = tell.send(own_thread());
            for (number, thing) in received {
                act(number, &thing);
                // Before it is said, so that the main thread is the last to have it, and drops it.
                drop(thing);
                if is_known.is_err() || finished.send(()).is_err() {
                    return;
                }
            }
        });
        Self { thread: told.recv().expect("it says so first of all"), orders, done }
    }

    fn send(&self, number: usize, thing: &Arc<T>) {
        self.orders.send((number, Arc::clone(thing))).expect("an actor stays for as long as it gets orders");
    }

    fn wait(&self) {
        self.done.recv().expect("an actor stays for as long as it gets orders");
    }
}

/// The process of an experiment, and the tracer of its victim. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Theatre {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
}

impl Theatre {
    /// Starts the process, which has to [`play`] a piece, and takes over the victim. Returns it with the addresses of what
    /// it may do.
    pub(super) fn open(mut command: Command) -> Result<(Self, Victim, Vec<u64>), Trouble> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().expect("its input is a pipe");
        let output = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            let lines = output.lines().map_while(Result::ok);
            // It ends with the process, or when nobody listens any more.
            let _ = lines.filter(|line| line.starts_with('@')).try_for_each(|line| sender.send(line));
        });
        let mut theatre = Self { child, input, lines };
        let hello = theatre.answer("@stage", PATIENCE)?.ok_or(Trouble::Late)?;
        let (threads, entries) = hello.split_once('/').ok_or(Trouble::Late)?;
        let (threads, entries) = (numbers(threads)?, numbers(entries)?);
        let [process, victim, others @ ..] = &threads[..] else { return Err(Trouble::Late) };
        let others = others.iter().map(|&number| number as u32).collect();
        let cast = Cast { process: *process as u32, victim: *victim as u32, others };
        Ok((theatre, Victim::seize(cast)?, entries))
    }

    pub(super) fn say(&mut self, line: &str) -> io::Result<()> {
        self.input.write_all(format!("{line}\n").as_bytes())?;
        self.input.flush()
    }

    /// What is answered, without the `word` it begins with; none when that takes longer than `patience`.
    pub(super) fn answer(&mut self, word: &str, patience: Duration) -> io::Result<Option<String>> {
        let line = match self.lines.recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let rest = line.strip_prefix(word).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Some(rest.trim().to_owned()))
    }

    /// The same for what takes no time but for that of a busy machine.
    pub(super) fn soon(&mut self, word: &str) -> Result<String, Trouble> {
        self.answer(word, PATIENCE)?.ok_or(Trouble::Unclear)
    }

    /// The numbers in an answer.
    pub(super) fn told(&mut self) -> Result<Vec<u64>, Trouble> {
        Ok(numbers(&self.soon("@told")?)?)
    }

    pub(super) fn kill(&mut self) {
        // It fails when the process is gone, which is what is wanted.
        let _ = self.child.kill();
    }
}

impl Drop for Theatre {
    fn drop(&mut self) {
        self.kill();
        // Once killed it takes no more than to be scheduled; but nobody is to wait for ever.
        let begin = Instant::now();
        while self.child.try_wait().is_ok_and(|status| status.is_none()) && begin.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
