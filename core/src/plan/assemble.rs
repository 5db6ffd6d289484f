//! The last stage: every step's places, and the totals.

use super::arena::{Buffer, KINDS};
use super::settings::Training;
use super::step::{Dx, Errors, Parameter, Place, Plan, Region, Step, Summary};
use super::value::{
    BACKWARD, ERROR, FORWARD, INPUT, OUTPUT, SAVED, Value, keeps_nothing, last_reader, read, shape_of, trains,
    wants_input_error,
};
use crate::graph::Graph;
use crate::shape::Shape;

/// Hands out the words in front of the arena.
struct Cursor(u32);

impl Cursor {
    const fn take(&mut self, len: u32) -> Region {
        let region = Region { at: self.0, len };
        self.0 += len;
        region
    }
}

pub(super) const fn assemble<const N: usize>(
    graph: &Graph<'_>,
    training: Option<&Training>,
    values: &[Value; N],
    buffers: &[[Buffer; N]; KINDS],
    height: u32,
    live: u32,
) -> Plan<N> {
    let n = graph.nodes.len();
    let unused = Step {
        input: Shape::d1(0),
        output: Shape::d1(0),
        x: [Place::None; 2],
        y: Place::None,
        in_place: false,
        elementwise: false,
        reads_output: false,
        reads_input: false,
        saved: Region::NONE,
        scratch_forward: Region::NONE,
        scratch_backward: Region::NONE,
        parameters: [Parameter::NONE; 2],
        running: [Parameter::NONE; 2],
        bounds: Region::NONE,
        errors: Errors { dy: Region::NONE, dx: [Dx::None; 2] },
        trained: false,
        consumers: 0,
        scales: [0; 3],
    };
    let mut steps = [unused; N];
    let format = graph.format;
    let value_bytes = format.value_bytes();
    let (mut parameters, mut trainable, mut flash) = (0, 0, 0);
    let (mut forward, mut total, mut moved) = (0u64, 0u64, 0u64);
    let mut cursor = Cursor(0);
    let scales = match format {
        crate::number::Format::F32 => Region::NONE,
        crate::number::Format::Fixed16 => cursor.take(n as u32 + 1),
    };
    // Parameters first, then state, then gradients, so that each lies together.
    let mut i = 0;
    while i < n {
        let node = &graph.nodes[i];
        let facts = values[i].facts;
        let mut k = 0;
        while k < 2 {
            let len = facts.parameters[k];
            steps[i].parameters[k].len = len;
            parameters += len;
            flash += len * value_bytes;
            if training.is_some() && len > 0 && trains(node.update, k) {
                steps[i].parameters[k].region = cursor.take(format.words(len));
                steps[i].trained = true;
                trainable += len;
            } else if len > 0 {
                steps[i].parameters[k].offset = cursor.take(1);
            }
            k += 1;
        }
        let mut k = 0;
        while k < 2 {
            let len = facts.parameters[2 + k];
            steps[i].running[k].len = len;
            flash += len * value_bytes;
            if len > 0 && steps[i].trained {
                steps[i].running[k].region = cursor.take(format.words(len));
            } else if len > 0 {
                steps[i].running[k].offset = cursor.take(1);
            }
            k += 1;
        }
        if values[i].needs_error && facts.parameters[0] > 0 && matches!(format, crate::number::Format::F32) {
            steps[i].bounds = cursor.take(2);
        }
        steps[i].consumers = values[i].consumers as u16;
        i += 1;
    }
    let parameter_words = cursor.0;
    let (slots, buffered, batched) = match training {
        Some(t) => (t.optimizer.state_slots(), t.needs_gradient_buffer(), t.batch > 1),
        None => (0, false, false),
    };
    let mut slot = 0;
    while slot < slots {
        let mut i = 0;
        while i < n {
            let mut k = 0;
            while k < 2 {
                if steps[i].parameters[k].region.is_some() {
                    steps[i].parameters[k].state[slot] = cursor.take(steps[i].parameters[k].len);
                }
                k += 1;
            }
            i += 1;
        }
        slot += 1;
    }
    let state_words = cursor.0 - parameter_words;
    let mut i = 0;
    while i < n && buffered {
        let mut k = 0;
        while k < 2 {
            if steps[i].parameters[k].region.is_some() {
                steps[i].parameters[k].gradient = cursor.take(steps[i].parameters[k].len);
            }
            if batched && steps[i].running[k].region.is_some() {
                steps[i].running[k].gradient = cursor.take(steps[i].running[k].region.len);
            }
            k += 1;
        }
        i += 1;
    }
    let persistent = cursor.0;
    let gradient_words = persistent - parameter_words - state_words;

    let mut i = 0;
    while i < n {
        let node = &graph.nodes[i];
        let value = &values[i];
        let facts = value.facts;
        let step = &mut steps[i];
        let x = read(graph, i, 0);
        step.input = shape_of(graph, values, x);
        step.output = facts.output;
        step.in_place = value.in_place;
        step.elementwise = facts.elementwise;
        step.reads_output = value.reads_output;
        step.reads_input = facts.keep.input_for_error && !keeps_nothing(node, &facts);
        step.y = place_of(values, buffers, persistent, i + 1);
        step.saved = region(&buffers[SAVED][i], persistent);
        step.scratch_forward = region(&buffers[FORWARD][i], persistent);
        step.scratch_backward = region(&buffers[BACKWARD][i], persistent);
        if value.needs_error {
            step.errors.dy = error_region(values, buffers, persistent, i);
        }
        let mut k = 0;
        while k < node.op.inputs() {
            let x = read(graph, i, k);
            step.x[k] = place_of(values, buffers, persistent, x);
            step.scales[k] = if x == 0 { 0 } else { values[x - 1].scale };
            moved += shape_of(graph, values, x).elements() as u64 * value_bytes as u64;
            if x > 0 && values[x - 1].needs_error {
                // An `add` of a value to itself gives the error of its second input first.
                let twice = k == 0 && node.op.inputs() == 2 && read(graph, i, 1) == x;
                let shared = k == 0 && values[x - 1].error_root == value.error_root && values[x - 1].consumers == 1;
                let target = error_region(values, buffers, persistent, x - 1);
                step.errors.dx[k] = if shared {
                    Dx::Shared
                } else if last_reader(graph, x) == i && !twice {
                    Dx::Write(target)
                } else {
                    Dx::Accumulate(target)
                };
            }
            k += 1;
        }
        step.scales[2] = value.scale;
        forward += facts.macs as u64;
        total += facts.macs as u64;
        if value.needs_error {
            if wants_input_error(graph, values, i) {
                total += facts.macs as u64;
            }
            if facts.parameters[0] > 0 && trains(node.update, 0) {
                total += facts.macs as u64;
            }
        }
        let own = facts.parameters[0] + facts.parameters[1] + facts.parameters[2] + facts.parameters[3];
        moved += (own + facts.output.elements()) as u64 * value_bytes as u64;
        i += 1;
    }
    let summary = Summary {
        nodes: n as u32,
        inputs: graph.input.elements(),
        outputs: values[n - 1].facts.output.elements(),
        output: steps[n - 1].y,
        output_error: steps[n - 1].errors.dy,
        output_scale: values[n - 1].scale,
        scales,
        words: persistent + height,
        persistent_words: persistent,
        live_words: persistent + live,
        trainable,
        parameters,
        parameter_bytes: parameter_words * 4,
        state_bytes: state_words * 4,
        gradient_bytes: gradient_words * 4,
        working_bytes: height * 4,
        flash_bytes: flash,
        macs_forward: forward,
        macs_training: total,
        bytes_moved: moved,
    };
    Plan { steps, summary }
}

const fn region(b: &Buffer, base: u32) -> Region {
    if b.words == 0 { Region::NONE } else { Region { at: base + b.at, len: b.words } }
}

const fn place_of<const N: usize>(
    values: &[Value; N],
    buffers: &[[Buffer; N]; KINDS],
    base: u32,
    value: usize,
) -> Place {
    let root = if value == 0 { INPUT } else { values[value - 1].root };
    if root == INPUT {
        return Place::Input;
    }
    Place::Arena(region(&buffers[OUTPUT][root], base))
}

const fn error_region<const N: usize>(
    values: &[Value; N],
    buffers: &[[Buffer; N]; KINDS],
    base: u32,
    node: usize,
) -> Region {
    region(&buffers[ERROR][values[node].error_root], base)
}
