//! The parts of a search that the program alone doesn't show: one training, one proposal, what a candidate may cost.

mod cli_common;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use cli_common::small_search::{model, rows};
use cli_common::{Folder, ROWS, small};
use emberlite_host::metrics::Metric;
use emberlite_host::search::{Description, Direction, Judge, Prepared, SearchError, State, Study, Trial, fit};
use emberlite_host::spec::Spec;
use emberlite_host::train::{DeviceChoice, TrainError, Trained};

/// A training of the small model; `change` of its text.
fn trained(
    change: impl Fn(String) -> String,
    metric: Option<Metric>,
    stop: bool,
    after_epoch: &mut dyn FnMut(u32) -> bool,
) -> Result<Option<Trained>, TrainError> {
    let folder = Folder::new();
    folder.write("rows.csv", rows());
    let spec = Spec::read(folder.write("model.toml", change(model("")))).unwrap();
    let data = Prepared::new(&spec, &spec.load_sets().unwrap()).unwrap();
    let stop = AtomicBool::new(stop);
    fit(&spec, &data, DeviceChoice::Cpu, metric, &stop, &mut |record| after_epoch(record.epoch))
}

fn without_validation(text: String) -> String {
    text.replace("validation =", "# validation =")
}

#[test]
fn epochs_are_measured_by_what_judges() {
    let metric: Metric = "f1_macro".parse().unwrap();
    let names = |change: fn(String) -> String, metric| -> Vec<Vec<String>> {
        let history = trained(change, metric, false, &mut |_| true).unwrap().unwrap().history;
        history.into_iter().map(|record| record.validation_metrics.into_keys().collect()).collect()
    };
    let same = |text: String| text;
    let told = |text: String| text.replace("epochs = 4", "epochs = 4\nmetrics = [\"f1_macro\", \"log_loss\"]");
    let one = vec!["f1_macro".to_string()];
    let two = vec!["f1_macro".to_string(), "log_loss".to_string()];
    assert_eq!(names(same, None), vec![Vec::<String>::new(); 4]);
    assert_eq!(names(same, Some(metric)), vec![one; 4]);
    // What the description measures is measured once, and not at all where there is no part to measure.
    assert_eq!((names(told, None), names(told, Some(metric))), (vec![two.clone(); 4], vec![two; 4]));
    let told = |text: String| without_validation(text).replace("epochs = 4", "epochs = 4\nmetrics = [\"f1_macro\"]");
    assert_eq!(names(told, Some(metric)), vec![Vec::<String>::new(); 4]);
}

#[test]
fn a_training_that_is_told_to_end_gives_nothing() {
    let mut epochs = Vec::new();
    let none = trained(|text| text, None, false, &mut |epoch| {
        epochs.push(epoch);
        epoch < 2
    });
    assert!(matches!(none, Ok(None)) && epochs == [1, 2], "{epochs:?}");
    let mut count = 0;
    let none = trained(|text| text, None, true, &mut |_| {
        count += 1;
        true
    });
    assert!(matches!(none, Ok(None)) && count == 0, "{count}");
    // Its own errors are errors.
    let diverges = trained(|text| text.replace("= 0.01", "= 1e30"), None, false, &mut |_| true);
    assert!(matches!(diverges, Err(TrainError::NotFinite { .. })));
}

/// No loss gets better by 100: with patience 1 the second epoch is the last.
#[test]
fn a_training_stops_as_the_description_says() {
    let rule = "epochs = 4\nearly_stopping = { monitor = \"train_loss\", patience = 1, minimum_gain = 100 }";
    let epochs = |validation: bool| {
        let change = |text: String| {
            let text = text.replace("epochs = 4", rule);
            if validation { text } else { without_validation(text) }
        };
        trained(change, None, false, &mut |_| true).unwrap().unwrap().history.len()
    };
    assert_eq!([epochs(true), epochs(false)], [2, 2]);
    assert_eq!(trained(|text| text, None, false, &mut |_| true).unwrap().unwrap().history.len(), 4);
}

fn described(text: &str) -> Result<Description, SearchError> {
    Description::parse("model.toml", text, Path::new(""), Vec::new())
}

