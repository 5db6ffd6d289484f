//! Attention whose projections lie apart in the file, as Hugging Face's models have them: put together as PyTorch's own
//! module has them, so that the rest needn't know.

use super::dict::{Dict, Entry};

/// Where query, key and value are, and the projection behind them, within the attention's module.
const SCHEMES: [([&str; 3], &str); 6] = [
    (["q_proj", "k_proj", "v_proj"], "out_proj"),
    (["q_proj", "k_proj", "v_proj"], "o_proj"),
    (["q_lin", "k_lin", "v_lin"], "out_lin"),
    (["self.query", "self.key", "self.value"], "output.dense"),
    (["attention.query", "attention.key", "attention.value"], "output.dense"),
    (["query", "key", "value"], "out"),
];

/// Puts `q_proj.weight`, `k_proj.weight`, `v_proj.weight` together as `in_proj_weight`, and so on, wherever a module has all
/// of a scheme.
pub(super) fn attention(mut dict: Dict<'_>) -> Dict<'_> {
    for (parts, out) in SCHEMES {
        let ending = format!("{}.weight", parts[0]);
        let modules: Vec<String> =
            dict.tensors.keys().filter_map(|name| Some(name.strip_suffix(&ending)?.to_string())).collect();
        for module in modules {
            let name = |part: &str, kind: &str| format!("{module}{part}.{kind}");
            let has = |kind| parts.iter().chain([&out]).all(|part| dict.tensors.contains_key(&name(part, kind)));
            if !has("weight") {
                continue;
            }
            let kinds: &[&str] = if has("bias") { &["weight", "bias"] } else { &["weight"] };
            for kind in kinds {
                let own: Vec<(String, Entry<'_>)> =
                    parts.iter().filter_map(|part| dict.tensors.remove_entry(&name(part, kind))).collect();
                if let Some(behind) = dict.tensors.remove(&name(out, kind)) {
                    dict.tensors.insert(format!("{module}out_proj.{kind}"), behind);
                }
                dict.tensors.insert(format!("{module}in_proj_{kind}"), Entry::stacked(own));
            }
        }
    }
    dict
}
