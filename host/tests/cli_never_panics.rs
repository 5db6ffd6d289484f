//! No text makes the reading of a description panic, and no bytes the reading of a file: random ones, and good ones with a
//! few edits.

mod cli_common;

use cli_common::{ROWS, edited, emberlite, small, trained};
use emberlite_host::export::{self, Bytes};
use emberlite_host::spec::Spec;
use std::path::Path;

const CASES: u64 = 10_000;

/// Words that mean something in a description, for edits that get further than the parser.
const WORDS: [&str; 25] = [
    "[model]",
    "input = ",
    "65535",
    "-1",
    "1e400",
    "nan",
    "inf",
    "0x7fffffffffffffff",
    "\"add\"",
    "from = 3",
    "[]",
    "{}",
    "\n",
    "\"",
    "]",
    "=",
    "op = \"conv2d\"",
    "kernel = 255",
    "padding = 255",
    "\"dropout\"",
    "groups = 0",
    "\"fixed16\"",
    "1979-05-27",
    "\u{1F600}",
    // Longer than a message quotes, and cut inside a letter by whoever counts bytes.
    "\"aéééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé\"",
];

/// A description with every kind of section.
fn rich() -> String {
    small("f32").replacen(
        "    { op = \"relu\" },\n",
        "    { op = \"relu\", name = \"act\" },\n    { op = \"add\", from = \"act\" },\n    { op = \"batch_norm\", momentum = 0.2 },\n\
         { op = \"dropout\", rate = 0.25 }, { op = \"leaky_relu\", slope = 0.1 },\n",
        1,
    ) + "\n[preprocessing]\nstandardise = true\nscale = 2.0\n"
}

#[test]
fn descriptions_never_panic() {
    let templates = [
        rich(),
        small("fixed16"),
        include_str!("../src/cli/templates/conv1d.toml").to_string(),
        include_str!("../src/cli/templates/mlp.toml").to_string(),
    ];
    let (mut read, mut planned) = (0, 0);
    for number in 0..CASES {
        let good = &templates[number as usize / 4 % templates.len()];
        let bytes = edited(good.as_bytes(), number, &WORDS);
        let text = String::from_utf8_lossy(&bytes);
        match Spec::parse("fuzz.toml", &text, Path::new("")) {
            Err(error) => {
                assert!(error.line >= 1 && error.line as usize <= text.lines().count() + 1, "{error}");
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
            }
            Ok(spec) => {
                read += 1;
                match spec.costs(Some(&spec.device.training)) {
                    Ok(_) => planned += 1,
                    Err(error) => assert!(error.line >= 1, "{error}"),
                }
            }
        }
    }
    // The edits must not be so wild that nothing behind the parser is reached.
    assert!(read > CASES / 20 && planned > CASES / 40, "{read} read, {planned} planned");
}

#[test]
fn files_never_panic() {
    let folder = trained("fixed16");
    let spec = Spec::read(folder.path("model.toml")).unwrap();
    let sealed = folder.read("model.safetensors");
    let plain = export::plain(&Bytes::new(&sealed)).unwrap();
    // Sealed too, in real numbers: what `import` takes.
    let real = folder.read("model.f32.safetensors");
    assert!(export::inspect(&Bytes::new(&sealed)).is_ok() && export::import(&plain, &spec).is_ok());
    assert!(export::import(&real, &spec).is_ok());
    let mut imported = 0;
    for number in 0..CASES {
        let damaged = Bytes::new(&edited(&sealed, number, &[]));
        if damaged.as_slice() != sealed {
            assert!(export::inspect(&damaged).is_err(), "case {number} passed the seal");
        }
        let damaged = edited(&real, number, &[]);
        assert!(damaged == real || export::import(&damaged, &spec).is_err(), "case {number} got a fresh seal");
        // A plain file has no seal: some edits change numbers only.
        imported += u64::from(export::import(&edited(&plain, number, &[]), &spec).is_ok());
    }
    assert!(imported > 0 && imported < CASES);
}

/// What a file says is shown, not obeyed: no colours, no bell, no line that looks like the program's own.
#[test]
fn a_terminal_does_not_obey_a_file() {
    let folder = trained("f32");
    let model = folder.path("model.toml");
    folder.write("rows.csv", ROWS.replace("3,10", "\"\u{1b}[31m\u{7}\r\nerror: \u{202e}x\",10"));
    let answer = emberlite(&["train", "--model", &model, "--run", &folder.path("new")]);
    let shown = "found `\\u{1b}[31m\\u{7}\\r\\nerror: \\u{202e}x`";
    assert!(answer.status == 1 && answer.error.contains(shown), "{}", answer.error);
    let named = small("f32").replace("\"small\"", "\"\\u001b[2J\\u009bx\"");
    let model = folder.write("named.toml", named);
    let answer = emberlite(&["plan", "--model", &model]);
    assert!(answer.status == 1 && answer.error.contains("\\u{1b}[2J\\u{9b}x"), "{}", answer.error);
    assert_eq!(answer.error.chars().filter(|c| c.is_control()).count(), 1, "{}", answer.error);
}
