//! Several devices of one machine: the update of one device, the same bits each time, and an end that says what failed.

mod train_common;

use emberlite::graph::{Graph, Node, Shape, batch_norm, conv1d, dropout, flatten, linear, relu};
use emberlite::image::Kind;
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::{Clip, Optimizer};
use emberlite::plan::Training;
use emberlite_host::Parameters;
use emberlite_host::data::{DataError, Dataset, Draw, Labels, Source};
use emberlite_host::train::*;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;
use train_common::{folder, waves};

/// Does `test` in a thread, for two minutes at most: a device that waits for another one would wait for ever.
fn ending<R: Send + 'static>(test: impl FnOnce() -> R + Send + 'static) -> R {
    let (sender, receiver) = channel();
    let thread = thread::spawn(move || sender.send(test()));
    match receiver.recv_timeout(Duration::from_secs(120)) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => panic!("the devices wait for each other"),
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(payload) => std::panic::resume_unwind(payload),
            Ok(_) => unreachable!("it has sent nothing and not panicked"),
        },
    }
}

/// So many devices, all of them the CPU.
fn cpus(count: usize) -> Vec<DeviceChoice> {
    vec![DeviceChoice::Cpu; count - 1]
}

/// Every number of this training is a small multiple of a power of two, so that f32 rounds nowhere and the order of sums
/// doesn't show: any number of devices, more than a batch has samples too, must come to the bits of one.
#[test]
fn where_nothing_is_rounded_the_bits_are_those_of_one_device() {
    // y = 2 a - b + 1/2, twelve samples of quarters.
    let inputs: Vec<f32> = (0..24).map(|i| ((i * 7 % 9) as f32 - 4.0) / 4.0).collect();
    let targets = inputs.chunks(2).map(|x| 2.0 * x[0] - x[1] + 0.5).collect();
    let set = Dataset::new(inputs, vec![2], Labels::Value(targets)).unwrap();
    let nodes = [linear(1)];
    let graph = Graph::new(Format::F32, Shape::d1(2), &nodes);
    for (batch, accumulate) in [(4, 1), (2, 2)] {
        let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.125)).batch(batch);
        let run = |count| {
            let mut initial = Parameters::new();
            initial.set(0, Kind::Weight, vec![0.0, 0.0]);
            initial.set(0, Kind::Bias, vec![0.0]);
            let mut silent = Silent;
            let host = HostSettings { accumulate, max_steps: Some(2), ..HostSettings::default() };
            let (device, replicas, initial) = (DeviceChoice::Cpu, cpus(count), Some(&initial));
            train(Job { host, epochs: 1, device, replicas, initial, ..Job::new(graph, &training, &set, &mut silent) })
                .unwrap()
        };
        let one = run(1);
        let (weights, bias) =
            (one.parameters.get(0, Kind::Weight).unwrap(), one.parameters.get(0, Kind::Bias).unwrap());
        assert!(weights[0] > 0.0 && weights[1] < 0.0 && bias[0] > 0.0, "nothing was learnt: {one:?}");
        for count in 2..=5 {
            let several = run(count);
            assert_eq!(several.parameters, one.parameters, "{count} devices, {accumulate} batches an update");
            assert_eq!(several.history[0].train_loss, one.history[0].train_loss);
        }
    }
}

const NODES: [Node; 7] = [conv1d(5, 3), batch_norm(), relu(), dropout(0.25), flatten(), linear(6), linear(2)];

/// Remembers the device's name and asks to stop after so many updates.
struct Watching<'a> {
    device: String,
    left: u32,
    stop: &'a AtomicBool,
}

impl Observer for Watching<'_> {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        match event {
            Event::Started { device, .. } => self.device = device.into(),
            Event::Steps { .. } => {
                self.left = self.left.saturating_sub(1);
                self.stop.fetch_or(self.left == 0, Ordering::Relaxed);
            }
            _ => {}
        }
        Ok(())
    }
}

/// With all that a run carries from one update to the next, running statistics and averages among it.
#[test]
fn interrupted_after_any_update_two_devices_come_to_the_same_bits() {
    let (set, validation) = (waves(70, 1), waves(30, 2));
    let training =
        Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.01)).batch(16).clip(Clip::GlobalNorm(1.0));
    let go = |dir: Option<&std::path::Path>, left| {
        let stop = AtomicBool::new(false);
        let mut watching = Watching { device: String::new(), left, stop: &stop };
        let host = HostSettings { log_every: 1, ema: Some(Ema { decay: 0.8 }), ..HostSettings::default() };
        let graph = Graph::new(Format::F32, Shape::d2(2, 12), &NODES);
        let trained = train(Job {
            host,
            epochs: 2,
            seed: 3,
            validation: Some(&validation),
            device: DeviceChoice::Cpu,
            replicas: cpus(2),
            checkpoint: dir.map(Checkpoint::new),
            resume: dir.is_some_and(|dir| dir.join("checkpoint.safetensors").exists()),
            interrupt: Some(&stop),
            ..Job::new(graph, &training, &set, &mut watching)
        });
        // The second one has a pool of its own, as large where there is one thread.
        let device = watching.device;
        assert!(device.starts_with("2 x CPU, ") || device.matches("CPU, ").count() == 2, "{device}");
        trained
    };
    let figures =
        |trained: &Trained| trained.history.iter().map(|r| (r.train_loss, r.validation_loss)).collect::<Vec<_>>();
    let whole = go(None, u32::MAX).unwrap();
    assert_eq!(whole.history.last().unwrap().step, 10);
    for first in 1..10 {
        let dir = folder(&format!("replicas-{first}"));
        let error = go(Some(&dir), first).unwrap_err();
        assert!(matches!(error, TrainError::Interrupted { checkpoint: Some(_), .. }), "{error}");
        let resumed = go(Some(&dir), u32::MAX).unwrap();
        assert_eq!((figures(&resumed), &resumed.parameters), (figures(&whole), &whole.parameters), "after {first}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "the checkpoint and nothing beside it");
    }
}

