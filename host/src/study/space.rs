//! What may vary: parameters, their distributions, and points of the space they span.
//!
//! A point has one coordinate a parameter: the number itself, or the index of a choice. A parameter whose condition
//! doesn't hold has none, and leaves the description as it is.

use std::fmt;

use serde_json::Value;

/// A parameter: where its value goes, and which values it can take.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The path in the description, such as `training.optimizer.learning_rate` or `model.layers.0.outputs`.
    pub path: String,
    /// Its values.
    pub distribution: Distribution,
    /// How many values a grid takes of a range; none: every step of a stepped one.
    pub points: Option<u32>,
    /// When it varies: all must hold.
    pub when: Vec<Condition>,
}

/// Values of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// One of several values of any kind, all different.
    Choice(Vec<Value>),
    /// A real number from `low` to `high`, both included, `low < high`.
    Real {
        /// The least.
        low: f64,
        /// The largest.
        high: f64,
        /// Only `low`, `low + step`, …; none for any number, to six significant digits.
        step: Option<f64>,
        /// Whether its logarithm is uniform; then `low > 0` and there is no step.
        log: bool,
    },
    /// A whole number from `low` to `high`, both included, below 2^53 in size.
    Whole {
        /// The least.
        low: i64,
        /// The largest.
        high: i64,
        /// Only `low`, `low + step`, …; at least 1, and 1 where the logarithm is uniform.
        step: i64,
        /// Whether its logarithm is uniform; then `low > 0`.
        log: bool,
    },
}

/// Another parameter's value on which one depends.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// The other parameter's place in [`Space::parameters`], before the one that depends on it.
    pub parameter: usize,
    /// The values with which the condition holds.
    pub values: Vec<Value>,
}

/// The parameters of a search, in the order of the description.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Space {
    /// The parameters.
    pub parameters: Vec<Parameter>,
}

/// A coordinate a parameter; none where its condition doesn't hold.
pub type Point = Vec<Option<f64>>;

/// The range of a number, as samplers see it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    /// The least value.
    low: f64,
    /// The largest, a whole number of steps above `low`.
    high: f64,
    pub(super) step: Option<f64>,
    log: bool,
}

impl Scale {
    /// Where the density of an unknown number is uniform: of the number or its logarithm, half a step wider on both sides
    /// where there are steps, so that the outer ones are as likely as the others.
    pub(super) fn ends(&self) -> (f64, f64) {
        let half = self.step.unwrap_or(0.0) / 2.0;
        (self.place(self.low - half), self.place(self.high + half))
    }

    /// The number or its logarithm.
    pub(super) fn place(&self, number: f64) -> f64 {
        if self.log { libm::log(number) } else { number }
    }

    /// The nearest value to a place.
    pub(super) fn value(&self, place: f64) -> f64 {
        let number = if self.log { libm::exp(place) } else { place };
        let number = match self.step {
            Some(step) => self.low + ((number - self.low) / step).round() * step,
            None => number,
        };
        rounded(number).clamp(self.low, self.high)
    }
}

/// Six significant digits: a learning rate that people read, and no setting knows better.
fn rounded(number: f64) -> f64 {
    if number.fract() == 0.0 { number } else { format!("{number:.5e}").parse().unwrap_or(number) }
}

impl Distribution {
    /// The range of a number; none for choices.
    pub(super) fn scale(&self) -> Option<Scale> {
        match *self {
            Distribution::Choice(_) => None,
            Distribution::Real { low, high, step, log } => {
                // A range that isn't a whole number of steps ends with the last whole one.
                let last =
                    step.map_or(high, |step| rounded(low + ((high - low) / step + 1e-9).floor() * step).min(high));
                Some(Scale { low, high: last, step, log })
            }
            Distribution::Whole { low, high, step, log } => {
                let last = low + (high - low) / step.max(1) * step.max(1);
                Some(Scale { low: low as f64, high: last as f64, step: Some(step.max(1) as f64), log })
            }
        }
    }

