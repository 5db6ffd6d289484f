//! Changing values of a description's text: everything else, comments and order among it, stays as it is.
//!
//! The place of a value is known from parsing, so a change is a replacement of a piece of text. A key that isn't written
//! yet is added to its table; tables on the way are made. Whether the key may stand there is the description's own check,
//! afterwards.

use std::ops::Range;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// Sets the value at a path such as `model.layers.0.outputs`; an item of a list is named by its index or by its `name`.
///
/// # Errors
/// In one sentence, why there is no such place.
pub fn set(text: &str, path: &str, value: &Value) -> Result<String, String> {
    let keys: Vec<&str> = path.split('.').collect();
    let table = DeTable::parse(text).map_err(|error| format!("not valid TOML: {}", error.message()))?;
    let place = find(Node::Table(table.get_ref(), table.span()), &keys, text)?;
    let (at, new) = match place {
        Place::Value(span) => (span, literal(value)),
        Place::Inline { brace, keys, comma } => {
            // `{ a = 1 }` has a blank before its brace, `{a = 1}` hasn't.
            let before = &text[..brace];
            let at = before.trim_end().len();
            let start = if comma { ", " } else { " " };
            let end = if before.ends_with(char::is_whitespace) { "" } else { " " };
            (at..at, format!("{start}{}{end}", pair(&keys, value)))
        }
        Place::Header { line_end, keys } => (line_end..line_end, format!("\n{}", pair(&keys, value))),
        Place::New { table, key } if table.is_empty() => (0..0, format!("{}\n", pair(&[key], value))),
        Place::New { table, key } => {
            let end = text.len();
            let start = if text.ends_with('\n') { "\n" } else { "\n\n" };
            (end..end, format!("{start}[{}]\n{}\n", quoted(&table), pair(&[key], value)))
        }
    };
    Ok([&text[..at.start], &new, &text[at.end..]].concat())
}

/// The value at a path as text, as it is written; none if there is none.
pub fn get<'t>(text: &'t str, path: &str) -> Option<&'t str> {
    let keys: Vec<&str> = path.split('.').collect();
    let table = DeTable::parse(text).ok()?;
    match find(Node::Table(table.get_ref(), table.span()), &keys, text).ok()? {
        Place::Value(span) => text.get(span),
        _ => None,
    }
}

/// Where a value goes.
enum Place<'k> {
    /// In place of this text.
    Value(Range<usize>),
    /// Before the closing brace of an inline table.
    Inline { brace: usize, keys: Vec<&'k str>, comma: bool },
    /// After the line of a table's header.
    Header { line_end: usize, keys: Vec<&'k str> },
    /// Into a table that has no header yet.
    New { table: Vec<&'k str>, key: &'k str },
}

enum Node<'d, 's> {
    Table(&'d DeTable<'s>, Range<usize>),
    Value(&'d DeValue<'s>, Range<usize>),
}

fn find<'k>(mut node: Node<'_, '_>, keys: &[&'k str], text: &str) -> Result<Place<'k>, String> {
    for (depth, key) in keys.iter().enumerate() {
        if let Node::Value(DeValue::Table(table), span) = node {
            node = Node::Table(table, span);
        }
        let walked = keys[..depth].join(".");
        if key.is_empty() {
            return Err("the path has an empty part".into());
        }
        let next = match &node {
            Node::Table(table, span) => match table.get(*key) {
                Some(value) => (value.get_ref(), value.span()),
                None => return Ok(missing(table, span, keys, depth, text)),
            },
            Node::Value(DeValue::Array(items), _) => {
                let name = |value: &DeValue<'_>| match value {
                    DeValue::Table(table) => {
                        table.get("name").and_then(|name| name.get_ref().as_str().map(str::to_string))
                    }
                    _ => None,
                };
                let index =
                    key.parse().ok().or(items.iter().position(|item| name(item.get_ref()).as_deref() == Some(*key)));
                let found = index.and_then(|index: usize| items.get(index));
                let Some(item) = found else {
                    let names: Vec<String> = items.iter().filter_map(|item| name(item.get_ref())).collect();
                    let names =
                        if names.is_empty() { String::new() } else { format!(", by name {}", names.join(", ")) };
                    return Err(match items.len() {
                        0 => format!("`{walked}` is empty"),
                        count => format!("`{walked}` has no `{key}`; there are 0 to {}{names}", count - 1),
                    });
                };
                (item.get_ref(), item.span())
            }
            Node::Value(_, span) => {
                let written = text.get(span.clone()).unwrap_or_default();
                return Err(format!("`{walked}` is {written}, not a table; write it as one to search its `{key}`"));
            }
        };
        node = Node::Value(next.0, next.1);
    }
    match node {
        Node::Value(DeValue::Table(_), span) if !is_inline(text, &span) => {
            Err("a whole section can't be replaced; give the paths of its keys".into())
        }
        Node::Value(_, span) => Ok(Place::Value(span)),
        Node::Table(..) => Err("the path is empty".into()),
    }
}

