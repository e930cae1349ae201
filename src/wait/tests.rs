//! What one or two threads see of a wait.

use super::{TimedOut, block_on, block_on_deadline, block_on_timeout};
use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// Something that one thread tells another, in the plainest way.
#[derive(Default)]
struct Told {
    is_told: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Told {
    fn tell(&self) {
        self.is_told.store(true, SeqCst);
        if let Some(waker) = self.waker.lock().unwrap().take() {
            waker.wake();
        }
    }

    async fn heard(&self) {
        poll_fn(|context| {
            *self.waker.lock().unwrap() = Some(context.waker().clone());
            if self.is_told.load(SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

const SOON: Duration = Duration::from_millis(2);
/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(1000);

#[test]
fn what_is_there_is_not_waited_for() {
    assert_eq!(block_on(async { 1 }), 1);
    assert_eq!(block_on_timeout(async { 2 }, Duration::ZERO), Ok(2));
    assert_eq!(block_on_deadline(async { 3 }, Instant::now()), Ok(3));
}

#[test]
fn a_thread_wakes_another() {
    for pause in [Duration::ZERO, SOON] {
        let told = Told::default();
        thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(pause);
                told.tell();
            });
            block_on(told.heard());
        });
    }
}

#[test]
fn a_timeout_ends_a_wait_and_drops_the_future() {
    struct Noted<'a>(&'a Cell<bool>);
    impl Drop for Noted<'_> {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let is_dropped = Cell::new(false);
    let start = Instant::now();
    let waited = block_on_timeout(
        async {
            let _noted = Noted(&is_dropped);
            std::future::pending::<()>().await;
        },
        SOON,
    );
    assert_eq!(waited, Err(TimedOut));
    assert!(start.elapsed() >= SOON);
    assert!(is_dropped.get());
    assert_eq!(block_on_deadline(std::future::pending::<()>(), start), Err(TimedOut));
}

#[test]
fn a_future_can_be_taken_up_again() {
    let told = Told::default();
    let mut heard = pin!(told.heard());
    assert_eq!(block_on_timeout(&mut heard, SOON), Err(TimedOut));
    told.tell();
    assert_eq!(block_on_timeout(&mut heard, Duration::MAX), Ok(()));
}

/// Calls without end must not keep the time from being over.
#[test]
fn a_timeout_is_kept_under_calls_for_nothing() {
    let waited = block_on_timeout(
        poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        }),
        SOON,
    );
    assert_eq!(waited, Err(TimedOut));
}

/// The inner wait takes the outer one's call and has to leave one behind.
#[test]
fn a_wait_within_a_wait_loses_no_call() {
    let polls = Cell::new(0);
    let waited = block_on_timeout(
        poll_fn(|context| {
            polls.set(polls.get() + 1);
            if polls.get() == 2 {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            assert_eq!(block_on_timeout(std::future::pending::<()>(), SOON), Err(TimedOut));
            Poll::Pending
        }),
        NEVER,
    );
    assert_eq!((waited, polls.get()), (Ok(()), 2));
}

#[test]
fn a_wait_that_panics_is_over() {
    for _ in 0..2 {
        let panics = thread::spawn(|| block_on(poll_fn(|_| -> Poll<()> { panic!("on purpose") })));
        assert!(panics.join().is_err());
    }
    let caught = std::panic::catch_unwind(|| block_on(poll_fn(|_| -> Poll<()> { panic!("on purpose") })));
    assert!(caught.is_err());
    assert_eq!(block_on_timeout(std::future::pending::<()>(), SOON), Err(TimedOut));
}

#[test]
fn a_waker_outlives_its_wait_and_its_thread() {
    let waker = thread::spawn(|| block_on(poll_fn(|context| Poll::Ready(context.waker().clone())))).join().unwrap();
    let other = waker.clone();
    assert!(waker.will_wake(&other));
    other.wake();
    // Whoever has the parker now polls once more, at most.
    assert_eq!(thread::spawn(|| block_on_timeout(std::future::pending::<()>(), SOON)).join().unwrap(), Err(TimedOut));
    waker.wake_by_ref();
}

/// A thread may wait when its own parker is already given back.
#[test]
fn a_thread_that_ends_can_wait() {
    struct AtEnd(mpsc::Sender<i32>);
    impl Drop for AtEnd {
        fn drop(&mut self) {
            let _ = block_on_timeout(std::future::pending::<()>(), Duration::from_micros(1));
            self.0.send(block_on(async { 5 })).unwrap();
        }
    }
    thread_local! {
        static AT_END: Cell<Option<AtEnd>> = const { Cell::new(None) };
    }
    let (sender, receiver) = mpsc::channel();
    thread::spawn(|| {
        AT_END.set(Some(AtEnd(sender)));
        block_on(async {});
    });
    assert_eq!(receiver.recv(), Ok(5));
}

#[test]
fn many_hand_overs() {
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    let (ping, pong) = (Told::default(), Told::default());
    let answer = |from: &Told, to: &Told, begins: bool| {
        if begins {
            to.tell();
        }
        for _ in 0..rounds {
            block_on(from.heard());
            from.is_told.store(false, SeqCst);
            to.tell();
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| answer(&pong, &ping, false));
        answer(&ping, &pong, true);
    });
}
