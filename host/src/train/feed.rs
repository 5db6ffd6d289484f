//! Batches one after the other, read ahead: while the device computes on one, a thread reads and decodes the next.
//!
//! What is read doesn't depend on when, so a run gives the same bits with and without it. A set in memory is copied on
//! the spot, since starting a thread costs more than that. At most [`AHEAD`] batches wait, so the memory is that of a
//! few batches whatever the set's size.

use super::batches::{Read, Samples};
use crate::data::DataError;
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
        scope.spawn(move || {
            for indices in batches {
                let read = samples.read(indices, epoch);
                let last = read.is_err();
                // Whoever works has stopped when nobody receives any more.
                if sender.send((indices, read)).is_err() || last {
                    return;
                }
            }
        });
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
    use std::sync::Mutex;
    use std::time::{Duration, Instant};

    /// Sample `i` is the number `i`; takes its time, and fails at one.
    struct Slow {
        labels: Labels,
        wait: Duration,
        broken: Option<usize>,
        read: Mutex<Vec<Instant>>,
    }

    impl Slow {
        fn new(len: usize, wait: u64, broken: Option<usize>) -> Self {
            let labels = Labels::Value(vec![0.0; len]);
            Slow { labels, wait: Duration::from_millis(wait), broken, read: Mutex::default() }
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
            thread::sleep(self.wait);
            for (&index, out) in draw.indices.iter().zip(out) {
                if Some(index) == self.broken {
                    let found = "damage".into();
                    let file = format!("{index}.png");
                    return Err(DataError::Format { file, at: 0, expected: "a picture", found, help: "mend it" });
                }
                *out = index as f32;
            }
            self.read.lock().unwrap().push(Instant::now());
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
        let error = run(&Slow::new(9, 0, Some(5)), |first, read| {
            seen.push((first, read.len()));
            Ok(())
        });
        assert_eq!(seen, [(0, 2), (2, 2)]);
        assert_eq!(error.unwrap_err().to_string(), "5.png: byte 0: expected a picture, found damage; mend it");
        let mut seen = Vec::new();
        let slow = Slow::new(9, 0, None);
        run(&slow, |first, read| {
            seen.push((first, read.len()));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [(0, 2), (2, 2), (4, 2), (6, 2), (8, 1)]);
    }

    #[test]
    fn work_that_fails_ends_the_reading() {
        let slow = Slow::new(2000, 0, None);
        let fail = || DataError::TooLarge { file: "x".into(), limit: 1 };
        assert!(run(&slow, |first, _| if first == 4 { Err(fail()) } else { Ok(()) }).is_err());
        // Three were worked on, and three more and one in hand are all that may be read.
        assert!(slow.read.lock().unwrap().len() <= 3 + AHEAD + 1);
    }

    /// Each batch takes 10 ms to read and 10 ms to work on: one after the other that is 20 ms a batch, overlapped 10.
    #[test]
    fn reading_and_working_overlap() {
        let slow = Slow::new(40, 10, None);
        let mut worked = Vec::new();
        run(&slow, |_, _| {
            let start = Instant::now();
            thread::sleep(Duration::from_millis(10));
            worked.push((start, Instant::now()));
            Ok(())
        })
        .unwrap();
        // Not by the clock, which a busy machine bends: a reading ended within the time of some work.
        let read = slow.read.lock().unwrap();
        let during = |(start, end): &&(Instant, Instant)| read.iter().any(|at| start < at && at < end);
        let overlapped = worked.iter().filter(during).count();
        assert!(overlapped >= worked.len() / 2, "in {overlapped} of {} batches", worked.len());
    }
}
