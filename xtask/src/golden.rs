//! Golden text: what a program printed when a person last looked, in `firmware/golden`.

use std::{env, fs, path::PathBuf};

use anyhow::{Context, Result, bail};

use crate::{paths, program::Golden};

/// Compares `output` with the golden text of `program` on `board`, or rewrites it where `EMBERLITE_BLESS` is 1.
///
/// Addresses (`0x` and eight digits) differ from build to build, so they are masked on both sides.
pub fn compare(kind: Golden, program: &str, board: &str, output: &str) -> Result<()> {
    let name = match kind {
        Golden::None | Golden::Bench => return Ok(()),
        Golden::Programs => return compare_programs(output),
        Golden::Shared => format!("{program}.txt"),
        Golden::Board => format!("{program}.{board}.txt"),
    };
    compare_file(&name, &mask_addresses(output))
}

/// Compares `output` with the file `name`, or rewrites the file where `EMBERLITE_BLESS` is 1.
pub fn compare_file(name: &str, output: &str) -> Result<()> {
    let path = path(name);
    if env::var_os("EMBERLITE_BLESS").is_some_and(|value| value == "1") {
        if fs::read_to_string(&path).is_ok_and(|old| old == output) {
            return Ok(());
        }
        fs::create_dir_all(path.parent().unwrap_or(&path))?;
        return fs::write(&path, output).with_context(|| path.display().to_string());
    }
    let golden = fs::read_to_string(&path).with_context(|| {
        format!("reading {}: look at the program's output, then EMBERLITE_BLESS=1 writes it", path.display())
    })?;
    if golden != output {
        bail!(
            "output differs from firmware/golden/{name} (EMBERLITE_BLESS=1 rewrites it)\n{}",
            difference(&golden, output)
        );
    }
    Ok(())
}

/// Compares each section with the text that the host's tests use; those write it, never a board.
fn compare_programs(output: &str) -> Result<()> {
    let mut sections = output.split("== ");
    let before = sections.next().unwrap_or_default();
    if !before.is_empty() {
        bail!("output before the first '== NAME': {before}");
    }
    let mut compared = 0;
    for section in sections {
        let (name, text) = section.split_once('\n').unwrap_or((section, ""));
        let path = paths::root().join("tests/golden").join(format!("{name}.txt"));
        let golden = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        if golden != text {
            bail!("output differs from tests/golden/{name}.txt\n{}", difference(&golden, text));
        }
        compared += 1;
    }
    if compared == 0 {
        bail!("no program printed anything");
    }
    Ok(())
}

/// Where the golden text `name` lies.
pub fn path(name: &str) -> PathBuf {
    paths::firmware().join("golden").join(name)
}

/// Replaces the digits of every 32-bit address by `#`.
fn mask_addresses(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("0x") {
        let (before, from) = rest.split_at(at + 2);
        masked += before;
        let digits = from.bytes().take_while(u8::is_ascii_hexdigit).count();
        if digits == 8 {
            masked += "########";
        } else {
            masked += &from[..digits];
        }
        rest = &from[digits..];
    }
    masked + rest
}

/// The first line that differs, and its neighbours' number.
fn difference(golden: &str, output: &str) -> String {
    let mut golden_lines = golden.lines();
    let mut output_lines = output.lines();
    let mut line = 1;
    loop {
        match (golden_lines.next(), output_lines.next()) {
            (None, None) => return "only the line ends differ".into(),
            (old, new) if old == new => line += 1,
            (old, new) => {
                return format!(
                    "line {line}\n  golden: {}\n  output: {}",
                    old.unwrap_or("(the end)"),
                    new.unwrap_or("(the end)")
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked_and_other_numbers_are_not() {
        assert_eq!(mask_addresses("at 0x2000ff00, hash 0x12, 0xabcdef0123"), "at 0x########, hash 0x12, 0xabcdef0123");
    }

    #[test]
    fn the_first_different_line_is_named() {
        assert_eq!(difference("a\nb\n", "a\nc\n"), "line 2\n  golden: b\n  output: c");
        assert!(difference("a\n", "a\nb\n").contains("(the end)"));
    }
}
