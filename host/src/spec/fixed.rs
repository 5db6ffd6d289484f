//! The model as the device has it.
//!
//! In f32 that is the model as written. Fixed point has neither batch norm nor dropout: the first becomes part of the layer
//! before it when the model is exported, the second is left out, so the device's graph has fewer nodes than the host's.

use emberlite::graph::{Graph, MAX_NODES, Node};
use emberlite::image::Kind;
use emberlite::number::Format;
use emberlite::op::Op;
use emberlite::plan::{Plan, plan};

use super::ModelSpec;
use crate::Parameters;
use crate::quantize::{QuantizeError, fold_batch_norm, without_dropout};

/// A written layer, if it is one layer, and what is wrong with it.
type Fault = (Option<u8>, String);

/// The device's nodes, each with the index of the written layer that it comes from.
pub(super) fn device_nodes(model: &ModelSpec) -> Result<(Vec<Node>, Vec<usize>), Fault> {
    let goes = |node: &Node| matches!(node.op, Op::BatchNorm(_) | Op::Dropout(_));
    let all = (model.nodes.clone(), (0..model.nodes.len()).collect());
    if model.format == Format::F32 || !model.nodes.iter().any(goes) {
        return Ok(all);
    }
    let graph = Graph::new(Format::F32, model.input, &model.nodes);
    // What is wrong with the layers as they are written comes first, under the numbers that they are written with.
    let planned = plan::<MAX_NODES>(&graph, None).map(Box::new);
    let planned = planned.map_err(|error| (error.node, error.to_string()))?;
    let (nodes, _) = for_device(&model.nodes, &blank(&planned)).map_err(|error| match error {
        QuantizeError::Fold { node, .. } => (Some(node), error.to_string()),
        error => (None, error.to_string()),
    })?;
    let kept = (0..model.nodes.len()).filter(|&index| !model.nodes.get(index).is_some_and(goes));
    Ok((nodes, kept.collect()))
}

/// Takes dropout and batch norm out of a model that is to be quantised, and folds the latter into its layer. Dropout goes
/// first: it does nothing in a prediction, and must not stand between a layer and its norm.
///
/// # Errors
/// [`QuantizeError::Fold`] where a batch norm has no layer of its own before it; errors name the nodes that were given.
pub fn for_device(nodes: &[Node], parameters: &Parameters) -> Result<(Vec<Node>, Parameters), QuantizeError> {
    let stays = |(_, node): &(u8, &Node)| !matches!(node.op, Op::Dropout(_));
    let kept: Vec<u8> = (0u8..=u8::MAX).zip(nodes).filter(stays).map(|(index, _)| index).collect();
    let (nodes, parameters) = without_dropout(nodes, parameters);
    fold_batch_norm(&nodes, &parameters).map_err(|error| error.renumbered(&kept))
}

/// Parameters of the right sizes: folding changes graph and numbers in one go, and here only the graph matters.
fn blank(plan: &Plan<MAX_NODES>) -> Parameters {
    let mut parameters = Parameters::new();
    for (node, step) in (0u8..).zip(plan.view().steps) {
        let kinds = [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance];
        for (p, kind) in step.parameters.iter().chain(&step.running).zip(kinds).filter(|(p, _)| p.len > 0) {
            parameters.set(node, kind, vec![1.0; p.len as usize]);
        }
    }
    parameters
}

#[cfg(test)]
mod tests {
    use super::*;
    use emberlite::graph::{batch_norm, dropout, linear};

    #[test]
    fn a_norm_behind_dropout_folds_as_if_that_were_not_there() {
        let parameters = |norm: u8| {
            let mut parameters = Parameters::new();
            parameters.set(0, Kind::Weight, vec![1.0, 2.0, 3.0, 4.0]);
            parameters.set(0, Kind::Bias, vec![0.5, -0.5]);
            for (kind, values) in [
                (Kind::Weight, [3.0, 1.0]),
                (Kind::Bias, [0.5, -0.5]),
                (Kind::RunningMean, [1.0, 2.0]),
                (Kind::RunningVariance, [2.0, 0.75]),
            ] {
                parameters.set(norm, kind, values.to_vec());
            }
            parameters
        };
        let direct = for_device(&[linear(2), batch_norm()], &parameters(1)).unwrap();
        assert_eq!(direct.0, [linear(2)]);
        assert_eq!(for_device(&[linear(2), dropout(0.5), batch_norm()], &parameters(2)).unwrap(), direct);
        // What is wrong is named by the numbers that were given.
        let error = for_device(&[linear(2), dropout(0.5), batch_norm()], &parameters(1)).unwrap_err();
        assert_eq!(error, QuantizeError::Missing { node: 2, kind: Kind::Weight });
    }
}
