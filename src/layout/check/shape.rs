//! What can be read back from a key: each element as a row of shapes.
//!
//! It owns: the proof that a variable's value can be told from the text of its element.
//! It does not own: which variables a layout needs.
//!
//! A value is told if the element can be read up to it from one end: past literals, numbers of a
//! fixed length, and values followed by a literal that cannot belong to them. What is read from
//! neither end counts as not told, also where a cleverer reader would find it.

use super::Wanted;

/// What a part of an element can look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Literal(String),
    /// 1 to 249 letters, digits, `.`, `_` and `-`.
    Topic,
    /// Decimal digits, a fixed number of them where the padding reaches the largest value.
    Number {
        wanted: Option<Wanted>,
        digits: Option<usize>,
    },
    /// Anything without a slash.
    Any,
}

/// What stands between two slashes.
pub(super) type Element = Vec<Shape>;

impl Shape {
    /// A number with this padding whose largest value has `digits_max` digits.
    pub(super) fn number(wanted: Option<Wanted>, width: u8, digits_max: usize) -> Self {
        let digits = Some(usize::from(width)).filter(|width| *width >= digits_max);
        Self::Number { wanted, digits }
    }

    fn wanted(&self) -> Option<Wanted> {
        match self {
            Self::Topic => Some(Wanted::Topic),
            Self::Number { wanted, digits: _ } => *wanted,
            Self::Literal(_) | Self::Any => None,
        }
    }

    fn may_hold(&self, character: char) -> bool {
        match self {
            Self::Literal(text) => text.contains(character),
            Self::Topic => character.is_ascii_alphanumeric() || "._-".contains(character),
            Self::Number { .. } => character.is_ascii_digit(),
            Self::Any => true,
        }
    }

    /// Says whether the shape ends where it meets `neighbour`, whose nearest character
    /// `edge` picks.
    fn is_parted_from(
        &self,
        neighbour: Option<&Self>,
        edge: impl Fn(&str) -> Option<char>,
    ) -> bool {
        match (self, neighbour) {
            (Self::Literal(_) | Self::Number { wanted: _, digits: Some(_) }, _) | (_, None) => true,
            (shape, Some(Self::Literal(text))) => {
                edge(text).is_some_and(|character| !shape.may_hold(character))
            }
            (_, Some(_)) => false,
        }
    }
}

/// Returns what can be read back from an element.
pub(super) fn told(element: &Element) -> Vec<Wanted> {
    let from_left = element.iter().enumerate().take_while(|(index, shape)| {
        shape.is_parted_from(element.get(index + 1), |text| text.chars().next())
    });
    let left = from_left.count();
    let from_right = element.iter().enumerate().skip(left).rev().take_while(|(index, shape)| {
        let before = index.checked_sub(1).and_then(|before| element.get(before));
        shape.is_parted_from(before, |text| text.chars().next_back())
    });
    let right = element.len() - from_right.count();
    // One alone between what is read from either end is what remains.
    let unread = if right - left == 1 { left..left } else { left..right };
    let is_read = |(index, shape): (usize, &Shape)| {
        if unread.contains(&index) { None } else { shape.wanted() }
    };
    element.iter().enumerate().filter_map(is_read).collect()
}

/// Says whether two elements could be the same text. Never wrong in saying no.
pub(super) fn may_be_equal(left: &Element, right: &Element) -> bool {
    if let (Some(left), Some(right)) = (whole_literal(left), whole_literal(right)) {
        return left == right;
    }
    let (start, other_start) = (leading(left), leading(right));
    let (end, other_end) = (trailing(left), trailing(right));
    let starts_agree = start.starts_with(other_start) || other_start.starts_with(start);
    let ends_agree = end.ends_with(other_end) || other_end.ends_with(end);
    starts_agree && ends_agree && may_hold_literals(left, right) && may_hold_literals(right, left)
}

fn may_hold_literals(element: &Element, other: &Element) -> bool {
    let holds = |character| element.iter().any(|shape| shape.may_hold(character));
    other.iter().all(|shape| match shape {
        Shape::Literal(text) => text.chars().all(holds),
        Shape::Topic | Shape::Number { .. } | Shape::Any => true,
    })
}

