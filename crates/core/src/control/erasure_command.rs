//! Commands of erasures.

use eunoe_types::{DecodeError, Decoder, Encoder, ErasureId, Kid, RequestMac, TimeMs, limits};

use super::command::list;

/// Set in the last byte of a requester that proved itself by a token.
const BY_TOKEN: u8 = 1;

/// Who asks for an erasure, as commands and rows have it: a MAC whose last bit says by what it was proved.
pub fn requester(mac: RequestMac, by_token: bool) -> RequestMac {
    let mut requester = mac;
    requester.0[7] = requester.0[7] & !BY_TOKEN | u8::from(by_token);
    requester
}

/// Whether they are two people. A certificate names nobody, so that whoever holds one may hold a token as well: one of each
/// never are.
pub(super) fn are_two_people(one: &RequestMac, other: &RequestMac) -> bool {
    one != other && one.0[7] & BY_TOKEN == other.0[7] & BY_TOKEN
}

/// A request to erase what a key opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestErasure {
    /// Its id.
    pub id: ErasureId,
    /// The key.
    pub target: Kid,
    /// The tenant's key.
    pub tenant: Kid,
    /// MAC of what is asked for.
    pub mac: RequestMac,
    /// MAC of who asks, made by [`requester`].
    pub requester: RequestMac,
    /// Whether it takes two people.
    pub two_people: bool,
    /// Why, as the API numbers it.
    pub reason: u8,
    /// Whether to wait for no period.
    pub urgent: bool,
    /// Seconds after the fence in which no epoch takes it.
    pub hold_s: u32,
    /// Other keys in use of the target's name: it has some when an erasure of it was taken back after the name was used
    /// again.
    pub namesakes: Vec<Kid>,
    /// When, as the edge saw it.
    pub time: TimeMs,
}

/// That an erasure is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelErasure {
    /// Its id.
    pub id: ErasureId,
    /// MAC of who asks.
    pub requester: RequestMac,
    /// When, as the edge saw it.
    pub time: TimeMs,
}

impl RequestErasure {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.fixed(self.id.as_bytes()).fixed(self.target.as_bytes());
        e.fixed(self.tenant.as_bytes())
            .fixed(&self.mac.0)
            .fixed(&self.requester.0);
        e.u8(u8::from(self.two_people))
            .u8(self.reason)
            .u8(u8::from(self.urgent));
        e.varint(u64::from(self.hold_s))
            .varint(self.namesakes.len() as u64);
        self.namesakes.iter().for_each(|kid| {
            e.fixed(kid.as_bytes());
        });
        e.varint(self.time.0);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: ErasureId(d.array()?),
            target: Kid(d.array()?),
            tenant: Kid(d.array()?),
            mac: RequestMac(d.array()?),
            requester: RequestMac(d.array()?),
            two_people: d.flag()?,
            reason: d.u8()?,
            urgent: d.flag()?,
            hold_s: match d.varint_u32()? {
                hold_s if hold_s <= limits::HOLD_S_MAX => hold_s,
                _ => return Err(DecodeError::Range),
            },
            namesakes: list(d, limits::INCARNATIONS_MAX as usize, |d| Ok(Kid(d.array()?)))?,
            time: TimeMs(d.varint()?),
        })
    }
}

impl CancelErasure {
    pub(super) fn encode(&self, e: &mut Encoder) {
        e.fixed(self.id.as_bytes())
            .fixed(&self.requester.0)
            .varint(self.time.0);
    }

    pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            id: ErasureId(d.array()?),
            requester: RequestMac(d.array()?),
            time: TimeMs(d.varint()?),
        })
    }
}
