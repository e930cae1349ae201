//! Everything that can be in the table.

use super::{Rival, counts, flags};
use crate::bench::subject::Role;

/// Everything that can be in the table, and what it can do.
pub(in crate::bench) fn rivals() -> Vec<Rival> {
    use Role::{Broken, Rival as Takes};
    vec![
        Rival::new(Takes, "toolbox", "Event (auto-reset) and Semaphore of this library")
            .blocks::<flags::Toolbox>()
            .awaits::<flags::Toolbox>()
            .blocks_for_counts::<counts::Toolbox>()
            .awaits_counts::<counts::Toolbox>(),
        Rival::new(Takes, "std", "a std::sync::Mutex, with a Condvar for threads and wakers for tasks")
            .blocks::<flags::Std>()
            .awaits::<flags::Std>()
            .blocks_for_counts::<counts::Std>()
            .awaits_counts::<counts::Std>(),
        Rival::new(Takes, "park", "std::thread::park and unpark of a thread that is known, and a flag")
            .blocks::<flags::Park>(),
        Rival::new(Takes, "toolbox-park", "this library's block_on and its waker, with the same flag as park")
            .blocks::<flags::OurPark>(),
        Rival::new(Takes, "parking-lot", "a parking_lot Mutex with a Condvar")
            .blocks::<flags::ParkingLot>()
            .blocks_for_counts::<counts::ParkingLot>(),
        Rival::new(Takes, "tokio", "tokio Notify and Semaphore; threads wait by this library's block_on")
            .blocks::<flags::Tokio>()
            .awaits::<flags::Tokio>()
            .blocks_for_counts::<counts::Tokio>()
            .awaits_counts::<counts::Tokio>(),
        // No count: with async-lock's semaphore two permits that are added one right after the other call one waiter only, who
        // calls the next when it gives its permit back. A count is taken from for good, and the next was seen to sleep on for ever.
        Rival::new(Takes, "event-listener", "event-listener Event with a flag")
            .blocks::<flags::Listener>()
            .awaits::<flags::Listener>(),
        Rival::new(Broken, "broken-forgets", "a Condvar alone: forgets signals").blocks::<flags::Forgets>(),
        Rival::new(Broken, "broken-startles", "takes any wake-up for a signal").blocks::<flags::Startles>(),
    ]
}
