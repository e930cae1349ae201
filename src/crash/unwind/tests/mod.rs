//! Walks, and what they are made of, beside what others say.
//!
//! [`real`] walks the stacks of this process and compares with the unwinder of the C compiler; [`single`] does it at each
//! instruction of some calls; [`crashed`] from where a child has really crashed; [`oracle`] compares rows with those of the crate `gimli`, for all entries of the libraries
//! that are mapped here; [`made`] has tables and stacks made by hand, the damaged ones among them.

#[cfg(target_arch = "x86_64")]
mod crashed;
#[cfg(target_arch = "x86_64")]
mod made;
#[cfg(target_arch = "x86_64")]
mod oracle;
mod real;
#[cfg(target_arch = "x86_64")]
mod single;

use super::super::memory::OwnMemory;
use super::super::modules::{Modules, Slot};
use super::*;
use std::convert::Infallible;

/// Calls `use_them` with the modules of this process.
fn with_modules<R>(use_them: impl FnOnce(&Modules<'_>) -> R) -> R {
    let text = std::fs::read("/proc/self/maps").expect("/proc is mounted");
    let (mut slots, mut names, mut rest) = (vec![Slot::EMPTY; 256], vec![0; 1 << 16], &text[..]);
    let mut modules = Modules::new(&mut slots, &mut names);
    let read = |into: &mut [u8]| {
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        Ok::<_, Infallible>(count)
    };
    modules.read_maps(&OwnMemory::new(), &mut [0; 4096], read).expect("it cannot fail");
    assert!(modules.is_complete());
    use_them(&modules)
}

/// All frames from `start` on, and how the walk ended.
fn frames(memory: &dyn Memory, modules: &Modules<'_>, start: &Registers, kind: Kind) -> (Vec<Frame>, End) {
    let mut frames = Vec::new();
    let mut scratch = Scratch::new();
    let end = Walker::new(memory, modules, &mut scratch).at_most(1000).run(start, kind, &mut |frame| {
        frames.push(*frame);
        ControlFlow::Continue(())
    });
    (frames, end)
}
