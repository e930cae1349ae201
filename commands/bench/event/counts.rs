//! Counts: ours, and what a program would use instead.

use super::Count;
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::sync::{Condvar, Mutex, PoisonError};
use std::task::{Poll, Waker};

pub(super) struct Toolbox(toolbox::event::Semaphore);

impl Count for Toolbox {
    fn new() -> Self {
        Self(toolbox::event::Semaphore::new(0))
    }

    fn post(&self) {
        self.0.post(1);
    }

    fn take(&self) {
        self.0.take_blocking();
    }

    fn take_async(&self) -> impl Future<Output = ()> + Send {
        self.0.take()
    }

    fn is_empty(&self) -> bool {
        self.0.available() == 0
    }
}

/// What one writes with the standard library: a number behind a mutex, with a condition for threads and wakers for tasks.
#[derive(Default)]
pub(super) struct Std {
    count: Mutex<(usize, VecDeque<Waker>)>,
    changed: Condvar,
}

impl Count for Std {
    fn new() -> Self {
        Self::default()
    }

    fn post(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        count.0 += 1;
        let waker = count.1.pop_front();
        drop(count);
        match waker {
            Some(waker) => waker.wake(),
            None => self.changed.notify_one(),
        }
    }

    fn take(&self) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.wait_while(count, |count| count.0 == 0).unwrap_or_else(PoisonError::into_inner).0 -= 1;
    }

    fn take_async(&self) -> impl Future<Output = ()> + Send {
        poll_fn(|context| {
            let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
            if count.0 > 0 {
                count.0 -= 1;
                return Poll::Ready(());
            }
            count.1.push_back(context.waker().clone());
            Poll::Pending
        })
    }

    fn is_empty(&self) -> bool {
        self.count.lock().unwrap_or_else(PoisonError::into_inner).0 == 0
    }
}

#[derive(Default)]
pub(super) struct ParkingLot {
    count: parking_lot::Mutex<usize>,
    changed: parking_lot::Condvar,
}

impl Count for ParkingLot {
    fn new() -> Self {
        Self::default()
    }

    fn post(&self) {
        *self.count.lock() += 1;
        self.changed.notify_one();
    }

    fn take(&self) {
        let mut count = self.count.lock();
        self.changed.wait_while(&mut count, |count| *count == 0);
        *count -= 1;
    }

    fn take_async(&self) -> impl Future<Output = ()> + Send {
        pending()
    }

    fn is_empty(&self) -> bool {
        *self.count.lock() == 0
    }
}

pub(super) struct Tokio(tokio::sync::Semaphore);

impl Count for Tokio {
    fn new() -> Self {
        Self(tokio::sync::Semaphore::new(0))
    }

    fn post(&self) {
        self.0.add_permits(1);
    }

    fn take(&self) {
        toolbox::wait::block_on(self.take_async());
    }

    async fn take_async(&self) {
        self.0.acquire().await.expect("nobody closes it").forget();
    }

    fn is_empty(&self) -> bool {
        self.0.available_permits() == 0
    }
}
