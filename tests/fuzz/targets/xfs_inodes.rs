//! A record of the bulk call of XFS.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolbox::sys::xfs::parse;

fuzz_target!(|record: &[u8]| {
    for wide in [false, true] {
        let inode = parse(record, wide);
        assert!(inode.is_some() || record.len() < 192);
    }
});
