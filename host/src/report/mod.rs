//! Reports: one HTML page a run, complete in itself, that any browser opens years later.
//!
//! Plain values in, a `String` out, so that a command can save the values as JSON and make the page again. Nothing on a
//! page comes from elsewhere: no script, no font; pictures of samples are in
//! the page. Charts are SVG in the text, colours follow the reader's
//! light or dark scheme, and a phone shows everything in one column. Every text from outside is escaped; a number that
//! isn't finite is a dash in tables and left out of charts; what isn't known leaves its section out.
//!
//! ```
//! use emberlite_host::report::{self, Score, TrainingReport};
//!
//! let score = Score { runner: "device arithmetic".into(), samples: 360, accuracy: Some(0.975), ..Score::default() };
//! let run = TrainingReport { name: "digits <v2>".into(), scores: vec![score], ..TrainingReport::default() };
//! let page = report::training(&run);
//! assert!(page.starts_with("<!doctype html>") && page.contains("digits &lt;v2&gt;") && page.contains("97.5 %"));
//! ```

mod axis;
mod chart;
mod compare;
mod confusion;
mod demo;
mod facts;
mod html;
mod memory;
pub(crate) mod number;
pub mod runs;
mod search;
mod table;
mod training;
mod verdict;

pub use compare::{Comparison, FigureRow, FigureUnit, SettingRow};
pub use demo::{BeforeAfter, CurvePoint, DemoReport, DemoRun, DeviceMemory, Parity, demo};
pub use facts::{Confusion, FileFacts, Pairs};
pub use search::{ParameterFacts, SearchReport, search};
pub use training::{
    CalibrationRange, Curves, Example, Judged, LayerFacts, Look, ModelFacts, PartFacts, ResidualRange, Score,
    TrainingReport, training,
};
