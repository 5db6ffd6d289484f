//! The planning itself, in order: shapes, who needs what, lifetimes, places, totals.

use super::arena::{self, Buffer, KINDS};
use super::error::{PlanError, PlanErrorKind};
use super::settings::Training;
use super::step::{Dx, Errors, Parameter, Place, Plan, Region, Step, Summary};
use crate::graph::{Graph, Node, Shape, Update};
use crate::op::{Facts, Op};

/// Elements beyond which a tensor is refused: word counts stay far inside `u32`.
const MAX_ELEMENTS: u32 = 1 << 24;

// The kinds of buffer in the arena, by owner.
const OUTPUT: usize = 0;
const SAVED: usize = 1;
const FORWARD: usize = 2;
const BACKWARD: usize = 3;
const ERROR: usize = 4;

/// What is known of a value: index 0 of a model is its input, here values of nodes alone are kept.
#[derive(Clone, Copy)]
struct Value {
    facts: Facts,
    /// How many nodes read it.
    consumers: u32,
    /// Whether anything at or before its node is trained.
    needs_error: bool,
    /// The node whose output memory it uses; `INPUT` for the caller's.
    root: usize,
    /// Another node works in place on this value's memory afterwards.
    overwritten: bool,
    /// The node whose error memory the error at this value uses.
    error_root: usize,
    /// Which value's fixed-point scale it has (0 = the input's).
    scale: u8,
    in_place: bool,
    reads_output: bool,
}

const INPUT: usize = usize::MAX;

/// Plans a graph: for training with `Some` settings (then the input must be kept by the caller during a step), for
/// prediction alone with `None` (every parameter stays in flash).
///
/// `N` is the most nodes the plan can hold. Costs about `25 N²` steps of buffer comparison.
pub const fn plan<const N: usize>(graph: &Graph<'_>, training: Option<&Training>) -> Result<Plan<N>, PlanError> {
    let n = graph.nodes.len();
    if n == 0 {
        return Err(PlanError::general(PlanErrorKind::Empty));
    }
    if n > N || n > 250 {
        return Err(PlanError::general(PlanErrorKind::TooManyNodes {
            limit: if N > 250 { 250 } else { N as u32 },
            got: n as u32,
        }));
    }
    if graph.input.rank() == 0 || graph.input.elements() == 0 || graph.input.elements() > MAX_ELEMENTS {
        return Err(PlanError::general(PlanErrorKind::InputShape));
    }
    let mut values = match shapes::<N>(graph, training) {
        Ok(values) => values,
        Err(e) => return Err(e),
    };
    if let Some(settings) = training
        && let Err(e) = check_settings(graph, settings, &values, n)
    {
        return Err(e);
    }
    share_memory(graph, &mut values);
    let buffers = lifetimes(graph, &mut values, training.is_some());
    let (buffers, height) = arena::place(&buffers, 2 * n as u32 + 1);
    let live = arena::live_peak(&buffers, 2 * n as u32 + 1);
    Ok(assemble(graph, training, &values, &buffers, height, live))
}

/// Whether parameter `index` (0 weight, 1 bias) of a node is trained.
const fn trains(update: Update, index: usize) -> bool {
    match update {
        Update::Frozen => false,
        Update::BiasOnly => index == 1,
        Update::Full => true,
    }
}

/// Whether any parameter of a node is trained.
const fn has_trained(node: &Node, facts: &Facts) -> bool {
    (facts.parameters[0] > 0 && trains(node.update, 0)) || (facts.parameters[1] > 0 && trains(node.update, 1))
}

/// A frozen batch norm scales and shifts by constants: its backward pass needs neither its input nor the sample's
/// statistics.
const fn uses_running_statistics(node: &Node, facts: &Facts) -> bool {
    matches!(node.op, Op::BatchNorm(_)) && !has_trained(node, facts)
}

/// The value that input `index` of node `i` reads: 0 = the graph's input, `k + 1` = node `k`'s output.
const fn read(graph: &Graph<'_>, i: usize, index: usize) -> usize {
    graph.nodes[i].inputs[index].value(i)
}

const fn shape_of<const N: usize>(graph: &Graph<'_>, values: &[Value; N], value: usize) -> Shape {
    if value == 0 { graph.input } else { values[value - 1].facts.output }
}

