//! The `pkcs11` provider: an AES key per slot in a token, which cannot leave it and is destroyed with the slot.

mod token;
mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use eunoe_crypto::{Entropy, SecretBytes};

use self::token::{Token, TokenFacts};
use self::worker::Worker;
use crate::wrapped::{KeyName, Keys, Retention, WrappedVault};
use crate::{Destroyed, ErasableVault, Slot, VaultClass, VaultDescriptor, VaultError};

const KIND: &str = "pkcs11";
/// A token at the other end of a network, behind others' work.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which token keeps the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Options {
    /// The library of the token's vendor.
    pub module: PathBuf,
    /// The token's label. Exactly one token may have it.
    pub token: String,
    /// A file with the user's PIN in one line.
    pub pin_file: PathBuf,
}

/// A vault whose keys are in a PKCS#11 token. A process has one at most per library.
pub struct Pkcs11Vault {
    vault: WrappedVault<TokenKeys>,
    facts: TokenFacts,
}

impl Pkcs11Vault {
    /// Makes a vault with its catalog at `path`, where there must be nothing, once the token is found fit.
    pub fn create(
        path: &Path,
        options: Pkcs11Options,
        entropy: Box<dyn Entropy>,
    ) -> Result<Self, VaultError> {
        let (keys, facts) = connect(options)?;
        let vault = WrappedVault::create(path, KIND, keys, Retention::none(), entropy)?;
        Ok(Self { vault, facts })
    }

    /// Opens the vault with its catalog at `path`.
    pub fn open(path: &Path, options: Pkcs11Options, entropy: Box<dyn Entropy>) -> Result<Self, VaultError> {
        let (keys, facts) = connect(options)?;
        let vault = WrappedVault::open(path, KIND, keys, Retention::none(), entropy)?;
        Ok(Self { vault, facts })
    }
}

fn connect(options: Pkcs11Options) -> Result<(TokenKeys, TokenFacts), VaultError> {
    let worker = Worker::start(PATIENCE, "opening the token", move || Token::open(&options))?;
    let facts = worker.call("asking the token what it is", |token| token.facts())?;
    Ok((TokenKeys(worker), facts))
}

impl ErasableVault for Pkcs11Vault {
    fn descriptor(&self) -> VaultDescriptor {
        let (id, counter) = self.vault.identity();
        VaultDescriptor {
            kind: KIND,
            class: if self.facts.is_hardware {
                VaultClass::Hsm
            } else {
                VaultClass::Test
            },
            id,
            counter,
            medium: self.facts.description.clone(),
            unsafe_medium: None,
        }
    }

    fn put(&self, slot: Slot, secret: &SecretBytes) -> Result<(), VaultError> {
        self.vault.put(slot, secret)
    }

    fn get(&self, slot: Slot) -> Result<SecretBytes, VaultError> {
        self.vault.get(slot)
    }

    fn destroy(&self, slot: Slot) -> Result<Destroyed, VaultError> {
        self.vault.destroy(slot)
    }

    fn list(&self) -> Result<Vec<Slot>, VaultError> {
        self.vault.list()
    }
}

/// The token behind its thread.
struct TokenKeys(Worker<Token>);

impl Keys for TokenKeys {
    fn wrap(&self, name: &KeyName, secret: &SecretBytes) -> Result<Vec<u8>, VaultError> {
        let (name, secret) = (*name, SecretBytes::from(secret.expose()));
        self.0
            .call("wrapping with the token", move |token| token.wrap(&name, &secret))
    }

    fn unwrap(&self, name: &KeyName, wrapped: &[u8]) -> Result<Option<SecretBytes>, VaultError> {
        let (name, wrapped) = (*name, wrapped.to_vec());
        self.0.call("unwrapping with the token", move |token| {
            token.unwrap(&name, &wrapped)
        })
    }

    fn delete(&self, name: &KeyName) -> Result<(), VaultError> {
        let name = *name;
        self.0
            .call("destroying a key of the token", move |token| token.delete(&name))
    }

    fn list(&self, vault: &[u8; 16]) -> Result<Vec<KeyName>, VaultError> {
        let vault = *vault;
        self.0
            .call("listing the token's keys", move |token| token.list(vault))
    }
}
