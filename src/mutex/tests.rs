//! What one thread sees of a mutex: who is let in, in which order, and what is left behind.

use super::{Core, FairMutex, LockCore, Mutex, MutexGuard};
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

type Waiting<'a, C> = Pin<Box<super::Lock<'a, Vec<u32>, C>>>;

/// A task that waits for a mutex, polled by hand.
struct Task<'a, C: Core> {
    woken: Arc<Count>,
    future: Option<Waiting<'a, C>>,
}

impl<'a, C: Core> Task<'a, C> {
    fn new(mutex: &'a Mutex<Vec<u32>, C>) -> Self {
        Self { woken: Arc::default(), future: Some(Box::pin(mutex.lock())) }
    }

    fn poll(&mut self) -> Option<MutexGuard<'a, Vec<u32>, C>> {
        let waker = Waker::from(Arc::clone(&self.woken));
        match self.future.as_mut()?.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(guard) => Some(guard),
            Poll::Pending => None,
        }
    }

    fn times_woken(&self) -> usize {
        self.woken.0.load(SeqCst)
    }

    fn cancel(&mut self) {
        self.future = None;
    }
}

/// Three wait behind a guard; one of them leaves, or none; the others get the mutex in their order.
fn check_order<C: Core>(mutex: &Mutex<Vec<u32>, C>, leaves: Option<usize>) {
    let guard = mutex.try_lock().expect("nobody has it");
    let mut tasks = [(); 3].map(|()| Task::new(mutex));
    for task in &mut tasks {
        assert!(task.poll().is_none() && task.poll().is_none());
    }
    if let Some(leaves) = leaves {
        tasks[leaves].cancel();
    }
    drop(guard);
    for (number, task) in tasks.iter_mut().enumerate() {
        if leaves != Some(number) {
            assert_eq!(task.times_woken(), 1, "task {number}");
            task.poll().expect("it was woken").push(number as u32);
        }
    }
    assert!(!mutex.is_locked());
    let mut expected = vec![0, 1, 2];
    expected.retain(|number| leaves != Some(*number as usize));
    assert_eq!(std::mem::take(&mut *mutex.lock_blocking()), expected);
}

#[test]
fn first_come_first_served_and_anyone_may_leave() {
    for leaves in [None, Some(0), Some(1), Some(2)] {
        check_order(&Mutex::new(Vec::new()), leaves);
        check_order(&FairMutex::fair(Vec::new()), leaves);
    }
}

/// One that was woken, or made the owner, and is dropped: the next is woken.
fn check_passed_on<C: Core>(mutex: &Mutex<Vec<u32>, C>) {
    let guard = mutex.try_lock().expect("nobody has it");
    let (mut one, mut two) = (Task::new(mutex), Task::new(mutex));
    assert!(one.poll().is_none() && two.poll().is_none());
    drop(guard);
    assert_eq!((one.times_woken(), two.times_woken()), (1, 0));
    one.cancel();
    assert_eq!(two.times_woken(), 1);
    two.cancel();
    assert!(!mutex.is_locked() && mutex.try_lock().is_some());
}

#[test]
fn what_the_dropped_one_had_is_passed_on() {
    check_passed_on(&Mutex::new(Vec::new()));
    check_passed_on(&FairMutex::fair(Vec::new()));
}

#[test]
fn who_was_woken_in_vain_is_next() {
    let mutex = Mutex::new(Vec::new());
    let guard = mutex.try_lock().unwrap();
    let (mut one, mut two) = (Task::new(&mutex), Task::new(&mutex));
    assert!(one.poll().is_none() && two.poll().is_none());
    drop(guard);
    let barger = mutex.try_lock().expect("it is free while the first is on its way");
    assert!(one.poll().is_none());
    drop(barger);
    assert!(mutex.is_locked() && mutex.try_lock().is_none(), "now it was handed over");
    assert_eq!((one.times_woken(), two.times_woken()), (2, 0));
    drop(one.poll().expect("it is the owner"));
    assert_eq!(two.times_woken(), 1);
    drop(two.poll().expect("it was woken and nobody was faster"));
    assert!(!mutex.is_locked());
}

