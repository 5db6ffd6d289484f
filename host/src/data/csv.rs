//! CSV: one row of a recording, or one whole sample, a line. Also as `.csv.gz`.

use super::bytes;
use super::dataset::{Column, Dataset, Labels, Origin};
use super::error::DataError;
use super::spec::{CsvSpec, Label, Missing};
use super::table::Table;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// Reads a file into rows of shape `[features]`.
///
/// # Errors
/// [`DataError`] with file, line and column for anything that isn't as the spec says.
pub fn read(path: impl AsRef<Path>, spec: &CsvSpec) -> Result<Dataset, DataError> {
    read_all(&[path], spec)
}

/// Reads several files with the same columns, one after the other; recordings of different files are different.
///
/// # Errors
/// As [`read`].
pub fn read_all<P: AsRef<Path>>(paths: &[P], spec: &CsvSpec) -> Result<Dataset, DataError> {
    let mut tables = Vec::with_capacity(paths.len());
    for path in paths {
        let path = path.as_ref();
        tables.push(table(&bytes::name(path), &bytes::read(path)?, spec)?);
    }
    assemble(&tables, spec)
}

/// The same for the bytes of one file; `file` is its name in errors. Gzip is unpacked.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &str, bytes: &[u8], spec: &CsvSpec) -> Result<Dataset, DataError> {
    let bytes = bytes::unpack(file, bytes.to_vec())?;
    assemble(&[table(file, &bytes, spec)?], spec)
}

fn table(file: &str, bytes: &[u8], spec: &CsvSpec) -> Result<Table, DataError> {
    let delimiter = u8::try_from(spec.delimiter).ok().filter(u8::is_ascii).ok_or_else(|| DataError::Mismatch {
        what: "delimiter".into(),
        expected: "one ASCII character".into(),
        found: spec.delimiter.to_string(),
        help: "use a comma, a semicolon or a tab",
    })?;
    Table::parse(file, bytes, delimiter, spec.header)
}

/// The columns of one table by their use, and its rows that are complete.
struct Used<'a> {
    table: &'a Table,
    features: Vec<usize>,
    label: Option<usize>,
    groups: Vec<usize>,
    recording: Option<usize>,
}

impl<'a> Used<'a> {
    fn new(table: &'a Table, spec: &CsvSpec) -> Result<Self, DataError> {
        let find = |name: &String| table.column(name);
        let label = match &spec.label {
            Label::None => None,
            Label::Class(name) | Label::Value(name) => Some(find(name)?),
        };
        let groups = spec.groups.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let recording = spec.recording.as_ref().map(find).transpose()?;
        let features = if spec.features.is_empty() {
            let used = |column: &usize| label == Some(*column) || recording == Some(*column) || groups.contains(column);
            (0..table.headers.len()).filter(|column| !used(column)).collect()
        } else {
            spec.features.iter().map(find).collect::<Result<Vec<_>, _>>()?
        };
        if features.is_empty() {
            return Err(DataError::Mismatch {
                what: table.file.clone(),
                expected: "at least one feature column".into(),
                found: format!("only {}", table.headers.join(", ")),
                help: "check the delimiter, or name the feature columns",
            });
        }
        Ok(Self { table, features, label, groups, recording })
    }

    /// Whether the row has all cells that are used; an error where missing ones are refused.
    fn complete(&self, row: usize, missing: Missing) -> Result<bool, DataError> {
        let mut used = self.features.iter().chain(&self.label).chain(&self.groups).chain(&self.recording);
        match used.find(|column| self.table.is_missing(row, **column)) {
            None => Ok(true),
            Some(_) if missing == Missing::DropRow => Ok(false),
            Some(&column) => Err(self.table.error(
                row,
                column,
                "a value",
                "fill the cell, or leave out such rows with missing = \"drop_row\"",
            )),
        }
    }
}

