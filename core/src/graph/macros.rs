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
            const NODES: &[Node] = &[$($layer),+];
            const GRAPH: Graph<'static> =
                Graph::new($crate::number::Format::$format, Shape::new(&[$($input),+]), NODES);
            const TRAINING: Option<&'static $crate::plan::Training> = {
                #[allow(unused_mut, unused_assignments)]
                let mut training: Option<&'static $crate::plan::Training> = None;
                $(
                    const SETTINGS: $crate::plan::Training = $training;
                    training = Some(&SETTINGS);
                )?
                training
            };
            const BUDGET: u32 = {
                #[allow(unused_mut, unused_assignments)]
                let mut budget = u32::MAX;
                $( budget = $ram; )?
                budget
            };
            static PLAN: $crate::plan::Plan<{ NODES.len() }> = PLANNED;
            const PLANNED: $crate::plan::Plan<{ NODES.len() }> =
                $crate::plan::plan_or_panic(&GRAPH, TRAINING, Shape::new(&[$($output),+]), BUDGET);

            impl $crate::executor::Linked for $name {
                const OPS: $crate::op::OpSet = $crate::plan::operations(&GRAPH);
                const LOSSES: $crate::loss::LossSet = $crate::plan::losses(TRAINING);
                const OPTIMIZERS: $crate::optimizer::OptimizerSet = $crate::plan::optimizers(TRAINING);
            }

            impl $crate::learner::Model for $name {
                type Number = $crate::number::$format;
                type Input = $crate::Tensor<<$crate::number::$format as $crate::number::Number>::Value, $($input),+>;
                type Output = $crate::Tensor<<$crate::number::$format as $crate::number::Number>::Value, $($output),+>;
                type Memory = [u32; PLANNED.words()];
                const EMPTY: Self::Memory = [0; PLANNED.words()];
                const GRAPH: $crate::graph::Graph<'static> = GRAPH;
                const PLAN: $crate::plan::PlanView<'static> = PLAN.view();
                const TRAINING: Option<&'static $crate::plan::Training> = TRAINING;
            }
        };
    };
}
