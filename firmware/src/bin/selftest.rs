//! Checks the ground that all other programs stand on: initial data, exact counting, stack paint.
#![no_std]
#![no_main]
// The counted loop is assembly, because only then its number of instructions is known.
#![allow(unsafe_code)]

use core::{
    arch::naked_asm,
    hint::black_box,
    sync::atomic::{AtomicU32, Ordering},
};

use emberlite_firmware::{Exit, board, count, println, program, stack};

program!(main);

static INITIALISED: AtomicU32 = AtomicU32::new(0x1234_5678);
static ZEROED: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];

/// Runs exactly `2 * turns + 1` instructions, the return included; `turns` is at least 1.
#[unsafe(naked)]
extern "C" fn spin(turns: u32) {
    #[cfg(arch = "arm")]
    naked_asm!("0: subs r0, r0, #1", "bne 0b", "bx lr");
    #[cfg(arch = "riscv")]
    naked_asm!("0: addi a0, a0, -1", "bnez a0, 0b", "ret");
}

#[inline(never)]
fn spin_count(turns: u32) -> u64 {
    count(|| spin(black_box(turns)))
}

fn main() -> Exit {
    let mut passed = true;
    let mut check = |what: &str, holds: bool| {
        println!("{what}: {}", if holds { "ok" } else { "FAILED" });
        passed &= holds;
    };

    check("initial data", INITIALISED.load(Ordering::Relaxed) == 0x1234_5678);
    check("zeroed data", ZEROED.iter().all(|word| word.load(Ordering::Relaxed) == 0));

    // What is around the loop (the call, its argument) is the same in all, so the difference is the loops' own.
    let (short, long) = (spin_count(500), spin_count(1500));
    println!("instructions for 1000 turns of 2: {}", long - short);
    check("count of a loop", long - short == 2000);
    check("the same count again", spin_count(1500) == long);
    check("empty count", count(|| {}) == 0);
    check("count of 10 million", spin_count(5_000_500) - short == 10_000_000);

    let before = stack::high_water_bytes();
    let sum = touch(black_box(2048));
    let after = stack::high_water_bytes();
    check("stack marked", sum == 2048 && after >= 2048);
    check("stack paint", before < after && after < board::STACK_BYTES);

    if passed { Exit::Passed } else { Exit::Failed }
}

/// Uses 2 KiB of stack.
#[inline(never)]
fn touch(value: usize) -> usize {
    let mut frame = [0u8; 2048];
    black_box(&mut frame).fill(1);
    let _ = value;
    frame.iter().map(|&byte| usize::from(byte)).sum()
}
