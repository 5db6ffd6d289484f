//! No bytes make a loader of pictures, sounds or records panic: good files with a few bytes changed, removed or doubled.

use super::audio::{self, Mel, Spectrum};
use super::cifar::Cifar;
use super::fuzz::case;
use super::picture::{Format, Resize, tests::picture};
use super::text::{self, Method, Tokenizer};
use super::{CsvSpec, Draw, Source, Target, collect, disk, npy, npz, pack};
use image::ImageFormat;
use std::fs;
use std::path::PathBuf;

/// Fewer than for parsers alone: each case decodes, or goes through a file.
const CASES: u64 = 1_500;

fn path(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("emberlite-fuzz-{name}-{}", std::process::id()))
}

#[test]
fn pictures_never_panic() {
    let resizes = [Resize::Crop, Resize::Stretch, Resize::Pad, Resize::Shorter(5)];
    let good = [picture(9, 7, ImageFormat::Png), picture(17, 9, ImageFormat::Jpeg)];
    let mut decoded = 0;
    for number in 0..CASES {
        let channels = if number % 3 == 0 { 1 } else { 3 };
        let format = Format { channels, height: 4, width: 6, resize: resizes[number as usize % 4] };
        if let Ok(pixels) = format.decode("fuzz", &case(&good[number as usize % 2], number)) {
            assert_eq!(pixels.len(), format.len());
            decoded += 1;
        }
    }
    assert!(decoded > CASES / 20, "only {decoded} pictures passed: the mutations are too wild to test what follows");
}

#[test]
fn sounds_never_panic() {
    let good = audio::tests::file(2, 8000, &[1, -2, 300, -400, 5000, 6, 7, 8]);
    let mel = Mel { mels: 4, window: 8, hop: 4, fft: 8, ..Mel::default() };
    let spectrum = Spectrum::new(&mel, 8000, Some(3)).unwrap();
    let mut read = 0;
    for number in 0..10 * CASES {
        if let Ok(wave) = audio::parse("fuzz", &case(&good, number)) {
            assert!(wave.samples.iter().all(|x| x.is_finite()));
            assert!(spectrum.of(&wave.samples).iter().all(|x| x.is_finite()));
            read += 1;
        }
    }
    assert!(read > CASES / 2, "only {read} sounds passed");
}

#[test]
fn records_never_panic() {
    let file = path("records");
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    let array = npy::tests::file(header, &[0; 24]);
    let idx = [&[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3][..], &[7; 6]].concat();
    let labels = path("labels");
    fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 2, 1, 0]).unwrap();
    let cifar: Vec<u8> = (0..2 * 3073).map(|i| if i % 3073 == 0 { 3 } else { i as u8 }).collect();
    let all = |source: Result<super::Records, super::DataError>| {
        let Ok(source) = source else { return };
        if let Ok(set) = collect(&source, 1 << 20) {
            assert_eq!(set.features.len(), set.len() * set.sample_len());
        }
        // One beyond the end is an error too.
        let mut out = vec![0.0; source.sample_len().min(1 << 20)];
        assert!(source.read(Draw { indices: &[source.len()], epoch: None }, &mut out).is_err());
    };
    for number in 0..CASES {
        fs::write(&file, case(&array, number)).unwrap();
        all(disk::npy(&file, Target::None, 1.0));
        fs::write(&file, case(npz::tests::STORED, number)).unwrap();
        all(disk::npz(&file, "x", &super::Label::Class("y".into()), 1.0));
        fs::write(&file, case(&idx, number)).unwrap();
        all(disk::idx_images(&file, &labels, 1.0));
        if number % 10 == 0 {
            fs::write(&file, case(&cifar, number)).unwrap();
            all(Cifar::Ten.open(std::slice::from_ref(&file), 1.0));
        }
    }
    [file, labels].iter().for_each(|path| fs::remove_file(path).unwrap());
}

#[test]
fn packed_tables_never_panic() {
    let (table, packed) = (path("table"), path("packed"));
    let spec = CsvSpec::class("label");
    fs::write(&table, "a,label,b\n1,x,2\n3,y,4\n5,x,6\n").unwrap();
    pack::tables(std::slice::from_ref(&table), &spec, &packed, 1.0).unwrap();
    let good = fs::read(&packed).unwrap();
    for number in 0..CASES / 3 {
        // A damaged one is made again, whatever is in it; numbers of rows may differ from what was written.
        fs::write(&packed, case(&good, number)).unwrap();
        let set = pack::tables(std::slice::from_ref(&table), &spec, &packed, 1.0).unwrap();
        assert_eq!(set.len(), 3);
        let _ = collect(&set, 1 << 20);
    }
    let csv = fs::read(&table).unwrap();
    for number in 0..CASES / 3 {
        fs::write(&table, case(&csv, number)).unwrap();
        if let Ok(set) = pack::tables(std::slice::from_ref(&table), &spec, &packed, 1.0) {
            let _ = collect(&set, 1 << 20);
        }
    }
    [table, packed].iter().for_each(|path| drop(fs::remove_file(path)));
}

#[test]
fn texts_never_panic() {
    let file = path("text");
    let csv = "label,review\npos,\"good, yes\"\nneg,no ☃\n".as_bytes();
    for number in 0..CASES / 3 {
        fs::write(&file, case(csv, number)).unwrap();
        let Ok(texts) = text::read_csv(&file, "review", "label", &[]) else { continue };
        for method in [Method::Char, Method::Word { vocabulary: 3 }, Method::Bpe { vocabulary: 260 }] {
            if let Ok(tokenizer) = Tokenizer::train(&method, &texts.texts) {
                let set = texts.samples(&tokenizer, 3).unwrap();
                assert!(set.features.iter().all(|&token| (token as usize) <= tokenizer.len()));
            }
        }
    }
    fs::remove_file(&file).unwrap();
}
