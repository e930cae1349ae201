//! Threads that wait for work, and a task that waits for them: `cargo run --example event --features event`.
//!
//! Jobs lie in a list behind a mutex, and a condition says when there is one. A count tells the task how many results there
//! are, and an event tells everybody that it is over. Nobody polls, and nobody sleeps for a fixed time.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::thread;
use toolbox::event::{Condition, Event, Semaphore};
use toolbox::wait::block_on;

const JOBS: u64 = 8;

#[derive(Default)]
struct Jobs {
    numbers: VecDeque<u64>,
    is_closed: bool,
}

fn main() {
    let (jobs, changed) = (Mutex::new(Jobs::default()), Condition::new());
    let (results, is_there) = (Mutex::new(Vec::new()), Semaphore::new(0));
    let is_over = Event::manual_reset();

    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                loop {
                    let asked = |jobs: &mut Jobs| !jobs.numbers.is_empty() || jobs.is_closed;
                    let Some(number) = changed.lock_when_blocking(&jobs, asked).unwrap().numbers.pop_front() else {
                        break;
                    };
                    results.lock().unwrap().push(number * number);
                    is_there.post(1);
                }
                // A worker may be done before the others; it leaves when all are.
                is_over.wait_blocking();
            });
        }
        for number in 1..=JOBS {
            jobs.lock().unwrap().numbers.push_back(number);
            changed.notify_one();
        }
        // The same count, awaited; any executor would do.
        block_on(async {
            for _ in 0..JOBS {
                is_there.take().await;
            }
        });
        jobs.lock().unwrap().is_closed = true;
        changed.notify_all();
        is_over.set();
    });

    let mut results = results.into_inner().unwrap();
    results.sort_unstable();
    println!("{results:?}");
    assert_eq!(results, [1, 4, 9, 16, 25, 36, 49, 64]);
}
