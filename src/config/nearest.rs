//! Which known word a person probably meant.
//!
//! It owns: the distance between two words. It does not own: which words are candidates.

/// Returns the candidate nearest to `word`, if one is near enough to be a slip of the fingers.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Counts the insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut before_last = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, left_char) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, right_char) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(left_char != right_char);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            let is_swap = row > 0
                && column > 0
                && left[row - 1] == *right_char
                && *left_char == right[column - 1];
            if is_swap {
                let swapped: &Vec<usize> = &before_last;
                best = best.min(swapped[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = last;
        last = current;
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_slips_and_leaves_strangers_alone() {
        let words = ["topics", "topics_regex", "group_id", "start"];
        let cases = [
            ("topcs", Some("topics")),
            ("tpoics", Some("topics")),
            ("Topics", Some("topics")),
            ("groupid", Some("group_id")),
            ("topic_regex", Some("topics_regex")),
            ("flush", None),
            ("", None),
        ];
        for (word, expected) in cases {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
    }

    #[test]
    fn counts_each_kind_of_slip_once() {
        for (left, right, expected) in
            [("", "", 0), ("ab", "", 2), ("ab", "ba", 1), ("gzip", "zip", 1), ("plain", "plane", 2)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }
}
