//! A SoftHSM token for one test: made afresh, used in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use eunoe_vault::Pkcs11Options;

use super::own_process::run_again;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "47110815";
const DIRECTORY: &str = "EUNOE_TEST_TOKEN_DIR";
pub(crate) const LABEL: &str = "eunoe test";

/// A directory with a token in it and room for vaults.
pub(crate) struct Token {
    directory: PathBuf,
}

/// Runs `body` with a fresh token, in a process of its own: the library reads where its tokens are from the environment
/// of its process. `test` is the name of the test that calls this, which the new process runs again.
pub(crate) fn with_token(test: &str, body: impl FnOnce(&Token)) {
    if let Some(directory) = std::env::var_os(DIRECTORY) {
        return body(&Token {
            directory: directory.into(),
        });
    }
    let place = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let token = Token::new(place.path().to_owned());
    let mut command = token.in_environment("env");
    command.env(DIRECTORY, place.path());
    run_again(test, command);
}

impl Token {
    /// Makes a token in a directory.
    pub(crate) fn new(directory: PathBuf) -> Self {
        let token = Self { directory };
        token.make();
        token
    }

    /// What the library reads to find it.
    pub(crate) fn settings(&self) -> PathBuf {
        self.path("softhsm2.conf")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(crate) fn options(&self) -> Pkcs11Options {
        Pkcs11Options {
            module: MODULE.into(),
            token: LABEL.to_owned(),
            pin_file: self.path("pin"),
        }
    }

    /// The directory of the token's own files.
    pub(crate) fn store(&self) -> PathBuf {
        self.path("tokens")
    }

    fn make(&self) {
        assert!(
            Path::new(MODULE).exists(),
            "SoftHSM is missing: scripts/setup.sh installs the package softhsm2"
        );
        std::fs::create_dir(self.store()).expect("a directory");
        let settings = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            self.store().display()
        );
        std::fs::write(self.settings(), settings).expect("writes");
        std::fs::write(self.path("pin"), format!("{PIN}\n")).expect("writes");
        let made = self
            .in_environment("softhsm2-util")
            .args(["--init-token", "--free", "--label", LABEL])
            .args(["--so-pin", "12345678", "--pin", PIN])
            .output()
            .expect("softhsm2-util is missing: scripts/setup.sh installs the package softhsm2");
        assert!(made.status.success(), "{made:?}");
    }

    fn in_environment(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("SOFTHSM2_CONF", self.settings());
        command
    }
}
