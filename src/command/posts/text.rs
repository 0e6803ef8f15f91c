//! What people write under a picture: titles, descriptions, tags, follower counts.

use super::random::Random;
use super::words::{ADJECTIVES, CLOSINGS, Category, EMOJI, OPENINGS, SENTENCES};

/// Descriptions end at a sentence of about this length.
const DESCRIPTION_BYTES_MIN: u64 = 150;
const DESCRIPTION_BYTES_SPREAD: u64 = 200;

pub(super) fn title(random: &mut Random, category: &Category) -> String {
    let (thing, other) = (random.pick(category.things), random.pick(category.things));
    let adjective = random.pick(ADJECTIVES);
    match random.below(5) {
        0 => format!("{} {adjective} {thing} ideas for {}", 5 + random.below(60), category.label),
        1 => format!("{} {thing} and {other} | {}", capital(adjective), category.label),
        2 => format!("How to choose {thing}: the {adjective} guide {}", random.pick(EMOJI)),
        3 => format!("{} {} {thing}, easily made", random.pick(OPENINGS), capital(adjective)),
        _ => format!("{} {thing} you can copy at home today", capital(adjective)),
    }
}

pub(super) fn description(random: &mut Random, category: &Category) -> String {
    let wanted = DESCRIPTION_BYTES_MIN + random.below(DESCRIPTION_BYTES_SPREAD);
    let mut text = format!("{} ", random.pick(OPENINGS));
    for sentence in random.tour(SENTENCES) {
        if text.len() as u64 >= wanted {
            break;
        }
        let sentence = sentence
            .replace("{thing}", random.pick(category.things))
            .replace("{adjective}", random.pick(ADJECTIVES));
        text.push_str(&sentence);
        text.push(' ');
    }
    text.push_str(random.pick(CLOSINGS));
    if random.below(3) == 0 {
        text.push(' ');
        text.push_str(random.pick(EMOJI));
    }
    text
}

/// Returns five to eight different tags, separated by commas.
pub(super) fn tags(random: &mut Random, category: &Category) -> String {
    let count = 5 + usize::try_from(random.below(4)).unwrap_or(0);
    let mut tags = Vec::new();
    for adjective in random.tour(ADJECTIVES).take(count) {
        tags.push(format!("{} {}", capital(adjective), capital(random.pick(category.things))));
    }
    tags.join(",")
}

/// Returns a count as the site rounds it: many small ones, few big ones.
pub(super) fn follower_count(random: &mut Random) -> String {
    match random.below(100) {
        0..40 => random.below(1_000).to_string(),
        40..92 => format!("{}k", 1 + random.below(999)),
        _ => format!("{}M", 1 + random.below(8)),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::CATEGORIES;
    use super::*;

    #[test]
    fn follower_counts_look_like_the_sites() {
        let mut random = Random::new(1, 1);
        for _ in 0..500 {
            let count = follower_count(&mut random);
            let number = count.trim_end_matches(['k', 'M']);
            assert!(number.parse::<u64>().is_ok() && count.len() <= 4, "{count}");
        }
    }

    #[test]
    fn no_placeholder_is_left_in_a_sentence() {
        for index in 0..200 {
            let mut random = Random::new(1, index);
            let category = random.pick(CATEGORIES);
            let text = description(&mut random, category);
            assert!(!text.contains(['{', '}']), "{text}");
        }
    }

    #[test]
    fn capitals_reach_beyond_ascii() {
        assert_eq!(capital("éclair"), "Éclair");
        assert_eq!(capital(""), "");
    }
}
