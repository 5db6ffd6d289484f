//! Noise on the line: the device must refuse every frame of it by name, and change nothing.

use anyhow::{Result, bail};
use emberlite_link::{Port, Receiver, Refusal, Reply};

use crate::line::{FRAME, Line};

/// Sends `frames` frames of seeded noise of up to 400 bytes and wants a refusal of each.
pub fn send(line: &mut Line, frames: u32) -> Result<u32> {
    let mut state = 0x5EED_u64;
    let mut noise = move || {
        // xorshift
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut receiver = Receiver::<FRAME>::new();
    let mut refused = 0;
    for index in 0..frames {
        let len = noise() % 400 + 1;
        let mut bytes: Vec<u8> = (0..len).map(|_| (noise() % 255 + 1) as u8).collect();
        bytes.push(0);
        line.send(&bytes)?;
        loop {
            let Some(byte) = line.receive()? else {
                bail!("no reply to frame {index} of noise");
            };
            let Some(frame) = receiver.push(byte) else {
                continue;
            };
            let Ok(payload) = frame else {
                bail!("the reply to frame {index} of noise is itself no frame");
            };
            match emberlite_link::reply(payload) {
                Some(Reply::Refused { refusal: Refusal::Damaged | Refusal::TooLong | Refusal::Unknown, .. }) => {}
                other => bail!("frame {index} of noise was answered with {other:?}"),
            }
            refused += 1;
            break;
        }
    }
    Ok(refused)
}
