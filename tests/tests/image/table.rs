//! The table of contents: its mistakes, its versions, its model.

use super::*;

#[test]
fn every_mistake_of_the_table_has_its_own_error() {
    let size = |entry, needed, got| ImageError::Size { entry, needed, got };
    assert_eq!(error(&changed(0, b"EMBERTIC")), ImageError::NotAnImage);
    assert_eq!(error(&changed(8, &[2, 0])), ImageError::MajorVersion { needed: 1, got: 2 });
    assert_eq!(error(&changed(12, &[32, 0])), ImageError::Table { needed: 64, got: 32 });
    assert_eq!(error(&changed(14, &[31, 0])), ImageError::Table { needed: 32, got: 31 });
    assert!(matches!(error(&changed(14, &[255, 255])), ImageError::Table { needed: 1_048_624, .. }));
    assert_eq!(error(&changed(48, &[1, 4])), ImageError::TooManyRecords { limit: 1024, got: 1025 });
    assert_eq!(error(&changed(50, &[9])), ImageError::Format { got: 9 });
    assert_eq!(error(&changed(field(1, 0), &[MODEL])), ImageError::Kind { entry: 1, kind: 2, node: MODEL });
    assert_eq!(error(&changed(field(1, 1), &[77])), ImageError::Kind { entry: 1, kind: 77, node: 0 });
    assert_eq!(error(&changed(field(1, 1), &[3])), ImageError::Twice { entry: 2, first: 1 });
    assert_eq!(error(&changed(field(1, 2), &[7])), ImageError::DataType { entry: 1, got: 7 });
    assert_eq!(error(&changed(field(1, 3), &[5])), ImageError::Rank { entry: 1, got: 5 });
    assert_eq!(error(&changed(field(1, 3), &[2])), size(1, 32, 96));
    assert_eq!(error(&changed(field(1, 16), &[5])), size(1, 120, 96));
    assert_eq!(error(&changed(field(1, 12), &[95])), size(1, 96, 95));
    assert!(matches!(error(&changed(field(1, 8), &[1])), ImageError::Alignment { entry: 1, .. }));
    assert!(matches!(error(&changed(field(1, 8), &[0, 0])), ImageError::Overlap { entry: 1, got: 0, .. }));
    assert!(matches!(error(&changed(field(15, 8), &[0, 255])), ImageError::Bounds { entry: 15, .. }));
    assert!(matches!(error(&changed(field(15, 12), &[255; 4])), ImageError::Bounds { entry: 15, .. }));
}

#[test]
fn a_tensor_may_lie_neither_in_the_one_before_nor_in_the_seal() {
    let file = file();
    let number = |place: usize| u32::from_le_bytes(file[toc(&file) + place..][..4].try_into().unwrap());
    let (first, data_len) = (number(field(1, 8)), number(44));
    // The first tensor has 96 bytes; 16 is the next aligned place inside it.
    let inside = ImageError::Overlap { entry: 2, needed: first + 96, got: first + 16 };
    assert_eq!(error(&changed(field(2, 8), &(first + 16).to_le_bytes())), inside);
    // The last tensor has 4 bytes; the seal starts 16 before the end.
    let seal = data_len - 16;
    let beyond = ImageError::Bounds { entry: 15, end: u64::from(seal) + 4, limit: seal };
    assert_eq!(error(&changed(field(15, 8), &seal.to_le_bytes())), beyond);
}

#[test]
fn the_seal_names_the_files_length_and_the_data_is_aligned() {
    let mut file = file();
    let seal = file.len() - 16;
    file[seal + 4..seal + 8].copy_from_slice(&(seal as u32).to_le_bytes());
    reseal(&mut file);
    assert!(matches!(error(&file), ImageError::Length { .. }));
    // Eight more bytes of header, as another writer of safetensors may leave them.
    let mut file = self::file();
    let start = toc(&file);
    file.splice(start..start, *b"        ");
    file[..8].copy_from_slice(&(start as u64).to_le_bytes());
    let len = file.len() as u32;
    let seal = file.len() - 16;
    file[seal + 4..seal + 8].copy_from_slice(&len.to_le_bytes());
    reseal(&mut file);
    assert_eq!(error(&file), ImageError::NotAnImage);
}

#[test]
fn a_newer_minor_version_opens_unless_what_is_unknown_is_critical() {
    // Kind 77 in place of the last record's, as a later version may write.
    let last = entries().len();
    let mut newer = changed(10, &[3, 0]);
    let start = toc(&newer) + field(last, 0);
    newer[start..start + 4].copy_from_slice(&[MODEL, 77, 88, 9]);
    reseal(&mut newer);
    let image = Image::open(&newer).unwrap();
    assert_eq!((image.version(), image.tensors().count()), ((1, 3), last));
    read_all(&image);
    newer[start + 4] = 1;
    reseal(&mut newer);
    assert_eq!(error(&newer), ImageError::Critical { entry: last as u16, kind: 77 });
    // In this version's own files an unknown kind is a mistake, critical or not.
    newer[start + 4] = 0;
    newer[toc(&file()) + 10] = 0;
    reseal(&mut newer);
    assert_eq!(error(&newer), ImageError::Kind { entry: last as u16, kind: 77, node: MODEL });
}

#[test]
fn longer_records_and_a_longer_head_of_a_newer_version_are_read() {
    let file = write(Header { metadata: &[], profile: Profile::Raw, ..header() }, &entries());
    let count = entries().len() + 1;
    // 16 bytes more for the head and for each record; everything behind moves up by as much.
    let extra = 16 * (count + 1);
    let mut newer = [&file[..64], &[0xaa; 16]].concat();
    for record in file[64..64 + 32 * count].chunks(32) {
        let offset = u32::from_le_bytes(record[8..12].try_into().unwrap()) + extra as u32;
        newer.extend([&record[..8], &offset.to_le_bytes(), &record[12..], &[0xbb; 16]].concat());
    }
    newer.extend(&file[64 + 32 * count..]);
    let len = newer.len();
    newer[10..16].copy_from_slice(&[1, 0, 80, 0, 48, 0]);
    newer[44..48].copy_from_slice(&(len as u32).to_le_bytes());
    newer[len - 12..len - 8].copy_from_slice(&(len as u32).to_le_bytes());
    reseal(&mut newer);
    let (old, new) = (Image::open(&file).unwrap(), Image::open(&newer).unwrap());
    assert!(old.tensors().eq(new.tensors()) && old.step() == new.step());
}

#[test]
fn another_models_file_is_named_with_both_hashes() {
    let file = file();
    let image = Image::open(&file).unwrap();
    assert_eq!(image.check_layout(layout_hash(&GRAPH)), Ok(()));
    let other = [conv1d(4, 3), batch_norm(), relu(), flatten(), linear(4)];
    let needed = layout_hash(&Graph { nodes: &other, ..GRAPH });
    let refused = image.check_layout(needed).unwrap_err();
    assert_eq!(refused, ImageError::OtherModel { needed, got: layout_hash(&GRAPH) });
    let text = refused.to_string();
    assert!(
        text.contains(&format!("{needed:016x}")) && text.contains(&format!("{:016x}", layout_hash(&GRAPH))),
        "{text}"
    );
    // The update rule doesn't matter.
    let frozen = NODES.map(Node::frozen);
    assert_eq!(image.check_layout(layout_hash(&Graph { nodes: &frozen, ..GRAPH })), Ok(()));
}
