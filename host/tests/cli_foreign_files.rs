//! Files of other programs that aren't what they are given for: each is told in one sentence, with what to do.

mod cli_common;

use cli_common::{Folder, ROWS, emberlite, small};
use flate2::Crc;
use safetensors::tensor::{Dtype, TensorView, serialize};

/// An NPZ file of arrays, each with its type and shape as NumPy writes them, stored.
fn npz(arrays: &[(&str, &str, &str, Vec<u8>)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, descr, shape, numbers) in arrays {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let length = (header.len() as u16).to_le_bytes();
        let content = [&b"\x93NUMPY\x01\x00"[..], &length, header.as_bytes(), numbers].concat();
        let name = format!("{name}.npy");
        let mut crc = Crc::new();
        crc.update(&content);
        let size = (content.len() as u32).to_le_bytes();
        // Version, flags, method, time and date; then the checksum, both sizes, the lengths of name and extra field.
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &crc.sum().to_le_bytes(),
            &size,
            &size,
            &[name.len() as u8, 0, 0, 0],
        ]
        .concat();
        let at = (file.len() as u32).to_le_bytes();
        directory.extend([&b"PK\x01\x02\x14\x00"[..], &common, &[0; 10], &at, name.as_bytes()].concat());
        file.extend([&b"PK\x03\x04"[..], &common, name.as_bytes(), &content].concat());
    }
    let (count, at) = (arrays.len() as u8, (file.len() as u32).to_le_bytes());
    let size = (directory.len() as u32).to_le_bytes();
    let end = [&b"PK\x05\x06\0\0\0\0"[..], &[count, 0, count, 0], &size, &at, &[0, 0]].concat();
    [file, directory, end].concat()
}

fn words(words: &[&str]) -> Vec<u8> {
    words.iter().flat_map(|word| word.chars().flat_map(|c| u32::from(c).to_le_bytes())).collect()
}

fn doubles(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

/// What a command says of the small model with other data.
fn said(folder: &Folder, data: &str, command: &[&str]) -> String {
    let text = small("f32").replace("file = \"rows.csv\"\n", data).replace("classes = [\"a\", \"b\"]\n", "");
    let model = folder.write("model.toml", text);
    let answer = emberlite(&[command, &["--model", &model]].concat());
    assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{data}");
    folder.plain(&answer.error)
}

#[test]
fn arrays_that_are_no_numbers_are_named() {
    let folder = Folder::new();
    let two = || ("x", "<f8", "(2, 2)", doubles(&[1.0, 2.0, 3.0, 4.0]));
    let kinds = "expected float32 or float64, integers of up to 64 bits, or bool, found ";
    let number = "; save numbers; of labels that are words: names, y = numpy.unique(y, return_inverse=True), then save y and give \
                  the names as `classes`\n";
    for (array, expected) in [
        (("class", "<U3", "(2,)", words(&["yes", "no\0"])), format!("texts (`<U3`){number}")),
        (("class", "|O", "(2,)", vec![0; 16]), format!("objects of Python (`|O`){number}")),
    ] {
        folder.write("set.npz", npz(&[two(), array]));
        for stream in ["", "stream = true\n"] {
            let text = said(&folder, &format!("file = \"set.npz\"\n{stream}"), &["data"]);
            assert!(text.starts_with("error: set.npz:class"), "{text}");
            assert!(text.ends_with(&format!("{kinds}{expected}")), "{text}");
        }
    }
    let classes = ("class", "|u1", "(2,)", vec![0, 1]);
    folder.write("set.npz", npz(&[("x", "<f8", "(2, 2)", doubles(&[1.0, 2.0, 3.0, 1e300])), classes]));
    for stream in ["", "stream = true\n"] {
        let text = said(
            &folder,
            &format!("file = \"set.npz\"\n{stream}"),
            &["train", "--quiet", "--run", &folder.path("run")],
        );
        let expected =
            "expected finite numbers, found 1e300, beyond what f32 holds (3.4e38); mend or remove the sample\n";
        assert!(text.starts_with("error: set.npz") && text.ends_with(expected), "{text}");
    }
}

#[test]
fn arrays_are_no_tables() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    for (data, expected) in [
        (
            "file = \"x.npy\"\n",
            "error: model.toml:2: `data`: x.npy: an NPY file has one array, and samples have labels too; save both in one file, as \
             numpy.savez(\"set.npz\", x=x, y=y), and give that\n",
        ),
        (
            "files = [\"rows.csv\", \"set.npz\"]\n",
            "error: model.toml:2: `data`: set.npz: an NPZ file stands alone, and 2 files are given; give it as `file`, or save all \
             samples in one\n",
        ),
    ] {
        assert_eq!(said(&folder, data, &["data"]), expected);
    }
    folder.write("one.csv", ROWS.replace(",b\n", ",a\n"));
    let text = said(&folder, "file = \"one.csv\"\n", &["train", "--quiet", "--run", &folder.path("run")]);
    let expected =
        "the labels name 1 class, the head has 2 outputs; of one class nothing can be learnt: add samples of others\n";
    assert!(text.ends_with(expected), "{text}");
}

#[test]
fn weights_that_are_none_are_told_as_what_they_are() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    let neither = |what: &str| {
        format!(
            "neither safetensors nor a file of PyTorch, but {what}; save one with \
             safetensors.torch.save_file(model.state_dict(), …) or torch.save(model.state_dict(), …)"
        )
    };
    let large = doubles(&[1.0, 0.0, f64::MAX, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let large = serialize([("0.weight", TensorView::new(Dtype::F64, vec![4, 2], &large).unwrap())], None).unwrap();
    for (name, content, expected) in [
        ("text.pth", b"<!doctype html>\n<p>\xc3\xa4".to_vec(), neither("a text that begins with `<!doctype html>`")),
        (
            "pointer.pth",
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n".to_vec(),
            neither("the pointer that Git LFS has in place of the file (`git lfs pull` fetches it)"),
        ),
        ("w.npy", b"\x93NUMPY\x01\x00v\x00{'descr'".to_vec(), neither("an array of NumPy")),
        (
            "w.safetensors",
            large,
            "tensor `0.weight`: element 2 is 1.7976931348623157e308, beyond what f32 holds (3.4e38); train again with a smaller \
             rate"
                .into(),
        ),
    ] {
        let path = folder.write(name, content);
        let out = folder.path("out.safetensors");
        let data = "file = \"rows.csv\"\n";
        for command in [vec!["import", &path, "--out", &out], vec!["train", "--run", &folder.path("run"), "--from", &path]] {
            assert_eq!(said(&folder, data, &command), format!("error: {name}: {expected}\n"));
        }
    }
}

#[test]
fn a_comma_without_a_device_is_said() {
    let folder = Folder::new();
    let model = folder.write("model.toml", small("f32").replace("device = \"cpu\"", "device = \"cpu,\""));
    let answer = emberlite(&["train", "--model", &model]);
    let expected = "`cpu,`: there is no device beside a comma; name one there, or take the comma out";
    assert!(answer.error.contains(expected), "{}", answer.error);
    let answer = emberlite(&["train", "--model", &model, "--device", "cpu,"]);
    assert!(answer.status == 2 && answer.error.contains(expected), "{}", answer.error);
}
