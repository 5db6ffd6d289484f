//! What came of all runs, for people.

use super::{
    Plan,
    host::Figures,
    run::Outcome,
    text::{percent, table, thousands},
};

/// The mean of a figure over the runs.
pub fn mean(outcomes: &[Outcome], of: impl Fn(&Outcome) -> f64) -> f64 {
    outcomes.iter().map(of).sum::<f64>() / outcomes.len().max(1) as f64
}

/// The table that one wants to paste.
pub fn results(outcomes: &[Outcome]) -> String {
    type Of = fn(&Outcome) -> Option<&Figures>;
    let columns: [(&str, Of); 5] = [
        ("other wrist", |o| Some(&o.other.before)),
        ("after", |o| Some(&o.other.after)),
        ("after in f32", |o| o.float.as_ref()),
        ("first wrist", |o| Some(&o.first.before)),
        ("after", |o| Some(&o.first.after)),
    ];
    let share = |figures: &Figures| percent(figures.accuracy);
    // One that no run has is left out.
    let columns: Vec<_> = columns.into_iter().filter(|(_, of)| outcomes.iter().any(|o| of(o).is_some())).collect();
    let row = |first: [String; 2], figures: Vec<String>, last: String| [first.to_vec(), figures, vec![last]].concat();
    let names = columns.iter().map(|(name, _)| (*name).into()).collect();
    let mut rows = vec![row(["trained on".into(), "seed".into()], names, "weights equal".into()), Vec::new()];
    for o in outcomes {
        let figures = columns.iter().map(|(_, of)| of(o).map_or(String::new(), share)).collect();
        let equal = format!("{0} of {0}", thousands(o.parameters as u64));
        rows.push(row([format!("{} wrist", o.from), o.seed.to_string()], figures, equal));
    }
    if outcomes.len() > 1 {
        let means = columns.iter().map(|(_, of)| percent(mean(outcomes, |o| of(o).map_or(0.0, |f| f.accuracy))));
        rows.push(Vec::new());
        rows.push(row(["mean".into(), String::new()], means.collect(), String::new()));
    }
    table(&rows)
}

/// Who says that these accuracies are so.
pub fn judges(plan: &Plan, outcomes: &[Outcome]) -> String {
    let sum = |of: fn(&Outcome) -> usize| thousands(outcomes.iter().map(of).sum::<usize>() as u64);
    format!(
        "accuracy over all windows that nobody learnt from, by the simulation; the device itself judged one window in {}\n\
         and got as many right as the simulation: {} before and {} after, of {}\n",
        plan.judge_every,
        sum(|o| o.judged.1),
        sum(|o| o.judged.2),
        sum(|o| o.judged.0),
    )
}
