//! The mutexes under load: nobody inside beside another, nobody left waiting, nothing lost when waiters give up.
//!
//! Tasks run on an executor of a few lines, so that a wake-up that goes missing leaves a task undone for ever: then the test
//! does not end.

use crate::rounds;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex as StdMutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;
use toolbox::mutex::{Core, FairMutex, Mutex};
use toolbox::wait::block_on;

#[path = "../../examples/mutex.rs"]
mod example;

#[test]
fn the_example_runs() {
    example::main();
}

/// What a mutex protects here: how often somebody was inside, and whether somebody is.
#[derive(Default)]
struct Room {
    visits: usize,
    is_taken: AtomicBool,
}

impl Room {
    fn enter(&mut self) {
        assert!(!self.is_taken.swap(true, SeqCst), "two are inside");
        self.visits += 1;
    }

    fn leave(&mut self) {
        assert!(self.is_taken.swap(false, SeqCst), "somebody else left");
    }

    fn visit(&mut self) {
        self.enter();
        self.leave();
    }
}

/// Numbers to choose by; the same ones each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

type Future = Pin<Box<dyn std::future::Future<Output = ()> + Send>>;

/// Runs tasks on a few threads, first come first served.
#[derive(Default)]
struct Executor {
    ready: StdMutex<VecDeque<Arc<Task>>>,
    is_ready: Condvar,
    left: AtomicUsize,
}

struct Task {
    future: StdMutex<Option<Future>>,
    /// One that is in the queue is not put there again.
    is_queued: AtomicBool,
    executor: Arc<Executor>,
}

impl Executor {
    fn spawn(self: &Arc<Self>, future: impl std::future::Future<Output = ()> + Send + 'static) {
        self.left.fetch_add(1, SeqCst);
        let future = StdMutex::new(Some(Box::pin(future) as Future));
        Arc::new(Task { future, is_queued: AtomicBool::new(false), executor: Arc::clone(self) }).wake();
    }

    fn run(&self, threads: usize) {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.work());
            }
        });
        // Tasks that were woken when they were done; each leads back here, and would keep it.
        self.ready.lock().unwrap().clear();
    }

    fn work(&self) {
        loop {
            let mut ready = self.ready.lock().unwrap();
            let task = loop {
                if self.left.load(SeqCst) == 0 {
                    return;
                }
                match ready.pop_front() {
                    Some(task) => break task,
                    None => ready = self.is_ready.wait(ready).unwrap(),
                }
            };
            drop(ready);
            task.run();
        }
    }
}

impl Task {
    fn run(self: Arc<Self>) {
        self.is_queued.store(false, SeqCst);
        let waker = Waker::from(Arc::clone(&self));
        let mut future = self.future.lock().unwrap();
        let is_done =
            future.as_mut().is_some_and(|future| future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        if is_done {
            *future = None;
            let _ready = self.executor.ready.lock().unwrap();
            self.executor.left.fetch_sub(1, SeqCst);
            self.executor.is_ready.notify_all();
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.is_queued.swap(true, SeqCst) {
            let executor = Arc::clone(&self.executor);
            executor.ready.lock().unwrap().push_back(self);
            executor.is_ready.notify_one();
        }
    }
}

async fn yield_now() {
    let mut is_first = true;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

/// One look at a mutex, from a future that is dropped if it has to wait.
async fn lock_or_leave<C: Core>(mutex: &Mutex<Room, C>) -> usize {
    let mut waiting = pin!(mutex.lock());
    poll_fn(|context| {
        Poll::Ready(match waiting.as_mut().poll(context) {
            Poll::Ready(mut room) => {
                room.visit();
                1
            }
            Poll::Pending => 0,
        })
    })
    .await
}

/// As above, but it gives up only after others had their turn: perhaps it was woken by then, or made the owner.
async fn lock_or_leave_later<C: Core>(mutex: &Mutex<Room, C>) -> usize {
    let mut waiting = pin!(mutex.lock());
    for _ in 0..2 {
        let polled = poll_fn(|context| Poll::Ready(waiting.as_mut().poll(context))).await;
        if let Poll::Ready(mut room) = polled {
            room.visit();
            return 1;
        }
        yield_now().await;
    }
    0
}

/// One task: locks in every way there is, and returns how often it was inside.
async fn visit_as_task<C: Core>(mutex: Arc<Mutex<Room, C>>, times: usize, seed: u64) -> usize {
    let (mut dice, mut visits) = (Dice(seed), 0);
    for _ in 0..times {
        visits += match dice.below(8) {
            0 => lock_or_leave(&mutex).await,
            1 => lock_or_leave_later(&mutex).await,
            2 => {
                let mut room = Arc::clone(&mutex).lock_owned().await;
                room.enter();
                yield_now().await;
                room.leave();
                1
            }
            3 => mutex.try_lock().map_or(0, |mut room| {
                room.visit();
                1
            }),
            _ => {
                mutex.lock().await.visit();
                1
            }
        };
    }
    visits
}

fn visit_as_thread<C: Core>(mutex: &Mutex<Room, C>, times: usize, seed: u64) -> usize {
    let (mut dice, mut visits) = (Dice(seed), 0);
    for _ in 0..times {
        visits += match dice.below(8) {
            0 => {
                let timeout = Duration::from_micros(dice.below(50));
                mutex.lock_timeout(timeout).map_or(0, |mut room| {
                    room.visit();
                    1
                })
            }
            1 => block_on(lock_or_leave(mutex)),
            _ => {
                mutex.lock_blocking().visit();
                1
            }
        };
    }
    visits
}

/// Tasks and threads on one mutex; in the end it was visited as often as they say.
fn check<C: Core + 'static>(mutex: Mutex<Room, C>, tasks: u64, threads: u64, times: usize) {
    let mutex = Arc::new(mutex);
    let visits = Arc::new(AtomicUsize::new(0));
    let executor = Arc::new(Executor::default());
    for seed in 1..=tasks {
        let (mutex, visits) = (Arc::clone(&mutex), Arc::clone(&visits));
        executor.spawn(async move {
            let times = visit_as_task(mutex, times, seed).await;
            visits.fetch_add(times, SeqCst);
        });
    }
    thread::scope(|scope| {
        for seed in 1..=threads {
            let (mutex, visits) = (&mutex, &visits);
            scope.spawn(move || visits.fetch_add(visit_as_thread(mutex, times, seed), SeqCst));
        }
        executor.run(if tasks > 0 { 2 } else { 0 });
    });
    assert!(!mutex.is_locked(), "everyone has left");
    let room = mutex.try_lock().expect("it is free");
    assert_eq!(room.visits, visits.load(SeqCst));
    assert!(room.visits > 0);
}

#[test]
fn threads() {
    check(Mutex::new(Room::default()), 0, 4, rounds(5_000));
    check(FairMutex::fair(Room::default()), 0, 4, rounds(1_000));
}

#[test]
fn tasks() {
    check(Mutex::new(Room::default()), 16, 0, rounds(2_000));
    check(FairMutex::fair(Room::default()), 16, 0, rounds(2_000));
}

#[test]
fn tasks_and_threads_in_one_line() {
    check(Mutex::new(Room::default()), 8, 3, rounds(1_000));
    check(FairMutex::fair(Room::default()), 8, 3, rounds(500));
}
