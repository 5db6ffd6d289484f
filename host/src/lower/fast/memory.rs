//! Memory of passes, kept from one to the next.
//!
//! A pass asks for some hundred MB and fills all of it. Memory from the system is cleared first, which took a twelfth of a
//! transformer's step; what an earlier pass left holds numbers already, which the next one writes over.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// What passes have left, by length. A clone shares it.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<Left>>);

#[derive(Debug, Default)]
struct Left {
    /// The batch that it is of: another one has other lengths.
    batch: usize,
    free: HashMap<usize, Vec<Vec<f32>>>,
}

/// Numbers that go back to a [`Memory`] in the end.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    numbers: Vec<f32>,
    memory: Option<Memory>,
}

impl Memory {
    fn with<R>(&self, f: impl FnOnce(&mut Left) -> R) -> R {
        // Nothing panics while it is held, and a list of free memory is never half done.
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives back what passes over another number of samples have left.
    pub fn keep_for(&self, batch: usize) {
        self.with(|left| {
            if left.batch != batch {
                *left = Left { batch, ..Left::default() };
            }
        });
    }

    /// So many numbers, of any value: the caller writes all of them. In a build with assertions none is a number, so that a
    /// test sees one that is read before.
    pub fn any(&self, len: usize) -> Buffer {
        let left = self.with(|left| left.free.get_mut(&len).and_then(Vec::pop));
        let mut numbers = left.unwrap_or_else(|| vec![0.0; len]);
        if cfg!(debug_assertions) {
            numbers.fill(f32::NAN);
        }
        Buffer { numbers, memory: Some(self.clone()) }
    }

    /// So many zeros.
    pub fn zeros(&self, len: usize) -> Buffer {
        let mut buffer = self.any(len);
        buffer.fill(0.0);
        buffer
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(numbers: Vec<f32>) -> Buffer {
        Buffer { numbers, memory: None }
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.numbers
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.numbers
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        if let Some(memory) = self.memory.take().filter(|_| !numbers.is_empty()) {
            memory.with(|left| left.free.entry(numbers.len()).or_default().push(numbers));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_and_goes_with_its_batch() {
        let memory = Memory::default();
        memory.keep_for(3);
        let held = |memory: &Memory| memory.with(|left| left.free.values().map(Vec::len).sum::<usize>());
        let first = memory.any(10);
        let place = first.as_ptr();
        drop(first);
        assert_eq!(held(&memory), 1);
        let zeros = memory.zeros(10);
        assert_eq!((zeros.as_ptr(), &*zeros), (place, &[0.0; 10][..]));
        assert_eq!(held(&memory), 0);
        drop(zeros);
        drop(Buffer::from(vec![1.0; 10]));
        assert_eq!(held(&memory), 1, "what came from elsewhere is freed");
        memory.keep_for(3);
        assert_eq!(held(&memory), 1);
        memory.keep_for(4);
        assert_eq!(held(&memory), 0);
    }
}