fn is_inline(text: &str, span: &Range<usize>) -> bool {
    text.get(span.clone()).is_some_and(|text| text.starts_with('{'))
}

/// Where `keys[depth..]` goes in a table that doesn't have them.
fn missing<'k>(table: &DeTable<'_>, span: &Range<usize>, keys: &[&'k str], depth: usize, text: &str) -> Place<'k> {
    let rest = keys[depth..].to_vec();
    let written = text.get(span.clone()).unwrap_or_default();
    if depth > 0 && written.starts_with('{') && written.ends_with('}') {
        return Place::Inline { brace: span.end - 1, keys: rest, comma: !table.is_empty() };
    }
    if depth > 0 && written.starts_with('[') {
        let line_end = text[span.end..].find('\n').map_or(text.len(), |end| span.end + end);
        return Place::Header { line_end, keys: rest };
    }
    let (key, table) = keys.split_last().map_or((&"", &[][..]), |(key, table)| (key, table));
    Place::New { table: table.to_vec(), key }
}

/// `key = value`, or `key = { key = value }` for keys of tables that aren't there.
fn pair(keys: &[&str], value: &Value) -> String {
    match keys {
        [] => String::new(),
        [key] => format!("{} = {}", quoted(&[key]), literal(value)),
        [key, rest @ ..] => format!("{} = {{ {} }}", quoted(&[key]), pair(rest, value)),
    }
}

fn quoted(keys: &[&str]) -> String {
    let bare = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let one = |key: &&str| if bare(key) { key.to_string() } else { string(key) };
    keys.iter().map(one).collect::<Vec<_>>().join(".")
}

/// A value as TOML has it, on one line.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => whole.to_string(),
            // Shortest text that reads as the same number, always with a point or an exponent.
            (None, Some(real)) => format!("{real:?}"),
            (None, None) => number.to_string(),
        },
        Value::String(text) => string(text),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(table) => {
            let mut pairs: Vec<(&String, &Value)> = table.iter().collect();
            // What it is comes first, as people write it.
            pairs.sort_by_key(|(key, _)| !matches!(key.as_str(), "name" | "op" | "by"));
            let pairs: Vec<String> = pairs.iter().map(|(key, value)| pair(&[key], value)).collect();
            if pairs.is_empty() { "{}".into() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
    }
}

