//! Max pooling over squares of two by two that don't overlap, the usual one: without the general window's bounds.

use crate::number::Number;

/// `y[c, i, j]` is the largest of the square at `x[c, 2i, 2j]`, the first where several are equal; its place in the
/// square, row by row, goes to `places` unless that is empty. Planes are `height` by `width`; an odd last row or column
/// is left out.
#[inline(never)]
pub fn largest_in_squares<N: Number>(
    x: &[N::Value],
    [height, width]: [usize; 2],
    y: &mut [N::Value],
    places: &mut [u8],
) {
    // A branch: that the larger of a half and 1 isn't 0 escapes the compiler, and a panic would be linked.
    let row = width / 2;
    if row == 0 {
        return;
    }
    let mut places = places.iter_mut();
    let y_planes = y.chunks_exact_mut((height / 2 * row).max(1));
    for (x, y) in x.chunks_exact((height * width).max(1)).zip(y_planes) {
        for (x, y) in x.chunks_exact((2 * width).max(1)).zip(y.chunks_exact_mut(row)) {
            let (top, bottom) = x.split_at_checked(width).unwrap_or_default();
            for ((&[a, b], &[c, d]), y) in top.as_chunks::<2>().0.iter().zip(bottom.as_chunks::<2>().0).zip(y) {
                let (mut largest, mut place) = (a, 0);
                for (value, at) in [(b, 1), (c, 2), (d, 3)] {
                    if value > largest {
                        (largest, place) = (value, at);
                    }
                }
                *y = largest;
                if let Some(to) = places.next() {
                    *to = place;
                }
            }
        }
    }
}

/// Adds each error, with `shift` fraction bits fewer, to the place in its square of `dx` that was the largest; `dx`
/// counts as zeros unless `accumulate`.
#[inline(never)]
pub fn error_to_squares<N: Number>(
    dy: &[N::Value],
    places: &[u8],
    [height, width]: [usize; 2],
    dx: &mut [N::Value],
    shift: i32,
    accumulate: bool,
) {
    // Squares are cleared on the way, and with them everything where nothing is left out.
    if !accumulate && (height % 2 == 1 || width % 2 == 1) {
        dx.fill(N::Value::default());
    }
    let row = width / 2;
    if row == 0 {
        return;
    }
    let plane = (height / 2 * row).max(1);
    let errors = dy.chunks_exact(plane).zip(places.chunks_exact(plane));
    for (dx, (dy, places)) in dx.chunks_exact_mut((height * width).max(1)).zip(errors) {
        let errors = dy.chunks_exact(row).zip(places.chunks_exact(row));
        for (dx, (dy, places)) in dx.chunks_exact_mut((2 * width).max(1)).zip(errors) {
            let (top, bottom) = dx.split_at_mut_checked(width).unwrap_or_default();
            let squares = top.as_chunks_mut::<2>().0.iter_mut().zip(bottom.as_chunks_mut::<2>().0);
            for (([a, b], [c, d]), (&dy, &place)) in squares.zip(dy.iter().zip(places)) {
                if !accumulate {
                    [*a, *b, *c, *d] = [N::Value::default(); 4];
                }
                let to = match place {
                    0 => a,
                    1 => b,
                    2 => c,
                    _ => d,
                };
                *to = N::add_values(*to, N::finish(N::start(dy, 0), shift));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::{F32, Fixed16};

    #[test]
    fn the_first_of_the_largest_is_taken_and_gets_the_error() {
        // Two planes of 3 by 5: the last row and column belong to no square.
        let x = [
            [1.0, 2.0, 9.0, 9.0, 8.0],
            [2.0, 0.0, 9.0, 9.0, 8.0],
            [7.0; 5],
            [-4.0, -3.0, 0.0, -0.0, 8.0],
            [-2.0, -1.0, 0.0, 0.5, 8.0],
            [7.0; 5],
        ];
        let (mut y, mut places) = ([0.0; 4], [9; 4]);
        largest_in_squares::<F32>(x.as_flattened(), [3, 5], &mut y, &mut places);
        assert_eq!((y, places), ([2.0, 9.0, -1.0, 0.5], [1, 0, 3, 3]));
        largest_in_squares::<F32>(x.as_flattened(), [3, 5], &mut y, &mut []);

        let mut dx = [[1i16; 5]; 6];
        error_to_squares::<Fixed16>(&[8, 16, 24, 32], &places, [3, 5], dx.as_flattened_mut(), 3, true);
        let mut expected = [[1i16; 5]; 6];
        (expected[0][1], expected[0][2], expected[4][1], expected[4][3]) = (2, 3, 4, 5);
        assert_eq!(dx, expected);
        error_to_squares::<Fixed16>(&[8, 16, 24, 32], &places, [3, 5], dx.as_flattened_mut(), 3, false);
        assert_eq!(dx, expected.map(|row| row.map(|dx| dx - 1)));
    }
}
