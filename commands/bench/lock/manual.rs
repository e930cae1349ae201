//! What the manual pages of the benches of locks say beyond their options.

use crate::manual::Chapters;

/// The chapters.
pub(crate) const CHAPTERS: Chapters = &[
    (
        "THE TABLE",
        &[
            "ns/lock\tNanoseconds of wall-clock time for one lock taken and let go again, of all threads together: the median of the samples that count. It contains the time for which the lock is held, the own work of the load, and what the harness costs; for one thread the line below the table shows those as the harness alone.",
            "spread\tThe distance between the quartiles of the samples, as a share of the median.",
            "x\tThe speed in times that of the baseline (--baseline), larger is faster: the median of the ratios within each round. Behind it stands the interval that the true ratio lies in with a confidence of 99 %. Where it contains 1 no difference was shown.",
            "fair\tThe locks of the slowest thread as a share of what a thread took on average. 1 is fair; 0 means that a thread got nothing.",
            "longest\tThe longest that anyone waited, of all samples that count: each thread reads its clock every few locks, so it may be those few locks too long. With more threads than processors it contains the time in which the kernel lets others run.",
            "handed\tThe share of writes that came after one of another thread. Where it is small one thread takes the lock again and again while the others wait.",
            "cpu ns\tProcessor time of all threads for a lock.",
            "p50, p99.99, max\tThe time from asking for the lock to having it, in rounds of their own since reading the clock slows the whole.",
            "*, =\tLeads; not shown to differ from the leader.",
        ],
    ),
    (
        "HOW IT MEASURES",
        &[
            "Every thread draws whether it writes, takes the lock, works inside for the time that --held says and by itself for 50 to 150 ns, drawn anew each time, and again. The lock protects four words. A writer counts each of them up, a reader compares them. How fast the processor works is found out before each sample and looked at after it; a sample during which it changed is dropped.",
            "Every round takes one sample of everyone, in an order drawn anew; one round before them warms up. A sample lasts as long as --duration says, 20 ms or with --quick 10 ms. To tell how fair a lock is with more threads than processors takes samples of several turns of all threads: --duration 500ms.",
        ],
    ),
    (
        "WHAT IS CHECKED",
        &[
            "Before anything is timed four threads take each lock and give their processor away inside, where everyone is counted: never two writers, never a reader beside a writer. In every timed run the four words have to be equal whenever somebody looks, and to tell at the end how many writes there were. Who fails is named on standard error with the evidence, takes no further part, and the exit code is 1.",
        ],
    ),
    (
        "JSON",
        &[
            "One object, schema toolbox.bench/1, as of toolbox-bench-queue(1), whose cases have writes_percent, held_ns, threads and has_work, and whose results have lock_ns, fairness_to_mean, longest_ns and handed_share.",
        ],
    ),
];

/// The chapters of locks that tasks await.
pub(crate) const TASK_CHAPTERS: Chapters = &[
    (
        "THE TABLE",
        &[
            "ns/lock\tNanoseconds of wall-clock time for one lock taken and let go again, of all tasks together: the median of the samples that count. It contains what the harness and the executor cost. Of one task it is the time of the lock itself: turns of 4,096 locks alternate with as many rounds of the same loop without a lock, whose time is subtracted; the line below the table shows that as the harness alone. Tokio has users of its own lock let others run after every 128 locks, which is part of its time.",
            "spread\tThe distance between the quartiles of the samples, as a share of the median.",
            "x\tThe speed in times that of the baseline (--baseline), larger is faster: the median of the ratios within each round. Behind it stands the interval that the true ratio lies in with a confidence of 99 %. Where it contains 1 no difference was shown.",
            "fair\tThe locks of the slowest task as a share of what a task took on average. 1 is fair; 0 means that a task got nothing.",
            "longest\tThe longest that a task needed for a turn: 128 locks, or one that is held while others run. With more tasks than threads it contains the turns of others on the same thread.",
            "handed\tThe share of locks that came after one of another task. Where it is small one task takes the lock again and again while the others wait.",
            "cpu ns\tProcessor time of the whole process for a lock.",
            "p50, p99.99, max\tThe time from asking for the lock to having it, in rounds of their own since reading the clock slows the whole.",
            "*, =\tLeads; not shown to differ from the leader.",
        ],
    ),
    (
        "HOW IT MEASURES",
        &[
            "The tasks run on an executor of tokio with two threads (--threads), made anew for each sample. Every task takes the lock, counts up four words that it protects, lets it go, and again. After 128 locks it lets other tasks run, since one that never has to wait would keep its thread for ever; tokio forces that on users of its own lock. One task alone has nobody to let run. With --held yield it lets others run once while it holds the lock, and at no other time.",
            "Every round takes one sample of everyone, in an order drawn anew; one round before them warms up. A sample lasts as long as --duration says, 20 ms or with --quick 10 ms.",
        ],
    ),
    (
        "WHAT IS CHECKED",
        &[
            "Before anything is timed eight tasks take each lock and let others run inside. The four words have to be equal whenever somebody looks, may not change while one task holds the lock, and have to tell at the end how many locks there were; so it is in every timed run, too. Who fails is named on standard error with the evidence, takes no further part, and the exit code is 1.",
        ],
    ),
    (
        "JSON",
        &[
            "One object, schema toolbox.bench/1, as of toolbox-bench-queue(1), whose cases have tasks, workers and held, and whose results have lock_ns, fairness_to_mean, longest_ns and handed_share.",
        ],
    ),
];
