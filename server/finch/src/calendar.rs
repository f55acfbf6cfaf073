//! Dates out of the wall clock, in UTC: this process has no time zones.
//!
//! Pure. The days are counted in the Gregorian calendar, four hundred years at a time, from 1 March of the year 0.

use std::fmt;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Days from 1 March of the year 0 to 1 January 1970.
const DAYS_BEFORE_1970: u64 = 719_468;
/// Days of four hundred years.
const DAYS_OF_400: u64 = 146_097;

/// A moment as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    month: Month,
    day: u64,
    ms_of_day: u64,
}

/// A month of a year, as it stands in names of files: `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month {
    year: u64,
    /// From 1.
    month: u64,
}

impl Moment {
    /// Of milliseconds since 1970.
    pub(crate) fn of(at_ms: u64) -> Self {
        let days = at_ms / DAY_MS + DAYS_BEFORE_1970;
        let of_400 = days % DAYS_OF_400;
        let year_of_400 = (of_400 - of_400 / 1_460 + of_400 / 36_524 - of_400 / 146_096) / 365;
        let of_year = of_400 - (365 * year_of_400 + year_of_400 / 4 - year_of_400 / 100);
        // Months from March have 153 days in five.
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
        let year = days / DAYS_OF_400 * 400 + year_of_400 + u64::from(month <= 2);
        Self { month: Month { year, month }, day, ms_of_day: at_ms % DAY_MS }
    }

    pub(crate) fn month(self) -> Month {
        self.month
    }

    /// To the minute, for a table.
    pub(crate) fn short(self) -> String {
        let minutes = self.ms_of_day / 60_000;
        format!("{}-{:02} {:02}:{:02}", self.month, self.day, minutes / 60, minutes % 60)
    }
}

/// As RFC 3339 and TOML write it, to the second.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.ms_of_day / 1000;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{}-{:02}T{hour:02}:{minute:02}:{second:02}Z", self.month, self.day)
    }
}

impl Month {
    /// Reads what [`Month`] displays, and nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('-')?;
        let found = Self { year: year.parse().ok()?, month: month.parse().ok()? };
        (found.to_string() == text && (1..=12).contains(&found.month)).then_some(found)
    }

    /// Months from `earlier` to this one; none if it is no earlier one.
    pub(crate) fn since(self, earlier: Self) -> u64 {
        (self.year * 12 + self.month).saturating_sub(earlier.year * 12 + earlier.month)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, Month};

    #[test]
    fn moments_are_written_as_dates() {
        let check = |at_ms, text: &str| assert_eq!(Moment::of(at_ms).to_string(), text);
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_399_999, "2000-02-28T23:59:59Z");
        check(951_782_400_000, "2000-02-29T00:00:00Z");
        check(951_868_800_000, "2000-03-01T00:00:00Z");
        check(1_795_305_845_000, "2026-11-22T00:04:05Z");
        check(4_107_542_400_000, "2100-03-01T00:00:00Z");
        assert_eq!(Moment::of(1_795_305_845_000).short(), "2026-11-22 00:04");
    }

    #[test]
    fn each_day_of_centuries_follows_the_one_before() {
        let mut last = Moment::of(0).to_string();
        for day in 1..200_000_u64 {
            let next = Moment::of(day * super::DAY_MS).to_string();
            assert!(next > last, "{last} {next}");
            last = next;
        }
        assert_eq!(last, "2517-07-31T00:00:00Z");
    }

    #[test]
    fn months_are_read_and_counted() {
        let month = |text| Month::parse(text);
        assert_eq!(month("2026-11").map(|month| month.to_string()).as_deref(), Some("2026-11"));
        for none in ["2026-13", "2026-00", "2026-1", "26-11", "2026", "+026-11", "2026-11-01", ""] {
            assert_eq!(month(none), None, "{none}");
        }
        let (earlier, later) = (month("2025-12").unwrap(), month("2026-11").unwrap());
        assert_eq!((later.since(earlier), earlier.since(later)), (11, 0));
    }
}
