//! A file to import as fuzzers write it.

use eunoe_types::fuzzing::Bytes;

use super::source::{Lines, plain};

/// Reads the whole file as an import does that skips malformed lines; whether no line was.
pub(crate) fn is_good(file: &Bytes) -> bool {
    let Ok(mut reader) = plain(Box::new(std::io::Cursor::new(file.clone()))) else {
        return false;
    };
    let mut lines = Lines::default();
    let mut good = true;
    loop {
        match lines.next(&mut reader) {
            Ok(None) => return good,
            Err(_) => return false,
            Ok(Some(Err(malformed))) => {
                assert!(!malformed.field.is_empty(), "a refusal names no field");
                good = false;
            }
            Ok(Some(Ok(chat))) => {
                let turns = chat.into_messages("c", "support");
                assert!(turns.iter().all(|turn| !turn.request_id.is_empty()));
            }
        }
    }
}
