//! Walking a TOML document with every place known.
//!
//! Not serde: its errors for tagged tables and untagged values lose the line or say "no variant matched", and an unknown key
//! can't be answered with the nearest known one. Here a table hands out its entries one by one, and what is left at the end
//! is unknown.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::error::{Source, SpecError, shortened, suggestion};

/// What others call our keys, each beside our name.
const OTHERS: [(&str, &str); 13] = [
    ("separator", "delimiter"),
    ("sep", "delimiter"),
    ("batch_size", "batch"),
    ("lr", "learning_rate"),
    ("rate", "learning_rate"),
    ("num_epochs", "epochs"),
    ("max_epochs", "epochs"),
    ("optim", "optimizer"),
    ("scheduler", "schedule"),
    ("target", "label"),
    ("random_state", "seed"),
    ("path", "file"),
    ("units", "outputs"),
];

/// A table whose entries are taken one by one.
#[derive(Debug)]
pub(super) struct Section<'s> {
    source: Source<'s>,
    /// Its name in messages, `model.layers[2]`; empty for the whole document.
    path: String,
    span: Range<usize>,
    entries: Vec<(String, Range<usize>, Value<'s>)>,
    /// The keys that were asked for: those that may stand here.
    known: Vec<&'static str>,
}

/// One value with its place.
#[derive(Debug)]
pub(super) struct Value<'s> {
    source: Source<'s>,
    pub(super) path: String,
    pub(super) span: Range<usize>,
    value: DeValue<'s>,
}

/// Where a section's keys stand, for what can be checked only once all of it is read.
#[derive(Clone, Debug)]
pub(super) struct Keys<'s> {
    source: Source<'s>,
    path: String,
    span: Range<usize>,
    keys: Vec<(String, Range<usize>)>,
}

impl Keys<'_> {
    /// An error at the key that the text names, `momentum must be …`, or else at the whole table.
    pub(super) fn error(&self, text: &str) -> SpecError {
        let words = |key: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == key);
        match self.keys.iter().find(|(key, _)| words(key)) {
            Some((key, span)) => self.source.error(span, format!("`{}.{key}`: {text}", self.path)),
            None => self.source.error(&self.span, format!("`{}`: {text}", self.path)),
        }
    }
}

/// Parses a document.
pub(super) fn parse<'s>(source: Source<'s>) -> Result<Section<'s>, SpecError> {
    let table = DeTable::parse(source.text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        source.error(&span, format!("not valid TOML: {}", error.message().replace('\n', ", ")))
    })?;
    let span = table.span();
    Ok(Section::new(source, String::new(), span, table.into_inner()))
}

impl<'s> Section<'s> {
    fn new(source: Source<'s>, path: String, span: Range<usize>, table: DeTable<'s>) -> Self {
        let mut entries: Vec<_> = table
            .into_iter()
            .map(|(key, value)| {
                let (key_span, key) = (key.span(), key.into_inner().into_owned());
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                (key, key_span, Value { source, path, span: value.span(), value: value.into_inner() })
            })
            .collect();
        entries.sort_by_key(|(_, span, _)| span.start);
        Section { source, path, span, entries, known: Vec::new() }
    }

    /// The line of the table itself.
    pub(super) fn line(&self) -> u32 {
        self.source.line(self.span.start)
    }

