//! Every kernel that the target selects against its portable twin, over odd lengths, remainders and offsets, slices too
//! short or of unequal lengths, and numbers at both ends of f32's range and beyond.
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
    // One copy each of this and of `fill`: the smallest board has to hold all of this. NaNs, whose bits no one promises,
    // count as one number.
    #[inline(never)]
    fn compare(&mut self, kernel: &[f32], twin: &[f32]) {
        for (a, b) in kernel.iter().zip(twin) {
            let [a, b] = [a, b].map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() });
            self.compare_one(a, b);
        }
    }

    #[inline(never)]
    fn compare_one(&mut self, kernel: u32, twin: u32) {
        self.digest = mix(self.digest ^ kernel);
        self.all += 1;
        self.different += u32::from(kernel != twin);
    }
}

/// How large values are.
#[derive(Clone, Copy, PartialEq)]
enum Size {
    /// Between -1 and 1 with all 24 bits in use, so that another order of a sum or another rounding shows.
    Ordinary,
    /// Some subnormal, and of the others the products are.
    Tiny,
    /// Products and sums overflow; some are infinite or NaN before.
    Huge,
}

const SIZES: [Size; 3] = [Size::Ordinary, Size::Tiny, Size::Huge];

impl Size {
    /// Lengths up to the longest row: every one, or, where lengths aren't the point, some.
    fn lengths(self) -> impl Iterator<Item = usize> {
        (0..=MOST).step_by(if self == Size::Ordinary { 1 } else { 7 })
    }
}

fn values<const L: usize>(size: Size, seed: u32) -> [f32; L] {
    let mut values = [0.0; L];
    fill(&mut values, size, seed);
    values
}

#[inline(never)]
fn fill(values: &mut [f32], size: Size, seed: u32) {
    for (i, value) in values.iter_mut().enumerate() {
        *value = number(size, mix(seed ^ (i as u32) << 8));
    }
}

#[inline(never)]
fn number(size: Size, bits: u32) -> f32 {
    let ordinary = (bits as i32 as f32) / 2_147_483_648.0;
    match size {
        Size::Ordinary => ordinary,
        Size::Tiny if bits.is_multiple_of(8) => f32::from_bits(bits & 0x807f_ffff),
        Size::Tiny => ordinary * 1e-19,
        Size::Huge => match bits % 128 {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => f32::NEG_INFINITY,
            3 => f32::MAX,
            _ => ordinary * 2e19,
        },
    }
}

/// Integers of 16 bits.
#[inline(never)]
fn integers<const L: usize>(seed: u32) -> [i16; L] {
    core::array::from_fn(|i| mix(seed ^ (i as u32) << 8) as i16)
}

#[inline(never)]
fn matrix_vector() -> Seen {
    let mut seen = Seen::default();
    for size in SIZES {
        let (w, x, bias) = (values::<{ 9 * MOST }>(size, 1), values::<MOST>(size, 2), values::<9>(size, 3));
        for rows in 0..=9 {
            for columns in size.lengths() {
                // A bias too short for some rows, results too few for others, and results that lie apart; weights that
                // end within a row.
                for (biases, stride, missing) in [(9, 1, 0), (5, 1, 0), (0, 2, 0), (9, 1, 1)] {
                    let (w, x) = (&w[..(rows * columns).saturating_sub(missing)], &x[MOST - columns..]);
                    let [mut y, mut twin] = [[7.0; 18]; 2];
                    kernel::matrix_vector::<F32>(w, x, &bias[..biases], &mut y[..8 * stride], stride, 0, 0);
                    portable::matrix_vector::<F32>(w, x, &bias[..biases], &mut twin[..8 * stride], stride, 0, 0);
                    seen.compare(&y, &twin);
                }
            }
        }
        // Rows of nothing.
        let [mut y, mut twin] = [[7.0; 9]; 2];
        kernel::matrix_vector::<F32>(&w[..7], &[], &bias, &mut y, 1, 0, 0);
        portable::matrix_vector::<F32>(&w[..7], &[], &bias, &mut twin, 1, 0, 0);
        seen.compare(&y, &twin);
    }
    seen
}

#[inline(never)]
fn matrix_vector_fixed() -> Seen {
    let mut seen = Seen::default();
    let (w, x, bias) = (integers::<{ 5 * MOST }>(21), integers::<MOST>(22), integers::<5>(23));
    for rows in 0..=5 {
        for columns in 0..=MOST {
            for (biases, stride, shift) in [(5, 1, 15), (2, 1, 12), (0, 2, 0)] {
                // The last values, so that rows start at odd addresses too.
                let (w, x) = (&w[5 * MOST - rows * columns..], &x[..columns]);
                let [mut y, mut twin] = [[7i16; 10]; 2];
                kernel::matrix_vector::<Fixed16>(w, x, &bias[..biases], &mut y[..4 * stride], stride, 13, shift);
                portable::matrix_vector::<Fixed16>(w, x, &bias[..biases], &mut twin[..4 * stride], stride, 13, shift);
                for (y, twin) in y.into_iter().zip(twin) {
                    seen.compare_one(y as u32, twin as u32);
                }
            }
        }
    }
    seen
}

