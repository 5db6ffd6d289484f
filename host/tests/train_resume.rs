//! Checkpoints: a resumed run is the uninterrupted one, and a diverging run leaves the last good checkpoint.

mod train_common;

use emberlite::graph::{Graph, Node, Shape, batch_norm, conv1d, dropout, flatten, linear, relu};
use emberlite::image::Kind;
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::{Clip, Decay, Optimizer, Schedule};
use emberlite::plan::Training;
use emberlite_host::data::{Dataset, Labels, Source};
use emberlite_host::metrics::Metric;
use emberlite_host::train::*;
use safetensors::tensor::{SafeTensors, TensorView, serialize};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use train_common::{folder, waves};

const NODES: [Node; 7] = [conv1d(5, 3), batch_norm(), relu(), dropout(0.25), flatten(), linear(6), linear(2)];

fn graph() -> Graph<'static> {
    Graph::new(Format::F32, Shape::d2(2, 12), &NODES)
}

const fn settings(optimizer: Optimizer) -> Training {
    let schedule = Schedule::new(Decay::Exponential { gamma: 0.97 }).warmed_up(5, 0.1);
    Training::new(Loss::SoftmaxCrossEntropy, optimizer).batch(16).schedule(schedule).clip(Clip::GlobalNorm(1.0))
}

/// Whether there is something to go on from.
fn begun(dir: &Path) -> bool {
    dir.join("checkpoint.safetensors").exists()
}

/// All but the wall times.
fn figures(history: &[EpochRecord]) -> Vec<EpochRecord> {
    history.iter().map(|r| EpochRecord { seconds: 0.0, samples_per_second: 0.0, ..r.clone() }).collect()
}

#[test]
fn a_resumed_run_gives_the_bits_of_an_uninterrupted_one() {
    let (train_set, validation) = (waves(70, 1), waves(30, 2));
    for (i, optimizer) in
        [Optimizer::adam(0.01), Optimizer::nesterov(0.05, 0.9), Optimizer::sgd(0.1)].into_iter().enumerate()
    {
        let training = settings(optimizer);
        let run = |epochs, dir: Option<&PathBuf>| {
            let mut silent = Silent;
            let job = Job::new(graph(), &training, &train_set, &mut silent);
            let checkpoint = dir.map(|dir| Checkpoint { every_epochs: 2, ..Checkpoint::new(dir) });
            let (resume, seed, device) = (dir.is_some_and(|dir| begun(dir)), 3, DeviceChoice::Cpu);
            train(Job { epochs, seed, validation: Some(&validation), device, checkpoint, resume, ..job }).unwrap()
        };
        let whole = run(7, None);
        for kind in [Kind::RunningMean, Kind::RunningVariance] {
            let start = f32::from(kind == Kind::RunningVariance);
            assert!(whole.parameters.get(1, kind).unwrap().iter().all(|&v| v != start), "{kind:?} hasn't moved");
        }
        let dir = folder(&format!("resume{i}"));
        // The second run ends between two savings of its own, but always saves its last epoch.
        for epochs in [2, 3, 7] {
            let part = run(epochs, Some(&dir));
            assert_eq!(part.history.len(), epochs as usize);
            assert_eq!(figures(&part.history), figures(&whole.history)[..epochs as usize]);
        }
        let resumed = run(7, Some(&dir));
        assert_eq!(figures(&resumed.history), figures(&whole.history), "nothing was left to do");
        assert_eq!(resumed.parameters, whole.parameters);
        assert_eq!((resumed.best_epoch, &resumed.confusion), (whole.best_epoch, &whole.confusion));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "the checkpoint and nothing beside it");
    }
}

