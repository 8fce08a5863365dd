//! Where results go: standard output, as text or as one JSON object a line. No colours, so NO_COLOR holds by itself.

use std::io::{self, Write};

use serde_json::Value;

use crate::failure::Failure;

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people; may change between versions.
    Text,
    /// For scripts: one object, or one a line for lists.
    Json,
}

/// Prints one result: `json` as a line, or what `text` makes of it.
pub(crate) fn result(output: Output, json: &Value, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let line = match output {
        Output::Json => json.to_string(),
        Output::Text => text(),
    };
    bytes(format!("{line}\n").as_bytes())
}

/// Prints bytes as they are.
pub(crate) fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| Failure::io("write to standard output", &error))
}

/// Tells a person about progress, on standard error.
pub(crate) fn note(line: &str) {
    // A note that nobody can read is no reason to fail.
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Numbers, as a person writes them one after another.
pub(crate) fn list(numbers: &[impl ToString]) -> String {
    numbers
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Text that somebody else wrote, fit for a terminal: control characters (which could move the cursor or
/// retitle the window) are escaped.
pub(crate) fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        assert_eq!(
            printable("Grüße\n\u{1b}[2J\u{9b}1m"),
            "Grüße\\n\\u{1b}[2J\\u{9b}1m"
        );
    }
}
