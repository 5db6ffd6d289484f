//! The line to the device: a local socket that the emulator connects to its serial port.

use std::{
    os::unix::net::UnixStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use emberlite_link::{Client, Stream};

/// How long a reply may take; a training step takes milliseconds even on a busy machine.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// Bytes of the longest frame.
pub const FRAME: usize = 512;

/// A client over the socket.
pub type Device = Client<Line, FRAME>;

/// The socket.
pub type Line = Stream<UnixStream>;

/// Connects; the emulator may need a moment to open the socket.
pub fn connect(socket: &Path) -> Result<Line> {
    let start = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => {
                stream.set_read_timeout(Some(REPLY_LIMIT))?;
                return Ok(Stream::new(stream));
            }
            Err(_) if start.elapsed() < REPLY_LIMIT => thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(error).with_context(|| socket.display().to_string()),
        }
    }
}
