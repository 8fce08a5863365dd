//! The file with a witness's key: its verifier key, then the seed, so that a flipped bit of either is seen.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eunoe_evidence::{Cosigner, KeyName, VerifierKey};
use zeroize::Zeroizing;

use super::KeeperError;
use super::disk::Folder;

pub(super) const NAME: &str = "key";
/// A verifier key, a seed and two newlines are shorter.
const BYTES_MAX: usize = 1024;
const SEED_BYTES: usize = 32;

/// The key of a folder, if it has one.
pub(super) fn read(folder: &Folder, name: &KeyName) -> Result<Option<Cosigner>, KeeperError> {
    let Some(bytes) = folder.read(NAME, BYTES_MAX)? else {
        return Ok(None);
    };
    if folder.is_open_to_others(NAME)? {
        return Err(KeeperError::OpenToOthers {
            path: folder.file(NAME),
        });
    }
    let (verifier, seed) =
        parse(&bytes).ok_or_else(|| KeeperError::damaged(&folder.file(NAME), "it is no key"))?;
    let cosigner = Cosigner::from_seed(verifier.name().clone(), &seed).map_err(KeeperError::Key)?;
    if *cosigner.verifier() != verifier {
        let problem = "its seed is not that of its verifier key";
        return Err(KeeperError::damaged(&folder.file(NAME), problem));
    }
    if verifier.name() != name {
        return Err(KeeperError::OtherName(verifier.name().clone()));
    }
    Ok(Some(cosigner))
}

/// Makes a key and writes it.
pub(super) fn make(folder: &Folder, name: KeyName) -> Result<Cosigner, KeeperError> {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    getrandom::fill(&mut *seed).map_err(KeeperError::Randomness)?;
    let cosigner = Cosigner::from_seed(name, &seed).map_err(KeeperError::Key)?;
    // As large as it gets, so that it never moves and leaves a copy behind.
    let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX));
    text.push_str(&cosigner.verifier().to_string());
    text.push('\n');
    STANDARD.encode_string(*seed, &mut text);
    text.push('\n');
    folder.replace(NAME, text.as_bytes())?;
    Ok(cosigner)
}

fn parse(bytes: &[u8]) -> Option<(VerifierKey, Zeroizing<[u8; SEED_BYTES]>)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (verifier, rest) = text.split_once('\n')?;
    let decoded = Zeroizing::new(STANDARD.decode(rest.strip_suffix('\n')?).ok()?);
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    if decoded.len() != SEED_BYTES {
        return None;
    }
    seed.copy_from_slice(&decoded);
    Some((VerifierKey::parse(verifier).ok()?, seed))
}
