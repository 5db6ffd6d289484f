//! metrics.jsonl, read back from whatever is left of it.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde_json::Value;

use super::Epoch;

/// Bytes of a line beyond which it isn't one of ours.
const LONGEST: u64 = 1 << 20;
/// Epochs that are kept: what a run can have.
const MOST_EPOCHS: usize = 1_000_000;

/// What the lines say.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// By number, since a resumed run may tell an epoch twice; the later one counts.
    pub(super) epochs: BTreeMap<u32, Epoch>,
    pub(super) best_epoch: Option<u32>,
    pub(super) planned: Option<u32>,
    pub(super) device: Option<String>,
    pub(super) trained: Option<u64>,
    pub(super) finished: bool,
    pub(super) stopped_early: bool,
    /// The last `tested` line.
    pub(super) tested: Option<Value>,
    /// Lines that were understood.
    pub(super) lines: usize,
    /// Lines that were not, and the first of them.
    pub(super) damaged: Vec<usize>,
    /// The last line has no end.
    pub(super) cut: bool,
}

/// A line; what an older or newer program doesn't write is left out.
#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Started {
        #[serde(default)]
        device: Option<String>,
        #[serde(default)]
        epochs: Option<u32>,
        #[serde(default)]
        trained: Option<u64>,
    },
    Epoch {
        record: Epoch,
        #[serde(default)]
        best: bool,
    },
    Finished {
        #[serde(default)]
        best_epoch: Option<u32>,
        #[serde(default)]
        stopped_early: bool,
    },
    #[serde(other)]
    Other,
}

impl Log {
    /// Reads to the end; memory is that of the epochs.
    pub(super) fn read(mut from: impl BufRead) -> io::Result<Log> {
        let mut log = Log::default();
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if (&mut from).take(LONGEST).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let whole = line.last() == Some(&b'\n');
            let long = !whole && line.len() as u64 == LONGEST;
            if long {
                skip_line(&mut from)?;
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            if !long && log.take(&line) {
                log.lines += 1;
            } else if whole || long {
                log.damaged.push(number);
            } else {
                log.cut = true;
            }
        }
        Ok(log)
    }

    /// Takes a line; whether it was understood.
    fn take(&mut self, line: &[u8]) -> bool {
        let Ok(value) = serde_json::from_slice::<Value>(line) else { return false };
        if value.get("event").and_then(Value::as_str) == Some("tested") {
            self.tested = Some(value);
            return true;
        }
        let Ok(line) = serde_json::from_value::<Line>(value) else { return false };
        match line {
            Line::Started { device, epochs, trained } => {
                (self.device, self.planned, self.trained) = (device, epochs, trained);
                // Whatever ended before goes on now.
                self.finished = false;
            }
            Line::Epoch { record, best } => {
                if best {
                    self.best_epoch = Some(record.epoch);
                }
                if self.epochs.len() < MOST_EPOCHS {
                    self.epochs.insert(record.epoch, record);
                }
            }
            Line::Finished { best_epoch, stopped_early } => {
                (self.finished, self.stopped_early) = (true, stopped_early);
                self.best_epoch = best_epoch.filter(|epoch| *epoch > 0).or(self.best_epoch);
            }
            Line::Other => {}
        }
        true
    }
}

/// Drops the rest of a line.
fn skip_line(from: &mut impl BufRead) -> io::Result<()> {
    loop {
        let buffer = from.fill_buf()?;
        let end = buffer.iter().position(|&byte| byte == b'\n');
        let used = end.map_or(buffer.len(), |at| at + 1);
        from.consume(used);
        if end.is_some() || used == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_was_killed_is_read_as_far_as_it_goes() {
        let text = concat!(
            "{\"event\":\"started\",\"device\":\"CPU\",\"epochs\":9,\"trained\":12}\n",
            "{\"event\":\"epoch\",\"record\":{\"epoch\":1,\"train_loss\":2.0},\"best\":true}\n",
            "{\"event\":\"epoch\",\"record\":{\"epoch\":2,\"train_loss\":1.0},\"best\":true}\n",
            "\n",
            "not json\n",
            "{\"event\":\"epoch\",\"record\":{\"epoch\":2,\"train_loss\":1.5},\"best\":false}\n",
            "{\"event\":\"news\",\"of\":\"tomorrow\"}\n",
            "{\"event\":\"epoch\",\"record\":{\"epoch\":3,\"train_lo",
        );
        let log = Log::read(text.as_bytes()).unwrap();
        assert_eq!((log.lines, log.damaged.clone(), log.cut, log.finished), (5, vec![5], true, false));
        assert_eq!((log.best_epoch, log.planned, log.trained), (Some(2), Some(9), Some(12)));
        assert_eq!(log.epochs.values().map(|e| e.train_loss).collect::<Vec<_>>(), [Some(2.0), Some(1.5)]);
    }

    #[test]
    fn anything_is_read_in_little_memory() {
        let long = [b"x".repeat(3 << 20), b"\n{\"event\":\"finished\",\"best_epoch\":0}\n".to_vec()].concat();
        let log = Log::read(long.as_slice()).unwrap();
        assert_eq!((log.lines, log.damaged, log.finished, log.best_epoch), (1, vec![1], true, None));
        for text in [
            "",
            "\n\n",
            "\0\0\0",
            "[]\n{}\n1\n",
            "{\"event\":\"epoch\"}\n",
            "{\"event\":\"epoch\",\"record\":{\"epoch\":-1}}\n",
        ] {
            assert_eq!(Log::read(text.as_bytes()).unwrap().lines, 0, "{text}");
        }
    }
}
