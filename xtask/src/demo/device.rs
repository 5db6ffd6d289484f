//! The device: firmware in the emulator, a model in its partition of flash, and the link's client on its serial port.

use std::{
    fs,
    io::ErrorKind,
    os::unix::net::{UnixListener, UnixStream},
    path::{Path, PathBuf},
    process::{self, Child},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use emberlite_link::{Body, Client, Info, Numbers, Outcome, Reply, Stream, VERSION};

use super::data::{CHANNELS, EXERCISES, READINGS, Window};
use crate::{
    board::Board,
    qemu::{self, Run},
};

/// How long a reply may take; a step takes some 20 ms, but the machine may be busy.
const REPLY_LIMIT: Duration = Duration::from_secs(30);
/// How long the program may take to end once it was told to.
const END_LIMIT: Duration = Duration::from_secs(10);
/// Bytes of the longest frame.
const FRAME: usize = 1024;

/// A device that listens.
pub struct Device {
    client: Client<Stream<UnixStream>, FRAME>,
    child: Option<Child>,
    /// Training steps so far: parameters moved, and nothing moved.
    updates: u32,
    skipped: u64,
}

/// What the device says of itself at its end, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Memory {
    /// The learner's arena.
    pub arena: u64,
    /// The deepest that the stack became.
    pub stack: u64,
}

impl Device {
    /// Starts the emulator with the program and puts `model` into its partition of flash. As many `worker`s, from 0, run at a
    /// time.
    pub fn start(board: &Board, elf: &Path, model: &Path, worker: usize) -> Result<Self> {
        // The emulator calls us, so there is nothing to wait for but the call.
        let (listener, socket) = listen()?;
        let mut command = qemu::untimed(board, elf);
        command
            .arg("-chardev")
            .arg(format!("socket,id=line,path={},server=off", socket.0.display()))
            .args(["-serial", "chardev:line"])
            .arg("-device")
            .arg(format!("loader,file={},addr={:#x},force-raw=on", model.display(), board.partition()));
        let mut child = qemu::start(board, &mut qemu::on_one_processor(command, worker))?;
        match accept(&listener, &mut child).map(Stream::new) {
            Ok(line) => Ok(Device { client: Client::new(line), child: Some(child), updates: 0, skipped: 0 }),
            Err(error) => {
                // It may have ended by itself; what it says then is what matters.
                let _ = child.kill();
                let said = qemu::finish(child, END_LIMIT).map_or_else(|e| e.to_string(), |run| said(&run));
                Err(error.context(said))
            }
        }
    }

    /// Asks who is there; returns the layout hash of the program's model and what it computes with.
    pub fn hello(&mut self) -> Result<(u64, Numbers)> {
        let info = match self.client.call(Body::Hello) {
            Ok(Reply::Info(info)) => info,
            other => {
                let problem = format!("{other:?}");
                let child = self.child.take();
                let said = child.map(|child| qemu::finish(child, END_LIMIT).map(|run| said(&run)));
                bail!("the device doesn't answer ({problem}); {}", said.transpose()?.unwrap_or_default());
            }
        };
        let Info { version, input_len, output_len, layout_hash, numbers, .. } = info;
        ensure!(version == VERSION, "the device speaks version {version} of the link, this program {VERSION}");
        let expected = (READINGS * CHANNELS, EXERCISES.len());
        ensure!(
            (input_len as usize, output_len as usize) == expected,
            "the device's model has {input_len} inputs and {output_len} outputs, expected {expected:?}"
        );
        Ok((layout_hash, numbers))
    }

