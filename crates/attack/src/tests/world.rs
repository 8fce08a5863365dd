//! What a small realm wrote: four keys, one message, its names, and as many epochs as a test wants.

use eunoe_core::control::{Command, EpochChunk, EpochRowOf, NewKey, NewRow, Page, PageName};
use eunoe_core::data::{
    Append, CreateConversation, KeySetRef, NewParticipant, Operation, ParticipantKind, ParticipantRef,
    Profile, Section, encode_command, encode_operation,
};
use eunoe_crypto::{
    ChildKeys, ContentKey, Context, ConversationRowAad, KeyArena, KeyGeneration, KeyKind, KeyRecord, KeyRef,
    LeafName, Levels, Locking, MessageAad, MetaPage, OsEntropy, PageId, PageKeys, RowHeader, RowTag,
    SecretKey, Tree, key_commitment, root_commitment, seal,
};
use eunoe_types::{ConversationId, Day, Encoder, Kid, MessageId, Realm, RequestMac, TimeMs};

use crate::{Evidence, entries};

pub(super) const REALM: Realm = Realm([7; 16]);
pub(super) const SUBJECT: Kid = Kid([0x10; 16]);
pub(super) const CONVERSATION: ConversationId = ConversationId([0x90; 16]);
pub(super) const SECRET: &str = "the plover nests at dawn";
pub(super) const NAME: &str = "visitor/anna";
const MESSAGE: MessageId = MessageId([3; 16]);
const DAY: Day = Day(20_000);

/// A root with what was filed under it.
pub(super) struct Filed {
    pub(super) root: SecretKey,
    /// The key of the leaf page that the subject's record is or was in.
    pub(super) leaf_key: SecretKey,
    pages: Vec<(PageId, Vec<u8>)>,
    rows: Vec<(PageId, RowTag, Vec<u8>)>,
}

pub(super) struct World {
    keys: Vec<(KeyKind, Kid, SecretKey)>,
    arena: KeyArena,
    /// What a log would hold: group and command.
    log: Vec<(u32, Vec<u8>)>,
}

pub(super) fn fresh() -> SecretKey {
    SecretKey::generate(&mut OsEntropy).expect("randomness")
}

impl World {
    /// A realm in its first epoch.
    pub(super) fn new() -> (Self, Filed) {
        let kids = [
            (KeyKind::Subject, SUBJECT),
            (KeyKind::Conv, Kid(CONVERSATION.0)),
            (KeyKind::Bucket, Kid([0x50; 16])),
            (KeyKind::Tenant, Kid([0xd0; 16])),
        ];
        let mut world = Self {
            keys: kids.map(|(kind, kid)| (kind, kid, fresh())).into(),
            arena: KeyArena::new(Locking::BestEffort, 64).expect("memory for keys"),
            log: Vec::new(),
        };
        let filed = world.file(0, &[]);
        world.log_keys(&filed);
        world.log_conversation();
        (world, filed)
    }

    /// The next epoch, which leaves these keys out.
    pub(super) fn epoch(&mut self, generation: u32, erased: &[Kid]) -> Filed {
        let filed = self.file(generation, erased);
        let chunk = EpochChunk {
            attempt: generation,
            number: 0,
            pages: filed
                .pages
                .iter()
                .map(|(page, sealed)| named(*page, sealed))
                .collect(),
            rows: (filed.rows.iter())
                .map(|(page, tag, sealed)| EpochRowOf {
                    tree: page.tree.tag(),
                    page: page.index,
                    tag: tag.0,
                    sealed,
                })
                .collect(),
        };
        self.log.push((0, Command::EpochChunk(chunk).encode()));
        filed
    }

