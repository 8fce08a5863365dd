//! Why a configuration cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a configuration cannot be used. The file holds no secret that it could repeat.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path} cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is not TOML, or has a field that is unknown, missing or of the wrong type.
    #[error("line {line}: {problem}")]
    Syntax {
        /// Where, from 1.
        line: usize,
        /// What is wrong, with the field's name.
        problem: String,
    },
    /// A field's value makes no sense.
    #[error("{field} {problem}")]
    Field {
        /// The field, with the tables that it is in.
        field: String,
        /// What is wrong.
        problem: &'static str,
    },
}

impl ConfigError {
    pub(super) fn field(field: &str, problem: &'static str) -> Self {
        Self::Field {
            field: field.to_owned(),
            problem,
        }
    }

    pub(super) fn syntax(text: &str, error: &toml::de::Error) -> Self {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        let line = 1 + text.bytes().take(start).filter(|byte| *byte == b'\n').count();
        Self::Syntax {
            line,
            problem: error.message().to_owned(),
        }
    }
}
