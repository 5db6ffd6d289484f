//! The demo, small: one model learns another wrist in f32 on a Cortex-M4F and in integers on a Cortex-M0, and every loss and
//! every weight has the bits of the host's simulation.

use anyhow::Result;

use super::Cases;
use crate::demo::{self, Host};

pub fn run(cases: &mut Cases) -> Result<()> {
    for board in ["m4f", "m0"] {
        // `cargo test` has built the host's program for its own tests; with its features another build would take minutes.
        cases.case(&format!("cargo xtask demo --quick --board {board}"), demo::run(board, true, Host::Built));
    }
    Ok(())
}
