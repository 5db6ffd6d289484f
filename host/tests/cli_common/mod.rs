//! What the tests of the program share: running it, a folder that goes away, small models.

#![allow(dead_code, reason = "each test uses a part")]

use emberlite_host::cli;
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
