//! What the writer promises its sinks, what it refuses, and its raw profile.

use super::*;

#[test]
fn the_commit_word_is_the_last_piece_and_an_error_of_the_sink_ends_the_writing() {
    struct Pieces(Vec<Vec<u8>>, usize);
    impl Sink for Pieces {
        type Error = usize;
        fn write(&mut self, bytes: &[u8]) -> Result<(), usize> {
            if self.0.len() == self.1 {
                return Err(self.1);
            }
            self.0.push(bytes.to_vec());
            Ok(())
        }
    }
    let entries = entries();
    let writer = Writer::new(header(), &entries).unwrap();
    let mut all = Pieces(Vec::new(), usize::MAX);
    writer.write(&mut all).unwrap();
    assert_eq!(all.0.last().unwrap(), b"DONE");
    for limit in 0..all.0.len() {
        let mut some = Pieces(Vec::new(), limit);
        assert_eq!(writer.write(&mut some), Err(limit));
        assert_eq!(some.0.len(), limit);
    }
    let mut small = [0u8; 100];
    let full = writer.write(&mut small.as_mut_slice()).unwrap_err();
    assert!(full.needed > full.got && full.got <= 100, "{full}");
}

#[test]
fn the_writer_refuses_what_the_reader_would() {
    let new = |header, entries: &[Entry]| Writer::new(header, entries).map(|_| ()).unwrap_err();
    let weight = entry(0, Kind::Weight, DType::F32, &[2, 2]);
    let bias = entry(0, Kind::Bias, DType::F32, &[2]);
    assert_eq!(new(header(), &[weight, bias, weight]), ImageError::Twice { entry: 2, first: 0 });
    assert_eq!(new(header(), &[Entry { node: MODEL, ..weight }]), ImageError::Kind { entry: 0, kind: 2, node: MODEL });
    let graph = entry(MODEL, Kind::Graph, DType::U8, &[3]);
    assert_eq!(new(header(), &[bias, graph]), ImageError::Kind { entry: 1, kind: 1, node: MODEL });
    assert_eq!(new(header(), &[Entry { dims: &[2, 3], ..weight }]), ImageError::Size { entry: 0, needed: 24, got: 16 });
    assert_eq!(new(header(), &[Entry { dims: &[2, 2, 1, 1, 1], ..weight }]), ImageError::Rank { entry: 0, got: 5 });
    let huge = Entry { dims: &[u32::MAX; 4], ..weight };
    assert_eq!(new(header(), &[huge]), ImageError::Size { entry: 0, needed: u64::MAX, got: 16 });
    for metadata in [&[("a", ""), ("graph", "")], &[("a", ""), ("a", "")], &[("a", ""), ("emberlite", "")]] {
        assert_eq!(new(Header { metadata, ..header() }, &[]), ImageError::Metadata { index: 1 });
    }
    assert_eq!(new(Header { profile: Profile::Raw, ..header() }, &[]), ImageError::Metadata { index: 0 });
    let many: Vec<Entry> = (0..1024).map(|i| Entry { node: (i / 4) as u8, ..bias }).collect();
    assert_eq!(new(header(), &many), ImageError::TooLarge);
}

#[test]
fn the_raw_profile_holds_the_same_without_json() {
    let plain = Header { metadata: &[], ..header() };
    let (file, raw) = (write(plain, &entries()), write(Header { profile: Profile::Raw, ..plain }, &entries()));
    let (image, raw_image) = (Image::open(&file).unwrap(), Image::open(&raw).unwrap());
    assert_eq!(raw[..8], *b"EMBERTOC");
    assert_eq!(raw_image.json(), None);
    assert!(image.tensors().eq(raw_image.tensors()));
    assert_eq!(file[toc(&file)..file.len() - 12], raw[..raw.len() - 12], "all but the seal's numbers");
    // And back: the file is rebuilt from the raw one, byte for byte.
    let buffer = parse_graph(raw_image.graph_text().unwrap()).unwrap();
    let tensors: Vec<_> = raw_image.tensors().skip(1).collect();
    let again = tensors.iter().map(|(name, tensor)| Entry {
        node: name.node,
        kind: name.kind,
        dtype: tensor.dtype,
        dims: tensor.dims(),
        frac: tensor.frac,
        bytes: tensor.bytes,
    });
    assert_eq!(write(Header { graph: buffer.graph(), ..plain }, &again.collect::<Vec<_>>()), file);
    for bit in 0..raw.len() * 8 {
        let mut raw = raw.clone();
        raw[bit / 8] ^= 1 << (bit % 8);
        assert!(Image::open(&raw).is_err(), "bit {bit}");
    }
    assert!((0..raw.len()).all(|len| Image::open(&raw[..len]).is_err()));
}
