//! What the page of learning on the device tells its reader, from runs small enough to work out by hand.

use emberlite_host::report::{self, BeforeAfter, Confusion, CurvePoint, DemoReport, DemoRun, DeviceMemory, Parity};

/// The text from one mark to the next after it.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let rest = page.split_once(start).unwrap_or_else(|| panic!("{start} isn't in {page}")).1;
    rest.split_once(end).unwrap_or_else(|| panic!("no {end} after {start}")).0
}

/// What a reader sees of some HTML.
fn seen(html: &str) -> String {
    let text: String = html.split('<').map(|part| part.split_once('>').map_or(part, |tag| tag.1)).collect();
    text.replace("&#39;", "'").trim().into()
}

/// The rows of the table with that first column, each as its cells with bars between; sums start with `=`.
fn table(page: &str, first: &str) -> Vec<String> {
    let table = between(page, &format!("<tr><th scope=\"col\">{first}</th>"), "</table>");
    let rows = between(table, "<tbody>", "</tbody>").lines().filter(|line| !line.is_empty());
    let row = |row: &str| {
        let cells: Vec<String> = row.split("</td>").map(seen).filter(|cell| !cell.is_empty()).collect();
        let mark = if row.starts_with("<tr class=\"sum\">") { "= " } else { "" };
        format!("{mark}{}", cells.join(" | "))
    };
    rows.map(row).collect()
}

/// A figure among the first, with its remark.
fn tile(page: &str, name: &str) -> String {
    let rest = between(page, &format!("<p class=\"name\">{name}</p>"), "</div>");
    seen(&rest.replace("</p><p", "</p>, <p"))
}

/// A figure with that heading.
fn figure<'a>(page: &'a str, heading: &str) -> &'a str {
    between(page, &format!("<figcaption>{heading}</figcaption>"), "</figure>")
}

fn run(direction: (&str, &str), seed: u64, new: (f64, f64), first: (f64, f64)) -> DemoRun {
    let side = |(before, after)| BeforeAfter { before: Some(before), after: Some(after), samples: Some(20) };
    let point = |step, loss, new, first| CurvePoint { step, loss, new: Some(new), first: Some(first) };
    DemoRun {
        from: direction.0.into(),
        to: direction.1.into(),
        seed,
        new: side(new),
        first: side(first),
        steps: 100,
        curve: vec![point(0, None, new.0, first.0), point(100, Some(1.5), new.1, first.1)],
        ..DemoRun::default()
    }
}

/// Two runs one way and one back. Means of the other room 0.40 and 0.78, of the first 0.80 and 0.40; of the way up alone
/// 0.30 and 0.70, 0.90 and 0.45. Steps 1,200 in all, 400 a run; 5 skipped.
fn demo() -> DemoReport {
    let (up, down) = (("hall", "attic"), ("attic", "hall"));
    let mut runs = vec![
        run(up, 1, (0.25, 0.75), (1.0, 0.5)),
        run(up, 2, (0.35, 0.65), (0.8, 0.4)),
        run(down, 1, (0.6, 0.94), (0.6, 0.3)),
    ];
    (runs[1].steps, runs[1].skipped) = (200, 2);
    (runs[2].steps, runs[2].skipped) = (900, 3);
    DemoReport { domain: "room".into(), chance: Some(0.25), runs, ..DemoReport::default() }
}

/// The first run of [`demo`] alone.
fn one_run() -> DemoReport {
    let mut demo = demo();
    demo.runs.truncate(1);
    demo
}

#[test]
fn the_headline_tells_the_means_and_their_change() {
    let page = report::demo(&demo());
    let headline = seen(between(&page, "<section class=\"verdict\">", "</section>"));
    for said in [
        "40.0 % → 78.0 %",
        "accuracy on the other room, before and after learning on the device; mean of 3 runs",
        "other room, before40.0 %",
        // 0.78 - 0.40, gained; 0.40 - 0.80, forgotten.
        "other room, after78.0 % (+38.0 points)",
        "first room, before80.0 %",
        "first room, after40.0 % (−40.0 points)",
        "Guessing would be right in 25.0 %.",
    ] {
        assert!(headline.contains(said), "the headline lacks {said}: {headline}");
    }
    assert_eq!(tile(&page, "worst run, after"), "65.0 %, of 3 runs");
    // (100 + 200 + 900) / 3; 0 + 2 + 3.
    assert_eq!(tile(&page, "training steps a run"), "400, 5 skipped in all");
}

#[test]
fn one_run_has_neither_mean_nor_worst() {
    let page = report::demo(&one_run());
    let headline = seen(between(&page, "<section class=\"verdict\">", "</section>"));
    assert!(headline.contains("25.0 % → 75.0 %") && headline.contains("; in one run"), "{headline}");
    assert!(!page.contains("worst run") && !page.contains("mean of"));
    assert_eq!(tile(&page, "training steps a run"), "100, none skipped");
    assert_eq!(table(&page, "direction")[..], ["hall → attic | 1 | 25.0 % | 75.0 % | +50.0 | 100.0 % | 50.0 %"]);
}

