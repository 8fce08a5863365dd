//! Every interleaving of one epoch's switch: three holders of which two rebuild a root, two attempts, messages that
//! arrive late, processes that end at any step and come back, nodes that lag, and leases that run out.
//!
//! Raft is a committed log that each node applies at its own pace. What is asked of every state: the root that counts
//! can be rebuilt from what is on disk, and once DESTROYED is said, no other root can, from disk or memory.

use std::collections::HashSet;

const NODES: usize = 3;
const THRESHOLD: u32 = 2;
/// Acknowledged shares before a switch.
const ACKS_MIN: u32 = 2;
const ATTEMPTS: u8 = 2;
/// Two beginnings and a switch.
const LOG_MAX: usize = 3;
/// The bit of the old root; attempt `a` at the new one has bit `a`.
const OLD: u8 = 1;

/// A rule that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// The switch waits for no acknowledgement.
    EarlySwitch,
    /// An acknowledgement that comes twice counts twice.
    ShareCountedTwice,
    /// An attempt that another one has followed may switch.
    StaleSwitch,
    /// A vault has one place for the next epoch, whichever attempt it is.
    OneSlotForAttempts,
    /// The old share goes when an attempt begins.
    DestroyAtBegin,
    /// A node says that it destroyed before it does.
    AttestFirst,
    /// Shares that come after the switch are taken.
    LateShareTaken,
    /// DESTROYED with one node too few.
    DestroyedEarly,
    /// DESTROYED while a node that said nothing has its lease.
    LeaseIgnored,
    /// A node that has not applied the switch gets its lease renewed.
    LeaseRenewedBehind,
    /// What an installed snapshot brought counts as done.
    SnapshotSkipsEffects,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Begin(u8),
    Switch(u8),
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Node {
    applied: u8,
    /// Roots that its vault has a share of.
    shares: u8,
    /// Whether its memory has the old root.
    has_old_root: bool,
    attested: bool,
    /// Whether its lease runs.
    leased: bool,
    /// Whether the log says that its lease ran out.
    lapsed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    log: [Option<Entry>; LOG_MAX],
    nodes: [Node; NODES],
    /// Who acknowledged a share, by attempt. Only [`Broken::ShareCountedTwice`] uses more than a bit for each node.
    acks: [u8; ATTEMPTS as usize],
}

/// What a log says to whoever applied so much of it.
#[derive(Clone, Copy)]
struct Epoch {
    /// The attempt whose root counts; none for the old root.
    switched: Option<u8>,
    /// The last attempt that began.
    last: u8,
}

impl Epoch {
    /// The bit of the root that counts.
    fn root(self) -> u8 {
        self.switched.map_or(OLD, |attempt| 1 << attempt)
    }

    /// The roots whose shares a vault keeps: the one that counts and, before a switch, the last attempt's.
    fn kept(self) -> u8 {
        match self.switched {
            None if self.last > 0 => OLD | 1 << self.last,
            Some(_) | None => self.root(),
        }
    }
}

impl State {
    fn first() -> Self {
        let node = Node {
            applied: 0,
            shares: OLD,
            has_old_root: true,
            attested: false,
            leased: true,
            lapsed: false,
        };
        Self {
            log: [None; LOG_MAX],
            nodes: [node; NODES],
            acks: [0; ATTEMPTS as usize],
        }
    }

    /// The whole state in one number.
    fn number(&self) -> u64 {
        let entry = |entry: &Option<Entry>| match *entry {
            None => 0,
            Some(Entry::Begin(attempt)) => attempt,
            Some(Entry::Switch(attempt)) => 0b100 | attempt,
        };
        let log = self.log.iter().map(|found| (entry(found), 3));
        let acks = self.acks.iter().map(|acks| (*acks, 3));
        let nodes = self.nodes.iter().flat_map(|node| {
            let flags = [node.has_old_root, node.attested, node.leased, node.lapsed];
            let flags = flags.into_iter().fold(0, |bits, flag| bits << 1 | u8::from(flag));
            [(node.applied, 2), (node.shares, 3), (flags, 4)]
        });
        let parts = log.chain(acks).chain(nodes);
        parts.fold(0, |number, (part, bits)| number << bits | u64::from(part))
    }

    fn entries(&self) -> usize {
        self.log.iter().flatten().count()
    }

    fn epoch_at(&self, applied: usize) -> Epoch {
        let mut epoch = Epoch {
            switched: None,
            last: 0,
        };
        for entry in self.log[..applied].iter().flatten() {
            match *entry {
                Entry::Begin(attempt) => epoch.last = attempt,
                Entry::Switch(attempt) => epoch.switched = Some(attempt),
            }
        }
        epoch
    }

    fn epoch(&self) -> Epoch {
        self.epoch_at(self.entries())
    }

    fn with_entry(mut self, entry: Entry) -> Self {
        let end = self.entries();
        self.log[end] = Some(entry);
        self
    }

