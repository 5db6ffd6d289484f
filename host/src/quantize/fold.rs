//! Taking nodes out of a graph: batch norms that become part of the layer before them, dropout that a prediction ignores.

use super::QuantizeError;
use super::probe::checked;
use crate::Parameters;
use emberlite::graph::{Node, Source};
use emberlite::image::Kind;
use emberlite::op::{BatchNorm, Op};

/// Folds every batch norm into the linear layer or convolution that it follows, and renumbers what reads later nodes.
///
/// With its running statistics a batch norm is `y = (x - mean) / sqrt(var + epsilon) * weight + bias` for each channel, so
/// for row `c` of the layer before it, with `s = weight[c] / sqrt(var[c] + epsilon)`:
/// `W'[c] = s W[c]`, `b'[c] = s (b[c] - mean[c]) + bias[c]`. Computed in f64 and rounded once, so an output differs from
/// the unfolded one by rounding alone. The layer gets a bias if it had none, and keeps its update rule. A model folded
/// this way no longer normalises by the sample at hand when it learns: it learns as a plain layer.
///
/// # Errors
/// [`QuantizeError::Fold`] if a batch norm follows something else, or if others read the layer before it too; missing or
/// damaged parameters.
pub fn fold_batch_norm(nodes: &[Node], parameters: &Parameters) -> Result<(Vec<Node>, Parameters), QuantizeError> {
    // Errors name the nodes that were given.
    let mut kept: Vec<u8> = (0u8..=u8::MAX).take(nodes.len()).collect();
    let mut nodes = nodes.to_vec();
    let mut parameters = parameters.clone();
    while let Some((index, norm)) = nodes.iter().enumerate().find_map(|(index, node)| match node.op {
        Op::BatchNorm(norm) => Some((index, norm)),
        _ => None,
    }) {
        layer_before(&nodes, index)
            .and_then(|layer| fold(&mut nodes[layer], &mut parameters, layer as u8, index as u8, norm))
            .map_err(|error| error.renumbered(&kept))?;
        (nodes, parameters) = without(&nodes, &parameters, index);
        kept.remove(index);
    }
    Ok((nodes, parameters))
}

/// Takes every dropout out, and renumbers what reads later nodes. A prediction doesn't change by it; a model that goes on
/// learning does so without it, as fixed16 has none.
pub fn without_dropout(nodes: &[Node], parameters: &Parameters) -> (Vec<Node>, Parameters) {
    let mut all = (nodes.to_vec(), parameters.clone());
    while let Some(index) = all.0.iter().position(|node| matches!(node.op, Op::Dropout(_))) {
        all = without(&all.0, &all.1, index);
    }
    all
}

/// The layer that a batch norm can be folded into.
fn layer_before(nodes: &[Node], index: usize) -> Result<usize, QuantizeError> {
    let refuse = |reason| Err(QuantizeError::Fold { node: index as u8, reason });
    let value = nodes[index].inputs[0].value(index);
    let layer = match value.checked_sub(1) {
        Some(layer) if layer < index => layer,
        _ => return refuse("it reads the model's input; normalise the data instead"),
    };
    if !matches!(nodes[layer].op, Op::Linear(_) | Op::Conv(_)) {
        return refuse("it doesn't follow a linear layer or a convolution; put it right behind one");
    }
    let reads = |(reader, node): (usize, &Node)| {
        node.inputs.iter().take(node.op.inputs()).filter(|source| source.value(reader) == value).count()
    };
    if nodes.iter().enumerate().map(reads).sum::<usize>() != 1 {
        return refuse("others read the layer before it too; let them read the batch norm");
    }
    Ok(layer)
}