    /// The realm's log as bytes of a segment, and what a state would say beside it.
    pub(super) fn evidence(&self, roots: &[&Filed]) -> Evidence {
        let mut evidence = Evidence::new();
        evidence.realms.insert(REALM);
        evidence.levels.insert(levels().get());
        for (epoch, filed) in (0..).zip(roots) {
            evidence.take_root_commitment(root_commitment(&filed.root), Some(epoch));
        }
        entries::search(&mut evidence, &self.segment());
        assert_eq!(evidence.counts.log_entries as usize, self.log.len());
        evidence
    }

    pub(super) fn segment(&self) -> Vec<u8> {
        let frames = (1..)
            .zip(&self.log)
            .map(|(index, (group, command))| frame(*group, index, command));
        frames.collect::<Vec<_>>().concat()
    }

    pub(super) fn key(&self, kid: Kid) -> &SecretKey {
        let found = self.keys.iter().find(|(_, known, _)| *known == kid);
        &found.expect("a key of the realm").2
    }

    fn file(&self, generation: u32, erased: &[Kid]) -> Filed {
        let root = fresh();
        let mut filed = Filed {
            leaf_key: fresh(),
            pages: Vec::new(),
            rows: Vec::new(),
            root,
        };
        let under_root = PageKeys::derive(&filed.root);
        let entropy = &mut OsEntropy;
        let meta = MetaPage::generate(entropy).expect("randomness");
        let meta = meta.seal(&under_root, REALM, generation, entropy).expect("seals");
        filed.pages.push((PageId::META, meta));
        let top = PageId::top(Tree::Key);
        let below_top = ChildKeys::generate(entropy).expect("randomness");
        let sealed = under_root.seal_page(REALM, top, generation, &below_top, entropy);
        filed.pages.push((top, sealed.expect("seals")));
        for (kind, kid, key) in &self.keys {
            let leaf = levels().leaf(&LeafName::Key(*kid));
            let (interior, slot) = leaf.parent().expect("is below another");
            let (_, slot_of_interior) = interior.parent().expect("is below another");
            let children = ChildKeys::generate(entropy).expect("randomness");
            let keys = PageKeys::derive(below_top.key(slot_of_interior));
            let sealed = keys.seal_page(REALM, interior, generation, &children, entropy);
            filed.pages.push((interior, sealed.expect("seals")));
            let keys = PageKeys::derive(children.key(slot));
            if *kid == SUBJECT {
                filed.leaf_key = children.key(slot).duplicate();
            }
            if !erased.contains(kid) {
                let tag = keys.tag(&LeafName::Key(*kid));
                let header = RowHeader {
                    generation,
                    version: 1,
                };
                let record = record(*kind, *kid, key).encode();
                let sealed = keys.seal_row(REALM, leaf, tag, header, &record, entropy);
                filed.rows.push((leaf, tag, sealed.expect("seals")));
            }
        }
        filed
    }

    fn log_keys(&mut self, filed: &Filed) {
        let pages = filed.pages.iter().map(|(page, sealed)| named(*page, sealed));
        let stage = Command::StagePages {
            attempt: 1,
            pages: pages.collect(),
        };
        self.log.push((0, stage.encode()));
        let keys = self.keys.iter().zip(&filed.rows);
        let keys = keys.map(|((kind, kid, key), (page, tag, sealed))| NewKey {
            kid: *kid,
            kind: kind.tag(),
            parent: None,
            commit: [0; 32],
            key_commit: key_commitment(key),
            epoch: 0,
            returns: 0,
            rows: vec![NewRow {
                tree: page.tree.tag(),
                page: page.index,
                generation: 0,
                tag: tag.0,
                sealed,
            }],
        });
        let create = Command::CreateKeys {
            time: TimeMs(1),
            keys: keys.collect(),
        };
        self.log.push((0, create.encode()));
    }

