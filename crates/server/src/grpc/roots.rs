//! How safe the root key is, as operators see it.

use eunoe_core::control;
use eunoe_proto::cluster as proto;
use eunoe_raft::GroupHandle;
use eunoe_types::Fault;

use crate::edge::ApiResult;

/// What is known of the current root and of its shares, `nodes` being those that were asked just now.
pub(super) fn status(group: &GroupHandle, nodes: &[proto::Node]) -> ApiResult<Option<proto::Root>> {
    let (root, sealed) = group.with_view(|view| {
        let epoch = control::epoch(view)?;
        let root = epoch.map(|epoch| Ok::<_, Fault>((epoch.epoch, control::current_root(view, &epoch)?)));
        Ok::<_, Fault>((root.transpose()?, control::is_sealed(view)?))
    })??;
    let Some((epoch, Some(root))) = root else {
        return Ok(None);
    };
    let holders: Vec<u64> = root
        .made
        .iter()
        .flat_map(|made| made.kept.iter().map(|node| node.0))
        .collect();
    let has = |id: &u64| {
        nodes
            .iter()
            .any(|node| node.id == *id && node.share_kept == Some(true))
    };
    let present: Vec<u64> = holders.iter().copied().filter(has).collect();
    let threshold = u32::from(root.sharing.threshold);
    let losses_left = u32::try_from(present.len())
        .unwrap_or(u32::MAX)
        .checked_sub(threshold);
    Ok(Some(proto::Root {
        epoch,
        holders,
        threshold,
        present,
        losses_left,
        sealed,
    }))
}