fn assemble(tables: &[Table], spec: &CsvSpec) -> Result<Dataset, DataError> {
    let mut features = Vec::new();
    let mut origins = Vec::new();
    let mut values = Vec::new();
    let mut classes = Column::new("");
    let mut columns: Vec<Column> = spec.groups.iter().map(|name| Column::new(name)).collect();
    let mut interner: Vec<HashMap<&str, u32>> = vec![HashMap::new(); columns.len() + 1];
    let mut recordings: HashMap<(usize, &str), (u32, u32)> = HashMap::new();
    let mut width = 0;
    for (number, table) in tables.iter().enumerate() {
        let used = Used::new(table, spec)?;
        if number > 0 && used.features.len() != width {
            return Err(DataError::Mismatch {
                what: table.file.clone(),
                expected: format!("{width} feature columns as in {}", tables[0].file),
                found: used.features.len().to_string(),
                help: "give files with the same columns, or name the feature columns",
            });
        }
        width = used.features.len();
        for row in 0..table.rows() {
            let key = (number, used.recording.map_or("", |column| table.cell(row, column)));
            let known = recordings.len() as u32;
            let (recording, next) = recordings.entry(key).or_insert((known, 0));
            // Counted before a row may be dropped: the gap must stay visible.
            let origin = Origin { recording: *recording, row: *next, rows: 1 };
            *next += 1;
            if !used.complete(row, spec.missing)? {
                continue;
            }
            for &column in &used.features {
                features.push(table.number(row, column)?);
            }
            match (&spec.label, used.label) {
                (Label::Class(_), Some(column)) => intern(&mut classes, &mut interner[0], table.cell(row, column)),
                (Label::Value(_), Some(column)) => values.push(table.number(row, column)?),
                _ => {}
            }
            for (group, &column) in used.groups.iter().enumerate() {
                intern(&mut columns[group], &mut interner[group + 1], table.cell(row, column));
            }
            origins.push(origin);
        }
    }
    let labels = match &spec.label {
        Label::None => Labels::None,
        Label::Class(name) => name_classes(classes, name, tables, spec)?,
        Label::Value(_) => Labels::Value(values),
    };
    if origins.is_empty() {
        return Err(DataError::Mismatch {
            what: tables.first().map_or("no file", |table| &table.file).into(),
            expected: "at least one row without missing cells".into(),
            found: "none".into(),
            help: "name the feature columns without those that are often empty",
        });
    }
    Ok(Dataset { features, shape: vec![width], labels, columns, origins })
}

fn intern<'a>(column: &mut Column, known: &mut HashMap<&'a str, u32>, text: &'a str) {
    let next = column.values.len() as u32;
    let id = *known.entry(text).or_insert(next);
    if id == next {
        column.values.push(text.into());
    }
    column.ids.push(id);
}

/// Numbers the classes in the order asked for.
fn name_classes(found: Column, column: &str, tables: &[Table], spec: &CsvSpec) -> Result<Labels, DataError> {
    let names = if spec.classes.is_empty() { sorted(&found.values) } else { spec.classes.clone() };
    let place: HashMap<&str, u32> = names.iter().zip(0..).map(|(name, id)| (name.as_str(), id)).collect();
    let ids: Option<Vec<u32>> = found.values.iter().map(|name| place.get(name.as_str()).copied()).collect();
    let Some(ids) = ids else {
        // Looked up again only now: the way of an error may be slow.
        for table in tables {
            let index = table.column(column)?;
            let unknown = |row: &usize| !place.contains_key(table.cell(*row, index)) && !table.is_missing(*row, index);
            if let Some(row) = (0..table.rows()).find(unknown) {
                let help = "add it to the classes, or remove the rows of this class";
                return Err(table.error(row, index, "one of the named classes", help));
            }
        }
        return Ok(Labels::None);
    };
    let ids = found.ids.iter().map(|&id| ids[id as usize]).collect();
    Ok(Labels::Class { ids, names })
}

