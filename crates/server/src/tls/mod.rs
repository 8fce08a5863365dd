//! Mutual TLS 1.3 for clients and peers: who may connect, and as whom.
//!
//! Whoever cannot be named is refused within the handshake (alert `access_denied`), so no request without an
//! identity ever exists: a client certificate that is foreign, expired, of another realm, without exactly one
//! URI or with an unknown role ends the connection. Sessions are not resumed: every connection shows its
//! certificate anew.

mod collector;
mod connection;
mod connector;
mod directory;
mod identity;
mod incoming;
mod material;
mod verifier;

pub(crate) use collector::CollectorConnector;
pub use connection::TlsConnection;
pub use connector::ConnectError;
pub(crate) use connector::PeerConnector;
pub use directory::{PeerDirectory, PeerEntry, SpkiHash};
pub use identity::{ClientIdentity, IdentityError, PeerIdentity, Role, TenantScope, spki_sha256};
pub use incoming::{Acceptor, HandshakeLimits, Incoming};
pub use material::{TlsError, TlsMaterial};
