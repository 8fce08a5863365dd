//! Which sites are allowed on which day, row by row.

use eunoe_core::placement::{Policy, Rule, SITE_BYTES_MAX, Site, SiteError, verdict};
use eunoe_types::Day;

/// Days since the epoch of the dates below.
const D1984: Day = Day(5_113);
const D1986: Day = Day(5_844);
const D1994: Day = Day(8_766);
const D2003: Day = Day(12_053);
const D2010: Day = Day(14_610);
const D2013_06_30: Day = Day(15_886);
const D2013_07_01: Day = Day(15_887);
const D2020_12_31: Day = Day(18_627);
const D2021: Day = Day(18_628);
const TODAY: Day = Day(20_780);

/// A site, a day, and the rules that stop it under `EU27` and `EEA`; empty when it is allowed.
const VERDICTS: &[(&str, Day, &str, &str)] = &[
    // The 27.
    ("at/vie/a1", TODAY, "", ""),
    ("be/bru/a1", TODAY, "", ""),
    ("bg/sof/a1", TODAY, "", ""),
    ("cy/nic/a1", TODAY, "", ""),
    ("cz/prg/a1", TODAY, "", ""),
    ("de/fra/fra1", TODAY, "", ""),
    ("dk/cph/a1", TODAY, "", ""),
    ("ee/tll/a1", TODAY, "", ""),
    ("es/las-palmas/a1", TODAY, "", ""),
    ("fi/hel/a1", TODAY, "", ""),
    ("fr/par/a1", TODAY, "", ""),
    ("gr/ath/a1", TODAY, "", ""),
    ("hr/zag/a1", TODAY, "", ""),
    ("hu/bud/a1", TODAY, "", ""),
    ("ie/dub/a1", TODAY, "", ""),
    ("it/mil/a1", TODAY, "", ""),
    ("lt/vno/a1", TODAY, "", ""),
    ("lu/lux/a1", TODAY, "", ""),
    ("lv/rix/a1", TODAY, "", ""),
    ("mt/mla/a1", TODAY, "", ""),
    ("nl/ams/a1", TODAY, "", ""),
    ("pl/waw/a1", TODAY, "", ""),
    ("pt/funchal/a1", TODAY, "", ""),
    ("ro/buh/a1", TODAY, "", ""),
    ("se/sto/a1", TODAY, "", ""),
    ("si/lju/a1", TODAY, "", ""),
    ("sk/bts/a1", TODAY, "", ""),
    // An alias of Greece.
    ("el/ath/a1", TODAY, "", ""),
    // Parts of member states with codes of their own.
    ("ax/mhq/a1", TODAY, "", ""),
    ("gf/cay/a1", TODAY, "", ""),
    ("gp/bt/a1", TODAY, "", ""),
    ("mf/marigot/a1", TODAY, "", ""),
    ("mq/fdf/a1", TODAY, "", ""),
    ("re/run/a1", TODAY, "", ""),
    ("yt/mam/a1", TODAY, "", ""),
    // Territories of member states that are outside.
    ("aw/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("bq/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("cw/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("fo/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("nc/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("pf/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("pm/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("sx/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("tf/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("wf/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("bl/a/a1", TODAY, "NO_LONGER", "NO_LONGER"),
    ("gl/a/a1", TODAY, "NO_LONGER", "NO_LONGER"),
    // The rest of the EEA, and what of Norway is not in it.
    ("is/kef/a1", TODAY, "COUNTRY_OUTSIDE", ""),
    ("li/vdz/a1", TODAY, "COUNTRY_OUTSIDE", ""),
    ("no/osl/a1", TODAY, "COUNTRY_OUTSIDE", ""),
    ("sj/lyr/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    ("bv/a/a1", TODAY, "TERRITORY_OUTSIDE", "TERRITORY_OUTSIDE"),
    // Neighbours and others.
    ("ad/a/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("al/a/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("ch/zrh/zrh1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("gg/a/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("im/a/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("je/a/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("mc/a/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("rs/beg/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("sm/a/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("tr/ist/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("ua/iev/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("us/iad/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("va/a/a1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    // The United Kingdom, its alias, and Gibraltar: until the transition ended.
    ("gb/lon/a1", TODAY, "NO_LONGER", "NO_LONGER"),
    ("uk/lon/a1", TODAY, "NO_LONGER", "NO_LONGER"),
    ("gi/a/a1", TODAY, "NO_LONGER", "NO_LONGER"),
    ("gb/lon/a1", D2020_12_31, "", ""),
    ("gi/a/a1", D2020_12_31, "", ""),
    ("gb/lon/a1", D2021, "NO_LONGER", "NO_LONGER"),
    // Other dates.
    ("hr/zag/a1", D2013_06_30, "NOT_YET", "NOT_YET"),
    ("hr/zag/a1", D2013_07_01, "", ""),
    ("pl/waw/a1", D2003, "NOT_YET", "NOT_YET"),
    ("de/fra/a1", Day(0), "", ""),
    ("dk/cph/a1", Day(0), "NOT_YET", "NOT_YET"),
    ("ax/mhq/a1", D1994, "NOT_YET", "NOT_YET"),
    ("no/osl/a1", D1994, "COUNTRY_OUTSIDE", ""),
    ("li/vdz/a1", D1994, "COUNTRY_OUTSIDE", "NOT_YET"),
    ("gl/a/a1", D1984, "", ""),
    ("gl/a/a1", D1986, "NO_LONGER", "NO_LONGER"),
    ("bl/a/a1", D2010, "", ""),
    ("yt/mam/a1", D2010, "NOT_YET", "NOT_YET"),
    // Regions that are elsewhere, whatever the country says.
    (
        "de/eu-central-2/az1",
        TODAY,
        "REGION_ELSEWHERE",
        "REGION_ELSEWHERE",
    ),
    (
        "de/fra/eu-central-2a",
        TODAY,
        "REGION_ELSEWHERE",
        "REGION_ELSEWHERE",
    ),
    ("ie/eu-west-2/az1", TODAY, "REGION_ELSEWHERE", "REGION_ELSEWHERE"),
    (
        "be/europe-west2/europe-west2-b",
        TODAY,
        "REGION_ELSEWHERE",
        "REGION_ELSEWHERE",
    ),
    ("de/europe-west6/a", TODAY, "REGION_ELSEWHERE", "REGION_ELSEWHERE"),
    (
        "hr/eu-jovanovac-1/a",
        TODAY,
        "REGION_ELSEWHERE",
        "REGION_ELSEWHERE",
    ),
    ("se/norwayeast/1", TODAY, "REGION_ELSEWHERE", "REGION_ELSEWHERE"),
    ("no/norwayeast/1", TODAY, "COUNTRY_OUTSIDE", ""),
    ("ch/eu-central-2/az1", TODAY, "COUNTRY_OUTSIDE", "COUNTRY_OUTSIDE"),
    ("de/eu-central-1/eu-central-1a", TODAY, "", ""),
    ("de/europe-west10/a", TODAY, "", ""),
    ("nl/westeurope/1", TODAY, "", ""),
];

/// Texts that are no site.
const MALFORMED: &[(&str, SiteError)] = &[
    ("", SiteError::Shape),
    ("de", SiteError::Shape),
    ("de/fra", SiteError::Shape),
    ("de/fra/fra1/a", SiteError::Shape),
    ("de/fra/fra1/", SiteError::Shape),
    ("/de/fra/fra1", SiteError::Shape),
    ("eu-central-2", SiteError::Shape),
    ("europe-west2", SiteError::Shape),
    ("eu-de-fra1", SiteError::Shape),
    ("eu-central-2/zrh/zrh1", SiteError::Country),
    ("europe-west2/lon/lon1", SiteError::Country),
    ("eu/central/2", SiteError::Country),
    ("eu/fra/fra1", SiteError::Country),
    ("ez/fra/fra1", SiteError::Country),
    ("DE/fra/fra1", SiteError::Country),
    ("De/fra/fra1", SiteError::Country),
    (" de/fra/fra1", SiteError::Country),
    ("deu/fra/fra1", SiteError::Country),
    ("d/fra/fra1", SiteError::Country),
    ("xk/prn/prn1", SiteError::Country),
    ("ic/lpa/lpa1", SiteError::Country),
    ("fx/par/par1", SiteError::Country),
    ("zz/a/a1", SiteError::Country),
    ("d\u{435}/fra/fra1", SiteError::Country),
    ("de/FRA/fra1", SiteError::Name),
    ("de/fra/Fra1", SiteError::Name),
    ("de//fra1", SiteError::Name),
    ("de/fra/", SiteError::Name),
    ("de/-fra/fra1", SiteError::Name),
    ("de/fra/fra1-", SiteError::Name),
    ("de/fr a/fra1", SiteError::Name),
    ("de/fra/fra1\n", SiteError::Name),
    ("de/k\u{f6}ln/cgn1", SiteError::Name),
    ("de/fra/aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", SiteError::Name),
];

#[test]
fn every_row_has_its_verdict() {
    for (text, day, eu27, eea) in VERDICTS {
        let site = Site::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        for (policy, expected) in [(Policy::Eu27, eu27), (Policy::Eea, eea)] {
            let rule = verdict(policy, &site, *day).map_or_else(|refusal| refusal.rule.id(), |()| "");
            assert_eq!(rule, *expected, "{text} under {policy} on day {}", day.0);
        }
    }
}

#[test]
fn what_is_no_site_is_refused_with_its_reason() {
    for (text, expected) in MALFORMED {
        assert_eq!(Site::parse(text), Err(*expected), "{text:?}");
    }
}

#[test]
fn of_all_codes_the_policies_allow_exactly_theirs() {
    let letters = || ('a'..='z').flat_map(|first| ('a'..='z').map(move |second| format!("{first}{second}")));
    let allowed = |policy| {
        let sites = letters().filter_map(|code| Some((Site::parse(&format!("{code}/a/a1")).ok()?, code)));
        let inside = sites.filter(|(site, _)| verdict(policy, site, TODAY).is_ok());
        inside.map(|(_, code)| code).collect::<Vec<_>>().join(" ")
    };
    let eu27 = "at ax be bg cy cz de dk ee el es fi fr gf gp gr hr hu ie it lt lu lv mf mq mt nl pl pt re ro se si sk yt";
    assert_eq!(allowed(Policy::Eu27), eu27);
    let more = allowed(Policy::Eea);
    let more: Vec<&str> = more.split(' ').filter(|code| !eu27.contains(code)).collect();
    assert_eq!(more, ["is", "li", "no"]);
    let sites = letters().filter(|code| Site::parse(&format!("{code}/a/a1")).is_ok());
    // ISO 3166-1 has 249 codes; two aliases come with them.
    assert_eq!(sites.count(), 251);
}

#[test]
fn a_site_has_one_spelling() {
    let alias = Site::parse("el/ath/ath1").expect("a site");
    assert_eq!(alias, Site::parse("gr/ath/ath1").expect("a site"));
    assert_eq!(alias.as_str(), "gr/ath/ath1");
    assert_eq!(
        (alias.country().code(), alias.place(), alias.facility()),
        ("GR", "ath", "ath1")
    );
    let longest = format!("de/{}/{}", "a".repeat(28), "b".repeat(28));
    assert_eq!(longest.len(), SITE_BYTES_MAX);
    assert_eq!(Site::parse(&longest).expect("a site").as_str(), longest);
    assert_ne!(Site::parse("de/fra/fra1"), Site::parse("de/fra/fra11"));
}

#[test]
fn a_refusal_names_site_country_policy_and_rule() {
    let refusal = |policy, site: &str| {
        let site = Site::parse(site).expect("a site");
        verdict(policy, &site, TODAY).expect_err("is refused")
    };
    let gone = refusal(Policy::Eu27, "gb/lon/lon1");
    assert!(matches!(gone.rule, Rule::NoLonger { since } if since.day() == D2021));
    for (refusal, expected) in [
        (
            gone,
            "site gb/lon/lon1 (country GB) is not allowed by placement policy EU27: \
             the country is outside since 2021-01-01 (rule NO_LONGER)",
        ),
        (
            refusal(Policy::Eea, "nc/nou/nou1"),
            "site nc/nou/nou1 (country NC) is not allowed by placement policy EEA: \
             it is a territory of FR that is outside (rule TERRITORY_OUTSIDE)",
        ),
        (
            refusal(Policy::Eu27, "de/eu-central-2/a1"),
            "site de/eu-central-2/a1 (country DE) is not allowed by placement policy EU27: \
             the region that it names is in CH (rule REGION_ELSEWHERE)",
        ),
    ] {
        assert_eq!(refusal.to_string(), expected);
    }
}

#[test]
fn policies_have_names() {
    for policy in Policy::ALL {
        assert_eq!(Policy::from_name(policy.name()), Some(policy));
    }
    for unknown in ["", "eu27", "EU28", "EU", "EU27 "] {
        assert_eq!(Policy::from_name(unknown), None, "{unknown:?}");
    }
    assert_eq!(Policy::default(), Policy::Eu27);
}
