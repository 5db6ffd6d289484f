//! `model!`: a model written in firmware.

/// Declares a model: a type that a [`Learner`](crate::learner::Learner) runs. Everything is planned by rustc; a mistake
/// is a compile error that names the layer and the numbers.
///
/// ```
/// use emberlite::{learner::Learner, loss::Loss, model, optimizer::Optimizer, plan::Training};
///
/// model! {
///     /// Two inputs, eight hidden units, two classes.
///     pub struct Tiny {
///         format: F32,
///         input: [2],
///         layers: [linear(8), relu(), linear(2)],
///         output: [2],
///         training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
///         ram: 1024,
///     }
/// }
///
/// let mut learner = Learner::<Tiny>::new();
/// learner.initialize(1).unwrap();
/// let report = learner.train_step(&[0.5, -0.5].into(), 1).unwrap();
/// assert!(report.loss > 0.0);
/// ```
///
/// `layers` are the `const` functions of [`graph`](crate::graph). `training` may be left out for a model that only
/// predicts; `ram` is the budget in bytes for the arena, and may be left out too.
#[macro_export]
macro_rules! model {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident {
            format: $format:ident,
            input: [$($input:expr),+ $(,)?],
            layers: [$($layer:expr),+ $(,)?],
            output: [$($output:expr),+ $(,)?]
            $(, training: $training:expr)?
            $(, ram: $ram:expr)?
            $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug)]
        $visibility struct $name;

        #[allow(long_running_const_eval)]
        const _: () = {
            #[allow(unused_imports)]
            use $crate::graph::*;
            const EMBERLITE_NODES: &[Node] = &[$($layer),+];
            const EMBERLITE_GRAPH: Graph<'static> =
                Graph::new($crate::number::Format::$format, Shape::new(&[$($input),+]), EMBERLITE_NODES);
            const EMBERLITE_TRAINING: Option<&'static $crate::plan::Training> = {
                #[allow(unused_mut, unused_assignments)]
                let mut training: Option<&'static $crate::plan::Training> = None;
                $(
                    const EMBERLITE_SETTINGS: $crate::plan::Training = $training;
                    training = Some(&EMBERLITE_SETTINGS);
                )?
                training
            };
            const EMBERLITE_BUDGET: u32 = {
                #[allow(unused_mut, unused_assignments)]
                let mut budget = u32::MAX;
                $( budget = $ram; )?
                budget
            };
            static EMBERLITE_PLAN: $crate::plan::Plan<{ EMBERLITE_NODES.len() }> = EMBERLITE_PLANNED;
            const EMBERLITE_PLANNED: $crate::plan::Plan<{ EMBERLITE_NODES.len() }> =
                $crate::plan::plan_or_panic(&EMBERLITE_GRAPH, EMBERLITE_TRAINING, Shape::new(&[$($output),+]), EMBERLITE_BUDGET);

            impl $crate::executor::Linked for $name {
                const OPS: $crate::op::OpSet = $crate::plan::operations(&EMBERLITE_GRAPH);
                const LOSSES: $crate::loss::LossSet = $crate::plan::losses(EMBERLITE_TRAINING);
                const OPTIMIZERS: $crate::optimizer::OptimizerSet = $crate::plan::optimizers(EMBERLITE_TRAINING);
                const SCHEDULE: Option<$crate::optimizer::Schedule> = $crate::plan::schedule(EMBERLITE_TRAINING);
            }

            impl $crate::learner::Model for $name {
                type Number = $crate::number::$format;
                type Input = $crate::Tensor<<$crate::number::$format as $crate::number::Number>::Value, $($input),+>;
                type Output = $crate::Tensor<<$crate::number::$format as $crate::number::Number>::Value, $($output),+>;
                type Memory = [u32; EMBERLITE_PLANNED.words()];
                const EMPTY: Self::Memory = [0; EMBERLITE_PLANNED.words()];
                const GRAPH: $crate::graph::Graph<'static> = EMBERLITE_GRAPH;
                const PLAN: $crate::plan::PlanView<'static> = EMBERLITE_PLAN.view();
                const TRAINING: Option<&'static $crate::plan::Training> = EMBERLITE_TRAINING;
            }
        };
    };
}
