//! Several devices of this machine train one model: each has a copy of it, a thread of its own, and a share of every batch.
//!
//! They are ranks as the processes of `mpirun` are ([`Group`]), which meet in this process's memory: gradients are read back,
//! added up in the order of the devices and uploaded again. The samples are shared, not read once a device.

use super::device::DeviceChoice;
use super::devices::Devices;
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
    let devices = Devices { first: job.device, replicas: job.replicas };
    devices.check().map_err(TrainError::Setting)?;
    let observer = job.observer;
    let (graph, training, train) = (job.graph, job.training, job.train);
    let (host, checkpoint) = (job.host, job.checkpoint);
    let Job { epochs, validation, seed, early_stopping, resume, fresh, initial, interrupt, .. } = job;
    let work = |seat: &Seat<'_>, observer: &mut dyn Observer| {
        let (host, checkpoint, device, group) =
            (host.clone(), checkpoint.clone(), seat.device, Some(seat as &dyn Group));
        let job = Job::new(graph, training, train, observer);
        let job = Job { host, epochs, validation, seed, device, early_stopping, checkpoint, group, ..job };
        Run::new(Job { resume, fresh, initial, interrupt, ..job })?.go()
    };
    // All seats are there before anyone sits: one whose thread can't be started is left, and the others learn of it.
    let team = Team::new(1 + devices.replicas.len());
    let mut seats =
        devices.all().enumerate().map(|(rank, device)| Seat { team: &team, rank, device }).collect::<Vec<_>>();
    let others = seats.split_off(1);
    // Of the CPU, for each, a pool of its own: the first one waits in a thread that may be one of the program's.
    let threads = rayon::current_num_threads().div_ceil(team.size());
    thread::scope(|scope| {
        let (mut replicas, mut failed) = (Vec::new(), None);
        for seat in others {
            let (work, device) = (&work, seat.device);
            let replica = move || threads::apart(threads, || work(&seat, &mut Silent));
            match thread::Builder::new().spawn_scoped(scope, replica) {
                Ok(replica) => replicas.push(replica),
                Err(error) => {
                    let reason = format!("no thread can be started for it: {error}; name fewer devices");
                    failed.get_or_insert(TrainError::Device { device: device.to_string(), reason });
                }
            }
        }
        let mut results: Vec<_> = seats.into_iter().map(|seat| work(&seat, observer)).collect();
        for replica in replicas {
            results.push(replica.join().unwrap_or_else(|payload| panic::resume_unwind(payload)));
        }
        failed.map_or_else(|| result(results), Err)
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
    device: DeviceChoice,
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let name = format!("device {} ({})", self.rank + 1, self.device);
        self.team.singles.leave(&name);
        self.team.doubles.leave(&name);
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
        let heard = || Err(TrainError::Group { epoch: 1, reason: "device 2 (cpu) has ended".into(), checkpoint: None });
        let failed = |text: &str| Err(TrainError::Setting(text.into()));
        let told = |results| result(results).unwrap_err().to_string();
        assert_eq!(told(vec![heard(), failed("a"), heard()]), told(vec![failed("a")]));
        assert_eq!(told(vec![failed("b"), failed("a")]), told(vec![failed("b")]));
        assert!(told(vec![heard(), heard()]).contains("device 2 (cpu) has ended"));
    }
}