/// Says whether an element could begin with `text`.
pub(super) fn may_begin_with(element: &Element, text: &str) -> bool {
    let start = leading(element);
    let is_whole = element.len() == 1 && !start.is_empty();
    start.starts_with(text) || (!is_whole && text.starts_with(start))
}

fn whole_literal(element: &Element) -> Option<String> {
    let text = |shape: &Shape| match shape {
        Shape::Literal(text) => Some(text.clone()),
        Shape::Topic | Shape::Number { .. } | Shape::Any => None,
    };
    element.iter().map(text).collect()
}

fn leading(element: &Element) -> &str {
    literal(element.first())
}

fn trailing(element: &Element) -> &str {
    literal(element.last())
}

fn literal(shape: Option<&Shape>) -> &str {
    match shape {
        Some(Shape::Literal(text)) => text,
        Some(Shape::Topic | Shape::Number { .. } | Shape::Any) | None => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Shape {
        Shape::Literal(text.to_owned())
    }

    fn number(wanted: Wanted, digits: Option<usize>) -> Shape {
        Shape::Number { wanted: Some(wanted), digits }
    }

    #[test]
    fn values_are_told_from_either_end() {
        let (partition, offset) =
            (|| number(Wanted::Partition, None), || number(Wanted::Offset, None));
        let all = vec![Wanted::Topic, Wanted::Partition, Wanted::Offset];
        let cases: Vec<(Element, Vec<Wanted>)> = vec![
            (vec![Shape::Topic, text("+"), partition(), text("+"), offset()], all.clone()),
            (vec![Shape::Topic, text("-"), partition(), text("-"), offset()], all.clone()),
            (vec![Shape::Topic, text("x"), partition(), text("9"), offset()], vec![]),
            (vec![Shape::Topic, partition()], vec![]),
            (vec![partition(), Shape::Topic], vec![]),
            (vec![partition(), text("-"), Shape::Topic, text(".json")], all[..2].to_vec()),
            (vec![partition(), offset()], vec![]),
            (vec![partition(), number(Wanted::Offset, Some(19))], all[1..].to_vec()),
            (vec![number(Wanted::Partition, Some(10)), offset()], all[1..].to_vec()),
            (vec![Shape::Any, text("+"), partition()], vec![Wanted::Partition]),
            (vec![Shape::Any, text("+"), Shape::Topic], vec![Wanted::Topic]),
            (vec![Shape::Any, text("-"), Shape::Topic], vec![]),
            (vec![Shape::Any, text("+"), partition(), text("+"), Shape::Any], vec![]),
            (
                vec![Shape::Topic, text("a"), Shape::Topic, text("+"), offset()],
                vec![Wanted::Offset],
            ),
        ];
        for (element, expected) in cases {
            let mut found = told(&element);
            found.sort();
            let mut expected = expected;
            expected.sort();
            assert_eq!(found, expected, "{element:?}");
        }
    }

    #[test]
    fn elements_that_cannot_be_equal_are_known() {
        let topic = || vec![Shape::Topic];
        let partition = || vec![text("partition="), number(Wanted::Partition, None)];
        let cases: Vec<(Element, Element, bool)> = vec![
            (vec![text("a")], vec![text("a")], true),
            (vec![text("a")], vec![text("ab")], false),
            (vec![text("a")], topic(), true),
            (vec![text("+a")], topic(), false),
            (partition(), topic(), false),
            (partition(), vec![Shape::Any], true),
            (partition(), vec![text("p="), Shape::Any], false),
            (vec![Shape::Any, text("a")], vec![Shape::Any, text("b")], false),
            (vec![text("partition=x")], partition(), false),
            (vec![text("partition=7")], partition(), true),
        ];
        for (left, right, equal) in cases {
            assert_eq!(may_be_equal(&left, &right), equal, "{left:?} {right:?}");
            assert_eq!(may_be_equal(&right, &left), equal, "{right:?} {left:?}");
        }
    }
}
