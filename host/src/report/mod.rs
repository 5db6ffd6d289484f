//! Reports: one HTML page a run, complete in itself, that any browser opens years later.
//!
//! Plain values in, a `String` out. Nothing on a page comes from elsewhere: no script, no font, no picture; charts are
//! SVG in the text, colours follow the reader's light or dark scheme, and every text from outside is escaped.

mod demo_facts;
mod facts;
mod training_facts;

pub use demo_facts::{BeforeAfter, CurvePoint, DemoReport, DemoRun, DeviceMemory, Parity};
pub use facts::{Confusion, FileFacts, Pairs};
pub use training_facts::{LayerFacts, ModelFacts, PartFacts, Score, TrainingReport};
