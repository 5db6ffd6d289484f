//! RAM and flash of the device's program.

use super::facts::{DemoReport, DeviceMemory};
use crate::report::html::{columns, paragraph, sentence};
use crate::report::memory::Usage;
use crate::report::number::grouped;

/// The arena, the other statics and the stack at its deepest.
pub(super) fn ram(memory: &DeviceMemory) -> Usage {
    let arena = memory.arena_bytes.unwrap_or(0);
    let others = memory.static_bytes.unwrap_or(0).saturating_sub(arena);
    let parts = vec![
        ("the learner's arena", arena),
        ("other statics", others),
        ("stack at its deepest", memory.stack_bytes.unwrap_or(0)),
    ];
    Usage { name: "RAM", parts, budget: memory.ram_bytes }
}

/// The program and the model's file.
pub(super) fn flash(memory: &DeviceMemory) -> Usage {
    let model = memory.model_bytes.unwrap_or(0);
    let program = memory.flash_used_bytes.unwrap_or(0).saturating_sub(model);
    Usage {
        name: "Flash",
        parts: vec![("code and constants", program), ("the model's file", model)],
        budget: memory.flash_bytes,
    }
}

/// The device, in a sentence; empty if unknown.
pub(super) fn fits(report: &DemoReport) -> String {
    sentence(&report.device)
}

/// Bars and tables.
pub(super) fn html(report: &DemoReport) -> String {
    let memory = &report.memory;
    let stack = memory.stack_reserved_bytes.filter(|reserved| *reserved > 0).map(|reserved| {
        let used = memory.stack_bytes.map_or(String::new(), |used| format!("; its deepest use is {}", grouped(used)));
        format!("{} bytes are kept for the stack{used}.", grouped(reserved))
    });
    columns(&[ram(memory).html(), flash(memory).html()]) + &paragraph("note", &stack.unwrap_or_default())
}
