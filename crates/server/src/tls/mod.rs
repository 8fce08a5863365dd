//! TLS 1.3 for clients and peers: who may connect, and as whom.
//!
//! Between nodes it is mutual. A client shows a certificate as well, except where tokens are taken: there it may
//! leave it out and is nobody until a request brings a token. A certificate that is foreign, expired, of another
//! realm, without exactly one URI or with an unknown role ends the handshake (alert `access_denied` for what rustls
//! has no alert of its own for). Sessions are not resumed: every connection shows its certificate anew.
//!
//! Certificates, keys and the authority are read again when their files change. Handshakes use the new ones at once;
//! a connection whose certificate is no longer covered, or expired, is closed.

mod collector;
mod connection;
mod connector;
mod cover;
mod directory;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod identity;
mod incoming;
mod material;
mod verifier;

pub(crate) use collector::CollectorConnector;
pub use connection::TlsConnection;
pub use connector::ConnectError;
pub(crate) use connector::PeerConnector;
pub use directory::{PeerDirectory, PeerEntry, SpkiHash};
pub use identity::{
    Asker, ClientConnection, ClientIdentity, IdentityError, PeerIdentity, TenantScope, spki_sha256,
};
pub use incoming::{Acceptor, HandshakeLimits, Incoming, Proof};
pub use material::{TlsError, TlsMaterial};
