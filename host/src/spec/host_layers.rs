//! Layers that the host alone trains, from TOML to core's nodes. Keys are PyTorch's or Keras' words.
//!
//! | `op` | keys (default) |
//! |---|---|
//! | `attention` | `heads`, `causal` (false), `bias` (true) |
//! | `concat` | `from`, `axis` (0: a sample's first dimension) |
//! | `conv_transpose1d`, `conv_transpose2d` | `channels`, `kernel`, `stride` (1), `padding` (0), `output_padding` (0), `bias` (true) |
//! | `embedding` | `vocabulary`, `features` |
//! | `group_norm` | `groups`, `epsilon` (1e-5) |
//! | `gelu`, `silu`, `hard_swish`, `softmax` | `approximate` (`"none"` or `"tanh"`, of `gelu` alone) |
//! | `last_position`, `transpose` | |
//! | `lstm`, `gru` | `hidden`, `bidirectional` (false), `return_sequences` (true), `bias` (true) |
//! | `positional_encoding` | `learned` (false: sine and cosine) |
//! | `sequence_layer_norm` | `epsilon` (1e-5) |
//! | `sequence_linear` | `outputs`, `bias` (true) |
//! | `upsample1d`, `upsample2d` | `factor`, `mode` (`"nearest"`; `upsample2d` also `"bilinear"`) |

use emberlite::op::{
    Attention, Concat, ConvTranspose, Embedding, GroupNorm, HostOp, PositionalEncoding, Recurrent, RecurrentKind,
    SequenceLayerNorm, SequenceLinear, Smooth, Upsample, UpsampleMode,
};

use super::error::SpecError;
use super::layers::{bias, count, padding, single, window};
use super::section::Section;

/// The names of `op`.
pub(super) const OPS: [&str; 19] = [
    "attention",
    "concat",
    "conv_transpose1d",
    "conv_transpose2d",
    "embedding",
    "gelu",
    "group_norm",
    "gru",
    "hard_swish",
    "last_position",
    "lstm",
    "positional_encoding",
    "sequence_layer_norm",
    "sequence_linear",
    "silu",
    "softmax",
    "transpose",
    "upsample1d",
    "upsample2d",
];

/// The operation with its attributes; `None` if there is none of that name.
pub(super) fn op(name: &str, section: &mut Section<'_>) -> Result<Option<HostOp>, SpecError> {
    Ok(Some(match name {
        "attention" => HostOp::Attention(Attention {
            heads: count(section, "heads")?,
            causal: flag(section, "causal", false)?,
            bias: bias(section)?,
        }),
        "concat" => HostOp::Concat(Concat { axis: whole(section, "axis", 0, 0, 2)? }),
        "conv_transpose1d" => conv_transpose(1, section)?,
        "conv_transpose2d" => conv_transpose(2, section)?,
        "embedding" => HostOp::Embedding(Embedding {
            vocabulary: count(section, "vocabulary")?,
            features: count(section, "features")?,
        }),
        "gelu" => HostOp::Smooth(match choice(section, "approximate", &["none", "tanh"])? {
            1 => Smooth::GeluTanh,
            _ => Smooth::Gelu,
        }),
        "group_norm" => HostOp::GroupNorm(GroupNorm {
            groups: count(section, "groups")?,
            epsilon: single(section, "epsilon", 1e-5)?,
        }),
        "gru" => recurrent(RecurrentKind::Gru, section)?,
        "hard_swish" => HostOp::Smooth(Smooth::HardSwish),
        "last_position" => HostOp::LastPosition,
        "lstm" => recurrent(RecurrentKind::Lstm, section)?,
        "positional_encoding" => {
            HostOp::PositionalEncoding(PositionalEncoding { learned: flag(section, "learned", false)? })
        }
        "sequence_layer_norm" => {
            HostOp::SequenceLayerNorm(SequenceLayerNorm { epsilon: single(section, "epsilon", 1e-5)? })
        }
        "sequence_linear" => {
            HostOp::SequenceLinear(SequenceLinear { outputs: count(section, "outputs")?, bias: bias(section)? })
        }
        "silu" => HostOp::Smooth(Smooth::Silu),
        "softmax" => HostOp::Softmax,
        "transpose" => HostOp::Transpose,
        "upsample1d" => upsample(1, section)?,
        "upsample2d" => upsample(2, section)?,
        _ => return Ok(None),
    }))
}

fn conv_transpose(rank: u8, section: &mut Section<'_>) -> Result<HostOp, SpecError> {
    let channels = count(section, "channels")?;
    let kernel = section.need("kernel", "the window's size, for example kernel = 2")?;
    Ok(HostOp::ConvTranspose(ConvTranspose {
        rank,
        channels,
        kernel: window(kernel, rank, 1)?,
        stride: section.take("stride").map_or(Ok([1, 1]), |value| window(value, rank, 1))?,
        padding: section.take("padding").map_or(Ok([0, 0]), |value| padding(value, rank))?,
        output_padding: whole(section, "output_padding", 0, 0, 254)?,
        bias: bias(section)?,
    }))
}

fn recurrent(kind: RecurrentKind, section: &mut Section<'_>) -> Result<HostOp, SpecError> {
    Ok(HostOp::Recurrent(Recurrent {
        kind,
        hidden: count(section, "hidden")?,
        bidirectional: flag(section, "bidirectional", false)?,
        last: !flag(section, "return_sequences", true)?,
        bias: bias(section)?,
    }))
}