fn fold(
    layer: &mut Node,
    parameters: &mut Parameters,
    at: u8,
    norm_at: u8,
    norm: BatchNorm,
) -> Result<(), QuantizeError> {
    let (rows, has_bias) = match &mut layer.op {
        Op::Linear(linear) => (usize::from(linear.outputs), &mut linear.bias),
        Op::Conv(conv) => (usize::from(conv.channels), &mut conv.bias),
        _ => return Ok(()),
    };
    let of_norm = |kind| checked(parameters, norm_at, kind, rows);
    let (gamma, beta) = (of_norm(Kind::Weight)?, of_norm(Kind::Bias)?);
    let (mean, variance) = (of_norm(Kind::RunningMean)?, of_norm(Kind::RunningVariance)?);
    let missing = QuantizeError::Missing { node: at, kind: Kind::Weight };
    let len = parameters.get(at, Kind::Weight).ok_or(missing)?.len();
    let weight = checked(parameters, at, Kind::Weight, len)?;
    if !len.is_multiple_of(rows.max(1)) {
        let needed = len.next_multiple_of(rows.max(1));
        return Err(QuantizeError::Length { node: at, kind: Kind::Weight, needed, got: len });
    }
    let zeros = vec![0.0; rows];
    let bias = if *has_bias { checked(parameters, at, Kind::Bias, rows)? } else { &zeros };
    let scale: Vec<f64> =
        (0..rows).map(|c| f64::from(gamma[c]) / (f64::from(variance[c]) + f64::from(norm.epsilon)).sqrt()).collect();
    let filter = (len / rows.max(1)).max(1);
    let folded = weight.iter().enumerate().map(|(i, &w)| (f64::from(w) * scale[i / filter]) as f32).collect();
    let shifted =
        (0..rows).map(|c| ((f64::from(bias[c]) - f64::from(mean[c])) * scale[c] + f64::from(beta[c])) as f32).collect();
    parameters.set(at, Kind::Weight, folded);
    parameters.set(at, Kind::Bias, shifted);
    *has_bias = true;
    Ok(())
}

