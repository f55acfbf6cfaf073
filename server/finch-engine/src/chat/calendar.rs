//! The date as templates ask for it: a few directives of `strftime`, in UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];
const DAY_S: u64 = 86_400;

/// Writes a moment in the given form. Directives that are not known stand as they are.
pub(crate) fn strftime(form: &str, moment: SystemTime) -> String {
    let seconds = moment.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (year, month, day) = date(seconds / DAY_S);
    let of_day = seconds % DAY_S;
    let month_name = MONTHS[(month - 1).min(11)];
    let day_name = DAYS[(seconds / DAY_S % 7) as usize];
    let mut written = String::new();
    let mut characters = form.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            written.push(character);
            continue;
        }
        match characters.next() {
            Some('Y') => written.push_str(&year.to_string()),
            Some('m') => written.push_str(&format!("{month:02}")),
            Some('d') => written.push_str(&format!("{day:02}")),
            Some('B') => written.push_str(month_name),
            Some('b') => written.push_str(&month_name[..3]),
            Some('A') => written.push_str(day_name),
            Some('a') => written.push_str(&day_name[..3]),
            Some('H') => written.push_str(&format!("{:02}", of_day / 3600)),
            Some('M') => written.push_str(&format!("{:02}", of_day / 60 % 60)),
            Some('S') => written.push_str(&format!("{:02}", of_day % 60)),
            Some('%') => written.push('%'),
            Some(other) => written.extend(['%', other]),
            None => written.push('%'),
        }
    }
    written
}

/// Year, month and day of a day counted from 1970-01-01.
fn date(days: u64) -> (u64, usize, u64) {
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    // 400 years have the same number of days always.
    let (mut year, mut left) = (1970 + days / 146_097 * 400, days % 146_097);
    while left >= 365 + u64::from(is_leap(year)) {
        left -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while month < 11 && left >= lengths[month] {
        left -= lengths[month];
        month += 1;
    }
    (year, month + 1, left + 1)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::strftime;

    #[track_caller]
    fn check(seconds: u64, form: &str, expected: &str) {
        assert_eq!(strftime(form, UNIX_EPOCH + Duration::from_secs(seconds)), expected);
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        check(0, "%Y-%m-%d %a %H:%M:%S", "1970-01-01 Thu 00:00:00");
        check(951_782_399, "%d %b %Y", "28 Feb 2000");
        check(951_782_400, "%A, %d %B %Y", "Tuesday, 29 February 2000");
        check(1_735_689_599, "%d %b %Y %H:%M:%S", "31 Dec 2024 23:59:59");
        check(1_735_689_600, "%d %b %Y", "01 Jan 2025");
        check(4_107_542_400, "%Y-%m-%d", "2100-03-01");
    }

    #[test]
    fn what_is_no_directive_stands_as_it_is() {
        check(0, "100%% %Q %", "100% %Q %");
    }
}
