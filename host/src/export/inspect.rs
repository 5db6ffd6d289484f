//! What a file holds, for people.

use std::fmt::Write;

use emberlite::graph::{layout_hash, parse_graph};
use emberlite::image::{DType, Image, ImageError, Kind, Tensor};

use super::Bytes;

/// Describes a file: header, metadata, graph, and each tensor with its type, dimensions and range.
///
/// # Errors
/// [`ImageError`] for anything that isn't a whole, sealed file.
pub fn inspect(bytes: &Bytes) -> Result<String, ImageError> {
    let image = Image::open(bytes.as_slice())?;
    let mut out = String::new();
    // Writing to a text has no errors.
    let _ = describe(&image, bytes.as_slice().len(), &mut out);
    Ok(out)
}

fn describe(image: &Image<'_>, len: usize, out: &mut String) -> std::fmt::Result {
    let (major, minor) = image.version();
    let profile = if image.json().is_some() { "safetensors" } else { "raw" };
    writeln!(out, "file        {len} bytes, version {major}.{minor}, {profile} profile, sealed, checksum right")?;
    writeln!(out, "identity    {:016x}, base {:016x}", image.identity(), image.base_hash())?;
    writeln!(out, "layout      {:016x}, {}", image.layout_hash(), image.format().name())?;
    writeln!(out, "progress    sequence {}, step {}, seed {}", image.sequence(), image.step(), image.seed())?;
    for (key, text) in metadata(image) {
        if !matches!(key.as_str(), "graph" | "emberlite") {
            writeln!(out, "metadata    {key} = {text}")?;
        }
    }
    match image.graph_text().map(parse_graph) {
        Some(Ok(buffer)) if layout_hash(&buffer.graph()) == image.layout_hash() => {
            writeln!(out, "graph")?;
            for line in image.graph_text().unwrap_or_default().lines().skip(1) {
                writeln!(out, "  {line}")?;
            }
        }
        Some(Ok(_)) => writeln!(out, "graph       its layout is not the one in the header")?,
        Some(Err(error)) => writeln!(out, "graph       not readable: {error}")?,
        None => writeln!(out, "graph       none")?,
    }
    writeln!(
        out,
        "\n{:<22} {:<4} {:>14} {:>5} {:>9}   {:>12} {:>12} {:>12}",
        "tensor", "type", "dimensions", "frac", "bytes", "least", "mean", "most"
    )?;
    for (name, tensor) in image.tensors() {
        let dims: Vec<String> = tensor.dims().iter().map(u32::to_string).collect();
        write!(
            out,
            "{:<22} {:<4} {:>14} {:>5} {:>9}",
            name.to_string(),
            tensor.dtype.name(),
            dims.join("x"),
            if tensor.dtype == DType::I16 { tensor.frac.to_string() } else { "-".into() },
            tensor.bytes.len()
        )?;
        match range(&tensor) {
            _ if name.kind == Kind::Graph => writeln!(out)?,
            None => writeln!(out)?,
            Some(Range { not_finite: 0, least, mean, most }) => {
                writeln!(out, "   {:>12} {:>12} {:>12}", short(least), short(mean), short(most))?;
            }
            Some(Range { not_finite, .. }) => writeln!(out, "   {not_finite} numbers are not finite")?,
        }
        if name.kind == Kind::Scales {
            scales(&tensor, out)?;
        }
    }
    Ok(())
}

/// The keys and texts of the header's metadata; empty in the raw profile.
pub fn metadata(image: &Image<'_>) -> Vec<(String, String)> {
    let json = image.json().and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok());
    let Some(serde_json::Value::Object(metadata)) = json.as_ref().and_then(|json| json.get("__metadata__")) else {
        return Vec::new();
    };
    metadata.iter().filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_string()))).collect()
}

struct Range {
    least: f64,
    mean: f64,
    most: f64,
    not_finite: usize,
}

/// Range and mean of the real numbers that a tensor stands for.
fn range(tensor: &Tensor<'_>) -> Option<Range> {
    let scale = 2f64.powi(-i32::from(tensor.frac));
    let numbers: Vec<f64> = match tensor.dtype {
        DType::F32 => tensor.as_f32()?.iter().map(|&x| f64::from(x)).collect(),
        DType::I16 => tensor.as_i16()?.iter().map(|&x| f64::from(x) * scale).collect(),
        DType::I32 => tensor.as_i32()?.iter().map(|&x| f64::from(x)).collect(),
        DType::I8 => tensor.as_i8()?.iter().map(|&x| f64::from(x)).collect(),
        _ => return None,
    };
    let mut range = Range { least: f64::INFINITY, mean: 0.0, most: f64::NEG_INFINITY, not_finite: 0 };
    for &x in &numbers {
        if x.is_finite() {
            (range.least, range.most) = (range.least.min(x), range.most.max(x));
            range.mean += x / numbers.len() as f64;
        } else {
            range.not_finite += 1;
        }
    }
    if numbers.is_empty() { None } else { Some(range) }
}

/// A number in at most 12 characters.
fn short(x: f64) -> String {
    if x == 0.0 || (x.abs() >= 1e-4 && x.abs() < 1e7) { format!("{x:.6}") } else { format!("{x:.4e}") }
}

/// The fraction bits of each value.
fn scales(tensor: &Tensor<'_>, out: &mut String) -> std::fmt::Result {
    for (value, row) in tensor.as_i8().unwrap_or_default().chunks(4).enumerate() {
        if let [y, weight, bias, error] = row {
            let name = if value == 0 { "input".into() } else { format!("layer {}", value - 1) };
            writeln!(out, "  {name:<12} value {y}, weight {weight}, bias {bias}, error {error}")?;
        }
    }
    Ok(())
}