    /// The entry of that key, if it is there.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'s>> {
        #[cfg(test)]
        super::reference::asked(&self.path, key);
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        let place = self.entries.iter().position(|(name, ..)| name == key)?;
        Some(self.entries.remove(place).2)
    }

    /// The entry of that key; `expected` says what it must be.
    pub(super) fn need(&mut self, key: &'static str, expected: &str) -> Result<Value<'s>, SpecError> {
        let found = self.take(key);
        found.ok_or_else(|| {
            // A misspelt key is the likelier mistake; then its own message helps more.
            let near = self.entries.iter().find(|(name, ..)| strsim::damerau_levenshtein(name, key) <= 2);
            let there = near.map_or(String::new(), |(name, ..)| format!(" (there is `{name}`)"));
            self.error(format!("`{key}` is missing{there}; give {expected}"))
        })
    }

    /// The keys that are left, to be named in errors once they are taken.
    pub(super) fn keys(&self) -> Keys<'s> {
        let keys = self.entries.iter().map(|(key, span, _)| (key.clone(), span.clone())).collect();
        Keys { source: self.source, path: self.path.clone(), span: self.span.clone(), keys }
    }

    /// Every key and every item of a list, however deep they stand: path, text where it is one, and line.
    pub(super) fn places(&self) -> Vec<(String, Option<String>, u32)> {
        let mut places = Vec::new();
        for (_, span, value) in &self.entries {
            collect(value.path.clone(), span.start, &value.value, &mut places);
        }
        // Of all at once: to count from the file's start for each would take long in a long file.
        let bytes = self.source.text.as_bytes().iter().enumerate();
        let ends: Vec<usize> = bytes.filter(|&(_, &byte)| byte == b'\n').map(|(at, _)| at).collect();
        let line = |at: usize| 1 + ends.partition_point(|&end| end < at) as u32;
        places.into_iter().map(|(path, text, at)| (path, text, line(at))).collect()
    }

    /// Whether one of the entries that are left has that key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, ..)| name == key)
    }

    /// An error at the table itself.
    pub(super) fn error(&self, message: String) -> SpecError {
        let place = if self.path.is_empty() { String::new() } else { format!("`{}`: ", self.path) };
        self.source.error(&self.span, format!("{place}{message}"))
    }

    /// Whether each of the entries that are left is a table, and there is one.
    pub(super) fn holds_tables(&self) -> bool {
        !self.entries.is_empty() && self.entries.iter().all(|(.., value)| value.is_table())
    }

    /// Refuses what nobody asked for.
    pub(super) fn finish(self) -> Result<(), SpecError> {
        self.refuse_rest()
    }

    /// The same where the section is needed afterwards.
    pub(super) fn refuse_rest(&self) -> Result<(), SpecError> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, span, value)) => {
                let mut known = self.known.clone();
                known.sort_unstable();
                let ours = OTHERS.iter().find(|(other, ours)| *other == key.to_lowercase() && known.contains(ours));
                let hint = match ours {
                    Some((_, ours)) => format!("it is `{ours}` here"),
                    None => suggestion(key, &known),
                };
                let message = format!("unknown key `{}`; {hint}", shortened(&value.path));
                Err(self.source.error(span, message))
            }
        }
    }

    /// All entries that nobody asked for, by key: of tables whose keys are names that people choose.
    pub(super) fn rest(self) -> Vec<(String, Value<'s>)> {
        self.entries.into_iter().map(|(key, _, value)| (key, value)).collect()
    }

    /// Leaves what nobody asked for alone.
    pub(super) fn ignore_rest(self) {}
}

impl<'s> Value<'s> {
    /// The line of the value.
    pub(super) fn line(&self) -> u32 {
        self.source.line(self.span.start)
    }

    /// An error that names what was expected.
    pub(super) fn expected(&self, expected: &str) -> SpecError {
        self.error(format!("expected {expected}, found {}", describe(&self.value)))
    }

    /// An error in the value's own words.
    pub(super) fn error(&self, message: String) -> SpecError {
        self.source.error(&self.span, format!("`{}`: {message}", shortened(&self.path)))
    }

    /// The error of a name that isn't among `names`.
    pub(super) fn unknown(&self, what: &str, name: &str, names: &[&str]) -> SpecError {
        self.error(format!("unknown {what} `{}`; {}", shortened(name), suggestion(name, names)))
    }

    pub(super) fn is_string(&self) -> bool {
        matches!(self.value, DeValue::String(_))
    }
    pub(super) fn is_array(&self) -> bool {
        matches!(self.value, DeValue::Array(_))
    }
    pub(super) fn is_number(&self) -> bool {
        matches!(self.value, DeValue::Integer(_) | DeValue::Float(_))
    }

