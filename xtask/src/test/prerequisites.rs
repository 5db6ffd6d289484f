//! Installs what is missing, since a fresh machine has neither emulator nor targets.

use anyhow::Result;

use super::Cases;
use crate::doctor;

pub fn run(cases: &mut Cases) -> Result<()> {
    cases.case("prerequisites", doctor::doctor(false));
    Ok(())
}
