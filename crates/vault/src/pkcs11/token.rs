//! The token itself: which one, how it is entered, and its keys.

use std::path::PathBuf;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot as TokenSlot;
use cryptoki::types::AuthPin;
use eunoe_crypto::SecretBytes;

use super::Pkcs11Options;
use crate::secret_file;
use crate::wrapped::KeyName;
use crate::{Slot, VaultError};

const WRAP_DOMAIN: &[u8] = b"eunoe/vault/pkcs11/v1";
const KEY_BYTES: u64 = 32;
const NONCE_BYTES: usize = 12;
const TAG_BITS: u64 = 128;
/// Keys of one vault, at most: far more than there are slots.
const KEYS_MAX: usize = 1024;
const ID_BYTES: usize = 20;

/// Tokens in software, by words in what they say of themselves. They keep keys in files.
const SOFTWARE: &[&str] = &[
    "softhsm",
    "kryoptic",
    "opencryptoki",
    "nss",
    "mozilla",
    "p11-kit",
    "swtpm",
];

/// What a token says of itself.
pub(super) struct TokenFacts {
    /// Maker, model and serial number.
    pub(super) description: String,
    /// The device itself computes with the keys, and it is no known software.
    pub(super) is_hardware: bool,
}

/// A token that keys are kept in.
pub(super) struct Token {
    // Taken when it is dropped, to leave the library in order.
    library: Option<Pkcs11>,
    slot: TokenSlot,
    pin_file: PathBuf,
    // Tokens lock themselves after a few wrong ones.
    is_pin_wrong: bool,
}

