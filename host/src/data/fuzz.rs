//! No bytes make a loader panic: random ones, and good files with a few bytes changed, removed or doubled.

use super::random::hash;
use super::{CsvSpec, Label, Missing, Target, Window, csv, idx, npy, npz, split, windows};
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
