//! Who a certificate names: one SPIFFE URI, of this realm.
//!
//! A certificate must hold exactly one URI among its names. Host names and addresses beside it are allowed (a
//! node's certificate needs them), a second URI is not: which of two identities counts must never be a question.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eunoe_core::placement::Site;
use eunoe_types::{NodeId, Realm, Role, TenantId};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::SpkiHash;

/// For which tenants a caller may act.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TenantScope {
    /// For any (`*`).
    Any,
    /// For this one.
    Name(TenantId),
}

impl TenantScope {
    /// Whether it includes `tenant`.
    pub fn includes(&self, tenant: &TenantId) -> bool {
        match self {
            TenantScope::Any => true,
            TenantScope::Name(name) => name == tenant,
        }
    }
}

/// A caller, as its certificate or its token names it. In the extensions of every request that may pass the gate.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// For which tenants it may act.
    pub tenant: TenantScope,
    /// As what.
    pub role: Role,
    /// Whether a token proved it; else a certificate did.
    pub by_token: bool,
    /// The tenant's reference of the person who calls. Tokens name one, certificates do not.
    pub subject: Option<String>,
    /// When what proved it ends; a stream that lasts longer ends with it. Connections watch their certificates.
    pub until: Option<SystemTime>,
}

/// Without the person.
impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("tenant", &self.tenant)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

/// A connection of the client listener: whom its certificate names, before any token was looked at. In the
/// extensions of every request, and no permission to do anything.
#[derive(Clone, Debug)]
pub struct ClientConnection {
    /// None when no certificate was shown, which only listeners allow where tokens are taken.
    pub certified: Option<ClientIdentity>,
    /// Cancelled once a good token came; a connection without a certificate does not live long without one.
    pub(crate) proved: CancellationToken,
}

impl ClientConnection {
    /// A connection as its handshake left it.
    pub fn new(certified: Option<ClientIdentity>) -> Self {
        Self {
            certified,
            proved: CancellationToken::new(),
        }
    }
}

impl ClientIdentity {
    /// What tells two people apart, where something takes two. Whom a token names is one person, whatever its role:
    /// several roles of one person must not become two people. Certificates name roles only, so that two of one role
    /// are one person to the cluster. Nobody can say who stands behind a certificate, so that one and a token never are two
    /// people.
    pub fn person(&self) -> Asker {
        let name = match &self.subject {
            Some(subject) => format!("person/{subject}"),
            None => format!("role/{}", self.role.name()),
        };
        Asker {
            name,
            by_token: self.by_token,
        }
    }
}

/// Somebody who asks for an erasure.
#[derive(Clone, PartialEq, Eq)]
pub struct Asker {
    /// Tells people apart.
    pub name: String,
    /// Whether a token proved who asks; else a certificate did.
    pub by_token: bool,
}

/// A node, as its certificate names it. In the extensions of every request on the peer listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PeerIdentity {
    /// Its id.
    pub node: NodeId,
    /// The key that it showed.
    pub spki_sha256: SpkiHash,
    /// Where it says that it stands.
    pub site: Site,
}

/// Why a certificate names nobody. No text of the certificate is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It does not parse.
    #[error("the certificate does not parse")]
    Malformed,
    /// It has no URI among its names, or several.
    #[error("the certificate must name exactly one URI")]
    NotOneUri,
    /// The URI is not a SPIFFE id of this realm.
    #[error("the certificate is not of this realm")]
    Realm,
    /// A node's site is not well-formed, or not in its one spelling.
    #[error("the certificate does not name a site, as <country>/<place>/<facility>")]
    Site,
    /// The path of the URI does not name what may connect here.
    #[error("the certificate does not name a known kind of caller")]
    Path,
}

/// The SHA-256 of a certificate's public key.
pub fn spki_sha256(certificate: &[u8]) -> Result<SpkiHash, IdentityError> {
    Ok(Sha256::digest(parse(certificate)?.public_key().raw).into())
}

/// When a certificate ends. One that ended before 1970 counts as if it ended with its first second.
pub(super) fn end(certificate: &[u8]) -> Result<SystemTime, IdentityError> {
    let seconds = parse(certificate)?.validity().not_after.timestamp();
    let after = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    UNIX_EPOCH.checked_add(after).ok_or(IdentityError::Malformed)
}

