//! `emberlite report`: values as JSON become a page.

mod cli_common;
mod report_common;

use cli_common::{Folder, done, emberlite};
use emberlite_host::report;

#[test]
fn both_kinds_of_values_become_their_pages() {
    let folder = Folder::new();
    let demo = folder.write("demo.json", serde_json::to_string_pretty(&report_common::demo()).unwrap());
    assert!(done(&["report", &demo]).contains("demo.html"));
    assert_eq!(folder.read("demo.html"), report::demo(&report_common::demo()).as_bytes());
    let run = folder.write("report.json", serde_json::to_string(&report_common::training()).unwrap());
    // A folder that was typed must be there.
    std::fs::create_dir(folder.path("deep")).unwrap();
    let page = folder.path("deep/page.html");
    assert!(done(&["report", &run, "--out", &page]).contains("page.html"));
    assert_eq!(folder.read("deep/page.html"), report::training(&report_common::training()).as_bytes());
}

#[test]
fn what_is_no_report_is_one_message_and_no_page() {
    let folder = Folder::new();
    for (name, text, said) in [
        ("cut.json", "{\"runs\": [", "EOF"),
        ("text.json", "hello", "line 1 column 1"),
        ("list.json", "[]", "expected the JSON of a report"),
        ("misspelt.json", "{\"runs\": [{\"form\": \"right\"}]}", "unknown field `form`"),
        ("misspelt_too.json", "{\"history\": [], \"sead\": 1}", "unknown field `sead`"),
        ("object.json", "{\"a\": 1}", "neither"),
        ("bytes.json", "\u{fffd}\0", "expected"),
    ] {
        let path = folder.write(name, text);
        let answer = emberlite(&["report", &path]);
        assert!(answer.status == 1 && answer.error.contains(said) && answer.error.contains(name), "{answer:?}");
        assert_eq!(answer.error.lines().count(), 1, "{answer:?}");
    }
    assert!(folder.names().iter().all(|name| name.ends_with(".json")), "{:?}", folder.names());
    let missing = emberlite(&["report", &folder.path("none.json")]);
    assert!(missing.status == 1 && missing.error.contains("none.json"), "{missing:?}");
}

#[test]
fn values_are_never_replaced_by_their_page() {
    let folder = Folder::new();
    let path = folder.write("demo.html", "{\"runs\": []}");
    let answer = emberlite(&["report", &path]);
    assert!(answer.status == 1 && answer.error.contains("--out"), "{answer:?}");
    assert_eq!(folder.read("demo.html"), b"{\"runs\": []}");
}