#[inline(never)]
fn matrix_vector_transposed() -> Seen {
    let mut seen = Seen::default();
    for size in SIZES {
        let (w, dy) = (values::<{ 7 * MOST }>(size, 4), values::<7>(size, 5));
        for rows in 0..=7usize {
            for columns in size.lengths() {
                // Weights for all errors, or for more: fewer aren't the kernel's to judge.
                for (accumulate, errors) in [(false, rows), (true, rows), (true, rows.saturating_sub(1))] {
                    let w = &w[7 * MOST - rows * columns..];
                    let [mut dx, mut twin] = [values::<{ MOST + 1 }>(size, 6); 2];
                    kernel::matrix_vector_transposed::<F32>(w, &dy[..errors], &mut dx[..columns], 0, accumulate);
                    portable::matrix_vector_transposed::<F32>(w, &dy[..errors], &mut twin[..columns], 0, accumulate);
                    seen.compare(&dx, &twin);
                }
            }
        }
    }
    seen
}

#[inline(never)]
fn descend() -> Seen {
    let mut seen = Seen::default();
    for size in SIZES {
        let x = values::<MOST>(size, 7);
        for len in size.lengths() {
            for c in [0.0, -0.0, 0.37, -1.0e-3, f32::INFINITY, f32::NAN] {
                let [mut w, mut twin] = [values::<{ MOST + 1 }>(size, 8); 2];
                kernel::descend(&mut w[1..=len], &x[MOST - len..], c);
                portable::descend(&mut twin[1..=len], &x[MOST - len..], c);
                seen.compare(&w, &twin);
            }
        }
    }
    seen
}

