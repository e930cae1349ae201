//! Sections of debug information without a file around them: units, entries, ranges, line programs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolbox::crash::symbolize::fuzzing;

fuzz_target!(|sections: &[u8]| {
    fuzzing::dwarf(sections);
});
