//! What happens to data before the model sees them, as people write it.

use crate::data::{Encode, Fill, Limits, MissingRule, OutlierAction, Outliers, PrepareSpec, Scaling};

/// One pair a rule; what is switched off is left out, but for the scaling.
pub(super) fn pairs(spec: &PrepareSpec) -> Vec<(&'static str, String)> {
    let mut pairs = Vec::new();
    if spec.drop_duplicates {
        pairs.push(("duplicates", "dropped".to_string()));
    }
    let own = |what: &dyn Fn(&crate::data::ColumnRule) -> Option<String>| {
        let columns = spec.columns.iter().filter_map(|(name, rule)| Some(format!("; {name}: {}", what(rule)?)));
        columns.collect::<String>()
    };
    let missing_in = own(&|rule| rule.missing.as_ref().map(missing));
    if spec.missing != MissingRule::Refuse || !missing_in.is_empty() {
        pairs.push(("missing values", missing(&spec.missing) + &missing_in));
    }
    let outliers_in = own(&|rule| rule.outliers.map(outliers));
    if spec.outliers.is_some() || !outliers_in.is_empty() {
        pairs.push(("outliers", outliers(spec.outliers) + &outliers_in));
    }
    let encoded = own(&|rule| rule.encode.map(|encode| encoding(encode).into()));
    if spec.encode != Encode::default() || !encoded.is_empty() {
        pairs.push(("categories", encoding(spec.encode).to_string() + &encoded));
    }
    pairs.push(("normalisation", scaling(spec.scaling) + &own(&|rule| rule.scaling.map(scaling))));
    pairs
}

fn missing(rule: &MissingRule) -> String {
    match rule {
        MissingRule::Refuse => "refused".into(),
        MissingRule::DropRow => "rows dropped".into(),
        MissingRule::Fill(Fill::Mean) => "filled with the training part's mean".into(),
        MissingRule::Fill(Fill::Median) => "filled with the training part's median".into(),
        MissingRule::Fill(Fill::Mode) => "filled with the training part's most frequent value".into(),
        MissingRule::Fill(Fill::Number(number)) => format!("filled with {number}"),
        MissingRule::Fill(Fill::Category(category)) => format!("filled with {category}"),
    }
}

fn outliers(outliers: Option<Outliers>) -> String {
    let Some(Outliers { by, action }) = outliers else { return "kept".into() };
    let action = match action {
        OutlierAction::Clip => "clipped to",
        OutlierAction::DropRow => "rows dropped from the training part beyond",
    };
    let by = match by {
        Limits::ZScore { limit } => format!("{limit} deviations from the mean"),
        Limits::Iqr { factor } => format!("{factor} interquartile ranges from the quartiles"),
        Limits::Range { low: Some(low), high: Some(high) } => format!("{low} to {high}"),
        Limits::Range { low: Some(low), .. } => format!("{low} and more"),
        Limits::Range { high, .. } => format!("{} and less", high.unwrap_or(f32::INFINITY)),
    };
    format!("{action} {by}")
}

fn encoding(encode: Encode) -> &'static str {
    match encode {
        Encode::OneHot => "one input a category",
        Encode::Ordinal => "numbered",
    }
}

fn scaling(scaling: Scaling) -> String {
    match scaling {
        Scaling::None => "none".into(),
        Scaling::Standardise => "mean and deviation of each channel, from the training part".into(),
        Scaling::MinMax { low, high } => format!("smallest and largest of each channel to {low} and {high}"),
        Scaling::Robust => "median and interquartile range of each channel, from the training part".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ColumnRule;

    #[test]
    fn rules_are_said_in_words() {
        let plain = pairs(&PrepareSpec::default());
        let expected = "mean and deviation of each channel, from the training part";
        assert_eq!(plain, [("normalisation", expected.to_string())]);
        let clip = Outliers { by: Limits::Iqr { factor: 1.5 }, action: OutlierAction::Clip };
        let mut spec = PrepareSpec { missing: MissingRule::Fill(Fill::Median), outliers: Some(clip), ..plain_spec() };
        let rule = ColumnRule { outliers: Some(None), scaling: Some(Scaling::Robust), ..ColumnRule::default() };
        spec.columns.insert("mass".into(), rule);
        let said: Vec<String> = pairs(&spec).into_iter().map(|(name, text)| format!("{name}: {text}")).collect();
        let expected = [
            "missing values: filled with the training part's median",
            "outliers: clipped to 1.5 interquartile ranges from the quartiles; mass: kept",
            "normalisation: none; mass: median and interquartile range of each channel, from the training part",
        ];
        assert_eq!(said, expected);
    }

    fn plain_spec() -> PrepareSpec {
        PrepareSpec { scaling: Scaling::None, ..PrepareSpec::default() }
    }
}
