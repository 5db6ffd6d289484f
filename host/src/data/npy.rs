//! NPY: one array as NumPy saves it.
//!
//! Read here rather than by a crate: the known ones bring a parser generator and big integers for a header of three fixed
//! keys, and trust its sizes. Format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use super::array::{Array, elements};
use super::bytes::{self, Cursor};
use super::element::{Element, Kind};
use super::error::{DataError, quoted};
use std::path::Path;

/// Reads an array of numbers or booleans; either byte order, C or Fortran order, also gzipped.
///
/// # Errors
/// [`DataError::Format`] with the byte, also for NaN, infinities, numbers that f32 doesn't hold, and types that aren't numbers (text, objects, records).
pub fn read(path: impl AsRef<Path>) -> Result<Array, DataError> {
    let path = path.as_ref();
    parse(&bytes::name(path), &bytes::read(path)?)
}

/// The same for the bytes of a file; `file` is its name in errors.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &str, bytes: &[u8]) -> Result<Array, DataError> {
    let mut cursor = Cursor::new(file, bytes, 0);
    let (element, fortran, shape) = header(&mut cursor)?;
    let start = cursor.at;
    let count = elements(&shape).filter(|&count| {
        // Checked against what is there before anything is allocated.
        count.checked_mul(element.size).is_some_and(|needed| needed == bytes.len() - cursor.at)
    });
    let Some(count) = count else {
        let found = format!("{} bytes for the shape {shape:?}", bytes.len() - cursor.at);
        return Err(cursor.error("as many bytes as the shape needs", found, "the file is cut off, fetch it again"));
    };
    let mut values = Vec::with_capacity(count);
    for bytes in cursor.take(count * element.size, "the elements")?.chunks_exact(element.size) {
        let value = element.number(bytes);
        if !value.is_finite() {
            cursor.at = start + values.len() * element.size;
            return Err(cursor.error("finite numbers", element.refused(bytes), "mend or remove the sample"));
        }
        values.push(value);
    }
    let values = if fortran { transposed(&values, &shape) } else { values };
    Ok(Array { shape, values })
}

/// The type of the elements, whether they are column-major, and the shape; leaves the cursor at the first element.
pub(super) fn header(cursor: &mut Cursor<'_>) -> Result<(Element, bool, Vec<usize>), DataError> {
    let magic = "the magic bytes \\x93NUMPY";
    if cursor.take(6, magic)? != b"\x93NUMPY" {
        cursor.at = 0;
        return Err(cursor.error(magic, "something else".into(), "save the array with numpy.save"));
    }
    let len = match cursor.array::<2>("the version")? {
        [1, _] => usize::from(u16::from_le_bytes(cursor.array("the length of the header")?)),
        [2 | 3, _] => u32::from_le_bytes(cursor.array("the length of the header")?) as usize,
        [major, minor] => {
            let found = format!("{major}.{minor}");
            return Err(cursor.error("version 1, 2 or 3", found, "save the array with a current NumPy"));
        }
    };
    let start = cursor.at;
    let text = cursor.take(len, "the header")?;
    let header = Header::parse(&mut Cursor::new(cursor.file, text, 0)).map_err(|error| match error {
        DataError::Format { file, at, expected, found, help } => {
            DataError::Format { file, at: at + start as u64, expected, found, help }
        }
        other => other,
    })?;
    let kind = match header.kind {
        b'f' => Kind::Float,
        b'i' => Kind::Signed,
        _ => Kind::Unsigned,
    };
    Ok((Element { kind, size: header.size, big_endian: header.big_endian }, header.fortran, header.shape))
}