    /// The coordinate at a share of the range: `uniform` in `[0, 1)` and uniformly distributed gives every choice, step
    /// or number of the range its due.
    pub fn at(&self, uniform: f64) -> f64 {
        match (self, self.scale()) {
            (Distribution::Choice(values), _) => {
                (uniform * values.len() as f64).floor().min(values.len().saturating_sub(1) as f64)
            }
            (_, Some(scale)) => {
                let (low, high) = scale.ends();
                scale.value(low + uniform * (high - low))
            }
            (_, None) => 0.0,
        }
    }

    /// The value that goes into the description.
    pub fn value(&self, coordinate: f64) -> Value {
        match self {
            Distribution::Choice(values) => values.get(coordinate as usize).cloned().unwrap_or(Value::Null),
            Distribution::Real { .. } => Value::from(coordinate),
            Distribution::Whole { .. } => Value::from(coordinate as i64),
        }
    }

    /// The coordinate of a value that came from a file; none if the distribution doesn't have it.
    pub fn coordinate(&self, value: &Value) -> Option<f64> {
        match self {
            Distribution::Choice(values) => values.iter().position(|known| known == value).map(|index| index as f64),
            Distribution::Real { low, high, step, .. } => {
                let is_drawn = |number: &f64| {
                    let nearest = step.map_or(*number, |step| low + ((number - low) / step).round() * step);
                    *number == rounded(nearest) || number == low || (number == high && step.is_none())
                };
                value.as_f64().filter(|number| (low..=high).contains(&number)).filter(is_drawn)
            }
            Distribution::Whole { low, high, step, .. } => {
                let on_a_step = |number: &i64| (number - low) % (*step).max(1) == 0;
                let number = value.as_i64().filter(|number| (low..=high).contains(&number)).filter(on_a_step);
                number.map(|number| number as f64)
            }
        }
    }

    /// The coordinates that a grid takes: every choice or step, or `points` of a range at equal distances with both
    /// ends, of the logarithm where that is uniform. None where a range has neither steps nor `points`.
    pub fn grid(&self, points: Option<u32>) -> Option<Vec<f64>> {
        let scale = match (self, self.scale()) {
            (Distribution::Choice(values), _) => return Some((0..values.len()).map(|index| index as f64).collect()),
            (_, scale) => scale?,
        };
        let mut all: Vec<f64> = match (points, scale.step) {
            (Some(1), _) => vec![scale.low],
            (Some(points), _) => {
                let (low, high) = (scale.place(scale.low), scale.place(scale.high));
                let last = f64::from(points.max(2) - 1);
                (0..points).map(|i| scale.value(low + (high - low) * f64::from(i) / last)).collect()
            }
            (None, Some(step)) => {
                let steps = ((scale.high - scale.low) / step).round() as u64;
                (0..=steps.min(MOST_POINTS as u64))
                    .map(|i| scale.value(scale.place(scale.low + i as f64 * step)))
                    .collect()
            }
            (None, None) => return None,
        };
        // More points than steps.
        all.dedup();
        Some(all)
    }
}

/// A grid of more would never end.
pub(super) const MOST_POINTS: usize = 1_000_000;

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Distribution::Choice(values) => f.write_str(&listed(values)),
            Distribution::Real { low, high, step, log } => {
                write!(f, "{low} to {high}")?;
                step.map_or(Ok(()), |step| write!(f, " by {step}"))?;
                f.write_str(if *log { ", log" } else { "" })
            }
            Distribution::Whole { low, high, step, log } => {
                write!(f, "{low} to {high}")?;
                if *step == 1 { Ok(()) } else { write!(f, " by {step}") }?;
                f.write_str(if *log { ", log" } else { "" })
            }
        }
    }
}

fn listed(values: &[Value]) -> String {
    format!("[{}]", values.iter().map(Value::to_string).collect::<Vec<_>>().join(", "))
}

impl Space {
    /// A parameter of this space as people read it: `0.001 to 0.1, log, 4 points`.
    pub fn words(&self, parameter: &Parameter) -> String {
        let mut text = parameter.distribution.to_string();
        if let Some(points) = parameter.points {
            text += &format!(", {points} points");
        }
        for condition in &parameter.when {
            if let Some(other) = self.parameters.get(condition.parameter) {
                text += &format!(", when {} is of {}", other.path, listed(&condition.values));
            }
        }
        text
    }

