//! A checkpoint's header, read without the tensors behind it: those are hundreds of megabytes, and most questions are about
//! the run's counters.

use safetensors::tensor::Metadata;
use std::fs::File;
use std::io::{self, Read};

/// The bytes before the header: its length.
const LENGTH: usize = 8;
/// As the format's own readers have it.
const MOST: u64 = 100_000_000;

/// Why a header can't be had.
#[derive(Debug)]
pub(super) enum HeaderError {
    /// The system's reason.
    Io(io::Error),
    /// What is wrong with the file.
    Damaged(String),
}

/// The header of a safetensors file that is as long as it says.
pub(super) fn read(file: &mut File) -> Result<Metadata, HeaderError> {
    let damaged = |text: String| Err(HeaderError::Damaged(text));
    let found = file.metadata().map_err(HeaderError::Io)?.len();
    let Some(behind) = found.checked_sub(LENGTH as u64) else {
        return damaged(format!("it has {found} bytes, a header's length alone takes {LENGTH}"));
    };
    let mut length = [0; LENGTH];
    file.read_exact(&mut length).map_err(HeaderError::Io)?;
    // What is asked of the memory is never more than the file has.
    let length = u64::from_le_bytes(length);
    if length > behind.min(MOST) {
        return damaged(format!("its header would be of {length} bytes, behind its length are {behind}"));
    }
    let mut text = vec![0; length as usize];
    file.read_exact(&mut text).map_err(HeaderError::Io)?;
    // Tensors that overlap, leave gaps or have other bytes than their shape says are seen here.
    let header: Metadata = match serde_json::from_slice(&text) {
        Ok(header) => header,
        Err(error) => return damaged(error.to_string()),
    };
    let tensors = header.tensors().values().map(|tensor| tensor.data_offsets.1).max().unwrap_or(0) as u64;
    if tensors != behind - length {
        return damaged(format!("its header tells of {tensors} bytes of tensors, there are {}", behind - length));
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::{Seek, Write};

    #[test]
    fn a_header_is_read_without_its_tensors_and_measured_by_the_file() {
        let path = std::env::temp_dir().join(format!("emberlite-header-{}", std::process::id()));
        let text = r#"{"a":{"dtype":"F32","shape":[1024],"data_offsets":[0,4096]}}"#;
        let (head, whole) = (8 + text.len() as u64, 8 + text.len() as u64 + 4096);
        fs::write(&path, [&(text.len() as u64).to_le_bytes(), text.as_bytes(), &[0; 4096]].concat()).unwrap();
        let mut file = File::open(&path).unwrap();
        assert_eq!(read(&mut file).unwrap().tensors()["a"].data_offsets, (0, 4096));
        assert_eq!(file.stream_position().unwrap(), head);
        let read_as = |len: u64| {
            File::options().write(true).open(&path).unwrap().set_len(len).unwrap();
            read(&mut File::open(&path).unwrap())
        };
        for len in [whole + 1, whole - 1, head + 1, head, head - 1, 9, 8, 7, 0] {
            assert!(matches!(read_as(len), Err(HeaderError::Damaged(_))), "{len} bytes");
        }
        // Lengths that no memory has.
        for length in [u64::MAX, 1 << 40, MOST + 1, whole - 7] {
            let mut file = File::options().write(true).open(&path).unwrap();
            file.write_all(&length.to_le_bytes()).unwrap();
            assert!(matches!(read_as(whole), Err(HeaderError::Damaged(_))), "a header of {length} bytes");
        }
        fs::remove_file(&path).unwrap();
    }
}