    /// One training step; returns the bits of the loss before it.
    pub fn train(&mut self, window: &Window) -> Result<u32> {
        let label = window.exercise as u32;
        let step = u64::from(self.updates) + self.skipped + 1;
        match self.client.call(Body::Train { input: &bytes(window), label }) {
            Ok(Reply::Trained { loss_bits, outcome: Outcome::Updated, step: made, .. }) if made == self.updates + 1 => {
                self.updates = made;
                Ok(loss_bits)
            }
            Ok(Reply::Trained { loss_bits, outcome: Outcome::Skipped, step: made, .. }) if made == self.updates => {
                self.skipped += 1;
                Ok(loss_bits)
            }
            other => bail!("training step {step}, after {} updates: {other:?}", self.updates),
        }
    }

    /// Training steps in which nothing moved.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Whether the device gets this window right.
    pub fn evaluate(&mut self, window: &Window) -> Result<bool> {
        let label = window.exercise as u32;
        match self.client.call(Body::Evaluate { input: &bytes(window), label }) {
            Ok(Reply::Evaluated { correct, .. }) => Ok(correct),
            other => bail!("evaluating: {other:?}"),
        }
    }

    /// The bytes of all trained parameters, one after the other.
    pub fn parameters(&mut self) -> Result<Vec<u8>> {
        let mut values = Vec::new();
        loop {
            let offset = u32::try_from(values.len())?;
            match self.client.call(Body::Read { offset }) {
                Ok(Reply::Parameters { bytes: [], .. }) => return Ok(values),
                Ok(Reply::Parameters { offset: from, bytes, .. }) if from == offset => values.extend(bytes),
                other => bail!("reading parameters at byte {offset}: {other:?}"),
            }
        }
    }

    /// Tells the program to end, and returns what it says of its memory.
    pub fn finish(mut self) -> Result<Memory> {
        match self.client.call(Body::Finish) {
            Ok(Reply::Finished { .. }) => {}
            other => bail!("the device doesn't finish: {other:?}"),
        }
        let Some(child) = self.child.take() else { bail!("the emulator has ended") };
        let run = qemu::finish(child, END_LIMIT)?;
        ensure!(run.status == 0, "{}", said(&run));
        let number = |key: &str| -> Result<u64> {
            let value = run.stdout.lines().find_map(|line| line.strip_prefix(key)?.trim().parse().ok());
            value.with_context(|| format!("the program doesn't say its {key}; it printed:\n{}", run.stdout))
        };
        Ok(Memory { arena: number("arena")?, stack: number("stack")? })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error is on its way already; an emulator that has ended needs no killing.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn said(run: &Run) -> String {
    format!(
        "the program ended with status {} and printed:\n{}{}",
        run.status,
        run.stdout,
        String::from_utf8_lossy(&run.stderr)
    )
}

/// A window as the sensor gives it: reading by reading, little-endian 16-bit integers.
fn bytes(window: &Window) -> Vec<u8> {
    window.readings.iter().flatten().flat_map(|value| value.to_le_bytes()).collect()
}

/// A socket's name in the file system; gone when dropped, which an open connection survives.
struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        // What is left behind is a name in the system's temporary folder.
        let _ = fs::remove_file(&self.0);
    }
}

/// Opens a local socket for the serial line: a tenth less of the demo's time than a port of the network's loopback.
fn listen() -> Result<(UnixListener, Socket)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Short, since a socket's path may have about 100 bytes only.
    let name = format!("emberlite-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let socket = Socket(std::env::temp_dir().join(name));
    // Of an earlier process with this one's number.
    let _ = fs::remove_file(&socket.0);
    let listener = UnixListener::bind(&socket.0).with_context(|| format!("opening {}", socket.0.display()))?;
    Ok((listener, socket))
}

fn accept(listener: &UnixListener, child: &mut Child) -> Result<UnixStream> {
    listener.set_nonblocking(true)?;
    let start = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                stream.set_read_timeout(Some(REPLY_LIMIT))?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("waiting for the emulator's serial line"),
        }
        if let Some(status) = child.try_wait()? {
            bail!("the emulator ended at once: {status}");
        }
        ensure!(start.elapsed() < REPLY_LIMIT, "the emulator doesn't open its serial line");
        std::thread::sleep(Duration::from_millis(5));
    }
}
