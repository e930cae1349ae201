//! The model checker's half of `crossbeam-epoch`: as much of its interface as the structures use.
//!
//! The real one frees what was retired some time after it may; whether a structure relies on that delay cannot be seen by
//! trying. This one frees at the first moment that the contract allows: when the last of the guards is gone that were
//! there at the time. A use of a node after that, a node that is retired or freed twice and one that is never freed end
//! the test.
//!
//! # What a guard promises
//!
//! A guard either was there when a node was retired, and then the node waits for it; or whatever its thread does under it
//! sees what was done before the node was retired. No more than that, so a guard must not order anything that
//! the structure has to order. Each case runs twice ([`Collection`]): once as above, where a guard that comes after
//! a node was retired sees what went before; and once with nothing freed before the end of the run, where a guard orders
//! nothing at all.
//!
//! # Safety
//!
//! Memory is kept until the run is over, so a pointer that was handed out here leads to a node, freed or not.
#![allow(unsafe_code)]

use loom::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

/// When a retired node is freed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Collection {
    /// As soon as it may be.
    Early,
    /// When the run is over.
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    InUse,
    Retired,
    Freed,
}

/// A node, and what has become of it.
struct Held<T> {
    state: Cell<State>,
    value: T,
}

/// Gives the memory of a node back.
type Release = unsafe fn(*mut ());

/// What all threads of a run know; loom runs them on one thread of the system, and switches only inside its own calls.
struct Run {
    /// Guards are numbered.
    guards: Vec<usize>,
    next_guard: usize,
    /// Each node with the guards that it waits for.
    retired: Vec<(Vec<usize>, *const Cell<State>)>,
    /// Nodes that were made and not freed.
    in_use: usize,
    /// Each node of the run, and what gives its memory back.
    memory: Vec<(*mut (), Release)>,
    /// Not there if nothing is freed early.
    early: Option<Arc<Early>>,
}

struct Early {
    /// Added to with each retired node; who adds nothing to it sees what went before.
    retired: AtomicUsize,
    /// Added to with each freed node, and read with each use of one: so that the checker tries both orders. Orders nothing.
    freed: AtomicUsize,
}

thread_local! {
    static RUN: RefCell<Run> = const {
        RefCell::new(Run {
            guards: Vec::new(),
            next_guard: 0,
            retired: Vec::new(),
            in_use: 0,
            memory: Vec::new(),
            early: None,
        })
    };
}

/// Frees what is retired still, ends the run, in which all nodes have to have been freed, and begins another.
pub(crate) fn fresh_run() {
    assert!(RUN.with_borrow(|run| run.guards.is_empty()), "a guard is left over");
    let retired = RUN.with_borrow_mut(|run| std::mem::take(&mut run.retired));
    retired.into_iter().for_each(|(_, state)| free(state));
    assert_eq!(RUN.with_borrow(|run| run.in_use), 0, "nodes are left over");
    let memory = RUN.with_borrow_mut(|run| {
        run.next_guard = 0;
        run.early = None;
        std::mem::take(&mut run.memory)
    });
    for (place, give_back) in memory {
        // SAFETY: the two were put there together by `Owned::new`, and the run is over.
        unsafe { give_back(place) };
    }
}

fn free(state: *const Cell<State>) {
    // SAFETY: memory is kept until the run is over.
    change(unsafe { &*state }, State::Retired, State::Freed);
}

#[track_caller]
fn change(state: &Cell<State>, from: State, to: State) {
    assert_eq!(state.get(), from, "a node that is to be {to:?}");
    state.set(to);
    if to == State::Freed {
        RUN.with_borrow_mut(|run| run.in_use -= 1);
    }
}

/// # Safety
/// The place is that of a `Held<T>` in a box, which nobody uses any more.
unsafe fn give_back<T>(place: *mut ()) {
    // SAFETY: by contract.
    drop(unsafe { Box::from_raw(place.cast::<Held<T>>()) });
}

/// Says when nodes are freed in this run, which has only begun.
pub(crate) fn collect(collection: Collection) {
    let fresh = || Arc::new(Early { retired: AtomicUsize::new(0), freed: AtomicUsize::new(0) });
    let early = (collection == Collection::Early).then(fresh);
    RUN.with_borrow_mut(|run| run.early = early);
}

fn early() -> Option<Arc<Early>> {
    RUN.with_borrow(|run| run.early.clone())
}

/// Enters an epoch, until the guard is dropped.
pub(crate) fn pin() -> Guard {
    if let Some(early) = early() {
        early.retired.fetch_add(0, Ordering::Acquire); // Pairs with the addition in `defer_destroy`.
    }
    let number = RUN.with_borrow_mut(|run| {
        run.next_guard += 1;
        run.guards.push(run.next_guard);
        run.next_guard
    });
    Guard { number: Some(number) }
}

/// A guard for those who need none.
///
/// # Safety
/// Nobody else uses what is read under it.
pub(crate) unsafe fn unprotected() -> &'static Guard {
    static NONE: Guard = Guard { number: None };
    &NONE
}

pub(crate) struct Guard {
    number: Option<usize>,
}

