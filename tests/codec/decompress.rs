//! The decoders, on data that the real compressors made: some committed, most made here at many levels.

use super::skip;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use toolbox::crash::symbolize::decompress::{Error, xz, zlib, zstd};

fn numbers(seed: u32) -> impl Iterator<Item = u8> {
    let mut state = seed;
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        Some((state >> 16) as u8)
    })
}

fn random(length: usize) -> Vec<u8> {
    numbers(2).take(length).collect()
}

fn text(length: usize) -> Vec<u8> {
    let words = b" the of stack frame name at line in file address section symbol\n";
    let pieces = numbers(1).flat_map(|number| words[usize::from(number % 13) * 5..].iter().take(5));
    pieces.copied().take(length).collect()
}

fn decompress(format: &str, input: &[u8], room: usize) -> Result<Vec<u8>, Error> {
    let mut out = vec![0xaa; room];
    let length = match format {
        "zst" => zstd::decompress(input, &mut out, &mut Box::new(zstd::Scratch::new()))?,
        "xz" => xz::decompress(input, &mut out, &mut Box::new(xz::Scratch::new()))?,
        "zz" => zlib::decompress(input, &mut out, &mut Box::new(zlib::Scratch::new()))?,
        _ => panic!("{format}"),
    };
    assert!(out[length..].iter().all(|byte| *byte == 0xaa) || length <= room, "written behind the end");
    out.truncate(length);
    Ok(out)
}

#[track_caller]
fn check(format: &str, input: &[u8], expected: &[u8]) {
    assert!(decompress(format, input, expected.len()).as_deref() == Ok(expected), "{format}");
    assert!(decompress(format, input, expected.len() + 100).as_deref() == Ok(expected), "{format} with more room");
    if format == "xz" {
        assert_eq!(xz::uncompressed_size(input), Ok(expected.len() as u64));
    }
    if let Some(less) = expected.len().checked_sub(1) {
        assert_eq!(decompress(format, input, less), Err(Error::OutputTooSmall), "{format} with less room");
    }
}

fn vector(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/codec/vectors").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn committed_data() {
    let contents = [("text", text(4000)), ("random", random(300)), ("zeros", vec![0; 5000]), ("empty", Vec::new())];
    for (name, content) in contents {
        for format in ["zst", "xz", "zz"] {
            check(format, &vector(&format!("{name}.{format}")), &content);
        }
    }
    check("xz", &vector("text.crc32.xz"), &text(4000));
    check("xz", &vector("text.sha256.xz"), &text(4000));
}

#[test]
fn what_follows_each_other() {
    let (first, second) = (vector("text.zst"), vector("random.zst"));
    let skipped = b"\x5f\x2a\x4d\x18\x03\0\0\0abc";
    check("zst", &[&first[..], skipped, &second, skipped].concat(), &[text(4000), random(300)].concat());
    let (first, second) = (vector("text.xz"), vector("zeros.xz"));
    check("xz", &[&first[..], &[0; 8], &second, &[0; 4]].concat(), &[text(4000), vec![0; 5000]].concat());
}

#[test]
fn what_is_not_supported_is_named() {
    assert!(matches!(decompress("xz", &vector("text.x86.xz"), 4000), Err(Error::Unsupported(_))));
    let with_dictionary = [&vector("text.zst")[..4], &[0x21, 7, 100]].concat();
    assert!(matches!(decompress("zst", &with_dictionary, 4000), Err(Error::Unsupported(_))));
}

#[test]
fn damage_is_noticed() {
    for name in ["text.zst", "random.zst", "zeros.zst", "text.xz", "text.crc32.xz", "text.zz", "zeros.zz"] {
        let format = name.rsplit('.').next().expect("the name has an end");
        let whole = vector(name);
        for length in 0..whole.len() {
            let is_nothing = format == "zst" && length == 0;
            let result = decompress(format, &whole[..length], 5000);
            assert!(result.is_err() || is_nothing, "{name} of {length} bytes");
            let _ = xz::uncompressed_size(&whole[..length]);
        }
        let right = decompress(format, &whole, 5000);
        // A prime, so that all bits of bytes have their turn.
        for bit in (0..whole.len() * 8).step_by(if cfg!(debug_assertions) { 7 } else { 1 }) {
            let mut damaged = whole.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            // Some bits mean nothing: the window's size, or how something was compressed. Adler-32 is so weak that
            // another text has the same sum.
            let result = decompress(format, &damaged, 5000);
            assert!(result.is_err() || result == right || format == "zz", "{name} with bit {bit} changed");
            let _ = xz::uncompressed_size(&damaged);
        }
    }
}

/// What `command` makes of `input`.
fn output(command: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let started = Command::new(command[0]).args(&command[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = started.ok()?;
    let mut stdin = child.stdin.take().expect("it is piped");
    let written = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output()
    });
    let output = written.expect("it was started");
    output.status.success().then_some(output.stdout)
}

#[test]
fn data_of_the_real_compressors() {
    // Without optimisation the decoders take long.
    let large = if cfg!(debug_assertions) { 200_000 } else { 20_000_000 };
    let program = std::fs::read(std::env::current_exe().expect("there is one")).expect("it can be read");
    let contents = [
        ("nothing", Vec::new()),
        ("a byte", vec![b'x']),
        ("random", random(large.min(1 << 20))),
        ("text", text(large)),
        ("repeated", (0..large).map(|at| (at / 7000 % 5 * (at % 3)) as u8).collect()),
        ("a program", program[..large.min(program.len())].to_vec()),
    ];
    let zlib = "import sys, zlib; sys.stdout.buffer.write(zlib.compress(sys.stdin.buffer.read(), int(sys.argv[1])))";
    let commands: [(&str, &[&str]); 12] = [
        ("zst", &["zstd", "-q", "-c", "-1"]),
        ("zst", &["zstd", "-q", "-c", "--check", "-3"]),
        ("zst", &["zstd", "-q", "-c", "--no-check", "-9"]),
        ("zst", &["zstd", "-q", "-c", "--fast=5"]),
        ("zst", &["zstd", "-q", "-c", "-4", "--long=24"]),
        ("xz", &["xz", "-c", "-0"]),
        ("xz", &["xz", "-c", "-2", "--check=crc32", "-T2", "--block-size=200000"]),
        ("xz", &["xz", "-c", "--check=none", "--lzma2=preset=0,lc=1,lp=3,pb=0"]),
        ("xz", &["xz", "-c", "--lzma2=preset=1,lc=4,lp=0,pb=4"]),
        ("zz", &["python3", "-c", zlib, "0"]),
        ("zz", &["python3", "-c", zlib, "1"]),
        ("zz", &["python3", "-c", zlib, "9"]),
    ];
    for (format, command) in commands {
        if output(command, b"").is_none() {
            skip(&format!("{} is not here", command[0]));
            continue;
        }
        for (name, content) in &contents {
            let input = output(command, content).unwrap_or_else(|| panic!("{command:?} refused {name}"));
            let found = decompress(format, &input, content.len());
            assert!(found.as_deref() == Ok(content), "{name} by {command:?}");
        }
    }
}
