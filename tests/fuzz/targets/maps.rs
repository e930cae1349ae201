//! The text of `/proc/PID/maps`: in one piece and in small ones, and the modules that come of it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::convert::Infallible;
use toolbox::crash::maps::{Span, each};
use toolbox::crash::memory::Slices;
use toolbox::crash::modules::{Modules, Slot};

/// Gives out `rest` in pieces of at most `piece` bytes.
fn pieces(mut rest: &[u8], piece: usize) -> impl FnMut(&mut [u8]) -> Result<usize, Infallible> {
    move |into| {
        let count = rest.len().min(piece).min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        rest = &rest[count..];
        Ok(count)
    }
}

fn spans(text: &[u8], size: usize, piece: usize) -> Vec<(Span, usize)> {
    let mut found = Vec::new();
    let Ok(()) =
        each(&mut vec![0; size], pieces(text, piece), |mapping| found.push((mapping.span, mapping.path.len())));
    found
}

fuzz_target!(|text: &[u8]| {
    let whole = spans(text, text.len() + 1, usize::MAX);
    assert!(whole.len() <= text.split(|&byte| byte == b'\n').count());
    assert!(whole.iter().all(|(span, path)| span.start < span.end && *path <= text.len()));
    assert_eq!(whole, spans(text, text.len() + 1, 7));
    let _ = spans(text, 100, 64); // Paths lose their ends, and lines without one may be cut before they are whole.

    let (mut slots, mut names) = ([Slot::EMPTY; 16], [0; 256]);
    let mut modules = Modules::new(&mut slots, &mut names);
    let header = [(0x1000, &text[text.len() / 2..])];
    let Ok(()) = modules.read_maps(&Slices(&header), &mut [0; 256], pieces(text, 99));
    assert!(modules.iter().count() + modules.left_out() <= whole.len().max(text.len() / 16));
    for module in modules.iter() {
        assert!(module.path.len() <= 256);
        let _ = (modules.find(module.span.start), modules.is_code(module.text.start));
    }
});
