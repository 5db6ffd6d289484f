//! Every kernel that the target selects against its portable twin, over odd lengths, remainders and offsets.
//!
//! It prints a digest of the bits as well: where the portable kernel is selected, as on a host, the comparison says
//! nothing.

use core::fmt::{self, Write};

use emberlite::{
    kernel::{self, AdamStep, portable},
    number::{F32, Fixed16, random::mix},
};

/// The longest row.
const MOST: usize = 40;

/// Prints one line for each kernel: the digest of all its results, and how many differ from the twin's.
pub fn run(out: &mut dyn Write) -> fmt::Result {
    report(out, "matrix_vector", matrix_vector())?;
    report(out, "matrix_vector_fixed", matrix_vector_fixed())?;
    report(out, "matrix_vector_transposed", matrix_vector_transposed())?;
    report(out, "descend", descend())?;
    report(out, "descend_rows", descend_rows())?;
    report(out, "slide4", slide4())?;
    report(out, "correlate_rows", correlate_rows())?;
    report(out, "adam", adam())?;
    report(out, "square_root", square_root())
}

fn report(out: &mut dyn Write, name: &str, seen: Seen) -> fmt::Result {
    writeln!(out, "{name}: {:08x}, {} of {} differ", seen.digest, seen.different, seen.all)
}

/// What came of comparing.
#[derive(Default)]
struct Seen {
    digest: u32,
    all: u32,
    different: u32,
}

impl Seen {
    // One copy each of this and of `fill`: the smallest board has to hold all of this.
    #[inline(never)]
    fn compare(&mut self, kernel: &[f32], twin: &[f32]) {
        for (a, b) in kernel.iter().zip(twin) {
            self.digest = mix(self.digest ^ a.to_bits());
            self.all += 1;
            self.different += u32::from(a.to_bits() != b.to_bits());
        }
    }
}

/// Values between -1 and 1 with all 24 bits in use, so that another order of a sum or another rounding shows.
fn values<const L: usize>(seed: u32) -> [f32; L] {
    let mut values = [0.0; L];
    fill(&mut values, seed);
    values
}

#[inline(never)]
fn fill(values: &mut [f32], seed: u32) {
    for (i, value) in values.iter_mut().enumerate() {
        *value = (mix(seed ^ (i as u32) << 8) as i32 as f32) / 2_147_483_648.0;
    }
}

#[inline(never)]
fn matrix_vector() -> Seen {
    let mut seen = Seen::default();
    let (w, x, bias) = (values::<{ 9 * MOST }>(1), values::<MOST>(2), values::<9>(3));
    for rows in 0..=9 {
        for columns in 0..=MOST {
            // A bias too short for some rows, results too few for others, and results that lie apart.
            for (biases, stride) in [(9, 1), (5, 1), (0, 2)] {
                let (w, x) = (&w[..rows * columns], &x[MOST - columns..]);
                let [mut y, mut twin] = [[7.0; 18]; 2];
                kernel::matrix_vector::<F32>(w, x, &bias[..biases], &mut y[..8 * stride], stride, 0, 0);
                portable::matrix_vector::<F32>(w, x, &bias[..biases], &mut twin[..8 * stride], stride, 0, 0);
                seen.compare(&y, &twin);
            }
        }
    }
    seen
}

#[inline(never)]
fn matrix_vector_fixed() -> Seen {
    let mut seen = Seen::default();
    let fixed = |x: f32| (x * 32768.0) as i16;
    let (w, x) = (values::<{ 5 * MOST }>(21).map(fixed), values::<MOST>(22).map(fixed));
    let bias = values::<5>(23).map(fixed);
    for rows in 0..=5 {
        for columns in 0..=MOST {
            for (biases, stride, shift) in [(5, 1, 15), (2, 1, 12), (0, 2, 0)] {
                // The last values, so that rows start at odd addresses too.
                let (w, x) = (&w[5 * MOST - rows * columns..], &x[..columns]);
                let [mut y, mut twin] = [[7i16; 10]; 2];
                kernel::matrix_vector::<Fixed16>(w, x, &bias[..biases], &mut y[..4 * stride], stride, 13, shift);
                portable::matrix_vector::<Fixed16>(w, x, &bias[..biases], &mut twin[..4 * stride], stride, 13, shift);
                seen.compare(&y.map(f32::from), &twin.map(f32::from));
            }
        }
    }
    seen
}

#[inline(never)]
fn matrix_vector_transposed() -> Seen {
    let mut seen = Seen::default();
    let (w, dy) = (values::<{ 7 * MOST }>(4), values::<7>(5));
    for rows in 0..=7 {
        for columns in 0..=MOST {
            for accumulate in [false, true] {
                let w = &w[7 * MOST - rows * columns..];
                let [mut dx, mut twin] = [values::<{ MOST + 1 }>(6); 2];
                kernel::matrix_vector_transposed::<F32>(w, &dy[..rows], &mut dx[..columns], 0, accumulate);
                portable::matrix_vector_transposed::<F32>(w, &dy[..rows], &mut twin[..columns], 0, accumulate);
                seen.compare(&dx, &twin);
            }
        }
    }
    seen
}

#[inline(never)]
fn descend() -> Seen {
    let mut seen = Seen::default();
    let x = values::<MOST>(7);
    for len in 0..=MOST {
        for c in [0.0, -0.0, 0.37, -1.0e-3] {
            let [mut w, mut twin] = [values::<{ MOST + 1 }>(8); 2];
            kernel::descend(&mut w[1..=len], &x[MOST - len..], c);
            portable::descend(&mut twin[1..=len], &x[MOST - len..], c);
            seen.compare(&w, &twin);
        }
    }
    seen
}