/// A run that broke off has no accuracy after: 0.25 and 0.60 make 0.425, 0.75 and 0.94 make 0.845.
#[test]
fn runs_without_an_accuracy_are_not_counted_in_the_mean() {
    let mut demo = demo();
    demo.runs[1].new.after = None;
    let page = report::demo(&demo);
    let headline = seen(between(&page, "<section class=\"verdict\">", "</section>"));
    assert!(headline.contains("42.5 % → 84.5 %") && headline.contains("; mean of 2 runs"), "{headline}");
    assert_eq!(tile(&page, "worst run, after"), "75.0 %, of 2 runs");
    demo.runs[2].new.after = None;
    let page = report::demo(&demo);
    assert!(page.contains("; in one run") && !page.contains("worst run"));
}

#[test]
fn curves_are_each_of_their_own() {
    let page = report::demo(&one_run());
    // The legend tells the last values, and the first place is the dashed line.
    let accuracy = figure(&page, "Accuracy while it learns");
    let legend = between(accuracy, "<p class=\"legend\">", "</p>");
    assert!(legend.contains("<i class=\"key c1\"></i>other room 75.0 %</span>"), "{legend}");
    assert!(legend.contains("<i class=\"key c2 dashed\"></i>first room 50.0 %</span>"), "{legend}");
    assert!(
        accuracy.contains("<polyline class=\"line c2 dashed\"") && accuracy.contains("<polyline class=\"line c1\"")
    );
    let tips: Vec<&str> = accuracy.split("<title>").skip(1).map(|tip| tip.split_once('<').unwrap().0).collect();
    let tip = |name: &str, step, value| format!("{name} room, training steps on the device {step}: {value} %");
    let expected =
        [tip("first", 0, "100.0"), tip("first", 100, "50.0"), tip("other", 0, "25.0"), tip("other", 100, "75.0")];
    assert_eq!(tips, expected);
    // A loss is a number, known from the first step on.
    let loss = figure(&page, "Loss while it learns");
    assert_eq!(seen(between(loss, "<p class=\"legend\">", "</p>")), "loss 1.5");
    assert!(loss.contains("<title>loss, training steps on the device 100: 1.5</title>"), "{loss}");
}

#[test]
fn confusions_are_told_before_and_after() {
    let confusion = |counts: [[u32; 2]; 2]| Confusion {
        of: String::new(),
        classes: vec!["cat".into(), "dog".into()],
        counts: counts.map(Vec::from).to_vec(),
    };
    let (confusion_before, confusion_after) = (confusion([[1, 3], [2, 2]]), confusion([[4, 0], [1, 4]]));
    let page = report::demo(&DemoReport { confusion_before, confusion_after, ..demo() });
    let before = between(&page, "<h3>Before</h3>", "</table>");
    assert!(before.contains("title=\"cat taken for dog: 75.0 % of 4\">3</td>"), "{before}");
    assert!(before.contains("title=\"dog taken for dog: 50.0 % of 4\">2</td>"), "{before}");
    let after = between(&page, "<h3>After</h3>", "</table>");
    assert!(after.contains("title=\"cat taken for dog: 0.0 % of 4\">·</td>"), "{after}");
    assert!(after.contains("title=\"dog taken for dog: 80.0 % of 5\">4</td>"), "{after}");
}

/// The places from left to right of what starts so, each with the text that is read there.
fn places(html: &str, start: &str, place: &str) -> Vec<(f64, String)> {
    let one = |tag: &str| {
        let at = between(tag, &format!("{place}=\""), "\"").parse().unwrap();
        (at, seen(&format!("<{}", tag.split_once("</").map_or(tag, |read| read.0))))
    };
    html.split(start).skip(1).map(one).collect()
}

