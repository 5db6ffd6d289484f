//! The line that was typed, and lines like it: what messages say one can type.

use std::ffi::OsString;
use std::fmt;

/// A command line, word by word; shown, a shell reads it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line(Vec<String>);

impl Line {
    /// With the program's name rather than its path, which differs from machine to machine.
    pub(super) fn typed(arguments: &[OsString]) -> Line {
        let words = arguments.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
        Line(std::iter::once("emberlite".into()).chain(words).collect())
    }

    /// A line that nobody has typed yet.
    pub(super) fn new(words: &[&str]) -> Line {
        Line(words.iter().map(|word| (*word).into()).collect())
    }

    /// Started by another program.
    #[cfg(feature = "mpi")]
    pub(super) fn under(&self, launcher: &[&str]) -> Line {
        Line(launcher.iter().map(|word| (*word).into()).chain(self.0.iter().cloned()).collect())
    }

    /// With this flag, once.
    pub(super) fn with(&self, flag: &str) -> Line {
        let mut line = self.without(flag);
        line.0.push(flag.into());
        line
    }

    pub(super) fn without(&self, flag: &str) -> Line {
        Line(self.0.iter().filter(|word| *word != flag).cloned().collect())
    }

    /// With this value of an option, instead of one that it may have.
    pub(super) fn set(&self, option: &str, value: &str) -> Line {
        let mut words = Vec::new();
        let mut rest = self.0.iter();
        while let Some(word) = rest.next() {
            if word == option {
                rest.next();
            } else if !word.strip_prefix(option).is_some_and(|rest| rest.starts_with('=')) {
                words.push(word.clone());
            }
        }
        words.extend([option.into(), value.into()]);
        Line(words)
    }

    /// What goes on with what this line began.
    pub(super) fn resuming(&self) -> Line {
        let begun = self.without("--fresh");
        // A line that resumes already stays as it was typed.
        if begun.0.iter().any(|word| word == "--resume") { begun } else { begun.with("--resume") }
    }

    /// What replaces it.
    pub(super) fn fresh(&self) -> Line {
        self.without("--resume").with("--fresh")
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<String> = self.0.iter().map(|word| quoted(word)).collect();
        f.write_str(&words.join(" "))
    }
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> Line {
        Line(words.iter().map(|word| (*word).into()).collect())
    }

    #[test]
    fn a_line_to_type_reads_back() {
        assert_eq!(["--run=a/b", "a b", "it's", ""].map(quoted), ["--run=a/b", "'a b'", "'it'\\''s'", "''"]);
    }

    #[test]
    fn a_line_is_changed_word_by_word() {
        let line = self::line(&["emberlite", "train", "--run", "a --resume b", "--epochs", "3", "--fresh"]);
        assert_eq!(line.resuming().to_string(), "emberlite train --run 'a --resume b' --epochs 3 --resume");
        assert_eq!(line.resuming().resuming(), line.resuming());
        assert_eq!(line.resuming().fresh().to_string(), line.to_string());
        let longer = "emberlite train --run 'a --resume b' --fresh --epochs 6";
        assert_eq!(line.set("--epochs", "6").to_string(), longer);
        assert_eq!(self::line(&["x", "--epochs=3", "y"]).set("--epochs", "6").to_string(), "x y --epochs 6");
    }
}
