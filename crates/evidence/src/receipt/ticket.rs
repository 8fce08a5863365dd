//! What the requester keeps: whom an erasure was about. With it, and with nothing else, a receipt's commitment can be
//! recomputed. It is personal data.

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::encoding::encode_base64;
use crate::json::{JsonError, Object};

/// Bytes of a ticket at most.
pub const TICKET_BYTES_MAX: usize = 16 * 1024;

const FORMAT: &str = "eunoe/erasure-ticket@v1";

/// Why something is not a ticket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not canonical JSON, or without a field, or with one too many.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Of another format.
    #[error("a ticket of another version, or none")]
    Format,
    /// A tenant's name that a ticket cannot hold.
    #[error("a tenant's name with another character than printable ASCII, or with a quote or a backslash")]
    Tenant,
    /// More than [`TICKET_BYTES_MAX`] bytes.
    #[error("a ticket longer than the limit")]
    TooLong,
}

/// A ticket. Its bytes are its [`fmt::Display`], and no others parse to it. Its `Debug` names nobody.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    request: [u8; 16],
    commit: [u8; 32],
    tenant: String,
    reference: Vec<u8>,
    kid: [u8; 16],
    blind: [u8; 32],
}

/// `c`: a commitment to whom or what a key is of. Nobody can test a guess without `blind`.
pub fn subject_commitment(
    realm: &[u8; 16],
    kid: &[u8; 16],
    blind: &[u8; 32],
    tenant: &str,
    reference: &[u8],
) -> [u8; 32] {
    let named = Sha256::new()
        .chain_update(tenant)
        .chain_update([0])
        .chain_update(reference);
    Sha256::new()
        .chain_update(b"eunoe/subject-commit/v1\0")
        .chain_update(realm)
        .chain_update(kid)
        .chain_update(blind)
        .chain_update(named.finalize())
        .finalize()
        .into()
}

impl Ticket {
    /// A ticket of an erasure: `reference` is what the tenant calls the subject, and empty for what has no such name.
    pub fn new(
        request: [u8; 16],
        commit: [u8; 32],
        tenant: &str,
        reference: &[u8],
        kid: [u8; 16],
        blind: [u8; 32],
    ) -> Result<Self, TicketError> {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
        if !tenant.bytes().all(is_plain) {
            return Err(TicketError::Tenant);
        }
        let ticket = Self {
            request,
            commit,
            tenant: tenant.to_owned(),
            reference: reference.to_vec(),
            kid,
            blind,
        };
        if ticket.to_string().len() > TICKET_BYTES_MAX {
            return Err(TicketError::TooLong);
        }
        Ok(ticket)
    }

    /// Reads a ticket, and checks its form only.
    pub fn parse(bytes: &[u8]) -> Result<Self, TicketError> {
        if bytes.len() > TICKET_BYTES_MAX {
            return Err(TicketError::TooLong);
        }
        let ticket = Object::parse(bytes)?;
        ticket.expect_only(&[
            "blind",
            "commit",
            "format",
            "kid",
            "reference",
            "request",
            "tenant",
        ])?;
        if ticket.text("format")? != FORMAT {
            return Err(TicketError::Format);
        }
        Self::new(
            ticket.array("request")?,
            ticket.array("commit")?,
            ticket.text("tenant")?,
            &ticket.bytes("reference")?,
            ticket.array("kid")?,
            ticket.array("blind")?,
        )
    }

    /// The erasure.
    pub fn request(&self) -> &[u8; 16] {
        &self.request
    }

    /// The commitment that it says it opens.
    pub fn commit(&self) -> &[u8; 32] {
        &self.commit
    }

    /// The tenant that asked.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// What the tenant calls the subject.
    pub fn reference(&self) -> &[u8] {
        &self.reference
    }

    /// The commitment that it opens in a realm.
    pub fn opens(&self, realm: &[u8; 16]) -> [u8; 32] {
        subject_commitment(realm, &self.kid, &self.blind, &self.tenant, &self.reference)
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"blind\":\"{}\"", encode_base64(&self.blind))?;
        write!(
            f,
            ",\"commit\":\"{}\",\"format\":\"{FORMAT}\"",
            encode_base64(&self.commit)
        )?;
        write!(f, ",\"kid\":\"{}\"", encode_base64(&self.kid))?;
        write!(f, ",\"reference\":\"{}\"", encode_base64(&self.reference))?;
        write!(f, ",\"request\":\"{}\"", encode_base64(&self.request))?;
        write!(f, ",\"tenant\":\"{}\"}}", self.tenant)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").finish_non_exhaustive()
    }
}
