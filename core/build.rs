//! Names the instruction-set kernels that the target can run; `src/kernel/mod.rs` selects by these names.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(kernel_dsp)");
    println!("cargo::rustc-check-cfg=cfg(kernel_vfp)");
    println!("cargo::rerun-if-changed=build.rs");
    // Cargo sets it for every build script.
    let target = std::env::var("TARGET").unwrap_or_default();
    // Cortex-M4 and M7, with or without FPU, all have the DSP extension.
    if matches!(&*target, "thumbv7em-none-eabi" | "thumbv7em-none-eabihf") {
        println!("cargo::rustc-cfg=kernel_dsp");
    }
    // The ABI of hard floats promises an FPU with 32 single registers.
    if target == "thumbv7em-none-eabihf" {
        println!("cargo::rustc-cfg=kernel_vfp");
    }
}
