use std::string::String;
use std::vec::Vec;

use super::fields::{Field, PROTOTYPES, fields};
use super::*;
use crate::graph::{Node, Shape, Update, add, conv1d, leaky_relu, linear, relu};
use crate::number::Format;
use crate::number::random::Key;
use crate::op::{Op, OpSet};

const NODES: [Node; 4] = [conv1d(16, 5).stride(2).padding(2), leaky_relu(0.01), add(0).frozen(), linear(4).bias_only()];
const GRAPH: Graph = Graph::new(Format::F32, Shape::d2(6, 50), &NODES);
const TEXT: &str = "emberlite-graph 1
input 6x50 f32
0 conv1d channels=16 kernel=5 stride=2 padding=2 groups=1 bias=1 update=full from=previous
1 leaky_relu slope=0x3c23d70a update=full from=previous
2 add update=frozen from=previous,0
3 linear outputs=4 bias=1 update=bias from=previous
";

/// Every operation that this build has, the host's too.
fn prototypes() -> Vec<Op> {
    PROTOTYPES.into_iter().chain(host::PROTOTYPES).collect()
}

fn text(graph: &Graph) -> String {
    let mut out = String::new();
    write_graph(graph, &mut out).unwrap();
    out
}

/// Numbers from the crate's own counter.
struct Random(Key, u32);

impl Random {
    fn below(&mut self, limit: u32) -> u32 {
        self.1 += 1;
        self.0.at(self.1) % limit
    }
    fn bits(&mut self) -> u32 {
        self.1 += 1;
        self.0.at(self.1)
    }
    /// A node with any operation and any attributes whatever, finite or not, sound or not.
    fn node(&mut self) -> Node {
        let all = prototypes();
        let mut op = all[self.below(all.len() as u32) as usize];
        for (_, field) in fields(&mut op).into_iter().flatten() {
            match field {
                Field::Count(n) => *n = self.bits() as u16,
                Field::Plane(pair) | Field::Line(pair, _) => *pair = (self.bits() as u16).to_le_bytes(),
                Field::Flag(flag) => *flag = self.below(2) == 1,
                Field::Real(real) => *real = f32::from_bits(self.bits()),
            }
        }
        let mut node = Node::new(op);
        for source in node.inputs.iter_mut().take(op.inputs()) {
            *source = [Source::Previous, Source::Input, Source::Node(self.bits() as u8)][self.below(3) as usize];
        }
        node.update = [Update::Frozen, Update::BiasOnly, Update::Full][self.below(3) as usize];
        node
    }
    fn nodes(&mut self) -> Vec<Node> {
        (0..self.below(MAX_NODES as u32 + 1)).map(|_| self.node()).collect()
    }
    fn graph<'a>(&mut self, nodes: &'a [Node]) -> Graph<'a> {
        let dims = [self.bits() as u16, self.bits() as u16, self.bits() as u16];
        let format = [Format::F32, Format::Fixed16][self.below(2) as usize];
        Graph::new(format, Shape::new(&dims[..1 + self.below(3) as usize]), nodes)
    }
}

#[test]
fn the_text_is_what_the_documentation_shows_and_reads_back() {
    assert_eq!(text(&GRAPH), TEXT);
    assert_eq!(parse_graph(TEXT).unwrap().graph(), GRAPH);
}

