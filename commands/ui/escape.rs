//! File names as they may be shown: one line, nothing that moves the cursor or turns the text around.
//!
//! A name may hold any byte but `/` and NUL. Control characters, characters that change the direction of the text or
//! cannot be seen, and bytes that are no UTF-8 are written as escapes; everything else is shown as it is. This is for
//! people. JSON has the exact bytes.

use std::fmt::Write;

/// `bytes` as text that is safe to show.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|letter| push(&mut shown, letter));
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// The same, for a terminal that shows ASCII only.
pub(crate) fn escape_ascii(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for letter in escape(bytes).chars() {
        if letter.is_ascii() {
            shown.push(letter);
        } else {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(letter));
        }
    }
    shown
}

fn push(shown: &mut String, letter: char) {
    match letter {
        '\n' => shown.push_str("\\n"),
        '\t' => shown.push_str("\\t"),
        '\r' => shown.push_str("\\r"),
        '\0'..='\x1f' | '\x7f' => {
            let _ = write!(shown, "\\x{:02x}", u32::from(letter));
        }
        _ if is_unseen(letter) => {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(letter));
        }
        _ => shown.push(letter),
    }
}

/// C1 controls, direction marks and overrides, zero-width characters, line separators, tags.
fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// `bytes` as one word of a shell's command line, safe to paste.
pub(crate) fn shell_word(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(byte);
    if !bytes.is_empty() && bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let shown = std::str::from_utf8(bytes).ok().filter(|text| escape(bytes) == **text);
    match shown {
        Some(text) => format!("'{}'", text.replace('\'', r"'\''")),
        // Only `$'…'` takes escapes, and takes every byte.
        None => format!("$'{}'", bytes.iter().map(ansi_c).collect::<String>()),
    }
}

fn ansi_c(byte: &u8) -> String {
    match byte {
        b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
        0x20..=0x7e => char::from(*byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_dangerous_passes() {
        assert_eq!(escape(b"plain name"), "plain name");
        assert_eq!(escape(b"a\nb\x1b[31mc\x7f"), "a\\nb\\x1b[31mc\\x7f");
        assert_eq!(escape("x\u{202e}gpj.exe".as_bytes()), "x\\u{202e}gpj.exe");
        assert_eq!(escape(b"\xff\xfe ok \xc3"), "\\xff\\xfe ok \\xc3");
        assert_eq!(escape("größe 日本".as_bytes()), "größe 日本");
        assert_eq!(escape_ascii("größe".as_bytes()), "gr\\u{f6}\\u{df}e");
    }

    #[test]
    fn words_survive_a_shell() {
        assert_eq!(shell_word(b"/var/log/x-1.log"), "/var/log/x-1.log");
        assert_eq!(shell_word(b"it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(shell_word(b"a\nb'\xff"), r"$'a\x0ab\'\xff'");
        assert_eq!(shell_word(b""), "''");
    }
}
