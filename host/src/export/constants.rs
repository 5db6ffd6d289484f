//! Normalisation constants beside weights that go to PyTorch, whose modules have no place for them.
//!
//! A plain file's metadata have one text `normalisation`, JSON: `{"mean": […], "std": […]}`, a number for each channel, the
//! first axis of a sample. What the network takes is `(x - mean) / std`. Where readings are filled or clipped before that,
//! `"repair"` has `fill`, `low` and `high` of each channel, null for none. In Python:
//!
//! ```text
//! with safetensors.safe_open("plain.safetensors", "pt") as file:
//!     constants = json.loads(file.metadata()["normalisation"])
//! ```

use serde::{Deserialize, Serialize};

use crate::data::{Repair, Standardise};

/// The key of the metadata.
pub(super) const KEY: &str = "normalisation";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Constants {
    mean: Vec<f32>,
    // In f64, so that one over it is the same f32 again.
    std: Vec<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    repair: Vec<Repair>,
}

/// The text of the metadata.
pub(super) fn to_text(standardise: &Standardise) -> String {
    let Standardise { mean, inverse_std, repair } = standardise;
    let std = inverse_std.iter().map(|&inverse| 1.0 / f64::from(inverse)).collect();
    // Numbers and names of our own always have a text.
    serde_json::to_string(&Constants { mean: mean.clone(), std, repair: repair.clone() }).unwrap_or_default()
}

/// The constants of a text, for `channels` channels; none where it isn't one, or has what [preprocessing] refuses.
pub(super) fn from_text(text: &str, channels: usize) -> Option<Standardise> {
    let Constants { mean, std, repair } = serde_json::from_str(text).ok()?;
    let inverse_std: Vec<f32> = std.iter().map(|std| (1.0 / std) as f32).collect();
    let whole = mean.len() == channels && std.len() == channels && (repair.is_empty() || repair.len() == channels);
    let finite = mean.iter().chain(&inverse_std).all(|number| number.is_finite());
    // Neither a deviation below 0, nor one beside which every reading is 0.
    let positive = inverse_std.iter().all(|&inverse| inverse > 0.0);
    (whole && finite && positive && repair.iter().all(Repair::is_possible)).then_some(Standardise {
        mean,
        inverse_std,
        repair,
    })
}

/// Numbers that a line lists.
const LISTED: usize = 4;

/// The constants in a line, `mean 4.5, 20 and std 2.29, 7.9`; of many channels the first.
pub fn in_words(standardise: &Standardise) -> String {
    let Standardise { mean, inverse_std, repair } = standardise;
    let list = |numbers: Vec<f64>| {
        let listed: Vec<String> = numbers.iter().take(LISTED).map(|&number| short(number)).collect();
        let more = if numbers.len() > LISTED { ", …" } else { "" };
        listed.join(", ") + more
    };
    let mean_list = list(mean.iter().map(|&mean| f64::from(mean)).collect());
    let std_list = list(inverse_std.iter().map(|&inverse| 1.0 / f64::from(inverse)).collect());
    let channels = if mean.len() > LISTED { format!(" ({} channels)", mean.len()) } else { String::new() };
    let repaired =
        if repair.iter().all(Repair::is_nothing) { "" } else { ", after gaps are filled and outliers clipped" };
    format!("mean {mean_list} and std {std_list}{channels}{repaired}")
}

/// About four significant digits.
fn short(number: f64) -> String {
    if number == 0.0 || !(1e-3..1e6).contains(&number.abs()) {
        return if number == 0.0 { "0".into() } else { format!("{number:.3e}") };
    }
    let places = (3 - number.abs().log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{number:.places$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_come_back_bit_for_bit() {
        let mut standardise = Standardise::new(vec![0.1, -3e7, 0.0], vec![1.0 / 3.0, 7e-12, 1.7e11]);
        assert_eq!(from_text(&to_text(&standardise), 3).as_ref(), Some(&standardise));
        let gap = Repair { fill: Some(0.3), low: None, high: Some(9.0) };
        standardise.repair = vec![gap, Repair::default(), gap];
        assert_eq!(from_text(&to_text(&standardise), 3).as_ref(), Some(&standardise));
        for wrong in [
            "",
            "{}",
            "[]",
            "{\"mean\":[0],\"std\":[0]}",
            "{\"mean\":[0,1],\"std\":[1]}",
            "{\"mean\":[1e99],\"std\":[1]}",
            "{\"mean\":[0],\"std\":[-1]}",
            "{\"mean\":[0],\"std\":[1e-99]}",
            "{\"mean\":[0],\"std\":[1e99]}",
            "{\"mean\":[0],\"std\":[1],\"repair\":[{\"fill\":1e99}]}",
            "{\"mean\":[0],\"std\":[1],\"repair\":[{\"low\":-1e99}]}",
            "{\"mean\":[0],\"std\":[1],\"repair\":[{\"low\":2,\"high\":1}]}",
        ] {
            assert_eq!(from_text(wrong, 1), None, "{wrong}");
        }
        assert_eq!(from_text("{\"mean\":[0.5],\"std\":[2]}", 1), Some(Standardise::new(vec![0.5], vec![0.5])));
        assert_eq!(from_text("{\"mean\":[0.5],\"std\":[2]}", 2), None);
    }

    #[test]
    fn constants_are_said_in_a_line() {
        let few = Standardise::new(vec![4.5, 20.0], vec![1.0, 0.125]);
        assert_eq!(in_words(&few), "mean 4.5, 20 and std 1, 8");
        let many = Standardise::new(vec![0.0; 5], vec![0.5; 5]);
        assert_eq!(in_words(&many), "mean 0, 0, 0, 0, … and std 2, 2, 2, 2, … (5 channels)");
    }
}
