//! The commands that plain cargo cannot do.

fn main() {}
