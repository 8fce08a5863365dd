//! How much of what was written is read with what was found.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use eunoe_core::control::KeyState;
use eunoe_crypto::{
    ContentKey, ConversationRowAad, KeyArena, KeyRef, KeyRefs, Locking, MessageAad, SecretBytes, SecretKey,
    open, root_commitment,
};
use eunoe_types::{ConversationId, Decoder, Kid, Realm};
use serde::Serialize;

use crate::contents::{Conversation, KeySet, Message, Section};
use crate::memory::Tried;
use crate::{AttackError, Counts, Evidence, FoundRoot, MemoryKeys, Opened};

/// Keys of one conversation's key sets that are at hand at a time.
const CONTENT_KEYS_MAX: usize = 1 << 20;
/// Rows of a conversation that are sealed beside its messages.
const NAMING: u8 = 1;
const PARTICIPANT: u8 = 2;

/// How much of something is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// All of it.
    pub read: u64,
    /// Some sections of it.
    pub partly: u64,
    /// Nothing.
    pub unread: u64,
}

/// A root that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Root {
    /// The epoch that it is of, if the evidence says.
    pub epoch: Option<u64>,
    /// The public commitment to it.
    pub commitment: String,
    /// In a vault, from shares, or in memory.
    pub from: &'static str,
}

/// Something that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Text {
    /// The conversation.
    pub conversation: String,
    /// The state of the key that says most: `active`, `fenced`, `erased` or `unknown`.
    pub state: &'static str,
    /// What it says; a name of somebody or of the conversation too.
    pub text: String,
}

/// A part of the evidence that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// Where.
    pub path: String,
    /// Why.
    pub why: String,
}

/// What the attack came to. States are those of the latest state in the evidence, and `unknown` without one.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How much was found.
    pub evidence: Counts,
    /// Sealed pages and rows of key trees, each generation by itself.
    pub sealed: (usize, usize),
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// Public commitments to roots that were found.
    pub roots_committed: usize,
    /// Roots of which the vaults hold shares, as epoch and attempt.
    pub roots_shared: Vec<(u64, u32)>,
    /// Roots that were found.
    pub roots: Vec<Root>,
    /// Secrets of vaults in a form that is not known.
    pub strange_secrets: u64,
    /// What was done with memories.
    pub memory: Tried,
    /// Roots, parts of roots, page keys and record keys that were found in memories.
    pub memory_keys: (usize, usize, usize, usize),
    /// Record keys, by state.
    pub keys: BTreeMap<&'static str, Tally>,
    /// Messages, by the state of the key that says most of those that they need.
    pub messages: BTreeMap<&'static str, Tally>,
    /// Titles, references and names of participants.
    pub names: BTreeMap<&'static str, Tally>,
    /// What was read, if it was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<Text>,
}

impl Report {
    /// Opens all that the roots of the evidence and the keys of memories open; with `texts` it shows what it says.
    ///
    /// # Errors
    ///
    /// If the evidence names no realm, or there is no memory for keys.
    pub fn of(evidence: &Evidence, memory: &MemoryKeys, texts: bool) -> Result<Self, AttackError> {
        let found = evidence.roots.found_with(&evidence.made_roots, &memory.sub_keys);
        let roots: Vec<&SecretKey> = found.iter().map(|root| &root.key).collect();
        let opened = Opened::from(evidence, &roots, memory)?;
        let unread = evidence.unread.iter().map(|(path, why)| Unread {
            path: path.display().to_string(),
            why: why.clone(),
        });
        let mut report = Self {
            evidence: evidence.counts,
            sealed: evidence.sealed.count(),
            unread: unread.collect(),
            roots_committed: evidence.root_commitments.len(),
            roots_shared: evidence.roots.shared().collect(),
            strange_secrets: evidence.roots.strange,
            memory: memory.tried,
            memory_keys: memory.found(),
            ..Self::default()
        };
        report.take_roots(evidence, &found, memory);
        report.take_keys(evidence, &opened);
        let mut reading = Reading {
            evidence,
            opened: &opened,
            realms: evidence.realms.iter().copied().collect(),
            arena: KeyArena::new(Locking::BestEffort, CONTENT_KEYS_MAX)
                .map_err(eunoe_crypto::KeyError::from)?,
            keys: HashMap::new(),
            texts: texts.then(Vec::new),
        };
        for (id, conversation) in &evidence.contents.conversations {
            report.take_conversation(&mut reading, *id, conversation);
        }
        report.texts = reading.texts.unwrap_or_default();
        Ok(report)
    }

