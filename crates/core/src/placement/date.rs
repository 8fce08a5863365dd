//! Dates of the country table.

use std::fmt;

use eunoe_types::Day;

/// A date of the Gregorian calendar, from 1970 on, as laws and treaties give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Date {
    year: u32,
    month: u32,
    day: u32,
}

impl Date {
    pub(super) const fn new(year: u32, month: u32, day: u32) -> Self {
        Self { year, month, day }
    }

    /// The same as a number of days since the Unix epoch.
    pub const fn day(self) -> Day {
        // Years begin in March here, so that a leap day is the last of its year.
        let (year, month) = if self.month > 2 {
            (self.year, self.month - 3)
        } else {
            (self.year - 1, self.month + 9)
        };
        let leap_days = year / 4 - year / 100 + year / 400;
        let day_of_year = (153 * month + 2) / 5 + self.day - 1;
        // From the first of March of year 0 until the epoch.
        Day(365 * year + leap_days + day_of_year - 719_468)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_the_epoch() {
        for (date, expected) in [
            (Date::new(1970, 1, 1), 0),
            (Date::new(1972, 2, 29), 789),
            (Date::new(1972, 3, 1), 790),
            (Date::new(2000, 2, 29), 11_016),
            (Date::new(2021, 1, 1), 18_628),
            (Date::new(2026, 12, 31), 20_818),
        ] {
            assert_eq!(date.day(), Day(expected), "{date}");
        }
    }
}
