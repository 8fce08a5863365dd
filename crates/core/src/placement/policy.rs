//! Which sites a cluster allows.

use std::fmt;

use eunoe_types::{Day, DecodeError};

use super::country::{Area, Span};
use super::{Country, Date, Site, region};

/// Where the nodes of a cluster may stand. It is part of what genesis fixes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Where Union law holds as in a member state: the 27 members, their outermost regions and Åland. Overseas
    /// countries and territories are outside.
    #[default]
    Eu27,
    /// The same, and Iceland, Liechtenstein and Norway.
    Eea,
}

impl Policy {
    /// All policies.
    pub const ALL: [Policy; 2] = [Policy::Eu27, Policy::Eea];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Eu27 => "EU27",
            Self::Eea => "EEA",
        }
    }

    /// The policy of this name, which is in capitals.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|policy| policy.name() == name)
    }

    /// Its number in what is stored.
    pub(crate) fn tag(self) -> u8 {
        match self {
            Self::Eu27 => 1,
            Self::Eea => 2,
        }
    }

    /// The policy of this number.
    pub(crate) fn from_tag(tag: u8) -> Result<Self, DecodeError> {
        let found = Self::ALL.into_iter().find(|policy| policy.tag() == tag);
        found.ok_or(DecodeError::UnknownTag(tag))
    }

    fn includes(self, area: Area) -> bool {
        match area {
            Area::Union => true,
            Area::Efta => self == Self::Eea,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The rule that stops a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The policy's law never held in the country.
    CountryOutside,
    /// The country is a territory of a state to which that state's law does not extend.
    TerritoryOutside {
        /// The state.
        of: Country,
    },
    /// The law holds there from a later day on.
    NotYet {
        /// The first day.
        from: Date,
    },
    /// The law holds there no longer.
    NoLonger {
        /// The first day without it.
        since: Date,
    },
    /// Place or facility is called like a cloud region of another country.
    RegionElsewhere {
        /// Where that region is.
        country: Country,
    },
}

impl Rule {
    /// Its name, which never changes.
    pub fn id(self) -> &'static str {
        match self {
            Self::CountryOutside => "COUNTRY_OUTSIDE",
            Self::TerritoryOutside { .. } => "TERRITORY_OUTSIDE",
            Self::NotYet { .. } => "NOT_YET",
            Self::NoLonger { .. } => "NO_LONGER",
            Self::RegionElsewhere { .. } => "REGION_ELSEWHERE",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CountryOutside => write!(f, "the country is outside"),
            Self::TerritoryOutside { of } => {
                write!(f, "it is a territory of {of} that is outside")
            }
            Self::NotYet { from } => write!(f, "the country is inside from {from} on"),
            Self::NoLonger { since } => write!(f, "the country is outside since {since}"),
            Self::RegionElsewhere { country } => write!(f, "the region that it names is in {country}"),
        }
    }
}

/// Why a policy does not allow a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "site {site} (country {country}) is not allowed by placement policy {policy}: {rule} (rule {id})",
    country = .site.country(),
    id = .rule.id()
)]
pub struct Refusal {
    /// The policy.
    pub policy: Policy,
    /// The site.
    pub site: Site,
    /// The rule that stops it.
    pub rule: Rule,
}

/// Whether `policy` allows `site` on `day` (UTC).
///
/// # Errors
///
/// The first rule that does not: of the country, then of the region's name.
pub fn verdict(policy: Policy, site: &Site, day: Day) -> Result<(), Refusal> {
    let refused = |rule| Refusal {
        policy,
        site: *site,
        rule,
    };
    of_country(policy, site.country(), day).map_err(refused)?;
    match region::elsewhere(site) {
        Some(country) => Err(refused(Rule::RegionElsewhere { country })),
        None => Ok(()),
    }
}

fn of_country(policy: Policy, country: Country, day: Day) -> Result<(), Rule> {
    let Some(Span { from, until, .. }) = country.spans().find(|span| policy.includes(span.area)) else {
        return Err(match country.territory_of() {
            Some(of) => Rule::TerritoryOutside { of },
            None => Rule::CountryOutside,
        });
    };
    match (from, until) {
        (Some(from), _) if day < from.day() => Err(Rule::NotYet { from }),
        (_, Some(since)) if day >= since.day() => Err(Rule::NoLonger { since }),
        (_, _) => Ok(()),
    }
}
