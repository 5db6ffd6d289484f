//! The checksum of the seal; the module's head says why this one.

use crc::{CRC_32_ISCSI, Crc, Digest, Table};

static TABLE: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// CRC-32C (also called CRC-32/ISCSI) of the bytes: reflected, initial value and final xor all ones.
///
/// ```
/// assert_eq!(emberlite::image::crc32c(b"123456789"), 0xe306_9283); // the check value of RFC 3720's CRC
/// ```
pub fn crc32c(bytes: &[u8]) -> u32 {
    TABLE.checksum(bytes)
}

/// The same over bytes that come in pieces.
pub(super) fn digest() -> Digest<'static, u32, Table<1>> {
    TABLE.digest()
}
