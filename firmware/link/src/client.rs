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
    /// The reply is longer than the client's buffer, in every attempt.
    ReplyTooLong,
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
        // Why the last attempt failed: noise that looks like it is over with the next one.
        let mut failure = CallError::NoReply { attempts: self.attempts };
        for _ in 0..self.attempts {
            // The leading zero ends whatever noise the device has gathered.
            self.port.send(&[0]).map_err(CallError::Port)?;
            self.port.send(frame).map_err(CallError::Port)?;
            let len = match self.wait().map_err(CallError::Port)? {
                Heard::Reply(len) => len,
                Heard::Nothing => {
                    failure = CallError::NoReply { attempts: self.attempts };
                    continue;
                }
                Heard::RequestTooLong => {
                    failure = CallError::Refused(Refusal::TooLong);
                    continue;
                }
                Heard::TooLong => {
                    failure = CallError::ReplyTooLong;
                    continue;
                }
            };
            let payload = self.payload.get(..len).unwrap_or_default();
            // `wait` has read it once; it is only borrowed anew.
            return match postcard::from_bytes(payload) {
                Ok(Reply::Refused { refusal, .. }) => Err(CallError::Refused(refusal)),
                Ok(reply) => Ok(reply),
                Err(_) => Err(CallError::NoReply { attempts: 1 }),
            };
        }
        Err(failure)
    }

    /// Waits for the reply to the current request.
    fn wait(&mut self) -> Result<Heard, P::Error> {
        loop {
            let Some(byte) = self.port.receive()? else {
                return Ok(Heard::Nothing);
            };
            let payload = match self.receiver.push(byte) {
                None => continue,
                Some(Ok(payload)) => payload,
                Some(Err(FrameError::TooLong)) => return Ok(Heard::TooLong),
                Some(Err(FrameError::Cut | FrameError::Damaged)) => return Ok(Heard::Nothing),
            };
            match postcard::from_bytes::<Reply<'_>>(payload) {
                Ok(Reply::Refused { refusal: Refusal::Damaged, .. }) => return Ok(Heard::Nothing),
                // Of our request, or of noise before it.
                Ok(Reply::Refused { refusal: Refusal::TooLong, .. }) => return Ok(Heard::RequestTooLong),
                // Frame errors carry no number; all else must be ours, or it is a late reply to an earlier sending.
                Ok(Reply::Refused { sequence: 0, .. }) => {}
                Ok(reply) if reply.sequence() == self.sequence => {}
                Ok(_) | Err(_) => continue,
            }
            let len = payload.len();
            let Some(place) = self.payload.get_mut(..len) else { return Ok(Heard::TooLong) };
            place.copy_from_slice(payload);
            return Ok(Heard::Reply(len));
        }
    }
}

/// What comes of waiting.
enum Heard {
    /// A reply of this length, in `payload`.
    Reply(usize),
    /// Nothing, or nothing sound: send again.
    Nothing,
    /// The device says that a frame was too long for it.
    RequestTooLong,
    /// A frame that is too long for us.
    TooLong,
}
