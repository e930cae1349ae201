//! Bars: a share of a whole as blocks, in eighths of a cell, or as `#` where only ASCII is shown.

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar of at most `width` cells for `part` of `whole`. Whatever is not nothing shows.
pub(crate) fn bar(part: u64, whole: u64, width: usize, ascii: bool) -> String {
    if part == 0 || whole == 0 {
        return String::new();
    }
    let steps = if ascii { 1 } else { 8 };
    let length = u128::from(part.min(whole)) * (width * steps) as u128 / u128::from(whole);
    let length = usize::try_from(length).unwrap_or(width * steps).max(1);
    if ascii {
        return "#".repeat(length);
    }
    format!("{}{}", "█".repeat(length / 8), EIGHTHS[length % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_shares() {
        assert_eq!((bar(0, 9, 8, false), bar(9, 0, 8, false)), (String::new(), String::new()));
        assert_eq!((bar(9, 9, 4, false), bar(9, 9, 4, true)), ("████".to_owned(), "####".to_owned()));
        assert_eq!(bar(1, 1_000_000, 4, false), "▏");
        assert_eq!(bar(5, 8, 1, false), "▋");
        assert_eq!(bar(u64::MAX, 1, 3, true), "###");
    }
}