/// A basic string; JSON's escapes are among TOML's.
fn string(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = r#"# A model.
name = "digits"   # its name

[model]
input = [64]
layers = [
    { op = "linear", outputs = 32, name = "hidden" },   # wide
    { op = "relu" },
    {op="linear"},
]

[training]  # of the host
optimizer = { name = "adam", learning_rate = 1e-3 }
loss = "huber"

[device.training]
batch = 1
"#;

    fn changed(path: &str, value: Value, from: &str, to: &str) {
        assert_eq!(TEXT.matches(from).count(), 1);
        let new = set(TEXT, path, &value).unwrap();
        assert_eq!(new, TEXT.replace(from, to), "{path}");
        let read: toml::Table = toml::from_str(&new).unwrap();
        let mut found = &toml::Value::Table(read);
        for key in path.split('.') {
            found = match found {
                toml::Value::Array(items) => {
                    let named = |item: &&toml::Value| item.get("name").and_then(toml::Value::as_str) == Some(key);
                    key.parse().ok().and_then(|i: usize| items.get(i)).or(items.iter().find(named)).unwrap()
                }
                other => &other[key],
            };
        }
        assert_eq!(serde_json::to_value(found).unwrap(), value, "{path}");
    }

    #[test]
    fn only_the_value_changes() {
        changed("training.optimizer.learning_rate", json!(0.00316228), "1e-3", "0.00316228");
        changed("model.layers.0.outputs", json!(16), "outputs = 32", "outputs = 16");
        changed("model.layers.hidden.outputs", json!(16), "outputs = 32", "outputs = 16");
        changed("name", json!("a\"b\\\n\u{7f}"), "\"digits\"", "\"a\\\"b\\\\\\n\\u007f\"");
        changed("model.input", json!([8, 8]), "[64]", "[8, 8]");
        changed(
            "training.optimizer",
            json!({"momentum": 0.9, "name": "sgd"}),
            "{ name = \"adam\", learning_rate = 1e-3 }",
            "{ name = \"sgd\", momentum = 0.9 }",
        );
    }

    #[test]
    fn what_is_not_written_is_added_to_its_table() {
        changed("training.optimizer.beta1", json!(0.95), "1e-3 }", "1e-3, beta1 = 0.95 }");
        changed("model.layers.2.outputs", json!(10), "{op=\"linear\"}", "{op=\"linear\", outputs = 10 }");
        changed("training.batch", json!(8), "# of the host", "# of the host\nbatch = 8");
        changed("training.penalty.l2", json!(1e-5), "# of the host", "# of the host\npenalty = { l2 = 1e-5 }");
        changed("device.training.seed", json!(3), "[device.training]", "[device.training]\nseed = 3");
        changed("device.ram", json!("8 KiB"), "batch = 1\n", "batch = 1\n\n[device]\nram = \"8 KiB\"\n");
        changed("preprocessing.scale", json!(0.5), "batch = 1\n", "batch = 1\n\n[preprocessing]\nscale = 0.5\n");
        assert_eq!(set("a = 1\n", "name", &json!("x")).unwrap(), "name = \"x\"\na = 1\n");
    }

    #[test]
    fn a_place_that_is_none_says_why() {
        for (path, message) in [
            ("model.layers.3.outputs", "`model.layers` has no `3`; there are 0 to 2, by name hidden"),
            ("model.layers.hiden.outputs", "`model.layers` has no `hiden`; there are 0 to 2, by name hidden"),
            ("training.loss.delta", "`training.loss` is \"huber\", not a table; write it as one to search its `delta`"),
            ("training", "a whole section can't be replaced; give the paths of its keys"),
            ("training..batch", "the path has an empty part"),
        ] {
            assert_eq!(set(TEXT, path, &json!(1)).unwrap_err(), message);
        }
    }

    #[test]
    fn numbers_keep_their_bits_and_their_kind() {
        for number in [1.0, 0.1, 1e-7, 1e300, 123456789.125, -0.0, f64::MIN_POSITIVE] {
            let text = literal(&json!(number));
            let read: toml::Table = toml::from_str(&format!("x = {text}")).unwrap();
            assert_eq!(read["x"].as_float().unwrap().to_bits(), f64::to_bits(number), "{text}");
        }
        assert_eq!(literal(&json!([1, {"op": "relu", "a b": true}])), "[1, { op = \"relu\", \"a b\" = true }]");
    }
}
