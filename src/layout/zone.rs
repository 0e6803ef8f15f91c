//! Time zones by name, from the database that is built in.
//!
//! It owns: which names there are. The system's own database is never asked: two machines with
//! different ones would give one record two paths.
//! It does not own: which moment is shown in a zone.

use std::sync::OnceLock;

use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::template::{TemplateError, nearest};

/// A time zone of the IANA database. Two zones are equal if their names are.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

fn database() -> &'static TimeZoneDatabase {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    DATABASE.get_or_init(TimeZoneDatabase::bundled)
}

impl Zone {
    pub const UTC: Self = Self(TimeZone::UTC);

    /// Finds a zone by its name, without regard to case.
    pub fn parse(name: &str) -> Result<Self, TemplateError> {
        if name.eq_ignore_ascii_case("UTC") {
            return Ok(Self::UTC);
        }
        let found = database().get(name).ok().filter(|zone| zone.iana_name().is_some());
        found.map(Self).ok_or_else(|| {
            let names: Vec<String> = database().available().map(|name| name.to_string()).collect();
            let nearest = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
            TemplateError::UnknownZone { name: name.chars().take(64).collect(), nearest }
        })
    }

    pub fn as_str(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    pub(super) fn rules(&self) -> &TimeZone {
        &self.0
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Zone {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_have_one_spelling() {
        for (text, name) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("europe/berlin", "Europe/Berlin"),
            ("utc", "UTC"),
            ("America/New_York", "America/New_York"),
            ("Etc/GMT+5", "Etc/GMT+5"),
        ] {
            let zone = Zone::parse(text).unwrap();
            assert_eq!(zone.as_str(), name);
            assert_eq!(Zone::parse(zone.as_str()), Ok(zone));
        }
    }

    #[test]
    fn an_unknown_zone_names_the_nearest() {
        assert_eq!(
            Zone::parse("Europe/Berlni").unwrap_err().to_string(),
            "time zone `Europe/Berlni` is unknown, did you mean `Europe/Berlin`?; names are those \
             of the IANA database, such as `UTC` or `Europe/Berlin`"
        );
        let long = "x".repeat(10_000);
        for bad in ["", "Berlin/../UTC", "+01:00", "\0", &long] {
            assert!(Zone::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_zone_there_is_can_be_named() {
        for name in database().available() {
            let Ok(zone) = Zone::parse(name.as_str()) else { panic!("{}", name.as_str()) };
            assert_eq!(Zone::parse(zone.as_str()).as_ref(), Ok(&zone));
        }
    }
}
