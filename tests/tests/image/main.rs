//! The one file, from outside: what the writer makes opens here and in two readers that know nothing of us, and nothing
//! else opens.

mod damage;
mod readers;
mod table;
mod writing;

use emberlite::graph::{Graph, Node, Shape, batch_norm, conv1d, flatten, layout_hash, linear, parse_graph, relu};
use emberlite::image::{
    Aligned, Count, DType, Entry, Header, Image, ImageError, Kind, MODEL, Profile, Sink, Writer, crc32c, encoded_len,
};
use emberlite::number::Format;
use emberlite::number::random::Key;
use emberlite::optimizer::OptimizerKind;

const NODES: [Node; 5] = [conv1d(4, 3), batch_norm(), relu(), flatten(), linear(3)];
const GRAPH: Graph = Graph::new(Format::F32, Shape::d2(2, 10), &NODES);

/// Bytes 0, 7, 14, … so that every tensor differs from padding.
const BYTES: [u8; 512] = {
    let mut bytes = [0; 512];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = (i * 7) as u8;
        i += 1;
    }
    bytes
};

fn entry(node: u8, kind: Kind, dtype: DType, dims: &[u32]) -> Entry<'_> {
    let len = dims.iter().product::<u32>() * dtype.bytes();
    Entry { node, kind, dtype, dims, frac: 0, bytes: &BYTES[..len as usize] }
}

/// Every kind and every element type, ranks 0 to 4, with and without padding behind, one tensor without elements.
fn entries() -> Vec<Entry<'static>> {
    vec![
        entry(0, Kind::Weight, DType::F32, &[4, 2, 3]),
        entry(0, Kind::Bias, DType::F32, &[4]),
        entry(0, Kind::WeightState0, DType::F32, &[4, 2, 3]),
        entry(0, Kind::WeightState1, DType::F32, &[4, 2, 1, 3]),
        entry(0, Kind::BiasState0, DType::I64, &[4]),
        entry(0, Kind::BiasState1, DType::I32, &[3]),
        entry(1, Kind::RunningMean, DType::F32, &[4]),
        entry(1, Kind::RunningVariance, DType::F32, &[1]),
        Entry { frac: -3, ..entry(4, Kind::Weight, DType::I16, &[3, 5]) },
        entry(4, Kind::Bias, DType::F32, &[0]),
        entry(MODEL, Kind::Normalisation, DType::F32, &[2, 2]),
        entry(MODEL, Kind::NormalisationFixed, DType::I32, &[3, 2]),
        entry(MODEL, Kind::Scales, DType::I8, &[6, 4]),
        entry(MODEL, Kind::GoldenInput, DType::U8, &[13]),
        entry(MODEL, Kind::GoldenOutput, DType::F32, &[]),
    ]
}

const METADATA: [(&str, &str); 2] =
    [("classes", "wave, \"circle\", back\\slash, tab\t, bell\u{7}, 円"), ("\u{1}key\n", "")];

fn header() -> Header<'static> {
    Header {
        base_hash: 0x0123_4567_89ab_cdef,
        sequence: 7,
        step: 1234,
        seed: 99,
        optimizer: Some(OptimizerKind::AdamW),
        metadata: &METADATA,
        ..Header::new(GRAPH)
    }
}

/// What a host writes to.
struct Out(Vec<u8>);

impl Sink for Out {
    type Error = std::io::Error;
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        std::io::Write::write_all(&mut self.0, bytes)
    }
}

fn write(header: Header, entries: &[Entry]) -> Vec<u8> {
    let mut out = Out(Vec::new());
    Writer::new(header, entries).unwrap().write(&mut out).unwrap();
    out.0
}

fn file() -> Vec<u8> {
    write(header(), &entries())
}

/// Where the table of contents starts.
fn toc(file: &[u8]) -> usize {
    8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize
}

/// Puts the right checksum under bytes that were changed.
fn reseal(file: &mut [u8]) {
    let end = file.len() - 8;
    let checksum = crc32c(&file[..end]);
    file[end..end + 4].copy_from_slice(&checksum.to_le_bytes());
}

/// The file with bytes of its table changed at `place` (counted from the table), resealed.
fn changed(place: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = file();
    let start = toc(&file) + place;
    file[start..start + bytes.len()].copy_from_slice(bytes);
    reseal(&mut file);
    file
}

/// The place of a field of an entry's record in the table; entry 0 is the graph.
fn field(entry: usize, byte: usize) -> usize {
    64 + 32 * entry + byte
}

fn error(file: &[u8]) -> ImageError {
    Image::open(file).map(|_| ()).unwrap_err()
}

