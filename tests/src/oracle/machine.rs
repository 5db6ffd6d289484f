//! The library's executor with its memory, open to inspection.

use emberlite::executor::Everything;
use emberlite::graph::Graph;
use emberlite::learner::{Engine, Status};
use emberlite::number::Number;
use emberlite::plan::{Plan, PlanError, PlanView, Region, Training, plan};

/// The most nodes of a graph here.
pub const NODES: usize = 32;

/// An engine's plan, arena and status. The arena may be longer than planned.
pub struct Machine<'w, N> {
    graph: Graph<'w>,
    training: Option<&'w Training>,
    plan: Box<Plan<NODES>>,
    /// The arena.
    pub arena: Vec<u32>,
    /// What the engine remembers besides.
    pub status: Status<'w>,
    format: std::marker::PhantomData<N>,
}

impl<'w, N: Number> Machine<'w, N> {
    /// Plans a graph, and gives it an arena without parameters.
    ///
    /// # Errors
    /// The planner's.
    pub fn new(graph: Graph<'w>, training: Option<&'w Training>) -> Result<Machine<'w, N>, PlanError> {
        let plan = Box::new(plan::<NODES>(&graph, training)?);
        let arena = vec![0; plan.words()];
        Ok(Machine { graph, training, plan, arena, status: Status::EMPTY, format: std::marker::PhantomData })
    }

    /// The plan.
    pub fn plan(&self) -> PlanView<'_> {
        self.plan.view()
    }

    /// The engine over this memory.
    ///
    /// # Panics
    /// If the arena was made shorter than planned.
    pub fn engine(&mut self) -> Engine<'_, 'w, N, Everything> {
        Engine::new(self.graph, self.plan.view(), self.training, &mut self.arena, &mut self.status)
            .expect("the arena was made for the plan")
    }

    /// Overwrites everything that needn't survive from call to call with the bits of a NaN.
    pub fn poison(&mut self) {
        self.arena[self.plan.summary.persistent_words as usize..].fill(0x7fc0_dead);
    }

    /// The words of a region.
    pub fn words(&self, region: Region) -> &[u32] {
        &self.arena[region.range()]
    }

    /// Weight, bias, running mean and running variance of a node, as far as they are in the arena.
    pub fn values(&self, node: usize) -> [&[N::Value]; 4] {
        let step = &self.plan().steps[node];
        let [w, b, m, v] = [step.parameters[0], step.parameters[1], step.running[0], step.running[1]];
        [w, b, m, v]
            .map(|p| if p.region.is_some() { &N::view(&self.arena[p.region.range()])[..p.len as usize] } else { &[] })
    }

    /// The words of every trained parameter, running statistic and optimizer state: all that learning may change.
    pub fn learnt(&self) -> Vec<u32> {
        let mut words = Vec::new();
        for step in self.plan().steps {
            for p in step.parameters.iter().chain(&step.running) {
                for region in [p.region, p.state[0], p.state[1]] {
                    words.extend_from_slice(self.words(region));
                }
            }
        }
        words
    }
}