impl Token {
    /// Loads the library, finds the token and sees whether it lets us in and does what is needed.
    pub(super) fn open(options: &Pkcs11Options) -> Result<Self, VaultError> {
        let library = Pkcs11::new(&options.module).map_err(failed("loading the token's library"))?;
        library
            .initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))
            .map_err(failed("initializing the token's library"))?;
        let mut token = Self {
            slot: match find_token(&library, &options.token) {
                Ok(slot) => slot,
                Err(error) => {
                    drop(library.finalize());
                    return Err(error);
                }
            },
            library: Some(library),
            pin_file: options.pin_file.clone(),
            is_pin_wrong: false,
        };
        token.check_mechanism()?;
        token.session()?;
        Ok(token)
    }

    /// What the token says of itself.
    pub(super) fn facts(&mut self) -> Result<TokenFacts, VaultError> {
        let what = "asking the token what it is";
        let info = self.library()?.get_token_info(self.slot).map_err(failed(what))?;
        let slot = self.library()?.get_slot_info(self.slot).map_err(failed(what))?;
        let mechanism = self
            .library()?
            .get_mechanism_info(self.slot, MechanismType::AES_GCM)
            .map_err(failed(what))?;
        let (maker, model) = (info.manufacturer_id(), info.model());
        Ok(TokenFacts {
            description: format!("{maker}, {model}, serial number {}", info.serial_number()),
            is_hardware: is_hardware(maker, model, mechanism.hardware() || slot.hardware_slot()),
        })
    }

    /// See [`crate::wrapped::Keys::wrap`].
    pub(super) fn wrap(&mut self, name: &KeyName, secret: &SecretBytes) -> Result<Vec<u8>, VaultError> {
        let session = self.session()?;
        let key = session
            .generate_key(&Mechanism::AesKeyGen, &template(name))
            .map_err(failed("generating a key in the token"))?;
        check_key(&session, key)?;
        // Each key encrypts once, so that any nonce will do; a token that insists on its own writes it here.
        let mut nonce = [0; NONCE_BYTES];
        let context = name.context(WRAP_DOMAIN);
        let what = "wrapping with the token";
        let params = GcmParams::new(&mut nonce, &context, TAG_BITS.into()).map_err(failed(what))?;
        let wrapped = session
            .encrypt(&Mechanism::AesGcm(params), key, secret.expose())
            .map_err(failed(what))?;
        Ok([&nonce[..], &wrapped].concat())
    }

    /// See [`crate::wrapped::Keys::unwrap`].
    pub(super) fn unwrap(
        &mut self,
        name: &KeyName,
        wrapped: &[u8],
    ) -> Result<Option<SecretBytes>, VaultError> {
        let session = self.session()?;
        let Some(key) = find(&session, name)?.into_iter().next() else {
            return Ok(None);
        };
        let Some((nonce, wrapped)) = wrapped.split_first_chunk::<NONCE_BYTES>() else {
            return Ok(None);
        };
        let (mut nonce, context) = (*nonce, name.context(WRAP_DOMAIN));
        let what = "unwrapping with the token";
        let params = GcmParams::new(&mut nonce, &context, TAG_BITS.into()).map_err(failed(what))?;
        match session.decrypt(&Mechanism::AesGcm(params), key, wrapped) {
            Ok(secret) => Ok(Some(SecretBytes::new(secret))),
            Err(Error::Pkcs11(RvError::EncryptedDataInvalid | RvError::EncryptedDataLenRange, _)) => Ok(None),
            Err(error) => Err(failed(what)(error)),
        }
    }

    /// See [`crate::wrapped::Keys::delete`].
    pub(super) fn delete(&mut self, name: &KeyName) -> Result<(), VaultError> {
        let session = self.session()?;
        for key in find(&session, name)? {
            session
                .destroy_object(key)
                .map_err(failed("destroying a key of the token"))?;
        }
        if find(&session, name)?.is_empty() {
            Ok(())
        } else {
            Err(VaultError::Undeleted(name.slot))
        }
    }

    /// See [`crate::wrapped::Keys::list`].
    pub(super) fn list(&mut self, vault: [u8; 16]) -> Result<Vec<KeyName>, VaultError> {
        let session = self.session()?;
        let what = "listing the token's keys";
        let keys = find_all(&session, &[class(), label(&vault)], what)?;
        keys.into_iter()
            .map(|key| {
                let attributes = session
                    .get_attributes(key, &[AttributeType::Id])
                    .map_err(failed(what))?;
                let name = attributes.iter().find_map(|attribute| {
                    if let Attribute::Id(id) = attribute {
                        name_of(vault, id)
                    } else {
                        None
                    }
                });
                name.ok_or(VaultError::Damaged("a key of the token has no slot's id"))
            })
            .collect()
    }

    /// A session that is logged in. One for each call: it does not matter then what became of the last one.
    fn session(&mut self) -> Result<Session, VaultError> {
        if self.is_pin_wrong {
            return Err(VaultError::Pin);
        }
        let pin = secret_file::read_line(&self.pin_file, "the PIN file")?;
        // Visible ASCII, and as long as it is: nothing is moved.
        let pin = AuthPin::from(String::from_utf8_lossy(pin.expose()).into_owned());
        let session = self
            .library()?
            .open_rw_session(self.slot)
            .map_err(failed("opening a session with the token"))?;
        match session.login(UserType::User, Some(&pin)) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(Error::Pkcs11(
                RvError::PinIncorrect
                | RvError::PinInvalid
                | RvError::PinLenRange
                | RvError::PinExpired
                | RvError::PinLocked,
                _,
            )) => {
                self.is_pin_wrong = true;
                Err(VaultError::Pin)
            }
            Err(error) => Err(failed("logging in to the token")(error)),
        }
    }

    fn check_mechanism(&self) -> Result<(), VaultError> {
        let what = "asking for AES-GCM";
        let info = self
            .library()?
            .get_mechanism_info(self.slot, MechanismType::AES_GCM)
            .map_err(failed(what))?;
        if info.encrypt() && info.decrypt() {
            return Ok(());
        }
        Err(VaultError::Token {
            what,
            problem: "the token does not encrypt and decrypt with it".to_owned(),
        })
    }

    fn library(&self) -> Result<&Pkcs11, VaultError> {
        self.library.as_ref().ok_or(VaultError::Token {
            what: "using the token's library",
            problem: "it is closed".to_owned(),
        })
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if let Some(library) = self.library.take() {
            // The process may go on without it either way.
            drop(library.finalize());
        }
    }
}

fn find_token(library: &Pkcs11, label: &str) -> Result<TokenSlot, VaultError> {
    let what = "finding the token";
    let problem = |problem: &str| VaultError::Token {
        what,
        problem: problem.to_owned(),
    };
    let slots = library.get_slots_with_initialized_token().map_err(failed(what))?;
    let mut found = None;
    for slot in slots {
        let info = library.get_token_info(slot).map_err(failed(what))?;
        if info.label() == label && found.replace(slot).is_some() {
            return Err(problem("several tokens have the label"));
        }
    }
    found.ok_or_else(|| problem("no token has the label"))
}