/// The graph without node `index`: whoever read it reads what it read.
fn without(nodes: &[Node], parameters: &Parameters, index: usize) -> (Vec<Node>, Parameters) {
    let replaced = nodes[index].inputs[0].value(index);
    // Values are numbered from the input, 0; node i makes value i + 1.
    let renumber = |value: usize| {
        let value = if value == index + 1 { replaced } else { value };
        if value > index { value - 1 } else { value }
    };
    let mut left = Vec::with_capacity(nodes.len().saturating_sub(1));
    for (old, node) in nodes.iter().enumerate().filter(|(old, _)| *old != index) {
        let new = left.len();
        let mut node = *node;
        for source in node.inputs.iter_mut().take(node.op.inputs()) {
            *source = match renumber(source.value(old)) {
                value if value == new => Source::Previous,
                0 => Source::Input,
                value => Source::Node((value - 1) as u8),
            };
        }
        left.push(node);
    }
    let mut kept = Parameters::new();
    for (node, kind, values) in parameters.iter().filter(|(node, ..)| usize::from(*node) != index) {
        kept.set(if usize::from(node) > index { node - 1 } else { node }, kind, values.to_vec());
    }
    (left, kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use emberlite::graph::{add, batch_norm, conv1d, dropout, flatten, linear, relu};

    fn filled(entries: &[(u8, Kind, usize)]) -> Parameters {
        let mut parameters = Parameters::new();
        for &(node, kind, len) in entries {
            parameters.set(node, kind, vec![1.0; len]);
        }
        parameters
    }

    #[test]
    fn the_formula_by_hand() {
        let nodes = [linear(2).no_bias(), batch_norm().epsilon(0.25)];
        let mut parameters = Parameters::new();
        parameters.set(0, Kind::Weight, vec![1.0, 2.0, 3.0, 4.0]);
        parameters.set(1, Kind::Weight, vec![3.0, 1.0]);
        parameters.set(1, Kind::Bias, vec![0.5, -0.5]);
        parameters.set(1, Kind::RunningMean, vec![1.0, 2.0]);
        parameters.set(1, Kind::RunningVariance, vec![2.0, 0.75]);
        let (nodes, folded) = fold_batch_norm(&nodes, &parameters).unwrap();
        assert_eq!(nodes, [linear(2)]);
        // s = 3 / sqrt(2.25) = 2 and 1 / sqrt(1) = 1; b' = 2 (0 - 1) + 0.5, 1 (0 - 2) - 0.5.
        assert_eq!(folded.get(0, Kind::Weight), Some(&[2.0, 4.0, 3.0, 4.0][..]));
        assert_eq!(folded.get(0, Kind::Bias), Some(&[-1.5, -2.5][..]));
        assert_eq!(folded.iter().count(), 2);
    }

    #[test]
    fn readers_of_later_nodes_are_renumbered() {
        let norm = [(1, Kind::Weight, 4), (1, Kind::Bias, 4), (1, Kind::RunningMean, 4), (1, Kind::RunningVariance, 4)];
        let mut entries = norm.to_vec();
        entries.extend(norm.map(|(_, kind, len)| (4, kind, len)));
        entries.extend([(0, Kind::Weight, 4), (0, Kind::Bias, 4), (3, Kind::Weight, 16), (3, Kind::Bias, 4)]);
        entries.extend([(8, Kind::Weight, 8), (8, Kind::Bias, 2)]);
        // 0 conv 1 norm 2 relu 3 conv 4 norm 5 add(2) 6 relu 7 flatten 8 linear
        let nodes =
            [conv1d(4, 1), batch_norm(), relu(), conv1d(4, 1), batch_norm(), add(2), relu(), flatten(), linear(2)];
        let (nodes, folded) = fold_batch_norm(&nodes, &filled(&entries)).unwrap();
        assert_eq!(nodes, [conv1d(4, 1), relu(), conv1d(4, 1), add(1), relu(), flatten(), linear(2)]);
        assert_eq!(folded.get(6, Kind::Weight).map(<[f32]>::len), Some(8));
        assert!(folded.get(8, Kind::Weight).is_none());
    }

    #[test]
    fn a_norm_read_from_afar_becomes_its_layer() {
        // 0 conv 1 relu(input) 2 norm(from 0) 3 add(norm, relu)
        let nodes = [conv1d(2, 1), relu().from_input(), batch_norm().from(0), add(1)];
        let entries =
            [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance].map(|kind| (2, kind, 2)).to_vec();
        let entries = [entries, vec![(0, Kind::Weight, 4), (0, Kind::Bias, 2)]].concat();
        let (nodes, _) = fold_batch_norm(&nodes, &filled(&entries)).unwrap();
        let mut sum = add(1);
        sum.inputs = [Source::Node(0), Source::Previous];
        assert_eq!(nodes, [conv1d(2, 1), relu().from_input(), sum]);
    }

    #[test]
    fn dropout_leaves_no_trace() {
        let nodes = [linear(4), relu(), dropout(0.5), linear(4), add(2), linear(2)];
        let entries = [(0, Kind::Weight, 8), (3, Kind::Weight, 16), (5, Kind::Weight, 8)];
        let (nodes, left) = without_dropout(&nodes, &filled(&entries));
        assert_eq!(nodes, [linear(4), relu(), linear(4), add(1), linear(2)]);
        assert_eq!(left.get(4, Kind::Weight).map(<[f32]>::len), Some(8));
    }

    #[test]
    fn what_cannot_be_folded_says_why() {
        let text = |nodes: &[Node]| fold_batch_norm(nodes, &Parameters::new()).unwrap_err().to_string();
        assert!(
            text(&[batch_norm(), linear(2)]).contains("layer 0 (batch_norm) can't be folded: it reads the model's")
        );
        assert!(text(&[linear(2), relu(), batch_norm()]).contains("layer 2"));
        // Numbers are those of the nodes given, also when a norm was folded before.
        let entries =
            [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance].map(|kind| (1, kind, 2)).to_vec();
        let entries = [entries, vec![(0, Kind::Weight, 4), (0, Kind::Bias, 2)]].concat();
        let nodes = [linear(2), batch_norm(), relu(), batch_norm()];
        let error = fold_batch_norm(&nodes, &filled(&entries)).unwrap_err();
        assert!(error.to_string().starts_with("layer 3 (batch_norm) can't be folded"), "{error}");
        assert!(text(&[linear(2), batch_norm(), add(0)]).contains("others read the layer before it too"));
        assert!(text(&[linear(2), batch_norm()]).contains("there is no tensor 1.weight"));
    }
}
