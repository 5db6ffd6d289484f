//! Cleaning, encoding and scaling against scikit-learn (`tests/reference/make_tables.py`), and the mistakes that are said.

use super::*;
use emberlite::learner::Normalisation;
use emberlite::number::F32;
use serde_json::Value;

const MEASURES: [&str; 4] = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"];

fn reference() -> Value {
    serde_json::from_str(include_str!("../../../tests/reference/vectors/tables.json")).unwrap()
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Training and test part of the penguins: every fourth row is for the test.
fn penguins(spec: &CsvSpec) -> [Rows; 2] {
    let rows = parse_rows("penguins.csv", include_bytes!("../../../data/penguins.csv"), spec).unwrap();
    let (test, train): (Vec<usize>, Vec<usize>) = (0..rows.set.len()).partition(|row| row % 4 == 0);
    [rows.select(&train), rows.select(&test)]
}

fn measures() -> CsvSpec {
    CsvSpec { missing: Missing::Keep, ..CsvSpec::class("species").features(MEASURES) }
}

fn filled(fill: Fill) -> PrepareSpec {
    PrepareSpec { missing: MissingRule::Fill(fill), ..PrepareSpec::default() }
}

fn outliers(by: Limits, action: OutlierAction) -> Option<Outliers> {
    Some(Outliers { by, action })
}

/// Within a rounding to f32 of the truth.
fn near(found: f32, truth: f64) -> bool {
    (f64::from(found) - truth).abs() <= truth.abs() * f64::from(f32::EPSILON)
}

fn text<T: std::fmt::Debug>(result: Result<T, DataError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn fill_values_are_those_of_simple_imputer() {
    let reference = reference();
    let [train, _] = penguins(&measures());
    for (fill, name) in [(Fill::Mean, "mean"), (Fill::Median, "median"), (Fill::Mode, "most_frequent")] {
        let fitted = Prepare::fit(&filled(fill), &train).unwrap();
        for (repair, truth) in fitted.repair.iter().zip(list(&reference["imputer"][name])) {
            assert!(near(repair.fill.unwrap(), truth), "{name}: {repair:?}, {truth}");
        }
    }
}

/// Present are 0, 1, 2 and 100, of which the last counts as 10: mean 13 / 4, median 3 / 2; and as it is not where nothing is
/// clipped: mean 103 / 4.
#[test]
fn fill_values_are_of_what_clipping_leaves() {
    let rows = parse_rows("t.csv", b"x\n0\n1\n2\n100\nNA\n", &CsvSpec { missing: Missing::Keep, ..CsvSpec::default() });
    let rows = rows.unwrap();
    let limits = Limits::Range { low: None, high: Some(10.0) };
    for (fill, clipped, truth) in [(Fill::Mean, true, 3.25), (Fill::Median, true, 1.5), (Fill::Mean, false, 25.75)] {
        let outliers = if clipped { outliers(limits, OutlierAction::Clip) } else { None };
        let fitted = Prepare::fit(&PrepareSpec { outliers, ..filled(fill) }, &rows).unwrap();
        assert_eq!(fitted.repair[0].fill, Some(truth));
    }
}

#[test]
fn limits_are_those_of_numpy_and_scipy() {
    let reference = reference();
    let [train, test] = penguins(&measures());
    for (by, name) in [(Limits::Iqr { factor: 1.5 }, "iqr"), (Limits::ZScore { limit: 1.5 }, "z_score")] {
        let spec = PrepareSpec { outliers: outliers(by, OutlierAction::Clip), ..filled(Fill::Median) };
        let fitted = Prepare::fit(&spec, &train).unwrap();
        let (low, high) = (list(&reference[name][0]), list(&reference[name][1]));
        for ((repair, low), high) in fitted.repair.iter().zip(low).zip(high) {
            assert!(near(repair.low.unwrap(), low) && near(repair.high.unwrap(), high), "{name}: {repair:?}");
        }
    }
    // Dropped from the training part only, and a missing value is no outlier.
    let by = Limits::ZScore { limit: 1.5 };
    let fitted =
        Prepare::fit(&PrepareSpec { outliers: outliers(by, OutlierAction::DropRow), ..filled(Fill::Mean) }, &train)
            .unwrap();
    let kept: Vec<usize> = list(&reference["z_score_kept"]).into_iter().map(|row| row as usize).collect();
    assert_eq!(fitted.inliers(&train), kept);
    assert_eq!(fitted.encode(test.clone()).unwrap().len(), test.set.len());
    assert!(fitted.repair.iter().all(|repair| repair.low.is_none()), "what is dropped isn't clipped on the device");
}

/// Clip, fill and scale as a scikit-learn pipeline does, on the test part; within the rounding of constants and steps to f32.
#[test]
fn prepared_rows_are_those_of_a_pipeline() {
    let reference = reference();
    let [train, test] = penguins(&measures());
    for (scaling, name) in [
        (Scaling::Standardise, "standardise"),
        (Scaling::MinMax { low: 0.0, high: 1.0 }, "min_max"),
        (Scaling::MinMax { low: -1.0, high: 2.0 }, "range"),
        (Scaling::Robust, "robust"),
    ] {
        let by = Limits::Iqr { factor: 0.5 };
        let spec = PrepareSpec { outliers: outliers(by, OutlierAction::Clip), scaling, ..filled(Fill::Median) };
        let fitted = Prepare::fit(&spec, &train).unwrap();
        let constants = fitted.constants(&fitted.encode(train.clone()).unwrap(), false).unwrap().unwrap();
        let mut set = fitted.encode(test.clone()).unwrap();
        constants.apply(&mut set).unwrap();
        let truth = reference["pipeline"][name].as_array().unwrap();
        assert_eq!(truth.len(), set.len());
        for (row, truth) in truth.iter().enumerate() {
            for (column, truth) in list(truth).into_iter().enumerate() {
                let found = f64::from(set.sample(row)[column]);
                let (offset, factor) = (constants.mean[column], constants.inverse_std[column]);
                // Offset, clipped reading, difference, factor and product are each rounded once, by 2^-24 of their size.
                let reading = found.abs() + 2.0 * f64::from(offset.abs()) * f64::from(factor);
                let bound = 4.0 * reading * f64::from(f32::EPSILON);
                assert!((found - truth).abs() <= bound, "{name}, row {row}, column {column}: {found} for {truth}");
            }
        }
    }
}

#[test]
fn categories_are_those_of_one_hot_and_ordinal_encoder() {
    let reference = reference();
    let columns = CsvSpec { missing: Missing::Keep, ..CsvSpec::class("species").features(["island", "sex"]) };
    let columns = columns.categorical(["island", "sex"]);
    let [train, test] = penguins(&columns);
    let spec = PrepareSpec { unknown: Unknown::Zero, ..filled(Fill::Median) };
    let fitted = Prepare::fit(&spec, &train).unwrap();
    let names = ["island=Biscoe", "island=Dream", "island=Torgersen", "sex=female", "sex=male"];
    assert_eq!(fitted.encoder.inputs(), names);
    assert_eq!(fitted.encoder.columns[1].categories.as_ref().unwrap().fill.as_deref(), reference["sex_fill"].as_str());
    let set = fitted.encode(test.clone()).unwrap();
    assert_eq!(set.shape, [5]);
    let truth = reference["one_hot"]["test"].as_array().unwrap();
    for (row, truth) in truth.iter().enumerate() {
        let found: Vec<f64> = set.sample(row)[..3].iter().map(|&x| f64::from(x)).collect();
        assert_eq!(found, list(truth), "row {row}");
    }
    assert_eq!(fitted.encoder.row(&["Atlantis", "male"]).unwrap(), [0.0, 0.0, 0.0, 0.0, 1.0]);
    // Indicators stay 0 and 1.
    assert_eq!(fitted.constants(&set, false).unwrap(), None);

    let ordinal = PrepareSpec { encode: Encode::Ordinal, unknown: Unknown::Number(-1.0), ..filled(Fill::Mode) };
    let fitted = Prepare::fit(&ordinal, &train).unwrap();
    let set = fitted.encode(test).unwrap();
    let found: Vec<f64> = set.features.iter().step_by(2).map(|&x| f64::from(x)).collect();
    assert_eq!(found, list(&reference["ordinal"]["test"]));
    assert_eq!(fitted.encoder.row(&["Atlantis", ""]).unwrap()[0], -1.0);
    // What travels in the file encodes alike.
    let text = serde_json::to_string(&fitted.encoder).unwrap();
    assert_eq!(serde_json::from_str::<Encoder>(&text).unwrap(), fitted.encoder);
}

#[test]
fn class_weights_and_fold_sizes_are_those_of_scikit_learn() {
    let reference = reference();
    let rows = parse_rows("penguins.csv", include_bytes!("../../../data/penguins.csv"), &measures()).unwrap();
    let weights = ClassWeights::Balanced.of(&rows.set.labels).unwrap();
    for (name, weight) in ["Adelie", "Chinstrap", "Gentoo"].into_iter().zip(weights) {
        assert!(near(weight, reference["class_weights"][name].as_f64().unwrap()), "{name}: {weight}");
    }
    for (len, k) in [(344, 5), (10, 3), (7, 7)] {
        let sizes: Vec<f64> = folds::k_fold(len, k, 1).unwrap().iter().map(|fold| fold.test.len() as f64).collect();
        assert_eq!(sizes, list(&reference["fold_sizes"][format!("{len},{k}")]));
    }
}

/// Readings of every kind: host and device code give the same bits.
#[test]
fn host_and_device_compute_the_same_bits() {
    let repair = |fill, low, high| Repair { fill, low, high };
    let standardise = Standardise {
        mean: vec![0.1, -3.7, 1e6],
        inverse_std: vec![3.3, 1.0 / 3.0, 1e-6],
        repair: vec![
            repair(Some(0.3), Some(-1.5), Some(2.25)),
            repair(None, None, Some(4.0)),
            repair(Some(-7.0), Some(1e5), None),
        ],
    };
    let special = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, -1.5, 2.25, 4.0, 1e5, f32::MIN_POSITIVE];
    let random =
        (0..2990).map(|i| ((random::hash(9, i) >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * 10f32.powi(i as i32 % 8));
    let readings: Vec<f32> = special.into_iter().chain(random).collect();
    let mut host = readings.clone();
    standardise.apply_to(&mut host, 3, 1000).unwrap();
    let words: Vec<i32> = crate::export::normalisation(&standardise).iter().map(|x| x.to_bits() as i32).collect();
    let mut device = readings;
    Normalisation::<F32>::new(&words, 3).unwrap().apply(&mut device);
    let bits = |x: &f32| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() };
    assert!(host.iter().map(bits).eq(device.iter().map(bits)));
    assert!(host[0].is_finite() && host[1000..2000].iter().all(|x| !x.is_nan()));
}

#[test]
fn mistakes_are_said_with_their_place() {
    let parse = |text: &str, spec: &CsvSpec| parse_rows("t.csv", text.as_bytes(), spec);
    let keep = CsvSpec { missing: Missing::Keep, ..CsvSpec::default() };
    // Nothing to fit on.
    let rows = parse("x,y\n1,NA\n2,\n", &keep).unwrap();
    let expected = "column `y`: expected at least one value in the training part, found none, all are missing;";
    assert!(text(Prepare::fit(&filled(Fill::Mean), &rows)).starts_with(expected));
    assert!(Prepare::fit(&filled(Fill::Number(0.0)), &rows).is_ok());
    // A gap that nothing fills.
    let prepare = Prepare::fit(&PrepareSpec::default(), &parse("x,y\n1,2\n", &keep).unwrap()).unwrap();
    let message = text(prepare.encode(rows));
    assert!(message.starts_with("t.csv:2: column `y`: expected a number, found NaN;"), "{message}");
    // An unseen category.
    let colours = CsvSpec::default().categorical(["c"]);
    let prepare = Prepare::fit(&PrepareSpec::default(), &parse("c\nred\nblue\n", &colours).unwrap()).unwrap();
    let message = text(prepare.encode(parse("c\nred\n\n\ngreen\n", &colours).unwrap()));
    assert!(
        message.starts_with("t.csv:5: column `c`: expected a category of the training part, found `green`;"),
        "{message}"
    );
    assert!(text(prepare.encoder.row(&["green"])).contains("`green`"));
    assert!(text(prepare.encoder.row(&[])).contains("expected 1 cells, found 0"));
    assert!(
        text(prepare.encode(parse("d\n1\n", &CsvSpec::default()).unwrap()))
            .contains("feature columns: expected c, found d")
    );
    // Rules that don't go with a column.
    let table = parse("c,x\nred,1\nblue,2\n", &colours).unwrap();
    let with = |name: &str, rule: ColumnRule| {
        let spec = PrepareSpec { columns: [(name.to_string(), rule)].into(), ..PrepareSpec::default() };
        text(Prepare::fit(&spec, &table))
    };
    let fill = |fill| ColumnRule { missing: Some(MissingRule::Fill(fill)), ..ColumnRule::default() };
    assert!(with("z", fill(Fill::Mean)).contains("column `z`: expected one of the features c, x, found another name;"));
    assert!(with("c", fill(Fill::Mean)).contains("expected a rule for categories"));
    assert!(with("c", fill(Fill::Number(1.0))).contains("expected a category to fill gaps with, found 1"));
    assert!(with("c", fill(Fill::Category("green".into()))).contains("expected one of blue, red, found `green`"));
    assert!(with("x", fill(Fill::Category("red".into()))).contains("a number to fill gaps with"));
    let ordinal = ColumnRule { encode: Some(Encode::Ordinal), ..ColumnRule::default() };
    assert!(with("x", ordinal.clone()).contains("named in `categorical`"));
    let zero = ColumnRule { unknown: Some(Unknown::Zero), ..ordinal };
    assert!(with("c", zero).contains("a rule for unknown categories"));
    let twice = ColumnRule { categories: vec!["a".into(), "a".into()], ..ColumnRule::default() };
    assert!(with("c", twice).contains("`a` twice"));
    let clipped = ColumnRule {
        outliers: Some(outliers(Limits::Iqr { factor: 1.0 }, OutlierAction::Clip)),
        ..ColumnRule::default()
    };
    assert!(with("c", clipped).contains("a column of numbers"));
    // Nothing left.
    let range = Limits::Range { low: Some(5.0), high: None };
    let spec = PrepareSpec { outliers: outliers(range, OutlierAction::DropRow), ..PrepareSpec::default() };
    assert!(text(Prepare::fit(&spec, &table)).contains("rows within the limits of outliers, found none"));
}

#[test]
fn channels_take_the_rules_of_their_columns() {
    let rows = parse_rows("t.csv", b"a,b,c,d\n1,2,3,4\n5,6,7,8\n", &CsvSpec::default()).unwrap();
    let clip = |low| Some(outliers(Limits::Range { low: Some(low), high: None }, OutlierAction::Clip));
    let column = |low| ColumnRule { outliers: clip(low), ..ColumnRule::default() };
    let rules = |lows: [f32; 4]| PrepareSpec {
        columns: ["a", "b", "c", "d"].iter().zip(lows).map(|(name, low)| (name.to_string(), column(low))).collect(),
        ..PrepareSpec::default()
    };
    let lows = |spec: &PrepareSpec, shape: &[usize], whole| {
        let prepare = Prepare::fit(spec, &rows).unwrap();
        let set = prepare.encode(rows.clone()).unwrap().reshape(shape).unwrap();
        let constants = prepare.constants(&set, whole)?;
        Ok(constants.unwrap().repair.iter().map(|repair| repair.low.unwrap()).collect::<Vec<f32>>())
    };
    let spec = rules([1.5, 1.5, 2.5, 2.5]);
    assert_eq!(lows(&spec, &[4], false).unwrap(), [1.5, 1.5, 2.5, 2.5]);
    assert_eq!(lows(&spec, &[2, 2], false).unwrap(), [1.5, 2.5], "two columns a channel");
    assert_eq!(lows(&spec, &[4], true).unwrap(), [1.0, 1.0, 2.0, 2.0], "integers are clipped at integers");
    let message = text(lows(&spec, &[1, 2, 2], false));
    assert!(
        message.starts_with("model.input: expected the same rules for missing values or outliers for all"),
        "{message}"
    );
    // Windows: a channel is a column, however the model's input is cut.
    let prepare = Prepare::fit(&rules([1.0, 2.0, 3.0, 4.0]), &rows).unwrap();
    let cut = windows(&prepare.encode(rows.clone()).unwrap(), Window::new(2, 1)).unwrap();
    let flat = prepare.constants(&cut.clone().reshape(&[8]).unwrap(), false).unwrap().unwrap();
    assert_eq!(
        flat.repair.iter().map(|repair| repair.low.unwrap()).collect::<Vec<_>>(),
        [1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 4.0, 4.0]
    );
    assert_eq!(prepare.constants(&cut, false).unwrap().unwrap().repair.len(), 4);
    // A missing reading of an integer sensor can't be told from others.
    let prepare = Prepare::fit(&filled(Fill::Mean), &rows).unwrap();
    let set = prepare.encode(rows.clone()).unwrap();
    assert!(text(prepare.constants(&set, true)).starts_with("format fixed16: expected no missing readings"));
}

#[test]
fn duplicates_go_and_places_stay() {
    let spec = CsvSpec { missing: Missing::Keep, ..CsvSpec::class("y").groups(["g"]) };
    let text = "x,g,y\n1,a,u\n1,a,u\n1,b,u\n1,a,v\n,a,u\nNA,a,u\n1,a,u\n";
    let rows = parse_rows("t.csv", text.as_bytes(), &spec).unwrap().without_duplicates();
    let places: Vec<String> = (0..rows.set.len()).map(|row| rows.place(row)).collect();
    assert_eq!(places, ["t.csv:2", "t.csv:4", "t.csv:5", "t.csv:6"]);
}

#[test]
fn a_cell_that_is_no_number_may_count_as_missing() {
    let text = "x,y\n1,2\nhot,inf\n";
    assert!(parse_rows("t.csv", text.as_bytes(), &CsvSpec::default()).is_err());
    let spec = CsvSpec { type_errors_are_missing: true, missing: Missing::Keep, ..CsvSpec::default() };
    let rows = parse_rows("t.csv", text.as_bytes(), &spec).unwrap();
    assert!(rows.set.sample(1).iter().all(|x| x.is_nan()));
    let dropped = CsvSpec { missing: Missing::DropRow, ..spec };
    assert_eq!(parse_rows("t.csv", text.as_bytes(), &dropped).unwrap().set.len(), 1);
}

#[test]
fn integers_of_a_device_are_checked_with_their_place() {
    let mut rows = parse_rows("t.csv", b"x,c\n1.5,red\n2,blue\n", &CsvSpec::default().categorical(["c"])).unwrap();
    let message = text(rows.check_whole());
    assert!(message.starts_with("t.csv:2: column `x`: expected a whole number from -32768 to 32767"), "{message}");
    rows.scale(2.0);
    assert!(rows.check_whole().is_ok());
    assert_eq!(rows.set.features, [3.0, 1.0, 4.0, 0.0], "categories aren't scaled");
    rows.scale(1e4);
    assert!(text(rows.check_whole()).contains("found 40000"));
}
