//! The classes of the samples: what `[data] classes` calls them, and what `[training] class_weights` makes of them.

use super::error::{shortened, suggestion};
use super::{Files, Media, Spec, SpecError};
use crate::data::{ClassWeights, Label, Labels, Source, balanced_order};
use crate::train::Sampling;

impl Spec {
    /// The classes that the description names by itself, in the order of the outputs; empty where only the data say them.
    pub fn named_classes(&self) -> Vec<String> {
        match self.data.as_ref().map(|data| &data.files) {
            Some(Files::Csv { spec, .. }) if matches!(spec.label, Label::Class(_)) => spec.classes.clone(),
            Some(Files::Npz { classes, .. } | Files::Idx { classes, .. }) => classes.clone(),
            Some(Files::Media(media)) => media.named_classes().to_vec(),
            _ => Vec::new(),
        }
    }

    /// What each class counts in the loss, in the order of the outputs; none where `[training]` doesn't say. Give the labels
    /// of the training part.
    ///
    /// # Errors
    /// [`SpecError`] at the line of a class that isn't there, or of `class_weights` where they can't be had.
    pub fn class_weights(&self, labels: &Labels) -> Result<Option<Vec<f32>>, SpecError> {
        const PATH: &str = "training.class_weights";
        let Some(weights) = &self.training.class_weights else { return Ok(None) };
        if let (ClassWeights::Given(weights), Labels::Class { names, .. }) = (weights, labels)
            && let Some(class) = weights.keys().find(|class| !names.contains(class))
        {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let message = format!("the data have no class `{}`; {}", shortened(class), suggestion(class, &names));
            return Err(self.blame(&format!("{PATH}.{class}"), message));
        }
        weights.of(labels).map(Some).map_err(|error| self.blame(PATH, error))
    }

    /// Whether every class can be drawn as often, where `[training]` says so. Give the labels of the training part.
    ///
    /// # Errors
    /// [`SpecError`] at the line of `sampling`.
    pub fn check_sampling(&self, labels: &Labels) -> Result<(), SpecError> {
        if self.training.host.sampling != Sampling::Balanced {
            return Ok(());
        }
        balanced_order(labels, 0, 1).map(|_| ()).map_err(|error| self.blame("training.sampling", error))
    }

    /// What training would refuse of a set whose samples can be read: a class without an output, constants for another number
    /// of channels, classes that can't be weighted or drawn as often.
    pub fn refused_of(&self, train: &dyn Source) -> Vec<SpecError> {
        let labels = train.labels();
        // A model that can't be planned has been refused by its own sentence.
        let costs = self.costs(Some(&self.device.training)).ok();
        [
            costs.and_then(|costs| self.check_classes(&costs, train).err()),
            self.given_standardise(train.shape()).err(),
            self.class_weights(labels).err(),
            self.check_sampling(labels).err(),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Labels that are numbers in their file get the names of `[data] classes`, the first name for 0.
    ///
    /// # Errors
    /// [`SpecError`] where there are fewer names than the numbers need.
    pub(super) fn name_classes(&self, files: &Files, labels: &mut Labels) -> Result<(), SpecError> {
        let (classes, file) = match files {
            Files::Npz { path, classes, .. } => (classes, path),
            Files::Idx { labels, classes, .. } => (classes, labels),
            Files::Media(Media::Cifar { folder, classes, .. }) => (classes, folder),
            Files::Csv { .. } | Files::Media(_) => return Ok(()),
        };
        let Labels::Class { names, .. } = labels else { return Ok(()) };
        let (found, needed) = (classes.len(), names.len());
        if found == 0 {
            return Ok(());
        }
        if found < needed {
            let labels = format!("the labels of {} go up to {}", file.display(), needed - 1);
            if self.places.key("data.classes").is_some() {
                let names = if found == 1 { "name" } else { "names" };
                let message = format!("{found} {names}, but {labels}; give {needed} names, the first for 0");
                return Err(self.blame("data.classes", message));
            }
            // They are those of the model's file.
            let classes = if found == 1 { "class" } else { "classes" };
            return Err(self.blame("data", format!("the model knows {found} {classes}, but {labels}")));
        }
        names.clone_from(classes);
        Ok(())
    }
}

/// Numbers name only the classes up to the largest that occurs: a part of its own that lacks the last has those of the whole.
pub(super) fn as_many_classes(files: &Files, labels: &mut Labels, classes: &[String]) {
    if let (Files::Npz { .. } | Files::Idx { .. }, Labels::Class { names, .. }) = (files, labels)
        && names.len() < classes.len()
    {
        *names = classes.to_vec();
    }
}
