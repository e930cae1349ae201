//! The mutex with its data, and the future that waits for it.
//!
//! # Safety
//!
//! The data is reached through a guard, and a guard exists for whoever has the core: it is made after the core was taken,
//! and gives it up when it is dropped. The future is pinned as a whole, and its parts with it.
#![allow(unsafe_code)]

use super::guard::{MutexGuard, OwnedMutexGuard};
use super::protocol::{Acquire, Core, Who};
use super::{BargingCore, LockCore};
use crate::wait::{Guarded, TimedOut, block_on, block_on_deadline, block_on_timeout};
use std::cell::UnsafeCell;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// How often a thread looks before it takes a place in the line, as `std` does.
const PAUSES: u32 = 100;

/// Data that one at a time may touch: a task, which awaits it, or a thread, which blocks.
///
/// Without its data it is 16 bytes. Nothing is allocated to wait. A future that is dropped leaves the line in constant
/// time. A panic while it is locked frees it, see [the module](super).
///
/// The second parameter is how it goes from one to the next; leave it out, or see [`FairMutex`].
///
/// ```
/// use toolbox::mutex::Mutex;
/// use toolbox::wait::block_on;
///
/// static VISITS: Mutex<u64> = Mutex::new(0);
///
/// *VISITS.lock_blocking() += 1;
/// block_on(async { *VISITS.lock().await += 1 });
/// assert_eq!(*VISITS.lock_blocking(), 2);
/// ```
///
/// Data that may not go to another thread makes a mutex that may not either:
///
/// ```compile_fail
/// fn share<T: Sync>(_: T) {}
/// share(toolbox::mutex::Mutex::new(std::rc::Rc::new(1)));
/// ```
pub struct Mutex<T: ?Sized, C: Core = BargingCore> {
    core: C,
    data: UnsafeCell<T>,
}

/// A mutex that is handed over in the order of arrival, and is never free while somebody waits.
///
/// ```
/// use toolbox::mutex::FairMutex;
///
/// static TURNS: FairMutex<Vec<u32>> = FairMutex::fair(Vec::new());
/// TURNS.lock_blocking().push(1);
/// ```
pub type FairMutex<T> = Mutex<T, LockCore>;

// SAFETY: it owns the data, and moves with it.
unsafe impl<T: ?Sized + Send, C: Core> Send for Mutex<T, C> {}
// SAFETY: one at a time reaches the data through it, from any thread: as if the data went there.
unsafe impl<T: ?Sized + Send, C: Core> Sync for Mutex<T, C> {}

const _: () = assert!(size_of::<Mutex<()>>() <= 16 && size_of::<FairMutex<()>>() <= 16);

impl<T> Mutex<T> {
    /// A mutex around `data`, that is free.
    pub const fn new(data: T) -> Self {
        Self { core: BargingCore::new(), data: UnsafeCell::new(data) }
    }
}

impl<T> FairMutex<T> {
    /// A fair mutex around `data`, that is free.
    pub const fn fair(data: T) -> Self {
        Self { core: LockCore::new(), data: UnsafeCell::new(data) }
    }
}