    fn with_node(mut self, index: usize, change: impl FnOnce(&mut Node)) -> Self {
        change(&mut self.nodes[index]);
        self
    }

    fn shares_of(&self, root: u8) -> usize {
        self.nodes.iter().filter(|node| node.shares & root != 0).count()
    }

    /// What the state machine calls DESTROYED: enough nodes said so, and of the others no lease runs.
    fn is_destroyed(&self, broken: Option<Broken>) -> bool {
        let attested = self.nodes.iter().filter(|node| node.attested).count();
        let needed = NODES - THRESHOLD as usize + usize::from(broken != Some(Broken::DestroyedEarly));
        let silent_are_dark = self.nodes.iter().all(|node| node.attested || node.lapsed);
        self.epoch().switched.is_some()
            && attested >= needed
            && (silent_are_dark || broken == Some(Broken::LeaseIgnored))
    }

    /// What must not be.
    fn violation(&self, broken: Option<Broken>) -> Option<&'static str> {
        let live = self.epoch().root();
        if self.shares_of(live) < THRESHOLD as usize {
            return Some("the root that counts cannot be rebuilt");
        }
        if !self.is_destroyed(broken) {
            return None;
        }
        let mut dead = (0..=ATTEMPTS).map(|bit| 1 << bit).filter(|root| *root != live);
        if dead.any(|root| self.shares_of(root) >= THRESHOLD as usize) {
            return Some("a dead root can be rebuilt");
        }
        let remembered = self.nodes.iter().any(|node| node.has_old_root);
        remembered.then_some("the old root is in memory")
    }

    /// Every step that can be next, with a name.
    fn next(&self, broken: Option<Broken>) -> Vec<(&'static str, State)> {
        let mut next = Vec::new();
        self.lead(broken, &mut next);
        for index in 0..NODES {
            self.deliver(index, broken, &mut next);
            self.apply(index, broken, &mut next);
            self.destroy(index, broken, &mut next);
            self.hold(index, broken, &mut next);
        }
        next
    }

    fn lead(&self, broken: Option<Broken>, next: &mut Vec<(&'static str, Self)>) {
        let epoch = self.epoch();
        if epoch.switched.is_some() {
            return;
        }
        if epoch.last < ATTEMPTS {
            next.push(("begin", self.with_entry(Entry::Begin(epoch.last + 1))));
        }
        let first = match broken {
            Some(Broken::StaleSwitch) => 1,
            _ => epoch.last.max(1),
        };
        for attempt in first..=epoch.last {
            let acks = self.acks[usize::from(attempt) - 1].count_ones();
            if acks >= ACKS_MIN || broken == Some(Broken::EarlySwitch) {
                next.push(("switch", self.with_entry(Entry::Switch(attempt))));
            }
        }
    }

    /// A share that some leader sent arrives. What was sent once can arrive at any time, and more than once.
    fn deliver(&self, index: usize, broken: Option<Broken>, next: &mut Vec<(&'static str, Self)>) {
        let node = self.nodes[index];
        let known = self.epoch_at(usize::from(node.applied));
        for attempt in 1..=self.epoch().last {
            let over = known.switched.is_some_and(|switched| switched != attempt) || known.last > attempt;
            if over && broken != Some(Broken::LateShareTaken) {
                continue;
            }
            let mut after = self.with_node(index, |node| {
                if broken == Some(Broken::OneSlotForAttempts) {
                    node.shares &= OLD;
                }
                node.shares |= 1 << attempt;
            });
            let acks = &mut after.acks[usize::from(attempt) - 1];
            *acks = match broken {
                Some(Broken::ShareCountedTwice) => (*acks << 1 | 1) & 0b111,
                _ => *acks | 1 << index,
            };
            if after != *self {
                next.push(("share", after));
            }
        }
    }

    fn apply(&self, index: usize, broken: Option<Broken>, next: &mut Vec<(&'static str, Self)>) {
        let applied = usize::from(self.nodes[index].applied);
        let entries = self.entries();
        if applied < entries {
            next.push(("apply", self.with_node(index, |node| node.applied += 1)));
        }
        if applied + 1 < entries {
            let skips = broken == Some(Broken::SnapshotSkipsEffects) && self.epoch().switched.is_some();
            let installed = self.with_node(index, |node| {
                node.applied = entries as u8;
                node.attested |= skips;
            });
            next.push(("install", installed));
        }
    }

    fn destroy(&self, index: usize, broken: Option<Broken>, next: &mut Vec<(&'static str, Self)>) {
        let node = self.nodes[index];
        let epoch = self.epoch_at(usize::from(node.applied));
        let mut kept = epoch.kept();
        if broken == Some(Broken::DestroyAtBegin) && epoch.last > 0 {
            kept &= !OLD;
        }
        // A share that comes ahead of what is applied may be the one that counts next.
        let later = (epoch.last + 1..=ATTEMPTS).fold(0, |roots, attempt| roots | 1 << attempt);
        if epoch.switched.is_none() {
            kept |= later;
        }
        if node.shares & !kept != 0 {
            next.push(("destroy", self.with_node(index, |node| node.shares &= kept)));
        }
        if epoch.switched.is_none() {
            return;
        }
        if node.has_old_root {
            next.push(("forget", self.with_node(index, |node| node.has_old_root = false)));
        }
        let clean = node.shares & !kept == 0 && !node.has_old_root;
        if !node.attested && (clean || broken == Some(Broken::AttestFirst)) {
            next.push(("attest", self.with_node(index, |node| node.attested = true)));
        }
    }

    /// Memory: lost by a crash, dropped at the end of a lease, filled again from shares.
    fn hold(&self, index: usize, broken: Option<Broken>, next: &mut Vec<(&'static str, Self)>) {
        let node = self.nodes[index];
        let known = self.epoch_at(usize::from(node.applied));
        if node.has_old_root {
            next.push(("crash", self.with_node(index, |node| node.has_old_root = false)));
        }
        if node.leased {
            let dark = self.with_node(index, |node| (node.leased, node.has_old_root) = (false, false));
            next.push(("lapse", dark));
        } else {
            let follows = known.switched == self.epoch().switched;
            if follows || broken == Some(Broken::LeaseRenewedBehind) {
                next.push(("renew", self.with_node(index, |node| node.leased = true)));
            }
            if !node.lapsed && self.epoch().switched.is_some() && known.switched.is_none() {
                next.push(("lapsed", self.with_node(index, |node| node.lapsed = true)));
            }
        }
        let releasing = self.nodes.iter().filter(|holder| {
            let holder_knows = self.epoch_at(usize::from(holder.applied));
            holder.shares & OLD != 0 && holder_knows.switched.is_none()
        });
        let wants = node.leased && !node.has_old_root && known.switched.is_none();
        if wants && releasing.count() >= THRESHOLD as usize {
            next.push(("load", self.with_node(index, |node| node.has_old_root = true)));
        }
    }
}

/// What a search of all states ended with.
struct Searched {
    states: usize,
    destroyed: usize,
    /// The shortest way to a state that must not be, and what is wrong there.
    found: Option<(Vec<&'static str>, &'static str)>,
}

fn search(broken: Option<Broken>) -> Searched {
    let first = State::first();
    let mut states = vec![(first, 0, "")];
    let mut known = HashSet::from([first.number()]);
    let (mut at, mut destroyed) = (0, 0);
    let mut found = None;
    while at < states.len() {
        let state = states[at].0;
        if let Some(wrong) = state.violation(broken) {
            found = Some((way(&states, at), wrong));
            break;
        }
        destroyed += usize::from(state.is_destroyed(broken));
        for (name, after) in state.next(broken) {
            if known.insert(after.number()) {
                states.push((after, at, name));
            }
        }
        at += 1;
    }
    Searched {
        states: states.len(),
        destroyed,
        found,
    }
}

fn way(states: &[(State, usize, &'static str)], mut at: usize) -> Vec<&'static str> {
    let mut steps = Vec::new();
    while at > 0 {
        let (_, before, name) = states[at];
        steps.push(name);
        at = before;
    }
    steps.reverse();
    steps
}

#[test]
fn e26_no_interleaving_loses_the_root_that_counts_or_keeps_a_dead_one() {
    let searched = search(None);
    assert_eq!(searched.found, None);
    eprintln!(
        "{} states, {} of them DESTROYED",
        searched.states, searched.destroyed
    );
    assert!(searched.states > 300_000, "too few: {}", searched.states);
    assert!(searched.destroyed > 1_000, "too few: {}", searched.destroyed);
}

#[test]
fn e26_every_rule_of_the_switch_is_needed() {
    use Broken::*;
    const LOST: &str = "the root that counts cannot be rebuilt";
    const KEPT: &str = "a dead root can be rebuilt";
    const REMEMBERED: &str = "the old root is in memory";
    for (broken, wrong) in [
        (EarlySwitch, LOST),
        (ShareCountedTwice, LOST),
        (StaleSwitch, LOST),
        (OneSlotForAttempts, LOST),
        (DestroyAtBegin, LOST),
        (AttestFirst, KEPT),
        (LateShareTaken, KEPT),
        (DestroyedEarly, KEPT),
        (LeaseIgnored, REMEMBERED),
        (LeaseRenewedBehind, REMEMBERED),
        (SnapshotSkipsEffects, KEPT),
    ] {
        let found = search(Some(broken)).found;
        eprintln!("{broken:?}: {found:?}");
        assert_eq!(found.map(|(_, found)| found), Some(wrong), "{broken:?}");
    }
}
