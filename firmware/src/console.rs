//! Text to the host's standard output, through semihosting.

use core::fmt::{self, Write};

use crate::semihosting;

/// Standard output of the emulator or debugger. Each piece is one trap to the host, so it is slow; never inside a count.
#[derive(Debug, Clone, Copy, Default)]
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        semihosting::write_out(text.as_bytes());
        Ok(())
    }
}

/// Prints a line on the host's standard output.
#[macro_export]
macro_rules! println {
    ($($arg:tt)*) => {{
        use ::core::fmt::Write as _;
        // Writing to the console can't fail.
        let _ = ::core::writeln!($crate::console::Console, $($arg)*);
    }};
}
