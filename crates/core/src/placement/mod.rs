//! Where a node may stand: countries, sites and policies. Pure: the day comes as an argument.
//!
//! A verdict is taken on the country code of a site, by the table in `country.rs`, never by how a region is
//! called. It judges what a site *says*; whether the node really stands there is not seen here.

mod country;
mod date;
mod policy;
mod region;
mod site;

pub use country::Country;
pub use date::Date;
pub use policy::{Policy, Refusal, Rule, verdict};
pub use site::{SITE_BYTES_MAX, Site, SiteError};