    /// The text at a key of a table.
    pub(super) fn peek(&self, key: &str) -> Option<&str> {
        match &self.value {
            DeValue::Table(table) => match table.get(key)?.get_ref() {
                DeValue::String(text) => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether a table has the key.
    pub(super) fn has(&self, key: &str) -> bool {
        matches!(&self.value, DeValue::Table(table) if table.contains_key(key))
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(self.value, DeValue::Integer(_))
    }
    pub(super) fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    /// The value as it is, of any kind but a date.
    pub(super) fn literal(&self) -> Result<serde_json::Value, SpecError> {
        literal(&self.value).ok_or_else(|| self.expected("a number, text, true, false, list or table"))
    }

    pub(super) fn string(&self, expected: &str) -> Result<&str, SpecError> {
        match &self.value {
            DeValue::String(text) => Ok(text),
            _ => Err(self.expected(expected)),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, SpecError> {
        match self.value {
            DeValue::Boolean(flag) => Ok(flag),
            _ => Err(self.expected("true or false")),
        }
    }

    /// A whole number between two bounds, both included.
    pub(super) fn whole(&self, least: u64, most: u64) -> Result<u64, SpecError> {
        let number = match &self.value {
            DeValue::Integer(digits) => u64::from_str_radix(digits.as_str(), digits.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| self.expected(&format!("a whole number from {least} to {most}")))
    }

    /// A finite number; whole numbers count.
    pub(super) fn real(&self) -> Result<f64, SpecError> {
        let number: Option<f64> = match &self.value {
            DeValue::Integer(digits) if digits.radix() == 10 => digits.as_str().parse().ok(),
            DeValue::Float(digits) => digits.as_str().parse().ok(),
            _ => None,
        };
        number.filter(|number| number.is_finite()).ok_or_else(|| self.expected("a finite number"))
    }

    /// A finite number that an f32 can hold.
    pub(super) fn single(&self) -> Result<f32, SpecError> {
        let number = self.real()? as f32;
        if number.is_finite() { Ok(number) } else { Err(self.expected("a number of at most 3.4e38")) }
    }

    pub(super) fn array(self, expected: &str) -> Result<Vec<Value<'s>>, SpecError> {
        let Value { source, path, span, value } = self;
        match value {
            DeValue::Array(items) => Ok(items
                .into_iter()
                .enumerate()
                .map(|(index, item)| Value {
                    source,
                    path: format!("{path}[{index}]"),
                    span: item.span(),
                    value: item.into_inner(),
                })
                .collect()),
            value => Err(Value { source, path, span, value }.expected(expected)),
        }
    }

    /// A list of texts.
    pub(super) fn strings(self, expected: &str) -> Result<Vec<String>, SpecError> {
        let items = self.array(expected)?;
        items.iter().map(|item| item.string("a text").map(str::to_string)).collect()
    }

    pub(super) fn section(self, expected: &str) -> Result<Section<'s>, SpecError> {
        let Value { source, path, span, value } = self;
        match value {
            DeValue::Table(table) => Ok(Section::new(source, path, span, table)),
            value => Err(Value { source, path, span, value }.expected(expected)),
        }
    }
}

/// Adds a value, and those in it, each with the byte where its key, or the item of a list, begins.
fn collect(path: String, at: usize, value: &DeValue<'_>, places: &mut Vec<(String, Option<String>, usize)>) {
    let text = match value {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    };
    places.push((path.clone(), text, at));
    match value {
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect(format!("{path}[{index}]"), item.span().start, item.get_ref(), places);
            }
        }
        DeValue::Table(table) => {
            for (key, item) in table.iter() {
                collect(format!("{path}.{}", key.get_ref()), key.span().start, item.get_ref(), places);
            }
        }
        _ => {}
    }
}

fn literal(value: &DeValue<'_>) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    Some(match value {
        DeValue::String(text) => Json::from(text.as_ref()),
        DeValue::Integer(digits) => Json::from(i64::from_str_radix(digits.as_str(), digits.radix()).ok()?),
        DeValue::Float(digits) => Json::from(digits.as_str().parse::<f64>().ok().filter(|number| number.is_finite())?),
        DeValue::Boolean(flag) => Json::from(*flag),
        DeValue::Datetime(_) => return None,
        DeValue::Array(items) => items.iter().map(|item| literal(item.as_ref())).collect::<Option<Vec<_>>>()?.into(),
        DeValue::Table(table) => {
            let pairs = table.iter().map(|(key, item)| Some((key.as_ref().to_string(), literal(item.as_ref())?)));
            Json::Object(pairs.collect::<Option<_>>()?)
        }
    })
}

fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text \"{}\"", shortened(text)),
        DeValue::Integer(number) => shortened(number.as_str()),
        DeValue::Float(number) => shortened(number.as_str()),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(items) => format!("a list of {}", items.len()),
        DeValue::Table(_) => "a table".into(),
    }
}
