//! The `pkcs11` vault on SoftHSM: the suite, and what only a token does.

use std::fs;
use std::path::Path;

use eunoe_crypto::OsEntropy;
use eunoe_vault::{Destroyed, ErasableVault, Pkcs11Options, Pkcs11Vault, VaultClass, VaultError};

use crate::conformance::{Harness, secret, slot, suite};
use crate::softhsm::{Token, with_token};

struct Tokens<'a> {
    token: &'a Token,
    made: u32,
}

impl Tokens<'_> {
    fn try_open(&self) -> Result<Pkcs11Vault, VaultError> {
        open(self.token, &format!("vault{}", self.made))
    }
}

impl Harness for Tokens<'_> {
    fn create(&mut self) -> Box<dyn ErasableVault> {
        self.made += 1;
        Box::new(create(self.token, &format!("vault{}", self.made)))
    }

    fn open(&mut self) -> Box<dyn ErasableVault> {
        Box::new(self.try_open().expect("opens"))
    }

    fn open_again(&mut self) -> Result<(), VaultError> {
        self.try_open().map(drop)
    }
}

fn create(token: &Token, name: &str) -> Pkcs11Vault {
    Pkcs11Vault::create(&token.path(name), token.options(), Box::new(OsEntropy)).expect("creates")
}

fn open(token: &Token, name: &str) -> Result<Pkcs11Vault, VaultError> {
    Pkcs11Vault::open(&token.path(name), token.options(), Box::new(OsEntropy))
}

/// Files of the token that hold objects.
fn objects(store: &Path) -> Vec<Vec<u8>> {
    let token = fs::read_dir(store).expect("reads").next().expect("a token");
    let files = fs::read_dir(token.expect("reads").path()).expect("reads");
    files
        .map(|file| file.expect("reads").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "object"))
        .filter(|path| path.file_name().is_some_and(|name| name != "token.object"))
        .map(|path| fs::read(path).expect("reads"))
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a directory");
    for entry in fs::read_dir(from).expect("reads") {
        let entry = entry.expect("reads");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copies");
        }
    }
}

#[test]
fn a_token_keeps_every_promise() {
    with_token("pkcs11::a_token_keeps_every_promise", |token| {
        suite(&mut Tokens { token, made: 0 });
    });
}

#[test]
fn a_software_token_makes_no_claim() {
    with_token("pkcs11::a_software_token_makes_no_claim", |token| {
        let descriptor = create(token, "vault").descriptor();
        assert_eq!((descriptor.kind, descriptor.class), ("pkcs11", VaultClass::Test));
        assert!(descriptor.medium.contains("SoftHSM"), "{}", descriptor.medium);
        assert_eq!(descriptor.unsafe_medium, None);
    });
}

#[test]
fn one_key_per_slot_goes_with_it_and_the_file_alone_gives_nothing_back() {
    let test = "pkcs11::one_key_per_slot_goes_with_it_and_the_file_alone_gives_nothing_back";
    with_token(test, |token| {
        let vault = create(token, "vault");
        vault.put(slot(1), &secret(0x5a)).expect("kept");
        vault.put(slot(2), &secret(0x5b)).expect("kept");
        assert_eq!(objects(&token.store()).len(), 2);
        let catalog = fs::read(token.path("vault")).expect("reads");
        assert!(!catalog.windows(32).any(|window| window == [0x5a; 32]));
        assert_eq!(vault.destroy(slot(1)).expect("destroyed"), Destroyed::Now);
        assert_eq!(objects(&token.store()).len(), 1);
        drop(vault);
        // The file is put back from a copy: it names the slot, and nothing opens it.
        fs::write(token.path("vault"), catalog).expect("writes");
        let vault = open(token, "vault").expect("opens");
        assert_eq!(vault.list().expect("lists"), [slot(1), slot(2)]);
        assert!(matches!(vault.get(slot(1)), Err(VaultError::Dead(_))));
        assert!(matches!(
            vault.put(slot(1), &secret(0x5a)),
            Err(VaultError::Dead(_))
        ));
        assert!(vault.get(slot(2)).expect("held").matches(&secret(0x5b)));
        assert_eq!(vault.destroy(slot(1)).expect("destroyed"), Destroyed::Now);
        assert_eq!(vault.list().expect("lists"), [slot(2)]);
    });
}

