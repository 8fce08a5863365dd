//! Keys of the transit engine: named after their slots, made once, used once, deleted.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eunoe_crypto::SecretBytes;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::client::{Answer, Client, Request};
use crate::wrapped::{KeyName, Keys};
use crate::{Slot, VaultError};

const WRAP_DOMAIN: &[u8] = b"eunoe/vault/transit/v1";
const KEY_TYPE: &str = "aes256-gcm96";
/// Larger than any of 32 bytes in base64 with its nonce, tag and version.
const CIPHERTEXT_BYTES_MAX: usize = 256;

/// The keys of one node's vaults at a server.
pub(super) struct ServerKeys {
    client: Client,
    node: u64,
}

#[derive(Serialize)]
struct NewKey {
    #[serde(rename = "type")]
    kind: &'static str,
    exportable: bool,
    allow_plaintext_backup: bool,
}

#[derive(Deserialize)]
struct KeyFacts {
    #[serde(rename = "type")]
    kind: String,
    exportable: bool,
    allow_plaintext_backup: bool,
    latest_version: u64,
}

#[derive(Serialize)]
struct Encrypt<'a> {
    plaintext: &'a str,
    associated_data: &'a str,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

#[derive(Serialize)]
struct Decrypt<'a> {
    ciphertext: &'a str,
    associated_data: &'a str,
}

/// Wiped when dropped.
#[derive(Deserialize)]
struct Decrypted {
    plaintext: String,
}

impl Drop for Decrypted {
    fn drop(&mut self) {
        self.plaintext.zeroize();
    }
}

#[derive(Serialize)]
struct Deletable {
    deletion_allowed: bool,
}

#[derive(Deserialize)]
struct Listed {
    keys: Vec<String>,
}

impl ServerKeys {
    pub(super) fn new(client: Client, node: u64) -> Self {
        Self { client, node }
    }

    fn post(&self, what: &'static str, path: &str, body: &impl Serialize) -> Result<Answer, VaultError> {
        // Large enough not to move: it may be a key.
        let mut json = Zeroizing::new(Vec::with_capacity(1024));
        serde_json::to_writer(&mut *json, body).map_err(|_| VaultError::Malformed { what })?;
        self.client.ask(what, path, Request::Post(&json))
    }

    /// Whether the server has no such key.
    fn is_gone(&self, name: &str) -> Result<bool, VaultError> {
        let what = "looking for a key";
        let answer = self.client.ask(what, &format!("keys/{name}"), Request::Get)?;
        if answer.is_missing() {
            return Ok(true);
        }
        answer.data::<KeyFacts>().map(|_| false)
    }

    /// Makes the key and sees that it is one that stays where it is.
    fn make(&self, name: &str) -> Result<(), VaultError> {
        let what = "making a key";
        let path = format!("keys/{name}");
        let wanted = NewKey {
            kind: KEY_TYPE,
            exportable: false,
            allow_plaintext_backup: false,
        };
        let made = self.post(what, &path, &wanted)?;
        if !made.is_success() {
            return Err(made.refused());
        }
        let is: KeyFacts = self.client.ask(what, &path, Request::Get)?.data()?;
        if is.exportable || is.allow_plaintext_backup {
            return Err(VaultError::Medium("the server's keys can leave it".to_owned()));
        }
        if is.kind != KEY_TYPE || is.latest_version != 1 {
            return Err(VaultError::Malformed { what });
        }
        Ok(())
    }
}

impl Keys for ServerKeys {
    fn wrap(&self, name: &KeyName, secret: &SecretBytes) -> Result<Vec<u8>, VaultError> {
        let text = text(self.node, name);
        self.make(&text)?;
        let what = "wrapping with the server";
        let plaintext = Zeroizing::new(BASE64_STANDARD.encode(secret.expose()));
        let request = Encrypt {
            plaintext: &plaintext,
            associated_data: &context(name),
        };
        let encrypted: Encrypted = self.post(what, &format!("encrypt/{text}"), &request)?.data()?;
        if encrypted.ciphertext.len() > CIPHERTEXT_BYTES_MAX {
            return Err(VaultError::Malformed { what });
        }
        Ok(encrypted.ciphertext.into_bytes())
    }