const fn shapes<const N: usize>(graph: &Graph<'_>, training: Option<&Training>) -> Result<[Value; N], PlanError> {
    let unknown = Value {
        facts: Facts::plain(Shape::d1(0)),
        consumers: 0,
        needs_error: false,
        root: INPUT,
        overwritten: false,
        error_root: INPUT,
        scale: 0,
        in_place: false,
        reads_output: false,
    };
    let mut values = [unknown; N];
    let n = graph.nodes.len();
    let mut i = 0;
    while i < n {
        let node = &graph.nodes[i];
        let name = node.op.name();
        if !node.op.exists_in(graph.format) {
            let missing = PlanErrorKind::NotInFormat { what: name, format: graph.format.name() };
            return Err(PlanError::at(i, name, missing));
        }
        let mut needs_error = false;
        let mut k = 0;
        while k < node.op.inputs() {
            let value = read(graph, i, k);
            if value > i {
                return Err(PlanError::at(i, name, PlanErrorKind::Source { node: (value - 1) as u8 }));
            }
            if value > 0 {
                values[value - 1].consumers += 1;
                needs_error = needs_error || values[value - 1].needs_error;
            }
            k += 1;
        }
        let x = shape_of(graph, &values, read(graph, i, 0));
        let x2 = if node.op.inputs() == 2 { shape_of(graph, &values, read(graph, i, 1)) } else { x };
        let facts = match node.op.facts(x, x2) {
            Ok(facts) => facts,
            Err(e) => return Err(PlanError::at(i, name, PlanErrorKind::Operation(e))),
        };
        let too_large = facts.output.elements() == 0
            || facts.output.elements() > MAX_ELEMENTS
            || facts.parameters[0] > MAX_ELEMENTS
            || facts.scratch_backward_words() > MAX_ELEMENTS;
        if too_large {
            return Err(PlanError::at(i, name, PlanErrorKind::Operation(crate::op::OpError::TooLarge)));
        }
        let has_trained = has_trained(node, &facts);
        if let Op::BatchNorm(_) = node.op
            && training.is_some()
            && has_trained
            && x.positions() < 2
        {
            return Err(PlanError::at(i, name, PlanErrorKind::Operation(crate::op::OpError::OnePosition { got: x })));
        }
        values[i].facts = facts;
        values[i].needs_error = training.is_some() && (needs_error || has_trained);
        i += 1;
    }
    let mut i = 0;
    while i + 1 < n {
        if values[i].consumers == 0 {
            return Err(PlanError::at(i, graph.nodes[i].op.name(), PlanErrorKind::Unused));
        }
        i += 1;
    }
    Ok(values)
}

const fn check_settings<const N: usize>(
    graph: &Graph<'_>,
    t: &Training,
    values: &[Value; N],
    n: usize,
) -> Result<(), PlanError> {
    let format = graph.format;
    let missing = if !t.loss.exists_in(format) {
        t.loss.name()
    } else if !t.optimizer.exists_in(format) {
        t.optimizer.name()
    } else if !t.schedule.exists_in(format) {
        "this schedule"
    } else if !t.clip.exists_in(format) {
        "clipping by the global norm"
    } else {
        ""
    };
    if !missing.is_empty() {
        return Err(PlanError::general(PlanErrorKind::NotInFormat { what: missing, format: format.name() }));
    }
    let checks = [
        t.loss.check(),
        t.optimizer.check_in(format),
        t.schedule.check(),
        t.clip.check(),
        t.penalty.check_in(format),
        if t.batch >= 1 && t.batch <= 65536 { Ok(()) } else { Err("batch must be 1 to 65536") },
        if matches!(format, crate::number::Format::F32) || t.batch.is_power_of_two() {
            Ok(())
        } else {
            Err("batch must be a power of two in fixed16")
        },
    ];
    let mut i = 0;
    while i < checks.len() {
        if let Err(text) = checks[i] {
            return Err(PlanError::general(PlanErrorKind::Setting(text)));
        }
        i += 1;
    }
    if !values[n - 1].needs_error {
        return Err(PlanError::general(PlanErrorKind::NothingToTrain));
    }
    let output = values[n - 1].facts.output;
    if t.loss.takes_class() && (output.rank() != 1 || output.elements() < 2) {
        return Err(PlanError::general(PlanErrorKind::LabelNeedsClasses { outputs: output.elements() }));
    }
    Ok(())
}

