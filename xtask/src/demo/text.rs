//! Numbers and tables for people.

/// `0.8944` as `89.4 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `43626` as `43,626`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Rows with aligned columns, the first to the left, all others to the right; an empty row is a line.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        if row.is_empty() {
            line = "-".repeat(widths.iter().sum::<usize>() + 3 * columns.saturating_sub(1));
        }
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width.saturating_sub(cell.chars().count()));
            line += &if column == 0 { format!("{cell}{gap}") } else { format!("   {gap}{cell}") };
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 43_626, 1_234_567].map(thousands), ["0", "999", "1,000", "43,626", "1,234,567"]);
        assert_eq!([0.0, 0.8944, 1.0].map(percent), ["0.0 %", "89.4 %", "100.0 %"]);
    }

    #[test]
    fn columns_are_aligned() {
        let rows = [vec!["a", "seed"], vec![], vec!["right \u{2192} left", "1"]];
        let rows = rows.map(|row| row.into_iter().map(String::from).collect());
        let expected = "a              seed\n-------------------\nright \u{2192} left      1\n";
        assert_eq!(table(&rows), expected);
    }
}