/// What the header says of the elements.
struct Header {
    big_endian: bool,
    kind: u8,
    size: usize,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }`.
    fn parse(cursor: &mut Cursor) -> Result<Self, DataError> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        symbol(cursor, b'{', "`{`")?;
        while !accept(cursor, b'}') {
            let key = text(cursor)?;
            symbol(cursor, b':', "`:`")?;
            match key {
                b"descr" => descr = Some(descriptor(cursor)?),
                b"fortran_order" => fortran = Some(boolean(cursor)?),
                b"shape" => shape = Some(tuple(cursor)?),
                other => {
                    let found = quoted(&String::from_utf8_lossy(other));
                    return Err(cursor.error("the keys descr, fortran_order and shape", found, SAVE));
                }
            }
            accept(cursor, b',');
        }
        match (descr, fortran, shape) {
            (Some((big_endian, kind, size)), Some(fortran), Some(shape)) => {
                Ok(Self { big_endian, kind, size, fortran, shape })
            }
            _ => Err(cursor.error("the keys descr, fortran_order and shape", "fewer".into(), SAVE)),
        }
    }
}

const SAVE: &str = "save a plain array of numbers, for example with numpy.save(file, x.astype('float32'))";

fn blanks(cursor: &mut Cursor) -> Option<u8> {
    while let Some(&byte) = cursor.bytes.get(cursor.at) {
        if !byte.is_ascii_whitespace() {
            return Some(byte);
        }
        cursor.at += 1;
    }
    None
}

fn accept(cursor: &mut Cursor, wanted: u8) -> bool {
    let there = blanks(cursor) == Some(wanted);
    cursor.at += usize::from(there);
    there
}

fn symbol(cursor: &mut Cursor, wanted: u8, expected: &'static str) -> Result<(), DataError> {
    if accept(cursor, wanted) {
        return Ok(());
    }
    let found = cursor.bytes.get(cursor.at).map_or("the end".into(), |&byte| format!("`{}`", byte.escape_ascii()));
    Err(cursor.error(expected, found, SAVE))
}

fn text<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], DataError> {
    let quote = if blanks(cursor) == Some(b'"') { b'"' } else { b'\'' };
    symbol(cursor, quote, "a quoted word")?;
    let rest = cursor.bytes.get(cursor.at..).unwrap_or_default();
    let len = rest.iter().position(|&byte| byte == quote).unwrap_or(rest.len());
    let word = cursor.take(len, "a quoted word")?;
    symbol(cursor, quote, "a quote")?;
    Ok(word)
}

fn descriptor(cursor: &mut Cursor) -> Result<(bool, u8, usize), DataError> {
    const TYPES: &str = "float32 or float64, integers of up to 64 bits, or bool";
    if blanks(cursor) == Some(b'[') {
        return Err(cursor.error(TYPES, "a record type".into(), SAVE));
    }
    match *text(cursor)? {
        [order @ (b'<' | b'>' | b'|' | b'='), kind, size] => {
            let digit = size;
            let size = size.wrapping_sub(b'0');
            let known = match kind {
                b'f' => matches!(size, 4 | 8),
                b'i' | b'u' => matches!(size, 1 | 2 | 4 | 8),
                b'b' => size == 1,
                _ => false,
            };
            if known {
                return Ok((order == b'>', kind, usize::from(size)));
            }
            Err(foreign(cursor, TYPES, &[order, kind, digit]))
        }
        ref other => Err(foreign(cursor, TYPES, other)),
    }
}

/// The error of a type that isn't one of numbers, in words: few know NumPy's letters.
fn foreign(cursor: &Cursor, expected: &'static str, descr: &[u8]) -> DataError {
    let name = quoted(&String::from_utf8_lossy(descr));
    let (found, help) = match descr.get(1) {
        Some(b'U' | b'S' | b'a') => (format!("texts ({name})"), NUMBER),
        Some(b'O') => (format!("objects of Python ({name})"), NUMBER),
        Some(b'M' | b'm') => (format!("dates or times ({name})"), SAVE),
        Some(b'c') => (format!("complex numbers ({name})"), SAVE),
        _ => (name, SAVE),
    };
    cursor.error(expected, found, help)
}

/// What to do about labels that are words.
const NUMBER: &str = "save numbers; of labels that are words: names, y = numpy.unique(y, return_inverse=True), then save y and \
                      give the names as `classes`";

fn boolean(cursor: &mut Cursor) -> Result<bool, DataError> {
    blanks(cursor);
    let rest = cursor.bytes.get(cursor.at..).unwrap_or_default();
    for (word, value) in [("True", true), ("False", false)] {
        if rest.starts_with(word.as_bytes()) {
            cursor.at += word.len();
            return Ok(value);
        }
    }
    Err(cursor.error("True or False", "something else".into(), SAVE))
}

fn tuple(cursor: &mut Cursor) -> Result<Vec<usize>, DataError> {
    const MOST_AXES: usize = 32;
    let mut shape = Vec::new();
    symbol(cursor, b'(', "`(`")?;
    while !accept(cursor, b')') {
        let mut dim: Option<usize> = None;
        blanks(cursor);
        while let Some(digit) = cursor.bytes.get(cursor.at).filter(|byte| byte.is_ascii_digit()) {
            let next = dim.unwrap_or(0).checked_mul(10).and_then(|dim| dim.checked_add(usize::from(digit - b'0')));
            dim = Some(next.ok_or_else(|| cursor.error("a length that fits memory", "a larger one".into(), SAVE))?);
            cursor.at += 1;
        }
        match dim {
            Some(dim) if shape.len() < MOST_AXES => shape.push(dim),
            _ => {
                return Err(cursor.error("up to 32 lengths in parentheses", "something else".into(), SAVE));
            }
        }
        accept(cursor, b',');
    }
    Ok(shape)
}

/// Column-major to row-major.
fn transposed(values: &[f32], shape: &[usize]) -> Vec<f32> {
    let mut index = vec![0; shape.len()];
    let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[..axis].iter().product()).collect();
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        out.push(values[index.iter().zip(&strides).map(|(at, stride)| at * stride).sum::<usize>()]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A version 1 file with that header and those bytes.
    pub fn file(header: &str, elements: &[u8]) -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(elements);
        bytes
    }

    fn array(descr: &str, shape: &str, elements: &[u8]) -> Result<Array, DataError> {
        parse("x.npy", &file(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"), elements))
    }

    #[test]
    fn every_number_type_is_read() {
        let values = |descr, elements: &[u8]| array(descr, "(1,)", elements).unwrap().values[0];
        assert_eq!(values("<f4", &1.5f32.to_le_bytes()), 1.5);
        assert_eq!(values(">f8", &(-2.5f64).to_be_bytes()), -2.5);
        assert_eq!(values("|i1", &[0xff]), -1.0);
        assert_eq!(values(">i2", &(-300i16).to_be_bytes()), -300.0);
        assert_eq!(values("<i8", &i64::MIN.to_le_bytes()), i64::MIN as f32);
        assert_eq!(values("<u8", &u64::MAX.to_le_bytes()), u64::MAX as f32);
        assert_eq!(values("|b1", &[1]), 1.0);
    }

    #[test]
    fn what_does_not_fit_is_refused_with_its_byte() {
        let text = |descr, shape, elements: &[u8]| array(descr, shape, elements).unwrap_err().to_string();
        assert!(text("<f4", "(2,)", &[0; 7]).contains("found 7 bytes for the shape [2]"));
        assert!(text("<f4", "(4294967296, 4294967296)", &[]).contains("as many bytes as the shape needs"));
        assert!(text("<f4", "(99999999999999999999,)", &[]).contains("a length that fits memory"));
        for (descr, found) in [
            ("|O", "found objects of Python (`|O`); save numbers; of labels that are words: names, y = numpy.unique("),
            ("<U3", "found texts (`<U3`); save numbers; of labels"),
            ("<U12", "found texts (`<U12`); save numbers; of labels"),
            ("|S3", "found texts (`|S3`); save numbers; of labels"),
            ("<M8[D]", "found dates or times (`<M8[D]`); save a plain array"),
            ("<c16", "found complex numbers (`<c16`); save a plain array"),
            ("<f2", "found `<f2`; save a plain array"),
        ] {
            let text = text(descr, "(1,)", &[0; 8]);
            assert!(text.contains("expected float32 or float64") && text.contains(found), "{text}");
        }
        for (descr, bytes) in [("<f8", (-1e300f64).to_le_bytes()), (">f8", (-1e300f64).to_be_bytes())] {
            let text = text(descr, "(1,)", &bytes);
            assert!(text.contains("found -1e300, beyond what f32 holds (3.4e38); mend or remove"), "{text}");
        }
        assert!(text("<f8", "(1,)", &f64::NEG_INFINITY.to_le_bytes()).contains("found -inf; mend"));
        assert!(text("<f4", "(-1,)", &[]).contains("lengths in parentheses"));
        let nan = [1f32.to_le_bytes(), f32::NAN.to_le_bytes()].concat();
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".len();
        let expected = format!("x.npy: byte {}: expected finite numbers, found NaN", 10 + header + 4);
        assert!(text("<f4", "(2,)", &nan).starts_with(&expected));
        assert!(parse("x.npy", b"PK").unwrap_err().to_string().contains("byte 0: expected the magic bytes"));
    }
}
