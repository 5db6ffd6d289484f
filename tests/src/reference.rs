//! Reads the reference vectors of `tests/reference/vectors` and compares against them.
//!
//! The files come from PyTorch; `tests/reference/README.md` gives the format. Each holds inputs, torch's float32
//! results and the float64 truth for those inputs. We compare with the truth, within a bound that the test derives, so
//! that the verdict doesn't hang on torch's own rounding; that torch's float32 lies within the same bound shows that
//! the bound isn't too tight, and a test that a wrong answer lies outside shows that it isn't too loose.
//!
//! These are helpers of tests over committed files: what is missing is a mistake in the test, and they panic with its
//! name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use safetensors::{Dtype, SafeTensors};

/// Half a unit in the last place of an f32, relative: the largest error of one rounded operation.
pub const UNIT: f64 = 1.0 / 16_777_216.0;

/// The smallest distance between f32s near zero; one operation that underflows is off by at most half of it.
pub const TINY: f64 = f32::MIN_POSITIVE as f64 * 2.0 * UNIT;

/// One tensor: its shape and its elements, all three types as f64 (each holds them exactly).
struct Tensor {
    shape: Vec<usize>,
    values: Vec<f64>,
}

/// One file of reference vectors.
pub struct Vectors {
    subject: String,
    tensors: BTreeMap<String, Tensor>,
    lines: BTreeMap<String, String>,
}

/// One case of a file.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    file: &'a Vectors,
    name: &'a str,
    line: &'a str,
}

impl Vectors {
    /// Reads `vectors/<subject>.safetensors`.
    ///
    /// # Panics
    /// If the file is missing or isn't what `make_vectors.py` writes.
    pub fn open(subject: &str) -> Vectors {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("reference/vectors");
        let path = folder.join(format!("{subject}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let explain = |error| panic!("{}: {error}; write it again with make_vectors.py", path.display());
        let lines = SafeTensors::read_metadata(&bytes).unwrap_or_else(explain).1.metadata().clone().unwrap_or_default();
        let tensors = SafeTensors::deserialize(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let tensors = tensors.iter().map(|(name, view)| {
            let values = match view.dtype() {
                Dtype::F32 => numbers(view.data(), |b| f64::from(f32::from_le_bytes(b))),
                Dtype::F64 => numbers(view.data(), f64::from_le_bytes),
                Dtype::I32 => numbers(view.data(), |b| f64::from(i32::from_le_bytes(b))),
                other => panic!("{}: {name} is {other:?}; expected F32, F64 or I32", path.display()),
            };
            (name.to_string(), Tensor { shape: view.shape().to_vec(), values })
        });
        Vectors { subject: subject.into(), tensors: tensors.collect(), lines: lines.into_iter().collect() }
    }

    /// Every case, by name.
    pub fn cases(&self) -> impl Iterator<Item = Case<'_>> {
        let known = self.lines.iter().filter(|(name, _)| !matches!(name.as_str(), "torch" | "numpy"));
        known.map(|(name, line)| Case { file: self, name, line })
    }

    /// One case.
    ///
    /// # Panics
    /// If there is no case of that name.
    pub fn case(&self, name: &str) -> Case<'_> {
        self.cases().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name} in {}", self.subject))
    }
}

fn numbers<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|&chunk| read(chunk)).collect()
}

impl<'a> Case<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// An attribute as text, if the case has it.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        self.line.split(' ').filter_map(|part| part.split_once('=')).find(|(k, _)| *k == key).map(|(_, value)| value)
    }

    /// An attribute as text.
    ///
    /// # Panics
    /// If the case doesn't have it; so do the methods below.
    #[track_caller]
    pub fn text(&self, key: &str) -> &'a str {
        self.get(key).unwrap_or_else(|| panic!("case {} has no attribute {key}: {}", self.name, self.line))
    }

    /// An attribute as a number; the files hold float64 values that are f32s exactly.
    #[track_caller]
    pub fn number(&self, key: &str) -> f32 {
        self.text(key).parse::<f64>().unwrap_or_else(|error| panic!("case {}: {key}: {error}", self.name)) as f32
    }

    /// An attribute that is 0 or 1.
    #[track_caller]
    pub fn flag(&self, key: &str) -> bool {
        self.text(key) == "1"
    }

    /// An attribute as a list of sizes, `3x9x7`.
    #[track_caller]
    pub fn sizes(&self, key: &str) -> Vec<u16> {
        self.text(key)
            .split('x')
            .map(|part| part.parse().unwrap_or_else(|_| panic!("case {}: {key}", self.name)))
            .collect()
    }

    /// Whether the case has a tensor `field`.
    pub fn has(&self, field: &str) -> bool {
        self.file.tensors.contains_key(&format!("{}/{field}", self.name))
    }

    #[track_caller]
    fn tensor(&self, field: &str) -> &'a Tensor {
        let name = format!("{}/{field}", self.name);
        self.file.tensors.get(&name).unwrap_or_else(|| panic!("no tensor {name} in {}", self.file.subject))
    }

    /// The shape of a tensor.
    #[track_caller]
    pub fn shape(&self, field: &str) -> &'a [usize] {
        &self.tensor(field).shape
    }

    /// An input, or torch's float32 result.
    #[track_caller]
    pub fn f32(&self, field: &str) -> Vec<f32> {
        self.tensor(field).values.iter().map(|&value| value as f32).collect()
    }

    /// A tensor as it is: labels, rates, travel.
    #[track_caller]
    pub fn f64(&self, field: &str) -> &'a [f64] {
        &self.tensor(field).values
    }

    /// The float64 truth of a result.
    #[track_caller]
    pub fn truth(&self, field: &str) -> &'a [f64] {
        self.f64(&format!("{field}.f64"))
    }

    /// The fields below `prefix/`, in the order of their names: the weights of a network.
    pub fn below(&self, prefix: &str) -> Vec<&'a str> {
        let start = format!("{}/{prefix}/", self.name);
        let names = self.file.tensors.keys().filter_map(|name| name.strip_prefix(&start));
        names.filter(|name| !name.ends_with(".f64")).collect()
    }

    /// The bound for a result that is a float32 sum of n products, in any order, for each element:
    /// `(n + 1) 2^-24 Σ|a b|`, and one underflow for each product.
    ///
    /// Each product is rounded once and passes through at most n - 1 rounded sums, so its weight in the result is
    /// `Π(1 + δ)` over at most n factors, `|δ| <= 2^-24`; `n u / (1 - n u) <= (n + 1) u` as long as `n (n + 1) u <= 1`,
    /// that is up to n = 4095 (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., lemma 3.1).
    #[track_caller]
    pub fn sum_bound(&self, field: &str) -> Vec<f64> {
        let n = f64::from(self.number(&format!("terms.{field}")));
        self.f64(&format!("{field}.abs")).iter().map(|abs| (n + 1.0) * (UNIT * abs + TINY)).collect()
    }
}