/// A token is believed to be hardware only if it says so and is no software that we know.
fn is_hardware(maker: &str, model: &str, says_so: bool) -> bool {
    let words = format!("{maker} {model}").to_lowercase();
    says_so && !SOFTWARE.iter().any(|software| words.contains(software))
}

fn class() -> Attribute {
    Attribute::Class(ObjectClass::SECRET_KEY)
}

/// All keys of a vault have one label, for that is what a token can search for.
fn label(vault: &[u8; 16]) -> Attribute {
    let hex: String = vault.iter().map(|byte| format!("{byte:02x}")).collect();
    Attribute::Label(format!("eunoe-{hex}").into_bytes())
}

fn id(name: &KeyName) -> Vec<u8> {
    [
        &name.slot.epoch.to_be_bytes()[..],
        &name.slot.attempt.to_be_bytes(),
        &name.serial.to_be_bytes(),
    ]
    .concat()
}

fn name_of(vault: [u8; 16], id: &[u8]) -> Option<KeyName> {
    let id: &[u8; ID_BYTES] = id.try_into().ok()?;
    let (epoch, rest) = id.split_first_chunk()?;
    let (attempt, rest) = rest.split_first_chunk()?;
    Some(KeyName {
        vault,
        slot: Slot {
            epoch: u64::from_be_bytes(*epoch),
            attempt: u32::from_be_bytes(*attempt),
        },
        serial: u64::from_be_bytes(rest.try_into().ok()?),
    })
}

fn template(name: &KeyName) -> Vec<Attribute> {
    vec![
        class(),
        Attribute::KeyType(KeyType::AES),
        Attribute::ValueLen(KEY_BYTES.into()),
        label(&name.vault),
        Attribute::Id(id(name)),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Modifiable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ]
}

/// Refuses a key that could leave the token, whatever it was asked to be.
fn check_key(session: &Session, key: ObjectHandle) -> Result<(), VaultError> {
    let wanted = [
        Attribute::Token(true),
        Attribute::Local(true),
        Attribute::AlwaysSensitive(true),
        Attribute::NeverExtractable(true),
    ];
    let types: Vec<AttributeType> = wanted.iter().map(Attribute::attribute_type).collect();
    let is = session
        .get_attributes(key, &types)
        .map_err(failed("inspecting a key of the token"))?;
    if wanted.iter().all(|attribute| is.contains(attribute)) {
        Ok(())
    } else {
        Err(VaultError::Medium("the token's keys can leave it".to_owned()))
    }
}

fn find(session: &Session, name: &KeyName) -> Result<Vec<ObjectHandle>, VaultError> {
    let wanted = [class(), label(&name.vault), Attribute::Id(id(name))];
    find_all(session, &wanted, "finding a key of the token")
}

fn find_all(
    session: &Session,
    wanted: &[Attribute],
    what: &'static str,
) -> Result<Vec<ObjectHandle>, VaultError> {
    let found = session.iter_objects(wanted).map_err(failed(what))?;
    let found: Result<Vec<_>, _> = found.take(KEYS_MAX + 1).collect();
    let found = found.map_err(failed(what))?;
    if found.len() > KEYS_MAX {
        return Err(VaultError::Token {
            what,
            problem: "there are more than 1024".to_owned(),
        });
    }
    Ok(found)
}

/// For `map_err`. The library's errors are codes and names of calls.
fn failed(what: &'static str) -> impl FnOnce(Error) -> VaultError {
    move |error| VaultError::Token {
        what,
        problem: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_device_that_says_so_and_is_no_known_software_is_hardware() {
        assert!(is_hardware("Example AG", "HSM 7", true));
        assert!(!is_hardware("Example AG", "HSM 7", false));
        assert!(!is_hardware("SoftHSM project", "SoftHSM v2", true));
        assert!(!is_hardware("Kryoptic", "v1", true));
    }

    #[test]
    fn a_key_is_found_again_by_its_id_and_by_nothing_else() {
        let name = KeyName {
            vault: [7; 16],
            slot: Slot {
                epoch: u64::MAX - 1,
                attempt: 9,
            },
            serial: 1 << 40,
        };
        let bytes = id(&name);
        assert_eq!(name_of(name.vault, &bytes), Some(name));
        assert_eq!(name_of(name.vault, &bytes[1..]), None);
        assert_eq!(name_of(name.vault, &[&bytes[..], &[0]].concat()), None);
    }
}