    /// What of a table is read in one state.
    pub fn tally(table: &BTreeMap<&'static str, Tally>, state: &str) -> Tally {
        table.get(state).copied().unwrap_or_default()
    }

    fn take_roots(&mut self, evidence: &Evidence, found: &[FoundRoot], memory: &MemoryKeys) {
        let in_memory = memory.roots.iter().map(|key| (key, "memory"));
        for (key, from) in found.iter().map(|root| (&root.key, root.from)).chain(in_memory) {
            let commitment = root_commitment(key);
            let epoch = evidence.root_commitments.get(&commitment).copied().flatten();
            self.roots.push(Root {
                epoch,
                commitment: commitment.iter().map(|byte| format!("{byte:02x}")).collect(),
                from,
            });
        }
    }

    fn take_keys(&mut self, evidence: &Evidence, opened: &Opened) {
        let records = opened.records();
        let all: BTreeSet<&Kid> = evidence.keys.keys().chain(&records).collect();
        for kid in all {
            let tally = self.keys.entry(state_of(evidence, kid).name()).or_default();
            match records.contains(kid) {
                true => tally.read += 1,
                false => tally.unread += 1,
            }
        }
    }

    fn take_conversation(&mut self, reading: &mut Reading<'_>, id: ConversationId, found: &Conversation) {
        for message in &found.messages {
            let (state, tally) = reading.message(id, found, *message.0, message.1);
            self.messages.entry(state.name()).or_default().add(tally);
        }
        let namings = found.namings.iter().map(|sealed| (NAMING, sealed));
        for (row, sealed) in namings.chain(found.participants.iter().map(|sealed| (PARTICIPANT, sealed))) {
            let (state, read) = reading.row(id, row, sealed);
            let tally = Tally::of(usize::from(read), 1);
            self.names.entry(state.name()).or_default().add(tally);
        }
        reading.keys.clear();
    }
}

impl Tally {
    fn of(read: usize, all: usize) -> Self {
        Self {
            read: u64::from(read == all && all > 0),
            partly: u64::from(read > 0 && read < all),
            unread: u64::from(read == 0),
        }
    }

    fn add(&mut self, other: Self) {
        self.read += other.read;
        self.partly += other.partly;
        self.unread += other.unread;
    }
}

/// What the keys that something needs are, in the order in which they say most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Active,
    Unknown,
    Fenced,
    Erased,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Unknown => "unknown",
            Self::Fenced => "fenced",
            Self::Erased => "erased",
        }
    }
}

fn state_of(evidence: &Evidence, kid: &Kid) -> State {
    match evidence.keys.get(kid).and_then(|key| key.state) {
        None => State::Unknown,
        Some(KeyState::Active) => State::Active,
        Some(KeyState::Fenced { .. }) => State::Fenced,
        Some(KeyState::Erased { .. }) => State::Erased,
    }
}

struct Reading<'a> {
    evidence: &'a Evidence,
    opened: &'a Opened,
    realms: Vec<Realm>,
    arena: KeyArena,
    /// Content keys by the stored form of their refs; none where one of them is missing.
    keys: HashMap<Vec<u8>, Option<ContentKey>>,
    texts: Option<Vec<Text>>,
}

