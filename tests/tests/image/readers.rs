//! Two readers that know nothing of us.

use std::path::PathBuf;
use std::process::Command;

use safetensors::SafeTensors;

use super::*;

#[test]
fn the_crate_safetensors_reads_every_tensor_and_the_metadata() {
    let (file, image_entries) = (file(), entries());
    let image = Image::open(&file).unwrap();
    let (header_len, metadata) = SafeTensors::read_metadata(&file).unwrap();
    let texts = metadata.metadata().as_ref().unwrap();
    assert_eq!(texts["graph"], image.graph_text().unwrap());
    assert_eq!(texts["emberlite"], "1.0");
    assert!(METADATA.iter().all(|(key, text)| texts[*key] == *text));
    let tensors = SafeTensors::deserialize(&file).unwrap();
    for (name, tensor) in image.tensors() {
        let view = tensors.tensor(&name.to_string()).unwrap();
        assert_eq!(view.dtype().to_string(), tensor.dtype.name());
        assert!(view.shape().iter().eq(tensor.dims().iter().map(|dim| *dim as usize).collect::<Vec<_>>().iter()));
        assert_eq!(view.data(), tensor.bytes);
    }
    for (name, info) in metadata.tensors() {
        let offset = 8 + header_len + info.data_offsets.0;
        assert!(offset.is_multiple_of(16) || name.starts_with("~pad"), "{name} starts at {offset}");
    }
    let view = tensors.tensor("~seal").unwrap();
    assert_eq!(view.data(), &file[file.len() - 16..]);
    let pads = tensors.names().iter().filter(|name| name.starts_with("~pad")).count();
    assert_eq!(tensors.len(), image_entries.len() + 3 + pads);
    assert_eq!(8 + header_len, toc(&file));
}

#[test]
fn pythons_safetensors_reads_every_tensor() {
    let (asked, python) = match std::env::var("EMBERLITE_PYTHON") {
        Ok(python) if !python.is_empty() => (true, python),
        _ => (false, "python3".to_string()),
    };
    let has_it = Command::new(&python).args(["-c", "import safetensors, numpy"]).output();
    if !has_it.is_ok_and(|output| output.status.success()) {
        assert!(!asked, "EMBERLITE_PYTHON is {python}, which can't import safetensors and numpy");
        eprintln!("skipped: {python} can't import safetensors and numpy; name one that can in EMBERLITE_PYTHON");
        return;
    }
    let file = file();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("image.safetensors");
    std::fs::write(&path, &file).unwrap();
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("reference/check_safetensors.py");
    let output = Command::new(&python).arg(script).arg(&path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let mut lines: Vec<String> = Image::open(&file)
        .unwrap()
        .tensors()
        .map(|(name, tensor)| {
            let dims: Vec<String> = tensor.dims().iter().map(u32::to_string).collect();
            let dims = if dims.is_empty() { "-".to_string() } else { dims.join("x") };
            format!("tensor {name} {} {dims}", tensor.dtype.name())
        })
        .collect();
    lines.extend([format!("tensor ~toc U8 {}", 64 + 32 * lines.len()), "tensor ~seal U8 16".to_string()]);
    let found = text.lines().filter(|line| line.starts_with("tensor ") && !line.contains("~pad"));
    lines.sort();
    let mut found: Vec<&str> = found.collect();
    found.sort_unstable();
    assert_eq!(found, lines);
    assert!(text.contains("metadata graph 'emberlite-graph 1\\ninput 2x10 f32\\n0 conv1d"), "{text}");
}
