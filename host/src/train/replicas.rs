//! Several devices of this machine train one model: each has a copy of it, a thread of its own, and a share of every batch.
//!
//! They are ranks as the processes of `mpirun` are ([`Group`]), which meet in this process's memory: gradients are read back,
//! added up in the order of the devices and uploaded again. The samples are shared, not read once a device.

use super::device::DeviceChoice;
use super::error::TrainError;
use super::exchange::Exchange;
use super::group::{Group, GroupError};
use super::job::{Job, Trained};
use super::observer::{Observer, Silent};
use super::run::Run;
use crate::threads;
use std::panic;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Trains on the job's device and its replicas.
pub(super) fn train(job: Job<'_>) -> Result<Trained, TrainError> {
    if job.group.is_some() {
        return Err(TrainError::Setting(
            "a process that shares its batches with others takes one device; start one process for each device".into(),
        ));
    }
    let (devices, observer) = (job.replicas, job.observer);
    let (graph, training, train) = (job.graph, job.training, job.train);
    let (host, checkpoint) = (job.host, job.checkpoint);
    let Job { epochs, validation, seed, early_stopping, resume, fresh, initial, interrupt, .. } = job;
    let team = Team::new(1 + devices.len());
    let work = |rank: usize, device: DeviceChoice, observer: &mut dyn Observer| {
        let seat = Seat { team: &team, rank };
        let (host, checkpoint, group) = (host.clone(), checkpoint.clone(), Some(&seat as &dyn Group));
        let job = Job::new(graph, training, train, observer);
        let job = Job { host, epochs, validation, seed, device, early_stopping, checkpoint, group, ..job };
        Run::new(Job { resume, fresh, initial, interrupt, ..job })?.go()
    };
    // Of the CPU, for each, a pool of its own: the first one waits in a thread that may be one of the program's.
    let threads = rayon::current_num_threads().div_ceil(team.size());
    thread::scope(|scope| {
        let replicas = devices.iter().enumerate().map(|(i, &device)| {
            let work = &work;
            scope.spawn(move || threads::apart(threads, || work(i + 1, device, &mut Silent)))
        });
        let replicas: Vec<_> = replicas.collect();
        let mut results = vec![work(0, job.device, observer)];
        for replica in replicas {
            results.push(replica.join().unwrap_or_else(|payload| panic::resume_unwind(payload)));
        }
        result(results)
    })
}

/// The first device's, unless it has only heard that another failed: then what that one says.
fn result(results: Vec<Result<Trained, TrainError>>) -> Result<Trained, TrainError> {
    let mut results = results.into_iter();
    let first = results.next().unwrap_or_else(|| Err(TrainError::Setting("no device".into())));
    let heard = |result: &Result<Trained, TrainError>| matches!(result, Err(TrainError::Group { .. }));
    if heard(&first) || first.is_ok() {
        return results.find(|result| result.is_err() && !heard(result)).unwrap_or(first);
    }
    first
}

/// What the devices share.
struct Team {
    singles: Exchange<f32>,
    doubles: Exchange<f64>,
    /// What each that has been opened is called.
    names: Mutex<Vec<String>>,
}

impl Team {
    fn new(size: usize) -> Team {
        Team {
            singles: Exchange::new(size),
            doubles: Exchange::new(size),
            names: Mutex::new(vec![String::new(); size]),
        }
    }

    fn size(&self) -> usize {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A device's place among them; the others learn when it is left, for whatever reason.
struct Seat<'t> {
    team: &'t Team,
    rank: usize,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.team.singles.leave(self.rank);
        self.team.doubles.leave(self.rank);
    }
}

impl Group for Seat<'_> {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.team.size()
    }

    fn local_rank(&self) -> usize {
        self.rank
    }

    fn sum(&self, values: &mut [f32]) -> Result<(), GroupError> {
        self.team.singles.sum(self.rank, values)
    }

    fn sum64(&self, values: &mut [f64]) -> Result<(), GroupError> {
        self.team.doubles.sum(self.rank, values)
    }

    fn opened(&self, device: &str) {
        self.team.names.lock().unwrap_or_else(PoisonError::into_inner)[self.rank] = device.into();
    }

    fn devices(&self) -> Option<String> {
        Some(together(&self.team.names.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Names in words, equal neighbours counted.
fn together(names: &[String]) -> String {
    let named = |same: &[String]| match same {
        [name] => name.clone(),
        _ => format!("{} x {}", same.len(), same[0]),
    };
    names.chunk_by(|a, b| a == b).map(named).collect::<Vec<_>>().join(" + ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted() {
        let of = |names: &[&str]| together(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        assert_eq!(of(&["a"]), "a");
        assert_eq!(of(&["a", "a", "b", "a"]), "2 x a + b + a");
    }

    #[test]
    fn what_failed_is_told_not_who_heard_of_it() {
        let heard = || Err(TrainError::Group { epoch: 1, reason: "device 2 has ended".into(), checkpoint: None });
        let failed = |text: &str| Err(TrainError::Setting(text.into()));
        let told = |results| result(results).unwrap_err().to_string();
        assert_eq!(told(vec![heard(), failed("a"), heard()]), told(vec![failed("a")]));
        assert_eq!(told(vec![failed("b"), failed("a")]), told(vec![failed("b")]));
        assert!(told(vec![heard(), heard()]).contains("device 2 has ended"));
    }
}
