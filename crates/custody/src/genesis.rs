//! The first key tree of a realm, as commands for the control group.

use eunoe_core::control::{Command, Genesis as GenesisCommand, NodeRow, Page, PageName};
use eunoe_core::placement::Policy;
use eunoe_crypto::{DealtRoot, Entropy, Genesis, KeyArena, Levels};
use eunoe_types::{BootId, NodeId, Realm, TimeMs};

use crate::KeyringError;
use crate::pages::page_name;
use crate::shares::{dealing, made_root, share_among};

/// Bytes of pages in one command: a replicated entry should stay small beside heartbeats.
const CHUNK_BYTES: usize = 256 * 1024;

/// A genesis to propose: the root is in no command, and every holder must keep its share of it before they are proposed.
pub struct PreparedGenesis {
    /// The root with its shares, to be put into vaults.
    pub dealt: DealtRoot,
    /// Commands, to be proposed in this order.
    pub commands: Vec<Vec<u8>>,
}

/// Makes a root, shared among all `nodes`, and all interior pages under it.
pub fn prepare_genesis(
    arena: &KeyArena,
    realm: Realm,
    levels: Levels,
    (attempt, data_groups, time): (u64, u32, TimeMs),
    (nodes, policy): (Vec<NodeRow>, Policy),
    founder: (NodeId, BootId),
    entropy: &mut dyn Entropy,
) -> Result<PreparedGenesis, KeyringError> {
    let sharing = share_among(nodes.iter().map(|node| node.id), nodes.len());
    let dealt = dealing(&sharing)?.deal(arena, entropy)?;
    let mut names: Vec<PageName> = Vec::with_capacity(Genesis::pages(levels));
    let mut commands = Vec::new();
    let mut chunk: Vec<(PageName, Vec<u8>)> = Vec::new();
    let mut chunk_bytes = 0;
    for page in Genesis::new(realm, levels, dealt.root(), entropy) {
        let (id, sealed) = page?;
        let name = page_name(id);
        names.push(name);
        chunk_bytes += sealed.len();
        chunk.push((name, sealed));
        if chunk_bytes >= CHUNK_BYTES {
            commands.push(stage(attempt, &chunk));
            chunk.clear();
            chunk_bytes = 0;
        }
    }
    if !chunk.is_empty() {
        commands.push(stage(attempt, &chunk));
    }
    let genesis = GenesisCommand {
        realm,
        attempt,
        pages: names,
        levels: levels.get(),
        made: made_root(&dealt, sharing.holders.clone()),
        sharing,
        founder,
        data_groups,
        time,
        nodes,
        policy,
    };
    commands.push(Command::Genesis(genesis).encode());
    Ok(PreparedGenesis { dealt, commands })
}

fn stage(attempt: u64, pages: &[(PageName, Vec<u8>)]) -> Vec<u8> {
    let pages = pages
        .iter()
        .map(|(name, sealed)| Page { name: *name, sealed })
        .collect();
    Command::StagePages { attempt, pages }.encode()
}
