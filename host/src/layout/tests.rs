use super::*;
use emberlite::graph::*;
use emberlite::image::Kind;
use emberlite::number::Format;
use emberlite::plan::plan;

/// Packed tensors are as long as the operation says, whatever the attributes.
#[test]
fn pieces_fill_the_tensors() {
    let (sequence, image) = (Shape::d2(6, 8), Shape::d3(4, 6, 5));
    let cases = [
        (sequence, attention(2)),
        (sequence, attention(4).no_bias()),
        (sequence, conv_transpose1d(3, 4).stride(2)),
        (image, conv_transpose2d(3, 2).no_bias()),
        (Shape::d1(7), embedding(11, 3)),
        (image, group_norm(2)),
        (sequence, positional_embedding()),
        (sequence, positional_encoding()),
        (sequence, lstm(5)),
        (sequence, lstm(5).bidirectional().last()),
        (sequence, gru(3).no_bias().bidirectional()),
        (sequence, sequence_layer_norm()),
        (sequence, sequence_linear(9)),
        (sequence, sequence_linear(9).no_bias()),
        (sequence, gelu()),
        (image, conv2d(6, 3).groups(2)),
        (sequence, conv1d(5, 3).no_bias()),
        (sequence, layer_norm()),
        (image, batch_norm()),
        (Shape::d1(7), linear(4)),
    ];
    for (input, node) in cases {
        let facts = node.op.facts(input, input).unwrap();
        let pieces = pieces(&node.op, input, &facts);
        let kinds = [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance];
        let lens = kinds.map(|kind| pieces.iter().filter(|p| p.kind == kind).map(Piece::len).sum::<usize>() as u32);
        assert_eq!(lens, facts.parameters, "{}", node.op.name());
        // Packed by kind, so that a kind's pieces lie together.
        assert!(pieces.is_sorted_by_key(|piece| kinds.iter().position(|kind| *kind == piece.kind)));
    }
}

/// Where the device has a plan, shapes, parameters and MACs are its own.
#[test]
fn what_the_device_plans_is_the_same() {
    let nodes = [conv2d(4, 3).padding(1), batch_norm(), relu(), add(0), max_pool2d(2), flatten(), linear(3)];
    let graph = Graph::new(Format::F32, Shape::d3(2, 6, 8), &nodes);
    let layers = infer(&graph).unwrap();
    let planned = plan::<8>(&graph, None).unwrap();
    for (layer, step) in layers.iter().zip(planned.view().steps) {
        assert_eq!((layer.input, layer.facts.output), (step.input, step.output));
    }
    let total = |of: fn(&Facts) -> u64| layers.iter().map(|layer| of(&layer.facts)).sum::<u64>();
    assert_eq!(total(|f| f.macs.into()), planned.summary.macs_forward);
    assert_eq!(total(|f| (f.parameters[0] + f.parameters[1]).into()), u64::from(planned.summary.parameters));
}

#[test]
fn mistakes_are_the_planners() {
    let of = |input, nodes: &[Node]| {
        let graph = Graph::new(Format::F32, input, nodes);
        let (ours, device) = (infer(&graph).unwrap_err(), plan::<8>(&graph, None).unwrap_err());
        assert_eq!(ours, device);
    };
    let x = Shape::d1(4);
    of(x, &[]);
    of(Shape::d1(0), &[relu()]);
    of(x, &[relu().from(1), relu()]);
    of(x, &[linear(3), relu().from_input()]);
    of(x, &[conv2d(3, 3)]);
    of(Shape::d2(4, 2), &[linear(3), add(0).from_input()]);
    let many = vec![relu(); MAX_LAYERS + 1];
    let error = infer(&Graph::new(Format::F32, x, &many)).unwrap_err();
    assert_eq!(error.kind, PlanErrorKind::TooManyNodes { limit: 249, got: 250 });
    // The device has no attention, the host has; more nodes than the device's 64 fit.
    assert!(infer(&Graph::new(Format::F32, x, &many[..MAX_LAYERS])).is_ok());
    assert!(infer(&Graph::new(Format::F32, Shape::d2(4, 4), &[attention(2), lstm(3)])).is_ok());
}
