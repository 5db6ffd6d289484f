//! Numbers as people read them.

/// What stands for a number that isn't there or isn't finite.
pub(crate) const NONE: &str = "–";

/// `12,345`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `91.3 %`; more digits where fewer would claim all or nothing: `99.98 %`.
pub(crate) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if !value.is_finite() {
        return NONE.into();
    }
    if value.abs() > 1e9 {
        return format!("{value:.1e} %");
    }
    let claims = |places: usize| {
        let text = format!("{value:.places$}");
        let shown: f64 = text.parse().unwrap_or(value);
        (shown == 100.0 && value != 100.0) || (shown == 0.0 && value != 0.0)
    };
    let places = (1..4).find(|&places| !claims(places)).unwrap_or(1);
    format!("{value:.places$} %")
}

/// A share that may be missing.
pub(crate) fn percent_of(share: Option<f64>) -> String {
    percent(share.unwrap_or(f64::NAN))
}

/// `+53.7`, percentage points.
pub(crate) fn points(difference: f64) -> String {
    let rounded = (difference * 1000.0).round() / 10.0;
    if !rounded.is_finite() {
        return NONE.into();
    }
    // Neither "+0.0" nor "-0.0".
    if rounded == 0.0 { "±0.0".into() } else { format!("{rounded:+.1}").replace('-', "−") }
}

/// `41.3 KiB`, or bytes where they are few.
pub(crate) fn bytes(n: u64) -> String {
    let (unit, name) = match n {
        0..10_000 => return format!("{} B", grouped(n)),
        10_000..10_485_760 => (1024, "KiB"),
        _ => (1_048_576, "MiB"),
    };
    // A whole number is one.
    let places = if n.is_multiple_of(unit) { 0 } else { 1 };
    format!("{:.places$} {name}", n as f64 / unit as f64)
}

/// About three significant digits, without an exponent where that reads well.
pub(crate) fn short(x: f64) -> String {
    let text = significant(x, 3, 1);
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.').into()
    } else {
        text
    }
}

/// Four significant digits, so that two runs' figures can be told apart.
pub(crate) fn precise(x: f64) -> String {
    significant(x, 4, 3)
}

/// A number with that many digits, or `places` after the point before an exponent where the number is tiny or huge.
fn significant(x: f64, digits: i32, places: usize) -> String {
    if !x.is_finite() {
        NONE.into()
    } else if x == 0.0 {
        "0".into()
    } else if !(1e-4..1e7).contains(&x.abs()) {
        format!("{x:.places$e}")
    } else {
        let places = (digits - 1 - x.abs().log10().floor() as i32).clamp(0, digits + 3) as usize;
        format!("{x:.places$}")
    }
}

/// `91.32 %`.
pub(crate) fn precise_percent(share: f64) -> String {
    let value = share * 100.0;
    if value.is_finite() && value.abs() < 1e9 { format!("{value:.2} %") } else { percent(share) }
}

/// `3.2 s`, `4 min 10 s`, `2 h 5 min`.
pub(crate) fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return NONE.into();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `6 runs`, `1 run`.
pub(crate) fn times(n: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(n), if n == 1 { "" } else { "s" })
}

/// The mean of what is finite; NaN for nothing.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.filter(|v| v.is_finite()).fold((0.0, 0.0), |(sum, n), v| (sum + v, n + 1.0));
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0.0, 0.01, 0.123456, 12.34, 56789.0, 1e-9].map(short),
            ["0", "0.01", "0.123", "12.3", "56789", "1.0e-9"]
        );
        assert_eq!(
            [0.913, 0.9998, 0.99999, 1.0, 0.0, 0.0001, 1e-12, f64::NAN].map(percent),
            ["91.3 %", "99.98 %", "99.999 %", "100.0 %", "0.0 %", "0.01 %", "0.0 %", "–"]
        );
        assert_eq!([0.537, -0.02, 0.0, -1e-9].map(points), ["+53.7", "−2.0", "±0.0", "±0.0"]);
        assert_eq!([512, 42_268, 20 << 20].map(bytes), ["512 B", "41.3 KiB", "20 MiB"]);
        assert_eq!([3.21, 250.0, 7500.0, -1.0].map(duration), ["3.2 s", "4 min 10 s", "2 h 5 min", "–"]);
        assert_eq!([0.15, 0.0, 1234.56, 1e-9, f64::NAN].map(precise), ["0.1500", "0", "1235", "1.000e-9", "–"]);
        assert_eq!([0.9487, 1.0, f64::INFINITY].map(precise_percent), ["94.87 %", "100.00 %", "–"]);
        assert!(mean([f64::NAN].into_iter()).is_nan());
        assert_eq!(mean([1.0, f64::NAN, 4.0].into_iter()), 2.5);
    }
}
