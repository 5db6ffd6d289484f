//! When and on what a figure was measured.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// The day in UTC, `2026-01-31`.
pub fn today() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
    day(seconds / 86_400)
}

/// The date of a day, counted from 1970-01-01, in the Gregorian calendar: years are taken to begin in March, so that the
/// leap day is their last (Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`).
fn day(days: u64) -> String {
    // From 0000-03-01 on; 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

/// The processor and how many of its threads there are, as far as the system says.
pub fn machine() -> String {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let model = model.map_or_else(|| format!("{} {}", std::env::consts::OS, std::env::consts::ARCH), plain);
    format!("{model}, {threads} thread{}", if threads == 1 { "" } else { "s" })
}

/// A processor's name without marks and repeated blanks.
fn plain(name: &str) -> String {
    let name = name.replace("(R)", "").replace("(TM)", "").replace('|', "/");
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        // Leap years: 2000 is one, 2100 is none.
        for (days, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_454, "2026-01-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(day(days), date);
        }
    }

    #[test]
    fn a_processor_has_a_plain_name() {
        assert_eq!(plain("Intel(R) Xeon(R)  Processor @ 2.90GHz"), "Intel Xeon Processor @ 2.90GHz");
        let threads = match std::thread::available_parallelism().unwrap().get() {
            1 => ", 1 thread".to_string(),
            several => format!(", {several} threads"),
        };
        assert!(machine().ends_with(&threads), "{}", machine());
    }
}
