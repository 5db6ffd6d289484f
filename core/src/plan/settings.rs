//! Training settings: everything of learning that isn't the graph.

use crate::loss::Loss;
use crate::optimizer::{Clip, Optimizer, Penalty, Schedule};

/// How a model learns on the device. `const`-constructible; part of what the planner plans.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Training {
    /// What is minimised.
    pub loss: Loss,
    /// How a gradient becomes a step.
    pub optimizer: Optimizer,
    /// How the learning rate changes over the steps.
    pub schedule: Schedule,
    /// L1 and L2 penalties on the parameters.
    pub penalty: Penalty,
    /// Gradient clipping.
    pub clip: Clip,
    /// Samples per step; above 1, gradients are accumulated in a buffer of four bytes a parameter, and what a
    /// batch norm learns of its running statistics in one of eight bytes a channel.
    pub batch: u32,
    /// The seed of dropout, of stochastic rounding and of initial weights.
    pub seed: u32,
}

impl Training {
    /// A loss and an optimizer, batch 1, a constant rate, no penalty, no clipping, seed 0.
    pub const fn new(loss: Loss, optimizer: Optimizer) -> Training {
        Training {
            loss,
            optimizer,
            schedule: Schedule::CONSTANT,
            penalty: Penalty::NONE,
            clip: Clip::None,
            batch: 1,
            seed: 0,
        }
    }
    /// Sets the samples per step.
    pub const fn batch(mut self, batch: u32) -> Training {
        self.batch = batch;
        self
    }
    /// Sets the seed.
    pub const fn seed(mut self, seed: u32) -> Training {
        self.seed = seed;
        self
    }
    /// Sets gradient clipping.
    pub const fn clip(mut self, clip: Clip) -> Training {
        self.clip = clip;
        self
    }
    /// Sets the schedule of the learning rate.
    pub const fn schedule(mut self, schedule: Schedule) -> Training {
        self.schedule = schedule;
        self
    }
    /// Sets the L1 and L2 penalties.
    pub const fn penalty(mut self, l1: f32, l2: f32) -> Training {
        self.penalty = Penalty { l1, l2 };
        self
    }
    /// Whether a gradient must be whole before it is applied: a mini-batch, or clipping by the global norm.
    pub const fn needs_gradient_buffer(&self) -> bool {
        self.batch > 1 || self.clip.needs_gradient_buffer()
    }
}
