//! Client and server over a line in memory: whole conversations, loss, noise, and 10,000 frames of garbage.

use std::collections::VecDeque;

use emberlite_link::{
    Body, CallError, Client, Device, Info, Numbers, Outcome, Port, Receiver, Refusal, Reply, Request, Server, Step,
    VERSION, encode, floats, put_floats,
};

const N: usize = 512;

/// A device whose model is `output[i] = input[0] * parameters[i]` and whose step adds 1 to every parameter.
struct Toy {
    parameters: [f32; 3],
    step: u32,
    /// Steps with a negative input, which it can't learn from.
    skipped: u32,
    finished: bool,
}

impl Toy {
    fn new() -> Self {
        Toy { parameters: [1.0, 2.0, 3.0], step: 0, skipped: 0, finished: false }
    }

    fn check(input: &[u8], label: u32) -> Result<f32, Refusal> {
        if input.len() != 4 {
            return Err(Refusal::WrongLength { needed: 1, got: (input.len() / 4) as u32 });
        }
        if label >= 3 {
            return Err(Refusal::WrongLabel { classes: 3, got: label });
        }
        let value = floats(input).next().ok_or(Refusal::Failed)?;
        value.is_finite().then_some(value).ok_or(Refusal::NotFinite)
    }
}

impl Device for Toy {
    fn info(&self) -> Info<'static> {
        Info {
            sequence: 0,
            version: VERSION,
            board: "toy",
            layout_hash: 7,
            numbers: Numbers::F32,
            input_len: 1,
            output_len: 3,
            parameter_bytes: 12,
            step: self.step,
        }
    }

    fn predict(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Refusal> {
        let value = Self::check(input, 0)?;
        Ok(put_floats(&self.parameters.map(|p| p * value), output))
    }

    fn train(&mut self, input: &[u8], label: u32) -> Result<Step, Refusal> {
        let loss = Self::check(input, label)?;
        if loss < 0.0 {
            self.skipped += 1;
            return Ok(Step { loss_bits: loss.to_bits(), outcome: Outcome::Skipped });
        }
        self.parameters = self.parameters.map(|p| p + 1.0);
        self.step += 1;
        Ok(Step { loss_bits: loss.to_bits(), outcome: Outcome::Updated })
    }

    fn evaluate(&mut self, input: &[u8], label: u32) -> Result<(u32, bool), Refusal> {
        Ok((Self::check(input, label)?.to_bits(), label == 2))
    }

    fn read(&self, offset: u32, out: &mut [u8]) -> Result<usize, Refusal> {
        let mut all = [0; 12];
        put_floats(&self.parameters, &mut all);
        let rest = all.get(offset as usize..).ok_or(Refusal::WrongOffset { len: 12, got: offset })?;
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn finish(&mut self) {
        self.finished = true;
    }
}

/// A line with the device at its other end, which may lose what it says.
struct Line {
    device: Toy,
    server: Server<N>,
    receiver: Receiver<N>,
    back: VecDeque<u8>,
    /// For each reply to come: whether it gets through.
    replies: VecDeque<bool>,
    /// For each frame to come: whether a bit of it flips.
    damage: VecDeque<bool>,
}

impl Line {
    fn new() -> Self {
        Line {
            device: Toy::new(),
            server: Server::new(),
            receiver: Receiver::new(),
            back: VecDeque::new(),
            replies: VecDeque::new(),
            damage: VecDeque::new(),
        }
    }
}

impl Port for Line {
    type Error = ();

    fn send(&mut self, bytes: &[u8]) -> Result<(), ()> {
        let mut bytes = bytes.to_vec();
        if bytes.len() > 1 && self.damage.pop_front() == Some(true) {
            bytes[2] ^= 0x40;
        }
        for byte in bytes {
            if let Some(frame) = self.receiver.push(byte) {
                let mut out = [0; N + 32];
                let len = self.server.answer(&mut self.device, frame, &mut out);
                assert!(len > 0, "every frame is answered");
                if self.replies.pop_front().unwrap_or(true) {
                    self.back.extend(&out[..len]);
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<u8>, ()> {
        Ok(self.back.pop_front())
    }
}

fn client() -> Client<Line, 600> {
    Client::new(Line::new())
}

#[test]
fn a_conversation() {
    let mut client = client();
    let Ok(Reply::Info(info)) = client.call(Body::Hello) else {
        panic!("no info");
    };
    assert_eq!((info.board, info.layout_hash, info.step), ("toy", 7, 0));
    let input = 2.0f32.to_le_bytes();
    let Ok(Reply::Prediction { output, .. }) = client.call(Body::Predict { input: &input }) else {
        panic!("no prediction");
    };
    assert_eq!(floats(output).collect::<Vec<_>>(), [2.0, 4.0, 6.0]);
    let trained = client.call(Body::Train { input: &input, label: 1 });
    assert!(
        matches!(trained, Ok(Reply::Trained { loss_bits, step: 1, .. }) if loss_bits == 2.0f32.to_bits()),
        "{trained:?}"
    );
    let Ok(Reply::Parameters { bytes, offset, .. }) = client.call(Body::Read { offset: 4 }) else {
        panic!("no parameters");
    };
    assert_eq!(offset, 4);
    assert_eq!(floats(bytes).collect::<Vec<_>>(), [3.0, 4.0]);
    let evaluated = client.call(Body::Evaluate { input: &input, label: 2 });
    assert!(matches!(evaluated, Ok(Reply::Evaluated { correct: true, .. })), "{evaluated:?}");
    assert!(matches!(client.call(Body::Finish), Ok(Reply::Finished { .. })));
    assert!(client.port().device.finished);
}

#[test]
fn a_step_whose_reply_is_lost_is_trained_once() {
    let mut client = client();
    client.port().replies = [false, false, true].into();
    let input = 1.0f32.to_le_bytes();
    let trained = client.call(Body::Train { input: &input, label: 0 });
    assert!(matches!(trained, Ok(Reply::Trained { step: 1, .. })), "{trained:?}");
    assert_eq!(client.port().device.step, 1);
    // The next one is another.
    let trained = client.call(Body::Train { input: &input, label: 0 });
    assert!(matches!(trained, Ok(Reply::Trained { step: 2, .. })), "{trained:?}");
}

#[test]
fn a_skipped_step_whose_reply_is_lost_is_skipped_once() {
    let mut client = client();
    client.port().replies = [false, true].into();
    let input = (-1.0f32).to_le_bytes();
    let trained = client.call(Body::Train { input: &input, label: 0 });
    assert!(matches!(trained, Ok(Reply::Trained { outcome: Outcome::Skipped, step: 0, .. })), "{trained:?}");
    assert_eq!(client.port().device.skipped, 1);
}

#[test]
fn a_step_is_not_mistaken_for_one_65535_requests_before() {
    let mut client = client();
    let input = 1.0f32.to_le_bytes();
    let train = Body::Train { input: &input, label: 0 };
    assert!(matches!(client.call(train), Ok(Reply::Trained { step: 1, .. })));
    for _ in 0..65_534 {
        assert!(client.call(Body::Evaluate { input: &input, label: 0 }).is_ok());
    }
    // The numbers have wrapped: this request has that of the first.
    let trained = client.call(train);
    assert!(matches!(trained, Ok(Reply::Trained { step: 2, .. })), "{trained:?}");
}

#[test]
fn noise_of_any_length_before_a_request_delays_it_only() {
    for len in [1, 100, 511, 512, 513, 700, 5000] {
        let mut client = client();
        assert!(client.port().send(&vec![7; len]).is_ok());
        let input = 1.0f32.to_le_bytes();
        let trained = client.call(Body::Train { input: &input, label: 0 });
        assert!(matches!(trained, Ok(Reply::Trained { step: 1, .. })), "{len} bytes: {trained:?}");
        // And on the way back.
        client.port().back.extend(std::iter::repeat_n(7, len).chain([0]));
        let trained = client.call(Body::Train { input: &input, label: 0 });
        assert!(matches!(trained, Ok(Reply::Trained { step: 2, .. })), "{len} bytes back: {trained:?}");
    }
}

#[test]
fn a_damaged_request_is_sent_again() {
    let mut client = client();
    client.port().damage = [true, false].into();
    let input = 1.0f32.to_le_bytes();
    let trained = client.call(Body::Train { input: &input, label: 0 });
    assert!(matches!(trained, Ok(Reply::Trained { step: 1, .. })), "{trained:?}");
}

#[test]
fn a_dead_line_is_no_reply() {
    let mut client = client();
    client.port().replies = [false; 3].into();
    assert_eq!(client.call(Body::Hello), Err(CallError::NoReply { attempts: 3 }));
}

#[test]
fn wrong_requests_are_refused_by_name() {
    let mut client = client();
    let two = [0u8; 8];
    assert_eq!(
        client.call(Body::Predict { input: &two }),
        Err(CallError::Refused(Refusal::WrongLength { needed: 1, got: 2 }))
    );
    let nan = f32::NAN.to_le_bytes();
    assert_eq!(client.call(Body::Train { input: &nan, label: 0 }), Err(CallError::Refused(Refusal::NotFinite)));
    assert_eq!(
        client.call(Body::Train { input: &two[..4], label: 3 }),
        Err(CallError::Refused(Refusal::WrongLabel { classes: 3, got: 3 }))
    );
    assert_eq!(
        client.call(Body::Read { offset: 13 }),
        Err(CallError::Refused(Refusal::WrongOffset { len: 12, got: 13 }))
    );
    assert_eq!(client.port().device.step, 0);
    let long = [0u8; 560];
    assert_eq!(client.call(Body::Predict { input: &long }), Err(CallError::Refused(Refusal::TooLong)));
}

/// Deterministic noise: xorshift, seeded.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Answers one frame's bytes (its end included) and returns the replies.
fn answers(line: &mut Line, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut answers = Vec::new();
    for &byte in bytes {
        if let Some(frame) = line.receiver.push(byte) {
            let mut out = [0; N + 32];
            let len = line.server.answer(&mut line.device, frame, &mut out);
            answers.push(out[..len].to_vec());
        }
    }
    answers
}

/// The refusals in replies that must all be sound frames.
fn refusals(replies: &[Vec<u8>]) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for reply in replies {
        let mut receiver = Receiver::<1024>::new();
        let mut frames = 0;
        for &byte in reply {
            if let Some(frame) = receiver.push(byte) {
                frames += 1;
                if let Reply::Refused { refusal, .. } = postcard::from_bytes(frame.unwrap()).unwrap() {
                    refusals.push(refusal);
                }
            }
        }
        assert_eq!(frames, 1, "one frame a reply");
    }
    refusals
}

#[test]
fn ten_thousand_random_frames_get_typed_refusals_and_change_nothing() {
    let mut line = Line::new();
    let mut noise = Noise(0x5EED);
    let mut refused = 0;
    for _ in 0..10_000 {
        let len = noise.next() as usize % 700 + 1;
        let mut bytes: Vec<u8> = (0..len).map(|_| (noise.next() % 255 + 1) as u8).collect();
        bytes.push(0);
        let replies = answers(&mut line, &bytes);
        assert_eq!(replies.len(), 1);
        refused += refusals(&replies).len();
    }
    assert_eq!(refused, 10_000);
    assert_eq!(line.device.step, 0);
    let mut client = Client::<Line, 600>::new(line);
    assert!(client.call(Body::Hello).is_ok(), "it still answers");
}

#[test]
fn ten_thousand_sound_frames_of_random_bytes_do_not_upset_the_device() {
    let mut line = Line::new();
    let mut noise = Noise(0xF00D);
    for _ in 0..10_000 {
        let len = noise.next() as usize % 64;
        let payload: Vec<u8> = (0..len)
            .map(|i| {
                // Small first bytes, so that many get past the variant.
                let limit = if i < 3 { 8 } else { 256 };
                (noise.next() % limit) as u8
            })
            .collect();
        let mut frame = [0; 128];
        let len = encode(&payload, &mut frame).unwrap();
        let replies = answers(&mut line, &frame[..len]);
        assert_eq!(replies.len(), 1);
        refusals(&replies);
    }
    assert!(line.device.parameters.iter().all(|p| p.is_finite()));
}

#[test]
fn ten_thousand_mutated_requests_do_not_upset_the_device() {
    let mut line = Line::new();
    let mut noise = Noise(0xBEEF);
    let input = 1.5f32.to_le_bytes();
    let request = Request { sequence: 300, body: Body::Train { input: &input, label: 2 } };
    let mut buffer = [0; 64];
    let payload = postcard::to_slice(&request, &mut buffer).unwrap().to_vec();
    for _ in 0..10_000 {
        let mut mutated = payload.clone();
        for _ in 0..noise.next() % 3 + 1 {
            let at = noise.next() as usize % mutated.len();
            mutated[at] = noise.next() as u8;
        }
        mutated.truncate(noise.next() as usize % 12 + mutated.len().saturating_sub(11));
        let mut frame = [0; 128];
        let len = encode(&mutated, &mut frame).unwrap();
        let replies = answers(&mut line, &frame[..len]);
        refusals(&replies);
    }
    assert!(line.device.parameters.iter().all(|p| p.is_finite()));
}