#[test]
fn any_graph_reads_back_to_the_same_bits() {
    for seed in 0..500 {
        let mut random = Random(Key::new(seed, 0, 0), 0);
        let nodes = random.nodes();
        let graph = random.graph(&nodes);
        let written = text(&graph);
        let back = parse_graph(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
        // Text and hash rather than `==`, for which a NaN attribute differs from itself.
        assert_eq!(text(&back.graph()), written);
        assert_eq!(layout_hash(&back.graph()), layout_hash(&graph));
    }
}

#[test]
fn the_hash_is_the_documented_one() {
    // Computed outside: in Python, from the documented bytes by the two lines of FNV-1a.
    const { assert!(layout_hash(&GRAPH) == 0xa2e5_3348_ad34_a4b5) };
}

#[test]
fn the_hash_sees_every_attribute_and_source_but_no_update_rule() {
    let mut random = Random(Key::new(1, 2, 3), 0);
    for prototype in prototypes() {
        let nodes = [relu(), Node::new(prototype)];
        let hash = |nodes: &[Node]| layout_hash(&Graph::new(Format::F32, Shape::d1(8), nodes));
        let plain = hash(&nodes);
        for place in 0..fields(&mut nodes[1].op.clone()).iter().flatten().count() {
            let mut other = nodes;
            match fields(&mut other[1].op).into_iter().flatten().nth(place).unwrap().1 {
                Field::Count(n) => *n ^= 1 << random.below(16),
                Field::Plane(pair) | Field::Line(pair, _) => pair[random.below(2) as usize] ^= 1 << random.below(8),
                Field::Flag(flag) => *flag = !*flag,
                Field::Real(real) => *real = f32::from_bits(real.to_bits() ^ 1 << random.below(32)),
            }
            assert_ne!(hash(&other), plain, "{} attribute {place}", prototype.name());
        }
        for input in 0..prototype.inputs() {
            let mut other = nodes;
            // The second input is the graph's input already.
            other[1].inputs[input] = if input == 0 { Source::Input } else { Source::Node(0) };
            assert_ne!(hash(&other), plain, "{} input {input}", prototype.name());
        }
        let same = [
            relu().frozen(),
            Node { inputs: [Source::Node(0), nodes[1].inputs[1]], update: Update::BiasOnly, ..nodes[1] },
        ];
        assert_eq!(hash(&same), plain, "{}", prototype.name());
        assert_ne!(layout_hash(&Graph::new(Format::Fixed16, Shape::d1(8), &nodes)), plain);
        assert_ne!(layout_hash(&Graph::new(Format::F32, Shape::d2(8, 1), &nodes)), plain);
    }
}

#[test]
fn every_operation_has_a_prototype_of_its_own_name() {
    let all = prototypes();
    for (place, op) in all.iter().enumerate() {
        assert!(all[..place].iter().all(|other| other.name() != op.name()), "{} twice", op.name());
    }
    // Every kind that `OpKind` lists, read from its source: no list here that could be forgotten.
    let source = include_str!("../../op/kind.rs");
    let listed = source.split_once("pub enum OpKind {").and_then(|(_, rest)| rest.split_once('}')).unwrap().0;
    for kind in listed.split(',').map(str::trim).filter(|kind| !kind.is_empty()) {
        let has = (kind == "Host" && all.len() == PROTOTYPES.len())
            || all.iter().any(|op| std::format!("{:?}", op.kind()) == kind);
        assert!(has, "no prototype of {kind}: graphs with it can be written and not read");
    }
}

#[test]
fn sets_know_what_their_operations_have() {
    let shapes = [Shape::d1(4), Shape::d2(4, 4), Shape::d3(4, 4, 4)];
    for mut op in PROTOTYPES {
        for (_, field) in fields(&mut op).into_iter().flatten() {
            match field {
                Field::Count(n) => *n = 1,
                Field::Real(real) => *real = 0.5,
                Field::Plane(_) | Field::Line(..) | Field::Flag(_) => {}
            }
        }
        let set = OpSet::NONE.with(&op);
        assert_eq!(set.has_second_input(), op.inputs() == 2, "{}", op.name());
        let facts = shapes.iter().find_map(|&x| op.facts(x, x).ok()).expect("one of the shapes fits");
        assert_eq!(set.has_statistics(), facts.parameters[2] > 0, "{}", op.name());
    }
}

#[test]
fn mistakes_are_named_with_their_line() {
    let head = "emberlite-graph 1\ninput 4 f32\n";
    let node = |line: &str| parse_graph(&std::format!("{head}{line}")).map(|_| ()).unwrap_err();
    assert_eq!(parse_graph("").unwrap_err(), TextError::NotAGraph);
    assert_eq!(parse_graph("emberlite-graph 2\n").unwrap_err(), TextError::Version { supported: 1 });
    assert_eq!(parse_graph("emberlite-graph 1\n").unwrap_err(), TextError::Input { line: 0 });
    for input in
        ["input 4x f32", "input 4 f64", "input 1x2x3x4 f32", "input 4 f32 more", "output 4 f32", "input 65536 f32"]
    {
        let text = std::format!("emberlite-graph 1\n\n{input}\n");
        assert_eq!(parse_graph(&text).unwrap_err(), TextError::Input { line: 3 }, "{input}");
    }
    assert_eq!(node("1 relu update=full from=previous"), TextError::Index { line: 3, needed: 0 });
    assert_eq!(node("0 gleu update=full from=previous"), TextError::Operation { line: 3 });
    assert_eq!(node("0"), TextError::Operation { line: 3 });
    assert_eq!(node("0 relu slope=1 update=full from=previous"), TextError::Key { line: 3, word: 3 });
    assert_eq!(node("0 relu update=full update=full from=previous"), TextError::Key { line: 3, word: 4 });
    assert_eq!(node("0 relu update=full"), TextError::Missing { line: 3, key: "from" });
    assert_eq!(node("0 linear bias=1 update=full from=previous"), TextError::Missing { line: 3, key: "outputs" });
    for (line, key) in [
        ("0 linear outputs=65536 bias=1 update=full from=previous", "outputs"),
        ("0 linear outputs=4 bias=2 update=full from=previous", "bias"),
        ("0 leaky_relu slope=0.01 update=full from=previous", "slope"),
        ("0 leaky_relu slope=0x3c23d70 update=full from=previous", "slope"),
        ("0 leaky_relu slope=0x+c23d70a update=full from=previous", "slope"),
        ("0 max_pool2d window=2 stride=2x2 padding=0x0 floor=0 update=full from=previous", "window"),
        ("0 relu update=half from=previous", "update"),
        ("0 relu update=full from=previous,0", "from"),
        ("0 add update=full from=previous", "from"),
    ] {
        assert_eq!(node(line), TextError::Value { line: 3, key }, "{line}");
    }
    let many: String = (0..=MAX_NODES).map(|i| std::format!("{i} relu update=full from=previous\n")).collect();
    assert_eq!(node(&many), TextError::TooManyNodes { line: 67, limit: 64 });
}

#[test]
fn damaged_text_is_a_graph_or_an_error_and_never_a_panic() {
    let mut refused = 0;
    for seed in 0..10_000 {
        let mut random = Random(Key::new(seed, 1, 0), 0);
        let nodes = [random.node(), random.node(), random.node()];
        let mut bytes = if seed % 4 == 0 {
            (0..random.below(400)).map(|_| random.bits() as u8).collect()
        } else {
            text(&random.graph(&nodes)).into_bytes()
        };
        for _ in 0..random.below(8) {
            let at = random.below(bytes.len().max(1) as u32) as usize;
            match random.below(4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at.min(bytes.len()), b" =x,\n0916"[random.below(9) as usize]),
                2 => drop(bytes.get_mut(at).map(|byte| *byte ^= 1 << random.below(8))),
                _ => bytes.extend_from_within(at.min(bytes.len())..),
            }
        }
        let damaged = String::from_utf8_lossy(&bytes);
        match parse_graph(&damaged) {
            Ok(buffer) => assert!(parse_graph(&text(&buffer.graph())).is_ok()),
            Err(error) => {
                refused += 1;
                assert!(!std::format!("{error}").is_empty());
            }
        }
    }
    // The rest is text in which nothing was damaged, or a digit became another.
    assert!((5_000..9_500).contains(&refused), "{refused} of 10000 were refused");
}

#[test]
fn ops_that_ignore_an_attribute_do_not_write_it() {
    let mut relu6 = Op::Activation(crate::op::Activation { kind: crate::op::ActivationKind::Relu6, slope: 0.5 });
    assert_eq!(fields(&mut relu6).iter().flatten().count(), 0);
}
