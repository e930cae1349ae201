//! Operations of which it is known where the others wait: nowhere, at a lock, at a spin lock, and at one that hides what is inside.
//!
//! Where the kernel refuses to trace, which some containers have it do, nothing is seen.

use super::*;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Barrier, Mutex};

const SET: &str = "TOOLBOX_STAGE";

/// Numbers that are added to, each in another way.
struct Numbers {
    /// Which of them the others add to.
    way: u64,
    free: AtomicU64,
    locked: Mutex<u64>,
    is_locked: AtomicBool,
    spinning: AtomicU64,
    /// As many as are hidden while this is odd.
    hidden: AtomicU64,
}

const WAYS: &[fn(&Numbers)] = &[add_free, add_locked, add_spinning, hide];

#[inline(never)]
fn add_free(numbers: &Numbers) {
    numbers.free.fetch_add(1, SeqCst);
}

#[inline(never)]
fn add_locked(numbers: &Numbers) {
    *numbers.locked.lock().unwrap() += 1;
}

#[inline(never)]
fn add_spinning(numbers: &Numbers) {
    while numbers.is_locked.swap(true, SeqCst) {
        std::thread::yield_now();
    }
    numbers.spinning.store(numbers.spinning.load(SeqCst) + 1, SeqCst);
    numbers.is_locked.store(false, SeqCst);
}

#[inline(never)]
fn hide(numbers: &Numbers) {
    numbers.hidden.fetch_add(1, SeqCst);
    numbers.free.fetch_add(1, SeqCst);
    numbers.hidden.fetch_add(1, SeqCst);
}

const EACH: u64 = 200;

static PIECE: Piece<Numbers> = Piece {
    operations: WAYS,
    others: 2,
    make: |numbers| Numbers {
        way: numbers[0],
        free: AtomicU64::new(0),
        locked: Mutex::new(0),
        is_locked: AtomicBool::new(false),
        spinning: AtomicU64::new(0),
        hidden: AtomicU64::new(0),
    },
    work: |numbers, _, barrier: &Barrier| {
        barrier.wait();
        (0..EACH).filter(|_| numbers.way < 3).for_each(|_| WAYS[numbers.way as usize](numbers));
    },
    withheld: |numbers| 7 * (numbers.hidden.load(SeqCst) % 2),
    settle: |numbers| {
        let all = numbers.free.load(SeqCst) + *numbers.locked.lock().unwrap() + numbers.spinning.load(SeqCst);
        let expected = if numbers.way == 3 { 1 } else { 2 * EACH + 1 };
        (all != expected).then(|| format!("{all} added, not {expected}"))
    },
    ask: |numbers| numbers.iter().rev().copied().collect(),
};

/// The process of the experiments, when the others start this test alone. By itself it plays for nobody.
#[test]
fn a_piece_is_played_until_nobody_asks() {
    if std::env::var_os(SET).is_some() {
        return play(&PIECE, io::stdin(), io::stdout()).expect("the owner is there for as long as it asks");
    }
    let mut said = Vec::new();
    play(&PIECE, io::empty(), &mut said).unwrap();
    let said = String::from_utf8(said).unwrap();
    let (threads, entries) = said.trim_start().split_once(" / ").expect("threads and entries are told apart");
    assert!(threads.starts_with(&format!("@stage {} ", std::process::id())), "{said}");
    assert_eq!((threads.split(' ').count(), entries.split(' ').count()), (5, WAYS.len()), "{said}");
}

/// A stage, unless the kernel refuses to trace.
fn open() -> Option<Stage> {
    let mut command = Command::new(std::env::current_exe().expect("a test is a program"));
    command.args(["--exact", "bench::freeze::tests::a_piece_is_played_until_nobody_asks", "--nocapture"]).env(SET, "1");
    match Stage::open(command) {
        Err(Trouble::Refused(_)) => None,
        stage => Some(stage.expect("the process plays")),
    }
}