    /// Whether a parameter varies, given the coordinates of those before it.
    pub fn is_active(&self, parameter: usize, point: &[Option<f64>]) -> bool {
        let conditions = self.parameters.get(parameter).map_or(&[][..], |parameter| &parameter.when);
        conditions.iter().all(|condition| {
            let other = self.parameters.get(condition.parameter);
            let coordinate = point.get(condition.parameter).copied().flatten();
            other
                .zip(coordinate)
                .is_some_and(|(other, coordinate)| condition.values.contains(&other.distribution.value(coordinate)))
        })
    }

    /// A point whose coordinates come from `draw`, parameter by parameter, where conditions hold.
    pub(super) fn point(&self, mut draw: impl FnMut(usize, &Distribution) -> f64) -> Point {
        let mut point = Point::with_capacity(self.parameters.len());
        for (index, parameter) in self.parameters.iter().enumerate() {
            let active = self.is_active(index, &point);
            point.push(active.then(|| draw(index, &parameter.distribution)));
        }
        point
    }

    /// Paths and values of a point, without parameters that don't vary there.
    pub fn values(&self, point: &[Option<f64>]) -> Vec<(&str, Value)> {
        let pairs = self.parameters.iter().zip(point);
        pairs.filter_map(|(p, coordinate)| Some((p.path.as_str(), p.distribution.value((*coordinate)?)))).collect()
    }

