//! `[data.clean]` and `[preprocessing]`: what happens to numbers and categories before the model sees them.
//! The keys stand in [`PrepareSpec`].

use super::data::Files;
use super::error::SpecError;
use super::section::{Section, Value};
use crate::data::{
    ColumnRule, Encode, Fill, Limits, Missing, MissingRule, OutlierAction, Outliers, PrepareSpec, Scaling, Unknown,
};

/// Reads `[data.clean]`, which only tables have, into the rules and what the loader must know of them.
pub(super) fn tables(value: Value<'_>, files: &mut Files, spec: &mut PrepareSpec) -> Result<(), SpecError> {
    let Files::Csv { spec: columns, .. } = files else {
        return Err(value.error("only tables (CSV, Parquet) are cleaned; mend the files where they are made".into()));
    };
    let both = value.error("`missing` stands in `data` too; give it here only".into());
    clean(value.section("a table such as { missing = \"median\" }")?, spec)?;
    let own = spec.columns.iter().filter_map(|(name, rule)| Some((name.clone(), rule.missing.as_ref()?.loader())));
    columns.missing_in = own.collect();
    columns.type_errors_are_missing = spec.type_errors_are_missing;
    match (columns.missing, spec.missing.loader()) {
        (Missing::Refuse, rule) => columns.missing = rule,
        (_, Missing::Refuse) => {}
        _ => return Err(both),
    }
    Ok(())
}

fn clean(mut section: Section<'_>, spec: &mut PrepareSpec) -> Result<(), SpecError> {
    if let Some(value) = section.take("duplicates") {
        spec.drop_duplicates = choice(&value, "rule", &[("keep", false), ("drop", true)])?;
    }
    if let Some(value) = section.take("type_errors") {
        spec.type_errors_are_missing = choice(&value, "rule", &[("refuse", false), ("missing", true)])?;
    }
    if let Some(value) = section.take("missing") {
        spec.missing = missing(value)?;
    }
    if let Some(value) = section.take("outliers") {
        spec.outliers = outliers(value)?;
    }
    for (name, mut section) in columns(&mut section, "columns.x = { missing = \"mean\" }")? {
        let rule = spec.columns.entry(name).or_default();
        rule.missing = section.take("missing").map(missing).transpose()?;
        rule.outliers = section.take("outliers").map(outliers).transpose()?;
        section.finish()?;
    }
    section.finish()
}

/// Reads what `[preprocessing]` says of scaling and encoding.
pub(super) fn preprocessing(section: &mut Section<'_>, spec: &mut PrepareSpec) -> Result<(), SpecError> {
    let (short, long) = (section.take("standardise"), section.take("scaling"));
    match (short, long) {
        (Some(_), Some(value)) => return Err(value.error("give `scaling` or `standardise`, not both".into())),
        (Some(value), None) => spec.scaling = if value.flag()? { Scaling::Standardise } else { Scaling::None },
        (None, Some(value)) => spec.scaling = scaling(value)?,
        (None, None) => {}
    }
    if let Some(value) = section.take("encode") {
        spec.encode = encode(&value)?;
    }
    if let Some(value) = section.take("unknown") {
        spec.unknown = unknown(&value)?;
    }
    for (name, mut section) in columns(section, "columns.x = { scaling = \"none\" }")? {
        let rule: &mut ColumnRule = spec.columns.entry(name).or_default();
        rule.scaling = section.take("scaling").map(scaling).transpose()?;
        rule.encode = section.take("encode").map(|value| encode(&value)).transpose()?;
        rule.unknown = section.take("unknown").map(|value| unknown(&value)).transpose()?;
        if let Some(value) = section.take("categories") {
            let empty = value.expected("at least one category");
            rule.categories = value.strings("a list of categories")?;
            if rule.categories.is_empty() {
                return Err(empty);
            }
        }
        section.finish()?;
    }
    Ok(())
}

/// The table `columns`, whose keys are names of columns.
fn columns<'s>(section: &mut Section<'s>, example: &str) -> Result<Vec<(String, Section<'s>)>, SpecError> {
    let Some(value) = section.take("columns") else { return Ok(Vec::new()) };
    let expected = format!("a table of columns, for example {example}");
    let entries = value.section(&expected)?.rest();
    entries.into_iter().map(|(name, value)| Ok((name, value.section(&expected)?))).collect()
}

fn choice<T: Copy>(value: &Value<'_>, what: &str, choices: &[(&str, T)]) -> Result<T, SpecError> {
    let names: Vec<&str> = choices.iter().map(|&(name, _)| name).collect();
    let name = value.string(&format!("one of {}", names.join(", ")))?;
    let found = choices.iter().find(|&&(choice, _)| choice == name);
    found.map(|&(_, choice)| choice).ok_or_else(|| value.unknown(what, name, &names))
}

