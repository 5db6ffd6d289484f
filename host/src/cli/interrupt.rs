//! Ctrl-C: the first ends a training after the update at hand, the second ends the program at once.

use std::io::{self, Write};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// What a shell reports of a program that Ctrl-C has ended.
pub(super) const STATUS: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);
/// Says what has happened, if that is more than a wish to end.
type Cause = Box<dyn Fn() -> Option<String> + Send>;

static CAUSE: Mutex<Option<Cause>> = Mutex::new(None);
/// What the first Ctrl-C says; none where another process does.
static ANSWER: Mutex<Option<String>> = Mutex::new(None);
const FINISHING: &str = "finishing this step and saving; press again to end at once";
static AT_WORK: AtomicU32 = AtomicU32::new(0);

/// While it lives, Ctrl-C (and the termination signal) only asks.
#[derive(Debug)]
pub(super) struct Watch(());

impl Watch {
    /// Starts to listen. Where the system won't let us, Ctrl-C ends the program as ever.
    pub(super) fn new() -> Watch {
        static HANDLER: OnceLock<()> = OnceLock::new();
        HANDLER.get_or_init(|| {
            let _ = ctrlc::set_handler(|| {
                let cause = CAUSE.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(text) = cause.as_ref().and_then(|cause| cause()) {
                    eprintln!("error: {text}");
                    process::exit(1);
                }
                let again = ASKED.swap(true, Ordering::SeqCst);
                if again || AT_WORK.load(Ordering::SeqCst) == 0 {
                    process::exit(STATUS.into());
                }
                if let Some(answer) = ANSWER.lock().unwrap_or_else(PoisonError::into_inner).as_ref() {
                    // Nobody may be listening any more; the step is finished all the same.
                    let _ = writeln!(io::stderr(), "{answer}");
                }
            });
        });
        if AT_WORK.fetch_add(1, Ordering::SeqCst) == 0 {
            ASKED.store(false, Ordering::SeqCst);
        }
        *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = Some(FINISHING.into());
        Watch(())
    }

    /// Lets the signal ask first whether there is a cause because of which nothing can be finished; its text is told, and
    /// the program ends with status 1.
    #[cfg(feature = "mpi")]
    pub(super) fn because(&self, cause: impl Fn() -> Option<String> + Send + 'static) {
        *CAUSE.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(cause));
    }

    /// What is said at once when somebody asks, with the line that goes on; nothing where another process says it. For
    /// processes whose last words are lost: `mpirun` hands nothing on of what they say after its own Ctrl-C.
    #[cfg(feature = "mpi")]
    pub(super) fn answers(&self, go_on: Option<&str>) {
        let answer = go_on.map(|line| format!("{FINISHING}; then go on with: {line}"));
        *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Becomes true when the program is asked to end.
    pub(super) fn asked(&self) -> &'static AtomicBool {
        &ASKED
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(1, Ordering::SeqCst);
        *CAUSE.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