/// Decides which nodes work in place, forward and backward, and which scale every value has.
const fn share_memory<const N: usize>(graph: &Graph<'_>, values: &mut [Value; N]) {
    let n = graph.nodes.len();
    let mut i = 0;
    while i < n {
        let x = read(graph, i, 0);
        let facts = values[i].facts;
        values[i].root = i;
        values[i].scale = i as u8 + 1;
        let same_scale = facts.elementwise || facts.alias || is_max_pool(&graph.nodes[i].op);
        if same_scale {
            values[i].scale = if x == 0 { 0 } else { values[x - 1].scale };
        }
        if facts.alias {
            values[i].root = if x == 0 { INPUT } else { values[x - 1].root };
            values[i].in_place = true;
        } else if facts.elementwise && x > 0 && values[x - 1].root != INPUT && may_overwrite(graph, values, x) {
            values[i].root = values[x - 1].root;
            values[i].in_place = true;
            // Mark every alias of the value as overwritten.
            let mut v = x;
            loop {
                values[v - 1].overwritten = true;
                if !values[v - 1].facts.alias {
                    break;
                }
                v = read(graph, v - 1, 0);
            }
        }
        i += 1;
    }
    // Errors: from the last node backwards, an input's error uses the output's memory where it is its only reader.
    let mut i = n;
    while i > 0 {
        i -= 1;
        if values[i].error_root == INPUT {
            values[i].error_root = i;
        }
        let x = read(graph, i, 0);
        let passes = values[i].facts.elementwise || values[i].facts.alias || matches!(graph.nodes[i].op, Op::Add);
        if passes && x > 0 && values[x - 1].consumers == 1 && values[x - 1].needs_error {
            values[x - 1].error_root = values[i].error_root;
        }
    }
}

const fn is_max_pool(op: &Op) -> bool {
    matches!(op, Op::Pool(p) if matches!(p.kind, crate::op::PoolKind::Max))
}

/// Whether a node may write over value `v`: it is the only reader, of every alias too, and no backward needs it.
const fn may_overwrite<const N: usize>(graph: &Graph<'_>, values: &[Value; N], v: usize) -> bool {
    let mut v = v;
    loop {
        let value = &values[v - 1];
        if value.consumers != 1 || (value.facts.keep.output && value.needs_error) {
            return false;
        }
        if !value.facts.alias {
            return true;
        }
        v = read(graph, v - 1, 0);
        if v == 0 {
            return false;
        }
    }
}

const fn later(a: u32, b: u32) -> u32 {
    if a > b { a } else { b }
}

