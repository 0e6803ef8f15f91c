//! The strftime text of `{time:..}`: checked once, so that rendering it cannot surprise.
//!
//! It owns: which directives may stand in a path, and how finely they cut time.
//! It does not own: which moment a record has, nor the zone.

use std::fmt;
use std::sync::Arc;

use jiff::Zoned;
use jiff::fmt::strtime;

use super::template::TemplateError;

/// What a partition without a value is called; Hive's own word, which its readers know.
pub const DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Why a directive cannot stand in a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DirectiveFault {
    Unknown,
    Locale,
    Slash,
    Space,
    Fraction,
    Percent,
    Flag,
}

impl fmt::Display for DirectiveFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Unknown => {
                "is no directive that a path takes: write for example `%Y`, `%m`, `%d`, `%H`, `%M`"
            }
            Self::Locale => "depends on a locale: write `%F` for the date, `%T` for the time",
            Self::Slash => "prints a `/`, which makes directories: write them, as in `%Y/%m/%d`",
            Self::Space => "prints white space: write `%d`, `%H` or `%I`",
            Self::Fraction => "would make a path per record: the second, `%S`, is the finest",
            Self::Percent => "prints `%`, which readers of paths take for an escape: remove it",
            Self::Flag => "has a flag or width; `-`, `0`, `^` and `#` alone are taken: drop it",
        })
    }
}

/// How much time two moments may be apart and still look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grain {
    Second,
    Minute,
    Hour,
    Day,
}

impl Grain {
    pub(super) fn seconds(self) -> i64 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

/// A checked strftime text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    text: Arc<str>,
    /// What stands there for a record without a time: per element, the literal text up to the
    /// first directive and Hive's default.
    missing: Arc<str>,
    grain: Grain,
}

impl Pattern {
    /// Checks `text`, which begins at `position` of its template.
    pub(super) fn parse(text: &str, position: usize) -> Result<Self, TemplateError> {
        let mut grain = None::<Grain>;
        let mut rest = text;
        while let Some(start) = rest.find('%') {
            let directive = directive_text(&rest[start..]);
            let found = check_directive(directive).map_err(|fault| TemplateError::Directive {
                directive: directive.to_owned(),
                position: position + text[..text.len() - rest.len() + start].chars().count(),
                fault,
            })?;
            grain = Some(grain.map_or(found, |known| known.min(found)));
            rest = &rest[start + directive.len()..];
        }
        let Some(grain) = grain else {
            return Err(TemplateError::NoDirective { pattern: text.to_owned(), position });
        };
        Ok(Self { text: text.into(), missing: missing_text(text).into(), grain })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn missing(&self) -> &str {
        &self.missing
    }

    pub(super) fn grain(&self) -> Grain {
        self.grain
    }

    /// Returns the rendered text; none where a directive cannot print this moment.
    pub(super) fn render(&self, moment: &Zoned) -> Option<String> {
        strtime::format(self.as_str(), moment).ok()
    }
}

/// Returns the directive that `rest` begins with: `%`, flags, width, colons, letter.
fn directive_text(rest: &str) -> &str {
    let is_inner = |character: char| "-_0123456789^#:.".contains(character);
    let inner = rest.char_indices().skip(1).find(|(_, character)| !is_inner(*character));
    match inner {
        Some((index, letter)) => &rest[..index + letter.len_utf8()],
        None => rest,
    }
}

fn check_directive(directive: &str) -> Result<Grain, DirectiveFault> {
    let inner = directive.strip_prefix('%').unwrap_or(directive);
    let letter = inner.chars().next_back().ok_or(DirectiveFault::Unknown)?;
    let grain = match letter {
        'Y' | 'C' | 'y' | 'G' | 'g' | 'q' | 'B' | 'b' | 'h' | 'm' | 'U' | 'V' | 'W' => Grain::Day,
        'd' | 'j' | 'u' | 'w' | 'A' | 'a' | 'F' | 'Z' | 'z' => Grain::Day,
        'H' | 'I' | 'p' | 'P' => Grain::Hour,
        'M' | 'R' => Grain::Minute,
        'S' | 's' | 'T' => Grain::Second,
        'c' | 'r' | 'x' | 'X' => return Err(DirectiveFault::Locale),
        'D' | 'Q' => return Err(DirectiveFault::Slash),
        'e' | 'k' | 'l' | 'n' | 't' => return Err(DirectiveFault::Space),
        'f' | 'N' => return Err(DirectiveFault::Fraction),
        '%' => return Err(DirectiveFault::Percent),
        _ => return Err(DirectiveFault::Unknown),
    };
    let flags = &inner[..inner.len() - letter.len_utf8()];
    match flags {
        "" | "-" | "0" | "^" | "#" => Ok(grain),
        ":" if letter == 'z' => Ok(grain),
        _ => Err(DirectiveFault::Flag),
    }
}

fn missing_text(pattern: &str) -> String {
    let element_text = |element: &str| match element.split_once('%') {
        Some((literal, _)) => format!("{literal}{DEFAULT_PARTITION}"),
        None => element.to_owned(),
    };
    pattern.split('/').map(element_text).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_finest_directive_decides_the_grain() {
        let cases = [
            ("%Y-%m-%d", Grain::Day),
            ("%-d", Grain::Day),
            ("%F/%H", Grain::Hour),
            ("%H%M", Grain::Minute),
            ("%s", Grain::Second),
            ("%Z%z%:z", Grain::Day),
        ];
        for (text, grain) in cases {
            assert_eq!(Pattern::parse(text, 1).map(|pattern| pattern.grain()), Ok(grain), "{text}");
        }
    }

    #[test]
    fn every_directive_that_is_taken_prints_something_that_a_key_takes() {
        let moment = jiff::Timestamp::from_second(1_629_804_231)
            .unwrap()
            .to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(5)));
        for letter in ' '..='~' {
            let text = format!("%{letter}");
            let Ok(pattern) = Pattern::parse(&text, 1) else { continue };
            let printed = pattern.render(&moment).unwrap();
            assert!(!printed.is_empty(), "{text}");
            assert!(!printed.contains(['/', ' ', '%']), "{text} {printed}");
            assert!(printed.chars().all(|character| character.is_ascii_graphic()), "{text}");
        }
    }

    #[test]
    fn directives_that_surprise_are_refused_with_their_position() {
        let cases = [
            ("%Y%", "`%`", 3),
            ("%é", "`%é`", 1),
            ("é%D", "`%D`", 2),
            ("%Q", "`%Q`", 1),
            ("%c", "`%c`", 1),
            ("%e", "`%e`", 1),
            ("%_d", "`%_d`", 1),
            ("%10Y", "`%10Y`", 1),
            ("%3f", "`%3f`", 1),
            ("%.f", "`%.f`", 1),
            ("%%", "`%%`", 1),
            ("%::z", "`%::z`", 1),
            ("%Ey", "`%E`", 1),
        ];
        for (text, directive, position) in cases {
            let message = Pattern::parse(text, 1).unwrap_err().to_string();
            let expected = format!("{directive} in `{{time:..}}` at position {position} ");
            assert!(message.starts_with(&expected), "{message}");
        }
        let message = Pattern::parse("year", 1).unwrap_err().to_string();
        assert!(message.contains("holds no directive"), "{message}");
    }

    #[test]
    fn a_missing_time_keeps_the_directories() {
        let pattern = Pattern::parse("year=%Y-%m/x/month=%m", 1).unwrap();
        assert_eq!(
            pattern.missing(),
            "year=__HIVE_DEFAULT_PARTITION__/x/month=__HIVE_DEFAULT_PARTITION__"
        );
    }
}
