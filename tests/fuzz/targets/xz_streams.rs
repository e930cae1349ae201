//! LZMA2 in a stream of xz whose sums are right, beside liblzma; and the input as a stream of its own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use liblzma::stream::{Action, Status, Stream};
use toolbox::crash::symbolize::decompress::xz::{Scratch, decompress, uncompressed_size};

const ROOM: usize = 300_000;

fuzz_target!(|input: &[u8]| {
    let mut ours = vec![0; ROOM];
    let mut scratch = Box::new(Scratch::new());
    if let Ok(length) = decompress(input, &mut ours, &mut scratch) {
        assert_eq!(uncompressed_size(input), Ok(length as u64));
    }
    let file = wrapped(input);
    let result = decompress(&file, &mut ours, &mut scratch);
    let mut theirs = vec![0; ROOM];
    let mut stream = Stream::new_stream_decoder(u64::MAX, 0).expect("it has no limit of memory");
    let is_whole = matches!(stream.process(&file, &mut theirs, Action::Finish), Ok(Status::StreamEnd));
    match result {
        Ok(length) => {
            assert!(is_whole, "only we: {length}");
            assert!(ours[..length] == theirs[..stream.total_out() as usize]);
            assert_eq!(uncompressed_size(&file), Ok(length as u64));
        }
        Err(error) => assert!(!is_whole, "only they: {error}"),
    }
});

/// A file with one block, which has `chunks` in it.
fn wrapped(chunks: &[u8]) -> Vec<u8> {
    let sum = |bytes: &[u8]| {
        let step = |sum: u32, _| (sum >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(sum & 1));
        let all = bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step));
        (!all).to_le_bytes()
    };
    let mut file = b"\xfd7zXZ\0\0\0".to_vec();
    file.extend(sum(&[0, 0]));
    // A dictionary as large as it can be without being 4 GiB.
    let header = [2, 0, 0x21, 1, 20, 0, 0, 0];
    file.extend(header);
    file.extend(sum(&header));
    let (length, size) = measured(chunks);
    file.extend(&chunks[..length]);
    let unpadded = 12 + length;
    file.resize(file.len().next_multiple_of(4), 0);
    let mut index = vec![0, 1];
    for mut number in [unpadded, size] {
        while number > 127 {
            index.push(number as u8 | 128);
            number >>= 7;
        }
        index.push(number as u8);
    }
    index.resize(index.len().next_multiple_of(4), 0);
    file.extend(&index);
    file.extend(sum(&index));
    let mut footer = ((index.len() as u32 + 4) / 4 - 1).to_le_bytes().to_vec();
    footer.extend([0, 0]);
    file.extend(sum(&footer));
    file.extend(footer);
    file.extend(b"YZ");
    file
}

/// How long the chunks are, and what they say that they come to.
fn measured(chunks: &[u8]) -> (usize, usize) {
    let (mut at, mut size) = (0, 0);
    let number = |at: usize| chunks.get(at..at + 2).map_or(0, |two| usize::from(two[0]) << 8 | usize::from(two[1])) + 1;
    while let Some(&control) = chunks.get(at) {
        let long = usize::from(control & 0x1f) << 16;
        (at, size) = match control {
            0 => return (at + 1, size),
            1 | 2 => (at + 3 + number(at + 1), size + number(at + 1)),
            0x80.. => (at + 5 + usize::from(control >= 0xc0) + number(at + 3), size + long + number(at + 1)),
            _ => return (chunks.len(), size),
        };
    }
    (chunks.len(), size)
}