const fn lifetimes<const N: usize>(graph: &Graph<'_>, values: &mut [Value; N], training: bool) -> [[Buffer; N]; KINDS] {
    let n = graph.nodes.len();
    let end = 2 * n as u32;
    let mut buffers = [[Buffer::NONE; N]; KINDS];
    // Outputs: from their node to their last reader, forward or backward.
    let mut i = 0;
    while i < n {
        let node = &graph.nodes[i];
        let facts = values[i].facts;
        let root = values[i].root;
        if root == i {
            buffers[OUTPUT][i] = Buffer::new(graph.format.words(facts.output.elements()), i as u32, i as u32);
        }
        if root != INPUT {
            let b = &mut buffers[OUTPUT][root];
            b.death = later(b.death, if i + 1 == n { n as u32 } else { i as u32 });
        }
        let backward = values[i].needs_error;
        let mut k = 0;
        while k < node.op.inputs() {
            let x = read(graph, i, k);
            let root = if x == 0 { INPUT } else { values[x - 1].root };
            if root != INPUT {
                let wants_error = values[x - 1].needs_error;
                let kept = backward
                    && ((facts.keep.input_for_parameters && trains(node.update, 0) && facts.parameters[0] > 0)
                        || (facts.keep.input_for_error && wants_error && !uses_running_statistics(node, &facts)));
                let b = &mut buffers[OUTPUT][root];
                b.death = later(b.death, if kept { end - i as u32 } else { i as u32 });
            }
            k += 1;
        }
        if backward && facts.keep.output {
            values[i].reads_output = true;
            if root != INPUT {
                buffers[OUTPUT][root].death = later(buffers[OUTPUT][root].death, end - i as u32);
            }
        }
        buffers[FORWARD][i] = Buffer::new(graph.format.words(facts.scratch_forward), i as u32, i as u32);
        i += 1;
    }
    // What is saved besides: rectifiers read their output where it is kept anyway, else they keep bits.
    let mut i = 0;
    while i < n {
        let facts = values[i].facts;
        let root = values[i].root;
        let node = &graph.nodes[i];
        let mut words = 0;
        if values[i].needs_error && training && !uses_running_statistics(node, &facts) {
            words = facts.keep.words;
            if facts.keep.mask_or_output && wants_input_error(graph, values, i) {
                let kept = root != INPUT && buffers[OUTPUT][root].death > n as u32;
                if kept && !is_overwritten(graph, values, i) {
                    values[i].reads_output = true;
                    buffers[OUTPUT][root].death = later(buffers[OUTPUT][root].death, end - i as u32);
                } else {
                    words = facts.output.elements().div_ceil(32);
                }
            }
        }
        // The statistics of a batch norm's sample move the running ones once the whole step is accepted.
        let death = if matches!(node.op, Op::BatchNorm(_)) { end } else { end - i as u32 };
        buffers[SAVED][i] = Buffer::new(words, i as u32, death);
        if values[i].needs_error {
            let t = end - i as u32;
            let mut scratch = 0;
            if wants_input_error(graph, values, i) {
                scratch = graph.format.words(facts.scratch_error);
            }
            if trains(graph.nodes[i].update, 0) && facts.parameters[0] > 0 {
                scratch = later(scratch, facts.scratch_gradient);
            }
            buffers[BACKWARD][i] = Buffer::new(scratch, t, t);
            // Errors: from the first consumer that runs backward (the loss for the last node) to the node itself.
            let root = values[i].error_root;
            let words = graph.format.words(facts.output.elements());
            if root == i {
                let birth = if i + 1 == n { n as u32 } else { end - last_reader(graph, i + 1) as u32 };
                buffers[ERROR][i] = Buffer::new(words, birth, t);
            }
        }
        i += 1;
    }
    // A shared error is born with its root, which stands after it in the graph, and lives on to its own node.
    let mut i = 0;
    while i < n {
        let root = values[i].error_root;
        if values[i].needs_error && root != i {
            buffers[ERROR][root].death = later(buffers[ERROR][root].death, end - i as u32);
        }
        i += 1;
    }
    buffers
}

/// Whether node `i` must give an error to any of its inputs.
const fn wants_input_error<const N: usize>(graph: &Graph<'_>, values: &[Value; N], i: usize) -> bool {
    let mut k = 0;
    while k < graph.nodes[i].op.inputs() {
        let x = read(graph, i, k);
        if x > 0 && values[x - 1].needs_error {
            return true;
        }
        k += 1;
    }
    false
}

/// Whether a later node works in place on the output of node `i` or on an alias of it.
const fn is_overwritten<const N: usize>(graph: &Graph<'_>, values: &[Value; N], i: usize) -> bool {
    if values[i].overwritten {
        return true;
    }
    let mut j = i + 1;
    while j < graph.nodes.len() {
        if values[j].facts.alias && read(graph, j, 0) == i + 1 {
            return is_overwritten(graph, values, j);
        }
        j += 1;
    }
    false
}

/// The last node that reads value `v`: the first to give it an error.
const fn last_reader(graph: &Graph<'_>, v: usize) -> usize {
    let (mut last, mut j) = (0, 0);
    while j < graph.nodes.len() {
        let mut k = 0;
        while k < graph.nodes[j].op.inputs() {
            if read(graph, j, k) == v {
                last = j;
            }
            k += 1;
        }
        j += 1;
    }
    last
}

/// Hands out the words in front of the arena.
struct Cursor(u32);

impl Cursor {
    const fn take(&mut self, len: u32) -> Region {
        let region = Region { at: self.0, len };
        self.0 += len;
        region
    }
}

const fn assemble<const N: usize>(
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
    let (slots, buffered) = match training {
        Some(t) => (t.optimizer.state_slots(), t.needs_gradient_buffer()),
        None => (0, false),
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
