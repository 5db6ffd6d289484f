//! Where things are.

use std::path::PathBuf;

/// The repository's root.
pub fn root() -> PathBuf {
    // Cargo hands the manifest's directory to `cargo run`; the compiled-in one serves a binary that is called by itself.
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or(manifest.clone(), PathBuf::from)
}

/// The firmware's workspace.
pub fn firmware() -> PathBuf {
    root().join("firmware")
}

/// The firmware's target directory: one for all boards, so that each target builds its `core` once.
pub fn firmware_target() -> PathBuf {
    firmware().join("target")
}