#[test]
fn who_is_owed_and_leaves_holds_up_nobody() {
    let mutex = Mutex::new(Vec::new());
    let guard = mutex.try_lock().unwrap();
    let (mut one, mut two) = (Task::new(&mutex), Task::new(&mutex));
    assert!(one.poll().is_none() && two.poll().is_none());
    drop(guard);
    let barger = mutex.try_lock().unwrap();
    assert!(one.poll().is_none());
    one.cancel();
    drop(barger);
    assert_eq!(two.times_woken(), 1);
    drop(two.poll().expect("it was woken"));
    assert!(mutex.try_lock().is_some());
}

#[test]
fn the_fair_one_is_never_free_in_between() {
    let mutex = FairMutex::fair(Vec::new());
    let guard = mutex.try_lock().unwrap();
    let mut task = Task::new(&mutex);
    assert!(task.poll().is_none());
    drop(guard);
    assert!(mutex.is_locked() && mutex.try_lock().is_none());
    drop(task.poll().expect("it is the owner"));
    assert!(!mutex.is_locked());
}

/// The newest waker is the one that is called.
#[test]
fn a_future_may_change_hands() {
    let mutex = Mutex::new(Vec::new());
    let guard = mutex.try_lock().unwrap();
    let mut task = Task::new(&mutex);
    assert!(task.poll().is_none());
    let former = std::mem::take(&mut task.woken);
    assert!(task.poll().is_none());
    drop(guard);
    assert_eq!((former.0.load(SeqCst), task.times_woken()), (0, 1));
}

#[test]
fn a_core_alone_is_a_lock() {
    let core = LockCore::default();
    let mut waiting = Box::pin(core.lock());
    let mut context = Context::from_waker(Waker::noop());
    assert!(core.try_lock() && core.is_locked());
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    let mut mutex = FairMutex::<u32>::default();
    *mutex.get_mut() += 1;
    assert_eq!(mutex.into_inner(), 1);
}

#[test]
fn a_panic_frees_it() {
    let mutex = Mutex::new(1);
    let panics = || {
        *mutex.lock_blocking() = 2;
        let _guard = mutex.lock_blocking();
        std::panic::resume_unwind(Box::new(()));
    };
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(*mutex.lock_blocking(), 2);
}

#[test]
fn a_wait_ends_in_time() {
    let mutex = Mutex::new(1);
    let fair = FairMutex::fair(1);
    {
        let _guards = (mutex.lock_blocking(), fair.lock_blocking());
        let before = Instant::now();
        assert!(mutex.lock_timeout(Duration::from_millis(10)).is_err());
        assert!(before.elapsed() >= Duration::from_millis(10));
        assert!(mutex.lock_deadline(before).is_err());
        assert!(fair.lock_timeout(Duration::from_millis(1)).is_err());
        assert!(fair.lock_deadline(before).is_err());
    }
    assert!(mutex.lock_timeout(Duration::ZERO).is_ok() && fair.lock_deadline(Instant::now()).is_ok());
}

#[test]
fn any_data_that_has_a_size_at_run_time() {
    let mutex: &Mutex<[u8]> = &Mutex::new([1, 2, 3]);
    mutex.lock_blocking()[1] = 4;
    assert_eq!(format!("{mutex:?}"), "Mutex { data: [1, 4, 3] }");
    let part = MutexGuard::map(mutex.lock_blocking(), |all| &mut all[1..]);
    assert_eq!(format!("{part:?} {mutex:?}"), "[4, 3] Mutex { data: <locked> }");
    drop(part);
    let owned: Arc<Mutex<[u8]>> = Arc::new(Mutex::new([5]));
    let guard = Arc::clone(&owned).try_lock_owned().expect("nobody has it");
    assert_eq!(format!("{guard:?}"), "[5]");
    assert!(owned.try_lock_owned().is_none());
}

#[test]
fn a_guard_may_be_kept_across_an_await() {
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    let mutex = Arc::new(Mutex::new(1));
    let mut is_first = true;
    let work = is_send(async {
        let mut guard = Arc::clone(&mutex).lock_owned().await;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        *guard += 1;
        drop(guard);
        *mutex.lock().await += 1;
    });
    crate::wait::block_on(work);
    assert_eq!(*mutex.lock_blocking(), 3);
}
