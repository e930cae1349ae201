//! What the manual page of bench queue says beyond its options.

use crate::manual::Chapters;

/// The chapters.
pub(crate) const CHAPTERS: Chapters = &[
    (
        "THE TABLE",
        &[
            "ns/pair\tNanoseconds of wall-clock time for one item put in and taken out again, of all threads together: the median of the samples that count. It contains the own work of the load and what the harness costs, both of which the line below the table shows as the harness alone.",
            "spread\tThe distance between the quartiles of the samples, as a share of the median.",
            "x\tThe speed in times that of the baseline (--baseline), larger is faster: the median of the ratios within each round. Behind it stands the interval that the true ratio lies in with a confidence of 99 %, from order statistics, whatever the distribution. Where it contains 1 no difference was shown.",
            "foreign\tThe share of items that were taken by another thread than the one that put them in.",
            "fair\tThe pairs of the slowest thread as a share of the mean of all threads; for the loads pairs and bare. JSON and CSV have the share of the fastest's as well.",
            "of limit\tThis host's limit as a share of the figure. The limit is measured in the same rounds: one atomic addition for each operation, on two words of their own.",
            "B/item, most, drained, left\tHeap that the structure takes: for each item with a million of them inside (--weigh), the same at its largest, when they had been taken out again, and after the drop. Each is weighed in a process of its own, by what glibc's allocator has given out with what each block costs it; with another C library the columns are not there. What a boxed item points to is not counted.",
            "cpu ns\tProcessor time of all threads for a pair.",
            "p50, p99.99, max\tThe time of single operations, in rounds of their own since reading the clock slows the whole. It contains one reading of the clock (about 25 ns), and what interrupted the thread. Operations begin when the one before has ended (closed loop): what a stall would have delayed behind it is not counted. A percentile is left out where too few operations were timed.",
            "*, =, -\tLeads; not shown to differ from the leader; not ranked, since fewer than 5 % of the items crossed threads.",
        ],
    ),
    (
        "WHY SOME FIGURES ARE NOT RANKED",
        &[
            "Without own work between operations (bare) one thread may keep the structure's cache lines for long stretches while the others wait. The figure is then high, often above the limit, nothing crosses threads, and it says nothing about the structure. Judge by pairs.",
        ],
    ),
    (
        "HOW IT MEASURES",
        &[
            "Every round takes one sample of everyone, in an order drawn anew; one round before them warms up. Threads start together, and take the time of their own begin and end; the time of a sample is the last end less the first begin. Between two samples the link between two processors is probed; a sample whose link was not the usual one of this run is dropped, since the machine was moved meanwhile, and so is one during which the processor changed its clock, and one of open whose two threads did not have two processors to themselves. The usual link is waited for before a sample, and one that is dropped is taken again in the same round, up to four times; both together take at most as much time again as the samples that count, and half a second. The line below the table says how many were dropped.",
            "Loads that last a given time (loop, pairs, bare, ping-pong) are as long as --duration says, 20 ms or with --quick 10 ms. The others do a given number of items: 100,000 for each thread, 400,000 in all for split. With --ops every load does as many pairs for each thread as it says.",
            "Bounded structures have room for all items of loop, shared, private and burst, and for 1,024 otherwise. A thread that finds no item, or no room, spins 200 times and then yields.",
        ],
    ),
    (
        "THE LOAD OPEN",
        &[
            "One thread puts items in on a schedule (--rate), another takes each out as soon as it is there. The figure, in the column ns/pair, is the median time from when an item was due until it was taken; a sample is the median of its items, and x compares these. An item that is late counts from when it was due, so that a stall counts for everything that it delays (no coordinated omission). p50, p99.99 and max are those of all items, p99 and p99.9 the medians of the samples. The producer looks at the clock until an item is due, the consumer tries without a pause; both keep a processor busy. The time contains up to two readings of the clock.",
        ],
    ),
    (
        "HOW IT IS FROZEN",
        &[
            "With --freeze nothing is measured. For each structure a process of its own is started, and one of its threads, the victim, is brought by ptrace to a place inside a push or a pop and held there. Two other threads then do 100 pairs each, put 1,000 items each in, and take out until there is nothing left. When the victim is let go everything is taken out and added up: what was put in has to come out, or the exit code is 1. Then all of it again with a new structure and the next place. An operation is followed by single steps once and reached by breakpoints later.",
            "block\tStops at which the others did not finish until the victim went on: each of them slept without being woken, or used twenty times the processor time that it needs otherwise (30 ms at least). The first such stop of each row gets ten times as long. That they do finish afterwards is seen each time.",
            "hide\tStops at which they finished, but could not take out what they had put in; one item that a frozen pop may hold is not counted.",
            "in libc\tStops inside the system's library, which are counted apart, since whoever waits there may be waiting for the allocator and not for the structure. A system call counts as one instruction: no stop is inside the kernel.",
            "before\tThe state of the structure: empty, or with so many items inside, after so many passed through it. Beyond a few that are always tried these are states in which an operation comes to instructions that it does not come to otherwise, such as those for a new block: they are looked for among the first 2,000 operations.",
            "An instruction that is passed several times is one stop at the first and one at the last time. That no stop blocks is shown for these states and one frozen thread; it is no proof. Lines are told where the program has a line table. It takes the right to trace own processes (kernel.yama.ptrace_scope 0 or 1, for root 2; in a container a seccomp profile that permits ptrace) on x86-64 or 64-bit ARM; an ARM processor without atomic additions of its own never gets through them by single steps, which is then said.",
        ],
    ),
    (
        "WHAT IS CHECKED",
        &[
            "Before anything is timed every item of a run of four threads is looked at: that each comes out once, that none is lost or made up, and that of one producer's items a consumer gets the earlier before the later; then, that what is inside when the structure is dropped is dropped with it. Every timed run is checked as well, by counts, sums and the order of each producer's items. Of a stack there is an order only where nobody puts anything in meanwhile: where one thread is alone with it, while a burst is drained, at the end. Who fails is named on standard error with the evidence, takes no further part, and the exit code is 1. That items of different producers come out in the order in which they went in is not checked.",
        ],
    ),
    (
        "THE ANSWER",
        &[
            "Below the verdict of each load stands what to use on this host, for one thread, for threads that share it, and for more threads than there are processors: what has the smallest geometric mean of times, each divided by the leader's, over the loads of that shape in which everyone was ranked.",
            "--soak checks instead of measuring: the closer look and then a sample of every load, in turn, until the time is up, it is interrupted, or an answer is wrong.",
        ],
    ),
    (
        "COMPARING",
        &[
            "--compare judges by all samples of both runs (Hodges and Lehmann's estimate, with the interval of Mann and Whitney at 99 %). --fail-over counts what is slower by more than that with its whole interval.",
        ],
    ),
    (
        "JSON",
        &[
            "One object, schema toolbox.bench/1: host, method, cases[] with workload, threads, producers, payload, harness_ns, limit_ns, link_ns, samples_taken, samples_dropped and results[] (name, standing, pair_ns, operation_ns, ratio and its ends, shares, percentiles, bytes, samples_ns); changes[] with --compare; verdicts[], advice[], faults[], warnings[]. What bench all writes has one of these for each bench in benches[]; with --soak the schema is toolbox.bench.soak/1. CSV has the results, a line each. With --freeze the schema is toolbox.bench.freeze/1: host, cases[] with name, operation, passed, inside, instructions, stops and what they came to, places[] with function, file and line; subjects[] with the sums and the verdict; faults[].",
        ],
    ),
];
