//! The placement policy: fixed by genesis, applied to every node that is to be admitted.

use eunoe_types::{DecodeError, Decoder, Encoder, Fault, TimeMs};

use super::apply::{Answer, admit, genesis, node};
use super::command::Genesis;
use super::event::Event;
use super::reply::Rejection;
use super::row::NodeRow;
use crate::placement::{Policy, Site, verdict};
use crate::state_view::decoded;
use crate::{FORMAT, StateView, Txn, known_format, table};

pub(super) fn policy_key() -> Vec<u8> {
    table::key(table::PLACEMENT, &[])
}

pub(super) fn encode(policy: Policy) -> Vec<u8> {
    let mut e = Encoder::with_capacity(2);
    e.u8(FORMAT).u8(policy.tag());
    e.finish()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Policy, DecodeError> {
    let mut d = Decoder::new(bytes);
    known_format(&mut d)?;
    let policy = Policy::from_tag(d.u8()?)?;
    d.finish()?;
    Ok(policy)
}

/// The placement policy; none before genesis.
pub fn placement_policy(view: &dyn StateView) -> Result<Option<Policy>, Fault> {
    decoded(view, &policy_key(), decode)
}

/// Makes `policy` the cluster's.
pub(super) fn fix(txn: &mut Txn<'_>, policy: Policy) -> Result<(), Fault> {
    txn.put(policy_key(), encode(policy));
    Event::new()
        .text("policy", policy.name())
        .text("t", "eunoe/policy@v1")
        .record(txn)?;
    Ok(())
}

/// Why the realm must not begin with these nodes, if it must not.
pub(super) fn obstacle(new: &Genesis) -> Option<Rejection> {
    new.nodes
        .iter()
        .find_map(|node| judge(new.policy, node, new.time).err())
}

/// Admits a node, if the policy allows its site.
///
/// The day is the proposer's, but none before the realm began: a clock that is behind opens no old border.
pub(super) fn admit_allowed(txn: &mut Txn<'_>, new: &NodeRow, time: TimeMs) -> Result<Answer, Fault> {
    let Some(begun) = genesis(txn)? else {
        return Ok(Err(Rejection::NoGenesis));
    };
    let Some(policy) = txn.get(&policy_key())? else {
        return Err(Fault::broken("a realm has no placement policy"));
    };
    // What was admitted is not judged again: the same call may come a second time.
    if node(txn, new.id)?.is_none()
        && let Err(rejection) = judge(decode(&policy)?, new, time.max(begun.created))
    {
        return Ok(Err(rejection));
    }
    admit(txn, new)
}

fn judge(policy: Policy, node: &NodeRow, time: TimeMs) -> Result<(), Rejection> {
    match Site::parse(&node.site) {
        Ok(site) if site.as_str() == node.site => {
            verdict(policy, &site, time.day()).map_err(|_| Rejection::SiteOutside)
        }
        Ok(_) | Err(_) => Err(Rejection::SiteMalformed),
    }
}
