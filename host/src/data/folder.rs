//! Files in folders, a folder a class: the layout of image and audio sets and of aclImdb.
//!
//! ```text
//! photos/cat/1.png  photos/cat/2.png  photos/dog/a.jpg            one set
//! photos/train/cat/1.png  photos/test/cat/9.png                   parts of their own
//! ```
//!
//! Everything is sorted by name, so that sample `i` is the same on every system; names that start with a dot and files
//! of other kinds are left out, and counted.

use super::bytes;
use super::dataset::Labels;
use super::error::DataError;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::{fmt, fs};

/// The files of one part with their classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The folder.
    pub folder: PathBuf,
    /// In order of class and name.
    pub files: Vec<PathBuf>,
    /// `[files]`.
    pub ids: Vec<u32>,
    /// Classes in the order of the model's outputs: the folders' names, sorted.
    pub names: Vec<String>,
    /// Files of other kinds, which aren't samples.
    pub passed_over: PassedOver,
}

/// Files in the folders of classes that aren't samples, since their names end otherwise; as text a sentence without an end,
/// empty for none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// How many.
    pub count: usize,
    /// The first of them, from the folder of the classes on.
    pub first: Option<PathBuf>,
    /// The endings that are read.
    pub read: Vec<String>,
}

impl PassedOver {
    /// Those of another part besides.
    pub fn add(&mut self, other: &PassedOver) {
        self.count += other.count;
        if self.first.is_none() {
            self.first.clone_from(&other.first);
            self.read.clone_from(&other.read);
        }
    }

    /// The sentence; none where every file is a sample.
    pub fn sentence(&self) -> Option<String> {
        (self.count > 0).then(|| self.to_string())
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = &self.first else { return Ok(()) };
        let endings: Vec<String> = self.read.iter().map(|ending| format!(".{ending}")).collect();
        let read = match &endings[..] {
            [all @ .., last] if !all.is_empty() => format!("only {} and {last} are read", all.join(", ")),
            _ => format!("only {} is read", endings.concat()),
        };
        match self.count {
            1 => write!(f, "1 file was passed over, {}: {read}", first.display()),
            count => write!(f, "{count} files were passed over, e.g. {}: {read}", first.display()),
        }
    }
}

/// The parts of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// `train/`, or the folder itself.
    pub train: Listing,
    /// `validation/`, `val/` or `valid/`.
    pub validation: Option<Listing>,
    /// `test/`.
    pub test: Option<Listing>,
}

/// Lists a folder that has a sub-folder a class, or `train/` and others that have. `classes` are the classes in the
/// order of the outputs; empty: the folders of the training part.
///
/// # Errors
/// [`DataError::Mismatch`] for a folder without classes, a class without files, or one that isn't among the classes.
pub fn list(folder: &Path, extensions: &[&str], classes: &[String]) -> Result<Parts, DataError> {
    let part = |names: &[&str]| names.iter().map(|name| folder.join(name)).find(|path| path.is_dir());
    let Some(train) = part(&["train"]) else {
        return Ok(Parts { train: one(folder, extensions, classes)?, validation: None, test: None });
    };
    let train = one(&train, extensions, classes)?;
    let held = |names: &[&str]| part(names).map(|path| one(&path, extensions, &train.names)).transpose();
    Ok(Parts { validation: held(&["validation", "val", "valid"])?, test: held(&["test"])?, train })
}

