//! Runs a program in the emulator, under a time limit.

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use crate::{board::Board, toolchain};

/// What a run left.
#[derive(Debug)]
pub struct Run {
    /// The exit status: the program's verdict.
    pub status: i32,
    /// The program's text.
    pub stdout: String,
    /// Log frames of the program, or complaints of the emulator.
    pub stderr: Vec<u8>,
}

/// Most bytes kept of each stream, so that a program that prints without end doesn't fill the memory.
const STREAM_LIMIT: u64 = 16 << 20;

/// Arguments that make a run exact and quiet: virtual time of 256 ns an instruction, never waiting for the host's clock.
pub const COMMON_ARGS: [&str; 8] = [
    "-nographic",
    "-monitor",
    "none",
    "-semihosting-config",
    "enable=on,target=native",
    "-icount",
    "shift=8,sleep=off",
    "-no-reboot",
];

/// The emulator's command for one program, without a serial device.
pub fn command(board: &Board, elf: &Path) -> Command {
    let mut command = Command::new(&board.qemu.program);
    command
        .args(&board.qemu.args)
        .args(COMMON_ARGS)
        .arg("-kernel")
        .arg(elf)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The same without exact virtual time, which is faster: for programs that count nothing.
pub fn untimed(board: &Board, elf: &Path) -> Command {
    let mut command = Command::new(&board.qemu.program);
    let exact = COMMON_ARGS.iter().position(|arg| *arg == "-icount").unwrap_or(COMMON_ARGS.len());
    let quiet = COMMON_ARGS.iter().enumerate().filter(|(index, _)| !(exact..exact + 2).contains(index));
    command
        .args(&board.qemu.args)
        .args(quiet.map(|(_, arg)| arg))
        .arg("-kernel")
        .arg(elf)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The same on one processor, another one for each `worker`, where the system can do that (Linux with `taskset`).
///
/// A byte of a serial line wakes the emulator's two threads in turn. On processors of their own each waits for an idle one to
/// wake: 64 ms for a training step of the demo on an idle machine, 14 ms on one processor.
pub fn on_one_processor(command: Command, worker: usize) -> Command {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let processors = allowed.map(processors).unwrap_or_default();
    let (Some(taskset), Some(processor)) =
        (toolchain::in_path("taskset"), processors.get(worker % processors.len().max(1)))
    else {
        return command;
    };
    let mut pinned = Command::new(taskset);
    pinned.arg("-c").arg(processor.to_string()).arg(command.get_program()).args(command.get_args());
    pinned.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    pinned
}

/// The numbers in a list such as `0-1,4`.
fn processors(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.trim().parse().ok()?..=last.trim().parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// Runs the program to its end.
///
/// # Errors
///
/// The emulator is missing, was ended by a signal, or the program ran past `limit` (then it is killed).
pub fn run(board: &Board, elf: &Path, limit: Duration) -> Result<Run> {
    let mut command = command(board, elf);
    command.args(["-serial", "none"]);
    finish(start(board, &mut command)?, limit)
}

/// Starts the emulator.
pub fn start(board: &Board, command: &mut Command) -> Result<Child> {
    command
        .spawn()
        .with_context(|| format!("starting {}: is it installed? 'cargo xtask doctor' says how", board.qemu.program))
}

/// Waits for a started emulator, kills it at the limit, and gathers what it printed.
pub fn finish(mut child: Child, limit: Duration) -> Result<Run> {
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            let text = String::from_utf8_lossy(&join(stdout)).into_owned();
            bail!("no end after {} s; killed. It had printed:\n{text}", limit.as_secs());
        }
        thread::sleep(Duration::from_millis(10));
    };
    let stdout = String::from_utf8_lossy(&join(stdout)).into_owned();
    let stderr = join(stderr);
    let Some(status) = status.code() else {
        bail!("the emulator was ended by a signal\n{stdout}{}", String::from_utf8_lossy(&stderr));
    };
    Ok(Run { status, stdout, stderr })
}

fn collect(stream: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(stream) = stream {
            // A read error ends the stream; what came before it counts.
            let _ = stream.take(STREAM_LIMIT).read_to_end(&mut bytes);
        }
        bytes
    })
}

fn join(thread: JoinHandle<Vec<u8>>) -> Vec<u8> {
    thread.join().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::processors;

    #[test]
    fn lists_of_processors_are_read() {
        assert_eq!(processors("\t0-1,4\n"), [0, 1, 4]);
        assert_eq!(processors("3"), [3]);
        assert!(processors("").is_empty() && processors("no list").is_empty());
    }
}
