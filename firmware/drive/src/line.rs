//! The line to the device: a local socket that the emulator connects to its serial port.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use emberlite_link::{Client, Port};

/// How long a reply may take; a training step takes milliseconds even on a busy machine.
const REPLY_LIMIT: Duration = Duration::from_secs(10);

/// Bytes of the longest frame.
pub const FRAME: usize = 512;

/// A client over the socket.
pub type Device = Client<Line, FRAME>;

/// A connected socket, read in pieces.
#[derive(Debug)]
pub struct Line {
    stream: UnixStream,
    buffer: [u8; 256],
    at: usize,
    len: usize,
}

impl Line {
    /// Connects; the emulator may need a moment to open the socket.
    pub fn connect(socket: &Path) -> Result<Self> {
        let start = Instant::now();
        loop {
            match UnixStream::connect(socket) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(REPLY_LIMIT))?;
                    return Ok(Line { stream, buffer: [0; 256], at: 0, len: 0 });
                }
                Err(_) if start.elapsed() < REPLY_LIMIT => thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(error).with_context(|| socket.display().to_string()),
            }
        }
    }
}

impl Port for Line {
    type Error = std::io::Error;

    fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.stream.write_all(bytes)
    }

    fn receive(&mut self) -> Result<Option<u8>, Self::Error> {
        if self.at == self.len {
            self.at = 0;
            self.len = match self.stream.read(&mut self.buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        let byte = self.buffer[self.at];
        self.at += 1;
        Ok(Some(byte))
    }
}
