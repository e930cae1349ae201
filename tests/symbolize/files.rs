//! Debug information in other files: which are found, and which are not trusted.

use super::build::{self, folder, has, run};
use super::oracle::{compare, ours};
use std::fs;
use std::path::{Path, PathBuf};
use toolbox::crash::symbolize::{Arena, Folders, Image, Symbolizer, Wanted, Why};

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// A program with debug information, `full`, and the same without, `program`.
fn stripped(name: &str, options: &[&str]) -> Option<(PathBuf, PathBuf)> {
    if !has("gcc") || !has("objcopy") {
        return None;
    }
    let folder = folder(name);
    let program = build::program(&folder, "gcc", &[&["-O2", "-g"], options].concat()).expect("it compiles");
    let full = folder.join("full");
    fs::copy(&program, &full).expect("the folder for tests can be written to");
    assert!(run(&folder, "strip", &["program"]));
    Some((program, full))
}

fn agrees(program: &Path, full: &Path, folders: Folders<'_>) {
    let compared = compare(program, full, folders, 7);
    println!("{compared:?}");
    assert!(compared.with_lines > 300, "{compared:?}");
    assert_eq!(compared.differing, 0, "{compared:?}");
}

/// What is said of the first function.
fn first(program: &Path, build_id: &[u8]) -> Result<usize, Why> {
    let arena = Arena::new(1 << 28).unwrap();
    let mut symbolizer = Symbolizer::new(&arena, Folders { debug: &[], root: b"" });
    let wanted = Wanted { path: bytes(program), build_id, ..Wanted::default() };
    let mut frames = 0;
    symbolizer.place(&wanted, 0x2500, &mut |_| frames += 1).map(|()| frames)
}

#[test]
fn a_link_is_followed_where_the_build_id_or_the_checksum_agrees() {
    for (name, options) in [("link", &[][..]), ("link-checksum", &["-Wl,--build-id=none"][..])] {
        let Some((program, full)) = stripped(name, options) else { return };
        let folder = program.parent().unwrap();
        assert!(run(folder, "objcopy", &["--only-keep-debug", "full", "program.debug"]));
        assert!(run(folder, "objcopy", &["--add-gnu-debuglink=program.debug", "program"]));
        assert!(first(&program, b"").is_ok());
        agrees(&program, &full, Folders { debug: &[], root: b"" });
        // Beside it, in a folder of its own.
        fs::create_dir(folder.join(".debug")).unwrap();
        fs::rename(folder.join("program.debug"), folder.join(".debug/program.debug")).unwrap();
        agrees(&program, &full, Folders { debug: &[], root: b"" });
        // One of another build is not taken.
        let other = fs::read("/proc/self/exe").unwrap();
        fs::write(folder.join(".debug/program.debug"), other).unwrap();
        assert_eq!(first(&program, b""), Err(Why::Stripped));
        fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_folder_of_build_ids_is_looked_into() {
    let Some((program, full)) = stripped("ids", &[]) else { return };
    let folder = program.parent().unwrap();
    let arena = Arena::new(1 << 28).unwrap();
    let wanted = Wanted { path: bytes(&full), ..Wanted::default() };
    let id = Image::open(&arena, &Folders::default(), &wanted).unwrap().build_id().to_vec();
    let digits: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let place = folder.join("symbols/.build-id").join(&digits[..2]);
    fs::create_dir_all(&place).unwrap();
    fs::copy(&full, place.join(format!("{}.debug", &digits[2..]))).unwrap();
    let symbols = folder.join("symbols");
    agrees(&program, &full, Folders { debug: &[bytes(&symbols)], root: b"" });
    // Without the program itself, by its build id alone.
    let debug = [bytes(&symbols)];
    let mut symbolizer = Symbolizer::new(&arena, Folders { debug: &debug, root: b"" });
    let wanted = Wanted { path: b"/nowhere/program", build_id: &id, ..Wanted::default() };
    assert!(!ours(&mut symbolizer, &wanted, 0x2500).is_empty());
    let wanted = Wanted { build_id: &id[1..], ..wanted };
    assert!(ours(&mut symbolizer, &wanted, 0x2500).is_empty());
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn another_build_is_not_trusted() {
    let Some((program, full)) = stripped("other-build", &[]) else { return };
    assert_eq!(first(&full, &[1; 20]), Err(Why::OtherBuild));
    assert_eq!(first(&program, b""), Err(Why::Stripped));
    assert!(first(&full, b"").is_ok());
    fs::remove_dir_all(program.parent().unwrap()).unwrap();
}

#[test]
fn a_link_that_leads_to_nothing_readable_is_survived() {
    let Some((_, full)) = stripped("damaged", &[]) else { return };
    let whole = fs::read(&full).unwrap();
    let folder = full.parent().unwrap();
    for cut in [0, 1, 16, 64, 100, 5000, whole.len() / 2, whole.len() - 1] {
        let path = folder.join("cut");
        fs::write(&path, &whole[..cut]).unwrap();
        let found = first(&path, b"");
        assert!(cut > 5000 || found.is_err(), "{cut}: {found:?}");
    }
    fs::remove_dir_all(folder).unwrap();
}
