//! Folders as they are found.

use super::*;
use std::fs;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("emberlite-runs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn with(self, name: &str, text: impl AsRef<[u8]>) -> Folder {
        fs::write(self.0.join(name), text).unwrap();
        self
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LINES: &str = concat!(
    "{\"event\":\"started\",\"device\":\"CPU\",\"done\":0,\"epochs\":2,\"steps\":3,\"samples\":9,\"validation\":4,\"trained\":42}\n",
    "{\"event\":\"epoch\",\"record\":{\"epoch\":1,\"step\":3,\"train_loss\":1.5,\"train_accuracy\":null,\"validation_loss\":1.25,",
    "\"validation_accuracy\":0.5,\"validation_metrics\":{\"f1_macro\":0.4,\"r2\":null},\"learning_rate\":0.1,\"seconds\":2.0,",
    "\"samples_per_second\":9.0},\"epochs\":2,\"best\":true}\n",
    "{\"event\":\"finished\",\"best_epoch\":1,\"stopped_early\":false}\n",
    "{\"event\":\"tested\",\"part\":\"test\",\"host_loss\":1.0,\"host_accuracy\":0.75,\"host_metrics\":{\"roc_auc\":0.9},\"device_loss\":1.1,",
    "\"device_accuracy\":0.7}\n",
);

#[test]
fn lines_alone_tell_how_it_went() {
    let folder = Folder::new("lines").with("metrics.jsonl", LINES);
    let run = read(&folder.0).unwrap();
    assert!(run.finished && run.notes == ["report.json is missing: its settings and costs aren't known"]);
    assert_eq!((run.best_epoch, run.parameters, run.seconds), (Some(1), Some(42), Some(2.0)));
    assert_eq!((run.tested["roc_auc"], run.tested["device_accuracy"], run.tested_on.as_str()), (0.9, 0.7, "test"));
    let figures = run.kept().unwrap().figures();
    assert_eq!(
        figures.keys().collect::<Vec<_>>(),
        ["train_loss", "validation_accuracy", "validation_f1_macro", "validation_loss"]
    );
}

#[test]
fn a_report_adds_settings_and_costs() {
    let report = TrainingReport {
        name: "digits".into(),
        seconds: Some(7.0),
        settings: vec![("batch".into(), "32".into())],
        seeds: vec![("weights".into(), "1".into())],
        ..TrainingReport::default()
    };
    let folder =
        Folder::new("both").with("metrics.jsonl", LINES).with("report.json", serde_json::to_string(&report).unwrap());
    let run = read(&folder.0).unwrap();
    assert_eq!((run.name.as_str(), run.seconds, run.notes.len()), ("digits", Some(7.0), 0));
    assert_eq!(run.settings, [("batch".into(), "32".into()), ("seed of weights".into(), "1".into())]);
}

#[test]
fn what_is_no_run_is_a_sentence() {
    let said = |path: &Path| read(path).unwrap_err().to_string();
    let empty = Folder::new("empty");
    assert!(said(&empty.0).contains("neither metrics.jsonl nor report.json"));
    assert!(said(&empty.0.join("none")).contains("no such folder"));
    let file = Folder::new("file").with("x", "");
    assert!(said(&file.0.join("x")).contains("a file; give the folder"));
    for text in ["", "garbage", "{\"event\":\"epo", "{\"event\":\"started\",\"epochs\":3}\n"] {
        let folder = Folder::new("nothing").with("metrics.jsonl", text);
        assert!(said(&folder.0).contains("tells nothing yet"), "{text}");
    }
    // A folder of that name isn't a file of it.
    let odd = Folder::new("odd");
    fs::create_dir(odd.0.join("metrics.jsonl")).unwrap();
    assert!(said(&odd.0).contains("metrics.jsonl: can't read"), "{}", said(&odd.0));
}

#[test]
fn a_damaged_report_leaves_the_lines() {
    for text in ["", "{", "[]", "{\"history\": 3}", "{\"of a newer version\": true}"] {
        let folder = Folder::new("damaged").with("metrics.jsonl", LINES).with("report.json", text);
        let run = read(&folder.0).unwrap();
        assert!(run.notes[0].starts_with("report.json can't be read"), "{:?}", run.notes);
        assert_eq!(run.epochs.len(), 1);
    }
}

#[test]
fn differences_are_those_of_runs_whose_settings_are_known() {
    let run = |settings: &[(&str, &str)]| Run {
        settings: settings.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect(),
        ..Run::default()
    };
    let runs = [run(&[("a", "1"), ("b", "2")]), run(&[("a", "1"), ("b", "3"), ("c", "4")]), run(&[])];
    let text = |v: &str| Some(v.to_string());
    assert_eq!(
        differences(&runs),
        [("b".into(), vec![text("2"), text("3"), None]), ("c".into(), vec![None, text("4"), None])]
    );
    assert!(differences(&runs[..1]).is_empty());
}
