//! Members and their configurations.

use std::collections::{BTreeMap, BTreeSet};

use eunoe_types::{DecodeError, Decoder, Encoder};

use super::ids::{get_log_id, put_log_id};
use super::{get_option, put_option};
use crate::Node;
use crate::types::{Membership, StoredMembership};

/// Configurations of voters in one membership: one, or two while they change.
const CONFIGS_MAX: usize = 2;
/// Members of a group, learners included.
const NODES_MAX: usize = 1_024;
/// Bytes of a node's address.
const ADDRESS_BYTES_MAX: usize = 512;

pub(super) fn put_membership(encoder: &mut Encoder, membership: &Membership) {
    let configs = membership.get_joint_config();
    encoder.varint(configs.len() as u64);
    for config in configs {
        encoder.varint(config.len() as u64);
        config.iter().for_each(|id| {
            encoder.varint(*id);
        });
    }
    encoder.varint(membership.nodes().count() as u64);
    for (id, node) in membership.nodes() {
        encoder.varint(*id).text(&node.address).fixed(&node.spki_sha256);
    }
}

pub(super) fn get_membership(decoder: &mut Decoder<'_>) -> Result<Membership, DecodeError> {
    let mut configs = Vec::new();
    for _ in 0..decoder.count(CONFIGS_MAX)? {
        configs.push(get_config(decoder)?);
    }
    let mut nodes = BTreeMap::new();
    for _ in 0..decoder.count(NODES_MAX)? {
        let id = decoder.varint()?;
        ascending(nodes.last_key_value().map(|(last, _)| *last), id)?;
        nodes.insert(id, get_node(decoder)?);
    }
    Membership::new(configs, nodes).map_err(|_| DecodeError::Range)
}

fn get_config(decoder: &mut Decoder<'_>) -> Result<BTreeSet<u64>, DecodeError> {
    let mut config = BTreeSet::new();
    for _ in 0..decoder.count(NODES_MAX)? {
        let id = decoder.varint()?;
        ascending(config.last().copied(), id)?;
        config.insert(id);
    }
    Ok(config)
}

fn get_node(decoder: &mut Decoder<'_>) -> Result<Node, DecodeError> {
    let address = decoder.text()?;
    if address.len() > ADDRESS_BYTES_MAX {
        return Err(DecodeError::Range);
    }
    Ok(Node {
        address: address.to_owned(),
        spki_sha256: decoder.array()?,
    })
}

/// A set has one form: its members in order, each once.
fn ascending(last: Option<u64>, next: u64) -> Result<(), DecodeError> {
    if last.is_some_and(|last| last >= next) {
        Err(DecodeError::Range)
    } else {
        Ok(())
    }
}

pub(super) fn put_stored_membership(encoder: &mut Encoder, stored: &StoredMembership) {
    put_option(encoder, stored.log_id().as_ref(), put_log_id);
    put_membership(encoder, stored.membership());
}

pub(super) fn get_stored_membership(decoder: &mut Decoder<'_>) -> Result<StoredMembership, DecodeError> {
    let log_id = get_option(decoder, get_log_id)?;
    Ok(StoredMembership::new(log_id, get_membership(decoder)?))
}
