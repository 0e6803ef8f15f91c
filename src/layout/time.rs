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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, text: &str, zone: &str) -> Option<String> {
        let moment = TimeFormat::parse(format).unwrap().read(text, &Zone::parse(zone).unwrap())?;
        Some(moment.to_string())
    }

    #[test]
    fn a_field_becomes_a_moment() {
        let timestamp = "%Y-%m-%d %H:%M:%S";
        let cases = [
            ("rfc3339", "2021-08-24T11:23:51Z", "Europe/Berlin", "2021-08-24T11:23:51Z"),
            ("rfc3339", "2021-08-24T11:23:51.5+02:00", "UTC", "2021-08-24T09:23:51.5Z"),
            ("rfc3339", "2021-08-24T11:23:51", "Europe/Berlin", "2021-08-24T09:23:51Z"),
            ("unix_s", "1629804231", "UTC", "2021-08-24T11:23:51Z"),
            ("unix_s", "1629804231.25", "UTC", "2021-08-24T11:23:51.25Z"),
            ("unix_s", "1.629804231E9", "UTC", "2021-08-24T11:23:51Z"),
            ("unix_s", "-1.5", "UTC", "1969-12-31T23:59:58.5Z"),
            ("unix_ms", "1629804231007", "UTC", "2021-08-24T11:23:51.007Z"),
            (timestamp, "2021-08-24 11:23:51", "UTC", "2021-08-24T11:23:51Z"),
            (timestamp, "2021-08-24 11:23:51", "America/New_York", "2021-08-24T15:23:51Z"),
            ("%Y-%m-%d", "2021-08-24", "America/New_York", "2021-08-24T04:00:00Z"),
            ("%d/%b/%Y:%H:%M:%S %z", "24/Aug/2021:11:23:51 +0200", "UTC", "2021-08-24T09:23:51Z"),
        ];
        for (format, text, zone, moment) in cases {
            assert_eq!(read(format, text, zone).as_deref(), Some(moment), "{format} {text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_missing() {
        let cases = [
            ("rfc3339", "yesterday"),
            ("rfc3339", ""),
            ("rfc3339", "2021-02-30T00:00:00Z"),
            ("unix_s", "9223372036854775807"),
            ("unix_s", "99999999999999999999999"),
            ("unix_s", "1e400"),
            ("unix_s", "nan"),
            ("unix_s", "-inf"),
            ("unix_s", "true"),
            ("unix_ms", "-9223372036854775808"),
            ("%Y-%m-%d", "2021-08-24 11"),
            ("%Y-%m-%d", "2021-13-01"),
        ];
        for (format, text) in cases {
            assert_eq!(read(format, text, "UTC"), None, "{format} {text}");
        }
    }

    #[test]
    fn local_times_of_a_clock_change_are_read_as_calendars_do() {
        let read = |text| read("%Y-%m-%d %H:%M", text, "Europe/Berlin").unwrap();
        assert_eq!(read("2024-03-31 01:59"), "2024-03-31T00:59:00Z");
        assert_eq!(read("2024-03-31 02:30"), "2024-03-31T01:30:00Z");
        assert_eq!(read("2024-03-31 03:00"), "2024-03-31T01:00:00Z");
        assert_eq!(read("2024-10-27 01:59"), "2024-10-26T23:59:00Z");
        assert_eq!(read("2024-10-27 02:30"), "2024-10-27T00:30:00Z");
        assert_eq!(read("2024-10-27 03:00"), "2024-10-27T02:00:00Z");
    }

    #[test]
    fn formats_that_read_no_day_are_refused() {
        for bad in ["", "%H:%M", "%Q%", "%Y", "text", "%c", "%é"] {
            let fault = TimeFormat::parse(bad);
            assert!(matches!(fault, Err(TemplateError::TimeFormat { .. })), "{bad} {fault:?}");
        }
        assert_eq!(
            TimeSource::field("/a", "%H:%M", Zone::UTC).unwrap_err().to_string(),
            "`%H:%M` reads no moment, `11:23` did not come back from it: name at least a date, for \
             example `%Y-%m-%d %H:%M:%S`, or one of `rfc3339`, `unix_s`, `unix_ms`"
        );
    }
}