/// Reads a client's certificate: `spiffe://<realm>/tenant/<name|*>/role/<role>`.
pub(super) fn client(certificate: &[u8], realm: Realm) -> Result<ClientIdentity, IdentityError> {
    client_of(uri(&parse(certificate)?)?, realm)
}

/// The client that a URI names.
pub(super) fn client_of(uri: &str, realm: Realm) -> Result<ClientIdentity, IdentityError> {
    client_path(path(uri, realm)?)
}

/// Reads a node's certificate: `spiffe://<realm>/site/<country>/<place>/<facility>/node/<id>`.
pub(super) fn peer(certificate: &[u8], realm: Realm) -> Result<PeerIdentity, IdentityError> {
    let parsed = parse(certificate)?;
    let (site, node) = node_of(uri(&parsed)?, realm)?;
    Ok(PeerIdentity {
        node,
        spki_sha256: Sha256::digest(parsed.public_key().raw).into(),
        site,
    })
}

/// The node that a URI names, and where it stands.
pub(super) fn node_of(uri: &str, realm: Realm) -> Result<(Site, NodeId), IdentityError> {
    node_path(path(uri, realm)?)
}

fn parse(certificate: &[u8]) -> Result<X509Certificate<'_>, IdentityError> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) | Err(_) => Err(IdentityError::Malformed),
    }
}

fn uri<'a>(certificate: &'a X509Certificate<'a>) -> Result<&'a str, IdentityError> {
    let names = certificate
        .subject_alternative_name()
        .map_err(|_| IdentityError::Malformed)?;
    let names = names
        .map(|extension| extension.value.general_names.as_slice())
        .unwrap_or_default();
    let mut uris = names.iter().filter_map(|name| {
        if let GeneralName::URI(uri) = name {
            Some(*uri)
        } else {
            None
        }
    });
    match (uris.next(), uris.next()) {
        (Some(uri), None) => Ok(uri),
        (None | Some(_), _) => Err(IdentityError::NotOneUri),
    }
}

fn path(uri: &str, realm: Realm) -> Result<&str, IdentityError> {
    let path = uri
        .strip_prefix("spiffe://")
        .and_then(|rest| rest.strip_prefix(realm.to_string().as_str()));
    path.and_then(|path| path.strip_prefix('/'))
        .ok_or(IdentityError::Realm)
}

fn client_path(path: &str) -> Result<ClientIdentity, IdentityError> {
    let mut segments = path.split('/');
    let (Some("tenant"), Some(tenant), Some("role"), Some(role), None) = (
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
        segments.next(),
    ) else {
        return Err(IdentityError::Path);
    };
    let tenant = match tenant {
        "*" => TenantScope::Any,
        name => TenantScope::Name(TenantId::new(name).map_err(|_| IdentityError::Path)?),
    };
    let role = Role::from_name(role).ok_or(IdentityError::Path)?;
    Ok(ClientIdentity {
        tenant,
        role,
        by_token: false,
        subject: None,
        until: None,
    })
}

