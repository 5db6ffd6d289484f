//! The host's side: a request out, its reply in, sent again when the line fails.

use crate::{
    frame::{FrameError, Receiver, encode},
    message::{Body, Refusal, Reply, Request},
};

/// A line of bytes.
pub trait Port {
    /// What the line's own errors are.
    type Error;

    /// Sends all bytes.
    ///
    /// # Errors
    ///
    /// The line is gone.
    fn send(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;

    /// Waits for a byte; `None` when the time that the port allows for a reply is over.
    ///
    /// # Errors
    ///
    /// The line is gone.
    fn receive(&mut self) -> Result<Option<u8>, Self::Error>;
}

/// Why a request has no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError<E> {
    /// The line is gone.
    Port(E),
    /// The request is longer than the client's buffer.
    TooLong,
    /// The device understood and refused.
    Refused(Refusal),
    /// No sound reply in any attempt.
    NoReply {
        /// How often it was sent.
        attempts: u32,
    },
}

/// A host's end of the link. `N` is the bytes of the longest frame.
#[derive(Debug)]
pub struct Client<P, const N: usize> {
    port: P,
    receiver: Receiver<N>,
    payload: [u8; N],
    sequence: u16,
    /// How often a request is sent before giving up.
    pub attempts: u32,
}

impl<P: Port, const N: usize> Client<P, N> {
    /// A client on this line. Begin with [`Body::Hello`].
    pub const fn new(port: P) -> Self {
        Client { port, receiver: Receiver::new(), payload: [0; N], sequence: 0, attempts: 3 }
    }

    /// The line.
    pub fn port(&mut self) -> &mut P {
        &mut self.port
    }

    /// Sends the request and waits for its reply. Sends it again where the reply doesn't come or the device got it damaged;
    /// a training step is still done once.
    ///
    /// # Errors
    ///
    /// [`CallError`]; after `NoReply` the state of a training step is unknown until [`Body::Hello`] tells the step.
    pub fn call(&mut self, body: Body<'_>) -> Result<Reply<'_>, CallError<P::Error>> {
        // Never 0, which a device uses where it could not read the number.
        self.sequence = self.sequence.checked_add(1).unwrap_or(1);
        let request = Request { sequence: self.sequence, body };
        let mut message = [0; N];
        let mut frame = [0; N];
        let message = postcard::to_slice(&request, &mut message).map_err(|_| CallError::TooLong)?;
        let len = encode(message, &mut frame).map_err(|_| CallError::TooLong)?;
        let frame = frame.get(..len).unwrap_or_default();
        for _ in 0..self.attempts {
            // The leading zero ends whatever noise the device has gathered.
            self.port.send(&[0]).map_err(CallError::Port)?;
            self.port.send(frame).map_err(CallError::Port)?;
            if let Some(len) = self.wait()? {
                let payload = self.payload.get(..len).unwrap_or_default();
                // `wait` has read it once; it is only borrowed anew.
                return match postcard::from_bytes(payload) {
                    Ok(Reply::Refused { refusal, .. }) => Err(CallError::Refused(refusal)),
                    Ok(reply) => Ok(reply),
                    Err(_) => Err(CallError::NoReply { attempts: 1 }),
                };
            }
        }
        Err(CallError::NoReply { attempts: self.attempts })
    }

    /// Waits for the reply to the current request and returns its length in `payload`; `None`: send again.
    fn wait(&mut self) -> Result<Option<usize>, CallError<P::Error>> {
        loop {
            let Some(byte) = self.port.receive().map_err(CallError::Port)? else {
                return Ok(None);
            };
            let payload = match self.receiver.push(byte) {
                None => continue,
                Some(Ok(payload)) => payload,
                Some(Err(FrameError::TooLong)) => return Err(CallError::TooLong),
                Some(Err(FrameError::Cut | FrameError::Damaged)) => return Ok(None),
            };
            match postcard::from_bytes::<Reply<'_>>(payload) {
                Ok(Reply::Refused { refusal: Refusal::Damaged, .. }) => return Ok(None),
                // Frame errors carry no number; all else must be ours, or it is a late reply to an earlier sending.
                Ok(Reply::Refused { sequence: 0, .. }) => {}
                Ok(reply) if reply.sequence() == self.sequence => {}
                Ok(_) | Err(_) => continue,
            }
            let len = payload.len();
            if let Some(place) = self.payload.get_mut(..len) {
                place.copy_from_slice(payload);
                return Ok(Some(len));
            }
            return Err(CallError::TooLong);
        }
    }
}
