//! The programs' texts on this host equal the golden ones; boards are compared with the same files.

use emberlite_tests::programs::PROGRAMS;

#[test]
#[cfg_attr(feature = "micromath", ignore = "golden texts and the oracle have the bits of exact roots")]
fn programs_print_their_golden_text() {
    for (name, program) in PROGRAMS {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("golden/{name}.txt"));
        let mut text = String::new();
        program(&mut text).expect("a String takes everything");
        if std::env::var_os("EMBERLITE_BLESS").is_some_and(|value| value == "1") {
            std::fs::write(&path, &text).expect("golden text can be written");
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(golden == text, "{name} differs from {}:\n{text}", path.display());
    }
}