/// What lies outside its bound, over all cases of a test, so that one run names everything that is wrong.
#[derive(Default)]
pub struct Verdict {
    wrong: Vec<String>,
    compared: usize,
    worst: f64,
}

impl Verdict {
    /// Compares element by element: `|got - truth| <= bound`.
    pub fn compare(&mut self, what: &str, got: &[f32], truth: &[f64], bound: &[f64]) {
        if got.len() != truth.len() || bound.len() != truth.len() {
            self.wrong.push(format!("{what}: {} values, {} expected, {} bounds", got.len(), truth.len(), bound.len()));
            return;
        }
        let mut first = true;
        for (index, ((&got, &truth), &bound)) in got.iter().zip(truth).zip(bound).enumerate() {
            let off = (f64::from(got) - truth).abs();
            let inside = off <= bound; // false for NaN
            if bound > 0.0 && inside {
                self.worst = self.worst.max(off / bound);
            }
            if !inside && first {
                first = false;
                self.wrong.push(format!(
                    "{what}[{index}]: {got:e}, the truth is {truth:e}: off by {off:.2e}, allowed {bound:.2e}"
                ));
            }
        }
        self.compared += got.len();
    }

    /// How much of its bound the worst accepted element used, 0 to 1.
    pub fn worst(&self) -> f64 {
        self.worst
    }

    /// How many elements were outside, at most one for each comparison.
    pub fn failures(&self) -> usize {
        self.wrong.len()
    }

    /// Ends the test.
    ///
    /// # Panics
    /// If anything was outside, with a line for each comparison, or if fewer than `at_least` elements were compared.
    #[track_caller]
    pub fn close(self, at_least: usize) {
        assert!(self.wrong.is_empty(), "{} comparisons fail:\n{}", self.wrong.len(), self.wrong.join("\n"));
        assert!(
            self.compared >= at_least,
            "only {} elements were compared, {at_least} were meant to be",
            self.compared
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_opens_and_its_cases_are_counted() {
        for (subject, cases) in
            [("operations", 65), ("losses", 22), ("optimizers", 16), ("schedules", 9), ("networks", 5)]
        {
            assert_eq!(Vectors::open(subject).cases().count(), cases, "{subject}");
        }
    }

    #[test]
    fn torchs_own_float32_lies_within_the_sum_bound() {
        let (vectors, mut verdict) = (Vectors::open("operations"), Verdict::default());
        for case in vectors.cases() {
            for field in
                ["y", "dx", "dx2", "dweight", "dbias"].into_iter().filter(|field| case.has(&format!("{field}.abs")))
            {
                let what = format!("{} {field}", case.name());
                verdict.compare(&what, &case.f32(field), case.truth(field), &case.sum_bound(field));
            }
        }
        verdict.close(4000);
    }

    #[test]
    fn a_verdict_names_what_is_outside_and_nothing_else() {
        let mut verdict = Verdict::default();
        verdict.compare("inside", &[1.0, 2.0], &[1.0, 2.25], &[0.0, 0.25]);
        assert_eq!((verdict.failures(), verdict.worst()), (0, 1.0));
        verdict.compare("outside", &[1.0, 2.0], &[1.0, 2.5], &[0.0, 0.25]);
        verdict.compare("not a number", &[f32::NAN], &[1.0], &[1.0]);
        verdict.compare("another length", &[1.0], &[1.0, 1.0], &[1.0, 1.0]);
        assert_eq!(verdict.failures(), 3);
    }
}
