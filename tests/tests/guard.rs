//! What is learnt stays finite, whatever comes: a step that would break that is skipped, counted and reported, and has
//! changed nothing. The certificate that spares a check of every step is right, and seldom needs to be measured anew.

mod guard {
    pub mod certificate;
    pub mod exploding;
    pub mod hidden;
    pub mod hostile;
    pub mod ordinary;
}

use emberlite::number::F32;
use emberlite_tests::oracle::Machine;

/// Whether all that learning may change is finite.
fn finite(machine: &Machine<F32>) -> bool {
    machine.learnt().iter().all(|&word| f32::from_bits(word).is_finite())
}
