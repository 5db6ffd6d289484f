//! Statistics of columns in f64, in the order of the numbers; equal to NumPy's.

/// The mean; none of nothing.
pub(super) fn mean(values: &[f32]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64)
}

/// The population's standard deviation, in a second pass.
pub(super) fn deviation(values: &[f32], mean: f64) -> f64 {
    let squares: f64 = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum();
    (squares / values.len().max(1) as f64).sqrt()
}

/// The value below which a share of sorted values lies, between two of them interpolated linearly (NumPy's default); none of
/// nothing.
pub(super) fn quantile(sorted: &[f32], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let below = f64::from(*sorted.get(place.floor() as usize)?);
    let above = f64::from(*sorted.get(place.ceil() as usize)?);
    Some(below + (above - below) * place.fract())
}

/// The most frequent of sorted values, of equals the smallest; none of nothing.
pub(super) fn mode(sorted: &[f32]) -> Option<f32> {
    let mut best: Option<(usize, f32)> = None;
    for run in sorted.chunk_by(|a, b| a == b) {
        if best.is_none_or(|(count, _)| run.len() > count) {
            best = run.first().map(|&value| (run.len(), value));
        }
    }
    best.map(|(_, value)| value)
}

/// The numbers that aren't missing, ascending.
pub(super) fn sorted(values: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut values: Vec<f32> = values.filter(|x| !x.is_nan()).collect();
    values.sort_unstable_by(f32::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        // numpy.quantile([1, 2, 4, 8], [0, .25, .5, .75, 1]) = 1, 1.75, 3, 5, 8.
        let values = [1.0, 2.0, 4.0, 8.0];
        let found: Vec<f64> = [0.0, 0.25, 0.5, 0.75, 1.0].map(|share| quantile(&values, share).unwrap()).to_vec();
        assert_eq!(found, [1.0, 1.75, 3.0, 5.0, 8.0]);
        assert_eq!((quantile(&[], 0.5), quantile(&[7.0], 0.25)), (None, Some(7.0)));
    }

    #[test]
    fn small_statistics_by_hand() {
        assert_eq!(mode(&[1.0, 2.0, 2.0, 3.0, 3.0]), Some(2.0), "of equals the smallest");
        assert_eq!((mode(&[]), mean(&[])), (None, None));
        let values = [1.0, 3.0, 5.0, 7.0];
        assert_eq!((mean(&values), deviation(&values, 4.0)), (Some(4.0), 5f64.sqrt()));
        assert_eq!(sorted([2.0, f32::NAN, -1.0].into_iter()), [-1.0, 2.0]);
    }
}
