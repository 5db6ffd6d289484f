//! The text of compile errors: what a wrong `model!` says, and that it is said by a mere check.
//!
//! Each file in `compile_errors/` is a small crate that must not compile, and beside it lies what rustc says about it: the
//! message of every error and where it points. Source excerpts and notes are left out; they change with the compiler.
//! `EMBERLITE_BLESS=1` writes the texts anew. `good.rs` is the same with nothing wrong, and must compile.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_errors")
}

/// The library that this very test is linked with lies beside it; of several builds the newest is this one's.
fn library() -> PathBuf {
    let program = std::env::current_exe().expect("a running test has a path");
    let folder = program.parent().expect("the program lies in a folder");
    let entries = fs::read_dir(folder).expect("the folder of test programs can be read").filter_map(Result::ok);
    let libraries = entries.map(|entry| entry.path()).filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.strip_prefix("libemberlite-").is_some_and(|rest| rest.ends_with(".rlib") && !rest.contains('_'))
    });
    let written = |path: &PathBuf| fs::metadata(path).and_then(|m| m.modified()).ok();
    libraries.max_by_key(written).unwrap_or_else(|| panic!("no libemberlite-*.rlib in {}", folder.display()))
}

/// Checks one file as `cargo check` would, no code generated; rustc's messages if it doesn't compile.
fn check(case: &Path) -> Option<String> {
    let library = library();
    let output = Command::new(std::env::var_os("RUSTC").unwrap_or("rustc".into()))
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--color", "never"])
        .args(["--cap-lints", "allow", "--out-dir", env!("CARGO_TARGET_TMPDIR")])
        .arg("--extern")
        .arg(format!("emberlite={}", library.display()))
        .arg("-L")
        .arg(format!("dependency={}", library.parent().unwrap_or(&library).display()))
        .arg(case)
        .output()
        .unwrap_or_else(|error| panic!("rustc can't be run: {error}; set RUSTC to its path"));
    if output.status.success() { None } else { Some(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// The message of every error, the file and line that it points at, and for wrong types what was expected and found.
fn essence(messages: &str) -> String {
    let mut text = String::new();
    let mut inside = false;
    for line in messages.lines() {
        let starts = line.starts_with("error[") || (line.starts_with("error:") && !line.contains("aborting due to"));
        if starts {
            inside = true;
        }
        if let Some((_, types)) = line.split_once("^ expected `") {
            text.truncate(text.trim_end().len());
            text += &format!("\n  expected `{types}\n\n");
        }
        if !inside {
            continue;
        }
        match line.trim_start().strip_prefix("--> ") {
            Some(place) => {
                // The file's name and the line, without the column.
                let place = place.rsplit_once(':').map_or(place, |(place, _column)| place);
                let place = Path::new(place).file_name().map(|name| name.to_string_lossy());
                text += &format!("  at {}\n\n", place.unwrap_or_default());
                inside = false;
            }
            None => {
                text += line.trim_end();
                text.push('\n');
            }
        }
    }
    text
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).expect("the folder of cases can be read").filter_map(Result::ok);
    let mut cases: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "rs")).collect();
    cases.sort();
    cases
}

#[test]
fn wrong_models_say_what_is_wrong() {
    let bless = std::env::var_os("EMBERLITE_BLESS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for case in cases().into_iter().filter(|case| !case.ends_with("good.rs")) {
        let Some(messages) = check(&case) else {
            wrong.push(format!("{} compiles", case.display()));
            continue;
        };
        let (text, path) = (essence(&messages), case.with_extension("stderr"));
        if bless {
            fs::write(&path, &text).expect("the text can be written");
        } else if fs::read_to_string(&path).unwrap_or_default() != text {
            wrong.push(format!("{} isn't what rustc says now:\n{text}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}\nIf this is right, run again with EMBERLITE_BLESS=1.", wrong.join("\n"));
    assert!(cases().len() >= 20, "cases are missing");
}

#[test]
fn a_right_model_compiles() {
    let messages = check(&folder().join("good.rs"));
    assert_eq!(messages, None);
}
