//! Sessions of `toolbox fragtop` in which nothing goes wrong: what it lists, in which form, for which options.

use crate::session::{Session, can};
use std::os::unix::ffi::OsStrExt;

/// The answer to `toolbox fragtop .` in every session.
const TABLE: &str = "\
fragments  ideal   excess      size                file
        3      1  24.0 us  16.0 KiB  ████████████  ./sub/three
        2      1  12.0 us  12.0 KiB  ████████      ./two
        1      1        0   8.0 KiB  ████          ./one
3 files, 2 fragmented
to rewrite the first: e4defrag ./sub/three
";

#[test]
fn a_table_for_people() {
    let Some(session) = Session::new() else { return };
    session.check("toolbox fragtop . --media ssd", TABLE, "", 0);
    session.check("toolbox fragtop . --media ssd -n 1", &head(&[0, 1, 4, 5]), "", 0);
    session.check("toolbox fragtop . --media ssd --ascii", &TABLE.replace('█', "#"), "", 0);
    session.check("LC_ALL=C toolbox fragtop . --media ssd", &TABLE.replace('█', "#"), "", 0);
    session.check("LC_ALL= LANG=de_DE.UTF-8 toolbox fragtop . --media ssd", TABLE, "", 0);
    session.check("toolbox fragtop . --media ssd --min-fragments 3", &head(&[0, 1, 4, 5]), "", 0);
    session.check("toolbox fragtop . --media ssd -q", TABLE, "", 0);
    session.check("toolbox fragtop . --media ssd -j 1", TABLE, "", 0);
}

/// These lines of the table.
fn head(lines: &[usize]) -> String {
    let all: Vec<&str> = TABLE.lines().collect();
    lines.iter().map(|&line| format!("{}\n", all[line])).collect()
}

