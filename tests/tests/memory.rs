//! The planner's arena: as small as what must be live at once, used to its end and not beyond, and never giving one word
//! to two things that are needed at the same time.

mod memory {
    pub mod life;
    pub mod size;
    pub mod touched;
}

use emberlite::number::Format;
use emberlite::number::random::Key;
use emberlite_tests::oracle::{Case, Choices, generate};

/// Random case number `seed`.
fn case(seed: u32, format: Format) -> Case {
    let key = Key::new(seed, 31, 0);
    let decisions: Vec<u32> = (0..20 + key.at(1000) % 80).map(|i| key.at(i) % 5040).collect();
    generate(&mut Choices::new(&decisions), format)
}