/// One folder with a sub-folder a class.
///
/// # Errors
/// As [`list`].
pub fn one(folder: &Path, extensions: &[&str], classes: &[String]) -> Result<Listing, DataError> {
    let folders: Vec<PathBuf> = sorted(folder)?.into_iter().filter(|path| path.is_dir()).collect();
    // aclImdb keeps unlabelled texts beside its classes.
    let folders: Vec<PathBuf> = folders.into_iter().filter(|path| name(path) != "unsup").collect();
    if folders.is_empty() {
        return Err(DataError::Mismatch {
            what: bytes::name(folder),
            expected: "a sub-folder for each class".into(),
            found: "none".into(),
            help: "put the files of each class into a folder of the class's name",
        });
    }
    folders.iter().try_for_each(|path| refuse_other_text(path))?;
    let names: Vec<String> =
        if classes.is_empty() { folders.iter().map(|path| name(path)).collect() } else { classes.to_vec() };
    let (mut files, mut ids) = (Vec::new(), Vec::new());
    let mut passed_over =
        PassedOver { read: extensions.iter().map(ToString::to_string).collect(), ..PassedOver::default() };
    let root = folder;
    for folder in &folders {
        let Some(id) = names.iter().position(|class| *class == name(folder)) else {
            return Err(DataError::Mismatch {
                what: bytes::name(folder),
                expected: format!("one of the classes {}", shortened(&names)),
                found: "another".into(),
                help: "add it to the classes, or remove the folder: a model can't know a class it wasn't trained on",
            });
        };
        refuse_a_link_up(folder, root)?;
        let before = files.len();
        let mut others = Vec::new();
        collect(folder, extensions, &mut files, &mut others, 0)?;
        if files.len() == before {
            let found = match (&others[..], others.len()) {
                ([first, ..], count) => format!("none ({count} of other kinds, such as {})", name(first)),
                _ => "none".into(),
            };
            return Err(DataError::Mismatch {
                what: bytes::name(folder),
                expected: format!("at least one file ({})", extensions.join(", ")),
                found,
                help: "add samples of the class, or remove its folder",
            });
        }
        ids.resize(files.len(), id as u32);
        passed_over.count += others.len();
        if let (None, Some(first)) = (&passed_over.first, others.first()) {
            passed_over.first = Some(first.strip_prefix(root).unwrap_or(first).into());
        }
    }
    Ok(Listing { folder: folder.into(), files, ids, names, passed_over })
}

/// The files below a folder, a few folders deep: those with the extensions, and others.
fn collect(
    folder: &Path,
    extensions: &[&str],
    files: &mut Vec<PathBuf>,
    others: &mut Vec<PathBuf>,
    depth: u32,
) -> Result<(), DataError> {
    const DEEPEST: u32 = 8;
    for path in sorted(folder)? {
        if path.is_dir() {
            refuse_a_link_up(&path, folder)?;
            if depth < DEEPEST {
                collect(&path, extensions, files, others, depth + 1)?;
            }
        } else if has_extension(&path, extensions) {
            files.push(path);
        } else {
            others.push(path);
        }
    }
    Ok(())
}

/// A class's name is text: two that aren't would both be shown, and merged, as the same replacement.
fn refuse_other_text(folder: &Path) -> Result<(), DataError> {
    match folder.file_name() {
        Some(name) if name.to_str().is_none() => Err(DataError::Mismatch {
            what: bytes::name(folder),
            expected: "a folder's name in UTF-8, as it is the class's name".into(),
            found: format!("{name:?}"),
            help: "rename the folder",
        }),
        _ => Ok(()),
    }
}

/// A path in a folder must not be a link to that one or to one that it lies in.
fn refuse_a_link_up(path: &Path, folder: &Path) -> Result<(), DataError> {
    let whole = |path: &Path| fs::canonicalize(path).ok();
    let leads_up = || whole(folder).zip(whole(path)).is_some_and(|(here, there)| here.starts_with(there));
    if path.is_symlink() && leads_up() {
        return Err(DataError::Mismatch {
            what: bytes::name(path),
            expected: "a folder of the class's own files".into(),
            found: "a link to a folder above".into(),
            help: "remove the link: other classes' files would count as this one's",
        });
    }
    Ok(())
}

fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    extension.is_some_and(|extension| extensions.contains(&extension.as_str()))
}

/// What is in a folder, by name, without what is hidden.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let failed = |source| DataError::Read { file: bytes::name(folder), source };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !name(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned())
}

fn shortened(names: &[String]) -> String {
    let shown = names.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 8 { format!("{shown}, … ({} in all)", names.len()) } else { shown }
}

impl Listing {
    /// The classes as labels.
    pub fn labels(&self) -> Labels {
        Labels::Class { ids: self.ids.clone(), names: self.names.clone() }
    }

