//! Commands of erasures.

use eunoe_types::{DecodeError, Decoder, Encoder, ErasureId, Kid, RequestMac, TimeMs};

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
    /// MAC of who asks.
    pub requester: RequestMac,
    /// Whether it takes two people.
    pub two_people: bool,
    /// Why, as the API numbers it.
    pub reason: u8,
    /// Whether to wait for no period.
    pub urgent: bool,
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
            time: TimeMs(d.varint()?),
        })
    }
}
