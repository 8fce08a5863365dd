//! Certificates and what they name, as fuzzers show them.

use eunoe_types::Realm;
use eunoe_types::fuzzing::{Reader, text};

use super::{TenantScope, identity};

const REALM: Realm = Realm([0xab; 16]);

/// DER of certificates, and the URIs in them; a URI that is taken is the only one of its kind.
pub(crate) const READERS: &[Reader] = &[
    ("certificate", |der| {
        let key = identity::spki_sha256(der);
        let client = identity::client(der, REALM);
        let peer = identity::peer(der, REALM);
        assert!(
            client.is_err() || peer.is_err(),
            "a certificate names a client and a node"
        );
        assert!(key.is_ok() || peer.is_err(), "a node has no key");
        key.is_ok()
    }),
    ("client URI", |bytes| {
        let Ok(Ok(client)) = text(bytes).map(|uri| identity::client_of(uri, REALM)) else {
            return false;
        };
        let tenant = match &client.tenant {
            TenantScope::Any => "*",
            TenantScope::Name(name) => name.as_str(),
        };
        let uri = format!("spiffe://{REALM}/tenant/{tenant}/role/{}", client.role.name());
        assert_eq!(uri.as_bytes(), bytes, "a client has two URIs");
        true
    }),
    ("node URI", |bytes| {
        let Ok(Ok((site, node))) = text(bytes).map(|uri| identity::node_of(uri, REALM)) else {
            return false;
        };
        let uri = format!("spiffe://{REALM}/site/{site}/node/{node}");
        assert_eq!(uri.as_bytes(), bytes, "a node has two URIs");
        true
    }),
];