impl Guard {
    /// # Safety
    /// Nobody who takes a guard from now on can find the node, and nobody else retires it.
    pub(crate) unsafe fn defer_destroy<T>(&self, node: Shared<'_, T>) {
        if let Some(early) = early() {
            early.retired.fetch_add(1, Ordering::Release); // Pairs with the addition in `pin`.
        }
        let state = &node.held().state;
        change(state, State::InUse, State::Retired);
        if self.number.is_none() {
            return free(state); // Whoever needs no guard needs no delay.
        }
        RUN.with_borrow_mut(|run| run.retired.push((run.guards.clone(), ptr::from_ref(state))));
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let has_due = RUN.with_borrow_mut(|run| {
            run.guards.retain(|other| *other != number);
            run.retired.iter_mut().for_each(|(guards, _)| guards.retain(|other| *other != number));
            run.early.is_some() && run.retired.iter().any(|(guards, _)| guards.is_empty())
        });
        let Some(early) = early().filter(|_| has_due) else { return };
        early.freed.fetch_add(1, Ordering::Relaxed);
        // Another thread may have run before that, and freed them.
        let due = |run: &mut Run| run.retired.extract_if(.., |(guards, _)| guards.is_empty()).collect::<Vec<_>>();
        let due = RUN.with_borrow_mut(due);
        due.into_iter().for_each(|(_, state)| free(state));
    }
}

/// A node that one thread owns. Dropping it frees the node.
pub(crate) struct Owned<T> {
    held: *const Held<T>,
}

impl<T> Owned<T> {
    pub(crate) fn new(value: T) -> Self {
        let held = Box::into_raw(Box::new(Held { state: Cell::new(State::InUse), value }));
        RUN.with_borrow_mut(|run| {
            run.in_use += 1;
            run.memory.push((held.cast(), give_back::<T>));
        });
        Self { held }
    }

    pub(crate) fn into_shared(self, _: &Guard) -> Shared<'_, T> {
        let shared = Shared { held: self.held, guard: PhantomData };
        std::mem::forget(self);
        shared
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: memory is kept until the run is over.
        let held = unsafe { &*self.held };
        change(&held.state, State::InUse, State::Freed);
    }
}

/// A pointer that was read under a guard.
pub(crate) struct Shared<'g, T> {
    held: *const Held<T>,
    guard: PhantomData<&'g Guard>,
}

impl<T> Clone for Shared<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Shared<'_, T> {}

impl<T> PartialEq for Shared<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.held == other.held
    }
}

impl<'g, T> Shared<'g, T> {
    pub(crate) const fn null() -> Self {
        Self { held: ptr::null(), guard: PhantomData }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.held.is_null()
    }

    fn held(&self) -> &'g Held<T> {
        // SAFETY: memory is kept until the run is over, and none asks this of a null pointer.
        unsafe { &*self.held }
    }

    /// # Safety
    /// The pointer is not null, and the node is not freed.
    #[track_caller]
    pub(crate) unsafe fn deref(&self) -> &'g T {
        let held = self.held();
        if let Some(early) = early() {
            early.freed.load(Ordering::Relaxed);
        }
        // One report is enough: not while the thread unwinds from another failure.
        assert!(held.state.get() != State::Freed || std::thread::panicking(), "a node is used after it was freed");
        &held.value
    }

    /// # Safety
    /// The node is not freed, if there is one.
    #[track_caller]
    pub(crate) unsafe fn as_ref(&self) -> Option<&'g T> {
        if self.is_null() {
            return None;
        }
        // SAFETY: the contract is the caller's.
        Some(unsafe { self.deref() })
    }

    /// # Safety
    /// The node is the caller's alone.
    pub(crate) unsafe fn into_owned(self) -> Owned<T> {
        Owned { held: self.held }
    }
}

/// A pointer that threads share.
pub(crate) struct Atomic<T>(AtomicPtr<Held<T>>);

impl<T> Atomic<T> {
    pub(crate) fn null() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    pub(crate) fn load<'g>(&self, order: Ordering, _: &'g Guard) -> Shared<'g, T> {
        Shared { held: self.0.load(order), guard: PhantomData }
    }

    pub(crate) fn store(&self, new: Shared<'_, T>, order: Ordering) {
        self.0.store(new.held.cast_mut(), order);
    }

    pub(crate) fn compare_exchange<'g>(
        &self,
        current: Shared<'_, T>,
        new: Shared<'g, T>,
        success: Ordering,
        failure: Ordering,
        _: &'g Guard,
    ) -> Result<Shared<'g, T>, Shared<'g, T>> {
        let shared = |held: *mut Held<T>| Shared { held: held.cast_const(), guard: PhantomData };
        let result = self.0.compare_exchange(current.held.cast_mut(), new.held.cast_mut(), success, failure);
        result.map(shared).map_err(shared)
    }
}

impl<T> From<Shared<'_, T>> for Atomic<T> {
    fn from(shared: Shared<'_, T>) -> Self {
        Self(AtomicPtr::new(shared.held.cast_mut()))
    }
}
