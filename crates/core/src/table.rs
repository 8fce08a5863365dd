//! Keys of rows: one leading byte names the table. Byte 0 belongs to the store. Numbers are big-endian, so that
//! the order of keys is the order of things. The bytes are part of the stored format and never change meaning.

/// The first key that a machine may write.
pub(crate) const FIRST: u8 = 0x01;

/// Data groups: a conversation's fixed part.
pub(crate) const CONVERSATION: u8 = 0x10;
/// Data groups: a conversation's moving part.
pub(crate) const HEAD: u8 = 0x11;
/// Data groups: participant by number.
pub(crate) const PARTICIPANT: u8 = 0x12;
/// Data groups: numbered key sets of a conversation.
pub(crate) const KEY_SET: u8 = 0x13;
/// Data groups: message by sequence number.
pub(crate) const MESSAGE: u8 = 0x14;
/// Data groups: sequence number and request MAC by message id; both the dedup row and the index of ids.
pub(crate) const MESSAGE_ID: u8 = 0x15;
/// Data groups: conversations by the kid of somebody who takes part or owns parts.
pub(crate) const SUBJECT: u8 = 0x16;

/// Control group: what genesis fixed.
pub(crate) const GENESIS: u8 = 0x20;
/// Control group: nodes, removed ones included.
pub(crate) const NODE: u8 = 0x21;
/// Control group: interior pages of the key trees.
pub(crate) const PAGE: u8 = 0x22;
/// Control group: rows of the key trees.
pub(crate) const LEAF_ROW: u8 = 0x23;
/// Control group: pages staged for genesis.
pub(crate) const STAGED_PAGE: u8 = 0x24;
/// Control group: the cluster version.
pub(crate) const VERSION: u8 = 0x25;
/// Control group: state of a key by its kid.
pub(crate) const KEY_STATE: u8 = 0x26;
/// Control group: entries of the transparency log.
pub(crate) const EVENT: u8 = 0x27;
/// Control group: the transparency log's frontier.
pub(crate) const FRONTIER: u8 = 0x28;
/// Control group: processes that were ever given a root.
pub(crate) const RAM_SET: u8 = 0x29;
/// Control group: generation of a leaf page whose key was replaced.
pub(crate) const PAGE_GENERATION: u8 = 0x2a;
/// Control group: keys below a key, by the kid of the one above.
pub(crate) const KEY_CHILD: u8 = 0x2b;
/// Control group: fenced keys that the current root still leads to, in the order of their fences.
pub(crate) const FENCED: u8 = 0x2c;
/// Control group: erasures by id.
pub(crate) const ERASURE: u8 = 0x2d;
/// Control group: ids of a tenant's erasures, in their order.
pub(crate) const ERASURE_OF: u8 = 0x2e;
/// Control group: the epoch, and the one that is being prepared.
pub(crate) const EPOCH: u8 = 0x2f;
/// Control group: leaf pages that the epoch under preparation replaces.
pub(crate) const FROZEN: u8 = 0x30;
/// Control group: generations of leaf pages whose rows are to be deleted.
pub(crate) const SWEEP: u8 = 0x31;
/// Control group: nodes that may hold shares and roots.
pub(crate) const HOLDER: u8 = 0x32;
/// Control group: keys below fenced ones that an erasure has still to fence.
pub(crate) const EXPAND: u8 = 0x33;
/// Control group: what the epoch under preparation erases.
pub(crate) const PENDING: u8 = 0x34;
/// Control group: erasures whose old roots are not destroyed everywhere, by their last epoch.
pub(crate) const REKEYED: u8 = 0x35;
/// Control group: roots that holders may still have shares of.
pub(crate) const ROOT: u8 = 0x36;
/// Control group: erasures that are DESTROYED and of which not every node has said so, by their last epoch.
pub(crate) const DESTROYED: u8 = 0x37;
/// Control group: that an operator sealed the cluster.
pub(crate) const SEAL: u8 = 0x38;
/// Control group: keys that an erasure fenced and that are not erased.
pub(crate) const KEY_OF_ERASURE: u8 = 0x39;
/// Control group: erasures with fenced keys, by what they wait for.
pub(crate) const UNDER_WAY: u8 = 0x3a;
/// Control group: the keys that came back last.
pub(crate) const RETURNED: u8 = 0x3b;
/// Control group: hashes of complete subtrees of the transparency log, of the levels that tiles have.
pub(crate) const LOG_TREE: u8 = 0x3c;
/// Control group: leaves of the transparency log that are events of the cluster, not of one key.
pub(crate) const CLUSTER_EVENT: u8 = 0x3d;
/// Control group: the placement policy.
pub(crate) const PLACEMENT: u8 = 0x3f;
/// Control group: which leaf of the transparency log began an epoch.
pub(crate) const EPOCH_EVENT: u8 = 0x40;
/// Control group: public keys that nodes sign with, by the leaf that says so.
pub(crate) const NODE_KEYS: u8 = 0x41;
/// Control group: which keys the transparency log says to be destroyed.
pub(crate) const SUMMARY: u8 = 0x42;

/// A key of `table` from its parts.
pub(crate) fn key(table: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(table);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// The first key after all keys that begin with `prefix`.
pub(crate) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}