/// From the same trials each number and each seed is proposed another point, and the same one again.
#[test]
fn every_trial_has_dice_of_its_own() {
    let space = "[search]\nmethod = \"METHOD\"\n[search.space]\n\
                 \"training.optimizer.learning_rate\" = { log_uniform = [1e-4, 1e-1] }\n\
                 \"training.optimizer.beta1\" = { uniform = [0.1, 0.9] }\n";
    for method in ["random", "tpe"] {
        let description = described(&model(&space.replace("METHOD", method))).unwrap();
        let study = Study { direction: Direction::Minimize, ..description.study(Judge::LOSS) };
        let sums = |candidate: &emberlite_host::search::Candidate<'_>| {
            Ok(candidate.values.iter().filter_map(|(_, value)| value.as_f64()).sum())
        };
        let known = study.run(Vec::new(), &sums, &mut |_| Ok(()), &AtomicBool::new(false)).unwrap();
        let known: Vec<Trial> = known.into_iter().take(20).collect();
        assert!(known.len() == 20 && known.iter().all(|trial| trial.state == State::Complete));
        let points: Vec<_> = (20..40).map(|number| study.propose(number, &known, None).unwrap()).collect();
        let other = Study { seed: 1, ..study };
        let others: Vec<_> = (20..40).map(|number| other.propose(number, &known, None).unwrap()).collect();
        for (place, point) in points.iter().enumerate() {
            let all = points[..place].iter().chain(&others);
            // Neither of the two coordinates: of six digits two numbers are hardly ever equal.
            let differs = |other: &Vec<Option<f64>>| other.iter().zip(point).all(|(a, b)| a != b);
            assert!(all.clone().all(differs), "{method} {place}");
        }
        assert_eq!(study.propose(25, &known, None).as_ref(), Some(&points[5]), "{method}");
    }
}

/// Each value is looked at in the description as it is written, not in one that has the value before.
#[test]
fn values_of_a_space_do_not_pile_up() {
    // Once the layer is called otherwise its path has no place.
    let space = "[search]\n[search.space]\n\"model.layers.hidden.name\" = { choice = [\"a\", \"b\", \"c\"] }\n";
    assert_eq!(described(&model(space)).unwrap().search.space.parameters.len(), 1);
}

/// What no device runs has no bytes there, whichever budget asks for them; what it computes is known.
#[test]
fn a_model_of_the_host_has_no_place_in_a_devices_budget() {
    let layers = "layers = [{ op = \"transpose\" }, { op = \"lstm\", hidden = 3, return_sequences = false }, { op = \"linear\", outputs = 2 }]";
    let text = small("f32").replace("input = [2]", "input = [2, 4]");
    let (start, end) = (text.find("layers = [").unwrap(), text.find("[training]").unwrap());
    let text = text.replace(&text[start..end], &format!("{layers}\n")).replace("[device]\n", "[device]\nDEVICE\n");
    let price = |device: &str, search: &str| {
        let space = "[search.space]\n\"training.batch\" = { choice = [4, 8] }\n";
        let text = text.replace("DEVICE", device) + &format!("[search]\n[search.budget]\n{search}\n{space}");
        let description = described(&text).unwrap();
        description.price(&description.spec)
    };
    let free = price("", "").unwrap();
    assert!((free.ram, free.flash) == (0, 0) && free.macs > 0, "{free:?}");
    for (device, search) in [("ram = 100000", ""), ("flash = 100000", ""), ("", "ram = 100000"), ("", "flash = 100000")]
    {
        let error = price(device, search).unwrap_err();
        assert!(error.starts_with("no device runs it: "), "{device} {search}: {error}");
    }
    assert_eq!(price("", &format!("macs = {}", free.macs)), Ok(free));
    let error = price("", &format!("macs = {}", free.macs - 1)).unwrap_err();
    assert!(error.starts_with("MACs: needs "), "{error}");
}

/// A table is packed where it is streamed, and until it is packed.
#[test]
fn what_will_be_packed_is_known_before() {
    let folder = Folder::new();
    let rows = folder.write("rows.csv", ROWS);
    let read = |text: &str| Spec::read(folder.write("model.toml", text)).unwrap();
    let to_pack = |spec: &Spec| -> Vec<(String, u64)> {
        let tables = spec.data.as_ref().unwrap().to_pack();
        tables.into_iter().map(|(path, bytes)| (path.display().to_string(), bytes)).collect()
    };
    assert_eq!(to_pack(&read(&small("f32"))), []);
    let streamed = read(&small("f32").replace("[data]", "[data]\nstream = true"));
    assert_eq!(to_pack(&streamed), [(rows, ROWS.len() as u64)]);
    streamed.load_sets().unwrap();
    assert_eq!(to_pack(&streamed), []);
}
