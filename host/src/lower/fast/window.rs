//! Sliding windows over images whose channels come last, `[height, width, channels]`; a sequence is an image of height 1.

use emberlite::graph::Shape;
use emberlite::op::{Conv, Pool};

/// Sizes of a window that slides over one sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Channels of the input.
    pub channels: usize,
    /// Height and width.
    pub input: [usize; 2],
    pub output: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
}

impl Window {
    fn new(input: Shape, output: Shape, sizes: [[u8; 2]; 3]) -> Window {
        let plane = |shape: Shape| {
            let (_, h, w) = shape.planes();
            [h.into(), w.into()]
        };
        let [kernel, stride, padding] = sizes.map(|pair| pair.map(usize::from));
        let channels = input.planes().0.into();
        Window { channels, input: plane(input), output: plane(output), kernel, stride, padding }
    }

    /// Of a convolution.
    pub fn of_conv(a: &Conv, input: Shape, output: Shape) -> Window {
        Window::new(input, output, [a.kernel, a.stride, a.padding])
    }

    /// Of a pooling.
    pub fn of_pool(a: &Pool, input: Shape, output: Shape) -> Window {
        Window::new(input, output, [a.window, a.stride, a.padding])
    }

    /// Places of the output.
    pub const fn positions(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Elements of one sample's input.
    pub const fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    /// Height and width of the input with its padding.
    pub fn padded(&self) -> [usize; 2] {
        [0, 1].map(|d| self.input[d] + 2 * self.padding[d])
    }
}

/// Copies an image `[h, w, c]` to the place `origin` of a larger one of width `width`, rows and columns `spread` apart.
pub(super) fn place(
    from: &[f32],
    [h, w, c]: [usize; 3],
    to: &mut [f32],
    width: usize,
    origin: [usize; 2],
    spread: [usize; 2],
) {
    for y in 0..h {
        let at = ((origin[0] + y * spread[0]) * width + origin[1]) * c;
        let row = &from[y * w * c..(y + 1) * w * c];
        if spread[1] == 1 {
            to[at..at + w * c].copy_from_slice(row);
        } else {
            for (x, pixel) in row.chunks_exact(c).enumerate() {
                let at = at + x * spread[1] * c;
                to[at..at + c].copy_from_slice(pixel);
            }
        }
    }
}

/// Sides of the squares that are turned at a time: their lines are whole, so no place is checked by itself.
const SIDE: usize = 16;

/// `from [rows, columns]` turned into `to [columns, rows]`, whose rows are `stride` apart.
pub(super) fn transpose(from: &[f32], [rows, columns]: [usize; 2], to: &mut [f32], stride: usize) {
    let whole = |n: usize| n / SIDE * SIDE;
    for r in (0..whole(rows)).step_by(SIDE) {
        for c in (0..whole(columns)).step_by(SIDE) {
            square(&from[r * columns + c..], columns, &mut to[c * stride + r..], stride);
        }
    }
    // What is left on the right, and below.
    for r in 0..rows {
        for c in (if r < whole(rows) { whole(columns) } else { 0 })..columns {
            to[c * stride + r] = from[r * columns + c];
        }
    }
}

fn square(from: &[f32], columns: usize, to: &mut [f32], stride: usize) {
    let rows: [&[f32]; SIDE] = std::array::from_fn(|r| &from[r * columns..r * columns + SIDE]);
    for c in 0..SIDE {
        let line: [f32; SIDE] = std::array::from_fn(|r| rows[r][c]);
        to[c * stride..c * stride + SIDE].copy_from_slice(&line);
    }
}

/// `from [rows, columns]` with rows filled up with zeros to `stride`.
pub(super) fn widen(from: &[f32], columns: usize, stride: usize) -> Vec<f32> {
    let mut to = vec![0.0; from.len() / columns.max(1) * stride];
    for (to, from) in to.chunks_exact_mut(stride).zip(from.chunks_exact(columns)) {
        to[..columns].copy_from_slice(from);
    }
    to
}