/// What is seen at `most` stops inside the operation with that number.
fn look(stage: &mut Stage, operation: usize, most: usize) -> Vec<Outcome> {
    let scene = Scene { operation, numbers: vec![operation as u64] };
    let route = stage.follow(&scene).unwrap();
    assert!(route.len() > 3, "{route:?}");
    let places = spread(&route.ends(), most);
    let mut frozen = Vec::new();
    let run = stage.freeze(&scene, &route, &places, &AtomicBool::new(false), &mut frozen, &mut |_| {});
    run.unwrap_or_else(|trouble| panic!("{trouble}, after {frozen:?}"));
    assert!(frozen.iter().map(|frozen| frozen.after).eq(places.iter().copied()), "{places:?}: {frozen:?}");
    assert!(frozen.iter().all(|frozen| route.addresses()[frozen.after] == frozen.address));
    frozen.iter().map(|frozen| frozen.outcome).collect()
}

fn count(seen: &[Outcome], outcome: Outcome) -> usize {
    seen.iter().filter(|one| **one == outcome).count()
}

#[test]
fn where_others_wait_is_found_and_nowhere_else() {
    let Some(mut stage) = open() else { return };
    let free = look(&mut stage, 0, 60);
    assert_eq!(count(&free, Outcome::Free), free.len(), "{free:?}");
    let locked = look(&mut stage, 1, 30);
    assert!(count(&locked, Outcome::Sleep) > 0 && count(&locked, Outcome::Free) > 0, "{locked:?}");
    assert_eq!((locked[0], locked[locked.len() - 1]), (Outcome::Free, Outcome::Free));
    let spinning = look(&mut stage, 2, 12);
    assert!(count(&spinning, Outcome::Spin) > 0 && count(&spinning, Outcome::Free) > 0, "{spinning:?}");
    assert_eq!(count(&spinning, Outcome::Sleep), 0, "{spinning:?}");
    let hidden = look(&mut stage, 3, 30);
    assert!(count(&hidden, Outcome::Withholds(7)) > 0 && count(&hidden, Outcome::Free) > 0, "{hidden:?}");
}

#[test]
fn a_stop_and_a_fault_end_a_series() {
    let Some(mut stage) = open() else { return };
    assert_eq!(stage.ask(&[1, 2, 3]).unwrap(), [3, 2, 1]);
    let scene = Scene { operation: 0, numbers: vec![0] };
    let route = stage.follow(&scene).unwrap();
    let (stop, mut frozen) = (AtomicBool::new(false), Vec::new());
    let mut progress = |tried| stop.store(tried == 2, Ordering::Relaxed);
    stage.freeze(&scene, &route, &route.ends(), &stop, &mut frozen, &mut progress).unwrap();
    assert_eq!(frozen.len(), 3);
    // There is no such way, so that nobody adds but the victim.
    let wrong = Scene { operation: 0, numbers: vec![9] };
    assert!(matches!(stage.follow(&wrong), Err(Trouble::Wrong(fault)) if fault.contains("added")));
}

#[test]
fn a_process_that_does_not_play_is_no_stage() {
    assert!(matches!(Stage::open(Command::new("/bin/true")), Err(Trouble::Failed(_))));
    assert!(matches!(Stage::open(Command::new("/does/not/exist")), Err(Trouble::Failed(_))));
}

#[test]
fn nobody_is_left_behind() {
    let Some(stage) = open() else { return };
    let folder = format!("/proc/{}", stage.process());
    assert!(std::fs::exists(&folder).unwrap());
    drop(stage);
    assert!(!std::fs::exists(&folder).unwrap());
}

#[test]
fn a_route_stops_at_the_ends_of_its_loops() {
    // A loop of two instructions that is passed four times.
    let route = Route::new(vec![10, 20, 21, 20, 21, 20, 21, 20, 21, 30]);
    assert_eq!(route.ends(), [0, 1, 2, 7, 8, 9]);
    assert_eq!((route.len(), route.is_empty()), (10, false));
    assert_eq!(spread(&route.ends(), 3), [0, 2, 9]);
    assert_eq!(spread(&route.ends(), 1), [0]);
    assert_eq!(spread(&route.ends(), 100), route.ends());
}
