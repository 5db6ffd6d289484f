//! Exact counts of executed instructions.
//!
//! Under the emulator's `-icount shift=8` every instruction takes 256 ns of virtual time, whatever the host does, so a clock
//! of the board counts instructions; `machine` knows which clock and how many of its ticks make how many instructions.
//! That is no count of cycles: wait states, pipelines and caches are not modelled.

use crate::machine;

/// Instructions that `work` takes, beyond those of calling an empty closure. The same in every run, on any host.
///
/// At most 600 million instructions: the MPS2 timer is 32 bits wide, and one lap of it can't be told from two.
pub fn count(mut work: impl FnMut()) -> u64 {
    let empty = region(&mut || {});
    region(&mut work).saturating_sub(empty)
}

/// One measured region. Never inlined and called through a pointer, so that the way in and out is the same for all work.
#[inline(never)]
fn region(work: &mut dyn FnMut()) -> u64 {
    let start = machine::now();
    work();
    machine::instructions_since(start)
}
