//! An answer of the tree search call, taken apart item by item.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolbox::fragment::filesystem::fuzzing;

fuzz_target!(|input: &[u8]| {
    let Some((count, answer)) = input.split_first() else { return };
    let found = fuzzing::btrfs(answer, u32::from(*count));
    assert!(found <= usize::from(*count) && found <= answer.len() / 32);
});
