//! Batches one after the other, read ahead: while the device computes on one, a thread reads and decodes the next.
//!
//! What is read doesn't depend on when, so a run gives the same bits with and without it. A set in memory is copied on
//! the spot, since starting a thread costs more than that. At most [`AHEAD`] batches wait, so the memory is that of a
//! few batches whatever the set's size.

use super::batches::{Read, Samples};
use crate::data::DataError;
use crate::threads;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Batches that are ready before they are needed.
const AHEAD: usize = 3;

/// Reads each of `batches` (indices of samples) and hands it to `work` in order, until one of the two fails.
///
/// `epoch` as in [`Draw`](crate::data::Draw).
///
/// # Errors
/// What a sample couldn't be read for, at its turn, or what `work` says.
pub(crate) fn feed<'i, E: From<DataError>>(
    samples: Samples<'_>,
    batches: impl Iterator<Item = &'i [usize]> + Send,
    epoch: Option<u32>,
    mut work: impl FnMut(&'i [usize], Read) -> Result<(), E>,
) -> Result<(), E> {
    if samples.in_memory() {
        for indices in batches {
            work(indices, samples.read(indices, epoch)?)?;
        }
        return Ok(());
    }
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(AHEAD - 1);
        let read = move || {
            for indices in batches {
                let read = samples.read(indices, epoch);
                let last = read.is_err();
                // Whoever works has stopped when nobody receives any more.
                if sender.send((indices, read)).is_err() || last {
                    return;
                }
            }
        };
        // As many as compute, but not the same ones: this thread may be one of them, and waits for what is read.
        let threads = rayon::current_num_threads();
        scope.spawn(move || threads::apart(threads, read));
        receiver.into_iter().try_for_each(|(indices, read)| work(indices, read?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Draw, Labels, Source};
    use crate::lower::Lowered;
    use emberlite::graph::{Graph, Shape, linear};
    use emberlite::loss::Loss;
    use emberlite::number::Format;
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    /// Sample `i` is the number `i`; one may be broken.
    struct Slow {
        labels: Labels,
        broken: Option<usize>,
        /// Readings that are done.
        done: Mutex<usize>,
        changed: Condvar,
    }

    impl Slow {
        fn new(len: usize, broken: Option<usize>) -> Self {
            let labels = Labels::Value(vec![0.0; len]);
            Slow { labels, broken, done: Mutex::default(), changed: Condvar::new() }
        }

        /// Waits until so many readings are done; false if that takes too long.
        fn wait_for(&self, readings: usize) -> bool {
            let done = self.done.lock().unwrap();
            let waited = self.changed.wait_timeout_while(done, Duration::from_secs(20), |done| *done < readings);
            !waited.unwrap().1.timed_out()
        }
    }

    impl Source for Slow {
        fn len(&self) -> usize {
            self.labels.len().unwrap_or(0)
        }
        fn shape(&self) -> &[usize] {
            &[1]
        }
        fn labels(&self) -> &Labels {
            &self.labels
        }
        fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
            for (&index, out) in draw.indices.iter().zip(out) {
                if Some(index) == self.broken {
                    let found = "damage".into();
                    let file = format!("{index}.png");
                    return Err(DataError::Format { file, at: 0, expected: "a picture", found, help: "mend it" });
                }
                *out = index as f32;
            }
            *self.done.lock().unwrap() += 1;
            self.changed.notify_all();
            Ok(())
        }
    }

    fn run(slow: &Slow, mut work: impl FnMut(usize, Read) -> Result<(), DataError>) -> Result<(), DataError> {
        let nodes = [linear(1)];
        let lowered = Lowered::new(Graph::new(Format::F32, Shape::d1(1), &nodes)).unwrap();
        let samples = Samples::new("the set", slow, &lowered, &Loss::MeanSquaredError).unwrap();
        let all: Vec<usize> = (0..slow.len()).collect();
        feed(samples, all.chunks(2), None, |indices, read| work(indices[0], read))
    }

    #[test]
    fn batches_come_in_order_and_a_broken_one_ends_them() {
        let mut seen = Vec::new();
        let error = run(&Slow::new(9, Some(5)), |first, read| {
            seen.push((first, read.len()));
            Ok(())
        });
        assert_eq!(seen, [(0, 2), (2, 2)]);
        assert_eq!(error.unwrap_err().to_string(), "5.png: byte 0: expected a picture, found damage; mend it");
        let mut seen = Vec::new();
        let slow = Slow::new(9, None);
        run(&slow, |first, read| {
            seen.push((first, read.len()));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [(0, 2), (2, 2), (4, 2), (6, 2), (8, 1)]);
    }

    #[test]
    fn work_that_fails_ends_the_reading() {
        let slow = Slow::new(2000, None);
        let fail = || DataError::TooLarge { file: "x".into(), limit: 1 };
        assert!(run(&slow, |first, _| if first == 4 { Err(fail()) } else { Ok(()) }).is_err());
        // Three were worked on, and three more and one in hand are all that may be read.
        assert!(*slow.done.lock().unwrap() <= 3 + AHEAD + 1);
    }

    /// Work on a batch ends only when the next one has been read: one after the other would never end.
    #[test]
    fn reading_and_working_overlap() {
        let slow = Slow::new(40, None);
        run(&slow, |first, _| {
            let batch = first / 2;
            assert!(
                batch == 19 || slow.wait_for(batch + 2),
                "batch {} isn't read while {batch} is worked on",
                batch + 1
            );
            Ok(())
        })
        .unwrap();
    }
}