#[test]
fn e21_a_key_put_back_from_a_copy_of_the_token_is_listed_and_destroyed_again() {
    let test = "pkcs11::e21_a_key_put_back_from_a_copy_of_the_token_is_listed_and_destroyed_again";
    with_token(test, |token| {
        let vault = create(token, "vault");
        vault.put(slot(1), &secret(1)).expect("kept");
        drop(vault);
        let stolen = token.path("stolen");
        copy(&token.store(), &stolen);
        let stolen_catalog = fs::read(token.path("vault")).expect("reads");
        let vault = open(token, "vault").expect("opens");
        vault.destroy(slot(1)).expect("destroyed");
        drop(vault);
        fs::remove_dir_all(token.store()).expect("removes");
        copy(&stolen, &token.store());
        let vault = open(token, "vault").expect("opens");
        // The key alone is not the secret, but it may be what a copy of the file needs.
        assert_eq!(vault.list().expect("lists"), [slot(1)]);
        assert!(matches!(vault.get(slot(1)), Err(VaultError::NotFound(_))));
        assert_eq!(vault.destroy(slot(1)).expect("destroyed"), Destroyed::Now);
        assert_eq!(vault.list().expect("lists"), []);
        drop(vault);
        // Why a software token claims nothing: whoever has copies of both has the secret.
        fs::remove_dir_all(token.store()).expect("removes");
        copy(&stolen, &token.store());
        fs::write(token.path("vault"), stolen_catalog).expect("writes");
        let vault = open(token, "vault").expect("opens");
        assert!(vault.get(slot(1)).expect("rolled back").matches(&secret(1)));
    });
}

#[test]
fn a_wrong_pin_is_shown_to_the_token_once() {
    with_token("pkcs11::a_wrong_pin_is_shown_to_the_token_once", |token| {
        let vault = create(token, "vault");
        vault.put(slot(1), &secret(1)).expect("kept");
        fs::write(token.path("pin"), "13371337").expect("writes");
        for _ in 0..2 {
            let refused = vault.get(slot(1)).expect_err("the PIN is wrong");
            assert!(matches!(refused, VaultError::Pin), "{refused}");
            assert!(!format!("{refused} {refused:?}").contains("13371337"));
        }
        // Only opening anew asks again.
        fs::write(token.path("pin"), "47110815").expect("writes");
        assert!(matches!(vault.get(slot(1)), Err(VaultError::Pin)));
        drop(vault);
        let vault = open(token, "vault").expect("opens");
        assert!(vault.get(slot(1)).expect("held").matches(&secret(1)));
    });
}

#[test]
fn what_is_missing_is_named() {
    with_token("pkcs11::what_is_missing_is_named", |token| {
        let attempt = |change: &dyn Fn(&mut Pkcs11Options)| {
            let mut options = token.options();
            change(&mut options);
            let failed = Pkcs11Vault::create(&token.path("vault"), options, Box::new(OsEntropy));
            assert!(!token.path("vault").exists());
            failed.err().expect("refused").to_string()
        };
        let no_library = attempt(&|options| options.module = "/nowhere.so".into());
        assert!(
            no_library.starts_with("loading the token's library"),
            "{no_library}"
        );
        let no_token = attempt(&|options| options.token = "other".to_owned());
        assert_eq!(no_token, "finding the token: no token has the label");
        let no_pin = attempt(&|options| options.pin_file = "/nowhere".into());
        assert_eq!(no_pin, "the PIN file");
        let lost = open(token, "vault").err().expect("there is none");
        assert_eq!(lost.to_string(), "opening the vault's catalog");
    });
}
