//! Random models against the oracle: outputs, losses, parameters, running statistics and optimizer state, bit for bit,
//! step after step, in both number formats.
//!
//! A case is a list of numbers that the generator turns into decisions. A failing one is shrunk, printed, and its seed
//! kept in `random_graphs/regressions.txt`, which every later run tries first.

mod random_graphs {
    pub mod coverage;
    pub mod difference;
    pub mod fixed;
    pub mod float;
}

use emberlite_tests::oracle::{Case, Choices, generate};
use proptest::prelude::*;
use proptest::test_runner::{FileFailurePersistence, RngSeed};

/// Where seeds of failing cases are kept.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/random_graphs/regressions.txt");

/// So many cases, the same ones in every run; `PROPTEST_RNG_SEED` and `PROPTEST_CASES` choose others and more.
fn config(cases: u32) -> ProptestConfig {
    let config = ProptestConfig::default();
    let chosen = |name: &str| std::env::var_os(name).is_some();
    ProptestConfig {
        cases: if chosen("PROPTEST_CASES") { config.cases } else { cases },
        rng_seed: if chosen("PROPTEST_RNG_SEED") { config.rng_seed } else { RngSeed::Fixed(1) },
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(REGRESSIONS))),
        max_shrink_iters: 4000,
        ..config
    }
}

/// Lists of decisions.
fn decisions() -> impl Strategy<Value = Vec<u32>> {
    proptest::collection::vec(0..5040u32, 0..90)
}

fn case(decisions: &[u32], format: emberlite::number::Format) -> Case {
    generate(&mut Choices::new(decisions), format)
}
