//! A mangled name, whatever it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolbox::crash::symbolize::demangle::{Demangler, NotMangled, demangle_in};

fuzz_target!(|input: &[u8]| {
    let mut text = String::new();
    let result = Demangler::new().demangle(input, &mut text);
    assert!(text.len() <= 64 * 1024);
    assert_ne!(result, Err(NotMangled::Full), "a string takes everything");
    let mut buffer = [0; 200];
    let short = demangle_in(input, &mut buffer);
    assert_eq!(short, result.ok().and((text.len() <= 200).then_some(text.as_str())));
});