impl<T, C: Core> Mutex<T, C> {
    /// The data, now that nobody else can have it.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized, C: Core> Mutex<T, C> {
    /// Waits for the mutex, as a task. Dropping the future gives up the place in the line, and passes on the mutex if it had just
    /// been given to it.
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::pin::pin;
    /// use std::task::Poll;
    /// use toolbox::mutex::Mutex;
    /// use toolbox::wait::block_on;
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.lock_blocking();
    /// {
    ///     let mut waiting = pin!(mutex.lock());
    ///     block_on(poll_fn(|context| Poll::Ready(assert!(waiting.as_mut().poll(context).is_pending()))));
    ///     // Here it leaves the line.
    /// }
    /// drop(guard);
    /// assert!(!mutex.is_locked());
    /// ```
    #[inline]
    pub fn lock(&self) -> Lock<'_, T, C> {
        Lock { mutex: self, acquire: Acquire::new(&self.core, Who::Task) }
    }

    /// Waits for the mutex on this thread, which looks for some microseconds and then sleeps.
    ///
    /// # Panics
    /// As [`block_on`].
    #[inline]
    pub fn lock_blocking(&self) -> MutexGuard<'_, T, C> {
        if !self.core.try_lock() {
            self.block();
        }
        MutexGuard::new(self)
    }

    /// As [`lock_blocking`](Self::lock_blocking), but for no longer than `timeout`. With a timeout of zero it does not wait.
    ///
    /// # Errors
    /// [`TimedOut`] when the time is over first.
    ///
    /// ```
    /// use std::time::Duration;
    /// use toolbox::mutex::Mutex;
    ///
    /// let mutex = Mutex::new(1);
    /// let guard = mutex.lock_blocking();
    /// assert!(mutex.lock_timeout(Duration::from_millis(1)).is_err());
    /// drop(guard);
    /// assert!(mutex.lock_timeout(Duration::from_millis(1)).is_ok());
    /// ```
    pub fn lock_timeout(&self, timeout: Duration) -> Result<MutexGuard<'_, T, C>, TimedOut> {
        if !self.core.try_lock() {
            block_on_timeout(self.acquire(), timeout)?;
        }
        Ok(MutexGuard::new(self))
    }

    /// As [`lock_timeout`](Self::lock_timeout), until an instant.
    ///
    /// # Errors
    /// [`TimedOut`] when the instant is over first.
    pub fn lock_deadline(&self, deadline: Instant) -> Result<MutexGuard<'_, T, C>, TimedOut> {
        if !self.core.try_lock() {
            block_on_deadline(self.acquire(), deadline)?;
        }
        Ok(MutexGuard::new(self))
    }

    /// Takes the mutex if it is free. Constant time.
    #[inline]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T, C>> {
        self.core.try_lock().then(|| MutexGuard::new(self))
    }

    /// As [`lock`](Self::lock), with a guard that keeps the mutex alive and can go anywhere.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use toolbox::mutex::Mutex;
    /// use toolbox::wait::block_on;
    ///
    /// let mutex = Arc::new(Mutex::new(1));
    /// let mut guard = block_on(mutex.clone().lock_owned());
    /// std::thread::spawn(move || *guard += 1).join().unwrap();
    /// assert_eq!(*mutex.lock_blocking(), 2);
    /// ```
    pub async fn lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T, C> {
        Acquire::new(&self.core, Who::Task).await;
        OwnedMutexGuard::new(self)
    }

    /// As [`try_lock`](Self::try_lock), with a guard that keeps the mutex alive.
    pub fn try_lock_owned(self: Arc<Self>) -> Option<OwnedMutexGuard<T, C>> {
        self.core.try_lock().then(|| OwnedMutexGuard::new(self))
    }

    /// Whether somebody has it, now. By the time it is known it may be otherwise.
    #[inline]
    pub fn is_locked(&self) -> bool {
        self.core.is_locked()
    }

    /// The data, which nobody else can have while this borrow lasts.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    #[cold]
    fn block(&self) {
        if !self.core.look(PAUSES) {
            block_on(self.acquire());
        }
    }

    fn acquire(&self) -> Acquire<'_, C> {
        Acquire::new(&self.core, Who::Thread)
    }

    #[inline]
    pub(super) fn core(&self) -> &C {
        &self.core
    }

    #[inline]
    pub(super) fn data(&self) -> *mut T {
        self.data.get()
    }
}

/// A task that waits for the mutex lets others run, so that a condition (`event::Condition`) on it serves tasks as well as
/// threads.
impl<T: ?Sized, C: Core> Guarded for Mutex<T, C> {
    type Value = T;
    type Guard<'a>
        = MutexGuard<'a, T, C>
    where
        Self: 'a;

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> {
        Self::lock(self)
    }

    fn value<'a>(guard: &'a mut Self::Guard<'_>) -> Option<&'a mut T> {
        Some(guard)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Default> Default for FairMutex<T> {
    fn default() -> Self {
        Self::fair(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(data: T) -> Self {
        Self::new(data)
    }
}

impl<T: ?Sized + fmt::Debug, C: Core> fmt::Debug for Mutex<T, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Mutex");
        match self.try_lock() {
            Some(guard) => shown.field("data", &&*guard),
            None => shown.field("data", &format_args!("<locked>")),
        };
        shown.finish()
    }
}

/// Waits for a [`Mutex`]; see [`Mutex::lock`].
#[must_use = "a future does nothing unless it is awaited"]
pub struct Lock<'a, T: ?Sized, C: Core = BargingCore> {
    mutex: &'a Mutex<T, C>,
    acquire: Acquire<'a, C>,
}

impl<'a, T: ?Sized, C: Core> Future for Lock<'a, T, C> {
    type Output = MutexGuard<'a, T, C>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mutex = self.mutex;
        // SAFETY: this part is pinned with the whole, which has no `Drop` of its own.
        let acquire = unsafe { self.map_unchecked_mut(|this| &mut this.acquire) };
        ready!(acquire.poll(context));
        Poll::Ready(MutexGuard::new(mutex))
    }
}

impl<T: ?Sized, C: Core> fmt::Debug for Lock<'_, T, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Lock").finish_non_exhaustive()
    }
}
