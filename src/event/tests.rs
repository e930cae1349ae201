//! What can be seen of events with a few threads, and the two traps that they are made to avoid.

use super::{Condition, Event, Semaphore, Wait};
use crate::wait::{TimedOut, block_on, block_on_timeout};
use std::cell::Cell;
use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_millis(2);
/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(1000);

/// A task that counts its wake-ups.
#[derive(Default)]
struct Task(AtomicUsize);

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

impl Task {
    fn wakes(&self) -> usize {
        self.0.load(SeqCst)
    }

    fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(&Waker::from(Arc::clone(self))))
    }
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

// The traps.

/// The first trap: nobody remembers a signal that comes before the wait.
#[test]
fn a_signal_before_the_wait_is_not_lost() {
    /// Wakes whoever waits now, and forgets.
    #[derive(Default)]
    struct Naive(Mutex<Vec<(Waker, Arc<AtomicBool>)>>);

    impl Naive {
        fn signal(&self) {
            for (waker, is_signalled) in self.0.lock().unwrap().drain(..) {
                is_signalled.store(true, SeqCst);
                waker.wake();
            }
        }

        async fn wait(&self) {
            let is_signalled = Arc::<AtomicBool>::default();
            std::future::poll_fn(|context| {
                self.0.lock().unwrap().push((context.waker().clone(), Arc::clone(&is_signalled)));
                if is_signalled.load(SeqCst) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
    }

    let naive = Naive::default();
    naive.signal();
    assert_eq!(block_on_timeout(naive.wait(), SOON), Err(TimedOut));

    for event in [Event::auto_reset(), Event::manual_reset()] {
        event.set();
        assert_eq!(event.wait_timeout(NEVER), Ok(()));
    }
    let semaphore = Semaphore::new(0);
    semaphore.post(2);
    assert_eq!([(); 2].map(|()| semaphore.take_timeout(NEVER)), [Ok(()); 2]);

    let (value, condition) = (Mutex::new(1), Condition::new());
    condition.notify_one();
    assert_eq!(*condition.lock_when_timeout(&value, NEVER, |value| *value == 1).unwrap().unwrap(), 1);
}

/// The second trap: a wait that takes any wake-up for its signal.
#[test]
fn a_wake_up_without_a_signal_does_not_return() {
    /// Ready when it is polled for the second time, as if only a signal could bring that about.
    #[derive(Default)]
    struct Naive {
        is_second: bool,
    }

    impl Future for Naive {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.is_second, true) { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    /// Wakes itself again and again while it waits for `inner`, which nobody signals.
    fn returns_for_nothing(inner: impl Future) -> bool {
        let mut inner = pin!(inner);
        let polls = Cell::new(0);
        block_on(std::future::poll_fn(|context| {
            polls.set(polls.get() + 1);
            context.waker().wake_by_ref();
            match inner.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(true),
                Poll::Pending if polls.get() == 10 => Poll::Ready(false),
                Poll::Pending => Poll::Pending,
            }
        }))
    }

    assert!(returns_for_nothing(Naive::default()));
    assert!(!returns_for_nothing(Event::auto_reset().wait()));
    assert!(!returns_for_nothing(Event::manual_reset().wait()));
    assert!(!returns_for_nothing(Semaphore::new(0).take()));
    assert!(!returns_for_nothing(Condition::new().lock_when(&Mutex::new(0), |value| *value == 1)));
}

/// What a bare condition variable does as well: the wrong one is woken, and the right one sleeps on.
#[test]
fn a_signal_finds_the_one_that_has_a_use_for_it() {
    let (value, condition) = (Mutex::new(0), Condition::new());
    let (wrong, right) = (Arc::<Task>::default(), Arc::<Task>::default());
    let mut waits_for_two = pin!(condition.lock_when(&value, |value| *value == 2));
    let mut waits_for_one = pin!(condition.lock_when(&value, |value| *value == 1));
    assert!(wrong.poll(waits_for_two.as_mut()).is_pending());
    assert!(right.poll(waits_for_one.as_mut()).is_pending());
    *value.lock().unwrap() = 1;
    condition.notify_one();
    assert_eq!((wrong.wakes(), right.wakes()), (1, 0));
    assert!(wrong.poll(waits_for_two.as_mut()).is_pending());
    assert_eq!((wrong.wakes(), right.wakes()), (1, 1));
    assert!(right.poll(waits_for_one.as_mut()).is_ready());
    assert_eq!((wrong.wakes(), right.wakes()), (1, 1));
}

// The flag.

#[test]
fn an_auto_reset_event_lets_one_through() {
    let event = Event::auto_reset();
    assert!(!event.is_set() && !event.try_wait() && !event.reset());
    event.set();
    event.set();
    assert!(event.is_set());
    event.wait_blocking();
    assert!(!event.is_set());
    assert_eq!(event.wait_timeout(SOON), Err(TimedOut));
    assert_eq!(event.wait_deadline(Instant::now()), Err(TimedOut));
    event.set();
    assert!(event.reset() && !event.try_wait());
}

#[test]
fn a_manual_reset_event_stays() {
    let event = Event::manual_reset();
    let (mut one, mut two) = (pin!(event.wait()), pin!(event.wait()));
    let task = Arc::<Task>::default();
    assert!(task.poll(one.as_mut()).is_pending() && task.poll(two.as_mut()).is_pending());
    event.set();
    assert_eq!(task.wakes(), 2);
    assert!(event.is_set() && event.try_wait());
    event.wait_blocking();
    assert!(event.reset() && !event.is_set());
    // They were let through before it was taken back.
    assert!(poll(one).is_ready() && poll(two).is_ready());
    assert!(poll(pin!(event.wait())).is_pending());
}

/// More than are woken in one go.
#[test]
fn a_crowd_is_let_through() {
    for (count, event) in [(15, Event::manual_reset()), (16, Event::manual_reset()), (40, Event::manual_reset())] {
        let task = Arc::<Task>::default();
        let mut waits: Vec<_> = (0..count).map(|_| Box::pin(event.wait())).collect();
        waits.iter_mut().for_each(|wait| assert!(task.poll(wait.as_mut()).is_pending()));
        event.set();
        assert_eq!(task.wakes(), count);
        waits.iter_mut().for_each(|wait| assert!(poll(wait.as_mut()).is_ready()));
    }
    let semaphore = Semaphore::new(0);
    let mut takes: Vec<_> = (0..40).map(|_| Box::pin(semaphore.take())).collect();
    takes.iter_mut().for_each(|take| assert!(poll(take.as_mut()).is_pending()));
    semaphore.post(43);
    takes.iter_mut().for_each(|take| assert!(poll(take.as_mut()).is_ready()));
    assert_eq!(semaphore.available(), 3);
}

/// A waker that comes back to the event finds no lock held.
#[test]
fn a_waker_may_use_the_event() {
    struct Setter(Event);
    impl Wake for Setter {
        fn wake(self: Arc<Self>) {
            assert!(self.0.reset());
            assert!(poll(pin!(self.0.wait())).is_pending());
            self.0.set();
        }
    }
    let setter = Arc::new(Setter(Event::manual_reset()));
    let mut waits: Vec<_> = (0..20).map(|_| Box::pin(setter.0.wait())).collect();
    let waker = Waker::from(Arc::clone(&setter));
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    setter.0.set();
    waits.iter_mut().for_each(|wait| assert!(poll(wait.as_mut()).is_ready()));
}

/// A wait that begins while a crowd is let through came after the signal, if that was taken back.
#[test]
fn who_comes_too_late_is_not_let_through() {
    static EVENT: Event = Event::manual_reset();
    static LATE: Mutex<Option<Pin<Box<Wait<'static>>>>> = Mutex::new(None);
    struct Comer;
    impl Wake for Comer {
        fn wake(self: Arc<Self>) {
            let mut late = LATE.lock().unwrap();
            if late.is_none() {
                assert!(EVENT.reset());
                assert!(poll(late.insert(Box::pin(EVENT.wait())).as_mut()).is_pending());
            }
        }
    }
    let waker = Waker::from(Arc::new(Comer));
    let mut waits: Vec<_> = (0..20).map(|_| Box::pin(EVENT.wait())).collect();
    for wait in &mut waits {
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    EVENT.set();
    waits.iter_mut().for_each(|wait| assert!(poll(wait.as_mut()).is_ready()));
    assert!(poll(LATE.lock().unwrap().as_mut().unwrap().as_mut()).is_pending());
}

#[test]
fn the_last_waker_counts() {
    let event = Event::auto_reset();
    let (first, last) = (Arc::<Task>::default(), Arc::<Task>::default());
    let mut wait = pin!(event.wait());
    assert!(first.poll(wait.as_mut()).is_pending());
    assert!(last.poll(wait.as_mut()).is_pending());
    event.set();
    assert_eq!((first.wakes(), last.wakes()), (0, 1));
    assert_eq!(Arc::strong_count(&first), 1);
    assert!(last.poll(wait.as_mut()).is_ready());
}

#[test]
#[should_panic(expected = "polled again")]
fn a_wait_that_is_over_is_over() {
    let event = Event::manual_reset();
    event.set();
    let mut wait = pin!(event.wait());
    assert!(poll(wait.as_mut()).is_ready());
    let _ = poll(wait);
}

// The count.

#[test]
fn first_come_first_served() {
    let semaphore = Semaphore::new(1);
    assert!(semaphore.try_take() && !semaphore.try_take());
    let (mut one, mut two) = (pin!(semaphore.take()), pin!(semaphore.take()));
    assert!(poll(one.as_mut()).is_pending() && poll(two.as_mut()).is_pending());
    semaphore.post(1);
    // It was handed to the first; nobody else can have it.
    assert!(!semaphore.try_take() && semaphore.available() == 0);
    assert!(poll(two.as_mut()).is_pending());
    assert!(poll(one).is_ready());
    semaphore.post(2);
    assert!(poll(two).is_ready());
    assert_eq!(semaphore.available(), 1);
    semaphore.post(0);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn who_gives_up_leaves_the_line() {
    let semaphore = Semaphore::new(0);
    let mut waits = [(); 3].map(|()| Some(Box::pin(semaphore.take())));
    waits.iter_mut().flatten().for_each(|wait| assert!(poll(wait.as_mut()).is_pending()));
    waits[1] = None;
    semaphore.post(2);
    for place in [0, 2] {
        assert!(poll(waits[place].as_mut().unwrap().as_mut()).is_ready());
    }
    assert_eq!(semaphore.available(), 0);
    assert_eq!(semaphore.take_timeout(SOON), Err(TimedOut));
    semaphore.post(1);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn who_gives_up_hands_on_what_it_was_given() {
    let semaphore = Semaphore::new(0);
    let (first, second) = (Arc::<Task>::default(), Arc::<Task>::default());
    let (mut one, mut two) = (Box::pin(semaphore.take()), Box::pin(semaphore.take()));
    assert!(first.poll(one.as_mut()).is_pending() && second.poll(two.as_mut()).is_pending());
    semaphore.post(1);
    drop(one);
    assert_eq!((first.wakes(), second.wakes()), (1, 1));
    // Nobody is left in line.
    drop(two);
    assert_eq!(semaphore.available(), 1);

    let event = Event::auto_reset();
    let mut wait = Box::pin(event.wait());
    assert!(poll(wait.as_mut()).is_pending());
    event.set();
    assert!(!event.is_set());
    drop(wait);
    assert!(event.reset());
}

#[test]
#[should_panic(expected = "cannot be counted")]
fn too_much_is_refused() {
    Semaphore::new(1).post(usize::MAX);
}

#[test]
#[should_panic(expected = "cannot be counted")]
fn too_much_at_once_is_refused() {
    let _ = Semaphore::new(usize::MAX);
}

// The condition.

#[test]
fn a_queue_that_is_waited_for() {
    let (queue, condition) = (Mutex::new(VecDeque::new()), Condition::new());
    thread::scope(|scope| {
        let take = || condition.lock_when_blocking(&queue, |queue| !queue.is_empty()).unwrap().pop_front().unwrap();
        let takers = [(); 3].map(|()| scope.spawn(move || [take(), take()]));
        for number in 0..6 {
            queue.lock().unwrap().push_back(number);
            condition.notify_one();
        }
        let mut taken = takers.map(|taker| taker.join().unwrap()).concat();
        taken.sort_unstable();
        assert_eq!(taken, [0, 1, 2, 3, 4, 5]);
    });
    assert_eq!(condition.lock_when_timeout(&queue, SOON, |queue| !queue.is_empty()).unwrap_err(), TimedOut);
    assert!(condition.lock_when_deadline(&queue, Instant::now(), |queue| queue.is_empty()).is_ok());
}

#[test]
fn everybody_is_told() {
    let (value, condition) = (Mutex::new(0), Condition::default());
    let task = Arc::<Task>::default();
    let mut waits: Vec<_> =
        (0..20).map(|number| Box::pin(condition.lock_when(&value, move |value| *value > number))).collect();
    waits.iter_mut().for_each(|wait| assert!(task.poll(wait.as_mut()).is_pending()));
    *value.lock().unwrap() = 10;
    condition.notify_all();
    assert_eq!(task.wakes(), 20);
    let ready: Vec<_> = waits.iter_mut().map(|wait| task.poll(wait.as_mut()).is_ready()).collect();
    assert_eq!(ready.iter().filter(|&&is| is).count(), 10);
    // Those who got no did not hand anything on.
    assert_eq!(task.wakes(), 20);
    drop(waits);
    assert_eq!(format!("{condition:?}"), "Condition { waiting: 0 }");
}

#[test]
fn a_notified_wait_that_is_dropped_hands_on() {
    let (value, condition) = (Mutex::new(0), Condition::new());
    let task = Arc::<Task>::default();
    let [mut one, mut two] = [(); 2].map(|()| Box::pin(condition.lock_when(&value, |value| *value == 1)));
    assert!(poll(one.as_mut()).is_pending() && task.poll(two.as_mut()).is_pending());
    *value.lock().unwrap() = 1;
    condition.notify_one();
    drop(one);
    assert_eq!(task.wakes(), 1);
    assert!(task.poll(two.as_mut()).is_ready());
}

#[test]
fn a_signal_that_was_used_is_used_up() {
    let (value, condition) = (Mutex::new(0), Condition::new());
    let task = Arc::<Task>::default();
    let [mut one, mut two] = [(); 2].map(|()| Box::pin(condition.lock_when(&value, |value| *value == 1)));
    assert!(poll(one.as_mut()).is_pending() && task.poll(two.as_mut()).is_pending());
    *value.lock().unwrap() = 1;
    condition.notify_one();
    assert!(poll(one.as_mut()).is_ready());
    assert_eq!(task.wakes(), 0);
}

#[test]
fn a_question_that_panics_hands_on_and_poisons() {
    let (value, condition) = (Mutex::new(0), Condition::new());
    let task = Arc::<Task>::default();
    let mut one = Box::pin(condition.lock_when(&value, |value| {
        assert!(*value == 0, "on purpose");
        false
    }));
    let mut two = Box::pin(condition.lock_when(&value, |value| *value == 1));
    assert!(poll(one.as_mut()).is_pending() && task.poll(two.as_mut()).is_pending());
    *value.lock().unwrap() = 1;
    condition.notify_one();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| poll(one.as_mut()).is_ready()));
    assert!(caught.is_err());
    assert_eq!(task.wakes(), 1);
    let Poll::Ready(Err(poisoned)) = task.poll(two.as_mut()) else { panic!("it has to say that it is poisoned") };
    assert_eq!(**poisoned.get_ref(), 1);
}

// All of them.

/// They can be in statics, and their waits can travel.
#[test]
fn they_fit_everywhere() {
    static STARTED: Event = Event::manual_reset();
    static COUNT: Semaphore = Semaphore::new(3);
    static CHANGED: Condition = Condition::new();
    static VALUE: Mutex<u8> = Mutex::new(0);
    fn travels<T: Send>(value: T) -> T {
        value
    }
    STARTED.set();
    let all = travels(async {
        STARTED.wait().await;
        COUNT.take().await;
        *CHANGED.lock_when(&VALUE, |value| *value == 0).await.unwrap() += 1;
    });
    thread::spawn(|| block_on(all)).join().unwrap();
    assert_eq!((COUNT.available(), *VALUE.lock().unwrap()), (2, 1));
    assert!(size_of::<Event>() <= 48, "{}", size_of::<Event>());
}
