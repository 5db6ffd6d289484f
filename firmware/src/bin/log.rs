//! Log lines of several levels as `defmt` frames, which the host turns back into text.
#![no_std]
#![no_main]

use emberlite_firmware::{Exit, board, println, program};

program!(main);

fn main() -> Exit {
    println!("logging");
    defmt::info!("on {=str} with {=u32} bytes of RAM", board::NAME, board::RAM_BYTES);
    for step in 1..=3u32 {
        defmt::info!("step {=u32}: loss {=f32}", step, 1.0 / step as f32);
    }
    defmt::warn!("loss rises in {} of {} steps", 0u8, 3u8);
    defmt::debug!("below the level that DEFMT_LOG names: not compiled in");
    defmt::error!("the last line");
    Exit::Passed
}
