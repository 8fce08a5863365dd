//! `[vault]`: where shares of the root are kept.

use std::path::PathBuf;

use eunoe_vault::{Pkcs11Options, TransitAddress, TransitAddressError, TransitOptions};
use serde::Deserialize;

use super::{ConfigError, is_text, require};

/// Bytes of a token's label (PKCS#11).
const LABEL_BYTES_MAX: usize = 32;
/// Ten years.
const RETENTION_DAYS_MAX: u32 = 3_660;

/// Where shares of the root are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VaultConfig {
    /// In a file of the data directory.
    #[default]
    File,
    /// Under keys of a PKCS#11 token.
    Pkcs11(Pkcs11Options),
    /// Under keys of an OpenBao or Vault server.
    Transit(TransitOptions),
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct VaultFile {
    kind: Option<String>,
    // Of `pkcs11`.
    module: Option<PathBuf>,
    token_label: Option<String>,
    pin_file: Option<PathBuf>,
    // Of `transit`.
    address: Option<String>,
    mount: Option<String>,
    ca_file: Option<PathBuf>,
    token_file: Option<PathBuf>,
    retention_days: Option<u32>,
}

impl VaultFile {
    /// What it means for the node with the id `node`. Opens nothing.
    pub(super) fn read(mut self, node: u64) -> Result<VaultConfig, ConfigError> {
        let kind = self.kind.take();
        let config = match kind.as_deref() {
            None | Some("file") => VaultConfig::File,
            Some("pkcs11") => VaultConfig::Pkcs11(self.pkcs11()?),
            Some("transit") => VaultConfig::Transit(self.transit(node)?),
            Some(_) => {
                return Err(ConfigError::field(
                    "vault.kind",
                    "must be file, pkcs11 or transit",
                ));
            }
        };
        // Whoever sets what this kind does not have meant another one.
        self.nothing_is_left()?;
        Ok(config)
    }

    fn pkcs11(&mut self) -> Result<Pkcs11Options, ConfigError> {
        let token = needed(self.token_label.take(), "vault.token_label")?;
        require(
            is_text(&token) && token.len() <= LABEL_BYTES_MAX,
            "vault.token_label",
            "must be 1 to 32 bytes of text",
        )?;
        Ok(Pkcs11Options {
            module: absolute(self.module.take(), "vault.module")?,
            token,
            pin_file: absolute(self.pin_file.take(), "vault.pin_file")?,
        })
    }

    fn transit(&mut self, node: u64) -> Result<TransitOptions, ConfigError> {
        let address = needed(self.address.take(), "vault.address")?;
        let mount = self.mount.take();
        let mount = mount.as_deref().unwrap_or("transit");
        let address = TransitAddress::new(&address, mount).map_err(|error| match error {
            TransitAddressError::Address(problem) => ConfigError::field("vault.address", problem),
            TransitAddressError::Mount(problem) => ConfigError::field("vault.mount", problem),
        })?;
        let ca_file = match self.ca_file.take() {
            None if !address.is_https() => None,
            ca_file => Some(absolute(ca_file, "vault.ca_file")?),
        };
        let retention_days = self.retention_days.take().unwrap_or(0);
        require(
            retention_days <= RETENTION_DAYS_MAX,
            "vault.retention_days",
            "must be 0 to 3660",
        )?;
        Ok(TransitOptions {
            address,
            ca_file,
            token_file: absolute(self.token_file.take(), "vault.token_file")?,
            node,
            retention_days,
        })
    }

    fn nothing_is_left(&self) -> Result<(), ConfigError> {
        let left = [
            ("vault.module", self.module.is_some()),
            ("vault.token_label", self.token_label.is_some()),
            ("vault.pin_file", self.pin_file.is_some()),
            ("vault.address", self.address.is_some()),
            ("vault.mount", self.mount.is_some()),
            ("vault.ca_file", self.ca_file.is_some()),
            ("vault.token_file", self.token_file.is_some()),
            ("vault.retention_days", self.retention_days.is_some()),
        ];
        left.into_iter()
            .try_for_each(|(field, is_set)| require(!is_set, field, "is of another kind of vault"))
    }
}

fn needed<T>(value: Option<T>, field: &str) -> Result<T, ConfigError> {
    value.ok_or_else(|| ConfigError::field(field, "is needed for this kind of vault"))
}

