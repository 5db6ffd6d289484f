//! Decodes log frames: `emberlite-logs ELF FRAMES` prints one line a frame, `LEVEL message`.
//!
//! The device sends numbers; the texts that they stand for are in the program's ELF. A package of its own, because the decoder
//! brings many dependencies that nothing else here needs.

use std::{env, fs};

use anyhow::{Context, Result, bail};
use defmt_decoder::{DecodeError, Table};

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [elf, frames] = args.as_slice() else {
        bail!("call it with two files: ELF FRAMES");
    };
    let elf_bytes = fs::read(elf).with_context(|| elf.clone())?;
    let table = Table::parse(&elf_bytes)?
        .with_context(|| format!("{elf} has no log texts: built without the feature defmt?"))?;
    let mut decoder = table.new_stream_decoder();
    decoder.received(&fs::read(frames).with_context(|| frames.clone())?);
    loop {
        match decoder.decode() {
            Ok(frame) => {
                let level = frame.level().map_or("print", |level| level.as_str());
                println!("{:5} {}", level, frame.display_message());
            }
            Err(DecodeError::UnexpectedEof) => return Ok(()),
            Err(DecodeError::Malformed) => bail!("{frames}: a frame is damaged"),
        }
    }
}