/// Distinct names, as numbers where all are whole numbers: 2 comes before 10.
fn sorted(names: &[String]) -> Vec<String> {
    let number = |name: &String| name.parse::<i64>();
    if names.iter().all(|name| number(name).is_ok()) {
        let mut names = names.to_vec();
        names.sort_by_key(|name| (number(name).unwrap_or(0), name.clone()));
        names
    } else {
        names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "t,person,label,x,y\n1,ann,walk,0.5,1\n2,bob,still,2,3\n1,ann,walk,4,5\n";

    fn spec() -> CsvSpec {
        CsvSpec::class("label").recording("t").groups(["person"])
    }

    #[test]
    fn columns_find_their_use() {
        let set = parse("log.csv", LOG.as_bytes(), &spec()).unwrap();
        assert_eq!(set.features, [0.5, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(set.shape, [2]);
        let names = vec!["still".to_string(), "walk".to_string()];
        assert_eq!(set.labels, Labels::Class { ids: vec![1, 0, 1], names });
        let person = set.column("person").unwrap();
        assert_eq!([person.text(0), person.text(1), person.text(2)], ["ann", "bob", "ann"]);
        // The third line is the second row of the first recording.
        let places: Vec<_> = set.origins.iter().map(|origin| (origin.recording, origin.row)).collect();
        assert_eq!(places, [(0, 0), (1, 0), (0, 1)]);
    }

    #[test]
    fn whole_number_classes_sort_as_numbers_and_values_are_read() {
        let text = "x;y\n1;10\n2;9\n3;10\n";
        let spec = |label| CsvSpec { label, delimiter: ';', ..CsvSpec::default() };
        let set = parse("x", text.as_bytes(), &spec(Label::Class("y".into()))).unwrap();
        assert_eq!(set.labels, Labels::Class { ids: vec![1, 0, 1], names: vec!["9".into(), "10".into()] });
        let set = parse("x", text.as_bytes(), &spec(Label::Value("y".into()))).unwrap();
        assert_eq!((set.labels, set.features), (Labels::Value(vec![10.0, 9.0, 10.0]), vec![1.0, 2.0, 3.0]));
    }

    #[test]
    fn a_missing_cell_is_refused_or_its_row_dropped_with_a_gap() {
        let text = "x,y\n1,2\n3,NA\n5,6\n";
        let error = parse("m.csv", text.as_bytes(), &CsvSpec::default()).unwrap_err().to_string();
        assert!(error.starts_with("m.csv:3: column `y`: expected a value, found `NA`; fill the cell"), "{error}");
        let spec = CsvSpec { missing: Missing::DropRow, ..CsvSpec::default() };
        let set = parse("m.csv", text.as_bytes(), &spec).unwrap();
        assert_eq!(set.features, [1.0, 2.0, 5.0, 6.0]);
        assert_eq!(set.origins[1].row, 2);
        assert!(parse("m.csv", b"x\nNA\n", &spec).is_err());
    }

    #[test]
    fn unknown_names_are_named() {
        let text = |spec| parse("log.csv", LOG.as_bytes(), &spec).unwrap_err().to_string();
        let known = "log.csv: no column or array `z`; there are: t, person, label, x, y";
        assert_eq!(text(CsvSpec::class("z")), known);
        assert!(
            text(spec().classes(["walk"])).starts_with("log.csv:3: column `label`: expected one of the named classes")
        );
        assert!(text(CsvSpec::default()).starts_with("log.csv:2: column `person`: expected a number"));
        assert!(text(CsvSpec { delimiter: 'é', ..spec() }).starts_with("delimiter: expected one ASCII character"));
    }

    #[test]
    fn files_are_recordings_of_their_own() {
        let table = |file| Table::parse(file, LOG.as_bytes(), b',', true).unwrap();
        let set = assemble(&[table("a"), table("b")], &spec()).unwrap();
        assert_eq!((set.len(), set.origins[3].recording, set.columns[0].values.len()), (6, 2, 2));
        let other = Table::parse("c", b"t,person,label,x\n1,a,walk,1\n", b',', true).unwrap();
        assert!(assemble(&[table("a"), other], &spec()).unwrap_err().to_string().starts_with("c: expected 2 feature"));
    }
}
