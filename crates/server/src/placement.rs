//! The placement policy as a node applies it: to its own configuration, to nodes to be admitted, to peers.

use eunoe_core::placement::{Policy, Refusal, Site, verdict};

use crate::config::Config;
use crate::surroundings;

/// Whether `policy` allows `site` today.
///
/// # Errors
///
/// The rule that does not.
pub fn allowed(policy: Policy, site: &Site) -> Result<(), Refusal> {
    verdict(policy, site, surroundings::now().day())
}

/// Why a configuration must not be run.
#[derive(Debug, thiserror::Error)]
#[error("{field}: {refusal}")]
pub struct Misplaced {
    /// The field of the configuration with the site.
    field: String,
    /// What stops it.
    refusal: Box<Refusal>,
}

/// Whether the configuration's own policy allows this node's site and, if it founds a cluster, all members'.
///
/// # Errors
///
/// The first site that is not allowed, and the rule.
pub fn of_config(config: &Config) -> Result<(), Misplaced> {
    let own = ("site".to_owned(), &config.site);
    let others = config.members.iter().enumerate();
    let others = others
        .filter(|_| !config.join)
        .map(|(index, member)| (format!("members[{index}].site"), &member.site));
    for (field, site) in std::iter::once(own).chain(others) {
        allowed(config.placement, site).map_err(|refusal| Misplaced {
            field,
            refusal: refusal.into(),
        })?;
    }
    Ok(())
}
