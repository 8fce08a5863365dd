//! Public keys that nodes sign with, as the transparency log has them: with the newest of a node its next words are checked,
//! and what it said before with those that it had then.

use eunoe_types::{DecodeError, Decoder, Encoder, Fault, NodeId, limits};

use super::apply::{self, Answer};
use super::epoch_command::RegisterKeys;
use super::event::Event;
use super::reply::{Rejection, Reply};
use crate::{FORMAT, StateView, Txn, known_format, table};

/// How often a node may change its keys: it does so when it has lost them.
const CHANGES_MAX: usize = 64;

/// Public keys of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeKeys {
    /// The node.
    pub node: NodeId,
    /// Which leaf says so.
    pub leaf: u64,
    /// Ed25519: of what it says about its vault and its memory.
    pub attest: [u8; 32],
    /// Ed25519: of checkpoints whose tree is its own.
    pub cosign: [u8; 32],
}

fn prefix(node: NodeId) -> Vec<u8> {
    table::key(table::NODE_KEYS, &[&node.0.to_be_bytes()])
}

impl NodeKeys {
    fn key(&self) -> Vec<u8> {
        [&prefix(self.node)[..], &self.leaf.to_be_bytes()].concat()
    }

    fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::with_capacity(65);
        e.u8(FORMAT).fixed(&self.attest).fixed(&self.cosign);
        e.finish()
    }

    pub(super) fn decode(key: &[u8], value: &[u8]) -> Result<Self, DecodeError> {
        let mut name = Decoder::new(key.get(1..).unwrap_or_default());
        let mut d = Decoder::new(value);
        known_format(&mut d)?;
        let keys = Self {
            node: NodeId(u64::from_be_bytes(name.array()?)),
            leaf: u64::from_be_bytes(name.array()?),
            attest: d.array()?,
            cosign: d.array()?,
        };
        name.finish()?;
        d.finish()?;
        Ok(keys)
    }
}

pub(super) fn register(txn: &mut Txn<'_>, said: &RegisterKeys) -> Result<Answer, Fault> {
    if !apply::is_admitted(txn, said.node)? {
        return Ok(Err(Rejection::NoSuchNode));
    }
    let known = txn.scan_prefix(&prefix(said.node), None, CHANGES_MAX)?;
    let newest = known
        .last()
        .map(|(key, row)| NodeKeys::decode(key, row))
        .transpose()?;
    if newest.is_some_and(|newest| (newest.attest, newest.cosign) == (said.attest, said.cosign)) {
        return Ok(Ok(Reply::Done));
    }
    if known.len() == CHANGES_MAX {
        return Ok(Err(Rejection::TooManyKeys));
    }
    let leaf = Event::new()
        .bytes("attest", &said.attest)
        .bytes("cosign", &said.cosign)
        .number("node", said.node.0)
        .text("t", "eunoe/node-keys@v1")
        .record(txn)?;
    let row = NodeKeys {
        node: said.node,
        leaf,
        attest: said.attest,
        cosign: said.cosign,
    };
    txn.put(row.key(), row.encode());
    Ok(Ok(Reply::Done))
}

/// All keys that a node ever registered, the newest last.
pub fn keys_of(view: &dyn StateView, node: NodeId) -> Result<Vec<NodeKeys>, Fault> {
    read(view, &prefix(node), CHANGES_MAX)
}

/// The newest keys of all nodes that are admitted.
pub fn signers(view: &dyn StateView) -> Result<Vec<NodeKeys>, Fault> {
    let nodes = super::nodes(view)?.into_iter();
    let admitted = nodes
        .filter(|node| node.state.is_admitted())
        .take(limits::HOLDERS_MAX);
    let newest = admitted.map(|node| Ok(keys_of(view, node.id)?.pop()));
    newest.filter_map(Result::transpose).collect()
}

fn read(view: &dyn StateView, prefix: &[u8], max: usize) -> Result<Vec<NodeKeys>, Fault> {
    let rows = super::erasure_query::prefixed(view, prefix, max)?;
    let decoded = rows.iter().map(|(key, row)| NodeKeys::decode(key, row));
    Ok(decoded.collect::<Result<_, DecodeError>>()?)
}
