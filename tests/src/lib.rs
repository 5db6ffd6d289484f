//! What spans crates: oracles, programs run by host and emulator, golden text.
