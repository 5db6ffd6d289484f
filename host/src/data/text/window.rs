//! A corpus as windows of tokens, each with the token that comes next at every position.

use super::{Tokenizer, read_text};
use crate::data::bytes;
use crate::data::dataset::Labels;
use crate::data::error::DataError;
use crate::data::records::{RandomFile, beyond};
use crate::data::source::{Draw, Source};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// All tokens of some files, one after the other.
///
/// With the tokenizer "byte" nothing is kept: the files are read at offsets, however large. Others keep the tokens in
/// memory, four bytes each.
#[derive(Clone, Debug)]
pub struct Corpus {
    kind: Arc<Kind>,
    len: u64,
}

#[derive(Debug)]
enum Kind {
    Tokens(Vec<u32>),
    Files(Vec<RandomFile>),
}

impl Corpus {
    /// Reads or opens files.
    ///
    /// # Errors
    /// [`DataError::Read`], and as [`Tokenizer::encode`].
    pub fn open(paths: &[PathBuf], tokenizer: &Tokenizer) -> Result<Self, DataError> {
        if tokenizer.is_byte() {
            let files = paths.iter().map(|path| RandomFile::open(path)).collect::<Result<Vec<_>, _>>()?;
            for (file, path) in files.iter().zip(paths) {
                if file.len == 0 {
                    return Err(empty(path));
                }
                file.head(2)?;
            }
            let len = files.iter().map(|file| file.len).sum();
            return Ok(Self { kind: Arc::new(Kind::Files(files)), len });
        }
        let mut tokens = Vec::new();
        for path in paths {
            tokens.extend(tokenizer.encode(&read_text(path)?)?);
        }
        Ok(Self::from_tokens(tokens))
    }

    /// Tokens that are there.
    pub fn from_tokens(tokens: Vec<u32>) -> Self {
        Self { len: tokens.len() as u64, kind: Arc::new(Kind::Tokens(tokens)) }
    }

    /// The number of tokens.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Fills `out` with the tokens from `at` on.
    fn read(&self, at: u64, out: &mut [u32]) -> Result<(), DataError> {
        match self.kind.as_ref() {
            Kind::Tokens(tokens) => {
                let found = tokens.get(at as usize..).and_then(|rest| rest.get(..out.len()));
                out.copy_from_slice(found.ok_or_else(|| beyond(tokens.len()))?);
            }
            Kind::Files(files) => {
                let (mut at, mut out) = (at, out);
                for file in files {
                    if at >= file.len {
                        at -= file.len;
                        continue;
                    }
                    let here = out.len().min((file.len - at) as usize);
                    let mut bytes = vec![0; here];
                    file.read(at, &mut bytes)?;
                    let (now, rest) = out.split_at_mut(here);
                    now.iter_mut().zip(bytes).for_each(|(token, byte)| *token = byte.into());
                    (at, out) = (0, rest);
                }
                if !out.is_empty() {
                    return Err(beyond(self.len as usize));
                }
            }
        }
        Ok(())
    }
}

fn empty(path: &Path) -> DataError {
    DataError::Format {
        file: bytes::name(path),
        at: 0,
        expected: "text",
        found: "an empty file".into(),
        help: "check that this is the right file",
    }
}

/// Windows of `length` tokens every `stride` tokens: sample `[length]`, and to learn at each position the token that
/// follows.
#[derive(Clone, Debug)]
pub struct TokenWindows {
    corpus: Corpus,
    range: Range<u64>,
    length: usize,
    stride: u64,
    shape: [usize; 1],
    labels: Labels,
    count: usize,
}

impl TokenWindows {
    /// Windows of the tokens in `range`; none of them, and nothing to learn, reaches beyond it.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for a range without a single window and the token after it.
    pub fn new(
        corpus: Corpus,
        range: Range<u64>,
        length: usize,
        stride: usize,
        tokenizer: &Tokenizer,
    ) -> Result<Self, DataError> {
        let tokens = range.end.min(corpus.len()).saturating_sub(range.start);
        let needed = length as u64 + 1;
        if length == 0 || stride == 0 || tokens < needed {
            return Err(DataError::Mismatch {
                what: format!("windows of {length} tokens every {stride}"),
                expected: format!("at least 1 each, and at least {needed} tokens"),
                found: format!("{tokens} tokens"),
                help: "give more text, or a model with a shorter input",
            });
        }
        let count = (1 + (tokens - needed) / stride as u64).min(u32::MAX.into()) as usize;
        let labels = Labels::Tokens { ids: Vec::new(), length, names: tokenizer.names().to_vec() };
        Ok(Self { corpus, range, length, stride: stride as u64, shape: [length], labels, count })
    }

    fn each(&self, draw: Draw<'_>, first: u64, mut visit: impl FnMut(usize, &[u32])) -> Result<(), DataError> {
        let mut tokens = vec![0; self.length];
        for (place, &index) in draw.indices.iter().enumerate() {
            if index >= self.count {
                return Err(beyond(self.count));
            }
            self.corpus.read(self.range.start + index as u64 * self.stride + first, &mut tokens)?;
            visit(place, &tokens);
        }
        Ok(())
    }
}

impl Source for TokenWindows {
    fn len(&self) -> usize {
        self.count
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
        let length = self.length;
        self.each(draw, 0, |place, tokens| {
            out[place * length..].iter_mut().zip(tokens).for_each(|(out, &token)| *out = token as f32);
        })
    }

    fn read_tokens(&self, draw: Draw<'_>, out: &mut [u32]) -> Result<(), DataError> {
        let length = self.length;
        self.each(draw, 1, |place, tokens| out[place * length..][..length].copy_from_slice(tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_position_learns_the_next_token() {
        let folder = std::env::temp_dir();
        let paths = ["a", "b"].map(|name| folder.join(format!("emberlite-corpus-{}-{name}", std::process::id())));
        std::fs::write(&paths[0], "abcd").unwrap();
        std::fs::write(&paths[1], "efghij").unwrap();
        let byte = Tokenizer::byte();
        let files = Corpus::open(&paths, &byte).unwrap();
        let memory = Corpus::from_tokens((97..107).collect());
        for corpus in [files.clone(), memory] {
            let set = TokenWindows::new(corpus, 0..10, 3, 2, &byte).unwrap();
            // Starts at 0, 2, 4 and 6: the last learns tokens 7 to 9.
            assert_eq!((set.len(), set.shape()), (4, &[3][..]));
            let draw = Draw { indices: &[1, 3], epoch: None };
            let (mut x, mut y) = (vec![0.0; 6], vec![0; 6]);
            set.read(draw, &mut x).unwrap();
            set.read_tokens(draw, &mut y).unwrap();
            assert_eq!((x, y), (vec![99.0, 100.0, 101.0, 103.0, 104.0, 105.0], vec![100, 101, 102, 104, 105, 106]));
            assert!(set.read(Draw { indices: &[4], epoch: None }, &mut [0.0; 3]).is_err());
        }
        // A part of its own: nothing of the rest is seen.
        let part = TokenWindows::new(files.clone(), 6..10, 3, 1, &byte).unwrap();
        assert_eq!(part.len(), 1);
        let text = TokenWindows::new(files, 7..10, 3, 1, &byte).unwrap_err().to_string();
        assert!(text.contains("at least 4 tokens, found 3 tokens"), "{text}");
        std::fs::write(&paths[0], "").unwrap();
        assert!(Corpus::open(&paths, &byte).unwrap_err().to_string().contains("found an empty file"));
        paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
}
