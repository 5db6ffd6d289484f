//! Files of weights that a command can't take are told from damaged ones, and what a file or a folder is called can't drive the
//! terminal.

mod cli_common;

use cli_common::{Folder, done, emberlite, trained};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

#[test]
fn weights_of_pytorch_are_pointed_to_import() {
    let folder = trained("f32");
    let (model, plain) = (folder.path("model.toml"), folder.path("plain.safetensors"));
    done(&["export", &folder.path("model.safetensors"), "--profile", "plain", "--out", &plain]);
    let states = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/reference/states/");
    for weights in [plain, format!("{states}mlp.pth"), format!("{states}lstm.pt")] {
        for (arguments, may) in [
            (vec!["inspect", &weights], "looked at"),
            (vec!["simulate", "--model", &model, "--weights", &weights, "--part", "train"], "simulated"),
            (vec!["evaluate", "--model", &model, "--weights", &weights, "--part", "train"], "judged"),
        ] {
            let answer = emberlite(&arguments);
            let expected = format!(
                ": weights as PyTorch names them; `emberlite import` makes a model's file of them, which can be {may}\n"
            );
            assert!(answer.status == 1 && answer.error.ends_with(&expected), "{}", answer.error);
        }
    }
    // A checkpoint is another thing, and so is a sealed file that is damaged.
    let checkpoint = folder.path("run/checkpoint.safetensors");
    assert!(
        emberlite(&["inspect", &checkpoint])
            .error
            .contains(": a checkpoint, to go on with by `emberlite train --resume`")
    );
    let mut damaged = folder.read("model.safetensors");
    let last = damaged.len() - 300;
    damaged[last] ^= 1;
    let damaged = folder.write("damaged.safetensors", damaged);
    let said = emberlite(&["inspect", &damaged]).error;
    assert!(said.contains("checksum") && !said.contains("import"), "{said}");
}

#[test]
fn a_tensors_name_stays_in_its_line() {
    let folder = trained("f32");
    let (model, plain) = (folder.path("model.toml"), folder.path("plain"));
    done(&["export", &folder.path("model.safetensors"), "--profile", "plain", "--out", &plain]);
    let plain = folder.read("plain");
    let file = SafeTensors::deserialize(&plain).unwrap();
    let ones: Vec<u8> = [1f32; 4].iter().flat_map(|x| x.to_le_bytes()).collect();
    let further = ("x\nerror: all is lost\u{1b}[2J".to_string(), TensorView::new(Dtype::F32, vec![4], &ones).unwrap());
    let path = folder.write("with", serialize(file.tensors().into_iter().chain([further]), None).unwrap());
    for arguments in [
        vec!["import", &path, "--model", &model, "--out", &folder.path("out")],
        vec!["train", "--quiet", "--model", &model, "--run", &folder.path("other"), "--from", &path],
    ] {
        let said = emberlite(&arguments).error;
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains("nothing takes tensor `x\\nerror: all is lost\\u{1b}[2J`"), "{said}");
    }
}

#[test]
fn a_new_folders_name_is_shown_and_can_be_typed() {
    let folder = Folder::new();
    let said = done(&["new", &folder.path("my model")]);
    assert!(said.contains(&format!("  cd '{}'\n", folder.path("my model"))), "{said}");
    let said = done(&["new", &folder.path("x\u{1b}[31mred")]);
    assert!(!said.contains('\u{1b}') && said.contains("x\\u{1b}[31mred"), "{said}");
}