#[test]
fn patience_is_counted_across_an_interruption() {
    let (train_set, validation) = (waves(70, 1), waves(30, 2));
    let training = settings(Optimizer::adam(0.03));
    let early_stopping = Some(EarlyStopping { monitor: Monitor::ValidationLoss, patience: 3, min_delta: 0.0 });
    let run = |epochs, dir: Option<PathBuf>| {
        let resume = dir.as_ref().is_some_and(|dir| begun(dir));
        let checkpoint = dir.map(Checkpoint::new);
        let mut silent = Silent;
        let job = Job::new(graph(), &training, &train_set, &mut silent);
        train(Job { epochs, validation: Some(&validation), early_stopping, checkpoint, resume, ..job }).unwrap()
    };
    let whole = run(200, None);
    assert!(whole.stopped_early, "the case shows nothing");
    let dir = folder("patience");
    // One epoch of waiting is over when this part ends.
    let before = run(whole.best_epoch + 1, Some(dir.clone()));
    // What a recipe's record counts of the parts before.
    let seconds = |history: &[EpochRecord]| history.iter().map(|record| record.seconds).sum::<f64>();
    let close = |found: f64, history| assert!((found - seconds(history)).abs() <= 1e-12 * found && found > 0.0);
    close(Checkpoint::new(&dir).seconds(), &before.history);
    let resumed = run(200, Some(dir.clone()));
    close(Checkpoint::new(&dir).seconds(), &resumed.history);
    assert!(seconds(&resumed.history) > seconds(&before.history));
    assert_eq!(Checkpoint::new(dir.join("none")).seconds(), 0.0);
    assert_eq!((resumed.history.len(), resumed.best_epoch), (whole.history.len(), whole.best_epoch));
    assert_eq!(resumed.parameters, whole.parameters);
}

