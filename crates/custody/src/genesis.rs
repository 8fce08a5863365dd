//! The first key tree of a realm, as commands for the control group.

use eunoe_core::control::{Command, Genesis as GenesisCommand, NodeRow, Page, PageName};
use eunoe_core::placement::Policy;
use eunoe_crypto::{DealtRoot, Entropy, Genesis, KeyArena, Levels, MetaPage};
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

/// What a realm begins with.
pub struct Founding {
    /// Identity of the data.
    pub realm: Realm,
    /// Depth of the key trees.
    pub levels: Levels,
    /// Tells this attempt from others.
    pub attempt: u64,
    /// Number of data groups, for ever.
    pub data_groups: u32,
    /// Now.
    pub time: TimeMs,
    /// The first nodes. All of them share the root.
    pub nodes: Vec<NodeRow>,
    /// Where nodes may stand.
    pub policy: Policy,
    /// The process that makes the root.
    pub founder: (NodeId, BootId),
    /// What is sealed under the root itself.
    pub meta: MetaPage,
    /// The public key of the log key in it.
    pub log_key: [u8; 32],
}

/// Makes a root, shared among all nodes, and all interior pages under it.
pub fn prepare_genesis(
    arena: &KeyArena,
    founding: Founding,
    entropy: &mut dyn Entropy,
) -> Result<PreparedGenesis, KeyringError> {
    let Founding {
        realm,
        levels,
        attempt,
        nodes,
        meta,
        ..
    } = founding;
    let sharing = share_among(nodes.iter().map(|node| node.id), nodes.len());
    let dealt = dealing(&sharing)?.deal(arena, entropy)?;
    let mut names: Vec<PageName> = Vec::with_capacity(Genesis::pages(levels));
    let mut commands = Vec::new();
    let mut chunk: Vec<(PageName, Vec<u8>)> = Vec::new();
    let mut chunk_bytes = 0;
    for page in Genesis::new(realm, levels, dealt.root(), meta, entropy) {
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
        founder: founding.founder,
        data_groups: founding.data_groups,
        time: founding.time,
        nodes,
        policy: founding.policy,
        log_key: founding.log_key,
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
