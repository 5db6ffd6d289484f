//! No bytes make a loader panic: random ones, and good files with a few bytes changed, removed or doubled.

use super::random::hash;
use super::{
    CsvSpec, Encode, Fill, Folds, FoldsBy, Label, Limits, Missing, MissingRule, OutlierAction, Outliers, Prepare,
    PrepareSpec, Rows, Scaling, Target, Unknown, Window, balanced_order, csv, idx, npy, npz, parquet, parse_rows,
    split, windows,
};
use std::io::Write;

const CASES: u64 = 10_000;

const CSV: &[u8] =
    b"recording,person,label,x,y\n1,ann,walk,0.5,1\n1,ann,still,2,3e4\n2,\"b\"\"ob\",walk,-4,5\n2,bob,walk,4,NA\n";

/// Case `number` made from `seed_file`: 1 to 8 edits, or for every 16th case nothing but random bytes.
pub(super) fn case(seed_file: &[u8], number: u64) -> Vec<u8> {
    let random = |index: u64| hash(number, index);
    if number.is_multiple_of(16) {
        let len = random(0) % 300;
        return (1..=len).map(|index| random(index) as u8).collect();
    }
    let mut bytes = seed_file.to_vec();
    for edit in 0..[1, 1, 1, 1, 2, 2, 4, 8][random(0) as usize % 8] {
        let value = random(3 * edit + 2);
        let at = random(3 * edit + 1) as usize % (bytes.len() + 1);
        match value % 5 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, (value >> 8) as u8),
            2 => bytes.extend_from_within(at..),
            // Bytes that mean something: signs of structure, and the ends of number ranges.
            3 if at < bytes.len() => bytes[at] = b"\x00\xff\x7f\x80,\n\"'(){}0-"[(value >> 8) as usize % 14],
            _ if at < bytes.len() => bytes[at] ^= 1 << (value >> 8 & 7),
            _ => {}
        }
    }
    bytes
}

#[test]
fn csv_never_panics() {
    let spec =
        CsvSpec { missing: Missing::DropRow, ..CsvSpec::class("label").recording("recording").groups(["person"]) };
    let mut read = 0;
    for number in 0..CASES {
        let bytes = case(CSV, number);
        let header = number % 3 != 0;
        let spec = if header { spec.clone() } else { CsvSpec { header, ..CsvSpec::default() } };
        let Ok(set) = csv::parse("fuzz", &bytes, &spec) else {
            continue;
        };
        read += 1;
        assert!(set.features.iter().all(|value| value.is_finite()));
        assert_eq!(set.features.len(), set.len() * set.sample_len());
        let _ = windows(&set, Window::new(2, 1));
        let _ = split::head(&set, 0.5);
        let _ = split::group(&set, &["person"], 0.5, number);
        let _ = split::stratified(&set, 0.5, number);
    }
    assert!(read > CASES / 20, "only {read} files passed: the mutations are too wild to test what follows");
}

/// Every step from a table to what a model is trained on, by rules that depend on the case.
fn prepared(rows: &Rows, number: u64) -> bool {
    let by = [Limits::ZScore { limit: 0.5 }, Limits::Iqr { factor: 0.0 }, Limits::Range { low: Some(0.0), high: None }];
    let action = if number.is_multiple_of(2) { OutlierAction::Clip } else { OutlierAction::DropRow };
    let fills = [Fill::Mean, Fill::Median, Fill::Mode, Fill::Number(1.0), Fill::Category("walk".into())];
    let scalings = [Scaling::Standardise, Scaling::MinMax { low: -1.0, high: 1.0 }, Scaling::Robust, Scaling::None];
    let spec = PrepareSpec {
        missing: MissingRule::Fill(fills[number as usize % 5].clone()),
        outliers: (!number.is_multiple_of(3)).then(|| Outliers { by: by[number as usize % 3], action }),
        encode: if number.is_multiple_of(4) { Encode::Ordinal } else { Encode::OneHot },
        unknown: Unknown::Zero,
        scaling: scalings[number as usize % 4],
        ..PrepareSpec::default()
    };
    let rows = rows.without_duplicates();
    let (train, test) = split::fraction(&rows.set, 0.5, number)
        .map_or_else(|_| (rows.clone(), rows.clone()), |split| (rows.select(&split.first), rows.select(&split.rest)));
    let _ = rows.check_whole();
    for by in [FoldsBy::KFold, FoldsBy::StratifiedKFold, FoldsBy::GroupKFold, FoldsBy::StratifiedGroupKFold] {
        let _ = Folds { repeats: 2, columns: vec!["person".into()], ..Folds::new(by, 2) }.of(&rows.set);
    }
    let _ = balanced_order(&train.set.labels, number, 1);
    let Ok(prepare) = Prepare::fit(&spec, &train) else { return false };
    let inliers = prepare.inliers(&train);
    let Ok(mut train) = prepare.encode(train.select(&inliers)) else { return false };
    if let Ok(Some(constants)) = prepare.constants(&train, false) {
        constants.apply(&mut train).expect("constants of this very set");
        assert!(train.features.iter().all(|x| x.is_finite()), "case {number}: {constants:?}");
    }
    let _ = prepare.encode(test);
    true
}

#[test]
fn tables_never_panic_on_their_way_to_a_model() {
    let spec = CsvSpec { missing: Missing::Keep, type_errors_are_missing: true, ..CsvSpec::class("label") };
    let spec = spec.recording("recording").groups(["person"]);
    let mut through = 0;
    for number in 0..CASES {
        let spec =
            if number % 3 == 0 { spec.clone().features(["x", "person"]).categorical(["person"]) } else { spec.clone() };
        if let Ok(rows) = parse_rows("fuzz", &case(CSV, number), &spec) {
            through += usize::from(prepared(&rows, number));
        }
    }
    assert!(through > CASES as usize / 20, "only {through} tables went all the way");
}

#[test]
fn parquet_never_panics() {
    let mut read = 0;
    for number in 0..CASES / 2 {
        let good = [parquet::tests::TYPES, parquet::tests::ZSTD, parquet::tests::GZIP][number as usize % 3];
        let spec = if number % 3 == 2 { CsvSpec::class("y") } else { parquet::tests::spec() };
        if let Ok(rows) = parse_rows("fuzz", &case(good, number), &spec) {
            read += 1;
            prepared(&rows, number);
        }
    }
    assert!(read > 0);
}

#[test]
fn npy_never_panics() {
    let header = "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }";
    let good = npy::tests::file(header, &[0; 24]);
    assert!(npy::parse("good", &good).is_ok());
    for number in 0..CASES {
        if let Ok(array) = npy::parse("fuzz", &case(&good, number)) {
            assert_eq!(array.shape.iter().product::<usize>(), array.values.len());
            let _ = array.clone().into_dataset(Target::Class(array));
        }
    }
}

#[test]
fn npz_never_panics() {
    for number in 0..CASES {
        let good = if number % 2 == 0 { npz::tests::STORED } else { npz::tests::DEFLATED };
        let _ = npz::parse("fuzz", &case(good, number), "x", &Label::Class("y".into()));
    }
}

#[test]
fn idx_never_panics() {
    let good = [&[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3][..], &[7; 6]].concat();
    assert!(idx::parse("good", &good).is_ok());
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(&good).unwrap();
    let packed = packed.finish().unwrap();
    for number in 0..CASES {
        let bytes = case(if number % 2 == 0 { &good } else { &packed }, number);
        if let Ok(array) = idx::parse("fuzz", &bytes) {
            let _ = array.into_dataset(Target::None);
        }
    }
}
