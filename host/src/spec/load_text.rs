//! From `[data]` to sets of tokens.

use super::load_media::Divided;
use super::{DataSpec, Files, LoadError, Media, Part, Sets, Spec};
use crate::data::folder::PassedOver;
use crate::data::text::{Corpus, Method, Texts, TokenWindows, Tokenizer, read_text};
use crate::data::{Prepare, Rule, Set};
use std::ops::Range;
use std::path::PathBuf;

impl Spec {
    /// Tokens of texts in memory, four bytes each.
    pub(super) fn texts(&self, parts: Divided<Texts>, method: &Method) -> Result<Sets, LoadError> {
        let [length] = self.dims("texts: [length] in tokens")?;
        let tokenizer = Tokenizer::train(method, &parts.train.texts)?;
        let sets = parts.map(|texts| Ok(Set::Memory(texts.samples(&tokenizer, length)?)))?;
        Ok(Sets { tokenizer: Some(tokenizer), ..sets.sets() })
    }

    /// Windows of a corpus. It is cut into parts before it is cut into tokens: shares are of its bytes, and a tokenizer that is
    /// trained sees the training part and nothing else. No window reaches over an edge.
    pub(super) fn corpus(
        &self,
        data: &DataSpec,
        paths: &[PathBuf],
        method: &Method,
        stride: Option<usize>,
    ) -> Result<Sets, LoadError> {
        let [length] = self.dims("a corpus: [length] in tokens")?;
        let stride = stride.unwrap_or(length);
        let (whole, tokenizer, [train, validation, test]) = match method {
            Method::Byte => {
                // Bytes are tokens, and read where they lie.
                let tokenizer = Tokenizer::byte();
                let corpus = Corpus::open(paths, &tokenizer)?;
                let ranges = self.ranges(data, corpus.len())?;
                (Whole::Bytes(corpus), tokenizer, ranges)
            }
            _ => {
                let texts = paths.iter().map(|path| read_text(path)).collect::<Result<Vec<_>, _>>()?;
                let ranges = self.ranges(data, texts.iter().map(|text| text.len() as u64).sum())?;
                let tokenizer = Tokenizer::train(method, &pieces(&texts, &ranges[0]))?;
                (Whole::Texts(texts), tokenizer, ranges)
            }
        };
        let windows = |corpus: Corpus, range| -> Result<Set, LoadError> {
            Ok(Set::stream(TokenWindows::new(corpus, range, length, stride, &tokenizer)?))
        };
        let all = |corpus: Corpus| {
            let all = 0..corpus.len();
            windows(corpus, all)
        };
        let of = |range: Range<u64>| match &whole {
            Whole::Bytes(corpus) => windows(corpus.clone(), range),
            Whole::Texts(texts) => {
                let tokens = pieces(texts, &range).into_iter().map(|piece| tokenizer.encode(piece));
                all(Corpus::from_tokens(tokens.collect::<Result<Vec<_>, _>>()?.concat()))
            }
        };
        let held = |part: &Option<Part>, range: Range<u64>| match part {
            None => Ok(None),
            Some(Part::Files(Files::Media(Media::Corpus { paths, .. }))) => {
                all(Corpus::open(paths, &tokenizer)?).map(Some)
            }
            Some(_) => of(range).map(Some),
        };
        Ok(Sets {
            train: of(train)?,
            validation: held(&data.validation, validation)?,
            test: held(&data.test, test)?,
            tokenizer: Some(tokenizer.clone()),
            skipped: 0,
            passed_over: PassedOver::default(),
            prepare: Prepare::default(),
        })
    }

    /// Of `len` bytes those of the training, the validation and the test part. Both heads: the test part comes first; both
    /// tails: last.
    fn ranges(&self, data: &DataSpec, len: u64) -> Result<[Range<u64>; 3], LoadError> {
        let (test, validation) = self.shares(data, len)?;
        let at_start = |part: &Option<Part>| matches!(part, Some(Part::Rule(_)));
        let head = |part: &Option<Part>, share| if at_start(part) { share } else { 0 };
        let from = head(&data.test, test) + head(&data.validation, validation);
        let to = from + len - test - validation;
        let test = if at_start(&data.test) { 0..test } else { len - test..len };
        let validation = if at_start(&data.validation) { from - validation..from } else { to..to + validation };
        Ok([from..to, validation, test])
    }

    /// Of `len` bytes those of the test and the validation part.
    fn shares(&self, data: &DataSpec, len: u64) -> Result<(u64, u64), LoadError> {
        let share = |part: &Option<Part>, (name, line): (&str, u32), of: u64| -> Result<u64, LoadError> {
            match part {
                None | Some(Part::Files(_)) => Ok(0),
                Some(Part::Tail { share } | Part::Rule(Rule::Head { share })) => Ok((of as f64 * share) as u64),
                Some(_) => {
                    let message = format!(
                        "`data.{name}`: a corpus is divided by head or tail, since any other rule would put neighbouring \
                         windows into both parts"
                    );
                    Err(self.error(line, message).into())
                }
            }
        };
        let test = share(&data.test, ("test", data.lines.test), len)?;
        let validation = share(&data.validation, ("validation", data.lines.validation), len - test)?;
        Ok((test, validation))
    }
}

/// A corpus before it is divided.
enum Whole {
    Bytes(Corpus),
    Texts(Vec<String>),
}

/// What of the texts, one after the other, lies in a range of bytes. An edge within a character moves before it.
fn pieces<'a>(texts: &'a [String], range: &Range<u64>) -> Vec<&'a str> {
    let mut start = 0;
    let mut pieces = Vec::new();
    for text in texts {
        let edge = |at: u64| {
            let at = at.saturating_sub(start).min(text.len() as u64) as usize;
            (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
        };
        pieces.extend(text.get(edge(range.start)..edge(range.end)).filter(|piece| !piece.is_empty()));
        start += text.len() as u64;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_all_texts_once() {
        let texts = ["aß☃".to_string(), String::new(), "bc".into()];
        // a 1, ß 2, ☃ 3 bytes, then b and c at 6 and 7.
        assert_eq!(pieces(&texts, &(0..8)), ["aß☃", "bc"]);
        assert_eq!(pieces(&texts, &(0..2)), ["a"]);
        assert_eq!(pieces(&texts, &(2..5)), ["ß"]);
        assert_eq!(pieces(&texts, &(5..7)), ["☃", "b"]);
        assert_eq!(pieces(&texts, &(7..8)), ["c"]);
    }
}
