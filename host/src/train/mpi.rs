//! The processes that `mpirun` has started, by the message passing interface.
//!
//! Needs the feature `mpi` and a library such as Open MPI. A rank that is gone makes every exchange wait for ever, or ends
//! the process from within the library: neither can be an error here. `mpirun` sees it and tells the others by a signal, at
//! which a program can ask [`Mpi::missing`].

use super::group::{Group, GroupError, local_rank};
use mpi::collective::SystemOperation;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};

/// The ranks of this run.
pub struct Mpi {
    world: SimpleCommunicator,
    /// Machine and process of each rank.
    places: Vec<Place>,
    /// Ends the exchange when it is dropped, after everything else.
    _universe: Universe,
}

/// Where a rank is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    machine: u32,
    process: u32,
}

impl Mpi {
    /// Joins the other ranks; `None` for a process that `mpirun` (or `srun`) hasn't started, and without the others.
    ///
    /// Call it early and once.
    pub fn join() -> Option<Mpi> {
        const SET_BY_LAUNCHERS: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"];
        if !SET_BY_LAUNCHERS.iter().any(|name| std::env::var_os(name).is_some()) {
            return None;
        }
        let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Funneled)?;
        let world = universe.world();
        if world.size() < 2 {
            return None;
        }
        let mut mpi = Mpi { world, places: Vec::new(), _universe: universe };
        let (rank, ranks) = (mpi.rank(), mpi.size());
        let machine = mpi::environment::processor_name().unwrap_or_default();
        let here = Place { machine: crate::data::random::hash_text(0, &machine) as u32, process: std::process::id() };
        let mut all = vec![0.0; 2 * ranks];
        (all[2 * rank], all[2 * rank + 1]) = (here.machine.into(), here.process.into());
        // 32 bits fit a double.
        mpi.sum64(&mut all).ok()?;
        mpi.places = all.chunks(2).map(|p| Place { machine: p[0] as u32, process: p[1] as u32 }).collect();
        Some(mpi)
    }

    /// What finds the ranks on this machine whose processes are gone, in words; for another thread.
    pub fn missing(&self) -> impl Fn() -> Option<String> + Send + 'static {
        let (places, rank) = (self.places.clone(), self.rank());
        move || {
            let here = places.get(rank)?.machine;
            let gone = places.iter().enumerate().filter(|(_, place)| place.machine == here && is_gone(place.process));
            let names: Vec<String> =
                gone.map(|(rank, place)| format!("rank {rank} (process {})", place.process)).collect();
            match names.len() {
                0 => None,
                1 => Some(format!("{} is gone", names[0])),
                _ => Some(format!("{} are gone", names.join(" and "))),
            }
        }
    }

    /// Ends all ranks at once, with this status: for an error that the others don't know of.
    pub fn abort(&self, status: u8) -> ! {
        self.world.abort(status.into())
    }
}

/// Whether a process of this machine has ended; one that nobody has asked for its status yet counts.
fn is_gone(process: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{process}/stat")) {
        // The state follows the name, which is in brackets and may hold any.
        Ok(stat) => {
            stat.rsplit(')').next().is_some_and(|rest| matches!(rest.trim_start().chars().next(), Some('Z' | 'X')))
        }
        Err(_) => std::path::Path::new("/proc/self/stat").exists(),
    }
}

impl Group for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn local_rank(&self) -> usize {
        let machines: Vec<u32> = self.places.iter().map(|place| place.machine).collect();
        local_rank(&machines, self.rank())
    }

    fn sum(&self, values: &mut [f32]) -> Result<(), GroupError> {
        let own = values.to_vec();
        for (own, values) in own.chunks(MOST).zip(values.chunks_mut(MOST)) {
            self.world.all_reduce_into(own, values, SystemOperation::sum());
        }
        Ok(())
    }

    fn sum64(&self, values: &mut [f64]) -> Result<(), GroupError> {
        let own = values.to_vec();
        for (own, values) in own.chunks(MOST).zip(values.chunks_mut(MOST)) {
            self.world.all_reduce_into(own, values, SystemOperation::sum());
        }
        Ok(())
    }
}

/// Numbers of one exchange; a count is a C `int`.
const MOST: usize = 1 << 28;
