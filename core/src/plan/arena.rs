//! Placing buffers that live over intervals into one arena.

/// A buffer: its size in words and the first and last moment at which it is live.
#[derive(Clone, Copy)]
pub(super) struct Buffer {
    pub words: u32,
    pub birth: u32,
    pub death: u32,
    pub at: u32,
}

impl Buffer {
    pub(super) const NONE: Buffer = Buffer { words: 0, birth: 0, death: 0, at: 0 };

    pub(super) const fn new(words: u32, birth: u32, death: u32) -> Buffer {
        Buffer { words, birth, death, at: 0 }
    }
    const fn meets(&self, other: &Buffer) -> bool {
        self.birth <= other.death && other.birth <= self.death
    }
}

/// The kinds of buffer a node can own.
pub(super) const KINDS: usize = 5;

/// Sum of the words live at the worst moment.
pub(super) const fn live_peak<const N: usize>(buffers: &[[Buffer; N]; KINDS], moments: u32) -> u32 {
    let (mut peak, mut t) = (0, 0);
    while t < moments {
        let (mut sum, mut k) = (0, 0);
        while k < KINDS {
            let mut i = 0;
            while i < N {
                let b = &buffers[k][i];
                if b.words > 0 && b.birth <= t && t <= b.death {
                    sum += b.words;
                }
                i += 1;
            }
            k += 1;
        }
        if sum > peak {
            peak = sum;
        }
        t += 1;
    }
    peak
}

/// Attempts that follow the four orders where those leave more than a twentieth of the arena unused at the worst moment.
const ATTEMPTS: u32 = 40;

/// Places every buffer; returns the buffers with their places and the height of the arena.
///
/// First fit in four orders, of which the first is nearly always perfect. Where the best is more than a twentieth above the
/// bound, the buffer that ends highest is placed before all others and the rest again, up to [`ATTEMPTS`] times.
pub(super) const fn place<const N: usize>(buffers: &[[Buffer; N]; KINDS], moments: u32) -> ([[Buffer; N]; KINDS], u32) {
    let bound = live_peak(buffers, moments);
    let mut raised = [[0; N]; KINDS];
    let (mut best, mut height) = first_fit(buffers, &raised, 0);
    let (mut order, mut best_order) = (1, 0);
    while order < 4 && height > bound {
        let (candidate, h) = first_fit(buffers, &raised, order);
        if h < height {
            (best, height, best_order) = (candidate, h, order);
        }
        order += 1;
    }
    let (mut last, mut last_height) = (best, height);
    let mut attempt = 1;
    while attempt <= ATTEMPTS && height > bound + bound / 20 {
        raise_highest(&last, last_height, &mut raised, attempt);
        (last, last_height) = first_fit(buffers, &raised, best_order);
        if last_height < height {
            (best, height) = (last, last_height);
        }
        attempt += 1;
    }
    (best, height)
}

/// Marks a buffer that ends at the arena's height, to be placed first.
const fn raise_highest<const N: usize>(
    placed: &[[Buffer; N]; KINDS],
    height: u32,
    raised: &mut [[u32; N]; KINDS],
    attempt: u32,
) {
    let mut k = 0;
    while k < KINDS {
        let mut i = 0;
        while i < N {
            let b = &placed[k][i];
            if b.words > 0 && b.at + b.words == height {
                raised[k][i] = attempt;
                return;
            }
            i += 1;
        }
        k += 1;
    }
}

/// The larger key is placed earlier.
const fn key(b: &Buffer, order: u32) -> u64 {
    let life = (b.death - b.birth + 1) as u64;
    match order {
        0 => (b.words as u64) << 16 | life,
        1 => life << 32 | b.words as u64,
        2 => ((1 << 20) - b.birth as u64) << 32 | b.words as u64,
        _ => b.words as u64 * life,
    }
}

/// Places in the given order, those raised before all others and the last raised first.
const fn first_fit<const N: usize>(
    buffers: &[[Buffer; N]; KINDS],
    raised: &[[u32; N]; KINDS],
    order: u32,
) -> ([[Buffer; N]; KINDS], u32) {
    let mut placed = *buffers;
    let mut done = [[false; N]; KINDS];
    let mut height = 0;
    loop {
        // The first in the order that isn't placed yet.
        let (mut found, mut fk, mut fi, mut first) = (false, 0, 0, 0);
        let mut k = 0;
        while k < KINDS {
            let mut i = 0;
            while i < N {
                let b = &placed[k][i];
                if b.words > 0 && !done[k][i] {
                    // A key has at most 54 bits: lives are below 2^10, words below 2^26, and 2^20 moments.
                    let key = (raised[k][i] as u64) << 56 | key(b, order);
                    if !found || key > first {
                        (found, fk, fi, first) = (true, k, i, key);
                    }
                }
                i += 1;
            }
            k += 1;
        }
        if !found {
            return (placed, height);
        }
        let at = lowest_gap(&placed, &done, &placed[fk][fi]);
        placed[fk][fi].at = at;
        done[fk][fi] = true;
        if at + placed[fk][fi].words > height {
            height = at + placed[fk][fi].words;
        }
    }
}

/// The lowest offset at which `b` overlaps no placed buffer that it meets in time.
const fn lowest_gap<const N: usize>(placed: &[[Buffer; N]; KINDS], done: &[[bool; N]; KINDS], b: &Buffer) -> u32 {
    let mut at = 0;
    loop {
        let mut moved = false;
        let mut k = 0;
        while k < KINDS {
            let mut i = 0;
            while i < N {
                let other = &placed[k][i];
                if done[k][i] && other.meets(b) && at < other.at + other.words && other.at < at + b.words {
                    at = other.at + other.words;
                    moved = true;
                }
                i += 1;
            }
            k += 1;
        }
        if !moved {
            return at;
        }
    }
}