    fn unwrap(&self, name: &KeyName, wrapped: &[u8]) -> Result<Option<SecretBytes>, VaultError> {
        let Ok(ciphertext) = std::str::from_utf8(wrapped) else {
            return Ok(None);
        };
        let what = "unwrapping with the server";
        let request = Decrypt {
            ciphertext,
            associated_data: &context(name),
        };
        let answer = self.post(what, &format!("decrypt/{}", text(self.node, name)), &request)?;
        if answer.is_bad_request() {
            return Ok(None);
        }
        let decrypted: Decrypted = answer.data()?;
        let secret = BASE64_STANDARD.decode(&decrypted.plaintext);
        secret
            .map(|secret| Some(SecretBytes::new(secret)))
            .map_err(|_| VaultError::Malformed { what })
    }

    fn delete(&self, name: &KeyName) -> Result<(), VaultError> {
        let what = "deleting a key";
        let text = text(self.node, name);
        let path = format!("keys/{text}");
        let deletable = Deletable {
            deletion_allowed: true,
        };
        // Whether a refusal means that the key is gone shows when it is looked for.
        let allowed = self.post(what, &format!("{path}/config"), &deletable)?;
        if !allowed.is_success() && !allowed.is_bad_request() {
            return Err(allowed.refused());
        }
        let deleted = self.client.ask(what, &path, Request::Delete)?;
        if !deleted.is_success() && !deleted.is_bad_request() {
            return Err(deleted.refused());
        }
        if self.is_gone(&text)? {
            Ok(())
        } else {
            Err(VaultError::Undeleted(name.slot))
        }
    }

    fn list(&self, vault: &[u8; 16]) -> Result<Vec<KeyName>, VaultError> {
        let what = "listing the server's keys";
        let answer = self.client.ask(what, "keys?list=true", Request::Get)?;
        if answer.is_missing() {
            return Ok(Vec::new());
        }
        let listed: Listed = answer.data()?;
        let ours = |text: &String| name(self.node, vault, text);
        Ok(listed.keys.iter().filter_map(ours).collect())
    }
}

fn context(name: &KeyName) -> String {
    BASE64_STANDARD.encode(name.context(WRAP_DOMAIN))
}

fn prefix(node: u64, vault: &[u8; 16]) -> String {
    format!("eunoe-{node}-{:032x}-", u128::from_be_bytes(*vault))
}

/// What the server calls a key. A policy can name the keys of a node by how they begin.
fn text(node: u64, name: &KeyName) -> String {
    let Slot { epoch, attempt } = name.slot;
    format!(
        "{}{epoch}-{attempt}-{:016x}",
        prefix(node, &name.vault),
        name.serial
    )
}

fn name(node: u64, vault: &[u8; 16], text_of_key: &str) -> Option<KeyName> {
    let mut rest = text_of_key.strip_prefix(&prefix(node, vault))?.split('-');
    let name = KeyName {
        vault: *vault,
        slot: Slot {
            epoch: rest.next()?.parse().ok()?,
            attempt: rest.next()?.parse().ok()?,
        },
        serial: u64::from_str_radix(rest.next()?, 16).ok()?,
    };
    (text(node, &name) == text_of_key).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_again_by_its_name_and_by_nothing_else() {
        let is = KeyName {
            vault: [0x0a; 16],
            slot: Slot { epoch: 9, attempt: 2 },
            serial: 0xab,
        };
        let written = text(7, &is);
        assert_eq!(
            written,
            "eunoe-7-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a-9-2-00000000000000ab"
        );
        assert_eq!(name(7, &is.vault, &written), Some(is));
        assert_eq!(name(70, &is.vault, &written), None);
        assert_eq!(name(7, &[0; 16], &written), None);
        for other in ["x", "-", "-0"] {
            assert_eq!(name(7, &is.vault, &format!("{written}{other}")), None);
        }
    }
}
