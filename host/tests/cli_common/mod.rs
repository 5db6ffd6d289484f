//! What the tests of the program share: running it, a folder that goes away, small models.

#![allow(dead_code, reason = "each test uses a part")]

pub mod bars;
pub mod small_search;

use emberlite_host::cli;
use emberlite_host::data::random::hash;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// What a command said.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u8,
    pub out: String,
    pub error: String,
}

/// Runs a command in this process; relative paths start from the test's own folder, so give whole ones.
pub fn emberlite<T: AsRef<str>>(arguments: &[T]) -> Answer {
    let all = ["emberlite"].into_iter().chain(arguments.iter().map(AsRef::as_ref)).map(String::from);
    let (mut out, mut error) = (Vec::new(), Vec::new());
    let status = cli::run(all, &mut out, &mut error);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Answer { status, out: text(out), error: text(error) }
}

/// Runs a command in a process of its own, whose progress is heard too.
pub fn heard<T: AsRef<str>>(arguments: &[T]) -> Answer {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_emberlite"));
    let output = command.args(arguments.iter().map(AsRef::as_ref)).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let status = output.status.code().unwrap() as u8;
    Answer { status, out: text(output.stdout), error: text(output.stderr) }
}

/// Runs a command that must succeed; gives its output.
pub fn done<T: AsRef<str> + std::fmt::Debug>(arguments: &[T]) -> String {
    let answer = emberlite(arguments);
    assert_eq!((answer.status, answer.error.as_str()), (0, ""), "{arguments:?}");
    answer.out
}

/// A folder of its own for each test.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("emberlite-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.0.join(name), content).unwrap();
        self.path(name)
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    /// The names in the folder, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The text with this folder's path taken out.
    pub fn plain(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.0.display()), "").replace(&self.0.display().to_string(), ".")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The repository's data.
pub fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name).display().to_string()
}

/// Eight rows of two numbers and a class.
pub const ROWS: &str = "x,y,class\n1,10,a\n2,20,b\n3,10,a\n4,30,b\n5,10,a\n6,20,b\n7,30,b\n8,10,a\n";

/// A model for [`ROWS`], in `format`.
pub fn small(format: &str) -> String {
    format!(
        r#"name = "small"
[data]
file = "rows.csv"
label = {{ class = "class" }}
classes = ["a", "b"]
[model]
input = [2]
format = "{format}"
layers = [
    {{ op = "linear", outputs = 4 }},
    {{ op = "relu" }},
    {{ op = "linear", outputs = 2 }},
]
[training]
optimizer = {{ name = "adam", learning_rate = 0.01 }}
batch = 4
epochs = 3
device = "cpu"
[device]
training = {{ optimizer = {{ name = "sgd", learning_rate = 0.05 }} }}
"#
    )
}

/// A folder with rows, model and the file of a short training.
pub fn trained(format: &str) -> Folder {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    let model = folder.write("model.toml", small(format));
    let run = folder.path("run");
    done(&["train", "--model", &model, "--run", &run, "--out", &folder.path("model.safetensors"), "--quiet"]);
    folder
}

/// Case `number` made from a good text: 1 to 8 edits, or for every 16th case nothing but random bytes.
pub fn edited(good: &[u8], number: u64, words: &[&str]) -> Vec<u8> {
    let random = |index: u64| hash(number, index);
    if number.is_multiple_of(16) {
        return (1..=random(0) % 300).map(|index| random(index) as u8).collect();
    }
    let mut bytes = good.to_vec();
    for edit in 0..[1, 1, 1, 1, 2, 2, 4, 8][random(0) as usize % 8] {
        let value = random(3 * edit + 2);
        let at = random(3 * edit + 1) as usize % (bytes.len() + 1);
        let end = (at + (value >> 8) as usize % 12).min(bytes.len());
        match value % 6 {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => bytes.extend_from_within(at..),
            3 if !words.is_empty() => {
                let word = words[(value >> 16) as usize % words.len()];
                bytes.splice(at..end, word.bytes());
            }
            // A whole value for another: these pass the parser.
            4 if !words.is_empty() => {
                let word = words[(value >> 16) as usize % words.len()];
                if let Some(start) = bytes[at..].iter().position(|&byte| byte == b'=').map(|found| at + found + 1) {
                    let len = bytes[start..].iter().position(|byte| b",}\n#".contains(byte));
                    bytes.splice(start..len.map_or(bytes.len(), |len| start + len), word.bytes());
                }
            }
            _ if at < bytes.len() => bytes[at] ^= 1 << (value >> 8 & 7),
            _ => {}
        }
    }
    bytes
}
