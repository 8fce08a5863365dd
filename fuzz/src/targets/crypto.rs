//! Envelopes: whatever is changed of one, or of its place, it does not open.

use std::sync::OnceLock;

use bytes::Bytes;
use eunoe_crypto::{
    ContentKey, ENVELOPE_OVERHEAD, Entropy, EntropyError, KeyArena, KeyKind, KeyRef, Locking, MessageAad,
    SecretKey, open, seal,
};
use eunoe_types::fuzzing::Reader;
use eunoe_types::{ConversationId, Day, Decoder, Kid, MessageId, Realm};

pub(super) const READERS: &[Reader] = &[
    ("forged envelope", |bytes| {
        let opened = open(key(), &place(0), bytes).is_ok();
        assert!(!opened, "an envelope that nobody sealed was opened");
        false
    }),
    ("changed envelope", changed),
];

/// The same randomness every time: what is sealed here is kept nowhere.
struct Fixed;

impl Entropy for Fixed {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), EntropyError> {
        out.fill(5);
        Ok(())
    }
}

fn key() -> &'static ContentKey {
    static KEY: OnceLock<ContentKey> = OnceLock::new();
    KEY.get_or_init(|| {
        let arena = KeyArena::new(Locking::BestEffort, 16).expect("memory");
        let name = |kind, kid| KeyRef {
            kind,
            kid: Kid([kid; 16]),
            generation: 1,
        };
        let secret = SecretKey::from_bytes(&[9; 32]);
        let keys = [
            (name(KeyKind::Conv, 1), &secret),
            (name(KeyKind::Tenant, 2), &secret),
        ];
        ContentKey::derive(&arena, &keys).expect("two keys make a list")
    })
}

fn place(envelope: u8) -> MessageAad {
    MessageAad {
        realm: Realm([1; 16]),
        conversation: ConversationId([2; 16]),
        message: MessageId([3; 16]),
        envelope,
        day: Day(20_000),
    }
}

/// Seals what follows three numbers, and changes a byte of the envelope or its place as they say.
fn changed(bytes: &Bytes) -> bool {
    let mut d = Decoder::new(bytes);
    let (Ok(elsewhere), Ok(at), Ok(change)) = (d.u8(), d.varint(), d.u8()) else {
        return false;
    };
    let content = d.rest();
    let mut envelope = seal(key(), &place(0), content, &mut Fixed).expect("any content is sealed");
    assert!(
        envelope.len() >= ENVELOPE_OVERHEAD + content.len(),
        "an envelope is shorter than its content"
    );
    let place_in_it = usize::try_from(at).ok().and_then(|at| envelope.get_mut(at));
    let untouched = match place_in_it {
        Some(byte) => {
            *byte ^= change;
            change == 0
        }
        None => true,
    };
    match open(key(), &place(elsewhere), &envelope) {
        Ok(opened) => {
            assert!(untouched && elsewhere == 0, "a changed envelope was opened");
            assert_eq!(opened.expose(), content, "another content was opened");
            true
        }
        Err(_) => {
            assert!(!untouched || elsewhere != 0, "an envelope does not open");
            false
        }
    }
}
