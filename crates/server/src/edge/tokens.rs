//! Tokens that callers keep: page tokens and positions. They hold numbers and conversation ids, nothing else, and
//! are checked against the request that they come back with.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use eunoe_types::{ConversationId, DecodeError, Decoder, Encoder, Incarnation, Seq};

use super::{ApiError, ApiResult};

const FORMAT: u8 = 1;
const TOKEN_CHARS_MAX: usize = 128;

/// Where a tail stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which life of the data it belongs to.
    pub incarnation: Incarnation,
    /// What of the control group was in effect then.
    pub control_index: u64,
    /// The last message that was seen.
    pub seq: Seq,
}

impl Position {
    /// The token.
    pub fn encode(self) -> String {
        let mut e = Encoder::new();
        e.u8(FORMAT)
            .varint(u64::from(self.incarnation.0))
            .varint(self.control_index)
            .varint(self.seq.0);
        URL_SAFE_NO_PAD.encode(e.as_slice())
    }

    /// Reads a token that came in `field`.
    pub fn decode(token: &str, field: &'static str) -> ApiResult<Self> {
        decode(token, field, |d| {
            Ok(Self {
                incarnation: Incarnation(d.varint_u32()?),
                control_index: d.varint()?,
                seq: Seq(d.varint()?),
            })
        })
    }
}

/// Where the next page of messages begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MessagesPage {
    /// The conversation.
    pub conversation: ConversationId,
    /// Newest first.
    pub backward: bool,
    /// The first message of the page.
    pub from: Seq,
}

impl MessagesPage {
    /// The token.
    pub(super) fn encode(self) -> String {
        let mut e = Encoder::new();
        e.u8(FORMAT)
            .fixed(self.conversation.as_bytes())
            .u8(u8::from(self.backward))
            .varint(self.from.0);
        URL_SAFE_NO_PAD.encode(e.as_slice())
    }

    /// Reads a token.
    pub(super) fn decode(token: &str) -> ApiResult<Self> {
        decode(token, "page_token", |d| {
            Ok(Self {
                conversation: ConversationId(d.array()?),
                backward: d.flag()?,
                from: Seq(d.varint()?),
            })
        })
    }
}

/// The token of the conversation that a page of conversations ended with.
pub(super) fn encode_conversation(id: ConversationId) -> String {
    let mut e = Encoder::new();
    e.u8(FORMAT).fixed(id.as_bytes());
    URL_SAFE_NO_PAD.encode(e.as_slice())
}

/// Reads such a token.
pub(super) fn decode_conversation(token: &str) -> ApiResult<ConversationId> {
    decode(token, "page_token", |d| Ok(ConversationId(d.array()?)))
}

/// The token of the numbered thing that a page ended with.
pub(super) fn encode_number(number: u64) -> String {
    let mut e = Encoder::new();
    e.u8(FORMAT).varint(number);
    URL_SAFE_NO_PAD.encode(e.as_slice())
}

/// Reads such a token.
pub(super) fn decode_number(token: &str) -> ApiResult<u64> {
    decode(token, "page_token", |d| d.varint())
}

fn decode<T>(
    token: &str,
    field: &'static str,
    read: impl FnOnce(&mut Decoder<'_>) -> Result<T, DecodeError>,
) -> ApiResult<T> {
    let malformed = || ApiError::invalid(field, "must be a token that this service gave");
    if token.len() > TOKEN_CHARS_MAX {
        return Err(malformed());
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| malformed())?;
    let mut d = Decoder::new(&bytes);
    let decoded = match d.u8() {
        Ok(FORMAT) => read(&mut d),
        Ok(_) | Err(_) => return Err(malformed()),
    };
    match (decoded, d.finish()) {
        (Ok(value), Ok(())) => Ok(value),
        (Ok(_) | Err(_), Ok(()) | Err(_)) => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_and_nothing_else_does() {
        let position = Position {
            incarnation: Incarnation(1),
            control_index: 300,
            seq: Seq(7),
        };
        assert_eq!(
            Position::decode(&position.encode(), "position").ok(),
            Some(position)
        );
        let page = MessagesPage {
            conversation: ConversationId([3; 16]),
            backward: true,
            from: Seq(9),
        };
        assert_eq!(MessagesPage::decode(&page.encode()).ok(), Some(page));
        for bad in ["", "!", "AA", "AQ", &"A".repeat(500), &page.encode()[..10]] {
            let error = MessagesPage::decode(bad).expect_err("it is no token");
            assert_eq!(error.field.as_deref(), Some("page_token"));
        }
        assert!(MessagesPage::decode(&position.encode()).is_err());
    }
}
