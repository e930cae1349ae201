//! The text of a `mountinfo` file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolbox::sys::mounts::parse;

fuzz_target!(|text: &[u8]| {
    let mounts = parse(text);
    assert!(mounts.len() <= text.split(|&byte| byte == b'\n').count());
    assert!(mounts.iter().all(|mount| mount.point.as_os_str().len() <= text.len()));
});