/// Sixteen samples of which one can't be read in the second epoch.
struct Damaged {
    set: Dataset,
    panics: bool,
}

impl Source for Damaged {
    fn len(&self) -> usize {
        self.set.len()
    }

    fn shape(&self) -> &[usize] {
        Source::shape(&self.set)
    }

    fn labels(&self) -> &Labels {
        Source::labels(&self.set)
    }

    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
        if draw.epoch == Some(2) && draw.indices.contains(&7) {
            assert!(!self.panics, "sample 7 is broken");
            let (what, help) = ("sample 7".into(), "mend it");
            return Err(DataError::Mismatch { what, expected: "24 numbers".into(), found: "23".into(), help });
        }
        self.set.read(draw, out)
    }
}

/// Samples that can't be read.
struct Unreadable(Dataset);

impl Source for Unreadable {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn shape(&self) -> &[usize] {
        Source::shape(&self.0)
    }

    fn labels(&self) -> &Labels {
        Source::labels(&self.0)
    }

    fn fingerprint(&self) -> Result<u64, DataError> {
        Ok(7)
    }

    fn read(&self, _: Draw<'_>, _: &mut [f32]) -> Result<(), DataError> {
        let (what, help) = ("sample 3".into(), "mend it");
        Err(DataError::Mismatch { what, expected: "24 numbers".into(), found: "23".into(), help })
    }
}

/// What ends a training of two devices over [`Damaged`], of which samples 6 and 7 are the second one's.
fn ends(
    panics: bool,
    observer: impl Observer + Send + 'static,
    change: impl Fn(&mut Job<'_>) + Send + 'static,
) -> TrainError {
    ending(move || fails(panics, observer, change))
}

fn fails(panics: bool, mut observer: impl Observer, change: impl Fn(&mut Job<'_>)) -> TrainError {
    let set = Damaged { set: waves(16, 1), panics };
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.01)).batch(4);
    let nodes = [flatten(), linear(2)];
    let graph = Graph::new(Format::F32, Shape::d2(2, 12), &nodes);
    let host = HostSettings { sampling: Sampling::InOrder, ..HostSettings::default() };
    let mut job = Job {
        host,
        epochs: 3,
        device: DeviceChoice::Cpu,
        replicas: cpus(2),
        ..Job::new(graph, &training, &set, &mut observer)
    };
    change(&mut job);
    train(job).unwrap_err()
}

#[test]
fn what_fails_on_one_device_ends_the_training_of_all() {
    let dir = folder("replicas-damaged");
    let saving = dir.clone();
    let error = ends(false, Silent, move |job| job.checkpoint = Some(Checkpoint::new(&saving)));
    assert!(error.to_string().contains("sample 7: expected 24 numbers, found 23; mend it"), "{error:?}");
    assert_eq!(Checkpoint::new(&dir).reached().unwrap().unwrap().history.len(), 1, "the first epoch was saved");
}

#[test]
// What reads ahead has told it by then.
#[should_panic(expected = "a scoped thread panicked")]
fn a_panic_on_one_device_is_the_programs() {
    let _ = ends(true, Silent, |_| ());
}

/// Fails at the first epoch's end.
struct Full;

impl Observer for Full {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        if matches!(event, Event::Epoch { .. }) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

#[test]
fn an_observer_that_fails_ends_all_devices() {
    let error = ends(false, Full, |_| ());
    assert!(matches!(error, TrainError::Observer(_)), "{error:?}");
}

/// Panics at the first epoch's end.
struct Broken;

impl Observer for Broken {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        assert!(!matches!(event, Event::Epoch { .. }), "the observer is broken");
        Ok(())
    }
}

#[test]
#[should_panic(expected = "the observer is broken")]
fn a_panic_of_the_observer_ends_all_devices() {
    let _ = ends(false, Broken, |_| ());
}

/// The first device alone evaluates, while the others wait for what comes of it.
#[test]
fn a_held_back_sample_that_cant_be_read_ends_all_devices() {
    static SET: std::sync::OnceLock<Unreadable> = std::sync::OnceLock::new();
    let set = SET.get_or_init(|| Unreadable(waves(8, 2)));
    let error = ends(false, Silent, |job| job.validation = Some(set));
    assert!(error.to_string().contains("sample 3: expected 24 numbers"), "{error:?}");
}

#[test]
fn a_checkpoint_that_cant_be_written_ends_all_devices() {
    // A file where the folder should be.
    let dir = folder("replicas-blocked");
    fs::create_dir_all(dir.parent().unwrap()).unwrap();
    fs::write(&dir, "").unwrap();
    let error = ends(false, Silent, move |job| job.checkpoint = Some(Checkpoint::new(dir.join("run"))));
    assert!(matches!(error, TrainError::Checkpoint { .. }), "{error:?}");
    let _ = fs::remove_file(folder("replicas-blocked"));
}

#[test]
fn what_cant_be_is_told_once_and_before_the_first_step() {
    let cuda = |index| DeviceChoice::Cuda(Some(index));
    let error = ends(false, Silent, move |job| (job.device, job.replicas) = (cuda(98), vec![cuda(99)]));
    assert!(matches!(&error, TrainError::Device { device, .. } if device == "cuda:98"), "{error}");
    let error = ends(false, Silent, move |job| job.replicas = vec![cuda(0)]);
    assert!(error.to_string().contains("cpu and cuda:0 round differently"), "{error}");
    let error = ends(false, Silent, |job| job.host.accumulate = 0);
    assert!(matches!(error, TrainError::Setting(_)), "{error}");
}
