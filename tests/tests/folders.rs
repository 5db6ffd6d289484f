//! Nothing lies in a folder and isn't used: every file is a module of the one above it, and every operation of the core
//! has its lowering, under the same name; and no room of the core names a higher one. The compiler holds the rest, since no
//! `match` over operations has a wildcard.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// What lies in a folder, sorted.
fn list(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|entry| entry.expect("a readable entry").path()).collect()
}

/// Whether one of the files that may declare the modules of a folder declares this one.
fn is_declared(folder: &Path, module: &str) -> bool {
    let beside = folder.with_extension("rs");
    let parents = ["mod.rs", "lib.rs", "main.rs"].map(|name| folder.join(name)).into_iter().chain([beside]);
    let declaration = format!("mod {module};");
    let declares = |parent: PathBuf| {
        text(&parent).lines().any(|line| !line.trim_start().starts_with("//") && line.ends_with(&declaration))
    };
    parents.filter(|parent| parent.exists()).any(declares)
}

/// Files in a folder and below that no module declares; how many files there are is added to `seen`.
fn forgotten(folder: &Path, seen: &mut usize) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in list(folder) {
        let module = stem(&path);
        if path.is_dir() {
            found.extend(forgotten(&path, seen));
        } else if path.extension().is_some_and(|e| e == "rs") && !matches!(&*module, "mod" | "lib" | "main") {
            *seen += 1;
            if !is_declared(folder, &module) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn every_file_is_a_module_of_the_one_above() {
    let mut seen = 0;
    for package in ["core", "host", "tests", "xtask"] {
        let forgotten = forgotten(&root().join(package).join("src"), &mut seen);
        assert!(forgotten.is_empty(), "no `mod` line names {forgotten:?}");
    }
    assert!(seen > 150, "only {seen} files: this looks in the wrong place");
}

#[test]
fn every_operation_is_registered_and_has_its_lowering() {
    let (op, lower) = (root().join("core/src/op"), root().join("host/src/lower"));
    // A file with a shape rule is an operation's (or several operations'); the others help.
    let is_operation = |path: &PathBuf| {
        path.is_file() && !matches!(&*stem(path), "mod" | "no_host") && text(path).contains("const fn facts(")
    };
    let operations: Vec<String> = list(&op).iter().filter(|path| is_operation(path)).map(|path| stem(path)).collect();
    assert!(operations.len() >= 7, "only {operations:?}: this looks in the wrong place");
    for name in operations {
        let calls = |file: &Path| text(file).contains(&format!("{name}::"));
        assert!(calls(&op.join("mod.rs")), "`Op` has no line for core/src/op/{name}.rs");
        let there = lower.join(format!("{name}.rs")).exists() && is_declared(&lower, &name);
        assert!(there, "core/src/op/{name}.rs has no host/src/lower/{name}.rs: the host can't train it");
        assert!(calls(&lower.join("mod.rs")), "no line of `Lowered::forward` calls host/src/lower/{name}.rs");
    }
    // Those of the host alone are a folder, with a file for each here and there.
    let files = list(&op.join("host"));
    let names: Vec<String> = files.iter().map(|path| stem(path)).filter(|n| !matches!(&**n, "mod" | "tests")).collect();
    assert!(names.len() >= 11, "only {names:?}: this looks in the wrong place");
    for name in names {
        let there = lower.join(format!("{name}.rs")).exists() && is_declared(&lower, &name);
        assert!(there, "core/src/op/host/{name}.rs has no host/src/lower/{name}.rs: the host can't train it");
        let calls = text(&lower.join("mod.rs")).contains(&format!("{name}::"));
        assert!(calls, "no line of `Lowered::forward` calls host/src/lower/{name}.rs");
    }
}

#[test]
fn every_selected_kernel_is_compared_with_its_twin() {
    let selector = text(&root().join("core/src/kernel/mod.rs"));
    let program = text(&root().join("tests/src/programs/kernels.rs"));
    let mut names = BTreeSet::new();
    for source in ["selected", "by_format"] {
        for list in selector.split(&format!("pub use {source}::")).skip(1) {
            let list = list.split(';').next().unwrap_or_default();
            let list = list.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|name| !name.is_empty());
            names.extend(list.map(str::to_string));
        }
    }
    assert!(names.len() >= 8, "only {names:?}: this looks in the wrong place");
    for name in names {
        let calls = |path: &str| ["(", "::<"].iter().any(|end| program.contains(&format!("{path}::{name}{end}")));
        assert!(
            calls("kernel") && calls("portable"),
            "tests/src/programs/kernels.rs doesn't compare kernel::{name} with its twin"
        );
    }
}

/// The rooms of the core from below; those of one line don't know each other.
const ROOMS: [&[&str]; 10] = [
    &["number", "shape"],
    &["kernel"],
    &["math"],
    &["op", "loss", "optimizer"],
    &["graph"],
    &["plan"],
    &["image"],
    &["executor"],
    &["tensor"],
    &["learner"],
];

/// The core's source in a room: a folder, or one file.
fn source(path: &Path) -> String {
    if path.is_dir() { list(path).iter().map(|path| source(path)).collect() } else { text(path) }
}

#[test]
fn no_room_names_a_higher_one() {
    let folder = root().join("core/src");
    let room = |name: &str| ["", "rs"].map(|e| folder.join(name).with_extension(e)).into_iter().find(|p| p.exists());
    let all: BTreeSet<String> = list(&folder).iter().map(|path| stem(path)).filter(|name| name != "lib").collect();
    assert_eq!(all, ROOMS.iter().flat_map(|row| row.iter().map(|name| name.to_string())).collect());
    let mut named = 0;
    for (height, row) in ROOMS.iter().enumerate() {
        for name in *row {
            let source = source(&room(name).expect("listed above"));
            let names = |other: &str| {
                source.contains(&format!("crate::{other}::")) || source.contains(&format!("crate::{other};"))
            };
            let above = ROOMS[height..].iter().flat_map(|row| row.iter()).filter(|other| *other != name);
            let wrong: Vec<_> = above.filter(|other| names(other)).collect();
            assert!(wrong.is_empty(), "{name} names {wrong:?}, which lies beside or above it");
            named += ROOMS[..height].iter().flat_map(|row| row.iter()).filter(|other| names(other)).count();
        }
    }
    assert!(named > 25, "only {named} names of lower rooms: this looks in the wrong place");
}
