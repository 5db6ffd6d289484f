//! Whether the device did bit for bit what the simulation did.

use super::facts::{DemoReport, Parity};
use crate::report::html::Mood;
use crate::report::number::{bytes, times};

/// Runs that were compared, those that agree, and the bytes of all.
fn count(report: &DemoReport) -> (u64, u64, u64) {
    let all = report.runs.iter().filter_map(|run| run.parity.as_ref());
    all.fold((0, 0, 0), |(compared, same, bytes), parity: &Parity| {
        (compared + 1, same + u64::from(parity.identical), bytes.saturating_add(parity.bytes))
    })
}

/// The judgement in a few words; `None` where nothing was compared.
pub(super) fn badge(report: &DemoReport) -> Option<(Mood, String)> {
    match count(report) {
        (0, ..) => None,
        (_, _, 0) => Some((Mood::Bad, "✗ no bytes were compared with the simulation".into())),
        (compared, same, _) if compared == same => {
            let runs = report.runs.len() as u64;
            let which = if compared < runs {
                format!(", in {compared} of {runs} runs; the others weren't compared")
            } else {
                String::new()
            };
            Some((Mood::Good, format!("✓ bit for bit as simulated{which}")))
        }
        (compared, same, _) => {
            Some((Mood::Bad, format!("✗ {} of {compared} runs differ from the simulation", compared - same)))
        }
    }
}

/// The judgement in a sentence.
pub(super) fn sentence(report: &DemoReport) -> String {
    let runs = report.runs.len() as u64;
    match count(report) {
        (0, ..) if runs == 0 => String::new(),
        (0, ..) => "No run was compared with the simulation.".into(),
        (compared, same, amount) => format!(
            "What the device learnt was compared with the simulation on the host, byte by byte: {same} of {} the same, {} in all.",
            if compared == runs {
                times(compared, "run")
            } else {
                times(compared, "compared run") + &format!(" (of {runs})")
            },
            bytes(amount)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::DemoRun;

    #[test]
    fn one_differing_run_is_told() {
        let run = |identical, bytes| DemoRun {
            parity: Some(Parity { identical, bytes, different: None }),
            ..DemoRun::default()
        };
        let badge = |runs: &[DemoRun]| super::badge(&DemoReport { runs: runs.to_vec(), ..DemoReport::default() });
        assert_eq!(badge(&[]), None);
        assert_eq!(badge(&[run(true, 8), run(true, 8)]).map(|b| b.0), Some(Mood::Good));
        let (mood, text) = badge(&[run(true, 8), run(false, 8)]).unwrap();
        assert!(mood == Mood::Bad && text.contains("1 of 2"));
        let (_, text) = badge(&[run(true, 8), DemoRun::default()]).unwrap();
        assert!(text.contains("in 1 of 2 runs"), "{text}");
        assert_eq!(badge(&[run(true, 0)]).map(|b| b.0), Some(Mood::Bad), "nothing compared proves nothing");
    }
}
