//! Names the instruction-set kernels that the target can run; `src/kernel/mod.rs` selects by these names.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(kernel_arm)");
    println!("cargo::rerun-if-changed=build.rs");
    // Cargo sets it for every build script.
    let target = std::env::var("TARGET").unwrap_or_default();
    // Cortex-M4F and M7: the DSP extension, and as the ABI is that of hard floats, an FPU with 32 single registers.
    if target == "thumbv7em-none-eabihf" {
        println!("cargo::rustc-cfg=kernel_arm");
    }
}
