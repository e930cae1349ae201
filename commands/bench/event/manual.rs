//! What the manual page of bench event says beyond its options.

use crate::manual::Chapters;

/// The chapters.
pub(crate) const CHAPTERS: Chapters = &[
    (
        "THE TABLE",
        &[
            "ns/signal\tFor a flag between threads: nanoseconds from a signal until the other thread goes on, on average, with two readings of the clock (about 25 ns each). For flags between tasks: wall-clock time for a signal, of all pairs together. For counts: wall-clock time for a signal given and taken, of all threads or tasks together, with their own work. Shown is the median of the samples that count.",
            "spread\tThe distance between the quartiles of the samples, as a share of the median.",
            "x\tThe speed in times that of the baseline (--baseline), larger is faster: the median of the ratios within each round. Behind it stands the interval that the true ratio lies in with a confidence of 99 %. Where it contains 1 no difference was shown.",
            "fair\tThe signals of the slowest pair of tasks as a share of what a pair got on average.",
            "longest\tThe longest time from a signal until the other went on, of all samples that count.",
            "slow\tThe share of signals after which the other took more than 3 microseconds to go on: as a rule it was asleep.",
            "cpu ns\tProcessor time of both threads for a signal, own work included: who looks for a signal without sleeping pays here for what it gains in time.",
            "p50, p99.99, max\tThe time from a signal until the other goes on, in rounds of their own; for counts, the time that taking took.",
            "*, =\tLeads; not shown to differ from the leader.",
        ],
    ),
    (
        "HOW IT MEASURES",
        &[
            "Two threads take turns: one notes the time, sets the other's flag, and waits for its own. With --after it works for that time first, so that the other falls asleep or gives up looking; that work is not counted. Tasks do the same in pairs, on a runtime of tokio with two workers that is made for each sample. Of a count half of the threads or tasks give 20,000 signals each (or as --ops says) and the others take them, with 50 to 150 ns of own work after each; a task that gives lets others run after every eighth.",
            "park and toolbox-park are the least that waking a thread takes: a flag and one thread that is known beforehand. With --after 100us the other sleeps when it is signalled; without, whoever looks before it sleeps is faster by as much as a sleep costs. The semaphore of async-lock takes no part in counts: added to twice in a row it calls one waiter, who has to give its permit back for the next to be called, and here nothing is given back.",
            "Every round takes one sample of everyone who can do the load, in an order drawn anew; one round before them warms up. A sample lasts as long as --duration says, 20 ms or with --quick 10 ms.",
        ],
    ),
    (
        "WHAT IS CHECKED",
        &[
            "Before anything is timed signals are given and waited for with pauses at odd moments. A wait has to end after the signal that it waits for, no wait may end after an older one, and somebody watches that things go on: when nobody has moved for 30 seconds a signal was lost. In every timed run each wait is checked in the same way, and of a count exactly as many have to be taken as were given. Who fails is named on standard error with the evidence, takes no further part, and the exit code is 1.",
        ],
    ),
    (
        "JSON",
        &[
            "One object, schema toolbox.bench/1, as of toolbox-bench-queue(1), whose cases have workload, after_ns and threads (threads or tasks), and whose results have signal_ns and asleep_share.",
        ],
    ),
];