    /// Without the files that `keep` says no to.
    pub fn retain(&mut self, keep: &[bool]) {
        let kept = |place: &usize| keep.get(*place).copied().unwrap_or(true);
        let places: Vec<usize> = (0..self.files.len()).filter(kept).collect();
        self.ids = places.iter().map(|&place| self.ids[place]).collect();
        self.files = places.iter().map(|&place| self.files[place].clone()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn links_to_folders_above_are_refused_and_others_followed() {
        use std::os::unix::fs::symlink;
        let root = std::env::temp_dir().join(format!("emberlite-links-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for file in ["all/a/1.png", "all/b/2.png", "elsewhere/3.png"] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), "x").unwrap();
        }
        let listed = || list(&root.join("all"), &["png"], &[]);
        symlink("../../elsewhere", root.join("all/b/more")).unwrap();
        assert_eq!(listed().unwrap().train.ids, [0, 1, 1]);
        for (target, link) in [("..", "all/b/up"), (".", "all/a/here"), ("..", "all/c"), ("../../..", "all/b/far")] {
            symlink(target, root.join(link)).unwrap();
            let error = listed().unwrap_err().to_string();
            assert!(
                error.contains(link) && error.contains("found a link to a folder above; remove the link"),
                "{error}"
            );
            fs::remove_file(root.join(link)).unwrap();
        }
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn classes_are_folders_and_parts_too() {
        let root = std::env::temp_dir().join(format!("emberlite-folder-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let make = |path: &str| {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), "x").unwrap();
        };
        ["b/2.png", "b/1.PNG", "a/deep/9.jpg", "a/notes.txt", ".hidden/1.png", "b/.1.png"]
            .iter()
            .for_each(|path| make(path));
        let parts = list(&root, &["png", "jpg"], &[]).unwrap();
        let relative = |listing: &Listing| -> Vec<String> {
            listing.files.iter().map(|f| f.strip_prefix(&root).unwrap().display().to_string()).collect()
        };
        assert_eq!(relative(&parts.train), ["a/deep/9.jpg", "b/1.PNG", "b/2.png"]);
        assert_eq!((&parts.train.ids[..], parts.train.passed_over.count), (&[0, 1, 1][..], 1));
        let said = parts.train.passed_over.to_string();
        assert_eq!(said, "1 file was passed over, a/notes.txt: only .png and .jpg are read");
        make("b/3.webp");
        let mut twice = list(&root, &["png", "jpg"], &[]).unwrap().train.passed_over;
        twice.add(&twice.clone());
        assert_eq!(twice.to_string(), "4 files were passed over, e.g. a/notes.txt: only .png and .jpg are read");
        let said = PassedOver { count: 2, first: Some("a/1.mp3".into()), read: vec!["wav".into()] }.to_string();
        assert_eq!(said, "2 files were passed over, e.g. a/1.mp3: only .wav is read");
        assert_eq!(PassedOver::default().sentence(), None);
        assert_eq!(list(&root, &["png", "jpg"], &["b".into(), "a".into()]).unwrap().train.ids, [1, 0, 0]);
        let text = |classes: &[String]| list(&root, &["png"], classes).unwrap_err().to_string();
        assert!(
            text(&[]).contains("a: expected at least one file (png), found none (2 of other kinds, such as 9.jpg)"),
            "{}",
            text(&[])
        );
        assert!(text(&["b".into()]).contains("expected one of the classes b, found another"));
        ["parts/train/x/1.png", "parts/train/y/1.png", "parts/val/y/2.png", "parts/test/x/3.png"]
            .iter()
            .for_each(|path| make(path));
        let parts = list(&root.join("parts"), &["png"], &[]).unwrap();
        assert_eq!((parts.train.files.len(), parts.validation.unwrap().ids), (2, vec![1]));
        assert_eq!(parts.test.unwrap().names, ["x", "y"]);
        fs::create_dir_all(root.join("empty")).unwrap();
        assert!(list(&root.join("empty"), &["png"], &[]).unwrap_err().to_string().contains("a sub-folder for each"));
        assert!(list(&root.join("absent"), &["png"], &[]).unwrap_err().to_string().contains("check the path"));
        fs::remove_dir_all(&root).unwrap();
    }
}
