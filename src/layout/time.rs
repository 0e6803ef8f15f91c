//! Which moment a record has, as far as its path is concerned.
//!
//! It owns: where the moment is taken from and how a field's text becomes one.
//! It does not own: how a moment is shown in a path.
//!
//! A local time that a clock change leaves out or runs through twice is read the way iCalendar
//! does: the one left out is moved on by the gap, of the two that are alike the earlier is taken.

use jiff::Timestamp as Moment;
use jiff::civil::DateTime;
use jiff::fmt::strtime;

use super::pointer::{check_pointer, lookup};
use super::route::RouteContext;
use super::template::TemplateError;
use super::zone::Zone;
use crate::model::{Record, Timestamp};

/// What `{time:..}` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// The record's own timestamp.
    Record,
    /// When its batch was opened.
    Opened,
    /// A field of its value; make it with [`TimeSource::field`], which checks the texts.
    Field { pointer: String, format: TimeFormat, zone: Zone },
}

/// How a field writes a moment. Numbers may be JSON numbers or strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TimeFormat {
    /// `2021-08-24T11:23:51+02:00`; without an offset the field's zone counts.
    Rfc3339,
    UnixSeconds,
    UnixMillis,
    /// Without `%z` or `%s` the field's zone counts.
    Strftime(String),
}

impl TimeSource {
    /// Returns the source that a field is, with its pointer and its format checked.
    pub fn field(pointer: &str, format: &str, zone: Zone) -> Result<Self, TemplateError> {
        let source =
            Self::Field { pointer: pointer.to_owned(), format: TimeFormat::parse(format)?, zone };
        source.check()?;
        Ok(source)
    }

    pub(super) fn check(&self) -> Result<(), TemplateError> {
        let Self::Field { pointer, format, zone: _ } = self else { return Ok(()) };
        if let Err(error) = check_pointer(pointer) {
            let pointer = pointer.escape_debug().to_string();
            return Err(TemplateError::TimeField { pointer, error });
        }
        format.check()
    }

    /// Returns the record's moment; none if it has none, or one that no calendar reaches.
    pub(super) fn moment(&self, of: &RouteContext<'_>, record: &Record<'_>) -> Option<Moment> {
        match self {
            Self::Record => from_millis(record.timestamp?),
            Self::Opened => from_millis(of.opened),
            Self::Field { pointer, format, zone } => {
                let text = lookup(record.value?, pointer)?;
                format.read(std::str::from_utf8(&text).ok()?, zone)
            }
        }
    }
}

fn from_millis(timestamp: Timestamp) -> Option<Moment> {
    Moment::from_millisecond(timestamp.millis()).ok()
}

impl TimeFormat {
    /// Reads the format's own name (`rfc3339`, `unix_s`, `unix_ms`) or a strftime text.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let format = match text {
            "rfc3339" => Self::Rfc3339,
            "unix_s" => Self::UnixSeconds,
            "unix_ms" => Self::UnixMillis,
            other => Self::Strftime(other.to_owned()),
        };
        format.check()?;
        Ok(format)
    }

    pub fn as_str(&self) -> &str {
        match self {
            Self::Rfc3339 => "rfc3339",
            Self::UnixSeconds => "unix_s",
            Self::UnixMillis => "unix_ms",
            Self::Strftime(format) => format,
        }
    }

    /// A strftime text is good if it reads back the day of a moment that it printed.
    fn check(&self) -> Result<(), TemplateError> {
        let Self::Strftime(format) = self else { return Ok(()) };
        if format.len() > super::template::TEMPLATE_BYTES_MAX {
            return Err(TemplateError::TooLong { bytes: format.len() });
        }
        let sample = DateTime::constant(2021, 8, 24, 11, 23, 51, 0);
        let printed = match sample.to_zoned(jiff::tz::TimeZone::UTC) {
            Ok(moment) => strtime::format(format, &moment).unwrap_or_default(),
            Err(_) => String::new(),
        };
        let is_same_day = self
            .read(&printed, &Zone::UTC)
            .is_some_and(|moment| moment.to_zoned(jiff::tz::TimeZone::UTC).date() == sample.date());
        let is_own_word = ["rfc3339", "unix_s", "unix_ms"].contains(&format.as_str());
        if is_same_day && !is_own_word {
            return Ok(());
        }
        let format = format.escape_debug().to_string();
        Err(TemplateError::TimeFormat { format, sample: printed.escape_debug().to_string() })
    }

    fn read(&self, text: &str, zone: &Zone) -> Option<Moment> {
        match self {
            Self::Rfc3339 => match text.parse::<Moment>() {
                Ok(moment) => Some(moment),
                Err(_) => local(text.parse::<DateTime>().ok()?, zone),
            },
            Self::UnixSeconds => match text.parse::<i64>() {
                Ok(seconds) => Moment::from_second(seconds).ok(),
                Err(_) => millis_of(text, 1_000.0),
            },
            Self::UnixMillis => match text.parse::<i64>() {
                Ok(millis) => Moment::from_millisecond(millis).ok(),
                Err(_) => millis_of(text, 1.0),
            },
            Self::Strftime(format) => {
                let parsed = strtime::parse(format, text).ok()?;
                match parsed.to_timestamp() {
                    Ok(moment) => Some(moment),
                    Err(_) => local(parsed.to_datetime().ok()?, zone),
                }
            }
        }
    }
}

fn local(time: DateTime, zone: &Zone) -> Option<Moment> {
    zone.rules().to_ambiguous_timestamp(time).compatible().ok()
}

/// Reads a number with a fraction or an exponent; what is finer than a millisecond is dropped.
fn millis_of(text: &str, scale: f64) -> Option<Moment> {
    let millis = (text.parse::<f64>().ok()? * scale).floor();
    // Beyond this a moment has no calendar, and the cast below would not be exact.
    const MILLIS_MAX: f64 = 9_007_199_254_740_991.0;
    if !millis.is_finite() || millis.abs() > MILLIS_MAX {
        return None;
    }
    Moment::from_millisecond(millis as i64).ok()
}
