//! Numbers as people read and write them: sizes, durations, counts.

use std::time::Duration;

const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `bytes` with a unit, three digits at most before the point.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = 0;
    // 1023.95 would be printed as 1024.0.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// Nanoseconds with a unit.
pub(crate) fn nanoseconds(nanoseconds: u64) -> String {
    let value = nanoseconds as f64;
    match nanoseconds {
        0 => "0".to_owned(),
        1..=999 => format!("{nanoseconds} ns"),
        1_000..=999_949 => format!("{:.1} us", value / 1e3),
        999_950..=999_949_999 => format!("{:.1} ms", value / 1e6),
        _ => format!("{:.1} s", value / 1e9),
    }
}

/// A count in groups of three digits.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `count` things, in the singular where there is one.
pub(crate) fn things(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", self::count(count), if count == 1 { "" } else { "s" })
}

/// Reads a size: `4096`, `64K`, `1.5GiB`. Units are powers of 1024, with or without `iB` or `B`.
///
/// # Errors
/// Says what a size looks like.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("'{text}' is no size: a number, with K, M, G, T, P or E for powers of 1024");
    let split = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = (text[..split].trim(), text[split..].to_ascii_uppercase());
    let letter = unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(&unit);
    let power = match letter {
        "" => 0,
        one if one.len() == 1 => "KMGTPE".find(one).ok_or_else(wrong)? + 1,
        _ => return Err(wrong()),
    };
    let factor = 1u64 << (10 * power);
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).ok_or_else(|| format!("'{text}' is more than 16 EiB"));
    }
    let value = number.parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0).ok_or_else(wrong)?;
    let bytes = value * factor as f64;
    if bytes < u64::MAX as f64 { Ok(bytes as u64) } else { Err(format!("'{text}' is more than 16 EiB")) }
}

/// Reads a duration: `20ms`, `1.5s`, `2m`; a number alone is seconds.
///
/// # Errors
/// Says what a duration looks like.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no time: a number with us, ms, s, m or h, above 0 and at most a day");
    let split = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let unit = match &text[split..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let seconds = text[..split].trim().parse::<f64>().map_err(|_| wrong())? * unit;
    let duration = Duration::try_from_secs_f64(seconds).ok();
    duration.filter(|duration| !duration.is_zero() && duration.as_secs() <= 86_400).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let shown: Vec<_> = [0, 1023, 1024, 1536, (1 << 20) - 1, 1 << 30, u64::MAX].map(bytes).to_vec();
        assert_eq!(shown, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 GiB", "16.0 EiB"]);
    }

    #[test]
    fn durations_are_short() {
        let shown: Vec<_> = [0, 12, 12_000, 2_388_000, 999_960, 61_000_000_000].map(nanoseconds).to_vec();
        assert_eq!(shown, ["0", "12 ns", "12.0 us", "2.4 ms", "1.0 ms", "61.0 s"]);
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count).to_vec(), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((things(1, "file"), things(2, "file")), ("1 file".to_owned(), "2 files".to_owned()));
    }

    #[test]
    fn durations_are_read_back() {
        let times = [("20ms", 20_000), ("1.5s", 1_500_000), ("2", 2_000_000), ("3 m", 180_000_000), ("7us", 7)];
        times.iter().for_each(|&(text, us)| assert_eq!(parse_duration(text), Ok(Duration::from_micros(us)), "{text}"));
        ["", "ms", "0", "-1s", "1d", "nan", "inf", "25h", "1e400s"]
            .iter()
            .for_each(|text| assert!(parse_duration(text).is_err(), "{text}"));
    }

    #[test]
    fn sizes_are_read_back() {
        let sizes =
            [("0", 0), ("4096", 4096), ("64K", 65536), ("64kib", 65536), ("1.5GiB", 3 << 29), ("2 MB", 2 << 20)];
        sizes.iter().for_each(|&(text, size)| assert_eq!(parse_bytes(text), Ok(size), "{text}"));
        ["", "K", "x", "-1", "1Q", "1KK", "nan", "20E", "1e400"]
            .iter()
            .for_each(|text| assert!(parse_bytes(text).is_err(), "{text}"));
    }
}
