//! What an ELF says about a program: how large it is, and what it can't do because nothing for it is linked.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use object::{Object, ObjectSegment, ObjectSymbol};
use serde::Deserialize;

/// Something that a program has linked or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trait {
    /// Code that can panic.
    Panic,
    /// A heap.
    Allocator,
    /// Floating point in software: any where the board has an FPU; double precision where it has none.
    SoftFloat,
    /// Any floating point in software, single precision too: for programs of integers alone.
    FloatingPoint,
}

impl Trait {
    /// The word that a program's expectations use.
    pub fn name(self) -> &'static str {
        match self {
            Trait::Panic => "panic",
            Trait::Allocator => "allocator",
            Trait::SoftFloat => "soft_float",
            Trait::FloatingPoint => "floating_point",
        }
    }

    fn matches(self, symbol: &str, fpu: bool) -> bool {
        match self {
            // The handler, its marker that is never inlined, and all that leads there.
            Trait::Panic => {
                symbol == "emberlite_panicked"
                    || symbol.contains("core::panicking::")
                    || symbol.contains("core[") && symbol.contains("]::panicking::")
                    || symbol.contains("rust_begin_unwind")
                    || symbol.contains("slice_index_fail")
                    || symbol.contains("unwrap_failed")
                    || symbol.contains("expect_failed")
            }
            Trait::Allocator => {
                symbol.contains("__rust_alloc")
                    || symbol.contains("__rust_realloc")
                    || symbol.contains("__rustc::__rust")
                    || symbol.contains("__rg_alloc")
                    || symbol.contains("__rdl_alloc")
                    || symbol.contains("__rust_no_alloc_shim")
                    || symbol.contains("alloc::alloc::")
                    || symbol.contains("GlobalAlloc")
            }
            Trait::SoftFloat => {
                let double = is_soft_double(symbol);
                double || fpu && is_soft_single(symbol)
            }
            Trait::FloatingPoint => is_soft_double(symbol) || is_soft_single(symbol),
        }
    }
}

/// Routines of the run-time ABIs that compute with doubles (Arm's names and libgcc's).
fn is_soft_double(symbol: &str) -> bool {
    symbol
        .strip_prefix("__aeabi_")
        .is_some_and(|name| name.starts_with('d') && !name.starts_with("div") || name.ends_with("2d"))
        || symbol.starts_with("__aeabi_cd")
        || symbol.starts_with("__")
            && (symbol.contains("df") || symbol.contains("tf"))
            && ["df2", "df3", "dfsi", "dfdi", "sfdf2", "dfsf2", "sidf", "didf", "sdf", "tf2", "tf3"]
                .iter()
                .any(|tail| symbol.ends_with(tail))
}

/// Routines of the run-time ABIs that compute with single precision.
fn is_soft_single(symbol: &str) -> bool {
    const ARM: [&str; 12] =
        ["fadd", "fsub", "frsub", "fmul", "fdiv", "fcmp", "f2iz", "f2uiz", "f2lz", "i2f", "ui2f", "cfcmp"];
    symbol.strip_prefix("__aeabi_").is_some_and(|name| ARM.iter().any(|arm| name.starts_with(arm)))
        || symbol.starts_with("__")
            && ["addsf3", "subsf3", "mulsf3", "divsf3", "sf2", "sfsi", "sisf", "unssfsi"]
                .iter()
                .any(|tail| symbol.ends_with(tail))
}

/// A program's size and its symbols.
#[derive(Debug)]
pub struct Elf {
    /// Code, constants and the initial values of data, in bytes.
    pub flash_bytes: u64,
    /// Data, zeroed data and the stack, in bytes.
    pub ram_bytes: u64,
    symbols: Vec<String>,
}

impl Elf {
    /// Reads the file. RAM is what lies at or after `ram_origin`.
    pub fn read(path: &Path, ram_origin: u32) -> Result<Self> {
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        let file = object::File::parse(&*bytes).with_context(|| path.display().to_string())?;
        let mut elf = Elf { flash_bytes: 0, ram_bytes: 0, symbols: Vec::new() };
        // Segments, as a flasher sees them: what has bytes in the file goes to flash, initial data included.
        for segment in file.segments() {
            elf.flash_bytes += segment.file_range().1;
            if segment.address() >= u64::from(ram_origin) {
                elf.ram_bytes += segment.size();
            }
        }
        for symbol in file.symbols() {
            if symbol.is_undefined() || symbol.size() == 0 && !symbol.is_global() {
                continue;
            }
            if let Ok(name) = symbol.name() {
                elf.symbols.push(format!("{:#}", rustc_demangle::demangle(name)));
            }
        }
        elf.symbols.sort();
        elf.symbols.dedup();
        Ok(elf)
    }

    /// The symbols that show the trait; none: the program doesn't have it.
    pub fn evidence(&self, wanted: Trait, fpu: bool) -> Vec<&str> {
        self.symbols.iter().filter(|symbol| wanted.matches(symbol, fpu)).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn soft_float_names_are_known_and_integers_are_not() {
        for name in [
            "__aeabi_dadd",
            "__aeabi_f2d",
            "__aeabi_dcmplt",
            "__aeabi_cdcmple",
            "__adddf3",
            "__muldf3",
            "__extendsfdf2",
            "__truncdfsf2",
            "__fixdfsi",
            "__floatsidf",
            "__ledf2",
            "__divdf3",
            "__aeabi_ui2d",
            "__aeabi_l2d",
        ] {
            assert!(Trait::SoftFloat.matches(name, false), "{name}");
        }
        for name in [
            "__aeabi_fadd",
            "__addsf3",
            "__aeabi_fcmplt",
            "__aeabi_i2f",
            "__mulsf3",
            "__fixsfsi",
            "__floatsisf",
            "__ltsf2",
        ] {
            assert!(Trait::SoftFloat.matches(name, true), "{name}");
            assert!(!Trait::SoftFloat.matches(name, false), "{name}");
            assert!(Trait::FloatingPoint.matches(name, false), "{name}");
        }
        for name in [
            "__aeabi_uidiv",
            "__aeabi_memcpy",
            "__aeabi_ldivmod",
            "__aeabi_lmul",
            "__udivdi3",
            "__muldi3",
            "memcpy",
            "__aeabi_idiv",
            "__aeabi_uidivmod",
            "__clzsi2",
            "__aeabi_memclr4",
            "__udivsi3",
            "__ashldi3",
        ] {
            assert!(!Trait::SoftFloat.matches(name, true), "{name}");
            assert!(!Trait::FloatingPoint.matches(name, false), "{name}");
        }
    }

    #[test]
    fn panic_and_allocator_names_are_known() {
        assert!(Trait::Panic.matches("core::panicking::panic_bounds_check", false));
        assert!(Trait::Panic.matches("emberlite_panicked", false));
        assert!(!Trait::Panic.matches("emberlite_program", false));
        assert!(Trait::Allocator.matches("__rust_alloc", false));
        assert!(!Trait::Allocator.matches("core::alloc::layout::Layout::is_size_align_valid", false));
    }
}
