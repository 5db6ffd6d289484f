//! `[import]`: which module of a foreign file a layer's parameters are.
//!
//! ```toml
//! [import]
//! names = { stem = "features.0", head = "classifier" }
//! ```

use super::ModelSpec;
use super::error::SpecError;
use super::section::Section;

/// Layers and modules, each with the index of the layer.
pub(super) type Modules = Vec<(usize, String)>;

/// Reads `[import]`.
pub(super) fn import(mut section: Section<'_>, model: &ModelSpec) -> Result<Modules, SpecError> {
    const EXPECTED: &str = "a table of layers and modules, such as { stem = \"features.0\" }";
    let mut modules = Modules::new();
    let names = section.need("names", EXPECTED)?.section(EXPECTED)?;
    section.finish()?;
    for (layer, value) in names.rest() {
        let module = value.string("the module's name in the file, without `.weight`")?.to_string();
        let named = model.names.iter().position(|name| *name == layer);
        let index = named.or_else(|| layer.parse().ok().filter(|&index: &usize| index < model.nodes.len()));
        let Some(index) = index else {
            let names: Vec<&str> = model.names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
            return Err(value.unknown("layer", &layer, &names));
        };
        modules.push((index, module));
    }
    Ok(modules)
}
