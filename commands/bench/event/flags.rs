//! Flags: ours, what a program would use instead, and two that fall into the traps.

use super::Flag;
use std::future::{pending, poll_fn};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, fence};
use std::sync::{Condvar, Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

pub(super) struct Toolbox(toolbox::event::Event);

impl Flag for Toolbox {
    fn new() -> Self {
        Self(toolbox::event::Event::auto_reset())
    }

    fn set(&self) {
        self.0.set();
    }

    fn wait(&self) {
        self.0.wait_blocking();
    }

    fn wait_async(&self) -> impl Future<Output = ()> + Send {
        self.0.wait()
    }
}

/// What one writes with the standard library: a flag behind a mutex, with a condition for threads and a waker for tasks.
#[derive(Default)]
pub(super) struct Std {
    flag: Mutex<(bool, Option<Waker>)>,
    changed: Condvar,
}

impl Flag for Std {
    fn new() -> Self {
        Self::default()
    }

    fn set(&self) {
        let mut flag = self.flag.lock().unwrap_or_else(PoisonError::into_inner);
        flag.0 = true;
        let waker = flag.1.take();
        drop(flag);
        match waker {
            Some(waker) => waker.wake(),
            None => self.changed.notify_one(),
        }
    }

    fn wait(&self) {
        let flag = self.flag.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.wait_while(flag, |flag| !flag.0).unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    fn wait_async(&self) -> impl Future<Output = ()> + Send {
        poll_fn(|context| {
            let mut flag = self.flag.lock().unwrap_or_else(PoisonError::into_inner);
            if std::mem::take(&mut flag.0) {
                return Poll::Ready(());
            }
            flag.1 = Some(context.waker().clone());
            Poll::Pending
        })
    }
}

/// A flag for one thread that is known: the least that waking a thread takes.
#[derive(Default)]
pub(super) struct Park {
    flag: AtomicBool,
    waits: OnceLock<Thread>,
}

impl Flag for Park {
    fn new() -> Self {
        Self::default()
    }

    fn set(&self) {
        self.flag.store(true, SeqCst);
        // Either we see the thread, or it sees the flag.
        fence(SeqCst);
        if let Some(thread) = self.waits.get() {
            thread.unpark();
        }
    }

    fn wait(&self) {
        self.waits.get_or_init(thread::current);
        fence(SeqCst);
        while !self.flag.swap(false, SeqCst) {
            thread::park();
        }
    }

    fn wait_async(&self) -> impl Future<Output = ()> + Send {
        pending()
    }
}

/// The same by this library's way of waiting: one thread that is known, and its waker.
#[derive(Default)]
pub(super) struct OurPark {
    flag: AtomicBool,
    waits: OnceLock<Waker>,
}

impl Flag for OurPark {
    fn new() -> Self {
        Self::default()
    }

    fn set(&self) {
        self.flag.store(true, SeqCst);
        // Either we see the waker, or its owner sees the flag.
        fence(SeqCst);
        if let Some(waker) = self.waits.get() {
            waker.wake_by_ref();
        }
    }

    fn wait(&self) {
        toolbox::wait::block_on(poll_fn(|context| {
            self.waits.get_or_init(|| context.waker().clone());
            fence(SeqCst);
            if self.flag.swap(false, SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        }));
    }

    fn wait_async(&self) -> impl Future<Output = ()> + Send {
        pending()
    }
}

#[derive(Default)]
pub(super) struct ParkingLot {
    flag: parking_lot::Mutex<bool>,
    changed: parking_lot::Condvar,
}

impl Flag for ParkingLot {
    fn new() -> Self {
        Self::default()
    }

    fn set(&self) {
        *self.flag.lock() = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut flag = self.flag.lock();
        self.changed.wait_while(&mut flag, |flag| !*flag);
        *flag = false;
    }

    fn wait_async(&self) -> impl Future<Output = ()> + Send {
        pending()
    }
}

pub(super) struct Tokio(tokio::sync::Notify);

impl Flag for Tokio {
    fn new() -> Self {
        Self(tokio::sync::Notify::new())
    }

    fn set(&self) {
        self.0.notify_one();
    }

    fn wait(&self) {
        toolbox::wait::block_on(self.0.notified());
    }

    fn wait_async(&self) -> impl Future<Output = ()> + Send {
        self.0.notified()
    }
}

pub(super) struct Listener {
    flag: AtomicBool,
    event: event_listener::Event,
}

impl Flag for Listener {
    fn new() -> Self {
        Self { flag: AtomicBool::new(false), event: event_listener::Event::new() }
    }

    fn set(&self) {
        self.flag.store(true, SeqCst);
        self.event.notify(1);
    }

    fn wait(&self) {
        use event_listener::Listener;
        while !self.flag.swap(false, SeqCst) {
            let listener = self.event.listen();
            if self.flag.swap(false, SeqCst) {
                return;
            }
            listener.wait();
        }
    }

    async fn wait_async(&self) {
        while !self.flag.swap(false, SeqCst) {
            let listener = self.event.listen();
            if self.flag.swap(false, SeqCst) {
                return;
            }
            listener.await;
        }
    }
}

/// The first trap: a signal that comes before the wait is forgotten.
#[derive(Default)]
pub(super) struct Forgets {
    mutex: Mutex<()>,
    changed: Condvar,
}

impl Flag for Forgets {
    const PATIENCE: Duration = Duration::from_secs(1);

    fn new() -> Self {
        Self::default()
    }

    fn set(&self) {
        self.changed.notify_one();
    }

    fn wait(&self) {
        let held = self.mutex.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait(held));
    }

    fn wait_async(&self) -> impl Future<Output = ()> + Send {
        pending()
    }
}

/// The second trap: any wake-up is taken for the signal.
#[derive(Default)]
pub(super) struct Startles {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Flag for Startles {
    fn new() -> Self {
        Self::default()
    }

    fn set(&self) {
        *self.flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    fn wait(&self) {
        let mut flag = self.flag.lock().unwrap_or_else(PoisonError::into_inner);
        if !*flag {
            // A microsecond stands for a wake-up that nobody meant.
            let waited = self.changed.wait_timeout(flag, Duration::from_micros(1));
            flag = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *flag = false;
    }

    fn wait_async(&self) -> impl Future<Output = ()> + Send {
        pending()
    }
}
