//! The board that this was built for, as its file in `boards/` says.

include!(concat!(env!("OUT_DIR"), "/board.rs"));
