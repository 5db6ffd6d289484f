//! The committed sets as the loaders see them: the figures that everything built on them may count on.

use super::{CsvSpec, Dataset, Window, csv, split, windows};

fn path(name: &str) -> String {
    format!("{}/../data/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn watch() -> Dataset {
    let spec = CsvSpec::class("exercise").recording("recording").groups(["person", "wrist"]);
    csv::read(path("watch/watch.csv.gz"), &spec).unwrap()
}

#[test]
fn watch_has_every_person_exercise_and_wrist_once() {
    let rows = watch();
    assert_eq!((rows.len(), &rows.shape[..]), (122_019, &[6][..]));
    let mut seen = std::collections::BTreeSet::new();
    let super::Labels::Class { ids, names } = &rows.labels else { panic!("no classes") };
    assert_eq!(names, &["ABD", "ER", "FEL", "IR", "PEN", "ROW", "TRAP"]);
    for (index, id) in ids.iter().enumerate() {
        let person = rows.columns[0].text(index);
        seen.insert((rows.origins[index].recording, person, rows.columns[1].text(index), id));
    }
    assert_eq!(seen.len(), 7 * 10 * 2);
}

#[test]
fn watch_windows_of_two_seconds_are_as_the_notice_says() {
    let rows = watch();
    let all = windows(&rows, Window::new(50, 25)).unwrap();
    assert_eq!((all.len(), &all.shape[..]), (4677, &[6, 50][..]));
    assert_eq!(all.class_counts(), [770, 723, 780, 718, 502, 601, 583]);
    let wrist = split::filter(&all, &["wrist=right"]).unwrap();
    assert_eq!((wrist.first.len(), wrist.rest.len()), (2243, 2434));
    let (head, rest) = split::head(&rows, 0.2).unwrap().of(&rows);
    let (head, rest) = (windows(&head, Window::new(50, 25)).unwrap(), windows(&rest, Window::new(50, 25)).unwrap());
    assert!(head.len() + rest.len() < all.len(), "windows over the cut are gone");
    assert_eq!((head.len(), rest.len()), (770, 3694));
}

#[test]
fn digits_and_iris_load() {
    let digits = csv::read(path("digits.csv"), &CsvSpec::class("digit").groups(["writer"])).unwrap();
    assert_eq!((digits.len(), &digits.shape[..], digits.columns[0].values.len()), (1797, &[64][..], 12));
    assert_eq!(digits.class_counts(), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    assert_eq!(digits.features.iter().copied().fold(0.0, f32::max), 16.0);
    let iris = csv::read(path("iris.csv"), &CsvSpec::class("species")).unwrap();
    assert_eq!((iris.shape.clone(), iris.class_counts()), (vec![4], vec![50, 50, 50]));
}
