//! What happened, in lines that are the same for the same seed.

use std::collections::BTreeMap;
use std::fmt;

use eunoe_types::{GroupId, NodeId};

use super::coverage::{Coverage, Event};
use super::net::Micros;
use super::node::Node;

/// Lines that are kept for people; all count for the digest.
const LINES_MAX: usize = 200_000;

/// What is watched of a group on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    term: u64,
    leader: Option<NodeId>,
    applied: u64,
}

/// The trace of a world.
#[derive(Default)]
pub(super) struct Trace {
    digest: u64,
    lines: Vec<String>,
    seen: BTreeMap<(NodeId, GroupId), Seen>,
    leaders: BTreeMap<GroupId, NodeId>,
    keeps: bool,
}

impl Trace {
    /// An empty trace, which keeps its lines or only their digest.
    pub(super) fn new(keeps: bool) -> Self {
        Self {
            keeps,
            ..Self::default()
        }
    }

    /// Writes a line.
    pub(super) fn note(&mut self, now: Micros, what: fmt::Arguments<'_>) {
        let line = format!("{:>9.3} {what}", now as f64 / 1e3);
        // FNV-1a: enough to tell traces apart.
        for byte in line.bytes().chain([b'\n']) {
            self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.keeps && self.lines.len() < LINES_MAX {
            self.lines.push(line);
        }
    }

    /// Notes what changed on the nodes.
    pub(super) fn look(&mut self, now: Micros, nodes: &[Node], coverage: &Coverage) {
        for node in nodes {
            let Some(core) = node.core() else { continue };
            for group in core.raft().groups() {
                let (lead, applied) = (group.leadership(), group.applied());
                let seen = Seen {
                    term: lead.term,
                    leader: lead.leader,
                    applied: applied.map_or(0, |at| at.index),
                };
                let key = (node.id, group.id());
                if self.seen.insert(key, seen) == Some(seen) {
                    continue;
                }
                if lead.is_leader && self.leaders.insert(group.id(), node.id) != Some(node.id) {
                    coverage.count(Event::LeaderChanged);
                }
                self.note(
                    now,
                    format_args!("node {} group {} {seen:?}", node.id, group.id()),
                );
            }
        }
    }

    /// The digest of all lines.
    pub(super) fn digest(&self) -> u64 {
        self.digest
    }

    /// The lines that were kept.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }
}