fn missing(value: Value<'_>) -> Result<MissingRule, SpecError> {
    const NAMES: [&str; 5] = ["refuse", "drop_row", "mean", "median", "mode"];
    if value.is_string() {
        let name = value.string("a rule")?;
        return Ok(match name {
            "refuse" => MissingRule::Refuse,
            "drop_row" => MissingRule::DropRow,
            "mean" => MissingRule::Fill(Fill::Mean),
            "median" => MissingRule::Fill(Fill::Median),
            "mode" => MissingRule::Fill(Fill::Mode),
            _ => return Err(value.unknown("rule for missing cells", name, &NAMES)),
        });
    }
    let mut section = value.section("one of refuse, drop_row, mean, median, mode, or { constant = 0 }")?;
    let constant = section.need("constant", "what missing cells are filled with, for example { constant = 0 }")?;
    let fill = if constant.is_string() {
        Fill::Category(constant.string("a category")?.into())
    } else {
        Fill::Number(constant.single()?)
    };
    section.finish()?;
    Ok(MissingRule::Fill(fill))
}

fn outliers(value: Value<'_>) -> Result<Option<Outliers>, SpecError> {
    const EXAMPLE: &str = "{ by = \"z_score\", limit = 3, action = \"clip\" }, or \"keep\"";
    if value.is_string() {
        return choice(&value, "rule for outliers", &[("keep", None)]);
    }
    let mut section = value.section(EXAMPLE)?;
    let by = section.need("by", "the rule: z_score, iqr or range")?;
    let by = match choice(&by, "rule for outliers", &[("z_score", 0), ("iqr", 1), ("range", 2)])? {
        0 => {
            let value = section.take("limit");
            let limit = value.as_ref().map_or(Ok(3.0), Value::real)?;
            match value {
                Some(value) if limit <= 0.0 => return Err(value.expected("a positive number of deviations")),
                _ => Limits::ZScore { limit },
            }
        }
        1 => {
            let value = section.take("factor");
            let factor = value.as_ref().map_or(Ok(1.5), Value::real)?;
            match value {
                Some(value) if factor < 0.0 => {
                    return Err(value.expected("a number of interquartile ranges, 0 or more"));
                }
                _ => Limits::Iqr { factor },
            }
        }
        _ => {
            let (low, high) = (section.take("low"), section.take("high"));
            let number = |value: &Option<Value<'_>>| value.as_ref().map(Value::single).transpose();
            match (number(&low)?, number(&high)?) {
                (None, None) => return Err(section.error("give `low`, `high` or both".into())),
                (Some(least), Some(most)) if least > most => {
                    return Err(section.error(format!("`low` = {least} is above `high` = {most}; change them")));
                }
                (low, high) => Limits::Range { low, high },
            }
        }
    };
    let action = section
        .take("action")
        .map(|value| choice(&value, "action", &[("clip", OutlierAction::Clip), ("drop_row", OutlierAction::DropRow)]));
    let action = action.transpose()?.unwrap_or_default();
    section.finish()?;
    Ok(Some(Outliers { by, action }))
}

fn scaling(value: Value<'_>) -> Result<Scaling, SpecError> {
    const UNIT: Scaling = Scaling::MinMax { low: 0.0, high: 1.0 };
    const CHOICES: [(&str, Scaling); 4] = [
        ("standardise", Scaling::Standardise),
        ("min_max", UNIT),
        ("robust", Scaling::Robust),
        ("none", Scaling::None),
    ];
    if value.is_string() {
        return choice(&value, "scaling", &CHOICES);
    }
    let mut section =
        value.section("one of standardise, min_max, robust, none, or { by = \"min_max\", low = -1, high = 1 }")?;
    let by = section.need("by", "the scaling, for example by = \"min_max\"")?;
    let mut scaling = choice(&by, "scaling", &CHOICES)?;
    if let Scaling::MinMax { low, high } = &mut scaling {
        if let Some(value) = section.take("low") {
            *low = value.single()?;
        }
        if let Some(value) = section.take("high") {
            *high = value.single()?;
        }
        if *low >= *high {
            return Err(section.error(format!("`low` = {low} must be below `high` = {high}")));
        }
    }
    section.finish()?;
    Ok(scaling)
}

fn encode(value: &Value<'_>) -> Result<Encode, SpecError> {
    choice(value, "encoding", &[("one_hot", Encode::OneHot), ("ordinal", Encode::Ordinal)])
}

fn unknown(value: &Value<'_>) -> Result<Unknown, SpecError> {
    if value.is_string() {
        return choice(value, "rule", &[("refuse", Unknown::Refuse), ("zero", Unknown::Zero)]);
    }
    let number = value.single();
    number.map(Unknown::Number).map_err(|_| value.expected("\"refuse\", \"zero\", or a number for ordinal columns"))
}
