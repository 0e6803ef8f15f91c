//! Several runs in one cell of the table.

/// The median of the runs, and the smallest and largest.
pub fn spread(mut values: Vec<f64>, decimals: usize) -> String {
    values.sort_by(f64::total_cmp);
    let (Some(first), Some(last)) = (values.first(), values.last()) else { return "-".to_owned() };
    let middle = values.len() / 2;
    let median = match values.len() % 2 {
        0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    };
    if values.len() == 1 {
        return format!("{median:.decimals$}");
    }
    format!("{median:.decimals$} ({first:.decimals$}-{last:.decimals$})")
}

/// Prints a row whose first cell is wide.
pub fn row(cells: &[&str]) {
    let mut line = format!("{:<28}", cells[0]);
    for cell in &cells[1..] {
        line.push_str(&format!(" {cell:>20}"));
    }
    println!("{}", line.trim_end());
}
