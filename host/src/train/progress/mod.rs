//! What a run shows while it runs: a table that grows and a line that moves where somebody looks, plain lines elsewhere.
//!
//! In a terminal the table has a row an epoch (of very many epochs about fifty rows) and, below it, one line with the epoch
//! at hand: how far, loss, speed and the time that is left. The line is redrawn in place, ten times a second at most and
//! in one write together with any row above it, so that nothing flickers. Piped, into a file or a log, it is one line an
//! epoch and nothing moves. Everything goes to standard error; standard output is the command's.

mod live;
mod words;

use super::observer::{Event, Observer};
use std::io::{self, IsTerminal, Write};

use live::Live;
pub(crate) use words::decimals;

/// Reports to standard error: a live view where that is a terminal, else one line an epoch.
#[derive(Debug)]
pub struct Progress {
    live: Option<Live>,
}

impl Progress {
    /// A live view if standard error is a terminal.
    pub fn new() -> Self {
        Progress { live: io::stderr().is_terminal().then(Live::new) }
    }

    /// One line an epoch, wherever it goes.
    pub fn plain() -> Self {
        Progress { live: None }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Progress {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        match &mut self.live {
            Some(live) => live.event(&event),
            None => {
                if let Some(text) = words::line(&event) {
                    // That nobody reads it any more is no reason to end the training.
                    let _ = writeln!(io::stderr(), "{text}");
                }
            }
        }
        Ok(())
    }
}
