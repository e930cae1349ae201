//! Screens drawn without a terminal: what they say, at every size, and with names that mean harm.

use super::super::keys::Press;
use super::super::scanner::Stage;
use super::super::state::tests::{model, report};
use super::super::state::{Extents, Model};
use super::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::ffi::OsStr;
use std::path::PathBuf;
use toolbox::fragment::{Cause, Extent, Failure, Failures, Flags};

const FILES: [(&str, u64); 4] = [("/srv/a/log", 2661), ("/srv/b", 7), ("/srv/漢字/data", 5), ("/srv/d", 1)];

/// The screen as lines of text, without the spaces at their ends.
fn screen(model: &mut Model, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a test backend has no way to fail");
    terminal.draw(|frame| draw(frame, model)).expect("a test backend has no way to fail");
    let buffer = terminal.backend().buffer().clone();
    let text = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| text(y).trim_end().to_owned()).collect()
}

fn keys(model: &mut Model, keys: &str) {
    keys.chars().for_each(|key| {
        model.press(Press::Char(key));
    });
}

fn extents(count: u64) -> Vec<Extent> {
    let extent = |i| Extent {
        logical: i * 8192,
        physical: (count - i) << 20,
        length: 4096,
        disk_length: 4096,
        flags: if i == 1 { Flags::SHARED | Flags::UNWRITTEN } else { Flags::default() },
    };
    (0..count).map(extent).collect()
}

/// The model with the first file opened.
fn opened(extents: Vec<Extent>) -> Model {
    let mut model = model(&FILES);
    model.press(Press::Enter);
    let path = PathBuf::from(FILES[0].0);
    let mut report = report(&path, extents.len() as u64);
    report.size_bytes = 8192 * extents.len() as u64;
    model.answer(&path, Ok((report, extents)));
    model
}

#[test]
fn the_list_says_what_it_is() {
    let mut model = model(&FILES);
    model.progress.counts.files = 12_400;
    model.progress.elapsed = std::time::Duration::from_secs(2);
    let lines = screen(&mut model, 80, 14);
    assert_eq!(lines[0], "scanning  12,400 files  0 failures  6,200/s  2.0 s  0 threads");
    assert_eq!(lines[1], "/now/here");
    assert_eq!(lines[2], "first 4 of 12,345 by fragments");
    assert_eq!(lines[3], " fragments▼ ideal   excess      size  extents  file");
    assert_eq!(lines[4], "      2,661     1        0  10.4 MiB    2,662 >/srv/a/log");
    assert_eq!(lines[6], "          5     1        0  20.0 KiB        6  /srv/漢 字 /data");
    assert_eq!(lines[13], "? help  q quit  Enter details  s sort  r reverse  / filter  e failures  x stop");
}

#[test]
fn a_finished_or_stopped_scan_says_so() {
    let mut model = model(&FILES);
    model.progress.stage = Stage::Done;
    let lines = screen(&mut model, 80, 14);
    assert!(lines[0].starts_with("done  "), "{lines:?}");
    assert_eq!(lines[1], "67 of 12,345 files fragmented, 23,456 fragments in 0 B, excess 0");
    model.progress.stage = Stage::Partial;
    assert!(screen(&mut model, 80, 14)[0].starts_with("stopped, partial  "));
}

#[test]
fn sorting_and_reversing_show_in_the_heads() {
    let mut model = model(&FILES);
    keys(&mut model, "ss");
    let lines = screen(&mut model, 80, 14);
    assert!(lines[2].ends_with("by surplus") && lines[3].contains(" surplus▼"), "{lines:?}");
    keys(&mut model, "sr");
    let lines = screen(&mut model, 80, 14);
    assert!(lines[2].ends_with("by size, least first") && lines[3].contains(" size▲"), "{lines:?}");
    model.look.ascii = true;
    keys(&mut model, "ssr");
    let lines = screen(&mut model, 80, 14);
    assert!(lines[2].ends_with("in order") && lines[3].ends_with("file ^"), "{lines:?}");
}

#[test]
fn a_count_that_is_a_bound_says_so() {
    let mut model = opened(extents(3));
    let detail = model.detail.as_mut().expect("a file is opened");
    detail.report.layout.exact = false;
    assert!(screen(&mut model, 80, 24)[1].starts_with("at most 3 fragments"));
    let inexact = model.detail.as_ref().map(|detail| detail.report.clone()).expect("a file is opened");
    model.update(vec![inexact], model.totals.clone(), model.progress.clone());
    model.press(Press::Escape);
    assert!(screen(&mut model, 80, 14)[4].contains(" ≤3 "));
}

#[test]
fn the_filter_shows_while_it_is_typed() {
    let mut model = model(&FILES);
    keys(&mut model, "/srv/b");
    let lines = screen(&mut model, 80, 14);
    assert_eq!(lines[13], "/srv/b_  Enter keep, Esc clear");
    assert!(lines[2].ends_with("by fragments; 1 of these match; R scans for more"), "{lines:?}");
    model.press(Press::Enter);
    keys(&mut model, "R");
    assert!(screen(&mut model, 80, 14)[2].ends_with(" with srv/b in their paths by fragments"));
    model.press(Press::Escape);
    assert!(screen(&mut model, 80, 14)[2].ends_with(" with srv/b in their paths by fragments; R scans for all"));
    keys(&mut model, "/srv/b");
    keys(&mut model, "\u{202e}");
    assert_eq!(screen(&mut model, 80, 14)[13], "/srv/b\\u{202e}_  Enter keep, Esc clear");
}