#[inline(never)]
fn descend_rows() -> Seen {
    let mut seen = Seen::default();
    let x = values::<MOST>(9);
    // Which rows have an error: none, one, neighbours, far apart, all.
    for pattern in [0u32, 0b1, 0b100, 0b1100, 0b10_0001, 0b11_0101, 0b11_1111] {
        let factors: [f32; 6] = core::array::from_fn(|r| ((pattern >> r & 1) * (r as u32 + 1)) as f32 * 0.3);
        for len in 0..=MOST {
            let [mut w, mut twin] = [values::<{ 6 * MOST }>(10); 2];
            kernel::descend_rows(&mut w[..6 * len], &x[..len], &factors, 0.05);
            portable::descend_rows(&mut twin[..6 * len], &x[..len], &factors, 0.05);
            seen.compare(&w, &twin);
        }
    }
    seen
}

#[inline(never)]
fn slide4() -> Seen {
    let mut seen = Seen::default();
    sliding::<false>(&mut seen);
    sliding::<true>(&mut seen);
    seen
}

fn sliding<const REVERSED: bool>(seen: &mut Seen) {
    let (x, flat) = (values::<{ ROWS * MOST }>(11), values::<12>(12));
    let w: [[f32; 3]; 4] = core::array::from_fn(|r| core::array::from_fn(|k| flat[3 * r + k]));
    for inputs in 0..=20 {
        // As a convolution has them, more and fewer.
        for outputs in 0..=20 {
            for left in 0..3 {
                let x = &x[..ROWS * inputs];
                let [mut y, mut twin] = [values::<{ 4 * PLANE }>(13); 2];
                kernel::slide4::<3, REVERSED>(planes(&mut y, outputs), outputs, &w, x, inputs, left);
                portable::slide4::<3, REVERSED>(planes(&mut twin, outputs), outputs, &w, x, inputs, left);
                seen.compare(&y, &twin);
            }
        }
    }
}

/// Rows of a plane.
const ROWS: usize = 2;
/// Room for a plane of up to 20 columns, and one value behind it that must stay.
const PLANE: usize = ROWS * 20 + 1;

fn planes(values: &mut [f32; 4 * PLANE], width: usize) -> [&mut [f32]; 4] {
    let mut each = values.chunks_exact_mut(PLANE);
    core::array::from_fn(|_| each.next().map_or(&mut [][..], |plane| &mut plane[..ROWS * width]))
}

#[inline(never)]
fn correlate_rows() -> Seen {
    let mut seen = Seen::default();
    let (x, errors, start) = (values::<{ ROWS * MOST }>(14), values::<{ 4 * PLANE }>(15), values::<12>(16));
    for inputs in 0..=20 {
        for outputs in 0..=20 {
            for left in 0..3 {
                let x = &x[..ROWS * inputs];
                let errors: [&[f32]; 4] = core::array::from_fn(|r| &errors[PLANE * r..][..ROWS * outputs]);
                let sums: [[f32; 4]; 3] = core::array::from_fn(|k| core::array::from_fn(|r| start[4 * k + r]));
                let selected = kernel::correlate_rows::<F32, 3>(sums, x, inputs, left, errors, outputs);
                let twin = portable::correlate_rows::<F32, 3>(sums, x, inputs, left, errors, outputs);
                seen.compare(selected.as_flattened(), twin.as_flattened());
            }
        }
    }
    seen
}

#[inline(never)]
fn adam() -> Seen {
    let mut seen = Seen::default();
    let x = values::<MOST>(17);
    let moments =
        AdamStep { factor: 0.7, share1: 0.1, beta2: 0.999, share2: 0.001, epsilon: 1e-8, rate: 0.01, keep: 1.0 };
    for step in [moments, AdamStep { factor: 0.0, keep: 0.99, ..moments }] {
        for len in 0..=MOST {
            let [mut w, mut twin] = [values::<{ MOST + 1 }>(18); 2];
            let [mut m, mut twin_m] = [values::<{ MOST + 1 }>(19); 2];
            let [mut v, mut twin_v] = [values::<{ MOST + 1 }>(20).map(f32::abs); 2];
            // Two steps, the second from the first one's moments; and a mean of squares that is nothing yet.
            (v[1], twin_v[1]) = (0.0, 0.0);
            for _ in 0..2 {
                kernel::adam(&mut w[1..=len], &mut m[1..=len], &mut v[1..=len], &x[MOST - len..], &step);
                portable::adam(&mut twin[1..=len], &mut twin_m[1..=len], &mut twin_v[1..=len], &x[MOST - len..], &step);
            }
            seen.compare(&w, &twin);
            seen.compare(&m, &twin_m);
            seen.compare(&v, &twin_v);
        }
    }
    seen
}

/// Over all of f32's exponents and the ends of its range; NaNs, whose bits no one promises, count as one number.
#[inline(never)]
fn square_root() -> Seen {
    let mut seen = Seen::default();
    let number = |x: f32| if x.is_nan() { 9.0 } else { x };
    for i in 0..8192u32 {
        let x = f32::from_bits(i << 19 | mix(i) >> 13);
        seen.compare(&[number(kernel::square_root(x))], &[number(portable::square_root(x))]);
    }
    for x in [0.0, -0.0, 1.0, 2.0, f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX, f32::INFINITY, -1.0] {
        seen.compare(&[number(kernel::square_root(x))], &[number(portable::square_root(x))]);
    }
    seen
}
