//! Many threads against the lock-free structures, with every item accounted for.
//!
//! In a plain `cargo test` this takes a few seconds and finds what is grossly wrong; what is subtly wrong is for
//! `tests/model`. `TOOLBOX_STRESS=20` makes it twenty times as long. Under Miri it is as short as can be.

mod event;
mod history;
mod memory;
mod mutex;
mod order;
mod queue;
mod stack;

/// How many times a test of `usual` rounds goes round.
fn rounds(usual: usize) -> usize {
    if cfg!(miri) {
        return (usual / 500).max(1);
    }
    let factor = std::env::var("TOOLBOX_STRESS").ok().and_then(|factor| factor.parse().ok());
    usual * factor.unwrap_or(1)
}