#[inline(never)]
fn descend_rows() -> Seen {
    let mut seen = Seen::default();
    for size in SIZES {
        let x = values::<MOST>(size, 9);
        // Which rows have an error: none, one, neighbours, far apart, all.
        for pattern in [0u32, 0b1, 0b100, 0b1100, 0b10_0001, 0b11_0101, 0b11_1111] {
            let factors: [f32; 6] = core::array::from_fn(|r| ((pattern >> r & 1) * (r as u32 + 1)) as f32 * 0.3);
            for len in size.lengths() {
                // Weights that end within a row; fewer factors than rows.
                for (missing, count) in [(0, 6), (1, 6), (0, 4)] {
                    let end = (6 * len).saturating_sub(missing);
                    let [mut w, mut twin] = [values::<{ 6 * MOST }>(size, 10); 2];
                    kernel::descend_rows(&mut w[..end], &x[..len], &factors[..count], 0.05);
                    portable::descend_rows(&mut twin[..end], &x[..len], &factors[..count], 0.05);
                    seen.compare(&w, &twin);
                }
            }
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

type Slide = fn([&mut [f32]; 4], usize, &[[f32; 3]; 4], &[f32], usize, usize);
type Correlate = fn([[f32; 4]; 3], &[f32], usize, usize, [&[f32]; 4], usize) -> [[f32; 4]; 3];

fn sliding<const REVERSED: bool>(seen: &mut Seen) {
    each_case(&mut |case| {
        let (x, flat) = (values::<{ 2 * MOST }>(case.size, 11), values::<12>(case.size, 12));
        let w: [[f32; 3]; 4] = core::array::from_fn(|r| core::array::from_fn(|k| flat[3 * r + k]));
        let x = &x[..case.x_rows * case.inputs];
        let [mut y, mut twin] = [values::<{ 4 * PLANE }>(case.size, 13); 2];
        let Case { inputs, outputs, left, .. } = *case;
        // Through pointers there is one copy of each, and where they are the same, of both.
        let kernels: [Slide; 2] = [kernel::slide4::<3, REVERSED>, portable::slide4::<3, REVERSED>];
        for (slide, y) in kernels.into_iter().zip([&mut y, &mut twin]) {
            slide(planes(y, case), outputs, &w, x, inputs, left);
        }
        seen.compare(&y, &twin);
    });
}

/// What rows a window of three slides along.
struct Case {
    size: Size,
    inputs: usize,
    outputs: usize,
    left: usize,
    x_rows: usize,
    y_rows: usize,
}

impl Case {
    /// Rows of each plane: the shortest ones decide.
    fn rows(&self) -> [usize; 4] {
        let more = self.y_rows.max(2);
        if self.outputs > 13 { [self.y_rows; 4] } else { [self.y_rows, more, self.y_rows, more] }
    }
}

#[inline(never)]
fn each_case(run: &mut dyn FnMut(&Case)) {
    // As a convolution has them, with more and fewer inputs.
    for inputs in 0..=20 {
        for outputs in 0..=20 {
            for left in 0..3 {
                run(&Case { size: Size::Ordinary, inputs, outputs, left, x_rows: 2, y_rows: 2 });
            }
        }
    }
    // Another number of rows on either side.
    for (inputs, outputs) in [(0, 1), (1, 0), (1, 1), (3, 4), (6, 6), (9, 9), (10, 12), (13, 13), (13, 5)] {
        for rows in 0..16 {
            for size in SIZES {
                run(&Case { size, inputs, outputs, left: rows % 3, x_rows: rows / 4, y_rows: rows % 4 });
            }
        }
    }
}

/// Room for a plane of two rows of up to 20 columns or three of up to 13, and one value behind it that must stay.
const PLANE: usize = 41;

fn planes<'v>(values: &'v mut [f32; 4 * PLANE], case: &Case) -> [&'v mut [f32]; 4] {
    let mut each = values.chunks_exact_mut(PLANE);
    case.rows().map(|rows| each.next().map_or(&mut [][..], |plane| &mut plane[..rows * case.outputs]))
}

#[inline(never)]
fn correlate_rows() -> Seen {
    let mut seen = Seen::default();
    each_case(&mut |case| {
        let (x, errors) = (values::<{ 2 * MOST }>(case.size, 14), values::<{ 4 * PLANE }>(case.size, 15));
        let start = values::<12>(case.size, 16);
        let (x, rows) = (&x[..case.x_rows * case.inputs], case.rows());
        let errors: [&[f32]; 4] = core::array::from_fn(|r| &errors[PLANE * r..][..rows[r] * case.outputs]);
        let sums: [[f32; 4]; 3] = core::array::from_fn(|k| core::array::from_fn(|r| start[4 * k + r]));
        let kernels: [Correlate; 2] = [kernel::correlate_rows::<F32, 3>, portable::correlate_rows::<F32, 3>];
        let [selected, twin] = kernels.map(|run| run(sums, x, case.inputs, case.left, errors, case.outputs));
        seen.compare(selected.as_flattened(), twin.as_flattened());
    });
    seen
}

#[inline(never)]
fn adam() -> Seen {
    let mut seen = Seen::default();
    let moments =
        AdamStep { factor: 0.7, share1: 0.1, beta2: 0.999, share2: 0.001, epsilon: 1e-8, rate: 0.01, keep: 1.0 };
    for (i, size) in SIZES.into_iter().chain([Size::Ordinary]).enumerate() {
        let step = if i < 3 { moments } else { AdamStep { factor: 0.0, keep: 0.99, ..moments } };
        let x = values::<MOST>(size, 17);
        for len in size.lengths() {
            let [mut w, mut twin] = [values::<{ MOST + 1 }>(size, 18); 2];
            let [mut m, mut twin_m] = [values::<{ MOST + 1 }>(size, 19); 2];
            let [mut v, mut twin_v] = [values::<{ MOST + 1 }>(size, 20).map(f32::abs); 2];
            // Two steps, the second from the first one's moments; and a mean of squares that is nothing yet. Each of the
            // slices is the shortest once.
            (v[1], twin_v[1]) = (0.0, 0.0);
            for short in [0, 0, 1, 2, 3, 4] {
                let len = |slice: usize| if slice == short { len.saturating_sub(1) } else { len };
                let x = &x[MOST - len(4)..];
                kernel::adam(&mut w[1..=len(1)], &mut m[1..=len(2)], &mut v[1..=len(3)], x, &step);
                portable::adam(&mut twin[1..=len(1)], &mut twin_m[1..=len(2)], &mut twin_v[1..=len(3)], x, &step);
            }
            seen.compare(&w, &twin);
            seen.compare(&m, &twin_m);
            seen.compare(&v, &twin_v);
        }
    }
    seen
}

/// Over all of f32's exponents and the ends of its range.
#[inline(never)]
fn square_root() -> Seen {
    let mut seen = Seen::default();
    for i in 0..8192u32 {
        let x = f32::from_bits(i << 19 | mix(i) >> 13);
        seen.compare(&[kernel::square_root(x)], &[portable::square_root(x)]);
    }
    for x in [0.0, -0.0, 1.0, 2.0, f32::MIN_POSITIVE, f32::from_bits(1), f32::MAX, f32::INFINITY, -1.0] {
        seen.compare(&[kernel::square_root(x)], &[portable::square_root(x)]);
    }
    seen
}
