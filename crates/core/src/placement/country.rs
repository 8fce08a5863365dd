//! Countries and territories, by their codes of ISO 3166-1 alpha-2, and when Union or EEA law holds there.
//!
//! What a row says is part of `apply`: replicas of one cluster must agree on it. A row may be added or changed
//! only with a new cluster version, unless what it changes lies in the future of every realm that exists.

use std::fmt;

use super::Date;

/// All officially assigned codes. The code `EU`, which ISO reserves for the Union, is none of them: a place is
/// in a country.
const ASSIGNED: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO \
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW \
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM \
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// Other spellings of a code: how the Union's own style guide writes Greece, and wrote the United Kingdom.
const ALIASES: &[(&str, &str)] = &[("EL", "GR"), ("UK", "GB")];

/// A country or territory that has a code of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country(&'static str);

impl Country {
    /// The country of a code in lower case, or of an alias of one (`el`, `uk`).
    pub fn from_lower_case(code: &str) -> Option<Self> {
        if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return None;
        }
        let same = |other: &str| other.eq_ignore_ascii_case(code);
        if let Some((_, country)) = ALIASES.iter().find(|(alias, _)| same(alias)) {
            return Some(Self(country));
        }
        ASSIGNED
            .split_ascii_whitespace()
            .find(|assigned| same(assigned))
            .map(Self)
    }

    /// Its code, in capitals; never an alias.
    pub fn code(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Country({})", self.0)
    }
}

/// Whose law holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Area {
    /// The Union's, as in its member states.
    Union,
    /// The European Economic Area's, outside of the Union.
    Efta,
}

/// When an area's law holds under a code: from the first day on, until the day before the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) area: Area,
    pub(super) from: Option<Date>,
    pub(super) until: Option<Date>,
}

/// The end of the transition period: until then Union law held in the United Kingdom, which left on 2020-01-31
/// (Withdrawal Agreement, Art. 126 and 127).
const TRANSITION_END: Date = Date::new(2021, 1, 1);
/// The treaty of Lisbon, which first named these two apart from Guadeloupe.
const LISBON: Date = Date::new(2009, 12, 1);

const fn since(area: Area, from: Date) -> Span {
    Span {
        area,
        from: Some(from),
        until: None,
    }
}

const fn between(from: Date, until: Date) -> Span {
    Span {
        area: Area::Union,
        from: Some(from),
        until: Some(until),
    }
}

/// From before 1970.
const FOUNDING: Span = Span {
    area: Area::Union,
    from: None,
    until: None,
};
const JOINED_1973: Span = since(Area::Union, Date::new(1973, 1, 1));
const JOINED_1981: Span = since(Area::Union, Date::new(1981, 1, 1));
const JOINED_1986: Span = since(Area::Union, Date::new(1986, 1, 1));
const JOINED_1995: Span = since(Area::Union, Date::new(1995, 1, 1));
const JOINED_2004: Span = since(Area::Union, Date::new(2004, 5, 1));
const JOINED_2007: Span = since(Area::Union, Date::new(2007, 1, 1));
const JOINED_2013: Span = since(Area::Union, Date::new(2013, 7, 1));
const BRITISH: Span = between(Date::new(1973, 1, 1), TRANSITION_END);
const EEA_1994: Span = since(Area::Efta, Date::new(1994, 1, 1));
const EEA_1995: Span = since(Area::Efta, Date::new(1995, 5, 1));

const SPANS: &[(&str, Span)] = &[
    ("BE", FOUNDING),
    ("DE", FOUNDING),
    ("FR", FOUNDING),
    ("IT", FOUNDING),
    ("LU", FOUNDING),
    ("NL", FOUNDING),
    ("DK", JOINED_1973),
    ("IE", JOINED_1973),
    ("GR", JOINED_1981),
    ("ES", JOINED_1986),
    ("PT", JOINED_1986),
    ("AT", JOINED_1995),
    ("FI", JOINED_1995),
    ("SE", JOINED_1995),
    ("CY", JOINED_2004),
    ("CZ", JOINED_2004),
    ("EE", JOINED_2004),
    ("HU", JOINED_2004),
    ("LT", JOINED_2004),
    ("LV", JOINED_2004),
    ("MT", JOINED_2004),
    ("PL", JOINED_2004),
    ("SI", JOINED_2004),
    ("SK", JOINED_2004),
    ("BG", JOINED_2007),
    ("RO", JOINED_2007),
    ("HR", JOINED_2013),
    // Outermost regions with codes of their own (TFEU Art. 349, 355(1)). The Azores, Madeira and the Canary
    // Islands have none: they are PT and ES.
    ("GF", FOUNDING),
    ("GP", FOUNDING),
    ("MQ", FOUNDING),
    ("RE", FOUNDING),
    ("MF", since(Area::Union, LISBON)),
    ("YT", since(Area::Union, Date::new(2014, 1, 1))),
    // The Åland Islands: TFEU Art. 355(4), Protocol 2 of Finland's accession.
    ("AX", JOINED_1995),
    // What was inside and is not: Greenland, Saint Barthélemy, the United Kingdom and Gibraltar with it.
    ("GL", between(Date::new(1973, 1, 1), Date::new(1985, 2, 1))),
    ("BL", between(LISBON, Date::new(2012, 1, 1))),
    ("GB", BRITISH),
    ("GI", BRITISH),
    ("IS", EEA_1994),
    ("NO", EEA_1994),
    ("LI", EEA_1995),
];

/// Territories of the states above where neither law holds: overseas countries and territories (TFEU Annex II),
/// the Faroe Islands (Art. 355(5)(a)), Svalbard (EEA Agreement, Protocol 40). ISO gives Jan Mayen Svalbard's code.
const TERRITORIES: &[(&str, &str)] = &[
    ("BL", "FR"),
    ("NC", "FR"),
    ("PF", "FR"),
    ("PM", "FR"),
    ("TF", "FR"),
    ("WF", "FR"),
    ("FO", "DK"),
    ("GL", "DK"),
    ("AW", "NL"),
    ("BQ", "NL"),
    ("CW", "NL"),
    ("SX", "NL"),
    ("BV", "NO"),
    ("SJ", "NO"),
];

impl Country {
    /// When Union or EEA law holds here.
    pub(super) fn spans(self) -> impl Iterator<Item = Span> {
        SPANS
            .iter()
            .filter(move |(code, _)| *code == self.0)
            .map(|(_, span)| *span)
    }

    /// The state that this is a territory of, if that state's law is not the law here.
    pub(super) fn territory_of(self) -> Option<Country> {
        TERRITORIES
            .iter()
            .find(|(code, _)| *code == self.0)
            .map(|(_, state)| Country(state))
    }
}