#[test]
fn a_pattern_a_path_and_a_list_find_the_same() {
    let Some(session) = Session::new() else { return };
    let paths = |line: &str| {
        let output = session.output(&format!("{line} --sort path --format csv"), 0);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(paths("toolbox fragtop ."), ["./one", "./sub/three", "./two"]);
    assert_eq!(paths("toolbox fragtop one sub"), ["one", "sub/three"]);
    assert_eq!(paths("toolbox fragtop -p '**/*'"), ["one", "sub/three", "two"]);
    assert_eq!(paths("toolbox fragtop -p '*'"), ["one", "two"]);
    assert_eq!(paths("toolbox fragtop -p 't*' -p sub/"), ["sub/three", "two"]);
    assert_eq!(paths("toolbox fragtop -p '[o-s]*/th?ee'"), ["sub/three"]);
    assert_eq!(paths("toolbox fragtop . sub -p '**/three'").len(), 3, "each file once, under one of its paths");
    assert_eq!(paths("printf 'two\\0sub\\0' | toolbox fragtop --files0-from -"), ["sub/three", "two"]);
    assert_eq!(paths("printf one > sub/list; toolbox fragtop --files0-from sub/list"), ["one"]);
    assert_eq!(paths("rm sub/list; toolbox fragtop -p 'sub/*'"), ["sub/three"]);
    assert_eq!(paths("toolbox fragtop . --exclude sub"), ["./one", "./two"]);
    assert_eq!(paths("toolbox fragtop . --exclude './t*'"), ["./one", "./sub/three"]);
    assert_eq!(paths("toolbox fragtop . --min-size 12K"), ["./sub/three", "./two"]);
    assert_eq!(paths("toolbox fragtop -x ."), ["./one", "./sub/three", "./two"]);
    assert_eq!(paths("ln -s two link; toolbox fragtop -L link"), ["link"]);
}

#[test]
fn rows_for_a_spreadsheet() {
    let Some(session) = Session::new() else { return };
    let output = session.output("toolbox fragtop . --format csv --media ssd", 0);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let head = "fragments,fragments_exact,ideal,excess_ns,extents,size_bytes,allocated_bytes,filesystem,flags,path";
    assert_eq!(lines[0], head);
    assert!(lines[1].starts_with("3,true,1,24000,3,16384,16384,") && lines[1].ends_with(",./sub/three"), "{text}");
    assert_eq!((lines.len(), output.stderr.len()), (4, 0));
}

#[test]
fn json_for_programs() {
    let Some(session) = Session::new() else { return };
    let json = session.json("toolbox fragtop . --format json --media ssd --histogram --by dir", 0);
    assert_eq!((json["schema"].as_str(), json["partial"].as_bool()), (Some("toolbox.fragtop/1"), Some(false)));
    let first = &json["files"][0];
    let number = |key: &str| first[key].as_u64().unwrap();
    assert_eq!(["fragments", "ideal", "excess_ns", "extents", "size_bytes"].map(number), [3, 1, 24_000, 3, 16_384]);
    assert_eq!((first["path"].as_str(), first["flags"].as_array().map(Vec::len)), (Some("./sub/three"), Some(0)));
    assert_eq!((json["summary"]["files"].as_u64(), json["summary"]["fragmented"].as_u64()), (Some(3), Some(2)));
    assert_eq!(json["directories"].as_array().unwrap().len(), 2);
    let files: u64 = json["histogram"].as_array().unwrap().iter().map(|bucket| bucket["files"].as_u64().unwrap()).sum();
    assert_eq!(files, 3);
}

#[test]
fn names_that_would_play_tricks_on_a_terminal() {
    let Some(session) = Session::new() else { return };
    let names: [&[u8]; 5] = [b"a\nb", b"\x1b[31mred", "\u{202e}gpj".as_bytes(), b"\xff\xfe", b"q\"u,o'te"];
    std::fs::create_dir(session.folder.join("odd")).unwrap();
    for name in names {
        let path = session.folder.join("odd").join(std::ffi::OsStr::from_bytes(name));
        std::fs::write(path, [1; 8192]).unwrap();
    }
    let table = String::from_utf8(session.output("sync odd/*; toolbox fragtop odd", 0).stdout).unwrap();
    assert!(table.chars().all(|letter| letter == '\n' || !letter.is_control()), "{table:?}");
    assert!(!table.contains('\u{202e}') && table.contains("odd/a\\nb") && table.contains("odd/\\xff\\xfe"), "{table}");
    assert_eq!(table.lines().count(), 7, "{table}");
    let json = session.json("toolbox fragtop odd --format json --sort path", 0);
    let paths: Vec<_> = json["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(paths[..4], ["odd/\u{1b}[31mred", "odd/a\nb", "odd/q\"u,o'te", "odd/\u{202e}gpj"]);
    assert_eq!(json["files"][4]["path_base64"].as_str(), Some("b2RkL//+"));
    let csv = session.output("toolbox fragtop odd --format csv --sort path", 0).stdout;
    let rows = [&b",\"odd/a\nb\"\n"[..], b",\"odd/q\"\"u,o'te\"\n", b",odd/\xff\xfe\n"];
    assert!(rows.iter().all(|row| csv.windows(row.len()).any(|window| window == *row)), "{csv:?}");
}

#[test]
fn colour_when_asked_for_and_not_otherwise() {
    let Some(session) = Session::new() else { return };
    let coloured = |line: &str| session.output(line, 0).stdout.contains(&0x1b);
    assert!(coloured("toolbox fragtop . --color always"));
    assert!(coloured("NO_COLOR=1 toolbox fragtop . --color always"));
    assert!(!coloured("toolbox fragtop ."), "stdout is a pipe");
    assert!(!coloured("toolbox fragtop . --color never"));
    assert!(!coloured("toolbox fragtop . --color always --format json"));
}

/// What `line` prints on a terminal of so many columns, with the line ends of a file.
fn on_terminal(session: &Session, columns: u32, line: &str) -> Option<String> {
    can("script -qec true /dev/null < /dev/null")?;
    let line = format!("script -qec \"stty cols {columns}; {line}\" /dev/null");
    let output = session.output(&line, 0);
    Some(String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"))
}

#[test]
fn a_narrow_terminal_cuts_paths_from_the_left_and_nothing_else() {
    let Some(session) = Session::new() else { return };
    session.output("mkdir -p sub/a_long_name/and_another; mv one sub/a_long_name/and_another/the_file; rm two", 0);
    let line = "NO_COLOR=1 toolbox fragtop . --media ssd -n 5 --sort path";
    let Some(narrow) = on_terminal(&session, 40, line) else { return };
    let expected = "\
fragments  ideal      size  file
        1      1   8.0 KiB  …er/the_file
        3      1  16.0 KiB  ./sub/three
2 files, 1 fragmented
";
    assert_eq!(narrow, expected);
    let ascii = on_terminal(&session, 40, &format!("LC_ALL=C {line}")).unwrap();
    assert!(ascii.is_ascii() && ascii.contains("the_file"), "{ascii}");
    assert!(ascii.lines().all(|line| line.len() <= 40), "{ascii}");
    // However narrow: nothing panics, and the numbers stay.
    (1..12).for_each(|columns| assert!(on_terminal(&session, columns, line).unwrap().contains("16.0 KiB")));
}

#[test]
fn a_terminal_is_shown_progress_which_is_erased_before_the_answer() {
    let Some(session) = Session::new() else { return };
    let slow = "{ printf one; sleep 1; } | toolbox fragtop --files0-from - --media ssd";
    let Some(shown) = on_terminal(&session, 80, slow) else { return };
    let (before, after) = shown.rsplit_once("\r\u{1b}[2K").unwrap_or_else(|| panic!("no progress: {shown:?}"));
    assert!(before.contains("file"), "{shown:?}");
    assert_eq!(after.lines().last(), Some("1 file, 0 fragmented"), "{shown:?}");
    let plain = |line: &str| !on_terminal(&session, 80, line).unwrap().contains('\u{1b}');
    assert!(plain(&slow.replace("toolbox", "NO_COLOR=1 toolbox").replace("--media", "-q --media")));
    assert!(plain(&slow.replace("toolbox", "TERM=dumb toolbox")));
    assert!(!plain("toolbox fragtop one"), "a head in bold");
    assert!(plain("toolbox fragtop one --color never") && plain("NO_COLOR=1 toolbox fragtop one"));
}

#[test]
fn a_check_for_monitoring() {
    let Some(session) = Session::new() else { return };
    session.check("toolbox fragtop . --media ssd --fail-over 3", TABLE, "", 0);
    session.check(
        "toolbox fragtop . --media ssd --fail-over 2",
        TABLE,
        "warning: 1 file of more than 2 fragments\n",
        1,
    );
    session.check("toolbox fragtop . --media ssd --fail-over 2 -q", TABLE, "", 1);
    let json = session.json("toolbox fragtop . --fail-over 1 --format json -n 0", 1);
    assert_eq!((json["summary"]["over_limit"].as_u64(), json["files"].as_array().map(Vec::len)), (Some(2), Some(0)));
}

#[test]
fn sums_by_directory_and_a_histogram() {
    let Some(session) = Session::new() else { return };
    let expected = "\
fragments  files  fragmented   excess      size  directory
        3      2           1  12.0 us  20.0 KiB  .
        3      1           1  24.0 us  16.0 KiB  ./sub

fragments  files
        0      0
        1      1  ████████████████████████████████████████
        2      1  ████████████████████████████████████████
      3-4      1  ████████████████████████████████████████

3 files, 2 fragmented
";
    session.check("toolbox fragtop . --by dir --histogram --media ssd", expected, "", 0);
}

#[test]
fn the_extents_of_one_file() {
    let Some(session) = Session::new() else { return };
    let json = session.json("toolbox fragtop --extents two --format json", 0);
    assert_eq!(json["schema"].as_str(), Some("toolbox.fragtop.extents/1"));
    let extents = json["files"][0]["extents"].as_array().unwrap();
    let lengths: Vec<_> = extents.iter().map(|extent| extent["length_bytes"].as_u64().unwrap()).collect();
    assert_eq!(lengths, [4096, 8192]);
    let place = |index: usize| extents[index]["physical_bytes"].as_u64().unwrap();
    assert_eq!(place(1), place(0) + 8192, "the block between them was taken out");
    let table = String::from_utf8(session.output("toolbox fragtop --extents two one", 0).stdout).unwrap();
    assert!(table.starts_with("two: 2 fragments in 2 extents, ideal 1, "), "{table}");
    assert!(table.contains("+4.0 KiB") && table.contains("one: 1 fragment in 1 extent"), "{table}");
}

#[test]
fn what_would_rewrite_a_file_is_printed_and_not_run() {
    let Some(session) = Session::new() else { return };
    let expected = format!("{}e4defrag ./sub/three\ne4defrag ./two\n", head(&[0, 1, 2, 3, 4]));
    session.check("toolbox fragtop . --advise --media ssd", &expected, "", 0);
    session.check("toolbox fragtop . --media ssd", TABLE, "", 0);
}
