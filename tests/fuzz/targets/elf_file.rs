//! A file that is read as a program: tables of sections, symbols, notes, compressed sections, debug information.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolbox::crash::symbolize::fuzzing;

fuzz_target!(|file: &[u8]| {
    fuzzing::elf(file);
});
