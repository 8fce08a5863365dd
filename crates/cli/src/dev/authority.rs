//! The certificate authority of a development cluster: one certificate a node, one a role. Not for production: its
//! key lies beside the data.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use eunoe_types::Role;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _, SanType, date_time_ymd,
};
use sha2::{Digest as _, Sha256};

use crate::encoding::hex;
use crate::failure::Failure;
use crate::files::{self, Access};

const CA_CERT: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
/// Years until a certificate ends.
const VALID_YEARS: i32 = 10;
const SECONDS_A_YEAR: u64 = 31_556_952;

/// Signs the certificates of one cluster (EC P-256).
pub(super) struct Authority {
    folder: PathBuf,
    realm: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes an authority, and a certificate for each role.
    pub(super) fn make(folder: &Path, realm: &str) -> Result<Self, Failure> {
        files::make_folder(folder)?;
        let mut params = params("Eunoe development CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(unmade)?;
        let cert = params.self_signed(&key).map_err(unmade)?;
        files::write(&folder.join(CA_KEY), &key.serialize_pem(), Access::Private)?;
        files::write(&folder.join(CA_CERT), &cert.pem(), Access::Public)?;
        let authority = Self {
            folder: folder.to_owned(),
            realm: realm.to_owned(),
            issuer: Issuer::new(params, key),
        };
        for role in Role::ALL {
            authority.issue_role(role)?;
        }
        Ok(authority)
    }

    /// The authority that was made in this folder.
    pub(super) fn open(folder: &Path, realm: &str) -> Result<Self, Failure> {
        let key = KeyPair::from_pem(&files::read(&folder.join(CA_KEY))?).map_err(unmade)?;
        let cert = files::read(&folder.join(CA_CERT))?;
        Ok(Self {
            folder: folder.to_owned(),
            realm: realm.to_owned(),
            issuer: Issuer::from_ca_cert_pem(&cert, key).map_err(unmade)?,
        })
    }

    /// Writes the certificate and key of a node at a site; returns the SHA-256 of its public key (SPKI), in hex.
    pub(super) fn issue_node(&self, id: u64, site: &str) -> Result<String, Failure> {
        let mut params = params(&format!("node {id}"));
        params.subject_alt_names = vec![
            SanType::DnsName("localhost".try_into().map_err(unmade)?),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            self.uri(&format!("site/{site}/node/{id}"))?,
        ];
        let both = [
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.extended_key_usages = both.to_vec();
        let key = self.issue(&format!("node-{id}"), &params)?;
        Ok(hex(&Sha256::digest(key.subject_public_key_info())))
    }

    fn issue_role(&self, role: Role) -> Result<(), Failure> {
        let mut params = params(role.name());
        params.subject_alt_names = vec![self.uri(&format!("tenant/*/role/{}", role.name()))?];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(role.name(), &params)?;
        Ok(())
    }

    fn uri(&self, path: &str) -> Result<SanType, Failure> {
        let uri = format!("spiffe://{}/{path}", self.realm);
        Ok(SanType::URI(uri.try_into().map_err(unmade)?))
    }

    fn issue(&self, name: &str, params: &CertificateParams) -> Result<KeyPair, Failure> {
        let key = KeyPair::generate().map_err(unmade)?;
        let cert = params.signed_by(&key, &self.issuer).map_err(unmade)?;
        let (cert_path, key_path) = (
            self.folder.join(cert_name(name)),
            self.folder.join(key_name(name)),
        );
        files::write(&key_path, &key.serialize_pem(), Access::Private)?;
        files::write(&cert_path, &cert.pem(), Access::Public)?;
        Ok(key)
    }
}

/// File of the CA's certificate.
pub(super) fn ca_name() -> &'static str {
    CA_CERT
}

/// File of a certificate, by node (`node-1`) or role.
pub(super) fn cert_name(name: &str) -> String {
    format!("{name}.pem")
}

/// File of a private key, by node (`node-1`) or role.
pub(super) fn key_name(name: &str) -> String {
    format!("{name}.key")
}

fn params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let year = 1970 + i32::try_from(since_epoch.as_secs() / SECONDS_A_YEAR).unwrap_or_default();
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + VALID_YEARS, 1, 1);
    params
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err passes")]
fn unmade(error: rcgen::Error) -> Failure {
    Failure::io("make certificates", &error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use x509_parser::extensions::GeneralName;
    use x509_parser::pem::parse_x509_pem;

    use super::*;

    fn pem_of(folder: &Path, name: &str) -> x509_parser::pem::Pem {
        let text = std::fs::read(folder.join(cert_name(name))).unwrap();
        parse_x509_pem(&text).unwrap().1
    }

    #[test]
    fn a_node_is_known_by_name_address_uri_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let realm = "ab".repeat(16);
        Authority::make(folder.path(), &realm).unwrap();
        let pin = Authority::open(folder.path(), &realm)
            .unwrap()
            .issue_node(2, "de/fra/fra1")
            .unwrap();
        let (node, ca) = (pem_of(folder.path(), "node-2"), pem_of(folder.path(), "ca"));
        let (node, ca) = (node.parse_x509().unwrap(), ca.parse_x509().unwrap());
        assert!(ca.is_ca());
        assert_eq!(node.issuer(), ca.subject());
        assert_eq!(hex(&Sha256::digest(node.public_key().raw)), pin);
        let names = node.subject_alternative_name().unwrap().unwrap();
        let uri = format!("spiffe://{realm}/site/de/fra/fra1/node/2");
        assert_eq!(
            names.value.general_names,
            [
                GeneralName::DNSName("localhost"),
                GeneralName::IPAddress(&[127, 0, 0, 1]),
                GeneralName::URI(&uri)
            ]
        );
        let usage = node.extended_key_usage().unwrap().unwrap().value;
        assert!(usage.server_auth && usage.client_auth);
    }

    #[test]
    fn each_role_has_a_certificate_for_clients_only() {
        let folder = tempfile::tempdir().unwrap();
        Authority::make(folder.path(), "00").unwrap();
        for role in ["platform", "agent", "subject", "dpo", "auditor", "operator"] {
            let pem = pem_of(folder.path(), role);
            let cert = pem.parse_x509().unwrap();
            let uri = format!("spiffe://00/tenant/*/role/{role}");
            let names = cert.subject_alternative_name().unwrap().unwrap();
            assert_eq!(names.value.general_names, [GeneralName::URI(&uri)]);
            let usage = cert.extended_key_usage().unwrap().unwrap().value;
            assert!(usage.client_auth && !usage.server_auth);
            assert!(!cert.is_ca());
        }
    }

    #[test]
    fn keys_are_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        Authority::make(folder.path(), "00").unwrap();
        let mode = |name: &str| {
            let metadata = std::fs::metadata(folder.path().join(name)).unwrap();
            metadata.permissions().mode() & 0o777
        };
        assert_eq!(mode("ca.key"), 0o600);
        assert_eq!(mode("platform.key"), 0o600);
    }
}
