//! An image of ext2, ext3 or ext4 is read to its end, whatever is in it: superblock, descriptors, inodes, extent trees
//! and blocks of pointers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use toolbox::fragment::filesystem::fuzzing;

fuzz_target!(|image: &[u8]| {
    if let Some((files, fragments)) = fuzzing::ext4(image) {
        // An inode takes 128 bytes of a table, and tables may overlap only as often as there are groups.
        let groups = image.len() as u64 / (256 * 1024) + 1;
        assert!(files <= groups * image.len() as u64 / 128);
        // Each fragment is an extent of twelve bytes, or a pointer of four, in some block that was read.
        assert!(fragments <= 16 * files + image.len() as u64 / 4);
    }
});
