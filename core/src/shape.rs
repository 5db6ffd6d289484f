//! Shapes of one sample; there is no batch dimension on the device.

/// The shape of one sample's tensor: `[features]`, `[channels, length]` or `[channels, height, width]`, row-major.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    dims: [u16; 3],
    rank: u8,
}

impl Shape {
    /// `[features]`.
    pub const fn d1(features: u16) -> Shape {
        Shape { dims: [features, 1, 1], rank: 1 }
    }
    /// `[channels, length]`.
    pub const fn d2(channels: u16, length: u16) -> Shape {
        Shape { dims: [channels, length, 1], rank: 2 }
    }
    /// `[channels, height, width]`.
    pub const fn d3(channels: u16, height: u16, width: u16) -> Shape {
        Shape { dims: [channels, height, width], rank: 3 }
    }
    /// From one to three dimensions; any other number gives a shape that the planner refuses.
    pub const fn new(dims: &[u16]) -> Shape {
        match dims {
            [a] => Shape::d1(*a),
            [a, b] => Shape::d2(*a, *b),
            [a, b, c] => Shape::d3(*a, *b, *c),
            _ => Shape { dims: [0; 3], rank: 0 },
        }
    }
    /// The same elements as a vector; a shape that the planner refuses if they are too many for one.
    pub const fn flat(self) -> Shape {
        Shape::d1(if self.elements() > 65535 { 0 } else { self.elements() as u16 })
    }
    /// The dimensions, as many as the rank.
    pub const fn dims(&self) -> &[u16] {
        match self.dims.split_at_checked(self.rank as usize) {
            Some((dims, _)) => dims,
            None => &[],
        }
    }
    /// The number of dimensions, 1 to 3.
    pub const fn rank(self) -> u8 {
        self.rank
    }
    /// The number of elements; saturates far above what any plan accepts.
    pub const fn elements(self) -> u32 {
        let [a, b, c] = self.dims;
        (a as u32 * b as u32).saturating_mul(c as u32)
    }
    /// `(channels, height, width)`: a sequence has height 1, a vector has one position.
    pub const fn planes(self) -> (u16, u16, u16) {
        let [a, b, c] = self.dims;
        match self.rank {
            2 => (a, 1, b),
            _ => (a, b, c),
        }
    }
    /// The number of positions of one channel.
    pub const fn positions(self) -> u32 {
        self.dims[1] as u32 * self.dims[2] as u32
    }
    /// Whether two shapes are the same.
    pub const fn same(self, other: Shape) -> bool {
        self.rank == other.rank
            && self.dims[0] == other.dims[0]
            && self.dims[1] == other.dims[1]
            && self.dims[2] == other.dims[2]
    }
}

impl core::fmt::Display for Shape {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (i, d) in self.dims().iter().enumerate() {
            write!(f, "{}{d}", if i == 0 { "" } else { "x" })?;
        }
        Ok(())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for Shape {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}", self.dims());
    }
}