    /// The point of some values by their paths; none if a value isn't of this space, or one is missing or too many.
    pub fn point_of<'v>(&self, value: impl Fn(&str) -> Option<&'v Value>) -> Option<Point> {
        let mut point = Point::new();
        for (index, parameter) in self.parameters.iter().enumerate() {
            let coordinate = match value(&parameter.path) {
                Some(value) => Some(parameter.distribution.coordinate(value)?),
                None => None,
            };
            if coordinate.is_some() != self.is_active(index, &point) {
                return None;
            }
            point.push(coordinate);
        }
        Some(point)
    }

    /// Every point of the grid, the last parameter fastest; points that differ only where a condition doesn't hold are
    /// one.
    ///
    /// # Errors
    /// The place of a parameter that has no grid, or none where there are more than a million points.
    pub fn grid(&self) -> Result<Vec<Point>, Option<usize>> {
        let mut points = vec![Point::new()];
        for (index, parameter) in self.parameters.iter().enumerate() {
            let coordinates = parameter.distribution.grid(parameter.points).ok_or(Some(index))?;
            let mut next = Vec::new();
            for point in points {
                if self.is_active(index, &point) {
                    next.extend(coordinates.iter().map(|&x| [point.as_slice(), &[Some(x)]].concat()));
                } else {
                    next.push([point.as_slice(), &[None]].concat());
                }
                if next.len() > MOST_POINTS {
                    return Err(None);
                }
            }
            points = next;
        }
        Ok(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parameter(path: &str, distribution: Distribution) -> Parameter {
        Parameter { path: path.into(), distribution, points: None, when: Vec::new() }
    }

    fn choice(values: &[&str]) -> Distribution {
        Distribution::Choice(values.iter().map(|value| json!(value)).collect())
    }

    #[test]
    fn both_ends_are_reached_and_none_beyond() {
        let real = Distribution::Real { low: 1e-4, high: 0.1, step: None, log: true };
        assert_eq!((real.at(0.0), real.at(1.0 - 1e-16)), (1e-4, 0.1));
        // Half way between the logarithms: the geometric mean, 10^-2.5, to six digits.
        assert_eq!(real.at(0.5), 0.00316228);
        let whole = Distribution::Whole { low: 8, high: 30, step: 8, log: false };
        // 8, 16, 24: the third part of the range each.
        assert_eq!([0.0, 0.33, 0.34, 0.66, 0.67, 0.999].map(|u| whole.at(u)), [8.0, 8.0, 16.0, 16.0, 24.0, 24.0]);
        let stepped = Distribution::Real { low: 0.1, high: 0.5, step: Some(0.1), log: false };
        assert_eq!([0.0, 0.5, 0.999].map(|u| stepped.at(u)), [0.1, 0.3, 0.5]);
        // In floating point (0.7 - 0.1) / 0.1 is a little below 6.
        let stepped = Distribution::Real { low: 0.1, high: 0.7, step: Some(0.1), log: false };
        assert_eq!(stepped.at(0.999), 0.7);
        let log = Distribution::Whole { low: 1, high: 1000, step: 1, log: true };
        // ln(0.5) to ln(1000.5): half of it is the square root of 500.25, 22.4.
        assert_eq!((log.at(0.0), log.at(0.5), log.at(1.0 - 1e-12)), (1.0, 22.0, 1000.0));
    }

    #[test]
    fn grids_are_what_one_would_write() {
        let grid = |distribution: &Distribution, points| distribution.grid(points).unwrap();
        let log = Distribution::Real { low: 1e-4, high: 1e-1, step: None, log: true };
        assert_eq!(grid(&log, Some(4)), [1e-4, 1e-3, 1e-2, 1e-1]);
        assert_eq!((grid(&log, Some(1)), log.grid(None)), (vec![1e-4], None));
        let whole = Distribution::Whole { low: 1, high: 9, step: 2, log: false };
        assert_eq!(grid(&whole, None), [1.0, 3.0, 5.0, 7.0, 9.0]);
        assert_eq!(grid(&whole, Some(3)), [1.0, 5.0, 9.0]);
        let large = Distribution::Whole { low: 1_234_561, high: 1_234_565, step: 2, log: false };
        assert_eq!(grid(&large, None), [1_234_561.0, 1_234_563.0, 1_234_565.0]);
        let few = Distribution::Whole { low: 1, high: 2, step: 1, log: false };
        assert_eq!(grid(&few, Some(9)), [1.0, 2.0]);
        assert_eq!(grid(&choice(&["a", "b"]), None), [0.0, 1.0]);
    }

    #[test]
    fn every_condition_must_hold() {
        let when =
            [("adam", 0), ("yes", 1)].map(|(value, parameter)| Condition { parameter, values: vec![json!(value)] });
        let mut parameters =
            vec![parameter("name", choice(&["sgd", "adam"])), parameter("decayed", choice(&["no", "yes"]))];
        parameters.push(Parameter { when: when.to_vec(), ..parameter("decay", choice(&["a", "b"])) });
        let space = Space { parameters };
        // sgd with either, adam without, and adam with two decays.
        assert_eq!(space.grid().unwrap().len(), 2 + 1 + 2);
    }

    #[test]
    fn a_condition_switches_a_parameter() {
        let mut space = Space { parameters: vec![parameter("name", choice(&["sgd", "adam"]))] };
        let momentum = Distribution::Real { low: 0.0, high: 0.9, step: Some(0.3), log: false };
        let when = vec![Condition { parameter: 0, values: vec![json!("sgd")] }];
        space.parameters.push(Parameter { when, ..parameter("momentum", momentum) });
        // Four momenta of sgd, and adam once.
        let grid = space.grid().unwrap();
        assert_eq!(grid.len(), 5);
        assert_eq!(grid[1], [Some(0.0), Some(0.3)]);
        assert_eq!(grid[4], [Some(1.0), None]);
        assert_eq!(space.values(&grid[4]), [("name", json!("adam"))]);
        let find = |pairs: &[(&str, Value)]| space.point_of(|path| pairs.iter().find(|p| p.0 == path).map(|p| &p.1));
        assert_eq!(find(&[("name", json!("sgd")), ("momentum", json!(0.6))]), Some(vec![Some(0.0), Some(0.6)]));
        assert_eq!(find(&[("name", json!("adam"))]), Some(vec![Some(1.0), None]));
        for wrong in [
            vec![("name", json!("sgd"))],
            vec![("name", json!("adam")), ("momentum", json!(0.6))],
            vec![("name", json!("rmsprop"))],
            vec![("name", json!("sgd")), ("momentum", json!(7))],
        ] {
            assert_eq!(find(&wrong), None, "{wrong:?}");
        }
    }
}
