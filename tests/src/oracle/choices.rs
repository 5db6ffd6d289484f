//! Decisions from a list of numbers, so that a random case is data that can be shrunk and kept.

/// Reads decisions from a list; once it is used up every decision is the first option, the simplest one.
pub struct Choices<'a> {
    list: &'a [u32],
}

impl<'a> Choices<'a> {
    /// Decisions from `list`, front to back.
    pub const fn new(list: &'a [u32]) -> Choices<'a> {
        Choices { list }
    }
    /// A number in `0..n`; `n` is at least 1.
    pub fn below(&mut self, n: usize) -> usize {
        let (first, rest) = self.list.split_first().unwrap_or((&0, &[]));
        self.list = rest;
        *first as usize % n
    }
    /// One of the options.
    pub fn pick<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())]
    }
    /// True once in `n`, and false where the list is used up.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == n - 1
    }
}
