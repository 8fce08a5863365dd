//! Typed events: the leaves of the transparency log, written by apply since the first entry (erasure.md §6.2).
//!
//! A leaf is canonical JSON (RFC 8785 subset: sorted names, integers below 2^53, ASCII, base64) without personal
//! data: keys appear as blinded commitments, never by kid or reference.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eunoe_merkle::{Frontier, Hash, leaf_hash};
use eunoe_types::{BootId, Fault, NodeId};

use super::row::{cluster_event_key, event_key, frontier_key, log_tree_key};
use crate::Txn;

/// Levels of one tile (C2SP tlog-tiles).
const TILE_HEIGHT: u32 = 8;

/// The largest number of a leaf (RFC 8785 §3.2.2.3).
const NUMBER_MAX: u64 = (1 << 53) - 1;

/// A leaf under construction: names must be added in their order.
pub(super) struct Event {
    json: String,
}

impl Event {
    /// Begins an event. `t` is added where it belongs in the order of names.
    pub(super) fn new() -> Self {
        Self {
            json: String::from("{"),
        }
    }

    fn name(&mut self, name: &str) {
        if self.json.len() > 1 {
            self.json.push(',');
        }
        self.json.push('"');
        self.json.push_str(name);
        self.json.push_str("\":");
    }

    /// Adds a number. A reader takes none that a double does not hold; nothing true is larger.
    pub(super) fn number(mut self, name: &str, value: u64) -> Self {
        self.name(name);
        self.json.push_str(&value.min(NUMBER_MAX).to_string());
        self
    }

    /// Adds bytes as base64.
    pub(super) fn bytes(mut self, name: &str, value: &[u8]) -> Self {
        self.name(name);
        self.json.push('"');
        self.json.push_str(&STANDARD.encode(value));
        self.json.push('"');
        self
    }

    /// Adds a list of nodes.
    pub(super) fn nodes(mut self, name: &str, value: &[NodeId]) -> Self {
        self.name(name);
        let ids: Vec<String> = value.iter().map(|node| node.0.to_string()).collect();
        self.json.push_str(&format!("[{}]", ids.join(",")));
        self
    }

    /// Adds a text; whatever JSON would escape, and all that is not ASCII, becomes `_`.
    pub(super) fn text(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.json.push('"');
        let plain = |c: char| {
            if matches!(c, ' '..='~') && c != '"' && c != '\\' {
                c
            } else {
                '_'
            }
        };
        self.json.extend(value.chars().map(plain));
        self.json.push('"');
        self
    }

    /// Adds processes: each is a run of a node.
    pub(super) fn processes(mut self, name: &str, processes: &[(NodeId, BootId)]) -> Self {
        self.name(name);
        let each = processes.iter().map(|(node, boot)| {
            let process = Self::new().bytes("boot", boot.as_bytes());
            process.number("node", node.0).json + "}"
        });
        self.json.push('[');
        self.json.push_str(&each.collect::<Vec<_>>().join(","));
        self.json.push(']');
        self
    }

    /// The leaf's bytes.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.json.push('}');
        self.json.into_bytes()
    }

    /// Appends an event of the cluster to the log: one that receipts are made of, whomever they are for. Says which leaf it
    /// is.
    pub(super) fn record(self, txn: &mut Txn<'_>) -> Result<u64, Fault> {
        let index = self.record_of_key(txn)?;
        txn.put(cluster_event_key(index), Vec::new());
        Ok(index)
    }

    /// Appends an event of one key to the log. Says which leaf it is.
    pub(super) fn record_of_key(self, txn: &mut Txn<'_>) -> Result<u64, Fault> {
        let leaf = self.finish();
        let mut frontier = match txn.get(&frontier_key())? {
            Some(bytes) => Frontier::decode(&bytes)
                .map_err(|_| Fault::broken("the transparency log's frontier does not decode"))?,
            None => Frontier::new(),
        };
        let index = frontier.size();
        txn.put(event_key(index), leaf.clone());
        append_leaf(&mut frontier, &leaf, |key, hash| txn.put(key, hash.to_vec()));
        txn.put(frontier_key(), frontier.encode());
        Ok(index)
    }
}

/// Whether the log keeps the hashes of subtrees of this level: of those that are a tile of the level below.
pub(super) fn is_kept_level(level: u32) -> bool {
    level > 0 && level.is_multiple_of(TILE_HEIGHT)
}

/// Appends a leaf to the tree. `keep` is called with the row of each hash that the log keeps beside its leaves: of these
/// tiles of a large log are served, and proofs made, without a pass over its leaves.
pub(super) fn append_leaf(tree: &mut Frontier, leaf: &[u8], mut keep: impl FnMut(Vec<u8>, &Hash)) {
    tree.append_and_tell(leaf_hash(leaf), |level, index, hash| {
        if is_kept_level(level) {
            keep(log_tree_key(level, index), hash);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_would_escape_is_replaced() {
        let event = Event::new().text("site", "Paris \u{e9} \"x\"\\\n");
        assert_eq!(event.json, r#"{"site":"Paris _ _x___""#);
    }
}