fn absolute(path: Option<PathBuf>, field: &str) -> Result<PathBuf, ConfigError> {
    let path = needed(path, field)?;
    require(path.is_absolute(), field, "must be an absolute path")?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PKCS11: &str = r#"
kind = "pkcs11"
module = "/usr/lib/softhsm/libsofthsm2.so"
token_label = "eunoe"
pin_file = "/etc/eunoe/pin"
"#;
    const TRANSIT: &str = r#"
kind = "transit"
address = "https://bao.example:8200"
ca_file = "/etc/eunoe/bao.pem"
token_file = "/run/eunoe/token"
"#;

    fn read(text: &str) -> Result<VaultConfig, String> {
        let file: VaultFile = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        file.read(7).map_err(|error| error.to_string())
    }

    #[test]
    fn each_kind_is_read_whole() {
        assert_eq!(read(""), Ok(VaultConfig::File));
        assert_eq!(read("kind = \"file\""), Ok(VaultConfig::File));
        assert_eq!(
            read(PKCS11),
            Ok(VaultConfig::Pkcs11(Pkcs11Options {
                module: "/usr/lib/softhsm/libsofthsm2.so".into(),
                token: "eunoe".into(),
                pin_file: "/etc/eunoe/pin".into(),
            }))
        );
        let options = TransitOptions {
            address: TransitAddress::new("https://bao.example:8200", "transit").expect("an address"),
            ca_file: Some("/etc/eunoe/bao.pem".into()),
            token_file: "/run/eunoe/token".into(),
            node: 7,
            retention_days: 0,
        };
        assert_eq!(read(TRANSIT), Ok(VaultConfig::Transit(options.clone())));
        let local = TransitOptions {
            address: TransitAddress::new("http://127.0.0.1:8200", "ns/t").expect("an address"),
            ca_file: None,
            retention_days: 30,
            ..options
        };
        let text = "kind = \"transit\"\naddress = \"http://127.0.0.1:8200\"\nmount = \"ns/t\"\n\
            token_file = \"/run/eunoe/token\"\nretention_days = 30";
        assert_eq!(read(text), Ok(VaultConfig::Transit(local)));
    }

    #[test]
    fn an_error_names_the_field() {
        let needed = "is needed for this kind of vault";
        for (text, from, to, expected) in [
            (
                "",
                "",
                "kind = \"tpm\"",
                "vault.kind must be file, pkcs11 or transit",
            ),
            (
                "",
                "",
                "kind = \"file\"\npin_file = \"/pin\"",
                "vault.pin_file is of another kind of vault",
            ),
            (
                "",
                "",
                "mount = \"transit\"",
                "vault.mount is of another kind of vault",
            ),
            (PKCS11, "module", "#", &format!("vault.module {needed}")),
            (PKCS11, "token_label", "#", &format!("vault.token_label {needed}")),
            (PKCS11, "pin_file", "#", &format!("vault.pin_file {needed}")),
            (
                PKCS11,
                "\"eunoe\"",
                "\"\"",
                "vault.token_label must be 1 to 32 bytes of text",
            ),
            (
                PKCS11,
                "\"/etc/eunoe/pin\"",
                "\"pin\"",
                "vault.pin_file must be an absolute path",
            ),
            (
                PKCS11,
                "kind",
                "retention_days = 1\nkind",
                "vault.retention_days is of another kind of vault",
            ),
            (TRANSIT, "address", "#", &format!("vault.address {needed}")),
            (TRANSIT, "ca_file", "#", &format!("vault.ca_file {needed}")),
            (TRANSIT, "token_file", "#", &format!("vault.token_file {needed}")),
            (
                TRANSIT,
                "https",
                "http",
                "vault.address must be https, but for this machine itself",
            ),
            (
                TRANSIT,
                "kind",
                "mount = \"/\"\nkind",
                "vault.mount must be names of letters, digits, - and _, with single / between them",
            ),
            (
                TRANSIT,
                "kind",
                "retention_days = 3661\nkind",
                "vault.retention_days must be 0 to 3660",
            ),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert_eq!(read(&changed), Err(expected.to_owned()), "{changed}");
        }
        let unknown = read("kind = \"pkcs11\"\npin = \"1234\"").expect_err("a PIN is in a file");
        assert!(unknown.starts_with("unknown field `pin`"), "{unknown}");
    }
}
