//! `mpirun … emberlite train`: which process this is, and how all of them end together.
//!
//! The first rank alone writes and prints. Without the feature `mpi` there is one process, and nothing here does anything.

use std::path::Path;

use super::CliError;
use super::interrupt::Watch;
use super::line::Line;
use crate::train::Group;

/// The processes of this run.
pub(super) struct Ranks {
    #[cfg(feature = "mpi")]
    mpi: Option<crate::train::Mpi>,
}

#[cfg(feature = "mpi")]
impl Ranks {
    /// Joins the others that `mpirun` has started, if it has.
    pub(super) fn join() -> Result<Ranks, CliError> {
        Ok(Ranks { mpi: crate::train::Mpi::join() })
    }

    /// The processes to train with.
    pub(super) fn group(&self) -> Option<&dyn Group> {
        self.mpi.as_ref().map(|mpi| mpi as &dyn Group)
    }

    /// The line that starts them.
    pub(super) fn line(&self, line: &Line) -> Line {
        self.group().map_or(line.clone(), |group| line.under(&["mpirun", "-np", &group.size().to_string()]))
    }

    /// Lets the first rank say how to go on as soon as it is asked to end, and which one is gone, when `mpirun` ends it for
    /// that.
    pub(super) fn tell(&self, watch: &Watch, checkpoint: &Path, line: &Line) {
        let Some(mpi) = &self.mpi else { return };
        watch.answers(self.is_first().then(|| line.to_string()).as_deref());
        let (missing, first, checkpoint, line) =
            (mpi.missing(), self.is_first(), checkpoint.to_path_buf(), line.clone());
        watch.because(move || {
            let gone = missing()?;
            if !first {
                // The first one speaks.
                std::process::exit(1);
            }
            Some(match checkpoint.exists() {
                true => format!("{gone}; the last checkpoint is {}; go on with: {line}", checkpoint.display()),
                false => format!("{gone}; nothing was saved yet"),
            })
        });
    }

    /// Ends all of them where one alone has failed.
    pub(super) fn end(&self, result: Result<(), CliError>) -> Result<(), CliError> {
        let (Some(mpi), Err(error)) = (&self.mpi, &result) else { return result };
        if matches!(error, CliError::Interrupted(_)) {
            // All have stopped after the same update.
            return if self.is_first() { result } else { Ok(()) };
        }
        if !self.is_first() {
            // What all of them are told is the first one's to say.
            std::thread::sleep(std::time::Duration::from_secs(3));
            eprintln!("error: rank {}: {error}", mpi.rank());
        } else {
            eprintln!("error: {error}");
        }
        mpi.abort(1)
    }
}

/// What launchers tell each of the processes that they start: how many there are. Open MPI; MPICH, Intel MPI and their like.
#[cfg(any(test, not(feature = "mpi")))]
const SIZES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// Makes sure that no launcher has started several processes.
#[cfg(any(test, not(feature = "mpi")))]
fn alone(variable: impl Fn(&str) -> Option<String>) -> Result<(), CliError> {
    let size = |name| variable(name)?.trim().parse::<u32>().ok();
    match SIZES.into_iter().filter_map(size).find(|&size| size > 1) {
        None => Ok(()),
        Some(size) => Err(CliError::Message(format!(
            "{size} processes were started to train together, but this program was built without `mpi`; build it with \
             `cargo install --path host --features mpi`, or start it alone, without mpirun"
        ))),
    }
}

#[cfg(not(feature = "mpi"))]
impl Ranks {
    /// This process alone.
    ///
    /// # Errors
    /// A launcher has started several, each of which would train by itself in the same folder.
    pub(super) fn join() -> Result<Ranks, CliError> {
        alone(|name| std::env::var(name).ok()).map(|()| Ranks {})
    }

    pub(super) fn group(&self) -> Option<&dyn Group> {
        None
    }

    pub(super) fn line(&self, line: &Line) -> Line {
        line.clone()
    }

    pub(super) fn tell(&self, _: &Watch, _: &Path, _: &Line) {}

    pub(super) fn end(&self, result: Result<(), CliError>) -> Result<(), CliError> {
        result
    }
}

impl Ranks {
    /// Reads data by the first rank alone, then by the others: what it packs on the way, they find.
    pub(super) fn after_the_first<T>(&self, read: impl FnOnce() -> T) -> T {
        let Some(group) = self.group() else { return read() };
        if group.rank() > 0 {
            group.any(false);
            return read();
        }
        let value = read();
        // The others have waited for this.
        group.any(false);
        value
    }

    /// Whether this is the process that writes and prints.
    pub(super) fn is_first(&self) -> bool {
        self.group().is_none_or(|group| group.rank() == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn launchers_are_known_by_what_they_tell() {
        for (name, size, refused) in [
            ("OMPI_COMM_WORLD_SIZE", "2", true),
            ("PMI_SIZE", " 3", true),
            ("PMI_SIZE", "1", false),
            ("PMI_SIZE", "x", false),
        ] {
            let told = alone(|asked| (asked == name).then(|| size.into()));
            assert_eq!(told.is_err(), refused, "{name}={size}");
        }
    }
}
