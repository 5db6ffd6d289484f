//! Whatever isn't the whole file, bit for bit, is refused; whatever has a right checksum can't panic.

use super::*;

#[test]
fn every_single_wrong_bit_is_refused() {
    let mut file = file();
    for bit in 0..file.len() * 8 {
        file[bit / 8] ^= 1 << (bit % 8);
        assert!(Image::open(&file).is_err(), "bit {} of byte {}", bit % 8, bit / 8);
        file[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(Image::open(&file).is_ok());
}

#[test]
fn every_other_length_is_refused() {
    let file = file();
    for len in 0..file.len() {
        assert!(Image::open(&file[..len]).is_err(), "{len} bytes");
    }
    for extra in 1..100 {
        for byte in [0, 0xff] {
            let mut longer = file.clone();
            longer.resize(file.len() + extra, byte);
            let length = ImageError::Length { needed: file.len() as u64, got: longer.len() as u64 };
            assert_eq!(error(&longer), length);
        }
    }
}

#[test]
fn a_write_that_is_cut_off_leaves_nothing_that_opens() {
    let file = file();
    // Erased flash, and a slot that held the same file with another step count before.
    let before = write(Header { step: 1233, ..header() }, &entries());
    for len in 0..file.len() {
        let mut slot = vec![0xff; file.len()];
        slot[..len].copy_from_slice(&file[..len]);
        assert!(Image::open(&slot).is_err(), "{len} bytes over erased flash");
        let mut slot = before.clone();
        slot[..len].copy_from_slice(&file[..len]);
        let fits = slot == file || slot == before;
        assert_eq!(Image::open(&slot).is_ok(), fits, "{len} bytes over another file");
    }
    let mut slot = file.clone();
    slot[file.len() - 4..].fill(0xff);
    assert_eq!(error(&slot), ImageError::NotSealed { got: 0xffff_ffff });
}

#[test]
fn changes_under_a_right_checksum_never_panic() {
    let (file, mut opened) = (file(), 0);
    let start = toc(&file);
    for seed in 0..10_000 {
        let key = Key::new(seed, 0, 0);
        let mut changed = file.clone();
        for i in 0..=key.at(0) % 4 {
            // Half of the changes in the table, a quarter in the seal's length and the header's, the rest anywhere.
            let at = key.at(3 * i + 1) as usize;
            let place = match key.at(3 * i + 2) % 8 {
                0..4 => start + at % (64 + 32 * (entries().len() + 1)),
                4 => file.len() - 12 + at % 4,
                5 => at % 8,
                _ => at % file.len(),
            };
            let value = key.at(3 * i + 3);
            changed[place] = if value & 256 == 0 { value as u8 } else { changed[place] ^ 1 << (value % 8) };
        }
        reseal(&mut changed);
        match Image::open(&changed) {
            Ok(image) => opened += usize::from(read_all(&image) > 0),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        let _ = Image::stored_len(&changed);
    }
    assert!((500..9_500).contains(&opened), "{opened} of 10000 opened");
}
