//! Changes to pictures `[channels, height, width]`.

use super::dice::Dice;

/// A picture in place.
pub(super) struct Picture<'a> {
    pub(super) pixels: &'a mut [f32],
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Picture<'_> {
    fn planes(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.pixels.chunks_exact_mut((self.height * self.width).max(1))
    }

    /// Left and right change places.
    pub(super) fn flip_horizontal(&mut self) {
        let width = self.width.max(1);
        self.pixels.chunks_exact_mut(width).for_each(<[f32]>::reverse);
    }

    /// Top and bottom change places.
    pub(super) fn flip_vertical(&mut self) {
        let (height, width) = (self.height, self.width);
        for plane in self.planes() {
            for row in 0..height / 2 {
                let (top, bottom) = plane.split_at_mut((height - 1 - row) * width);
                top[row * width..][..width].swap_with_slice(&mut bottom[..width]);
            }
        }
    }

    /// Turned by `degrees` against the clock and `zoom` times larger, about the middle; bilinear, 0 beyond the edges.
    ///
    /// The pixel at `(x, y)` from the middle is taken from `R (x, y) / zoom`, where `R` turns the other way.
    pub(super) fn turn(&mut self, degrees: f64, zoom: f64) {
        let (height, width) = (self.height, self.width);
        let (middle_x, middle_y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
        // Quarter turns must be exact, and π isn't.
        let (sin, cos) = match degrees.rem_euclid(360.0) {
            0.0 => (0.0, 1.0),
            90.0 => (1.0, 0.0),
            180.0 => (0.0, -1.0),
            270.0 => (-1.0, 0.0),
            other => libm::sincos(other.to_radians()),
        };
        for plane in self.planes() {
            let from = plane.to_vec();
            let at = |x: i64, y: i64| {
                let inside = (0..width as i64).contains(&x) && (0..height as i64).contains(&y);
                if inside { f64::from(from[y as usize * width + x as usize]) } else { 0.0 }
            };
            for row in 0..height {
                for column in 0..width {
                    let (x, y) = ((column as f64 - middle_x) / zoom, (row as f64 - middle_y) / zoom);
                    // Rows count downwards, so this turns against the clock as one looks at it.
                    let (x, y) = (cos * x - sin * y + middle_x, sin * x + cos * y + middle_y);
                    let (left, top) = (x.floor(), y.floor());
                    let (right_share, lower_share) = (x - left, y - top);
                    let (left, top) = (left as i64, top as i64);
                    let mix = |a: f64, b: f64, share: f64| a + (b - a) * share;
                    let upper = mix(at(left, top), at(left + 1, top), right_share);
                    let lower = mix(at(left, top + 1), at(left + 1, top + 1), right_share);
                    plane[row * width + column] = mix(upper, lower, lower_share) as f32;
                }
            }
        }
    }

    /// Moved by whole pixels, 0 where nothing is: the cut of a picture with a border of 0.
    pub(super) fn shift(&mut self, right: i64, down: i64) {
        let (height, width) = (self.height, self.width);
        for plane in self.planes() {
            let from = plane.to_vec();
            for row in 0..height {
                for column in 0..width {
                    let (x, y) = (column as i64 - right, row as i64 - down);
                    let inside = (0..width as i64).contains(&x) && (0..height as i64).contains(&y);
                    plane[row * width + column] = if inside { from[y as usize * width + x as usize] } else { 0.0 };
                }
            }
        }
    }

    /// All values times `factor`.
    pub(super) fn brightness(&mut self, factor: f32) {
        self.pixels.iter_mut().for_each(|x| *x *= factor);
    }

    /// Away from the mean of the grey picture, `mean + factor (x - mean)`.
    pub(super) fn contrast(&mut self, factor: f32) {
        let size = self.height * self.width;
        let mean = (0..size).map(|place| f64::from(self.grey(place))).sum::<f64>() / size.max(1) as f64;
        let mean = mean as f32;
        self.pixels.iter_mut().for_each(|x| *x = mean + factor * (*x - mean));
    }

    /// Away from the grey picture, `grey + factor (x - grey)`; nothing happens to grey pictures.
    pub(super) fn saturation(&mut self, factor: f32) {
        let size = self.height * self.width;
        if self.channels != 3 {
            return;
        }
        for place in 0..size {
            let grey = self.grey(place);
            for channel in 0..3 {
                let x = &mut self.pixels[channel * size + place];
                *x = grey + factor * (*x - grey);
            }
        }
    }

    /// ITU-R 601 luma of a pixel in three colours, else the mean of its channels.
    fn grey(&self, place: usize) -> f32 {
        let size = self.height * self.width;
        let at = |channel: usize| self.pixels[channel * size + place];
        match self.channels {
            3 => 0.299 * at(0) + 0.587 * at(1) + 0.114 * at(2),
            channels => (0..channels).map(at).sum::<f32>() / channels.max(1) as f32,
        }
    }

    /// A square of `side` pixels about a random one becomes the mean of its channel; beyond the edges there is nothing to
    /// cut (DeVries and Taylor, 2017).
    pub(super) fn cutout(&mut self, side: usize, dice: &mut Dice) {
        let (height, width) = (self.height, self.width);
        let (x, y) = (dice.below(width.max(1)) as i64, dice.below(height.max(1)) as i64);
        let range = |middle: i64, len: usize| {
            let from = middle - side as i64 / 2;
            from.clamp(0, len as i64) as usize..(from + side as i64).clamp(0, len as i64) as usize
        };
        let (columns, rows) = (range(x, width), range(y, height));
        for plane in self.planes() {
            let mean = plane.iter().map(|&x| f64::from(x)).sum::<f64>() / plane.len().max(1) as f64;
            for row in rows.clone() {
                plane[row * width..][columns.clone()].fill(mean as f32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows 0 1 2 / 3 4 5 / 6 7 8 in one channel, and ten times that in two more.
    fn pixels() -> Vec<f32> {
        (0..27).map(|i| (i % 9) as f32 * if i < 9 { 1.0 } else { 10.0 }).collect()
    }

    fn changed(change: impl Fn(&mut Picture<'_>)) -> Vec<f32> {
        let mut pixels = pixels();
        change(&mut Picture { pixels: &mut pixels, channels: 3, height: 3, width: 3 });
        pixels
    }

    #[test]
    fn flips_and_quarter_turns_are_exact() {
        let plane = |pixels: Vec<f32>| pixels[..9].to_vec();
        assert_eq!(plane(changed(|p| p.flip_horizontal())), [2.0, 1.0, 0.0, 5.0, 4.0, 3.0, 8.0, 7.0, 6.0]);
        assert_eq!(plane(changed(|p| p.flip_vertical())), [6.0, 7.0, 8.0, 3.0, 4.0, 5.0, 0.0, 1.0, 2.0]);
        // Against the clock the right column becomes the top row.
        assert_eq!(plane(changed(|p| p.turn(90.0, 1.0))), [2.0, 5.0, 8.0, 1.0, 4.0, 7.0, 0.0, 3.0, 6.0]);
        assert_eq!(plane(changed(|p| p.turn(-90.0, 1.0))), [6.0, 3.0, 0.0, 7.0, 4.0, 1.0, 8.0, 5.0, 2.0]);
        assert_eq!(changed(|p| p.turn(180.0, 1.0))[9..18], [80.0, 70.0, 60.0, 50.0, 40.0, 30.0, 20.0, 10.0, 0.0]);
        assert_eq!(changed(|p| p.turn(0.0, 1.0)), pixels());
        assert_eq!(changed(|p| [(); 4].iter().for_each(|()| p.turn(90.0, 1.0))), pixels());
    }

    #[test]
    fn zoom_and_shift_move_pixels_where_they_belong() {
        // Twice as large: half-way from the middle lie the means, (0 + 1 + 3 + 4) / 4 = 2 in the corner.
        assert_eq!(changed(|p| p.turn(0.0, 2.0))[..9], [2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0]);
        assert_eq!(changed(|p| p.shift(1, -1))[..9], [0.0, 3.0, 4.0, 0.0, 6.0, 7.0, 0.0, 0.0, 0.0]);
        assert_eq!(changed(|p| p.shift(9, 0)), [0.0; 27]);
    }

    #[test]
    fn colours_move_from_and_to_grey() {
        assert_eq!(changed(|p| p.brightness(2.0))[3], 6.0);
        // Grey at place i is i (0.299 + 5.87 + 1.14) = 7.309 i, its mean 29.236.
        let flat = changed(|p| p.contrast(0.0));
        assert!(flat.iter().all(|x| (x - 29.236).abs() < 1e-4), "{flat:?}");
        let grey = changed(|p| p.saturation(0.0));
        assert!((grey[1] - 7.309).abs() < 1e-5 && grey[1] == grey[10] && grey[1] == grey[19]);
        // Where a factor of 1 leaves everything, up to one rounding.
        for (ours, was) in changed(|p| p.contrast(1.0)).iter().zip(pixels()) {
            assert!((ours - was).abs() <= 80.0 * f32::EPSILON);
        }
    }

    #[test]
    fn a_cutout_is_one_square() {
        for sample in 0..50 {
            let pixels = changed(|p| p.cutout(2, &mut Dice::new(1, 1, sample, 0)));
            let (mean, was) = (4.0, self::pixels());
            let cut = (0..9).filter(|&i| pixels[i] != was[i] || was[i] == mean && pixels[i] == mean).count();
            // A side of 2 about a corner keeps 1, 2 or 4 pixels; pixel 4 is the mean itself.
            assert!((1..=5).contains(&cut), "{cut} pixels");
            assert!((0..9).all(|i| pixels[i] == was[i] || pixels[i] == mean));
        }
    }
}
