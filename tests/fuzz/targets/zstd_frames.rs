//! Frames of Zstandard, beside the library that everybody uses: both refuse, or both come to the same. Only some damage
//! does the library not look for, such as bits that are left over in a stream of literals, and a window of more than 2 GiB it
//! refuses.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolbox::crash::symbolize::decompress::{Error, zstd::Scratch, zstd::decompress};

const ROOM: usize = 300_000;

fuzz_target!(|input: &[u8]| {
    let mut ours = vec![0; ROOM];
    let result = decompress(input, &mut ours, &mut Box::new(Scratch::new()));
    let mut theirs = vec![0; ROOM];
    let reference = zstd::bulk::decompress_to_buffer(input, &mut theirs[..]);
    match (result, reference) {
        (Ok(length), Ok(expected)) => assert!(ours[..length] == theirs[..expected]),
        (Err(Error::Unsupported(_) | Error::Corrupt), _) | (Err(_), Err(_)) => {}
        // It would need the window; what has been decompressed is ours.
        (Ok(_), Err(error)) if error.to_string().contains("too much memory") => {}
        (Ok(length), Err(error)) => panic!("only we: {length}, {error}"),
        (Err(error), Ok(length)) => panic!("only they: {length}, {error}"),
    }
});