    fn log_conversation(&mut self) {
        let (refs, message) = self.sealed(
            &MessageAad {
                realm: REALM,
                conversation: CONVERSATION,
                message: MESSAGE,
                envelope: 0,
                day: DAY,
            },
            &section(),
        );
        let row = |row| ConversationRowAad {
            realm: REALM,
            conversation: CONVERSATION,
            row,
            item: 0,
            version: 0,
        };
        let mut title = Encoder::new();
        title.u8(1).text("a title").text("a reference");
        let mut name = Encoder::new();
        name.u8(1).text(NAME);
        let naming = self.sealed_row(&row(1), &title.finish());
        let name = self.sealed_row(&row(2), &name.finish());
        let participant = NewParticipant {
            kid: SUBJECT,
            kind: ParticipantKind::Visitor,
            sealed: &name,
        };
        let create = Operation::Create(CreateConversation {
            id: CONVERSATION,
            profile: Profile::Support,
            principal: SUBJECT,
            tenant: Kid([0xd0; 16]),
            time: TimeMs(1),
            purposes: vec!["support"],
            sealed: &naming,
            participants: vec![participant],
        });
        let append = Operation::Append(Append {
            conversation: CONVERSATION,
            id: MESSAGE,
            mac: RequestMac([0; 8]),
            time: TimeMs(1),
            author: ParticipantRef::Number(0),
            purpose: 0,
            sections: vec![Section {
                keys: KeySetRef::Inline {
                    day: DAY,
                    refs: &refs,
                    owners: vec![SUBJECT],
                },
                envelope: &message,
            }],
            after: None,
        });
        for operation in [create, append] {
            let encoded = encode_operation(&operation);
            self.log.push((1, encode_command([&encoded[..]].into_iter())));
        }
    }

    /// The stored form of all four keys' refs, and what is sealed under them.
    fn sealed(&self, place: &impl Context, content: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let refs = self.keys.iter().map(|(kind, kid, key)| {
            let key_ref = KeyRef {
                kind: *kind,
                kid: *kid,
                generation: 0,
            };
            (key_ref, key)
        });
        let key = ContentKey::derive(&self.arena, &refs.collect::<Vec<_>>()).expect("a content key");
        let mut encoded = Encoder::new();
        key.refs().encode(&mut encoded);
        let envelope = seal(&key, place, content, &mut OsEntropy).expect("seals");
        (encoded.finish(), envelope)
    }

    fn sealed_row(&self, place: &impl Context, content: &[u8]) -> Vec<u8> {
        let (refs, envelope) = self.sealed(place, content);
        let mut e = Encoder::new();
        e.fixed(&refs).bytes(&envelope);
        e.finish()
    }
}

/// An entry as a segment holds it; nothing here looks at its checksum.
pub(super) fn frame(group: u32, index: u64, command: &[u8]) -> Vec<u8> {
    let mut entry = Encoder::new();
    entry.u8(1).u8(1).varint(2).varint(1).varint(index).fixed(command);
    let entry = entry.finish();
    let mut frame = Encoder::new();
    frame
        .fixed(&(13 + entry.len() as u32).to_le_bytes())
        .fixed(&[0; 4]);
    frame
        .u8(1)
        .fixed(&group.to_le_bytes())
        .fixed(&index.to_le_bytes());
    frame.fixed(&entry);
    frame.finish()
}

fn levels() -> Levels {
    Levels::new(2).expect("a depth")
}

fn named(page: PageId, sealed: &[u8]) -> Page<'_> {
    let name = PageName {
        tree: page.tree.tag(),
        level: page.level,
        index: page.index,
    };
    Page { name, sealed }
}

fn record(kind: KeyKind, kid: Kid, key: &SecretKey) -> KeyRecord {
    KeyRecord {
        kind,
        kid,
        created_epoch: 0,
        generations: vec![KeyGeneration {
            generation: 0,
            key: key.duplicate(),
            created: TimeMs(1),
        }],
        flags: 0,
        locator: None,
        blind: None,
    }
}

fn section() -> Vec<u8> {
    let mut e = Encoder::new();
    e.u8(1).varint(1).u8(0).u8(1).text(SECRET).varint(0);
    e.finish()
}
