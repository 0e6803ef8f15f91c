//! A regular expression that topics match as a whole.
//!
//! It owns: that a pattern matches whole names. It does not own: which topics exist.

use regex::Regex;

use super::problem::Problem;
use crate::model::Topic;

/// A pattern for whole names of topics.
#[derive(Clone, Debug)]
pub struct TopicPattern {
    text: String,
    regex: Regex,
}

impl TopicPattern {
    pub(super) fn parse(text: &str) -> Result<Self, Problem> {
        if text.is_empty() {
            return Err(Problem::Empty);
        }
        // Parsed alone first, so that `a)(b` is refused and messages show the text as it was given.
        let compiled = Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$")));
        let regex = compiled.map_err(|error| Problem::Regex { reason: reason_of(&error) })?;
        Ok(Self { text: text.to_owned(), regex })
    }

    /// Returns the text as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the text with anchors at both ends.
    pub fn anchored(&self) -> &str {
        self.regex.as_str()
    }

    pub fn matches(&self, topic: &Topic) -> bool {
        self.regex.is_match(topic.as_str())
    }
}

impl PartialEq for TopicPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for TopicPattern {}

/// Returns the last line of the parser's message, which says what is wrong.
fn reason_of(error: &regex::Error) -> String {
    let text = error.to_string();
    let line = text.lines().last().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_whole_names_only() {
        let pattern = TopicPattern::parse(r"pin|12ab34\.geo").unwrap();
        for (topic, matches) in
            [("pin", true), ("12ab34.geo", true), ("12ab34.geo2", false), ("xpin", false)]
        {
            assert_eq!(pattern.matches(&Topic::new(topic).unwrap()), matches, "{topic}");
        }
    }

    #[test]
    fn refuses_what_is_no_expression() {
        for bad in ["", "(", "a)(b", "[z-a]", "*"] {
            assert!(TopicPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
