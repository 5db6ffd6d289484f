// What a board file says. Read by the firmware's build script, which lays the memory out, and by `cargo xtask`, which
// builds, runs and judges; so both include this one file.

use serde::Deserialize;

/// KiB at the end of flash that hold a model's file and no code.
pub const PARTITION_KIB: u32 = 32;

/// One board: everything that building for it and running on it needs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The real part whose memory this board has.
    pub part: String,
    /// The rustc target triple.
    pub target: String,
    /// Which peripherals: the module in `src/machine` (`mps2` or `virt`).
    pub machine: Machine,
    /// Whether the part's FPU does single precision; then no soft-float routine may be linked.
    pub fpu: bool,
    /// Flash, as the part has it.
    pub flash: Region,
    /// RAM, as the part has it.
    pub ram: Region,
    /// Bytes of the stack, at the low end of RAM with the guard below it.
    pub stack_bytes: u32,
    /// How the emulator is called.
    pub qemu: Qemu,
    /// Most that any program may take.
    pub budget: Budget,
}

/// The peripherals around the processor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Machine {
    /// Arm's MPS2 boards: CMSDK timer and UART.
    Mps2,
    /// The RISC-V `virt` machine: 16550 UART, `minstret`.
    Virt,
}

impl Board {
    /// The first address of the partition for a model's file.
    pub fn partition(&self) -> u32 {
        self.flash.origin + self.flash.bytes() - PARTITION_KIB * 1024
    }
}

impl Machine {
    /// The name that `cfg(machine = "…")` and the board files use.
    pub fn name(self) -> &'static str {
        match self {
            Machine::Mps2 => "mps2",
            Machine::Virt => "virt",
        }
    }
}

/// A stretch of memory.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// First address.
    pub origin: u32,
    /// Length in KiB.
    pub kib: u32,
}

impl Region {
    /// Length in bytes.
    pub fn bytes(&self) -> u32 {
        self.kib * 1024
    }
}

/// The emulator.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Qemu {
    /// The program, for example `qemu-system-arm`.
    pub program: String,
    /// Machine and processor arguments.
    pub args: Vec<String>,
}

/// Limits that fail the build of any program on this board.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Code and constants and initial data, in KiB.
    pub flash_kib: u32,
    /// Statics and stack, in KiB.
    pub ram_kib: u32,
}
