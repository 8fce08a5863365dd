//! The file with what a witness cosigned last, for all its logs: their number, then each checkpoint with the log's signature
//! and the witness's. The witness's own key shows that nothing was changed, and the number that nothing is missing; one file
//! for all is there as soon as the key is, so that a log's head cannot get lost and look like a new log.

use std::collections::BTreeMap;

use eunoe_evidence::{NOTE_BYTES_MAX, SignedCheckpoint, VerifierKey};

use super::disk::Folder;
use super::{KeeperError, ORIGINS_MAX};

pub(super) const NAME: &str = "heads";
const HEADER: &str = "eunoe/witness-heads@v1 ";
const BYTES_MAX: usize = 64 + ORIGINS_MAX * (1 + NOTE_BYTES_MAX);

/// What was cosigned last, by origin.
pub(super) type Heads = BTreeMap<String, SignedCheckpoint>;

/// The heads of a folder, whoever signed them, if it has the file.
pub(super) fn read(folder: &Folder) -> Result<Option<Heads>, KeeperError> {
    let Some(bytes) = folder.read(NAME, BYTES_MAX)? else {
        return Ok(None);
    };
    let damaged = || KeeperError::damaged(&folder.file(NAME), "it is no list of tree heads");
    parse(&bytes).ok_or_else(damaged).map(Some)
}

/// Checks that the witness with this key cosigned every one.
pub(super) fn check(folder: &Folder, heads: &Heads, key: &VerifierKey) -> Result<(), KeeperError> {
    let known = std::slice::from_ref(key);
    if heads.values().all(|head| head.verify(known).is_ok()) {
        Ok(())
    } else {
        let problem = "a tree head is not signed by this witness";
        Err(KeeperError::damaged(&folder.file(NAME), problem))
    }
}

/// Replaces the heads of a folder.
pub(super) fn write(folder: &Folder, heads: &Heads) -> Result<(), KeeperError> {
    folder.replace(NAME, render(heads).as_bytes())
}

fn render(heads: &Heads) -> String {
    let mut text = format!("{HEADER}{}\n", heads.len());
    for head in heads.values() {
        text += &format!("\n{head}");
    }
    text
}

/// A checkpoint's text and its signature lines have no empty line in them, so empty lines are what is between.
fn parse(bytes: &[u8]) -> Option<Heads> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut parts = text.strip_suffix('\n')?.split("\n\n").skip(1);
    let mut heads = Heads::new();
    while let Some(checkpoint) = parts.next() {
        let note = format!("{checkpoint}\n\n{}\n", parts.next()?);
        let head = SignedCheckpoint::parse(note.as_bytes()).ok()?;
        heads.insert(head.checkpoint().origin().to_owned(), head);
    }
    // What was written is found again byte for byte: the header, the number, the order, no origin twice.
    (heads.len() <= ORIGINS_MAX && render(&heads) == text).then_some(heads)
}

#[cfg(test)]
mod tests {
    use eunoe_evidence::{Checkpoint, Cosigner, KeyName};

    use super::*;

    fn heads(origins: &[&str]) -> Heads {
        let cosigner = Cosigner::from_seed(KeyName::new("w").unwrap(), &[1; 32]).unwrap();
        let head = |origin: &&str| {
            let checkpoint = Checkpoint::new(origin, 7, [3; 32], Vec::new()).unwrap();
            let line = cosigner.cosign(&checkpoint, 1).unwrap();
            let signed = SignedCheckpoint::new(checkpoint, vec![line]).unwrap();
            ((*origin).to_owned(), signed)
        };
        origins.iter().map(head).collect()
    }

    #[test]
    fn heads_are_read_as_they_are_written() {
        for origins in [&[][..], &["a"], &["a", "b", "c"]] {
            let heads = heads(origins);
            assert_eq!(parse(render(&heads).as_bytes()), Some(heads));
        }
    }

    #[test]
    fn what_is_cut_or_doubled_is_no_list() {
        let text = render(&heads(&["a", "b"]));
        for end in 0..text.len() {
            assert_eq!(parse(&text.as_bytes()[..end]), None, "{end}");
        }
        let second = text.rfind("\n\nb").unwrap();
        for bad in [
            format!("{text}\n"),
            format!("{text}{}", &text[second + 1..]),
            text[..=second].to_owned(),
            text.replacen(" 2", " 02", 1),
            text.replacen("v1", "v2", 1),
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