#[test]
fn a_checkpoint_continues_its_own_run_only() {
    let train_set = waves(40, 1);
    let training = settings(Optimizer::adam(0.01));
    let dir = folder("identity");
    let checkpoint = || Some(Checkpoint::new(&dir));
    let run = |resume, change: &dyn Fn(&mut Job<'_>)| {
        let mut silent = Silent;
        let job = Job::new(graph(), &training, &train_set, &mut silent);
        let mut job = Job { checkpoint: checkpoint(), resume, epochs: 2, ..job };
        change(&mut job);
        train(job)
    };
    run(false, &|_| ()).unwrap();
    let refused = |change: &dyn Fn(&mut Job<'_>)| run(true, change).unwrap_err().to_string();

    static OTHER: Training = settings(Optimizer::adam(0.02));
    let text = refused(&|job| job.training = &OTHER);
    assert!(text.contains("a change of optimizer.learning_rate (0.01, now 0.02); undo the change"), "{text}");
    let text = refused(&|job| job.seed = 1);
    assert!(text.contains("a change of the seed (0, now 1);"), "{text}");
    static WIDER: [Node; 7] = [NODES[0], NODES[1], NODES[2], NODES[3], NODES[4], linear(7), NODES[6]];
    let text = refused(&|job| job.graph = Graph::new(Format::F32, Shape::d2(2, 12), &WIDER));
    assert!(text.contains("a change of the model (line ") && text.contains("outputs=7"), "{text}");
    let mut silent = Silent;
    // Whatever life a job has, the set outlives it.
    let others: &'static Dataset = Box::leak(Box::new(waves(40, 2)));
    let job = Job::new(graph(), &training, others, &mut silent);
    let text = train(Job { checkpoint: checkpoint(), resume: true, ..job }).unwrap_err().to_string();
    assert!(text.contains("a change of the training set (other samples"), "{text}");

    let text = refused(&|job| job.validation = Some(others));
    assert!(text.contains("a change of the validation set (none, now there is one)"), "{text}");
    let stopping = EarlyStopping { monitor: Monitor::TrainLoss, patience: 3, min_delta: 0.5 };
    let text = refused(&|job| job.early_stopping = Some(stopping));
    assert!(text.contains("a change of early_stopping.monitor (none, now train_loss); undo the change"), "{text}");

    // Bytes from outside: cut short, changed, something else.
    let file = dir.join("checkpoint.safetensors");
    let bytes = fs::read(&file).unwrap();
    for len in [0, 7, 8, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&file, &bytes[..len]).unwrap();
        assert!(refused(&|_| ()).contains("is damaged"), "{len} bytes");
    }
    assert!(!refused(&|_| ()).contains("rename"));
    let kept = dir.join("checkpoint-3.safetensors");
    fs::write(&kept, &bytes).unwrap();
    let help = format!("to go on from the one before, rename {} to checkpoint.safetensors", kept.display());
    assert!(refused(&|_| ()).ends_with(&help));
    fs::remove_file(kept).unwrap();
    let none = serialize(Vec::<(&str, TensorView<'_>)>::new(), None).unwrap();
    fs::write(&file, none).unwrap();
    assert!(refused(&|_| ()).contains("no checkpoint"));
    // A tensor cut short by someone who knows the format.
    let whole = SafeTensors::deserialize(&bytes).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let shorter = whole.iter().map(|(name, tensor)| {
        let less = 4 * usize::from(name == "5.weight");
        let data = &tensor.data()[..tensor.data().len() - less];
        (name, TensorView::new(tensor.dtype(), vec![data.len() / 4], data).unwrap())
    });
    fs::write(&file, serialize(shorter.collect::<Vec<_>>(), metadata.metadata().clone()).unwrap()).unwrap();
    let text = refused(&|_| ());
    assert!(text.contains("is damaged: tensor 5.weight isn't 300 numbers"), "{text}");
    // One bit of any tensor, of the step's number, and of no importance to anything else.
    let first = bytes.len() - whole.iter().map(|(_, tensor)| tensor.data().len()).sum::<usize>();
    let mut places: Vec<usize> = (first..bytes.len()).step_by(257).collect();
    let text = String::from_utf8_lossy(&bytes[..first]).into_owned();
    places.push(text.find("train_loss").unwrap() + text[text.find("train_loss").unwrap()..].find('.').unwrap() + 1);
    for place in places {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        fs::write(&file, changed).unwrap();
        let text = refused(&|_| ());
        assert!(text.contains("is damaged: its numbers aren't those that were written"), "{place}: {text}");
    }
    // As programs before wrote it.
    let without = metadata.metadata().clone().map(|texts| {
        let text = |text: String| {
            let from = text.find("\"checksum\":").unwrap();
            let to = from + text[from..].find(',').unwrap() + 1;
            text[..from].to_string() + &text[to..]
        };
        texts.into_iter().map(|(name, value)| (name, text(value))).collect()
    });
    fs::write(&file, serialize(whole.iter(), without).unwrap()).unwrap();
    let same = fs::read(&file).unwrap();
    assert!(same.len() < bytes.len());
    assert_eq!(run(true, &|_| ()).unwrap().history.len(), 2);
    fs::write(&file, bytes).unwrap();
    assert_eq!(run(true, &|_| ()).unwrap().history.len(), 2);
}

/// Who has more patience gets what more patience from the start would have given, bit for bit.
#[test]
fn early_stopping_may_change_where_it_would_have_come_as_far() {
    let (train_set, validation) = (waves(70, 1), waves(30, 2));
    let training = settings(Optimizer::adam(0.03));
    let stopping = |patience| Some(EarlyStopping { monitor: Monitor::ValidationLoss, patience, min_delta: 0.0 });
    let run = |epochs, early_stopping, dir: Option<&PathBuf>| {
        let resume = dir.is_some_and(|dir| begun(dir));
        let checkpoint = dir.map(Checkpoint::new);
        let mut silent = Silent;
        let job = Job { device: DeviceChoice::Cpu, ..Job::new(graph(), &training, &train_set, &mut silent) };
        train(Job { epochs, validation: Some(&validation), early_stopping, checkpoint, resume, ..job })
    };
    let dir = folder("rule");
    let short = run(200, stopping(1), Some(&dir)).unwrap();
    let mut done = short.history.len();
    for early_stopping in [stopping(3), stopping(5), None] {
        let epochs = if early_stopping.is_some() { 200 } else { done as u32 + 3 };
        let (whole, resumed) =
            (run(epochs, early_stopping, None).unwrap(), run(epochs, early_stopping, Some(&dir)).unwrap());
        assert!(whole.history.len() > short.history.len(), "the case shows nothing");
        assert_eq!(figures(&resumed.history), figures(&whole.history));
        assert_eq!((resumed.best_epoch, resumed.stopped_early), (whole.best_epoch, whole.stopped_early));
        assert_eq!(resumed.parameters, whole.parameters);
        done = resumed.history.len();
    }
    // Less patience would have ended it before.
    let error = run(200, stopping(1), Some(&dir)).unwrap_err().to_string();
    let expected = format!(
        "a change of early_stopping.monitor (none, now validation_loss), early_stopping.patience \
         (none, now 1), early_stopping.minimum_gain (none, now 0): by the new rule it would have ended after epoch {}, and it \
         has done {} epochs; undo the change",
        short.history.len(),
        done
    );
    assert!(error.contains(&expected), "expected {expected}\nfound    {error}");
}

/// The best figure so far counts only on the same set and by the same metric.
#[test]
fn what_was_best_is_compared_with_its_like_only() {
    let (train_set, validation, others) = (waves(40, 1), waves(30, 2), waves(30, 3));
    let training = settings(Optimizer::adam(0.01));
    let dir = folder("stopping");
    const STOPPING: EarlyStopping = EarlyStopping { monitor: Monitor::ValidationLoss, patience: 9, min_delta: 0.0 };
    let run = |resume, epochs, validation: Option<&Dataset>, early_stopping: Option<EarlyStopping>| {
        let mut silent = Silent;
        let job = Job::new(graph(), &training, &train_set, &mut silent);
        let checkpoint = Some(Checkpoint::new(&dir));
        let job = Job { device: DeviceChoice::Cpu, checkpoint, resume, epochs, ..job };
        let validation = validation.map(|set| set as &dyn Source);
        train(Job { validation, early_stopping, ..job }).map_err(|error| error.to_string())
    };
    run(false, 2, Some(&validation), Some(STOPPING)).unwrap();
    let changed = |change: fn(&mut EarlyStopping)| {
        let mut stopping = STOPPING;
        change(&mut stopping);
        Some(stopping)
    };
    for (set, stopping, expected) in [
        (Some(&others), Some(STOPPING), "a change of the validation set (other samples);".to_string()),
        (
            Some(&validation),
            changed(|s| s.monitor = Monitor::Validation(Metric::Accuracy)),
            "a change of early_stopping.monitor (validation_loss, now validation_accuracy);".to_string(),
        ),
        // By another rule only what it would have done by that rule from the start.
        (
            Some(&validation),
            changed(|s| s.min_delta = 9.0),
            "a change of early_stopping.minimum_gain (0, now 9): by the new rule epoch 1 would be its best, of which it has \
             kept nothing; undo the change"
                .to_string(),
        ),
    ] {
        let text = run(true, 3, set, stopping).unwrap_err();
        assert!(text.contains(&expected), "expected {expected}\nfound    {text}");
    }
    assert_eq!(run(true, 3, Some(&validation), Some(STOPPING)).unwrap().history.len(), 3);

    // A program before or after this one: its checkpoint isn't damaged, it is of another version.
    let file = dir.join("checkpoint.safetensors");
    for (version, expected) in [(1, "is of an older program: it has version 1"), (9, "is of a newer program")] {
        let meta = format!("{{\"version\": {version}, \"identity\": {{}}}}");
        let metadata = [("emberlite_checkpoint".to_string(), meta)].into();
        fs::write(&file, serialize(Vec::<(&str, TensorView<'_>)>::new(), Some(metadata)).unwrap()).unwrap();
        let text = run(true, 3, Some(&validation), Some(STOPPING)).unwrap_err();
        assert!(text.contains(expected) && text.ends_with("; finish the run with that program"), "{text}");
    }
}

#[test]
fn a_diverging_run_says_where_and_keeps_the_last_good_checkpoint() {
    // Values that a fifth epoch can't hold: each update of this rate multiplies the weight's error by about -100.
    let samples = 64;
    let features: Vec<f32> = (0..samples).map(|i| (i % 8) as f32 / 4.0).collect();
    let labels = Labels::Value(features.iter().map(|v| 3.0 * v).collect());
    let set = Dataset::new(features, vec![1], labels).unwrap();
    let nodes = [linear(1)];
    let graph = Graph::new(Format::F32, Shape::d1(1), &nodes);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(50.0)).batch(32);
    let dir = folder("diverging");
    let checkpoint = Some(Checkpoint::new(&dir));
    let mut silent = Silent;
    let job = Job::new(graph, &training, &set, &mut silent);
    let error = train(Job { epochs: 50, checkpoint, ..job }).unwrap_err();
    let TrainError::NotFinite { epoch, step, checkpoint: Some(path), .. } = &error else { panic!("{error}") };
    assert!(*epoch > 2 && (1..=2).contains(step), "{error}");
    assert!(error.to_string().contains("try a learning rate of 5, a warm-up or clip"), "{error}");
    let bytes = fs::read(path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let meta = &metadata.metadata().as_ref().unwrap()["emberlite_checkpoint"];
    let meta: serde_json::Value = serde_json::from_str(meta).unwrap();
    assert_eq!(meta["counters"]["epoch"].as_u64(), Some(u64::from(*epoch) - 1));
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_nothing_beside_it() {
    let (train_set, training) = (waves(16, 1), settings(Optimizer::sgd(0.1)));
    let dir = folder("unwritable");
    // A folder with something in it can't be replaced by a file.
    fs::create_dir_all(dir.join("checkpoint.safetensors/taken")).unwrap();
    let mut silent = Silent;
    let job = Job::new(graph(), &training, &train_set, &mut silent);
    let checkpoint = Some(Checkpoint::new(&dir));
    let error = train(Job { epochs: 1, device: DeviceChoice::Cpu, checkpoint, fresh: true, ..job }).unwrap_err();
    assert!(error.to_string().contains("can't be written"), "{error}");
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
}

/// What was learnt is lost only by somebody who says so.
#[test]
fn a_run_that_is_not_finished_is_replaced_only_when_asked() {
    let (train_set, training) = (waves(70, 1), settings(Optimizer::adam(0.01)));
    let dir = folder("unfinished");
    let run = |epochs, how: (bool, bool), stop: bool| {
        let (resume, fresh) = how;
        let stop = AtomicBool::new(stop);
        let mut silent = Silent;
        let job = Job::new(graph(), &training, &train_set, &mut silent);
        let checkpoint = Some(Checkpoint { every_steps: Some(1), keep: 3, ..Checkpoint::new(&dir) });
        let (device, interrupt) = (DeviceChoice::Cpu, Some(&stop));
        train(Job { epochs, device, checkpoint, resume, fresh, interrupt, ..job })
    };
    let (new, resume, fresh) = ((false, false), (true, false), (false, true));
    let reached = || Checkpoint::new(&dir).reached().unwrap().unwrap();
    let error = run(2, resume, false).unwrap_err();
    assert!(matches!(&error, TrainError::NothingToResume { dir: named } if *named == dir), "{error}");
    assert!(!dir.exists() && Checkpoint::new(&dir).reached().unwrap().is_none());
    // Interrupted after the first of five updates.
    let interrupted = |how| assert!(matches!(run(1, how, true), Err(TrainError::Interrupted { .. })));
    interrupted(new);
    assert_eq!((reached().updates, reached().within, reached().finished), (1, 1, false));
    let before = fs::read(dir.join("checkpoint.safetensors")).unwrap();
    let error = run(1, new, false).unwrap_err();
    assert!(matches!(&error, TrainError::Unfinished { dir: named, epochs: 0, within: 1 } if *named == dir), "{error}");
    assert!(error.to_string().contains("isn't finished, of 1 step of the first epoch, and a new one"), "{error}");
    assert_eq!(fs::read(dir.join("checkpoint.safetensors")).unwrap(), before);
    assert!(run(1, (true, true), false).unwrap_err().to_string().contains("give one of them"));
    interrupted(fresh);
    assert_eq!(reached().updates, 1);
    // Interrupted by and by, to after the last update: what is left is to say that it is finished.
    (0..4).for_each(|_| interrupted(resume));
    assert_eq!((reached().updates, reached().history.len(), reached().finished), (5, 1, false));
    let kept = || fs::read_dir(&dir).unwrap().count();
    assert_eq!(kept(), 3);
    run(1, resume, false).unwrap();
    assert_eq!((reached().finished, kept()), (true, 3));
    // Longer, then anew: a finished one needs no word.
    interrupted_longer(run(2, resume, true));
    assert!(!reached().finished && run(2, new, false).is_err());
    run(2, resume, false).unwrap();
    assert!(reached().finished && reached().history.len() == 2);
    run(1, new, false).unwrap();
    // Somebody's file, whatever it is.
    for text in ["", "not a checkpoint"] {
        fs::write(dir.join("checkpoint.safetensors"), text).unwrap();
        assert!(matches!(run(1, new, false), Err(TrainError::Damaged { .. })));
        assert_eq!(fs::read(dir.join("checkpoint.safetensors")).unwrap(), text.as_bytes());
    }
    run(1, fresh, false).unwrap();
}

fn interrupted_longer(result: Result<Trained, TrainError>) {
    assert!(matches!(result, Err(TrainError::Interrupted { epoch: 2, step: 1, .. })));
}

/// `max_steps` ends a run within an epoch, from where it can be made longer.
#[test]
fn a_run_that_max_steps_has_ended_is_finished() {
    let (train_set, training) = (waves(70, 1), settings(Optimizer::adam(0.01)));
    let dir = folder("finished-within");
    let stop = AtomicBool::new(false);
    let tried = |most, resume| {
        let mut silent = Silent;
        let job = Job::new(graph(), &training, &train_set, &mut silent);
        let host = HostSettings { max_steps: Some(most), ..HostSettings::default() };
        let checkpoint = Some(Checkpoint::new(&dir));
        train(Job { host, device: DeviceChoice::Cpu, checkpoint, resume, interrupt: Some(&stop), ..job })
    };
    let run = |most, resume| tried(most, resume).unwrap();
    let reached = || Checkpoint::new(&dir).reached().unwrap().unwrap();
    run(7, false);
    assert_eq!((reached().updates, reached().within, reached().finished), (7, 2, true));
    run(7, true);
    run(7, false);
    assert_eq!(run(9, true).history.len(), 2);
    assert_eq!((reached().updates, reached().finished), (9, true));
    // Interrupted at its very last update: what is left to do is to say that it was.
    stop.store(true, Ordering::Relaxed);
    assert!(matches!(tried(1, false), Err(TrainError::Interrupted { .. })));
    stop.store(false, Ordering::Relaxed);
    assert_eq!((reached().updates, reached().finished), (1, false));
    assert_eq!(run(1, true).history.len(), 1);
    assert_eq!((reached().updates, reached().finished), (1, true));
    run(7, false);
    // Asked for less than it has done, it says so and stays as it is.
    let expected = "training settings: max_steps is 6, and this run has already made 7 updates; give 7 to end it there, or more \
                    to train longer";
    assert_eq!(tried(6, true).unwrap_err().to_string(), expected);
    assert_eq!((reached().updates, reached().finished), (7, true));
}
