//! Which vault a node has, opened or made.

use std::path::Path;
use std::sync::Arc;

use eunoe_vault::{
    ErasableVault, FileVault, FileVaultOptions, Pkcs11Vault, TransitVault, VaultClass, VaultError,
};

use super::NodeError;
use crate::config::{Config, VaultConfig};
use crate::surroundings::{self, SystemEntropy};

/// The vault itself, or what is beside the keys of one that keeps them elsewhere.
const FILES: [&str; 3] = ["vault", "vault-pkcs11", "vault-transit"];

/// Opens the vault that the configuration says, and makes it for a node that never ran. A known node whose vault is missing
/// has lost it, and gets no empty one in silence.
pub(super) fn open(config: &Config, is_new: bool) -> Result<Arc<dyn ErasableVault>, NodeError> {
    let file = match config.vault {
        VaultConfig::File => FILES[0],
        VaultConfig::Pkcs11(_) => FILES[1],
        VaultConfig::Transit(_) => FILES[2],
    };
    // What another vault holds would never be destroyed, and this node would say that it holds nothing.
    let other = FILES
        .into_iter()
        .find(|other| *other != file && config.data_dir.join(other).exists());
    if let Some(other) = other {
        return Err(NodeError::OtherVault(config.data_dir.join(other)));
    }
    let path = config.data_dir.join(file);
    let vault = open_at(&path, config, is_new && !path.exists())?;
    let descriptor = vault.descriptor();
    tracing::info!(kind = descriptor.kind, class = %descriptor.class, "the vault is open");
    if descriptor.class == VaultClass::Test {
        tracing::warn!("the vault makes no claim to forget: it is for tests and development");
    }
    Ok(vault)
}

fn open_at(path: &Path, config: &Config, create: bool) -> Result<Arc<dyn ErasableVault>, VaultError> {
    let entropy = Box::new(SystemEntropy);
    Ok(match &config.vault {
        VaultConfig::File => {
            let options = FileVaultOptions {
                allow_unsafe_medium: config.development,
            };
            Arc::new(if create {
                FileVault::create(path, options, entropy)?
            } else {
                FileVault::open(path, options, entropy)?
            })
        }
        VaultConfig::Pkcs11(options) => {
            let options = options.clone();
            Arc::new(if create {
                Pkcs11Vault::create(path, options, entropy)?
            } else {
                Pkcs11Vault::open(path, options, entropy)?
            })
        }
        VaultConfig::Transit(options) => {
            let now = Box::new(surroundings::now);
            Arc::new(if create {
                TransitVault::create(path, options, now, entropy)?
            } else {
                TransitVault::open(path, options, now, entropy)?
            })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(data_dir: &Path, vault: &str) -> Config {
        let text = format!(
            r#"
node_id = 1
realm = "000102030405060708090a0b0c0d0e0f"
site = "de/fra/fra1"
data_dir = "{}"
development = true
[listen]
client = "127.0.0.1:7001"
peer = "127.0.0.1:7002"
admin = "127.0.0.1:7003"
[tls]
ca = "/ca"
cert = "/cert"
key = "/key"
[[members]]
node_id = 1
client = "127.0.0.1:7001"
peer = "127.0.0.1:7002"
spki_sha256 = "1111111111111111111111111111111111111111111111111111111111111111"
site = "de/fra/fra1"
[vault]
{vault}
"#,
            data_dir.display()
        );
        Config::parse(&text).expect("a configuration")
    }

    #[test]
    fn a_lost_vault_is_not_made_anew() {
        let place = tempfile::tempdir().expect("a directory");
        let config = config(place.path(), "");
        assert!(matches!(open(&config, false), Err(NodeError::Vault(_))));
        let made = open(&config, true).expect("made").descriptor();
        assert_eq!(made.kind, "file");
        // A node that never finished its first start.
        assert_eq!(open(&config, true).expect("opened").descriptor().id, made.id);
        assert_eq!(open(&config, false).expect("opened").descriptor().id, made.id);
    }

    #[test]
    fn the_vault_of_another_kind_is_not_left_behind() {
        let place = tempfile::tempdir().expect("a directory");
        let file = config(place.path(), "");
        drop(open(&file, true).expect("made"));
        let transit = "kind = \"transit\"\naddress = \"http://127.0.0.1:1\"\ntoken_file = \"/token\"";
        let pkcs11 = "kind = \"pkcs11\"\nmodule = \"/m.so\"\ntoken_label = \"t\"\npin_file = \"/pin\"";
        for vault in [transit, pkcs11] {
            for is_new in [true, false] {
                let opened = open(&config(place.path(), vault), is_new);
                assert!(matches!(opened, Err(NodeError::OtherVault(path)) if path.ends_with("vault")));
            }
        }
        std::fs::rename(place.path().join("vault"), place.path().join("vault-transit")).expect("renames");
        assert!(matches!(open(&file, true), Err(NodeError::OtherVault(_))));
    }
}