/// Touches everything that a reader hands out.
fn read_all(image: &Image) -> usize {
    let tensors = image.tensors().map(|(name, tensor)| {
        assert_eq!(tensor.elements() * tensor.dtype.bytes() as usize, tensor.bytes.len());
        assert_eq!(tensor.dims().iter().product::<u32>() as usize, tensor.elements());
        let views = [
            tensor.as_f32().map(<[f32]>::len),
            tensor.as_i16().map(<[i16]>::len),
            tensor.as_i32().map(<[i32]>::len),
            tensor.as_i64().map(<[i64]>::len),
            tensor.as_i8().map(<[i8]>::len),
            tensor.as_u8().map(<[u8]>::len),
        ];
        assert!(views.into_iter().flatten().all(|len| len == tensor.elements()));
        image.tensor(name.node, name.kind).is_some() as usize + name.to_string().len()
    });
    let sum: usize = tensors.sum();
    let text = image.graph_text().map(|text| parse_graph(text).is_ok());
    sum + image.json().map_or(0, str::len) + usize::from(text == Some(true)) + format!("{image:?}").len()
}

#[test]
fn what_is_written_reads_back() {
    let (file, entries) = (file(), entries());
    let image = Image::open(&file).unwrap();
    assert_eq!(image.version(), (1, 0));
    assert_eq!((image.base_hash(), image.sequence(), image.step(), image.seed()), (0x0123_4567_89ab_cdef, 7, 1234, 99));
    assert_eq!(image.optimizer(), Some(OptimizerKind::AdamW));
    assert_eq!((image.layout_hash(), image.format()), (layout_hash(&GRAPH), Format::F32));
    assert_eq!(parse_graph(image.graph_text().unwrap()).unwrap().graph(), GRAPH);
    assert_eq!(image.tensors().count(), entries.len() + 1);
    for ((name, tensor), entry) in image.tensors().skip(1).zip(&entries) {
        assert_eq!((name.node, name.kind), (entry.node, entry.kind));
        assert_eq!(
            (tensor.dtype, tensor.dims(), tensor.frac, tensor.bytes),
            (entry.dtype, entry.dims, entry.frac, entry.bytes)
        );
        assert_eq!(image.tensor(entry.node, entry.kind), Some(tensor));
    }
    assert_eq!(image.tensor(3, Kind::Weight), None);
    assert!(read_all(&image) > 0);
}

#[test]
fn every_length_that_is_told_is_the_length_written() {
    let (file, entries) = (file(), entries());
    assert_eq!(encoded_len(header(), &entries), Ok(file.len() as u32));
    let writer = Writer::new(header(), &entries).unwrap();
    let mut count = Count::default();
    writer.write(&mut count).unwrap();
    assert_eq!(count.0, file.len() as u64);
    let mut slot = vec![0xff; file.len() + 100];
    let mut rest = slot.as_mut_slice();
    writer.write(&mut rest).unwrap();
    assert_eq!(rest.len(), 100);
    assert_eq!(Image::stored_len(&slot), Ok(file.len() as u64));
    assert_eq!(slot[..file.len()], file);
}

#[test]
fn the_bytes_of_the_format_are_frozen() {
    // A change of either number is a change of the format, and needs a new version.
    let silent = Header { optimizer: None, ..header() };
    let raw = write(Header { profile: Profile::Raw, metadata: &[], ..silent }, &entries());
    let [file, raw] = [write(silent, &entries()), raw].map(|file| (file.len(), crc32c(&file[..file.len() - 8])));
    assert_eq!((file, raw), ((3696, 0xc896_0b30), (1456, 0x3f61_9ba9)));
}

#[test]
fn numbers_are_viewed_where_they_lie_if_the_file_is_aligned() {
    let file = file();
    let mut memory = Box::new(Aligned([0u8; 8192]));
    for shift in 0..16 {
        let place = &mut memory.0[shift..shift + file.len()];
        place.copy_from_slice(&file);
        let image = Image::open(place).unwrap();
        let weight = image.tensor(0, Kind::Weight).unwrap();
        assert_eq!(weight.as_f32().is_some(), shift % 4 == 0);
        assert_eq!(image.is_aligned(), shift % 4 == 0);
        assert_eq!(image.tensor(4, Kind::Weight).unwrap().as_i16().is_some(), shift % 2 == 0);
        assert_eq!(image.tensor(0, Kind::BiasState0).unwrap().as_i64().is_some(), shift % 8 == 0);
        assert_eq!((weight.as_i32(), weight.as_u8()), (None, None), "of another type");
        if let Some(values) = weight.as_f32() {
            assert!(values.iter().zip(weight.bytes.chunks(4)).all(|(value, bytes)| value.to_le_bytes() == bytes));
        }
        read_all(&image);
    }
}