#[test]
fn each_run_is_drawn_on_an_axis_from_none_to_all() {
    let page = report::demo(&demo());
    let drawn = figure(&page, "Accuracy of each run");
    let ticks = places(drawn, "<text class=\"middle\"", "x");
    let names: Vec<&str> = ticks.iter().map(|tick| tick.1.as_str()).collect();
    assert_eq!(names, ["0 %", "25 %", "50 %", "75 %", "100 %"]);
    assert!(ticks.is_sorted_by(|a, b| a.0 < b.0), "percent grow to the right: {ticks:?}");
    let at = |percent: &str| ticks.iter().find(|tick| tick.1 == percent).unwrap().0;
    // Guessing is right in a quarter, and the legend says so.
    assert_eq!(places(drawn, "<line class=\"mark\"", "x1")[0].0, at("25 %"));
    assert!(seen(between(drawn, "<p class=\"legend\">", "</p>")).ends_with("guessing 25.0 %"));
    // The first run, from 0.25 (hollow) to 0.75 (full) and from 1.0 to 0.5.
    for (class, from, to) in [("c1", "25 %", "75 %"), ("c2", "100 %", "50 %")] {
        assert_eq!(places(drawn, &format!("<circle class=\"hollow {class}\""), "cx")[0].0, at(from), "{class}");
        assert_eq!(places(drawn, &format!("<circle class=\"dot {class}\""), "cx")[0].0, at(to), "{class}");
    }
    let tips: Vec<&str> = drawn.split("<title>").skip(1).map(|tip| tip.split_once('<').unwrap().0).collect();
    let expected = [
        "other room: 25.0 % before, 75.0 % after",
        "first room: 100.0 % before, 50.0 % after",
        "other room: 35.0 % before, 65.0 % after",
        "first room: 80.0 % before, 40.0 % after",
        "other room: 60.0 % before, 94.0 % after",
        "first room: 60.0 % before, 30.0 % after",
    ];
    assert_eq!(tips, expected);
}

#[test]
fn the_table_of_runs_ends_with_the_means() {
    let page = report::demo(&demo());
    let expected = [
        "hall → attic | 1 | 25.0 % | 75.0 % | +50.0 | 100.0 % | 50.0 %",
        "hall → attic | 2 | 35.0 % | 65.0 % | +30.0 | 80.0 % | 40.0 %",
        "attic → hall | 1 | 60.0 % | 94.0 % | +34.0 | 60.0 % | 30.0 %",
        // Of the first two rows, of the third, of all three.
        "= hall → attic | mean | 30.0 % | 70.0 % | +40.0 | 90.0 % | 45.0 %",
        "= attic → hall | mean | 60.0 % | 94.0 % | +34.0 | 60.0 % | 30.0 %",
        "= all | mean | 40.0 % | 78.0 % | +38.0 | 80.0 % | 40.0 %",
    ];
    assert_eq!(table(&page, "direction")[..], expected);
    // A mean of one run each way would say the same again.
    let mut each = demo();
    each.runs.remove(1);
    let expected = [
        "hall → attic | 1 | 25.0 % | 75.0 % | +50.0 | 100.0 % | 50.0 %",
        "attic → hall | 1 | 60.0 % | 94.0 % | +34.0 | 60.0 % | 30.0 %",
        "= all | mean | 42.5 % | 84.5 % | +42.0 | 80.0 % | 40.0 %",
    ];
    assert_eq!(table(&report::demo(&each), "direction")[..], expected);
}

#[test]
fn what_is_part_of_another_figure_is_counted_once() {
    let memory = DeviceMemory {
        arena_bytes: Some(8_192),
        static_bytes: Some(12_288),
        stack_bytes: Some(4_096),
        stack_reserved_bytes: None,
        ram_bytes: Some(32_768),
        flash_used_bytes: Some(61_440),
        model_bytes: Some(20_480),
        flash_bytes: Some(81_920),
    };
    let page = report::demo(&DemoReport { memory, ..demo() });
    // The arena is among the statics, the model's file in the flash that is used.
    let expected = [
        "the learner's arena | 8,192 | 25.0 %",
        "other statics | 4,096 | 12.5 %",
        "stack at its deepest | 4,096 | 12.5 %",
        "= together | 16,384 | 50.0 %",
        "= free | 16,384 | 50.0 %",
    ];
    assert_eq!(table(&page, "RAM")[..], expected);
    let expected = [
        "code and constants | 40,960 | 50.0 %",
        "the model's file | 20,480 | 25.0 %",
        "= together | 61,440 | 75.0 %",
        "= free | 20,480 | 25.0 %",
    ];
    assert_eq!(table(&page, "Flash")[..], expected);
    assert_eq!(tile(&page, "RAM"), "16 KiB, 50.0 % of 32 KiB");
    assert_eq!(tile(&page, "flash"), "60 KiB, 75.0 % of 80 KiB");
}

#[test]
fn runs_that_were_not_compared_are_told() {
    let mut demo = demo();
    let said = |demo: &DemoReport| {
        let page = report::demo(demo);
        let note = between(&page, "<h2>Run by run on the device</h2>", "</p>");
        seen(note.split_once("byte by byte: ").unwrap().1)
    };
    let same = Some(Parity { identical: true, bytes: 1_024, different: Some(0) });
    demo.runs[0].parity = same;
    assert_eq!(said(&demo), "1 of 1 compared run (of 3) the same, 1,024 B in all.");
    demo.runs[2].parity = same;
    assert_eq!(said(&demo), "2 of 2 compared runs (of 3) the same, 2,048 B in all.");
    let page = report::demo(&demo);
    assert!(page.contains("✓ bit for bit as simulated, in 2 of 3 runs"), "the headline's badge says it too");
    demo.runs[1].parity = same;
    assert_eq!(said(&demo), "3 of 3 runs the same, 3,072 B in all.");
}