#[test]
fn details_show_the_pictures_and_the_extents() {
    let lines = screen(&mut opened(extents(3)), 80, 24);
    assert_eq!(lines[0], "/srv/a/log");
    assert_eq!(lines[1], "3 fragments (ideal 1), 4 extents, 24.0 KiB, excess 0");
    assert!(lines[2].starts_with("file    ▂▁▁▁") && lines[2].matches('▂').count() == 3, "{}", lines[2]);
    assert!(lines[3].starts_with("volume  ") && lines[3].contains('█'), "{}", lines[3]);
    assert!(lines[4].contains("allocated on"), "{}", lines[4]);
    assert_eq!(lines[7], " fragment           in file         on volume         length  flags");
    assert_eq!(lines[8], ">        1                 0         3,145,728          4,096");
    assert_eq!(lines[9], "         2             8,192         2,097,152          4,096  unwritten shared");
}

#[test]
fn what_cannot_be_read_says_why() {
    let mut model = model(&FILES);
    model.press(Press::Enter);
    assert!(screen(&mut model, 80, 24).contains(&"reading its extents".to_owned()));
    model.answer("/srv/a/log".as_ref(), Err("permission denied".to_owned()));
    assert!(screen(&mut model, 80, 24).contains(&"cannot read its extents: permission denied".to_owned()));
}

#[test]
fn failures_are_listed_by_cause() {
    let mut model = model(&FILES);
    let mut failures = Failures::keeping(1);
    for path in ["/x/\x1b[2J", "/y"] {
        failures.push(Failure { path: path.into(), cause: Cause::Denied, named: false });
    }
    failures.push(Failure { path: "/gone".into(), cause: Cause::Vanished, named: false });
    model.progress.failures = failures;
    assert!(screen(&mut model, 80, 14)[0].contains("2 failures  1 note  "));
    keys(&mut model, "e");
    let lines = screen(&mut model, 80, 14);
    assert_eq!(lines[1..4], ["2  permission denied", "    /x/\\x1b[2J", "    and 1 more"]);
}

#[test]
fn help_can_be_scrolled_to_its_end() {
    let mut model = model(&FILES);
    keys(&mut model, "?");
    assert!(screen(&mut model, 40, 8)[7].ends_with("more below"));
    model.press(Press::End);
    let lines = screen(&mut model, 40, 8);
    assert!(lines[6].ends_with("there are.") && !lines[7].contains("more"), "{lines:?}");
}

#[test]
fn ascii_is_ascii() {
    let mut model = opened(extents(40));
    model.look.ascii = true;
    for keys_pressed in ["", "?", "e"] {
        keys(&mut model, keys_pressed);
        assert!(screen(&mut model, 100, 30).iter().all(|line| line.is_ascii()));
    }
    (model.page, model.detail) = (None, None);
    assert!(screen(&mut model, 200, 30).iter().all(|line| line.is_ascii()));
}

#[test]
fn without_colour_there_is_none() {
    for color in [false, true] {
        let mut model = opened(extents(40));
        model.look.color = color;
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).expect("a test backend has no way to fail");
        let mut colored = 0;
        for press in [Press::Home, Press::Char('?'), Press::Char('e'), Press::Escape, Press::Escape] {
            model.press(press);
            terminal.draw(|frame| draw(frame, &mut model)).expect("a test backend has no way to fail");
            let cells = terminal.backend().buffer().content.iter();
            colored += cells.filter(|cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset)).count();
        }
        assert_eq!(colored > 0, color);
    }
}

#[test]
fn hostile_names_stay_on_their_line() {
    let hostile = b"/srv/\n\x1b]0;owned\x07\xe2\x80\xae\xff\xf0\x9f\x98\x80";
    let mut model = model(&FILES);
    let path = PathBuf::from(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(hostile));
    model.update(vec![report(&path, 3)], model.totals.clone(), model.progress.clone());
    let lines = screen(&mut model, 100, 14);
    assert!(lines[4].ends_with("/srv/\\n\\x1b]0;owned\\x07\\u{202e}\\xff😀"), "{lines:?}");
    model.press(Press::Enter);
    assert!(screen(&mut model, 100, 14)[0].starts_with("/srv/\\n\\x1b]0;owned\\x07"));
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let mut models = [model(&[]), model(&FILES), opened(extents(100)), opened(Vec::new())];
    for model in &mut models {
        for pressed in ["", "j", "?", "e"] {
            keys(model, pressed);
            for (width, height) in [
                (0, 0),
                (0, 3),
                (4, 0),
                (1, 1),
                (2, 2),
                (3, 1),
                (1, 9),
                (5, 3),
                (20, 5),
                (40, 12),
                (80, 24),
                (500, 120),
            ] {
                assert_eq!(screen(model, width, height).len(), usize::from(height));
            }
        }
        model.press(Press::Escape);
        keys(model, "/f");
        screen(model, 4, 2);
    }
}

#[test]
fn small_screens_keep_what_matters() {
    let lines = screen(&mut model(&FILES), 20, 5);
    assert_eq!(
        lines,
        ["scanning", " fragments▼  file", "      2,661 >…/a/log", "          7  /srv/b", "? help  q quit"]
    );
    let mut model = opened(extents(3));
    let lines = screen(&mut model, 20, 5);
    assert!(lines[0] == "/srv/a/log" && lines[4].starts_with("Esc back"), "{lines:?}");
    let Some(detail) = &model.detail else { panic!("a file is opened") };
    assert!(matches!(&detail.extents, Extents::Known(all, _) if all.len() == 3));
}