fn upsample(rank: u8, section: &mut Section<'_>) -> Result<HostOp, SpecError> {
    let modes: &[&str] = if rank == 1 { &["nearest"] } else { &["nearest", "bilinear"] };
    let mode = match choice(section, "mode", modes)? {
        1 => UpsampleMode::Bilinear,
        _ => UpsampleMode::Nearest,
    };
    Ok(HostOp::Upsample(Upsample { rank, factor: count(section, "factor")?, mode }))
}

fn flag(section: &mut Section<'_>, key: &'static str, default: bool) -> Result<bool, SpecError> {
    section.take(key).map_or(Ok(default), |value| value.flag())
}

fn whole(section: &mut Section<'_>, key: &'static str, default: u16, least: u64, most: u64) -> Result<u16, SpecError> {
    section.take(key).map_or(Ok(default), |value| Ok(value.whole(least, most)? as u16))
}

/// One of several words; the first is the default. Gives its place.
fn choice(section: &mut Section<'_>, key: &'static str, words: &[&str]) -> Result<usize, SpecError> {
    let Some(value) = section.take(key) else { return Ok(0) };
    let word = value.string(&format!("one of: {}", words.join(", ")))?;
    words.iter().position(|known| *known == word).ok_or_else(|| value.unknown(key, word, words))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Spec, error::Source, section};
    use emberlite::graph::*;
    use std::path::Path;

    #[test]
    fn every_name_is_read() {
        for name in OPS {
            let text = format!(
                "op = \"{name}\"\noutputs = 3\nchannels = 3\nkernel = 3\nheads = 2\nvocabulary = 5\nfeatures = 4\n\
                 groups = 1\nhidden = 2\nfactor = 2\n"
            );
            let mut section = section::parse(Source { file: "x", text: &text }).unwrap();
            let op = op(name, &mut section).unwrap().unwrap();
            // Core's name begins with it: `upsample2d` becomes `upsample_nearest2d`, which says the mode.
            let stem = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'd');
            assert!(op.name().starts_with(stem), "{name} {}", op.name());
        }
    }

    #[test]
    fn layers_are_those_of_the_constructors() {
        let text = r#"
            [model]
            input = [20]
            layers = [
                { op = "embedding", vocabulary = 50, features = 8 },
                { op = "positional_encoding", learned = true, name = "positions" },
                { op = "attention", heads = 2, causal = true, bias = false },
                { op = "concat", from = "positions", axis = 1 },
                { op = "sequence_layer_norm", epsilon = 1e-6 },
                { op = "gelu", approximate = "tanh" },
                { op = "gru", hidden = 4, bidirectional = true },
                { op = "lstm", hidden = 6, return_sequences = false },
                { op = "softmax" },
            ]
        "#;
        let spec = Spec::parse("model.toml", text, Path::new("base")).unwrap();
        let nodes = [
            embedding(50, 8),
            positional_embedding(),
            causal_attention(2).no_bias(),
            concat(1).axis(1),
            sequence_layer_norm().epsilon(1e-6),
            gelu_tanh(),
            gru(4).bidirectional(),
            lstm(6).last(),
            softmax(),
        ];
        assert_eq!(spec.model.nodes, nodes);
        let text = r#"
            [model]
            input = [3, 4, 5]
            layers = [
                { op = "conv_transpose2d", channels = 2, kernel = 3, stride = 2, padding = 1, output_padding = 1 },
                { op = "upsample2d", factor = 2, mode = "bilinear" },
                { op = "group_norm", groups = 2 },
                { op = "silu" },
                { op = "upsample2d", factor = 3 },
                { op = "transpose" },
                { op = "sequence_linear", outputs = 7, bias = false },
                { op = "last_position" },
            ]
        "#;
        let spec = Spec::parse("model.toml", text, Path::new("base")).unwrap();
        let nodes = [
            conv_transpose2d(2, 3).stride(2).padding(1).output_padding(1),
            upsample_bilinear2d(2),
            group_norm(2),
            silu(),
            upsample_nearest2d(3),
            transpose(),
            sequence_linear(7).no_bias(),
            last_position(),
        ];
        assert_eq!(spec.model.nodes, nodes);
    }

    #[test]
    fn mistakes_name_line_and_choices() {
        let error = |layer: &str| {
            let text = format!("[model]\ninput = [4, 8]\nlayers = [\n{layer}\n]\n");
            Spec::parse("model.toml", &text, Path::new("base")).unwrap_err().to_string()
        };
        let unknown = error(r#"{ op = "atention", heads = 2 }"#);
        assert_eq!(
            unknown,
            "model.toml:4: `model.layers[0].op`: unknown operation `atention`; did you mean `attention`?"
        );
        assert_eq!(
            error(r#"{ op = "attention" }"#),
            "model.toml:4: `model.layers[0]`: `heads` is missing; give a whole number from 1 to 65535"
        );
        assert!(error(r#"{ op = "upsample1d", factor = 2, mode = "bilinear" }"#).ends_with("possible here: nearest"));
        assert!(error(r#"{ op = "concat" }"#).contains("`concat` needs `from`"));
        assert!(error(r#"{ op = "lstm", hidden = 0 }"#).contains("expected a whole number from 1 to 65535, found 0"));
        assert!(error(r#"{ op = "lstm", hidden = 2, return_sequence = true }"#).contains("`return_sequences`"));
    }
}
