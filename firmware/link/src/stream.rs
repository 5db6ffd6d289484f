//! A host's line over any stream of its system: a socket, a serial port.

extern crate std;

use std::io::{Error, ErrorKind, Read, Write};

use crate::client::Port;

/// A stream as a line, read in pieces. The time that it allows for a reply is the stream's own read time-out.
#[derive(Debug)]
pub struct Stream<S> {
    stream: S,
    buffer: [u8; 1024],
    at: usize,
    len: usize,
}

impl<S> Stream<S> {
    /// A line over this stream; set its read time-out before.
    pub const fn new(stream: S) -> Self {
        Stream { stream, buffer: [0; 1024], at: 0, len: 0 }
    }
}

impl<S: Read + Write> Port for Stream<S> {
    type Error = Error;

    fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.stream.write_all(bytes)
    }

    fn receive(&mut self) -> Result<Option<u8>, Error> {
        if self.at == self.len {
            // Empty until the read succeeds, so that nothing is handed out twice after a failed one.
            (self.at, self.len) = (0, 0);
            self.len = match self.stream.read(&mut self.buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(len) => len,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(None),
                Err(error) => return Err(error),
            };
        }
        let byte = self.buffer.get(self.at).copied();
        self.at += 1;
        Ok(byte)
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, vec::Vec};

    use super::*;

    /// Gives what is laid out, read by read.
    struct Script(VecDeque<Result<Vec<u8>, ErrorKind>>);

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
            let bytes = self.0.pop_front().unwrap_or(Ok(Vec::new()))?;
            buffer[..bytes.len()].copy_from_slice(&bytes);
            Ok(bytes.len())
        }
    }

    impl Write for Script {
        fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> Result<(), Error> {
            Ok(())
        }
    }

    #[test]
    fn pieces_are_one_line_and_a_time_out_is_no_end() {
        let script = [Ok([1, 2].to_vec()), Err(ErrorKind::TimedOut), Err(ErrorKind::WouldBlock), Ok([3].to_vec())];
        let mut line = Stream::new(Script(script.into()));
        let mut next = || line.receive().map_err(|error| error.kind());
        assert_eq!([next(), next(), next()], [Ok(Some(1)), Ok(Some(2)), Ok(None)]);
        assert_eq!([next(), next(), next()], [Ok(None), Ok(Some(3)), Err(ErrorKind::UnexpectedEof)]);
    }
}
