//! A site: `<country>/<place>/<facility>`, for example `de/fra/fra1`.

use std::fmt;

use super::Country;

/// Bytes of a place's or a facility's name.
const SEGMENT_BYTES_MAX: usize = 28;
/// Bytes of a site.
pub const SITE_BYTES_MAX: usize = 2 + 1 + SEGMENT_BYTES_MAX + 1 + SEGMENT_BYTES_MAX;

/// Where a node says that it stands.
///
/// The first part is a country code of ISO 3166-1 in lower case, or an alias, which is read as the code (`el` as
/// `gr`). Place and facility are 1 to 28 of `a-z`, `0-9` and `-`, and neither begin nor end with `-`. A site has one
/// spelling, so two of them are the same exactly when their texts are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Site {
    country: Country,
    // In place, so that a site can be part of an identity that is copied; zeros after `len`.
    text: [u8; SITE_BYTES_MAX],
    len: u8,
}

/// Why a text is no site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.rule())]
pub enum SiteError {
    /// It has not three parts.
    Shape,
    /// The first part is no country.
    Country,
    /// Place or facility is not well-formed.
    Name,
}

impl SiteError {
    /// What is wrong.
    pub fn rule(self) -> &'static str {
        match self {
            Self::Shape => "must be <country>/<place>/<facility>, for example de/fra/fra1",
            Self::Country => {
                "must begin with the code of a country (ISO 3166-1, lower case): the name of a region is none"
            }
            Self::Name => {
                "must name place and facility with 1 to 28 of a-z, 0-9 and '-' each, with no '-' at an end"
            }
        }
    }
}

impl Site {
    /// Reads a site.
    ///
    /// # Errors
    ///
    /// If the text is not of the form above.
    pub fn parse(text: &str) -> Result<Self, SiteError> {
        let mut parts = text.split('/');
        let (Some(country), Some(place), Some(facility), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SiteError::Shape);
        };
        let country = Country::from_lower_case(country).ok_or(SiteError::Country)?;
        if ![place, facility].into_iter().all(is_name) {
            return Err(SiteError::Name);
        }
        let code = country.code().to_ascii_lowercase();
        let mut site = Self {
            country,
            text: [0; SITE_BYTES_MAX],
            len: 0,
        };
        for part in [code.as_str(), "/", place, "/", facility] {
            for byte in part.bytes() {
                site.text[usize::from(site.len)] = byte;
                site.len += 1;
            }
        }
        Ok(site)
    }

    /// Its one spelling.
    pub fn as_str(&self) -> &str {
        // It was made of text.
        std::str::from_utf8(&self.text[..usize::from(self.len)]).unwrap_or_default()
    }

    /// The country.
    pub fn country(&self) -> Country {
        self.country
    }

    /// The region or city.
    pub fn place(&self) -> &str {
        self.part(1)
    }

    /// The building, hall or zone.
    pub fn facility(&self) -> &str {
        self.part(2)
    }

    fn part(&self, index: usize) -> &str {
        self.as_str().split('/').nth(index).unwrap_or_default()
    }
}

fn is_name(part: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=SEGMENT_BYTES_MAX).contains(&part.len())
        && part.bytes().all(allowed)
        && !part.starts_with('-')
        && !part.ends_with('-')
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Site({})", self.as_str())
    }
}
