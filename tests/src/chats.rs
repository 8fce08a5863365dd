//! Files of conversations as `eunoe import` reads them, and the same as a test reads them by itself.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde::Deserialize;

/// A conversation of the file.
#[derive(Debug, Deserialize)]
pub struct Chat {
    /// The external reference.
    pub id: String,
    /// The messages in their order.
    pub turns: Vec<Turn>,
}

/// A message of the file.
#[derive(Debug, Deserialize)]
pub struct Turn {
    /// `visitor` or `agent`.
    pub from: String,
    /// What was said.
    pub text: String,
}

/// The file that the environment variable `EUNOE_TEST_CHATS` names, or the sample of the repository.
pub fn file() -> PathBuf {
    match std::env::var_os("EUNOE_TEST_CHATS") {
        Some(path) => PathBuf::from(path),
        None => crate::workspace_root().join("data/sample-chats.jsonl"),
    }
}

/// Reads the file; a name that ends in `.gz` is decompressed.
///
/// # Panics
///
/// If it cannot be read or a line is not a conversation.
pub fn read(path: &Path) -> Vec<Chat> {
    let file = File::open(path).expect("the chat file is there");
    let zipped = path.extension().is_some_and(|extension| extension == "gz");
    let text: Box<dyn Read> = if zipped {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let lines = BufReader::new(text).lines();
    let lines = lines.map(|line| line.expect("a line is read"));
    lines
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(&line).expect("a line is a conversation"))
        .collect()
}
