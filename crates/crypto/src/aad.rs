//! What sealed content is bound to: the bytes that must be the same again for it to open.
//!
//! Numbers are little-endian and of fixed width, everything variable carries its length (erasure.md R11), so
//! two different places never give the same bytes.

use eunoe_types::{ConversationId, Day, MessageId, Realm};

use crate::ContentKey;

const MESSAGE_DOMAIN: &[u8] = b"eunoe/msg/v1";
const ROW_DOMAIN: &[u8] = b"eunoe/conv-row/v1";

/// Room for the longest: domain, ids, 8 keys, numbers.
const CAPACITY: usize = 320;

/// Associated data on the stack. All its parts are bounded by their types, far below the capacity.
pub struct Aad {
    bytes: [u8; CAPACITY],
    len: usize,
}

impl Aad {
    fn new(domain: &[u8]) -> Self {
        let mut aad = Self {
            bytes: [0; CAPACITY],
            len: 0,
        };
        aad.prefixed(domain);
        aad
    }

    fn fixed(&mut self, part: &[u8]) {
        self.bytes[self.len..self.len + part.len()].copy_from_slice(part);
        self.len += part.len();
    }

    fn prefixed(&mut self, part: &[u8]) {
        self.fixed(&(part.len() as u16).to_le_bytes());
        self.fixed(part);
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

mod private {
    /// Keeps [`Context`](super::Context) to the contexts of this crate.
    pub trait Place {
        /// Separates the key derivations of different kinds of content.
        const LABEL: &'static [u8; 3];
        /// The associated data at this place under `key`, for cipher suite `suite`.
        #[doc(hidden)]
        fn aad(&self, key: &super::ContentKey, suite: u8) -> super::Aad;
    }
}
pub(crate) use private::Place;

/// A place that content can be sealed for.
pub trait Context: Place {}

/// The place of one envelope of a message. The owners enter through the [`ContentKey`].
#[derive(Clone, Copy, Debug)]
pub struct MessageAad {
    /// The identity of the data.
    pub realm: Realm,
    /// The conversation.
    pub conversation: ConversationId,
    /// The message.
    pub message: MessageId,
    /// Which of the message's envelopes, from 0: parts with other owners have envelopes of their own.
    pub envelope: u8,
    /// The day of its retention bucket.
    pub day: Day,
}

impl Context for MessageAad {}

impl Place for MessageAad {
    const LABEL: &'static [u8; 3] = b"msg";

    fn aad(&self, key: &ContentKey, suite: u8) -> Aad {
        let mut aad = Aad::new(MESSAGE_DOMAIN);
        aad.fixed(&self.realm.0);
        aad.fixed(&self.conversation.0);
        aad.fixed(&self.message.0);
        aad.fixed(&[self.envelope]);
        aad.prefixed(key.refs_encoded());
        aad.fixed(&self.day.0.to_le_bytes());
        aad.fixed(&[suite]);
        aad
    }
}

/// The place of a sealed row of a conversation that is no message: its title, its external reference, one of
/// its participants.
#[derive(Clone, Copy, Debug)]
pub struct ConversationRowAad {
    /// The identity of the data.
    pub realm: Realm,
    /// The conversation.
    pub conversation: ConversationId,
    /// Which row: a stored number of the caller.
    pub row: u8,
    /// Which of several rows of that kind (a participant's number), else 0.
    pub item: u32,
    /// Grows with each change of the row, so that an older content does not pass for it.
    pub version: u64,
}

impl Context for ConversationRowAad {}

impl Place for ConversationRowAad {
    const LABEL: &'static [u8; 3] = b"row";

    fn aad(&self, key: &ContentKey, suite: u8) -> Aad {
        let mut aad = Aad::new(ROW_DOMAIN);
        aad.fixed(&self.realm.0);
        aad.fixed(&self.conversation.0);
        aad.fixed(&[self.row]);
        aad.fixed(&self.item.to_le_bytes());
        aad.fixed(&self.version.to_le_bytes());
        aad.prefixed(key.refs_encoded());
        aad.fixed(&[suite]);
        aad
    }
}
