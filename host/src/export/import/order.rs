//! A state dict whose names aren't the model's: layers and modules in their order, by their shapes.
//!
//! The tensors of a file are grouped into modules, and those put into the order of their names, numbers by their value.
//! Each layer with parameters then takes the first module that is left and has exactly its tensors. That is the order of
//! definition where names are numbered, as in a `Sequential` or a list of blocks; where two layers of one shape could be
//! exchanged, name the layers as the file does, or say it in `[import]`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::{Dict, Wanted};

/// Where a layer's pieces are in the file.
pub(super) type Found = Vec<String>;

/// The tensors of one module of the file: names within it, and in the file with their shapes.
struct Module {
    prefix: String,
    tensors: BTreeMap<String, (String, Vec<usize>)>,
}

/// The most entries of a list in a message.
const LISTED: usize = 8;

/// The names of the pieces of every layer, or what is missing and what is left over.
pub(super) fn match_in_order(
    wanted: &[Wanted<'_>],
    dict: &Dict<'_>,
    ignored: impl Fn(&str) -> bool,
) -> Result<Vec<Found>, String> {
    if let Some((a, b)) = alike(wanted) {
        let [a, b] = [a, b].map(|layer| format!("layer {} ({})", layer.shown(), layer.operation));
        return Err(format!(
            "{a} and {b} have tensors of the same shapes, so that their order doesn't tell which is which"
        ));
    }
    let mut modules = modules(dict, ignored);
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for layer in wanted {
        let fits = modules.iter().position(|module| fit(layer, module).is_some());
        match fits.map(|place| modules.remove(place)) {
            Some(module) => found.push(fit(layer, &module).unwrap_or_default()),
            None => missing.push(layer),
        }
    }
    if missing.is_empty() && modules.is_empty() {
        return Ok(found);
    }
    let needs = |layer: &&Wanted<'_>| {
        let pieces = layer.pieces.iter().map(|piece| format!("{} {:?}", piece.name, piece.dims));
        format!("layer {} ({}) needs {}", layer.shown(), layer.operation, pieces.collect::<Vec<_>>().join(", "))
    };
    let left = |module: &Module| {
        let tensors = module.tensors.values().map(|(name, dims)| format!("{name} {dims:?}"));
        tensors.collect::<Vec<_>>().join(", ")
    };
    let mut text = Vec::new();
    if !missing.is_empty() {
        text.push(format!("missing: {}", listed(missing.iter().map(needs))));
    }
    if !modules.is_empty() {
        text.push(format!("left over: {}", listed(modules.iter().map(left))));
    }
    Err(text.join("; "))
}

/// Two layers of different operations with the same tensors, such as an embedding and the head behind it: the order of names
/// says nothing of theirs.
fn alike<'w, 'a>(wanted: &'w [Wanted<'a>]) -> Option<(&'w Wanted<'a>, &'w Wanted<'a>)> {
    let same = |a: &Wanted<'_>, b: &Wanted<'_>| {
        let pieces = a.pieces.iter().zip(&b.pieces).all(|(a, b)| a.name == b.name && a.dims == b.dims);
        a.operation != b.operation && a.pieces.len() == b.pieces.len() && pieces
    };
    let later = |(index, a)| wanted.iter().skip(index + 1).find(|b| same(a, b)).map(|b| (a, b));
    wanted.iter().enumerate().find_map(later)
}

fn listed(entries: impl ExactSizeIterator<Item = String>) -> String {
    let more = entries.len().saturating_sub(LISTED);
    let mut text = entries.take(LISTED).collect::<Vec<_>>().join("; ");
    if more > 0 {
        text += &format!("; and {more} more");
    }
    text
}

/// The names in the file of a layer's pieces, if the module has those and no others.
fn fit(layer: &Wanted<'_>, module: &Module) -> Option<Found> {
    if module.tensors.len() != layer.pieces.len() {
        return None;
    }
    let piece = |piece: &crate::layout::Piece| {
        let (name, dims) = module.tensors.get(piece.name)?;
        same(dims, &piece.dims).then(|| name.clone())
    };
    layer.pieces.iter().map(piece).collect()
}

/// Equal shapes; a file may have a batch of one in front, as positions often do.
pub(super) fn same(found: &[usize], expected: &[usize]) -> bool {
    found == expected || found.split_first().is_some_and(|(&one, rest)| one == 1 && rest == expected)
}

fn modules(dict: &Dict<'_>, ignored: impl Fn(&str) -> bool) -> Vec<Module> {
    let attention = |prefix: &str| dict.tensors.contains_key(&format!("{prefix}in_proj_weight"));
    let mut modules: BTreeMap<String, Module> = BTreeMap::new();
    for (name, entry) in dict.tensors.iter().filter(|(name, _)| !ignored(name)) {
        let (mut prefix, mut own) = name.rsplit_once('.').unwrap_or(("", name));
        // A projection belongs to the attention around it.
        if let Some(outer) = prefix.strip_suffix("out_proj").filter(|outer| attention(outer)) {
            (prefix, own) = (outer.trim_end_matches('.'), name.get(outer.len()..).unwrap_or(own));
        }
        let (mut key, mut own) = (prefix.to_string(), own.to_string());
        // One module of several recurrent layers: `weight_ih_l1_reverse` is layer 1's `weight_ih_l0_reverse`.
        if let Some((stem, rest)) =
            own.rsplit_once("_l").filter(|(stem, _)| stem.starts_with("weight_") || stem.starts_with("bias_"))
        {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (layer, end) = rest.split_at(digits);
            key = format!("{key}.{layer}");
            own = format!("{stem}_l0{end}");
        } else if !KNOWN.contains(&own.as_str()) {
            // A parameter of its own, such as positions.
            key = name.clone();
            own = "weight".into();
        }
        let module = modules.entry(key.clone()).or_insert_with(|| Module { prefix: key, tensors: BTreeMap::new() });
        module.tensors.insert(own, (name.clone(), entry.dims.clone()));
    }
    let mut modules: Vec<Module> = modules.into_values().collect();
    modules.sort_by(|a, b| natural(&a.prefix, &b.prefix));
    modules
}

/// Names of tensors within PyTorch's modules.
const KNOWN: [&str; 8] = [
    "weight",
    "bias",
    "running_mean",
    "running_var",
    "in_proj_weight",
    "in_proj_bias",
    "out_proj.weight",
    "out_proj.bias",
];

/// By parts between dots; numbers by their value, before words.
fn natural(a: &str, b: &str) -> Ordering {
    let part = |part: &str| (part.parse::<u64>().map_or(u64::MAX, |n| n), split_number(part));
    a.split('.').map(part).cmp(b.split('.').map(part))
}

/// `layer10` as `layer` and 10.
fn split_number(part: &str) -> (String, u64) {
    let digits = part.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (word, number) = part.split_at(digits);
    (word.into(), number.parse().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ordered_by_their_numbers() {
        let mut names = ["layers.10.b", "layers.2.b", "layers.2.a", "head", "bn2", "bn1", "layer1.0", "conv1"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["bn1", "bn2", "conv1", "head", "layer1.0", "layers.2.a", "layers.2.b", "layers.10.b"]);
    }
}
