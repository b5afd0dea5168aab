//! `strftime_now`: the directives that chat templates use, as C's locale prints them.

use minijinja::{Error, ErrorKind};
use time::OffsetDateTime;

/// Formats a time.
pub(super) fn format(now: OffsetDateTime, pattern: &str) -> Result<String, Error> {
    let mut out = String::new();
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let (mut directive, mut plain) = (rest.next(), false);
        if directive == Some('-') {
            (directive, plain) = (rest.next(), true);
        }
        let text = directive.and_then(|d| field(now, d)).ok_or_else(|| {
            Error::new(ErrorKind::InvalidOperation, format!("strftime_now: cannot format `{pattern}`"))
        })?;
        out.push_str(if plain && text.len() > 1 { text.trim_start_matches('0') } else { &text });
        if plain && text == "00" {
            out.push('0');
        }
    }
    Ok(out)
}

fn field(now: OffsetDateTime, directive: char) -> Option<String> {
    let month = now.month().to_string();
    let day = now.weekday().to_string();
    let hour12 = (now.hour() + 11) % 12 + 1;
    Some(match directive {
        'Y' => now.year().to_string(),
        'y' => format!("{:02}", now.year() % 100),
        'm' => format!("{:02}", u8::from(now.month())),
        'B' => month,
        'b' | 'h' => month[..3].to_owned(),
        'd' => format!("{:02}", now.day()),
        'e' => format!("{:>2}", now.day()),
        'j' => format!("{:03}", now.ordinal()),
        'A' => day,
        'a' => day[..3].to_owned(),
        'u' => now.weekday().number_from_monday().to_string(),
        'w' => now.weekday().number_days_from_sunday().to_string(),
        'H' => format!("{:02}", now.hour()),
        'I' => format!("{hour12:02}"),
        'M' => format!("{:02}", now.minute()),
        'S' => format!("{:02}", now.second()),
        'f' => format!("{:06}", now.microsecond()),
        'p' => if now.hour() < 12 { "AM" } else { "PM" }.to_owned(),
        'Z' | 'z' => String::new(),
        'F' => format!("{}-{:02}-{:02}", now.year(), u8::from(now.month()), now.day()),
        'T' | 'X' => format!("{:02}:{:02}:{:02}", now.hour(), now.minute(), now.second()),
        'R' => format!("{:02}:{:02}", now.hour(), now.minute()),
        'D' | 'x' => format!("{:02}/{:02}/{:02}", u8::from(now.month()), now.day(), now.year() % 100),
        'n' => "\n".to_owned(),
        't' => "\t".to_owned(),
        '%' => "%".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_directives_of_known_templates() {
        let now = datetime!(2025-07-03 09:05:07 UTC);
        assert_eq!(format(now, "%d %b %Y").unwrap(), "03 Jul 2025");
        assert_eq!(format(now, "%B %-d, %Y, %A, %I:%M %p").unwrap(), "July 3, 2025, Thursday, 09:05 AM");
        assert_eq!(format(now, "%Y-%m-%d %H:%M:%S 100%%").unwrap(), "2025-07-03 09:05:07 100%");
        assert!(format(now, "%Q").is_err());
        assert!(format(now, "%").is_err());
    }
}
