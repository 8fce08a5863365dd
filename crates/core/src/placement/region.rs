//! Names of cloud regions that everybody knows, and where they are: a site must not name one of another country.
//!
//! It catches a mistake, not a lie. Names are of AWS, Google, Microsoft, Oracle, IBM and Exoscale; whoever calls a
//! place by another name is judged by its country code alone.

use super::{Country, Site};

const REGIONS: &[(&str, &str)] = &[
    ("at-vie-1", "at"),
    ("austriaeast", "at"),
    ("ch-dk-2", "ch"),
    ("ch-gva-2", "ch"),
    ("de-fra-1", "de"),
    ("eu-central-1", "de"),
    ("eu-central-2", "ch"),
    ("eu-de", "de"),
    ("eu-es", "es"),
    ("eu-frankfurt-1", "de"),
    ("eu-gb", "gb"),
    ("eu-jovanovac-1", "rs"),
    ("eu-north-1", "se"),
    ("eu-south-1", "it"),
    ("eu-south-2", "es"),
    ("eu-west-1", "ie"),
    ("eu-west-2", "gb"),
    ("eu-west-3", "fr"),
    ("eu-zurich-1", "ch"),
    ("europe-central2", "pl"),
    ("europe-north1", "fi"),
    ("europe-north2", "se"),
    ("europe-southwest1", "es"),
    ("europe-west1", "be"),
    ("europe-west10", "de"),
    ("europe-west12", "it"),
    ("europe-west2", "gb"),
    ("europe-west3", "de"),
    ("europe-west4", "nl"),
    ("europe-west6", "ch"),
    ("europe-west8", "it"),
    ("europe-west9", "fr"),
    ("eusc-de-east-1", "de"),
    ("francecentral", "fr"),
    ("germanywestcentral", "de"),
    ("italynorth", "it"),
    ("northeurope", "ie"),
    ("norwayeast", "no"),
    ("norwaywest", "no"),
    ("polandcentral", "pl"),
    ("spaincentral", "es"),
    ("swedencentral", "se"),
    ("switzerlandnorth", "ch"),
    ("switzerlandwest", "ch"),
    ("uk-london-1", "gb"),
    ("uksouth", "gb"),
    ("ukwest", "gb"),
    ("us-central1", "us"),
    ("us-east-1", "us"),
    ("us-east-2", "us"),
    ("us-east1", "us"),
    ("us-east4", "us"),
    ("us-west-1", "us"),
    ("us-west-2", "us"),
    ("westeurope", "nl"),
];

/// The country of a region that the site names, if it is another one than the site's.
pub(super) fn elsewhere(site: &Site) -> Option<Country> {
    [site.place(), site.facility()]
        .into_iter()
        .filter_map(country_of)
        .find(|country| *country != site.country())
}

fn country_of(segment: &str) -> Option<Country> {
    let (_, country) = REGIONS.iter().find(|(region, _)| {
        let rest = segment.strip_prefix(region);
        rest.is_some_and(|rest| rest.is_empty() || is_zone(rest))
    })?;
    Country::from_lower_case(country)
}

/// What follows a region's name in the name of one of its zones: `a` (AWS), `-a` (Google).
fn is_zone(rest: &str) -> bool {
    let letter = rest.strip_prefix('-').unwrap_or(rest);
    letter.len() == 1 && letter.bytes().all(|byte| byte.is_ascii_lowercase())
}
