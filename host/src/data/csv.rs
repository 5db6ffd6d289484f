//! CSV: one row of a recording, or one whole sample, a line. Also as `.csv.gz`.

use super::dataset::Dataset;
use super::error::DataError;
use super::rows::{parse_rows, read_rows};
use super::spec::CsvSpec;
use std::path::Path;

/// Reads a file into rows of shape `[features]`. A category column holds the number of its value among those found, sorted;
/// what is missing and shall be filled is NaN: see [`Prepare`](super::Prepare) for what a model takes.
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
    Ok(read_rows(paths, spec)?.set)
}

/// The same for the bytes of one file; `file` is its name in errors. Gzip is unpacked.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &str, bytes: &[u8], spec: &CsvSpec) -> Result<Dataset, DataError> {
    Ok(parse_rows(file, bytes, spec)?.set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::row_reader::RowReader;
    use crate::data::rows::assemble;
    use crate::data::{Label, Labels, Missing};

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
        let table = |file, text: &str| RowReader::parse(file, text.into(), &spec());
        let all =
            |tables: [Result<RowReader, DataError>; 2]| Ok::<_, DataError>(assemble(tables.into_iter(), &spec())?.set);
        let set = all([table("a", LOG), table("b", LOG)]).unwrap();
        assert_eq!((set.len(), set.origins[3].recording, set.columns[0].values.len()), (6, 2, 2));
        let other = all([table("a", LOG), table("c", "t,person,label,x\n1,a,walk,1\n")]).unwrap_err().to_string();
        assert!(other.starts_with("c: expected 2 feature columns as in a, found 1"), "{other}");
        // Columns go by their names.
        let other = all([table("a", LOG), table("c", "y,x,label,person,t\n7,8,walk,ann,1\n")]).unwrap();
        assert_eq!(other.sample(3), [8.0, 7.0]);
        let other = all([table("a", LOG), table("c", "y,z,label,person,t\n7,8,walk,ann,1\n")]).unwrap_err().to_string();
        assert_eq!(other, "c: no column or array `x`; there are: y, z, label, person, t");
    }
}
