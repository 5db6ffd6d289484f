//! Sets larger than memory train in the memory of a few batches: what the process holds doesn't grow with what it has read.
//!
//! A process of its own, with one test, since what is measured is the process. The set is a sparse file, so it needs no
//! disk. `EMBERLITE_STREAM_GB=10` reads that many gigabytes (as f32) instead of one.

use emberlite::graph::{Graph, Shape, average_pool2d, flatten, linear};
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::Optimizer;
use emberlite::plan::Training;
use emberlite_host::data::{CsvSpec, Set, Source, disk, fit_stream, pack};
use emberlite_host::train::{DeviceChoice, Event, Job, Observer, train};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

const MIB: u64 = 1 << 20;
/// Pixels a side: a sample is one mebibyte on the disk, and four in f32.
const SIDE: usize = 1024;
const BATCH: u32 = 2;
/// The batches that are ready, being read and being learnt, their tensors, and what the allocator keeps: a dozen times
/// 8 MiB. The set is ten times that and more.
const GROWTH: u64 = 96 * MIB;

/// Bytes that the process holds; none where the system doesn't say.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The most that was held when the loss was read.
struct Peak(u64);

impl Observer for Peak {
    fn event(&mut self, _: Event<'_>) -> io::Result<()> {
        self.0 = self.0.max(resident().unwrap_or(0));
        Ok(())
    }
}

fn folder() -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("stream");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// An IDX file of that many pictures that is nearly all hole, and its labels.
fn sparse(folder: &std::path::Path, samples: u32) -> (PathBuf, PathBuf) {
    let (images, labels) = (folder.join("images"), folder.join("labels"));
    let head = |axes: &[u32]| {
        let mut bytes = vec![0, 0, 8, axes.len() as u8];
        axes.iter().for_each(|axis| bytes.extend(axis.to_be_bytes()));
        bytes
    };
    let mut file = File::create(&images).unwrap();
    file.write_all(&head(&[samples, SIDE as u32, SIDE as u32])).unwrap();
    // A few pixels that aren't 0, so that deviations aren't.
    file.write_all(&[200; 64]).unwrap();
    file.set_len(16 + u64::from(samples) * (SIDE * SIDE) as u64).unwrap();
    let classes = (0..samples).map(|i| (i % 2) as u8);
    fs::write(&labels, head(&[samples]).into_iter().chain(classes).collect::<Vec<u8>>()).unwrap();
    (images, labels)
}

#[test]
fn what_is_held_does_not_grow_with_what_is_read() {
    if resident().is_none() {
        eprintln!("skipped: this system has no /proc/self/status");
        return;
    }
    emberlite_host::train::memory::keep_freed();
    let folder = folder();
    let gigabytes: u32 = std::env::var("EMBERLITE_STREAM_GB").map_or(1, |text| text.parse().unwrap());
    let samples = gigabytes * 256;
    let (images, labels) = sparse(&folder, samples);
    let set = disk::idx_images(&images, &labels, 1.0).unwrap();
    assert_eq!((set.len(), set.shape()), (samples as usize, &[1, SIDE, SIDE][..]));
    let nodes = [average_pool2d(8), average_pool2d(8), flatten(), linear(2)];
    let graph = Graph::new(Format::F32, Shape::d3(1, SIDE as u16, SIDE as u16), &nodes);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.01)).batch(BATCH);

    let run = |set: &dyn Source| {
        let mut peak = Peak(0);
        let job = Job::new(graph, &training, set, &mut peak);
        train(Job { epochs: 1, device: DeviceChoice::Cpu, ..job }).unwrap();
        peak.0
    };
    // What any training needs: code, threads, a few batches.
    let few: Vec<usize> = (0..16).collect();
    let few = Set::stream(set).select(&few).map(|few| (few, disk::idx_images(&images, &labels, 1.0).unwrap())).unwrap();
    let (few, set) = few;
    run(&few);
    let before = resident().unwrap();
    let standardise = fit_stream(&set).unwrap();
    let set = Set::stream(set).standardised(Some(&standardise)).unwrap();
    let held = run(&set).saturating_sub(before);
    let whole = u64::from(samples) * (SIDE * SIDE * 4) as u64;
    println!("{} MiB read as f32, {} MiB more held than before", whole / MIB, held / MIB);
    assert!(held < GROWTH, "{} MiB more are held after reading {} MiB", held / MIB, whole / MIB);

    // A table is packed a row at a time: 16 numbers of 9 characters a row, four bytes of label in memory.
    let (table, packed) = (folder.join("table.csv"), folder.join("table.pack"));
    let mut file = BufWriter::new(File::create(&table).unwrap());
    let rows = 200_000;
    writeln!(file, "label,{}", (0..16).map(|c| format!("x{c}")).collect::<Vec<_>>().join(",")).unwrap();
    for row in 0..rows {
        write!(file, "{}", row % 2).unwrap();
        (0..16).for_each(|c| write!(file, ",{:.6}", (row % 1000 * (c + 1)) as f32 / 1000.0).unwrap());
        writeln!(file).unwrap();
    }
    file.flush().unwrap();
    drop(file);
    let before = resident().unwrap();
    let set = pack::csv(std::slice::from_ref(&table), &CsvSpec::class("label"), &packed, 1.0).unwrap();
    let held = resident().unwrap().saturating_sub(before);
    let bytes = fs::metadata(&table).unwrap().len();
    println!("{} MiB of CSV packed, {} MiB more held", bytes / MIB, held / MIB);
    assert_eq!(set.len(), rows);
    assert!(held < bytes / 4, "{} MiB more are held for a table of {} MiB", held / MIB, bytes / MIB);
    fs::remove_dir_all(&folder).unwrap();
}
