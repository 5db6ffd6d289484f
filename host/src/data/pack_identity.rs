//! What a packed table is known by: the meaning of the columns in stated words, and the files that it is made of.
//!
//! Words, and not what Rust would show of a value: they stay the same when a type is renamed or gains a field, and another
//! program can say them.

use super::bytes;
use super::error::DataError;
use super::source::fnv;
use super::spec::{CsvSpec, Label, Missing};
use std::fs;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

/// A table as it was when it was looked at.
struct Table {
    /// Its whole path, in the system's bytes.
    path: Vec<u8>,
    len: u64,
    /// Nanoseconds since 1970 of the last change.
    changed: u64,
}

/// FNV-1a over the columns' words, byte by byte, and of each file the length of its path, the path byte by byte, its length and
/// its time.
///
/// # Errors
/// [`DataError::Read`] for a file that isn't there.
pub(super) fn fingerprint(paths: &[PathBuf], spec: &CsvSpec) -> Result<u64, DataError> {
    let look = |path: &PathBuf| {
        let failed = |source| DataError::Read { file: bytes::name(path), source };
        let facts = fs::metadata(path).map_err(failed)?;
        let changed = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        // However it is spelled.
        let whole = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        let path = whole.as_os_str().as_encoded_bytes().to_vec();
        Ok(Table { path, len: facts.len(), changed: changed.as_nanos() as u64 })
    };
    Ok(of(spec, &paths.iter().map(look).collect::<Result<Vec<_>, DataError>>()?))
}

fn of(spec: &CsvSpec, tables: &[Table]) -> u64 {
    let text = words(spec);
    let tables = tables.iter().flat_map(|table| {
        let path = table.path.iter().map(|&byte| u64::from(byte));
        std::iter::once(table.path.len() as u64).chain(path).chain([table.len, table.changed])
    });
    fnv(text.bytes().map(u64::from).chain(tables))
}

/// What the columns mean, a line each: `feature ax`, `class y`, `missing refuse`; a list is as many lines, in its order. In a name
/// `\` is `\\` and the end of a line `\n`.
fn words(spec: &CsvSpec) -> String {
    // Whole, so that a new field must be told.
    let CsvSpec {
        features,
        label,
        classes,
        categorical,
        groups,
        recording,
        missing,
        missing_in,
        type_errors_are_missing,
        delimiter,
        header,
    } = spec;
    let mut lines: Vec<(&str, &str)> = features.iter().map(|name| ("feature", name.as_str())).collect();
    match label {
        Label::None => {}
        Label::Class(name) => lines.push(("class", name)),
        Label::Value(name) => lines.push(("value", name)),
    }
    let lists = [("named", classes), ("categorical", categorical), ("group", groups)];
    lists.into_iter().for_each(|(word, names)| lines.extend(names.iter().map(|name| (word, name.as_str()))));
    lines.extend(recording.iter().map(|name| ("recording", name.as_str())));
    lines.push(("missing", rule(*missing)));
    for (name, missing) in missing_in {
        lines.extend([("column", name.as_str()), ("missing", rule(*missing))]);
    }
    lines.push(("type errors", if *type_errors_are_missing { "missing" } else { "refuse" }));
    let delimiter = delimiter.to_string();
    lines.extend([("delimiter", delimiter.as_str()), ("header", if *header { "yes" } else { "no" })]);
    lines.into_iter().map(|(word, name)| format!("{word} {}\n", escaped(name))).collect()
}

const fn rule(missing: Missing) -> &'static str {
    match missing {
        Missing::Refuse => "refuse",
        Missing::DropRow => "drop_row",
        Missing::Keep => "keep",
    }
}

/// A name on a line of its own, whatever it holds.
pub(super) fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table { path: b"/data/x.csv".to_vec(), len: 1234, changed: 1_700_000_000_123_456_789 }
    }

    /// The numbers are Python's:
    ///
    /// ```text
    /// def fnv(words):
    ///     h = 0xcbf29ce484222325
    ///     for w in words: h = ((h ^ w) * 0x100000001b3) % 2**64
    ///     return h
    /// text = "missing refuse\ntype errors refuse\ndelimiter ,\nheader yes\n"
    /// p = b"/data/x.csv"
    /// hex(fnv([*text.encode(), len(p), *p, 1234, 1700000000123456789]))
    /// ```
    #[test]
    fn a_packed_table_is_known_by_words_that_another_program_can_say() {
        let plain = CsvSpec::default();
        assert_eq!(words(&plain), "missing refuse\ntype errors refuse\ndelimiter ,\nheader yes\n");
        assert_eq!(of(&plain, &[table()]), 0x9fc4_1d57_d52e_9c63);

        let mut all = CsvSpec::class("y").features(["a", "b\\\nc"]).classes(["u", "v"]).groups(["who"]).recording("t");
        all.missing = Missing::DropRow;
        all.missing_in.insert("a".into(), Missing::Refuse);
        (all.type_errors_are_missing, all.delimiter, all.header) = (true, ';', false);
        let expected = "feature a\nfeature b\\\\\\nc\nclass y\nnamed u\nnamed v\ngroup who\nrecording t\nmissing drop_row\n\
                        column a\nmissing refuse\ntype errors missing\ndelimiter ;\nheader no\n";
        assert_eq!(words(&all), expected);
        assert_eq!(of(&all, &[table(), table()]), 0x4121_085b_102a_a397);
    }

    #[test]
    fn every_word_counts() {
        let plain = of(&CsvSpec::default(), &[table()]);
        for other in [
            CsvSpec::class("y"),
            CsvSpec::value("y"),
            CsvSpec::default().features(["y"]),
            CsvSpec::default().categorical(["y"]),
            CsvSpec { missing: Missing::Keep, ..CsvSpec::default() },
        ] {
            assert_ne!(of(&other, &[table()]), plain, "{other:?}");
        }
        for other in [
            Table { len: 1235, ..table() },
            Table { changed: 5, ..table() },
            Table { path: vec![0x2f, 0xff], ..table() },
        ] {
            assert_ne!(of(&CsvSpec::default(), &[other]), plain);
        }
    }
}
