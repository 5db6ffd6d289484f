//! The board's serial port, polled.

use crate::machine;

/// The first UART of the board, 115200 baud, 8 data bits, no parity. A host reaches it through the emulator's serial device.
#[derive(Debug)]
pub struct Uart(());

impl Uart {
    /// Switches the port on.
    pub fn start() -> Self {
        machine::uart_start();
        Uart(())
    }

    /// Waits for a byte.
    pub fn read(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.try_read() {
                return byte;
            }
            machine::uart_wait();
        }
    }

    /// A byte, if one has arrived.
    pub fn try_read(&mut self) -> Option<u8> {
        machine::uart_try_read()
    }

    /// Sends all bytes, waiting while the port is busy.
    pub fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            while !machine::uart_try_write(byte) {}
        }
    }
}
