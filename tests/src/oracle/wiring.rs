//! Which output hangs on which input through which weight, as lists.

use emberlite::graph::{Graph, Shape, Source};
use emberlite::op::{Conv, Op, Pool};

/// `y[output]` contains `w[weight] * x[input]`.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// Index of the output.
    pub output: usize,
    /// Index of the weight.
    pub weight: usize,
    /// Index of the input.
    pub input: usize,
}

/// The value that input `k` of node `i` reads: 0 is the graph's input, `j + 1` the output of node `j`.
pub fn read(graph: &Graph, i: usize, k: usize) -> usize {
    match graph.nodes[i].inputs[k] {
        Source::Input => 0,
        Source::Previous => i,
        Source::Node(j) => j as usize + 1,
    }
}

/// The shapes of all values: the input's, then every node's output's.
pub fn shapes(graph: &Graph) -> Vec<Shape> {
    let mut shapes = vec![graph.input];
    for (i, node) in graph.nodes.iter().enumerate() {
        let x = shapes[read(graph, i, 0)];
        let (channels, h, w) = x.planes();
        let windowed = |channels, window: [u8; 2], stride: [u8; 2], padding: [u8; 2]| {
            let fit = |size: u16, d: usize| {
                let [window, stride, padding] = [window[d], stride[d], padding[d]].map(u16::from);
                (size + 2 * padding - window) / stride + 1
            };
            if x.rank() == 2 { Shape::d2(channels, fit(w, 1)) } else { Shape::d3(channels, fit(h, 0), fit(w, 1)) }
        };
        shapes.push(match node.op {
            Op::Linear(a) => Shape::d1(a.outputs),
            Op::Conv(c) => windowed(c.channels, c.kernel, c.stride, c.padding),
            Op::Pool(p) => windowed(channels, p.window, p.stride, p.padding),
            Op::GlobalAveragePool(_) => Shape::d1(channels),
            Op::Flatten => Shape::d1(x.elements() as u16),
            Op::Add | Op::Activation(_) | Op::Dropout(_) | Op::LayerNorm(_) | Op::BatchNorm(_) => x,
            Op::Host(op) => unreachable!("the planner refuses {}", op.name()),
        });
    }
    shapes
}

/// The wires of a linear layer or a convolution, by output, then by weight. Where a window hangs over the edge there is
/// no wire: a zero there would change no sum.
pub fn wires(op: &Op, input: Shape, output: Shape) -> Vec<Wire> {
    match op {
        Op::Linear(_) => {
            let (inputs, outputs) = (input.elements() as usize, output.elements() as usize);
            let row = |o| (0..inputs).map(move |i| Wire { output: o, weight: o * inputs + i, input: i });
            (0..outputs).flat_map(row).collect()
        }
        Op::Conv(conv) => convolution(conv, input, output),
        _ => Vec::new(),
    }
}

fn convolution(conv: &Conv, input: Shape, output: Shape) -> Vec<Wire> {
    let ((c, h, w), (oc, oh, ow)) = (sizes(input), sizes(output));
    let groups = conv.groups as usize;
    let (per_group, outs_per_group) = (c / groups, oc / groups);
    let [kh, kw] = conv.kernel.map(usize::from);
    let mut wires = Vec::new();
    for o in 0..oc {
        for oy in 0..oh {
            for ox in 0..ow {
                for i in 0..per_group {
                    for ky in 0..kh {
                        for kx in 0..kw {
                            let iy = inside(oy, conv.stride[0], ky, conv.padding[0], h);
                            let ix = inside(ox, conv.stride[1], kx, conv.padding[1], w);
                            let (Some(iy), Some(ix)) = (iy, ix) else { continue };
                            let channel = o / outs_per_group * per_group + i;
                            wires.push(Wire {
                                output: (o * oh + oy) * ow + ox,
                                weight: ((o * per_group + i) * kh + ky) * kw + kx,
                                input: (channel * h + iy) * w + ix,
                            });
                        }
                    }
                }
            }
        }
    }
    wires
}

/// For each output of a pooling layer the inputs in its window, row by row.
pub fn windows(pool: &Pool, input: Shape, output: Shape) -> Vec<Vec<usize>> {
    let ((_, h, w), (c, oh, ow)) = (sizes(input), sizes(output));
    let mut windows = Vec::new();
    for channel in 0..c {
        for oy in 0..oh {
            for ox in 0..ow {
                let mut window = Vec::new();
                for ky in 0..pool.window[0] as usize {
                    for kx in 0..pool.window[1] as usize {
                        let iy = inside(oy, pool.stride[0], ky, pool.padding[0], h);
                        let ix = inside(ox, pool.stride[1], kx, pool.padding[1], w);
                        if let (Some(iy), Some(ix)) = (iy, ix) {
                            window.push((channel * h + iy) * w + ix);
                        }
                    }
                }
                windows.push(window);
            }
        }
    }
    windows
}

/// Channels, height, width.
pub fn sizes(shape: Shape) -> (usize, usize, usize) {
    let (c, h, w) = shape.planes();
    (c as usize, h as usize, w as usize)
}

/// The input index under element `k` of window `o`, unless that is padding.
fn inside(o: usize, stride: u8, k: usize, padding: u8, len: usize) -> Option<usize> {
    (o * stride as usize + k).checked_sub(padding as usize).filter(|&i| i < len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use emberlite::graph::{conv2d_with, linear};

    #[test]
    fn a_convolution_by_hand() {
        // A 1x2 kernel over a 1x2 image padded by one column on each side: 3 outputs, the middle one sees both inputs.
        let conv = conv2d_with(1, [1, 2], [1, 1], [0, 1]).op;
        let wires = wires(&conv, Shape::d3(1, 1, 2), Shape::d3(1, 1, 3));
        let wires: Vec<_> = wires.iter().map(|w| (w.output, w.weight, w.input)).collect();
        assert_eq!(wires, [(0, 1, 0), (1, 0, 0), (1, 1, 1), (2, 0, 1)]);
        assert_eq!(super::wires(&linear(3).op, Shape::d1(2), Shape::d1(3)).len(), 6);
    }
}
