//! Names the instruction-set kernels that the target can run; `src/kernel/mod.rs` selects by these names.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(kernel_arm_vfp)");
    println!("cargo::rerun-if-changed=build.rs");
    // Cargo sets it for every build script.
    let target = std::env::var("TARGET").unwrap_or_default();
    // Cortex-M4F and M7. A single-precision unit with 32 registers is what the hard-float ABI of this target means.
    if target == "thumbv7em-none-eabihf" {
        println!("cargo::rustc-cfg=kernel_arm_vfp");
    }
}