impl Reading<'_> {
    fn state(&self, refs: &KeyRefs) -> State {
        let states = refs
            .as_slice()
            .iter()
            .map(|key| state_of(self.evidence, &key.kid));
        states.max().unwrap_or(State::Unknown)
    }

    /// The content key of these refs, if all of their keys were found.
    fn content_key(&mut self, encoded: &[u8]) -> Option<&ContentKey> {
        if !self.keys.contains_key(encoded) {
            let key = self.derive(encoded);
            self.keys.insert(encoded.to_vec(), key);
        }
        self.keys.get(encoded).and_then(Option::as_ref)
    }

    fn derive(&self, encoded: &[u8]) -> Option<ContentKey> {
        let refs = decoded(encoded)?;
        let keys = refs.as_slice().iter();
        let keys = keys.map(|key| Some((*key, self.opened.key(key.kid, key.generation)?)));
        let keys: Vec<(KeyRef, &SecretKey)> = keys.collect::<Option<_>>()?;
        ContentKey::derive(&self.arena, &keys).ok()
    }

    fn message(
        &mut self,
        conversation: ConversationId,
        found: &Conversation,
        message: eunoe_types::MessageId,
        sections: &Message,
    ) -> (State, Tally) {
        let (mut state, mut read) = (State::Active, 0);
        for (envelope, forms) in sections {
            let sets = forms.iter().map(|section| (section, found.key_sets_of(section)));
            let sets: Vec<(&Section, Vec<&KeySet>)> = sets.collect();
            state = state.max(self.section_state(&sets));
            let place = |realm, day| MessageAad {
                realm,
                conversation,
                message,
                envelope: *envelope,
                day,
            };
            let opened = sets.iter().find_map(|(section, sets)| {
                sets.iter().find_map(|(day, refs)| {
                    let realms = self.realms.clone();
                    let key = self.content_key(refs)?;
                    let mut realms = realms.into_iter();
                    realms.find_map(|realm| open(key, &place(realm, *day), &section.envelope).ok())
                })
            });
            if let Some(content) = opened {
                read += 1;
                self.show(conversation, state, &content, texts_of);
            }
        }
        (state, Tally::of(read, sections.len()))
    }

    /// What a section needs, if its key set is known; of several that it may be the most telling one.
    fn section_state(&self, forms: &[(&Section, Vec<&KeySet>)]) -> State {
        let sets = forms.iter().flat_map(|(_, sets)| sets.iter());
        let states = sets.map(|(_, refs)| decoded(refs).map_or(State::Unknown, |refs| self.state(&refs)));
        states.max().unwrap_or(State::Unknown)
    }

    /// A row that names its own keys.
    fn row(&mut self, conversation: ConversationId, row: u8, sealed: &[u8]) -> (State, bool) {
        let Some((refs, encoded, envelope)) = split_row(sealed) else {
            return (State::Unknown, false);
        };
        let state = self.state(&refs);
        let realms = self.realms.clone();
        let opened = self.content_key(encoded).and_then(|key| {
            realms.into_iter().find_map(|realm| {
                let place = ConversationRowAad {
                    realm,
                    conversation,
                    row,
                    item: 0,
                    version: 0,
                };
                open(key, &place, envelope).ok()
            })
        });
        match opened {
            Some(content) => {
                self.show(conversation, state, &content, names_of);
                (state, true)
            }
            None => (state, false),
        }
    }

    fn show(
        &mut self,
        conversation: ConversationId,
        state: State,
        content: &SecretBytes,
        read: impl FnOnce(&[u8]) -> Option<Vec<String>>,
    ) {
        let Some(texts) = &mut self.texts else {
            return;
        };
        let bytes = content.expose();
        let found = read(bytes).unwrap_or_else(|| vec![String::from_utf8_lossy(bytes).into_owned()]);
        texts.extend(found.into_iter().map(|text| Text {
            conversation: conversation.to_string(),
            state: state.name(),
            text,
        }));
    }
}

fn decoded(encoded: &[u8]) -> Option<KeyRefs> {
    let mut d = Decoder::new(encoded);
    let refs = KeyRefs::decode(&mut d).ok()?;
    d.finish().ok()?;
    Some(refs)
}

/// Refs, their stored form, and the envelope of a sealed row.
fn split_row(sealed: &[u8]) -> Option<(KeyRefs, &[u8], &[u8])> {
    let mut d = Decoder::new(sealed);
    let refs = KeyRefs::decode(&mut d).ok()?;
    let after = d.rest();
    let encoded = &sealed[..sealed.len() - after.len()];
    let mut d = Decoder::new(after);
    let envelope = d.bytes().ok()?;
    d.finish().ok()?;
    Some((refs, encoded, envelope))
}

/// The texts of a section; data and quotes are none.
fn texts_of(content: &[u8]) -> Option<Vec<String>> {
    let mut d = Decoder::new(content);
    let (_format, parts) = (d.u8().ok()?, d.varint().ok()?);
    let mut texts = Vec::new();
    for _ in 0..parts {
        let _place = d.u8().ok()?;
        match d.u8().ok()? {
            1 => texts.push(d.text().ok()?.to_owned()),
            2 => {
                let (_type, _value) = (d.text().ok()?, d.bytes().ok()?);
            }
            3 => {
                let _quoted: [u8; 16] = d.array().ok()?;
            }
            _ => return None,
        }
        for _ in 0..d.varint().ok()? {
            texts.push(d.text().ok()?.to_owned());
        }
    }
    Some(texts)
}

/// Title and reference of a conversation, or the name of a participant.
fn names_of(content: &[u8]) -> Option<Vec<String>> {
    let mut d = Decoder::new(content);
    let _format = d.u8().ok()?;
    let mut names = Vec::new();
    while !d.is_empty() {
        names.push(d.text().ok()?.to_owned());
    }
    Some(names)
}