fn node_path(path: &str) -> Result<(Site, NodeId), IdentityError> {
    let path = path.strip_prefix("site/").ok_or(IdentityError::Path)?;
    let (text, id) = path.split_once("/node/").ok_or(IdentityError::Path)?;
    let site = Site::parse(text).ok().filter(|site| site.as_str() == text);
    let site = site.ok_or(IdentityError::Site)?;
    // One spelling per node, as per site: digits only, no leading zero (which also leaves out node 0).
    let canonical = id.bytes().all(|byte| byte.is_ascii_digit()) && !id.starts_with('0');
    let id = id.parse().ok().filter(|_| canonical).ok_or(IdentityError::Path)?;
    Ok((site, NodeId(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REALM: Realm = Realm([0xab; 16]);

    fn read_client(uri: &str) -> Result<ClientIdentity, IdentityError> {
        client_of(uri, REALM)
    }

    fn read_node(uri: &str) -> Result<(Site, NodeId), IdentityError> {
        node_of(uri, REALM)
    }

    #[test]
    fn one_person_in_two_roles_is_one_person() {
        let named = |role, subject: Option<&str>| ClientIdentity {
            tenant: TenantScope::Any,
            until: None,
            role,
            by_token: subject.is_some(),
            subject: subject.map(str::to_owned),
        };
        let dpo = named(Role::Dpo, Some("a"));
        assert!(dpo.person() == named(Role::Platform, Some("a")).person());
        assert!(dpo.person() != named(Role::Dpo, Some("b")).person());
        assert!(dpo.person() != named(Role::Dpo, None).person());
        assert!(named(Role::Dpo, None).person() != named(Role::Platform, None).person());
    }

    #[test]
    fn a_client_has_a_tenant_and_a_role() {
        for role in Role::ALL {
            let uri = format!("spiffe://{REALM}/tenant/acme/role/{}", role.name());
            let tenant = TenantScope::Name(TenantId::new("acme").unwrap());
            let expected = ClientIdentity {
                tenant,
                role,
                by_token: false,
                subject: None,
                until: None,
            };
            assert_eq!(read_client(&uri), Ok(expected));
        }
        let any = read_client(&format!("spiffe://{REALM}/tenant/*/role/operator")).unwrap();
        assert_eq!(any.tenant, TenantScope::Any);
    }

    #[test]
    fn what_is_not_exactly_a_client_is_refused() {
        let other = Realm([1; 16]);
        for uri in [
            format!("spiffe://{other}/tenant/acme/role/agent"),
            format!("https://{REALM}/tenant/acme/role/agent"),
            format!("SPIFFE://{REALM}/tenant/acme/role/agent"),
            format!("spiffe://{REALM}x/tenant/acme/role/agent"),
            format!(
                "spiffe://{}/tenant/acme/role/agent",
                REALM.to_string().to_uppercase()
            ),
        ] {
            assert_eq!(read_client(&uri), Err(IdentityError::Realm), "{uri}");
        }
        for rest in [
            "tenant/acme/role/root",
            "tenant/Acme/role/agent",
            "tenant//role/agent",
            "tenant/acme/role/agent/",
            "tenant/acme/role/agent?x=1",
            "tenant/acme/role/agent/role/dpo",
            "tenant/acme",
            "node/1",
            "",
        ] {
            assert_eq!(
                read_client(&format!("spiffe://{REALM}/{rest}")),
                Err(IdentityError::Path),
                "{rest}"
            );
        }
    }

    #[test]
    fn a_node_has_one_spelling() {
        let site = Site::parse("de/fra/fra1").unwrap();
        assert_eq!(
            read_node(&format!("spiffe://{REALM}/site/de/fra/fra1/node/7")),
            Ok((site, NodeId(7)))
        );
        for (rest, error) in [
            ("site/de/fra/fra1/node/0", IdentityError::Path),
            ("site/de/fra/fra1/node/07", IdentityError::Path),
            ("site/de/fra/fra1/node/+7", IdentityError::Path),
            ("site/de/fra/fra1/node/", IdentityError::Path),
            ("site/de/fra/fra1/node/7/", IdentityError::Path),
            ("site/de/fra/fra1/node/18446744073709551616", IdentityError::Path),
            ("site/de/fra/fra1/node/1/node/7", IdentityError::Path),
            ("site/de/fra/fra1", IdentityError::Path),
            ("node/7", IdentityError::Path),
            ("tenant/*/role/agent", IdentityError::Path),
            ("site/DE/fra/fra1/node/7", IdentityError::Site),
            // An alias is not the one spelling.
            ("site/el/ath/ath1/node/7", IdentityError::Site),
            ("site/eu-central-2/node/7", IdentityError::Site),
            ("site/eu/central/2/node/7", IdentityError::Site),
            ("site/de/fra/node/7", IdentityError::Site),
        ] {
            assert_eq!(
                read_node(&format!("spiffe://{REALM}/{rest}")),
                Err(error),
                "{rest}"
            );
        }
    }

    #[test]
    fn a_person_does_not_show() {
        let mut identity = read_client(&format!("spiffe://{REALM}/tenant/acme/role/agent")).unwrap();
        identity.subject = Some("anna@example.eu".to_owned());
        let shown = format!("{:?}", ClientConnection::new(Some(identity)));
        assert!(shown.contains("acme") && !shown.contains("anna"), "{shown}");
    }

    #[test]
    fn a_scope_includes_its_tenants() {
        let (acme, other) = (TenantId::new("acme").unwrap(), TenantId::new("other").unwrap());
        assert!(TenantScope::Any.includes(&other));
        assert!(TenantScope::Name(acme.clone()).includes(&acme));
        assert!(!TenantScope::Name(acme).includes(&other));
    }
}
